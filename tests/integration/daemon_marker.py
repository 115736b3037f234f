"""A marker in the calendar: an event with a configured category narrows what is told of its person while it lasts."""
import calendar
import contextlib
import hashlib
import os
import shutil
import subprocess
import time

import caldav_cases as common
import caldav_servers
import company
import harness
from harness import check, check_equal, wait_until

ANNA, BOB, CAT = "anna@example.test", "bob@example.test", "cat@example.test"
KEYWORDS = "urn:schemas-microsoft-com:office:office#Keywords"
MARKERS = "markers:\n  - { category: 'freebusyd:private', level: nothing }\n  - { category: Discreet, level: available }\n"
POLICY = "policy: { rules: [ { who: anonymous, whom: '*', level: times } ] }\nstate: { directory: '{folder}/state' }\n"
EVENT = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", "BEGIN:VEVENT", "UID:%s",
                     "DTSTAMP:20110101T000000Z", "DTSTART:%s", "DTEND:%s", "SUMMARY:secret", "CATEGORIES:%s",
                     "TRANSP:%s", "END:VEVENT", "END:VCALENDAR", ""])


def start(folder, *lines):
    """Nobody is asked by the clock here: what changes does so without a poll."""
    harness.secret_file(folder, "password", "svc-secret")
    os.mkdir(os.path.join(folder, "state"), 0o700)
    sim = harness.Simulator(folder, company.company(*lines))
    daemon = harness.Daemon(folder, company.yaml(sim.url, [ANNA, BOB], rules=POLICY + MARKERS, interval="1h",
                                                 stale="4h"))
    for address in (ANNA, BOB):
        wait_until(lambda: daemon.ctl_json("show", address)["state"] != "unknown", f"{address} to be read")
    return sim, daemon


def status_of(daemon, address):
    return daemon.get(f"/v1/presence/{address}")[0]


def asked(daemon):
    return daemon.ctl("privacy", "server")[1]


def marker_begins_and_ends(folder):
    """By the clock, in open streams, too; it makes nobody busy; the narrower of two holds; everybody is told why."""
    sim, daemon = start(folder, f"appointment {ANNA} now-1h +8h busy",
                        f"appointment {BOB} now-1h +3h free {KEYWORDS}=discreet",
                        f"appointment {BOB} now+5h +1h busy {KEYWORDS}=freebusyd:private")
    check(KEYWORDS in asked(daemon), "what is asked is told")
    bob = daemon.presence(BOB)
    check_equal((bob["state"], bob["until"], bob["next"]), ("free", None, None), "a free marker: no times, not busy")
    check_equal(daemon.presence(ANNA)["state"], "busy", "no marker")
    events = harness.Events(daemon.port)
    events.wait(lambda e: e["address"] == ANNA and e["state"] == "busy", "one without a marker")
    sim.lines(f"appointment {ANNA} now+8s +12s free {KEYWORDS}=Freebusyd:PRIVATE")
    daemon.ctl("refresh", ANNA)
    gone = events.wait(lambda e: e["address"] == ANNA and e["state"] == "unknown", "the stream to be narrowed")
    check_equal(gone[3]["reason"], "removed", "as if there were nobody")
    why = daemon.ctl("why", ANNA)[1]
    check("by a marker in the calendar" in why or status_of(daemon, ANNA) == 200, f"why, unless it is over: {why}")
    wait_until(lambda: any(e[3]["address"] == ANNA and e[3]["state"] == "busy" for e in events.events if e[0] > gone[0]),
               "the end of the marker")
    check_equal(status_of(daemon, ANNA), 200, "as before")
    daemon.ctl("audience", BOB, "kinds")
    code, out, _ = daemon.ctl("policy", "test", "anonymous", BOB)
    check(code == 0 and "by a marker in the calendar: at most available" in out, out)
    check("by a marker in the calendar, now: at most available" in daemon.ctl("audience")[1], "the list of choices")
    later = harness.utc(time.time() + 5 * 3600 + 600)
    check_equal(daemon.ctl("policy", "test", "anonymous", BOB, "--at", later)[0], 1, "another marker at another time")
    check("discreet" not in daemon.program.log().lower().replace(MARKERS.lower(), ""), "no category is logged")


class Stream(harness.Events):
    """Everybody, without a policy: what is told, in order."""

    def __init__(self, daemon, last_id=None):
        super().__init__(daemon.port, last_id=last_id)
        self.daemon = daemon

    def told(self):
        return [(e[3]["address"], e[3]["state"]) for e in list(self.events)]

    def upto(self, address, state):
        """Waits for that, and gives all that came up to it."""
        self.wait(lambda e: (e["address"], e["state"]) == (address, state), f"{address} to be {state}")
        return self.told()[:self.told().index((address, state)) + 1]

    def leave(self):
        """With the id of the last event."""
        last = self.events[-1][2]
        self.cut()
        wait_until(lambda: self.daemon.ctl_json("status")["subscribers"] == 0, "the daemon to notice that nobody reads")
        return last


def changes(sim, daemon, address, kind):
    sim.lines(f"appointment {address} now-1h +8h {kind}")
    daemon.ctl("refresh", address)
    wait_until(lambda: daemon.ctl_json("show", address)["state"] == kind, f"{address} to be {kind}")


def open_company(folder, *lines, identities=""):
    """Without a policy: only people's own word narrows anything."""
    harness.secret_file(folder, "password", "svc-secret")
    os.mkdir(os.path.join(folder, "state"), 0o700)
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in (ANNA, BOB, CAT)], *lines))
    daemon = harness.Daemon(folder, company.yaml(sim.url, [ANNA, BOB, CAT], interval="1h", stale="4h",
                                                 rules="state: { directory: '{folder}/state' }\n" + MARKERS + identities))
    for address in (ANNA, BOB, CAT):
        wait_until(lambda: daemon.ctl_json("show", address)["state"] != "unknown", f"{address} to be read")
    return sim, daemon


def resumed_beside_a_marker(folder):
    """One marker days ahead does not take everybody's place in their streams; what happened while somebody was hidden is
    told to nobody who comes back, nor does an id count it."""
    sim, daemon = open_company(folder, f"appointment {BOB} now+5h +1h free {KEYWORDS}=freebusyd:private")
    stream = Stream(daemon)
    for address in (ANNA, BOB, CAT):
        stream.wait(lambda e: e["address"] == address, "everybody")  # pylint: disable=cell-var-from-loop
    changes(sim, daemon, ANNA, "tentative")
    stream.upto(ANNA, "tentative")
    ids = [e[2] for e in stream.events]
    check(len(set(ids)) == len(ids) and {len(i or "") for i in ids} == {160}, f"ids that tell nothing: {ids}")
    place = stream.leave()
    daemon.ctl("audience", ANNA, "off")
    changes(sim, daemon, ANNA, "busy")
    daemon.ctl("audience", ANNA, "default")
    changes(sim, daemon, ANNA, "oof")
    stream = Stream(daemon, place)
    stream.upto(BOB, "free")
    changes(sim, daemon, CAT, "busy")
    check_equal(sorted(stream.upto(CAT, "busy")), [(ANNA, "oof"), (BOB, "free"), (CAT, "busy")], "who came back")
    place = stream.leave()
    daemon.ctl("audience", ANNA, "off")
    stream = Stream(daemon, place)
    stream.upto(BOB, "free")
    changes(sim, daemon, CAT, "oof")
    check_equal(sorted(stream.upto(CAT, "oof")), [(ANNA, "unknown"), (BOB, "free"), (CAT, "oof")], "who was hidden since")
    place = stream.leave()
    for forged in ["f" * 160, place[:-1], place[:100] + ("0" if place[100] != "0" else "1") + place[101:]]:
        stream = Stream(daemon, forged)
        stream.upto(CAT, "oof")
        check_equal(sorted(stream.told()), [(BOB, "free"), (CAT, "oof")], f"not one of ours: {forged}")
        stream.leave()
    stream = Stream(daemon, place)
    check_equal(stream.upto(BOB, "free"), [(BOB, "free")], "nobody is told again of somebody who stays hidden")
    place = stream.leave() or place
    daemon.ctl("audience", ANNA, "default")
    stream = Stream(daemon, place)
    stream.upto(ANNA, "oof")
    check("tentative" not in str(stream.told()), "shown again, though nothing has changed but that")
    stream.leave()
    daemon.ctl("audience", ANNA, "off")
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    daemon.write(text.replace(f"  - {{ address: \"{ANNA}\", server: hq }}\n", ""))
    check_equal(daemon.ctl("reload", "--confirm")[0], 0, "somebody hidden leaves")
    stream = Stream(daemon, place)
    stream.upto(CAT, "oof")
    check_equal(sorted(stream.told()), [(BOB, "free"), (CAT, "oof")], "which nobody hears")


def resumed_past_a_choice(folder):
    """A cursor from before somebody was hidden, when nobody is any more."""
    sim, daemon = open_company(folder)
    stream = Stream(daemon)
    stream.upto(CAT, "free")
    changes(sim, daemon, CAT, "tentative")
    stream.upto(CAT, "tentative")
    place = stream.leave()
    check("-" in place, f"as things are when nobody is hidden: {place}")
    daemon.ctl("audience", ANNA, "off")
    changes(sim, daemon, ANNA, "tentative")
    changes(sim, daemon, ANNA, "busy")
    stream = Stream(daemon, place)
    changes(sim, daemon, CAT, "busy")
    check_equal(sorted(stream.upto(CAT, "busy")), [(ANNA, "unknown"), (CAT, "busy")], "while she is hidden")
    stream.leave()
    changes(sim, daemon, ANNA, "oof")
    daemon.ctl("audience", ANNA, "default")
    stream = Stream(daemon, place)
    stream.upto(ANNA, "oof")
    changes(sim, daemon, CAT, "oof")
    check_equal(sorted(stream.upto(CAT, "oof")), [(ANNA, "oof"), (CAT, "busy"), (CAT, "oof")], "nothing of what was hidden")
    place = stream.leave()
    changes(sim, daemon, BOB, "busy")
    stream = Stream(daemon, place)
    check_equal(stream.upto(BOB, "busy"), [(BOB, "busy")], "an id of that stream is good for the next")
    check("-" in stream.leave(), "and all is as before")


def shown_to_administrators(folder):
    """Level and end of what narrows somebody now, and nothing of the event; to administrators only."""
    tokens = {role: "fbd_" + role for role in ("admin", "reader")}
    harness.secret_file(folder, "ids", "\n".join(f"{role}-one role={role} token=sha256:"
                                                 + hashlib.sha256(t.encode()).hexdigest() for role, t in tokens.items()))
    _, daemon = open_company(folder, f"appointment {BOB} now-1h +3h free {KEYWORDS}=discreet",
                             f"appointment {BOB} now+1h +1h free {KEYWORDS}=freebusyd:private",
                             identities="identities_file: ids\n")

    def page(role):
        return daemon.get(f"/person/{BOB}", {"Authorization": f"Bearer {tokens[role]}"})[1]

    seen = daemon.ctl_json("show", BOB)["audience"]
    check_equal((seen["level"], seen["by"]), ("available", "marker"), "the marker that holds")
    ends = calendar.timegm(time.strptime(seen["until"], "%Y-%m-%dT%H:%M:%SZ"))
    check(0 < ends - time.time() <= 3601, f"until another one begins: {seen}")
    check("told at most: available, by a marker in the calendar, until" in daemon.ctl("show", BOB)[1], "in words")
    check("A marker in the calendar lets others be told at most <code>available</code> until" in page("admin"), "the page")
    check("at most" not in page("reader"), "which is not for readers")
    check_equal(daemon.ctl_json("show", ANNA)["audience"], None, "nobody else")
    daemon.ctl("audience", BOB, "off")
    check_equal(daemon.ctl_json("show", BOB)["audience"], {"level": "nothing", "by": "choice", "until": None}, "a choice")
    check("own choice lets others be told at most <code>nothing</code>.</p>" in page("admin"), "of no end")
    for text in (page("admin"), *daemon.ctl("show", BOB), *daemon.ctl("--json", "show", BOB)):
        check("discreet" not in str(text).lower() and "private" not in str(text).lower(), "no category is shown")


def marker_over_restart(folder):
    """It holds before the first answer of the next life; a reload that forgets it has to be confirmed."""
    sim, daemon = start(folder, f"appointment {ANNA} now-1h +30d oof {KEYWORDS}=freebusyd:private",
                        f"appointment {BOB} now-1h +8h busy")
    check_equal((status_of(daemon, ANNA), status_of(daemon, BOB)), (404, 200), "who has a marker")
    daemon.stop()
    sim.program.stop()
    daemon.start()
    check_equal((status_of(daemon, ANNA), status_of(daemon, BOB)), (404, 200), "after a restart, without the server")
    check_equal(daemon.ctl_json("show", ANNA)["state"], "oof", "what is known of somebody hidden")
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    daemon.write(text.replace(MARKERS, ""))
    code, out, err = daemon.ctl("reload")
    check(code != 0 and "--confirm" in out + err, f"without markers people are told of: {out}{err}")
    check_equal(status_of(daemon, ANNA), 404, "nothing has changed")
    check_equal(daemon.ctl("reload", "--confirm")[0], 0, "confirmed")
    check_equal(status_of(daemon, ANNA), 200, "no markers any more")
    check(KEYWORDS not in asked(daemon), "no category is asked for")
    daemon.write(text.replace("kind: exchange", "kind: exchange\n    read: freebusy"))
    for program in ([harness.FREEBUSYD, "--check-config", "--config", daemon.config],
                    [harness.FREEBUSYCTL, "check", "--config", daemon.config]):
        err = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False).stderr
        check("server hq is read for busy times only" in err and "say read: calendar" in err, f"who has no markers: {err}")


def radicale_marker(folder):
    """Categories of a real server: an all-day series that is free, among other categories; then it is taken away."""
    harness.secret_file(folder, "password", "svcpw")
    os.chmod(folder, 0o755)
    case = {"id": "anna", "person": "anna@example.org", "owner": None, "calendar_tz": "UTC"}
    server = caldav_servers.Radicale(os.path.join(folder, "radicale"), ["anna"])
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(shutil.rmtree, server.folder, True)
        stack.callback(server.stop)
        check(not server.make_calendar(case, ["VEVENT"]), "a calendar")
        now = time.time()
        busy = EVENT % ("busy", harness.utc(now - 3600, common.FORM), harness.utc(now + 36000, common.FORM), "Work", "OPAQUE")
        days = EVENT % ("days", "20200101T000000Z", "20200102T000000Z", "Private matters,FREEBUSYD:Private\\, no,"
                        "freebusyd:private", "TRANSPARENT")
        check(server.store(case, "busy.ics", busy) in (201, 204), "an event")
        yaml = f"""servers:
  - {{ name: office, kind: caldav, url: {server.url}{server.root}, account: svc, password_file: password, auth: [basic],
      tls: {{ ca_file: {server.ca_file} }}, calendars: ["{server.template}"] }}
users: [ {{ address: {case["person"]}, server: office }} ]
poll: {{ interval: 1s, window: 14d }}
publish: {{ http: {{ listen: ["127.0.0.1:0"] }} }}
control: {{ socket: "{{folder}}/control.sock" }}
"""
        daemon = harness.Daemon(folder, yaml + MARKERS)
        daemon.wait_state(case["person"], "busy")
        check(server.store(case, "days.ics", days.replace("DTEND", "RRULE:FREQ=DAILY\r\nDTEND")) in (201, 204), "a series")
        wait_until(lambda: status_of(daemon, case["person"]) == 404, "the marker to be seen")
        check_equal(daemon.ctl_json("show", case["person"])["state"], "busy", "known as before")
        check(server.store(case, "days.ics", days.replace("FREEBUSYD", "X").replace("freebusyd:private", "y")) in (201, 204),
              "other categories")
        wait_until(lambda: status_of(daemon, case["person"]) == 200, "it to be over")
        check("Private matters" not in daemon.program.log(), "no category is logged")
        daemon.stop()


if __name__ == "__main__":
    harness.run(marker_begins_and_ends, marker_over_restart, resumed_beside_a_marker, resumed_past_a_choice, shown_to_administrators,
                radicale_marker)
