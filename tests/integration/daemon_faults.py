"""Servers and mailboxes that misbehave: each gives one clear cause, the others go on, and nobody becomes free by it."""
import os
import subprocess

import company
import harness
from harness import check, check_equal, wait_until

# Switch of the simulator for one mailbox -> codes that may name the cause.
PERSON_FAULTS = {
    "absent": ("on", {"mailbox-not-found"}),
    "deny": ("403", {"receive-as-missing"}),
    "offline": ("on", {"store-offline"}),
    "html": ("on", {"answer-malformed", "webdav-missing"}),
    "cut": ("on", {"answer-partial"}),
    "endless": ("on", {"answer-too-large"}),
    "pad": ("30000000", {"answer-too-large"}),
    "status": ("500", {"http-server-error"}),
    "reset": ("on", {"tcp-reset", "answer-malformed"}),
}


def never_free(daemon, address):
    state = daemon.presence(address)["state"]
    check(state in ("unknown", "busy"), f"{address} was shown {state} although the calendar could not be read")


def wait_code(daemon, address, codes):
    """Until the person's failure has one of the codes; on a slow machine another may come before."""
    def one_of_them():
        person = daemon.ctl_json("show", address)
        return person["failure"] and person["failure"]["code"] in codes and person
    return wait_until(one_of_them, f"{address} to fail of {codes}", 60)


def one_person_fails(folder):
    """Each fault of one mailbox: that person unknown with its code, the neighbour served, and well again when the fault
    is gone."""
    lines = ["appointment good@example.test now-1h +12h busy"] + [f"appointment {f}@example.test now-1h +12h busy"
                                                                  for f in PERSON_FAULTS]
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*lines))
    for fault, (value, _) in PERSON_FAULTS.items():
        sim.control("PUT", f"/faults?mailbox={fault}@example.test", {fault: value})
    people = ["good@example.test"] + [f"{f}@example.test" for f in PERSON_FAULTS]
    daemon = harness.Daemon(folder, company.yaml(sim.url, people, server_more="    read: calendar\n"))
    for fault, (_, codes) in PERSON_FAULTS.items():
        address = f"{fault}@example.test"
        person = wait_code(daemon, address, codes)
        check_equal(person["state"], "unknown", f"{address} with {fault}")
        check_equal(person["reason"], person["failure"]["code"], "the reason of unknown")
        status, text, _ = daemon.get(f"/v1/freebusy/{address}.ifb")
        check_equal(status, 503, f"free/busy of somebody unknown: {text}")
    daemon.wait_state("good@example.test", "busy")
    code, out, _ = daemon.ctl("status")
    check_equal(code, 1, "freebusyctl status when something is wrong")
    check("receive-as-missing" in out and "what to do:" in out, f"status names the cause and the remedy:\n{out}")
    check("fails as a whole" not in daemon.program.log(),
          "mailboxes with troubles of their own are not the server's failure")
    for fault in PERSON_FAULTS:
        sim.control("PUT", f"/faults?mailbox={fault}@example.test", {fault: "off"})
    for fault in PERSON_FAULTS:
        daemon.ctl("refresh", f"{fault}@example.test")
        daemon.wait_state(f"{fault}@example.test", "busy", 60)


def broken_items(folder):
    """An interval that ends before it starts, an item without an end: left out and counted, the others stand."""
    lines = ["appointment anna@example.test now-1h +12h busy", "appointment anna@example.test now+20h now+19h busy",
             "appointment anna@example.test now+21h none busy"]
    _, daemon = company.start(folder, lines, ["anna@example.test"])
    daemon.wait_state("anna@example.test", "busy")
    daemon.ctl("refresh", "anna@example.test")
    daemon.ctl("refresh", "anna@example.test")
    check_equal(len(daemon.periods("anna@example.test")), 1, "periods of a calendar with two broken items")
    told = [l for l in daemon.program.log().splitlines() if " warning " in l
            and "anna@example.test broken_items=1:" in l]
    check_equal(len(told), 1, f"warnings about the broken items, after two more polls:\n{told}")


def whole_server_fails(folder):
    """The server goes away: states stay until stale, then unknown with the cause; one row for all; back by itself."""
    lines = [f"appointment p{i}@example.test now-1h +12h busy" for i in range(20)]
    people = [f"p{i}@example.test" for i in range(20)]
    sim, daemon = company.start(folder, lines, people, stale="4s")
    for p in people:
        daemon.wait_state(p, "busy")
    sim.program.stop()
    wait_until(lambda: all(daemon.presence(p)["state"] == "unknown" for p in people), "everybody to become unknown")
    # Who was being asked when it went away may first tell of a connection that was cut.
    wait_until(lambda: [(c["code"], c["persons"]) for c in daemon.ctl_json("status")["causes"]] == [("tcp-refused",
                                                                                                     20)],
               "one row for one cause and everybody")
    lines_of_log = [l for l in daemon.program.log().splitlines() if "tcp-refused" in l and " warning " in l]
    check(len(lines_of_log) <= 10, f"a cause is told once and folded, not {len(lines_of_log)} times")


def two_servers(folder):
    """A server name that does not resolve, beside one that works."""
    lines = ["appointment anna@example.test now-1h +12h busy"]
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*lines))
    more = """  - name: lost
    kind: exchange
    url: https://no-such-host.invalid/exchange/
    account: svc
    password_file: password
    auth: [basic]
"""
    config = company.yaml(sim.url, ["anna@example.test"], ["{ address: bob@example.test, server: lost }"],
                          server_more=more)
    daemon = harness.Daemon(folder, config)
    daemon.wait_state("anna@example.test", "busy")
    wait_until(lambda: daemon.presence("bob@example.test")["reason"] == "dns-not-found", "the lost server's cause")
    check_equal(daemon.presence("bob@example.test")["state"], "unknown", "a person on the lost server")
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "ready although one server is lost: it is reported")
    servers = {s["name"]: s for s in daemon.ctl_json("servers")["servers"]}
    check_equal(servers["lost"]["failure"]["code"], "dns-not-found", "the server's row")
    check("lost" in daemon.program.log(), "the log names the server")


def refused_password(folder):
    """A wrong password is sent once, then never again until its file changes."""
    people = [f"p{i}@example.test" for i in range(30)]
    harness.secret_file(folder, "password", "wrong-secret")
    sim = harness.Simulator(folder, company.company(*[f"appointment {p} now-1h +12h busy" for p in people]))
    daemon = harness.Daemon(folder, company.yaml(sim.url, people))
    wait_until(lambda: daemon.presence(people[0])["reason"] == "logon-rejected", "the cause of the refusal")
    wait_until(lambda: daemon.ctl_json("status")["causes"][0]["persons"] == 30, "all persons in one row")
    began = harness.time.monotonic()
    wait_until(lambda: harness.time.monotonic() - began > 4, "four more polling intervals")
    check_equal(sim.control("GET", "/counters")["logons"]["rejected"], 1, "rejected logons counted by the server")
    harness.secret_file(folder, "password", "svc-secret")
    for p in people:
        daemon.wait_state(p, "busy")
    check_equal(sim.control("GET", "/counters")["logons"]["rejected"], 1,
                "rejected logons after the secret was changed")


def make_certificate(folder, name, host):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/{name}.key",
                    "-out",
                    f"{folder}/{name}.pem", "-days", "2", "-subj", f"/CN={host}", "-addext",
                    f"subjectAltName=DNS:{host}"],
                   check=True, capture_output=True)
    os.chmod(f"{folder}/{name}.key", 0o600)


def bad_certificate(folder):
    """A certificate that nobody trusts, one for another host, and a good one: Basic goes over TLS only when it is
    right."""
    make_certificate(folder, "good", "localhost")
    make_certificate(folder, "other", "other.example")
    harness.secret_file(folder, "password", "svc-secret")
    sims = {}
    for name in ("good", "other"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        sims[name] = harness.Simulator(f"{folder}/{name}",
                                       company.company("appointment anna@example.test now-1h +12h busy"),
                                       args=["--tls-cert", f"{folder}/{name}.pem", "--tls-key", f"{folder}/{name}.key"])

    def server(name, port, ca):
        tls = f"    tls: {{ ca_file: {ca} }}\n" if ca else ""
        return f"""  - name: {name}
    kind: exchange
    url: https://localhost:{port}/exchange/
    account: EXAMPLE\\svc-presence
    password_file: password
    auth: [basic]
{tls}"""

    more = server("untrusted", sims["good"].port, None) + server("mismatch", sims["other"].port, "other.pem")
    yaml = company.yaml(f"https://localhost:{sims['good'].port}/exchange/", ["anna@example.test"],
                        ["{ address: u@example.test, server: untrusted }",
                         "{ address: m@example.test, server: mismatch }"],
                        server_more="    tls: { ca_file: good.pem }\n" + more)
    daemon = harness.Daemon(folder, yaml)
    daemon.wait_state("anna@example.test", "busy")
    wait_until(lambda: daemon.presence("u@example.test")["reason"] == "tls-untrusted",
               "the untrusted certificate's code")
    wait_until(lambda: daemon.presence("m@example.test")["reason"] == "tls-name-mismatch", "the other host's code")
    check_equal(sims["other"].control("GET", "/counters")["requests"], 0,
                "requests that reached the host with the wrong name")
    certificate = {s["name"]: s for s in daemon.ctl_json("servers")["servers"]}["hq"]["certificate_until"]
    check(certificate, "the certificate's end stands in the server's row")


def clear_text_refused(folder):
    """Basic in clear text to another host than loopback: refused before anything is sent."""
    harness.secret_file(folder, "password", "svc-secret")
    daemon = harness.Daemon(folder, company.yaml("http://192.0.2.1:9/exchange/", ["anna@example.test"]))
    wait_until(lambda: daemon.presence("anna@example.test")["reason"] == "auth-cleartext-refused", "the refusal")
    check_equal(daemon.ctl_json("servers")["servers"][0]["requests"], 0, "requests sent")


if __name__ == "__main__":
    harness.run(one_person_fails, broken_items, whole_server_fails, two_servers, refused_password, bad_certificate,
                clear_text_refused)
