"""A thousand watchers of one contact, each a connection of its own: all of them see the meeting begin and end, and see
it again after the daemon's crash.

The clients are as small as clients can be: they register themselves, log in, subscribe, and count.
"""
import asyncio
import base64
import re
import resource
import signal
import sys

import harness
from harness import check, check_equal, wait_until
import xmpp_peers
from xmpp_peers import ANNA, DOMAIN, contact, loop_call, LOOP, meeting, outlet

WATCHERS, AT_ONCE = 1000, 50
HEAD = (f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}' version='1.0'>").encode()


class Watcher:
    """One client: what it saw last of the contact."""

    def __init__(self, number, port):
        self.name, self.port, self.shown, self.subscribed = f"w{number}", port, None, False

    async def _until(self, mark):
        text = b""
        while mark not in text:
            more = await asyncio.wait_for(self.reader.read(65536), 300)
            check(more, f"{self.name} was cut before {mark}: {text[-300:]}")
            text += more
        return text

    async def log_in(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        secret = base64.b64encode(f"\0{self.name}\0pw".encode()).decode()
        for said, mark in (
                (HEAD.decode(), b"</stream:features>"),
                (f"<iq type='set' id='r' to='{DOMAIN}'><query xmlns='jabber:iq:register'><username>{self.name}</username>"
                 "<password>pw</password></query></iq>", b"type='result'"),
                (f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>", b"<success"),
                (HEAD.decode(), b"</stream:features>"),
                ("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", b"</jid>")):
            self.writer.write(said.encode())
            await self._until(mark)
        self.writer.write(f"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>"
                          f"<presence type='subscribe' to='{contact(ANNA)}'/>".encode())
        asyncio.ensure_future(self._listen())

    async def _listen(self):
        text = ""
        try:
            while more := await self.reader.read(65536):
                text += more.decode("utf-8", "replace")
                for stanza in re.findall(r"<presence\b[^>]*?(?:/>|>.*?</presence>)", text, re.S):
                    self._take(stanza)
                text = text[text.rfind("</presence>") + 11:] if "</presence>" in text else text[-20000:]
        except OSError:
            pass

    def _take(self, stanza):
        kind = re.search(r"\btype=['\"](\w+)", stanza[:stanza.index(">")])
        show = re.search(r"<show>(\w+)</show>", stanza)
        if kind and kind[1] == "subscribed":
            self.subscribed = True
        elif contact(ANNA).replace("\\", "\\5c") in stanza or contact(ANNA) in stanza:
            self.shown = kind[1] if kind else show[1] if show else "available"


async def arrive(watchers):
    for i in range(0, len(watchers), AT_ONCE):
        await asyncio.gather(*(w.log_in() for w in watchers[i:i + AT_ONCE]))


def crowd(folder, kind):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    sim, server, daemon = xmpp_peers.start(folder, kind, [ANNA])
    watchers = [Watcher(i, server.ports[0]) for i in range(WATCHERS)]
    try:
        asyncio.run_coroutine_threadsafe(arrive(watchers), LOOP).result(400)

        def all_see(shown, what):
            wait_until(lambda: all(w.shown == shown for w in watchers), what, 300)

        wait_until(lambda: all(w.subscribed for w in watchers), "everybody to be let in", 300)
        check_equal(outlet(daemon)["watchers"], WATCHERS, "subscriptions")
        item = meeting(sim, ANNA)
        all_see("dnd", "everybody to see the meeting")
        sim.control("DELETE", f"/appointments/{item['id']}")
        all_see("available", "everybody to see its end")
        daemon.stop(signal.SIGKILL)
        meeting(sim, ANNA)
        daemon.start()
        all_see("dnd", "everybody to be told again after a crash")
        check_equal(daemon.stop(), 0, "exit code")
        all_see("unavailable", "everybody to see our end")
        check_equal([w.name for w in watchers if w.reader.at_eof()], [], "clients that were cut")
    finally:
        for w in watchers:
            if hasattr(w, "writer"):
                loop_call(w.writer.close)
        server.stop()


def main():
    kind = sys.argv.pop(1)

    def a_thousand(folder):
        crowd(folder, kind)

    harness.run(a_thousand)


if __name__ == "__main__":
    main()
