"""Calendars that are made to hurt, on a CalDAV server that this test plays: each costs bounded time and memory, is
named, leaves everybody else alone, and makes nobody free."""
import base64
import http.server
import re
import threading
import time

import harness
from harness import check, check_equal, wait_until

MS = '<?xml version="1.0" encoding="utf-8"?><multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">%s</multistatus>'
ROW = "<response><href>%s</href><propstat><prop>%s</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
CALENDAR = ("<resourcetype><collection/><C:calendar/></resourcetype><sync-token>%s</sync-token><C:supported-calendar-component-set>"
            '<C:comp name="VEVENT"/></C:supported-calendar-component-set>')
MEMORY_MAX = 1000000  # kB at the worst moment; with the sanitizers, which hold on to what was freed


def stamp(hours, form="%Y%m%dT%H%M%SZ"):
    return time.strftime(form, time.gmtime(time.time() + hours * 3600))


def calendar(inside):
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inside}END:VCALENDAR\r\n"


def event(lines, uid="1"):
    return f"BEGIN:VEVENT\r\nUID:{uid}\r\n" + "".join(line + "\r\n" for line in lines) + "END:VEVENT\r\n"


MEETING = event([f"DTSTART:{stamp(-1)}", f"DTEND:{stamp(12)}"], "meeting")
SELF_ZONE = ("BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART;TZID=Mine:19700101T000000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0000\r\n"
             "RDATE;TZID=Mine:19710101T000000\r\nTZNAME:Mine\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")
# What each has in the calendar; and what comes of it: a state, and a code or how many items are named as refused.
PEOPLE = {
    "good": (calendar(MEETING), "busy", 0),
    "secondly": (calendar(event(["DTSTART:19260101T000000Z", "DURATION:PT1S",
                                 "RRULE:FREQ=SECONDLY;UNTIL=21260101T000000Z"])), "busy", 1),
    "self-zone": (calendar(SELF_ZONE + event([f"DTSTART;TZID=Mine:{stamp(-1)[:-1]}",
                                              f"DTEND;TZID=Mine:{stamp(12)[:-1]}"])), "busy", 0),
    "far-years": (calendar(event(["DTSTART:00000101T000000Z", "DTEND:00000102T000000Z"], "0") + MEETING +
                           event(["DTSTART:99991231T000000Z", "DTEND:99991231T235959Z", "RRULE:FREQ=YEARLY"], "9999")),
                  "busy", 0),
    "backwards": (calendar(event([f"DTSTART:{stamp(-2)}", f"DTEND:{stamp(-3)}"])), "busy", 1),
    "no-utf8": (calendar(event(["SUMMARY:\udcff\udcfe\udcc3", f"DTSTART:{stamp(-1)}", f"DTEND:{stamp(12)}"])), "busy",
                0),
    "no-date": (calendar(event(["DTSTART:sometime", "DURATION:PT1H"])), "unknown", "items-unreadable"),
    "huge": (None, "unknown", "answer-too-large"),
    "long-line": (None, "unknown", "answer-too-large"),
    "error-page": (None, "unknown", "answer-malformed"),
    "later-page": (calendar(MEETING), "busy", 0),
    "forgetful": (calendar(event([f"DTSTART:{stamp(48)}", f"DTEND:{stamp(49)}"])), "free", 0),
}


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sent = {}               # person: bytes that were taken of an endless answer
    broken = set()          # answer with a page from now on
    forgotten = set()       # tokens are not known any more, and there is a meeting

    def log_message(self, *_):
        pass

    def reply(self, status, text, kind="application/xml"):
        data = text.encode("utf-8", "surrogateescape")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def pour(self, name, begin, piece, count):
        """An answer of count pieces, for as long as somebody takes it."""
        self.send_response(207)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(begin.encode())
            for i in range(count):
                self.wfile.write(piece)
                self.sent[name] = max(self.sent.get(name, 0), (i + 1) * len(piece))
        except OSError:
            pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"svc:svcpw").decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        name = self.path.strip("/").split("/")[0]
        if not name:
            self.reply(207, MS % ROW % ("/", "<resourcetype><collection/></resourcetype>"))
        elif name == "error-page" or name in self.broken:
            self.reply(200, "<html><body>An error has occurred</body></html>", "text/html")
        elif self.command == "PROPFIND":
            token = "new" if name in self.forgotten else "old"
            self.reply(207, MS % ROW % (self.path, CALENDAR % token))
        elif "sync-collection" in body:
            self.list_changes(name, body)
        else:
            self.send_events(name)

    def list_changes(self, name, body):
        if name in self.forgotten and "<D:sync-token>old<" in body:
            self.reply(403, '<error xmlns="DAV:"><valid-sync-token/></error>')
        elif "<D:sync-token></D:sync-token>" in body:
            token = "new" if name in self.forgotten else "old"
            etag = "<getetag>%s</getetag>" % token
            self.reply(207, MS % (ROW % (self.path + "1.ics", etag) + f"<sync-token>{token}</sync-token>"))
        else:
            self.reply(207, MS % f"<sync-token>{re.search('<D:sync-token>(.*?)<', body)[1]}</sync-token>")

    def send_events(self, name):
        begin = MS.split("%s",
                         maxsplit=1)[0] + f"<response><href>/{name}/1.ics</href><propstat><prop><C:calendar-data>BEGIN:VCALENDAR\r\n"
        if name == "huge":
            self.pour(name, begin, (event(["DTSTART:20200101T000000Z", "DTEND:20200101T010000Z"]) * 1000).encode(),
                      2200)
        elif name == "long-line":
            self.pour(name, begin + "DTSTART:", b"x" * 100000, 500)
        else:
            text = calendar(MEETING) if name in self.forgotten else PEOPLE[name][0]
            self.reply(207, MS % ROW % (f"/{name}/1.ics",
                                        "<getetag>1</getetag><C:calendar-data>%s</C:calendar-data>" % text))

    do_PROPFIND = do_REPORT = do_GET = do_OPTIONS = handle_any


def yaml(port):
    users = "\n".join(f"  - {{ address: {name}@example.org, server: office }}" for name in PEOPLE)
    return f"""servers:
  - name: office
    kind: caldav
    url: http://127.0.0.1:{port}/
    account: svc
    password_file: password
    auth: [basic]
    calendars: ["/{{local}}/"]
users:
{users}
poll: {{ interval: 2s, window: 14d }}
publish:
  http: {{ listen: ["127.0.0.1:0"] }}
control: {{ socket: "{{folder}}/control.sock" }}
"""


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1])


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """The daemon goes away in the middle of an answer."""


def hostile_calendars(folder):
    server = Server(("127.0.0.1", 0), Peer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    harness.secret_file(folder, "password", "svcpw")
    daemon = harness.Daemon(folder, yaml(server.server_address[1]))

    def as_expected(name):
        person = daemon.ctl_json("show", name + "@example.org")
        _, state, named = PEOPLE[name]
        code = person["failure"]["code"] if person.get("failure") else None
        well = person["state"] == state and (code == named if isinstance(named, str)
                                             else person["broken_items"] == named and not code)
        return well and person

    for name in PEOPLE:
        person = wait_until(lambda n=name: as_expected(n), f"{name}: {PEOPLE[name][1:]}", 90)
        print(f"{name:12} {person['state']:8} refused items {person['broken_items']}, {person['reason']}", flush=True)
    check("person=secondly@example.org" in daemon.program.log(), "the log names whose item was refused")
    for name, whole in (("huge", 2200 * 1000 * 70), ("long-line", 50000000)):
        check(Peer.sent[name] < whole / 2, f"{name}: {Peer.sent[name]} bytes were taken")
    Peer.broken.add("later-page")      # the meeting that is known stands; the page does not make it free time
    Peer.forgotten.add("forgetful")    # and what happened meanwhile is found
    daemon.wait_state("forgetful@example.org", "busy", 60)
    wait_until(lambda: (daemon.ctl_json("show", "later-page@example.org")["failure"]
                        or {}).get("code") == "answer-malformed",
               "the page to be noticed", 60)
    check_equal(daemon.presence("later-page@example.org")["state"], "busy",
                "somebody whose server began to answer with a page")
    check_equal(daemon.presence("good@example.org")["state"], "busy", "the neighbour")
    check("fails as a whole" not in daemon.program.log(), "the server works for the others")
    peak = memory(daemon.program.process.pid)
    print(f"memory at most {peak} kB", flush=True)
    check(peak < MEMORY_MAX, f"{peak} kB")
    daemon.stop()
    server.shutdown()


if __name__ == "__main__":
    harness.run(hostile_calendars)
