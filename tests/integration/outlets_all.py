"""All outlets at once, each failing at random: in the end everybody who watches knows what the calendar says.

A simulated company, the daemon, and for each outlet its real peer behind a line that is cut, held up or loses messages:
Prosody with slixmpp, mosquitto behind mqtt_relay.py with its own subscriber, Kamailio with a phone for each person, such
phones at our own presence server, a webhook receiver that misbehaves, and an event stream that is torn off. Meetings
come and go meanwhile.

Where a line is cut while a SIP publication is under way, its answer is lost, and the server may show the older state
beside the newer one until it ends (docs/sip.md, ghosts): a minute and a half here. The short run has no time for that,
and cuts when nothing is under way.

    outlets_all.py short             half a minute of it (ctest)
    outlets_all.py long [SECONDS]    five minutes
"""
import os
import random
import sys
import threading
import time

import company
import harness
from harness import check, check_equal, wait_until
from outlet_peers import Subscriber, meeting, outlet
import sip_world
import xmpp_peers
import mosquitto
import mqtt_relay
from hook_sink import HookSink

PEOPLE = [f"p{i}@example.test" for i in range(12)]
SECONDS = {"short": 15, "long": 300}
SHOWN = {"free": "available", "busy": "dnd", "oof": "xa"}


class Line:
    """A TCP relay that can be cut, held, and closed to newcomers: the bad line to a server."""

    def __init__(self, port):
        import socket
        self.target, self.pairs, self.closed = port, [], False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.flow = threading.Event()
        self.flow.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        import socket
        while True:
            near, _ = self.listener.accept()
            if self.closed:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self.pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                self.flow.wait()
                sink.sendall(data)
        except OSError:
            pass
        self._end(source, sink)

    @staticmethod
    def _end(*sockets):
        for one in sockets:
            try:
                one.shutdown(2)
            except OSError:
                pass
            one.close()

    def cut(self):
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            self._end(*pair)


class Stream:
    """A subscriber of the event stream who comes back with the last id, and what he knows."""

    def __init__(self, daemon):
        self.daemon, self.known, self.last, self.taken = daemon, {}, None, 0
        self.events = harness.Events(daemon.port)

    def take(self):
        for _, name, ident, data in list(self.events.events)[self.taken:]:
            self.taken += 1
            if name == "presence":
                self.known[data["address"]], self.last = data["state"], ident
        if self.events.ended:
            self.again()

    def again(self):
        self.events.cut()
        self.events, self.taken = harness.Events(self.daemon.port, last_id=self.last), 0


def yaml(sim, xmpp_port, mqtt_port, kamailio_port, sip_port, sink):
    return company.yaml(sim.url, PEOPLE).replace("publish:\n", f"""publish:
  xmpp: {{ component: {xmpp_peers.COMPONENT}, server: "127.0.0.1:{xmpp_port}", secret_file: xmpp-secret, allow: [{xmpp_peers.DOMAIN}] }}
  mqtt: {{ server: "mqtt://127.0.0.1:{mqtt_port}" }}
  sip: {{ server: "sip:127.0.0.1:{kamailio_port};transport=tcp", domain: example.test, expires: 60s,
          listen: ["udp:127.0.0.1:{sip_port}"], trusted: [127.0.0.1] }}
  webhooks:
    - {{ name: wall, url: "{sink.url}", secret_file: hook-secret, delay: 100ms, batch: 5, timeout: 2s, break_after: 3 }}
""") + "state: { directory: \"{folder}\" }\n"


def change(sim, items, rng):
    """Somebody gets a meeting, or has one no more. Returns nothing; the calendar itself says what is so."""
    person = rng.choice(PEOPLE)
    if items.get(person):
        sim.control("DELETE", f"/appointments/{items.pop(person)}")
    else:
        items[person] = meeting(sim, person, kind=rng.choice(["busy", "oof"]))["id"]


class Peers:
    """What stands around the daemon, each with its way to fail."""

    def __init__(self, line, relay, sip_line, sink):
        self.line, self.relay, self.sip_line, self.sink = line, relay, sip_line, sink
        self.stream = self.phones = None

    def heal(self):
        self.line.flow.set()
        self.sip_line.flow.set()
        self.relay.hold.set()
        self.phones.deaf.clear()
        self.sink.always = "ok"


def trouble(rng, peers, daemon, gentle, counts):
    kind = rng.choice(["xmpp-cut", "xmpp-hold", "mqtt-cut", "mqtt-hold", "hook", "hook-gone", "stream", "sip-cut", "sip-hold", "phones-deaf",
                       "nothing"])
    line, relay, sink, stream = peers.line, peers.relay, peers.sink, peers.stream
    if kind == "sip-cut" and gentle and outlet(daemon, "sip")["under_way"] > 0:
        kind = "nothing"
    counts[kind] = counts.get(kind, 0) + 1
    if kind == "xmpp-cut":
        line.cut()
    elif kind == "xmpp-hold":
        line.flow.clear()
    elif kind == "mqtt-cut":
        relay.cut()
    elif kind == "mqtt-hold":
        relay.hold.clear()
    elif kind == "hook":
        sink.then += rng.choices(["500", "die", "half", "short", "garbage", "503", "429:1", "slow:3"], k=2)
    elif kind == "hook-gone":
        sink.always = "503"
    elif kind == "stream":
        stream.again()
    elif kind == "sip-cut":
        peers.sip_line.cut()
    elif kind == "sip-hold":
        peers.sip_line.flow.clear()
    elif kind == "phones-deaf":
        peers.phones.deaf.set()


def contact(person):
    return person.replace("@", "\\40") + "@" + xmpp_peers.COMPONENT


def everybody_knows(daemon, client, sub, peers, phones_there, expected):
    """What each watcher knows and the calendar does not say."""
    stream = peers.stream
    stream.take()
    told, at_broker, wrong = peers.sink.states(), sub.now(), []
    for person, state in expected.items():
        seen = client.last(contact(person))
        if not seen or seen["type"] != SHOWN[state]:
            wrong.append(f"xmpp {person} {seen and seen['type']} for {state}")
        if sub.state("presence/" + person) != state:
            wrong.append(f"mqtt {person} {at_broker.get('presence/' + person)} for {state}")
        if told.get(person) != state:
            wrong.append(f"webhook {person} {told.get(person)} for {state}")
        if stream.known.get(person) != state:
            wrong.append(f"stream {person} {stream.known.get(person)} for {state}")
        if peers.phones.state(person) != state:
            wrong.append(f"phone here {person} {peers.phones.state(person)} for {state}")
        if phones_there.state(person) != state:
            wrong.append(f"phone at Kamailio {person} {phones_there.state(person)} for {state}")
        if daemon.presence(person)["state"] != state:
            wrong.append(f"daemon {person}")
    return wrong


def storm(folder, seconds, seed, gentle):
    rng = random.Random(seed)
    for name, text in (("password", "svc-secret"), ("xmpp-secret", xmpp_peers.SECRET), ("hook-secret", "s3cret")):
        harness.secret_file(folder, name, text)
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in PEOPLE]))
    server = xmpp_peers.Server("prosody", folder)
    broker, kamailio = mosquitto.Mosquitto(os.path.join(folder, "broker")), sip_world.Kamailio(folder)
    peers = Peers(Line(server.ports[1]), mqtt_relay.Relay(broker.port, lose_each=10), Line(kamailio.port),
                  HookSink("s3cret"))
    sink, sip_port = peers.sink, sip_world.free_port()
    daemon = harness.Daemon(folder, yaml(sim, peers.line.port, peers.relay.port, peers.sip_line.port, sip_port, sink))
    for name in ("xmpp", "mqtt", "sip", "sip-server", "wall"):
        wait_until(lambda: outlet(daemon, name).get("state") == "up", f"{name} to be up", 60)
    try:
        client, sub = xmpp_peers.Client("bob", server.ports[0]), Subscriber(folder, broker.port)
        peers.stream, peers.phones = Stream(daemon), sip_world.Phones(sip_port, PEOPLE)
        phones_there = sip_world.Phones(kamailio.port, PEOPLE)
        for p in PEOPLE:
            client.subscribe(contact(p))
        for p in PEOPLE:
            client.wait_type(contact(p), "subscribed", 60)
        items, counts, changes, end = {}, {}, 0, time.monotonic() + seconds
        while time.monotonic() < end:
            trouble(rng, peers, daemon, gentle, counts)
            for _ in range(rng.randrange(1, 6)):
                change(sim, items, rng)
                changes += 1
                pause = time.monotonic() + rng.uniform(0.05, 0.4)
                wait_until(lambda: time.monotonic() > pause, "a moment")
            peers.stream.take()
            if rng.random() < 0.6:
                peers.heal()
        peers.heal()
        sink.then.clear()
        expected = {p: "free" for p in PEOPLE}
        for p in items:
            listed = sim.control("GET", f"/appointments?mailbox={p}")["appointments"]
            check_equal(len(listed), 1, f"appointments of {p}")
            expected[p] = listed[0].get("busy", "busy")

        def wrong():
            return everybody_knows(daemon, client, sub, peers, phones_there, expected)
        wait_until(lambda: not wrong(), "everybody to know, but " + "; ".join(wrong()[:3]), 240)
        rows = {o["name"]: o for o in daemon.ctl_json("status")["outlets"]}
        print(f"        seed {seed}: {changes} changes in {seconds} s; troubles {dict(sorted(counts.items()))}",
              flush=True)
        print("        " + ", ".join(f"{n}: {r['messages']} messages, {r['failures']} failures, {r['replaced']} replaced" for n, r in rows.items()),
              flush=True)
        check(not any(wrong() for _ in range(3)), "it stays so")
        client.close()
        peers.phones.close()
        phones_there.close()
        daemon.stop()
    finally:
        server.stop()
        broker.stop()
        kamailio.stop()


def main():
    how = sys.argv.pop(1) if len(sys.argv) > 1 else "short"
    seconds = int(sys.argv.pop(1)) if len(sys.argv) > 1 else SECONDS[how]
    seed = int(os.environ.get("FB_SEED", time.time_ns() % 1000000))

    def all_outlets(folder):
        storm(folder, seconds, seed, how == "short")

    harness.run(all_outlets)


if __name__ == "__main__":
    main()
