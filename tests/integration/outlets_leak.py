"""Marker strings in every field of what mail servers say, and Prosody, mosquitto and Kamailio to whom the daemon
publishes: every byte on the lines to them is kept and searched, and what they hand on to those who watch."""
import os

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
        client.close()
        phones.close()
        daemon.stop()
        mark.search("the log", daemon.program.log().encode())
    finally:
        for one in (prosody, kamailio, broker, sources):
            one.stop()


if __name__ == "__main__":
    harness.run(no_marker_is_published)
