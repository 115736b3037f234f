"""`freebusyctl privacy` says exactly what is asked of a server and what a subscriber can get: held against every byte that
the daemon sends, and against what it serves."""
import base64
import http.client
import json
import os
import re
import time
from xml.etree import ElementTree

import company
import harness
import relay_world
from capture import Capture
from clients import scrypt
from harness import check, check_equal, wait_until
from outlet_peers import meeting
from hook_sink import HookSink

PEOPLE = ["anna@example.test", "ben@example.test"]


def asked_in(body):
    """Names in a body: elements inside <D:prop>, or quoted names of a query."""
    if "<D:sql>" in body:
        return {name for name in re.findall(r'"([^"]*)"', body.split("<D:sql>")[1]) if name}
    spaces = dict(re.findall(r'xmlns:(\w+)="([^"]*)"', body))
    return {f"{{{spaces[prefix]}}}{name}" for part in re.findall(r"<D:prop>(.*?)</D:prop>", body)
            for prefix, name in re.findall(r"<([\w-]+):([\w-]+)", part)}


def exchange(folder, rules=""):
    """Verbs and properties on the wire are those that are printed, no more; and what can be provoked here is there."""
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in PEOPLE]))
    capture = Capture(sim.port)
    url = f"http://127.0.0.1:{capture.port}/exchange/"
    daemon = harness.Daemon(folder, company.yaml(url, PEOPLE, rules=rules))
    for p in PEOPLE:
        daemon.wait_state(p, "free")
    meeting(sim, PEOPLE[0])
    daemon.wait_state(PEOPLE[0], "busy")
    wait_until(lambda: any(v == "POLL" for v, _, _ in capture.requests()), "a POLL")
    daemon.stop()
    daemon.write(company.yaml(url, PEOPLE, rules=rules, server_more="    changes: { subscribe: false }\n"))
    daemon.start()
    wait_until(lambda: any("contenttag" in b for _, _, b in capture.requests()), "a look at the contenttag")
    told = [row for row in daemon.ctl_json("privacy", "server") if row["kind"] == "exchange"]
    allowed = {row["verb"]: set() for row in told}
    for row in told:
        allowed[row["verb"]] |= set(row["properties"])
    seen = {}
    for verb, head, body in capture.requests():
        check(verb in allowed, f"{verb} is not told: {head[:200]}")
        names = asked_in(body)
        check(names <= allowed[verb], f"{verb} asks for {names - allowed[verb]}, which is not told")
        check(not body or names, f"a body that nothing is found in: {body[:200]}")
        seen[verb] = seen.get(verb, set()) | names
    for verb in ("SEARCH", "PROPFIND"):
        check_equal(seen[verb], allowed[verb], f"what is told of {verb} is asked")
    for word in ["subject", "location", "attendee", "textdescription", "htmldescription", "organizer"]:
        check(not any(word in name.lower() for names in allowed.values() for name in names), f"nobody asks for a {word}")
    categories = any("keywords" in name.lower() for names in seen.values() for name in names)
    check_equal(categories, bool(rules), "categories are asked for where there are markers")
    text = daemon.ctl("privacy")[1]
    check("urn:schemas:calendar:busystatus" in text and "level available" in text, "for people, too")
    daemon.stop()


def exchange_markers(folder):
    """The same where categories are asked for, which are then among what is told."""
    exchange(folder, "markers: [ { category: hidden, level: nothing } ]\n")


def names_of(text):
    """Of properties, whatever they say."""
    return {re.split("[;:]", line)[0] for line in re.split("\r?\n", text) if line and line[0] != " "}


def elements_of(text):
    return {e.tag for e in ElementTree.fromstring(text).iter()}


class Outside:
    """One at each way out: what they get must be told of their level."""

    def __init__(self, folder, level):
        harness.secret_file(folder, "password", "svc-secret")
        harness.secret_file(folder, "hook-secret", "s3cret")
        harness.secret_file(folder, "ids", PEOPLE[1] + " password=" + scrypt("pw"))
        key, _ = relay_world.sign_key(folder, "relay")
        self.sink, self.far = HookSink("s3cret"), relay_world.Recorder()
        self.sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in PEOPLE]))
        rule = f"policy: {{ rules: [ {{ who: \"anonymous,*\", whom: \"{PEOPLE[0]}\", level: {level} }} ] }}\n"
        ways = (f"publish:\n  webhooks: [ {{ name: wall, url: \"{self.sink.url}\", secret_file: hook-secret }} ]\n"
                f"  relays: [ {{ name: out, url: \"http://127.0.0.1:{self.far.port}/relay/inside/\", sign_key_file: {key}, "
                "digest: 1s } ]\n")
        text = company.yaml(self.sim.url, PEOPLE).replace("publish:\n", ways) + rule + "identities_file: ids\n"
        self.daemon = harness.Daemon(folder, text)
        self.level = level
        self.told = next(row for row in self.daemon.ctl_json("privacy")["subscriber"] if row["level"] == level)
        meeting(self.sim, PEOPLE[0])
        wait_until(lambda: self.daemon.ctl_json("show", PEOPLE[0])["state"] == "busy", "the calendar")
        self.login = {"Authorization": "Basic " + base64.b64encode((PEOPLE[1] + ":pw").encode()).decode()}

    def stop(self):
        self.daemon.stop()
        self.sim.program.stop()
        self.sink.stop()
        self.far.server.shutdown()

    def json(self, what, text):
        got, told = json.loads(text), self.told["presence"]
        check_equal(set(got), set(told), f"the keys at {self.level}, {what}")
        for key in ("until", "next", "since", "as_of"):
            if told[key] is None:
                check_equal(got[key], None, f"{key} at {self.level}, {what}")

    def properties(self, what, text, told, *besides):
        more = names_of(text) - names_of(told) - set(besides)
        check(not more, f"{what} has {more}")

    def hooked(self):
        with self.sink.lock:
            bodies = [json.loads(r["body"]) for r in self.sink.requests]
        return [one for body in bodies for one in body.get("presence", [])]

    def ask(self, method, path, body="", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=60)
        connection.request(method, path, body, {**self.login, **headers})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def presence(self):
        told, path = self.told["presence"], "/v1/presence/" + PEOPLE[0]
        status, text, _ = self.daemon.get(path)
        check_equal(status, 200 if told else 404, self.level)
        events = harness.Events(self.daemon.port)
        if told:
            self.json("HTTP", text)
            event = events.wait(lambda e: e["address"] == PEOPLE[0], "the event stream")
            self.json("SSE", json.dumps(event[3]))
            for state in wait_until(self.hooked, "the webhook"):
                self.json("a webhook", json.dumps(state))
        else:
            check(all(e[3]["address"] != PEOPLE[0] for e in events.events), "nothing in the stream")
        events.cut()
        pidf = self.daemon.get(path, {"Accept": "application/pidf+xml"})
        check_equal(pidf[0], 200 if told else 404, f"PIDF at {self.level}")
        if told:
            more = elements_of(pidf[1]) - elements_of(self.told["pidf"])
            check(not more, f"PIDF has {more} at {self.level}")

    def times(self):
        told = self.told["free_busy"]
        status, text, _ = self.daemon.get("/v1/freebusy/" + PEOPLE[0] + ".ifb")
        check_equal(status, 200 if told else 404, f"free/busy at {self.level}")
        home = "/dav/calendars/" + PEOPLE[0]
        listed = self.ask("PROPFIND", home + "/busy/", Depth="1")
        check_equal(listed[0], 207 if told else 404, f"busy times as events at {self.level}")
        if told:
            self.properties("free/busy", text, told)
            items = re.findall(r"<D:href>(/dav/calendars/[^<]*\.ics)</D:href>", listed[1])
            check(items, f"busy times: {listed[1]}")
            self.properties("an event", self.ask("GET", items[0])[1], self.told["busy_event"])
            sent = wait_until(lambda: [b for _, _, b, _ in list(self.far.seen) if b"FREEBUSY;" in b], "the relay")
            for body in sent:
                lines = re.sub(r"(?m)^X-FB-[A-Z]+:.*\r?\n(?: .*\r?\n)*", "", body.decode())
                self.properties("a relay's message", lines, told, "METHOD")
        else:
            wait_until(lambda: len([1 for _, _, b, _ in list(self.far.seen) if b"X-FB-DIGEST" in b]) > 1, "digests")
            check(not any(b"anna" in b for _, _, b, _ in self.far.seen), "a relay without times tells nothing")
        now, form = int(time.time()), "%Y%m%dT%H%M%SZ"
        question = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "METHOD:REQUEST", "BEGIN:VFREEBUSY", "UID:1",
                                "DTSTAMP:" + harness.utc(now, form), "DTSTART:" + harness.utc(now - 3600, form),
                                "DTEND:" + harness.utc(now + 3600, form), "ORGANIZER:mailto:" + PEOPLE[1],
                                "ATTENDEE:mailto:" + PEOPLE[0], "END:VFREEBUSY", "END:VCALENDAR", ""])
        answer = self.ask("POST", f"/dav/calendars/{PEOPLE[1]}/outbox/", question, **{"Content-Type": "text/calendar"})
        found = ElementTree.fromstring(answer[1]).find(".//{urn:ietf:params:xml:ns:caldav}calendar-data")
        check_equal(found is not None, bool(told), f"an answer in the outbox: {answer[1]}")
        if told:
            self.properties("an answer in the outbox", found.text, told, "METHOD", "UID", "ATTENDEE")


def subscriber(folder):
    """What is told of a level is what a subscriber at that level gets, key by key, at each way out that needs no server
    of somebody else's (those: outlets_leak.py)."""
    for level in ["times", "kinds", "available", "nothing"]:
        os.mkdir(os.path.join(folder, level))
        outside = Outside(os.path.join(folder, level), level)
        outside.presence()
        outside.times()
        text = outside.daemon.ctl("privacy", "subscriber")[1]
        check("WHO GETS WHICH OF THESE" in text and "relays" in text, "in words, too")
        outside.stop()


if __name__ == "__main__":
    harness.run(exchange, exchange_markers, subscriber)
