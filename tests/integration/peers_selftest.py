"""The real servers of the tests are what the tests think they are: each lets in who knows the password and nobody else, says so to
clients that nobody here wrote, and ends when told to.

    peers_selftest.py PEER     (apache_ntlm, winbind, kdc, squid, tls_server, gssapi_acceptor, certs)
"""
import http.server
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import apache_ntlm  # noqa: E402
import ntlm_client  # noqa: E402
from harness import check, check_equal, run  # noqa: E402

CURL = ["curl", "-q", "-s", "-S", "--noproxy", "*", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"]


def curl(*args, env=None):
    """(exit code, HTTP status as text, what it complained of)"""
    done = subprocess.run([*CURL, *args], env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=30, check=False)
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


# ---- apache_ntlm -----------------------------------------------------------------------------------------------------------------

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
                check_equal(ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rt", client)["statuses"], [401, 401], what + ", wrong password")
            log = server.error_log()
            check("Permission denied" in log or "Invalid argument" in log, f"level {level}: the wrong password in the log")
            check(("NTLM version 1 not allowed" in log) == (level == 3), f"level {level}: refused levels in the log")
            check("Passw0rd" not in server.all_logs(), "no password in the logs")
            ends(server)


def apache_ntlm_webdav(folder):
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "dav")) as server:
        url = server.url + "dav/"
        for user, password in apache_ntlm.USERS.items():
            check_equal(ntlm_client.attempt(url, user, password, method="PROPFIND")["statuses"], [401, 207, 207], f"PROPFIND as {user}")
        for user in ("CORP\\svc", "CORP\\jost"):
            seen = ntlm_client.attempt_requests(url, user, apache_ntlm.USERS[user], "PROPFIND")
            check_equal(seen["status"], 207, f"requests-ntlm as {user}")
        check_equal(ntlm_client.attempt_requests(url, "CORP\\svc", "wrong", "PROPFIND")["status"], 401, "requests-ntlm, wrong password")
        check_equal(curl("-X", "PROPFIND", url)[1], "401", "nobody")
        users = {name: apache_ntlm.user_file(folder, name, {"CORP\\svc": word}) for name, word in (("right", "Passw0rd"), ("wrong", "x"))}
        for name, status in (("right", "200"), ("wrong", "401")):
            env = apache_ntlm.environment(users[name], 3)
            check_equal(curl("--negotiate", "-u", ":", server.url, env=env)[1], status, f"curl with the {name} password")
        rows = [row for row in server.requests() if row[2] == "CORP\\svc"]
        check(rows and rows[0][1] > 0, f"the access log tells connections: {rows[:1]}")


def apache_ntlm_front(folder):
    """In front of another server: that one sees no NTLM, but the header that it is meant to see."""
    with Recorder() as back, apache_ntlm.ApacheNtlm(os.path.join(folder, "front"), upstream=back.url,
                                                    upstream_authorization="Basic c3ZjOng=") as front:
        check_equal(ntlm_client.attempt(front.url, "CORP\\svc", "wrong")["status"], 401, "front, wrong password")
        check_equal(back.seen, [], "nothing passed before the logon")
        check_equal(ntlm_client.attempt(front.url + "exchange/x", "CORP\\svc", "Passw0rd", method="PROPFIND")["status"], 207, "front")
        check_equal(back.seen, [("PROPFIND", "/exchange/x", "Basic c3ZjOng=")] * 2, "what passed")


def apache_ntlm_unbound(folder):
    with apache_ntlm.ApacheNtlm(os.path.join(folder, "unbound"), connection_bound=False) as server:
        check_equal(ntlm_client.attempt(server.url, "CORP\\svc", "Passw0rd")["statuses"], [401], "no challenge without GssapiConnectionBound")


TESTS = {
    "apache_ntlm": (apache_ntlm_levels, apache_ntlm_webdav, apache_ntlm_front, apache_ntlm_unbound),
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TESTS:
        sys.exit(__doc__)
    ntlm_client.again_with_md4()
    chosen = TESTS[sys.argv[1]]
    del sys.argv[1]
    run(*chosen)
