#!/usr/bin/python3
"""Apache over TLS, and with it a folder of `.ifb` files behind WebDAV and a password: each person writes her own, `svc`
reads all.

Debian packages apache2-bin and openssl. DIR/httpd/ca.pem is the certificate. Passwords are the account's name + "pw".

    https://127.0.0.1:PORT/freebusy/NAME.ifb     NAME may PUT and DELETE it, svc may GET and PROPFIND

Httpd alone is what other peers stand behind or run in: Xandikos and SOGo behind its proxy, DAViCal in its PHP.
"""
import base64
import hashlib
import os

import peer

BINARY, MODULES = "/usr/sbin/apache2", "/usr/lib/apache2/modules"

_CONFIGURATION = """\
{loads}
ServerRoot {folder}
PidFile {folder}/run/httpd.pid
DefaultRuntimeDir {folder}/run
Mutex file:{folder}/run
Listen 127.0.0.1:{port}
ServerName 127.0.0.1
ErrorLog {folder}/error.log
LogFormat "%u \\"%r\\" %>s %b" requests
CustomLog {folder}/access.log requests
TypesConfig /etc/mime.types
DocumentRoot {folder}/htdocs
KeepAlive On
MaxKeepAliveRequests 0
{processes}
SSLEngine on
SSLCertificateFile {folder}/ca.pem
SSLCertificateKeyFile {folder}/key.pem
SSLSessionCache none
{body}
"""
# One process with threads; where PHP runs inside there can be no threads.
_PROCESSES = {
    "event": "StartServers 1\nServerLimit 1\nThreadLimit 20\nThreadsPerChild 20\nMaxRequestWorkers 20\nMinSpareThreads 1\nMaxSpareThreads 20",
    "prefork": "StartServers 2\nMinSpareServers 1\nMaxSpareServers 4\nServerLimit 8\nMaxRequestWorkers 8",
}

# Who may do what: the service account reads, everybody does as they like with what is theirs.
_LOGON = """\
<Location />
  AuthType Basic
  AuthName "calendars"
  AuthBasicProvider file
  AuthUserFile {folder}/accounts
  # Otherwise what svc may not do is answered as if its password were wrong.
  AuthzSendForbiddenOnFailure On
  <RequireAll>
    Require user svc
    Require method GET HEAD OPTIONS PROPFIND REPORT
  </RequireAll>
</Location>
<LocationMatch "{own}">
  <RequireAny>
    <RequireAll>
      Require user svc
      Require method GET HEAD OPTIONS PROPFIND REPORT
    </RequireAll>
    Require user %{env:MATCH_OWNER}
  </RequireAny>
</LocationMatch>
"""
LOGON_MODULES = ("authn_core", "authn_file", "auth_basic", "authz_user")
_FILES = """\
AddType text/calendar .ifb .vfb .ics
DavLockDB {folder}/run/davlock
<Location /freebusy>
  Dav On
</Location>
"""


def certificate(folder):
    """FOLDER/ca.pem and FOLDER/key.pem, valid for 127.0.0.1."""
    peer.needs("/usr/bin/openssl", "openssl")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(folder, "ca.pem")):
        peer.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                  "30",
                  "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                  "-keyout", os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "ca.pem")])
    return os.path.join(folder, "ca.pem")


def logon(own):
    """Lines of configuration. `own`: an expression for paths, in which a group named OWNER is the account they belong
    to."""
    return _LOGON.replace("{own}", own)


def accounts(names):
    """Lines of an AuthUserFile: NAME with the password NAMEpw."""
    return "".join(f"{name}:{{SHA}}{base64.b64encode(hashlib.sha1((name + 'pw').encode()).digest()).decode()}\n"
                   for name in names)


class Httpd(peer.Peer):
    """`body`: lines of configuration, {folder} and {port} in it are replaced; `modules` besides those of every
    Httpd."""
    name = "httpd"
    report = ("url", "ca_file")

    def __init__(self, folder, body, modules=(), mpm="event", env=None):
        super().__init__(folder)
        peer.needs(BINARY, "apache2-bin")
        self.ca_file = certificate(self.folder)
        self.make_folders("htdocs", "run")
        wanted = (f"mpm_{mpm}", "authz_core", "mime", "ssl", *modules)
        loads = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in wanted)

        def argv_for(port):
            text = _CONFIGURATION.format(loads=loads, folder=self.folder, port=port, processes=_PROCESSES[mpm],
                                         body=body.replace("{folder}", self.folder).replace("{port}", str(port)))
            return [BINARY, "-f", peer.write(self.folder, "httpd.conf", text), "-DFOREGROUND"]

        self.launch_on_free_port(argv_for, lambda: os.path.exists(self.path("run/httpd.pid"))
                                 and peer.listens(self.port), env, "www-data")
        self.url = f"https://127.0.0.1:{self.port}"

    def launch(self, argv, env=None, user=None, **popen):
        """In a session of its own: prefork's parent ends its children by signalling the whole process group."""
        super().launch(argv, env, user, start_new_session=True, **popen)

    def all_logs(self):
        parts = [self.log()]
        for name in ("error.log", "access.log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    parts.append(file.read())
        return "".join(parts)


class ApacheDav(Httpd):
    """The folder of `.ifb` files. `names`: whose they are."""
    name = "apache_dav"

    def __init__(self, folder, names):
        folder = os.path.join(os.path.abspath(folder), "httpd")
        peer.write(folder, "accounts", accounts(["svc", *names]))
        os.makedirs(os.path.join(folder, "htdocs", "freebusy"), exist_ok=True)
        super().__init__(folder, _FILES + logon("^/freebusy/(?<OWNER>[^/]+)\\.ifb$"), (*LOGON_MODULES, "dav", "dav_fs"))


def _arguments(parser):
    parser.add_argument("names", metavar="NAME", nargs="+", help="a person with a file")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: ApacheDav(a.folder, a.names))
