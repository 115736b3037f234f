"""The relay pair: an exporter inside, a publisher outside, and what may and may not happen between them."""
import hmac
import os
import subprocess
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

    exporter.stop()
    before = world.server(publisher)["relay"]
    code, out, err = exporter.ctl("check", "--config", exporter.config)
    check("outside: connected" in out, f"the check from the file alone: {code} {out}{err}")
    after = world.server(publisher)["relay"]
    check_equal((after["messages"], after["digests"], after["withdrawn"]),
                (before["messages"] + 1, before["digests"], before["withdrawn"]), "a check tells nothing of anybody")
    check(known(publisher, ANNA, "busy"), "she is busy as before")


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


def refused(folder):
    """Everything that is not the next message of the right exporter, about people it may speak for."""
    (key, pub), (other, other_pub) = world.sign_key(folder, "relay"), world.sign_key(folder, "other")
    old, old_pub = world.sign_key(folder, "old")
    ident, other_id, old_id = world.key_id(pub), world.key_id(other_pub), world.key_id(old_pub)
    far = os.path.join(folder, "outside")
    keys = f'["{pub}", "{old_pub} until 2026-01-01T00:00:00Z"]'
    state = f"state: {{ directory: {far} }}\n"
    text = world.outside(far, (ANNA, BERT), f"{{ keys: {keys}, stream: a-to-b }}", more=state)
    text = text.replace("users:\n", f'users:\n  - {{ address: "{CARO}", server: local }}\n').replace(
        "servers:\n", "servers:\n  - { name: local, kind: relay, relay: { from: nobody } }\n") + "identities: []\n"
    publisher = harness.Daemon(far, text)
    now = int(time.time())
    busy = [(now - 60, now + 3600)]

    def say(**how):
        sent = world.message(how.pop("key", key), how.pop("ident", ident), **how)
        return world.put(publisher.port, how.get("path", "/relay/inside/"), sent)

    def tell(path, sequence, people, **how):
        sent = world.message(how.pop("key", key), how.pop("ident", ident), people=people, sequence=sequence, **how)
        return sent, world.put(publisher.port, path, sent)

    first, answer = tell("/relay/inside/", 100, [(ANNA, now, busy), (BERT, now, [])])
    check_equal(answer, (204, None), "the first message")
    wait_until(lambda: known(publisher, ANNA, "busy") and known(publisher, BERT, "free"), "what it says")
    put = lambda body, path="/relay/inside/": world.put(publisher.port, path, body)  # noqa: E731
    check_equal(put(first), (409, "relay-replayed"), "the same again")
    check_equal(tell("/relay/inside/", 99, [(ANNA, now, [])])[1], (409, "relay-replayed"), "one from before")
    second = world.message(key, ident, people=[(ANNA, now, [])], sequence=200)
    check_equal(put(second.replace(b"anna", b"bert")), (403, "relay-tampered"), "another address")
    check_equal(put(second.replace(b"SEQUENCE:200", b"SEQUENCE:201")), (403, "relay-tampered"), "another number")
    check_equal(put(second[:-20] + b"END:VCALENDAR\r\n"), (403, "relay-tampered"), "a cut one")
    check_equal(put(second.replace(b"X-FB-SIGN", b"X-FB-SINE")), (403, "relay-tampered"), "no signature")
    check_equal(put(world.message(None, "", people=[(ANNA, now, [])], sequence=200)), (403, "relay-unsigned"), "unsigned")
    for who, ident_of, code in ((other, other_id, "relay-unknown-key"), (other, ident, "relay-tampered"),
                                (old, old_id, "relay-expired-key")):
        check_equal(tell("/relay/inside/", 200, [(ANNA, now, [])], key=who, ident=ident_of)[1], (403, code), code)
    check_equal(tell("/relay/inside/", 200, [(ANNA, now, [])], stream="a-to-c")[1], (409, "relay-other-stream"), "stream")
    check_equal(tell("/relay/inside/", 200, [(ANNA, now, [])], made=now - 1000)[1], (409, "relay-expired"), "too old")
    check_equal(tell("/relay/inside/", 200, [(ANNA, now, [])], made=now + 1000)[1], (409, "relay-expired"), "not yet made")
    check_equal(put(b"nonsense"), (403, "relay-unsigned"), "nonsense")
    check_equal(put(b"X-FB-MADE:nonsense\r\n"), (400, "relay-malformed"), "a broken head")
    check(known(publisher, ANNA, "busy") and known(publisher, BERT, "free"), "nothing of all this was believed")

    # Somebody else's person, in a message that is well otherwise: left out, and counted.
    check_equal(tell("/relay/inside/", 201, [(CARO, now, busy), (BERT, now, busy)])[1], (204, None), "one of two is theirs")
    wait_until(lambda: known(publisher, BERT, "busy"), "the one that is")
    check_equal(publisher.ctl_json("show", CARO)["state"], "unknown", "the one that is not")
    check_equal(tell("/relay/inside/" + CARO + ".ifb", 202, [(CARO, now, busy)])[1], (403, "relay-person"), "alone")
    check_equal(tell("/relay/inside/" + BERT + ".ifb", 203, [(ANNA, now, [])])[1], (403, "relay-person"), "another's path")
    for path in ("/relay/inside/..%2F..%2Fv1%2Fstatus", "/relay/inside/../local/" + CARO, "/relay/inside/a%252Fb.ifb",
                 "/relay/inside/" + CARO.upper() + ".ifb", "/relay/inside/anna%2Btag@example.test.ifb"):
        status, _ = tell(path, 204, [(CARO, now, busy)])[1]
        check(status in (400, 403, 404, 409), f"{path}: {status}")
    check_equal(put(first, "/relay/inside/a%00b")[0], 400, "a NUL")
    check_equal(put(first, "/relay/elsewhere/")[0], 404, "no such relay")
    check_equal(put(b"x" * (3 << 20))[0], 413, "a message without end")
    check_equal(world.put(publisher.port, "/relay/inside/" + ANNA + ".ifb", b"", "DELETE"), (403, "relay-unsigned"), "DELETE")

    # A digest that names what is not held is refused; whom a right one does not name is withdrawn.
    lines = f"X-FB-HAS:{100:x} 0 {ANNA}\r\nX-FB-HAS:{999:x} 0 {BERT}\r\n"
    check_equal(say(sequence=300, head="X-FB-DIGEST:0/1\r\n", lines=lines), (409, "relay-missed"), "a digest")
    check_equal(say(sequence=301, head="X-FB-DIGEST:0/1\r\n", lines=f"X-FB-HAS:{201:x} 0 {BERT}\r\n"), (204, None), "one")
    wait_until(lambda: known(publisher, ANNA, "unknown"), "who is not named to be withdrawn")
    check(known(publisher, BERT, "busy"), "who is named to stay")
    refusals = world.server(publisher)["relay"]["refused"]
    for reason in ("replayed", "tampered", "unsigned", "unknown-key", "expired-key", "other-stream", "expired",
                   "malformed", "person", "missed"):
        check(refusals[reason] > 0, f"{reason} is not counted: {refusals}")
    check(f'freebusyd_relay_refused_total{{server="inside",reason="replayed"}} {refusals["replayed"]}'
          in publisher.get("/metrics")[1], "metrics")

    code, out, _ = publisher.ctl("servers")
    check(f"inside: refused {refusals['replayed']} times: replayed" in out, f"servers: {code} {out}")

    # What it has seen survives a restart.
    publisher.stop()
    publisher.start()
    check_equal(put(first), (409, "relay-replayed"), "the same again, after a restart")
    check(known(publisher, BERT, "busy"), "he is known from before")
    check_equal(say(sequence=302, head="X-FB-DIGEST:0/1\r\n", lines=f"X-FB-HAS:{201:x} 0 {BERT}\r\n"), (204, None),
                "a digest about what was told before the restart")


def recorded(folder, extra, more="", people=(ANNA, BERT)):
    """An exporter whose messages are kept; nobody else is there."""
    harness.secret_file(folder, "password", "svc-secret")
    key, _ = world.sign_key(folder, "relay")
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in (ANNA, BERT, CARO)]))
    far = world.Recorder()
    relay = (f"{{ name: outside, url: 'http://127.0.0.1:{far.port}/relay/inside/', sign_key_file: {key}, digest: 1s{extra} }}")
    near = os.path.join(folder, "inside")
    exporter = harness.Daemon(near, world.inside(near, sim.url, people, relay, more=more))
    return sim, far, exporter


def constant_rate(folder):
    """Under other names, and in messages of one size, nobody sees from outside of it who is meant, or that something
    happens."""
    harness.secret_file(folder, "names", "a secret of our own")
    sim, far, exporter = recorded(folder, ", pad_bytes: 5000, pad_every: 200ms, pseudonym_domain: group.invalid, "
                                          f"pseudonym_key_file: {folder}/names")
    wait_until(lambda: world.outlet(exporter)["exported"] == 2, "both to be exported")
    meeting(sim, ANNA, int(time.time()) - 60, int(time.time()) + 3600)
    wait_until(lambda: any(b"FREEBUSY;" in body for _, _, body, _ in list(far.seen)), "the meeting to be told")
    before = len(far.seen)
    wait_until(lambda: len(far.seen) > before + 10, "more messages, with nothing to say")
    seen = list(far.seen)
    check_equal({len(body) for _, _, body, _ in seen}, {5000}, "sizes of messages")
    name = hmac.new(b"a secret of our own", ANNA.encode(), "sha256").hexdigest()[:32] + "@group.invalid"
    check(any(name.encode() in body for _, _, body, _ in seen), f"{name} is nowhere")
    check(not any(b"anna" in body or b"example.test" in body for _, _, body, _ in seen), "an address was told")


def only_what_the_policy_grants(folder):
    """What leaves is what the table says, and a line that goes makes a tombstone."""
    grants = ("policy:\n  rules:\n"
              f'    - {{ who: "outlet:outside", whom: "{ANNA}", level: times, grid: 1h, merge: true }}\n'
              f'    - {{ who: "outlet:outside", whom: "{BERT}", level: kinds }}\n'
              '    - { who: "outlet:outside", whom: "caro@example.test", level: times }\n')
    sim, far, exporter = recorded(folder, "", grants, (ANNA, BERT, CARO))
    day = (int(time.time()) // 86400 + 1) * 86400
    meeting(sim, ANNA, day + 600, day + 1200, "oof")
    meeting(sim, BERT, day + 600, day + 1200)
    period = f"{harness.utc(day, '%Y%m%dT%H%M%SZ')}/PT1H".encode()
    wait_until(lambda: any(b"FBTYPE=BUSY:" + period in body for _, _, body, _ in list(far.seen)), "the hour around it")
    wait_until(lambda: any(b"HAS" in body and b"caro@" in body for _, _, body, _ in list(far.seen)), "a digest with her")
    check(not any(b"UNAVAILABLE" in body or b"bert" in body for _, _, body, _ in far.seen), "what was not granted left")
    exporter.write(world.read(exporter.config).replace("    - { who: \"outlet:outside\", whom: \"caro@example.test\", "
                                                       "level: times }\n", ""))
    code, out, err = exporter.ctl("reload")
    check_equal(code, 0, f"reload: {out}{err}")
    wait_until(lambda: any(b"METHOD:CANCEL" in body and b"caro@" in body for _, _, body, _ in list(far.seen)), "a tombstone")
    check(not any(b"METHOD:CANCEL" in body and b"anna@" in body for _, _, body, _ in far.seen), "she stays")


def any_program_publishes(folder):
    """Evolution's way: a PUT of a free/busy file under one's own name and password, for oneself and for nobody else."""
    publisher = world.published_by_themselves(os.path.join(folder, "outside"), (ANNA, BERT))
    now, stamp = int(time.time()), "%Y%m%dT%H%M%SZ"
    text = ("BEGIN:VCALENDAR\nPRODID:-//Ximian//NONSGML Evolution Calendar//EN\nVERSION:2.0\nMETHOD:PUBLISH\n"
            "BEGIN:VFREEBUSY\nORGANIZER;CN=Anna:mailto:anna@home.example\nDTSTART:" + harness.utc(now - 86400, stamp) +
            "\nDTEND:" + harness.utc(now + 86400 * 30, stamp) + "\nFREEBUSY;FBTYPE=BUSY:" + harness.utc(now - 60, stamp) + "/" +
            harness.utc(now + 3600, stamp) + "\nUID:20261122T000000Z-1@home\nDTSTAMP:" + harness.utc(now, stamp) +
            "\nSUMMARY:dentist\nEND:VFREEBUSY\nEND:VCALENDAR\n")
    with open(f"{folder}/anna.ifb", "w", encoding="ascii") as file:
        file.write(text)

    def curl(who, whom, *more):
        return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", f"{who}:{who}pw", *more,
                               f"http://127.0.0.1:{publisher.port}/relay/inside/{whom}.ifb"],
                              capture_output=True, text=True, check=False).stdout

    put = ("-T", f"{folder}/anna.ifb", "-H", "Content-Type: text/calendar")
    check_equal(curl(ANNA, ANNA, *put), "204", "her own")
    wait_until(lambda: known(publisher, ANNA, "busy"), "what she published")
    check_equal(publisher.ctl_json("show", ANNA)["valid_until"], harness.utc(now + 1800), "for how long")
    check_equal(curl(ANNA, BERT, *put), "403", "somebody else's")
    check_equal(curl("nobody", ANNA, *put), "401", "somebody without a name here")
    check_equal(curl(BERT, BERT, "-X", "PUT", "--data-binary", "nonsense"), "400", "no free/busy")
    check_equal(publisher.ctl_json("show", BERT)["state"], "unknown", "the other one")
    check_equal(curl(ANNA, ANNA, "-X", "DELETE"), "204", "taken back")
    wait_until(lambda: known(publisher, ANNA, "unknown"), "nothing is known of her")
    check(world.server(publisher)["relay"]["refused"]["peer"] >= 1, "counted")


if __name__ == "__main__":
    harness.run(told_and_taken_back, line_cut, refused, constant_rate, only_what_the_policy_grants, any_program_publishes)
