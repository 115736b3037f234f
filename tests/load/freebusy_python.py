#!/usr/bin/python3
"""load-freebusy's calendars through python3-icalendar and python3-recurring-ical-events: prints calendars a second of
CPU.

    freebusy_python.py FOLDER
"""
import datetime
import glob
import sys
import time

import icalendar
import recurring_ical_events

BEGIN = datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc)

texts = [open(path, encoding="utf-8").read() for path in sorted(glob.glob(sys.argv[1] + "/*.ics"))]
began, periods = time.process_time(), 0
for text in texts:
    events = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(BEGIN,
                                                                                  BEGIN + datetime.timedelta(days=90))
    busy = sorted((str(e["DTSTART"].dt), str(e["DTEND"].dt)) for e in events if e.get("TRANSP") != "TRANSPARENT")
    periods += len(busy)
if periods == 0:
    sys.exit("nothing was read")
print(len(texts) / (time.process_time() - began))
