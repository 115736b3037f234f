"""The outlet that publishes, through the whole program: a simulated company, the daemon, Kamailio as presence server,
baresip and a watcher of our own as phones. The first argument is Kamailio's mode: memory or database."""
import os
import signal
import subprocess
import sys
import time

import harness
from harness import check, check_equal, wait_until
from sip_world import CAROL, DOMAIN, Baresip, Kamailio, Watcher, meeting, outlet, simulator, wait_quiet, wait_up, yaml

MODE = sys.argv.pop(1)
ODD = "o'hara&co@im.example"
ELSEWHERE = "dave@other.example"


def options(*more):
    return (["memory"] if MODE == "memory" else []) + list(more)


def whole(folder):
    """Publish, change, the meeting's second, refresh, both sides' restarts, a person less, a clean stop."""
    people = [CAROL, ODD, ELSEWHERE]
    sim, server = simulator(folder, people), Kamailio(folder, *options())
    sip = [f'server: "sip:127.0.0.1:{server.port};transport=tcp"', f"domain: {DOMAIN}"]
    try:
        daemon = harness.Daemon(folder, yaml(sim, people, sip))
        wait_up(daemon)
        phone = Baresip(folder, [CAROL], f"127.0.0.1:{server.port}")
        watcher, odd = Watcher(server.port, CAROL), Watcher(server.port, "o'hara%26co@im.example")
        watcher.subscribe()
        odd.subscribe()
        phone.wait_first(CAROL, "<basic>open</basic>")
        watcher.wait_document("<note>Free</note>", "everybody free")
        odd.wait_document("hara%26co@im.example\"", "an odd address")
        wait_until(lambda: outlet(daemon).get("proved_at"), "our own state to come back")
        check_equal(outlet(daemon)["publications"], 2, "nobody of another domain is published")

        meeting(sim, CAROL)
        text = watcher.wait_document("<rpid:busy/><rpid:meeting/>", "the meeting")
        check("<note>Busy until " in text and ' until="' in text, f"the end in words and for machines: {text}")
        phone.wait(CAROL, "Busy", "the meeting")

        # at its second, from the timer
        begin = int(time.time()) + 5
        meeting(sim, ODD, begin, 600)
        odd.wait_document("<rpid:busy/>", "a meeting's second")
        check(time.time() >= begin, "not before its second")

        # we are killed: what the server holds goes on, and is ours again
        wait_quiet(daemon)
        daemon.stop(signal.SIGKILL)
        seen = len(watcher.documents)
        daemon.start()
        wait_up(daemon)
        wait_until(lambda: outlet(daemon)["publications"] >= 2 and outlet(daemon)["under_way"] == 0
                   and outlet(daemon)["delivered"] >= 2,
                   "everybody to be published again")
        watcher.wait(lambda w: len(w.documents) > seen, "to hear of it")
        check("<rpid:busy/>" in watcher.documents[-1], "still busy after our crash")
        check_equal(watcher.documents[-1].count("<tuple"), 1, "one publication, not two")
        # a tag of the last moment may not have been kept: then it is known that a ghost may be there
        check_equal(outlet(daemon)["forgotten"], outlet(daemon)["ghosts"], "what was forgotten may be a ghost")

        # the server restarts; in a memory it has forgotten everything, in the database the document is there
        server.stop()
        wait_until(lambda: outlet(daemon).get("state") == "waiting", "the outlet to notice")
        check_equal(daemon.ctl("status")[0], 1, "status is not well while an outlet is down")
        server.start()
        wait_up(daemon)
        again = Watcher(server.port, CAROL)
        again.subscribe()
        again.wait_document("<rpid:busy/>", "after the server's restart")
        if MODE == "memory":
            wait_until(lambda: outlet(daemon)["forgotten"] >= 2, "tags to be forgotten with the memory")

        # somebody is taken out of the configuration
        daemon.write(yaml(sim, [CAROL], sip))
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        wait_until(lambda: outlet(daemon)["publications"] == 1, "the person's publication to be removed")

        # a clean stop takes everything back: a watcher who comes now is told nothing
        check_equal(daemon.stop(), 0, "exit code")
        late = Watcher(server.port, CAROL)
        late.subscribe()
        late.wait(lambda w: w.documents, "an answer to somebody new")
        check("rpid:busy" not in late.documents[-1], f"nothing is left after a clean stop: {late.documents[-1]}")
        for w in (watcher, odd, again, late):
            w.close()
        phone.stop()
    except harness.Failed as failed:
        raise harness.Failed(f"{failed}\n--- end of kamailio's log\n{server.log()[-3000:]}") from failed
    finally:
        server.stop()


def digest(folder):
    """A password over UDP, a wrong one named, the right one taken without a restart; sipsak reads what was
    published."""
    sim, server = simulator(folder, [CAROL]), Kamailio(folder, *options("auth"))
    harness.secret_file(folder, "sip-password", "wrong")
    sip = [f'server: "sip:127.0.0.1:{server.port};transport=udp"', "user: svc", "password_file: sip-password",
           f"domain: {DOMAIN}"]
    try:
        daemon = harness.Daemon(folder, yaml(sim, [CAROL], sip))
        wait_until(lambda: outlet(daemon).get("code") == "sip-not-authorized",
                   f"the wrong password to be named ({outlet(daemon)})")
        harness.secret_file(folder, "sip-password", "pw")
        daemon.write(yaml(sim, [CAROL], sip + ["rate: 400"]))
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        wait_up(daemon)
        wait_until(lambda: outlet(daemon).get("proved_at"), "our own state to come back, with a password for each step")
        phone = Baresip(folder, [CAROL], f"127.0.0.1:{server.port}", name="svc", password="pw")
        phone.wait_first(CAROL, "<basic>open</basic>")
        meeting(sim, CAROL)
        phone.wait(CAROL, "Busy", "through two digests")
        phone.stop()
    except harness.Failed as failed:
        raise harness.Failed(f"{failed}\n--- end of kamailio's log\n{server.log()[-3000:]}") from failed
    finally:
        server.stop()


def ways(folder):
    """TLS with the server's name proved and not proved; more than a datagram holds goes over TCP; 423 is heeded."""
    certs = os.path.join(folder, "certs")
    subprocess.run([os.path.join(harness.SOURCE, "tests", "peers", "certs.sh"), certs, "good"], check=True,
                   stdout=subprocess.DEVNULL, timeout=120)
    pem, key = os.path.join(certs, "good.pem"), os.path.join(certs, "good.key")
    sim, server = simulator(folder, [CAROL]), Kamailio(folder, *options(f"tls={pem},{key}", "min=700"))
    tls = [f'server: "sips:localhost:{server.ports[1]}"', f"domain: {DOMAIN}", f'ca_file: "{certs}/ca.pem"']
    try:
        daemon = harness.Daemon(folder, yaml(sim, [CAROL], tls))
        wait_up(daemon)
        meeting(sim, CAROL)
        watcher = Watcher(server.port, CAROL, expires=800)
        watcher.subscribe()
        watcher.wait_document("<rpid:busy/>", "what came by TLS")
        wait_quiet(daemon)

        daemon.write(yaml(sim, [CAROL], [line.replace("localhost", "127.0.0.2") for line in tls]))
        daemon.ctl("reload")
        wait_until(lambda: outlet(daemon).get("code") in ("tls-untrusted", "tcp-refused"),
                   "a name that is not in the certificate")

        for hour in range(2, 18):
            meeting(sim, CAROL, int(time.time()) + 3600 * hour, 600)
        udp = [f'server: "sip:127.0.0.1:{server.port};transport=udp"', f"domain: {DOMAIN}", "future: 16"]
        daemon.write(yaml(sim, [CAROL], udp))
        check_equal(daemon.ctl("reload")[0], 0, "reload")
        wait_up(daemon)
        text = watcher.wait_document("<ts:timed-status", "what comes next")
        wait_until(lambda: watcher.poll() or watcher.documents[-1].count("<ts:timed-status") >= 15,
                   "all of what comes next")
        check(len(watcher.documents[-1]) > 1300, f"more than a datagram holds: {len(text)}")
        watcher.close()
    except harness.Failed as failed:
        raise harness.Failed(f"{failed}\n--- end of kamailio's log\n{server.log()[-3000:]}") from failed
    finally:
        server.stop()


harness.run(whole, digest, ways)
