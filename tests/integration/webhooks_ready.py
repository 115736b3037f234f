"""The ready-made templates for chat systems, each against a server that answers as its documentation says
(tests/peers/chat_servers.py)."""
import re
import time

import company
import harness
from harness import check, check_equal, wait_until
from outlet_peers import checked, meeting, outlet, wait_up
import chat_servers
from hook_sink import HookSink

ANNA, ODD, HAND = "anna@example.test", "o'hara+1@example.test", "hand@example.test"
PEOPLE = [ANNA, ODD, HAND]


def simulator(folder, token="t0ken"):
    harness.secret_file(folder, "password", "svc-secret")
    harness.secret_file(folder, "token", token)
    return harness.Simulator(folder,
                             company.company(*[f"mailbox {p} password=x" for p in PEOPLE + ["stranger@example.test"]]))


def yaml(sim, product, base, more=""):
    people = PEOPLE + ["stranger@example.test"]
    return company.yaml(sim.url, people).replace("publish:\n", f"""publish:
  webhooks:
    - {{ name: chat, template: {product}, url: "{base}", token_file: token{more} }}
""") + "state: { directory: \"{folder}\" }\n"


def shown(status):
    """A status without the day that its words name when a meeting ends after midnight."""
    undated = lambda part: re.sub(r"until \w{3} \d{4}-\d\d-\d\d ", "until ", part) if isinstance(part, str) else part
    return tuple(map(undated, status)) if isinstance(status, tuple) else undated(status)


def scenario(folder, product, chat, base_path, busy, more="", token="t0ken"):
    """busy(text): what a person's client shows; the other states are the chat's nothing()."""
    sink = HookSink(answer=chat)
    sim = simulator(folder, token)
    daemon = harness.Daemon(folder, yaml(sim, product, f"http://127.0.0.1:{sink.port}{base_path}", more))
    wait_up(daemon, "chat")
    for p in PEOPLE + ["stranger@example.test"]:
        daemon.wait_state(p, "free")
    line = checked(daemon, "chat")
    check(line["ok"] and "one message delivered to itself" in line["evidence"], f"the token is proved: {line}")
    check_equal({r["method"] for r in sink.requests}, {"GET"}, "by reading")
    check_equal(chat.writes, [], "nobody who is free is touched")
    anna, odd, hand = (chat.people[p] for p in PEOPLE)

    # what somebody chose before the meeting stays, although it looks the same
    begin = int(time.time()) - 60
    text = "Busy until " + time.strftime("%H:%M UTC", time.gmtime(begin + 3600))
    chosen = chat.status[hand] = busy(text, begin + 3600)
    items = {p: meeting(sim, p, begin) for p in PEOPLE}
    meeting(sim, "stranger@example.test", begin)
    for ident in (anna, odd):
        wait_until(lambda: shown(chat.status[ident]) == busy(text, begin + 3600),
                   f"the status of {ident}: {chat.status[ident]}", 60)
    wait_until(lambda: outlet(daemon, "chat").get("kept") == 1, "the one chosen by hand to be left alone", 60)
    check_equal([w for w in chat.writes if w[0] == hand], [], "writes to somebody who chose")

    if stranger := chat.people.get("stranger@example.test"):
        wait_until(lambda: shown(chat.status[stranger]) == busy(text, begin + 3600), "the stranger, who is known there", 60)

    # one of ours is changed by hand during the meeting; all meetings end
    by_hand = chat.status[odd] = busy("Do not disturb", 7) if product != "mattermost" else "offline"
    writes = len(chat.writes)
    for p in PEOPLE:
        sim.control("DELETE", f"/appointments/{items[p]['id']}")
    wait_until(lambda: chat.status[anna] == chat.nothing(), "ours to be taken back", 60)
    wait_until(lambda: outlet(daemon, "chat").get("kept") == 2 and outlet(daemon, "chat")["in_flight"] == 0,
               "the other to be left alone", 60)
    check_equal(chat.status[odd], by_hand, "what was chosen during the meeting")
    check_equal(chat.status[hand], chosen, "what was chosen before the meeting")
    check_equal(len(chat.writes), writes + 1, "writes at the meetings' end")
    check(outlet(daemon, "chat")["rejected"] >= 1 or product in ("rocketchat", "matrix"),
          "somebody who is not known there is counted")

    # over a restart we know what is ours
    meeting(sim, ANNA, begin, 7200)
    long = "Busy until " + time.strftime("%H:%M UTC", time.gmtime(begin + 7200))
    wait_until(lambda: shown(chat.status[anna]) == busy(long, begin + 7200), "the next meeting", 60)
    item = sim.control("POST", "/appointments",
                       {"mailbox": ANNA, "start": harness.utc(begin), "end": harness.utc(begin + 9000), "busy": "oof"})
    wait_until(lambda: shown(chat.status[anna]) not in (chat.nothing(), busy(long, begin + 7200)), "out of office", 60)
    check_equal(daemon.stop(), 0, "exit code")
    check(item["id"], "an appointment has an id")
    daemon.start()
    daemon.wait_state(ANNA, "oof")
    for one in sim.control("GET", f"/appointments?mailbox={ANNA}")["appointments"]:
        sim.control("DELETE", f"/appointments/{one['id']}")
    wait_until(lambda: chat.status[anna] == chat.nothing(), "taken back after a restart", 60)

    # a token that is not good any more is named
    chat.token = "other"
    line = checked(daemon, "chat")
    check_equal(line["code"], "webhook-not-authorized", f"the check says so: {line}")
    meeting(sim, ANNA, begin)
    wait_until(lambda: outlet(daemon, "chat").get("code") == "webhook-not-authorized", "the refused token", 60)
    daemon.stop()
    sink.stop()


def ids(prefix):
    return {p: f"{prefix}{i}" for i, p in enumerate(PEOPLE)}


def mattermost(folder):
    scenario(folder, "mattermost", chat_servers.Mattermost(ids("mm")), "", lambda text, end: "dnd")


def rocketchat(folder):
    people = {p: p.split("@")[0] for p in PEOPLE}
    people["stranger@example.test"] = "stranger"
    scenario(folder, "rocketchat", chat_servers.RocketChat(people), "/", lambda text, end: ("busy", text),
             ', headers: ["X-User-Id: gateway-id"]')


def zulip(folder):
    scenario(folder, "zulip", chat_servers.Zulip({p: 10 + i for i, p in enumerate(PEOPLE)}, "bot@example.test:key"), "",
             lambda text, end: (text, "calendar"), token="bot@example.test:key")


def slack(folder):
    scenario(folder, "slack", chat_servers.Slack(ids("U")), "/api", lambda text, end: (text, ":calendar:", end + 120))


def matrix(folder):
    people = {p: f"@{p.split('@')[0]}:im.example" for p in PEOPLE + ["stranger@example.test"]}
    scenario(folder, "matrix", chat_servers.Matrix(people), "", lambda text, end: ("unavailable", text),
             ', id: "@{local}:im.example"')


if __name__ == "__main__":
    harness.run(mattermost, rocketchat, zulip, slack, matrix)
