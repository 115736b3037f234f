"""The XMPP outlet through the whole program: a simulated company, the daemon, a real server, and slixmpp as the
people's client.

A client is a process-wide asyncio loop in a thread of its own; what it saw is a list that the test polls.
"""
import asyncio
import hashlib
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import slixmpp

import company
import harness
from harness import check, check_equal, wait_until

DOMAIN, COMPONENT, SECRET = "im.example", "cal.example", "s3cret"
ANNA = "anna@example.test"
ODD = {  # address -> its contact's local part
    ANNA: "anna\\40example.test",
    "o'hara@example.test": "o\\27hara\\40example.test",
    "r&d@example.test": "r\\26d\\40example.test",
    "a/b@example.test": "a\\2fb\\40example.test",
    "x+y~z#1%q@example.test": "x+y~z#1%q\\40example.test",
    "jörg@example.test": "jörg\\40example.test",
}


class Server:
    """tests/peers/KIND.sh, on the same ports when it is started again."""

    def __init__(self, kind, folder, **env):
        self.kind, self.folder, self.env = kind, os.path.join(folder, kind), env
        self.ports = self.pid = None
        self.start()

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        env = {**os.environ, **self.env}
        if self.ports:
            env["PEER_PORTS"] = " ".join(str(p) for p in self.ports)
        done = subprocess.run([os.path.join(harness.SOURCE, "tests", "peers", self.kind + ".sh"), self.folder], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=200)
        check(done.returncode == 0, f"{self.kind} does not start: {done.stderr[-2000:]}")
        c2s, component, self.pid, *rest = (int(word) for word in done.stdout.split())
        self.ports = [c2s, component, *rest]

    def stop(self):
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{self.pid}") or self._zombie(), f"{self.kind} to end")
        self.pid = None

    def _zombie(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"


def sign_up(name, port):
    """In-band registration (XEP-0077), before any login."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}' "
                  f"version='1.0'><iq type='set' id='sign-up' to='{DOMAIN}'><query xmlns='jabber:iq:register'>"
                  f"<username>{name}</username><password>pw</password></query></iq>".encode())
        text = b""
        while b"sign-up" not in text:
            more = s.recv(4096)
            check(more, f"{name} cannot be registered: {text[-500:]}")
            text += more


class Client(slixmpp.ClientXMPP):
    """A person's client: registers itself, logs in, remembers everything that it is told."""

    def __init__(self, name, port, register=True, resource="desk", more=()):
        super().__init__(f"{name}@{DOMAIN}/{resource}", "pw")
        self.port = port
        self.seen, self.others, self.answers, self.online = [], [], [], False
        self.auto_authorize = self.auto_subscribe = None
        self.plugin_whitelist = None
        self.add_event_handler("session_start", self._started)
        self.add_event_handler("presence", self._presence)
        self.add_event_handler("message", lambda m: self.answers.append((str(m["from"]), m["body"])))
        self.add_event_handler("disconnected", lambda _: setattr(self, "online", False))
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0054", "xep_0092", "xep_0199", *more):
            self.register_plugin(plugin)
        if register:
            sign_up(name, port)
        self.open()

    def open(self):
        loop_call(lambda: self.connect(("127.0.0.1", self.port), use_ssl=False, force_starttls=False,
                                       disable_starttls=True))
        wait_until(lambda: self.online, f"{self.boundjid.bare} to be online")

    async def _started(self, _):
        await self.get_roster()
        self.send_presence()
        self.online = True

    def _presence(self, p):
        if str(p["from"]).split("/")[0].endswith("@" + COMPONENT):
            self.seen.append({"from": str(p["from"].bare), "type": p["type"], "status": p["status"], "xml": str(p)})
        else:
            self.others.append((str(p["from"]), p["type"], p["priority"]))

    def subscribe(self, contact):
        loop_call(lambda: self.send_presence_subscription(pto=contact))

    def unsubscribe(self, contact):
        loop_call(lambda: self.update_roster(contact, subscription="remove"))

    def last(self, contact):
        """The type of what was seen last of it: "available", "dnd", "xa", "unavailable" ..., None: nothing."""
        shown = [s for s in list(self.seen) if s["from"] == contact and s["type"] not in ("subscribed", "unsubscribed",
                                                                                          "subscribe")]
        return shown[-1] if shown else None

    def wait_other(self, full, kind, what):
        """What was seen last of that resource."""
        wait_until(lambda: [o[1] for o in list(self.others) if o[0] == full][-1:] == [kind], f"{what} ({full} {kind})",
                   60)

    def wait(self, contact, kind, what, seconds=60):
        return wait_until(lambda: (s := self.last(contact)) and s["type"] == kind and s, f"{what} ({contact} {kind})",
                          seconds)

    def wait_type(self, contact, kind, seconds=60):
        wait_until(lambda: any(s["from"] == contact and s["type"] == kind for s in list(self.seen)),
                   f"{kind} of {contact}", seconds)

    def ask(self, function):
        """What a question of slixmpp's brings: some are coroutines, some return a future, some one in the other."""

        async def run():
            value = function()
            while inspect.isawaitable(value):
                value = await value
            return value

        return asyncio.run_coroutine_threadsafe(run(), LOOP).result(60)

    def close(self):
        loop_call(self.abort)


LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def loop_call(function):
    done = threading.Event()

    def run():
        function()
        done.set()

    LOOP.call_soon_threadsafe(run)
    check(done.wait(60), "the client's loop answers")


def yaml(sim, people, server, more=""):
    base = company.yaml(sim.url, people)
    return base.replace("publish:\n", f"""publish:
  xmpp:
    component: {COMPONENT}
    server: "127.0.0.1:{server.ports[1]}"
    secret_file: xmpp-secret
    allow: [{DOMAIN}]
{more}""") + "state: { directory: \"{folder}\" }\n"


def start(folder, kind, people, lines=None, more="", **env):
    harness.secret_file(folder, "password", "svc-secret")
    harness.secret_file(folder, "xmpp-secret", SECRET)
    sim = harness.Simulator(folder, company.company(*(lines or [f"mailbox {p} password=x" for p in people])))
    server = Server(kind, folder, **env)
    daemon = harness.Daemon(folder, yaml(sim, people, server, more))
    wait_up(daemon)
    for p in people:
        daemon.wait_state(p, "free")
    return sim, server, daemon


def outlet(daemon):
    return next((o for o in daemon.ctl_json("status").get("outlets", []) if o["name"] == "xmpp"), {})


def wait_up(daemon, seconds=60):
    wait_until(lambda: outlet(daemon).get("state") == "up", "the outlet to be up", seconds)


def meeting(sim, address, begin=None, length=3600, kind="busy"):
    begin = begin or int(time.time()) - 60
    return sim.control("POST", "/appointments",
                       {"mailbox": address, "start": harness.utc(begin), "end": harness.utc(begin + length),
                                                 "busy": kind})


def contact(address):
    return f"{ODD[address]}@{COMPONENT}"


def whole(folder, kind):
    """Subscribe, change, seen; odd addresses; questions; restart of either side; refusal; unsubscribe; clean stop."""
    people = list(ODD)
    sim, server, daemon = start(folder, kind, people)
    try:
        bob = Client("bob", server.ports[0])
        for p in people:
            bob.subscribe(contact(p))
        for p in people:
            bob.wait_type(contact(p), "subscribed")
            bob.wait(contact(p), "available", "everybody free")
        wait_until(lambda: outlet(daemon).get("proved_at"), "a message to ourselves to come back")

        # a change in the calendar
        for p in people:
            meeting(sim, p)
        for p in people:
            seen = bob.wait(contact(p), "dnd", "the meeting")
            check(seen["status"].startswith("Busy until ") and seen["status"].endswith(" UTC"),
                  f"text: {seen['status']}")
            check("name=\"Stop\"" in seen["xml"] or "name='Stop'" in seen["xml"],
                  f"the end for machines: {seen['xml']}")

        at_its_second(sim, server, daemon, bob, people)
        questions(bob)
        commands(server, people)

        # the client returns: its server probes
        anna = contact(ANNA)
        bob.seen.clear()
        again = Client("bob", server.ports[0], register=False, resource="phone")
        again.wait(anna, "dnd", "after a new login")
        again.close()

        # our restart: nobody subscribes again, everybody is told
        daemon.stop(signal.SIGKILL)
        bob.seen.clear()
        daemon.start()
        bob.wait(anna, "dnd", "after our crash")
        check_equal([s for s in bob.seen if s["type"] == "unavailable"], [], "no flicker after our crash")

        # the server's restart
        server.stop()
        wait_until(lambda: outlet(daemon).get("state") == "waiting", "the outlet to notice")
        check_equal(daemon.ctl("status")[0], 1, "status is not well while an outlet is down")
        server.start()
        wait_up(daemon)
        eve = Client("bob", server.ports[0], register=False, resource="laptop")
        eve.wait(anna, "dnd", "after the server's restart")

        # unsubscribe, then a clean stop
        odd = contact("o'hara@example.test")
        eve.unsubscribe(odd)
        wait_until(lambda: outlet(daemon)["watchers"] == len(people), "the subscription to be forgotten")
        eve.seen.clear()
        check_equal(daemon.stop(), 0, "exit code")
        eve.wait(anna, "unavailable", "our clean stop")
        check(not any(s["from"] == odd for s in eve.seen), "somebody who unsubscribed is told nothing")
        eve.close()
        bob.close()
    finally:
        server.stop()


def at_its_second(sim, server, daemon, bob, people):
    """A transition comes from the timer: not early, and in time, though one of three may be late where other programs
    want the machine."""
    carl = "carl@example.test"
    shown = f"carl\\40example.test@{COMPONENT}"
    check_equal(sim.control("POST", "/mailboxes", {"address": carl}) is not None, True, "a new mailbox")
    daemon.write(yaml(sim, people + [carl], server))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    bob.subscribe(shown)
    bob.wait(shown, "available", "before the meeting")
    begin = daemon.soon()
    for i in range(3):
        meeting(sim, carl, begin + 6 * i, 3)
    wait_until(lambda: daemon.presence(carl)["next"], "the meetings to be known")
    check(time.time() < begin, "the meetings were known too late")
    late = []
    for i in range(3):
        bob.wait(shown, "dnd", "at its second")
        late.append(time.time() - begin - 6 * i)
        bob.wait(shown, "available", "at the end of the meeting")
    check(min(late) > -0.01, f"told before the meeting's second: {late}")
    check(sorted(late)[1] < 1.5, f"told {late} s after the meetings' seconds")
    print(f"        transitions were shown {', '.join(f'{s:.2f}' for s in late)} s after their second", flush=True)


def questions(bob):
    """What clients ask of the component and its contacts."""
    info = bob.ask(lambda: bob["xep_0030"].get_info(jid=COMPONENT, timeout=60))
    check("jid\\20escaping" in info["disco_info"]["features"], "disco names what clients look for")
    card = bob.ask(lambda: bob["xep_0054"].get_vcard(jid=contact("r&d@example.test"), timeout=60))
    check_equal(card["vcard_temp"]["FN"], "r&d@example.test", "the vCard's name")
    version = bob.ask(lambda: bob["xep_0092"].get_version(COMPONENT, timeout=60))
    check_equal(version["software_version"]["name"], "freebusyd", "version")
    bob.ask(lambda: bob["xep_0199"].ping(contact(ANNA), timeout=60))
    loop_call(lambda: bob.send_message(mto=contact(ANNA), mbody="when?", mtype="chat"))
    answer = wait_until(lambda: [a for a in bob.answers if a[0].startswith(contact(ANNA))], "an answer to a message")[0]
    check(ANNA + ": Busy until" in answer[1] and " busy" in answer[1], f"the day in words: {answer[1]}")


def commands(server, people):
    """A client with a service browser: who is free, watch, stop watching all."""
    dora, free = Client("dora", server.ports[0]), "carl@example.test"
    listed = dora.ask(lambda: dora["xep_0050"].get_commands(COMPONENT, timeout=60))
    check_equal({item[1] for item in listed["disco_items"]["items"]}, {"who-is-free", "watch", "unwatch"}, "commands")

    def run(node, session=None, **answers):
        payload = None
        if answers:
            payload = dora["xep_0004"].make_form(ftype="submit")
            for name, value in answers.items():
                payload.add_field(var=name, ftype="text-multi", value=value)
        return dora.ask(lambda: dora["xep_0050"].send_command(COMPONENT, node, action="execute", payload=payload,
                                                              sessionid=session, timeout=60))["command"]

    notes = "\n".join(text for _, text in run("who-is-free")["notes"])
    check(free in notes and ANNA not in notes, f"who is free: {notes}")
    first = run("watch")
    check_equal(first["status"], "executing", "a form to fill in")
    second = run("watch", first["sessionid"], addresses=[ANNA, "nobody@example.test"])
    notes = "\n".join(text for _, text in second["notes"])
    check_equal(second["status"], "completed", "the form is taken")
    check(f"xmpp:{contact(ANNA)}?subscribe" in notes, f"whom to add: {notes}")
    for p in people[:2]:
        dora.subscribe(contact(p))
        dora.wait(contact(p), "dnd", "who is watched")
    notes = "\n".join(text for _, text in run("unwatch")["notes"])
    check("2 contacts" in notes, f"nobody any more: {notes}")
    for p in people[:2]:
        dora.wait_type(contact(p), "unsubscribed")
    dora.close()


class Rival:
    """Another gateway that has our name already, and answers nothing."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.sendall(f"<stream:stream xmlns='jabber:component:accept' "
                            f"xmlns:stream='http://etherx.jabber.org/streams' to='{COMPONENT}'>".encode())
        ident = re.search(r"\bid=['\"]([^'\"]+)", self._until(">", " id=")).group(1)
        digest = hashlib.sha1((ident + SECRET).encode()).hexdigest()
        self.socket.sendall(f"<handshake>{digest}</handshake>".encode())
        self._until("<handshake", "handshake")

    def _until(self, *marks):
        text = ""
        while not all(mark in text for mark in marks):
            more = self.socket.recv(4096).decode()
            check(more, f"the server does not take a component: {text}")
            text += more
        return text

    def close(self):
        self.socket.close()


def shared_name(folder, kind):
    """Two gateways under one name: Prosody lets the newer one have it, ejabberd divides what comes between them."""
    sim, server, daemon = start(folder, kind, [ANNA])
    try:
        if kind == "ejabberd":
            daemon.stop()
        rivals = [Rival(server.ports[1]) for _ in range(1 if kind == "prosody" else 2)]
        if kind == "ejabberd":  # noticed as messages to ourselves stay away, some of eight; if all do, at the next eight
            daemon.start()
        wait_until(lambda: outlet(daemon).get("code") == "xmpp-conflict", "the other one to be noticed", 180)
        for rival in rivals:
            rival.close()
        daemon.write(yaml(sim, [ANNA], server, "    rate: 999\n"))
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        wait_up(daemon)
        wait_until(lambda: outlet(daemon).get("proved_at"), "the name to be ours alone")
    finally:
        server.stop()


def refused(folder, kind):
    """Somebody whom no rule allows, an address that does not exist, a wrong secret, and a second start with the right
    one."""
    sim, server, daemon = start(folder, kind, [ANNA], more="")
    try:
        daemon.write(yaml(sim, [ANNA], server).replace(f"allow: [{DOMAIN}]", f"allow: [bob@{DOMAIN}]"))
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        wait_up(daemon)
        bob, eve = Client("bob", server.ports[0]), Client("eve", server.ports[0])
        eve.subscribe(contact(ANNA))
        bob.subscribe(f"nobody\\40example.test@{COMPONENT}")
        bob.subscribe(contact(ANNA))
        bob.wait(contact(ANNA), "available", "who is allowed")
        eve.wait_type(contact(ANNA), "unsubscribed")
        bob.wait_type(f"nobody\\40example.test@{COMPONENT}", "unsubscribed")
        meeting(sim, ANNA)
        bob.wait(contact(ANNA), "dnd", "the meeting")
        check_equal(eve.last(contact(ANNA)), None, "what a stranger saw")

        # a wrong secret is named, and the right one is taken without a restart
        harness.secret_file(folder, "xmpp-secret", "wrong")
        daemon.write(yaml(sim, [ANNA], server, "    rate: 1000\n"))
        daemon.ctl("reload")
        wait_until(lambda: outlet(daemon).get("code") == "xmpp-not-authorized", "the wrong secret to be named")
        harness.secret_file(folder, "xmpp-secret", SECRET)
        daemon.write(yaml(sim, [ANNA], server, "    rate: 1001\n"))
        daemon.ctl("reload")
        wait_up(daemon)

        # the outlet is taken out of the configuration: nobody goes on looking at an old state
        daemon.write(company.yaml(sim.url, [ANNA]) + "state: { directory: \"{folder}\" }\n")
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        bob.wait(contact(ANNA), "unavailable", "the outlet is gone")
        check_equal(outlet(daemon), {}, "status without the outlet")
        bob.close()
        eve.close()
    finally:
        server.stop()


def everybody(folder, kind):
    """The administrator's way: everybody has everybody's contact without asking for it."""
    groups = os.path.join(folder, "groups.txt")
    with open(groups, "w", encoding="utf-8") as file:
        file.write(f"[+Calendars]\n{contact(ANNA)}=Anna (calendar)\n" if kind == "prosody" else "")
        file.write(f"[Users]\nbob@{DOMAIN}=Bob\n" if kind == "prosody" else "")
    if kind == "prosody":
        with open(groups, "w", encoding="utf-8") as file:
            file.write(f"[Calendars]\n{contact(ANNA)}=Anna (calendar)\nbob@{DOMAIN}=Bob\n")
    sim, server, daemon = start(folder, kind, [ANNA], **({"PEER_EVERYBODY": groups} if kind == "prosody" else {}))
    try:
        if kind == "ejabberd":
            first = Client("bob", server.ports[0])
            first.close()
            api(server, "add_rosteritem",
                {"localuser": "bob", "localhost": DOMAIN, "user": ODD[ANNA], "host": COMPONENT,
                                           "nick": "Anna", "group": "Calendars", "subs": "to"})
        bob = Client("bob", server.ports[0], register=kind == "prosody", resource="home")
        bob.wait(contact(ANNA), "available", "without a subscription of the user's")
        meeting(sim, ANNA)
        bob.wait(contact(ANNA), "dnd", "the meeting")
        bob.close()
    finally:
        server.stop()


def own_account(folder, kind):
    """A resource beside the person's own account: only where it is asked for, only while the person is online and the
    calendar has something to show, and nothing that the person chose is touched."""
    alice, ours, theirs = f"alice@{DOMAIN}", f"alice@{DOMAIN}/calendar", f"alice@{DOMAIN}/desk"
    sim, server, daemon = start(folder, kind, [alice], PEER_OWN="yes")
    try:
        person, eve = Client("alice", server.ports[0]), Client("eve", server.ports[0])
        person.auto_authorize, person.auto_subscribe = True, False
        eve.subscribe(alice)
        eve.wait_other(theirs, "available", "what Alice's client shows")
        first = meeting(sim, alice)
        daemon.wait_state(alice, "busy")
        eve.subscribe(f"alice\\40{DOMAIN}@{COMPONENT}")
        eve.wait(f"alice\\40{DOMAIN}@{COMPONENT}", "dnd", "the contact, as ever")
        check(not any(o[0] == ours for o in eve.others), f"nothing without being asked: {eve.others}")

        daemon.write(yaml(sim, [alice], server, "    own_account: resource\n"))
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        if kind == "ejabberd":  # it does not say who is online already
            wait_up(daemon)
            loop_call(lambda: person.send_presence(pstatus="here"))
        eve.wait_other(ours, "dnd", "the meeting")
        check_equal([o[2] for o in eve.others if o[0] == ours], [-1], "no message goes to our resource")
        check_equal(outlet(daemon)["own_accounts"], 1, "what the status says")

        # what Alice chooses is hers
        loop_call(lambda: person.send_presence(pshow="xa", pstatus="do not wake me"))
        eve.wait_other(theirs, "xa", "what Alice chose")
        check_equal([o[1] for o in eve.others if o[0] == ours], ["dnd"], "and ours was not sent again")

        # somebody who comes later is told, too; a stranger is not
        late = Client("eve", server.ports[0], register=False, resource="late")
        late.wait_other(ours, "dnd", "who comes later")
        stranger = Client("zoe", server.ports[0])
        check_equal(stranger.others and [o for o in stranger.others if o[0].startswith(alice)], [], "a stranger")

        # the meeting ends; Alice goes in the next one, and comes back
        sim.control("DELETE", f"/appointments/{first['id']}")
        eve.wait_other(ours, "unavailable", "free: our resource goes")
        eve.wait_other(theirs, "xa", "hers stays")
        meeting(sim, alice, kind="oof")
        eve.wait_other(ours, "xa", "away")
        if kind == "ejabberd":  # of a connection that breaks off it tells nothing
            loop_call(lambda: person.send_presence(ptype="unavailable"))
            eve.wait_other(theirs, "unavailable", "she leaves")
        person.close()
        eve.wait_other(ours, "unavailable", "she does not look online because of us")
        person = Client("alice", server.ports[0], register=False)
        eve.wait_other(ours, "xa", "she is back")

        # a policy holds for those who watch her account, too
        usual = yaml(sim, [alice], server, "    own_account: resource\n")
        daemon.write(usual + f"policy: {{ rules: [ {{ who: \"xmpp:{DOMAIN}\", whom: \"*\", level: nothing }} ] }}\n")
        check_equal(daemon.ctl("reload")[0], 0, "reload with a policy")
        eve.wait_other(ours, "unavailable", "the policy tells nothing")
        daemon.write(usual)
        check_equal(daemon.ctl("reload", "--confirm")[0], 0, "reload without, which widens")
        eve.wait_other(ours, "xa", "without a policy")
        check_equal(daemon.stop(), 0, "exit code")
        eve.wait_other(ours, "unavailable", "our clean stop")
        for client in (person, eve, late, stranger):
            client.close()
    finally:
        server.stop()


def own_activity(folder, kind):
    """The calendar as the activity of the person's own account, where the server lets us; where not, a line in the log
    says so, and contacts are as ever."""
    alice, asked = f"alice@{DOMAIN}", "    own_account: activity\n"
    sim, server, daemon = start(folder, kind, [alice], PEER_OWN="yes", more="")
    try:
        person = Client("alice", server.ports[0], more=["xep_0108"])
        eve = Client("eve", server.ports[0], more=["xep_0108"])
        events = activities_of(eve)
        for client in (person, eve):  # a server knows what somebody wants to see from their presence
            client.auto_authorize = client.auto_subscribe = True
        eve.subscribe(alice)
        eve.wait_other(f"{alice}/desk", "available", "what Alice's client shows")
        eve.ask(lambda: eve["xep_0115"].update_caps())
        eve.subscribe(f"alice\\40{DOMAIN}@{COMPONENT}")
        eve.wait(f"alice\\40{DOMAIN}@{COMPONENT}", "available", "the contact")
        usual = yaml(sim, [alice], server, asked)
        daemon.write(usual)
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        wait_up(daemon)
        first = meeting(sim, alice)
        eve.wait(f"alice\\40{DOMAIN}@{COMPONENT}", "dnd", "the contact, as ever")
        if kind == "ejabberd":
            wait_until(lambda: "does not let us publish activities" in daemon.program.log(), "the refusal in the log")
            check_equal(daemon.program.log().count("does not let us publish activities"), 1, "once")
            check_equal((outlet(daemon)["own_accounts"], events), (0, []), "accounts are left alone")
        else:
            activities(sim, daemon, usual, alice, person, events, first)
        check(not any(o[0] == f"{alice}/calendar" for o in eve.others), f"presence is untouched: {eve.others}")
        person.close()
        eve.close()
    finally:
        server.stop()


def activities(sim, daemon, usual, alice, person, events, first):
    """It appears, changes, goes when she is free; a policy must name it; what she chose herself stays; a clean stop."""
    busy, away, nothing = ("working", "in_a_meeting"), ("inactive", "on_vacation"), (None, None)
    said(events, alice, busy, "the meeting")
    check(events[-1][2].startswith("Busy until "), f"in the site's words: {events}")
    check_equal(outlet(daemon)["own_accounts"], 1, "what the status says")
    second = meeting(sim, alice, kind="oof")
    said(events, alice, away, "it changes")
    sim.control("DELETE", f"/appointments/{second['id']}")
    said(events, alice, busy, "it changes back")
    sim.control("DELETE", f"/appointments/{first['id']}")
    said(events, alice, nothing, "free")

    second = meeting(sim, alice)
    said(events, alice, busy, "the next meeting")
    daemon.write(usual + "policy: { rules: [ { who: xmpp, whom: \"*\", level: times } ] }\n")
    check_equal(daemon.ctl("reload")[0], 0, "reload with a policy")
    said(events, alice, nothing, "the policy does not name it")
    daemon.write(usual + "policy: { rules: [ { who: \"xmpp:activity\", whom: \"*\", level: kinds },"
                         " { who: xmpp, whom: \"*\", level: times } ] }\n")
    check(daemon.ctl("reload")[0] != 0, "a reload that widens must be confirmed")
    check_equal(daemon.ctl("reload", "--confirm")[0], 0, "reload, confirmed")
    said(events, alice, busy, "the policy names it")
    check_equal(events[-1][2], "Busy", "kinds without times")
    daemon.write(usual)
    check_equal(daemon.ctl("reload", "--confirm")[0], 0, "reload without a policy")

    # she chooses one herself: it stays, whatever the calendar says, until she takes it away
    person.ask(lambda: person["xep_0108"].publish_activity("eating", "having_lunch", "mahlzeit"))
    hers = ("eating", "having_lunch")
    said(events, alice, hers, "what she chose")
    before = len(events)
    third = meeting(sim, alice, kind="oof")
    daemon.wait_state(alice, "oof")
    wait_until(lambda: outlet(daemon)["own_accounts"] == 0, "hers to be found")
    sim.control("DELETE", f"/appointments/{third['id']}")
    daemon.wait_state(alice, "busy")
    person.ask(lambda: person["xep_0108"].stop())
    said(events, alice, nothing, "she takes it away")
    check({e[1] for e in events[before:]} <= {nothing}, f"ours was not shown meanwhile: {events[before:]}")
    meeting(sim, alice, kind="oof")
    said(events, alice, away, "the next change")

    check_equal(daemon.stop(), 0, "exit code")
    said(events, alice, nothing, "our clean stop")


def activities_of(client):
    """What the client is told, as (who, (general, specific), text); a list that grows."""
    events = []

    def published(message):
        one = message["pubsub_event"]["items"]["item"]["activity"]
        events.append((str(message["from"]), tuple(one["value"]) if one["value"] else (None, None), one["text"]))
    client.add_event_handler("user_activity_publish", published)
    client.add_event_handler("user_activity_retract",
                             lambda message: events.append((str(message["from"]), (None, None), "")))
    return events


def said(events, who, what, why):
    wait_until(lambda: [e[:2] for e in list(events)][-1:] == [(who, what)], f"{why}: {what}; there came {events}", 60)


def api(server, command, arguments):
    import urllib.request
    request = urllib.request.Request(f"http://127.0.0.1:{server.ports[2]}/api/{command}",
                                     json.dumps(arguments).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def main():
    kind = sys.argv.pop(1)
    tests = [whole, refused, shared_name, everybody, own_account, own_activity]

    def bound(test):
        def run(folder):
            test(folder, kind)
        run.__name__ = test.__name__
        return run

    harness.run(*[bound(t) for t in tests])


if __name__ == "__main__":
    main()
