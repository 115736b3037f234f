"""The relay pair: an exporter inside, a publisher outside, and what may and may not happen between them."""
import os
import time

import company
import harness
import relay_world as world
from harness import check, check_equal, wait_until

ANNA, BERT, CARO = "anna@example.test", "bert@example.test", "caro@example.test"


def meeting(sim, who, begin, end, busy="busy"):
    sim.control("POST", "/appointments",
                {"mailbox": who, "start": harness.utc(begin), "end": harness.utc(end), "busy": busy})


def pair(folder, people=(ANNA, BERT), told=None, stale="15m", extra="", plain=False, digest="1s"):
    """Simulator, exporter, line, publisher; TLS with both certificates, the far end's key pinned, messages signed."""
    harness.secret_file(folder, "password", "svc-secret")
    certs, (key, pub) = world.certificates(folder), world.sign_key(folder, "relay")
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in (ANNA, BERT, CARO)]))
    far = os.path.join(folder, "outside")
    tls = (f'listen: ["127.0.0.1:0"], certificate_file: {certs}/good.pem, key_file: {certs}/good.key, '
           f"client_ca_file: {certs}/ca.pem")
    with_identity = f"identities:\n  - {{ name: exporter, certificate: gateway }}\n  - {{ name: anonymous }}\n"
    http = 'listen: ["127.0.0.1:0"]' if plain else tls
    text = world.outside(far, told or people, f'{{ keys: ["{pub}"], stream: a-to-b{"" if plain else ", from: exporter"} }}',
                         http, more="" if plain else with_identity)
    publisher = harness.Daemon(far, text)
    link = world.Link(publisher.port)
    near = os.path.join(folder, "inside")
    scheme = "http" if plain else "https"
    by = "" if plain else (f", ca_file: {certs}/ca.pem, pinned_key: '{world.read(certs, 'good.pin').strip()}', "
                           f"client_cert_file: {certs}/client.pem, client_key_file: {certs}/client.key")
    relay = (f"{{ name: outside, stream: a-to-b, url: '{scheme}://127.0.0.1:{link.port}/relay/inside/', "
             f"sign_key_file: {key}, digest: {digest}{by}{extra} }}")
    exporter = harness.Daemon(near, world.inside(near, sim.url, people, relay, stale))
    return sim, exporter, link, publisher


def known(publisher, who, state):
    return publisher.ctl_json("show", who)["state"] == state


def told_and_taken_back(folder):
    """A change inside is outside; who is taken out of the list inside is unknown outside, at once; what comes back on
    the line are acknowledgements."""
    sim, exporter, link, publisher = pair(folder)
    wait_until(lambda: known(publisher, ANNA, "free") and known(publisher, BERT, "free"), "both to be free outside")
    now = int(time.time())
    meeting(sim, ANNA, now - 60, now + 3600)
    wait_until(lambda: known(publisher, ANNA, "busy"), "the meeting to be known outside")
    row = publisher.ctl_json("show", ANNA)
    check_equal(row["until"], harness.utc(now + 3600), "its end")
    inner = exporter.ctl_json("show", ANNA)
    wait_until(lambda: publisher.ctl_json("show", ANNA)["as_of"] > inner["as_of"], "the age to follow the inside's")
    check(known(publisher, BERT, "free"), "the other one is free as before")

    text = world.read(exporter.config)
    exporter.write(text.replace(f'  - {{ address: "{BERT}", server: hq }}\n', ""))
    check_equal(exporter.ctl("reload")[0], 0, "reload inside")
    wait_until(lambda: known(publisher, BERT, "unknown"), "the other one to be withdrawn")
    check_equal(publisher.ctl_json("show", BERT)["reason"], "relay-withdrawn", "why")
    check(known(publisher, ANNA, "busy"), "she is there still")

    state = world.outlet(exporter)
    check_equal((state["state"], state["exported"], state["tombstones"]), ("up", 1, 1), f"status inside: {state}")
    relay = world.server(publisher)["relay"]
    check_equal(relay["signed"], True, "signatures are demanded")
    check_equal(sum(relay["refused"].values()), 0, f"refused: {relay}")
    check(link.back < 400 * state["sent_messages"] + 20000, f"{link.back} bytes came back for {state}")
    check_equal(publisher.ctl("check", "inside")[0], 0, "check outside")
    check("outside: connected" in exporter.ctl("check")[1], "the publish step of the check inside")


def line_cut(folder):
    """Silence makes everybody unknown outside, in time; the line's return makes them known again."""
    sim, exporter, link, publisher = pair(folder, stale="10s")
    meeting(sim, BERT, int(time.time()) - 60, int(time.time()) + 3600, "oof")
    wait_until(lambda: known(publisher, ANNA, "free") and known(publisher, BERT, "oof"), "both to be known outside")
    link.cut = True
    wait_until(lambda: known(publisher, ANNA, "unknown") and known(publisher, BERT, "unknown"), "both to be unknown")
    row = publisher.ctl_json("show", BERT)
    check(row["reason"] in ("stale", "relay-silent"), f"why: {row}")
    check(known(exporter, BERT, "oof"), "inside nothing has changed")
    wait_until(lambda: world.outlet(exporter)["code"], "the outlet to say that it is down")
    link.cut = False
    wait_until(lambda: known(publisher, ANNA, "free") and known(publisher, BERT, "oof"), "both to be known again")


if __name__ == "__main__":
    harness.run(told_and_taken_back, line_cut)
