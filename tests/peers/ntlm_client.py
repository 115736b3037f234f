#!/usr/bin/python3
"""NTLM clients that nobody here wrote: python3-ntlm-auth message by message at levels 0 to 3, or python3-requests-ntlm
(level 3).

    ntlm_client.py URL --user 'CORP\\svc' --password SECRET [--level N] [--method PROPFIND] [--requests] [--cafile FILE]
    [--binding good|wrong]

Prints one line of JSON: status of every answer, the last answer's headers, and how many connections it opened.
python3-ntlm-auth needs MD4, which OpenSSL 3 has only in its legacy provider; the program starts itself again with a
configuration that loads it.
"""
import argparse
import base64
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.parse

_LEGACY_NAME = "openssl-legacy.cnf"
_LEGACY = """\
openssl_conf = init
[init]
providers = providers
[providers]
default = on
legacy = on
[on]
activate = 1
"""


def legacy_environment(folder):
    """An environment whose OpenSSL has MD4, for Debian's python3."""
    path = os.path.join(folder, _LEGACY_NAME)
    with open(path, "w", encoding="ascii") as file:
        file.write(_LEGACY)
    return {**os.environ, "OPENSSL_CONF": path}


def have_md4():
    try:
        hashlib.new("md4")
        return True
    except ValueError:
        return False


def again_with_md4():
    """Starts the running script again in an environment with MD4, unless it has it. Call first in a script that uses
    attempt(). The programs that the script starts do not inherit that environment."""
    if not have_md4():
        with tempfile.TemporaryDirectory() as folder:
            sys.exit(subprocess.run(["/usr/bin/python3", *sys.argv], env=legacy_environment(folder),
                                    check=False).returncode)
    if os.path.basename(os.environ.get("OPENSSL_CONF", "")) == _LEGACY_NAME:
        del os.environ["OPENSSL_CONF"]


def binding_of(certificate, wrong):
    """RFC 5929 tls-server-end-point of a DER certificate that is signed with SHA-1 or SHA-256; `wrong`: as if it were
    another one."""
    digest = hashlib.sha256(certificate + (b"?" if wrong else b"")).digest()
    return b"tls-server-end-point:" + digest


def attempt(url, user, password, level=3, method="GET", cafile=None, binding=None):
    """One logon with python3-ntlm-auth, and one more request on the connection. binding: None, "good" or "wrong"."""
    from ntlm_auth.gss_channel_bindings import GssChannelBindingsStruct
    from ntlm_auth.ntlm import NtlmContext
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=cafile)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # for certificates signed with SHA-1
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    connection.connect()
    struct = None
    if binding:
        struct = GssChannelBindingsStruct()
        struct[struct.APPLICATION_DATA] = binding_of(connection.sock.getpeercert(True), binding == "wrong")
    domain, _, name = user.rpartition("\\")
    ntlm = NtlmContext(name, password, domain, ntlm_compatibility=level, cbt_data=struct)
    ntlm.negotiate_flags |= 4  # REQUEST_TARGET: without it gss-ntlmssp sends no target info
    seen = {"statuses": [], "ports": set()}

    def ask(token):
        headers = {"Depth": "0", **({"Authorization": f"NTLM {base64.b64encode(token).decode()}"} if token else {})}
        connection.request(method, parts.path or "/", headers=headers)
        seen["ports"].add(connection.sock.getsockname()[1])
        answer = connection.getresponse()
        answer.read()
        seen["statuses"].append(answer.status)
        return answer

    answer = ask(ntlm.step())
    offers = [value[5:] for value in answer.headers.get_all("WWW-Authenticate", []) if value.startswith("NTLM ")]
    if offers:
        answer = ask(ntlm.step(base64.b64decode(offers[0])))
        if answer.status != 401:
            answer = ask(None)  # the connection stays logged on
    connection.close()
    return {"statuses": seen["statuses"], "status": answer.status, "headers": dict(answer.headers),
            "connections": len(seen["ports"])}


def attempt_requests(url, user, password, method="GET", cafile=None, binding=None):
    """The same by python3-requests-ntlm, which knows level 3 only and asks without a name first."""
    import requests
    from requests_ntlm import HttpNtlmAuth
    session = requests.Session()
    session.trust_env = False
    session.auth = HttpNtlmAuth(user, password, send_cbt=binding == "good")
    answer = session.request(method, url, headers={"Depth": "0"}, verify=cafile or True, timeout=60)
    return {"statuses": [r.status_code for r in answer.history] + [answer.status_code], "status": answer.status_code,
            "headers": dict(answer.headers)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--level", type=int, default=3, choices=range(4))
    parser.add_argument("--method", default="GET")
    parser.add_argument("--cafile")
    parser.add_argument("--binding", choices=("good", "wrong"))
    parser.add_argument("--requests", action="store_true")
    arguments = parser.parse_args()
    again_with_md4()
    common = {"method": arguments.method, "cafile": arguments.cafile, "binding": arguments.binding}
    if arguments.requests:
        print(json.dumps(attempt_requests(arguments.url, arguments.user, arguments.password, **common)))
    else:
        print(json.dumps(attempt(arguments.url, arguments.user, arguments.password, arguments.level, **common)))


if __name__ == "__main__":
    main()
