#!/usr/bin/python3
"""Apache whose mod_auth_gssapi asks gss-ntlmssp: NTLM on the connection, judged by code that is not ours.

Besides apache.py's, Debian package gss-ntlmssp, which registers itself with GSSAPI. The level is that of the server's
environment, so one process each: at 0 it knows no extended session security and takes everything; at 2 also NTLM2
session responses; from 3 NTLMv2 only.

At level 1, and whenever NETBIOS_DOMAIN_NAME is set, gss-ntlmssp 1.2.0 compares the LM field, which in an NTLM2 session
response is only the client's challenge: every password passes. Both are refused here, a test against such a server
would prove nothing.

A refused logon tells its reason in error.log: "NTLM version 1 not allowed" (level), "Permission denied" (password or
MIC), "Unknown Error" (Type 3 on a connection without Type 1), "Failed to decode data" (Type 1 under 40 bytes, such as
curl's own).
"""
import apache
import peer

# Name and domain are found whatever their case, but NTLMv2 is computed over this spelling of the domain.
USERS = {"CORP\\svc": "Passw0rd", "CORP\\jost": "pässwörd", "long": "Secret-very-long-password-20",
         "dave@corp.example": "Upn-pass1"}

_LOGON = """\
  AuthType GSSAPI
  AuthName "ntlm"
  GssapiAllowedMech ntlmssp
  GssapiConnectionBound {bound}
  Require valid-user
"""


def user_file(folder, name, users):
    """The users as gss-ntlmssp reads them, for servers and for its own client. Returns the path."""
    rows = [(("", user) if "\\" not in user else tuple(user.split("\\", 1)), password)
            for user, password in users.items()]
    return peer.write(folder, name, "".join(f"{domain}:{user}:{password}\n" for (domain, user), password in rows))


def environment(users_path, level):
    if level not in (0, 2, 3, 4, 5):
        raise ValueError(f"level {level}: gss-ntlmssp takes any password there")
    return {"NTLM_USER_FILE": users_path, "LM_COMPAT_LEVEL": str(level)}


class ApacheNtlm(apache.Apache):
    """connection_bound=False: the 401 to a Type 1 carries no Type 2. The other arguments are apache.Apache's."""
    name = "apache_ntlm"
    report = ("url", "level")

    def __init__(self, folder, level=3, users=None, connection_bound=True, env=None, **more):
        self.level = level
        if "NETBIOS_DOMAIN_NAME" in (env or {}):
            raise ValueError("NETBIOS_DOMAIN_NAME makes gss-ntlmssp ignore its level")
        super().__init__(folder, _LOGON.format(bound="On" if connection_bound else "Off"),
                         env={**environment(user_file(folder, "users", users or USERS), level), **(env or {})}, **more)


def _arguments(parser):
    parser.add_argument("--level", type=int, default=3, choices=(0, 2, 3, 4, 5))
    parser.add_argument("--user", type=peer.login, action="append", metavar="DOMAIN\\NAME:PASSWORD",
                        help="default: " + ", ".join(USERS))
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    parser.add_argument("--upstream", metavar="URL", help="what is behind, instead of a folder")
    parser.add_argument("--upstream-authorization", metavar="VALUE", help="the Authorization header that it gets")
    parser.add_argument("--extra", default="", help="more lines of configuration")


if __name__ == "__main__":
    peer.main(__doc__, _arguments, lambda a: ApacheNtlm(
        a.folder, a.level, dict(a.user) if a.user else None, tls=a.tls, upstream=a.upstream,
        upstream_authorization=a.upstream_authorization, extra=a.extra))
