"""What survives a restart: last known states with their age, before the first poll; what does not: a file that is not
ours stays as it is."""
import contextlib
import os
import re
import resource
import signal
import sqlite3
import subprocess
import time

import company
import harness
from harness import check, check_equal, wait_until

EVENTS = ["appointment anna@example.test now-1h +5h busy", "appointment bob@example.test now-1h +5h oof",
          "appointment bob@example.test now+8h +1h tentative", "mailbox carl@example.test password=x"]
EXPECTED = {"anna@example.test": "busy", "bob@example.test": "oof", "carl@example.test": "free"}
FACTS = ("state", "since", "until", "next", "reason")


def start(folder, people=tuple(EXPECTED)):
    state = os.path.join(folder, "state")
    os.mkdir(state)
    sim, daemon = company.start(folder, EVENTS, people,
                                rules=f"state: {{ directory: \"{state}\" }}\n".replace("  ", ""))
    return state, sim, daemon


def rows(state):
    """The addresses in the file, read as another program would after the daemon's end."""
    with contextlib.closing(sqlite3.connect(os.path.join(state, "state.sqlite"))) as file:
        return {row[0] for row in file.execute("SELECT address FROM person")}


def kept_over_restart(folder):
    """kill -9, the mail server is away, and everybody has the last known state at once; nobody is told of a flap."""
    state, sim, daemon = start(folder)
    for address, want in EXPECTED.items():
        daemon.wait_state(address, want, 60)
    wait_until(lambda: daemon.ctl_json("status")["state"]["rows"] >= 3, "three rows in the state file", 60)
    before = {a: daemon.presence(a) for a in EXPECTED}
    daemon.stop(signal.SIGKILL)
    sim.program.stop()
    daemon.start()
    check_equal(daemon.ctl_json("status")["state"]["persons_loaded"], 3, "persons loaded")
    for address, was in before.items():
        now = daemon.presence(address)
        check_equal({f: now[f] for f in FACTS if f != "reason"}, {f: was[f] for f in FACTS if f != "reason"},
                    f"{address} after the restart")
        check(now["as_of"] <= was["as_of"], f"the age of {address}: {now['as_of']} was {was['as_of']}")
    events = harness.Events(daemon.port)
    events.wait(lambda d: d["address"] == "carl@example.test", "the snapshot", 60)
    check_equal({e[3]["state"] for e in events.events if e[3]["address"] == "anna@example.test"}, {"busy"},
                "states of anna")
    code, text, _ = daemon.ctl("why", "anna@example.test")
    check("was read earlier" in text and code == 0, f"why after a restart:\n{text}")


def cursor_of(events):
    return events.events[-1][2]


def cursor_over_restart(folder):
    """Who comes back with a cursor of before goes on: what changed is told, what did not is not. After kill -9, and
    when somebody else is configured, the present states come first."""
    _, sim, daemon = start(folder)
    for address, want in EXPECTED.items():
        daemon.wait_state(address, want, 60)
    wait_until(lambda: daemon.ctl_json("status")["state"]["rows"] >= 3, "three rows in the state file", 60)
    before = harness.Events(daemon.port)
    wait_until(lambda: {e[3]["address"] for e in list(before.events)} == set(EXPECTED), "the snapshot", 60)
    # in this order: a failure that is told before the stop would be taken back after the start, which is news
    check_equal(daemon.stop(), 0, "exit code")
    sim.program.stop()
    last = cursor_of(before)

    daemon.start()
    back = harness.Events(daemon.port, last_id=last)
    wait_until(lambda: back.comments > 0, "the first bytes", 60)
    fresh = harness.Events(daemon.port)
    wait_until(lambda: {e[3]["address"] for e in list(fresh.events)} == set(EXPECTED), "a snapshot without one", 60)
    told = [e[3] for e in list(back.events)]
    # That the server is gone may be news of them by now: of a reason, and of nothing else.
    check(all(e["reason"] and e["state"] == EXPECTED[e["address"]] for e in told), f"told again: {told}")
    check(cursor_of(fresh).split("-")[0] != last.split("-")[0], "another journal has another epoch")

    daemon.stop(signal.SIGKILL)
    daemon.start()
    for cursor in (last, cursor_of(fresh)):
        again = harness.Events(daemon.port, last_id=cursor)
        wait_until(lambda: {e[3]["address"] for e in list(again.events)} == set(EXPECTED), "the states after a crash", 60)

    last = cursor_of(again)
    check_equal(daemon.stop(), 0, "exit code")
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in text.splitlines() if "bob@" not in line))
    daemon.start()
    again = harness.Events(daemon.port, last_id=last)
    wait_until(lambda: {e[3]["address"] for e in list(again.events)} == {"anna@example.test", "carl@example.test"},
               "the states with other people", 60)


def kept_only_for_configured(folder):
    """Who is removed from the configuration is removed from the file, and not only from memory."""
    state, _, daemon = start(folder)
    for address, want in EXPECTED.items():
        daemon.wait_state(address, want, 60)
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in text.splitlines() if "anna@" not in line))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(rows(state), {"bob@example.test", "carl@example.test"}, "persons in the file")


def one_daemon_a_directory(folder):
    """A second daemon on the same state directory is refused with the first one's pid."""
    _, _, daemon = start(folder)
    other = os.path.join(folder, "other.yaml")
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read().replace("control.sock", "other.sock")
    with open(other, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([harness.FREEBUSYD, "--config", other], capture_output=True, text=True, timeout=60,
                          check=False)
    check_equal(done.returncode, 1, f"exit code of the second daemon: {done.stderr}")
    check(f"(pid {daemon.program.process.pid})" in done.stderr,
          f"the first one's pid {daemon.program.process.pid}: {done.stderr}")


def refusal_remembered(folder):
    """A daemon that is started again and again shows a refused password once; another password, or a word, and it is
    tried."""
    state = os.path.join(folder, "state")
    os.mkdir(state)
    harness.secret_file(folder, "password", "wrong-secret")
    sim = harness.Simulator(folder, company.company(*EVENTS))
    daemon = harness.Daemon(folder, company.yaml(sim.url, list(EXPECTED),
                                                 rules=f"state: {{ directory: \"{state}\" }}\n".replace("  ", "")))

    def rejected():
        return sim.control("GET", "/counters")["logons"]["rejected"]

    for _ in range(4):
        wait_until(lambda: daemon.presence("anna@example.test")["reason"] == "logon-rejected",
                   "the cause of the refusal", 60)
        wait_until(lambda: daemon.ctl_json("status")["state"]["waiting_bytes"] == 0, "the state file to be written", 60)
        daemon.stop(signal.SIGKILL)
        daemon.start()
    wait_until(lambda: daemon.presence("anna@example.test")["reason"] == "logon-rejected", "the cause after restarts",
               60)
    check_equal(rejected(), 1, "rejected logons over five starts")
    check_equal(daemon.ctl("unbreak", "hq")[0], 0, "unbreak")
    wait_until(lambda: rejected() == 2, "one more try after an administrator's word", 60)
    daemon.stop()
    with open(os.path.join(state, "state.sqlite"), "rb") as file:
        check(b"wrong-secret" not in file.read(), "the secret is not in the state file")
    harness.secret_file(folder, "password", "svc-secret")
    daemon.start()
    daemon.wait_state("anna@example.test", "busy", 60)
    check_equal(rejected(), 2, "rejected logons with the right password")


def unusable_state(folder):
    """Garbage, torn pages, a newer file, no directory, one that cannot be written: serve on from memory, say so, leave
    the file as it is."""
    state, _, daemon = start(folder)
    daemon.wait_state("anna@example.test", "busy", 60)
    daemon.stop()
    path = os.path.join(state, "state.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as file:
        version = file.execute("PRAGMA user_version").fetchone()[0]
        file.execute("PRAGMA user_version=999")
    with open(path, "rb") as file:
        newer = file.read()
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version={version}")
    with open(path, "rb") as file:
        torn = file.read()[:4096] + b"\xff" * 65536
    for what, content, word in (("newer", newer, "newer version"), ("torn", torn, "malformed"),
                                ("garbage", b"no database " * 1000, "not a database"), ("folder", None, "state")):
        if content is None:
            os.rename(state, state + ".away")
        else:
            with open(path, "wb") as file:
                file.write(content)
        daemon.start()
        daemon.wait_state("anna@example.test", "busy", 60)
        code, text, _ = daemon.ctl("status")
        check_equal(code, 1, f"{what}: exit code of status")
        check("a restart would begin from nothing" in text and word in text, f"{what}: status says so:\n{text}")
        daemon.stop()
        if content is not None:
            with open(path, "rb") as file:
                # of a file that seems ours, the count in the header says that it can be written
                check(file.read()[100:] == content[100:], f"{what}: the file was changed")
    for where in [folder_nobody_writes(folder)] if os.geteuid() else ["/sys", "/proc/self"]:
        with open(daemon.config, encoding="utf-8") as file:
            text = file.read()
        daemon.write(re.sub(r"directory: .*?}", f'directory: "{where}" }}', text))
        daemon.start()
        daemon.wait_state("anna@example.test", "busy", 60)
        code, text, _ = daemon.ctl("status")
        check(code == 1 and f"a restart would begin from nothing: {where}" in text, f"{where}: status says so:\n{text}")
        daemon.stop()


def folder_nobody_writes(folder):
    """An administrator writes anywhere but where nothing can be written at all."""
    path = os.path.join(folder, "read-only")
    os.mkdir(path, 0o500)
    return path


def read_only(folder):
    """A disk that has gone read-only, after kill -9 and after a stop in good order: what was saved before is known, also
    what is in the log alone; status says so, nothing is touched, and later it is written again."""
    state, sim, daemon = start(folder)
    for address, want in EXPECTED.items():
        daemon.wait_state(address, want, 60)
    wait_until(lambda: daemon.ctl_json("status")["state"]["rows"] >= 3, "three rows in the state file", 60)
    sim.program.stop()
    for how in (signal.SIGKILL, signal.SIGTERM):
        daemon.stop(how)
        before = contents(state)
        with nobody_writes(folder, state):
            for _ in range(2):
                daemon.start()
                kept = daemon.ctl_json("status")["state"]
                check_equal((kept["persons_loaded"], kept["well"], kept["dropped"]), (3, False, 0), f"{kept}")
                for address, want in EXPECTED.items():
                    check_equal(daemon.presence(address)["state"], want, f"{address}, read")
                code, text, _ = daemon.ctl("status")
                check(code == 1 and "cannot be written, a restart would begin from what was saved before" in text,
                      f"status says so:\n{text}")
                daemon.stop()
        check_equal(contents(state), before, "what is there")
        daemon.start()
        check_equal(daemon.ctl_json("status")["state"]["trouble"], None, "well again")
        check_equal(daemon.ctl_json("status")["state"]["persons_loaded"], 3, "and nothing was lost")


def contents(folder):
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


@contextlib.contextmanager
def nobody_writes(folder, state):
    """Daemons that start meanwhile cannot write there: an administrator's in a world of its own, where it is mounted so."""
    under = os.environ.get("FB_UNDER", "")
    script = os.path.join(folder, "read-only.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nmount --bind '{state}' '{state}' && mount -o remount,bind,ro '{state}' && exec \"$@\"\n")
    os.chmod(script, 0o755)
    if os.geteuid() == 0:
        os.environ["FB_UNDER"] = " ".join([*harness.own_mounts(), script, under])
    else:
        os.chmod(state, 0o500)
    try:
        yield
    finally:
        os.environ["FB_UNDER"] = under
        os.chmod(state, 0o700)


def full_disk(folder):
    """The disk is full (a limit on the size of files): what is served goes on and follows the calendars, status says
    so; afterwards nothing of what came meanwhile is missing."""
    _, sim, daemon = start(folder)
    for address, want in EXPECTED.items():
        daemon.wait_state(address, want, 60)
    state = lambda: daemon.ctl_json("status")["state"]
    wait_until(lambda: state()["rows"] >= 3, "three rows in the state file", 60)
    unlimited = resource.prlimit(daemon.program.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.program.process.pid, resource.RLIMIT_FSIZE, (512, unlimited[1]))
    sim.control("POST", "/appointments", {"mailbox": "carl@example.test", "start": harness.utc(time.time() - 3600),
                                          "end": harness.utc(time.time() + 36000), "busy": "tentative"})
    daemon.wait_state("carl@example.test", "tentative", 60)
    wait_until(lambda: state()["trouble"], "status to say that the state cannot be written", 60)
    code, text, _ = daemon.ctl("status")
    check(code == 1 and "a restart would begin from what was saved before" in text, f"status says so:\n{text}")
    check_equal(state()["dropped"], 0, "what waits is not dropped")
    resource.prlimit(daemon.program.process.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until(lambda: state()["trouble"] is None, "the state to be written again", 60)
    daemon.stop(signal.SIGKILL)
    sim.program.stop()
    daemon.start()
    check_equal(daemon.presence("carl@example.test")["state"], "tentative", "what changed while the disk was full")


if __name__ == "__main__":
    harness.run(kept_over_restart, cursor_over_restart, kept_only_for_configured, one_daemon_a_directory,
                refusal_remembered, unusable_state, read_only, full_disk)
