#!/usr/bin/python3
"""Published free/busy of many people in one request, beside the calendars: without Receive-As, beside it, and in
disagreement."""


import company
import harness
from harness import check, check_equal, wait_until

PEOPLE = [f"user{i:05d}@example.test" for i in range(1, 201)]
NO_RIGHT = "domain EXAMPLE\naccount svc-presence password=svc-secret\n"


def fresh(daemon):
    return daemon.ctl_json("servers")["servers"][0]["persons"]["fresh"]


def without_receive_as(folder):
    """Two hundred people, an account that may open no mailbox: all are known, by one request for a hundred at each
    poll."""
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, NO_RIGHT + f"crowd example.test {len(PEOPLE)} 3\nset url-limit=4096\n"
                            "mailbox anna@example.test\nappointment anna@example.test now-1h +3h oof\n")
    people = PEOPLE[:199] + ["anna@example.test"]
    daemon = harness.Daemon(folder, company.yaml(sim.url, people, server_more="    read: freebusy\n", interval="2s"))
    wait_until(lambda: fresh(daemon) == len(people), "everybody to be read", 60)
    check_equal(daemon.presence("anna@example.test")["state"], "oof", "anna's state")
    check("published" in daemon.ctl_json("show", "anna@example.test")["way"], "the way of reading")
    polls = daemon.ctl_json("status")["polls"]["ok"]
    sim.control("DELETE", "/counters")
    wait_until(lambda: daemon.ctl_json("status")["polls"]["ok"] >= polls + 5 * len(people), "five rounds", 60)
    counters = sim.control("GET", "/counters")
    done = daemon.ctl_json("status")["polls"]["ok"] - polls
    # a question that was under way at either end may be counted on one side only
    check(counters["requests"] - 2 <= 0.02 * done,
            f"requests {counters['requests']} for {done} polls: {counters['methods']}")
    check_equal(list(counters["methods"]), ["GET"], "methods")
    check_equal(counters["violations"], [], "what the simulator complains of")
    code, out, _ = daemon.ctl("check", "--user", "anna@example.test")
    check_equal((code, "read" in out), (0, True), f"the check of somebody who is read this way: {out}")


def right_is_missing(folder):
    """Read by both: who may be opened is read from the calendar, the others are known by what is published, and it
    is said."""
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, NO_RIGHT.replace("secret\n", "secret receive-as=open@example.test\n") +
                            "mailbox open@example.test\nmailbox closed@example.test\n"
                            "mailbox none@example.test fault.fb-row=missing\n"
                            "appointment open@example.test now-1h +3h busy\n"
                            "appointment closed@example.test now-1h +3h busy\n")
    people = ["open@example.test", "closed@example.test", "none@example.test"]
    daemon = harness.Daemon(folder, company.yaml(sim.url, people))
    daemon.wait_state("open@example.test", "busy", 60)
    daemon.wait_state("closed@example.test", "busy", 60)
    wait_until(lambda: "next hours" in (daemon.ctl_json("show", "open@example.test")["way"] or ""),
            "open to be read by both", 60)
    wait_until(lambda: "may not open" in (daemon.ctl_json("show", "closed@example.test")["way"] or ""),
            "closed to be explained", 60)
    check_equal(daemon.ctl_json("show", "closed@example.test")["failure"], None, "who is known does not fail")
    wait_until(lambda: daemon.presence("none@example.test")["reason"] == "receive-as-missing",
            "who is known by neither", 60)
    check_equal(daemon.presence("none@example.test")["state"], "unknown", "the state of who is known by neither")
    daemon.ctl("refresh", "closed@example.test")
    check_equal(daemon.presence("closed@example.test")["state"], "busy", "after a refresh")


def rows_of_every_kind(folder):
    """One damaged row, or one name that upsets the server, costs that person and nobody else."""
    kinds = {"missing": ("fb-row=missing", "freebusy-missing"), "short": ("fb-row=short", "answer-malformed"),
             "long": ("fb-row=long", "answer-malformed"), "letter": ("fb-row=letter", "answer-malformed"),
             "twice": ("fb-row=twice", "answer-malformed"), "months": ("fb-months=0", "freebusy-no-data"),
             "page": ("fb-status=200", "answer-malformed"), "error": ("fb-status=500", "http-server-error"),
             "absent": ("fb-status=404", "freebusy-no-data"), "stranger": ("fb-row=stranger",
                     None), "good": ("fb-row=off", None)}
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, NO_RIGHT +
            "".join(f"mailbox {k}@example.test\nappointment {k}@example.test now-1h +9h busy\n"
                                                       for k in kinds))
    for kind, (fault, _) in kinds.items():
        name, _, value = fault.partition("=")
        if value != "off":
            sim.control("PUT", f"/faults?mailbox={kind}@example.test", {name: value})
    daemon = harness.Daemon(folder, company.yaml(sim.url, [f"{k}@example.test" for k in kinds],
            server_more="    read: freebusy\n"))
    for kind, (_, code) in kinds.items():
        address = f"{kind}@example.test"
        if code is None:
            daemon.wait_state(address, "busy", 60)
        else:
            wait_until(lambda a=address, c=code: daemon.presence(a)["reason"] == c,
                    f"{address} to be unknown because of {code}", 60)
            check_equal(daemon.presence(address)["state"], "unknown", address)


def lasting_disagreement(folder):
    """What is published does not follow the calendar: told once, in status and by show, and taken back when it does."""
    sim, daemon = company.start(folder, ["mailbox anna@example.test", "mailbox bob@example.test",
                                         "appointment anna@example.test now-1h +8h tentative",
                                         "appointment bob@example.test now-1h +8h busy"],
                                ["anna@example.test", "bob@example.test"], args=["--set", "fb-delay=900000"],
                                server_more="    freebusy_delay: 2s\n")
    wait_until(lambda: all("next hours" in (daemon.ctl_json("show",
            f"{p}@example.test")["way"] or "") for p in ("anna", "bob")),
               "both to be read by both", 60)
    check_equal(daemon.ctl_json("status")["causes"], [], "nothing to say at first")
    sim.lines("appointment bob@example.test now-1h +9h oof")
    daemon.wait_state("bob@example.test", "oof", 60)
    def differs():
        return [c for c in daemon.ctl_json("status")["causes"] if c["code"] == "freebusy-differs"]
    cause = wait_until(differs, "the disagreement to be told", 60)[0]
    check_equal((cause["persons"], cause["example"]), (1, "bob@example.test"), "whom it concerns")
    shown = daemon.ctl_json("show", "bob@example.test")
    check_equal((shown["differs"]["published"], shown["differs"]["calendar"]), ("busy", "oof"), "what show says")
    check_equal(daemon.ctl_json("show", "anna@example.test")["differs"], None, "nobody else")
    check_equal(daemon.presence("bob@example.test")["state"], "oof", "the calendar counts")
    check_equal(daemon.program.log().count("code=freebusy-differs"), 1, "lines in the log")
    sim.control("PUT", "/faults", {"fb-delay": None})
    sim.lines("appointment bob@example.test now+2d +1h busy")

    def agreed():
        daemon.ctl("refresh", "bob@example.test")
        return daemon.ctl_json("show", "bob@example.test")["differs"] is None
    wait_until(agreed, "the two to agree again", 60)
    check_equal(daemon.ctl_json("status")["causes"], [], "nothing to say in the end")


def refresh_to_the_end(folder):
    """Who asks by name hears of the distant days, too, at once and whatever is still published of them."""
    sim, daemon = company.start(folder, ["appointment anna@example.test now-1h +8h tentative"], ["anna@example.test"],
                                args=["--set", "fb-delay=900000"], interval="60s")
    wait_until(lambda: "next hours" in (daemon.ctl_json("show", "anna@example.test")["way"] or ""), "both ways", 60)
    for day in range(2, 12):
        sim.lines(f"appointment anna@example.test now+{day}d +1h busy")
        check_equal(daemon.ctl("refresh", "anna@example.test")[0], 0, "a refresh")
        text = daemon.get("/freebusy/anna@example.test")[1]
        check_equal(len(harness.ifb_periods(text)), day, "the distant days after a refresh")


def unchanged(folder, sign, args, most):
    """Read by both, and nothing changes: requests for a person and poll, when the sign has come to be known."""
    people = PEOPLE[:40]
    sim, daemon = company.start(folder, [f"appointment {p} now-1h +3h busy" for p in people], people, args=args,
                                interval="4s")
    wait_until(lambda: all("next hours" in (daemon.ctl_json("show", p)["way"] or "") for p in people),
               "everybody to be read by both", 60)

    def rounds(n):
        polls = daemon.ctl_json("status")["polls"]["ok"]
        sim.control("DELETE", "/counters")
        wait_until(lambda: daemon.ctl_json("status")["polls"]["ok"] >= polls + n * len(people), f"{n} rounds", 60)
        counters = sim.control("GET", "/counters")
        return counters, daemon.ctl_json("status")["polls"]["ok"] - polls
    wait_until(lambda: list(rounds(1)[0]["methods"]) == [sign], "a round of nothing but signs", 90)
    counters, done = rounds(3)
    # a question that was under way at either end may be counted on one side only
    check(counters["requests"] - 4 <= most * done,
          f"requests {counters['requests']} for {done} polls: {counters['methods']}")
    check_equal(list(counters["methods"]), [sign], "methods: what is published is not asked for, either")
    check_equal(counters["violations"], [], "what the simulator complains of")


def unchanged_by_contenttag(folder):
    """One request for a person and poll."""
    unchanged(folder, "PROPFIND", ("--set", "subscribe=501"), 1)


def unchanged_by_poll(folder):
    """A POLL for many."""
    unchanged(folder, "POLL", (), 0.5)


harness.run(without_receive_as, right_is_missing, rows_of_every_kind, lasting_disagreement, refresh_to_the_end,
            unchanged_by_contenttag, unchanged_by_poll)
