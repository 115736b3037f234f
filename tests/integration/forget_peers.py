"""Somebody who is forgotten is gone at real servers, too: a chat server's people lose the contact's subscription and a SIP
presence server its publication, while everybody else stays; nothing on our disk has the name.

    forget_peers.py prosody|ejabberd|kamailio
"""
import os
import sys

import harness
import sip_world
import xmpp_peers
from forget import found
from harness import check, check_equal, wait_until
from sip_world import Kamailio, Watcher
from xmpp_peers import ANNA, ODD, Client, contact

PEER = sys.argv.pop(1)
BEN = "r&d@example.test"
EVE = f"eve@{xmpp_peers.DOMAIN}"


def on_disk(folder, name):
    return [place for spelling in (name, ODD.get(name, name)) for place in found(folder, spelling)]


def keep_state(daemon, folder):
    """The state directory where forget.found looks."""
    os.makedirs(os.path.join(folder, "state"), exist_ok=True)
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read().replace(f'state: {{ directory: "{folder}" }}', f'state: {{ directory: "{folder}/state" }}')
    daemon.stop()
    daemon.write(text)
    daemon.start()


def subscription(client, jid):
    return client.client_roster[jid]["subscription"]


def chat(folder):
    """Three watchers, one of them offline when it happens; and a watcher who is forgotten, too."""
    sim, server, daemon = xmpp_peers.start(folder, PEER, [ANNA, BEN, EVE])
    try:
        keep_state(daemon, folder)
        xmpp_peers.wait_up(daemon)
        bob, eve, late = (Client(name, server.ports[0]) for name in ("bob", "eve", "late"))
        for client in (bob, eve, late):
            for person in (ANNA, BEN):
                client.subscribe(contact(person))
        for client in (bob, eve, late):
            for person in (ANNA, BEN):
                client.wait(contact(person), "available", "everybody free")
                wait_until(lambda c=client, p=person: subscription(c, contact(p)) == "to", f"a subscription to {person}")
        late.close()
        wait_until(lambda: on_disk(folder, ANNA), "the subscriptions to be kept")

        answer = daemon.ctl_json("forget", ANNA)
        check_equal([answer["ok"], answer["known"], answer["outlets_untold"]], [True, True, 0], f"{answer}")
        for client in (bob, eve):
            client.wait_type(contact(ANNA), "unsubscribed")
            check_equal(client.last(contact(ANNA))["type"], "unavailable", "what is shown of her")
            wait_until(lambda c=client: subscription(c, contact(ANNA)) == "none", "the subscription in the list to go")
            check_equal(subscription(client, contact(BEN)), "to", "the other one's")
        check_equal(on_disk(folder, ANNA), [], "nothing has her name")
        xmpp_peers.meeting(sim, BEN)
        bob.wait(contact(BEN), "dnd", "the other one goes on")

        again = Client("late", server.ports[0], register=False)
        wait_until(lambda: subscription(again, contact(ANNA)) == "none", "who was away to have lost it, too")
        bob.seen.clear()
        bob.subscribe(contact(ANNA))
        bob.wait_type(contact(ANNA), "unsubscribed")
        check_equal(bob.last(contact(ANNA)), None, "who asks for her again is told nothing")

        # a watcher who is forgotten watches nobody any more
        check_equal(daemon.ctl_json("forget", EVE)["outlets_untold"], 0, "she watched somebody")
        wait_until(lambda: subscription(eve, contact(BEN)) == "none", "her own subscription to end")
        check_equal(subscription(bob, contact(BEN)), "to", "his stays")
        check_equal(on_disk(folder, EVE), [], "nothing has her name")
        daemon.stop()
        check_equal(on_disk(folder, ANNA), [], "nor after the end")
        for client in (bob, eve, again):
            client.close()
    finally:
        server.stop()


def sip(folder):
    """The publication goes with Expires: 0, so that who asks now is told nothing; the other one's stays."""
    carol, dave = sip_world.CAROL, f"dave@{sip_world.DOMAIN}"
    sim, server = sip_world.simulator(folder, [carol, dave]), Kamailio(folder, "memory")
    try:
        daemon = harness.Daemon(folder, sip_world.yaml(
            sim, [carol, dave], [f'server: "sip:127.0.0.1:{server.port};transport=tcp"', f"domain: {sip_world.DOMAIN}"]))
        keep_state(daemon, folder)
        sip_world.wait_up(daemon)
        watcher, other = Watcher(server.port, carol), Watcher(server.port, dave)
        for person, phone in ((carol, watcher), (dave, other)):
            phone.subscribe()
            sip_world.meeting(sim, person)
            phone.wait_document("<rpid:busy/>", "the meeting")
        sip_world.wait_quiet(daemon)
        wait_until(lambda: on_disk(folder, carol), "the publication's tag to be kept")
        answer = daemon.ctl_json("forget", carol)
        check_equal([answer["ok"], answer["known"], answer["outlets_untold"]], [True, True, 0], f"{answer}")
        check_equal(sip_world.outlet(daemon)["publications"], 1, "publications that are left")
        watcher.wait(lambda w: "rpid:busy" not in w.documents[-1], "the watcher to be told that there is nothing")
        late = Watcher(server.port, carol)
        late.subscribe()
        late.wait(lambda w: w.documents, "an answer to somebody new")
        check("<tuple" not in late.documents[-1], f"the server has a state of her: {late.documents[-1]}")
        check("<rpid:busy/>" in other.documents[-1], "the other one stays")
        check_equal(on_disk(folder, carol), [], "nothing has her name")
        daemon.stop()
        check_equal(on_disk(folder, carol), [], "nor after the end")
        for w in (watcher, other, late):
            w.close()
    except harness.Failed as failed:
        raise harness.Failed(f"{failed}\n--- end of kamailio's log\n{server.log()[-3000:]}") from failed
    finally:
        server.stop()


if __name__ == "__main__":
    harness.run(sip if PEER == "kamailio" else chat)
