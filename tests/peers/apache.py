"""An Apache of our own: one process for one test, a folder with WebDAV, or what stands behind `upstream`, for those who
log on.

How one logs on is the caller's: lines of configuration for <Location />. Used by apache_ntlm.py and kdc.py (Debian
packages apache2-bin, libapache2-mod-auth-gssapi). Without `upstream` it answers GET / with 200 and PROPFIND /dav/ with
207.

The access log has one line a request: client port, number of the request on its connection, user, status, request line.
That is how a test proves that all legs of a handshake went over one connection.
"""
import os
import shutil

import peer

BINARY, MODULES = "/usr/sbin/apache2", "/usr/lib/apache2/modules"

_CONFIGURATION = """\
ServerRoot {folder}
PidFile {folder}/run/httpd.pid
DefaultRuntimeDir {folder}/run
Mutex file:{folder}/run
Listen 127.0.0.1:{port}
ServerName localhost
ErrorLog {folder}/error.log
LogLevel info
LogFormat "%{{remote}}p %k %u %>s \\"%r\\"" connections
CustomLog {folder}/access.log connections
DocumentRoot {folder}/htdocs
DirectoryIndex index.html
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
StartServers 1
ServerLimit 1
ThreadLimit {threads}
ThreadsPerChild {threads}
MaxRequestWorkers {threads}
MinSpareThreads 1
MaxSpareThreads {threads}
{tls}
DavLockDB {folder}/run/davlock
<Location />
{logon}
</Location>
{backing}
{extra}
"""
_WEBDAV = """\
<Location /dav>
  Dav On
</Location>
"""
# What stands behind gets no Authorization header but, if told so, one of the caller's.
_UPSTREAM = """\
RequestHeader {authorization}
ProxyPass / {upstream}/ keepalive=On
ProxyPassReverse / {upstream}/
"""
_TLS = """\
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
SSLSessionCache none
{more}
"""


class Apache(peer.Peer):
    """`logon`: configuration that asks for a logon. tls=(certificate, key); tls_extra, extra: more lines of
    configuration. With few `threads` it closes idle connections in the middle of handshakes."""
    name = "apache"
    modules = ("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "dav", "dav_fs", "headers", "proxy",
               "proxy_http",
               "auth_gssapi")

    def __init__(self, folder, logon, env=None, tls=None, tls_extra="", upstream=None, upstream_authorization=None,
                 extra="", threads=100):
        super().__init__(folder)
        peer.needs(BINARY, "apache2-bin")
        peer.needs(os.path.join(MODULES, "mod_auth_gssapi.so"), "libapache2-mod-auth-gssapi")
        self.make_folders("htdocs", "htdocs/dav", "run")
        peer.write(self.folder, "htdocs/index.html", "hello\n")
        self.tls = tls is not None
        modules = self.modules + (("ssl",) if self.tls else ())
        loads = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in modules
                        if os.path.exists(f"{MODULES}/mod_{m}.so"))
        authorization = f"set Authorization \"{upstream_authorization}\"" if upstream_authorization else "unset Authorization"
        backing = _UPSTREAM.format(authorization=authorization, upstream=upstream.rstrip("/")) if upstream else _WEBDAV
        if tls:  # copies, which the user that Apache is can read
            tls = [shutil.copyfile(path, self.path(name)) for path, name in zip(tls, ("tls.pem", "tls.key"))]
        tls_part = _TLS.format(cert=tls[0], key=tls[1], more=tls_extra) if tls else ""

        def argv_for(port):
            text = _CONFIGURATION.format(folder=self.folder, port=port, threads=threads, tls=tls_part, logon=logon,
                                         backing=backing, extra=extra)
            peer.write(self.folder, "httpd.conf", loads + text)
            return [BINARY, "-f", self.path("httpd.conf"), "-DFOREGROUND"]

        self.launch_on_free_port(argv_for, lambda: os.path.exists(self.path("run/httpd.pid"))
                                 and peer.listens(self.port), env, "www-data")
        self.url = f"http{'s' if self.tls else ''}://localhost:{self.port}/"

    def error_log(self):
        with open(self.path("error.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def all_logs(self):
        return self.log() + (self.error_log() if os.path.exists(self.path("error.log")) else "")

    def requests(self):
        """[(client port, number on the connection, user or "-", status, request line)]"""
        with open(self.path("access.log"), encoding="utf-8", errors="replace") as file:
            rows = [line.split(" ", 4) for line in file.read().splitlines()]
        return [(int(port), int(number), user.replace("\\\\", "\\"), int(status), line.strip('"'))
                for port, number, user, status, line in rows]
