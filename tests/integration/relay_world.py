"""Two daemons with a line between them: one inside that exports, one outside that publishes."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
import time

import company
import harness

CERTS = os.path.join(harness.SOURCE, "tests", "peers", "certs.sh")


def certificates(folder):
    """good (the publisher's), client (the exporter's) and ca; the publisher's pin."""
    path = os.path.join(folder, "certs")
    subprocess.run([CERTS, path, "good", "client"], check=True, capture_output=True)
    for name in os.listdir(path):
        os.chmod(os.path.join(path, name), 0o600)
    return path


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def sign_key(folder, name):
    """A pair of Ed25519 keys as docs/relay.md says to make it: NAME.key, NAME.pub."""
    key, pub = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".pub")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    os.chmod(key, 0o600)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", pub], check=True, capture_output=True)
    return key, pub


def inside(folder, sim_url, people, relay, stale="15m", interval="1s", more=""):
    """An exporter; `relay` is the entry of publish.relays."""
    os.makedirs(folder, exist_ok=True)
    harness.secret_file(folder, "password", "svc-secret")
    text = company.yaml(sim_url, people, interval=interval, stale=stale)
    return text.replace("publish:\n", "publish:\n  relays:\n    - " + relay + "\n") + more


def outside(folder, people, relay, http='listen: ["127.0.0.1:0"]', stale="15m", more=""):
    """A publisher; `relay` is what stands in servers[].relay."""
    os.makedirs(folder, exist_ok=True)
    users = "".join(f"  - {{ address: {json.dumps(p)}, server: inside }}\n" for p in people)
    return f"""servers:
  - name: inside
    kind: relay
    relay: {relay}
users:
{users}poll: {{ interval: 1s }}
presence: {{ stale_after: {stale} }}
publish:
  http: {{ {http} }}
control: {{ socket: "{{folder}}/control.sock" }}
{more}"""


class Link(threading.Thread):
    """A line that can be cut, and counts what goes through it in each direction."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to, self.cut, self.out, self.back = port, False, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        try:
            if self.cut:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            with far:
                while not self.cut:
                    ready, _, _ = select.select([near, far], [], [], 0.1)
                    for one in ready:
                        data = one.recv(65536)
                        if not data:
                            return
                        if one is near:
                            self.out += len(data)
                            far.sendall(data)
                        else:
                            self.back += len(data)
                            near.sendall(data)
        except OSError:
            pass
        finally:
            near.close()


class Recorder:
    """A web server that keeps every request and passes it on, or answers by itself."""

    def __init__(self, port=None):
        self.seen, self.port_of_far, self.answer = [], port, 204
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = recorder.answer
                if recorder.port_of_far:
                    status = put(recorder.port_of_far, self.path, body, method=self.command)[0]
                recorder.seen.append((self.command, self.path, body, status))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_DELETE = do_OPTIONS = any

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def put(port, path, body, method="PUT", headers=None):
    """(status, code)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "text/calendar", **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text)["code"] if text.startswith(b"{") else None


def server(daemon):
    return next(s for s in daemon.ctl_json("servers")["servers"] if s["name"] == "inside")


def outlet(daemon):
    return next(o for o in daemon.ctl_json("status")["outlets"] if o["name"] == "outside")


def message(key, key_id, people=(), method="PUBLISH", stream="a-to-b", sequence=1, made=None, keep=900, head="", lines=""):
    """A message as an exporter writes it, signed with `key` (None: not). people: (address, time of data, periods)."""
    made = int(time.time()) if made is None else made
    stamp = "%Y%m%dT%H%M%SZ"
    body = "".join(
        f"BEGIN:VFREEBUSY\r\nUID:x\r\nDTSTAMP:{harness.utc(at, stamp)}\r\nDTSTART:{harness.utc(at - 3600, stamp)}\r\n"
        f"DTEND:{harness.utc(at + 864000, stamp)}\r\nORGANIZER:mailto:{who}\r\n"
        + "".join(f"FREEBUSY;FBTYPE=BUSY:{harness.utc(a, stamp)}/{harness.utc(b, stamp)}\r\n" for a, b in periods)
        + "END:VFREEBUSY\r\n" for who, at, periods in people)
    before = (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freebusyd//EN\r\nMETHOD:{method}\r\nX-FB-STREAM:{stream}\r\n"
              f"X-FB-SEQUENCE:{sequence}\r\nX-FB-MADE:{harness.utc(made, stamp)}\r\nX-FB-KEEP:{keep}\r\n{head}")
    after = f"{lines}{body}END:VCALENDAR\r\n"
    if key is None:
        return (before + after).encode()
    before += f"X-FB-KEY:{key_id}\r\nX-FB-SIGN:"
    with tempfile.NamedTemporaryFile() as file:
        file.write((before + "\r\n" + after).encode())
        file.flush()
        raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name], check=True,
                             capture_output=True).stdout
    letters = base64.b64encode(raw).decode()
    return (before + letters[:65] + "\r\n " + letters[65:] + "\r\n" + after).encode()


def key_id(pub):
    """What a key is called: the beginning of the SHA-256 of its 32 bytes."""
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", pub, "-outform", "DER"], check=True,
                         capture_output=True).stdout
    return hashlib.sha256(der[-32:]).hexdigest()[:32]


def published_by_themselves(folder, people):
    """A publisher to which each of them may send a file of their own, with their address and, as password, that and pw."""
    os.makedirs(folder)
    for name in people:
        done = subprocess.run([harness.FREEBUSYCTL, "identity", "password", name, "--file", f"{folder}/identities"],
                              input=name + "pw\n", capture_output=True, text=True, check=False)
        harness.check_equal(done.returncode, 0, f"a password: {done.stdout}{done.stderr}")
    os.chmod(f"{folder}/identities", 0o600)
    return harness.Daemon(folder, outside(folder, people, "{ from: self, expiry: 30m }",
                                          more="identities_file: identities\n"))
