"""What the integration tests share: programs that are started and stopped by their pid, a daemon with its
configuration, an event reader.

Nothing here sleeps for a fixed time: wait_until() polls a condition and fails with what it was waiting for. Ports are
chosen by the kernel. The standard library of Debian's python3 is enough.
"""
import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import kept_logs

BUILD = os.environ["FB_BUILD"]
SOURCE = os.environ["FB_SOURCE"]
FREEBUSYD = os.path.join(BUILD, "gateway", "freebusyd")
FREEBUSYCTL = os.path.join(BUILD, "gateway", "freebusyctl")
SIMULATOR = os.path.join(BUILD, "tests", "exchange-sim", "exchange-sim")

_programs = []


class Failed(Exception):
    """A check of a test that does not hold."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def check_equal(got, expected, what):
    if got != expected:
        raise Failed(f"{what}\n  expected {expected!r}\n  got      {got!r}")


def wait_until(condition, what, seconds=60):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        for program in _programs:
            program.check_alive()
        if time.monotonic() > end:
            raise Failed(f"after {seconds} s still waiting for: {what}")
        time.sleep(0.02)


class Program:
    """A program under test or a peer; its output is kept in FOLDER/NAME.log."""

    def __init__(self, name, argv, folder, env=None):
        self.name, self.log_path = name, os.path.join(folder, name + ".log")
        self.out_path = os.path.join(folder, name + ".out")
        with open(self.log_path, "ab") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=env, cwd=folder)
        self.expected_to_run = True
        _programs.append(self)

    def log(self):
        with open(self.log_path, "r", encoding="utf-8", errors="replace") as file:
            return file.read()

    def out(self):
        with open(self.out_path, "r", encoding="utf-8", errors="replace") as file:
            return file.read()

    def check_alive(self):
        if self.expected_to_run and self.process.poll() is not None:
            self.expected_to_run = False
            raise Failed(f"{self.name} ended by itself with {self.process.returncode}:\n{self.log()[-3000:]}")

    def stop(self, how=signal.SIGTERM, seconds=60):
        """Ends it and returns its exit code."""
        self.expected_to_run = False
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Failed(f"{self.name} did not end within {seconds} s of signal {how}")
        if self in _programs:
            _programs.remove(self)
        return self.process.returncode


def _stop_all():
    for program in list(_programs):
        program.expected_to_run = False
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


atexit.register(_stop_all)


def root_is_mounted():
    """Not so in a plain chroot, where mounts cannot be made private from the root downwards."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return any(line.split()[4] == "/" for line in file)


def own_mounts():
    """The beginning of a command that has a world of mounts of its own."""
    return ["unshare", "--mount"] + ([] if root_is_mounted() else ["--propagation", "unchanged"])


def secret_file(folder, name, text):
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return path


class Simulator:
    """tests/exchange-sim with its control interface."""

    def __init__(self, folder, data, profile="2003", args=()):
        self.data_path = os.path.join(folder, "company.sim")
        with open(self.data_path, "w", encoding="utf-8") as file:
            file.write(data)
        argv = [SIMULATOR, "--profile", profile, "--data", self.data_path, "--port", "0", "--control", "127.0.0.1:0",
                *args]
        self.program = Program("exchange-sim", argv, folder)
        line = wait_until(lambda: self.program.out().strip().splitlines()[:1], "the simulator's ports")[0]
        self.ports = json.loads(line)
        self.port = self.ports["port"]
        self.url = f"http://127.0.0.1:{self.port}/exchange/"

    def control(self, method, path, value=None):
        body = None if value is None else json.dumps(value)
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=60)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        check(response.status < 300, f"simulator control {method} {path}: {response.status} {text}")
        return json.loads(text) if text.strip() else None

    def lines(self, text):
        """Lines of the data file, added while it runs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=60)
        connection.request("POST", "/lines", text + "\n")
        check(connection.getresponse().status < 300, f"the simulator takes: {text}")
        connection.close()


class Daemon:
    """freebusyd with a configuration given as YAML text. {folder} in it is replaced by the test's folder."""

    def __init__(self, folder, yaml, start=True, env=None, args=()):
        self.folder, self.env, self.args = folder, {**os.environ, **(env or {})}, list(args)
        self.config = os.path.join(folder, "freebusyd.yaml")
        self.socket = os.path.join(folder, "control.sock")
        self.program = self.port = None
        self.write(yaml)
        if start:
            self.start()

    def write(self, yaml):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(yaml.replace("{folder}", self.folder))

    def start(self):
        argv = [*os.environ.get("FB_UNDER", "").split(), FREEBUSYD, "--config", self.config, "--log-level", "debug", *self.args]
        self.program = Program("freebusyd", argv, self.folder, self.env)
        status = wait_until(lambda: self.ctl_json("status", quiet=True), "the daemon's control socket")
        self.port = int(status["listen"][0].rsplit(":", 1)[1]) if status["listen"] else None

    def stop(self, how=signal.SIGTERM):
        return self.program.stop(how)

    def soon(self):
        """A second by which meetings that are told to the server now are surely known to the daemon, however slow the
        machine: the time of two rounds of polls is measured."""
        def polls():
            return self.ctl_json("status")["polls"]["ok"]
        people, before, began = self.ctl_json("status")["persons"]["all"], polls(), time.monotonic()
        wait_until(lambda: polls() >= before + 2 * people, "two rounds of polls")
        return int(time.time() + 2 * (time.monotonic() - began)) + 5

    def ctl(self, *args):
        """(exit code, standard output, standard error) of freebusyctl."""
        done = subprocess.run([FREEBUSYCTL, "--socket", self.socket, *args], capture_output=True, text=True, timeout=60,
                              check=False)
        with open(os.path.join(self.folder, "freebusyctl.out"), "a", encoding="utf-8") as file:
            file.write(done.stdout + done.stderr)
        return done.returncode, done.stdout, done.stderr

    def ctl_json(self, *args, quiet=False):
        code, out, err = self.ctl("--json", *args)
        if quiet and code == 3:
            return None
        try:
            return json.loads(out)
        except ValueError as error:
            raise Failed(f"freebusyctl --json {' '.join(args)}: exit {code}, no JSON: {out[:500]}{err[:500]}") from error

    def get(self, path, headers=None, method="GET"):
        """(status, body text, headers)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        return response.status, text, response.headers

    def presence(self, address):
        status, text, _ = self.get("/v1/presence/" + urllib.parse.quote(address, safe=""))
        check_equal(status, 200, f"presence of {address}: {text}")
        return json.loads(text)

    def wait_state(self, address, state, seconds=60):
        return wait_until(lambda: (p := self.presence(address))["state"] == state and p, f"{address} to be {state}",
                          seconds)

    def periods(self, address, start=None, end=None):
        """The FREEBUSY lines of the person's .ifb as [(start, end, type)], as written."""
        query = "" if start is None else f"?start={start}&end={end}"
        status, text, _ = self.get("/v1/freebusy/" + urllib.parse.quote(address, safe="") + ".ifb" + query)
        check_equal(status, 200, f"free/busy of {address}: {text}")
        return ifb_periods(text)


def ifb_periods(text):
    check("\r\n" in text, "free/busy lines end in CRLF")
    periods = []
    for line in text.replace("\r\n ", "").split("\r\n"):
        if line.startswith("FREEBUSY;FBTYPE="):
            kind, _, span = line[len("FREEBUSY;FBTYPE="):].partition(":")
            start, _, end = span.partition("/")
            periods.append((start, end, kind))
    return periods


class Events:
    """A subscriber of /v1/events over a plain socket, in a thread of its own: list of (arrival time, event name, id,
    data)."""

    def __init__(self, port, query="", last_id=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        request = f"GET /v1/events{query} HTTP/1.1\r\nHost: localhost\r\n" + (f"Last-Event-ID: {last_id}\r\n"
                                                                              if last_id else "") + "\r\n"
        self.socket.sendall(request.encode())
        self.events, self.comments, self.ended, self.status = [], 0, False, None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            response = http.client.HTTPResponse(self.socket)
            response.begin()
            self.status = response.status
            name = ident = data = None
            for raw in response:
                line = raw.decode("utf-8").rstrip("\r\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("id: "):
                    ident = line[4:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif line.startswith(":"):
                    self.comments += 1
                elif line == "" and data is not None:
                    self.events.append((time.time(), name, ident, data))
                    name = ident = data = None
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.ended = True

    def wait(self, condition, what, seconds=60):
        """The first event for which condition(data) holds."""
        return wait_until(lambda: next((e for e in list(self.events) if condition(e[3])), None), what, seconds)

    def cut(self):
        """As when a network goes away: no farewell."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(10)


def run(*tests):
    """Runs test functions, each with a folder of its own, and exits with the result. Names on the command line choose
    some."""
    chosen = [t for t in tests if t.__name__ in sys.argv[1:]] if len(sys.argv) > 1 else tests
    failed = 0
    for test in chosen:
        folder = tempfile.mkdtemp(prefix="fb-")
        began = time.monotonic()
        try:
            test(folder)
            print(f"ok      {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED  {test.__name__}: {type(error).__name__}: {error}", flush=True)
            for program in _programs:
                print(f"--- end of {program.name}'s log\n{program.log()[-4000:]}", flush=True)
        finally:
            _stop_all()
            _programs.clear()
            kept_logs.keep(folder, f"{os.path.basename(sys.argv[0])}-{test.__name__}")
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not chosen else 0)


def utc(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
    return time.strftime(form, time.gmtime(seconds))
