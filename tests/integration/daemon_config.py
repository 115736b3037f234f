"""Configuration: what is refused and how it is named, reload, secrets, systemd."""
import os
import re
import signal
import socket
import subprocess

import company
import daemon_faults
import harness
from harness import check, check_equal, wait_until

GOOD = company.yaml("http://127.0.0.1:1/exchange/", ["anna@example.test"])

# What is done to the good file -> texts of which each must stand in the error.
REFUSED = {
    "unknown key": (("    auth: [basic]\n", "    auth: [basic]\n    colour: red\n"), ["freebusyd.yaml:8", "colour"]),
    "wrong type": (("interval: 1s", "interval: [1, 2]"), ["freebusyd.yaml:", "interval"]),
    "out of range": (("interval: 1s", "interval: 10ms"), ["freebusyd.yaml:", "interval"]),
    "bad duration": (("interval: 1s", "interval: soon"), ["freebusyd.yaml:", "interval"]),
    "no such kind": (("kind: exchange", "kind: groupwise"), ["freebusyd.yaml:3", "kind"]),
    "no such scheme": (("auth: [basic]", "auth: [telepathy]"), ["freebusyd.yaml:7", "auth"]),
    "missing secret": (("password_file: password", "password_file: nowhere"), ["freebusyd.yaml:6", "nowhere"]),
    "group-readable secret": (("password_file: password", "password_file: open-password"),
                              ["freebusyd.yaml:6", "open-password"]),
    "duplicate address": (("users:\n", "users:\n  - { address: Anna@example.test, server: hq }\n"),
                          ["freebusyd.yaml:", "nna@example.test"]),
    "missing file of people": (("users:\n", "users:\n  - { file: nowhere.csv, server: hq }\n"),
                               ["freebusyd.yaml:9: users[0].file:", "nowhere.csv: No such file"]),
    "unknown server of a user": (("server: hq }", "server: elsewhere }"), ["freebusyd.yaml:", "elsewhere"]),
    "duplicate server": (("users:\n", """  - name: hq
    kind: exchange
    url: http://127.0.0.1:2/exchange/
    account: x
    password_file: password
users:
"""), ["freebusyd.yaml:8", "line 2"]),
    "not a URL": (("url: http://127.0.0.1:1/exchange/", "url: mail.example.com"), ["freebusyd.yaml:4", "url"]),
    "listener for everybody": (('"127.0.0.1:0"', '"0.0.0.0:0"'), ["freebusyd.yaml:", "allow_remote"]),
    "not YAML": (("servers:\n", "servers: [\n"), ["freebusyd.yaml:"]),
}


def refused_files(folder):
    """Every error names the file, the line and the key; --check-config exits 2; the good one is in order."""
    harness.secret_file(folder, "password", "svc-secret")
    harness.secret_file(folder, "open-password", "svc-secret")
    os.chmod(folder + "/open-password", 0o640)
    daemon = harness.Daemon(folder, GOOD, start=False)

    def check_config():
        done = subprocess.run([harness.FREEBUSYD, "--config", daemon.config, "--check-config"], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    check_equal(check_config()[0], 0, f"the good file: {check_config()[1]}")
    for name, ((old, new), expected) in REFUSED.items():
        check(old in GOOD, f"{name}: the good file has no {old!r}")
        daemon.write(GOOD.replace(old, new, 1))
        code, text = check_config()
        check_equal(code, 2, f"{name}: exit code; it said: {text}")
        for piece in expected:
            check(piece in text, f"{name}: the error does not name {piece!r}: {text}")
    missing = subprocess.run([harness.FREEBUSYD, "--config", folder + "/none.yaml"], capture_output=True, text=True,
                             check=False)
    check_equal(missing.returncode, 2, "a file that is not there")
    check("none.yaml" in missing.stderr, "the missing file is named")


def bad_certificates(folder):
    """Certificates that are none, and a key that is another's, are named with file, line and key before anything
    starts."""
    harness.secret_file(folder, "password", "svc-secret")
    for name in ("own", "other"):
        daemon_faults.make_certificate(folder, name, "localhost")
    with open(folder + "/garbage.pem", "w", encoding="utf-8") as file:
        file.write("-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n")
    http = 'http: { listen: ["127.0.0.1:0"], certificate_file: %s, key_file: %s }'

    def with_http(certificate, key):
        return GOOD.replace('http: { listen: ["127.0.0.1:0"] }', http % (certificate, key))

    def with_tls(text):
        return GOOD.replace("    auth: [basic]\n", "    auth: [basic]\n    tls: { " + text + " }\n")

    daemon = harness.Daemon(folder, with_http("own.pem", "own.key"), start=False)
    for text, expected in ((with_http("own.pem", "own.key"), None), (with_tls("ca_file: own.pem"), None),
                           (with_tls("client_cert_file: own.pem, client_key_file: own.key"), None),
                           (with_http("garbage.pem", "own.key"),
                            ["freebusyd.yaml:14: publish.http.certificate_file", "garbage.pem"]),
                           (with_http("own.pem", "other.key"),
                            ["freebusyd.yaml:14: publish.http.certificate_file", "other.key"]),
                           (with_tls("ca_file: garbage.pem"),
                            ["freebusyd.yaml:8: servers[0].tls.ca_file", "garbage.pem"]),
                           (with_tls("client_cert_file: own.pem, client_key_file: other.key"),
                            ["freebusyd.yaml:8: servers[0].tls.client_cert_file", "other.key"])):
        daemon.write(text)
        done = subprocess.run([harness.FREEBUSYD, "--config", daemon.config, "--check-config"], capture_output=True,
                              text=True, check=False)
        check_equal(done.returncode, 2 if expected else 0, f"exit code for\n{text}\n{done.stderr}")
        for piece in expected or ():
            check(piece in done.stderr, f"the error does not name {piece!r}: {done.stderr}")


def documented_files(folder):
    """The configurations that README, docs/configure.md and packaging/ show can be used as they stand, once their files
    are there."""
    shown = []
    for name in ("README.md", "docs/configure.md"):
        with open(os.path.join(harness.SOURCE, name), encoding="utf-8") as file:
            blocks = re.findall(r"```yaml\n(.*?)```", file.read(), re.S)
        check_equal(len(blocks), 1, f"configurations in {name}")
        shown += blocks
    for name in ("freebusyd.yaml", "freebusyd-minimal.yaml"):
        with open(os.path.join(harness.SOURCE, "packaging", name), encoding="utf-8") as file:
            shown.append(file.read())
    for text in shown:
        for name in re.findall(r"_file: ([^ #\n]+)", text):
            if not name.startswith("/"):
                harness.secret_file(folder, name, "a secret")
        for name in re.findall(r"(?m)^[^#\n]*(?<![a-z_])file: ([^ ,}\n]+)", text):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("address\nsomebody@example.com\n")
        path = os.path.join(folder, "shown.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([harness.FREEBUSYD, "--config", path, "--check-config"], capture_output=True, text=True,
                              check=False)
        check_equal(done.returncode, 0, f"--check-config of\n{text}\n{done.stdout}{done.stderr}")


def reload_whole_or_not(folder):
    """A broken file changes nothing and says why; a good one adds, removes and keeps people without a flap."""
    people = ["anna@example.test", "bob@example.test"]
    lines = [f"appointment {p} now-1h +12h busy" for p in people + ["carl@example.test"]]
    sim, daemon = company.start(folder, lines, people)
    for p in people:
        daemon.wait_state(p, "busy")
    port = daemon.port
    events = harness.Events(port, "?address=anna@example.test")
    events.wait(lambda d: d["state"] == "busy", "the snapshot")

    daemon.write(company.yaml(sim.url, ["carl@example.test"]).replace("kind: exchange", "kind: nonsense"))
    code, _, err = daemon.ctl("reload")
    check_equal(code, 2, "reload of a broken file")
    check("freebusyd.yaml:3" in err, f"the error names the line: {err}")
    check_equal(daemon.presence("bob@example.test")["state"], "busy", "after the refused reload")
    check(daemon.ctl_json("status")["reload_error"], "status keeps the refusal")

    daemon.write(company.yaml(sim.url, ["anna@example.test", "carl@example.test"]))
    code, out, err = daemon.ctl("reload")
    check_equal(code, 0, f"reload: {out}{err}")
    check_equal(daemon.presence("anna@example.test")["state"], "busy", "who stayed is known at once")
    daemon.wait_state("carl@example.test", "busy")
    check_equal(daemon.get("/v1/presence/bob@example.test")[0], 404, "who was removed")
    check(not daemon.ctl_json("status")["reload_error"], "the refusal is forgotten")
    check_equal([e[3]["state"] for e in events.events], ["busy"], "what a subscriber saw of the person who stayed")
    check(not events.ended, "the stream lived through the reloads")

    blocker = socket.create_server(("127.0.0.1", 0))
    taken = blocker.getsockname()[1]
    daemon.write(company.yaml(sim.url, ["anna@example.test"], publish=f'["127.0.0.1:0", "127.0.0.1:{taken}"]'))
    code, _, err = daemon.ctl("reload")
    check(code in (1, 2) and str(taken) in err, f"a port in use: exit {code}, {err}")
    check_equal(daemon.presence("carl@example.test")["state"], "busy", "nothing changed by it")

    daemon.write(company.yaml(sim.url, ["anna@example.test"]))
    daemon.program.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.get("/v1/presence/carl@example.test")[0] == 404, "SIGHUP to reload")


def secret_rotated(folder):
    """A changed password file is picked up without a restart, and nobody goes stale."""
    people = [f"p{i}@example.test" for i in range(10)]
    sim, daemon = company.start(folder, [f"appointment {p} now-1h +12h busy" for p in people], people, stale="5m")
    for p in people:
        daemon.wait_state(p, "busy")
    requests = daemon.ctl_json("servers")["servers"][0]["requests"]
    harness.secret_file(folder, "password", "svc-secret")
    wait_until(lambda: daemon.ctl_json("servers")["servers"][0]["requests"] > requests + 20, "polls to go on")
    check_equal(sim.control("GET", "/counters")["logons"]["rejected"], 0, "rejected logons")
    check(all(daemon.presence(p)["state"] == "busy" for p in people), "everybody is still busy")

    def note():
        return daemon.ctl_json("servers")["servers"][0]["secret_note"] or ""
    check_equal(note(), "", "nothing to say about a secret that works")
    harness.secret_file(folder, "password", "svc-mistyped")
    wait_until(lambda: "refused" in note() and "the one before stays in use" in note(), "the refused secret to be told")
    check("the one before stays in use" in daemon.ctl("servers")[1], f"freebusyctl servers: {daemon.ctl('servers')}")
    check(all(daemon.presence(p)["state"] == "busy" for p in people), "everybody is still busy with the secret before")
    harness.secret_file(folder, "password", "svc-secret")
    wait_until(lambda: note() == "", "the note to go")


def notify_systemd(folder):
    """READY, the watchdog, RELOADING with its time, READY again, STOPPING."""
    path = folder + "/notify.sock"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    notify.settimeout(0.05)
    seen = []

    def told(what):
        def look():
            try:
                seen.append(notify.recv(4096).decode())
            except OSError:
                pass
            return any(what in s for s in seen)
        wait_until(look, f"{what} to be told to systemd; told so far: {seen}")

    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company("appointment anna@example.test now-1h +12h busy"))
    daemon = harness.Daemon(folder, company.yaml(sim.url, ["anna@example.test"]), start=False,
                            env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"})
    daemon.start()
    told("READY=1")
    told("WATCHDOG=1")
    seen.clear()
    daemon.program.process.send_signal(signal.SIGHUP)
    told("RELOADING=1")
    check(any("MONOTONIC_USEC=" in s for s in seen), "the reload's time is told")
    told("READY=1")
    seen.clear()
    daemon.program.expected_to_run = False
    daemon.program.process.send_signal(signal.SIGTERM)
    told("STOPPING=1")
    check_equal(daemon.program.process.wait(60), 0, "exit code")


if __name__ == "__main__":
    harness.run(refused_files, bad_certificates, documented_files, reload_whole_or_not, secret_rotated, notify_systemd)
