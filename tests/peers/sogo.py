#!/usr/bin/python3
"""SOGo behind Apache, as it is always deployed, over a PostgreSQL and a memcached of its own.

Debian packages sogo, postgresql, apache2-bin, openssl. Accounts are rows of a view, passwords the account's name +
"pw"; each person owns a calendar named personal, on which `svc` has the roles `roles`, given by the owner as SOGo's web
interface gives them.

    https://127.0.0.1:PORT/SOGo/dav/NAME/Calendar/personal/

All of its settings are on the command line, where GNUstep puts them before those of /etc/sogo/sogo.conf. That file must
be readable all the same: who may not read it gets an empty one in its place, in a mount namespace.
"""
import base64
import os
import signal
import ssl
import subprocess
import urllib.request

import apache_dav
import peer
import postgres

BINARY, SITE = "/usr/sbin/sogod", "/etc/sogo/sogo.conf"
_TABLES = {"SOGoProfileURL": "sogo_user_profile", "OCSFolderInfoURL": "sogo_folder_info",
           "OCSSessionsFolderURL": "sogo_sessions_folder",
           "OCSEMailAlarmsFolderURL": "sogo_alarms_folder", "OCSStoreURL": "sogo_store", "OCSAclURL": "sogo_acl",
           "OCSCacheFolderURL": "sogo_cache_folder"}
_VIEW = """\
CREATE TABLE people (c_uid varchar(60) PRIMARY KEY, c_name varchar(60), c_password varchar(60), c_cn varchar(60), mail varchar(60));
INSERT INTO people VALUES {rows};
"""
_SOURCE = """({{ type = sql; id = directory; viewURL = "{url}/people"; canAuthenticate = YES; isAddressBook = YES; displayName = People;
userPasswordAlgorithm = plain; }})"""
_PROXY = """\
ProxyPreserveHost On
SetEnv proxy-nokeepalive 1
ProxyPass /SOGo http://127.0.0.1:{sogod}/SOGo retry=0 nocanon
RequestHeader set x-webobjects-server-port "{port}"
RequestHeader set x-webobjects-server-name "127.0.0.1"
RequestHeader set x-webobjects-server-url "https://127.0.0.1:{port}"
RequestHeader set x-webobjects-server-protocol "HTTP/1.0"
RequestHeader unset x-webobjects-remote-user
RewriteEngine On
RewriteRule ^/.well-known/caldav/?$ /SOGo/dav [R=301]
"""
_SET_ROLES = '<acl-query xmlns="urn:inverse:params:xml:ns:inverse-dav"><set-roles user="svc">{roles}</set-roles></acl-query>'
ROLES = ("PublicViewer", "ConfidentialViewer", "PrivateViewer")


class _Memcached(peer.Peer):
    name = "memcached"

    def __init__(self, folder):
        super().__init__(folder)
        peer.needs("/usr/bin/memcached", "memcached")
        self.launch(["/usr/bin/memcached", "-s", self.path("socket"), "-a", "777", "-m", "16"], user="memcache")
        peer.until(lambda: os.path.exists(self.path("socket")), "memcached's socket", alive=self.alive)


class _Sogod(peer.Peer):
    name = "sogod"

    def __init__(self, folder, database, cache):
        super().__init__(folder)
        peer.needs(BINARY, "sogo")
        url = f"postgresql://{postgres.USER}@127.0.0.1:{database.port}/sogo"
        self.settings = {**{key: f"{url}/{table}" for key, table in _TABLES.items()},
                         "SOGoUserSources": _SOURCE.format(url=url),
                         "SOGoMemcachedHost": cache.path("socket"), "SOGoTimeZone": "UTC",
                         "SOGoMailDomain": "example.org",
                         "SOGoAppointmentSendEMailNotifications": "NO", "SOGoCalendarDAVAccessEnabled": "YES",
                         # With several, each makes the tables that the others make.
                         "WOWorkersCount": "1", "WOUseWatchDog": "YES", "WONoDetach": "YES", "WOLogFile": "-",
                         "WOPidFile": self.path("pid")}

        def argv_for(port):
            arguments = [f for key, value in {**self.settings, "WOPort": f"127.0.0.1:{port}"}.items()
                         for f in (f"-{key}", value)]
            return [*self.readable(), BINARY, *arguments]

        self.launch_on_free_port(argv_for, lambda: peer.listens(self.port), {"HOME": self.folder}, "sogo")

    def launch(self, argv, env=None, user=None, **popen):
        super().launch(argv, env, user, start_new_session=True, **popen)

    def stop(self, seconds=60):
        """At once and with its workers: SIGTERM makes it wait for them, and nothing here is to last."""
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        return super().stop(seconds)

    def readable(self):
        """What has to stand before a program of SOGo's."""
        if os.geteuid() == 0 or os.access(SITE, os.R_OK):
            return []
        # Root only for the mount, sogod does not want to be.
        script = f'mount --bind "$0" {SITE} && exec unshare --user --map-user={os.geteuid()} --map-group={os.getegid()} "$@"'
        return ["unshare", "-r", "-m", "sh", "-c", script, peer.write(self.folder, "empty.conf", "{ }\n")]

    def tool(self, *arguments):
        """sogo-tool, on the same settings."""
        owner = {"user": "sogo", "group": "sogo", "extra_groups": []} if os.geteuid() == 0 else {}
        settings = [f for key, value in self.settings.items() for f in (f"-{key}", value)]
        done = subprocess.run([*self.readable(), "sogo-tool", *arguments, *settings],
                              env={**os.environ, "HOME": self.folder},
                              capture_output=True, text=True, timeout=60, check=False, **owner)
        if done.returncode != 0:
            raise peer.PeerFailed(f"sogo-tool {' '.join(arguments)}: exit {done.returncode}: {(done.stdout + done.stderr)[-1000:]}")


class Sogo(apache_dav.Httpd):
    """`names`: the people; `roles`: those of svc on the calendar of each."""
    name = "sogo"

    def __init__(self, folder, names, roles=ROLES):
        folder = os.path.abspath(folder)
        self.database = postgres.Postgres(os.path.join(folder, "database"), tcp=True)
        self.database.run([f"{self.database.binaries}/createdb", "sogo"])
        rows = ", ".join(f"('{name}', '{name}', '{name}pw', '{name}', '{name}@example.org')" for name in ("svc",
                                                                                                          *names))
        self.database.sql("sogo", _VIEW.format(rows=rows))
        self.cache = _Memcached(os.path.join(folder, "cache"))
        self.sogod = _Sogod(os.path.join(folder, "sogod"), self.database, self.cache)
        super().__init__(os.path.join(folder, "httpd"), _PROXY.replace("{sogod}", str(self.sogod.port)),
                         ("alias", "env", "headers", "proxy", "proxy_http", "rewrite"))
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        for name in names:
            self.grant(name, roles)

    def grant(self, name, roles):
        """The roles that svc has on this person's calendar from now on; the first request of its owner makes the
        calendar."""
        body = _SET_ROLES.format(roles="".join(f"<{role}/>" for role in roles))
        authorization = "Basic " + base64.b64encode(f"{name}:{name}pw".encode()).decode()
        request = urllib.request.Request(f"{self.url}/SOGo/dav/{name}/Calendar/personal/", body.encode(),
                                         {"Authorization": authorization,
                                          "Content-Type": "application/xml; charset=utf-8"})
        urllib.request.urlopen(request, context=self.tls, timeout=60).close()

    def set_zone(self, name, zone):
        """The person's time zone, which is that of her calendars."""
        self.sogod.tool("user-preferences", "set", "defaults", name, "SOGoTimeZone", f'"{zone}"')

    def stop(self, seconds=60):
        code = super().stop(seconds)
        for part in (self.sogod, self.cache, self.database):
            part.stop(seconds)
        return code

    def all_logs(self):
        return self.database.log() + self.sogod.log() + super().all_logs()


def _arguments(parser):
    parser.add_argument("names", metavar="NAME", nargs="+", help="a person")
    parser.add_argument("--role", action="append", help=f"of svc on each calendar {list(ROLES)}")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: Sogo(a.folder, a.names, *([a.role] if a.role else [])))
