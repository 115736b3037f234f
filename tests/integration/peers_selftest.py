"""The real servers of the tests are what the tests think they are: each lets in who knows the password and nobody else,
says so to clients that nobody here wrote, and ends when told to.

    peers_selftest.py PEER     (apache_ntlm, winbind, kdc, squid, tls_server, gssapi_acceptor, certs)
"""
import base64
import http.server
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import apache_ntlm  # noqa: E402
import gssapi_acceptor  # noqa: E402
import kdc  # noqa: E402
import ntlm_client  # noqa: E402
import peer  # noqa: E402
import squid  # noqa: E402
import tls_server  # noqa: E402
import winbind  # noqa: E402
from harness import check, check_equal, run  # noqa: E402

CURL = ["curl", "-q", "-s", "-S", "--noproxy", "*", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}"]


def curl(*args, env=None):
    """(exit code, HTTP status as text, what it complained of)"""
    done = subprocess.run([*CURL, *args], env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout, done.stderr.strip()


class Recorder:
    """A web server that answers everything with 207 and keeps (method, path, Authorization)."""

    def __init__(self):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                recorder.seen.append((self.command, self.path, self.headers.get("Authorization")))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(207)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PROPFIND = do_SEARCH = answer

            def log_message(self, *_):
                pass

        self.seen = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def ends(server):
    pid = server.pid
    server.stop()
    check(not os.path.exists(f"/proc/{pid}"), f"{server.name}: process {pid} is gone after stop()")


# ---- apache_ntlm -----------------------------------------------------------------------------------------------------

# The client's levels that a server at this level lets in.
TAKEN = {0: (0, 1, 2, 3), 2: (0, 1, 2, 3), 3: (3,)}


def apache_ntlm_levels(folder):
    for level, taken in TAKEN.items():
        with apache_ntlm.ApacheNtlm(os.path.join(folder, str(level)), level) as server:
            for client in range(4):
                what = f"server at level {level}, client at level {client}"
                seen = ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rd", client)
                check_equal(seen["statuses"], [401, 200, 200] if client in taken else [401, 401], what)
                check_equal(seen["connections"], 1, what + ": connections")
                check_equal(ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rt", client)["statuses"], [401, 401],
                            what + ", wrong password")
            log = server.error_log()
            check("Permission denied" in log or "Invalid argument" in log,
                  f"level {level}: the wrong password in the log")
            check(("NTLM version 1 not allowed" in log) == (level == 3), f"level {level}: refused levels in the log")
            check("Passw0rd" not in server.all_logs(), "no password in the logs")
            ends(server)


def apache_ntlm_webdav(folder):
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "dav")) as server:
        url = server.url + "dav/"
        for user, password in apache_ntlm.USERS.items():
            check_equal(ntlm_client.attempt(url, user, password, method="PROPFIND")["statuses"], [401, 207, 207],
                        f"PROPFIND as {user}")
        for user in ("CORP\\svc", "CORP\\jost"):
            seen = ntlm_client.attempt_requests(url, user, apache_ntlm.USERS[user], "PROPFIND")
            check_equal(seen["status"], 207, f"requests-ntlm as {user}")
        check_equal(ntlm_client.attempt_requests(url, "CORP\\svc", "wrong", "PROPFIND")["status"], 401,
                    "requests-ntlm, wrong password")
        check_equal(curl("-X", "PROPFIND", url)[1], "401", "nobody")
        users = {name: apache_ntlm.user_file(folder, name, {"CORP\\svc": word})
                 for name, word in (("right", "Passw0rd"), ("wrong", "x"))}
        for name, status in (("right", "200"), ("wrong", "401")):
            env = apache_ntlm.environment(users[name], 3)
            check_equal(curl("--negotiate", "-u", ":", server.url, env=env)[1], status,
                        f"curl with the {name} password")
        rows = [row for row in server.requests() if row[2] == "CORP\\svc"]
        check(rows and rows[0][1] > 0, f"the access log tells connections: {rows[:1]}")


def apache_ntlm_front(folder):
    """In front of another server: that one sees no NTLM, but the header that it is meant to see."""
    with Recorder() as back, apache_ntlm.ApacheNtlm(os.path.join(folder, "front"), upstream=back.url,
                                                    upstream_authorization="Basic c3ZjOng=") as front:
        check_equal(ntlm_client.attempt(front.url, "CORP\\svc", "wrong")["status"], 401, "front, wrong password")
        check_equal(back.seen, [], "nothing passed before the logon")
        check_equal(ntlm_client.attempt(front.url + "exchange/x", "CORP\\svc", "Passw0rd", method="PROPFIND")["status"],
                    207, "front")
        check_equal(back.seen, [("PROPFIND", "/exchange/x", "Basic c3ZjOng=")] * 2, "what passed")


def apache_ntlm_tls(folder):
    at = made(folder, "good")
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "tls"), tls=(at("good.pem"), at("good.key"))) as server:
        for password, statuses in (("Passw0rd", [401, 200, 200]), ("wrong", [401, 401])):
            seen = ntlm_client.attempt(server.url, "CORP\\svc", password, cafile=at("ca.pem"))
            check_equal(seen["statuses"], statuses, f"over TLS, {password}")


def apache_ntlm_closing(folder):
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "closing"), extra="KeepAlive Off") as server:
        seen = ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rd")
        check_equal((seen["statuses"], seen["connections"]), ([401, 401], 2), "a connection that does not last")


def apache_ntlm_unbound(folder):
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "unbound"), connection_bound=False) as server:
        check_equal(ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rd")["statuses"], [401],
                    "no challenge without GssapiConnectionBound")


# ---- winbind ---------------------------------------------------------------------------------------------------------

def conversation(judge, user, password, level, domain="CORP"):
    """One handshake of python3-ntlm-auth with the helper; the verdict."""
    from ntlm_auth.ntlm import NtlmContext
    client = NtlmContext(user, password, domain, ntlm_compatibility=level)
    client.negotiate_flags |= 4
    type2 = judge.challenge(client.step())
    check(type2 is not None, f"level {level}: the Type 1 is understood")
    return judge.verdict(client.step(type2))


def samba_conversation(judge, folder, user, password, v2):
    """The same with Samba's own client."""
    name = os.path.join(folder, f"client-{v2}.conf")
    with open(name, "w", encoding="ascii") as file:
        file.write(f"[global]\n client NTLMv2 auth = {'yes' if v2 else 'no'}\n")
    argv = ["ntlm_auth", f"--configfile={name}", "--helper-protocol=ntlmssp-client-1", f"--username={user}",
            "--domain=CORP",
            f"--password={password}"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        def say(line):
            client.stdin.write(line + "\n")
            client.stdin.flush()
            return base64.b64decode(client.stdout.readline().split()[1])
        type2 = judge.challenge(say("YR"))
        verdict = judge.verdict(say("TT " + base64.b64encode(type2).decode()))
        client.stdin.close()
        return verdict


REFUSED = "NA NT_STATUS_LOGON_FAILURE"
SAID = {"ntlmv1-permitted": ["AF CORP\\svc"] * 4, "mschapv2-and-ntlmv2-only": [REFUSED] * 3 + ["AF CORP\\svc"],
        "ntlmv2-only": [REFUSED] * 3 + ["AF CORP\\svc"], "disabled": ["NA NT_STATUS_NTLM_BLOCKED"] * 4}


def winbind_policies(folder):
    for policy, said in SAID.items():
        users = {"svc": winbind.USERS["svc"]}
        with winbind.Winbind(os.path.join(folder, policy), policy,
                             users) as server, winbind.Judge(server.helper) as judge:
            check_equal([conversation(judge, "svc", "Passw0rd", level) for level in range(4)], said, policy)
            blocked = "NA NT_STATUS_NTLM_BLOCKED" if policy == "disabled" else REFUSED
            check_equal([conversation(judge, "svc", "passw0rd", level) for level in range(4)], [blocked] * 4,
                        policy + ", wrong password")
            if policy != "disabled":
                check_equal(samba_conversation(judge, folder, "svc", "Passw0rd", True), said[3],
                            policy + ", Samba's client")
                check_equal(samba_conversation(judge, folder, "svc", "wrong", True), REFUSED,
                            policy + ", Samba's client, wrong password")
                check_equal(samba_conversation(judge, folder, "svc", "Passw0rd", False), said[2],
                            policy + ", NTLM2 session of Samba's client")
            ends(server)


def winbind_accounts(folder):
    with winbind.Winbind(os.path.join(folder, "w"), "ntlmv2-only") as server, winbind.Judge(server.helper) as judge:
        for user, (password, _) in winbind.USERS.items():
            check_equal(conversation(judge, user, password, 3), winbind.VERDICTS[user], user)
        check_equal(conversation(judge, "expired", "wrong", 3), REFUSED,
                    "a wrong password is not told that it is expired")
        check_equal(conversation(judge, "nobodyatall", "x", 3), REFUSED, "unknown name")
        check_equal(conversation(judge, "svc", "Passw0rd", 3, "OTHER"), "NA NT_STATUS_NO_LOGON_SERVERS",
                    "unknown domain")
        check_equal(judge.challenge(b"not NTLM"), None, "nonsense")


def winbind_lockout(folder):
    with winbind.Winbind(os.path.join(folder, "w"), lockout_after=3) as server, winbind.Judge(server.helper) as judge:
        check_equal(conversation(judge, "svc", "Passw0rd", 3), "AF CORP\\svc", "before")
        check_equal([conversation(judge, "svc", "wrong", 3) for _ in range(3)], [REFUSED] * 3, "three wrong passwords")
        check_equal(conversation(judge, "svc", "Passw0rd", 3), "NA NT_STATUS_ACCOUNT_LOCKED_OUT", "and it is locked")


def winbind_alone(folder):
    with winbind.Judge(winbind.lone_helper(folder, "pässwörd")) as judge:
        for level in range(4):
            check_equal(conversation(judge, "any", "pässwörd", level), "AF CORP\\any",
                        f"without winbindd, level {level}")
            check_equal(conversation(judge, "any", "password", level), REFUSED,
                        f"without winbindd, level {level}, wrong password")


# ---- certs, tls_server -----------------------------------------------------------------------------------------------

# What `openssl verify` says of a server's certificate: the number of its error, 0 for none.
VERIFY = {"good": 0, "good-sha1": 0, "good-sha512": 0, "soon": 0, "weak": 0, "expired": 10, "not-yet": 9,
          "wrong-name": 62,
          "self-signed": 18, "unknown-ca": 20, "gap": 20, "no-server": 26, "client": 26, "other-client": 20}


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def verified(folder, name, purpose="sslserver", *more):
    path = os.path.join(folder, name + ".pem")
    hosts = ("-verify_hostname", "localhost") if purpose == "sslserver" and name != "weak" else ()
    code, text = openssl("verify", "-CAfile", os.path.join(folder, "ca.pem"), "-untrusted", path, "-purpose", purpose,
                         *hosts, *more, path)
    number = re.search(r"error (\d+) at", text)
    check((code == 0) == (number is None), f"{name}: openssl verify is clear: {text}")
    return int(number[1]) if number else 0


def made(folder, *names):
    """Makes certificates and returns what tells their paths."""
    place = peer.certificates(os.path.join(folder, "certs"), *names)
    return lambda name: os.path.join(place, name)


def certs(folder):
    peer.certificates(folder, *VERIFY)
    for name, number in VERIFY.items():
        check_equal(verified(folder, name), number, f"openssl verify {name}")
        key = openssl("pkey", "-in", os.path.join(folder, name + ".key"), "-pubout")[1]
        check_equal(openssl("x509", "-in", os.path.join(folder, name + ".pem"), "-noout", "-pubkey")[1], key,
                    f"the key of {name}")
    check_equal(verified(folder, "client", "sslclient"), 0, "openssl verify client, as a client")
    check(verified(folder, "weak", "sslserver", "-auth_level", "1") in (66, 68),
          "weak at security level 1: key or digest")
    for name, ends_soon in (("soon", True), ("good", False)):
        code, _ = openssl("x509", "-in", os.path.join(folder, name + ".pem"), "-noout", "-checkend", str(21 * 86400))
        check_equal(code != 0, ends_soon, f"{name} ends within 21 days")


def tls_server_versions(folder):
    at = made(folder, "good", "client", "other-client")
    trust, low = ("--cacert", at("ca.pem")), ("--tlsv1.0", "--ciphers", "DEFAULT:@SECLEVEL=0")
    for protocol, spoken in zip(tls_server.PROTOCOLS, ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")):
        with tls_server.TlsServer(os.path.join(folder, protocol), at("good.pem"), at("good.key"), protocol) as server:
            check_equal(curl(*trust, *low, server.url)[:2], (0, "200"), f"{protocol}, a client that takes any")
            check_equal([seen[0] for seen in server.seen], [spoken], f"{protocol}, as openssl saw it")
            check_equal(curl(*trust, *low, "-X", "PROPFIND", "-d", "<a/>", server.url + "x")[:2], (0, "200"),
                        f"{protocol}, PROPFIND")
            check_equal([r[:2] for r in server.requests], [("GET", "/"), ("PROPFIND", "/x")], "requests")
            newer = ("--tlsv1.3",) if protocol == "tls1_2" else ("--tlsv1.2",)
            code = curl(*trust, *newer, server.url)[0]
            check_equal(code, 0 if protocol == "tls1_3" else 35, f"{protocol}, a client that wants a newer one")
            if protocol == "tls1":
                ends(server)


def tls_server_old(folder):
    at = made(folder, "weak")
    with tls_server.TlsServer(folder, at("weak.pem"), at("weak.key"), **tls_server.OLD) as server:
        check(curl("--cacert", at("ca.pem"), server.url)[0] != 0, "a server of 2003 and a client of today")
        code, status, text = curl("--cacert", at("ca.pem"), "--tlsv1.0", "--ciphers", "DEFAULT:@SECLEVEL=0", server.url)
        check_equal((code, status), (0, "200"), f"a server of 2003 and a client for it: {text}")
        check(server.seen[-1][:2] in (("TLSv1", "AES128-SHA"), ("TLSv1", "AES256-SHA")),
              f"what was spoken: {server.seen}")


def tls_server_clients(folder):
    at = made(folder, "good", "client", "other-client", "chain")
    with tls_server.TlsServer(os.path.join(folder, "client"), at("good.pem"), at("good.key"),
                              client_ca=at("ca.pem")) as server:
        for name, good in ((None, False), ("other-client", False), ("client", True)):
            mine = ("--cert", at(name + ".pem"), "--key", at(name + ".key")) if name else ()
            code, status, text = curl("--cacert", at("ca.pem"), *mine, server.url)
            check_equal((code == 0, status), (good, "200" if good else "000"), f"client certificate {name}: {text}")
        check_equal([seen[2] for seen in server.seen], ["CN = gateway"], "whom it saw")
    with open(at("chain.pem"), encoding="ascii") as file:
        check_equal(file.read().count("BEGIN CERTIFICATE"), 50, "certificates in the chain")
    with Recorder() as back, tls_server.TlsServer(os.path.join(folder, "chain"), at("chain.pem"), at("chain.key"),
                                                  upstream=back.url) as server:
        check_equal(curl("--cacert", at("ca.pem"), server.url + "behind")[:2], (0, "207"),
                    "50 certificates, and another server behind")
        check_equal([row[:2] for row in back.seen], [("GET", "/behind")], "what it saw")
        check_equal(curl(server.url)[0], 60, "an authority that the client does not know")
        with open(at("chain.pin"), encoding="ascii") as file:
            pin = file.read().strip()
        check_equal(curl("--cacert", at("ca.pem"), "--pinnedpubkey", pin, server.url)[:2], (0, "207"), "the key's pin")
        check_equal(curl("--cacert", at("ca.pem"), "--pinnedpubkey", "sha256//" + 43 * "A" + "=", server.url)[0], 90,
                    "another pin")


# ---- kdc -------------------------------------------------------------------------------------------------------------

def kinit(realm, user, password):
    """(whether a ticket was given, what was said)"""
    env = {**os.environ, **realm.env, "KRB5CCNAME": "MEMORY:"}
    done = subprocess.run(["kinit", user], input=password + "\n", env=env, capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode == 0, done.stderr.strip()


def kdc_logons(folder):
    with kdc.Kdc(os.path.join(folder, "realm")) as realm:
        for user, password in kdc.USERS.items():
            check_equal(kinit(realm, user, password), (True, ""), f"kinit {user}")
            good, text = kinit(realm, user, password + "x")
            check(not good and "Password incorrect" in text, f"kinit {user} with a wrong password: {text}")
        for change, said in (("modprinc -expire yesterday svc", "has expired"),
                             ("modprinc -expire never -allow_tix svc", "revoked"),
                             ("cpw -pw other svc", "revoked"), ("modprinc +allow_tix svc", "Password incorrect")):
            realm.kadmin(change)
            good, text = kinit(realm, "svc", "Passw0rd")
            check(not good and said in text, f"{change}: {text}")
        good, text = kinit(realm, "nobodyatall", "x")
        check(not good and "not found" in text, f"unknown name: {text}")
        ends(realm)


def kdc_apache(folder):
    with kdc.Kdc(os.path.join(folder, "realm"), udp=True) as realm, kdc.ApacheNegotiate(os.path.join(folder, "web"),
                                                                                        realm) as server:
        ask = ("--negotiate", "-u", ":")
        for user in kdc.USERS:
            check_equal(curl(*ask, server.url, env=realm.client_env(user)), (0, "200", ""),
                        f"with the keytab of {user}")
        check_equal(curl(*ask, "-X", "PROPFIND", "-H", "Depth: 0", server.url + "dav/", env=realm.client_env("svc"))[1],
                    "207", "PROPFIND")
        check_equal(curl(*ask, server.url.replace("localhost", "127.0.0.1"), env=realm.client_env("svc"))[1], "200",
                    "service of the address")
        check_equal(curl(*ask, server.url, env=realm.env)[1], "401", "without a keytab")
        check_equal(curl(server.url)[1], "401", "without a ticket")
        realm.kadmin("cpw -pw other svc")
        check_equal(curl(*ask, server.url, env=realm.client_env("svc", os.path.join(folder, "new")))[1], "401",
                    "with a keytab of old")
        users = {row[2] for row in server.requests()}
        check_equal(users, {"-", "svc@CORP.EXAMPLE", "jost@CORP.EXAMPLE"}, "who was there")
        check_equal(python_gssapi(realm.client_env("jost"), server.port), "200", "python3-gssapi")


def python_gssapi(env, port):
    """Another client: one ticket by python3-gssapi, sent by hand. Its environment must be there from the start."""
    program = ("import base64, gssapi, http.client, sys\n"
               "name = gssapi.Name('HTTP@localhost', gssapi.NameType.hostbased_service)\n"
               "token = gssapi.SecurityContext(name=name, usage='initiate').step()\n"
               "web = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))\n"
               "web.request('GET', '/', headers={'Authorization': 'Negotiate ' + base64.b64encode(token).decode()})\n"
               "print(web.getresponse().status)\n")
    done = subprocess.run(["/usr/bin/python3", "-c", program, str(port)], env={**os.environ, **env},
                          capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout.strip() or done.stderr


# ---- squid -----------------------------------------------------------------------------------------------------------

def through(proxy, *args, user="gateway:proxy-secret"):
    """(status of the proxy's CONNECT, status of the answer) through the proxy, also for names of this machine."""
    argv = ["curl", "-q", "-s", "--max-time", "60", "--noproxy", "", "-o", "/dev/null", "-w",
            "%{http_connect} %{http_code}", "-x", proxy.url]
    done = subprocess.run([*argv, *(("-U", user) if user else ()), *args], capture_output=True, text=True, timeout=60,
                          check=False)
    return tuple(int(word) for word in done.stdout.split())


def squid_logons(folder):
    at = made(folder, "good")
    with Recorder() as web, squid.Squid(os.path.join(folder, "proxy")) as proxy:
        for user, status in (("gateway:proxy-secret", 207), ("gateway:wrong", 407), ("denied:denied-secret", 403),
                             (None, 407)):
            check_equal(through(proxy, web.url, user=user), (0, status), f"http as {user}")
            check_equal(through(proxy, "-p", web.url, user=user), (200, 207) if status == 207 else (status, 0),
                        f"CONNECT as {user}")
        check_equal(through(proxy, "-u", "svc:pw", web.url), (0, 207), "two logons")
        check_equal(len(web.seen), 3, "requests that passed")
        check_equal([web.seen[0][2], web.seen[2][2]], [None, "Basic c3ZjOnB3"],
                    "the server's own Authorization, and nothing of the proxy's")
        with tls_server.TlsServer(os.path.join(folder, "tls"), at("good.pem"), at("good.key")) as server:
            check_equal(through(proxy, "--cacert", at("ca.pem"), server.url), (200, 200), "https")
        check_equal(through(proxy, "http://192.0.2.1/"), (0, 403), "not on this machine")
        users = peer.until(lambda: {row[1] for row in proxy.requests()} == {"gateway", "denied", "-"}, "the access log")
        check(users and "proxy-secret" not in proxy.all_logs(), "no password in the logs")
        ends(proxy)


def squid_ntlm(folder):
    """Connections that stand for a logon: kept together, or their headers taken away."""
    users = apache_ntlm.user_file(folder, "mine", {"CORP\\svc": "Passw0rd"})
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "web")) as server, \
            squid.Squid(os.path.join(folder, "good"), users={}) as good, \
            squid.Squid(os.path.join(folder, "bad"), users={}, connection_auth=False) as bad:
        os.environ.update(apache_ntlm.environment(users, 3))
        check_equal(through(good, "--negotiate", "-u", ":", server.url, user=None), (0, 200), "logon through a proxy")
        check_equal(through(bad, "--negotiate", "-u", ":", server.url, user=None), (0, 401),
                    "logon through a proxy that drops the headers")
        for proxy, count in ((good, 2), (bad, 0)):
            head = subprocess.run(["curl", "-q", "-s", "--noproxy", "", "-o", "/dev/null", "-D", "-", "-x", proxy.url,
                                   server.url],
                                  capture_output=True, text=True, timeout=60, check=False).stdout
            check_equal(head.lower().count("www-authenticate:"), count, f"schemes that are left: {head}")


# ---- gssapi_acceptor -------------------------------------------------------------------------------------------------

# (who binds to what) -> (statuses, flag) of an acceptor that does not insist, and of one that does.
BINDINGS = {None: (([401, 200, 200], "no"), ([401, 401], None)),
            "good": (([401, 200, 200], "yes"), ([401, 200, 200], "yes")),
            "wrong": (([401, 401], None), ([401, 401], None))}


def gssapi_acceptor_bindings(folder):
    at = made(folder, "good", "good-sha1")
    for name, required in (("good", False), ("good", True), ("good-sha1", True)):
        with gssapi_acceptor.GssapiAcceptor(os.path.join(folder, f"{name}-{required}"), at(name + ".pem"),
                                            at(name + ".key"),
                                            required=required) as server:
            for binding, expected in BINDINGS.items():
                what = f"{name}, {'required' if required else 'optional'}, client binds {binding}"
                seen = ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rd", cafile=at("ca.pem"), binding=binding)
                check_equal((seen["statuses"], seen["headers"].get("X-Channel-Bound")), expected[required], what)
                check_equal(server.logons[-1]["bound"], seen["headers"].get("X-Channel-Bound") == "yes",
                            what + ": the verdict")
                seen = ntlm_client.attempt(server.url, "CORP\\svc", "wrong", cafile=at("ca.pem"), binding=binding)
                check_equal(seen["statuses"], [401, 401], what + ", wrong password")
            ends(server)


def gssapi_acceptor_others(folder):
    at = made(folder, "good", "good-sha512", "soon")
    with gssapi_acceptor.GssapiAcceptor(os.path.join(folder, "512"), at("good-sha512.pem"), at("good-sha512.key"),
                                        required=True) as server:
        for password, status in (("Passw0rd", 207), ("wrong", 401)):
            seen = ntlm_client.attempt_requests(server.url, "CORP\\svc", password, "PROPFIND", at("ca.pem"), "good")
            check_equal(seen["status"], status, f"requests-ntlm, SHA-512, {password}")
        check_equal(ntlm_client.attempt_requests(server.url, "CORP\\svc", "Passw0rd", cafile=at("ca.pem"))["status"],
                    401, "nothing bound")
        check_equal(server.logons[-1]["why"], "channel binding is required", "and that is why")
        check_equal(curl("--cacert", at("ca.pem"), server.url)[1], "401", "nobody")
    with gssapi_acceptor.GssapiAcceptor(os.path.join(folder, "between"), at("good.pem"), at("good.key"),
                                        shown=at("soon.pem")) as server:
        seen = ntlm_client.attempt_requests(server.url, "CORP\\svc", "Passw0rd", cafile=at("ca.pem"), binding="good")
        check_equal(seen["status"], 401, "something with a certificate of its own in between")
    with gssapi_acceptor.GssapiAcceptor(os.path.join(folder, "level"), at("good.pem"), at("good.key"),
                                        level=2) as server:
        for level in (1, 2):
            seen = ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rd", level, cafile=at("ca.pem"), binding="good")
            check_equal((seen["status"], seen["headers"].get("X-Channel-Bound")), (200, "no"),
                        f"level {level} cannot bind")


TESTS = {
    "apache_ntlm": (apache_ntlm_levels, apache_ntlm_webdav, apache_ntlm_front, apache_ntlm_tls, apache_ntlm_closing,
                    apache_ntlm_unbound),
    "winbind": (winbind_policies, winbind_accounts, winbind_lockout, winbind_alone),
    "certs": (certs,),
    "kdc": (kdc_logons, kdc_apache),
    "squid": (squid_logons, squid_ntlm),
    "gssapi_acceptor": (gssapi_acceptor_bindings, gssapi_acceptor_others),
    "tls_server": (tls_server_versions, tls_server_old, tls_server_clients),
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TESTS:
        sys.exit(__doc__)
    ntlm_client.again_with_md4()
    chosen = TESTS[sys.argv[1]]
    del sys.argv[1]
    run(*chosen)
