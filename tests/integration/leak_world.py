"""Calendars with marker strings in every field that holds a text, on servers of each kind: a simulated Exchange, a real
CalDAV server, free/busy files, and a CalDAV server that this test plays for what a real one does not take. What lies on
the way to them is kept, so that it can be shown that the markers were there to be leaked."""
import http.server
import os
import secrets
import sys
import threading
import time

import company
import daemon_hostile
import harness
from capture import Capture
from harness import check

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
import caldav_servers  # noqa: E402

ANNA, BOB, CAT = "anna@example.test", "bob@example.test", "cat@example.test"
WELL = (ANNA, BOB, CAT)
FORM = "%Y%m%dT%H%M%SZ"
APPOINTMENT = "http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-C000-000000000046}/"
COMMON = "http://schemas.microsoft.com/mapi/id/{00062008-0000-0000-C000-000000000046}/"
TAG = "http://schemas.microsoft.com/mapi/proptag/"
EXCHANGE_TEXTS = (
    ["urn:schemas:httpmail:" + n for n in ("textdescription", "htmldescription", "to", "cc", "bcc", "from", "fromname",
                                           "sendername", "displayto", "displaycc", "normalizedsubject",
                                           "attachmentfilename", "thread-topic")] +
    ["urn:schemas:calendar:" + n for n in ("organizer", "contact", "contacturl", "meetingurl", "resources",
                                           "locationurl", "attendeerole", "timezone", "transparent")] +
    ["urn:schemas:mailheader:" + n for n in ("subject", "to", "cc", "thread-topic", "keywords", "comments", "from")] +
    ["http://schemas.microsoft.com/exchange/" + n for n in ("keywords-utf8", "permanenturl", "outlookmessageclass")] +
    ["urn:schemas-microsoft-com:office:office#Keywords", "DAV:comment", "DAV:displayname",
     "http://schemas.microsoft.com/mapi/subject", "http://example.test/own#made-up"] +
    [APPOINTMENT + n for n in ("0x8208", "0x8238", "0x823b", "0x823c", "0x8232", "0x8234")] +
    [COMMON + n for n in ("0x8539", "0x853a", "0x8586")] +
    [TAG + n for n in ("x0037001e", "x0e1d001e", "x1000001e", "x0070001e", "x0c1a001e", "x0042001e")])


class Markers:
    """Texts that occur nowhere else, and the field that each was put into."""

    def __init__(self):
        self.fields = {}

    def __call__(self, field):
        text = "zq" + secrets.token_hex(8)
        self.fields[text] = field
        return text

    def search(self, where, data):
        data = data.lower() + b"\n" + unfolded(data)
        found = [field for text, field in self.fields.items() if text.encode() in data]
        check(not found, f"{where} has the marker of {found}")

    def unseen(self, heard):
        """Fields whose marker no server has sent."""
        heard = unfolded(heard)
        return [field for text, field in self.fields.items() if text.encode() not in heard]


def unfolded(data):
    """Lines of iCalendar are folded anywhere, also inside of a marker; in XML their ends may be written out."""
    data = data.lower().replace(b"&#13;", b"").replace(b"\r", b"")
    return data.replace(b"\n ", b"").replace(b"\n\t", b"")


def utc(offset):
    return time.strftime(FORM, time.gmtime(time.time() + offset))


def event(mark, name, start, end, more="", uid=None):
    """An event with everything that iCalendar can say of it; `start` and `end` with their parameters."""
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid or mark(name + ' UID')}", f"DTSTAMP:{utc(0)}",
                        f"DTSTART;X-WHAT={mark(name + ' DTSTART parameter')}{start}", f"DTEND{end}"] +
                       [f"{field}:{mark(name + ' ' + field)}" for field in
                        ("LOCATION", "DESCRIPTION", "CATEGORIES", "COMMENT", "CONTACT", "RESOURCES", "RELATED-TO", "X-ANY",
                         "X-ALT-DESC", "X-MOZ-SEND-INVITATIONS", "X-APPLE-STRUCTURED-LOCATION", "CONFERENCE", "IMAGE")] +
                       [f"SUMMARY;LANGUAGE=en;ALTREP=\"https://files.example.test/{mark(name + ' ALTREP')}\":"
                        f"{mark(name + ' SUMMARY')}",
                        f"REQUEST-STATUS:2.0;{mark(name + ' REQUEST-STATUS')}",
                        f"ORGANIZER;CN={mark(name + ' ORGANIZER CN')};SENT-BY=\"mailto:{mark(name + ' SENT-BY')}@example.test\":"
                        f"mailto:{mark(name + ' ORGANIZER')}@example.test",
                        f"ATTENDEE;CN={mark(name + ' ATTENDEE CN')};PARTSTAT=ACCEPTED;DIR=\"ldap://{mark(name + ' DIR')}/\";"
                        f"DELEGATED-TO=\"mailto:{mark(name + ' DELEGATED-TO')}@example.test\":"
                        f"mailto:{mark(name + ' ATTENDEE')}@example.test",
                        f"ATTACH;FMTTYPE=text/plain;X-FILENAME={mark(name + ' FILENAME')}:https://files.example.test/"
                        f"{mark(name + ' ATTACH')}",
                        f"URL:https://files.example.test/{mark(name + ' URL')}",
                        "BEGIN:VALARM", "ACTION:EMAIL", f"SUMMARY:{mark(name + ' VALARM SUMMARY')}",
                        f"DESCRIPTION:{mark(name + ' VALARM')}",
                        f"ATTENDEE:mailto:{mark(name + ' VALARM ATTENDEE')}@example.test",
                        f"ATTACH:https://files.example.test/{mark(name + ' VALARM ATTACH')}", "TRIGGER:-PT5M",
                        "END:VALARM"] + ([more] if more else []) + ["END:VEVENT"])


def calendar(*components, head=()):
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", *head, *components,
                        "END:VCALENDAR", ""])


def zone(mark, name):
    return "\r\n".join(["BEGIN:VTIMEZONE", f"TZID:{name}", f"X-LIC-LOCATION:{mark('X-LIC-LOCATION')}", "BEGIN:STANDARD",
                        "DTSTART:19700101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0000", f"TZNAME:{mark('TZNAME')}",
                        f"COMMENT:{mark('zone COMMENT')}", "END:STANDARD", "END:VTIMEZONE"])


class Caldav:
    """One person's calendar on a real server: a plain event, a series with a changed instance, one in a zone of its own,
    a task."""

    def __init__(self, folder, mark):
        self.server = server = caldav_servers.SERVERS["radicale"](os.path.join(folder, "radicale"), [])
        self.capture = Capture(int(server.url.rsplit(":", 1)[1]), server.ca_file)
        self.url, self.template = f"http://127.0.0.1:{self.capture.port}", server.template
        case = {"id": "bob", "person": BOB, "calendar_tz": "Europe/Berlin"}
        check(not server.make_calendar(case, ["VEVENT", "VTODO"]), "a calendar is made")
        uid, tzid, second = mark("series UID"), mark("TZID"), ":" + utc(90000)
        series = event(mark, "series", second, ":" + utc(93600), "RRULE:FREQ=DAILY;COUNT=3", uid)
        moved = event(mark, "moved", ":" + utc(97200), ":" + utc(100800), "RECURRENCE-ID" + second, uid)
        own = event(mark, "own zone", f";TZID={tzid}:{utc(180000)[:-1]}", f";TZID={tzid}:{utc(183600)[:-1]}")
        todo = f"BEGIN:VTODO\r\nUID:{mark('task UID')}\r\nDTSTAMP:{utc(0)}\r\nSUMMARY:{mark('task')}\r\nEND:VTODO"
        named = (f"X-WR-CALNAME:{mark('X-WR-CALNAME')}", f"X-WR-CALDESC:{mark('X-WR-CALDESC')}")
        for name, text in ((mark("href"), calendar(event(mark, "caldav", ":" + utc(-1800), ":" + utc(3600)), head=named)),
                           ("series", calendar(series, moved)), ("zone", calendar(zone(mark, tzid), own)),
                           ("task", calendar(todo))):
            check(server.store(case, name + ".ics", text) in (201, 204), f"{name} is stored")
        self.unsent = {"task UID", "task"}  # nobody asks for tasks

    def stop(self):
        self.server.stop()


class File(http.server.BaseHTTPRequestHandler):
    """Somebody's free/busy file, with more in it than there should be; and others that cannot be read."""
    texts, served = {}, []
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        text = self.texts.get(self.path, b"")
        self.served.append((self.path, text))
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def free_busy(mark, name, *more):
    return calendar("BEGIN:VFREEBUSY", f"DTSTAMP:{utc(0)}", f"UID:{mark(name + ' UID')}", f"DTSTART:{utc(-86400)}",
                    f"DTEND:{utc(30 * 86400)}", f"COMMENT:{mark(name + ' COMMENT')}", f"CONTACT:{mark(name + ' CONTACT')}",
                    f"ORGANIZER;CN={mark(name + ' CN')}:mailto:{CAT}",
                    f"ATTENDEE:mailto:{mark(name + ' ATTENDEE')}@example.test",
                    f"URL:https://files.example.test/{mark(name + ' URL')}",
                    f"FREEBUSY;FBTYPE=BUSY;X-WHAT={mark(name + ' parameter')}:{utc(-1800)}/{utc(3600)}", *more,
                    "END:VFREEBUSY").encode()


def broken_files(mark):
    """person -> a free/busy file that cannot be understood"""
    def bad(name, line):
        return free_busy(mark, name, line)
    return {
        "period": bad("bad period", f"FREEBUSY:{mark('bad period')}/PT1H"),
        "type": bad("bad FBTYPE", f"FREEBUSY;FBTYPE={mark('bad FBTYPE')}:{utc(7200)}/PT1H"),
        "line": bad("a line without a colon", mark("a line without a colon")),
        "window": calendar("BEGIN:VFREEBUSY", f"DTSTART:{mark('bad DTSTART of a file')}", "END:VFREEBUSY").encode(),
        "words": f"<html><body>{mark('a page')}</body></html>".encode(),
        "cut": free_busy(mark, "cut")[:-40],
    }


def broken_events(mark):
    """person -> calendar data that cannot be understood, or not all of it"""
    def one(name, *lines):
        uid, summary = mark(name + " UID"), mark(name + " SUMMARY")
        return calendar("BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{summary}", *lines, "END:VEVENT")
    start, end = f"DTSTART:{utc(-1800)}", f"DTEND:{utc(3600)}"
    return {
        "start": one("bad DTSTART", f"DTSTART:{mark('bad DTSTART')}", end),
        "end": one("bad DTEND", start, f"DTEND:{mark('bad DTEND')}"),
        "duration": one("bad DURATION", start, f"DURATION:{mark('bad DURATION')}"),
        "tzid": one("unknown TZID", f"DTSTART;TZID={mark('unknown TZID')}:{utc(-1800)[:-1]}", "DURATION:PT1H"),
        "value": one("bad VALUE", f"DTSTART;VALUE={mark('bad VALUE')}:{utc(-1800)}", end),
        "rule": one("bad RRULE", start, end, f"RRULE:FREQ={mark('bad FREQ')}"),
        "rule-part": one("bad part of RRULE", start, end, f"RRULE:FREQ=DAILY;{mark('part of RRULE')}=1"),
        "by-day": one("bad BYDAY", start, end, f"RRULE:FREQ=WEEKLY;BYDAY={mark('bad BYDAY')}"),
        "until": one("bad UNTIL", start, end, f"RRULE:FREQ=DAILY;UNTIL={mark('bad UNTIL')}"),
        "exdate": one("bad EXDATE", start, end, "RRULE:FREQ=DAILY;COUNT=3", f"EXDATE:{mark('bad EXDATE')}"),
        "recurrence": one("bad RECURRENCE-ID", start, end, f"RECURRENCE-ID:{mark('bad RECURRENCE-ID')}"),
        "status": one("bad words", start, end, f"STATUS:{mark('bad STATUS')}", f"TRANSP:{mark('bad TRANSP')}",
                      f"CLASS:{mark('bad CLASS')}", f"X-MICROSOFT-CDO-BUSYSTATUS:{mark('bad BUSYSTATUS')}"),
        "partstat": one("bad PARTSTAT", start, end, f"ATTENDEE;PARTSTAT={mark('bad PARTSTAT')}:mailto:partstat@example.org"),
        "attendee": one("bad ATTENDEE", start, end, f"ATTENDEE;CN=\"{mark('open quote')}:{mark('bad ATTENDEE')}"),
        "line": one("no colon", start, end, mark("a line without a colon in an event")),
        "component": calendar(f"BEGIN:{mark('a component')}", f"X:{mark('inside of a component')}", "END:VEVENT"),
        "zone": calendar("BEGIN:VTIMEZONE", f"TZID:{mark('broken zone')}", "BEGIN:STANDARD",
                         f"DTSTART:{mark('DTSTART of a zone')}", f"TZOFFSETTO:{mark('TZOFFSETTO')}", "END:STANDARD",
                         "END:VTIMEZONE") ,
        "words": mark("no calendar at all"),
    }


class Broken(daemon_hostile.Peer):
    """A CalDAV server whose calendars cannot be read, and whose own names are markers, too."""
    texts, heard, served, words = {}, [], {}, {}

    def reply(self, status, text, kind="application/xml"):
        self.heard.append(text)
        super().reply(status, text, kind)

    def handle_any(self):
        name = self.path.strip("/").split("/")[0]
        if name == "page":
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.reply(503, f"<html><title>{self.words['title']}</title><body>{self.words['page']}</body></html>", "text/html")
            self.served[name] = self.served.get(name, 0) + 1
        elif name == "error":
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.reply(403, f'<error xmlns="DAV:"><x:y xmlns:x="{self.words["namespace"]}">{self.words["error"]}</x:y></error>')
            self.served[name] = self.served.get(name, 0) + 1
        else:
            super().handle_any()

    def send_events(self, name):
        row = daemon_hostile.ROW % (f"/{name}/{self.words['item href']}.ics",
                                    f"<getetag>1</getetag><displayname>{self.words['displayname']}</displayname>"
                                    f"<C:calendar-data>{self.texts[name]}</C:calendar-data>"
                                    f"<x xmlns=\"urn:x\">{self.words['unasked property']}</x>")
        self.reply(207, daemon_hostile.MS % (row + f"<responsedescription>{self.words['responsedescription']}</responsedescription>"))
        self.served[name] = self.served.get(name, 0) + 1

    do_PROPFIND = do_REPORT = do_GET = do_OPTIONS = handle_any


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Sources:
    """All of them, started; `yaml` reads them."""

    def __init__(self, folder):
        self.mark, self.folder = Markers(), folder
        mark = self.mark
        harness.secret_file(folder, "password", "svc-secret")
        harness.secret_file(folder, "dav-password", "svcpw")
        texts = " ".join(f"{name}={mark(name)}" for name in EXCHANGE_TEXTS)
        lines = [f"mailbox {ANNA} password=x name={mark('mailbox name')} fault.unasked=on",
                 f"appointment {ANNA} now-30m +2h busy subject={mark('subject')} location={mark('location')} "
                 f"uid={mark('uid')} name={mark('item name')}.EML {texts}",
                 f"appointment {ANNA} now+3h +1h oof subject={mark('subject 2')} location={mark('location 2')} "
                 f"busy-word={mark('busystatus')}"]
        self.sim = harness.Simulator(folder, company.company(*lines))
        self.exchange = Capture(self.sim.port)
        self.dav = Caldav(folder, mark)
        File.served, Broken.heard, Broken.served = [], [], {}
        File.texts = {"/cat.ifb": free_busy(mark, "ifb")}
        File.texts.update({f"/{name}.ifb": text for name, text in broken_files(mark).items()})
        Broken.texts = broken_events(mark)
        Broken.words = {name: mark(name) for name in ("title", "page", "namespace", "error", "item href", "displayname",
                                                      "unasked property", "responsedescription")}
        self.ifb, self.broken = serve(File), serve(Broken)
        self.broken_people = [f"{name}@example.org" for name in [*Broken.texts, "page", "error"]]
        self.broken_readers = [f"{name}@example.test" for name in broken_files(Markers())]

    def yaml(self, more=""):
        users = ([f"{{ address: {BOB}, server: office }}", f"{{ address: {CAT}, server: files }}"] +
                 [f"{{ address: {p}, server: played }}" for p in self.broken_people] +
                 [f"{{ address: {p}, server: files }}" for p in self.broken_readers])
        return company.yaml(f"http://127.0.0.1:{self.exchange.port}/exchange/", [ANNA], more_users=users, rules=more,
                            server_more=f"""  - name: office
    kind: caldav
    url: {self.dav.url}/
    account: svc
    password_file: dav-password
    auth: [basic]
    calendars: ["{self.dav.template}"]
  - name: played
    kind: caldav
    url: http://127.0.0.1:{self.broken.server_address[1]}/
    account: svc
    password_file: dav-password
    auth: [basic]
    calendars: ["/{{local}}/"]
  - name: files
    kind: ifb
    url: http://127.0.0.1:{self.ifb.server_address[1]}/
    account: svc
    password_file: dav-password
    auth: [basic]
    calendars: ["/{{local}}.ifb"]
""")

    def all_read(self):
        """Every calendar was asked for twice: so the first answers have been looked at."""
        files = [path for path, _ in list(File.served)]
        return (all(files.count(path) > 1 for path in File.texts) and
                all(Broken.served.get(p.split("@")[0], 0) > 1 for p in self.broken_people))

    def heard(self):
        """Everything that servers have said."""
        return b"\n".join([self.exchange.all_heard(), self.dav.capture.all_heard(), "\n".join(list(Broken.heard)).encode(),
                           *[text for _, text in list(File.served)]])

    def check_heard(self):
        """A marker that was never sent proves nothing."""
        unseen = [field for field in self.mark.unseen(self.heard()) if field not in self.dav.unsent]
        check(not unseen, f"these were never sent: {unseen}")

    def stop(self):
        self.dav.stop()
        self.ifb.shutdown()
        self.broken.shutdown()
