"""HTTP and the control client: every row of the API, and what must be refused."""
import json
import os
import socket
import ssl
import subprocess
import urllib.parse

import company
import daemon_faults
import harness
from harness import check, check_equal, wait_until

ANNA, BOB = "anna@example.test", "bob@example.test"


def start(folder, **config):
    lines = [f"appointment {ANNA} now-30m +1h busy", f"appointment {ANNA} now+2h +1h oof", f"mailbox {BOB} password=x"]
    _, daemon = company.start(folder, lines, [ANNA],
                              more_users=[f"{{ address: {BOB}, server: hq, publish_as: robert@im.example, group: office }}"],
                              **config)
    return daemon


def every_row(folder):
    """Presence, lists, groups, free/busy windows, servers, status, health, readiness, metrics, the page."""
    daemon = start(folder)
    anna = daemon.wait_state(ANNA, "busy")
    daemon.wait_state("robert@im.example", "free")
    check_equal(sorted(anna), sorted(["address", "state", "since", "until", "next", "as_of", "valid_until", "reason"]),
                "keys of a presence")
    check_equal(anna["next"]["state"], "oof", "what comes next")
    check_equal(daemon.presence(BOB)["address"], "robert@im.example", "publish_as is what is shown")
    status, text, _ = daemon.get(f"/v1/presence?address={ANNA}&address=robert@im.example&address=nobody@example.test")
    got = json.loads(text)
    check_equal(([p["state"] for p in got["presence"]], got["not_found"]), (["busy", "free"], ["nobody@example.test"]),
                f"a list ({status})")
    check_equal([p["address"] for p in json.loads(daemon.get("/v1/presence?group=office")[1])["presence"]],
                ["robert@im.example"], "a group")

    periods = daemon.periods(ANNA)
    check_equal([p[2] for p in periods], ["BUSY", "BUSY-UNAVAILABLE"], "all free/busy that is known")
    window = (periods[1][0], periods[1][1])
    status, text, headers = daemon.get(f"/v1/freebusy/{ANNA}.ifb?start={window[0]}&end={window[1]}")
    check(headers["Content-Type"].startswith("text/calendar"), "the content type of free/busy")
    check(f"DTSTART:{window[0]}\r\n" in text and f"DTEND:{window[1]}\r\n" in text,
          f"the asked window is echoed: {text}")
    check("METHOD" not in text, "no METHOD in free/busy")
    check_equal(harness.ifb_periods(text), [(window[0], window[1], "BUSY-UNAVAILABLE")],
                f"free/busy of a window ({status})")
    check_equal(daemon.get(f"/v1/freebusy/{ANNA}.ifb?start=2001-01-01T00:00:00Z&end=2001-01-02T00:00:00Z")[0], 503,
                "a window nobody asked about")

    def servers():
        return json.loads(daemon.get("/v1/servers")[1])["servers"]
    wait_until(lambda: servers()[0]["persons"]["fresh"] == 2, "both to be fresh")
    servers = servers()
    check_equal([(s["name"], s["state"], s["persons"]["fresh"]) for s in servers], [("hq", "ready", 2)], "the servers")
    check("Exchange 2003" in servers[0]["product"], f"the product: {servers[0]['product']}")
    check_equal(json.loads(daemon.get("/v1/status")[1])["persons"]["busy"], 1, "persons who are busy")
    check_equal(daemon.get("/healthz")[0], 200, "alive")
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "ready")
    metrics = daemon.get("/metrics")[1]
    check('freebusyd_persons{state="busy"} 1\n' in metrics and 'freebusyd_server_up{server="hq"} 1\n' in metrics,
          f"metrics:\n{metrics}")
    wait_until(lambda: figures_agree(daemon), "metrics and status to say the same of freshness and the mass change")
    status, text, headers = daemon.get("/")
    check(status == 200 and "<html" in text and "default-src 'none'" in headers["Content-Security-Policy"], "the page")
    check_equal(daemon.get("/v1/presence/" + ANNA, method="HEAD")[1], "", "HEAD has no body")
    status, text, headers = daemon.get("/v1/presence/" + ANNA, headers={"Accept": "application/pidf+xml"})
    check(headers["Content-Type"] == "application/pidf+xml" and "<rpid:busy/><rpid:meeting/>" in text and
          text.count("<ts:timed-status") == 1, f"what phones read, without an outlet to them ({status}): {text}")


def figures_agree(daemon):
    status = json.loads(daemon.get("/v1/status")[1])
    numbers = dict(line.split(" ") for line in daemon.get("/metrics")[1].splitlines() if not line.startswith("#"))
    mass, transitions = status["transitions"]["next_mass"], status["transitions"]
    of_mass = {name: float(numbers["freebusyd_next_mass_change_" + name]) for name in ("persons", "time_seconds")}
    hour = {word: float(numbers[f'freebusyd_transitions_last_hour{{punctual="{word}"}}']) for word in ("yes", "no")}
    classes = {word: float(numbers[f'freebusyd_server_persons{{server="hq",freshness="{word}"}}'])
               for word in ("fresh", "ageing", "stale", "unknown")}
    return (mass and (of_mass["persons"], harness.utc(of_mass["time_seconds"])) == (mass["persons"], mass["at"]) and
            hour["no"] == transitions["last_hour_late"] and sum(hour.values()) == transitions["last_hour"] and
            classes == status["freshness"] and classes["fresh"] == 2)


def freebusy_addresses(folder):
    """Free/busy under every spelling that calendar programs use, HEAD, If-None-Match, and what is refused."""
    daemon = start(folder)
    daemon.wait_state(ANNA, "busy")
    daemon.wait_state("robert@im.example", "free")
    expected = daemon.periods(ANNA)
    check_equal([p[2] for p in expected], ["BUSY", "BUSY-UNAVAILABLE"], "all free/busy that is known")
    for spelling in (ANNA, ANNA + ".ifb", ANNA + ".vfb", ANNA + ".VFB", "anna%40example.test.ifb",
                     "Anna@EXAMPLE.test.vfb", "example.test/anna.vfb", "example.test/anna"):
        status, text, headers = daemon.get("/freebusy/" + spelling)
        check_equal((status, headers["Content-Type"]), (200, "text/calendar; charset=utf-8"), spelling)
        check_equal(harness.ifb_periods(text), expected, spelling)
    for spelling in ("anna%2540example.test.ifb", "../anna@example.test.ifb", "anna+tag@example.test.ifb", ".ifb",
                     "x/.vfb", "anna@example.test.ifb.ifb", "anna@example.test/.ifb"):
        check_equal(daemon.get("/freebusy/" + spelling)[0], 404, spelling)
    check_equal(daemon.get("/freebusy/anna@example.test%00.ifb")[0], 400, "a NUL")

    path, start_of, end_of = f"/freebusy/{ANNA}.ifb", *expected[1][:2]
    for query in (f"start={start_of}&end={end_of}", f"start={start_of}&period=PT1H",
                  f"start={start_of}&period=PT0H60M&format=text/calendar"):
        got = harness.ifb_periods(daemon.get(f"{path}?{query}")[1])
        check_equal(got, [(start_of, end_of, "BUSY-UNAVAILABLE")], query)
    for query in ("period=P1X", "period=P1H", "period=PT", "period=P", "period=-P1D",
                  f"start={start_of}&end={end_of}&period=PT1H", "period=P999999999W&start=9223372036854775807"):
        check_equal(daemon.get(f"{path}?{query}")[0], 400, query)
    check_equal(daemon.get(f"{path}?format=application/xml")[0], 406, "another format")

    window = f"{path}?start={start_of}&end={end_of}"
    status, text, headers = daemon.get(window, method="HEAD")
    check_equal((status, text), (200, ""), "HEAD")
    check_equal(daemon.get(window, {"If-None-Match": headers["ETag"]})[0], 304, "the same again")
    check_equal(daemon.get(window, {"If-None-Match": '"x", ' + headers["ETag"]})[0], 304, "one of several")
    check_equal(daemon.get(window, {"If-None-Match": '"x"'})[0], 200, "another")


def raw(port, data, patience=60):
    """Status line of the answer to these bytes; "" when the connection was closed without one, "closed" when none
    came."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            connection.sendall(data)
            answer = connection.recv(4096)
        except OSError:
            return "closed"
    return answer.split(b"\r\n")[0].decode("latin-1")


def raw_unix(path, text):
    """The whole answer of the control socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")


def bad_requests(folder):
    """Oversize headers and path, bad escapes, unknown methods, broken requests: the right 4xx, and the daemon lives."""
    daemon = start(folder)
    daemon.wait_state(ANNA, "busy")

    def problem(path, status, code, method="GET"):
        got, text, headers = daemon.get(path, method=method)
        check_equal(got, status, f"{method} {path}: {text}")
        check_equal((json.loads(text)["code"], headers["Content-Type"]), (code, "application/problem+json"),
                    f"{method} {path}")

    problem("/v1/presence/nobody@example.test", 404, "no-such-person")
    problem("/v1/presence/%zz", 400, "bad-escape")
    problem("/v1/presence/%00", 400, "bad-escape")
    problem("/v1/presence/%ff%fe", 400, "bad-escape")
    problem("/v1/presence/" + "a" * 9000, 414, "path-too-long")
    problem("/v1/presence", 400, "parameter-missing")
    problem("/v1/presence?address=%zz", 400, "bad-escape")
    problem("/v1/events?address=nobody@example.test", 404, "no-such-person")
    problem(f"/v1/freebusy/{ANNA}.ifb?start=yesterday", 400, "bad-window")
    problem(f"/v1/freebusy/{ANNA}.ifb?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", 400, "bad-window")
    problem("/nothing", 404, "not-found")
    problem("/ctl/users", 404, "not-found")
    problem("/v1/status", 405, "method-not-allowed", "DELETE")
    problem("/v1/status", 405, "method-not-allowed", "PROPFIND")
    check_equal(daemon.get("/v1/status", method="DELETE")[2]["Allow"], "GET, HEAD", "what is allowed")
    for path, allowed in (("/ctl/reload", "POST"), ("/ctl/users", "GET, HEAD")):
        check(f"\r\nAllow: {allowed}\r\n" in raw_unix(daemon.socket,
                                                      f"PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              f"Allow of {path}")
    check(" 400 " in raw(daemon.port, b"GET /v1/status HTTP/1.1\r\n\r\n"), "HTTP/1.1 without Host")
    check(" 200 " in raw(daemon.port, b"GET /v1/status HTTP/1.0\r\n\r\n"), "HTTP/1.0 without Host")

    check(" 414 " in raw(daemon.port, b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
          "a request line of 200 kB")
    check(" 431 " in raw(daemon.port, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200000 + b"\r\n\r\n"),
          "a header of 200 kB")
    check(" 413 " in raw(daemon.port, b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\naaaa"),
          "a body of 100 MB")
    hello = raw(daemon.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    check(hello in ("", "closed") or " 4" in hello, f"TLS on a plain port: {hello}")
    check(" 40" in raw(daemon.port, b"GET / HTTP/9.9\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
          or " 505" in raw(daemon.port, b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"), "a version and a length that are none")
    for line in ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n",
                 "\0\0\0\0\r\n\r\n", "GET\r\n\r\n"):
        raw(daemon.port, line.encode(), 2)  # whatever the answer, if there is one
    check_equal(daemon.get("/healthz")[0], 200, "alive after all that")


def tls_listener(folder):
    """With a certificate and key the listener speaks TLS, and only TLS."""
    daemon_faults.make_certificate(folder, "listener", "localhost")
    config = company.yaml("http://127.0.0.1:1/exchange/", [ANNA]).replace(
        'http: { listen: ["127.0.0.1:0"] }', 'http: { listen: ["127.0.0.1:0"], certificate_file: listener.pem, key_file: listener.key }')
    harness.secret_file(folder, "password", "svc-secret")
    daemon = harness.Daemon(folder, config)
    context = ssl.create_default_context(cafile=folder + "/listener.pem")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            check(b" 200 " in secure.recv(4096), "health over TLS")
    check(" 200 " not in raw(daemon.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), "no answer in clear text")


def control_client(folder):
    """freebusyctl: every command, its exit code and its JSON; the check by the daemon and from the file alone."""
    daemon = start(folder)
    daemon.wait_state(ANNA, "busy")
    daemon.wait_state(BOB, "free")
    code, out, _ = daemon.ctl("status")
    check(code == 0 and "all is well" in out, f"status: exit {code}\n{out}")
    code, out, _ = daemon.ctl("show", ANNA)
    check(code == 0 and "is busy until" in out and "then oof" in out, f"show: exit {code}\n{out}")
    check_equal(daemon.ctl("show", "nobody@example.test")[0], 2, "show of nobody")
    code, out, _ = daemon.ctl("servers")
    check(code == 0 and "Exchange 2003" in out, f"servers: exit {code}\n{out}")
    code, out, _ = daemon.ctl("users", "--state", "busy")
    check(code == 0 and ANNA in out and "robert" not in out, f"users: exit {code}\n{out}")
    check_equal(daemon.ctl("users", "--state", "bored")[0], 2, "users in no state")
    code, out, _ = daemon.ctl("refresh", ANNA)
    check(code == 0 and "is busy" in out, f"refresh: exit {code}\n{out}")
    check_equal(daemon.ctl_json("refresh", ANNA)["ok"], True, "refresh as data")
    check_equal(daemon.ctl("subscribers")[0], 0, "subscribers")
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    check_equal(daemon.ctl("nonsense")[0], 2, "an unknown command")
    check_equal(daemon.ctl("show")[0], 2, "a missing argument")
    check_equal(oct(os.stat(daemon.socket).st_mode & 0o777), "0o660", "the control socket's mode")

    steps = ["dns", "tcp", "http", "schemes", "logon", "mailbox", "calendar", "read"]
    for args in (["check"], ["check", "hq", "--user", BOB], ["check", "--config", daemon.config]):
        code, out, err = daemon.ctl(*args)
        check_equal(code, 0, f"{args}: {out}{err}")
        check(all(any(l.startswith(step) and " ok" in l for l in out.splitlines()) for step in steps),
              f"{args}: steps\n{out}")
    lines = [json.loads(l) for l in daemon.ctl("--json", "check")[1].splitlines()]
    check(lines[-1]["done"] and lines[-1]["ok"] and lines[-1]["by"] == "daemon", f"the check's last line: {lines[-1]}")
    code, out, _ = daemon.ctl("check", "hq", "--user", "missing@example.test")
    check(code == 1 and "mailbox-not-found" in out and "what to do:" in out,
          f"check of a missing mailbox: exit {code}\n{out}")

    watch = subprocess.Popen([harness.FREEBUSYCTL, "--socket", daemon.socket, "watch", ANNA], stdout=subprocess.PIPE,
                             text=True)
    check("is busy until" in watch.stdout.readline(), "watch begins with the present state")
    check_equal(daemon.ctl_json("unbreak", "hq"), {"ok": True}, "unbreak as data")
    code, out, _ = daemon.ctl("check", "--config", folder + "/none.yaml")
    check_equal(code, 2, f"check of a file that is not there: {out}")
    daemon.stop()
    check_equal(watch.wait(10), 3, "watch, when the daemon stops")


if __name__ == "__main__":
    harness.run(every_row, freebusy_addresses, bad_requests, tls_listener, control_client)
