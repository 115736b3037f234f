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
CREDENTIALS = re.compile(r'TlRMTVNTUAADAAAA|Negotiate YI[A-Za-z0-9+/]{40}|cadata="[^"]|sessionid=[0-9a-f]{8}|'
                         r'(?i:authorization: ?)(?:Basic|NTLM|Negotiate) [A-Za-z0-9+/=]{8}')


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


def search():
    secrets, forms = planted()
    pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) or r"\Z.")
    found, count, size = [], 0, 0
    for path in logs():
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "replace")
        count, size = count + 1, size + len(text)
        for match in (pattern.search(text), CREDENTIALS.search(text)):
            if match:
                number = text.count("\n", 0, match.start()) + 1
                digest = hashlib.sha256(match[0].encode()).hexdigest()[:8]
                found.append(f"{path}:{number}: {len(match[0])} characters of a secret or credential (sha256 {digest})")
    print("\n".join(found))
    print(f"{count} logs of {size >> 10} KiB searched for {len(secrets)} planted secrets in {len(forms)} forms: "
          f"{len(found)} found")
    return not found


def main():
    if sys.argv[1] == "begin":
        shutil.rmtree(FOLDER, ignore_errors=True)
        if os.path.exists(PLANTED):
            os.remove(PLANTED)
        return
    sys.exit(0 if search() else 1)


if __name__ == "__main__":
    main()
