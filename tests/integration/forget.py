"""The audit, and forgetting: what was told is on record, changes of the record show, and who is forgotten is nowhere, not
even in it."""
import json
import os
import shutil
import subprocess
import urllib.parse

import company
import harness
from harness import check, check_equal, wait_until
from outlet_peers import meeting
from hook_sink import HookSink

ANNA, BEN = "anna@example.test", "ben@example.test"


def start(folder, people, sink=None, more="", users=()):
    harness.secret_file(folder, "password", "svc-secret")
    harness.secret_file(folder, "hook-secret", "s3cret")
    os.makedirs(os.path.join(folder, "state"), exist_ok=True)
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in (ANNA, BEN)]))
    yaml = company.yaml(sim.url, people, users) + ("state: { directory: \"{folder}/state\" }\n"
                                                   "audit: { file: \"{folder}/state/audit\", repeat: 1h }\n" + more)
    if sink:
        yaml = yaml.replace("publish:\n", f"publish:\n  webhooks:\n  - {{ name: wall, url: \"{sink.url}\", "
                                          "secret_file: hook-secret }\n")
    return sim, harness.Daemon(folder, yaml)


def lines(daemon, about):
    return [l for l in daemon.ctl("audit", about)[1].splitlines() if l]


def record(folder):
    """One line a decision, repeats counted; each file begins where the last ended; whoever edits it is found out."""
    _, daemon = start(folder, [ANNA, BEN])
    for _ in range(5):
        daemon.wait_state(ANNA, "free")
    daemon.wait_state(BEN, "free")
    got = lines(daemon, ANNA)
    check_equal(len(got), 1, f"five answers are one line: {got}")
    for word in ["who=anonymous", "means=anonymous", f"whom={ANNA}", "rule=0", "level=times", "times=1"]:
        check(word in got[0].split(), f"{word} in {got[0]}")
    check_equal(len(lines(daemon, BEN.upper())), 1, "whatever the case")
    events = harness.Events(daemon.port)
    events.wait(lambda e: e["address"] == ANNA, "a stream about everybody")
    check_equal(len(lines(daemon, "*")), 1, "which is one line")
    events.cut()
    check_equal(daemon.ctl("show", BEN)[0], 0, "an administrator looks")
    check_equal([l.split()[1] for l in lines(daemon, BEN)], ["who=anonymous", "who=administrator"], "and is on record")
    check_equal(daemon.ctl("audit", "--verify")[0], 0, "it is whole")
    daemon.stop()
    path = os.path.join(folder, "state", "audit")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check("times=" in text.split(f"whom={ANNA}")[2], "what was counted is a line when we stop")
    daemon.start()
    check_equal(daemon.ctl("audit", "--verify")[0], 0, "over a restart, too")
    daemon.stop()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for what, forged in [("a level", text.replace("level=times", "level=kinds", 1)),
                         ("a line less", text.replace(text.splitlines(True)[2], "", 1)),
                         ("a name", text.replace(f"whom={ANNA}", f"whom={BEN}", 1))]:
        with open(path, "w", encoding="utf-8") as file:
            file.write(forged)
        done = subprocess.run([harness.FREEBUSYCTL, "audit", "--verify", "--file", path], capture_output=True, text=True,
                              check=False)
        check_equal(done.returncode, 1, f"{what} is noticed")
        check("audit:" in done.stdout, f"with its line: {done.stdout}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    alone(path, os.path.join(folder, "state"), text)
    daemon.start()
    check_equal(daemon.ctl("audit", "--verify")[0], 0, "whole again, nothing is missing")
    with open(path, "r+", encoding="utf-8") as file:
        kept = file.read().splitlines(True)
        file.truncate(sum(map(len, kept[:-1])))
    code, out, _ = daemon.ctl("audit", "--verify")
    check(code == 1 and "the last lines that the daemon wrote" in out, f"an end cut off beside the daemon: {out}")
    daemon.stop()
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(text.splitlines(True)[:-1])
    daemon.start()
    code, out, _ = daemon.ctl("audit", "--verify")
    check(code == 1 and "had been cut off" in out, f"an end cut off while there was no daemon: {out}")


def alone(path, state, text):
    """Without the daemon: an end that is missing shows wherever something says how it ended, and the answer says so where
    nothing does."""
    head = os.path.join(state, "audit.head")

    def verify(*args, where=state):
        done = subprocess.run([harness.FREEBUSYCTL, "--json", "audit", "--verify", "--file", path, *args], text=True,
                              capture_output=True, check=False, env={**os.environ, "STATE_DIRECTORY": where})
        answer = json.loads(done.stdout) if done.returncode in (0, 1) else {}
        return done.returncode, answer.get("end_compared"), answer.get("broken") or answer.get("end_unknown") or done.stderr

    check_equal(os.stat(head).st_mode & 0o777, 0o600, "what says how it ended is the daemon's")
    check_equal(verify()[:2], (0, True), "with what the daemon kept")
    shutil.copy(head, head + ".copy")
    for missing in range(1, text.count("\n")):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(text.splitlines(True)[:-missing])
        for args, where in [((), state), (("--head", head + ".copy"), "/nonexistent")]:
            code, compared, broken = verify(*args, where=where)
            check(code == 1 and compared and "last lines" in broken, f"{missing} lines less: {code} {broken}")
    code, compared, why = verify(where="/nonexistent")
    check(code == 0 and compared is False and "/nonexistent/audit.head" in why, f"nothing to compare with: {why}")
    check_equal(verify("--head", "/nonexistent")[0], 2, "nor where it was told to look")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    for spoilt, why in [("", "does not say"), ("{}", "does not say"), ("[[", "does not say"),
                        (json.dumps({"file": "/etc/passwd", "head": "0" * 64}), "another file")]:
        with open(head + ".copy", encoding="utf-8") as file:
            kept = file.read()
        with open(head, "w", encoding="utf-8") as file:
            file.write(spoilt)
        code, compared, said = verify()
        check(code == 0 and compared is False and why in said, f"{spoilt!r} is no comparison: {said}")
        with open(head, "w", encoding="utf-8") as file:
            file.write(kept)
    check_equal(verify()[:2], (0, True), "all is there again")
    os.unlink(head + ".copy")


def older(folder):
    """Older files that are gone, though fewer were there than are kept."""
    _, daemon = start(folder, [ANNA])
    daemon.stop()
    path = os.path.join(folder, "state", "audit")
    os.rename(path, path + ".1")
    daemon.start()
    check_equal(daemon.ctl("audit", "--verify")[0], 0, "a new file is no fault")
    daemon.stop()

    def verify():
        done = subprocess.run([harness.FREEBUSYCTL, "audit", "--verify", "--file", path], text=True, capture_output=True,
                              check=False, env={**os.environ, "STATE_DIRECTORY": os.path.join(folder, "state")})
        return done.returncode, done.stdout

    check_equal(verify()[0], 0, "whole without the daemon, too")
    os.unlink(path + ".1")
    code, said = verify()
    check(code == 1 and "older files that the daemon wrote are not there" in said, f"the older one is missing: {said}")
    daemon.start()
    code, said, _ = daemon.ctl("audit", "--verify")
    check(code == 1 and "had been cut off" in said, f"and the daemon says so for good: {said}")
    daemon.stop()


def found(folder, text):
    """Files below the state directory that have the text, in any case or spelling that a file may have it in."""
    spellings = {text, urllib.parse.quote(text, safe=""), text.replace("@", "\\40")}
    hits = []
    for root, _, names in os.walk(os.path.join(folder, "state")):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                content = file.read().lower()
            hits += [name for s in spellings if s.lower().encode() in content]
    return hits


def forget(folder):
    """Nothing is left of somebody forgotten, and neither restart nor reload nor a file of people brings them back."""
    sink = HookSink("s3cret")
    with open(os.path.join(folder, "people.csv"), "w", encoding="utf-8") as file:
        file.write(f"address,server\n{ANNA},hq\n{BEN},hq\n")
    sim, daemon = start(folder, [], sink, users=["{ file: people.csv, server: hq }"])
    for person in (ANNA, BEN):
        daemon.wait_state(person, "free")
        meeting(sim, person)
        daemon.wait_state(person, "busy")
    wait_until(lambda: sink.states().get(ANNA) == "busy", "the hook to know")
    wait_until(lambda: "state.sqlite" in str(found(folder, ANNA)) or "state.sqlite-wal" in str(found(folder, ANNA)),
               "the state file to know")
    check(lines(daemon, ANNA), "the audit knows")

    answer = daemon.ctl_json("forget", ANNA.upper())
    check_equal([answer["ok"], answer["known"], answer["kept_over_restart"], answer["outlets_untold"]], [True, True, True, 0],
                f"{answer}")
    check_equal([p.rsplit("/", 1)[1] for p in answer["still_named_in"]], ["people.csv:2"], "what to remove")
    check_equal(found(folder, ANNA), [], "no file of the state directory has the address")
    check_equal(sink.states()[ANNA], "unknown", "the hook was told")
    check_equal(daemon.get("/v1/presence/" + ANNA)[0], 404, "nobody is told any more")
    check_equal(lines(daemon, ANNA), [], "the audit names nobody")
    check_equal(daemon.ctl("audit", "--verify")[0], 0, "and is whole")
    check("event=forgotten" in open(os.path.join(folder, "state", "audit"), encoding="utf-8").read(), "but has the fact")

    check_equal(daemon.ctl("reload")[0], 0, "a reload")
    with open(os.path.join(folder, "people.csv"), "a", encoding="utf-8") as file:
        file.write("carl@example.test,hq\n")
    wait_until(lambda: daemon.get("/v1/presence/carl@example.test")[0] == 200, "the file to be read again")
    check_equal(daemon.get("/v1/presence/" + ANNA)[0], 404, "neither of them brings the person back")
    daemon.stop()
    check_equal(found(folder, ANNA), [], "nor does the end leave anything")
    daemon.start()
    daemon.wait_state(BEN, "busy")
    check_equal(daemon.get("/v1/presence/" + ANNA)[0], 404, "nor does a restart")
    check_equal(found(folder, ANNA), [], "nothing is left")

    check_equal(daemon.ctl("forget", "--undo", ANNA)[0], 0, "taken back")
    check_equal(daemon.ctl("forget", "--undo", ANNA)[0], 2, "once")
    check_equal(daemon.ctl("reload")[0], 0, "a reload")
    daemon.wait_state(ANNA, "busy")
    check_equal(daemon.ctl("forget", "no address")[0], 2, "what is no address is refused")
    check_equal(daemon.ctl_json("forget", "nobody@example.test")["known"], False, "a stranger is said to be one")
    daemon.stop()
    sink.stop()


def unreachable(folder):
    """An outlet that cannot be reached does not hold it up for ever, and is named; its queue is gone all the same."""
    sink = HookSink("s3cret")
    sim, daemon = start(folder, [ANNA, BEN], sink)
    wait_until(lambda: sink.states() == {ANNA: "free", BEN: "free"}, "the hook to know")
    sink.always = "503"
    meeting(sim, ANNA)
    daemon.wait_state(ANNA, "busy")
    wait_until(lambda: found(folder, ANNA), "the queue to be kept")
    answer = daemon.ctl_json("forget", ANNA)
    check(answer["ok"] and answer["outlets_untold"] > 0, f"it says what it could not tell: {answer}")
    check_equal(found(folder, ANNA), [], "and nothing is left")
    daemon.stop()
    check_equal(found(folder, ANNA), [], "nor after the end")
    sink.stop()


if __name__ == "__main__":
    harness.run(record, older, forget, unreachable)
