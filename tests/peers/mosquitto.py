#!/usr/bin/python3
"""A mosquitto broker: nothing on disk, so that it forgets what it kept when it stops; with names and passwords, and
with TLS, when told so.

Debian packages mosquitto, mosquitto-clients. With users={"gw": "secret"} nobody else is let in; with
certificates=FOLDER (of certs.sh) it speaks TLS, and with client_certificates=True only to whoever shows one.
"""
import peer

BINARY, SUBSCRIBE = "/usr/sbin/mosquitto", "/usr/bin/mosquitto_sub"


class Mosquitto(peer.Peer):
    name = "mosquitto"

    def __init__(self, folder, users=None, certificates=None, certificate="good", client_certificates=False):
        super().__init__(folder)
        peer.needs(BINARY, "mosquitto")
        # as root it would become another user, who cannot read our files
        self.settings = ["user root", "persistence false", "max_queued_messages 0", "max_inflight_messages 0",
                         "log_dest stderr", "connection_messages true"]
        if users:
            passwords = peer.write(folder, "passwords", "".join(f"{name}:{word}\n" for name, word in users.items()))
            peer.run(["/usr/bin/mosquitto_passwd", "-U", passwords])
            self.settings += [f"password_file {passwords}"]
        self.settings += [f"allow_anonymous {'false' if users else 'true'}"]
        self.tls = []
        if certificates:
            self.tls = [f"certfile {certificates}/{certificate}.pem", f"keyfile {certificates}/{certificate}.key",
                        f"cafile {certificates}/ca.pem",
                        f"require_certificate {'true' if client_certificates else 'false'}"]
        self.start()

    def _argv(self, port):
        lines = [f"listener {port} 127.0.0.1", *self.tls, *self.settings]
        return [BINARY, "-c", peer.write(self.folder, "mosquitto.conf", "\n".join(lines) + "\n")]

    def start(self):
        """Again on the same port, after stop()."""
        if self.port:
            self.launch(self._argv(self.port))
            self.wait_ready(lambda: peer.listens(self.port))
        else:
            self.launch_on_free_port(self._argv, lambda: peer.listens(self.port))


if __name__ == "__main__":
    peer.main(__doc__, lambda p: p.add_argument("--user", metavar="NAME:PASSWORD"),
              lambda a: Mosquitto(a.folder, users=dict([peer.login(a.user)]) if a.user else None))
