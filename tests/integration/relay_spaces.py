"""The relay run in two network namespaces with a capture of every packet: inside there is nothing to be learnt or
taken hold of from what comes in; the line cut makes people unknown; what was captured cannot be sent again.

Namespaces want root and a kernel that permits them. Where they are not to be had, that is said, and the same holds by
what relay.py sees through a line of its own (told_and_taken_back, line_cut, refused).
"""
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import company
import harness
import relay_world as world
from harness import check, check_equal, wait_until

ANNA, BERT = "anna@example.test", "bert@example.test"
NEAR, FAR = "192.0.2.1", "192.0.2.2"


class Beyond(harness.Daemon):
    """A daemon in the other namespace; its control socket is reached from here all the same."""
    space = None

    def start(self):
        argv = ["nsenter", f"--net=/proc/{self.space}/ns/net", harness.FREEBUSYD, "--config", self.config]
        self.program = harness.Program("freebusyd", argv, self.folder)
        status = wait_until(lambda: self.ctl_json("status", quiet=True), "the daemon's control socket")
        self.port = int(status["listen"][0].rsplit(":", 1)[1])


class Capture(threading.Thread):
    """TCP payloads on one interface by (source address, source port, destination port), in order; and who opened
    connections."""

    def __init__(self, interface):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 0))
        self.flows, self.openers, self.packets = {}, set(), 0
        self.start()

    def run(self):
        while True:
            try:
                frame = self.socket.recv(65536)
            except OSError: # the line was cut
                continue
            if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
                continue
            self.packets += 1
            ip = frame[14:14 + struct.unpack(">H", frame[16:18])[0]]
            tcp = ip[(ip[0] & 15) * 4:]
            source, ports = socket.inet_ntoa(ip[12:16]), struct.unpack(">HH", tcp[:4])
            if tcp[13] & 0x12 == 0x02:
                self.openers.add(source)
            number, payload = struct.unpack(">I", tcp[4:8])[0], tcp[(tcp[12] >> 4) * 4:]
            if payload:
                self.flows.setdefault((source, *ports), {})[number] = payload

    def sent_by(self, source):
        """What this address sent, a text for each connection."""
        return [b"".join(flow[n] for n in sorted(flow)) for key, flow in list(self.flows.items()) if key[0] == source]


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{' '.join(argv)}: {done.stderr}")


def lay_line():
    """This process is in a new namespace, the inside; another is the outside. Its keeper."""
    keeper = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    mine = os.readlink("/proc/self/ns/net")
    wait_until(lambda: os.readlink(f"/proc/{keeper.pid}/ns/net") != mine, "the other namespace")
    beyond = ["nsenter", f"--net=/proc/{keeper.pid}/ns/net"]
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(keeper.pid))
    run("ip", "addr", "add", NEAR + "/24", "dev", "near")
    run("ip", "link", "set", "near", "up")
    run(*beyond, "ip", "addr", "add", FAR + "/24", "dev", "far")
    run(*beyond, "ip", "link", "set", "far", "up")
    run(*beyond, "ip", "link", "set", "lo", "up")
    return keeper


def send(port, body):
    """What an attacker on the line would send: (status, code)."""
    with socket.create_connection((FAR, port), timeout=60) as line:
        line.sendall(f"PUT /relay/inside/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
                     .encode() + body)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    return int(answer.split()[1]), answer.split(b'"code":"')[-1].split(b'"')[0].decode()


def captured(folder):
    keeper = lay_line()
    try:
        across(folder, keeper.pid)
    finally:
        keeper.kill()
        keeper.wait()


def across(folder, space):
    """In the clear, so that the capture can be read: what keeps strangers from speaking here is the signature alone."""
    key, pub = world.sign_key(folder, "relay")
    sim = harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in (ANNA, BERT)]))
    capture = Capture("near")
    far, near = os.path.join(folder, "outside"), os.path.join(folder, "inside")
    Beyond.space = space
    publisher = Beyond(far, world.outside(far, (ANNA, BERT), f'{{ keys: ["{pub}"], stream: a-to-b }}',
                                          f'listen: ["{FAR}:0"], allow_remote: true'))
    relay = (f"{{ name: outside, stream: a-to-b, url: 'http://{FAR}:{publisher.port}/relay/inside/', "
             f"sign_key_file: {key}, digest: 1s }}")
    exporter = harness.Daemon(near, world.inside(near, sim.url, (ANNA, BERT), relay, stale="10s"))

    def state(who):
        return publisher.ctl_json("show", who)["state"]

    now = int(time.time())
    sim.control("POST", "/appointments",
                {"mailbox": ANNA, "start": harness.utc(now - 60), "end": harness.utc(now + 3600), "busy": "oof"})
    wait_until(lambda: state(ANNA) == "oof" and state(BERT) == "free", "both to be known outside")
    wait_until(lambda: world.outlet(exporter)["digests"] >= 3, "some digests")

    subprocess.run(["ip", "link", "set", "near", "down"], check=True)
    wait_until(lambda: state(ANNA) == "unknown" and state(BERT) == "unknown", "both to be unknown without the line")
    run("ip", "link", "set", "near", "up")
    wait_until(lambda: state(ANNA) == "oof" and state(BERT) == "free", "both to be known again")

    inbound, outbound = capture.sent_by(FAR), capture.sent_by(NEAR)
    check_equal(capture.openers, {NEAR}, "who opened connections")
    answers = [a for text in inbound for a in text.split(b"HTTP/1.1 ")[1:]]
    check(len(answers) > 5, f"answers: {inbound}")
    accepted = [a for a in answers if a.startswith(b"204 ") and a.endswith(b"\r\n\r\n") and len(a) < 200]
    # what was on its way when the line was cut may arrive when it is too old
    refused = [a for a in answers if a.startswith(b"409 ") and b'"code":"relay-expired"' in a and len(a) < 400]
    check_equal(len(accepted) + len(refused), len(answers), f"acknowledgements among {answers}")
    bodies = [text.split(b"\r\n\r\n", 1)[1] for flow in outbound for text in flow.split(b"PUT /relay/")[1:]]
    told = [b for b in bodies if b"FREEBUSY;FBTYPE=BUSY-UNAVAILABLE" in b and b.endswith(b"END:VCALENDAR\r\n")]
    check(told, f"no message about her among {len(bodies)} in {capture.packets} packets")
    whole = [b for b in bodies if b.endswith(b"END:VCALENDAR\r\n")]
    check(send(publisher.port, whole[-1]) in ((409, "relay-replayed"), (409, "relay-expired")), "the last one sent again")
    check(send(publisher.port, told[0]) in ((409, "relay-replayed"), (409, "relay-expired")), "an old one sent again")
    check_equal(send(publisher.port, told[0].replace(b"UNAVAILABLE", b"TENTATIVE")), (403, "relay-tampered"), "changed")
    refused = world.server(publisher)["relay"]["refused"]
    check(refused["replayed"] + refused["expired"] >= 2 and refused["tampered"] == 1, f"counted: {refused}")
    check_equal((state(ANNA), state(BERT)), ("oof", "free"), "and nothing was believed")
    inside, out = sum(map(len, inbound)), sum(map(len, outbound))
    print(f"form: two namespaces, {capture.packets} packets, {out} bytes of payload out, {inside} in, "
          f"{len(answers)} acknowledgements and nothing else", flush=True)


if __name__ == "__main__":
    if os.environ.get("FB_RELAY_SPACE"):
        harness.run(captured)
    probe = subprocess.run(["unshare", "--net", "ip", "link", "add", "near", "type", "veth", "peer", "name", "far"],
                           capture_output=True, text=True, check=False)
    if os.geteuid() != 0 or probe.returncode != 0:
        print(f"form: namespaces are not permitted here ({probe.stderr.strip()}); relay.py shows the same through a line "
              "of its own", flush=True)
        sys.exit(subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "relay.py"), "told_and_taken_back",
                                 "line_cut", "refused"], check=False).returncode)
    os.environ["FB_RELAY_SPACE"] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
