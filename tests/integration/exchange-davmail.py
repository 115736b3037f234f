#!/usr/bin/python3
"""DavMail, an Exchange client that nobody here wrote, judges the simulator: it logs in, lists calendars, fetches events
and reads free/busy through its CalDAV front. What it must see is computed here from the data file, by other code than
the simulator's: days are walked one by one, zones come from the system's tables.

    exchange-davmail.py --sim PROGRAM --profile 2003|2007 --work FOLDER [--ntlm]

freebusyd then reads the same people from the same simulator, and must say to the second what the file says, and by
quarters of an hour what DavMail says.

With --ntlm it logs on by NTLM, judged by winbindd: at /exchange and /public, with forms on /owa, since DavMail knows no
NTLM alone.

The folder keeps davmail.log and the simulator's log when something fails.
"""
import argparse
import base64
import datetime
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse
import zoneinfo

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'peers'))
import company  # noqa: E402
import harness  # noqa: E402
import peer  # noqa: E402
import winbind  # noqa: E402
from harness import check, check_equal  # noqa: E402
DATA = os.path.join(HERE, 'exchange-davmail.sim')
DAVMAIL = os.path.join(HERE, '..', 'peers', 'davmail.sh')
UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)
SLOT = datetime.timedelta(minutes=15)  # what DavMail asks for
DIGITS = {'free': 0, 'tentative': 1, 'busy': 2, 'oof': 3}
FORM = '%Y%m%dT%H%M%SZ'
TYPES = {1: 'BUSY-TENTATIVE', 2: 'BUSY', 3: 'BUSY-UNAVAILABLE'}
WEEKDAYS = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su']
UNITS = {'w': 604800, 'd': 86400, 'h': 3600, 'm': 60, 's': 1}


# ---- the data file, read independently -------------------------------------------------------------------------------

def words_of(line):
    return [re.sub(r'"([^"]*)"', r'\1', word) for word in re.findall(r'(?:[^\s"#]|(?<=\S)#|"[^"]*")+',
                                                                     line.split(' # ')[0])]


def seconds_of(text):
    parts = re.findall(r'(\d+)([wdhms])', text)
    check(''.join(n + u for n, u in parts) == text and parts, f'duration {text}')
    return datetime.timedelta(seconds=sum(int(n) * UNITS[u] for n, u in parts))


class Item:
    def __init__(self, mailbox, zone, now, words):
        self.mailbox, self.zone, self.now = mailbox, zone, now
        self.busy, self.start = 'busy', None
        self.start, self.end = self.moment(words[0]), self.moment(words[1], words[0])
        rest = words[2:]
        options = dict((w.split('=', 1) + ['yes'])[:2] for w in rest if w not in DIGITS)
        self.options = options
        self.subject = options['subject']
        self.all_day, self.private = 'all-day' in options, 'private' in options
        self.counts = 'cancelled' not in options and options.get('response') != 'declined'
        if options.get('response') == 'unanswered':
            self.busy = 'tentative'
        for word in rest:
            if word in DIGITS:
                self.busy = word
        self.recurs = 'every' in options

    def local(self, day, clock='00:00'):
        hour, minute = map(int, clock.split(':'))
        return datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)

    def moment(self, text, start=None):
        if start is not None and text.startswith('+'):
            return self.moment(start) + seconds_of(text[1:])
        word = re.fullmatch(r'(today|tomorrow|monday)((?:[+-]\w+)*)(?:@([\d:]+))?', text)
        if word:
            day = self.now.astimezone(self.zone).date()
            day += {'today': 0 * DAY, 'tomorrow': DAY, 'monday': -day.weekday() * DAY}[word[1]]
            for sign, shift in re.findall(r'([+-])(\w+)', word[2]):
                day += seconds_of(shift) * (1 if sign == '+' else -1)
            return self.local(day, word[3] or '00:00')
        date = re.fullmatch(r'(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d))?', text)
        check(date, f'moment {text}')
        return self.local(datetime.date.fromisoformat(date[1]), date[2] or '00:00')

    def hits(self, first, day):
        """Does the rule name this day of the wall clock?"""
        every, interval = self.options['every'], int(self.options.get('interval', 1))
        names = self.options.get('days', '').split(',') if 'days' in self.options else [WEEKDAYS[first.weekday()]]
        if every == 'day':
            return (day - first).days % interval == 0
        if every == 'week':
            weeks = ((day - day.weekday() * DAY) - (first - first.weekday() * DAY)).days // 7
            return weeks % interval == 0 and WEEKDAYS[day.weekday()] in names
        return WEEKDAYS[day.weekday()] in names and (day.day - 1) // 7 + 1 == int(self.options['nth'])

    def occurrences(self, horizon):
        """[(start, end, status)] of all instances before the horizon."""
        if not self.recurs:
            return [(self.start, self.end, self.busy)]
        start = self.start.astimezone(self.zone)
        clock, length = start.strftime('%H:%M'), self.end - self.start
        count = int(self.options.get('count', 10 ** 6))
        until = self.moment(self.options['until']) if 'until' in self.options else horizon
        gone = {self.moment(t) for t in self.options.get('deleted', '').split(',') if t}
        out = []
        if 'moved' in self.options:
            ident, new, end, *status = self.options['moved'].split('>')
            gone.add(self.moment(ident))
            out.append((self.moment(new), self.moment(end, new), status[0] if status else self.busy))
        day = start.date()
        while count > 0:
            at = self.local(day, clock)
            if at >= horizon or at > until:
                break
            if self.hits(start.date(), day):
                count -= 1
                if at not in gone:
                    out.append((at, at + length, self.busy))
            day += DAY
        return out


class Data:
    def __init__(self, now):
        self.items, zones = [], {}
        with open(DATA, encoding='utf-8') as file:
            for line in file:
                words = words_of(line) if not line.startswith('#') else []
                if words[:1] == ['mailbox']:
                    options = dict(w.split('=', 1) for w in words[2:])
                    zones[words[1]] = zoneinfo.ZoneInfo(options['zone'])
                if words[:1] == ['appointment']:
                    self.items.append(Item(words[1], zones[words[1]], now, words[2:]))
        check(len(self.items) == 19, f'{len(self.items)} appointments were read from the data file')

    def of(self, mailbox):
        return [i for i in self.items if i.mailbox == mailbox]

    def names(self, mailbox, keep):
        """Subjects become names; a second one of the same subject gets a number."""
        seen, out = {}, set()
        for item in self.of(mailbox):
            seen[item.subject] = seen.get(item.subject, 0) + 1
            number = seen[item.subject]
            if keep(item):
                out.add(item.subject + (f'-{number}' if number > 1 else '') + '.EML')
        return out

    def spans(self, mailbox, end):
        """[(start, end, digit)] of what counts."""
        return [(a, b, DIGITS[status]) for item in self.of(mailbox) if item.counts
                for a, b, status in item.occurrences(end)]


def runs(spans, start, end, slot=SLOT):
    """What spans merge to by slots of time, the strongest in each: {(start, end, type)}."""
    slots = [0] * int((end - start) / slot)
    for a, b, digit in spans:
        for i in range(max(0, (a - start) // slot), min(len(slots), -((start - b) // slot))):
            slots[i] = max(slots[i], digit)
    out, i = set(), 0
    while i < len(slots):
        j = i
        while j < len(slots) and slots[j] == slots[i]:
            j += 1
        if slots[i]:
            out.add((stamp(start + i * slot), stamp(start + j * slot), TYPES[slots[i]]))
        i = j
    return out


def stamp(t):
    return t.astimezone(UTC).strftime(FORM)


def moment(text):
    return datetime.datetime.strptime(text, FORM).replace(tzinfo=UTC)


# ---- the programs ----------------------------------------------------------------------------------------------------

class Programs:
    def __init__(self, work):
        self.work, self.running = work, []

    def start(self, name, argv, out):
        with open(os.path.join(self.work, name + '.err'), 'ab') as err:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.running.append(process)
        return process

    def stop_all(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(60)
        self.running = []


class Sim:
    def __init__(self, programs, program, profile, now, more=()):
        argv = [program, '--profile', profile, '--data', DATA, '--clock', now.strftime('%Y-%m-%dT%H:%M:%SZ'), '--port',
                '0',
                '--control', '127.0.0.1:0', '--log', os.path.join(programs.work, 'requests.log'), '--set', 'auth=forms',
                '--set', 'fb-any-agent', *more]
        self.process = programs.start('exchange-sim', argv, subprocess.PIPE)
        line = self.process.stdout.readline()
        check(line, 'the simulator did not start, see exchange-sim.err')
        self.ports = json.loads(line)

    def control(self, method, path, value=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.ports['control'], timeout=60)
        connection.request(method, path, None if value is None else json.dumps(value))
        answer = connection.getresponse()
        text = answer.read().decode()
        check(answer.status == 200, f'control {method} {path}: {answer.status} {text}')
        return json.loads(text)


class DavMail:
    """One process a way of logging on: it keeps its sessions for ever."""

    def __init__(self, programs, sim, name):
        self.folder = os.path.join(programs.work, name)
        self.port = peer.free_port()
        os.makedirs(self.folder, exist_ok=True)
        url = f'http://127.0.0.1:{sim.ports["port"]}/exchange/'
        self.process = programs.start(name, [DAVMAIL, self.folder, url, str(self.port)], subprocess.DEVNULL)
        peer.until(self.listens, f'{name} to listen, see {self.folder}', alive=self.check_alive)

    def check_alive(self):
        check(self.process.poll() is None, f'{self.folder}: ended by itself')

    def listens(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return True
        except OSError:
            return False

    def ask(self, login, method, path, body, headers=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        headers = {'Authorization': 'Basic ' + base64.b64encode(login.encode()).decode(), **(headers or {})}
        connection.request(method, path, body.encode(), headers)
        answer = connection.getresponse()
        text = answer.read().decode('utf-8', 'replace')
        connection.close()
        return answer.status, text


# ---- the checks ------------------------------------------------------------------------------------------------------

PROPFIND = '<D:propfind xmlns:D="DAV:"><D:prop><D:displayname/><D:getetag/><D:resourcetype/></D:prop></D:propfind>'
MULTIGET = ('<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
            '%s</C:calendar-multiget>')
QUERY = ('<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop><C:filter>'
         '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="%s" end="%s"/></C:comp-filter>'
         '</C:comp-filter></C:filter></C:calendar-query>')


def home(address):
    return '/users/' + urllib.parse.quote(address, safe='@')


def item_names(text):
    return {urllib.parse.unquote(h.rsplit('/', 1)[1]).replace('&amp;', '&')
            for h in re.findall(r'<D:href>([^<]*\.EML)</D:href>', text)}


def log_in(dav, login, address):
    status, text = dav.ask(login, 'PROPFIND', home(address) + '/', PROPFIND, {'Depth': '0'})
    check_equal(status, 207, f'{login.split(":")[0]} logs in: {text[:300]}')


def list_calendar(dav, login, address):
    status, text = dav.ask(login, 'PROPFIND', home(address) + '/calendar/', PROPFIND, {'Depth': '1'})
    check_equal(status, 207, f'{address} calendar list: {text[:300]}')
    return item_names(text)


def free_busy(dav, login, own, others, start, end):
    """{address: {(start, end, type)}} as DavMail answers it."""
    lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//test//EN', 'METHOD:REQUEST', 'BEGIN:VFREEBUSY',
             f'DTSTAMP:{stamp(start)}',
             'UID:fb-1', f'DTSTART:{stamp(start)}', f'DTEND:{stamp(end)}', f'ORGANIZER:mailto:{own}']
    lines += [f'ATTENDEE:mailto:{a}' for a in others] + ['END:VFREEBUSY', 'END:VCALENDAR', '']
    status, text = dav.ask(login, 'POST', home(own) + '/outbox/', '\r\n'.join(lines),
                           {'Content-Type': 'text/calendar; charset=utf-8'})
    check_equal(status, 200, f'free/busy: {text[:300]}')
    out = {}
    for part in text.split('<C:response>')[1:]:
        address = re.search(r'<D:href>mailto:([^<]*)</D:href>', part)[1].replace('&amp;', '&')
        lines = re.findall(r'FREEBUSY;FBTYPE=([A-Z-]+):([\w/,]+)', re.sub(r'\r?\n ', '', part))
        out[address] = {(*span.split('/'), kind) for kind, spans in lines for span in spans.split(',')}
    return out


def check_own_calendar(dav, data, now):
    """Alice, whose calendar folder is called Kalender, reads her own."""
    login, address = 'alice:secret', 'alice@example.test'
    log_in(dav, login, address)
    expected = data.names(address, lambda i: True)
    check_equal(list_calendar(dav, login, address), expected, "alice's calendar")

    start, end = now + DAY, now + 2 * DAY
    # masters are always in DavMail's answer to a query: it leaves their expansion to its client
    expected = data.names(address, lambda i: i.recurs or (i.end > start and i.start < end))
    status, text = dav.ask(login, 'REPORT', home(address) + '/calendar/', QUERY % (stamp(start), stamp(end)))
    check_equal((status, item_names(text)), (207, expected), "alice's query of a day")

    hrefs = ''.join(f'<D:href>{home(address)}/calendar/{name}</D:href>' for name in ('Daily.EML', 'Leave.EML'))
    status, text = dav.ask(login, 'REPORT', home(address) + '/calendar/', MULTIGET % hrefs)
    check_equal(status, 207, f"alice's multiget: {text[:300]}")
    daily = next(i for i in data.items if i.subject == 'Daily')
    wanted = daily.start.astimezone(daily.zone).strftime('%Y%m%dT%H%M%S')
    check(re.search(r'DTSTART;TZID=.*:' + wanted, text), f'no DTSTART at {wanted} in {text}')
    check(re.search(r'RRULE:.*FREQ=DAILY.*COUNT=12', text), f'no RRULE in {text}')
    leave = next(i for i in data.items if i.subject == 'Leave')
    check(f'DTSTART;VALUE=DATE:{leave.start.astimezone(leave.zone):%Y%m%d}' in text, f'no all-day event in {text}')


def check_free_busy(dav, data, login, own, now):
    start = now.replace(hour=0, minute=0, second=0) + DAY
    end = start + 6 * DAY
    people = ['alice@example.test', 'bob@example.test', 'svc@example.test']
    got = free_busy(dav, login, own, people + ['nobody@example.test'], start, end)
    check_equal(set(got), set(people), 'who is in the answer (nobody is unknown)')
    for person in people:
        check_equal(got[person], runs(data.spans(person, end), start, end), f'free/busy of {person}')
    check(len(got['alice@example.test']) > 8, 'the comparison was about something')
    return got, start, end


def check_freebusyd(programs, sim, data, davmail, start, end):
    """The same people, read by freebusyd with the same logon."""
    folder = os.path.join(programs.work, 'freebusyd')
    os.makedirs(folder, exist_ok=True)
    harness.secret_file(folder, 'password', 'svc-secret')
    yaml = company.yaml(f'http://127.0.0.1:{sim.ports["port"]}/exchange/',
                        davmail, server_more='    read: calendar\n').replace('svc-presence', 'svc').replace('[basic]',
                                                                                                            '[forms]')
    daemon = harness.Daemon(folder, yaml)
    for person, theirs in davmail.items():
        harness.wait_until(lambda p=person: daemon.presence(p)['state'] != 'unknown', f'{person} to be read')
        ours = daemon.periods(person, stamp(start), stamp(end))
        expected = runs(data.spans(person, end), start, end, datetime.timedelta(minutes=1))
        check_equal(set(ours), expected, f'free/busy of {person} by freebusyd')
        digits = [(moment(a), moment(b), next(d for d in TYPES if TYPES[d] == kind)) for a, b, kind in ours]
        check_equal(runs(digits, start, end), theirs, f'free/busy of {person} by freebusyd, beside DavMail')
    check_equal(daemon.stop(), 0, "freebusyd's exit code")


def check_service_account(dav, data):
    """What Receive-As is for; DavMail itself hides the private items of others."""
    log_in(dav, 'EXAMPLE\\svc:svc-secret', 'svc@example.test')
    got = list_calendar(dav, 'EXAMPLE\\svc:svc-secret', 'bob@example.test')
    check_equal(got, data.names('bob@example.test', lambda i: not i.private and (i.recurs or i.start.year > 2020)),
                "bob's calendar")


def check_refusals(dav, sim):
    sim.control('DELETE', '/counters')
    status, _ = dav.ask('alice:wrong', 'PROPFIND', home('alice@example.test') + '/', PROPFIND, {'Depth': '0'})
    check_equal(status, 401, 'a wrong password')
    check_equal(sim.control('GET', '/counters')['logons']['rejected'], 1, 'rejected logons')
    status, _ = dav.ask('alice:secret', 'PROPFIND', home('bob@example.test') + '/calendar/', PROPFIND, {'Depth': '1'})
    check(status >= 400, f"alice may not read bob's calendar: {status}")


def check_session_end(dav, sim, data):
    """A session that ends is opened again without a word to the client."""
    sim.control('DELETE', '/sessions')
    check_equal(list_calendar(dav, 'alice:secret', 'alice@example.test'),
                data.names('alice@example.test', lambda i: True),
                "alice's calendar after her session ended")


def check_change(dav, sim, data):
    """What changes at run time is seen."""
    before = data.names('alice@example.test', lambda i: True)
    item = sim.control('POST', '/appointments',
                       {'mailbox': 'alice@example.test', 'start': 'today+1d@18:00', 'end': '+15m', 'subject': 'New'})
    check_equal(list_calendar(dav, 'alice:secret', 'alice@example.test'), before | {'New.EML'}, 'a new appointment')
    sim.control('DELETE', f'/appointments/{item["id"]}')
    check_equal(list_calendar(dav, 'alice:secret', 'alice@example.test'), before, 'a deleted appointment')


def judge(programs, sim, profile, data, now):
    dav = DavMail(programs, sim, 'davmail-forms')
    check_own_calendar(dav, data, now)
    check_freebusyd(programs, sim, data, *check_free_busy(dav, data, 'alice:secret', 'alice@example.test', now))
    check_service_account(dav, data)
    check_change(dav, sim, data)
    check_session_end(dav, sim, data)
    check_refusals(dav, sim)
    print(f'forms {profile}: logon, list, query, fetch, free/busy (freebusyd too), service account, change, session end, refusals')
    if profile == '2007':
        sim.control('PUT', '/faults', {'auth': 'hybrid'})
        dav = DavMail(programs, sim, 'davmail-hybrid')
        log_in(dav, 'EXAMPLE\\svc:svc-secret', 'svc@example.test')
        check_free_busy(dav, data, 'EXAMPLE\\svc:svc-secret', 'svc@example.test', now)
        check_service_account(dav, data)
        print('Basic on /exchange with forms on /owa: logon, free/busy, service account')
    violations = sim.control('GET', '/counters')['violations']
    check_equal(violations, [], 'what the simulator complains of')


def judge_ntlm(programs, program, profile, data, now):
    users = {'svc': ('svc-secret', '')}
    with winbind.Winbind(os.path.join(programs.work, 'winbind'), users=users, domain='EXAMPLE') as judge_of_passwords:
        sim = Sim(programs, program, profile, now,
                  ['--ntlm-helper', judge_of_passwords.helper, '--set', 'auth=hybrid-ntlm'])
        dav = DavMail(programs, sim, 'davmail-ntlm')
        log_in(dav, 'EXAMPLE\\svc:svc-secret', 'svc@example.test')
        check_free_busy(dav, data, 'EXAMPLE\\svc:svc-secret', 'svc@example.test', now)
        check_service_account(dav, data)
        seen = sim.control('GET', '/counters')
        check(seen['ntlm'].get('v2', 0) > 0, f'NTLMv2 was spoken: {seen["ntlm"]}')
        check_equal(seen['logons']['rejected'], 0, 'rejected logons')
        check_equal(seen['violations'], [], 'what the simulator complains of')
        status, _ = dav.ask('EXAMPLE\\svc:wrong', 'PROPFIND', home('svc@example.test') + '/', PROPFIND, {'Depth': '0'})
        check(status >= 400, f'a wrong password: {status}')
        check_equal(sim.control('GET', '/counters')['logons']['rejected'], 1, 'rejected logons')
        programs.stop_all()
    print('NTLM on /exchange with forms on /owa: logon, free/busy, service account, wrong password')


def main():
    arguments = argparse.ArgumentParser()
    for name in ('--sim', '--profile', '--work'):
        arguments.add_argument(name, required=True)
    arguments.add_argument('--ntlm', action='store_true')
    a = arguments.parse_args()
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    now = datetime.datetime.now(UTC).replace(microsecond=0)
    programs = Programs(a.work)
    try:
        if a.ntlm:
            judge_ntlm(programs, a.sim, a.profile, Data(now), now)
        else:
            judge(programs, Sim(programs, a.sim, a.profile, now), a.profile, Data(now), now)
    except (harness.Failed, peer.PeerFailed, OSError, http.client.HTTPException) as error:
        print(f'FAILED: {error}\nlogs are in {a.work}')
        return 1
    finally:
        programs.stop_all()
    return 0


if __name__ == '__main__':
    sys.exit(main())
