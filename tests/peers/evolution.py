#!/usr/bin/python3
"""Evolution's data server, asked what Evolution's meeting window would show.

    free_busy(FOLDER, CALENDAR_URL, LOGIN, PASSWORD, MAIL, START, END, ADDRESSES)

returns {ADDRESS: [[start, end, type]...] or None}; the first address is of somebody who is known. It runs on a D-Bus
session and with a key ring of its own, in a home of its own, and ends with the question. Packages:
evolution-data-server gir1.2-ecal-2.0 gir1.2-edataserver-1.2 python3-gi gnome-keyring dbus.

As a program, this file is the inner part: it runs inside that session, gets the question as JSON and prints the answer.
"""
import json
import os
import subprocess
import sys
import urllib.parse

ACCOUNT = """[Data Source]
DisplayName=Office
Enabled=true
Parent=caldav-stub

[Authentication]
Host={host}
Port={port}
User={login}
Method=plain/password
RememberPassword=true

[Security]
Method=none

[Calendar]
BackendName=caldav

[WebDAV Backend]
ResourcePath={path}
EmailAddress={mail}
CalendarAutoSchedule=true

[Offline]
StaySynchronized=false
"""

# The data server takes passwords from the Secret Service alone. An empty password opens a new key ring. What the bus
# starts by itself ends with the bus.
SESSION = ("printf '\\n' | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 & ring=$!; "
           '/usr/bin/python3 "$0" "$1"; code=$?; kill $ring; exit $code')


def free_busy(folder, url, login, password, mail, start, end, people):
    parts = urllib.parse.urlsplit(url)
    sources = os.path.join(folder, "config", "evolution", "sources")
    os.makedirs(sources)
    os.makedirs(os.path.join(folder, "run"), mode=0o700)
    with open(os.path.join(sources, "office.source"), "w", encoding="utf-8") as file:
        file.write(ACCOUNT.format(host=parts.hostname, port=parts.port, login=login, path=parts.path, mail=mail))
    question = json.dumps({"login": login, "password": password, "start": start, "end": end, "people": list(people)})
    env = {
        **os.environ, "HOME": folder,
        "XDG_CONFIG_HOME": os.path.join(folder, "config"),
        "XDG_CACHE_HOME": os.path.join(folder, "cache"),
        "XDG_DATA_HOME": os.path.join(folder, "data"),
        "XDG_RUNTIME_DIR": os.path.join(folder, "run"),
        "GIO_USE_PROXY_RESOLVER": "dummy",
        "TZ": "UTC"
    }
    with open(os.path.join(folder, "evolution.log"), "wb") as log:
        done = subprocess.run(["dbus-run-session", "--", "sh", "-c", SESSION,
                               os.path.abspath(__file__), question],
                              env=env,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=log,
                              timeout=200,
                              check=False)
    if done.returncode != 0:
        with open(os.path.join(folder, "evolution.log"), encoding="utf-8", errors="replace") as log:
            raise RuntimeError(f"evolution's data server: {done.returncode}: {log.read()[-2000:]}")
    return json.loads(done.stdout)


def ask(question):
    import gi
    gi.require_version("EDataServer", "1.2")
    gi.require_version("ECal", "2.0")
    from gi.repository import ECal, EDataServer, Gio
    import calendar
    import time

    wait_for_keys(Gio)
    registry = EDataServer.SourceRegistry.new_sync(None)
    source = registry.ref_source("office")
    keys = EDataServer.NamedParameters.new()
    keys.set("username", question["login"])
    keys.set("password", question["password"])
    EDataServer.SourceCredentialsProvider.new(registry).store_sync(source, keys, False, None)
    client = ECal.Client.connect_sync(source, ECal.ClientSourceType.EVENTS, 1, None)
    start, end = (calendar.timegm(time.strptime(question[key], "%Y%m%dT%H%M%SZ")) for key in ("start", "end"))

    def look(address):
        try:
            _, found = client.get_free_busy_sync(start, end, [address], None)
        except gi.repository.GLib.Error as error:
            print(f"{address}: {error.message}", file=sys.stderr)
            found = []
        return periods(found[0].get_as_string()) if found else None

    until = time.monotonic() + 60
    while look(question["people"][0]) is None and time.monotonic() < until:
        time.sleep(0.2)  # it goes online in its own time
    return {address: look(address) for address in question["people"]}


def wait_for_keys(gio):
    """Until somebody owns the Secret Service's name on this bus."""
    import time
    bus = gio.bus_get_sync(gio.BusType.SESSION, None)
    end = time.monotonic() + 60
    while not bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                            gi_text("org.freedesktop.secrets"), None, gio.DBusCallFlags.NONE, -1, None).unpack()[0]:
        if time.monotonic() > end:
            raise RuntimeError("no key ring on the bus")
        time.sleep(0.05)


def gi_text(text):
    from gi.repository import GLib
    return GLib.Variant("(s)", (text, ))


def periods(text):
    """The FREEBUSY lines of a VFREEBUSY as the data server writes it."""
    found = []
    for line in text.replace("\r\n ", "").replace("\n ", "").splitlines():
        name, _, value = line.partition(":")
        if name.split(";")[0] == "FREEBUSY":
            kind = next((p[7:] for p in name.split(";") if p.startswith("FBTYPE=")), "BUSY")
            for span in value.split(","):
                found.append([*span.split("/"), kind])
    return found


if __name__ == "__main__":
    print(json.dumps(ask(json.loads(sys.argv[1]))))
