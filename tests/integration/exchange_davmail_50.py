#!/usr/bin/python3
"""Fifty people over fourteen days: DavMail and freebusyd, each by what the simulator publishes, must say the same of
everybody.

DavMail asks for one person at a time and freebusyd for all in one request; neither knows the other's code, nor the
simulator's. The
appointments are drawn at random, from a fixed seed, and are of every kind: short ones off the grid, overlaps,
series, cancelled, declined.

    exchange_davmail_50.py --sim PROGRAM --work FOLDER
"""
import argparse
import datetime
import importlib.util
import os
import random
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location('exchange_davmail', os.path.join(HERE, 'exchange-davmail.py'))
davmail = importlib.util.module_from_spec(spec)
spec.loader.exec_module(davmail)
import company  # noqa: E402  pylint: disable=wrong-import-position
import harness  # noqa: E402  pylint: disable=wrong-import-position

PEOPLE, DAYS = 50, 14
EXTRAS = ['tentative', 'busy', 'oof', 'free', 'cancelled', 'response=declined', 'meeting response=unanswered',
        'private', 'all-day',
          'every=day count=6', 'every=week days=mo,th count=5', 'oof every=day interval=3 count=4']


def make_data(path, people, start):
    """The usual company, and these people."""
    dice = random.Random(20081)
    with open(davmail.DATA, encoding='utf-8') as file:
        lines = [file.read()]
    for person in people:
        lines.append(f'mailbox {person} zone={dice.choice(["UTC", "Europe/Berlin", "America/New_York"])}')
        for _ in range(dice.randrange(0, 25)):
            extra = dice.choice(EXTRAS)
            if extra == 'all-day':
                day = start + datetime.timedelta(days=dice.randrange(-1, DAYS))
                begin, end = f'{day:%Y-%m-%d}', f'{day + datetime.timedelta(days=dice.randrange(1, 4)):%Y-%m-%d}'
            else:
                moment = start + datetime.timedelta(minutes=dice.randrange(-1440, DAYS * 1440))
                begin = f'{moment:%Y-%m-%dT%H:%M:%SZ}'
                length = datetime.timedelta(minutes=dice.choice([5, 10, 15, 30, 45, 60, 90, 600]))
                end = f'{moment + length:%Y-%m-%dT%H:%M:%SZ}'
            lines.append(f'appointment {person} {begin} {end} {extra}')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')


def by_freebusyd(work, url, people, start, end):
    folder = os.path.join(work, 'freebusyd')
    os.makedirs(folder)
    harness.secret_file(folder, 'password', 'svc-secret')
    yaml = company.yaml(url, people, server_more='    read: freebusy\n', interval='30s', stale='15m')
    daemon = harness.Daemon(folder, yaml.replace('svc-presence', 'svc').replace('[basic]',
            '[forms]').replace('window: 14d', 'window: 16d'))
    harness.wait_until(lambda: daemon.ctl_json('servers')['servers'][0]['persons']['fresh'] == len(people),
            'everybody to be read', 60)
    got = {person: set(daemon.periods(person, davmail.stamp(start), davmail.stamp(end))) for person in people}
    way = daemon.ctl_json('show', people[0])['way']
    harness.check('published' in way, f'the way of reading: {way}')
    harness.check_equal(daemon.stop(), 0, "freebusyd's exit code")
    return got


def main():
    arguments = argparse.ArgumentParser()
    for name in ('--sim', '--work'):
        arguments.add_argument(name, required=True)
    a = arguments.parse_args()
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    now = datetime.datetime.now(davmail.UTC).replace(microsecond=0)
    start = now.replace(hour=0, minute=0, second=0) + datetime.timedelta(days=1)
    end = start + datetime.timedelta(days=DAYS)
    people = [f'user{i:02d}@example.test' for i in range(1, PEOPLE + 1)]
    data = os.path.join(a.work, 'fifty.sim')
    make_data(data, people, start)
    davmail.DATA = data
    programs = davmail.Programs(a.work)
    try:
        sim = davmail.Sim(programs, a.sim, '2003', now, ['--set', 'fb-months=3'])
        theirs = {}
        dav = davmail.DavMail(programs, sim, 'davmail')
        for at in range(0, PEOPLE, 10):
            theirs.update(davmail.free_busy(dav, 'alice:secret', 'alice@example.test', people[at:at + 10], start, end))
        ours = by_freebusyd(a.work, f'http://127.0.0.1:{sim.ports["port"]}/exchange/', people, start, end)
        harness.check_equal(set(theirs), set(people), 'whom DavMail answered about')
        for person in people:
            harness.check_equal(sorted(ours[person]), sorted(theirs[person]),
                    f'free/busy of {person}, expected is DavMail\'s')
        periods = sum(len(p) for p in theirs.values())
        harness.check(periods > 500, f'the comparison was about something: {periods} periods')
        harness.check_equal(sim.control('GET', '/counters')['violations'], [], 'what the simulator complains of')
        print(f'{PEOPLE} people, {DAYS} days, {periods} periods: DavMail and freebusyd agree')
    except (harness.Failed, OSError) as error:
        print(f'FAILED: {error}\nlogs are in {a.work}')
        return 1
    finally:
        programs.stop_all()
    return 0


if __name__ == '__main__':
    sys.exit(main())
