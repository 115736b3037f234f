"""`freebusyctl privacy` says exactly what is asked of a server and what a subscriber can get: held against every byte that
the daemon sends, and against what it serves."""
import json
import re

import company
import harness
from capture import Capture
from harness import check, check_equal, wait_until
from outlet_peers import meeting

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


def subscriber(folder):
    """What is told of a level is what a subscriber at that level gets, key by key."""
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in PEOPLE]))
    for level in ["times", "kinds", "available", "nothing"]:
        yaml = company.yaml(sim.url, PEOPLE) + f"policy: {{ rules: [ {{ who: anonymous, whom: \"*\", level: {level} }} ] }}\n"
        daemon = harness.Daemon(folder, yaml)
        wait_until(lambda: daemon.ctl_json("show", PEOPLE[0])["state"] == "free", "the calendar")
        told = next(row for row in daemon.ctl_json("privacy", "subscriber") if row["level"] == level)
        status, text, _ = daemon.get("/v1/presence/" + PEOPLE[0])
        if told["presence"] is None:
            check_equal(status, 404, level)
        else:
            got = json.loads(text)
            check_equal(set(got), set(told["presence"]), f"the keys at {level}")
            for key in ("until", "next", "since"):
                if told["presence"][key] is None:
                    check_equal(got[key], None, f"{key} at {level}")
        status, text, _ = daemon.get("/v1/freebusy/" + PEOPLE[0] + ".ifb")
        check_equal(status, 404 if told["free_busy"] is None else 200, f"free/busy at {level}")
        if status == 200:
            names = {line.split(";")[0].split(":")[0] for line in text.split("\r\n") if line and line[0] != " "}
            allowed = {re.split("[;:]", line)[0] for line in told["free_busy"].split("\r\n")}
            check(names <= allowed, f"free/busy has {names - allowed}")
        daemon.stop()


if __name__ == "__main__":
    harness.run(exchange, exchange_markers, subscriber)
