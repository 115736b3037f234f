#!/usr/bin/python3
"""Thunderbird without a window, asked what its attendees' dialogue would show.

    with Thunderbird(FOLDER) as program:
        program.calendars(SITE_URL, LOGIN, PASSWORD)
        program.free_busy(CALENDAR_URL, REALM, LOGIN, PASSWORD, START, END, ADDRESSES)

It runs on a new profile and is steered over its own automation port (Marionette). The calendar is added as the
program's dialogue does it; its free/busy service then finds the outbox and asks. Package: thunderbird.
"""
import json
import os
import socket
import subprocess
import time
import urllib.parse

SETTINGS = {
    "network.proxy.type": 0,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "mail.provider.enabled": False,
    "mail.spotlight.firstRunDone": True,
    "services.settings.server": "http://127.0.0.1:1/",
}

# One password, one calendar, one question after the other. An interval that is no answer at all comes as null.
QUESTION = """
const [setup, done] = arguments;
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");

async function discover(calendar) {
  for (let tries = 0; tries < 300; tries++) {
    let inside = calendar.getProperty("cache.uncachedCalendar") || calendar;
    inside = inside.wrappedJSObject || inside;
    inside = inside.mUncachedCalendar?.wrappedJSObject || inside.mUncachedCalendar || inside;
    if (inside.mOutboxUrl) {
      return { outbox: inside.mOutboxUrl.spec, addresses: inside.mCalendarUserAddresses };
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  return { outbox: null };
}

function ask(address) {
  const kinds = Ci.calIFreeBusyInterval;
  const names = new Map([[kinds.UNKNOWN, "UNKNOWN"], [kinds.FREE, "FREE"], [kinds.BUSY, "BUSY"],
    [kinds.BUSY_UNAVAILABLE, "BUSY-UNAVAILABLE"], [kinds.BUSY_TENTATIVE, "BUSY-TENTATIVE"]]);
  return new Promise(resolve => {
    const listener = {
      onResult(operation, intervals) {
        if (!operation?.isPending) {
          resolve(intervals && intervals.map(one => [one.interval.start.icalString, one.interval.end.icalString,
            names.get(one.freeBusyType)]));
        }
      },
    };
    cal.freeBusyService.getFreeBusyIntervals("mailto:" + address, cal.createDateTime(setup.start),
      cal.createDateTime(setup.end), kinds.BUSY_ALL | kinds.FREE | kinds.UNKNOWN, listener);
  });
}

(async () => {
  if (setup.login) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
    login.init(setup.origin, null, setup.realm, setup.login, setup.password, "", "");
    await Services.logins.addLoginAsync(login);
  }
  const calendar = cal.manager.createCalendar("caldav", Services.io.newURI(setup.url));
  calendar.name = "office";
  cal.manager.registerCalendar(calendar);
  const answer = await discover(calendar);
  answer.people = {};
  for (const address of setup.people) {
    answer.people[address] = await ask(address);
  }
  done(answer);
})().catch(error => done({ error: String(error) }));
"""

# What its dialogue for a new calendar lists.
SEARCH = """
const [setup, done] = arguments;
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
cal.provider.detection.detect(setup.login, setup.password, setup.location, false, [], {}).then(
  found => done(Array.from(found.values()).flat().map(one => [one.name, one.uri.spec, one.readOnly])),
  error => done({ error: String(error) }));
"""


class Thunderbird:

    def __init__(self, folder):
        profile = os.path.join(folder, "profile")
        os.makedirs(profile)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with open(os.path.join(profile, "user.js"), "w", encoding="utf-8") as file:
            for name, value in {**SETTINGS, "marionette.port": port}.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        with open(os.path.join(folder, "thunderbird.log"), "wb") as log:
            self.process = subprocess.Popen(
                ["thunderbird", "--headless", "--marionette", "-remote-allow-system-access", "--profile", profile],
                env={
                    **os.environ, "HOME": folder
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log)
        self.number, self.kept = 0, b""
        self.socket = self._connect(port)
        self._message()  # its greeting
        self._command("WebDriver:NewSession", {"capabilities": {}})
        self._command("Marionette:SetContext", {"value": "chrome"})
        self._command("WebDriver:SetTimeouts", {"script": 120000})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def free_busy(self, url, realm, login, password, start, end, people):
        """{"outbox", "addresses", "people": {ADDRESS: [[start, end, type]...] or None}}"""
        parts = urllib.parse.urlsplit(url)
        setup = {
            "url": url,
            "origin": f"{parts.scheme}://{parts.netloc}",
            "realm": realm,
            "login": login,
            "password": password,
            "start": start,
            "end": end,
            "people": list(people)
        }
        return self._command("WebDriver:ExecuteAsyncScript", {"script": QUESTION, "args": [setup]})["value"]

    def calendars(self, location, login, password):
        """What it finds at a site's address: [[name, URL, may only be read]...]"""
        setup = {"location": location, "login": login, "password": password}
        return self._command("WebDriver:ExecuteAsyncScript", {"script": SEARCH, "args": [setup]})["value"]

    def _connect(self, port, seconds=120):
        end = time.monotonic() + seconds
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port))
                connection.settimeout(180)
                return connection
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.process.kill()
                    raise
                time.sleep(0.05)

    def _command(self, name, parameters):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._message()
        if error:
            raise RuntimeError(f"thunderbird, {name}: {error.get('message')}")
        return result

    def _message(self):
        """Messages are LENGTH:JSON."""
        while True:
            head, colon, rest = self.kept.partition(b":")
            if colon and len(rest) >= int(head):
                self.kept = rest[int(head):]
                return json.loads(rest[:int(head)])
            piece = self.socket.recv(65536)
            if not piece:
                raise RuntimeError("thunderbird closed its automation port")
            self.kept += piece
