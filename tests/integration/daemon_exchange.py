"""Exchange through the whole program: what a calendar that has not changed costs, that no change is missed, and
mailboxes that move."""
import datetime
import os
import socket
import time
import zoneinfo

import company
import harness
from harness import check, check_equal, wait_until

PEOPLE = ["anna@example.test", "bob@example.test", "carl@example.test"]
MAILBOXES = [f"mailbox {p} password=x" for p in PEOPLE]
READ = "    read: calendar\n" # what is published is another test's


def methods(sim):
    return sim.control("GET", "/counters")["methods"]


def searches(sim):
    return methods(sim).get("SEARCH", 0)


def subscriptions(sim):
    return sim.control("GET", "/subscriptions")["subscriptions"]


def appointment(sim, address, **more):
    now = int(time.time())
    value = {"mailbox": address, "start": harness.utc(now - 600), "end": harness.utc(now + 3600), "busy": "busy",
             **more}
    return sim.control("POST", "/appointments", value)


def polls_ok(daemon):
    return daemon.ctl_json("status")["polls"]["ok"]


def idle_cost(sim, daemon, polls):
    """Requests by method while so many good polls went by."""
    sim.control("DELETE", "/counters")
    before = polls_ok(daemon)
    wait_until(lambda: polls_ok(daemon) >= before + polls, f"{polls} polls", 60)
    after = methods(sim)
    return after, polls_ok(daemon) - before


def changes_by_subscription(folder):
    """One POLL for everybody, no SEARCH while nothing changes; what changes is seen within a poll."""
    sim, daemon = company.start(folder, MAILBOXES, PEOPLE, interval="2s", server_more=READ)
    for p in PEOPLE:
        daemon.wait_state(p, "free", 60)
    wait_until(lambda: len(subscriptions(sim)) == 3, "three subscriptions", 60)
    before = searches(sim)
    wait_until(lambda: searches(sim) >= before and methods(sim).get("POLL", 0) >= 3, "POLLs", 60)
    cost, polls = idle_cost(sim, daemon, 12)
    check_equal([m for m in cost if m != "POLL"], [], f"requests beside POLL while nothing changes: {cost}")
    check(cost["POLL"] <= polls, f"more than one request a person and poll: {cost} for {polls} polls")
    appointment(sim, PEOPLE[1])
    daemon.wait_state(PEOPLE[1], "busy", 60)
    check_equal(searches(sim), 1, "one calendar was read")
    check_equal(sim.control("GET", "/counters")["violations"], [], "what the simulator found wrong with our requests")
    check("subscriptions" in daemon.ctl_json("servers")["servers"][0]["changes"], "`servers` says how changes are seen")


def changes_by_contenttag(folder):
    """A server without subscriptions: one PROPFIND a person and poll."""
    sim, daemon = company.start(folder, MAILBOXES, PEOPLE, args=("--set", "subscribe=501"), server_more=READ)
    for p in PEOPLE:
        daemon.wait_state(p, "free", 60)
    wait_until(lambda: searches(sim) >= 6, "everybody to be read twice", 60)
    cost, polls = idle_cost(sim, daemon, 9)
    check_equal(set(cost), {"PROPFIND"}, "requests while nothing changes")
    check(cost["PROPFIND"] <= polls + 3, f"more than one request a person and poll: {cost} for {polls} polls")
    made = appointment(sim, PEOPLE[0])
    daemon.wait_state(PEOPLE[0], "busy", 60)
    sim.control("DELETE", f"/appointments/{made['id']}")
    daemon.wait_state(PEOPLE[0], "free", 60)
    sim.control("PUT", "/faults", {"no-contenttag": True, "no-total": True})
    appointment(sim, PEOPLE[2], busy="oof")
    daemon.wait_state(PEOPLE[2], "oof", 60)


def subscriptions_lost(folder):
    """A store that restarts forgets them all, and counts anew: nothing that happened meanwhile is missed."""
    sim, daemon = company.start(folder, MAILBOXES, PEOPLE, server_more=READ)
    for p in PEOPLE:
        daemon.wait_state(p, "free", 60)
    wait_until(lambda: len(subscriptions(sim)) == 3, "three subscriptions", 60)
    sim.control("POST", "/restart")
    for p in PEOPLE:
        appointment(sim, p)
    for p in PEOPLE:
        daemon.wait_state(p, "busy", 60)
    wait_until(lambda: len(subscriptions(sim)) == 3, "three new subscriptions", 60)
    sim.control("PUT", "/faults", {"poll-group": "whole"}) # each for itself from now on
    for a in sim.control("GET", "/appointments")["appointments"]:
        sim.control("DELETE", f"/appointments/{a['id']}")
    for p in PEOPLE:
        daemon.wait_state(p, "free", 60)
    sim.control("PUT", "/faults", {"subscribe": "501"})
    appointment(sim, PEOPLE[2])
    daemon.wait_state(PEOPLE[2], "busy", 60)


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def notified(folder):
    """With an hour between polls, only the server's datagram can bring a change; forged ones bring nothing."""
    port = free_udp_port()
    more = READ + f'    changes: {{ notify_listen: "127.0.0.1:{port}" }}\n'
    sim, daemon = company.start(folder, MAILBOXES, PEOPLE, interval="1h", stale="3h", server_more=more,
                                args=("--set", "notify-repeat=1"))
    for p in PEOPLE:
        daemon.wait_state(p, "free", 60)
        check_equal(daemon.ctl("refresh", p)[0], 0, "refresh") # the second reading, which subscribes
    check_equal([s["call-back"] for s in subscriptions(sim)], [True] * 3, "subscriptions with a call-back")
    appointment(sim, PEOPLE[1])
    daemon.wait_state(PEOPLE[1], "busy", 60)
    wait_until(lambda: not any(s["news"] for s in subscriptions(sim)), "a POLL to have taken the news", 60)
    before = methods(sim)
    known = [s["id"] for s in subscriptions(sim)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for n in range(2000):
            stranger.sendto(f"NOTIFY httpu://x/ HTTP/1.1\r\nSubscription-id: {max(known) + 1 + n}\r\n\r\n".encode(),
                            ("127.0.0.1", port))
        stranger.sendto(os.urandom(1000), ("127.0.0.1", port))
        ignored = wait_until(lambda: int(daemon.ctl_json("servers")["servers"][0]["changes"].split(" ignored")[0].split()[-1]), "ignored ones", 60)
        check(ignored > 0, "ignored")
        check_equal(methods(sim), before, "requests because of datagrams that name nothing of ours")
        polled = lambda: methods(sim).get("POLL", 0) - before.get("POLL", 0)

        def forge(): # an id that is right, guessed
            for _ in range(100):
                stranger.sendto(f"NOTIFY httpu://x/ HTTP/1.1\r\nSubscription-id: {known[0]}\r\n\r\n".encode(),
                                ("127.0.0.1", port))
            return polled()
        wait_until(forge, "one look at it", 60)
    check(polled() <= 3, f"a flood of one id costs {polled()} POLLs")
    check_equal(searches(sim), before["SEARCH"], "nothing is read because somebody says so")
    check_equal([daemon.presence(p)["state"] for p in PEOPLE], ["free", "busy", "free"], "states")


def moved_mailboxes(folder):
    """Anna's mailbox lives on another server, moves to a third, and the second one goes away. Bob, at home, notices
    nothing."""
    sims = []
    for name in ("home", "be1", "be2"):
        os.mkdir(os.path.join(folder, name))
        sims.append(harness.Simulator(os.path.join(folder, name), company.company(*MAILBOXES)))
    home, be1, be2 = sims
    harness.secret_file(folder, "password", "svc-secret")
    appointment(be1, PEOPLE[0])
    appointment(be2, PEOPLE[0], busy="oof")
    home.control("PUT", "/faults", {"mailbox": PEOPLE[0], "moved": f"http://127.0.0.1:{be1.port}"})
    hosts = READ + f'    allowed_hosts: ["127.0.0.1:{be1.port}", "127.0.0.1:{be2.port}"]\n'
    daemon = harness.Daemon(folder, company.yaml(home.url, PEOPLE, server_more=hosts))
    daemon.wait_state(PEOPLE[0], "busy", 60)
    wait_until(lambda: len(subscriptions(be1)) == 1, "a subscription at her own server", 60)
    users = home.control("GET", "/counters")["users"]
    asked = sum(users.get(PEOPLE[0], {}).values())
    before = polls_ok(daemon)
    wait_until(lambda: polls_ok(daemon) > before + 9, "a few polls", 60)
    check_equal(sum(home.control("GET", "/counters")["users"].get(PEOPLE[0], {}).values()), asked,
                "the new place is remembered")

    home.control("PUT", "/faults", {"mailbox": PEOPLE[0], "moved": f"http://127.0.0.1:{be2.port}"})
    be1.control("PUT", "/faults", {"mailbox": PEOPLE[0], "absent": True})
    daemon.wait_state(PEOPLE[0], "oof", 60)
    home.control("PUT", "/faults", {"mailbox": PEOPLE[0], "moved": f"http://127.0.0.1:{be1.port}"})
    be1.control("PUT", "/faults", {"mailbox": PEOPLE[0], "absent": None})
    be2.program.stop() # it is gone
    daemon.wait_state(PEOPLE[0], "busy", 60)
    be1.program.stop() # and nobody else has it
    code = lambda: (daemon.ctl_json("show", PEOPLE[0]).get("failure") or {}).get("code")
    wait_until(lambda: code() == "mailbox-server-unreachable", "anna's failure to be named", 60)
    appointment(home, PEOPLE[1])
    daemon.wait_state(PEOPLE[1], "busy", 60)
    check_equal(daemon.ctl_json("servers")["servers"][0]["failure"], None, "the server itself is well")


def other_names(folder):
    """A mailbox that does not go by its address: found by the alias that the directory names, or by a further address,
    or not at all."""
    lines = ["mailbox anna.b@example.test alias=anna.b password=x fault.names=alias",
             "mailbox carl@corp.example.test password=x",
             "mailbox zoe@other.test alias=zoe password=x"]
    users = ["{ address: carl@example.test, server: hq, aliases: [carl@corp.example.test] }"]
    people = ["anna.b@example.test", "zoe@example.test"]
    sim, daemon = company.start(folder, lines, people, more_users=users, server_more=READ)
    for p in ("anna.b@example.test", "carl@corp.example.test", "zoe@other.test"):
        appointment(sim, p)
    daemon.wait_state("anna.b@example.test", "busy", 60)
    daemon.wait_state("carl@example.test", "busy", 60)
    check_equal(daemon.ctl_json("show", "anna.b@example.test")["calendar"], "/exchange/anna.b/Calendar/",
                "where it was found")
    # zoe@example.test has no mailbox; /exchange/zoe/ is another Zoe's
    wait_until(lambda: daemon.presence("zoe@example.test")["reason"] == "mailbox-not-found",
               "nobody to be taken for Zoe", 60)
    check_equal(sim.control("GET", "/counters")["users"].get("zoe@other.test", {}).get("SEARCH", 0), 0,
                "the other Zoe's calendar was not read")


def midnight(day, zone):
    local = datetime.datetime.combine(day, datetime.time(), zoneinfo.ZoneInfo(zone))
    return local.astimezone(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def every_kind(folder):
    """Private, cancelled, declined, unanswered, all-day, out of office, spelt oddly, damaged: from the store to
    free/busy."""
    days = [datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=3 + n) for n in range(6)]
    day = [d.isoformat() for d in days]
    at = lambda n, hour, minute=0: days[n].strftime("%Y%m%d") + f"T{hour:02}{minute:02}00Z"
    meeting = f"{day[0]}T09:00:00Z +1h"
    lines = ["mailbox berlin@example.test password=x zone=Europe/Berlin calendar=Kalender language=de",
             "mailbox jun@example.test password=x zone=Asia/Tokyo calendar=予定表 language=ja",
             "mailbox words@example.test password=x fault.oof-word=OUTOFOFFICE",
             "mailbox mixed@example.test password=x fault.mixed-case=on",
             f"appointment berlin@example.test {day[0]} {day[1]} all-day subject=Day",
             f"appointment berlin@example.test {day[2]} {day[3]} free all-day subject=Holiday",
             f"appointment jun@example.test {day[0]} {day[2]} oof all-day subject=Trip",
             f"appointment words@example.test {meeting} oof", f"appointment mixed@example.test {meeting} tentative",
             f"appointment odd@example.test {meeting} busy busy-word=WORKINGELSEWHERE",
             f"appointment none@example.test {meeting} none",
             f"appointment typeless@example.test {meeting} busy type=none",
             f"appointment twins@example.test {meeting} busy uid=same",
             f"appointment twins@example.test {day[0]}T11:00:00Z +1h busy uid=same",
             f"appointment damaged@example.test {day[0]}T09:00:00Z none busy",
             f"appointment damaged@example.test {day[0]}T10:00:00Z +1h busy",
             f"appointment private@example.test {meeting} busy private subject=Doctor location=Clinic",
             f"appointment cancelled@example.test {meeting} busy cancelled",
             f"appointment declined@example.test {meeting} busy response=declined",
             f"appointment unanswered@example.test {meeting} response=unanswered",
             f"appointment maybe@example.test {meeting} response=tentative",
             f"appointment series@example.test {meeting} busy every=day count=5 deleted={day[1]}T09:00:00Z"
             f" moved={day[2]}T09:00:00Z>{day[2]}T15:00:00Z>+30m>tentative"]
    hour = (at(0, 9), at(0, 10))
    expected = {"berlin": [(midnight(days[0], "Europe/Berlin"), midnight(days[1], "Europe/Berlin"), "BUSY")],
                "jun": [(midnight(days[0], "Asia/Tokyo"), midnight(days[2], "Asia/Tokyo"), "BUSY-UNAVAILABLE")],
                "words": [(*hour, "BUSY-UNAVAILABLE")], "mixed": [(*hour, "BUSY-TENTATIVE")], "odd": [(*hour, "BUSY")],
                "none": [(*hour, "BUSY")],
                "typeless": [(*hour, "BUSY")], "twins": [(*hour, "BUSY"), (at(0, 11), at(0, 12), "BUSY")],
                "damaged": [(at(0, 10), at(0, 11), "BUSY")], "private": [(*hour, "BUSY")], "cancelled": [],
                "declined": [],
                "unanswered": [(*hour, "BUSY-TENTATIVE")], "maybe": [(*hour, "BUSY-TENTATIVE")],
                "series": [(*hour, "BUSY"), (at(2, 15), at(2, 15, 30), "BUSY-TENTATIVE"), (at(3, 9), at(3, 10), "BUSY"),
                           (at(4, 9), at(4, 10), "BUSY")]}
    _, daemon = company.start(folder, lines, [f"{name}@example.test" for name in expected], interval="1h", stale="3h",
                              server_more=READ)
    for name, periods in expected.items():
        wait_until(lambda n=name: daemon.presence(f"{n}@example.test")["state"] != "unknown", f"{name} to be read", 60)
        check_equal(daemon.periods(f"{name}@example.test"), periods, f"free/busy of {name}")
    check("Clinic" not in daemon.program.log(), "no place of a meeting in the log")


if __name__ == "__main__":
    harness.run(changes_by_subscription, changes_by_contenttag, subscriptions_lost, notified, moved_mailboxes,
                other_names, every_kind)
