"""What the tests of the SIP outlets share: Kamailio (tests/peers/kamailio.sh), baresip as a phone, and a watcher of our
own over a socket."""
import os
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time

import company
import harness
from harness import check, wait_until

DOMAIN = "im.example"
CAROL = "carol@im.example"


class Kamailio:
    """On the same ports, with the same database, when it is started again."""

    def __init__(self, folder, *options):
        self.folder, self.options = os.path.join(folder, "kamailio"), options
        self.ports = self.pid = None
        self.start()

    def start(self):
        env = {**os.environ, **({"PEER_PORTS": f"{self.ports[0]} {self.ports[1]}"} if self.ports else {})}
        done = subprocess.run([os.path.join(harness.SOURCE, "tests", "peers", "kamailio.sh"), self.folder,
                               *self.options], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=180)
        check(done.returncode == 0, f"kamailio does not start: {done.stderr[-2000:]}")
        port, tls_port, self.pid = (int(word) for word in done.stdout.split())
        self.ports = (port, tls_port)

    @property
    def port(self):
        return self.ports[0]

    def stop(self):
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: ended(self.pid), "kamailio to end", 60)
        self.pid = None

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()


def ended(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Baresip:
    """A phone without a terminal or a sound card that watches people; what it saw of each is what its output says. The
    first state of somebody it only shows in its trace."""

    def __init__(self, folder, people, outbound, name="bob", password="", transport="udp"):
        home = os.path.join(folder, "baresip-" + name)
        os.makedirs(home)
        modules = subprocess.run(["dpkg", "-L", "baresip-core"], stdout=subprocess.PIPE, text=True, check=True).stdout
        path = os.path.dirname(next(line for line in modules.splitlines() if line.endswith("/presence.so")))
        with open(os.path.join(home, "config"), "w", encoding="utf-8") as file:
            file.write(f"sip_listen 127.0.0.1:{free_port()}\nmodule_path {path}\nmodule_app account.so\nmodule_app contact.so\n"
                       "module_app presence.so\nmodule_app menu.so\n")
        with open(os.path.join(home, "accounts"), "w", encoding="utf-8") as file:
            secret = f";auth_user={name};auth_pass={password}" if password else ""
            file.write(f"<sip:{name}@{DOMAIN}>;regint=0;pubint=60;outbound=\"sip:{outbound};transport={transport}\"{secret}\n")
        with open(os.path.join(home, "contacts"), "w", encoding="utf-8") as file:
            file.writelines(f"\"{p}\" <sip:{p}>;presence=p2p\n" for p in people)
        self.program = harness.Program("baresip-" + name, ["stdbuf", "-oL", "baresip", "-f", home, "-s"], folder)

    def text(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.program.out() + self.program.log())

    def last(self, person):
        found = re.findall(rf"<sip:{re.escape(person)}> changed status from \S+ to (\S+)", self.text())
        return found[-1] if found else None

    def wait_first(self, person, text, seconds=60):
        self._wait(lambda: re.search(rf"NOTIFY sip:(?:(?!NOTIFY sip:)[\s\S])*From: <sip:{re.escape(person)}>(?:(?!NOTIFY sip:)[\s\S])*"
                                     + re.escape(text), self.text()), f"the phone to be told of {person}: {text}",
                   seconds)

    def wait(self, person, state, what, seconds=60):
        self._wait(lambda: self.last(person) == state, f"the phone to show {person} {state}: {what}", seconds)

    def _wait(self, condition, what, seconds):
        try:
            wait_until(condition, what, seconds)
        except harness.Failed as failed:
            raise harness.Failed(f"{failed}\nthe phone says:\n{self.text()[-2000:]}") from failed

    def stop(self):
        self.program.stop(signal.SIGKILL)


class Linphone:
    """linphonec, which tells of a friend's presence in words. Friends of an account are watched only when that is
    registered; so it has none, and asks our server by its address."""

    def __init__(self, folder, port, person):
        home = os.path.join(folder, "linphone")
        for part in (".local/share/linphone", ".config/linphone"):  # it does not make them itself
            os.makedirs(os.path.join(home, part))
        self.shown = f"sip:{person.split('@')[0]}@127.0.0.1:{port}"
        settings = os.path.join(home, "rc")
        with open(settings, "w", encoding="utf-8") as file:
            file.write("[sip]\nsip_port=-1\nsip_tcp_port=-1\nsip_tls_port=-1\nuse_ipv6=0\n"
                       f"[friend_0]\nurl=<{self.shown}>\npol=accept\nsubscribe=1\n")
        self.out = open(os.path.join(folder, "linphone.out"), "w+", encoding="utf-8", errors="replace")
        self.program = subprocess.Popen(["stdbuf", "-oL", "linphonec", "-c", settings], stdin=subprocess.PIPE,
                                        stdout=self.out, stderr=subprocess.STDOUT, env={**os.environ, "HOME": home})

    def text(self):
        with open(self.out.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, words, seconds=60):
        try:
            wait_until(lambda: re.findall(rf"{re.escape(self.shown)}>? is (.*)", self.text())[-1:] == [words],
                       f"linphone to show {words}", seconds)
        except harness.Failed as failed:
            raise harness.Failed(f"{failed}\nit says:\n{self.text()[-2000:]}") from failed

    def stop(self):
        self.program.kill()
        self.program.wait(60)
        self.program.stdin.close()
        self.out.close()


def free_port():
    """A port that is free for UDP and TCP, as is the one behind it, which baresip takes for TLS; below those that the
    kernel gives to connections, so that it stays free until the phone has it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        lowest = int(file.read().split()[0])
    for _ in range(1000):
        port = random.randrange(10000, max(lowest - 1, 20000), 2)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tls:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                tls.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                pass
    raise harness.Failed("no two ports are free")


class Watcher:
    """SUBSCRIBE and NOTIFY over UDP, word by word: what a phone does, with every document kept."""

    def __init__(self, port, person, name="eve", expires=600):
        self.server, self.person, self.name, self.expires = ("127.0.0.1", port), person, name, expires
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.here = "%s:%d" % self.socket.getsockname()
        self.call, self.cseq, self.to_tag, self.target = os.urandom(8).hex(), 0, "", f"sip:{person}"
        self.documents, self.states, self.answers, self.notifies = [], [], [], []
        self.asked, self.asked_at = None, 0

    def subscribe(self, expires=None, headers="", event="presence"):
        self.cseq += 1
        expires = self.expires if expires is None else expires
        self.asked = (f"SUBSCRIBE {self.target} SIP/2.0\r\nVia: SIP/2.0/UDP {self.here};rport;branch=z9hG4bK{os.urandom(6).hex()}\r\nMax-Forwards: 70\r\n"
                  f"From: <sip:{self.name}@{DOMAIN}>;tag=w\r\nTo: <sip:{self.person}>{self.to_tag}\r\nCall-ID: {self.call}\r\n"
                  f"CSeq: {self.cseq} SUBSCRIBE\r\nContact: <sip:{self.name}@{self.here}>\r\nEvent: {event}\r\nExpires: {expires}\r\n{headers}"
                      "Content-Length: 0\r\n\r\n")
        self.asked_at = time.monotonic()
        self.send(self.asked)

    def send(self, text):
        self.socket.sendto(text.encode(), self.server)

    def poll(self, answer="200 OK"):
        """Takes what came, answers each NOTIFY (with None: nothing); true when something came."""
        try:
            text = self.socket.recv(65536).decode("utf-8", "replace")
        except socket.timeout:
            if self.asked and time.monotonic() > self.asked_at + 1:  # a request is sent until it is answered
                self.asked_at = time.monotonic()
                self.send(self.asked)
            return False
        self.take(text, answer)
        return True

    def take(self, text, answer="200 OK"):
        head, _, body = text.partition("\r\n\r\n")
        if not head.startswith("NOTIFY "):
            self.answers.append(text)
            self.asked = None
            if head.startswith("SIP/2.0 500") and not self.notifies:  # Kamailio's SQLite was locked
                time.sleep(0.2)
                self.subscribe()
            tag = re.search(r"^To:.*(;tag=[^\r\n;]+)", head, re.M | re.I)
            if head.startswith("SIP/2.0 2") and tag:
                self.to_tag = tag.group(1)
                contact = re.search(r"^Contact:\s*<([^>]+)>", head, re.M | re.I)
                self.target = contact.group(1) if contact else self.target
            return
        self.notifies.append(text)
        self.states.append(re.search(r"^Subscription-State:\s*(.*?)\r?$", head, re.M | re.I).group(1))
        self.documents.append(body)
        if answer:
            wanted = [line for line in head.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.I)]
            self.send("SIP/2.0 " + answer + "\r\n" + "\r\n".join(wanted) + "\r\nContent-Length: 0\r\n\r\n")

    def wait(self, condition, what, seconds=60):
        def look():
            while self.poll():
                pass
            return condition(self)
        return wait_until(look, what, seconds)

    def wait_document(self, text, what, seconds=60):
        try:
            self.wait(lambda w: w.documents and text in w.documents[-1],
                      f"{what}: {text} in what {self.person}'s watcher is told", seconds)
        except harness.Failed as failed:
            raise harness.Failed(f"{failed}\nthe last it was told: {self.documents[-1:]}, the last answers: {self.answers[-2:]}") from failed
        return self.documents[-1]

    def close(self):
        self.socket.close()


class Phones:
    """A phone for each of these people at one server, answered for by a thread; what each was told last. `deaf`: they
    hear nothing, and answer nothing."""

    def __init__(self, port, people):
        self.deaf = threading.Event()
        self.ended = threading.Event()
        self.watchers = {p: Watcher(port, p, name="phone", expires=3600) for p in people}
        for w in self.watchers.values():
            w.subscribe()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        by_socket = {w.socket: w for w in self.watchers.values()}
        while not self.ended.is_set():
            ready, _, _ = select.select(list(by_socket), [], [], 0.2)
            for one in ready:
                if self.deaf.is_set():
                    one.recv(65536)
                else:
                    by_socket[one].poll()
            for w in self.watchers.values():
                if w.asked and time.monotonic() > w.asked_at + 1:
                    w.poll()  # asks again

    def state(self, person):
        """None: nothing that can be understood."""
        text = (self.watchers[person].documents or [""])[-1]
        for state, sign in (("oof", "<rpid:vacation/>"), ("busy", "<rpid:busy/>"), ("free", "<rpid:activities")):
            if sign in text:
                return state
        return None

    def close(self):
        self.ended.set()
        self.thread.join(60)
        for w in self.watchers.values():
            w.close()


def yaml(sim, people, sip, more_users=()):
    base = company.yaml(sim.url, people, more_users=more_users)
    return base.replace("publish:\n",
                        "publish:\n  sip:\n" + "".join(f"    {line}\n"
                                                       for line in sip)) + "state: { directory: \"{folder}\" }\n"


def simulator(folder, people):
    harness.secret_file(folder, "password", "svc-secret")
    return harness.Simulator(folder, company.company(*[f"mailbox {p} password=x" for p in people]))


def outlet(daemon, name="sip"):
    return next((o for o in daemon.ctl_json("status").get("outlets", []) if o["name"] == name), {})


def wait_up(daemon, name="sip", seconds=60):
    wait_until(lambda: outlet(daemon, name).get("state") == "up",
               f"the outlet {name} to be up ({outlet(daemon, name)})", seconds)


def wait_quiet(daemon):
    """Nothing is under way: whatever happens now, no answer is lost, and so no ghost is left at the server."""
    wait_until(lambda: (o := outlet(daemon)) and o["under_way"] == 0 and o["waiting"] == 0 and o,
               "the outlet to be quiet")


def meeting(sim, address, begin=None, length=3600, kind="busy"):
    begin = begin or int(time.time()) - 60
    return sim.control("POST", "/appointments", {"mailbox": address, "start": harness.utc(begin),
                                                 "end": harness.utc(begin + length), "busy": kind})


def remove(sim, made):
    sim.control("DELETE", f"/appointments/{made['uid'] if 'uid' in made else made['id']}")
