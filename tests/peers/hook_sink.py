#!/usr/bin/python3
"""Somebody who takes webhooks, badly when told so: refuses, delays, lies and dies; remembers every request.

`then` holds what happens to the next requests, one word each, and to all others "ok":

    ok           200                              500, 503, 404 ...   that status
    429:N        429 with Retry-After: N          slow:N              200 after N seconds
    die          the connection ends unanswered   half                it ends inside the answer
    short        less body than announced         garbage             no HTTP at all
    to:URL       307 to URL                       moved:URL           302 to URL

It checks signatures as a receiver should: a wrong one, or one that is older than a minute, is answered with 401.
"""
import hashlib
import hmac
import http.server
import json
import re
import socket
import sys
import threading
import time


class HookSink:
    def __init__(self, secret=None, answer=None, port=0):
        self.secret, self.answer = secret, answer
        self.requests, self.then, self.always = [], [], "ok"
        self.lock = threading.Lock()
        self.port = port
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self):
        """Again on the same port, after stop()."""
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                sink.serve(self)

            do_GET = do_PUT = do_PATCH = do_POST

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that was cut, or that cut us
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        """Nobody listens any more. Connections that stand go on."""
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self.lock:
            self.requests.append({"method": handler.command, "path": handler.path, "headers": dict(handler.headers),
                                  "body": body.decode(),
                                  "at": time.time()})
            word = self.then.pop(0) if self.then else self.always
        if word == "ok" and self.secret and not self.genuine(handler.headers.get("Freebusyd-Signature", ""), body):
            word = "401"
        self.act(handler, word, body)

    def genuine(self, signature, body):
        match = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", signature)
        if not match or abs(time.time() - int(match[1])) > 60:
            return False
        return hmac.compare_digest(hmac.new(self.secret.encode(), match[1].encode() + b"." + body,
                                            hashlib.sha256).hexdigest(), match[2])

    def act(self, handler, word, body):
        kind, _, rest = word.partition(":")
        if kind in ("ok", "slow"):
            time.sleep(float(rest or 0))
            status, value = self.answer(handler, body) if self.answer else (200, {"ok": True})
            self.reply(handler, status, json.dumps(value).encode())
        elif kind.isdigit():
            self.reply(handler, int(kind), b"{}", {"Retry-After": rest} if rest else {})
        elif kind in ("to", "moved"):
            self.reply(handler, 307 if kind == "to" else 302, b"", {"Location": rest})
        else:
            raw = {"die": b"", "half": b"HTTP/1.1 200 OK\r\nContent-Le",
                   "short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
                   "garbage": b"\x00\x01 no HTTP\r\n\r\n"}[kind]
            handler.wfile.write(raw)
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def reply(handler, status, body, headers=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def states(self):
        """What a receiver that counts knows: address -> state, from requests that were answered or not, each number
        once."""
        known, seen = {}, set()
        for request in list(self.requests):
            value = json.loads(request["body"]) if request["body"] else {}
            if value.get("sequence") in seen:
                continue
            seen.add(value.get("sequence"))
            known.update({p["address"]: p["state"] for p in value.get("presence", [])})
        return known


if __name__ == "__main__":
    sink = HookSink(sys.argv[1] if len(sys.argv) > 1 else None)
    print(sink.url, flush=True)
    shown = 0
    while True:
        time.sleep(0.2)
        for one in sink.requests[shown:]:
            print(json.dumps(one), flush=True)
            shown += 1
