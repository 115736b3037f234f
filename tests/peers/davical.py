#!/usr/bin/python3
"""DAViCal: Debian's package in an Apache with PHP, over a PostgreSQL of its own.

Debian packages davical, libapache2-mod-php, apache2-bin, postgresql, openssl. The packaged configuration is used as it
is: it names no host, so that libpq takes it from the environment. Accounts and grants are rows of its database, as its
web interface makes them: each person owns her calendars, `svc` has what `privileges` says on each. Passwords are the
account's name + "pw".

    https://127.0.0.1:PORT/caldav.php/NAME/CALENDAR/
"""
import os

import apache_dav
import peer
import postgres

HOME = "/usr/share/davical"

_SITE = """\
DocumentRoot /usr/share/davical/htdocs
DirectoryIndex index.php
AcceptPathInfo On
AllowEncodedSlashes NoDecode
<Directory /usr/share/davical/htdocs>
  Require all granted
</Directory>
<FilesMatch "\\.php$">
  SetHandler application/x-httpd-php
</FilesMatch>
php_value include_path /usr/share/awl/inc:/usr/share/davical/inc
php_value default_charset utf-8
php_value error_reporting "E_ALL & ~E_NOTICE & ~E_DEPRECATED & ~E_WARNING"
php_value session.save_path {folder}/run
RewriteEngine On
RewriteRule ^/\\.well-known/(.*)$ /caldav.php/.well-known/$1 [NC,L]
"""
# Type 1 is a person; "**text" is the plain form of a password.
_PERSON = """\
INSERT INTO usr (user_no, active, email_ok, updated, username, password, fullname, email)
  VALUES ({number}, TRUE, current_date, current_date, '{name}', '**{name}pw', '{name}', '{name}@example.org');
INSERT INTO principal (principal_id, type_id, user_no, displayname, default_privileges)
  VALUES ({number}, 1, {number}, '{name}', 0::BIT(24));
"""
_GRANT = """\
DELETE FROM grants USING dav_principal o, dav_principal s
  WHERE by_principal = o.principal_id AND o.username = '{name}' AND to_principal = s.principal_id AND s.username = 'svc';
INSERT INTO grants (by_principal, to_principal, privileges, is_group)
  SELECT o.principal_id, s.principal_id, privilege_to_bits(ARRAY[{privileges}]), FALSE
    FROM dav_principal o, dav_principal s WHERE o.username = '{name}' AND s.username = 'svc';
"""
_FIRST_NUMBER = 2000


class Davical(apache_dav.Httpd):
    """`names`: the people; `privileges`: what svc may do with the calendars of each."""
    name = "davical"

    def __init__(self, folder, names, privileges=("DAV::read", "caldav:read-free-busy")):
        folder = os.path.abspath(folder)
        peer.needs(HOME, "davical")
        php = [m for m in sorted(os.listdir(apache_dav.MODULES)) if m.startswith("libphp")]
        if not php:
            raise peer.PeerFailed("PHP for Apache is missing: install the Debian package libapache2-mod-php")
        self.database = postgres.Postgres(os.path.join(folder, "database"))
        self.database.run(["sh", f"{HOME}/dba/create-database.sh", "davical", "adminpw"])
        people = "".join(_PERSON.format(number=_FIRST_NUMBER + i, name=name) for i, name in enumerate(["svc", *names]))
        granted = ", ".join(f"'{p}'" for p in privileges)
        self.database.sql("davical",
                          f"BEGIN;{people}{''.join(_GRANT.format(name=n, privileges=granted) for n in names)}COMMIT;")
        load = f"LoadModule php_module {apache_dav.MODULES}/{php[-1]}\n"
        super().__init__(os.path.join(folder, "httpd"), load + _SITE, ("alias", "dir", "env", "rewrite", "setenvif"),
                         "prefork",
                         self.database.environment)

    def grant(self, name, privileges):
        """What svc may do with this person's calendars from now on."""
        self.database.sql("davical", _GRANT.format(name=name, privileges=", ".join(f"'{p}'" for p in privileges)))

    def stop(self, seconds=60):
        code = super().stop(seconds)
        self.database.stop(seconds)
        return code

    def all_logs(self):
        return self.database.log() + super().all_logs()


def _arguments(parser):
    parser.add_argument("names", metavar="NAME", nargs="+", help="a person")
    parser.add_argument("--privilege", action="append",
                        help="of svc on each person's calendars [DAV::read, caldav:read-free-busy]")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: Davical(a.folder, a.names, *([a.privilege] if a.privilege else [])))
