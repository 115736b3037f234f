"""The unit's seccomp filter lets through everything that the daemon calls: what it did under strace, in runs of other
tests with every kind of source and outlet, is looked up in the system call sets of systemd itself.

A call that is not in the filter would fail with EPERM in production and in no test.
"""
import glob
import os
import re
import subprocess
import sys

import harness
from harness import check, check_equal

# What is run: sources, ways to log on, outlets with their real peers, faces, the state file, reload.
RUNS = [["outlets_all.py", "short"], ["daemon_keep.py"], ["daemon_config.py"], ["daemon_http.py"],
        ["daemon_published.py"], ["sip_own.py", "sipp"]]
# Of the sanitizers that are built into the daemon under test, not of the daemon.
SANITIZER = {"ptrace", "personality"}
# SQLite gives its log the owner of its database, only when it is root: the service never is.
ROOT = {"fchown"} if os.geteuid() == 0 else set()


def members(name, seen=None):
    """The system calls of a set such as @system-service, with the sets in it."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True,
                          check=True).stdout
    found = set()
    for word in (line.strip() for line in text.splitlines()[1:]):
        if word.startswith("@"):
            found |= members(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def allowed():
    """As systemd reads the unit: the first line is the list, one that begins with ~ takes away."""
    calls = set()
    with open(os.path.join(harness.SOURCE, "systemd", "freebusyd.service"), encoding="utf-8") as unit:
        for line in unit:
            if line.startswith("SystemCallFilter="):
                words = line.partition("=")[2].split()
                away = words[0].startswith("~")
                for word in words:
                    named = word.lstrip("~")
                    some = members(named) if named.startswith("@") else {named}
                    calls = calls - some if away else calls | some
    return calls


def called(folder):
    env = {**os.environ, "FB_UNDER": f"strace -D -ff -qq -o {folder}/trace", "ASAN_OPTIONS": "detect_leaks=0"}
    here = os.path.dirname(os.path.abspath(__file__))
    for argv in RUNS:
        done = subprocess.run([sys.executable, os.path.join(here, argv[0]), *argv[1:]], env=env, capture_output=True,
                              text=True, check=False, timeout=900)
        check_equal(done.returncode, 0, f"{argv[0]} under strace: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    calls = set()
    for path in glob.glob(f"{folder}/trace.*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            calls |= {m[1] for line in file if (m := re.match(r"(\w+)\(", line))}
    return calls


def filter_is_enough(folder):
    done, may = called(folder), allowed()
    check({"epoll_wait", "openat", "connect", "accept4"} <= done, f"strace saw a daemon at work: {sorted(done)}")
    check("reboot" not in may and "setuid" not in may and "epoll_wait" in may, "the filter is one")
    print(f"{len(done)} system calls made, {len(may)} allowed: {' '.join(sorted(done))}")
    check_equal(sorted(done - may - SANITIZER - ROOT), [], "system calls that the unit's filter refuses")


if __name__ == "__main__":
    harness.run(filter_is_enough)
