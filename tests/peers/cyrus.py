#!/usr/bin/python3
"""Cyrus: its master with https for calendars and, on a Unix socket in DIR, IMAP for the administrator, who grants by
IMAP ACL.

Debian packages cyrus-caldav, cyrus-imapd, sasl2-bin, openssl. As root it runs as `cyrus`, else as whoever started it.
DIR/ca.pem is the certificate. Each person owns a calendar named Default, made at her first request as Cyrus does; `svc`
has the rights `rights` on it, and the default grant to everybody is taken away. Passwords are the account's name +
"pw"; mail addresses are NAME@example.org.

    https://127.0.0.1:PORT/dav/calendars/user/NAME/Default/       for NAME
    https://127.0.0.1:PORT/dav/calendars/user/svc/NAME.Default/   for svc
"""
import base64
import imaplib
import os
import pwd
import socket
import ssl
import urllib.error
import urllib.request

import apache_dav
import peer

BINARIES = "/usr/lib/cyrus/bin"

_IMAPD = """\
cyrus_user: {user}
configdirectory: {folder}/lib
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
defaultpartition: default
partition-default: {folder}/spool
sievedir: {folder}/sieve
servername: localhost
unixhierarchysep: yes
altnamespace: yes
# The default domain must be that of the addresses, or they lead to nobody.
virtdomains: userid
defaultdomain: example.org
calendar_user_address_set: example.org
admins: cyradm
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb
sasl_mech_list: PLAIN
allowplaintext: yes
tls_server_cert: {folder}/ca.pem
tls_server_key: {folder}/key.pem
httpmodules: caldav freebusy
# The owner's first request makes home, Default, Inbox and Outbox.
autocreate_post: 1
caldav_create_default: yes
conversations: 0
"""
_MASTER = """\
START {{
  recover cmd="{binaries}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  https cmd="{binaries}/httpd -s -C {folder}/imapd.conf" listen="127.0.0.1:{port}" prefork=2 maxchild=20
  imap cmd="{binaries}/imapd -C {folder}/imapd.conf" listen="{folder}/imap" prefork=0 maxchild=5
}}
EVENTS {{
}}
"""


class _Administrator(imaplib.IMAP4):
    """IMAP over a Unix socket, as cyradm."""

    def open(self, host="", port=0, timeout=None):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(host)
        self.file = self.sock.makefile("rb")

    def must(self, answer):
        if answer[0] != "OK":
            raise peer.PeerFailed(f"cyrus: {answer}")


class Cyrus(peer.Peer):
    """`names`: the people; `rights`: what svc may do (l look up, r read, 9 free/busy only)."""
    name = "cyrus"
    report = ("url", "ca_file")

    def __init__(self, folder, names, rights="lr9"):
        super().__init__(folder)
        peer.needs(f"{BINARIES}/master", "cyrus-imapd")
        peer.needs(f"{BINARIES}/httpd", "cyrus-caldav")
        peer.needs("/usr/sbin/saslpasswd2", "sasl2-bin")
        self.ca_file = apache_dav.certificate(self.folder)
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        self.make_folders("lib", "lib/db", "lib/log", "lib/msg", "lib/proc", "lib/ptclient", "lib/quota", "lib/socket",
                          "lib/user", "run",
                          "run/proc", "run/lock", "spool", "sieve")
        user = "cyrus" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        peer.write(self.folder, "imapd.conf", _IMAPD.format(folder=self.folder, user=user))
        for name in ("cyradm", "svc", *names):
            peer.run(["saslpasswd2", "-p", "-c", "-f", self.path("sasldb"), "-u", "localhost", name], text=name + "pw")

        def argv_for(port):
            peer.write(self.folder, "cyrus.conf", _MASTER.format(binaries=BINARIES, folder=self.folder, port=port))
            return [f"{BINARIES}/master", "-C", self.path("imapd.conf"), "-M", self.path("cyrus.conf"), "-p",
                    self.path("run/pid")]

        self.launch_on_free_port(argv_for, self.answers, user="cyrus")
        self.url = f"https://127.0.0.1:{self.port}"
        self.make_homes(names, rights)

    def launch(self, argv, env=None, user=None, **popen):
        """In a session of its own: at its end the master signals its whole process group."""
        super().launch(argv, env, user, start_new_session=True, **popen)

    def answers(self):
        return peer.listens(self.port) and self.request("OPTIONS", "svc", "/dav/") is not None

    def request(self, method, login, path):
        """The status; None: it does not answer yet."""
        authorization = "Basic " + base64.b64encode(f"{login}:{login}pw".encode()).decode()
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", method=method,
                                         headers={"Authorization": authorization, "Depth": "0"})
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def make_homes(self, names, rights):
        administrator = _Administrator(self.path("imap"))
        administrator.must(administrator.login("cyradm", "cyradmpw"))
        for name in ("svc", *names):
            administrator.must(administrator.create(f"user/{name}"))
            status = self.request("PROPFIND", name, f"/dav/calendars/user/{name}/")
            if status != 207:
                raise peer.PeerFailed(f"cyrus: no home for {name}: {status}")
        for name in names:
            for calendars in (f"user/{name}/#calendars", f"user/{name}/#calendars/Default"):
                administrator.must(administrator.setacl(calendars, "svc", rights))
                administrator.must(administrator.deleteacl(calendars, "anyone"))
            # Otherwise TRANSP is each reader's own and svc sees none.
            administrator.must(administrator.xatom("SETMETADATA", f'"user/{name}/#calendars/Default"',
                                                   '(/shared/vendor/cmu/cyrus-imapd/sharedseen "true")'))
        administrator.logout()


def _arguments(parser):
    parser.add_argument("names", metavar="NAME", nargs="+", help="a person")
    parser.add_argument("--rights", default="lr9", help="of svc on each person's calendar")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: Cyrus(a.folder, a.names, a.rights))
