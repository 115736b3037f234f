"""Free and busy time of many people by one POST to the service account's scheduling outbox (RFC 6638), with the real
servers that answer: the whole daemon, set to `read: freebusy`. One function for each server."""
import contextlib
import os

import caldav_cases as common
import caldav_servers
import daemon_caldav
import harness
from harness import check, check_equal

# What any server computes as we do, in one week.
CASES = ["s01-adjacent", "s03-transparent", "s09-daily-count-exdate", "s27-clip"]
CLOCK, START, END = "2026-03-09T00:00:00Z", "20260309T000000Z", "20260312T000000Z"


def yaml(server, cases):
    text = daemon_caldav.yaml(server, cases).replace("    auth: [basic]\n", "    auth: [basic]\n    read: freebusy\n")
    text = text.replace("window: 366d", "window: 14d")
    return text.replace("users:\n", "users:\n  - { address: nobody-at-all@example.org, server: office }\n")


def expected(case):
    """Its busy time in the three days, whatever the window of the case is."""
    periods = [p for p in case["timeline"] if p[0] < END and p[1] > START]
    return common.join(periods, {"start": START, "end": END})


def run(folder, name):
    harness.secret_file(folder, "password", "svcpw")
    os.chmod(folder, 0o755)
    cases = list(common.cases(CASES))
    server = caldav_servers.SERVERS[name](os.path.join(folder, name), [case["id"] for case in cases] + [common.ANOTHER])
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(server.stop)
        for case in cases:
            check_equal(server.load(case), ([], []), case["id"])
        daemon = harness.Daemon(folder, yaml(server, cases), args=["--clock", CLOCK])
        for case in cases:
            harness.wait_until(lambda c=case: daemon.presence(c["person"])["state"] != "unknown",
                               f"{case['id']} to be read", 60)
            got = common.join([list(p) for p in daemon.periods(case["person"], START, END)],
                              {"start": START, "end": END})
            inside = {"start": max(START, case["window"]["start"]), "end": min(END, case["window"]["end"])}
            got, want = common.join(got, inside), common.join(expected(case), inside)
            print(f"{case['id']:28} {'right' if got == want else 'WRONG':10} expected {want}, got {got}", flush=True)
            check_equal(got, want, case["id"])
            way = daemon.ctl_json("show", case["person"])["way"]
            check(way.startswith("the scheduling outbox"), f"way: {way}")
        stranger = daemon.presence("nobody-at-all@example.org")
        print("somebody unknown to the server:", stranger["state"], stranger["reason"], flush=True)
        check_equal(stranger["state"], "unknown", "somebody whom the server does not know")
        posts = daemon.program.log().count(" POST status=")
        print(f"{posts} POST for {len(cases) + 1} people", flush=True)
        check(posts < len(cases), "many people in one request")
        daemon.stop()


def davical_outbox(folder):
    run(folder, "davical")


def cyrus_outbox(folder):
    run(folder, "cyrus")


def sogo_outbox(folder):
    run(folder, "sogo")


if __name__ == "__main__":
    harness.run(davical_outbox, cyrus_outbox, sogo_outbox)
