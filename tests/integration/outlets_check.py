"""`freebusyctl check --config`: the outlets too, without a daemon, against Prosody, mosquitto, Kamailio and our own
presence server; and what it must leave alone."""
import json
import os
import subprocess
import threading

import company
import harness
from harness import check, check_equal, wait_until
from outlet_peers import Subscriber, meeting, outlet
import sip_world
import xmpp_peers
import mosquitto
from hook_sink import HookSink

CAROL = "carol@example.test"
CONTACT = "carol\\40example.test@" + xmpp_peers.COMPONENT


def ask(daemon):
    """(exit code, lines of the step publish by outlet, the last line)"""
    done = subprocess.run([harness.FREEBUSYCTL, "check", "--json", "--config", daemon.config], capture_output=True,
                          text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check(lines and "done" in lines[-1], f"the check goes to its end: {done.stdout}{done.stderr}")
    return done.returncode, {line.get("outlet"): line for line in lines if line.get("step") == "publish"}, lines[-1]


def alone(folder):
    for name, text in (("password", "svc-secret"), ("xmpp-secret", xmpp_peers.SECRET), ("hook-secret", "s3cret")):
        harness.secret_file(folder, name, text)
    sim = harness.Simulator(folder, company.company(f"mailbox {CAROL} password=x"))
    prosody, kamailio = xmpp_peers.Server("prosody", folder), sip_world.Kamailio(folder)
    broker, sink, sip_port = mosquitto.Mosquitto(os.path.join(folder, "broker")), HookSink("s3cret"), sip_world.free_port()
    try:
        daemon = harness.Daemon(folder, company.yaml(sim.url, [CAROL]).replace("publish:\n", f"""publish:
  xmpp: {{ component: {xmpp_peers.COMPONENT}, server: "127.0.0.1:{prosody.ports[1]}", secret_file: xmpp-secret, allow: [{xmpp_peers.DOMAIN}] }}
  mqtt: {{ server: "mqtt://127.0.0.1:{broker.port}" }}
  sip: {{ server: "sip:127.0.0.1:{kamailio.port};transport=tcp", listen: ["udp:127.0.0.1:{sip_port}"], trusted: [127.0.0.1] }}
  webhooks: [{{ name: wall, url: "{sink.url}", secret_file: hook-secret }}]
""") + "state: { directory: \"{folder}\" }\n")
        for name in ("xmpp", "mqtt", "sip", "sip-server", "wall"):
            wait_until(lambda: outlet(daemon, name).get("state") == "up", f"{name} to be up")
        bob = xmpp_peers.Client("bob", prosody.ports[0])
        bob.subscribe(CONTACT)
        bob.wait(CONTACT, "available", "the state")
        meeting(sim, CAROL)
        bob.wait(CONTACT, "dnd", "the meeting")
        sub = Subscriber(folder, broker.port)
        sub.wait_state("presence/" + CAROL, "busy")

        # beside the daemon nothing is tried
        code, lines, last = ask(daemon)
        check(code == 0 and last["ok"] and list(lines) == [None] and "a daemon runs" in lines[None]["evidence"],
              f"beside the daemon: {code} {lines} {last}")
        check_equal(outlet(daemon, "xmpp")["failures"], 0, "nobody pushed the daemon off")

        # without it each shows that it works; who watches is not told anything
        check_equal(daemon.stop(), 0, "exit code")
        bob.wait(CONTACT, "unavailable", "our farewell")
        told = len(bob.seen)
        over = threading.Event()

        def insist():
            while not over.wait(0.05):
                bob.subscribe(CONTACT)
        asking = threading.Thread(target=insist)
        asking.start()
        code, lines, last = ask(daemon)
        over.set()
        asking.join(60)
        check(code == 0 and last["ok"], f"all is well: {code} {lines}")
        check_equal(sorted(lines), ["mqtt", "sip", "sip-server", "wall", "xmpp"], "the outlets that were tried")
        for name in ("xmpp", "mqtt", "sip", "sip-server", "wall"):
            check("one message delivered to itself" in lines[name]["evidence"], f"{name}: {lines[name]}")
        check(all(s["type"] == "unavailable" or s["type"] == "error" for s in bob.seen[told:]),
              f"what a watcher was told meanwhile: {bob.seen[told:]}")
        check_equal(sub.state("presence/" + CAROL), "busy", "what is kept at the broker")

        check_equal(json.loads(sink.requests[-1]["body"]),
                    {"hook": "wall", "sequence": 0, "check": True, "presence": []}, "what the hook got")

        # what is wrong is named
        sink.always = "500"
        harness.secret_file(folder, "xmpp-secret", "another")
        kamailio.stop()
        code, lines, last = ask(daemon)
        check_equal((code, lines["xmpp"]["code"], lines["sip"]["code"], lines["mqtt"]["ok"], lines["wall"]["code"]),
                    (1, "xmpp-not-authorized", "tcp-refused", True, "webhook-refused"), f"faults: {lines}")
        check(lines["xmpp"]["advice"], "and what to do")

        # subscriptions are as they were
        harness.secret_file(folder, "xmpp-secret", xmpp_peers.SECRET)
        daemon.start()
        bob.wait(CONTACT, "dnd", "the meeting, after it all")
        bob.close()
        daemon.stop()
    finally:
        prosody.stop()
        kamailio.stop()
        broker.stop()


if __name__ == "__main__":
    harness.run(alone)
