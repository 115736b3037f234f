"""The MQTT outlet through the whole program: a simulated company, the daemon, mosquitto, and mosquitto's own
subscriber."""
import json
import os
import signal

import company
import harness
from harness import check, check_equal, wait_until
from outlet_peers import Subscriber, meeting, outlet, wait_up
import mosquitto
import mqtt_relay
import peer

ANNA = "anna@example.test"
ODD = {  # address -> its level of a topic
    ANNA: "anna@example.test",
    "o'hara@example.test": "o'hara@example.test",
    "a/b@example.test": "a%2Fb@example.test",
    "x+y#1@example.test": "x%2By%231@example.test",
    "50%@example.test": "50%25@example.test",
    "jörg@example.test": "j%C3%B6rg@example.test",
}
STATUS = "presence-gateway/online"


def topic(address):
    return "presence/" + ODD.get(address, address)


def yaml(sim, people, port, more="", scheme="mqtt", stale="15m"):
    return company.yaml(sim.url, people, stale=stale).replace("publish:\n", f"""publish:
  mqtt:
    server: "{scheme}://127.0.0.1:{port}"
{more}""") + "state: { directory: \"{folder}\" }\n"


def simulator(folder, people):
    harness.secret_file(folder, "password", "svc-secret")
    return harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in people]))


def whole(folder):
    """Retained messages of odd addresses, a change, the will, both restarts, somebody who is removed, a clean stop."""
    people = list(ODD)
    sim = simulator(folder, people)
    broker = mosquitto.Mosquitto(os.path.join(folder, "broker"))
    daemon = harness.Daemon(folder, yaml(sim, people, broker.port))
    wait_up(daemon, "mqtt")
    for p in people:
        daemon.wait_state(p, "free")
    sub = Subscriber(folder, broker.port)
    for p in people:
        sub.wait_state(topic(p), "free")
    sub.wait_payload(STATUS, "1")
    wait_until(lambda: outlet(daemon, "mqtt").get("proved_at"), "a message to ourselves to come back")
    row = next(r for r in sub.seen() if r[0] == topic(ANNA))
    check(0 < int(row[1]) <= 900, f"the message expires with its validity: {row}")
    check_equal(row[2], "application/json", "content type")
    said = json.loads(row[3])
    check_equal(set(said), {"address", "state", "since", "until", "next", "as_of", "valid_until", "reason"},
                "the JSON's keys")
    check_equal(said["address"], ANNA, "the JSON's address")

    code, text, _ = daemon.ctl("check")
    check(code == 0 and "publish    ok       mqtt: connected and let in since " in text
          and "delivered to itself at" in text, f"check: {text}")

    for p in people:
        meeting(sim, p)
    for p in people:
        sub.wait_state(topic(p), "busy")

    # killed: the broker's will; back again: the last word is ours, and nobody flickered
    daemon.stop(signal.SIGKILL)
    sub.wait_payload(STATUS, "0")
    check_equal(sub.state(topic(ANNA)), "busy", "what was said stays")
    before = len(sub.seen())
    daemon.start()
    sub.wait_payload(STATUS, "1")
    wait_until(lambda: any(r[0] == topic(ANNA) for r in sub.seen()[before:]), "a full state after our restart", 60)
    for p in people:
        daemon.wait_state(p, "busy")
        sub.wait_state(topic(p), "busy")
    states = {json.loads(r[3])["state"] for r in sub.seen()[before:] if r[0].startswith("presence/")}
    check("unknown" not in states, f"states after our restart: {states}")

    # the broker restarts and has forgotten everything
    sub.stop()
    broker.stop()
    wait_until(lambda: outlet(daemon, "mqtt").get("state") == "waiting", "the outlet to notice", 60)
    check_equal(daemon.ctl("status")[0], 1, "status is not well while an outlet is down")
    code, text, _ = daemon.ctl("check")
    check(code == 1 and "publish    FAILED   tcp-re" in text and "what to do" in text,
          f"check without a broker: {text}")
    broker.start()
    wait_up(daemon, "mqtt")
    sub = Subscriber(folder, broker.port, "mosquitto_sub2")
    for p in people:
        sub.wait_state(topic(p), "busy")
    sub.wait_payload(STATUS, "1")

    # somebody is removed: first while we run, then while we do not
    daemon.write(yaml(sim, people[:-1], broker.port))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    sub.wait_payload(topic(people[-1]), "")
    check_equal(daemon.stop(), 0, "exit code")
    sub.wait_payload(STATUS, "0")
    daemon.write(yaml(sim, people[:-2], broker.port))
    daemon.start()
    sub.wait_payload(topic(people[-2]), "")
    wait_until(lambda: outlet(daemon, "mqtt").get("topics") == len(people) - 2, "the topics to be forgotten", 60)
    daemon.stop()
    sub.stop()
    fresh = Subscriber(folder, broker.port, "mosquitto_sub3")
    fresh.wait_state(topic(ANNA), "busy")
    check(topic(people[-1]) not in fresh.now() and topic(people[-2]) not in fresh.now(), "removed people are not kept")
    broker.stop()


def secured(folder):
    """TLS with our authority, a client certificate, a name and a password; what is wrong is named, and taken when it is
    right."""
    certificates = peer.certificates(os.path.join(folder, "certs"), "good", "wrong-name", "client")
    sim = simulator(folder, [ANNA])
    harness.secret_file(folder, "mqtt-password", "wrong")
    broker = mosquitto.Mosquitto(os.path.join(folder, "broker"), {"gw": "secret"}, certificates,
                                 client_certificates=True)
    tls = (f"    ca_file: {certificates}/ca.pem\n    client_cert_file: {certificates}/client.pem\n"
           f"    client_key_file: {certificates}/client.key\n")
    text = yaml(sim, [ANNA], broker.port, tls + "    user: gw\n    password_file: mqtt-password\n", "mqtts")
    daemon = harness.Daemon(folder, text)
    wait_until(lambda: outlet(daemon, "mqtt").get("code") == "mqtt-not-authorized", "the wrong password to be named",
               60)
    harness.secret_file(folder, "mqtt-password", "secret")
    daemon.write(text.replace("user: gw\n", "user: gw\n    rate: 1000\n"))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    wait_up(daemon, "mqtt")
    args = ["--cafile", certificates + "/ca.pem", "--cert", certificates + "/client.pem", "--key",
            certificates + "/client.key",
            "-u", "gw", "-P", "secret"]
    sub = Subscriber(folder, broker.port, args=args)
    sub.wait_state(topic(ANNA), "free")
    meeting(sim, ANNA)
    sub.wait_state(topic(ANNA), "busy")
    broker.stop()

    other = mosquitto.Mosquitto(os.path.join(folder, "other"), None, certificates, "wrong-name")
    daemon.write(yaml(sim, [ANNA], other.port, f"    ca_file: {certificates}/ca.pem\n", "mqtts"))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    row = wait_until(lambda: (o := outlet(daemon, "mqtt")).get("code") == "tls-untrusted" and o,
                     "the wrong name to be noticed", 60)
    check("certificate: " in row["evidence"], f"why: {row['evidence']}")
    daemon.stop()
    other.stop()


def bad_lines(folder):
    """A broker of before MQTT 5 that loses each tenth message and is cut again and again: in the end everybody is
    right."""
    people = [f"p{i}@example.test" for i in range(40)]
    sim = simulator(folder, people)
    broker = mosquitto.Mosquitto(os.path.join(folder, "broker"))
    relay = mqtt_relay.Relay(broker.port, lose_each=10, old=True)
    daemon = harness.Daemon(folder, yaml(sim, people, relay.port))
    row = wait_up(daemon, "mqtt")
    check_equal(row["protocol"], 3, "the version fallen back to")
    check(relay.refused >= 1, "5.0 was tried first")
    sub = Subscriber(folder, broker.port)
    for p in people:
        daemon.wait_state(p, "free")
    for p in people[::2]:
        meeting(sim, p)
    for p in people[::2]:
        daemon.wait_state(p, "busy")
    relay.cut()
    for i, p in enumerate(people):
        sub.wait_state(topic(p), "free" if i % 2 else "busy", 90)
    wait_until(lambda: outlet(daemon, "mqtt").get("unacknowledged") == 0, "everything to be acknowledged", 90)
    check(relay.lost >= 3, f"{relay.lost} messages were lost")
    print(f"        {relay.lost} of {relay.seen} messages lost, {relay.connections} connections, "
          f"{outlet(daemon, 'mqtt')['lost']} found missing", flush=True)
    daemon.stop()
    relay.stop()
    broker.stop()


def words(folder):
    """A payload of one's own, topics by group, and validity that is told again before it ends."""
    sim = simulator(folder, [ANNA])
    broker = mosquitto.Mosquitto(os.path.join(folder, "broker"))
    more = ("    topic: \"lights/{group}/{local}\"\n    payload: '{\"light\":\"{show}\",\"says\":\"{text}\"}'\n"
            "    show: { busy: red, free: green }\n    text: { busy: 'Am \"Tisch\"', free: Da }\n")
    text = yaml(sim, [], broker.port, more,
                stale="4s").replace("users:\n", f"users:\n  - {{ address: {ANNA}, server: hq, group: a/b }}\n")
    daemon = harness.Daemon(folder, text)
    wait_up(daemon, "mqtt")
    sub = Subscriber(folder, broker.port)
    name = "lights/a%2Fb/anna"
    sub.wait_payload(name, '{"light":"green","says":"Da"}')
    meeting(sim, ANNA)
    sub.wait_payload(name, '{"light":"red","says":"Am \\"Tisch\\""}')
    told = len([r for r in sub.seen() if r[0] == name])
    wait_until(lambda: len([r for r in sub.seen() if r[0] == name]) >= told + 2, "an unchanged state to be told again",
               60)
    daemon.stop()
    broker.stop()


if __name__ == "__main__":
    harness.run(whole, secured, bad_lines, words)
