#!/usr/bin/python3
"""GNOME's own WebDAV client, by which Evolution publishes free/busy: a folder is mounted with a name and a password, and
files in it are replaced, as that program does it.

    save(FOLDER, URL, LOGIN, PASSWORD, [(NAME, FILE), ...])

returns the exit codes of mounting and of each file, and what was said. It runs on a D-Bus session of its own, in a home
of its own, and ends with the call. Packages: gvfs-backends gvfs-daemons libglib2.0-bin dbus.
"""
import os
import shlex
import subprocess
import urllib.parse


def save(folder, url, login, password, files):
    parts = urllib.parse.urlsplit(url)
    scheme = {"http": "dav", "https": "davs"}[parts.scheme]
    base = f"{scheme}://{urllib.parse.quote(login, safe='')}@{parts.netloc}{parts.path}"
    script = f"printf '%s\\n' \"$PASSWORD\" | gio mount {shlex.quote(base)}; echo code $?\n"
    for name, path in files:
        script += f"gio save {shlex.quote(base + urllib.parse.quote(name))} < {shlex.quote(path)}; echo code $?\n"
    script += f"gio mount -u {shlex.quote(base)}\n"
    os.makedirs(folder, mode=0o700)
    done = subprocess.run(["dbus-run-session", "--", "sh", "-c", script], capture_output=True, text=True, timeout=120,
                          check=False, env={**os.environ, "HOME": folder, "XDG_RUNTIME_DIR": folder, "PASSWORD": password})
    return [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("code ")], done.stdout + done.stderr
