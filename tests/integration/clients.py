"""Calendar programs read us as they are: each shows the same busy periods as the simulator's file."""
import base64
import datetime
import hashlib
import http.client
import os
import subprocess
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

import company
import harness
from harness import check, check_equal, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
import evolution as evolution_peer  # noqa: E402
import thunderbird as thunderbird_peer  # noqa: E402

ANNA, BOB, ODD = "anna@example.test", "bob@example.test", "c+d&e@example.test"
GONE, NOBODY = "carol@away.test", "nobody@example.test"
KINDS = {"tentative": "BUSY-TENTATIVE", "busy": "BUSY", "oof": "BUSY-UNAVAILABLE"}
STRENGTH = list(KINDS.values())
PASSWORD, REALM = "open-sesame-please", "freebusyd"
C, D = "{urn:ietf:params:xml:ns:caldav}", "{DAV:}"


class World:
    """The simulator with a day of meetings, tomorrow; the daemon that reads it, with anna's and bob's password; and a
    person whose server is not there."""

    def __init__(self, folder, stale="15m", more="", wait=(ANNA, BOB, ODD)):
        self.day = (int(time.time()) // 86400 + 1) * 86400
        self.start, self.end = self.at(0), self.at(24 * 60)
        lines = [
            self.meeting(*m)
            for m in ((ANNA, 9 * 60, 60, "busy"), (ANNA, 10 * 60, 30, "busy"), (ANNA, 13 * 60 + 5, 50, "tentative"),
                      (ANNA, 13 * 60 + 30, 15, "oof"), (ANNA, 18 * 60, 60, "free"), (BOB, 8 * 60, 8 * 60, "oof"),
                      (ODD, 23 * 60, 30, "tentative"))
        ]
        harness.secret_file(folder, "password", "svc-secret")
        harness.secret_file(folder, "web", PASSWORD)
        harness.secret_file(folder, "identities",
                                "".join(f"{who} password={scrypt(PASSWORD)}\n" for who in (ANNA, BOB)).strip())
        self.sim = harness.Simulator(folder, company.company(*lines))
        yaml = company.yaml(self.sim.url, [ANNA, BOB, ODD], [f"{{ address: {GONE}, server: gone }}"], stale=stale)
        gone = yaml[yaml.index("  - name: hq"):yaml.index("users:")].replace("name: hq", "name: gone").replace(
            f":{self.sim.port}/", ":1/")
        yaml = yaml.replace("users:", gone + "users:", 1)
        self.daemon = harness.Daemon(folder, yaml + "identities_file: identities\n" + more)
        self.url = f"http://127.0.0.1:{self.daemon.port}"
        self.calendar = f"{self.url}/dav/calendars/{ANNA}/calendar/"
        self.outbox = f"/dav/calendars/{ANNA}/outbox/"
        for person in wait:
            wait_until(lambda: self.knows_the_day(person), f"{person} to be known")

    def knows_the_day(self, person):
        """The distant days may come after the next hours."""
        status, text, _ = self.ask("GET", "/freebusy/" + quoted(person))
        end = [line[6:] for line in text.splitlines() if line.startswith("DTEND:")]
        return status == 200 and end and end[0] >= self.end

    def at(self, minute):
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.day + 60 * minute))

    def meeting(self, who, begin, minutes, kind):
        return f"appointment {who} {harness.utc(self.day + 60 * begin)} +{minutes}m {kind}"

    def expected(self, who):
        """By the simulator's file: minute by minute, the strongest kind."""
        minutes = [-1] * (24 * 60 + 1)
        with open(self.sim.data_path, encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if words[:2] != ["appointment", who] or words[4] not in KINDS:
                    continue
                begin = datetime.datetime.fromisoformat(words[2].replace("Z", "+00:00")).timestamp() - self.day
                for minute in range(int(begin) // 60, int(begin) // 60 + int(words[3][1:-1])):
                    minutes[minute] = max(minutes[minute], STRENGTH.index(KINDS[words[4]]))
        found, since = [], 0
        for minute in range(1, len(minutes)):
            if minutes[minute] != minutes[since]:
                if minutes[since] >= 0:
                    found.append((self.at(since), self.at(minute), STRENGTH[minutes[since]]))
                since = minute
        return found

    def check_periods(self, who, got, program):
        expected = self.expected(who)
        check(len(expected) > 0, f"{who} has meetings in the simulator's file")
        check_equal(sorted(tuple(p) for p in got), sorted(expected), f"what {program} shows of {who}")

    def ask(self, method, path, body=None, headers=None, login=ANNA):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=60)
        secret = base64.b64encode(f"{login}:{PASSWORD}".encode()).decode()
        try:
            connection.request(method, path, body, {"Authorization": "Basic " + secret, **(headers or {})})
        except OSError:
            pass  # it was told that this is too much before it had said all
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        return response.status, text, response.headers

    def post(self, people, organizer=ANNA, more="", path=None, **changes):
        """Status and text of a question to the outbox."""
        lines = {"BEGIN": "VCALENDAR", "METHOD": "REQUEST"} | changes
        text = "".join(f"{k}:{v}\r\n" for k, v in lines.items()) + "BEGIN:VFREEBUSY\r\nUID:42\r\n"
        text += f"ORGANIZER;CN=\"A: B\":mailto:{organizer}\r\nDTSTART:{self.start}\r\nDTEND:{self.end}\r\n" + more
        text += "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{p}\r\n" for p in people)
        return self.ask("POST", path or self.outbox, (text + "END:VFREEBUSY\r\nEND:VCALENDAR\r\n").encode(),
                        {"Content-Type": "text/calendar; charset=utf-8"})


def scrypt(password):
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=16384, r=8, p=1, dklen=32, maxmem=64 << 20)
    return f"scrypt:16384:8:1:{base64.b64encode(salt).decode()}:{base64.b64encode(digest).decode()}"


def quoted(address):
    return urllib.parse.quote(address, safe="@")


def answers(text):
    """{recipient: (status, periods)} of a schedule-response."""
    root = ElementTree.fromstring(text)
    check_equal(root.tag, C + "schedule-response", "the root")
    found = {}
    for response in root:
        data = response.findtext(C + "calendar-data")
        status = response.findtext(C + "request-status")
        found[response.findtext(f"{C}recipient/{D}href")] = (status, data and periods(data))
    return found


def periods(text):
    """XML and text files leave of each CRLF the LF."""
    return harness.ifb_periods(text.replace("\r\n", "\n").replace("\n", "\r\n"))


def curl(folder):
    """The address, the discovery and the outbox, as a script would ask them."""
    world = World(folder)

    def run(*args):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "--netrc-file",
                               os.path.join(folder, "netrc"), *args],
                              capture_output=True,
                              text=True,
                              timeout=90,
                              check=False)
        check_equal(done.returncode, 0, f"curl {args}: {done.stderr}")
        return done.stdout

    harness.secret_file(folder, "netrc", f"machine 127.0.0.1 login {ANNA} password {PASSWORD}")
    for who in (ANNA, BOB, ODD):
        for suffix in ("", ".ifb", ".vfb"):
            text = run(f"{world.url}/freebusy/{quoted(who)}{suffix}?start={world.start}&end={world.end}")
            world.check_periods(who, periods(text), "curl")

    def found(path, name, *more):
        text = run("-L", "-X", "PROPFIND", "-H", "Depth: 0", "--data",
                   f"<propfind xmlns='DAV:'><prop>{name}</prop></propfind>", *more, world.url + path)
        return ElementTree.fromstring(text).findtext(f".//{D}prop/*/{D}href")

    principal = found("/.well-known/caldav", "<current-user-principal/>")
    check_equal(principal, f"/dav/principals/{ANNA}/", "the principal")
    check_equal(found("/", "<current-user-principal/>"), principal, "the principal, from the site's root")
    outbox = found(principal, "<schedule-outbox-URL xmlns='urn:ietf:params:xml:ns:caldav'/>")
    check_equal(outbox, world.outbox, "the outbox")
    check("calendar-auto-schedule" in run("-i", "-X", "OPTIONS", world.url + outbox), "OPTIONS tells of scheduling")


def outbox(folder):
    """One answer for each attendee; nobody is free because nothing is known."""
    world = World(folder)
    people = [
        ANNA, BOB,
        ODD.replace("&", "%26"), NOBODY, GONE, "Bob@EXAMPLE.test", "bob+tag@example.test", "../" + BOB,
        "not an address", "w\u00f6rd@example.test"
    ]
    status, text, _ = world.post(people)
    check_equal(status, 200, text)
    got = answers(text)
    check_equal(list(got), ["mailto:" + p for p in people], "who is answered about, in order")
    for who, asked in ((ANNA, ANNA), (BOB, BOB), (ODD, people[2]), (BOB, "Bob@EXAMPLE.test")):
        check_equal(got["mailto:" + asked][0], "2.0;Success", asked)
        world.check_periods(who, got["mailto:" + asked][1], "the outbox")
    for who in (NOBODY, "bob+tag@example.test", "../" + BOB, "not an address", "w\u00f6rd@example.test"):
        check_equal(got["mailto:" + who], ("3.7;Invalid calendar user", None), who)
    check_equal(got["mailto:" + GONE], ("5.1;Service unavailable", None), "somebody who was never read")
    check("METHOD:REPLY" in text and "UID:42" in text and f"ATTENDEE:mailto:{BOB}" in text,
          f"what a reply repeats: {text}")
    old = (world.day - 400 * 86400, world.day - 399 * 86400)
    times = [time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(t)) for t in old]
    saved = (world.start, world.end)
    world.start, world.end = times
    check_equal(
        answers(world.post([BOB])[1])["mailto:" + BOB], ("5.1;Service unavailable", None), "a time that nobody read")
    world.start, world.end = saved

    report = (f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="{world.start}" '
              f'end="{world.end}"/></C:free-busy-query>')
    for path in (f"/dav/principals/{BOB}/", f"/dav/calendars/{BOB}/", f"/dav/calendars/{BOB}/calendar/"):
        status, text, _ = world.ask("REPORT", path, report, {"Depth": "infinity"})
        check_equal(status, 200, f"free-busy-query on {path}: {text}")
        world.check_periods(BOB, harness.ifb_periods(text), "a free-busy-query")
    check_equal(
        world.ask("REPORT", f"/dav/principals/{GONE}/", report)[0], 503, "a query about somebody who was never read")
    check_equal(world.ask("REPORT", f"/dav/principals/{NOBODY}/", report)[0], 404, "a query about nobody")


def stale(folder):
    """Somebody whose calendar is too old is unknown in every spelling, and never free."""
    world = World(folder, stale="5s")
    world.sim.program.stop()
    wait_until(lambda: world.ask("GET", "/freebusy/" + BOB)[0] == 503, "what is known to be too old")
    check_equal(answers(world.post([BOB])[1])["mailto:" + BOB], ("5.1;Service unavailable", None), "the outbox")
    report = (f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="{world.start}" '
              f'end="{world.end}"/></C:free-busy-query>')
    check_equal(world.ask("REPORT", f"/dav/principals/{BOB}/", report)[0], 503, "a free-busy-query")
    for method in ("PROPFIND", "GET"):
        status = world.ask(method, f"/dav/calendars/{BOB}/busy/", None, {"Depth": "1"})[0]
        check_equal(status, 503, f"{method} of busy times")
    sync = ("<sync-collection xmlns='DAV:'><sync-token/><sync-level>1</sync-level><prop><getetag/></prop>"
            "</sync-collection>")
    check_equal(world.ask("REPORT", f"/dav/calendars/{BOB}/busy/", sync)[0], 503, "sync-collection")
    check_equal(world.ask("PROPFIND", f"/dav/calendars/{ANNA}/calendar/", None, {"Depth": "1"})[0], 207,
                "what programs attach to is there all the same")


def policy(folder):
    """What the policy does not grant is not there, under any spelling; what it grants in another shape comes in it."""
    world = World(folder, more=f"""policy:
  rules:
    - {{ who: {ANNA}, whom: self, level: times }}
    - {{ who: {ANNA}, whom: "{BOB}", level: times, merge: true, grid: 6h }}
    - {{ who: {ANNA}, whom: "{ODD}", level: kinds }}
    - {{ who: {BOB}, whom: "{ODD}", level: times }}
    - {{ who: anonymous, whom: "{BOB}", level: times }}
""", wait=(ANNA, BOB))
    day = [(world.at(6 * 60), world.at(18 * 60), "BUSY")]
    got = answers(world.post([ANNA, BOB, ODD, GONE, NOBODY])[1])
    world.check_periods(ANNA, got["mailto:" + ANNA][1], "the outbox")
    check_equal(got["mailto:" + BOB], ("2.0;Success", day), "bob, coarse and merged")
    for who in (ODD, GONE, NOBODY):
        check_equal(got["mailto:" + who], ("3.7;Invalid calendar user", None), f"{who} is nobody")
    refusal = world.ask("GET", "/freebusy/" + NOBODY)[:2]
    report = (f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="{world.start}" '
              f'end="{world.end}"/></C:free-busy-query>')
    for who in (quoted(ODD), GONE):
        busy = f"/dav/calendars/{who}/busy/"
        for method, path, body in (("GET", f"/freebusy/{who}.ifb", None), ("PROPFIND", busy, None), ("GET", busy, None),
                                   ("PROPFIND", f"/dav/principals/{who}/", None), ("OPTIONS", busy[:-5], None),
                                   ("REPORT", f"/dav/principals/{who}/", report)):
            check_equal(world.ask(method, path, body, {"Depth": "0"})[:2], refusal, f"{method} {path} is as for nobody")
    check_equal(world.ask("GET", f"/freebusy/{quoted(ODD)}", login=BOB)[0], 200, "bob may")
    check_equal(world.daemon.get(f"/freebusy/{BOB}")[0], 200, "anonymous may see bob")
    check_equal(world.daemon.get(f"/freebusy/{ANNA}")[:2], refusal, "and nobody else")
    check_equal(world.daemon.get("/dav/", {"Depth": "0"}, "PROPFIND")[0], 401, "a program is asked for its password")


def bad_input(folder):
    """What is refused, with which status; the daemon lives."""
    world = World(folder)

    def refused(what, status, condition, got):
        check(got[0] == status and condition in got[1],
              f"{what}: expected {status} {condition}, got {got[0]} {got[1][:500]}")

    refused("another organiser", 403, "valid-organizer", world.post([BOB], organizer=BOB))
    refused("nobody as organiser", 403, "valid-organizer", world.post([BOB], organizer="x"))
    refused("two organisers", 403, "valid-scheduling-message", world.post([BOB], more=f"ORGANIZER:mailto:{ANNA}\r\n"))
    refused("somebody else's outbox", 404, "no-such-person", world.post([ANNA], path=f"/dav/calendars/{BOB}/outbox/"))
    refused("a calendar", 403, "supported-collection", world.post([BOB], path=f"/dav/calendars/{ANNA}/calendar/"))
    for spelt in (BOB.replace("@", "+tag@"), "../" + BOB, BOB.replace("@", "%2540")):
        status, text, _ = world.post([spelt])
        check(status == 200 and "<C:request-status>3.7" in text and "FREEBUSY;" not in text, f"{spelt} is nobody: {text}")
    refused("501 attendees", 403, "max-attendees-per-instance", world.post([BOB] * 501))
    check_equal(world.post([BOB] * 500)[0], 200, "500 attendees")
    for count, status in ((10000, 403), (100000, 413)):
        got = world.post([f"user{i:06}@example.test" for i in range(count)])
        check_equal(got[0], status, f"{count} attendees: {got[1][:300]}")
    refused("an invitation", 403, "valid-scheduling-message", world.post([BOB], METHOD="CANCEL"))
    nested = "BEGIN:VFREEBUSY\r\n" * 1000
    refused("components in components", 400, "valid-calendar-data", world.post([BOB], more=nested))
    refused("a calendar in a calendar", 400, "valid-calendar-data", world.post([BOB], more="BEGIN:VCALENDAR\r\n"))
    refused("a time without zone", 403, "valid-scheduling-message", world.post([BOB], more="DTEND:20261122T090000\r\n"))
    refused("a control character", 400, "valid-calendar-data", world.post([BOB], more="COMMENT:\x01\r\n"))
    refused("half a calendar", 400, "valid-calendar-data",
            world.ask("POST", world.outbox, "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n", {"Content-Type": "text/calendar"}))
    refused("another type", 415, "supported-calendar-data",
            world.ask("POST", world.outbox, "{}", {"Content-Type": "application/json"}))

    home = f"/dav/calendars/{ANNA}/"
    refused("broken XML", 400, "bad-xml", world.ask("PROPFIND", home, "<propfind xmlns='DAV:'><prop>", {"Depth": "0"}))
    refused("an entity", 400, "bad-xml",
            world.ask("PROPFIND", home, "<!DOCTYPE x [<!ENTITY a 'b'>]><propfind xmlns='DAV:'>&a;</propfind>"))
    refused("deep XML", 400, "bad-xml", world.ask("PROPFIND", home, "<propfind xmlns='DAV:'>" + "<a>" * 5000))
    refused("many properties", 413, "question-too-large",
            world.ask("PROPFIND", home, "<propfind xmlns='DAV:'><prop>" + "<a/>" * 5000 + "</prop></propfind>"))
    refused("infinity", 403, "propfind-finite-depth", world.ask("PROPFIND", home, None, {"Depth": "infinity"}))
    refused("a huge depth", 400, "bad-depth", world.ask("PROPFIND", home, None, {"Depth": "9" * 1000}))
    refused("an unknown report", 403, "supported-report", world.ask("REPORT", home, "<x xmlns='DAV:'/>"))
    for method in ("PUT", "DELETE", "MKCALENDAR", "PROPPATCH", "MOVE", "LOCK"):
        refused(method, 403, "need-privileges", world.ask(method, home + "calendar/", ""))
    check_equal(world.ask("BREW", home)[0], 501, "a method that nobody knows")
    for path in ("/dav/calendars/../principals/", f"/dav//principals/{ANNA}/", "/dav/%2e%2e/",
                 f"/dav/principals/{NOBODY}/", f"/dav/principals/{ANNA}/x/", f"/dav/calendars/{ANNA}/calendar/x/",
                 f"/dav/principals%2F{ANNA}/", f"/dav/principals/{quoted(ANNA).replace('@', '%2540')}/",
                 f"/dav/calendars/{BOB}/inbox/", "/davx/", f"/dav/principals/{BOB.replace('@', '+tag@')}/",
                 f"/dav/principals/{BOB.replace('@', '%2Btag@')}/"):
        check_equal(world.ask("PROPFIND", path, None, {"Depth": "0"})[0], 404, path)
    check_equal(world.ask("PROPFIND", "/dav/principals/%00/", None, {"Depth": "0"})[0], 400, "a NUL")
    check_equal(world.ask("PROPFIND", f"/dav/principals/{ANNA.upper()}/", None, {"Depth": "0"})[0], 207, "without case")
    check_equal(world.daemon.get("/dav/", method="PROPFIND")[0], 401, "nobody is told without a name")
    check_equal(world.daemon.get("/.well-known/caldav", method="PROPFIND")[0], 301, "but where to ask")
    search = ("<principal-property-search xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><property-search><prop>"
              "<C:calendar-user-address-set/></prop><match>{}</match></property-search><prop><displayname/></prop>"
              "</principal-property-search>")
    for match, count in ((BOB, 1), ("mailto:" + BOB, 1), ("bob", 0), ("@example.test", 0), ("", 0), (NOBODY, 0)):
        status, text, _ = world.ask("REPORT", "/dav/principals/", search.format(match), {"Depth": "0"})
        check_equal((status, len(ElementTree.fromstring(text))), (207, count), f"a search for {match!r}: {text}")


def python_caldav(folder):
    """python3-caldav finds its way from the site's address, and asks."""
    import caldav
    world = World(folder)
    client = caldav.DAVClient(world.url + "/dav/", username=ANNA, password=PASSWORD)
    principal = client.principal()
    calendars = principal.calendars()
    check_equal([urllib.parse.unquote(str(c.url)) for c in calendars],
                [world.calendar, world.calendar.replace("/calendar/", "/busy/")], "the calendars that it finds")
    start, end = (datetime.datetime.fromtimestamp(world.day + d, datetime.timezone.utc) for d in (0, 86400))
    for who in (ANNA, BOB):
        calendar = client.calendar(url=world.calendar.replace(ANNA, who))
        world.check_periods(who, periods(calendar.freebusy_request(start, end).data), "python3-caldav")


def vdirsyncer(folder):
    """vdirsyncer keeps busy times as files: it finds its own collection, and follows a change; a calendar that is not
    known leaves the files alone."""
    world = World(folder)
    os.mkdir(os.path.join(folder, "bob"))
    with open(os.path.join(folder, "vdirsyncer.conf"), "w", encoding="utf-8") as file:
        file.write(f"""[general]
status_path = "{folder}/status"
[pair anna]
a = "anna_files"
b = "anna_web"
collections = ["busy"]
[pair bob]
a = "bob_files"
b = "bob_web"
collections = null
""")
        for name, path, url in (("anna", folder, "/dav/"), ("bob", folder + "/bob", f"/dav/calendars/{BOB}/busy/")):
            file.write(f"""[storage {name}_files]
type = "filesystem"
path = "{path}"
fileext = ".ics"
[storage {name}_web]
type = "caldav"
url = "{world.url}{url}"
username = "{ANNA}"
password.fetch = ["command", "cat", "{folder}/web"]
read_only = true
""")

    def run(*args, code=0):
        done = subprocess.run(["vdirsyncer", "-c", os.path.join(folder, "vdirsyncer.conf"), *args], input="y\n" * 20,
                              capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"})
        check_equal(done.returncode, code, f"vdirsyncer {args}: {done.stdout[-1500:]}{done.stderr[-1500:]}")

    def shown(where):
        kinds = {"BUSY": "BUSY", "TENTATIVE": "BUSY-TENTATIVE", "OOF": "BUSY-UNAVAILABLE"}
        found = []
        for name in os.listdir(os.path.join(folder, where)):
            with open(os.path.join(folder, where, name), encoding="utf-8") as file:
                lines = dict(line.strip().split(":", 1) for line in file)
            found.append((lines["DTSTART"], lines["DTEND"], kinds[lines["X-MICROSOFT-CDO-BUSYSTATUS"]]))
        return found

    run("discover")
    run("sync")
    world.check_periods(ANNA, shown("busy"), "vdirsyncer")
    world.check_periods(BOB, shown("bob"), "vdirsyncer")

    line = world.meeting(BOB, 20 * 60, 45, "busy")
    with open(world.sim.data_path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    world.sim.lines(line)
    check_equal(world.daemon.ctl("refresh", BOB)[0], 0, "bob is asked about at once, the distant days, too")
    wait_until(lambda: len(periods(world.ask("GET", f"/freebusy/{BOB}")[1])) == 2, "the new meeting to be known")
    run("sync", "bob")
    world.check_periods(BOB, shown("bob"), "vdirsyncer, after a change")
    busy = f"/dav/calendars/{GONE}/busy/"
    check_equal([world.ask(m, busy, None, {"Depth": "1"})[0] for m in ("PROPFIND", "GET")], [503, 503],
                "busy times of somebody who was never read")
    check_equal(world.ask("PROPFIND", f"/dav/calendars/{NOBODY}/busy/", None, {"Depth": "1"})[0], 404, "nobody's")
    status, text, _ = world.ask("GET", f"/dav/calendars/{BOB}/busy/")
    check_equal((status, text.count("BEGIN:VEVENT"), text.count("BEGIN:VCALENDAR")), (200, 2, 1), "all in one file")
    item = f"{busy.replace(GONE, BOB)}{world.at(480)}-{world.at(960)}-oof.ics"
    check_equal(world.ask("GET", item)[0], 200, "an item")
    for wrong in (item.replace("oof", "busy"), item.replace("T080000Z", "T080001Z", 1), item.replace(".ics", ".icsx"),
                  item.replace("oof", "unknown"), item + "/x"):
        check_equal(world.ask("GET", wrong)[0], 404, wrong)


def evolution(folder):
    """Evolution's data server: who is known is shown as in the simulator's file, who is not is not shown as free."""
    world = World(folder)
    got = evolution_peer.free_busy(os.path.join(folder, "evolution"), world.calendar, ANNA, PASSWORD, ANNA, world.start,
                                   world.end, [BOB, ANNA, ODD, NOBODY, GONE])
    for who in (ANNA, BOB, ODD):
        check(got[who] is not None, f"an answer about {who}: {got}")
        world.check_periods(who, got[who], "Evolution")
    check_equal((got[NOBODY], got[GONE]), (None, None), "nobody is free because nothing is known")


def thunderbird(folder):
    """Thunderbird finds its calendar at the site, and fills its attendees' window by its free/busy service."""
    world = World(folder)
    with thunderbird_peer.Thunderbird(os.path.join(folder, "thunderbird")) as program:
        check_equal(program.calendars(world.url, ANNA, PASSWORD), [["Free/busy", world.calendar, True], [
            "Busy: " + ANNA, world.calendar.replace("/calendar/", "/busy/"), True]], "what it finds at the site")
        got = program.free_busy(world.calendar, REALM, ANNA, PASSWORD, world.start, world.end,
                                [BOB, ANNA, ODD, NOBODY, GONE])
    check_equal(got.get("outbox"), world.url + world.outbox, f"the outbox that it finds: {got}")
    for who in (ANNA, BOB, ODD):
        check(got["people"][who] is not None, f"an answer about {who}: {got}")
        world.check_periods(who, [p for p in got["people"][who] if p[2].startswith("BUSY")], "Thunderbird")


if __name__ == "__main__":
    harness.run(curl, outbox, policy, stale, bad_input, python_caldav, vdirsyncer, evolution, thunderbird)
