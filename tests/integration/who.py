"""Who asks: every way to say it, through a whole daemon; spoofed headers, tokens in URLs, guessed passwords, tricks with
paths."""
import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.parse

import harness
from harness import check, check_equal, wait_until

PEOPLE = ["alice@example.com", "bob@example.com", "b+c@example.com"]
TOKEN = "fbd_0123456789abcdef"
PROXY = "    proxies: [ { from: 127.0.0.0/8, header: X-Remote-User } ]\n"
POLICY = """policy:
  rules:
    - { who: door, whom: bob@example.com, level: kinds }
    - { who: anonymous, whom: "b+c@example.com", level: available }
    - { who: "ops@example.com", whom: "*", level: times }
"""


def kept(password):
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=16384, r=8, p=1, dklen=32, maxmem=1 << 26)
    return f"scrypt:16384:8:1:{base64.b64encode(salt).decode()}:{base64.b64encode(digest).decode()}"


def start(folder, http_more="", more="", file=True):
    harness.secret_file(folder, "password", "svc-secret")
    users = "".join(f"  - {{ address: \"{p}\", server: hq }}\n" for p in PEOPLE)
    if file:
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        harness.secret_file(folder, "ids", f"# ours\ndoor group=displays token=sha256:{digest}\n"
                                           f"ops@example.com role=reader password={kept('geheim')}\n"
                                           f"boss role=admin password={kept('chef')}")
        more += "identities_file: ids\n"
    yaml = ("servers:\n  - { name: hq, kind: ifb, url: \"http://127.0.0.1:9/\", account: svc, password_file: password,\n"
            "      auth: [basic], calendars: [\"/{address}.ifb\"] }\n"
            f"users:\n{users}publish:\n  http:\n    listen: [\"127.0.0.1:0\"]\n{http_more}"
            "control: { socket: \"{folder}/control.sock\" }\n" + more)
    return harness.Daemon(folder, yaml)


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


BEARER = {"Authorization": "Bearer " + TOKEN}


def status(daemon, path="/v1/presence/bob@example.com", headers=None, method="GET"):
    return daemon.get(path, headers, method)[0]


def code(daemon, path, headers=None):
    return json.loads(daemon.get(path, headers)[1])["code"]


def tokens(daemon):
    return {i["name"]: i["tokens"] for i in daemon.ctl_json("identity", "list")["identities"]}


def ways(folder):
    """Token, password, nobody; roles; a changed file counts within seconds, without a restart."""
    daemon = start(folder)
    check_equal(status(daemon, "/healthz"), 200, "liveness is nobody's secret")
    for path in ["/", "/page.js", "/metrics", "/v1/status", "/v1/servers", "/v1/events", "/v1/presence/bob@example.com",
                 "/v1/presence?address=bob@example.com", "/v1/freebusy/bob@example.com.ifb", "/nothing-here"]:
        answer, _, headers = daemon.get(path)
        check_equal(answer, 401, f"{path} asks who it is")
        check("Basic realm=" in str(headers.get_all("WWW-Authenticate")), "Basic is offered")
    check_equal(status(daemon, headers=BEARER), 200, "a token")
    check_equal(status(daemon, headers=basic("OPS@example.com", "geheim")), 200, "a name and a password")
    check_equal(status(daemon, headers=basic("ops@example.com", "geheim ")), 401, "another password")
    check_equal(status(daemon, headers=basic("nobody", "geheim")), 401, "another name")
    check_equal(status(daemon, headers=basic("door", TOKEN)), 401, "a token is no password")
    check_equal(status(daemon, headers={"Authorization": "Bearer " + hashlib.sha256(TOKEN.encode()).hexdigest()}), 401,
                "what is in the file is no token")
    for path in ["/", "/metrics", "/v1/status", "/v1/servers"]:
        check_equal(status(daemon, path, BEARER), 403, f"{path} is not for a display")
        check_equal(status(daemon, path, basic("ops@example.com", "geheim")), 200, f"{path} is for a reader")
    out = daemon.ctl("identity", "token", "phone", "--role", "reader")[1].strip()
    check(out.startswith("fbd_") and out not in open(os.path.join(folder, "ids")).read(), "the token is kept as a digest")
    wait_until(lambda: tokens(daemon).get("phone") == 1, "the new token to count")
    check_equal(status(daemon, "/v1/status", {"Authorization": "Bearer " + out}), 200, "a new token")
    stream = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    stream.request("GET", "/v1/events", headers=BEARER)
    events = stream.getresponse()
    check_equal(events.status, 200, "an event stream")
    check_equal(daemon.ctl("identity", "revoke", "door")[0], 0, "revoke")
    wait_until(lambda: tokens(daemon)["door"] == 0, "the old token to count no more")
    check_equal(status(daemon, headers=BEARER), 401, "the old token, that was right lately")
    check(b"event: cut" in events.read(), "its stream ends")
    stream.close()
    names = [i["name"] for i in daemon.ctl_json("identity", "list")["identities"]]
    check_equal(sorted(names), ["boss", "door", "ops@example.com", "phone"], "the list")
    harness.secret_file(folder, "ids", "door token=oops")
    wait_until(lambda: "everybody may ask as before" in daemon.program.log(), "a broken file to be complained about")
    check_equal(status(daemon, "/v1/status", {"Authorization": "Bearer " + out}), 200, "a broken file changes nothing")
    check("oops" not in daemon.program.log() and "geheim" not in daemon.program.log() and TOKEN not in daemon.program.log(),
          "no secret in the log")
    daemon.stop()


def url_tokens(folder):
    """A token in a URL is refused, right or wrong, in any spelling, and is not in the log."""
    daemon = start(folder)
    for query in [f"?token={TOKEN}", f"?access_token={TOKEN}", f"?x=1&token={TOKEN}", f"?%74oken={TOKEN}", "?token="]:
        for headers in [None, BEARER]:
            for path in ["/v1/presence/bob@example.com", "/v1/events", "/v1/freebusy/bob@example.com.ifb", "/", "/dav/"]:
                check_equal(code(daemon, path + query, headers), "token-in-url", path + query)
    wait_until(lambda: "why=url-token" in daemon.program.log(), "the log to name it")
    check(TOKEN not in daemon.program.log(), "without the token")
    daemon.stop()


def slowed(folder):
    """Guessing is slowed by address without a hash computed; who is at another address, or was right lately, is not."""
    daemon = start(folder, http_more=PROXY)
    check_equal(status(daemon, headers=basic("ops@example.com", "geheim")), 200, "right, before")
    answers = [status(daemon, headers=basic("ops@example.com", f"guess{i}")) for i in range(40)]
    check_equal(set(answers), {401, 429}, "guesses")
    check(answers.count(401) <= 20, f"only some are looked at: {answers.count(401)}")
    check_equal(answers[-1], 429, "in the end none is")
    headers = daemon.get("/v1/presence/bob@example.com", basic("ops@example.com", "guess"))[2]
    check(1 <= int(headers["Retry-After"]) <= 60, "and says for how long")
    check_equal(status(daemon, headers=basic("boss", "chef")), 429, "a right password from there waits, too")
    check_equal(status(daemon, headers=BEARER), 429, "as does a token")
    check_equal(status(daemon, headers=basic("ops@example.com", "geheim")), 200, "who was right lately is served on")
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60, source_address=("127.0.0.2", 0))
    for headers in [BEARER, basic("boss", "chef")]:
        connection.request("GET", "/v1/presence/bob@example.com", headers=headers)
        response = connection.getresponse()
        response.read()
        check_equal(response.status, 200, "another address is another matter")
    connection.close()
    before = cpu(daemon)
    guess = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    began = time.monotonic()
    for i in range(10000):
        guess.request("GET", "/v1/presence/bob@example.com", headers=basic("ops@example.com", f"more{i}"))
        response = guess.getresponse()
        response.read()
        check(response.status in (401, 429), f"a guess is answered {response.status}")
    guess.close()
    metrics = daemon.get("/metrics", basic("ops@example.com", "geheim"))[1]
    looked = int(next(l for l in metrics.splitlines() if l.startswith("freebusyd_http_refused_total{why=\"password\"}")).split()[1])
    check(looked < 400, f"of 10,000 guesses only few cost a hash: {looked}")
    print(f"        10,000 guesses from a blocked address in {time.monotonic() - began:.0f} s: {cpu(daemon) - before:.2f} s of CPU, "
          f"{looked} hashes in all")
    daemon.stop()


def cpu(daemon):
    with open(f"/proc/{daemon.program.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def together(folder):
    """Many requests with one credential cost one hash, and a client that leaves while it is computed costs nothing."""
    daemon = start(folder)
    stream = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    stream.request("GET", "/v1/events", headers=basic("boss", "chef"))
    events = stream.getresponse()
    check_equal([events.status, events.read(1)], [200, b":"], "a stream may begin after its password was looked at")
    stream.close()
    raw = ("GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: "
           f"{basic('ops@example.com', 'geheim')['Authorization']}\r\n\r\n").encode()
    sockets = [socket.create_connection(("127.0.0.1", daemon.port), timeout=60) for _ in range(30)]
    for s in sockets:
        s.sendall(raw)
    for s in sockets[::3]:
        s.close()
    for i, s in enumerate(sockets):
        if i % 3:
            check(s.recv(100).startswith(b"HTTP/1.1 200"), "all are answered")
            s.close()
    check_equal(status(daemon, "/v1/status", basic("ops@example.com", "geheim")), 200, "and the daemon goes on")
    daemon.stop()


def proxies(folder):
    """The header of a listed proxy; from elsewhere, twice, or naming a stranger it is refused and counted."""
    daemon = start(folder, http_more="    proxies: [ { from: 127.0.0.2, header: X-Remote-User } ]\n")

    def ask(source, *names, path="/v1/status"):
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60, source_address=(source, 0))
        connection.putrequest("GET", path)
        for name in names:
            connection.putheader("x-remote-user", name)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    check_equal(ask("127.0.0.2", "Ops@example.com"), 200, "a proxy says who it is")
    check_equal(ask("127.0.0.2", "door"), 403, "with that identity's role")
    check_equal(ask("127.0.0.2", "door", path="/v1/presence/bob@example.com"), 200, "and rights")
    check_equal(ask("127.0.0.2"), 401, "a proxy that says nothing is nobody")
    check_equal(ask("127.0.0.1", "ops@example.com"), 403, "not from elsewhere")
    check_equal(ask("127.0.0.2", "door", "ops@example.com"), 403, "not two of them")
    for name in ["stranger", "", "anonymous", "administrator", "ops@example.com,door", "a" * 400]:
        check_equal(ask("127.0.0.2", name), 403, f"not {name[:20]!r}")
    metrics = daemon.get("/metrics", basic("ops@example.com", "geheim"))[1]
    check("freebusyd_http_refused_total{why=\"proxy\"} 2" in metrics, "spoofed headers are counted")
    check("freebusyd_http_refused_total{why=\"stranger\"} 6" in metrics, "and strangers")
    daemon.stop()


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


def certificates(folder):
    """A client certificate: by name when its authority is known, by key whoever signed; a stranger's says nothing."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=our ca", "-days", "2")
    openssl(folder, "req", "-x509", *curve, "-keyout", "http.key", "-out", "http.pem", "-subj", "/CN=localhost", "-days", "2",
            "-addext", "subjectAltName=IP:127.0.0.1")
    for name, subject in [("phone", "/CN=Wall Phone"), ("mail", "/CN=x")]:
        openssl(folder, "req", *curve, "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
        with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as file:
            file.write("subjectAltName=email:Ops@Example.com\n" if name == "mail" else "basicConstraints=CA:FALSE\n")
        openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                name + ".pem", "-days", "1", "-extfile", name + ".ext")
    for name in ["pinned", "stranger"]:
        openssl(folder, "req", "-x509", *curve, "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=Wall Phone",
                "-days", "2")
    der = subprocess.run("openssl x509 -in pinned.pem -noout -pubkey | openssl pkey -pubin -outform DER", shell=True,
                         cwd=folder, check=True, capture_output=True).stdout
    pin = "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    for name in ["http.key", "ca.key"]:
        os.chmod(os.path.join(folder, name), 0o600)
    daemon = start(folder, http_more="    certificate_file: http.pem\n    key_file: http.key\n    client_ca_file: ca.pem\n",
                   more="identities:\n  - { name: phone, role: reader, certificate: wall phone }\n"
                        "  - { name: mailer, certificate: ops@example.com }\n"
                        f"  - {{ name: gate, role: reader, certificate: \"{pin}\" }}\n")

    def ask(name, path, headers=None):
        context = ssl.create_default_context(cafile=os.path.join(folder, "http.pem"))
        if name:
            context.load_cert_chain(os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
        connection = http.client.HTTPSConnection("127.0.0.1", daemon.port, context=context, timeout=60)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    check_equal(ask("phone", "/v1/status"), 200, "the common name")
    check_equal(ask("mail", "/v1/status"), 403, "the mail address, which has no role")
    check_equal(ask("mail", "/v1/presence/bob@example.com"), 200, "and sees people")
    check_equal(ask("pinned", "/v1/status"), 200, "the key, whoever signed")
    check_equal(ask("stranger", "/v1/status"), 401, "the right name by the wrong authority is nobody")
    check_equal(ask(None, "/v1/status"), 401, "no certificate, no name")
    check_equal(ask("stranger", "/v1/status", basic("ops@example.com", "geheim")), 200, "a password does beside it")
    check_equal(ask("phone", "/v1/status", basic("ops@example.com", "wrong")), 401, "a wrong one is never served as less")
    daemon.stop()


def anonymous(folder):
    """Anonymous is who the policy names, with the rights of that one account; everybody else keeps theirs."""
    daemon = start(folder, more=POLICY)

    def sees(headers=None):
        return [status(daemon, "/v1/presence/" + urllib.parse.quote(p, safe=""), headers) for p in PEOPLE]

    check_equal(sees(), [404, 404, 200], "anonymous")
    check_equal(sees(BEARER), [404, 200, 404], "the display, which is not also anonymous")
    check_equal(sees(basic("ops@example.com", "geheim")), [200, 200, 200], "the reader")
    check_equal(status(daemon, "/v1/status"), 403, "anonymous has no role")
    check_equal(sees(basic("door", "x")), [401, 401, 401], "a wrong password is not anonymous")
    daemon.stop()


def paths(folder):
    """However an address or a path is written: the right person's answer, or the one that nobody gets."""
    daemon = start(folder, more=POLICY)
    nobody = daemon.get("/v1/presence/nobody@example.com", BEARER)[:2]

    def raw(path):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode("latin-1"))
            text = b""
            while piece := s.recv(65536):
                text += piece
        head, _, body = text.decode("utf-8", "replace").partition("\r\n\r\n")
        return int(head.split()[1]) if head else 0, body

    bob = [200, "bob@example.com"]
    for path in ["/v1/presence/bob@example.com", "/v1/presence/BOB@Example.COM", "/v1/presence/bob%40example.com",
                 "/v1/presence/%62ob@example.com"]:
        answer = raw(path)
        check_equal([answer[0], json.loads(answer[1])["address"]], bob, path)
    same = ["/v1/presence/alice@example.com", "/v1/presence/ALICE@example.com", "/v1/presence/bob%2540example.com",
            "/v1/presence/bob+tag@example.com", "/v1/presence/b+c@example.com", "/v1/presence/b%2Bc@example.com",
            "/v1/presence/b%20c@example.com", "/v1/presence/x/../bob@example.com", "/v1/presence/%2e%2e/bob@example.com",
            "/v1/presence/..%2fstatus", "/v1/presence/../status", "/v1/presence/bob@example.com/", "/v1/presence/./bob@example.com",
            "/v1/presence/bob@example.com.", "/v1/presence/%20bob@example.com", "/v1/presence/bob@example.com%20",
            "/v1/presence//bob@example.com", "/v1/presence/bob@example.com%2F..%2Falice@example.com"]
    for path in same:
        check_equal(raw(path), nobody, path)
    for path in ["/v1/presence/bob%00@example.com", "/v1/presence/bob@example.com%00", "/v1/presence/%ff", "/v1/presence/%zz"]:
        check_equal(raw(path)[0], 400, path)
    for path in ["//v1/status", "/v1/./status", "/v1/presence/../status/", "/%2e/v1/status", "/v1%2fstatus", "/V1/status",
                 "/healthz/../v1/status", "/v1/status/", "/v1/status%00"]:
        check(raw(path)[0] in (400, 404), f"{path} is no way around a role: {raw(path)[0]}")
    check_equal(raw("http://elsewhere/v1/status")[0], 403, "nor is another host")
    check_equal(raw("/v1/status?x")[0], 403, "nor a query")
    for path in ["/v1/freebusy/alice@example.com.ifb", "/v1/freebusy/bob@example.com.ifb"]:
        check_equal(raw(path), nobody, f"{path}: without times there is nobody")
    daemon.stop()


def as_before(folder):
    """Where nothing is configured about who may ask, whoever reaches the listener reads everything."""
    daemon = start(folder, file=False)
    for path in ["/v1/status", "/", "/metrics", "/v1/presence/bob@example.com"]:
        check_equal(status(daemon, path), 200, path)
        check_equal(status(daemon, path, basic("who", "ever")), 200, "whatever they say")
    daemon.stop()


if __name__ == "__main__":
    harness.run(ways, url_tokens, slowed, together, proxies, certificates, anonymous, paths, as_before)
