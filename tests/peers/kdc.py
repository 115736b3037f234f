#!/usr/bin/python3
"""A Kerberos realm of our own: MIT's KDC with its database in DIR, keytabs, and an Apache that takes tickets only.

Debian packages krb5-kdc, krb5-admin-server (for kadmin.local) and krb5-user; for the Apache those of apache.py. Host
names are taken as written, nothing is asked of DNS: https://localhost:PORT is the service HTTP/localhost,
http://127.0.0.1:PORT is HTTP/127.0.0.1.

    realm.env                         what a client needs in its environment to live in the realm
    realm.client_env("svc")           the same, and logs on with the keytab of svc by itself, as freebusyd does
"""
import os
import shutil
import subprocess

import apache
import peer

BINARY = "/usr/sbin/krb5kdc"
REALM = "CORP.EXAMPLE"
USERS = {"svc": "Passw0rd", "jost": "pässwörd"}
SERVICES = ("HTTP/localhost", "HTTP/127.0.0.1", "HTTP/mail.corp.example")
# The master key only protects the database of the test.
_MASTER = "master"

_CLIENT = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = {udp_limit}
 default_ccache_name = FILE:{folder}/ccache.%{{uid}}
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {realm}
 .corp.example = {realm}
"""
_SERVER = """\
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/kadm5.acl
  max_life = 10h
  default_principal_flags = +preauth
  supported_enctypes = aes256-cts-hmac-sha1-96:normal
  master_key_type = aes256-cts-hmac-sha1-96
 }}
[logging]
 kdc = FILE:{folder}/kdc.log
"""


class Kdc(peer.Peer):
    """users: name: password, each with FOLDER/NAME.keytab. udp=False: the client library asks over TCP at once."""
    name = "kdc"
    report = ("realm", "env")

    def __init__(self, folder, users=None, services=SERVICES, realm=REALM, udp=False):
        super().__init__(folder)
        peer.needs(BINARY, "krb5-kdc")
        peer.needs("/usr/sbin/kadmin.local", "krb5-admin-server")
        self.realm, self.users, self.udp = realm, USERS if users is None else users, udp
        self.env = {"KRB5_CONFIG": self.path("krb5.conf"), "KRB5_KDC_PROFILE": self.path("kdc.conf")}
        self._write(1)
        peer.run(["/usr/sbin/kdb5_util", "create", "-s", "-r", realm, "-P", _MASTER], self.env)
        self._fill(services)
        self.launch_on_free_port(self._write, lambda: peer.listens(self.port), self.env)

    def _write(self, port):
        values = {"realm": self.realm, "port": port, "folder": self.folder, "udp_limit": 1465 if self.udp else 1}
        peer.write(self.folder, "krb5.conf", _CLIENT.format(**values))
        peer.write(self.folder, "kdc.conf", _SERVER.format(**values))
        return [BINARY, "-n", "-P", self.path("kdc.pid")]

    def _fill(self, services):
        lines = []
        for user, password in self.users.items():
            lines += [f"addprinc -pw {password} {user}", f"ktadd -norandkey -k {self.path(user + '.keytab')} {user}"]
        for service in services:
            lines += [f"addprinc -randkey {service}", f"ktadd -norandkey -k {self.path('http.keytab')} {service}"]
        self.kadmin(*lines)

    def kadmin(self, *commands):
        """What an administrator of the realm would do: `cpw -pw new svc`, `modprinc -allow_tix svc`... Works while the
        KDC runs."""
        done = subprocess.run(["/usr/sbin/kadmin.local", "-r", self.realm], env={**os.environ, **self.env},
                              input="\n".join(commands) + "\n",
                              capture_output=True, text=True, timeout=60, check=False)
        # It goes on after a command that failed.
        if done.returncode != 0 or " while " in done.stderr:
            raise peer.PeerFailed(f"kadmin.local: {done.stderr.strip()}")
        return done.stdout

    def all_logs(self):
        path = self.path("kdc.log")
        if not os.path.exists(path):
            return self.log()
        with open(path, encoding="utf-8", errors="replace") as file:
            return self.log() + file.read()

    def keytab(self, user):
        return self.path(user + ".keytab")

    def client_env(self, user, cache=None):
        """Environment of a program that logs on by itself as the only principal of the user's keytab."""
        cache = cache or self.path(f"ccache.{user}")
        return {"KRB5_CONFIG": self.env["KRB5_CONFIG"], "KRB5_CLIENT_KTNAME": self.keytab(user),
                "KRB5CCNAME": f"FILE:{cache}"}


_LOGON = """\
  AuthType GSSAPI
  AuthName "kerberos"
  GssapiAllowedMech krb5
  GssapiCredStore keytab:{keytab}
  Require valid-user
"""


class ApacheNegotiate(apache.Apache):
    """An Apache in the realm. per_connection: a ticket is wanted once a connection, otherwise with every request. Its
    folder has copies of what it needs of the realm."""
    name = "apache_negotiate"
    report = ("url",)

    def __init__(self, folder, realm, per_connection=False, **more):
        folder = os.path.abspath(folder)
        os.makedirs(folder, exist_ok=True)
        keytab = shutil.copy(realm.path("http.keytab"), folder)
        configuration = shutil.copy(realm.path("krb5.conf"), folder)
        logon = _LOGON.format(keytab=keytab) + ("  GssapiConnectionBound On\n" if per_connection else "")
        env = {"KRB5_CONFIG": configuration, "KRB5RCACHEDIR": folder}
        super().__init__(folder, logon, env, **more)


class Realm:
    """A KDC and an Apache in it: what the program gives."""

    def __init__(self, arguments):
        self.kdc = Kdc(arguments.folder, dict(arguments.user) if arguments.user else None)
        self.apache = ApacheNegotiate(os.path.join(arguments.folder, "apache"), self.kdc, upstream=arguments.upstream)
        self.port, self.process, self.alive = self.apache.port, self.apache.process, self.apache.alive
        self.report = ("url", "kdc_port", "env", "keytabs")
        self.url, self.kdc_port, self.env = self.apache.url, self.kdc.port, self.kdc.env
        self.keytabs = {user: self.kdc.keytab(user) for user in self.kdc.users}


def _arguments(parser):
    parser.add_argument("--user", type=peer.login, action="append", metavar="NAME:PASSWORD",
                        help="default: " + ", ".join(USERS))
    parser.add_argument("--upstream", metavar="URL", help="what is behind the Apache, instead of a folder")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, Realm)
