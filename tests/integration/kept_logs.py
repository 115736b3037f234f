#!/usr/bin/python3
"""What the programs of a whole test run wrote, kept until its end, and then searched for everything that is nobody's
business.

    kept_logs.py begin      forgets the logs of the run before (ctest runs this first)
    kept_logs.py search     after all tests: no password, no hash of one, no credential and no cookie in any of them,
    nor in what ctest
                            kept of the tests' own output

A test calls keep(FOLDER, NAME) when it is over. A file of its folder that only its owner may read and that is one line
is a planted secret.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys

BUILD = os.environ["FB_BUILD"]
FOLDER = os.path.join(BUILD, "artefacts", "logs")
PLANTED = os.path.join(BUILD, "artefacts", "planted")
SHORTEST = 8  # what is shorter is a word that may stand anywhere
ACCOUNTS = ("EXAMPLE\\svc-presence", "svc-presence", "CORP\\svc", "svc", "gateway", "denied")
# Type 3 of NTLM, a SPNEGO token, cookies of a form with their value, a header with its credential.
CREDENTIALS = re.compile(rb'TlRMTVNTUAADAAAA|Negotiate YI[A-Za-z0-9+/]{40}|cadata="[^"]|sessionid=[0-9a-f]{8}|'
                         rb'(?i:authorization: ?)(?:Basic|NTLM|Negotiate) [A-Za-z0-9+/=]{8}')


def is_log(name):
    return name.endswith((".log", ".out")) or name == "out"


def keep(folder, name):
    """Copies the logs below a test's folder, and notes the secrets that lie beside them."""
    for where, _, names in os.walk(folder):
        for one in names:
            path = os.path.join(where, one)
            if is_log(one) and os.path.isfile(path):
                to = os.path.join(FOLDER, name, os.path.relpath(path, folder))
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copyfile(path, to)
            elif os.path.isfile(path):
                plant_file(path)


def plant_file(path):
    status = os.stat(path)
    if stat.S_IMODE(status.st_mode) != 0o600 or status.st_size > 1024 or path.endswith(".pin"):
        return
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "replace").rstrip("\n")
    if len(text) >= SHORTEST and "\n" not in text:
        plant(text)


def plant(*secrets):
    os.makedirs(os.path.dirname(PLANTED), exist_ok=True)
    with open(os.open(PLANTED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
        for secret in secrets:
            file.write(json.dumps(secret) + "\n")


def planted():
    """Every secret in the forms in which it could get into a log: as it is, as Basic has it, its NT hash."""
    secrets = set()
    if os.path.exists(PLANTED):
        with open(PLANTED, encoding="utf-8") as file:
            secrets = {json.loads(line) for line in file}
    forms = {}
    for secret in secrets:
        for form in forms_of(secret):
            forms[form] = secret
    return secrets, forms


def forms_of(secret):
    done = subprocess.run(["openssl", "dgst", "-md4", "-provider", "legacy", "-provider", "default", "-r"],
                          input=secret.encode("utf-16-le"), capture_output=True, check=True)
    nt_hash = done.stdout.split()[0].decode()
    plain = [secret, nt_hash, nt_hash.upper(), base64.b64encode(bytes.fromhex(nt_hash)).decode()]
    return plain + [base64.b64encode(f"{account}:{secret}".encode()).decode() for account in ACCOUNTS]


def logs():
    """Those that tests kept, and what ctest has of this run so far."""
    for where, _, names in os.walk(FOLDER):
        yield from (os.path.join(where, name) for name in names)
    for name in ("LastTest.log.tmp",):
        path = os.path.join(BUILD, "Testing", "Temporary", name)
        if os.path.exists(path):
            yield path


def where_planted(forms, paths):
    """(path, offset, text) of each first place in a file. grep, because thousands of forms are slow as one expression."""
    done = subprocess.run(["grep", "-FaobHZ", "-f", "-", "--", *paths, os.devnull], input="\n".join(forms).encode(),
                          stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}, check=False)
    if done.returncode > 1:
        sys.exit("grep failed")
    seen = set()
    for line in done.stdout.split(b"\n")[:-1]:
        path, _, rest = line.partition(b"\0")
        offset, _, text = rest.partition(b":")
        if path not in seen:
            seen.add(path)
            yield path.decode(), int(offset), text


def search():
    secrets, forms = planted()
    paths, size, places = list(logs()), 0, []
    for path in paths:
        with open(path, "rb") as file:
            text = file.read()
        size += len(text)
        match = CREDENTIALS.search(text)
        if match:
            places.append((path, match.start(), match[0]))
    if forms:
        places += where_planted(forms, paths)
    for path, offset, text in places:
        with open(path, "rb") as file:
            number = file.read(offset).count(b"\n") + 1
        print(f"{path}:{number}: {len(text)} characters of a secret or credential "
              f"(sha256 {hashlib.sha256(text).hexdigest()[:8]})")
    print(f"{len(paths)} logs of {size >> 10} KiB searched for {len(secrets)} planted secrets in {len(forms)} forms: "
          f"{len(places)} found")
    return not places


def main():
    if sys.argv[1] == "begin":
        shutil.rmtree(FOLDER, ignore_errors=True)
        if os.path.exists(PLANTED):
            os.remove(PLANTED)
        return
    sys.exit(0 if search() else 1)


if __name__ == "__main__":
    main()
