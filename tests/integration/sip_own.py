"""Our own presence server, through the whole program. With "baresip" as first argument: a phone watches us by UDP and
TCP, passwords, our crash, what a phone must be told when; with "baresip-tls" by TLS; with "linphone" another kind of
phone. With "sipp": fifty watchers at once with SIPp, a thousand without, floods and broken messages."""
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

import harness
from harness import check, check_equal, wait_until
from sip_world import CAROL, DOMAIN, Baresip, Linphone, Watcher, free_port, meeting, outlet, remove, simulator, wait_up, yaml

KIND = sys.argv.pop(1)
NAME = "sip-server"
DAVE = "dave@im.example"


def start(folder, more=(), people=(CAROL,), trusted=True, demand=False, transports=("udp", "tcp")):
    sim, port = simulator(folder, people), free_port()
    harness.secret_file(folder, "watchers", "# who may watch\nbob:secret\nsipp:pw")
    listen = ", ".join(f'"{one}:127.0.0.1:{port}"' for one in transports)
    sip = [f"listen: [{listen}]", f"domain: {DOMAIN}", "watchers_file: watchers"]
    sip += ["trusted: [127.0.0.1]"] if trusted else []
    config = yaml(sim, people, sip + list(more))
    if demand:
        config = config.replace("window: 14d", "window: 14d, demand: watched")
    daemon = harness.Daemon(folder, config)
    wait_up(daemon, NAME)
    for p in () if demand else people:
        daemon.wait_state(p, "free")
    return sim, daemon, port


def phone(folder):
    """With its password over UDP: the meeting, our restart; then the same over TCP."""
    sim, daemon, port = start(folder, trusted=False)
    wait_until(lambda: outlet(daemon, NAME).get("proved_at"), "our own subscription to be told")
    bob = Baresip(folder, [CAROL], f"127.0.0.1:{port}", password="secret")
    bob.wait_first(CAROL, "<basic>open</basic>")
    check_equal(outlet(daemon, NAME)["watchers"], 1, "watchers")
    made = meeting(sim, CAROL)
    bob.wait(CAROL, "Busy", "the meeting")
    daemon.stop(signal.SIGKILL)
    remove(sim, made)
    daemon.start()
    bob.wait(CAROL, "Online", "the end of the meeting, in the dialog of before our crash")
    check_equal(outlet(daemon, NAME)["watchers"], 1, "watchers after it")
    meeting(sim, CAROL)
    bob.wait(CAROL, "Busy", "the next meeting")
    bob.stop()
    tcp = Baresip(folder, [CAROL], f"127.0.0.1:{port}", name="sipp", password="pw", transport="tcp")
    tcp.wait_first(CAROL, "<rpid:busy/>")
    tcp.stop()
    check_equal(daemon.stop(), 0, "exit code")


def dialog(folder):
    """What RFC 6665 asks for, word by word."""
    sim, daemon, port = start(folder)
    eve = Watcher(port, CAROL)
    eve.subscribe()
    eve.wait_document("<basic>open</basic>", "the first state")
    check(re.match(r"active;expires=(59\d|600)$", eve.states[-1]), f"state of the subscription: {eve.states}")

    # somebody who does not exist looks like somebody of whom nothing is known
    nobody = Watcher(port, "nobody@im.example")
    nobody.subscribe()
    text = nobody.wait_document("Calendar unknown", "nobody")
    check("<rpid:activities" not in text and nobody.states[-1].startswith("active"), f"nobody: {text}")

    # prolonged, asked once, ended
    eve.subscribe()
    eve.wait(lambda w: len(w.notifies) == 2, "the answer to a second SUBSCRIBE")
    once = Watcher(port, CAROL, name="once")
    once.subscribe(0)
    once.wait(lambda w: w.states and w.states[-1] == "terminated;reason=timeout", "a single look")
    for expires, event, code in ((10, "presence", "423"), (600, "dialog", "489")):
        w = Watcher(port, CAROL, name="x")
        w.subscribe(expires, event=event)
        w.wait(lambda w, c=code: w.answers and w.answers[-1].startswith("SIP/2.0 " + c),
               f"{code} for {expires} {event}")
        w.close()
    wrong = Watcher(port, CAROL, name="wrong")
    wrong.subscribe(headers="Accept: text/plain\r\n")
    wrong.wait(lambda w: w.answers and w.answers[-1].startswith("SIP/2.0 406"), "406 for another format")

    # a watcher who does not know us any more, and one who says nothing, are forgotten
    meeting(sim, CAROL)
    eve.wait_document("<rpid:busy/>", "the meeting")
    before = outlet(daemon, NAME)["watchers"]
    gone = Watcher(port, CAROL, name="gone")
    gone.subscribe()
    wait_until(lambda: gone.poll("481 Gone") and gone.notifies, "its notification")
    wait_until(lambda: gone.poll("481 Gone") or outlet(daemon, NAME)["watchers"] == before,
               "481 to end the subscription")

    again = Watcher(port, CAROL, name="again")
    again.subscribe()
    again.wait_document("<rpid:busy/>", "a new subscription")

    # a clean stop says so
    check_equal(stop_watched(daemon, again), 0, "exit code")
    check(again.states[-1] == "terminated;reason=deactivated", f"told at the end: {again.states}")
    for w in (eve, nobody, once, wrong, gone, again):
        w.close()


def killed(folder):
    """kill -9: the watchers are told in their dialogs what is so when we are back, by UDP and by TCP; what they may not
    see any more they are not told, and of who is forgotten nothing is kept."""
    sim, daemon, port = start(folder, people=(CAROL, DAVE))
    eve, dan = Watcher(port, CAROL), Watcher(port, DAVE, name="dan")
    with TcpPhone(port, CAROL) as tcp:
        for watcher in (eve, dan):
            watcher.subscribe()
            watcher.wait_document("<basic>open</basic>", "the first state")
        tcp.wait_document("<basic>open</basic>", "the first state by TCP")
        numbers = [cseq(eve), cseq(tcp)]
        for _ in range(2):
            meeting(sim, CAROL, length=7200)
            daemon.stop(signal.SIGKILL)
            told = [len(eve.notifies), len(tcp.notifies), len(eve.answers)]
            daemon.start()
            eve.wait(lambda w, n=told[0]: len(w.notifies) > n and "<rpid:busy/>" in w.documents[-1], "the meeting after our crash")
            tcp.wait(lambda w, n=told[1]: len(w.notifies) > n and "<rpid:busy/>" in w.documents[-1], "the meeting by TCP")
            for watcher in (eve, tcp):
                check(f"\nCall-ID: {watcher.call}" in watcher.notifies[-1] and watcher.states[-1].startswith("active"),
                      f"in its dialog: {watcher.notifies[-1]}")
            check(cseq(eve) > numbers[0] and cseq(tcp) > numbers[1], f"numbers go up: {numbers} {eve.notifies[-1]}")
            numbers = [cseq(eve), cseq(tcp)]
            eve.subscribe()
            eve.wait(lambda w, n=told[2]: len(w.answers) > n and w.answers[-1].startswith("SIP/2.0 200"), "a refresh after it")
        check_equal(outlet(daemon, NAME)["watchers"], 3, "watchers")

        # the end that was agreed holds, and so does a policy that tells less
        expires = int(eve.states[-1].rsplit("=", 1)[1])
        check(0 < expires <= 600, f"the end: {eve.states}")
        daemon.stop(signal.SIGKILL)
        with open(daemon.config, encoding="utf-8") as file:
            usual = file.read()
        daemon.write(usual + f'policy: {{ rules: [ {{ who: sip-server, whom: {DAVE}, level: times }}, {{ who: anonymous, whom: "*", level: times }} ] }}\n')
        told = len(eve.notifies)
        daemon.start()
        eve.wait(lambda w: len(w.notifies) > told, "a notification under the new policy")
        check("rpid:busy" not in eve.documents[-1] and "Calendar unknown" in eve.documents[-1], f"told: {eve.documents[-1]}")
        dan.wait_document("<basic>open</basic>", "somebody whom phones may see")

        # who is forgotten is in no row, on neither side
        check(found_in_state(folder, "dan@"), "a row names the watcher")
        answer = daemon.ctl_json("forget", CAROL)
        check_equal(answer["outlets_untold"], 0, f"{answer}")
        check_equal(daemon.ctl_json("forget", f"dan@{DOMAIN}")["outlets_untold"], 0, "a watcher")
        check_equal([found_in_state(folder, name) for name in ("carol", "eve@", "dan@")], [[], [], []], "names left")
        eve.subscribe()
        eve.wait(lambda w: w.answers[-1].startswith("SIP/2.0 200"), "a refresh")
        daemon.stop(signal.SIGKILL)
        check_equal(found_in_state(folder, "carol"), [], "not even when the dialog goes on")
    for w in (eve, dan):
        w.close()


def cseq(watcher):
    return int(re.search(r"^CSeq: (\d+) NOTIFY", watcher.notifies[-1], re.M).group(1))


def found_in_state(folder, text):
    hits = []
    for name in os.listdir(folder):
        if name.startswith("state.sqlite"):
            with open(os.path.join(folder, name), "rb") as file:
                hits += [name] if text.encode() in file.read().lower() else []
    return hits


class TcpPhone(Watcher):
    """By TCP, with a Contact that we can be called back at; it takes whoever connects."""

    def __init__(self, port, person):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(0.05)
        super().__init__(port, person, name="tcp")
        self.socket.close()
        self.here = "127.0.0.1:%d" % self.listening.getsockname()[1]
        self.stream, self.got = socket.create_connection(("127.0.0.1", port), timeout=60), b""
        self.stream.settimeout(0.05)
        self.subscribe()

    def send(self, text):
        self.stream.sendall(text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace(f"@{self.here}>", f"@{self.here};transport=tcp>").encode())

    def poll(self, answer="200 OK"):
        try:
            more = self.stream.recv(65536)
            if not more:  # they are gone, and may come to us
                self.stream, _ = self.listening.accept()
                self.stream.settimeout(0.05)
            self.got += more
        except (socket.timeout, ConnectionError):
            pass
        whole = re.match(rb"(.*?\r\n\r\n)", self.got, re.S)
        length = whole and int(re.search(rb"Content-Length: (\d+)", whole.group(1)).group(1))
        if not whole or len(self.got) < whole.end() + length:
            return False
        text, self.got = self.got[:whole.end() + length].decode(), self.got[whole.end() + length:]
        self.take(text, answer)
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.listening.close()


def stop_watched(daemon, watcher):
    """The watcher answers while the daemon stops."""
    daemon.program.expected_to_run = False
    daemon.program.process.send_signal(signal.SIGTERM)
    wait_until(lambda: watcher.poll() or daemon.program.process.poll() is not None, "the daemon to stop")
    while watcher.poll():
        pass
    return daemon.program.process.wait(60)


def tls(folder):
    """Over TLS, pipelined, with a ping; and a reload that takes nothing from anybody."""
    certs = os.path.join(folder, "certs")
    subprocess.run([os.path.join(harness.SOURCE, "tests", "peers", "certs.sh"), certs, "good"], check=True,
                   stdout=subprocess.DEVNULL, timeout=120)
    sim, port = simulator(folder, [CAROL]), free_port()
    daemon = harness.Daemon(folder, yaml(sim, [CAROL], [f'listen: ["tls:127.0.0.1:{port}"]', f"domain: {DOMAIN}",
                                                        "trusted: [127.0.0.1]",
                                                        f'certificate_file: "{certs}/good.pem"',
                                                        f'key_file: "{certs}/good.key"']))
    wait_up(daemon, NAME)
    daemon.wait_state(CAROL, "free")
    context = ssl.create_default_context(cafile=os.path.join(certs, "ca.pem"))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain, context.wrap_socket(plain,
                                                                                                 server_hostname="localhost") as stream:
        stream.sendall(b"\r\n\r\n" + subscribe_text("TLS", 1).encode())
        got = b""
        while b"</presence>" not in got:
            more = stream.recv(65536)
            check(more, f"the connection ends: {got}")
            got += more
        check(got.startswith(b"\r\n") and b"SIP/2.0 200 OK" in got and b"NOTIFY sip:eve@127.0.0.1" in got,
              f"over TLS: {got}")
    check_equal(daemon.stop(), 0, "exit code")


def phone_tls(folder):
    """baresip, where there is nothing but TLS, with its password. It does not prove our certificate, see docs/sip.md."""
    certs = os.path.join(folder, "certs")
    subprocess.run([os.path.join(harness.SOURCE, "tests", "peers", "certs.sh"), certs, "good"], check=True,
                   stdout=subprocess.DEVNULL, timeout=120)
    sim, daemon, port = start(folder, [f'certificate_file: "{certs}/good.pem"', f'key_file: "{certs}/good.key"'],
                              trusted=False, transports=["tls"])
    bob = Baresip(folder, [CAROL], f"127.0.0.1:{port}", password="secret", transport="tls")
    bob.wait_first(CAROL, "<basic>open</basic>")
    check_equal(outlet(daemon, NAME)["watchers"], 1, "watchers")
    made = meeting(sim, CAROL)
    bob.wait(CAROL, "Busy", "the meeting")
    remove(sim, made)
    bob.wait(CAROL, "Online", "its end")
    bob.stop()
    check_equal(daemon.stop(), 0, "exit code")


def subscribe_text(transport, number, more=""):
    return (f"SUBSCRIBE sip:{CAROL} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:eve@{DOMAIN}>;tag=w{number}\r\nTo: <sip:{CAROL}>\r\nCall-ID: t{number}\r\nCSeq: 1 SUBSCRIBE\r\n"
            f"Contact: <sip:eve@127.0.0.1:9>\r\nEvent: presence\r\nExpires: 600\r\n{more}Content-Length: 0\r\n\r\n")


def linphone(folder):
    """Linphone shows somebody whose activities are busy and meeting, and one who is away."""
    sim, daemon, port = start(folder)
    phone_there = Linphone(folder, port, CAROL)
    try:
        phone_there.wait("Online")
        first = meeting(sim, CAROL)
        phone_there.wait("Do not disturb")
        sim.control("DELETE", f"/appointments/{first['id']}")
        phone_there.wait("Online")
        meeting(sim, CAROL, kind="oof")
        phone_there.wait("Vacation")
    finally:
        phone_there.stop()
    check_equal(daemon.stop(), 0, "exit code")


def sipp(folder):
    """SIPp's digest, dialogs and notifications, by UDP and by TCP."""
    sim, daemon, port = start(folder, trusted=False, more=["rate: 5000"])
    meeting(sim, CAROL)
    daemon.wait_state(CAROL, "busy")
    for mode in ("u1", "t1"):
        done = subprocess.run(["sipp", f"127.0.0.1:{port}", "-sf",
                               os.path.join(harness.SOURCE, "tests", "peers", "sipp_watch.xml"), "-key", "person",
                               "carol", "-au", "sipp", "-ap", "pw", "-t", mode, "-i", "127.0.0.1", "-p",
                               str(free_port()), "-m", "50", "-r", "50", "-nostdin",
                               "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file",
                               os.path.join(folder, f"sipp-{mode}.err")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, timeout=120,
                              check=False)
        errors = open(os.path.join(folder, f"sipp-{mode}.err"), encoding="utf-8", errors="replace").read() \
            if os.path.exists(os.path.join(folder, f"sipp-{mode}.err")) else ""
        check_equal(done.returncode, 0, f"SIPp by {mode}: {done.stdout[-1500:]} {errors[:1500]}")
    wait_until(lambda: outlet(daemon, NAME)["watchers"] == 0, "every subscription to have ended")
    print(f"        {outlet(daemon, NAME)['notified']} notifications to SIPp", flush=True)
    check_equal(daemon.stop(), 0, "exit code")


def crowd(folder):
    """A thousand watchers of one person: each hears of the meeting, and of our end."""
    sim, daemon, port = start(folder, more=["rate: 5000"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phones:
        phones.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        phones.settimeout(0.05)
        phones.connect(("127.0.0.1", port))
        asked, told = {f"t{i}": 0.0 for i in range(1000)}, {}

        def look():
            """Asks again who was not answered, fifty at a time, and answers what came."""
            late = [call for call, at in asked.items() if at < time.monotonic() - 1][:50]
            for call in late:
                asked[call] = time.monotonic()
                phones.send(subscribe_text("UDP", int(call[1:])).encode())
            try:
                while True:
                    take(phones.recv(65536).decode())
            except (socket.timeout, ConnectionRefusedError):
                pass

        def take(text):
            call = re.search(r"^Call-ID: (\w+)", text, re.M).group(1)
            asked.pop(call, None)
            if text.startswith("NOTIFY "):
                told[call] = text
                wanted = [line for line in text.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line)]
                phones.send(("SIP/2.0 200 OK\r\n" + "\r\n".join(wanted) + "\r\nContent-Length: 0\r\n\r\n").encode())

        def all_hear(word, what):
            wait_until(lambda: look() or sum(word in text for text in told.values()) == 1000, what, 120)

        all_hear("<basic>open</basic>", "everybody to be told at once")
        check_equal(outlet(daemon, NAME)["watchers"], 1000, "watchers")
        meeting(sim, CAROL)
        all_hear("<rpid:busy/>", "everybody to be told of the meeting")
        daemon.program.expected_to_run = False
        daemon.program.process.send_signal(signal.SIGTERM)
        all_hear("terminated;reason=deactivated", "everybody to be told of our end")
        check_equal(daemon.program.process.wait(60), 0, "exit code")


def sipsak(folder):
    """sipsak: OPTIONS by UDP and TCP, and requests with more and more random characters in them."""
    _, daemon, port = start(folder)

    def run(*args):
        done = subprocess.run(["sipsak", "-s", f"sip:carol@127.0.0.1:{port}", *args], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", timeout=120, check=False)
        return done.returncode, done.stdout
    for way in ("udp", "tcp"):
        code, out = run("-E", way, "-vvv")
        check(code == 0 and "SIP/2.0 200 OK" in out and "Allow-Events: presence" in out,
              f"OPTIONS by {way}: {code}\n{out}")
    before = outlet(daemon, NAME)["malformed"]
    run("-R", "-t", "300", "-vv")  # it ends by itself when one is not answered
    daemon.program.check_alive()
    print(f"        {outlet(daemon, NAME)['malformed'] - before} of its requests were no SIP any more", flush=True)
    check_equal(run("-vv")[0], 0, "OPTIONS after all that")
    check_equal(daemon.stop(), 0, "exit code")


def hostile(folder):
    """No crash, bounded, and who behaves is served in between."""
    sim, daemon, port = start(folder, more=["max_watchers: 20"])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    good = subscribe_text("UDP", 0)
    head = good[:-len("Content-Length: 0\r\n\r\n")]
    bad = [head + "".join(f"X-{i}: y\r\n" for i in range(1000)) + "\r\n", head + "Content-Length: 500\r\n\r\nshort",
           head + "Content-Length: -1\r\n\r\n",
           head + "Content-Length: 0\r\nl: 9\r\n\r\n", good[:70], good.replace("CSeq: 1", "CSeq: 99999999999"),
           "\r\n\r\n", "x", "\0" * 500,
           good.replace("Via: ", "Via: SIP/2.0/UDP a;branch=b, " * 100),
           good.replace("<sip:carol", "<<<<sip:" + "a" * 5000),
           head + "Subject: " + "\r\n ".join("folded" for _ in range(2000)) + "\r\n\r\n"]
    for text in bad:
        udp.sendto(text.encode()[:60000], ("127.0.0.1", port))
    for i in range(100):  # more watchers than there may be
        udp.sendto(subscribe_text("UDP", 100 + i).encode(), ("127.0.0.1", port))
    for text in (b"X" * 200000, b"SUBSCRIBE sip:a SIP/2.0\r\nContent-Length: 70000\r\n\r\n", b"\r\n" * 5000,
                 b"NOTIFY " + b"\r\n " * 40000):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
            try:
                stream.sendall(text)
                stream.sendall(b"\r\n\r\n")
            except OSError:
                pass  # cut off already
    wait_until(lambda: outlet(daemon, NAME)["malformed"] >= 8 and outlet(daemon, NAME)["refused"] >= 70,
               "all that to be looked at")
    check(outlet(daemon, NAME)["watchers"] <= 20, "no more watchers than there may be")
    udp.close()
    wait_until(lambda: outlet(daemon, NAME)["watchers"] == 0, "watchers who answer nothing to be forgotten", 120)
    eve = Watcher(port, CAROL)
    eve.subscribe()
    eve.wait_document("<basic>open</basic>", "somebody who behaves")
    eve.close()
    check_equal(daemon.stop(), 0, "exit code")


def passwords(folder):
    """A stranger is challenged; a wrong password is refused and not asked for again; the file is read anew."""
    _, daemon, port = start(folder, trusted=False)
    eve = Watcher(port, CAROL)
    eve.subscribe()
    eve.wait(lambda w: w.answers and w.answers[-1].startswith("SIP/2.0 401"), "a challenge")
    challenge = eve.answers[-1]
    check("algorithm=MD5" in challenge and "qop=" in challenge, f"what phones understand: {challenge}")
    nonce = re.search(r'nonce="([^"]+)"', challenge).group(1)
    wrong = (f'Authorization: Digest username="bob", realm="{DOMAIN}", nonce="{nonce}", uri="sip:{CAROL}", response="{"0" * 32}", algorithm=MD5, '
             'qop=auth, nc=00000001, cnonce="x"\r\n')
    eve.subscribe(headers=wrong)
    eve.wait(lambda w: w.answers[-1].startswith("SIP/2.0 403"), "a wrong password is refused")
    check_equal(outlet(daemon, NAME)["wrong_passwords"], 1, "and counted")
    check_equal(eve.notifies, [], "and nothing was told")
    eve.close()
    check_equal(daemon.stop(), 0, "exit code")


def demand(folder):
    """poll.demand: watched: a calendar is read because a phone watches, and only then."""
    dave = "dave@im.example"
    _, daemon, port = start(folder, people=(CAROL, dave), demand=True)
    check_equal(outlet(daemon, NAME)["tells_of"], "watched", "what the status says of the outlet")
    nobody = Watcher(port, "nobody@im.example", name="nobody")
    nobody.subscribe()
    nobody.wait_document("Calendar unknown", "somebody who does not exist")
    eve = Watcher(port, CAROL)
    eve.subscribe()
    eve.wait_document("<rpid:activities", "the one who is watched")
    check_equal(daemon.presence(CAROL)["state"], "free", "she was asked about")
    check_equal(daemon.presence(dave)["state"], "unknown", "and he was not")
    late = Watcher(port, dave)
    late.subscribe()
    late.wait_document("<rpid:activities", "who is watched from now on")
    for w in (nobody, eve, late):
        w.close()
    check_equal(daemon.stop(), 0, "exit code")


def over_http(folder):
    """GET with Accept: application/pidf+xml gives what phones are told, by the site's table, words and zone."""
    own = ['activities: { busy: "on-the-phone" }', 'basic: { busy: closed }', 'text: { busy: "Do not call" }']
    sim, daemon, port = start(folder, more=own)
    meeting(sim, CAROL)
    daemon.wait_state(CAROL, "busy")
    eve = Watcher(port, CAROL)
    eve.subscribe()
    told = eve.wait_document("<rpid:on-the-phone/>", "the site's word for busy")
    status, text, headers = daemon.get("/v1/presence/" + CAROL, headers={"Accept": "application/pidf+xml"})
    check_equal((status, headers["Content-Type"]), (200, "application/pidf+xml"), "the form")
    for part in ("<basic>closed</basic>", "<rpid:on-the-phone/>", "<note>Do not call</note>"):
        check(part in text and part in told, f"{part} in {text} and in {told}")
    check("rpid:busy" not in text and 'entity="pres:carol@im.example"' in text, f"not the usual table: {text}")
    eve.close()
    check_equal(daemon.stop(), 0, "exit code")


if KIND == "baresip":
    harness.run(phone, dialog, killed, tls)
elif KIND == "baresip-tls":
    harness.run(phone_tls)
elif KIND == "linphone":
    harness.run(linphone)
else:
    harness.run(sipp, crowd, sipsak, hostile, passwords, demand, over_http)
