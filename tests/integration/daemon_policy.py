"""Who may see whom: the view before every way out, choices of one's own, and reloads that would tell more."""
import calendar
import json
import os
import signal
import sys
import time

import company
import harness
from harness import check, check_equal, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
from hook_sink import HookSink  # noqa: E402

ANNA, BOB, CAT = "anna@example.test", "bob@example.test", "cat@example.test"
LINES = [f"appointment {ANNA} now-20m +1h oof", f"appointment {ANNA} now+5h +1h busy",
         f"appointment {BOB} now-20m +1h busy", f"appointment {CAT} now-20m +1h busy"]
GRID = 1800


def start(folder, rules, publish=""):
    """A daemon with a policy of these lines, `who whom level shape...`."""
    text = "policy:\n  rules:\n"
    for rule in rules:
        who, whom, level, *shape = rule.split()
        words = "".join(", " + (s.replace("=", ": ") if "=" in s else s + ": true") for s in shape)
        text += f"  - {{ who: '{who}', whom: '{whom}', level: {level}{words} }}\n"
    people = [f"{{ address: {ANNA}, server: hq, group: office }}"]
    people += [f"{{ address: {a}, server: hq }}" for a in (BOB, CAT)]
    harness.secret_file(folder, "password", "svc-secret")
    os.mkdir(os.path.join(folder, "state"), 0o700)
    sim = harness.Simulator(folder, company.company(*LINES))
    text = company.yaml(sim.url, more_users=people, rules=text + "state: { directory: '{folder}/state' }\n")
    daemon = harness.Daemon(folder, text.replace("publish:\n", "publish:\n" + publish))
    for address in (ANNA, BOB, CAT):
        wait_until(lambda: seen_by_admin(daemon, address)["state"] != "unknown", f"{address} to be read")
    return sim, daemon


def seen_by_admin(daemon, address):
    return daemon.ctl_json("show", address)


def told(sink):
    """Every state that the hook was told, in order."""
    return [p for r in list(sink.requests) if r["body"] for p in json.loads(r["body"]).get("presence", [])]


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def limited_http(folder):
    """Presence, lists, PIDF, free/busy: each as the line says, and nobody is the same 404 as nobody."""
    _, daemon = start(folder, ["anonymous group:office times grid=30m merge", f"anonymous {BOB} available"])
    anna = daemon.presence(ANNA)
    check_equal(anna["state"], "busy", "out of office, merged")
    check(anna["until"] and seconds(anna["until"]) % GRID == 0, f"an end on the grid: {anna}")
    bob = daemon.presence(BOB)
    check_equal([bob[k] for k in ("state", "since", "until", "next", "as_of")], ["busy", None, None, None, None],
                "available or not, without times")
    hidden, nobody = daemon.get(f"/v1/presence/{CAT}"), daemon.get("/v1/presence/nobody@example.test")
    check_equal(hidden[:2], (404, nobody[1]), "somebody hidden is nobody")
    check_equal(daemon.get(f"/v1/events?address={CAT}")[0], 404, "nobody's events")
    check_equal(daemon.get(f"/v1/freebusy/{BOB}.ifb")[0], 404, "no times, no free/busy")
    got = json.loads(daemon.get(f"/v1/presence?address={ANNA}&address={CAT}&address={BOB}")[1])
    check_equal(([p["address"] for p in got["presence"]], got["not_found"]), ([ANNA, BOB], [CAT]), "a list")
    periods = daemon.periods(ANNA)
    check(periods and all(p[2] == "BUSY" for p in periods), f"free/busy is merged: {periods}")
    check(all(t[-5:] in ("0000Z", "3000Z") for p in periods for t in p[:2]), f"free/busy is on the grid: {periods}")
    status, text, _ = daemon.get(f"/v1/presence/{BOB}", {"Accept": "application/pidf+xml"})
    check(status == 200 and "<ts:" not in text and " until " not in text, f"no times in PIDF: {text}")


def limited_events(folder):
    """A stream says what its viewer may see, without ids, and only when that changes; opting out is the last word."""
    sim, daemon = start(folder, [f"anonymous {BOB} available", f"anonymous {ANNA} times"])
    events = harness.Events(daemon.port)
    events.wait(lambda e: e["address"] == ANNA, "one who may be seen")
    events.wait(lambda e: e["address"] == BOB, "the other")
    before = len(events.events)
    sim.lines(f"appointment {BOB} now+2h +1h busy")
    sim.lines(f"appointment {CAT} now+2h +1h busy")
    daemon.soon()
    sim.lines(f"appointment {ANNA} now+2h +1h busy")
    wait_until(lambda: len(events.events) > before, "what comes next for somebody whose times may be told")
    check_equal([e[3]["address"] for e in events.events[before:]], [ANNA], "news only of what is seen")
    check_equal(daemon.ctl("audience", ANNA, "off")[0], 0, "opting out")
    last = events.wait(lambda e: e["state"] == "unknown", "the last word about somebody who opted out")
    check_equal((last[3]["address"], last[3]["reason"]), (ANNA, "removed"), "whom it is about")
    check(all(e[2] is None for e in events.events), "no event has an id")
    check(CAT not in str(events.events), "nobody hears of whom they may not see")
    check_equal(daemon.get(f"/v1/presence/{ANNA}")[0], 404, "who opted out is nobody")
    check_equal(seen_by_admin(daemon, ANNA)["state"], "oof", "but to an administrator")
    daemon.stop()
    daemon.start()
    check_equal(daemon.get(f"/v1/presence/{ANNA}")[0], 404, "and is so after a restart")
    check("at most nothing" in daemon.ctl("audience")[1], "the choice is listed")
    daemon.ctl("audience", ANNA, "default")
    check_equal(daemon.get(f"/v1/presence/{ANNA}")[0], 200, "the table decides again")


def limited_outlet(folder):
    """A webhook gets what its label may see, from the first request on; a narrower line takes it back."""
    sink = HookSink()
    hook = f"  webhooks: [ {{ name: wall, url: '{sink.url}' }} ]\n"
    _, daemon = start(folder, [f"outlet:wall {ANNA} kinds"], publish=hook)
    wait_until(lambda: told(sink), "the hook to be told")
    states = told(sink)
    check_equal({(s["address"], s["state"]) for s in states}, {(ANNA, "oof")}, "whom its line names")
    check(all(s["until"] is None and s["next"] is None and s["since"] is None for s in states), f"no times: {states}")
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    daemon.write(text.replace("level: kinds", "level: nothing"))
    check_equal(daemon.ctl("reload")[0], 0, "narrower")
    wait_until(lambda: told(sink)[-1]["state"] == "unknown", "the hook to be told that there is nobody")
    check_equal({s["address"] for s in told(sink)}, {ANNA}, "nobody else was named")
    sink.stop()


def widening(folder):
    """policy test, policy diff, and a reload that tells more needs --confirm, SIGHUP included."""
    _, daemon = start(folder, [f"anonymous {ANNA} available", "nemo * times", "anonymous group:none times"])
    log = daemon.program.log()
    check("matches nothing: no identity and no outlet is called nemo" in log, "a line about an asker whom nobody is")
    check("\"anonymous group:none times\" matches nothing" in log, "a line about nobody")
    code, out, _ = daemon.ctl("policy", "test", "anonymous", ANNA)
    check(code == 0 and f"by line 1: anonymous {ANNA} available" in out and "seen is: busy\n" in out, out)
    code, out, _ = daemon.ctl("policy", "test", "anonymous", BOB)
    check(code == 1 and "no line matches" in out and "no such person" in out, out)
    with open(daemon.config, encoding="utf-8") as file:
        old = file.read()
    wider, lines = os.path.join(folder, "wider.yaml"), os.path.join(folder, "narrower.txt")
    with open(wider, "w", encoding="utf-8") as file:
        file.write(old.replace("level: available", "level: times"))
    with open(lines, "w", encoding="utf-8") as file:
        file.write(f"nemo * times\nanonymous {BOB} nothing\n")
    code, out, err = daemon.ctl("policy", "diff", wider)
    check(code == 1 and "anonymous" in out and ANNA in out and "times" in out, f"who gains what: {out}{err}")
    code, out, err = daemon.ctl("policy", "diff", lines)
    check(code == 0 and ANNA in out and "nothing" in out, f"who loses what: {out}{err}")
    daemon.write(old.replace("level: available", "level: times"))
    code, out, err = daemon.ctl("reload")
    check(code != 0 and "--confirm" in out + err, f"a reload that widens: {code} {out}{err}")
    daemon.program.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.program.log().count("that was not confirmed") >= 2, "SIGHUP to be refused, too")
    check_equal(daemon.presence(ANNA)["until"], None, "nothing has changed")
    check_equal(daemon.ctl("reload", "--confirm")[0], 0, "confirmed")
    check(daemon.presence(ANNA)["until"], "times are told now")
    daemon.write(old)
    check_equal(daemon.ctl("reload")[0], 0, "narrowing needs no word")
    check_equal(daemon.presence(ANNA)["until"], None, "and holds at once")


if __name__ == "__main__":
    harness.run(limited_http, limited_events, limited_outlet, widening)
