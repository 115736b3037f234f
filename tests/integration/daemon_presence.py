"""Presence through the whole program: punctual, resumed, restarted, for every character, from every kind of time."""
import json
import signal
import socket
import time
import urllib.parse

import company
import harness
from harness import check, check_equal, wait_until


def facts(events):
    return [(e[3]["address"], e[3]["state"], e[3]["since"], e[3]["until"]) for e in events if e[1] == "presence"]


def punctual_and_resumed(folder):
    """A meeting that starts during the test arrives within 1 s of its second; a reader cut in the middle loses and
    doubles nothing."""
    people = [f"p{i}@example.test" for i in range(6)]
    sim, daemon = company.start(folder, [f"mailbox {p} password=x" for p in people], people, interval="1s")
    for p in people:
        daemon.wait_state(p, "free")
    begin = daemon.soon()
    for i, p in enumerate(people):
        sim.control("POST", "/appointments",
                    {"mailbox": p, "start": harness.utc(begin + 2 * i), "end": harness.utc(begin + 3 * i + 20),
                                              "busy": "busy"})
    wait_until(lambda: all(daemon.presence(p)["next"] for p in people), "the meetings to be known")
    check(time.time() < begin, "the meetings were known too late")
    whole = harness.Events(daemon.port)
    part = harness.Events(daemon.port)
    late = harness.Events(daemon.port, "?address=p2@example.test")

    data = whole.wait(lambda d: d["address"] == people[0] and d["state"] == "busy", "the first meeting")[3]
    check_equal(data["since"], harness.utc(begin), "since")
    check_equal(data["until"], harness.utc(begin + 20), "until")

    part.wait(lambda d: d["address"] == people[1] and d["state"] == "busy", "the second meeting")
    part.cut()
    first = list(part.events)
    whole.wait(lambda d: d["address"] == people[3] and d["state"] == "busy", "the fourth meeting")
    again = harness.Events(daemon.port, last_id=first[-1][2])
    again.wait(lambda d: d["address"] == people[5] and d["state"] == "busy", "the sixth meeting on the resumed stream")
    whole.wait(lambda d: d["address"] == people[5] and d["state"] == "busy", "the sixth meeting")
    delays = sorted(e[0] - begin - 2 * people.index(e[3]["address"]) for e in list(whole.events)
                    if e[3]["state"] == "busy")
    # some are late where others want the machine
    check(delays[0] >= 0 and delays[3] < 1, f"events of meetings came {delays} s after their seconds")
    joined, straight = facts(first) + facts(again.events), facts(whole.events)
    count = min(len(joined), len(straight))
    check_equal(joined[:count], straight[:count], "a cut and resumed stream against one that was never cut")
    check(count >= 12, f"only {count} events compared")
    check_equal({f[0] for f in facts(late.events)}, {"p2@example.test"}, "persons on a stream about one")

    old = harness.Events(daemon.port, last_id="0123456789abcdef-7")
    old.wait(lambda d: d["address"] == people[5], "a cursor of another epoch starts from the present states")
    check_equal(len({f[0] for f in facts(old.events)}), 6, "persons in the snapshot")


def killed_and_restarted(folder):
    """kill -9 and start again during polling: right states within one poll; for the second there is none within the
    test's time."""
    lines = ["appointment anna@example.test now-5m +1h busy", "appointment bob@example.test now-5m +1h oof",
             "mailbox carl@example.test password=x"]
    expected = {"anna@example.test": "busy", "bob@example.test": "oof", "carl@example.test": "free"}
    sim, daemon = company.start(folder, lines, list(expected), interval="1s")

    def restart(interval):
        daemon.stop(signal.SIGKILL)
        daemon.write(company.yaml(sim.url, list(expected), interval=interval, stale="3h"))
        daemon.start()
        for address, state in expected.items():
            seen = daemon.presence(address)["state"]
            check(seen in (state, "unknown"), f"{address} was shown {seen} after the restart")
        for address, state in expected.items():
            daemon.wait_state(address, state)

    for address, state in expected.items():
        daemon.wait_state(address, state)
    for _ in range(2):
        restart("1h")
        restart("1s")


def odd_addresses(folder):
    """The eight characters with which Cisco's integration fails, and more: simulator -> JSON -> free/busy, and back."""
    odd = [f"a{c}b@example.test" for c in "~#%+&|*/ '\"\\?;=,"] + ["zoë@example.test", "名前@example.test",
                                                                   "a%41b@example.test"]
    begin = int(time.time()) // 900 * 900 - 900  # quarters: what Exchange publishes comes first, and is no finer
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company("mailbox plain@example.test password=x"))
    for address in odd:
        sim.control("POST", "/mailboxes", {"address": address, "password": "x"})
        sim.control("POST", "/appointments",
                    {"mailbox": address, "start": harness.utc(begin), "end": harness.utc(begin + 3600), "busy": "busy"})
    daemon = harness.Daemon(folder, company.yaml(sim.url, odd, interval="1s"))
    basic = "%Y%m%dT%H%M%SZ"
    for address in odd:
        person = daemon.wait_state(address, "busy")
        check_equal(person["address"], address, "address in JSON")
        check_equal(daemon.periods(address), [(harness.utc(begin, basic), harness.utc(begin + 3600, basic), "BUSY")],
                    f"free/busy of {address}")
        status, text, _ = daemon.get("/v1/presence?address=" + urllib.parse.quote(address, safe=""))
        check_equal((status, json.loads(text)["presence"][0]["address"]), (200, address), "address as a parameter")
        code, out, _ = daemon.ctl("show", address)
        check_equal(code, 0, f"freebusyctl show {address}: {out}")
    violations = sim.control("GET", "/counters")["violations"]
    check_equal(violations, [], "what the simulator found wrong with our requests")


def state_words(folder):
    """Every kind of time, overlaps and back-to-back meetings, through JSON and free/busy."""
    lines = ["appointment tentative@example.test now-5m +1h tentative", "appointment oof@example.test now-5m +1h oof",
             "appointment both@example.test now-30m +1h tentative", "appointment both@example.test now-10m +20m busy",
             "appointment chain@example.test now-10m +20m busy", "appointment chain@example.test now+10m +20m busy",
             "appointment free@example.test now-5m +1h free",
             "appointment cancelled@example.test now-5m +1h busy cancelled",
             "appointment declined@example.test now-5m +1h busy response=declined",
             "appointment unanswered@example.test now-5m +1h busy response=unanswered",
             "appointment private@example.test now-5m +1h busy private"]
    expected = {"tentative": "tentative", "oof": "oof", "both": "busy", "chain": "busy", "free": "free",
                "cancelled": "free",
                "declined": "free", "unanswered": "tentative", "private": "busy"}
    _, daemon = company.start(folder, lines, [f"{name}@example.test" for name in expected])
    for name, state in expected.items():
        daemon.wait_state(f"{name}@example.test", state)
    chain, both = daemon.presence("chain@example.test"), daemon.presence("both@example.test")
    minutes = (harness.time.time() + 30 * 60)
    check(chain["until"] > harness.utc(minutes - 120), f"back-to-back meetings are one run: {chain}")
    check_equal(both["next"]["state"], "tentative", "what comes after the busy part of an overlap")
    check_equal([p[2] for p in daemon.periods("both@example.test")], ["BUSY-TENTATIVE", "BUSY", "BUSY-TENTATIVE"],
                "overlap in free/busy")
    check_equal([p[2] for p in daemon.periods("oof@example.test")], ["BUSY-UNAVAILABLE"], "out of office in free/busy")
    check_equal(daemon.periods("free@example.test"), [], "free time has no line")


def watched_csv(folder):
    """A CSV file of people is watched; a line of garbage is named with file and line, and the others go on."""
    lines = [f"mailbox u{i}@example.test password=x" for i in range(4)]
    path = folder + "/users.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write("address,group\nu0@example.test,office\nthis is no address,\nu1@example.test,\"quoted, group\"\n")
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*lines))
    daemon = harness.Daemon(folder, company.yaml(sim.url, more_users=["{ file: users.csv, server: hq }"]))
    daemon.wait_state("u1@example.test", "free")
    daemon.wait_state("u0@example.test", "free")
    check("users.csv:3" in daemon.program.log(), "the garbage line is named with file and line")
    status, text, _ = daemon.get("/v1/presence?group=quoted,%20group")
    check_equal([p["address"] for p in json.loads(text)["presence"]], ["u1@example.test"],
                f"a group by name ({status})")
    some = harness.Events(daemon.port, "?group=quoted,%20group&address=u0@example.test")
    some.wait(lambda d: d["address"] == "u1@example.test", "the snapshot of a group")
    wait_until(lambda: some.comments > 0 and len(some.events) >= 2, "both states")
    none, grouped = harness.Events(daemon.port, "?group=nobodys"), harness.Events(daemon.port, "?group=quoted,%20group")
    grouped.wait(lambda d: d["address"] == "u1@example.test", "the snapshot of a group alone")
    check_equal({f[0] for f in facts(grouped.events)} | {f[0] for f in facts(none.events)}, {"u1@example.test"},
                "persons of a group")
    with open(path, "a", encoding="utf-8") as file:
        file.write("u2@example.test,office\n")
    wait_until(lambda: daemon.get("/v1/presence/u2@example.test")[0] == 200, "the added line to be seen")
    daemon.wait_state("u2@example.test", "free")
    everybody, one = harness.Events(daemon.port), harness.Events(daemon.port, "?address=u0@example.test")
    before = one.wait(lambda d: d["address"] == "u0@example.test", "the state before the removal")[2]
    everybody.wait(lambda d: d["address"] == "u2@example.test", "the snapshot")
    with open(path, "w", encoding="utf-8") as file:
        file.write("address,group\nu2@example.test,office\n")
    wait_until(lambda: daemon.get("/v1/presence/u0@example.test")[0] == 404, "the removed line to be seen")
    check_equal(daemon.get("/v1/presence/u2@example.test")[0], 200, "who stayed in the file")
    late = harness.Events(daemon.port, "?address=u0@example.test", last_id=before)
    member = harness.Events(daemon.port, "?group=office", last_id=before)
    for events in (everybody, one, late, member):
        gone = events.wait(lambda d: d["address"] == "u0@example.test" and d["reason"] == "removed",
                           "the last word on the removed person")[3]
        check_equal([gone[k] for k in ("state", "until", "next", "as_of", "valid_until")],
                    ["unknown", None, None, None, None], "a removed person")
    check_equal(daemon.get("/v1/events?address=u0@example.test")[0], 404, "a stream about nobody")
    with open(path, "w", encoding="utf-8") as file:
        file.write("address,group,publish_as\nu2@example.test,office,two@im.test\n")
    for events in (everybody, member):
        events.wait(lambda d: d["address"] == "u2@example.test" and d["reason"] == "removed",
                    "the last word on the address before")
        events.wait(lambda d: d["address"] == "two@im.test" and d["state"] == "free", "the state under the new address")
    with open(path, "w", encoding="utf-8") as file:
        file.write("address,group\nu2@example.test,office\n" + "".join(f"many{i}@example.test,many\n"
                                                                       for i in range(2000)))
    wait_until(lambda: daemon.get("/v1/presence/many1999@example.test")[0] == 200, "many more people")
    listed = [p["address"] for p in daemon.ctl_json("users")["users"]]
    check_equal((len(listed), len(set(listed))), (2001, 2001), "everybody once, in however many pieces")
    check_equal(daemon.ctl_json("users", "--state", "oof")["users"], [], "nobody, in as many pieces")


def never_reads(folder):
    """Twenty subscribers of everybody who never read: another one is told of every change, and the daemon lets go of
    them when they go."""
    anna, absent = "anna@example.test", [f"absent{i}@example.test" for i in range(2000)]
    sim, daemon = company.start(folder, [f"mailbox {anna} password=x"], [*absent, anna], interval="1h",
                                stale="3h")
    check_equal(daemon.ctl("refresh", anna)[0], 0, "a refresh, before two thousand others")
    check_equal(daemon.presence(anna)["state"], "free", "anna's state")
    silent = []
    for _ in range(20):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # their snapshot is a hundred times that
        one.connect(("127.0.0.1", daemon.port))
        one.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        silent.append(one)
    reader = harness.Events(daemon.port)
    reader.wait(lambda d: d["address"] == anna, "the snapshot")
    wait_until(lambda: daemon.ctl_json("status")["subscribers"] == 21, "everybody to be connected")
    for change in range(10):
        now = int(time.time())
        made = sim.control("POST", "/appointments", {"mailbox": anna, "start": harness.utc(now - 3600),
                                                     "end": harness.utc(now + 36000 + change), "busy": "busy"})
        for state in ("busy", "free"):
            before = len(reader.events)
            daemon.ctl("refresh", anna)
            wait_until(lambda: any(e[3]["address"] == anna and e[3]["state"] == state for e in reader.events[before:]),
                       f"change {change}: the reader to be told that anna is {state}")
            if state == "busy":
                sim.control("DELETE", f"/appointments/{made['id']}")
    check(daemon.ctl_json("status")["subscribers"] >= 1, "the reader is there")
    for one in silent:
        one.close()
    wait_until(lambda: daemon.ctl_json("status")["subscribers"] == 1, "those who never read to be gone")


def stops_cleanly(folder):
    """SIGTERM: exit code 0, streams ended, control socket gone."""
    _, daemon = company.start(folder, ["appointment anna@example.test now-5m +1h busy"], ["anna@example.test"])
    daemon.wait_state("anna@example.test", "busy")
    events = harness.Events(daemon.port)
    events.wait(lambda d: d["address"] == "anna@example.test", "the snapshot")
    check_equal(daemon.stop(), 0, "exit code")
    wait_until(lambda: events.ended, "the stream to end")
    check(not harness.os.path.exists(daemon.socket), "the control socket is removed")
    check_equal(daemon.ctl("status")[0], 3, "freebusyctl without a daemon")
    for secret in ("svc-secret", "ZXhhbXBsZVxzdmMt", "RVhBTVBMRVxzdmMtcHJlc2VuY2U6"):
        check(secret not in daemon.program.log(), f"no secret in the log: {secret}")


if __name__ == "__main__":
    harness.run(punctual_and_resumed, killed_and_restarted, odd_addresses, state_words, watched_csv, never_reads,
                stops_cleanly)
