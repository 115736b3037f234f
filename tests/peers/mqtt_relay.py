#!/usr/bin/python3
"""A bad line to an MQTT broker: it loses each tenth message (or whichever it is told), pretends to know nothing newer
than 3.1.1, holds everything back, or breaks the connection.

It stands between a client and a broker of this machine and reads the packets that the client sends; whoever is lost
gets no acknowledgement.
"""
import argparse
import socket
import threading

PUBLISH, CONNECT = 3, 1


class Relay:
    def __init__(self, broker_port, lose_each=0, old=False):
        self.broker_port, self.lose_each, self.old = broker_port, lose_each, old
        self.seen = self.lost = self.connections = self.refused = 0
        self.hold = threading.Event()
        self.hold.set()  # cleared: nothing passes
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            broker = socket.create_connection(("127.0.0.1", self.broker_port), timeout=10)
        except OSError:
            client.close()
            return
        broker.settimeout(None)
        self.pairs.append((client, broker))
        threading.Thread(target=self._down, args=(broker, client), daemon=True).start()
        self._up(client, broker)

    def _down(self, broker, client):
        try:
            while data := broker.recv(65536):
                self.hold.wait()
                client.sendall(data)
        except OSError:
            pass
        self._end(client, broker)

    def _up(self, client, broker):
        stream = client.makefile("rb")
        try:
            while packet := self._packet(stream):
                self.hold.wait()
                if packet[0] >> 4 == CONNECT and self.old and self._level(packet) == 5:
                    self.refused += 1
                    client.sendall(bytes([0x20, 2, 0, 1]))  # CONNACK of 3.1.1: unacceptable protocol version
                    break
                if packet[0] >> 4 == PUBLISH:
                    self.seen += 1
                    if self.lose_each and self.seen % self.lose_each == 0:
                        self.lost += 1
                        continue
                broker.sendall(packet)
        except (OSError, ValueError):
            pass
        self._end(client, broker)

    @staticmethod
    def _packet(stream):
        head = stream.read(1)
        length, shift = 0, 0
        while head:
            byte = stream.read(1)
            if not byte:
                return b""
            head += byte
            length |= (byte[0] & 127) << shift
            shift += 7
            if byte[0] < 128:
                break
        return head + stream.read(length) if head else b""

    @staticmethod
    def _level(packet):
        at = 1
        while packet[at] >= 128:
            at += 1
        at += 1
        return packet[at + 2 + int.from_bytes(packet[at:at + 2], "big")]

    @staticmethod
    def _end(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def cut(self):
        """Breaks all connections; new ones are welcome."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            self._end(*pair)

    def stop(self):
        self.listener.close()
        self.hold.set()
        self.cut()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("broker_port", type=int)
    parser.add_argument("--lose-each", type=int, default=10)
    parser.add_argument("--old", action="store_true")
    arguments = parser.parse_args()
    relay = Relay(arguments.broker_port, arguments.lose_each, arguments.old)
    print(relay.port, flush=True)
    threading.Event().wait()
