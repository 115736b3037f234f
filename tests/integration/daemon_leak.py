"""Random marker strings in every field of what mail servers say; none of them may come out anywhere: no answer, stream,
hook, command, log, audit line or state file."""
import glob
import http.server
import os
import secrets
import sys
import threading
import time

import company
import harness
from harness import check, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
import caldav_servers  # noqa: E402
from hook_sink import HookSink  # noqa: E402

ANNA, BOB, CAT = "anna@example.test", "bob@example.test", "cat@example.test"
FORM = "%Y%m%dT%H%M%SZ"


class Markers:
    """Texts that occur nowhere else, and the field that each was put into."""

    def __init__(self):
        self.fields = {}

    def __call__(self, field):
        text = "zq" + secrets.token_hex(8)
        self.fields[text] = field
        return text

    def search(self, where, data):
        data = data.lower()
        found = [field for text, field in self.fields.items() if text.encode() in data]
        check(not found, f"{where} has the marker of {found}")


def utc(offset):
    return time.strftime(FORM, time.gmtime(time.time() + offset))


def event(mark, name, start, end, more=""):
    """An event with everything that iCalendar can say of it."""
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{mark(name + ' UID')}", f"DTSTAMP:{utc(0)}", f"DTSTART:{utc(start)}",
                        f"DTEND:{utc(end)}"] +
                       [f"{field}:{mark(name + ' ' + field)}" for field in
                        ("SUMMARY", "LOCATION", "DESCRIPTION", "CATEGORIES", "COMMENT", "CONTACT", "RESOURCES", "X-ANY")] +
                       [f"ORGANIZER;CN={mark(name + ' ORGANIZER CN')}:mailto:{mark(name + ' ORGANIZER')}@example.test",
                        f"ATTENDEE;CN={mark(name + ' ATTENDEE CN')};PARTSTAT=ACCEPTED:"
                        f"mailto:{mark(name + ' ATTENDEE')}@example.test",
                        f"ATTACH:https://files.example.test/{mark(name + ' ATTACH')}",
                        f"URL:https://files.example.test/{mark(name + ' URL')}",
                        f"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:{mark(name + ' VALARM')}\r\n"
                        "TRIGGER:-PT5M\r\nEND:VALARM"] + ([more] if more else []) + ["END:VEVENT"])


def calendar(*components):
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", *components,
                        "END:VCALENDAR", ""])


def caldav(folder, mark):
    """One person's calendar on a real server: a plain event, a recurring one with a changed instance, one that is
    broken."""
    server = caldav_servers.SERVERS["radicale"](os.path.join(folder, "radicale"), [])
    case = {"id": "bob", "person": BOB, "calendar_tz": "Europe/Berlin"}
    check(not server.make_calendar(case, ["VEVENT"]), "a calendar is made")
    series = event(mark, "series", 90000, 93600, "RRULE:FREQ=DAILY;COUNT=3")
    for name, text in (("one", event(mark, "caldav", -1800, 3600)), ("series", series)):
        check(server.store(case, name + ".ics", calendar(text)) in (201, 204), f"{name} is stored")
    return server


class File(http.server.BaseHTTPRequestHandler):
    """Somebody's free/busy file, with more in it than there should be."""
    text = b""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar")
        self.send_header("Content-Length", str(len(self.text)))
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_):
        pass


def files(mark):
    File.text = calendar("BEGIN:VFREEBUSY", f"DTSTAMP:{utc(0)}", f"UID:{mark('ifb UID')}", f"DTSTART:{utc(-86400)}",
                         f"DTEND:{utc(30 * 86400)}", f"COMMENT:{mark('ifb COMMENT')}", f"CONTACT:{mark('ifb CONTACT')}",
                         f"ORGANIZER;CN={mark('ifb CN')}:mailto:{CAT}",
                         f"ATTENDEE:mailto:{mark('ifb ATTENDEE')}@example.test",
                         f"URL:https://files.example.test/{mark('ifb URL')}",
                         f"FREEBUSY;FBTYPE=BUSY;X-WHAT={mark('ifb parameter')}:{utc(-1800)}/{utc(3600)}",
                         "END:VFREEBUSY").encode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), File)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def yaml(sim, dav, ifb, hook, folder):
    text = company.yaml(sim.url, [ANNA], more_users=[f"{{ address: {BOB}, server: office }}",
                                                     f"{{ address: {CAT}, server: files }}"],
                        rules=f"audit: {{ file: {folder}/audit.log }}\nstate: {{ directory: {folder}/state }}\n",
                        server_more=f"""  - name: office
    kind: caldav
    url: {dav.url}/
    account: svc
    password_file: dav-password
    auth: [basic]
    tls: {{ ca_file: {dav.ca_file} }}
    calendars: ["{dav.template}"]
  - name: files
    kind: ifb
    url: http://127.0.0.1:{ifb.server_address[1]}/
    account: svc
    password_file: dav-password
    auth: [basic]
    calendars: ["/{{local}}.ifb"]
""")
    return text.replace("publish:\n", f"publish:\n  webhooks: [ {{ name: wall, url: '{hook.url}' }} ]\n")


def everything(daemon):
    """What may be asked of the daemon, as (name, bytes)."""
    for who in (ANNA, BOB, CAT):
        for path in (f"/v1/presence/{who}", f"/v1/freebusy/{who}.ifb", f"/person/{who}"):
            yield path, daemon.get(path)[1].encode()
        yield "PIDF", daemon.get(f"/v1/presence/{who}", {"Accept": "application/pidf+xml"})[1].encode()
        for command in (("show", who), ("why", who), ("--json", "why", who)):
            yield " ".join(command), "".join(daemon.ctl(*command)[1:]).encode()
    for path in ("/", "/v1/status", "/v1/servers", "/metrics"):
        yield path, daemon.get(path)[1].encode()
    for command in (("status",), ("users",), ("bundle",), ("servers",)):
        yield command[0], "".join(str(x) for x in daemon.ctl(*command)[1:]).encode()


def no_marker_leaves(folder):
    """Exchange, CalDAV and free/busy files with markers everywhere; then every way out is searched."""
    mark, hook = Markers(), HookSink()
    harness.secret_file(folder, "password", "svc-secret")
    harness.secret_file(folder, "dav-password", "svcpw")
    os.mkdir(os.path.join(folder, "state"), 0o700)
    lines = [f"appointment {ANNA} now-30m +2h busy subject={mark('subject')} location={mark('location')} uid={mark('uid')}",
             f"appointment {ANNA} now+3h +1h oof subject={mark('subject 2')} location={mark('location 2')}"]
    sim, dav, ifb = harness.Simulator(folder, company.company(*lines)), caldav(folder, mark), files(mark)
    try:
        daemon = harness.Daemon(folder, yaml(sim, dav, ifb, hook, folder))
        events = harness.Events(daemon.port)
        for who in (ANNA, BOB, CAT):
            daemon.wait_state(who, "busy")
            events.wait(lambda e, w=who: e["address"] == w and e["state"] == "busy", f"{who} in the stream")
        wait_until(lambda: sum("busy" in r["body"] for r in list(hook.requests)) > 0, "the hook to be told")
        for name, data in everything(daemon):
            mark.search(name, data)
        daemon.stop()
        mark.search("the event stream", repr(events.events).encode())
        mark.search("the hook", repr(list(hook.requests)).encode())
        mark.search("the log", daemon.program.log().encode())
        places = glob.glob(os.path.join(folder, "state", "*")) + glob.glob(os.path.join(folder, "audit.log*"))
        check(len(places) >= 2, f"state and audit were written: {places}")
        for place in places:
            with open(place, "rb") as file:
                mark.search(place, file.read())
    finally:
        dav.stop()
        ifb.shutdown()
        hook.stop()


if __name__ == "__main__":
    harness.run(no_marker_leaves)
