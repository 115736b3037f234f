#!/usr/bin/python3
"""The free/busy cases through real servers (see caldav_cases.py), each with the grant that its own administrator would
give.

    caldav_servers.py SERVER --davquery PROGRAM [--keep] [CASE...]

What is asked is in each person's own calendar; `svc` asks. For `apache` there is no calendar but a free/busy file
(kind: ifb).
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import caldav_cases as common
import apache_dav
import cyrus
import davical
import sogo
import xandikos

RADICALE = os.path.join(common.HERE, "..", "peers", "radicale.sh")


class _StartedRadicale:
    def __init__(self, folder):
        port, pid = subprocess.run([RADICALE, folder], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        self.pid, self.url, self.ca_file = int(pid), f"https://127.0.0.1:{port}", os.path.join(folder, "ca.pem")

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)


class Radicale(common.Server):
    """A section of its rights file; `owner` writes for everybody."""
    product = "Radicale"
    template = "/{address}/calendar/"
    other_ways = ("/{address}/",)
    refuses = {"s26-rdate-period": ["VEVENT"]}
    alters = {"s08-duration-days-hours": ("DURATION:PT24H", "DURATION:P1D")}

    def __init__(self, folder, _):
        super().__init__(folder, _StartedRadicale(folder))

    def login(self, case):
        return "owner"

    def make_calendar(self, case, kinds):
        self.ask(case, "MKCOL", self.calendar(case).replace("calendar/", ""))
        return self.mkcalendar(case, kinds)


class Xandikos(common.Server):
    """No accounts: the proxy in front of it says who may read. No zone either: it has to be configured. What its PUT
    refuses or writes anew is stored behind its back, by a commit to the repository that the calendar is."""
    product = "Xandikos"
    template = "/{local}/calendars/calendar/"
    keeps_zone = False
    other_ways = ("/{local}/calendars/",)
    by_git = ("s08-duration-days-hours", "s31-vfreebusy-input")

    def __init__(self, folder, names):
        super().__init__(folder, xandikos.Xandikos(folder, names))

    def store(self, case, name, text):
        if case["id"] not in self.by_git:
            return super().store(case, name, text)
        self.started.commit(self.calendar(case) + name, text)
        return 201

    def make_calendar(self, case, kinds):
        refused = []
        for path in (f"/{case['id']}/", f"/{case['id']}/calendars/"):
            status, _ = self.ask(case, "MKCOL", path)
            refused += [] if status == 201 else [f"MKCOL {path} {status}"]
        return refused + self.mkcalendar(case, kinds)


class Davical(common.Server):
    """A grant for the service account on each person's principal."""
    product = "DAViCal"
    root = "/caldav.php/"
    refuses = {"s31-vfreebusy-input": ["VFREEBUSY"]}
    template = "/caldav.php/{local}/calendar/"
    other_ways = ("/caldav.php/{local}/",)
    hides = {"s32-other-components": "CLASS:PRIVATE"}

    def __init__(self, folder, names):
        super().__init__(folder, davical.Davical(folder, names))

    def make_calendar(self, case, kinds):
        # it files the zone of an MKCALENDAR where it does not look
        return self.mkcalendar(case, kinds) + self.set_zone(case)

    def show(self, case):
        self.started.grant(case["id"], ["DAV::all"])


class Cyrus(common.Server):
    """An ACL for the service account on each person's calendar, which it then finds in its own home."""
    product = "Cyrus"
    root = "/dav/"
    refuses = {"s05-no-duration": ["VEVENT"] * 3}  # those without length
    template = "/dav/calendars/user/svc/{local}.Default/"
    other_ways = ("/dav/calendars/user/{local}/Default/",)

    def __init__(self, folder, names):
        super().__init__(folder, cyrus.Cyrus(folder, names))

    def calendar(self, case):
        return f"/dav/calendars/user/{case['id']}/Default/"

    def make_calendar(self, case, kinds):
        return self.set_zone(case)


class Sogo(common.Server):
    """Roles for the service account on each person's calendar. The zone is a preference of the person."""
    product = "SOGo"
    root = "/SOGo/dav/"
    template = "/SOGo/dav/{local}/Calendar/personal/"
    other_ways = ("/SOGo/dav/{local}/Calendar/",)
    refuses = {"s31-vfreebusy-input": ["VFREEBUSY"], "s32-other-components": ["VJOURNAL"]}
    alters = {"s05-no-duration": ("SUMMARY:reminder\r\nEND", "SUMMARY:reminder\r\nDURATION:PT1H")}

    def __init__(self, folder, names):
        super().__init__(folder, sogo.Sogo(folder, names))

    def make_calendar(self, case, kinds):
        if case["calendar_tz"] != "UTC":
            self.started.set_zone(case["id"], case["calendar_tz"])
        return []

    def narrow(self, case):
        self.started.grant(case["id"], ["PublicViewer"])
        return True


class Files(common.Server):
    """Apache and a folder: the case's busy time as a file, in the several ways that RFC 5545 3.8.2.6 has to write
    it."""
    product = "Apache"
    kind = "ifb"
    template = "/freebusy/{local}.ifb"

    def __init__(self, folder, names):
        super().__init__(folder, apache_dav.ApacheDav(folder, names))

    def load(self, case):
        status, text = self.ask(case, "PUT", self.calendar(case), common.ifb_text(case), "text/calendar")
        return ([] if status == 201 else [f"PUT {status} {text}"]), []


SERVERS = {"radicale": Radicale, "xandikos": Xandikos, "davical": Davical, "cyrus": Cyrus, "sogo": Sogo,
           "apache": Files}


def file_is_guarded(server, case):
    """What svc may not do, and what strangers get."""
    path = server.calendar(case)
    answers = [server.ask(case, "PUT", path, "x", login="svc")[0], server.ask(case, "GET", path, login="nobody")[0],
               server.ask(case, "GET", path, login=common.ANOTHER)[0]]
    if answers != [403, 401, 403]:
        raise common.NoAnswer(f"svc may write, or strangers read: {answers}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--davquery", metavar="PROGRAM")
    parser.add_argument("--keep", action="store_true", help="leave the folder, for its logs")
    parser.add_argument("cases", metavar="CASE", nargs="*")
    args = parser.parse_intermixed_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers end with us
    folder = tempfile.mkdtemp(prefix=f"{args.server}-")
    server = None

    def ask(server, case):
        if args.server == "apache":
            file_is_guarded(server, case)
        return common.ask_davquery(args.davquery, server, case)

    try:
        names = [case["id"] for case in common.cases(args.cases)]
        server = SERVERS[args.server](folder, names + [common.ANOTHER])
        return common.run(server, ask, args.cases)
    finally:
        if server:
            server.stop()
        if args.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
