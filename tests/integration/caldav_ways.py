#!/usr/bin/python3
"""How our CalDAV client works with the real servers, seen from their side: calendars found without any path; an
unchanged calendar read again for one request, a changed one for what changed; and, where a server can grant free/busy
alone, that way and what it says of itself.

    caldav_ways.py SERVER --davquery PROGRAM
"""
import argparse
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import caldav_cases as common
import caldav_servers as servers

# What discovery comes to: "found", or the code. Xandikos knows one principal and Cyrus shows everybody the asker's own
# home: these need paths.
DISCOVERY = {"radicale": "found", "xandikos": "calendar-not-found", "davical": "found", "cyrus": "calendar-forbidden",
             "sogo": "found"}
EVENT = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", "BEGIN:VEVENT", "UID:new-%d",
                     "DTSTAMP:20110101T000000Z",
                     "DTSTART:%s", "DTEND:%s", "SUMMARY:new", "END:VEVENT", "END:VCALENDAR", ""])
OUTSIDE_HOURS = 64  # of davclient/result.h
HOURS = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", "BEGIN:VAVAILABILITY",
                     "UID:hours",
                     "DTSTAMP:20110101T000000Z", "DTSTART:20110601T000000Z", "DTEND:20110602T000000Z",
                     "ORGANIZER:mailto:a@example.org",
                     "BEGIN:AVAILABLE", "UID:hours-1", "DTSTAMP:20110101T000000Z", "DTSTART:20110601T080000Z",
                     "DTEND:20110601T170000Z",
                     "SUMMARY:there", "END:AVAILABLE", "END:VAVAILABILITY", "END:VCALENDAR", ""])
KEEPS_HOURS = {"cyrus", "radicale"}


class FreeBusyCyrus(servers.Cyrus):
    def __init__(self, folder, names):
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        common.Server.__init__(self, folder, servers.cyrus.Cyrus(folder, names, rights="9"))


class Client:
    """A davquery that stays."""

    def __init__(self, davquery, server, case, *more):
        self.process = subprocess.Popen(
            [davquery, "--stay", "--kind", "caldav", "--url", server.url + server.root, "--ca-file", server.ca_file,
             "--user", "svc",
             "--password-file", server.password_file, "--address", case["person"], "--from", "20110101T000000Z",
             "--until",
             "20111231T000000Z", "--zone", case["calendar_tz"],
             *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first, self.spans = True, []

    def ask(self):
        """(starts, the result)"""
        if not self.first:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        self.first = False
        starts, self.spans = [], []
        for line in self.process.stdout:
            found = json.loads(line)
            if "result" in found:
                return sorted(starts), found
            starts.append(found["start"])
            self.spans.append(found)
        raise common.NoAnswer(f"davquery ended: {self.process.wait()}")

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


def check(what, good, detail=""):
    print(f"{what:60} {'right' if good else 'WRONG'} {detail}", flush=True)
    return good


def discovery(args, server, case):
    client = Client(args.davquery, server, case)
    starts, result = client.ask()
    client.stop()
    word = "found" if result["code"] is None and starts else result["code"]
    return check("calendars found without a path", word == DISCOVERY[args.server],
                 f"{word} {result['requests']} {result['evidence'] or ''}")


class Dns:
    """A name server that knows where the domain `localhost` has its calendars (RFC 6764)."""

    def __init__(self, port, path):
        target = b"\x09localhost\x00"
        self.records = {(b"\x08_caldavs\x04_tcp\x09localhost\x00", 33): struct.pack(">HHH", 0, 0, port) + target}
        if path:
            text = b"path=" + path.encode()
            self.records[(b"\x08_caldavs\x04_tcp\x09localhost\x00", 16)] = bytes([len(text)]) + text
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(2000)
            end = question.index(b"\x00", 12) + 1
            data = self.records.get((question[12:end], question[end + 1]))
            answer = question[:2] + (b"\x81\x80" if data else b"\x81\x83") + struct.pack(">HHHH", 1, 1 if data else 0,
                                                                                         0, 0) + question[12:end + 4]
            if data:
                answer += b"\xc0\x0c" + question[end:end + 4] + struct.pack(">IH", 60, len(data)) + data
            self.socket.sendto(answer, sender)


def by_domain(args, server, case):
    """The domain alone is configured: DNS tells the host and port, and once the path as well."""
    good = True
    for path in (server.root, None):
        dns = Dns(int(server.url.rsplit(":", 1)[1]), path)
        client = Client(args.davquery, server, case, "--url", "localhost", "--dns", dns.address)
        starts, result = client.ask()
        client.stop()
        word = "found" if result["code"] is None and starts else result["code"]
        good &= check("the domain alone is enough" + (", without a path" if path is None else ""),
                      word == DISCOVERY[args.server],
                      f"{word} {result['requests']} {result['evidence'] or ''}")
    return good


def changes(args, server, case):
    """Requests for each poll: nothing, an event more, one less, four in one second."""
    client = Client(args.davquery, server, case, "--calendar", server.template)
    good = True
    time.sleep(2.5)  # what was loaded is old: some servers' tokens are seconds
    before, result = client.ask()
    good &= check("read for the first time", result["code"] is None and len(before) == 2, result["requests"])
    client.ask()  # SOGo names another token once its calendar was read
    for i in range(3):
        starts, result = client.ask()
        good &= check("unchanged costs one request", starts == before and result["requests"] == 1, result["requests"])
    path = server.calendar(case)
    server.ask(case, "PUT", path + "new-1.ics", EVENT % (1, "20110301T090000Z", "20110301T100000Z"), "text/calendar")
    starts, result = client.ask()
    good &= check("a new event is seen at once", "20110301T090000Z" in starts and len(starts) == 3, result["requests"])
    server.ask(case, "DELETE", path + "new-1.ics")
    starts, result = client.ask()
    good &= check("an event taken away is gone at once", starts == before, result["requests"])
    for i in range(2, 6):
        server.ask(case, "PUT", f"{path}new-{i}.ics", EVENT % (i, f"2011030{i}T090000Z", f"2011030{i}T100000Z"),
                   "text/calendar")
        starts, result = client.ask()
        good &= check("changes within a second are seen, each", len(starts) == len(before) + i - 1, result["requests"])
    time.sleep(2.5)
    client.ask()
    server.ask(case, "DELETE", path + "new-5.ics")
    server.ask(case, "PUT", path + "new-5.ics", EVENT % (5, "20110320T090000Z", "20110320T100000Z"), "text/calendar")
    starts, result = client.ask()
    good &= check("made anew under the name of one taken away",
                  "20110320T090000Z" in starts and "20110305T090000Z" not in starts,
                  result["requests"])
    time.sleep(2.5)
    client.ask()
    starts, result = client.ask()
    good &= check("unchanged costs one request", len(starts) == len(before) + 4 and result["requests"] == 1,
                  result["requests"])
    client.stop()
    return good


def working_hours(args, server, case):
    """A VAVAILABILITY in the calendar, where the server stores one: then the rest of the day is outside the hours, and
    the events are as before."""
    status, _ = server.ask(case, "PUT", server.calendar(case) + "hours.ics", HOURS, "text/calendar")
    client = Client(args.davquery, server, case, "--calendar", server.template)
    client.ask()
    client.stop()
    outside = sorted(span["start"] for span in client.spans if span["traits"] & OUTSIDE_HOURS)
    server.ask(case, "DELETE", server.calendar(case) + "hours.ics")
    if args.server not in KEEPS_HOURS:
        return check("working hours are not stored", not outside, status)
    return check("working hours", status in (201, 204) and outside == ["20110601T000000Z", "20110601T170000Z"],
                 f"{status} {outside}")


def free_and_busy(args, server, case):
    """With the grant for free/busy alone; on the home that is no answer."""
    if args.server == "davical":
        server.started.grant(case["id"], ["caldav:read-free-busy"])
        calendar, home = "/caldav.php/{local}/calendar/", "/caldav.php/{local}/"
    elif args.server == "cyrus":
        calendar, home = "/dav/calendars/user/{local}/Default/", "/dav/calendars/user/{local}/"
    else:
        return True
    client = Client(args.davquery, server, case, "--calendar", calendar)
    starts, result = client.ask()
    again, second = client.ask()
    client.stop()
    good = check("free/busy alone: the calendar answers",
                 result["code"] is None and len(starts) >= 2 and again == starts and second["requests"] == 1,
                 f"{result['code']} {result['evidence']} {len(starts)} {second['requests']}")
    good &= check("free/busy alone: the answer says so", (result["way"] or "").startswith("free-busy-query"),
                  result["way"])
    client = Client(args.davquery, server, case, "--calendar", home)
    starts, result = client.ask()
    client.stop()
    return check("free/busy alone: the home is not believed", result["code"] is not None,
                 f"{result['code']} {result['evidence']}") and good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=DISCOVERY)
    parser.add_argument("--davquery", required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers end with us
    folder = tempfile.mkdtemp(prefix=f"{args.server}-")
    server = None
    good = True
    try:
        case = next(iter(common.cases([common.ONE_CASE])))
        server = servers.SERVERS[args.server](folder, [case["id"], common.ANOTHER])
        server.load(case)
        for test in (discovery, by_domain, changes, working_hours, free_and_busy)[:4 if args.server == "cyrus" else 5]:
            good &= test(args, server, case)
        if args.server == "cyrus":  # its rights are those it is started with
            server.stop()
            server = None
            server = FreeBusyCyrus(os.path.join(folder, "9"), [case["id"]])
            server.load(case)
            good &= free_and_busy(args, server, case)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
