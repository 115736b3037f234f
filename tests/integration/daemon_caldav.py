"""The free/busy cases through the whole program: a real Radicale holds each case as a person's calendar, the daemon polls it at the time of the
case, and its .ifb must have exactly the expected periods. Prints the table and `N of M`, which must not fall below what was reached."""
import datetime
import json
import os
import shutil

import caldav_cases as common
import caldav_servers
import harness
from harness import check, check_equal

LEAST_RIGHT = 29
FORM = common.FORM


def yaml(server, case):
    aliases = f", aliases: [{json.dumps(case['owner'].replace('mailto:', ''))}]" if case["owner"] else ""
    return f"""servers:
  - name: office
    kind: caldav
    url: {server.url}{server.root}
    account: svc
    password_file: password
    auth: [basic]
    tls: {{ ca_file: {server.ca_file} }}
    calendars: ["{server.template}"]
    zone: Pacific/Kiritimati
users:
  - {{ address: {case['person']}, server: office{aliases} }}
poll: {{ interval: 10s, window: 366d }}
publish:
  http: {{ listen: ["127.0.0.1:0"] }}
control: {{ socket: "{{folder}}/control.sock" }}
"""


def pieces(window):
    """A daemon looks 366 days ahead: longer windows are asked of several, each with its clock at the piece's start."""
    at, end = (datetime.datetime.strptime(window[k], FORM) for k in ("start", "end"))
    while at < end:
        until = min(at + datetime.timedelta(days=360), end)
        yield at, until
        at = until


def ask_daemon(folder, server, case):
    periods, person = [], case["person"]
    for start, end in pieces(case["window"]):
        daemon = harness.Daemon(folder, yaml(server, case), args=["--clock", start.strftime("%Y-%m-%dT%H:%M:%SZ")])
        harness.wait_until(lambda d=daemon: d.presence(person)["state"] != "unknown", f"{case['id']} to be read")
        periods += [list(p) for p in daemon.periods(person, start.strftime(FORM), end.strftime(FORM))]
        daemon.stop()
        os.remove(daemon.program.log_path)
    return periods


def one_case(folder, server, case):
    """(word, detail) for the table."""
    word, _ = common.lost(server, case)
    if word:
        return word
    got = common.join(ask_daemon(folder, server, case), case["window"])
    # One state at a time is what presence shows; where kinds overlap the strongest stands.
    expected = common.join(case["timeline"], case["window"])
    return ("right", f"{len(got)} periods") if got == expected else ("WRONG", f"expected {expected}, got {got}")


def radicale_cases(folder):
    """Each case: loaded, polled, published, compared."""
    harness.secret_file(folder, "password", "svcpw")
    os.mkdir(os.path.join(folder, "radicale"))
    server = caldav_servers.Radicale(os.path.join(folder, "radicale"), ())
    words = []
    try:
        for case in common.cases():
            word, detail = one_case(folder, server, case)
            words.append(word)
            print(f"{case['id']:28} {word:10} {detail}", flush=True)
    finally:
        server.stop()
    print(f"{words.count('right')} of {len(words)}", flush=True)
    check("WRONG" not in words, "a case is wrong")
    check(words.count("right") >= LEAST_RIGHT, f"only {words.count('right')} cases are right")
    check_equal(len(words), 32, "cases")
    shutil.rmtree(server.folder, ignore_errors=True)


if __name__ == "__main__":
    harness.run(radicale_cases)
