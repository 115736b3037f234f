"""What the real servers of the tests have in common: a folder, a process, a free port of the loopback, readiness, an
end.

A peer serves from the end of its constructor until stop(), and stops with the program that started it, however that one
ends:

    with Squid(folder, users={"gw": "secret"}) as proxy:
        ... proxy.port ...

Every peer is also a program: it prints one line of JSON (pid, port, ...) when it is ready and serves until SIGTERM.
Stop it by that pid. This file as a program prints as many free ports as it is told.
Debian's /usr/bin/python3 and its standard library are enough, except where a peer says so. Nothing waits for a fixed
time.
"""
import argparse
import atexit
import ctypes
import json
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
PIPE = subprocess.PIPE
_running = []


class PeerFailed(Exception):
    """A peer that does not start, or ended by itself."""


def until(condition, what, seconds=60, alive=None):
    """Polls until condition() is true and returns its value; alive() may raise meanwhile."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if alive:
            alive()
        if time.monotonic() > end:
            raise PeerFailed(f"after {seconds} s still waiting for: {what}")
        time.sleep(0.01)


def free_port():
    """A port that is free at this moment, for TCP and UDP, and below those that the kernel gives to connections and to
    servers that ask for any: so it stays free until a server that cannot ask for any port has it, and while that is
    started again."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        lowest = int(file.read().split()[0])
    for _ in range(1000):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", random.randrange(10000, lowest) if lowest > 12000 else 0))
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]
            except OSError:
                pass
    raise PeerFailed("no port is free")


def listens(port):
    """Whether somebody listens there; not by connecting, which the server would see."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(f" 0100007F:{port:04X} 00000000:0000 0A " in line for line in table)


def write(folder, name, text, mode=0o644):
    """Writes FOLDER/NAME and returns its absolute path."""
    path = os.path.join(os.path.abspath(folder), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def run(argv, env=None, text=None):
    """Standard output of a program that must succeed."""
    done = subprocess.run(argv, env={**os.environ, **(env or {})}, input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise PeerFailed(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def certificates(folder, *names):
    """Makes certificates by certs.sh (all kinds, unless named) and returns the folder."""
    run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "certs.sh"), folder, *names])
    return os.path.abspath(folder)


def needs(path, package):
    if not os.path.exists(path):
        raise PeerFailed(f"{path} is missing: install the Debian package {package}")
    return path


def _in_child():
    # The kernel means the thread that started it: start peers in a thread that lasts as long as they should.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Peer:
    """A server under FOLDER. A subclass sets `name`, prepares its files and calls launch()."""
    name = "peer"
    stop_signal = signal.SIGTERM
    report = ()  # attributes that its line of JSON has besides pid and port

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.log_path = os.path.join(self.folder, self.name + ".log")
        self.process = self.port = None

    @property
    def pid(self):
        return self.process.pid

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_folders(self, *names, mode=0o755):
        for name in names:
            os.makedirs(self.path(name), exist_ok=True)
            os.chmod(self.path(name), mode)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def alive(self):
        """Raises when the process ended."""
        if self.process.poll() is not None:
            raise PeerFailed(f"{self.name} ended by itself with {self.process.returncode}:\n{self.all_logs()[-3000:]}")

    def all_logs(self):
        return self.log()

    def launch(self, argv, env=None, user=None, **popen):
        """Starts it, as `user` when we are root: a server that never was root need not change its user, and keeps dying
        with us."""
        if user and os.geteuid() == 0:
            self.let_in(user)
            popen = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": [], **popen}
        with open(self.log_path, "ab") as log:
            popen = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **popen}
            self.process = subprocess.Popen(argv, env={**os.environ, **(env or {})}, cwd=self.folder,
                                            preexec_fn=_in_child, **popen)
        _running.append(self)

    def wait_ready(self, ready, seconds=60):
        try:
            until(ready, f"{self.name} to be ready", seconds, self.alive)
        except PeerFailed:
            self.stop()
            raise

    def launch_on_free_port(self, argv_for, ready, env=None, user=None, seconds=60):
        """argv_for(port) writes the configuration and gives the command line. A port that is free now may be taken a
        moment later: then the server ends, and another one is tried."""
        for attempt in range(5):
            self.port = free_port()
            self.launch(argv_for(self.port), env, user)
            try:
                self.wait_ready(ready, seconds)
                return
            except PeerFailed:
                if attempt == 4 or "in use" not in self.all_logs():
                    raise

    def stop(self, seconds=60):
        """Ends it by its pid and waits for the end; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self in _running:
            _running.remove(self)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.stop()
        if error is not None:
            print(f"--- end of {self.name}'s logs\n{self.all_logs()[-3000:]}", flush=True)

    def let_in(self, user):
        """Gives the folder and what is in it to `user`, and lets that user pass through those above it in the temporary
        folder."""
        entry, top = pwd.getpwnam(user), os.path.realpath(tempfile.gettempdir())
        for place, _, files in os.walk(self.folder):
            for name in [place, *(os.path.join(place, f) for f in files)]:
                os.lchown(name, entry.pw_uid, entry.pw_gid)
        place = os.path.dirname(os.path.realpath(self.folder))
        while place not in (top, "/"):
            mode = os.stat(place).st_mode
            if not mode & 0o001:
                if not place.startswith(top + os.sep):
                    raise PeerFailed(f"{user} cannot reach {self.folder}: {place} is closed to others")
                os.chmod(place, mode & 0o7777 | 0o001)
            place = os.path.dirname(place)


@atexit.register
def _stop_all():
    for peer in list(_running):
        peer.stop()


def login(text):
    """NAME:PASSWORD of a command line."""
    name, _, password = text.rpartition(":")
    return name, password


def _end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def main(describe, add_arguments, start):
    """A peer as a program: start(arguments) gives the peer."""
    parser = argparse.ArgumentParser(description=describe.split("\n\n", maxsplit=1)[0])
    parser.add_argument("folder", metavar="DIR", help="everything it writes goes here")
    add_arguments(parser)
    signal.signal(signal.SIGTERM, _end)
    try:
        peer = start(parser.parse_args())
        shown = {"pid": os.getpid(), "port": peer.port, **{key: getattr(peer, key) for key in peer.report}}
        print(json.dumps(shown), flush=True)
        peer.process.wait()
        peer.alive()
    except (PeerFailed, KeyboardInterrupt) as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {error}")


if __name__ == "__main__":
    print(*(free_port() for _ in range(int(sys.argv[1]))))
