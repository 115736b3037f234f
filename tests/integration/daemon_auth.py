#!/usr/bin/python3
"""The whole daemon and the account's password: it changes while five hundred mailboxes are polled, it is wrong for five thousand, it is
nowhere in a log."""
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import company  # noqa: E402
import harness  # noqa: E402
import winbind  # noqa: E402
from harness import check, check_equal, wait_until  # noqa: E402

PEOPLE = [f"user{i:05d}@example.test" for i in range(1, 501)]
OLD, NEW = "svc-secret", "svc-rotated-2"
CONNECTIONS = 8


def lines(sim, text):
    request = urllib.request.Request(f"http://127.0.0.1:{sim.ports['control']}/lines", text.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60):
        pass


def rejected(sim):
    return sim.control("GET", "/counters")["logons"]["rejected"]


def server(daemon):
    return daemon.ctl_json("servers")["servers"][0]


def start(folder, scheme, password=OLD, people=PEOPLE, interval="30s", stale="2m"):
    harness.secret_file(folder, "password", password)
    data = company.ACCOUNT + f"crowd example.test {len(people)} 3\n"
    args, judge = ["--set", f"auth={scheme}"], None
    if scheme == "ntlm":
        judge = winbind.Winbind(os.path.join(folder, "winbind"), users={"svc-presence": (OLD, "")}, domain="EXAMPLE")
        args += ["--ntlm-helper", judge.helper]
    sim = harness.Simulator(folder, data, args=args)
    sim.judge = judge
    with open(os.path.join(folder, "users.csv"), "w", encoding="utf-8") as file:
        file.write("address\n" + "".join(f"{p}\n" for p in people))
    more = f"    max_requests_per_second: 500\n    max_connections: {CONNECTIONS}\n"
    yaml = company.yaml(sim.url, more_users=["{ file: users.csv, server: hq }"], interval=interval, stale=stale,
                        server_more=more).replace("[basic]", f"[{scheme}]")
    return sim, harness.Daemon(folder, yaml)


def all_fresh(daemon):
    persons = server(daemon)["persons"]
    return persons["fresh"] == persons["all"] == len(PEOPLE)


def change_at_server(sim):
    """The new password, and nobody is logged on any more: whoever asks next shows what he has."""
    lines(sim, f"account svc-presence password={NEW} receive-as=all\n")
    if sim.judge:
        sim.judge.change_password("svc-presence", NEW)
    sim.control("DELETE", "/sessions")


def change_file(folder):
    harness.secret_file(folder, "password", NEW)


def begin(folder, scheme):
    sim, daemon = start(folder, scheme)
    wait_until(lambda: all_fresh(daemon), "everybody to be read")
    wait_until(lambda: server(daemon)["waiting"] == 0, "the first rush to be over")
    check_equal(rejected(sim), 0, "rejected logons before")
    return sim, daemon


def finish(folder, sim, daemon, most):
    """The new password is in use, everybody is asked with it, nobody went stale."""
    began = server(daemon)["last_ok"]
    wait_until(lambda: server(daemon)["last_ok"] > began and server(daemon)["state"] == "ready" and server(daemon)["failure"] is None,
               "the new password to be in use")
    requests = server(daemon)["requests"]
    wait_until(lambda: server(daemon)["requests"] > requests + 600, "another round")
    persons = server(daemon)["persons"]
    check_equal((persons["stale"], persons["unknown"]), (0, 0), "persons who went stale")
    check(rejected(sim) <= most, f"rejected logons: {rejected(sim)}")
    check_equal(server(daemon)["rejected_logons"], rejected(sim), "what the daemon counted")
    check_equal(server(daemon)["secret_note"], None, "nothing to say")
    no_secret_in_logs(folder, daemon)
    if sim.judge:
        sim.judge.stop()


def server_first(folder, scheme):
    """The old password is refused once, over whatever number of connections; then the file changes."""
    sim, daemon = begin(folder, scheme)
    change_at_server(sim)
    wait_until(lambda: rejected(sim) > 0, "the old password to be refused")
    wait_until(lambda: server(daemon)["state"] == "refused", "silence")
    change_file(folder)
    finish(folder, sim, daemon, 1)


def rotated_basic(folder):
    server_first(folder, "basic")


def rotated_ntlm(folder):
    server_first(folder, "ntlm")


def rotated_forms(folder):
    server_first(folder, "forms")


def rotated_basic_together(folder):
    """The file a moment before the server."""
    sim, daemon = begin(folder, "basic")
    change_file(folder)
    change_at_server(sim)
    finish(folder, sim, daemon, 1)


def rotated_basic_file_first(folder):
    """The file so early that the new password is refused: the old one goes on until the server refuses that, once, too."""
    sim, daemon = begin(folder, "basic")
    change_file(folder)
    note = wait_until(lambda: server(daemon)["secret_note"], "the new password to be refused")
    check("the one before stays in use" in note, note)
    requests = server(daemon)["requests"]
    wait_until(lambda: server(daemon)["requests"] > requests + 50, "the old one to be in use")
    check_equal(rejected(sim), 1, "rejected logons with the old one in use")
    change_at_server(sim)
    wait_until(lambda: server(daemon)["secret_note"] is None, "the new one to be tried again")
    finish(folder, sim, daemon, 2)


def wrong_for_thousands(folder):
    """A wrong password, five thousand mailboxes: one rejected logon, and one more when an administrator says so. (An hour of it, in
    simulated time: an_hour_with_a_wrong_password of unit-session-secret.)"""
    people = [f"user{i:05d}@example.test" for i in range(1, 5001)]
    sim, daemon = start(folder, "basic", "svc-mistyped", people, interval="2s")
    wait_until(lambda: server(daemon)["state"] == "refused", "the refusal")
    end = time.monotonic() + 10
    wait_until(lambda: time.monotonic() > end, "five rounds")
    check_equal(rejected(sim), 1, "rejected logons")
    code, _, _ = daemon.ctl("unbreak", "hq")
    check_equal(code, 0, "unbreak")
    wait_until(lambda: rejected(sim) == 2, "the one more try")
    causes = daemon.ctl_json("status")["causes"]
    check_equal([(c["code"], c["persons"]) for c in causes], [("logon-rejected", 5000)], "one row for all")
    no_secret_in_logs(folder, daemon)


def no_secret_in_logs(folder, daemon):
    daemon.ctl("--json", "status")
    for name in os.listdir(folder):
        if name.endswith((".log", ".out")) and not name.startswith("exchange-sim"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            for word in ("svc-secret", NEW, "svc-mistyped", "c3ZjLXByZXNlbmNlOn", "cadata="):
                check(word not in text, f"{name} has {word}")


harness.run(rotated_basic, rotated_basic_together, rotated_basic_file_first, rotated_ntlm, rotated_forms, wrong_for_thousands)
