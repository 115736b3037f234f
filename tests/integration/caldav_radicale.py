#!/usr/bin/python3
"""The free/busy cases through a real Radicale: each case becomes a person whose calendar holds its events and names its zone; the answer
must be exactly the periods that the case expects. Prints the table and `N of M`.

    caldav_radicale.py --davquery PROGRAM [CASE...]

Asking is one function (ask_davquery): another one that returns [start, end, type] lists can take its place.
"""
import argparse
import base64
import datetime
import glob
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, '..', 'data', 'freebusy')
RADICALE = os.path.join(HERE, '..', 'peers', 'radicale.sh')

# What Radicale 3.1 itself loses, so that there is nothing to ask about: it answers the PUT of an RDATE with periods with 400, and it
# writes durations anew, whole days as days. Both are checked: should it learn better, the case must be right.
NOT_STORED = {'s26-rdate-period'}
ALTERED = {'s08-duration-days-hours': ('DURATION:PT24H', 'DURATION:P1D')}

# Traits of a span, and what the default rules make of them (see presence/rules.h).
CANCELLED, DECLINED, UNANSWERED, MAYBE = 2, 4, 8, 16
TYPES = {'tentative': 'BUSY-TENTATIVE', 'busy': 'BUSY', 'oof': 'BUSY-UNAVAILABLE'}
STRENGTH = ['BUSY-TENTATIVE', 'BUSY', 'BUSY-UNAVAILABLE']

# The zone that a calendar names: only the name matters, the rules are those of any year.
TIMEZONE = '\r\n'.join(['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//freebusyd//test//EN', 'BEGIN:VTIMEZONE', 'TZID:%s', 'BEGIN:STANDARD',
                        'DTSTART:19700101T000000', 'TZOFFSETFROM:+0000', 'TZOFFSETTO:+0000', 'END:STANDARD', 'END:VTIMEZONE',
                        'END:VCALENDAR', ''])
MKCALENDAR = ('<?xml version="1.0" encoding="utf-8"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set>'
              '<D:prop><C:calendar-timezone>%s</C:calendar-timezone><C:supported-calendar-component-set>%s'
              '</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>')


class Radicale:
    def __init__(self, folder):
        self.folder = folder
        port, pid = subprocess.run([RADICALE, folder], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        self.pid = int(pid)
        self.url = 'https://127.0.0.1:%s' % port
        self.ca_file = os.path.join(folder, 'ca.pem')
        self.tls = ssl.create_default_context(cafile=self.ca_file)

    def stop(self):
        os.kill(self.pid, 15)

    def ask(self, method, path, body='', content_type='text/plain'):
        """(status, body), as the calendars' owner."""
        request = urllib.request.Request(self.url + path, data=body.encode(), method=method)
        request.add_header('Content-Type', content_type)
        request.add_header('Authorization', 'Basic ' + base64.b64encode(b'owner:ownerpw').decode())
        try:
            with urllib.request.urlopen(request, context=self.tls) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, ''


def components(text):
    """The components of a calendar: [(name, uid, lines)]."""
    found, depth, lines = [], 0, []
    for line in text.split('\r\n'):
        if line.startswith('BEGIN:') and line != 'BEGIN:VCALENDAR':
            depth += 1
        if depth:
            lines.append(line)
        if line.startswith('END:') and depth:
            depth -= 1
            if depth == 0:
                uid = [l[4:] for l in lines if l.startswith('UID:')]
                found.append((lines[0][6:], uid[0] if uid else '', lines))
                lines = []
    return found


def load(server, case, text, person):
    """A calendar resource holds the components of one UID (RFC 4791 4.1). The statuses of what was refused."""
    home = '/%s/' % person.replace('@', '%40')
    refused = []
    parts = components(text)
    kinds = ''.join('<C:comp name="%s"/>' % name for name in sorted({'VEVENT'} | {p[0] for p in parts} - {'VTIMEZONE'}))
    server.ask('MKCOL', home)
    status = server.ask('MKCALENDAR', home + 'calendar/', MKCALENDAR % (TIMEZONE % case['calendar_tz'], kinds),
                        'application/xml; charset=utf-8')[0]
    if status != 201:
        refused.append(status)
    zones = [p for p in parts if p[0] == 'VTIMEZONE']
    for number, uid in enumerate(sorted({p[1] for p in parts if p[0] != 'VTIMEZONE'})):
        mine = zones + [p for p in parts if p[0] != 'VTIMEZONE' and p[1] == uid]
        lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//freebusyd//test//EN']
        for part in mine:
            lines += part[2]
        status = server.ask('PUT', '%scalendar/%d.ics' % (home, number), '\r\n'.join(lines + ['END:VCALENDAR', '']), 'text/calendar')[0]
        if status != 201:
            refused.append(status)
    return refused


def ask_davquery(args, server, case, person):
    """What davclient answers, as [start, end, type]. The zone given here is wrong on purpose: the calendar's own goes before it."""
    periods = []
    for start, end in pieces(case['window']):
        periods += davquery(args, server, case, person, start, end)
    return periods


def pieces(window):
    """davclient answers for two years at most; nobody looks further."""
    at, end = (datetime.datetime.strptime(window[k], '%Y%m%dT%H%M%SZ') for k in ('start', 'end'))
    while at < end:
        piece = min(at + datetime.timedelta(days=700), end)
        yield at.strftime('%Y%m%dT%H%M%SZ'), piece.strftime('%Y%m%dT%H%M%SZ')
        at = piece


def davquery(args, server, case, person, start, end):
    command = [args.davquery, '--kind', 'caldav', '--url', server.url + '/', '--ca-file', server.ca_file, '--user', 'svc',
               '--password-file', os.path.join(server.folder, 'password'), '--calendar', '/{address}/calendar/', '--address', person,
               '--from', start, '--until', end, '--zone', 'Pacific/Kiritimati']
    if case['owner']:
        command += ['--owner', case['owner'].replace('mailto:', '')]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    if not lines or lines[-1].get('result') != 'ok' or lines[-1]['skipped']:
        raise RuntimeError('no answer: %s' % (lines[-1] if lines else 'exit code %d' % run.returncode))
    periods = []
    for span in lines[:-1]:
        kind = TYPES.get(span['kind'])
        if span['traits'] & (CANCELLED | DECLINED) or kind is None:
            continue
        if span['traits'] & (UNANSWERED | MAYBE):
            kind = 'BUSY-TENTATIVE'
        periods.append([span['start'], span['end'], kind])
    return periods


def join(periods, window):
    """Cut to the window; within one type overlapping or touching periods become one."""
    result = []
    for kind in STRENGTH:
        run = None
        for start, end in sorted([max(p[0], window['start']), min(p[1], window['end'])] for p in periods if p[2] == kind):
            if start >= end:
                continue
            if run and start <= run[1]:
                run[1] = max(run[1], end)
            else:
                run = [start, end, kind]
                result.append(run)
    return sorted(result)


def timeline(periods, window):
    """One state at a time, the strongest."""
    edges = sorted({t for p in periods for t in p[:2]} | {window['start'], window['end']})
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


def run_case(args, server, path):
    """(word, detail) for the table."""
    with open(path) as f:
        case = json.load(f)
    with open(path[:-5] + '.ics', newline='') as f:
        text = f.read()
    person = case['id'] + '@example.org'
    refused = load(server, case, text, person)
    if case['id'] in NOT_STORED:
        return ('not stored', 'Radicale answers %s' % refused[0]) if refused else ('WRONG', 'Radicale stores it now: ask')
    if refused:
        return 'WRONG', 'not loaded: %s' % refused
    if case['id'] in ALTERED:
        had, has = ALTERED[case['id']]
        stored = ''.join(server.ask('GET', '/%s/calendar/%d.ics' % (person.replace('@', '%40'), i))[1] for i in range(3))
        if had not in stored and has in stored:
            return 'altered', 'Radicale made %s of %s' % (has, had)
    try:
        got = join(ask_davquery(args, server, case, person), case['window'])
    except RuntimeError as e:
        return 'WRONG', str(e)
    if got != case['busy']:
        return 'WRONG', 'expected %s, got %s' % (case['busy'], got)
    if timeline(got, case['window']) != case['timeline']:
        return 'WRONG', 'timeline: expected %s, got %s' % (case['timeline'], timeline(got, case['window']))
    return 'right', '%d periods' % len(got)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--davquery', required=True)
    parser.add_argument('cases', nargs='*')
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)) # the server ends with us
    folder = tempfile.mkdtemp(prefix='radicale-')
    with open(os.open(os.path.join(folder, 'password'), os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
        f.write('svcpw')
    server = Radicale(folder)
    words = []
    try:
        for path in sorted(glob.glob(os.path.join(CASES, '*.json'))):
            name = os.path.basename(path)[:-5]
            if not args.cases or name in args.cases:
                word, detail = run_case(args, server, path)
                words.append(word)
                print('%-28s %-10s %s' % (name, word, detail))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print('%d of %d' % (words.count('right'), len(words)))
    return 1 if 'WRONG' in words or not words else 0


if __name__ == '__main__':
    sys.exit(main())
