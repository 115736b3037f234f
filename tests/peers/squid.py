#!/usr/bin/python3
"""Squid as the way out of a site: a proxy with names and passwords of its own (Basic, 407), for http and for CONNECT.

Debian package squid. Every user of `users` may go anywhere on the loopback; `denied` may log on and then gets 403.
Without users nobody is asked. With connection_auth=False it takes NTLM and Negotiate out of answers, as proxies do that
do not keep two connections together.
"""
import glob
import os
import signal

import peer

BINARY, HELPER = "/usr/sbin/squid", "/usr/lib/squid/basic_ncsa_auth"
USERS = {"gateway": "proxy-secret", "denied": "denied-secret"}

_CONFIGURATION = """\
http_port 127.0.0.1:{port}{option}
pid_filename none
visible_hostname proxy.corp.example
coredump_dir {folder}
cache_log {folder}/cache.log
logfile_rotate 0
logformat ours %>p %un %>Hs %Ss "%rm %ru"
access_log stdio:{folder}/access.log logformat=ours
buffered_logs off
cache deny all
cache_mem 8 MB
memory_cache_shared off
memory_pools off
pinger_enable off
shutdown_lifetime 0 seconds
workers 1
max_filedescriptors 1024
dns_nameservers 127.0.0.1
{rules}
http_access deny all
{extra}
"""
_ASK = """\
auth_param basic program {helper} {folder}/users
auth_param basic children 2 startup=1 idle=1
auth_param basic realm proxy
auth_param basic credentialsttl 1 minute
acl known proxy_auth REQUIRED
acl refused proxy_auth denied
# With a name at its end a refusal would ask for another name.
http_access deny refused all
http_access allow known to_localhost
"""


class Squid(peer.Peer):
    """users: name: password, {} for a proxy that asks nobody."""
    name = "squid"
    report = ("url",)
    stop_signal = signal.SIGKILL  # it has nothing to save, and a polite end takes it two seconds

    def __init__(self, folder, users=None, connection_auth=True, extra=""):
        super().__init__(folder)
        peer.needs(BINARY, "squid")
        users = USERS if users is None else users
        rules = _ASK.format(helper=HELPER, folder=self.folder) if users else "http_access allow to_localhost"
        peer.write(self.folder, "users", "".join(f"{name}:{_hash(password)}\n" for name, password in users.items()),
                   0o600)
        option = "" if connection_auth else " connection-auth=off"

        def argv_for(port):
            configuration = peer.write(self.folder, "squid.conf", _CONFIGURATION.format(
                folder=self.folder, port=port, option=option, rules=rules, extra=extra))
            # The name keeps its shared memory apart from another Squid's.
            self.service = f"fb{os.getpid()}x{port}"
            return [BINARY, "-N", "-n", self.service, "-f", configuration]

        self.launch_on_free_port(argv_for, lambda: peer.listens(self.port), user="proxy")
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self, seconds=60):
        code = super().stop(seconds)
        for path in glob.glob(f"/dev/shm/{self.service}-*"):
            os.remove(path)
        return code

    def all_logs(self):
        path = self.path("cache.log")
        if not os.path.exists(path):
            return self.log()
        with open(path, encoding="utf-8", errors="replace") as file:
            return self.log() + file.read()

    def requests(self):
        """[(client port, user or "-", status, what it did, request)], each written when its answer was sent: poll."""
        with open(self.path("access.log"), encoding="utf-8", errors="replace") as file:
            rows = [line.split(" ", 4) for line in file.read().splitlines()]
        return [(int(port), user, int(status), what, request.strip('"')) for port, user, status, what, request in rows]


def _hash(password):
    return peer.run(["openssl", "passwd", "-apr1", "-stdin"], text=password + "\n").strip()


def _arguments(parser):
    parser.add_argument("--user", type=peer.login, action="append", metavar="NAME:PASSWORD",
                        help="default: " + ", ".join(USERS))
    parser.add_argument("--open", action="store_true", help="ask nobody")
    parser.add_argument("--no-connection-auth", action="store_true", help="take NTLM and Negotiate out of answers")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: Squid(
        a.folder, {} if a.open else dict(a.user) if a.user else None, not a.no_connection_auth))
