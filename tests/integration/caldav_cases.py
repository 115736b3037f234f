"""The free/busy cases against real servers: what is the same whichever server holds them.

A server is a subclass of Server: it is started, has an account for each person and one (svc) that may read them all,
and makes a person's calendar. run() then loads each case as the person's calendar with its zone, asks our own client as
svc, compares periods and timeline exactly, and prints the table and `N of M`.

What a server itself loses is named in its class, so that nothing is hidden and nothing is forgotten: should it learn
better, the test says so. `refuses`: components that it does not store. `alters`: what it writes anew in a way that
changes the answer. `hides`: what the grant of a reader does not show; the case is then asked with a wider one.
"""
import base64
import datetime
import glob
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "..", "data", "freebusy")
sys.path.insert(0, os.path.join(HERE, "..", "peers"))

FORM = "%Y%m%dT%H%M%SZ"
ANOTHER = "another"        # a login that has nothing to do with anybody
ONE_CASE = "s16-floating"  # says most when there is time for one: events must be found, and the zone of their calendar
PRIVATE_CASE = "s32-other-components"
# Traits of a span, and what the default rules make of them (see presence/rules.h).
CANCELLED, DECLINED, UNANSWERED, MAYBE = 2, 4, 8, 16
TYPES = {"tentative": "BUSY-TENTATIVE", "busy": "BUSY", "oof": "BUSY-UNAVAILABLE", "not-understood": "BUSY"}
STRENGTH = ["BUSY-TENTATIVE", "BUSY", "BUSY-UNAVAILABLE"]

# The zone that a calendar names: only the name matters, the rules are those of any year.
_TIMEZONE = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", "BEGIN:VTIMEZONE",
                         "TZID:%s", "BEGIN:STANDARD",
                         "DTSTART:19700101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0000", "END:STANDARD",
                         "END:VTIMEZONE",
                         "END:VCALENDAR", ""])
_ZONE_PROPERTY = "<C:calendar-timezone>%s</C:calendar-timezone>"
_COMPONENTS_PROPERTY = "<C:supported-calendar-component-set>%s</C:supported-calendar-component-set>"
_SET = ('<?xml version="1.0" encoding="utf-8"?><%s xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<D:set><D:prop>%s</D:prop></D:set></%s>')


class NoAnswer(Exception):
    """Our client did not answer, or says itself that its answer is not whole: then it counts what it left out."""

    def __init__(self, why, left_out=0):
        super().__init__(why)
        self.left_out = left_out


class Server:
    """`started` is a peer with url, ca_file and stop()."""
    product = "a server"
    kind = "caldav"                  # in our configuration
    root = "/"                       # url and calendars of our configuration
    template = "/{local}/calendar/"
    keeps_zone = True
    refuses = {}                     # case: names of the components
    alters = {}                      # case: (what was there, what is there instead)
    hides = {}                       # case: what a resource has that is hidden
    other_ways = ()                  # templates that lead to the same calendar: asked for one case

    def __init__(self, folder, started):
        self.folder, self.started = folder, started
        self.url, self.ca_file = started.url, started.ca_file
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        self.password_file = os.path.join(folder, "password")
        with open(os.open(self.password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write("svcpw")

    def login(self, case):
        """Who writes the person's calendar."""
        return case["id"]

    def calendar(self, case):
        """Its path, for its owner."""
        return self.template.format(local=case["id"], address=case["person"].replace("@", "%40"))

    def make_calendar(self, case, kinds):
        """Makes it with its zone, for components of these kinds. The statuses of what was refused."""
        raise NotImplementedError

    def ask(self, case, method, path, body="", content_type="application/xml; charset=utf-8", login=None):
        """(status, body), as the calendar's owner or as somebody else."""
        request = urllib.request.Request(self.url + path, data=body.encode() if body else None, method=method,
                                         headers={"Depth": "0"})
        if body:
            request.add_header("Content-Type", content_type)
        login = login or self.login(case)
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{login}:{login}pw".encode()).decode())
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    def mkcalendar(self, case, kinds):
        properties = _ZONE_PROPERTY % (_TIMEZONE % case["calendar_tz"])
        properties += _COMPONENTS_PROPERTY % "".join(f'<C:comp name="{kind}"/>' for kind in kinds)
        status, text = self.ask(case, "MKCALENDAR", self.calendar(case),
                                _SET % ("C:mkcalendar", properties, "C:mkcalendar"))
        return [] if status == 201 else [f"MKCALENDAR {status} {text[:300]}"]

    def set_zone(self, case):
        """For a calendar that is there already."""
        body = _SET % ("D:propertyupdate", _ZONE_PROPERTY % (_TIMEZONE % case["calendar_tz"]), "D:propertyupdate")
        status, text = self.ask(case, "PROPPATCH", self.calendar(case), body)
        return [] if status in (200, 207) and "200 OK" in text else [f"PROPPATCH {status} {text[:300]}"]

    def has_zone(self, case):
        body = '<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-timezone/></D:prop></D:propfind>'
        return "TZID:" in self.ask(case, "PROPFIND", self.calendar(case), body)[1]

    def load(self, case):
        """A calendar resource holds the components of one UID (RFC 4791 4.1). ([what went wrong], [(component, status)
        refused])"""
        parts = components(case["text"])
        failed, refused = self.make_calendar(case, sorted({"VEVENT"} | {p[0] for p in parts} - {"VTIMEZONE"})), []
        zones = [p for p in parts if p[0] == "VTIMEZONE"]
        for number, uid in enumerate(sorted({p[1] for p in parts if p[0] != "VTIMEZONE"})):
            mine = [p for p in parts if p[0] != "VTIMEZONE" and p[1] == uid]
            lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN"]
            for part in zones + mine:
                lines += part[2]
            text = "\r\n".join(lines + ["END:VCALENDAR", ""])
            status = self.store(case, f"{number}.ics", text)
            if status not in (201, 204):
                refused.append((mine[0][0], status))
        return failed, refused

    def store(self, case, name, text):
        """The status."""
        return self.ask(case, "PUT", self.calendar(case) + name, text, "text/calendar; charset=utf-8")[0]

    def resources(self, case, login=None):
        """[(status, text)] of what load() stored, as its owner or as somebody else sees it."""
        count = len({p[1] for p in components(case["text"]) if p[0] != "VTIMEZONE"})
        answers = (self.ask(case, "GET", f"{self.calendar(case)}{number}.ics", login=login) for number in range(count))
        return [(status, text.replace("\r\n ", "")) for status, text in answers]

    def show(self, case):
        """Grants svc what it takes to see what is hidden."""
        raise NotImplementedError

    def narrow(self, case):
        """Takes of what svc is granted so much that something is hidden, where that can be; says whether it did."""
        return False

    def stop(self):
        self.started.stop()


def cases(chosen=()):
    """Each case with its calendar (text) and its person (an address)."""
    for path in sorted(glob.glob(os.path.join(CASES, "*.json"))):
        with open(path, encoding="utf-8") as file:
            case = json.load(file)
        with open(path[:-5] + ".ics", newline="", encoding="utf-8") as file:
            case["text"] = file.read()
        case["person"] = case["id"] + "@example.org"
        if not chosen or case["id"] in chosen:
            yield case


def components(text):
    """The components of a calendar: [(name, uid, lines)]."""
    found, depth, lines = [], 0, []
    for line in text.split("\r\n"):
        if line.startswith("BEGIN:") and line != "BEGIN:VCALENDAR":
            depth += 1
        if depth:
            lines.append(line)
        if line.startswith("END:") and depth:
            depth -= 1
            if depth == 0:
                uid = [l[4:] for l in lines if l.startswith("UID:")]
                found.append((lines[0][6:], uid[0] if uid else "", lines))
                lines = []
    return found


def pieces(window):
    """davclient answers for two years at most; nobody looks further."""
    at, end = (datetime.datetime.strptime(window[k], FORM) for k in ("start", "end"))
    while at < end:
        piece = min(at + datetime.timedelta(days=700), end)
        yield at.strftime(FORM), piece.strftime(FORM)
        at = piece


def ask_davquery(davquery, server, case):
    """What davclient answers, as [start, end, type]. The zone given here is wrong on purpose where the calendar's own
    goes before it."""
    zone = "Pacific/Kiritimati" if server.keeps_zone else case["calendar_tz"]
    periods = []
    for start, end in pieces(case["window"]):
        command = [davquery, "--kind", server.kind, "--url", server.url + server.root, "--ca-file", server.ca_file,
                   "--user", "svc",
                   "--password-file", server.password_file, "--calendar", server.template, "--address", case["person"],
                   "--from", start, "--until", end, "--zone", zone]
        if case["owner"]:
            command += ["--owner", case["owner"].replace("mailto:", "")]
        periods += davquery_periods(command)
    return periods


def davquery_periods(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=130)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if not lines or lines[-1].get("result") != "ok" or lines[-1]["skipped"]:
        raise NoAnswer(f"no answer: {lines[-1] if lines else f'exit code {done.returncode}'}",
                       lines[-1]["skipped"] if lines else 0)
    periods = []
    for span in lines[:-1]:
        kind = TYPES.get(span["kind"])
        if span["traits"] & (CANCELLED | DECLINED) or kind is None:
            continue
        if span["traits"] & (UNANSWERED | MAYBE):
            kind = "BUSY-TENTATIVE"
        periods.append([span["start"], span["end"], kind])
    return periods


def ifb_text(case):
    """The case's busy time as somebody's program may have written it: by type in comma lists, ends and lengths in turn,
    lines folded; for a year more than the case asks about, so that it may be asked for early."""
    year = datetime.timedelta(days=366)
    begin, until = (datetime.datetime.strptime(case["window"][k], FORM) for k in ("start", "end"))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", "METHOD:PUBLISH", "BEGIN:VFREEBUSY",
             "UID:" + case["id"],
             "DTSTAMP:20260101T000000Z", "DTSTART:" + (begin - year).strftime(FORM),
             "DTEND:" + (until + year).strftime(FORM)]
    for kind in STRENGTH:
        periods = [f"{start}/{end if i % 2 else duration(start, end)}"
                   for i, (start, end, k) in enumerate(case["busy"]) if k == kind]
        if periods:
            lines.append(("FREEBUSY:" if kind == "BUSY" else f"FREEBUSY;FBTYPE={kind}:") + ",".join(periods))
    lines += ["END:VFREEBUSY", "END:VCALENDAR", ""]
    return "\r\n".join("\r\n ".join(line[i:i + 70] for i in range(0, len(line), 70)) for line in lines)


def duration(start, end):
    seconds = int((datetime.datetime.strptime(end, FORM) - datetime.datetime.strptime(start, FORM)).total_seconds())
    return f"P{seconds // 86400}DT{seconds % 86400}S"


def ifb_periods(text):
    """[start, end, type] of a VFREEBUSY as ifb_text() writes it."""
    periods = []
    for line in text.replace("\r\n ", "").split("\r\n"):
        head, _, value = line.partition(":")
        if not head.startswith("FREEBUSY"):
            continue
        for start, end in (period.split("/") for period in value.split(",")):
            if end.startswith("P"):
                days, seconds = (int(n) for n in end.strip("PS").split("DT"))
                end = (datetime.datetime.strptime(start, FORM) + datetime.timedelta(days, seconds)).strftime(FORM)
            periods.append([start, end, head.partition("FBTYPE=")[2] or "BUSY"])
    return periods


def join(periods, window):
    """Cut to the window; within one type overlapping or touching periods become one."""
    result = []
    for kind in STRENGTH:
        run_ = None
        for start, end in sorted([max(p[0], window["start"]), min(p[1], window["end"])] for p in periods
                                 if p[2] == kind):
            if start >= end:
                continue
            if run_ and start <= run_[1]:
                run_[1] = max(run_[1], end)
            else:
                run_ = [start, end, kind]
                result.append(run_)
    return sorted(result)


def timeline(periods, window):
    """One state at a time, the strongest."""
    edges = sorted({t for p in periods for t in p[:2]} | {window["start"], window["end"]})
    result = []
    for start, end in zip(edges, edges[1:]):
        kinds = [p[2] for p in periods if p[0] <= start and p[1] >= end]
        if not kinds:
            continue
        kind = max(kinds, key=STRENGTH.index)
        if result and result[-1][1] == start and result[-1][2] == kind:
            result[-1][1] = end
        else:
            result.append([start, end, kind])
    return result


def judge(case, periods):
    """(word, detail) for periods as a client answered them."""
    got = join(periods, case["window"])
    if got != case["busy"]:
        return "WRONG", f"expected {case['busy']}, got {got}"
    if timeline(got, case["window"]) != case["timeline"]:
        return "WRONG", f"timeline: expected {case['timeline']}, got {timeline(got, case['window'])}"
    return "right", f"{len(got)} periods"


def lost(server, case):
    """Loads the case. (word, detail) when the server does not hold what it was given, so that there is nothing to ask;
    else None and what is to be said besides."""
    failed, refused = server.load(case)
    kinds, name = sorted(kind for kind, _ in refused), server.product
    if failed:
        return ("WRONG", f"no calendar: {failed}"), ""
    if kinds != sorted(server.refuses.get(case["id"], ())):
        return ("WRONG", f"{name} refuses {refused}, known is {server.refuses.get(case['id'])}"), ""
    note = f"{name} answers {refused[0][1]} to {', '.join(kinds)}" if refused else ""
    if "VEVENT" in kinds or "VFREEBUSY" in kinds:
        return ("not stored", note), ""
    if not server.keeps_zone and server.has_zone(case):
        return ("WRONG", f"{name} keeps a calendar's zone now: do not configure it"), ""
    if case["id"] in server.alters:
        had, has = server.alters[case["id"]]
        text = "".join(text for _, text in server.resources(case))
        if had in text or has not in text:
            return ("WRONG", f"{name} alters {case['id']} no longer: ask"), ""
        return ("altered", f"{name} made {' '.join(has.split())} of {' '.join(had.split())}"), ""
    return None, note


def hidden(server, case):
    """Whether svc sees less than the owner, as is known."""
    marks = [(server.hides[case["id"]] in text, status) for (_, text), (status, _) in
             zip(server.resources(case), server.resources(case, "svc"))]
    return all((status != 200) == marked for marked, status in marks)


def run_case(server, case, ask):
    """(word, detail) for the table; ask(server, case) gives [start, end, type] lists or raises NoAnswer."""
    word, note = lost(server, case)
    if word:
        return word
    try:
        if case["id"] in server.hides:
            if not hidden(server, case):
                return "WRONG", f"{server.product} no longer hides {server.hides[case['id']]}: ask"
            if silent(server, case, ask):
                return "WRONG", f"{server.product} hides {server.hides[case['id']]}, and our client keeps silent about it"
            server.show(case)
            word, detail = judge(case, ask(server, case))
            detail = f"{server.product} hides {server.hides[case['id']]} from a reader; with a wider grant: {word}, {detail}"
            return ("hidden" if word == "right" else word), detail
        word, detail = judge(case, ask(server, case))
        if case["id"] == PRIVATE_CASE and word == "right" and server.narrow(case):
            detail += ", hidden ones counted"
            if silent(server, case, ask):
                return "WRONG", f"{server.product} hides events from a narrower grant, and our client keeps silent about it"
    except NoAnswer as error:
        return "WRONG", str(error)
    return word, detail + (f"; {note}" if note else "")


def silent(server, case, ask):
    """Whether our client answers as if it had seen everything."""
    try:
        ask(server, case)
    except NoAnswer as error:
        return error.left_out == 0
    return True


def grant_holds(server, case):
    """svc may not write; who was granted nothing may not read. Prints what the server says to both."""
    there = server.template.format(local=case["id"], address=case["person"].replace("@", "%40"))
    event = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//freebusyd//test//EN", "BEGIN:VEVENT", "UID:intruder",
             "DTSTAMP:20260101T000000Z",
             "DTSTART:20260101T000000Z", "DTEND:20260102T000000Z", "END:VEVENT", "END:VCALENDAR", ""]
    put, _ = server.ask(case, "PUT", there + "intruder.ics", "\r\n".join(event), "text/calendar", "svc")
    get, _ = server.ask(case, "GET", server.calendar(case) + "0.ics", login=ANOTHER)
    owner, _ = server.ask(case, "GET", server.calendar(case) + "intruder.ics")
    print(f"grant: PUT by svc {put}, GET by another {get}", flush=True)
    return put >= 400 and get >= 400 and owner >= 400


def run(server, ask, chosen=()):
    """The whole table. An exit code."""
    words, ways, granted = [], [], True
    for case in cases(chosen):
        word, detail = run_case(server, case, ask)
        words.append(word)
        print(f"{case['id']:28} {word:10} {detail}", flush=True)
        if case["id"] == ONE_CASE:
            granted = grant_holds(server, case)
            ways = [(template, *ask_another_way(server, case, ask, template)) for template in server.other_ways]
    for template, word, detail in ways:
        print(f"{ONE_CASE} by {template}: {word}, {detail}", flush=True)
    print(f"{words.count('right')} of {len(words)}", flush=True)
    return 0 if words and granted and "WRONG" not in words and all(word == "right" for _, word, _ in ways) else 1


def ask_another_way(server, case, ask, template):
    usual, server.template = server.template, template
    try:
        return judge(case, ask(server, case))
    except NoAnswer as error:
        return "WRONG", str(error)
    finally:
        server.template = usual
