"""A line between the daemon and a server, on which every byte is kept: for tests that say what may be on it."""
import re
import select
import socket
import ssl
import threading


class Capture:
    """Listens in clear text on a port of its own; dials the server for each connection, with TLS when there is a
    certificate to trust. `said` and `heard` hold what the daemon and the server said, by connection; nothing of it is
    compressed, because nobody is asked for that."""

    def __init__(self, port, ca_file=None):
        self.far_port, self.said, self.heard, self.lock = port, {}, {}, threading.Lock()
        self.tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            near, _ = self.listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self.far_port))
                if self.tls:
                    far = self.tls.wrap_socket(far, server_hostname="127.0.0.1")
            except OSError:
                near.close()
                continue
            number = len(self.said)
            self.said[number], self.heard[number] = b"", b""
            threading.Thread(target=self._carry, args=(near, far, number), daemon=True).start()

    def _carry(self, near, far, number):
        """One thread for both ways: a TLS connection is not for two."""
        ways = {near: (far, self.said), far: (near, self.heard)}
        try:
            with near, far:
                while ways:
                    ready = [far] if self.tls and far in ways and far.pending() else select.select(list(ways), [], [])[0]
                    for source in ready:
                        target, kept = ways[source]
                        piece = source.recv(65536)
                        if not piece:
                            target.shutdown(socket.SHUT_WR)
                            del ways[source]
                        if source is near:
                            piece = piece.replace(b"Accept-Encoding:", b"Compress-Nothing:")
                        with self.lock:
                            kept[number] += piece
                        target.sendall(piece)
        except OSError:
            pass

    def all_said(self):
        with self.lock:
            return b"\n".join(self.said.values())

    def all_heard(self):
        with self.lock:
            return b"\n".join(self.heard.values())

    def requests(self):
        """(verb, header, body) of each whole HTTP request."""
        with self.lock:
            said = list(self.said.values())
        for text in said:
            while b"\r\n\r\n" in text:
                head, _, rest = text.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
                size = int(length[1]) if length else 0
                if len(rest) < size:
                    break
                yield head.split(b" ", 1)[0].decode(), head.decode(), rest[:size].decode()
                text = rest[size:]
