"""Marker strings in every field of what mail servers say, and Prosody, mosquitto and Kamailio to whom the daemon
publishes: every byte on the lines to them is kept and searched, and what they hand on to those who watch."""
import json
import os
import re
from xml.etree import ElementTree

import harness
import leak_world
import sip_world
import xmpp_peers
from capture import Capture
from harness import check, wait_until
from leak_world import WELL
from outlet_peers import Subscriber, wait_up
import mosquitto


def contact(person):
    return person.replace("@", "\\40") + "@" + xmpp_peers.COMPONENT


def published(xmpp, mqtt, sip):
    return f"""publish:
  xmpp: {{ component: {xmpp_peers.COMPONENT}, server: "127.0.0.1:{xmpp.port}", secret_file: xmpp-secret, allow: [{xmpp_peers.DOMAIN}] }}
  mqtt: {{ server: "mqtt://127.0.0.1:{mqtt.port}" }}
  sip: {{ server: "sip:127.0.0.1:{sip.port};transport=tcp", domain: example.test, expires: 60s }}
"""


def elements(text):
    return {e.tag for e in ElementTree.fromstring(text).iter()}


def only_what_is_told(daemon, client, sub, phones):
    """`freebusyctl privacy subscriber` against what arrives behind other people's servers; privacy.py has the rest."""
    said = daemon.ctl_json("privacy")
    told = next(row for row in said["subscriber"] if row["level"] == "times")
    tags = set(re.findall("<([a-z]+)>", next(f["besides"] for f in said["forms"] if f["where"] == "XMPP")))
    payloads = [json.loads(p) for topic, _, _, p in sub.seen() if topic.startswith("presence/") and p]
    check(payloads and all(set(p) == set(told["presence"]) for p in payloads), f"MQTT: {payloads}")
    documents = [d for w in phones.watchers.values() for d in w.documents]
    more = set().union(*[elements(d) for d in documents]) - elements(told["pidf"])
    check(documents and not more, f"SIP has {more}")
    shown = [s["xml"] for s in list(client.seen) if s["type"] in ("available", "dnd", "xa", "unavailable")
             and xmpp_peers.COMPONENT in s["from"]]
    more = {tag.split("}")[-1] for text in shown for tag in elements(text)} - tags - {"presence"}
    check(shown and not more, f"XMPP has {more}: {shown[:1]}")


def no_marker_is_published(folder):
    sources = leak_world.Sources(folder)
    mark = sources.mark
    harness.secret_file(folder, "xmpp-secret", xmpp_peers.SECRET)
    prosody, kamailio = xmpp_peers.Server("prosody", folder), sip_world.Kamailio(folder)
    broker = mosquitto.Mosquitto(os.path.join(folder, "broker"))
    lines = {"xmpp": Capture(prosody.ports[1]), "mqtt": Capture(broker.port), "sip": Capture(kamailio.port)}
    try:
        daemon = harness.Daemon(folder, sources.yaml("state: { directory: \"{folder}\" }\n").replace(
            "publish:\n", published(**lines)))
        for name in lines:
            wait_up(daemon, name)
        client, sub = xmpp_peers.Client("bob", prosody.ports[0]), Subscriber(folder, broker.port)
        phones = sip_world.Phones(kamailio.port, WELL)
        for who in WELL:
            client.subscribe(contact(who))
        for who in WELL:
            client.wait(contact(who), "dnd", "the meeting")
            sub.wait_state("presence/" + who, "busy")
            wait_until(lambda w=who: phones.state(w) == "busy", f"{who}'s phone to show the meeting")
        wait_until(sources.all_read, "everything to be read")
        sources.check_heard()
        for name, line in lines.items():
            said = line.all_said()
            check(all(who.split("@")[0].encode() in said for who in WELL), f"everybody is on the line of {name}")
            mark.search(f"the line of {name}", said)
        mark.search("the chat client", repr(list(client.seen)).encode())
        mark.search("the broker's subscriber", sub.program.out().encode())
        mark.search("the phones", repr([w.notifies for w in phones.watchers.values()]).encode())
        only_what_is_told(daemon, client, sub, phones)
        client.close()
        phones.close()
        daemon.stop()
        mark.search("the log", daemon.program.log().encode())
    finally:
        for one in (prosody, kamailio, broker, sources):
            one.stop()


if __name__ == "__main__":
    harness.run(no_marker_is_published)
