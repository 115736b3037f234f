"""`freebusyctl privacy server` for CalDAV and free/busy files: held against every byte that the daemon sends to Radicale,
Cyrus, Apache and to a server that keeps no record of changes. Each request is one of the rows, no request is wider than
its row, and together they are all rows."""
import http.server
import os
import sys
import threading

import company
import daemon_hostile
import harness
from capture import Capture
from harness import check, check_equal, wait_until
from privacy import asked_in

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
import caldav_cases  # noqa: E402
import caldav_servers  # noqa: E402
import caldav_ways  # noqa: E402

FREE_BUSY = "free/busy, where items may not be read"
OUTBOX = {"where free/busy of many people is asked", "free/busy of many people"}
ETAGS = "which items there are, where the server keeps no record of changes"
CHANGED = {"whether they have changed", "which items have changed"}
seen_rows = set()


class NoRecord(daemon_hostile.Peer):
    """Its calendars have neither tokens nor ctags: each poll lists the items."""

    def reply(self, status, text, kind="application/xml"):
        super().reply(status, text.replace("<sync-token>old</sync-token>", ""), kind)

    def list_changes(self, name, body):
        self.reply(403, '<error xmlns="DAV:"><supported-report/></error>')

    def handle_any(self):
        if self.command == "PROPFIND" and self.headers.get("Depth") == "1" and self.path.strip("/"):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            rows = daemon_hostile.ROW % (self.path, daemon_hostile.CALENDAR % "")
            rows += daemon_hostile.ROW % (self.path + "1.ics", "<getetag>1</getetag><resourcetype/>")
            self.reply(207, daemon_hostile.MS % rows)
            check(body, "a PROPFIND has a body")
        else:
            super().handle_any()

    do_PROPFIND = do_REPORT = do_GET = do_OPTIONS = handle_any


def yaml(kind, url, people, more):
    users = "".join(f"  - {{ address: {p}, server: office }}\n" for p in people)
    return f"""servers:
  - name: office
    kind: {kind}
    url: {url}
    account: svc
    password_file: password
    auth: [basic]
{more}users:
{users}poll: {{ interval: 1s, window: 14d }}
publish:
  http: {{ listen: ["127.0.0.1:0"] }}
control: {{ socket: "{{folder}}/control.sock" }}
"""


def row_of(rows, verb, body):
    """The one that this request is: its verb, and nothing in it that is not told."""
    names = asked_in(body)
    if names:
        fitting = [r for r in rows if r["verb"] == verb and names <= set(r["properties"])]
        return min(fitting, key=lambda r: len(r["properties"]), default=None)
    words = {"REPORT": "free-busy-query", "POST": "METHOD:REQUEST", "GET": "", "HEAD": ""}
    told = [r for r in rows if r["verb"] == verb and not r["properties"]]
    return told[0] if told and words.get(verb, "\0") in body and (body or not words[verb]) else None


def hold(folder, capture, text, expected, name):
    """The daemon polls through the line until the expected rows were seen; all that was said is told."""
    harness.secret_file(folder, "password", "svcpw")
    daemon = harness.Daemon(folder, text)
    rows = [r for r in daemon.ctl_json("privacy", "server") if r["kind"] in ("caldav", "ifb")]

    def seen():
        found = set()
        for verb, head, body in capture.requests():
            row = row_of(rows, verb, body)
            check(row, f"{verb} is not told as it is asked: {head.splitlines()[0]}\n{body}")
            found.add(row["for"])
        return found

    wait_until(lambda: expected <= seen(), f"all of {expected} at {name}; seen are {seen()}")
    daemon.stop()
    seen_rows.update(seen())
    return {r["for"] for r in rows}


def played(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def every_row(folder):
    case = next(iter(caldav_cases.cases([caldav_cases.ONE_CASE])))
    os.chmod(folder, 0o755)

    def real(name, make, template, expected, server_more="", root=None):
        server = make(os.path.join(folder, name))
        try:
            server.load(case)
            capture = Capture(int(server.url.rsplit(":", 1)[1]), server.ca_file)
            more = (f'    calendars: ["{template}"]\n' if template else "") + server_more
            url = f"http://127.0.0.1:{capture.port}{root or server.root}"
            place = os.path.join(folder, "daemon-" + name)
            os.mkdir(place)
            return hold(place, capture, yaml(server.kind, url, [case["person"]], more), expected, name)
        finally:
            server.stop()

    names, kinds = [case["id"], caldav_cases.ANOTHER], caldav_servers.SERVERS
    real("radicale", lambda f: kinds["radicale"](f, names), None,
         {"who we are", "where people are", "whose an address is", "where a person's calendars are",
          "which calendars there are"} | CHANGED)
    real("cyrus", lambda f: caldav_ways.FreeBusyCyrus(f, [case["id"]]), "/dav/calendars/user/{local}/Default/", {FREE_BUSY})
    real("cyrus-outbox", lambda f: kinds["cyrus"](f, names), kinds["cyrus"].template, OUTBOX, "    read: freebusy\n")
    every = real("apache", lambda f: kinds["apache"](f, names), "/freebusy/{local}.ifb",
                 {"a person's free/busy file", "whether the server is there"}, root="/")
    for name, handler, expected in (("record", daemon_hostile.Peer, set()), ("no-record", NoRecord, {ETAGS})):
        server, place = played(handler), os.path.join(folder, "daemon-" + name)
        capture = Capture(server.server_address[1])
        os.mkdir(place)
        hold(place, capture, yaml("caldav", f"http://127.0.0.1:{capture.port}/", ["good@example.org"],
                                  '    calendars: ["/{local}/"]\n'), expected, name)
        server.shutdown()
    check_equal(every - seen_rows, set(), "rows that nothing was asked for")


if __name__ == "__main__":
    harness.run(every_row)
