"""The fault corpus: every file of tests/faults is set up for real, and the check must name its cause.

    fault_corpus.py [NAME...]        those faults only

First `freebusyctl check --config` looks at each from a file alone. Then one daemon has them all as its servers: it must
tell the same codes in its status, and say the same when it is asked to check. At the end a table: fault, step and code
expected, code told by the check and by the daemon, logon attempts counted by the server. tests/faults/README.md says
what a file may contain.
"""
import concurrent.futures
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import fault_file  # noqa: E402
import fault_stage  # noqa: E402
import harness  # noqa: E402
import kept_logs  # noqa: E402
from harness import Failed, check, check_equal  # noqa: E402

FOLDER = os.path.join(harness.SOURCE, "tests", "faults")
AT_A_TIME = 4
DAEMON_SECONDS = 300


class Row:
    """One fault: its file, its stage, what was told of it, and what was wrong with that."""

    def __init__(self, fault):
        self.fault, self.stage, self.wrong = fault, None, []
        self.told = self.daemon = "-"
        self.attempts = 0

    def complain(self, error):
        self.wrong.append(f"{type(error).__name__}: {error}")


def by_file(row, stages):
    """The check from the file alone."""
    fault = row.fault
    row.stage = stages.build(fault)
    code, lines, out = row.stage.check()
    check(lines and lines[-1].get("done"), f"the check did not come to an end: exit {code}: {out[-2000:]}")
    steps, done = lines[:-1], lines[-1]
    failed = [s for s in steps if not s["ok"]]
    row.told = done["code"] or "ok"
    check(len(failed) == 1 and failed[0] is steps[-1], f"it stops at the first step that fails: {out}")
    last = failed[0]
    check_equal((last["step"], last["code"]), (fault.step, fault.code), f"step and code, evidence {last['evidence']!r}")
    check_equal((done["ok"], done["code"], code), (False, fault.code, 1), "end and exit code")
    for what in ("meaning", "advice", "evidence"):
        check(last.get(what), f"the check has no {what}: {last}")
    for text in fault.evidence:
        check(text in last["evidence"], f"evidence tells '{text}': {last['evidence']}")
    for text in fault.advice:
        check(text in last["advice"], f"advice tells '{text}': {last['advice']}")
    check("{" not in last["advice"], f"advice is filled in: {last['advice']}")
    row.stage.no_secrets(out, "the check's output")
    row.attempts = count_attempts(row, "the check", 1)


def count_attempts(row, by, most):
    attempts, complaints = row.stage.attempts()
    check(attempts <= most, f"{by} logged on {attempts} times")
    check_equal(complaints, [], f"what the simulator complains of after {by}")
    check(row.stage.account_unharmed(), f"{by} locked the account")
    return attempts


def guarded(row, function, *args):
    try:
        function(row, *args)
    except (Failed, OSError, ValueError, KeyError, fault_stage.StageFailed) as error:
        row.complain(error)


def by_daemon(rows, folder):
    """One daemon with all of them."""
    if not rows:
        return
    for row in rows:
        row.stage.start_over()
    daemon = harness.Daemon(folder, fault_stage.configuration([r.stage for r in rows]))
    waiting, end = list(rows), time.monotonic() + DAEMON_SECONDS
    while waiting and time.monotonic() < end:
        for row in list(waiting):
            row.daemon = daemon.presence(row.stage.address)["reason"] or "ok"
            if row.daemon == row.fault.code:
                waiting.remove(row)
        time.sleep(0.1)
        daemon.program.check_alive()
    for row in rows:
        guarded(row, looked_at, daemon)
    status, log = daemon.ctl_json("status"), daemon.program.log()
    for row in rows:
        guarded(row, told_alike, daemon, status, log)
    check_equal(daemon.stop(), 0, "the daemon's exit code")


def looked_at(row, daemon):
    fault, address = row.fault, row.stage.address
    check_equal(row.daemon, fault.code, "the daemon's reason")
    check_equal(daemon.presence(address)["state"], "unknown", "nobody is free by a fault")
    if fault.neighbour_is_well:
        daemon.wait_state(row.stage.neighbour, "busy")
    code, lines, out = row.stage.check_by(daemon)
    check(lines and lines[-1].get("done"), f"the daemon's check did not come to an end: exit {code}: {out}")
    check_equal((lines[-1]["by"], lines[-1]["code"], code), ("daemon", fault.code, 1), f"the daemon's check: {out}")
    row.attempts = max(row.attempts, count_attempts(row, "the daemon", fault.attempts))


def told_alike(row, daemon, status, log):
    told = [c for c in status["causes"] if c["server"] == row.fault.name and c["code"] == row.fault.code]
    check_equal(len(told), 1,
                f"rows of status for {row.fault.name}: {[c for c in status['causes'] if c['server'] == row.fault.name]}")
    row.stage.no_secrets(log, "the daemon's log")


def table(rows):
    width = max(len(r.fault.name) for r in rows)
    print(f"{'fault':{width}}  {'step':9} {'expected code':24} {'check':24} {'daemon':24} logons")
    for row in rows:
        fault = row.fault
        print(f"{fault.name:{width}}  {fault.step:9} {fault.code:24} {row.told:24} {row.daemon:24} {row.attempts}"
              + ("" if not row.wrong else "   WRONG"))
    right = sum(not r.wrong for r in rows)
    for row in rows:
        for text in row.wrong:
            print(f"\nWRONG {row.fault.name}: {text}")
    print(f"\n{right} of {len(rows)} right; logon attempts: at most {max(r.attempts for r in rows)} each", flush=True)
    return right == len(rows)


def main():
    faults = [f for f in fault_file.read_all(FOLDER) if len(sys.argv) == 1 or f.name in sys.argv[1:]]
    if not faults:
        sys.exit("no such fault")
    folder = tempfile.mkdtemp(prefix="fb-faults-")
    os.chmod(folder, 0o755)
    rows, began = [Row(f) for f in faults], time.monotonic()
    # The pool stays: servers end with the thread that started them.
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool, fault_stage.Stages(folder) as stages:
        list(pool.map(lambda row: guarded(row, by_file, stages), rows))
        print(f"checked from files after {time.monotonic() - began:.0f} s", flush=True)
        together = [r for r in rows if r.stage and r.fault.daemon]
        try:
            by_daemon(together, folder)
        except Failed as error:
            for row in together:
                row.complain(error)
    kept_logs.keep(folder, "fault-corpus")
    well = table(rows)
    print(f"{time.monotonic() - began:.0f} s")
    if well:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"configurations and logs are in {folder}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
