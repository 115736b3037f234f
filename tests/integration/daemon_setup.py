"""freebusyctl setup on a terminal, with three faults in its way: a port where nobody listens, a wrong password, and a
missing Receive-As that the server's administrator then grants; and without questions.

From what it wrote the daemon is started: the first person's presence is there.
"""
import os
import pty
import re
import select
import socket
import stat
import subprocess
import time

import company
import harness
from harness import check, check_equal

ANNA = "anna@example.test"
PASSWORD = "svc-secret"


class Terminal:
    """A program on a pseudo terminal, as a person has it."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.seen = ""

    def wait(self, pattern, seconds=60):
        """Reads until the pattern is there; what was before it is forgotten."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise harness.Failed(f"setup does not say {pattern!r} but: {self.seen[-2000:]}")
            try:
                self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError as error:
                raise harness.Failed(f"setup ended before {pattern!r}: {self.seen[-2000:]}") from error
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return before

    def answer(self, pattern, text):
        said = self.wait(pattern)
        os.write(self.fd, (text + "\n").encode())
        return said

    def end(self):
        try:
            while data := os.read(self.fd, 65536):
                self.seen += data.decode("utf-8", "replace")
        except OSError:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def simulator(folder, rights):
    return harness.Simulator(folder, f"""domain   EXAMPLE
account  svc-presence  password={PASSWORD} {rights}
mailbox {ANNA} password=x
appointment {ANNA} now-1h +5h busy
""")


def presence_from(folder, written):
    """The daemon, from the written file, with the port alone changed."""
    with open(written, encoding="utf-8") as file:
        text = file.read()
    daemon = harness.Daemon(folder, text.replace("127.0.0.1:8008", "127.0.0.1:0"), start=False,
                            env={"CREDENTIALS_DIRECTORY": os.path.join(os.path.dirname(written), "secrets")})
    daemon.socket = os.path.join(os.path.dirname(written), "control.sock")
    daemon.start()
    daemon.wait_state(ANNA, "busy")
    daemon.stop()


def three_faults(folder):
    sim = simulator(folder, "")
    written = os.path.join(folder, "etc", "freebusyd.yaml")
    began = time.monotonic()
    t = Terminal([harness.FREEBUSYCTL, "setup", "--output", written])
    t.answer(r"CalDAV \[1\]: ", "")
    t.answer("OWA is reached: ", f"http://127.0.0.1:{nobody_listens()}/exchange/")
    t.answer("Service account .*: ", "EXAMPLE\\svc-presence")
    t.answer("Its password: ", "wr0ng-t3st")
    t.answer("one person to try: ", ANNA)

    said = t.answer(r"\(q\)uit \[u\]: ", "")
    check("tcp-refused" in said and "wr0ng-t3st" not in said, f"the first fault is named, the password is not: {said}")
    t.answer(r"OWA is reached .*: ", sim.url)

    said = t.answer(r"\(q\)uit \[p\]: ", "p")
    check("logon-rejected" in said, f"the second: {said}")
    t.answer("Password: ", PASSWORD)

    said = t.wait(r"\(q\)uit \[t\]: ")
    check("receive-as-missing" in said or "mailbox-not-found" in said, f"the third: {said}")
    check(f"Add-ADPermission -User 'EXAMPLE\\svc-presence'" in said, f"the command for it: {said}")
    sim.control("PUT", "/accounts", {"account": "svc-presence", "receive_as_all": True})
    os.write(t.fd, b"t\n")
    t.wait("Written: ")
    check_equal(t.end(), 0, f"setup: {t.seen}")
    check(PASSWORD not in t.seen, "a password is never shown")
    check("For the mail server's administrator" in t.seen and
          "Get-MailboxDatabase | Add-ADPermission -User 'EXAMPLE\\svc-presence' -ExtendedRights Receive-As" in t.seen,
          f"what the mail server's administrator has to say to his server: {t.seen}")
    print(f"from nothing to a configuration: {time.monotonic() - began:.1f} s")

    secret = os.path.join(folder, "etc", "secrets", "hq-password")
    check_equal(stat.S_IMODE(os.stat(secret).st_mode), 0o600, "mode of the password's file")
    check_equal(sorted(os.listdir(os.path.join(folder, "etc"))), ["freebusyd.yaml", "secrets"], "nothing is left over")
    check_equal(os.listdir(os.path.dirname(secret)), ["hq-password"], "nor there")
    presence_from(folder, written)


def no_questions(folder):
    sim = simulator(folder, "receive-as=all")
    written = os.path.join(folder, "etc", "freebusyd.yaml")
    argv = [harness.FREEBUSYCTL, "setup", "--url", sim.url, "--account", "EXAMPLE\\svc-presence", "--user", ANNA,
            "--output", written, "--password-file"]
    wrong = subprocess.run(argv + [harness.secret_file(folder, "wrong", "wr0ng-t3st")], capture_output=True, text=True,
                           check=False, timeout=120)
    check_equal(wrong.returncode, 1, f"a wrong password: {wrong.stdout}{wrong.stderr}")
    check("logon-rejected" in wrong.stdout and not os.path.exists(written), "is named, and nothing is written")
    right = subprocess.run(argv + [harness.secret_file(folder, "right", PASSWORD)], capture_output=True, text=True,
                           check=False, timeout=120)
    check_equal(right.returncode, 0, f"the right one: {right.stdout}{right.stderr}")
    presence_from(folder, written)
    missing = subprocess.run(argv[:4], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                             timeout=60)
    check_equal(missing.returncode, 2, "something is missing and nobody can be asked")


if __name__ == "__main__":
    harness.run(three_faults, no_questions)
