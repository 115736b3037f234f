"""The free/busy cases through the whole program: a real server holds each case as a person's calendar
(caldav_servers.py), the daemon polls all of them at the time of the cases, and each .ifb must have exactly the expected
periods. One function for each server; it prints the table case, expected, got, and `N of M`."""
import contextlib
import datetime
import json
import os
import shutil

import caldav_cases as common
import caldav_servers
import harness
from harness import check, check_equal

FORM = common.FORM
REACH = datetime.timedelta(days=360)  # a daemon looks 366 days ahead
ALL = 32
# How many each server stores as they are; what it refuses or alters stands in its class in caldav_servers.py.
RIGHT = {"radicale": 30, "xandikos": 32, "davical": 31, "cyrus": 31, "sogo": 30, "apache": 32}


def yaml(server, persons):
    def user(case):
        aliases = f", aliases: [{json.dumps(case['owner'].replace('mailto:', ''))}]" if case["owner"] else ""
        zone = "" if server.keeps_zone else f", zone: {case['calendar_tz']}"
        return f"  - {{ address: {case['person']}, server: office{aliases}{zone} }}"

    return f"""servers:
  - name: office
    kind: {server.kind}
    url: {server.url}{server.root}
    account: svc
    password_file: password
    auth: [basic]
    tls: {{ ca_file: {server.ca_file} }}
    calendars: ["{server.template}"]
    zone: Pacific/Kiritimati
users:
""" + "\n".join(user(case) for case in persons) + """
poll: { interval: 30s, window: 366d }
publish:
  http: { listen: ["127.0.0.1:0"] }
control: { socket: "{folder}/control.sock" }
"""


def groups(cases):
    """[(start, [(case, start, end)])]: for each daemon its clock, and which windows it answers for."""
    pieces = []
    for case in cases:
        at, end = (datetime.datetime.strptime(case["window"][k], FORM) for k in ("start", "end"))
        while at < end:
            pieces.append((at, min(at + REACH, end), case))
            at += REACH
    result = []
    for start, end, case in sorted(pieces, key=lambda p: p[0]):
        if not result or end > result[-1][0] + REACH:
            result.append((start, []))
        result[-1][1].append((case, start, end))
    return result


def ask_daemons(folder, server, cases):
    """{id: [[start, end, type]...]}"""
    got = {case["id"]: [] for case in cases}
    for clock, pieces in groups(cases):
        persons = list({case["id"]: case for case, _, _ in pieces}.values())
        daemon = harness.Daemon(folder, yaml(server, persons), args=["--clock", clock.strftime("%Y-%m-%dT%H:%M:%SZ")])
        for case in persons:
            harness.wait_until(lambda d=daemon, c=case: d.presence(c["person"])["state"] != "unknown",
                               f"{case['id']} to be read", 60)
        for case, start, end in pieces:
            got[case["id"]] += [list(p) for p in daemon.periods(case["person"], start.strftime(FORM),
                                                                end.strftime(FORM))]
        daemon.stop()
        os.remove(daemon.program.log_path)
    return got


def run(folder, name):
    """Loads, polls, publishes, compares."""
    harness.secret_file(folder, "password", "svcpw")
    os.chmod(folder, 0o755)
    cases = list(common.cases())
    server = caldav_servers.SERVERS[name](os.path.join(folder, name), [case["id"] for case in cases] + [common.ANOTHER])
    rows, stored = {}, []
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(server.stop)
        for case in cases:
            word, note = common.lost(server, case)
            if word:
                rows[case["id"]] = word
                continue
            if case["id"] in server.hides:
                server.show(case)
            stored.append(case)
            rows[case["id"]] = (None, note)
        got = ask_daemons(folder, server, stored)
    for case in stored:
        periods = common.join(got[case["id"]], case["window"])
        # One state at a time is what presence shows; where kinds overlap the strongest stands.
        expected = common.join(case["timeline"], case["window"])
        rows[case["id"]] = ("right" if periods == expected else "WRONG", f"expected {expected}, got {periods}")
    for case in cases:
        print(f"{case['id']:28} {rows[case['id']][0]:10} {rows[case['id']][1]}", flush=True)
    words = [row[0] for row in rows.values()]
    print(f"{words.count('right')} of {len(words)}", flush=True)
    check("WRONG" not in words, "a case is wrong")
    check_equal((words.count("right"), len(words)), (RIGHT[name], ALL), "cases that are right, and cases")
    shutil.rmtree(server.folder, ignore_errors=True)


def radicale_cases(folder):
    run(folder, "radicale")


def xandikos_cases(folder):
    run(folder, "xandikos")


def davical_cases(folder):
    run(folder, "davical")


def cyrus_cases(folder):
    run(folder, "cyrus")


def sogo_cases(folder):
    run(folder, "sogo")


def apache_cases(folder):
    run(folder, "apache")


if __name__ == "__main__":
    harness.run(radicale_cases, xandikos_cases, davical_cases, cyrus_cases, sogo_cases, apache_cases)
