#!/usr/bin/python3
"""Our expansion of recurrence rules against python3-dateutil's, on generated rules.

    ical_rules.py --icalwalk PROGRAM [--count N] [--seed S]

A rule is made at random from all parts; DTSTART is its own first date, so that both mean the same by it. Where dateutil
is known to read RFC 5545 otherwise than we do, the rule is counted with its reason and not compared (explained()
below); any other difference fails.
"""
import argparse
import collections
import datetime
import random
import signal
import subprocess
import sys
import warnings

from dateutil.rrule import rrulestr

warnings.simplefilter('ignore')
DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']
FREQS = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY', 'SECONDLY']
WEIGHTS = [25, 25, 20, 15, 8, 4, 3]
FORM = '%Y%m%dT%H%M%SZ'


def some(r, low, high, most, negative=False):
    values = set()
    for _ in range(r.randint(1, most)):
        v = r.randint(low, high)
        values.add(-v if negative and r.random() < 0.35 else v)
    return ','.join(str(v) for v in sorted(values))


def make_rule(r):
    freq = r.choices(FREQS, WEIGHTS)[0]
    parts = ['FREQ=' + freq]
    if r.random() < 0.4:
        parts.append('INTERVAL=%d' % r.choice([2, 2, 3, 4, 5, 7, 10, 13]))
    if r.random() < 0.3:
        parts.append('BYMONTH=' + some(r, 1, 12, 4))
    if freq == 'YEARLY' and r.random() < 0.2:
        parts.append('BYWEEKNO=' + some(r, 1, 53, 3, True))
    if freq in ('YEARLY', 'HOURLY', 'MINUTELY', 'SECONDLY') and r.random() < 0.12:
        parts.append('BYYEARDAY=' + some(r, 1, 366, 4, True))
    if freq != 'WEEKLY' and r.random() < 0.25:
        parts.append('BYMONTHDAY=' + some(r, 1, 31, 4, True))
    if r.random() < 0.45:
        numbers = freq == 'MONTHLY' or (freq == 'YEARLY' and not any(p.startswith('BYWEEKNO') for p in parts))
        days = set()
        for _ in range(r.randint(1, 3)):
            n = r.choice(['', '', '1', '2', '-1', '3', '-2', '5', '-5']) if numbers else ''
            days.add(n + r.choice(DAYS))
        parts.append('BYDAY=' + ','.join(sorted(days)))
    if r.random() < 0.2:
        parts.append('BYHOUR=' + some(r, 0, 23, 3))
    if r.random() < 0.12:
        parts.append('BYMINUTE=' + some(r, 0, 59, 3))
    if r.random() < 0.06:
        parts.append('BYSECOND=' + some(r, 0, 59, 2))
    if r.random() < 0.2 and len(parts) > 2:
        parts.append('BYSETPOS=' + some(r, 1, 4, 2, True))
    if r.random() < 0.3:
        parts.append('WKST=' + r.choice(DAYS))
    if r.random() < 0.2:
        parts.append('COUNT=%d' % r.randint(1, 40))
    return ';'.join(parts)


def explained(rule):
    """Why dateutil's answer is not the measure for this rule; None: it is."""
    parts = dict(p.split('=') for p in rule.split(';'))
    has = set(parts)
    freq = rule.split(';')[0][5:]
    if 'BYWEEKNO' in has and not has & {'BYDAY', 'BYMONTHDAY', 'BYYEARDAY'}:
        return 'BYWEEKNO alone: dateutil takes all seven days, 3.3.10 the weekday of DTSTART'
    if any(n in ('-52', '-53') for n in parts.get('BYWEEKNO', '').split(',')):
        return 'BYWEEKNO=-52 or -53: dateutil misses those days of the first week that lie in the old year'
    if '53' in parts.get('BYWEEKNO', '').split(','):
        return 'BYWEEKNO=53: dateutil gives the first days of January to week 53 after years that have only 52 (2010)'
    if freq == 'WEEKLY' and 'BYSETPOS' in has:
        return 'WEEKLY with BYSETPOS: dateutil lets the first week begin with DTSTART'
    if len({len(day) > 2 for day in parts.get('BYDAY', '').split(',')}) == 2:
        return 'BYDAY with numbered and plain days: dateutil keeps only days that are in both lists'
    return None


def window(r, start):
    """Half of the windows begin at DTSTART, half years later, where the rule must be entered in the middle."""
    begin = start if r.random() < 0.5 else start + datetime.timedelta(days=r.randint(1, 3000))
    return begin, begin + datetime.timedelta(days=r.choice([1, 14, 90, 400, 2000]))


def expected(rule, start, begin, end):
    """None: too many to compare."""
    found = []
    for t in rrulestr(rule, dtstart=start):
        if t >= end:
            break
        if t >= begin:
            found.append(t.strftime(FORM))
        if len(found) > 1500:
            return None
    return ' '.join(found)


class TooSlow(Exception):
    pass


def on_alarm(*_):
    raise TooSlow


def generate(r):
    """(rule, start, begin, end, expected), or None when the draw was no good: no date near, too many, or dateutil takes
    too long."""
    rule = make_rule(r)
    seed = datetime.datetime(r.randint(1999, 2026), r.randint(1, 12), r.randint(1, 28), r.randint(0, 23),
                             r.choice([0, 0, 15, 30]))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        start = next(iter(rrulestr(rule.split(';COUNT')[0], dtstart=seed)), None)
        if start is None or start.year > 2060:
            return None
        begin, end = window(r, start)
        # dateutil walks from the start, tick by tick
        if rule.startswith(('FREQ=HOURLY', 'FREQ=MINUTELY', 'FREQ=SECONDLY')):
            begin, end = start, start + datetime.timedelta(hours=r.choice([1, 6, 48, 1000]))
        want = expected(rule, start, begin, end)
        return None if want is None else (rule, start, begin, end, want)
    except (TooSlow, ValueError): # ValueError: "generates an empty set"
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--icalwalk', required=True)
    parser.add_argument('--count', type=int, default=1500)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    r = random.Random(args.seed)
    signal.signal(signal.SIGALRM, on_alarm)
    cases, left_out = [], collections.Counter()
    while len(cases) < args.count:
        try:
            drawn = generate(r)
        except TooSlow: # it struck while it was being switched off
            drawn = None
        if drawn is None:
            continue
        why = explained(drawn[0])
        if why:
            left_out[why] += 1
            continue
        cases.append(drawn)
    lines = ''.join('%s %s %s %s\n' % (c[1].strftime(FORM), c[2].strftime(FORM), c[3].strftime(FORM), c[0])
                    for c in cases)
    got = subprocess.run([args.icalwalk], input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout.split('\n')
    wrong = [(c, g) for c, g in zip(cases, got) if c[4] != g]
    for c, g in wrong[:20]:
        print('%s from %s, window %s to %s\n  dateutil: %.300s\n  ours:     %.300s' % (c[0], c[1], c[2], c[3], c[4], g))
    for why, n in sorted(left_out.items()):
        print('%6d not compared: %s' % (n, why))
    print('%d of %d rules agree (seed %d)' % (len(cases) - len(wrong), len(cases), args.seed))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
