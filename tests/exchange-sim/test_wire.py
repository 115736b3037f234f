#!/usr/bin/python3
"""The simulator on the wire, item by item of README.md's table: what it sends is looked at as bytes, not through our
own client.

    test_wire.py PROGRAM
"""
import base64
import calendar
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree as tree

CAL, MAIL, DAV = '{urn:schemas:calendar:}', '{urn:schemas:httpmail:}', '{DAV:}'
APPT = 'http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-C000-000000000046}/'
COMMON = 'http://schemas.microsoft.com/mapi/id/{00062008-0000-0000-C000-000000000046}/'
FULL = 'svc:svc-secret'
DATA = '''
domain EXAMPLE
account svc password=svc-secret receive-as=all
mailbox anna@x.test alias=anna name="Anna <A>" calendar=Kalender language=de zone=Europe/Berlin password=pw
mailbox bob@x.test alias=bob calendar=Naptár language=hu zone=UTC password=pw
mailbox jun@x.test alias=jun calendar=予定表 language=ja zone=Asia/Tokyo
mailbox a~b@x.test
mailbox a#b@x.test
mailbox a%b@x.test
mailbox a+b@x.test
mailbox a&b@x.test
mailbox a|b@x.test
mailbox a*b@x.test
mailbox a/b@x.test
mailbox "a b@x.test"
mailbox "\\"q\\"@x.test"
mailbox grüße@x.test
appointment anna@x.test 2008-03-03T10:00 +1h busy subject="Review {1}" uid=same
appointment anna@x.test 2008-03-03T12:00 +1h oof subject="Private" private uid=same
appointment anna@x.test 2008-03-29T10:00 +1h tentative subject="Series" every=day count=4 deleted=2008-03-30T10:00 moved=2008-03-31T10:00>2008-03-31T15:00>+30m>busy
appointment anna@x.test 2008-03-05T10:00 none busy subject="Damaged"
appointment anna@x.test 2008-03-05T11:00 +1h busy subject="Typeless" type=none
appointment anna@x.test 2008-03-06 2008-03-07 free all-day subject="Day"
appointment anna@x.test 2008-03-07T10:00 +1h busy subject="Odd" busy-word=WORKINGELSEWHERE
appointment bob@x.test 2008-03-03T06:00 +1h busy subject="One" zone=America/New_York
'''


class Sim:
    def __init__(self, program, *args):
        self.data = tempfile.NamedTemporaryFile('w', suffix='.sim', encoding='utf-8')
        self.data.write(DATA)
        self.data.flush()
        argv = [program, '--data', self.data.name, '--clock', '2008-03-03T08:00:00Z', *args]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            sys.exit('the simulator did not start')
        self.ports = json.loads(line)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        self.data.close()
        equal(code, 0, 'exit code')

    def ask(self, method, path, body='', headers=None, login=FULL):
        connection = http.client.HTTPConnection('127.0.0.1', self.ports['port'], timeout=60)
        headers = dict(headers or {})
        if login:
            headers['Authorization'] = 'Basic ' + base64.b64encode(login.encode()).decode()
        connection.request(method, path, body.encode(), headers)
        answer = connection.getresponse()
        try:
            text = answer.read()
        except http.client.IncompleteRead as error:
            text = error.partial + b'<cut>'
        connection.close()
        return Answer(answer, text)

    def control(self, method, path, value=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.ports['control'], timeout=60)
        connection.request(method, path,
                           value if isinstance(value, bytes) else json.dumps(value) if value is not None else None)
        answer = connection.getresponse()
        text = json.loads(answer.read())
        connection.close()
        equal(answer.status, 200, f'{method} {path}: {text}')
        return text

    def faults(self, mailbox=None, **values):
        values = {k.replace('_', '-'): v for k, v in values.items()}
        self.control('PUT', '/faults', {'mailbox': mailbox, **values} if mailbox else values)

    def clear(self):
        self.control('DELETE', '/faults')

    def search(self, where, select='"DAV:href", "urn:schemas:calendar:dtstart"', path='/exchange/anna@x.test/Kalender/',
               headers=None, order=''):
        sql = f'SELECT {select} FROM SCOPE(\'SHALLOW TRAVERSAL OF ""\') WHERE {where}{order}'
        sql = sql.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')
        body = f'<?xml version="1.0"?><q:searchrequest xmlns:q="DAV:"><q:sql>{sql}</q:sql></q:searchrequest>'
        return self.ask('SEARCH', path, body, headers)

    def propfind(self, path, *names, headers=None, login=FULL):
        props = ''.join(f'<{n} xmlns="{ns}"/>' for ns, n in names)
        body = f'<?xml version="1.0"?><propfind xmlns="DAV:"><prop>{props}</prop></propfind>'
        return self.ask('PROPFIND', path, body, {'Depth': '0', **(headers or {})}, login)


class Answer:
    def __init__(self, answer, text):
        self.status, self.headers, self.raw = answer.status, answer.headers, text
        self.text = text.decode('utf-8', 'replace')

    def rows(self):
        """[{clark name: text}] of the present properties."""
        equal(self.status, 207, self.text[:500])
        out = []
        for response in tree.fromstring(re.sub(r'(</?\w+):0x', r'\1:n0x', self.text)).iter(DAV + 'response'):
            row = {}
            for stat in response.iter(DAV + 'propstat'):
                if ' 200 ' in stat.find(DAV + 'status').text:
                    row.update({p.tag: p.text or '' for p in stat.find(DAV + 'prop')})
            out.append(row)
        return out


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f'{what}\n  expected {expected!r}\n  got      {got!r}')


def true(condition, what):
    if not condition:
        raise AssertionError(what)


WINDOW = '"urn:schemas:calendar:dtend" > \'2008/03/%s 00:00:00\' AND "urn:schemas:calendar:dtstart" < \'2008/03/%s 00:00:00\''
TAGS = [('http://schemas.microsoft.com/repl/', 'contenttag')]


def item_1_http(sim):
    answer = sim.search(WINDOW % ('03', '04'))
    equal((answer.headers['Transfer-Encoding'], answer.headers['Content-Length'], answer.headers['Content-Type']),
          ('chunked', None, 'text/xml'),
          'a 207 is chunked, and its type has no charset')
    equal((answer.headers['Server'], answer.headers['X-Powered-By'], answer.headers['MS-WebStorage']),
          ('Microsoft-IIS/6.0', 'ASP.NET', '6.5.7638'), 'headers')
    error = sim.ask('GET', '/exchange/nobody@x.test/')
    equal((error.status, error.headers['Content-Length'], error.headers['MS-WebStorage']),
          (404, str(len(error.raw)), '6.5.7638'), 'an error')
    equal(sim.ask('GET', '/elsewhere/').headers['MS-WebStorage'], None, 'not Exchange')


def item_3_document(sim):
    answer = sim.search('"urn:schemas:httpmail:subject" = \'Private\'',
                        '"urn:schemas:httpmail:subject", "urn:schemas:calendar:dtstart", "DAV:nothing"')
    true(re.match(r'<\?xml version="1\.0"\?><a:multistatus xmlns:b="urn:uuid:[^>]* xmlns:c="xml:"[^>]* xmlns:a="DAV:">',
                  answer.text), answer.text)
    true('<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop><d:subject>Private</d:subject><e:dtstart b:dt="dateTime.tz">'
         '2008-03-03T11:00:00.000Z</e:dtstart></a:prop></a:propstat><a:propstat><a:status>HTTP/1.1 404 Resource Not Found</a:status>'
         '<a:prop><a:nothing/></a:prop></a:propstat>' in answer.text, answer.text)
    brief = sim.search('TRUE', '"DAV:nothing"', headers={'Brief': 't'})
    true('404' not in brief.text, brief.text)


def items_4_5_hrefs(sim):
    answer = sim.search('"urn:schemas:httpmail:subject" LIKE \'Review%\'')
    host = f'http://127.0.0.1:{sim.ports["port"]}'
    true(f'<a:href>{host}/exchange/anna@x.test/Kalender/Review%20{{1}}.EML</a:href>' in answer.text, answer.text)
    row = sim.propfind('/exchange/bob/', ('urn:schemas:httpmail:', 'calendar'),
                       ('urn:schemas:httpmail:', 'sendmsg')).rows()[0]
    equal(row[MAIL + 'calendar'], f'{host}/exchange/bob/Napt%C3%A1r', 'localised folder, upper case, no slash')
    sim.faults(internal_host='be1.corp.local', raw_space='on')
    row = sim.propfind('/exchange/bob/', ('urn:schemas:httpmail:', 'calendar'),
                       ('urn:schemas:httpmail:', 'sendmsg')).rows()[0]
    equal(row[MAIL + 'calendar'], 'http://be1.corp.local/exchange/bob/Napt%C3%A1r', 'internal host')
    true('Submission URI' in row[MAIL + 'sendmsg'], row)


def items_6_8_names(sim):
    answer = sim.search('"urn:schemas:httpmail:subject" = \'Private\'',
                        f'"{APPT}0x00008205", "{APPT}33285" AS busymapi, "DAV:href", "DAV:href"')
    true(re.search(r'<d:0x8205 b:dt="int">3</d:0x8205><busymapi b:dt="int">3</busymapi>(<a:href>[^<]*</a:href>){2}',
                   answer.text), answer.text)
    sim.faults(long_ids='on')
    answer = sim.propfind('/exchange/anna@x.test/Kalender/Private.EML', (APPT, '_x0030_x8205'))
    true('<d:0x00008205 b:dt="int">3</d:0x00008205>' in answer.text, answer.text)
    true(re.fullmatch(r'<\?xml[^>]*><a:multistatus [^>]*></a:multistatus>', sim.search('FALSE').text),
         'no rows, no children')


def item_7_bad_bodies(sim):
    whole = sim.search('TRUE', '"urn:schemas:httpmail:subject"').raw
    sim.faults(mailbox='anna@x.test', control_char='on')
    true(b'P&#1;rivate' in sim.search('TRUE', '"urn:schemas:httpmail:subject"').raw, 'control character')
    sim.faults(mailbox='anna@x.test', control_char='off', bad_utf8='on')
    true(b'P\xffrivate' in sim.search('TRUE', '"urn:schemas:httpmail:subject"').raw, 'bad UTF-8')
    sim.faults(mailbox='anna@x.test', bad_utf8='off', cut='on')
    equal(sim.search('TRUE', '"urn:schemas:httpmail:subject"').raw, whole[:len(whole) // 2] + b'<cut>',
          'cut in its middle')
    sim.faults(mailbox='anna@x.test', cut='off', dribble='on')
    equal(sim.search('TRUE', '"urn:schemas:httpmail:subject"').raw, whole, 'byte by byte')
    sim.faults(mailbox='anna@x.test', dribble='off', pad=2000000)
    true(len(sim.search('"urn:schemas:httpmail:subject" = \'Private\'').raw) > 2000000, 'two megabytes')
    sim.faults(mailbox='anna@x.test', pad='off', html='on')
    equal(sim.search('TRUE').status, 200, 'a web page')
    sim.faults(mailbox='anna@x.test', html='off', rfc_order='on')
    true('</a:prop><a:status>' in sim.search('TRUE').text, 'status behind prop')
    sim.faults(mailbox='anna@x.test', rfc_order='off', endless='on')
    connection = http.client.HTTPConnection('127.0.0.1', sim.ports['port'], timeout=60)
    connection.request('PROPFIND', '/exchange/anna/', '',
                       {'Depth': '0', 'Authorization': 'Basic ' + base64.b64encode(FULL.encode()).decode()})
    equal(len(connection.getresponse().read(3000000)), 3000000, 'endless')
    connection.close()


def item_9_dates(sim):
    for where in ("\"urn:schemas:calendar:dtstart\" > '2008-03-03T00:00:00Z'",
                  WINDOW.replace('2008/03/%s 00:00:00', '%s') % ('2008/01/01', '2011/01/01'),
                  "\"DAV:uid\" = 'x'", 'nonsense'):
        answer = sim.search(where)
        equal(answer.status, 400, where)
        true('Error while processing WHERE clause in the SQL statement.' in answer.text, answer.text)
    equal(len(sim.search("\"urn:schemas:calendar:dtstart\" = CAST(\"2008-03-03T10:00:00+01:00\" AS 'dateTime.tz')").rows()), 1, 'CAST')


def item_10_recurrence(sim):
    select = '"urn:schemas:calendar:dtstart", "urn:schemas:calendar:dtend", "urn:schemas:calendar:instancetype", "urn:schemas:calendar:busystatus"'
    rows = sim.search(WINDOW % ('28',
                                '31') + ' OR "urn:schemas:calendar:dtstart" > \'2008/03/28\' AND "urn:schemas:calendar:dtend" < \'2008/04/02\'',
                      select, order=' ORDER BY "urn:schemas:calendar:dtstart" ASC').rows()
    equal([(r[CAL + 'instancetype'], r[CAL + 'dtstart'][5:16], r[CAL + 'busystatus']) for r in rows],
          [('1', '03-29T09:00', 'TENTATIVE'), ('2', '03-29T09:00', 'TENTATIVE'), ('3', '03-31T13:00', 'BUSY'),
           ('2', '04-01T08:00', 'TENTATIVE')],
          'master, instance, moved, behind the change of the clocks; the deleted one is not there')
    raw = sim.search('"urn:schemas:calendar:dtstart" > \'2008/03/28\'', select).rows()
    equal([r[CAL + 'instancetype'] for r in raw], ['1'], 'one bound only: raw items')
    row = sim.search('"urn:schemas:httpmail:subject" = \'Damaged\'', select).rows()[0]
    true(CAL + 'dtend' not in row, 'a damaged item has no end')
    names = [r[MAIL + 'subject']
             for r in sim.search(WINDOW % ('05', '06') + ' AND NOT "urn:schemas:calendar:instancetype" = 1',
                                 '"urn:schemas:httpmail:subject"').rows()]
    equal(names, ['Day', 'Typeless'], 'an item without instancetype; newest first')
    sim.faults(sql_nulls='three')
    names = [r[MAIL + 'subject']
             for r in sim.search(WINDOW % ('05', '06') + ' AND NOT "urn:schemas:calendar:instancetype" = 1',
                                 '"urn:schemas:httpmail:subject"').rows()]
    equal(names, ['Day'], 'three-valued logic')
    day = sim.search('"urn:schemas:httpmail:subject" = \'Day\'', select).rows()[0]
    equal((day[CAL + 'dtstart'], day[CAL + 'dtend']), ('2008-03-05T23:00:00.000Z', '2008-03-06T23:00:00.000Z'),
          'all day in Berlin')
    equal(len(sim.search('"urn:schemas:calendar:uid" = \'same\'').rows()), 2, 'two items with one uid')


def items_11_13_kinds(sim):
    select = f'"urn:schemas:httpmail:subject", "http://schemas.microsoft.com/exchange/sensitivity", "{COMMON}0x8506" AS private, "urn:schemas:calendar:meetingstatus", "urn:schemas:calendar:busystatus"'
    rows = {r[MAIL + 'subject']: r for r in sim.search('TRUE', select).rows()}
    equal((rows['Private']['{http://schemas.microsoft.com/exchange/}sensitivity'], rows['Private']['private']),
          ('2', '1'), 'private, subject and all')
    true('private' not in rows['Review {1}'], '0x8506 is absent unless set')
    equal(rows['Review {1}'][CAL + 'meetingstatus'], 'TENTATIVE', 'meetingstatus of a plain appointment')
    equal((rows['Private'][CAL + 'busystatus'], rows['Odd'][CAL + 'busystatus']), ('OOF', 'WORKINGELSEWHERE'), 'words')
    sim.faults(oof_word='OUTOFOFFICE', mixed_case='on')
    rows = {r[MAIL + 'subject']: r for r in sim.search('TRUE', select).rows()}
    equal((rows['Private'][CAL + 'busystatus'], rows['Review {1}'][CAL + 'busystatus']), ('OUTOFOFFICE', 'Busy'),
          'other words')


def item_12_paging(sim):
    answer = sim.search('TRUE', headers={'Range': 'rows=0-2'})
    equal((answer.status, len(answer.rows()), answer.headers['Content-Range'], answer.headers['Accept-Ranges']),
          (207, 3, 'rows 0-2; total=7', 'rows'), 'first page')
    equal(len(sim.search('TRUE', headers={'Range': 'rows=6-9'}).rows()), 1, 'last page')
    equal(sim.search('TRUE', headers={'Range': 'rows=7-9'}).status, 416, 'beyond')
    equal(sim.search('FALSE', headers={'Range': 'rows=0-9'}).rows(), [], 'no rows at all')
    sim.faults(no_total='on')
    equal(sim.search('TRUE', headers={'Range': 'rows=0-2'}).headers['Content-Range'], 'rows 0-2', 'without total')


def items_14_15_names(sim):
    for name, folder in (('anna', 'Kalender'), ('BOB@x.test', 'Naptár'), ('jun@x.test', '予定表'), ('~jun', '予定表')):
        row = sim.propfind(f'/exchange/{urllib.parse.quote(name, safe="@~")}',
                           ('urn:schemas:httpmail:', 'calendar')).rows()[0]
        equal(urllib.parse.unquote(row[MAIL + 'calendar'].rsplit('/', 1)[1]), folder, f'calendar of {name}')
    odd = {'~': '_x007E_', '/': '_xF8FF_'}
    for address in ('a~b@x.test', 'a#b@x.test', 'a%b@x.test', 'a+b@x.test', 'a&b@x.test', 'a|b@x.test', 'a*b@x.test',
                    'a/b@x.test', 'a b@x.test',
                    '"q"@x.test', 'grüße@x.test'):
        path = '/exchange/' + urllib.parse.quote(''.join(odd.get(c, c) for c in address), safe='@') + '/'
        equal(sim.propfind(path, *TAGS).status, 207, path)
        sim.faults(odd_chars='on')
        equal(sim.propfind(path, *TAGS).status, 404 if set(address) & set('~#%+&|*/') else 207, path + ' filtered')
        sim.clear()


def item_16_faults(sim):
    path = '/exchange/anna@x.test/'
    ask = lambda at=path: sim.propfind(at, ('urn:schemas:httpmail:', 'calendar'),
                                       ('http://schemas.microsoft.com/mapi/proptag/', 'x0ff40003'))
    for how, status in (('401', 401), ('403', 403), ('404', 404), ('440', 440), ('root', 403)):
        sim.faults(mailbox='anna@x.test', deny=how)
        equal(ask().status, status, how)
    equal((ask(path + 'NON_IPM_SUBTREE').status, ask(path + 'Kalender').status), (207, 207), 'only the root is denied')
    sim.faults(mailbox='anna@x.test', deny='empty')
    true(MAIL + 'calendar' not in ask().rows()[0] and ask(path + 'Kalender').status == 403, 'without calendar property')
    sim.faults(mailbox='anna@x.test', deny='access0')
    equal(ask().rows()[0]['{http://schemas.microsoft.com/mapi/proptag/}x0ff40003'], '0', 'PR_ACCESS')
    sim.faults(mailbox='anna@x.test', deny=None, absent=True)
    equal(ask().status, 404, 'absent')
    sim.faults(mailbox='anna@x.test', absent=False, moved='https://ex2.test:8443')
    answer = ask()
    equal((answer.status, answer.headers['Location']), (302, 'https://ex2.test:8443' + path), 'moved')
    sim.faults(mailbox='anna@x.test', moved=None, offline=True)
    equal(ask().status, 503, 'store offline')
    equal(sim.propfind('/exchange/bob/', *TAGS).status, 207, 'the others are well')
    sim.faults(mailbox='anna@x.test', offline=False, status=500)
    equal(ask().status, 500, 'any status')
    sim.faults(mailbox='anna@x.test', status=None, search_status=501)
    equal((ask().status, sim.search('TRUE').status), (207, 501), 'SEARCH blocked')
    sim.faults(mailbox='anna@x.test', search_status=None, slow=300)
    began = time.monotonic()
    equal(ask().status, 207, 'slow')
    true(time.monotonic() - began >= 0.3, 'slow')
    sim.faults(mailbox='anna@x.test', slow=None, reset=True)
    try:
        ask()
        raise AssertionError('reset')
    except (ConnectionError, http.client.HTTPException):
        pass
    sim.faults(mailbox='anna@x.test', reset=None, calendar_gone=True)
    equal((ask().status, ask(path + 'Kalender').status), (207, 404), 'calendar folder gone')


def item_17_freebusy(sim):
    agent = {'User-Agent': 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.2)'}
    query = '/public/?Cmd=freebusy&start=2008-03-03T08:00:00Z&end=2008-03-03T12:00:00Z&interval=30&u=SMTP:anna@x.test&u=bob@x.test'
    answer = sim.ask('GET', query, headers=agent)
    equal(re.findall('<a:email type="SMTP">([^<]*)</a:email>', answer.text), ['anna@x.test', 'bob@x.test'], 'who')
    equal(re.findall('<a:fbdata>(\\d*)</a:fbdata>', answer.text), ['00220033', '00220033', '00000022'], 'digits')
    true('<html' in sim.ask('GET', query).text.lower(), 'HTML to others')
    sim.faults(fb_any_agent='on')
    true('<a:fbdata>' in sim.ask('GET', query + '&u=nobody@x.test').text, 'XML to all')
    true('<a:email type="SMTP">a+b@x.test</a:email>' in sim.ask('GET', query + '&u=SMTP:a%2Bb@x.test').text, 'a plus')
    april = sim.ask('GET',
                    '/public/?cmd=freebusy&start=2008-02-29T22:00:00Z&end=2008-03-01T01:00:00Z&interval=60&u=anna@x.test').text
    equal(re.findall('<a:fbdata>(\\d*)</a:fbdata>', april)[1], '400', 'before the month began in Berlin')
    sim.faults(fb_unknown='404', url_limit=300)
    equal(sim.ask('GET', query + '&u=nobody@x.test').status, 404, 'one unknown spoils all')
    equal(sim.ask('GET', query + '&u=anna@x.test' * 20).status, 414, 'too long')
    sim.faults(public='403')
    equal(sim.ask('GET', query).status, 403, 'forbidden')


def item_19_schedule(sim):
    """What the messages say is what the digits say, kind by kind, to the minute, also of what crosses a month's end."""
    sim.control('POST', '/appointments', {'mailbox': 'bob@x.test', 'start': '2008-03-31T23:00', 'end': '+2h', 'busy': 'oof'})
    tags, folder = 'http://schemas.microsoft.com/mapi/proptag/', ('/public/NON_IPM_SUBTREE/SCHEDULE%2B%20FREE%20BUSY/'
            'EX:_xF8FF_o=Example_xF8FF_ou=First%20Administrative%20Group/')
    names = [tags + t for t in ('x68470003', 'x68480003', 'x68511003', 'x68521102', 'x68531003', 'x68541102', 'x68551003',
                                'x68561102')]
    agent = {'User-Agent': 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.2)'}
    for person in ('anna', 'bob'):
        answer = sim.search(f'"http://schemas.microsoft.com/mapi/subject" = \'USER-/CN=RECIPIENTS/CN={person.upper()}\'',
                            ', '.join(f'"{n}"' for n in names), folder)
        equal(answer.status, 207, answer.text)
        equal(answer.text.count('<a:response>'), 1, 'messages')
        props = {p.tag.split('}')[1]: p for p in tree.fromstring(answer.text).find('.//' + DAV + 'prop')}
        first, last = [(int(props[t].text) - 194074560) * 60 for t in ('x68470003', 'x68480003')]
        equal(first, 1204326000 if person == 'anna' else 1204329600, 'the month begins by the clock of the mailbox')
        digits = ['0'] * ((last - first) // 1800)
        for digit, months, events in (('1', 'x68511003', 'x68521102'), ('2', 'x68531003', 'x68541102'),
                                      ('3', 'x68551003', 'x68561102')):
            for month, blob in zip(props[months], props[events]):
                if month.text:
                    begin = calendar.timegm((int(month.text) // 16, int(month.text) % 16, 1, 0, 0, 0))
                    minutes = struct.iter_unpack('<HH', base64.b64decode(blob.text))
                    for start, end in minutes:
                        for slot in range((begin + start * 60 - first) // 1800, (begin + end * 60 - first + 1799) // 1800):
                            digits[slot] = max(digits[slot], digit)
        query = '/public/?cmd=freebusy&interval=30&u=%s@x.test&start=%s&end=%s' % (person, *(time.strftime(
            '%Y-%m-%dT%H:%M:%SZ', time.gmtime(t)) for t in (first, last)))
        equal(''.join(digits), re.findall('<a:fbdata>(\\d*)</a:fbdata>', sim.ask('GET', query, headers=agent).text)[1],
              f'{person}: message and digits')
    true(''.join(digits).count('3') == 4 and 'mv.bin.base64' in answer.text, 'two hours over the end of March')
    equal(sim.search('TRUE', '"DAV:href"', folder).text.count('<a:response>'), 14, 'a message for everybody')
    equal(sim.search('TRUE', '"DAV:href"', folder.replace('First', 'Second')).status, 404, 'another group')


def item_22_contenttag(sim):
    tag = lambda: list(sim.propfind('/exchange/anna/Kalender/', *TAGS).rows()[0].values())
    first = tag()
    sim.search('TRUE')
    equal(tag(), first, 'reading changes nothing')
    made = sim.control('POST', '/appointments', {'mailbox': 'bob@x.test', 'start': 'now', 'end': '+1h'})
    equal(tag(), first, "bob's change is not anna's")
    made = sim.control('POST', '/appointments', {'mailbox': 'anna@x.test', 'start': 'now', 'end': '+1h'})
    second = tag()
    true(second != first, 'a new item')
    sim.control('PATCH', f'/appointments/{made["id"]}', {'start': 'now+1h'})
    third = tag()
    true(third not in (first, second), 'a moved item')
    equal(sim.search('"urn:schemas:httpmail:subject" = \'Appointment\'',
                     '"urn:schemas:calendar:dtend"').rows()[0][CAL + 'dtend'],
          '2008-03-03T10:00:00.000Z', 'the end moved along')
    sim.control('DELETE', f'/appointments/{made["id"]}')
    true(tag() not in (first, second, third), 'a deleted item')
    sim.faults(no_contenttag=True)
    equal(tag(), [], 'no contenttag')


def item_22_collblob(sim):
    """Each SEARCH with the blob of the one before tells what became of the items since: new, changed, deleted."""
    names = '"http://schemas.microsoft.com/repl/repl-uid", "urn:schemas:httpmail:subject"'
    where = '"DAV:contentclass" = \'urn:content-classes:appointment\''
    sql = f'SELECT {names} FROM SCOPE(\'SHALLOW TRAVERSAL OF ""\') WHERE {where}'
    head = ('<?xml version="1.0"?><q:searchrequest xmlns:q="DAV:" xmlns:r="http://schemas.microsoft.com/repl/">'
            '<r:repl><r:collblob>')

    def look(blob, path='/exchange/anna@x.test/Kalender/'):
        return sim.ask('SEARCH', path, f'{head}{blob}</r:collblob></r:repl><q:sql>{sql}</q:sql></q:searchrequest>')

    def told(answer):
        repl = '{http://schemas.microsoft.com/repl/}'
        root = tree.fromstring(answer.text)
        rows = [(row.find(repl + 'changetype').text, row.find('.//' + repl + 'repl-uid').text)
                for row in root.findall(DAV + 'response')]
        return root.find(f'{repl}repl/{repl}collblob').text, rows

    blob, rows = told(look(''))
    true(rows and {kind for kind, _ in rows} == {'new'}, f'a first look: {rows}')
    equal(told(look(blob)), (blob, []), 'nothing since')
    made = sim.control('POST', '/appointments', {'mailbox': 'anna@x.test', 'start': 'now', 'end': '+1h'})
    second, rows = told(look(blob))
    equal([kind for kind, _ in rows], ['new'], 'made since')
    own = rows[0][1]
    sim.control('PATCH', f'/appointments/{made["id"]}', {'start': 'now+1h'})
    third, rows = told(look(second))
    equal(rows, [('change', own)], 'changed since')
    equal(told(look(blob))[1], [('new', own)], 'for who has not heard of it: new')
    sim.control('DELETE', f'/appointments/{made["id"]}')
    fourth, rows = told(look(third))
    equal(rows, [('delete', own)], 'deleted since')
    equal(told(look(blob))[1], [], 'for who has not heard of it: nothing')
    equal(len({blob, second, third, fourth}), 4, 'blobs')
    equal(look(fourth, '/exchange/bob@x.test/Napt%C3%A1r/').status, 475, 'the blob of another calendar')
    equal((look('AQAAAnonsense').status, look(fourth + '0').status), (475, 475), 'no blob of ours, and one of the future')


def item_23_basic(sim):
    answer = sim.propfind('/exchange/anna/', *TAGS, login=None)
    equal((answer.status, answer.headers.get_all('WWW-Authenticate')), (401, ['Basic realm="127.0.0.1"']), 'challenge')
    for login in ('EXAMPLE\\svc:svc-secret', 'svc@example.test:svc-secret', 'anna@x.test:pw'):
        equal(sim.propfind('/exchange/anna/', *TAGS, login=login).status, 207, login)
    for login in ('OTHER\\svc:svc-secret', 'svc:wrong', 'nobody:x', 'svc'):
        equal(sim.propfind('/exchange/anna/', *TAGS, login=login).status, 401, login)
    equal(sim.propfind('/exchange/anna/', *TAGS, login='bob:pw').status, 403, 'no Receive-As')
    sim.faults(no_right='404', realm_empty=True, negotiate=True, domain_required=True)
    equal(sim.propfind('/exchange/anna/', *TAGS, login='EXAMPLE\\bob:pw').status, 404, 'no Receive-As, otherwise')
    answer = sim.propfind('/exchange/anna/', *TAGS)
    equal((answer.status, answer.headers.get_all('WWW-Authenticate')), (401, ['Negotiate', 'NTLM', 'Basic realm=""']),
          'domain required')
    counters = sim.control('GET', '/counters')['logons']
    equal((counters['accepted'], counters['rejected']), (5, 4), 'counted')


def form(sim, target, user, password):
    body = urllib.parse.urlencode({'destination': 'http://x/exchange/', 'username': user, 'password': password,
                                   'flags': '4', 'trusted': '4'})
    answer = sim.ask('POST', target, body, {'Content-Type': 'application/x-www-form-urlencoded'}, login=None)
    cookies = '; '.join(c.split(';')[0] for c in answer.headers.get_all('Set-Cookie') or [])
    return answer, cookies


def item_25_forms(sim):
    sim.faults(auth='forms')
    target = '/exchweb/bin/auth/owaauth.dll'
    tags = lambda cookies, path='/exchange/anna/': sim.propfind(path, *TAGS, headers={'Cookie': cookies}, login=None)
    answer = tags('')
    equal((answer.status, answer.text, len(answer.headers.get_all('Set-Cookie'))),
          (440, '<HTML><BODY>440 Login Timeout</BODY></HTML>', 2), '440')
    equal(sim.propfind('/exchange/anna/', *TAGS).status, 440, 'Basic does not help')
    answer = sim.ask('GET', '/exchange/', login=None)
    true(answer.status == 302 and '/exchweb/bin/auth/owalogon.asp?url=http' in answer.headers['Location']
         and answer.headers['Location'].endswith('&reason=0'), 'to the form')
    equal(sim.ask('GET', '/exchweb/bin/auth/owalogon.asp', headers={'Translate': 'f'}, login=None).status, 403,
          'the form with Translate: f')
    true('name="logonForm"' in sim.ask('GET', '/exchweb/bin/auth/owalogon.asp', login=None).text, 'the form')
    answer, cookies = form(sim, target, 'anna', 'wrong')
    true(answer.headers['Location'].endswith('reason=2') and cookies == '', 'wrong password, by reason')
    sim.faults(forms_verdict='cookies')
    answer, cookies = form(sim, target, 'anna', 'wrong')
    equal((answer.headers['Location'], tags(cookies).status), ('http://x/exchange/', 440), 'wrong password, by cookies')
    answer, cookies = form(sim, target, 'EXAMPLE\\anna', 'pw')
    true(re.search(r'cadata="2,[\w+/=]*"', cookies) and ',0x409' in cookies, cookies)
    equal((tags(cookies).status, tags(cookies.replace('"', '')).status), (207, 440), 'byte for byte')
    answer = tags(cookies, '/exchange/bob/')
    equal((answer.status, len(answer.headers.get_all('Set-Cookie')), tags(cookies).status), (440, 2, 207),
          '440 as forbidden; the session lives')
    sim.control('PUT', '/clock', {'advance': 800})
    equal(tags(cookies).status, 207, 'used within its time')
    sim.control('PUT', '/clock', {'advance': 800})
    equal(tags(cookies).status, 207, 'the time slides')
    sim.control('PUT', '/clock', {'advance': 901})
    equal(tags(cookies).status, 440, 'idle too long')
    sim.faults(rotate=2)
    _, old = form(sim, target, 'anna', 'pw')
    equal(tags(old).headers.get_all('Set-Cookie'), None, 'first request')
    fresh = tags(old).headers.get_all('Set-Cookie')
    equal((len(fresh), tags(old).status), (1, 207), 'second request: a new cadata, the old one is good for a while')
    tags(old)
    equal(tags(old).status, 440, 'the old one is no more')


def item_26_2007(sim):
    sim.faults(auth='forms')
    answer, cookies = form(sim, '/exchweb/bin/auth/owaauth.dll', 'anna', 'pw')
    equal((answer.status, cookies), (302, ''), 'the old target logs nobody on')
    answer, cookies = form(sim, '/owa/auth/owaauth.dll', 'anna', 'pw')
    equal(sim.propfind('/exchange/anna/', *TAGS, headers={'Cookie': cookies}, login=None).status, 207,
          'the new one does')
    answer = sim.ask('GET', '/exchange/', headers={'Cookie': cookies}, login=None)
    true(answer.headers['Location'].endswith('/owa/'), 'to /owa')
    true('[anna@x.test]' in sim.ask('GET', '/owa/?ae=Options&t=About', headers={'Cookie': cookies}, login=None).text,
         'options page')
    equal(answer.headers['MS-WebStorage'], '08.01.10240', 'version')
    sim.faults(auth='hybrid')
    equal(sim.propfind('/exchange/anna/', *TAGS).status, 207, 'Basic on /exchange')
    true('/owa/auth/logon.aspx?' in sim.ask('GET', '/exchange/').headers['Location'], 'forms on /owa')
    equal(sim.propfind('/exchange/a%2Bb@x.test/', *TAGS).status, 404, 'the filter of IIS 7')


def item_28_counters(sim):
    sim.control('DELETE', '/counters')
    sim.search('TRUE')
    sim.propfind('/exchange/anna/', *TAGS)
    sim.propfind('/exchange/bob/', *TAGS)
    counters = sim.control('GET', '/counters')
    equal(counters['users'], {'anna@x.test': {'SEARCH': 1, 'PROPFIND': 1}, 'bob@x.test': {'PROPFIND': 1}}, 'counters')
    equal([(r['method'], r['status']) for r in sim.control('GET', '/log?since=2')['requests']],
          [('PROPFIND', 207), ('PROPFIND', 207)], 'log')


def item_29_control(sim):
    equal(sim.control('GET', '/clock'), {'now': '2008-03-03T08:00:00Z', 'fixed': True, 'offset': 0}, 'clock')
    sim.control('PUT', '/clock', {'fixed': '2020-01-01T00:00:00Z'})
    sim.control('POST', '/lines', 'mailbox eve@x.test\nappointment eve@x.test now-10m +30m oof\n'.encode())
    item = sim.control('GET', '/appointments?mailbox=eve@x.test')['appointments'][0]
    equal((item['start'], item['end'], item['busy']), ('2019-12-31T23:50:00Z', '2020-01-01T00:20:00Z', 'oof'), 'a line')
    sim.control('POST', '/mailboxes', {'address': 'fred@x.test', 'calendar': 'Kalender', 'zone': 'Asia/Tokyo'})
    sim.control('DELETE', '/mailboxes?mailbox=eve@x.test')
    equal((sim.propfind('/exchange/eve@x.test/', *TAGS).status, sim.propfind('/exchange/fred/Kalender', *TAGS).status),
          (404, 207), 'mailboxes')
    sim.faults(slow=1)
    sim.control('POST', '/reset')
    equal((sim.control('GET', '/faults'), sim.control('GET', '/')['mailboxes'],
           sim.propfind('/exchange/fred/', *TAGS).status), ({}, 14, 404), 'reset')


def item_30_strict(sim):
    equal(sim.ask('PROPFIND', '/exchange/anna/').status, 400, 'PROPFIND without Depth')
    equal(sim.ask('SEARCH', '/exchange/anna/Kalender',
                  '<a:searchrequest xmlns:a="DAV:"><a:sql>SELECT "DAV:href" FROM "" WHERE "DAV:x" < 1</a:sql>'
                  '</a:searchrequest>').status, 400, 'raw <')
    equal(sim.ask('GET',
                  '/public/?cmd=freebusy&start=2008-03-03T08:00:00+01:00&end=2008-03-03T12:00:00Z&interval=30&u=a',
                  headers={'User-Agent': 'MSIE'}).status, 400, 'raw +')
    sim.faults(foreign=True)
    sim.propfind('/exchange/anna/', *TAGS)
    said = [v['what'] for v in sim.control('GET', '/counters')['violations']]
    equal(said, ['PROPFIND without Depth', 'unescaped < in the SQL', 'raw + in a date',
                 'credentials were sent to a foreign host'], 'violations')
    sim.faults(strict='off')
    equal(sim.ask('PROPFIND', '/exchange/anna/').status, 207, 'lenient')
    sim.faults(https_only=True)
    answer = sim.propfind('/exchange/anna/', *TAGS)
    true(answer.status == 403 and 'SSL' in answer.text, 'HTTPS only')


def items_2_profile_2000(sim):
    answer = sim.propfind('/exchange/anna/', *TAGS)
    equal((answer.headers['Server'], answer.headers['MS-WebStorage'][:4]), ('Microsoft-IIS/5.0', '6.0.'), 'headers')
    true('xmlns:c=' not in answer.text, 'no c')
    equal(sim.search('TRUE').headers['MS-WebStorage'], None, 'the header is missing here and there')
    true('xmlns:c="xml:"' in sim.search('TRUE', '"urn:schemas:calendar:rrule"').text, 'c where it is needed')
    equal(sim.ask('SUBSCRIBE', '/exchange/anna/').status, 501, 'before SP2')
    sim.faults(subscribe='granted')
    equal(subscribe(sim).status, 200, 'from SP2')


CALENDAR = '/exchange/anna@x.test/Kalender/'


def subscribe(sim, path=CALENDAR, **more):
    headers = {'Notification-type': 'update', 'Depth': '1', 'Subscription-lifetime': '7200',
               **{k.replace('_', '-'): v for k, v in more.items()}}
    return sim.ask('SUBSCRIBE', path, headers=headers)


def poll(sim, ids, path=CALENDAR):
    return sim.ask('POLL', path, headers={'Subscription-id': ids})


def polled(answer):
    """{id: (number of the status, href)} of a POLL's answer; status and subscriptionID stand below response."""
    out = {}
    for response in tree.fromstring(answer.text).findall(DAV + 'response'):
        status = int(response.find(DAV + 'status').text.split()[1])
        for li in response.find('{http://schemas.microsoft.com/Exchange/}subscriptionID').findall('li'):
            out[li.text] = (status, response.find(DAV + 'href').text)
    return out


def item_20_subscriptions(sim):
    first, second = subscribe(sim), subscribe(sim, '/exchange/bob/')
    equal((first.status, first.headers['Subscription-id'], first.headers['Subscription-lifetime']), (200, '1', '3600'),
          'granted, and cut short')
    true(first.headers['Content-Location'].endswith(CALENDAR), 'where')
    equal(subscribe(sim, '/exchange/anna/-FlatUrlSpace-/1-1/').status, 403, 'a permanent URL')
    equal(sim.ask('SUBSCRIBE', CALENDAR).status, 400, 'without a type')
    equal(polled(poll(sim, '1'))['1'][0], 204, 'nothing has happened')
    sim.control('POST', '/appointments', {'mailbox': 'anna@x.test', 'start': '2008-03-03T15:00', 'end': '+1h'})
    said = polled(poll(sim, '1,2,77'))
    equal({k: v[0] for k, v in said.items()}, {'1': 200, '2': 204, '77': 412}, 'who has news')
    true(said['1'][1].endswith('/exchange/anna@x.test/Kalender'), 'its folder, without slash')
    equal(polled(poll(sim, '1'))['1'][0], 204, 'told once')
    equal(sim.ask('SUBSCRIBE', CALENDAR, headers={'Subscription-id': '1', 'Call-back': 'httpu://h:1/'}).status, 400,
          'a renewal with a call-back')
    renewed = sim.ask('SUBSCRIBE', CALENDAR, headers={'Subscription-id': '1', 'Subscription-lifetime': '60'})
    equal((renewed.status, renewed.headers['Subscription-lifetime']), (200, '60'), 'renewed')
    equal(sim.ask('SUBSCRIBE', CALENDAR, headers={'Subscription-id': '77'}).status, 412, 'of nobody')
    sim.control('PUT', '/clock', {'advance': 61})
    equal(poll(sim, '1').status, 412, 'it is over')
    equal(sim.ask('UNSUBSCRIBE', '/exchange/bob/', headers={'Subscription-id': '2'}).status, 200, 'ended')
    equal(sim.ask('UNSUBSCRIBE', '/exchange/bob/', headers={'Subscription-id': '2'}).status, 400, 'once')
    equal(poll(sim, 'one').status, 400, 'no number')


def item_20_groups_and_restart(sim):
    subscribe(sim)
    subscribe(sim, '/exchange/bob/')
    sim.faults(poll_group='folder')
    equal({k: v[0] for k, v in polled(poll(sim, '1,2')).items()}, {'1': 204, '2': 412}, 'another mailbox')
    sim.faults(poll_group='whole')
    equal((poll(sim, '1,2').status, poll(sim, '1').status), (412, 207), 'spoils it all')
    sim.faults(poll_group='any')
    equal(len(sim.control('GET', '/subscriptions')['subscriptions']), 2, 'listed')
    sim.control('POST', '/restart')
    equal((poll(sim, '1').status, subscribe(sim).headers['Subscription-id']), (412, '1'), 'forgotten, and counted anew')
    sim.faults(subscribe=501)
    equal((subscribe(sim).status, poll(sim, '1').status), (501, 501), 'not to be had')


def item_21_notify(sim):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(('127.0.0.1', 0))
        here.settimeout(60)
        sim.faults(notify_repeat=1)
        url = f'httpu://127.0.0.1:{here.getsockname()[1]}/anna'
        equal(subscribe(sim, Call_back='httpu://127.0.0.1/').status, 400, 'the port must be there')
        ident = subscribe(sim, Call_back=url).headers['Subscription-id']
        sim.control('POST', '/appointments', {'mailbox': 'anna@x.test', 'start': '2008-03-03T15:00', 'end': '+1h'})
        wanted = f'NOTIFY {url} HTTP/1.1\r\nSubscription-id: {ident}\r\n\r\n'.encode()
        equal(here.recv(2000), wanted, 'a datagram')
        equal(here.recv(2000), wanted, 'again')
        sim.faults(notify='bare')
        while here.recv(2000) == wanted:
            pass
        sim.faults(notify='short')
        while here.recv(2000) != wanted[:-2]:
            pass
        equal(polled(poll(sim, ident))[ident][0], 200, 'that was it')
        sim.faults(notify='lost')
        here.settimeout(1.5)
        try:
            while True: # what was on its way
                here.recv(2000)
        except TimeoutError:
            pass


def run(program):
    failed = 0
    profiles = {'item_26_2007': '2007', 'items_2_profile_2000': '2000'}
    for name, test in [(n, t) for n, t in globals().items() if n.startswith('item')]:
        sim = Sim(program, '--profile', profiles.get(name, '2003'))
        try:
            test(sim)
            sim.stop()
            print('ok     ', name)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            sim.process.kill()
            sim.process.wait()
            print('FAILED ', name, type(error).__name__, error)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(run(os.path.abspath(sys.argv[1])))
