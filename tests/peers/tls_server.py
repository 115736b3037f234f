#!/usr/bin/python3
"""`openssl s_server` as a web server: any certificate, protocol version and cipher that OpenSSL still has, and client
certificates.

It talks TLS; what is inside is read from and written to its pipes here. Every request is answered with the same status
and body, or with what stands at `upstream`. One connection at a time, one request on each: s_server takes the next when
this one is over.

`seen` has what openssl says of every connection that got through (protocol, cipher, subject of the client's
certificate), `requests` the requests. A connection that was refused leaves its reason in log(). RC4, 3DES and SSL 3
cannot be had: Debian's OpenSSL has none.
"""
import http.client
import re
import threading
import urllib.parse

import peer

# What a machine of 2003 has: no forward secrecy, SHA-1.
OLD = {"protocol": "tls1", "ciphers": "AES128-SHA:AES256-SHA:@SECLEVEL=0"}
PROTOCOLS = ("tls1", "tls1_1", "tls1_2", "tls1_3")
_DROPPED = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length")


class TlsServer(peer.Peer):
    """certificate, key: PEM files, the first with the chain. protocol: the only one there is. client_ca: asks for a
    certificate by it, and accepts no connection without. upstream: a URL whose server answers."""
    name = "tls_server"
    report = ("url",)

    def __init__(self, folder, certificate, key, protocol=None, ciphers=None, client_ca=None, status=200,
                 body="hello\n", upstream=None,
                 extra=()):
        super().__init__(folder)
        peer.needs("/usr/bin/openssl", "openssl")
        self.status, self.body, self.upstream, self.requests = status, body.encode(), upstream, []
        # -brief: one summary per connection on standard error, and no commands on standard input.
        options = ["-brief", "-cert", certificate, "-key", key, "-cert_chain", certificate, *extra]
        if protocol:
            options.append("-" + protocol)
        if ciphers:
            options += ["-cipher", ciphers]
        elif protocol in ("tls1", "tls1_1"):
            options += ["-cipher", "DEFAULT:@SECLEVEL=0"]
        if client_ca:
            options += ["-Verify", "1", "-verify_return_error", "-CAfile", client_ca]
        self.options = options
        self._start()
        self.url = f"https://localhost:{self.port}/"

    def _start(self):
        for attempt in range(5):
            self.port = peer.free_port()
            self.launch(["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", *self.options], stdin=peer.PIPE,
                        stdout=peer.PIPE)
            try:
                self.wait_ready(lambda: peer.listens(self.port))
                break
            except peer.PeerFailed:
                if attempt == 4 or "in use" not in self.log():
                    raise
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def seen(self):
        """[(protocol, cipher, subject of the client's certificate or "")]"""
        found = []
        for part in self.log().split("Protocol version: ")[1:]:
            cipher = re.search(r"^Ciphersuite: (.*)$", part, re.M)
            subject = re.search(r"^Peer certificate: (.*)$", part, re.M)
            found.append((part.split("\n", 1)[0], cipher[1] if cipher else "", subject[1] if subject else ""))
        return found

    def _serve(self):
        while True:
            try:
                line = self.process.stdout.readline()
                if not line:
                    return
                request = re.match(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r?\n$", line)
                if request:
                    self._answer(request[1].decode(), request[2].decode())
            except (OSError, ValueError):
                return

    def _answer(self, method, target):
        headers = http.client.parse_headers(self.process.stdout)
        body = self.process.stdout.read(int(headers.get("Content-Length", 0)))
        self.requests.append((method, target, dict(headers)))
        status, extra, text = self._ask(method, target, headers, body) if self.upstream else (self.status, [],
                                                                                              self.body)
        lines = [f"HTTP/1.1 {status} Answered", *extra, f"Content-Length: {len(text)}", "Connection: close", "", ""]
        self.process.stdin.write("\r\n".join(lines).encode("latin-1") + text)
        self.process.stdin.flush()

    def _ask(self, method, target, headers, body):
        place = urllib.parse.urlsplit(self.upstream)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        kept = {name: value for name, value in headers.items() if name not in _DROPPED}
        connection.request(method, target, body or None, kept)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, [f"{name}: {value}" for name, value in answer.getheaders() if name not in _DROPPED], text

    def stop(self, seconds=60):
        code = super().stop(seconds)
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        return code


def _arguments(parser):
    parser.add_argument("certificate")
    parser.add_argument("key")
    parser.add_argument("--protocol", choices=PROTOCOLS)
    parser.add_argument("--ciphers")
    parser.add_argument("--client-ca", metavar="FILE")
    parser.add_argument("--status", type=int, default=200)
    parser.add_argument("--upstream", metavar="URL")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: TlsServer(
        a.folder, a.certificate, a.key, a.protocol, a.ciphers, a.client_ca, a.status, upstream=a.upstream))
