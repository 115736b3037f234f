#!/usr/bin/python3
"""Logging on: davclient (auth_query.c) against servers that nobody here wrote, with an Exchange simulator behind them
where calendars are wanted. auth_logon.py NAME runs one test, named as in auth.cmake.

What counts is what the servers saw: how many logons, over which connections, with which verdict.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

SOURCE, BUILD = os.environ["FB_SOURCE"], os.environ["FB_BUILD"]
sys.path.insert(0, os.path.join(SOURCE, "tests", "peers"))
sys.path.insert(0, os.path.join(SOURCE, "tests", "integration"))
import apache_ntlm  # noqa: E402
import gssapi_acceptor  # noqa: E402
import kdc  # noqa: E402
import kept_logs  # noqa: E402
import peer  # noqa: E402
import squid  # noqa: E402
import tls_server  # noqa: E402
import winbind  # noqa: E402

COMPANY = """\
domain CORP
account svc password=Passw0rd receive-as=all
mailbox anna@corp.example alias=anna zone=UTC
mailbox bob@corp.example alias=bob zone=UTC
mailbox carl@corp.example alias=carl zone=UTC
appointment anna@corp.example 2008-03-04T10:00:00Z 2008-03-04T11:00:00Z busy
appointment bob@corp.example 2008-03-04T10:00:00Z 2008-03-04T11:00:00Z busy
appointment carl@corp.example 2008-03-04T10:00:00Z 2008-03-04T11:00:00Z busy
"""
ADDRESSES = ("anna@corp.example", "bob@corp.example", "carl@corp.example")
USER, PASSWORD = "CORP\\svc", "Passw0rd"
BEHIND = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def check(condition, what):
    if not condition:
        raise SystemExit(f"does not hold: {what}")


def equal(got, expected, what):
    if got != expected:
        raise SystemExit(f"{what}\n  expected {expected!r}\n  got      {got!r}")


class Simulator(peer.Peer):
    name = "simulator"

    def __init__(self, folder, profile="2003", switches=(), extra=(), data=COMPANY):
        super().__init__(folder)
        path = peer.write(self.folder, "company.sim", data)
        argv = [os.path.join(BUILD, "tests/exchange-sim/exchange-sim"), "--profile", profile, "--data", path, *extra]
        for switch in switches:
            argv += ["--set", switch]
        self.launch(argv, stdout=subprocess.PIPE)
        said = json.loads(self.process.stdout.readline())
        self.port, self.control, self.url = said["port"], said["control"], said["url"]

    def ask(self, method, path, value=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}{path}", method=method,
                                         data=json.dumps(value).encode() if value is not None else None)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def logons(self):
        logons = self.ask("GET", "/counters")["logons"]
        return {key: logons[key] for key in ("accepted", "rejected")}


class Query:
    """auth_query, spoken to line by line."""

    def __init__(self, folder, url, user=USER, password=PASSWORD, env=None, addresses=ADDRESSES, **options):
        argv = [os.path.join(BUILD, "tests/integration/auth-query"), "--url", url, "--user", user]
        self.folder = folder
        if password is not None:
            argv += ["--password-file", self.secret_file(password)]
        for address in addresses:
            argv += ["--address", address]
        for name, value in options.items():
            argv += ["--" + name.replace("_", "-"), str(value)]
        self.log = open(os.path.join(folder, "auth_query.log"), "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env={**os.environ, **(env or {})})

    def secret_file(self, password):
        return peer.write(self.folder, f"secret-{time.monotonic_ns()}", password + "\n", 0o600)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        check(answer, f"an answer to {line!r}: {self.logged()}")
        return json.loads(answer)

    def ask(self, count=1):
        return self.say(f"ask {count}")["codes"]

    def info(self):
        return self.say("info")

    def secret(self, password):
        check(self.say("secret " + self.secret_file(password))["secret"], "a secret that can be read")

    def logged(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(60)
        for pipe in (self.process.stdout, self.log):
            pipe.close()
        text = self.logged()
        if sys.exc_info()[0]:
            print(text[-4000:])
        check(code == 0, f"auth_query ends well: {text[-3000:]}")
        for word in (PASSWORD, "pässwörd", "TlRMTVNTUAADAAAA"):
            check(word not in text, "no secret in the log")


def by_connection(server):
    """{client port: [(number on the connection, status, request)]}"""
    found = {}
    for port, number, _, status, line in server.requests():
        found.setdefault(port, []).append((number, status, line.split(" ")[0]))
    return found


def settled(server, count):
    peer.until(lambda: len(server.requests()) >= count, "the access log")


def ntlm_level(folder, level):
    """Our level against servers of every level that takes it: one handshake a connection, and none that is refused."""
    for server_level in (0, 2, 3) if level == 3 else (0, 2):
        with Simulator(os.path.join(folder, f"sim{server_level}")) as sim, \
                apache_ntlm.ApacheNtlm(os.path.join(folder, f"web{server_level}"), server_level,
                                       upstream=f"http://127.0.0.1:{sim.port}",
                                       upstream_authorization=BEHIND) as web, \
                Query(folder, web.url + "exchange/", level=level, auth="ntlm", connections=3) as query:
            equal(query.ask(1), {"ok": 1}, f"level {level} against {server_level}")
            equal(query.ask(30), {"ok": 30}, f"level {level} against {server_level}")
            info = query.info()
            equal(info["scheme"], "ntlm", "scheme")
            equal(info["rejected_logons"], 0, "rejected")
            check(1 <= info["handshakes"] <= 3,
                  f"at most a handshake for each of three connections: {info['handshakes']}")
            settled(web, info["requests"])
            for port, rows in by_connection(web).items():
                refused = [row for row in rows if row[1] == 401]
                check(len(refused) <= 1 and (not refused or refused[0][0] == 0),
                      f"one handshake, first of all, on {port}: {rows}")
                check(sorted(row[0] for row in rows) == list(range(len(rows))), f"nobody else on {port}: {rows}")
            check("clock" in (info["server_says"] or ""), info["server_says"])


def ntlm_apache_level0(folder):
    ntlm_level(folder, 0)


def ntlm_apache_level1(folder):
    ntlm_level(folder, 1)


def ntlm_apache_level2(folder):
    ntlm_level(folder, 2)


def ntlm_apache_level3(folder):
    ntlm_level(folder, 3)
    # too weak for the server: its verdict is that of a wrong password, and it comes once
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "strict"), 3) as web, \
            Query(folder, web.url + "dav/", level=2, auth="ntlm,basic") as query:
        equal(query.ask(20), {"logon-rejected": 20}, "level 2 against 3")
        equal(query.ask(20), {"logon-rejected": 20}, "and again")
        info = query.info()
        equal((info["state"], info["rejected_logons"]), ("refused", 1), "one logon")
        equal(web.error_log().count("NTLM version 1 not allowed"), 1, "what the server counted")
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "wrong"), 3) as web, \
            Query(folder, web.url + "dav/", auth="ntlm,basic", password="wrong") as query:
        equal(query.ask(50), {"logon-rejected": 50}, "a wrong password")
        equal(query.ask(50), {"logon-rejected": 50}, "and again")
        equal(query.info()["rejected_logons"], 1, "one logon")
        equal(len([row for row in web.requests() if "PROPFIND" in row[4]]), 3, "probe, Type 1, Type 3")


def ntlm_names(folder):
    for user, password in apache_ntlm.USERS.items():
        for level, server_level in ((0, 0), (2, 2), (3, 3)):
            with Simulator(os.path.join(folder, "sim")) as sim, \
                    apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), server_level,
                                           upstream=f"http://127.0.0.1:{sim.port}",
                                           upstream_authorization=BEHIND) as web, \
                    Query(folder, web.url + "exchange/", user=user, password=password, level=level,
                          auth="ntlm") as query:
                equal(query.ask(2), {"ok": 2}, f"{user} at level {level}")


def ntlm_lost_connections(folder):
    """A server with too few threads closes idle connections, also between challenge and answer."""
    with Simulator(os.path.join(folder, "sim")) as sim, \
            apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), 3, upstream=f"http://127.0.0.1:{sim.port}",
                                   upstream_authorization=BEHIND, extra="KeepAliveTimeout 1") as web, \
            Query(folder, web.url + "exchange/", auth="ntlm", connections=4) as query:
        equal(query.ask(8), {"ok": 8}, "first")
        before = query.info()["handshakes"]
        peer.until(lambda: query.info()["connections"] == 0, "the server closes what is idle")
        equal(query.ask(8), {"ok": 8}, "after the server closed what was idle")
        info = query.info()
        check(before < info["handshakes"] <= 8, f"new connections, each with its handshake: {info['handshakes']}")
        equal(info["rejected_logons"], 0, "rejected")


def ntlm_broken(folder):
    """Servers, and what stands before them, that do not keep the connection: no password is used."""
    cases = (({"connection_bound": False}, "ntlm-connection-broken"),
             ({"extra": "KeepAlive Off"}, "ntlm-connection-broken"))
    for n, (more, code) in enumerate(cases):
        with apache_ntlm.ApacheNtlm(os.path.join(folder, f"web{n}"), 3, **more) as web, \
                Query(folder, web.url + "dav/", auth="ntlm") as query:
            equal(query.ask(5), {code: 5}, str(more))
            equal(query.info()["rejected_logons"], 0, "rejected")
            check(not any("Permission denied" in line for line in web.error_log().splitlines()), "nothing judged")
    # a proxy that takes NTLM out of the answers
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), 3) as web, \
            squid.Squid(os.path.join(folder, "squid"), users={}, connection_auth=False) as proxy, \
            Query(folder, f"http://127.0.0.1:{web.port}/dav/", auth="ntlm", proxy=proxy.url) as query:
        equal(query.ask(5), {"auth-none-usable": 5}, "a proxy that strips NTLM")


def certificates(folder, *names):
    return peer.certificates(os.path.join(folder, "certs"), *names)


def ntlm_channel_binding(folder):
    certs = certificates(folder, "good", "good-sha1", "good-sha512")
    ca = os.path.join(certs, "ca.pem")
    for name in ("good", "good-sha1", "good-sha512"):
        pair = [os.path.join(certs, name + ".pem"), os.path.join(certs, name + ".key")]
        old = {"legacy": 1} if name == "good-sha1" else {}
        with gssapi_acceptor.GssapiAcceptor(os.path.join(folder, name), *pair, required=True) as web, \
                Query(folder, web.url + "dav/", auth="ntlm", ca_file=ca, **old) as query:
            codes = query.ask(3)
            info = query.info()
            check(web.logons and all(logon["bound"] for logon in web.logons),
                  f"{name} bound: {web.logons} {codes} {info}")
            check(info["cert_not_after"] > time.time(), "until when the certificate is valid")
            equal(info["rejected_logons"], 0, "rejected")
    good = [os.path.join(certs, "good.pem"), os.path.join(certs, "good.key")]
    with gssapi_acceptor.GssapiAcceptor(os.path.join(folder, "web2"), *good, required=True) as web, \
            Query(folder, web.url + "dav/", auth="ntlm", ca_file=ca, no_binding=1) as query:
        equal(query.ask(3), {"logon-rejected": 3}, "unbound, where it is required")
        equal(len(web.logons), 1, "one logon")


def ntlm_every_request(folder):
    """Samba's verdicts, on a server that forgets the logon after each request and on one that does not; they change
    while we work."""
    helper = winbind.lone_helper(folder, PASSWORD)
    for level in (0, 1, 2, 3):
        with Simulator(os.path.join(folder, f"sim{level}"), switches=("auth=ntlm",),
                       extra=("--ntlm-helper", helper)) as sim, \
                Query(folder, sim.url, auth="ntlm", level=level, connections=3) as query:
            equal(query.ask(30), {"ok": 30}, f"level {level}")
            logons = sim.logons()
            check(logons["rejected"] == 0 and 1 <= logons["accepted"] <= 3, f"a logon for each connection: {logons}")
            sim.ask("PUT", "/faults", {"ntlm-break": "single"})
            equal(query.ask(30), {"ok": 30}, "a logon for each request")
            sim.ask("PUT", "/faults", {"ntlm-break": None})
            equal(query.ask(30), {"ok": 30}, "and again for each connection")
            equal(sim.logons()["rejected"], 0, "rejected")
    with Simulator(os.path.join(folder, "mixed"), switches=("auth=ntlm",), extra=("--ntlm-helper", helper)) as sim, \
            Query(folder, sim.url, auth="ntlm") as query:
        equal(query.ask(9), {"ok": 9}, "before")
        sim.ask("PUT", "/faults", {"mailbox": "carl@corp.example", "deny": "401"})
        for _ in range(3):
            equal(query.ask(9), {"ok": 6, "receive-as-missing": 3}, "a closed mailbox that says 401")
        equal((query.info()["rejected_logons"], query.info()["state"]), (0, "ready"), "one person's trouble")


def ntlm_over_negotiate(folder):
    with Simulator(os.path.join(folder, "sim")) as sim, \
            apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), 3, upstream=f"http://127.0.0.1:{sim.port}",
                                   upstream_authorization=BEHIND,
                                   extra='Header always edit* WWW-Authenticate "^NTLM" "X-None"') as web, \
            Query(folder, web.url + "exchange/", auth="ntlm") as query:
        equal(query.ask(3), {"ok": 3}, "NTLM messages under the name of Negotiate")
        check("negotiate" in query.info()["chosen_because"], query.info()["chosen_because"])


def negotiate_kdc(folder):
    with kdc.Kdc(os.path.join(folder, "kdc")) as realm, Simulator(os.path.join(folder, "sim")) as sim, \
            kdc.ApacheNegotiate(os.path.join(folder, "web"), realm, upstream=f"http://127.0.0.1:{sim.port}",
                                upstream_authorization=BEHIND) as web:
        def failures():
            return sum("AS_REQ" in line and "NEEDED_PREAUTH" not in line and "ISSUE" not in line
                       for line in realm.log().splitlines())
        env = {"KRB5_CONFIG": realm.env["KRB5_CONFIG"], "KRB5CCNAME": "MEMORY:test"}
        with Query(folder, web.url + "exchange/", password=None, auth="negotiate", keytab=realm.keytab("svc"),
                   env=env) as query:
            equal(query.ask(20), {"ok": 20}, "with a keytab and without a password")
            info = query.info()
            equal((info["scheme"], info["rejected_logons"]), ("negotiate", 0), "scheme, rejected")
            peer.until(lambda: "svc@CORP.EXAMPLE" in [row[2] for row in web.requests()], "the name that Apache saw")
        for command, code in (("cpw -pw other svc", "logon-rejected"), ("modprinc -allow_tix svc", "account-locked"),
                              ("modprinc +allow_tix -pwexpire yesterday svc", "password-expired")):
            realm.kadmin(command)
            before = failures()
            with Query(folder, web.url + "exchange/", password=None, auth="negotiate", keytab=realm.keytab("svc"),
                       env=env) as query:
                equal(query.ask(20), {code: 20}, command)
                equal(query.ask(20), {code: 20}, command)
                equal(query.info()["state"], "refused", command)
            if code != "logon-rejected":  # the account's trouble, not the key's: no password is shown to anybody
                with Query(folder, web.url + "exchange/", auth="negotiate,ntlm", keytab=realm.keytab("svc"),
                           env=env) as query:
                    equal(query.ask(5), {code: 5}, command)
                    equal(query.info()["rejected_logons"], 1, command)
                continue
            # the library would repeat it at a primary KDC, if the realm named one
            check(failures() - before <= 1, f"one attempt: {before} {failures()}")
        realm.stop()
        with Query(folder, web.url + "exchange/", password=None, auth="negotiate", keytab=realm.keytab("svc"),
                   env=env) as query:
            equal(query.ask(2), {"auth-none-usable": 2}, "no KDC")
            check("KDC" in query.info()["evidence"], query.info()["evidence"])


def proxy_squid(folder):
    certs = certificates(folder, "good")
    tls = (os.path.join(certs, "good.pem"), os.path.join(certs, "good.key"))
    with Simulator(os.path.join(folder, "sim")) as sim, squid.Squid(os.path.join(folder, "squid")) as proxy, \
            apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), 3, tls=tls, upstream=f"http://127.0.0.1:{sim.port}",
                                   upstream_authorization=BEHIND) as web:
        def query(user, password, url=web.url, **more):
            return Query(folder, url + "exchange/", auth="ntlm,basic", ca_file=os.path.join(certs, "ca.pem"),
                         proxy=proxy.url,
                         proxy_user=user, proxy_password_file=peer.write(folder, "proxy-" + user, password, 0o600),
                         **more)
        with query("gateway", "proxy-secret") as good:
            equal(good.ask(10), {"ok": 10}, "NTLM through a tunnel of a proxy that knows us")
            equal(good.info()["scheme"], "ntlm", "scheme")
        peer.until(lambda: any("CONNECT" in row[4] and row[1] == "gateway" for row in proxy.requests()), "CONNECT")
        with query("gateway", "wrong") as wrong:
            equal(wrong.ask(10), {"proxy-auth": 10}, "a wrong password for the proxy")
            equal(wrong.ask(10), {"proxy-auth": 10}, "and again")
            equal(wrong.info()["state"], "refused", "not shown to the proxy again")
        with query("denied", "denied-secret") as denied:
            equal(denied.ask(3), {"proxy-denied": 3}, "a proxy that refuses")
        with query("gateway", "wrong", f"http://127.0.0.1:{sim.port}/") as wrong:
            equal(wrong.ask(3), {"proxy-auth": 3}, "a wrong password for the proxy, without a tunnel")
        with query("gateway", "proxy-secret", f"http://127.0.0.1:{sim.port}/") as plain:
            equal(plain.ask(3), {"ok": 3}, "without a tunnel")


def tls_options(folder):
    certs = certificates(folder)

    def path(name):
        return os.path.join(certs, name)

    def pin(name):
        with open(path(name + ".pin"), encoding="ascii") as file:
            return file.read().strip()
    with Simulator(os.path.join(folder, "sim")) as sim:
        def attempt(certificate, expected, server=None, **options):
            with tls_server.TlsServer(os.path.join(folder, "tls"), path(certificate + ".pem"),
                                      path(certificate + ".key"),
                                      upstream=f"http://127.0.0.1:{sim.port}", **(server or {})) as tls, \
                    Query(folder, tls.url + "exchange/", auth="basic",
                          **{"ca_file": path("ca.pem"), **options}) as query:
                equal(query.ask(1), {expected: 1}, f"{certificate} {options} {server}")
                return query.info()
        info = attempt("good", "ok")
        check(info["cert_not_after"] > time.time(), "certificate's end")
        attempt("good", "ok", pin=pin("good"))
        attempt("good", "tls-pin-mismatch", pin=pin("soon"))
        attempt("good", "ok", {"client_ca": path("ca.pem")}, client_cert=path("client.pem"),
                client_key=path("client.key"))
        attempt("expired", "tls-expired")
        attempt("not-yet", "tls-not-yet-valid")
        attempt("wrong-name", "tls-name-mismatch")
        for certificate in ("self-signed", "unknown-ca", "gap"):
            attempt(certificate, "tls-untrusted")
        attempt("chain", "ok")  # of fifty certificates
        attempt("good", "tls-protocol", {"client_ca": path("ca.pem"), "protocol": "tls1_2"})
        info = attempt("soon", "ok")
        check(info["cert_not_after"] < time.time() + 11 * 86400, "a certificate that ends soon")


def tls_old_server(folder):
    certs = certificates(folder, "weak")
    cert, key = os.path.join(certs, "weak.pem"), os.path.join(certs, "weak.key")
    with Simulator(os.path.join(folder, "sim")) as sim, \
            tls_server.TlsServer(os.path.join(folder, "tls"), cert, key, upstream=f"http://127.0.0.1:{sim.port}",
                                 **tls_server.OLD) as tls:
        with Query(folder, tls.url + "exchange/", auth="basic", ca_file=cert) as query:
            equal(query.ask(1), {"tls-protocol": 1}, "TLS 1.0 without being told to")
        with Query(folder, tls.url + "exchange/", auth="basic", ca_file=cert, min_tls="1.0", legacy=1) as query:
            equal(query.ask(2), {"ok": 2}, "TLS 1.0 with legacy ciphers")
        check(any(row[0] == "TLSv1" for row in tls.seen), str(tls.seen))


def forms(folder, profile, verdict):
    with Simulator(os.path.join(folder, verdict), profile, ("auth=forms", f"forms-verdict={verdict}")) as sim:
        with Query(folder, sim.url, auth="basic,forms") as query:
            equal(query.ask(20), {"ok": 20}, "forms")
            info = query.info()
            equal((info["scheme"], info["offered"]), ("forms", "forms"), "scheme, offered")
            equal(sim.logons(), {"accepted": 1, "rejected": 0}, "one logon")
        for user in ("CORP\\nobody", USER):
            sim.ask("DELETE", "/counters")
            with Query(folder, sim.url, user=user, password="wrong", auth="forms,basic") as query:
                equal(query.ask(20), {"logon-rejected": 20}, "wrong password")
                equal(query.ask(20), {"logon-rejected": 20}, "and again")
                equal(query.info()["rejected_logons"], 1, "one logon")
            equal(sim.logons(), {"accepted": 0, "rejected": 1}, "what the server counted")


def forms_2003(folder):
    forms(folder, "2003", "reason")
    forms(folder, "2003", "cookies")


def forms_2007(folder):
    forms(folder, "2007", "reason")
    forms(folder, "2007", "cookies")
    with Simulator(os.path.join(folder, "hybrid"), "2007", ("auth=hybrid",)) as sim, Query(folder, sim.url,
                                                                                           auth="forms,basic") as query:
        equal(query.ask(3), {"ok": 3}, "forms on /owa, Basic on /exchange")
        equal(query.info()["scheme"], "basic", "scheme")


def forms_expiry(folder):
    """Sessions end and cookies change in the middle of the work; nobody notices, and each time there is one logon."""
    with Simulator(os.path.join(folder, "sim"), "2003",
                   ("auth=forms", "rotate=3")) as sim, Query(folder, sim.url, auth="forms") as query:
        for round_ in range(3):
            equal(query.ask(30), {"ok": 30}, f"round {round_}")
            equal(sim.logons(), {"accepted": round_ + 1, "rejected": 0}, "logons")
            sim.ask("DELETE", "/sessions")
        equal(query.info()["rejected_logons"], 0, "rejected")


def forms_denied(folder):
    """440 for a closed mailbox, which clears the cookies as well: the session is kept, the person is told apart."""
    with Simulator(os.path.join(folder, "sim"), "2003", ("auth=forms",)) as sim, Query(folder, sim.url,
                                                                                       auth="forms") as query:
        equal(query.ask(3), {"ok": 3}, "all")
        sim.ask("PUT", "/faults", {"mailbox": "carl@corp.example", "deny": "440"})
        for _ in range(3):
            equal(query.ask(9), {"ok": 6, "receive-as-missing": 3}, "one is closed")
        equal(sim.logons(), {"accepted": 1, "rejected": 0}, "no further logon")
        equal(query.info()["state"], "ready", "state")


def basic_rotation(folder):
    """The new secret is tried once. Refused: the old one stays in use, and says so. Good: it is in use."""
    with Simulator(os.path.join(folder, "sim"), switches=("auth=basic",)) as sim, Query(folder, sim.url,
                                                                                        auth="basic") as query:
        equal(query.ask(9), {"ok": 9}, "before")
        query.secret("a-wrong-one")
        equal(query.ask(30), {"ok": 30}, "nobody notices")
        info = query.info()
        check("refused" in info["secret_note"], info["secret_note"])
        equal((info["rejected_logons"], sim.logons()["rejected"]), (1, 1), "one rejected logon")
        query.secret("a-wrong-one")
        equal(query.ask(9), {"ok": 9}, "touched, not changed")
        equal(sim.logons()["rejected"], 1, "one rejected logon")
        query.secret(PASSWORD)
        equal((query.ask(3), query.info()["secret_note"]), ({"ok": 3}, None), "back again")


def ntlm_rotation(folder):
    users = {"CORP\\svc": "Passw0rd"}
    with Simulator(os.path.join(folder, "sim")) as sim, \
            apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), 3, users=users, upstream=f"http://127.0.0.1:{sim.port}",
                                   upstream_authorization=BEHIND) as web, \
            Query(folder, web.url + "exchange/", auth="ntlm", connections=4) as query:
        equal(query.ask(20), {"ok": 20}, "before")
        # the server's password changes; connections that are logged on go on
        apache_ntlm.user_file(web.folder, "users", {"CORP\\svc": "Rotated-2"})
        equal(query.ask(20), {"ok": 20}, "over connections that are logged on")
        query.secret("Rotated-2")
        equal(query.ask(20), {"ok": 20}, "with the new one")
        info = query.info()
        equal((info["rejected_logons"], info["secret_note"]), (0, None), "rejected")
        query.secret("wrong-again")
        equal(query.ask(20), {"ok": 20}, "a wrong one")
        info = query.info()
        equal(info["rejected_logons"], 1, "rejected")
        check("refused" in info["secret_note"], info["secret_note"])
        equal(web.error_log().count("gss_accept_sec_context() failed"), 1, "what the server counted")


def scheme_fallback(folder):
    """NTLM cannot be carried through, before a password was used: Basic is next. A refused password goes nowhere
    else."""
    with Simulator(os.path.join(folder, "sim"), switches=("auth=basic",)) as sim:
        with Query(folder, sim.url, auth="negotiate,ntlm,basic") as query:
            equal(query.ask(3), {"ok": 3}, "best that is offered")
            equal(query.info()["scheme"], "basic", "scheme")
        sim.ask("PUT", "/faults", {"negotiate": True})
        with Query(folder, sim.url, auth="ntlm,basic") as query:
            codes = query.ask(3)
            info = query.info()
            equal(codes, {"ok": 3}, f"NTLM is offered and does not work: {info}")
            check("ntlm" in info["chosen_because"], info["chosen_because"])


def redirected(folder):
    """A mailbox that lives elsewhere: one logs on there by what that host wants, and shows it no cookie."""
    with Simulator(os.path.join(folder, "there"), switches=("auth=basic",)) as there, \
            Simulator(os.path.join(folder, "here"), "2003", ("auth=forms",)) as here:
        here.ask("PUT", "/faults", {"mailbox": "bob@corp.example", "moved": f"http://127.0.0.1:{there.port}"})
        with Query(folder, here.url, auth="forms,basic", allowed_host=f"127.0.0.1:{there.port}") as query:
            equal(query.ask(9), {"ok": 9}, "bob is elsewhere")
            equal(here.logons(), {"accepted": 1, "rejected": 0}, "logons here")
            equal(there.logons()["rejected"], 0, "logons there")
        with Query(folder, here.url, auth="forms", allowed_host=f"127.0.0.1:{there.port}") as query:
            equal(query.ask(9), {"ok": 6, "auth-none-usable": 3}, "nothing that may be used there")
            check("wants a logon of its own" in query.say("ask 2")["evidence"], "said so")
        with Query(folder, here.url, auth="forms,basic") as query:
            equal(query.ask(3), {"ok": 2, "mailbox-moved": 1}, "a host that is not allowed")
        check(not any("Cookie" in str(row) for row in there.ask("GET", "/counters").get("violations", [])),
              "no cookie there")


def redirected_to_forms(folder):
    """Mailboxes that live where one logs on by a form: there is a logon at that host, with cookies of its own."""
    with Simulator(os.path.join(folder, "there"), switches=("auth=forms",)) as there, \
            Simulator(os.path.join(folder, "here"), switches=("auth=forms",)) as here:
        for name in ("bob", "carl"):
            here.ask("PUT", "/faults", {"mailbox": f"{name}@corp.example", "moved": f"http://127.0.0.1:{there.port}"})
        allowed = {"allowed_host": f"127.0.0.1:{there.port}"}
        with Query(folder, here.url, auth="forms", **allowed) as query:
            equal(query.ask(30), {"ok": 30}, "two are elsewhere")
            equal((here.logons(), there.logons()), ({"accepted": 1, "rejected": 0},) * 2, "logons")
            there.ask("DELETE", "/sessions")
            equal(query.ask(30), {"ok": 30}, "after the sessions there have ended")
            there.ask("PUT", "/faults", {"mailbox": "carl@corp.example", "deny": "440"})
            for _ in range(3):
                equal(query.ask(9), {"ok": 6, "receive-as-missing": 3}, "one is closed there")
            equal(there.logons(), {"accepted": 2, "rejected": 0}, "logons there")
            there.ask("PUT", "/faults", {"mailbox": "carl@corp.example", "deny": None})
            # the password is another there, and the session ends
            there.ask("PUT", "/accounts", {"account": "svc", "password": "Other-9"})
            there.ask("DELETE", "/sessions")
            for _ in range(3):
                equal(query.ask(30), {"ok": 10, "logon-rejected": 20}, "refused there, and anna is here")
            equal((there.logons()["rejected"], query.info()["rejected_logons"]), (1, 1), "one rejected logon")
            equal(query.info()["state"], "ready", "state")
            there.ask("PUT", "/accounts", {"account": "svc", "password": PASSWORD})
            query.say("unbreak")
            equal(query.ask(9), {"ok": 9}, "after an administrator's word")
        with Query(folder, here.url, auth="forms") as query:
            equal(query.ask(3), {"ok": 1, "mailbox-moved": 2}, "a host that is not allowed")
        # another way of logging on here, and one after the other of both
        here.ask("PUT", "/faults", {"auth": "basic"})
        with Query(folder, here.url, auth="basic,forms", **allowed) as query:
            equal(query.ask(30), {"ok": 30}, "Basic here, a form there")
        with Query(folder, here.url, auth="basic", **allowed) as query:
            equal(query.ask(9), {"ok": 3, "auth-none-usable": 6}, "forms are not allowed")


def redirected_and_refused(folder):
    """The host that mailboxes have moved to refuses the account: it is shown the password once, and nobody else
    waits."""
    with Simulator(os.path.join(folder, "there"), switches=("auth=basic",)) as there, \
            Simulator(os.path.join(folder, "here"), switches=("auth=basic",)) as here:
        for name in ("bob", "carl"):
            here.ask("PUT", "/faults", {"mailbox": f"{name}@corp.example", "moved": f"http://127.0.0.1:{there.port}"})
        there.ask("PUT", "/accounts", {"account": "svc", "password": "Other-9"})
        with Query(folder, here.url, auth="basic", allowed_host=f"127.0.0.1:{there.port}") as query:
            for _ in range(3):
                equal(query.ask(30), {"ok": 10, "logon-rejected": 20}, "refused there, and anna is here")
            equal((there.logons()["rejected"], here.logons()["rejected"]), (1, 0), "rejected logons")
            there.ask("PUT", "/accounts", {"account": "svc", "password": PASSWORD})
            query.say("unbreak")
            equal(query.ask(30), {"ok": 30}, "after an administrator's word")
            # it changes there in the middle of the work: once more to be sure of the account, and then no more
            there.ask("PUT", "/accounts", {"account": "svc", "password": "Other-9"})
            query.ask(9)
            query.ask(9)
            seen = there.logons()["rejected"]
            for _ in range(3):
                equal(query.ask(9), {"ok": 3, "logon-rejected": 6}, "silence")
            equal(there.logons()["rejected"], seen, "rejected logons after that")
            check(seen <= 3, f"rejected logons there: {seen}")


def check_steps(folder):
    """Each step with what was seen, and nothing secret in it."""
    with Simulator(os.path.join(folder, "sim")) as sim, \
            apache_ntlm.ApacheNtlm(os.path.join(folder, "web"), 3, upstream=f"http://127.0.0.1:{sim.port}",
                                   upstream_authorization=BEHIND) as web:
        with Query(folder, web.url + "exchange/", auth="ntlm,basic") as query:
            said = query.say("check")
            equal(said["code"], None, str(said))
            steps = {name: evidence for name, ok, evidence in said["steps"] if ok}
            equal(list(steps), ["config", "dns", "tcp", "http", "schemes", "logon", "mailbox", "calendar", "read"],
                  "steps")
            check("ntlm: first in auth" in steps["schemes"], steps["schemes"])
            check("clock" in steps["logon"], steps["logon"])
        before = web.error_log().count("gss_accept_sec_context() failed")
        with Query(folder, web.url + "exchange/", auth="ntlm,basic", password="wrong") as query:
            said = query.say("check")
            equal((said["code"], said["steps"][-1][:2]), ("logon-rejected", ["logon", False]), str(said))
            check("at level 3" in said["evidence"] and "clock" in said["evidence"], said["evidence"])
        equal(web.error_log().count("gss_accept_sec_context() failed"), before + 1, "one logon attempt")


def main():
    name = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="fb-auth-") as folder:
        os.chmod(folder, 0o755)
        try:
            globals()[name.replace("-", "_")](folder)
        finally:
            kept_logs.keep(folder, "auth-" + name)
    print(f"{name}: holds")


main()
