"""Webhooks through the whole program: a simulated company, the daemon, and receivers that refuse, delay, lie and
die."""
import json
import os
import signal
import ssl
import subprocess
import time

import company
import harness
from harness import check, check_equal, wait_until
from outlet_peers import checked, meeting, outlet, wait_up
from hook_sink import HookSink

PEOPLE = ["anna@example.test", "o'hara@example.test", "x+y#1@example.test", "jörg@example.test"]
ANNA = PEOPLE[0]


def simulator(folder, people):
    harness.secret_file(folder, "password", "svc-secret")
    harness.secret_file(folder, "hook-secret", "s3cret")
    harness.secret_file(folder, "token", "t0ken")
    return harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in people]))


def yaml(sim, people, *hooks, users=""):
    entries = "".join(f"    - {{ {hook} }}\n" for hook in hooks)
    text = company.yaml(sim.url, people).replace("publish:\n",
                                                 f"publish:\n  webhooks:\n{entries}") + "state: { directory: \"{folder}\" }\n"
    return text.replace("users:\n", "users:\n" + users)


def hook(sink, name="wall", more=""):
    return f'name: {name}, url: "{sink.url}", secret_file: hook-secret{more}'


def sequence(request):
    return json.loads(request["body"])["sequence"]


def whole(folder):
    """Signed batches in order, numbers that only grow, no word twice, nothing lost over kill and restart, a farewell to
    the removed."""
    sink = HookSink("s3cret")
    sim = simulator(folder, PEOPLE)
    daemon = harness.Daemon(folder, yaml(sim, PEOPLE, hook(sink, more=", batch: 3, delay: 200ms")))
    wait_up(daemon, "wall")
    wait_until(lambda: sink.states() == {p: "free" for p in PEOPLE}, "everybody to be told", 60)
    check(all(len(json.loads(r["body"])["presence"]) <= 3 for r in sink.requests), "no batch is larger than set")
    said = json.loads(sink.requests[0]["body"])
    check_equal(set(said["presence"][0]),
                {"address", "state", "since", "until", "next", "as_of", "valid_until", "reason"}, "the JSON's keys")
    check_equal(sink.requests[0]["headers"]["Freebusyd-Sequence"], str(said["sequence"]), "the number, in a header too")
    check(outlet(daemon, "wall").get("proved_at"), "an answer proves the way")

    for p in PEOPLE:
        meeting(sim, p)
    wait_until(lambda: sink.states() == {p: "busy" for p in PEOPLE}, "the meetings", 60)

    # the receiver is away; what waits is kept over a kill, and what was told is not told again
    sink.stop()
    carl = "carl@example.test"
    sim.control("POST", "/mailboxes", {"address": carl})
    daemon.write(yaml(sim, PEOPLE + [carl], hook(sink, more=", batch: 3, delay: 200ms, break_after: 2")))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    daemon.wait_state(carl, "free")
    wait_until(lambda: outlet(daemon, "wall").get("code") == "tcp-refused", "the breaker to open", 60)
    check_equal(daemon.ctl("status")[0], 1, "status is not well while a hook is down")
    numbers = [sequence(r) for r in sink.requests]
    check_equal(numbers, sorted(set(numbers)), "numbers grow")
    daemon.stop(signal.SIGKILL)
    told = len(sink.requests)
    sink.start()
    daemon.start()
    wait_until(lambda: sink.states().get(carl) == "free", "what waited", 60)
    for p in PEOPLE + [carl]:
        daemon.wait_state(p, "free" if p == carl else "busy")
    check(min(sequence(r) for r in sink.requests[told:]) > numbers[-1], "no number is used twice")

    # somebody is removed: told once more, then forgotten
    daemon.write(yaml(sim, PEOPLE, hook(sink, more=", batch: 3, delay: 200ms, break_after: 2")))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    wait_until(lambda: sink.states().get(carl) == "unknown", "the removed one", 60)
    last = [s for r in sink.requests for s in json.loads(r["body"])["presence"] if s["address"] == carl][-1]
    check_equal(last["reason"], "removed", "why")

    # another secret is taken without a reload; until then the receiver's 401 opens the breaker
    sink.secret = "other"
    sim.control("POST", "/appointments", {"mailbox": ANNA, "start": harness.utc(int(time.time()) - 120),
                                          "end": harness.utc(int(time.time()) + 9000),
                                          "busy": "oof"})
    wait_until(lambda: outlet(daemon, "wall").get("code") == "webhook-not-authorized", "the 401 to be named", 60)
    harness.secret_file(folder, "hook-secret", "other")
    daemon.write(yaml(sim, PEOPLE, hook(sink, more=", batch: 4")))
    daemon.ctl("reload")
    wait_until(lambda: sink.states().get(ANNA) == "oof" and not outlet(daemon, "wall").get("code"), "the new secret",
               60)
    check_equal(daemon.stop(), 0, "exit code")
    check("s3cret" not in daemon.program.log() and "t0ken" not in daemon.program.log(), "no secret in the log")
    sink.stop()


def bad_receivers(folder):
    """Everything a receiver can do wrong, one after the other; and one that never answers does not hold up the
    others."""
    good, hang, bad = HookSink("s3cret"), HookSink(), {"bad1": HookSink("s3cret"), "bad2": HookSink("s3cret"),
                                                       "bad3": HookSink("s3cret")}
    hang.always = "slow:3600"
    sim = simulator(folder, PEOPLE)
    bad["bad1"].then, bad["bad2"].then, bad["bad3"].then = ["500", "die", "half"], ["short", "garbage",
                                                                                    "429:1"], ["503", "slow:3", "404"]
    more = ", timeout: 1s, break_after: 100"
    daemon = harness.Daemon(folder, yaml(sim, PEOPLE, hook(good, "good"), hook(hang, "hang", ", timeout: 300s"),
                                         *[hook(sink, name, more) for name, sink in bad.items()]))
    wait_up(daemon, "good")
    wait_until(lambda: good.states() == {p: "free" for p in PEOPLE}, "the good one, meanwhile", 60)
    meeting(sim, ANNA)
    wait_until(lambda: good.states().get(ANNA) == "busy", "the good one again", 60)
    for name, sink in bad.items():
        wait_until(lambda: not sink.then, f"every misbehaviour of {name} to have had its turn", 120)
        wait_until(lambda: sink.states().get(ANNA) == "busy", f"{name}, in the end", 120)
    meeting(sim, PEOPLE[1])
    for name, sink in bad.items():
        wait_until(lambda: sink.states().get(PEOPLE[1]) == "busy", f"{name}: what comes after", 120)
        row = outlet(daemon, name)
        check(row["retries"] + row["failures"] + row["rejected"] >= 1, f"counted: {row}")
        for request in sink.requests:
            others = [r["body"] for r in sink.requests if sequence(r) == sequence(request)]
            check_equal(set(others), {request["body"]}, "a number means one body")
    check(outlet(daemon, "bad3")["rejected"] >= 1, "what was refused for good is counted")
    check(outlet(daemon, "hang")["delivered"] > 0, "what hangs took its states into the queue")
    daemon.stop()
    for sink in (good, *bad.values()):
        sink.stop()


def redirects(folder):
    """Followed where they keep the request; never to this machine, never with a token to somebody else, not for
    ever."""
    front = HookSink("s3cret")
    sim = simulator(folder, [ANNA])
    front.then = [f"to:/moved", "ok"]
    daemon = harness.Daemon(folder, yaml(sim, [ANNA], hook(front)))
    wait_up(daemon, "wall")
    wait_until(lambda: any(r["path"] == "/moved" for r in front.requests), "the same host to be followed", 60)
    inner = HookSink()
    rate = 1000
    for target, code in ((f"to:http://127.0.0.1:{inner.port}/", "webhook-forbidden-address"),
                         (f"to:http://[::1]:{inner.port}/", "webhook-forbidden-address"),
                         (f"to:http://localhost:{inner.port}/", "webhook-forbidden-address"),
                         ("to:http://169.254.169.254/latest/meta-data/", "webhook-forbidden-address"),
                         (f"moved:http://127.0.0.1:{inner.port}/", "webhook-redirect"),
                         ("to:file:///etc/passwd", "webhook-redirect"),
                         ("to:/again", "webhook-redirect")):
        front.always = target
        rate += 1
        daemon.write(yaml(sim, [ANNA], hook(front, more=f", rate: {rate}")))
        daemon.ctl("reload")
        meeting(sim, ANNA, kind="busy" if rate % 2 else "oof", length=3600 + rate)
        wait_until(lambda: outlet(daemon, "wall").get("code") == code, f"{target} to be refused as {code}", 60)
    check_equal(inner.requests, [], "what the inner one saw")
    front.always = f"to:http://127.0.0.1:{inner.port}/"
    daemon.write(yaml(sim, [ANNA], hook(front, more=", token_file: token, allow_inner: true")))
    daemon.ctl("reload")
    wait_until(lambda: outlet(daemon, "wall").get("code") == "redirect-foreign", "the token to stay here", 60)
    daemon.write(yaml(sim, [ANNA], hook(front, more=", allow_inner: true")))
    daemon.ctl("reload")
    wait_until(lambda: inner.requests, "what is allowed", 60)
    daemon.stop()
    front.stop()
    inner.stop()


def filters_and_words(folder):
    """By person, group and kind; URL, headers and body of one's own."""
    one, group, kind, own = HookSink(), HookSink(), HookSink(), HookSink()
    sim = simulator(folder, PEOPLE)
    users = f"  - {{ address: dora@example.test, server: hq, group: sales }}\n"
    sim.control("POST", "/mailboxes", {"address": "dora@example.test"})
    body = "'{\"who\":\"{address}\",\"light\":\"{show}\",\"says\":\"{text}\"}'"
    daemon = harness.Daemon(folder, yaml(
        sim, PEOPLE, f'name: one, url: "{one.url}", persons: ["{ANNA}"]', f'name: group, url: "{group.url}", groups: [sales]',
        f'name: kind, url: "{kind.url}", kinds: [busy]',
        f'name: own, url: "{own.url}/{{local}}?k={{state}}", method: PUT, token_file: token, headers: ["X-Key: {{token}}", "X-Who: {{address}}"], '
        f"body: {body}, show: {{ busy: red }}, text: {{ busy: 'Am \"Tisch\"' }}", users=users))
    for name in ("one", "group", "kind", "own"):
        wait_up(daemon, name)
    for p in PEOPLE:
        daemon.wait_state(p, "free")
    meeting(sim, ANNA)
    meeting(sim, PEOPLE[2])
    meeting(sim, "dora@example.test")
    wait_until(lambda: one.states() == {ANNA: "busy"}, "the person's hook", 60)
    wait_until(lambda: group.states() == {"dora@example.test": "busy"}, "the group's hook", 60)
    wait_until(lambda: kind.states() == {a: "busy" for a in (ANNA, PEOPLE[2], "dora@example.test")}, "the kind's hook",
               60)
    check(all(s["state"] == "busy" for r in kind.requests for s in json.loads(r["body"])["presence"]), "no other kind")
    request = wait_until(lambda: next((r for r in own.requests if "busy" in r["path"] and "x%2By" in r["path"]), None),
                         "the own one", 60)
    check_equal(request["path"], "/hook/x%2By%231?k=busy", "the URL")
    check_equal(request["method"], "PUT", "the method")
    check_equal(request["headers"]["X-Key"], "t0ken", "a header with the token")
    check_equal(json.loads(request["body"]), {"who": PEOPLE[2], "light": "red", "says": 'Am "Tisch"'}, "the body")
    daemon.stop()


def checks(folder):
    """`freebusyctl check` delivers an empty batch that says what it is, and names what is wrong; deliveries go on."""
    sink, inner = HookSink("s3cret"), HookSink()
    sim = simulator(folder, [ANNA])
    daemon = harness.Daemon(folder, yaml(sim, [ANNA], hook(sink, more=", token_file: token, headers: [\"X-Key: {token}\"]"),
                                         hook(sink, name="light", more=", body: \"{show}\", kinds: [oof]")))
    wait_up(daemon, "wall")
    wait_until(lambda: sink.states() == {ANNA: "free"}, "the state", 60)
    before = len(sink.requests)
    line = checked(daemon, "wall")
    check(line["ok"] and "one message delivered to itself" in line["evidence"], f"a good hook: {line}")
    (request,) = sink.requests[before:]
    check_equal(json.loads(request["body"]), {"hook": "wall", "sequence": 0, "check": True, "presence": []}, "the body")
    check_equal([request["headers"].get(n) for n in ("Freebusyd-Hook", "Freebusyd-Sequence", "X-Key")],
                ["wall", "0", "t0ken"], "the headers")
    check("nothing delivered" in checked(daemon, "light")["evidence"], "words of its own are not tried")

    for word, code in (("500", "webhook-refused"), ("404", "webhook-refused"), ("403", "webhook-not-authorized"),
                       ("410", "webhook-gone"), ("die", "tcp-reset"), ("garbage", "answer-malformed"),
                       (f"moved:{inner.url}", "webhook-redirect"), (f"to:{inner.url}", "redirect-foreign"),
                       ("to:/again", "webhook-redirect")):
        sink.always = word
        line = checked(daemon, "wall")
        check((line["ok"], line["code"]) == (False, code) and line["advice"], f"{word}: {line}")
        check_equal(outlet(daemon, "wall")["state"], "up", f"{word}: deliveries are not touched")
    sink.always = "to:/there"
    sink.then = ["to:/there", "ok"]
    check(checked(daemon, "wall")["ok"], "the same host is followed")
    check_equal(sink.requests[-1]["path"], "/there", "to there")
    sink.always, sink.secret = "ok", "another"
    check_equal(checked(daemon, "wall")["code"], "webhook-not-authorized", "a signature that is not good")
    sink.secret = "s3cret"
    check(checked(daemon, "wall")["ok"], "all is well again")
    check_equal(inner.requests, [], "what the inner one saw")
    meeting(sim, ANNA)
    wait_until(lambda: sink.states() == {ANNA: "busy"}, "the meeting", 60)
    check_equal(outlet(daemon, "wall")["failures"], 0, "the breaker saw nothing of it")
    daemon.stop()
    tls(folder, sim, daemon)
    sink.stop()
    inner.stop()


def tls(folder, sim, daemon):
    """A certificate that nobody trusts; nobody there; a redirect into this machine; and it is no daemon's end."""
    certs = os.path.join(folder, "certs")
    subprocess.run([os.path.join(harness.SOURCE, "tests", "peers", "certs.sh"), certs, "self-signed"], check=True,
                   capture_output=True)
    sink, inner, none = HookSink(), HookSink(), HookSink()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certs}/self-signed.pem", f"{certs}/self-signed.key")
    sink.server.socket = context.wrap_socket(sink.server.socket, server_side=True)
    none.stop()
    inner.always = f"to:http://localhost:{sink.port}/"
    where = f"https://127.0.0.1:{sink.port}/hook"
    daemon.write(yaml(sim, [ANNA], *(f'name: {name}, url: "{url}", secret_file: hook-secret, kinds: [oof]' for name, url in
                                     (("tls", where), ("none", none.url), ("inner", inner.url)))))
    daemon.start()
    for name, code in (("tls", "tls-untrusted"), ("none", "tcp-refused"), ("inner", "webhook-forbidden-address")):
        line = checked(daemon, name)
        check((line["ok"], line["code"]) == (False, code) and line["advice"], f"{name}: {line}")
    daemon.stop()
    sink.stop()
    inner.stop()


if __name__ == "__main__":
    harness.run(whole, bad_receivers, redirects, filters_and_words, checks)
