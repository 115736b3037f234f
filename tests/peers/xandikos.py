#!/usr/bin/python3
"""Xandikos behind Apache. It knows no accounts and no passwords: whoever reaches it may write. So it listens on a Unix
socket that only the proxy in front of it can find, and the proxy says who may do what: each person everything under
/NAME/, `svc` reads everything.

Debian packages xandikos, apache2-bin, openssl. Passwords are the account's name + "pw".

    https://127.0.0.1:PORT/NAME/calendars/CALENDAR/
"""
import os
import socket

from dulwich import porcelain

import apache_dav
import peer

_PROXY = """\
ProxyPass / unix:{folder}/../xandikos/socket|http://127.0.0.1/ keepalive=On
"""


class _Server(peer.Peer):
    name = "xandikos"

    def __init__(self, folder):
        super().__init__(folder)
        peer.needs("/usr/bin/xandikos", "xandikos")
        self.make_folders("store")
        self.launch(["/usr/bin/python3", "/usr/bin/xandikos", "-d", self.path("store"), "-l", self.path("socket"),
                     "--current-user-principal", "/svc/", "--autocreate"], {"HOME": self.folder}, "www-data")
        peer.until(self.listens, "xandikos to listen", alive=self.alive)

    def listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.path("socket")) == 0


class Xandikos(apache_dav.Httpd):
    """`names`: the people."""
    def __init__(self, folder, names):
        folder = os.path.abspath(folder)
        self.server = _Server(os.path.join(folder, "xandikos"))
        peer.write(os.path.join(folder, "httpd"), "accounts", apache_dav.accounts(["svc", *names]))
        super().__init__(os.path.join(folder, "httpd"), _PROXY + apache_dav.logon("^/(?<OWNER>[^/]+)/"),
                         (*apache_dav.LOGON_MODULES, "proxy", "proxy_http"))

    def commit(self, path, text):
        """Stores a file in a calendar as it is: a calendar is a repository, and whoever keeps it may commit to it."""
        folder, name = os.path.split(self.server.path("store") + path)
        peer.write(folder, name, text)
        porcelain.add(folder, [os.path.join(folder, name)])
        porcelain.commit(folder, message=name.encode(), author=b"test <test@localhost>",
                         committer=b"test <test@localhost>")
        if os.geteuid() == 0:
            self.server.let_in("www-data")

    def stop(self, seconds=60):
        code = super().stop(seconds)
        self.server.stop(seconds)
        return code

    def all_logs(self):
        return super().all_logs() + self.server.log()


def _arguments(parser):
    parser.add_argument("names", metavar="NAME", nargs="+", help="a person")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: Xandikos(a.folder, a.names))
