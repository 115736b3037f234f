#!/usr/bin/python3
"""The whole daemon and the account's password: it changes while five hundred mailboxes are polled, it is wrong for five
thousand, it is nowhere in a log."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import company  # noqa: E402
import harness  # noqa: E402
import peer  # noqa: E402
import squid  # noqa: E402
import winbind  # noqa: E402
from harness import check, check_equal, wait_until  # noqa: E402

PEOPLE = [f"user{i:05d}@example.test" for i in range(1, 501)]
OLD, NEW = "svc-secret", "svc-rotated-2"
CONNECTIONS = 8


def rejected(sim):
    return sim.control("GET", "/counters")["logons"]["rejected"]


def server(daemon):
    return daemon.ctl_json("servers")["servers"][0]


def start(folder, scheme, password=OLD, people=PEOPLE, interval="30s", stale="2m"):
    harness.secret_file(folder, "password", password)
    data = company.ACCOUNT + f"crowd example.test {len(people)} 3\n"
    args, judge = ["--set", f"auth={scheme}"], None
    if scheme == "ntlm":
        judge = winbind.Winbind(os.path.join(folder, "winbind"), users={"svc-presence": (OLD, "")}, domain="EXAMPLE")
        args += ["--ntlm-helper", judge.helper]
    sim = harness.Simulator(folder, data, args=args)
    sim.judge = judge
    with open(os.path.join(folder, "users.csv"), "w", encoding="utf-8") as file:
        file.write("address\n" + "".join(f"{p}\n" for p in people))
    # From the calendar: what is published makes everybody fresh before most have been asked about by name.
    more = f"    read: calendar\n    max_requests_per_second: 500\n    max_connections: {CONNECTIONS}\n"
    # Each calendar is read each time: what a server tells by itself would leave too few questions.
    more += "    changes: { contenttag: false, subscribe: false }\n"
    yaml = company.yaml(sim.url, more_users=["{ file: users.csv, server: hq }"], interval=interval, stale=stale,
                        server_more=more).replace("[basic]", f"[{scheme}]")
    return sim, harness.Daemon(folder, yaml)


def all_fresh(daemon):
    persons = server(daemon)["persons"]
    return persons["fresh"] == persons["all"] == len(PEOPLE)


def change_at_server(sim):
    """The new password, and nobody is logged on any more: whoever asks next shows what he has."""
    sim.lines(f"account svc-presence password={NEW} receive-as=all\n")
    if sim.judge:
        sim.judge.change_password("svc-presence", NEW)
    sim.control("DELETE", "/sessions")


def change_file(folder):
    harness.secret_file(folder, "password", NEW)


def begin(folder, scheme):
    sim, daemon = start(folder, scheme)
    wait_until(lambda: all_fresh(daemon), "everybody to be read")
    wait_until(lambda: server(daemon)["waiting"] == 0, "the first rush to be over")
    check_equal(rejected(sim), 0, "rejected logons before")
    return sim, daemon


def finish(folder, sim, daemon, most):
    """The new password is in use, everybody is asked with it, nobody went stale."""
    began = server(daemon)["last_ok"]
    wait_until(lambda: server(daemon)["last_ok"] > began and server(daemon)["state"] == "ready"
               and server(daemon)["failure"] is None,
               "the new password to be in use")
    requests = server(daemon)["requests"]
    wait_until(lambda: server(daemon)["requests"] > requests + 600, "another round")
    persons = server(daemon)["persons"]
    check_equal((persons["stale"], persons["unknown"]), (0, 0), "persons who went stale")
    check(rejected(sim) <= most, f"rejected logons: {rejected(sim)}")
    check_equal(server(daemon)["rejected_logons"], rejected(sim), "what the daemon counted")
    check_equal(server(daemon)["secret_note"], None, "nothing to say")
    no_secret_in_logs(folder, daemon)
    if sim.judge:
        sim.judge.stop()


def server_first(folder, scheme):
    """The old password is refused once, over whatever number of connections; then the file changes."""
    sim, daemon = begin(folder, scheme)
    change_at_server(sim)
    wait_until(lambda: rejected(sim) > 0, "the old password to be refused")
    wait_until(lambda: server(daemon)["state"] == "refused", "silence")
    change_file(folder)
    finish(folder, sim, daemon, 1)


def rotated_basic(folder):
    server_first(folder, "basic")


def rotated_ntlm(folder):
    server_first(folder, "ntlm")


def rotated_forms(folder):
    server_first(folder, "forms")


def rotated_basic_together(folder):
    """The file a moment before the server."""
    sim, daemon = begin(folder, "basic")
    change_file(folder)
    change_at_server(sim)
    finish(folder, sim, daemon, 1)


def rotated_basic_file_first(folder):
    """The file so early that the new password is refused: the old one goes on until the server refuses that, once,
    too."""
    sim, daemon = begin(folder, "basic")
    change_file(folder)
    note = wait_until(lambda: server(daemon)["secret_note"], "the new password to be refused")
    check("the one before stays in use" in note, note)
    requests = server(daemon)["requests"]
    wait_until(lambda: server(daemon)["requests"] > requests + 50, "the old one to be in use")
    check_equal(rejected(sim), 1, "rejected logons with the old one in use")
    change_at_server(sim)
    wait_until(lambda: server(daemon)["secret_note"] is None, "the new one to be tried again")
    finish(folder, sim, daemon, 2)


def wrong_for_thousands(folder):
    """A wrong password, five thousand mailboxes: one rejected logon, and one more when an administrator says so. (An
    hour of it, in simulated time: an_hour_with_a_wrong_password of unit-session-secret.)"""
    people = [f"user{i:05d}@example.test" for i in range(1, 5001)]
    sim, daemon = start(folder, "basic", "svc-mistyped", people, interval="2s")
    wait_until(lambda: server(daemon)["state"] == "refused", "the refusal")
    end = time.monotonic() + 10
    wait_until(lambda: time.monotonic() > end, "five rounds")
    check_equal(rejected(sim), 1, "rejected logons")
    code, _, _ = daemon.ctl("unbreak", "hq")
    check_equal(code, 0, "unbreak")
    wait_until(lambda: rejected(sim) == 2, "the one more try")
    causes = daemon.ctl_json("status")["causes"]
    check_equal([(c["code"], c["persons"]) for c in causes], [("logon-rejected", 5000)], "one row for all")
    no_secret_in_logs(folder, daemon)


def what_is_shown(folder):
    """What the server offers, what was chosen and why, until when certificate and password are good, and what to do: in
    site's names."""
    certs = peer.certificates(os.path.join(folder, "certs"))
    harness.secret_file(folder, "password", OLD)
    judge = winbind.Winbind(os.path.join(folder, "winbind"), users={"svc-presence": (OLD, "")}, domain="EXAMPLE")
    data = company.company("appointment anna@example.test now-1h +12h busy",
                           "mailbox o'brien@example.test password=x fault.deny=403")
    args = ["--set", "public=404", "--set", "auth=ntlm-basic", "--ntlm-helper", judge.helper,
            "--tls-cert", os.path.join(certs, "soon.pem"), "--tls-key", os.path.join(certs, "soon.key")]
    sim = harness.Simulator(folder, data, args=args)
    yaml = company.yaml(f"https://localhost:{sim.port}/exchange/", ["anna@example.test", "o'brien@example.test"],
                        server_more=f"    tls: {{ ca_file: {os.path.join(certs, 'ca.pem')} }}\n").replace("[basic]",
                                                                                                          "[ntlm, basic]")
    daemon = harness.Daemon(folder, yaml)
    daemon.wait_state("anna@example.test", "busy")
    wait_until(lambda: daemon.presence("o'brien@example.test")["reason"] == "receive-as-missing", "the closed mailbox")
    row = server(daemon)
    check_equal((row["offered"], row["scheme"]), ("negotiate, ntlm, basic", "ntlm"), "offered, chosen")
    check_equal(row["chosen_because"], "ntlm: first in auth of what the server offers (negotiate, ntlm, basic)", "why")
    check(row["handshakes"] >= 1 and "EXAMPLE" in row["server_says"], f"handshakes, what the server says: {row}")
    check(row["certificate_until"] and 0 <= row["secret_age_s"] < 3600, f"certificate and age of the password: {row}")
    plain = daemon.ctl("servers")[1]
    for text in ("hq: offers negotiate, ntlm, basic", "hq: logon by ntlm: first in auth", "connections were logged on",
                 "hq: the server says: EXAMPLE",
                 "hq: certificate until ", "hq: password of ", "0 days old"):
        check(text in plain, f"`servers` says '{text}': {plain}")
    status = daemon.ctl_json("status")
    check_equal([(w["server"], w["code"]) for w in status["warnings"]], [("hq", "certificate-ends-soon")], "warnings")
    check(", in 9 days" in status["warnings"][0]["text"], status["warnings"][0]["text"])
    check("hq: warning: certificate-ends-soon: The server's certificate ends on " in daemon.ctl("status")[1],
          "the warning in `status`")
    command = "Get-MailboxDatabase -Identity (Get-Mailbox 'o''brien@example.test').Database | " \
        "Add-ADPermission -User 'EXAMPLE\\svc-presence' -ExtendedRights Receive-As"
    check_equal([command in c["advice"] for c in status["causes"]], [True],
                f"the command in `status`: {status['causes']}")
    check(command in daemon.ctl("show", "o'brien@example.test")[1], "the command in `show`")
    check(command in daemon.ctl("check", "hq", "--user", "o'brien@example.test")[1], "the command in `check`")
    harness.secret_file(folder, "password", NEW)
    wait_until(lambda: server(daemon)["secret_note"], "the new password to be refused")
    warnings = daemon.ctl_json("status")["warnings"]
    check_equal([w["code"] for w in warnings], ["certificate-ends-soon", "secret-not-in-use"], "warnings")
    daemon.stop()
    judge.stop()


def proxy_password(folder):
    """A wrong password for the proxy is shown to it once; a new one in its file is used without a restart."""
    harness.secret_file(folder, "password", OLD)
    harness.secret_file(folder, "proxy-password", "proxy-mistyped")
    sim = harness.Simulator(folder, company.company("appointment anna@example.test now-1h +12h busy"))
    proxy = squid.Squid(os.path.join(folder, "squid"))
    more = f"    proxy: {proxy.url}\n    proxy_account: gateway\n    proxy_password_file: proxy-password\n"
    daemon = harness.Daemon(folder, company.yaml(sim.url, ["anna@example.test"], server_more=more))
    wait_until(lambda: daemon.presence("anna@example.test")["reason"] == "proxy-auth", "the proxy's refusal")
    check_equal(server(daemon)["state"], "refused", "not shown to the proxy again")
    shown = len([row for row in proxy.requests() if row[2] == 407])
    harness.secret_file(folder, "proxy-password", "proxy-secret")
    daemon.wait_state("anna@example.test", "busy")
    check_equal(len([row for row in proxy.requests() if row[2] == 407]), shown, "refusals by the proxy meanwhile")
    check_equal((rejected(sim), server(daemon)["rejected_logons"]), (0, 0), "rejected logons at the server")
    daemon.stop()
    proxy.stop()


def no_secret_in_logs(folder, daemon):
    daemon.ctl("--json", "status")
    for name in os.listdir(folder):
        if name.endswith((".log", ".out")) and not name.startswith("exchange-sim"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            for word in ("svc-secret", NEW, "svc-mistyped", "c3ZjLXByZXNlbmNlOn", "cadata="):
                check(word not in text, f"{name} has {word}")


harness.run(rotated_basic, rotated_basic_together, rotated_basic_file_first, rotated_ntlm, rotated_forms,
            wrong_for_thousands, what_is_shown, proxy_password)
