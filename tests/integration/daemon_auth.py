#!/usr/bin/python3
"""The whole daemon and the account's password: it changes while five hundred mailboxes are polled, it is wrong for five thousand, it is
nowhere in a log."""
import os
import time
import urllib.request

import company
import harness
from harness import check, check_equal, wait_until

PEOPLE = [f"user{i:05d}@example.test" for i in range(1, 501)]
NEW = "svc-rotated-2"


def lines(sim, text):
    request = urllib.request.Request(f"http://127.0.0.1:{sim.ports['control']}/lines", text.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60):
        pass


def rejected(sim):
    return sim.control("GET", "/counters")["logons"]["rejected"]


def server(daemon):
    return daemon.ctl_json("servers")["servers"][0]


def start(folder, scheme, password="svc-secret", people=PEOPLE, interval="10s", stale="2m"):
    harness.secret_file(folder, "password", password)
    data = company.ACCOUNT + f"crowd example.test {len(people)} 3\n"
    sim = harness.Simulator(folder, data, args=["--set", f"auth={scheme}"])
    with open(os.path.join(folder, "users.csv"), "w", encoding="utf-8") as file:
        file.write("address\n" + "".join(f"{p}\n" for p in people))
    # With Basic every request shows the password, and what is in the air together cannot be taken back: one connection, one request.
    more = "    max_requests_per_second: 500\n" + ("    max_connections: 1\n" if scheme == "basic" else "")
    yaml = company.yaml(sim.url, more_users=["{ file: users.csv, server: hq }"], interval=interval, stale=stale,
                        server_more=more).replace("[basic]", f"[{scheme}]")
    return sim, harness.Daemon(folder, yaml)


def all_fresh(daemon):
    persons = server(daemon)["persons"]
    return persons["fresh"] == persons["all"] == len(PEOPLE)


def rotated(folder, scheme, server_first):
    sim, daemon = start(folder, scheme)
    wait_until(lambda: all_fresh(daemon), "everybody to be read", 60)
    check_equal(rejected(sim), 0, "rejected logons before")
    change = [lambda: lines(sim, f"account svc-presence password={NEW} receive-as=all\n"),
              lambda: sim.control("DELETE", "/sessions"), lambda: harness.secret_file(folder, "password", NEW)]
    for step in change if server_first else [change[2], change[0], change[1]]:
        step()
        if server_first and step is change[1]:
            wait_until(lambda: rejected(sim) > 0, "the old password to be refused")
    began = server(daemon)["last_ok"]
    wait_until(lambda: server(daemon)["last_ok"] > began and server(daemon)["state"] == "ready" and server(daemon)["failure"] is None,
               "the new password to be in use", 30)
    requests = server(daemon)["requests"]
    wait_until(lambda: server(daemon)["requests"] > requests + 1200, "two rounds more", 60)
    persons = server(daemon)["persons"]
    check_equal((persons["stale"], persons["unknown"]), (0, 0), "persons who went stale")
    check(rejected(sim) <= 1, f"rejected logons: {rejected(sim)}")
    check_equal(server(daemon)["secret_note"], None, "nothing to say")
    no_secret_in_logs(folder, daemon)


def rotated_basic(folder):
    rotated(folder, "basic", True)


def rotated_basic_file_first(folder):
    rotated(folder, "basic", False)


def rotated_forms(folder):
    rotated(folder, "forms", True)


def wrong_for_thousands(folder):
    """A wrong password, five thousand mailboxes: one rejected logon, and one more when an administrator says so."""
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


harness.run(rotated_basic, rotated_basic_file_first, rotated_forms, wrong_for_thousands)
