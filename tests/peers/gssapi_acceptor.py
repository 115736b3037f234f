#!/usr/bin/python3
"""A web server over TLS that checks channel binding: python3-gssapi accepts NTLM through gss-ntlmssp, with
tls-server-end-point (RFC 5929) of the certificate that it shows.

Debian packages python3-gssapi and gss-ntlmssp. The library takes a client that binds nothing; one that binds something
else it refuses like a wrong password. So what counts is the flag: the answer to a client that was bound has
"X-Channel-Bound: yes", and with required=True (Extended Protection) nobody else is let in. `logons` has every verdict.

    NTLM and Negotiate with raw NTLM messages; a logon lasts as long as its connection; GET answers 200, everything else
    207.
"""
import base64
import hashlib
import http.server
import json
import os
import re
import ssl
import sys

import apache_ntlm
import peer

BOUND = 0x800  # GSS_C_CHANNEL_BOUND_FLAG
MULTISTATUS = b'<?xml version="1.0"?><a:multistatus xmlns:a="DAV:"/>'


class GssapiAcceptor(peer.Peer):
    """certificate, key: PEM files. shown: the certificate that clients are expected to bind to instead, as if something
    in between had its own. level: as apache_ntlm's."""
    name = "gssapi_acceptor"
    report = ("url", "level")

    def __init__(self, folder, certificate, key, level=3, users=None, required=False, shown=None):
        super().__init__(folder)
        env = apache_ntlm.environment(apache_ntlm.user_file(self.folder, "users", users or apache_ntlm.USERS), level)
        self.level, self.log_name = level, peer.write(self.folder, "logons", "")
        argv = ["/usr/bin/python3", os.path.abspath(__file__), "--serve", self.log_name, certificate, key,
                shown or certificate,
                "required" if required else "optional"]
        # It takes a free port itself.
        self.launch(argv, env, stdout=peer.PIPE)
        self.wait_ready(self._said)
        self.process.stdout.close()
        self.url = f"https://localhost:{self.port}/"

    def _said(self):
        line = self.process.stdout.readline()
        self.port = int(line) if line else None
        return self.port

    @property
    def logons(self):
        """[{"user": name or None, "bound": whether, "why": "" or the library's complaint}]"""
        with open(self.log_name, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def end_point(certificate):
    """RFC 5929 section 4.1: the hash of the certificate's signature, but never MD5 or SHA-1."""
    pem = first_certificate(certificate)
    der = ssl.PEM_cert_to_DER_cert(pem)
    text = peer.run(["openssl", "x509", "-noout", "-text"], text=pem)
    name = re.search(r"Signature Algorithm: .*?(md5|sha1|sha224|sha256|sha384|sha512)", text, re.I)[1].lower()
    digest = hashlib.new("sha256" if name in ("md5", "sha1") else name, der).digest()
    return b"tls-server-end-point:" + digest


def first_certificate(path):
    with open(path, encoding="ascii") as file:
        return re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", file.read(), re.S)[0]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, log_path, certificate, key, shown, required):
        import gssapi
        super().__init__(("127.0.0.1", 0), Handler)
        self.gssapi, self.required, self.log = gssapi, required, open(log_path, "a", encoding="utf-8")
        ntlm = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
        self.credentials = gssapi.Credentials(usage="accept", mechs=[ntlm])
        self.bindings = gssapi.raw.ChannelBindings(application_data=end_point(shown))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.set_ciphers("DEFAULT:@SECLEVEL=0")  # for certificates signed with SHA-1
        self.tls.load_cert_chain(certificate, key)

    def handle_error(self, request, client_address):
        print(f"{client_address}: {sys.exc_info()[1]!r}", file=sys.stderr)

    def new_context(self):
        return self.gssapi.SecurityContext(usage="accept", channel_bindings=self.bindings, creds=self.credentials)

    def note(self, user, bound, why=""):
        self.log.write(json.dumps({"user": user, "bound": bound, "why": why}) + "\n")
        self.log.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection. `context`: a handshake that is under way; `user`: who is logged on."""
    protocol_version = "HTTP/1.1"
    context = user = None
    bound = False

    def setup(self):
        # Here, in the connection's own thread: a client that is slow with its handshake holds up nobody.
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_any(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() in ("ntlm", "negotiate") and token:
            self.user = None
            self.step(scheme, token)
        elif self.user:
            self.serve()
        else:
            self.refuse()

    do_GET = do_HEAD = do_POST = do_PROPFIND = do_SEARCH = do_OPTIONS = do_REPORT = do_any

    def step(self, scheme, token):
        try:
            message = base64.b64decode(token, validate=True)
            if message[8:12] == b"\1\0\0\0" or self.context is None:
                self.context = self.server.new_context()
            answer = self.context.step(message)
        except (ValueError, self.server.gssapi.exceptions.GSSError) as error:
            self.server.note(None, False, str(error))
            self.context = None
            self.refuse()
            return
        if not self.context.complete:
            self.refuse(f"{scheme} {base64.b64encode(answer).decode()}")
            return
        self.bound = bool(int(self.context.actual_flags) & BOUND)
        name = str(self.context.initiator_name).rstrip("\0")
        self.context = None
        if self.server.required and not self.bound:
            self.server.note(name, False, "channel binding is required")
            self.refuse()
            return
        self.server.note(name, self.bound)
        self.user = name
        self.serve()

    def refuse(self, challenge=None):
        self.send_response(401)
        for offer in [challenge] if challenge else ["Negotiate", "NTLM"]:
            self.send_header("WWW-Authenticate", offer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self):
        plain = self.command in ("GET", "HEAD")
        body = b"hello\n" if plain else MULTISTATUS
        self.send_response(200 if plain else 207)
        self.send_header("X-Channel-Bound", "yes" if self.bound else "no")
        self.send_header("Content-Type", "text/plain" if plain else "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(log_path, certificate, key, shown, required):
    server = Server(log_path, certificate, key, shown, required == "required")
    print(server.server_port, flush=True)
    server.serve_forever()


def _arguments(parser):
    parser.add_argument("certificate")
    parser.add_argument("key")
    parser.add_argument("--level", type=int, default=3, choices=(0, 2, 3, 4, 5))
    parser.add_argument("--required", action="store_true", help="refuse clients that bind nothing")
    parser.add_argument("--shown", metavar="FILE", help="the certificate that clients are expected to see instead")
    parser.add_argument("--user", type=peer.login, action="append", metavar="DOMAIN\\NAME:PASSWORD")


def _start(a):
    return GssapiAcceptor(a.folder, a.certificate, a.key, a.level, dict(a.user) if a.user else None, a.required,
                          a.shown)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        peer.main(__doc__, _arguments, _start)
