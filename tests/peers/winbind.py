#!/usr/bin/python3
"""Samba's verdict on NTLM, without a domain: winbindd with a list of accounts and a policy, asked through ntlm_auth.

Debian packages winbind and libnss-wrapper; not `samba`, which would share files. It opens Unix sockets in DIR only.

    YR <Type 1 in base64>    TT <Type 2>
    KK <Type 3>              AF DOMAIN\\user | NA NT_STATUS_... | BH nonsense

is spoken on standard input and output by DIR/ntlm_auth, a script that runs the helper in the right environment. One
process serves one handshake after the other; a connection that is kept needs one of its own only while its handshake
lasts.

Policies are the server's `ntlm auth`: ntlmv1-permitted takes levels 0 to 3, mschapv2-and-ntlmv2-only and ntlmv2-only
level 3 and say LOGON_FAILURE to the others as if the password were wrong, disabled says NTLM_BLOCKED to all of them. A
locked account is locked under every policy, and for every password.
"""
import base64
import functools
import glob
import os
import subprocess
import time

import peer

BINARY, HELPER = "/usr/sbin/winbindd", "/usr/bin/ntlm_auth"
POLICIES = ("ntlmv1-permitted", "mschapv2-and-ntlmv2-only", "ntlmv2-only", "disabled")

# Password, and how it is with the account; the verdict on the right password is in VERDICTS.
USERS = {"svc": ("Passw0rd", ""), "jost": ("pässwörd", ""), "disabled": ("Passw0rd", "disabled"),
         "locked": ("Passw0rd", "locked"),
         "mustchange": ("Passw0rd", "must-change"), "expired": ("Passw0rd", "expired")}
VERDICTS = {"svc": "AF CORP\\svc", "jost": "AF CORP\\jost", "disabled": "NA NT_STATUS_ACCOUNT_DISABLED",
            "locked": "NA NT_STATUS_ACCOUNT_LOCKED_OUT", "mustchange": "NA NT_STATUS_PASSWORD_MUST_CHANGE",
            "expired": "NA NT_STATUS_PASSWORD_EXPIRED"}
# winbindd insists on being root; root of a user namespace will do.
_AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "-r"]
_DAY = 86400
# Account flags of smbpasswd(5) and the age of the password; it may be 90 days old.
_CONTROL = {"": ("U", _DAY), "disabled": ("DU", _DAY), "locked": ("LU", _DAY), "must-change": ("U", None),
            "expired": ("U", 365 * _DAY)}

# A standalone machine is its own domain: workgroup and name must be equal.
_CONFIGURATION = """\
[global]
 workgroup = {domain}
 netbios name = {domain}
 server role = standalone server
 passdb backend = {accounts}
 lock directory = {folder}/lock
 state directory = {folder}/state
 cache directory = {folder}/cache
 private dir = {folder}/private
 pid directory = {folder}/pid
 winbindd socket directory = {folder}/socket
 ncalrpc dir = {folder}/ncalrpc
 interfaces = lo
 bind interfaces only = yes
 # They would outlive winbindd.
 rpc start on demand helpers = no
 lanman auth = {lanman}
 ntlm auth = {policy}
"""
# Only under the wrapper does Samba's client library look at the socket that the environment names.
_HELPER = """\
#!/bin/sh
# ntlm_auth of this winbindd, for whatever asks for verdicts. Extra arguments go to it.
{exports}
exec {as_root}{helper} --configfile='{configuration}' --helper-protocol=squid-2.5-ntlmssp "$@"
"""
_LONE_HELPER = """\
#!/bin/sh
# ntlm_auth with one password of its own: any name and domain passes with it, whatever kind of response.
LC_ALL=C.UTF-8 exec {helper} --configfile=/dev/null --helper-protocol=squid-2.5-ntlmssp --domain={domain} --password="$(cat '{secret}')" "$@"
"""


@functools.lru_cache
def nt_hash(password):
    """MD4 of UTF-16, by the openssl program: Python's may not have it."""
    done = subprocess.run(["openssl", "dgst", "-md4", "-provider", "legacy", "-provider", "default", "-r"],
                          input=password.encode("utf-16-le"), capture_output=True, check=True)
    return done.stdout.split()[0].decode().upper()


def lone_helper(folder, password, domain="CORP"):
    """A script as DIR/ntlm_auth that needs neither winbindd nor root: it knows one password. Returns its path."""
    peer.needs(HELPER, "winbind")
    secret = peer.write(folder, "lone-password", password, 0o600)
    return peer.write(folder, "ntlm_auth-alone", _LONE_HELPER.format(helper=HELPER, domain=domain, secret=secret),
                      0o755)


class Judge:
    """The helper as an object, for a server that wants verdicts: one handshake after the other."""

    def __init__(self, helper):
        self.process = subprocess.Popen([helper], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _say(self, word, message):
        self.process.stdin.write(f"{word} {base64.b64encode(message).decode()}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def challenge(self, type1):
        """The Type 2, or None for a Type 1 that is not understood."""
        word, _, token = self._say("YR", type1).partition(" ")
        return base64.b64decode(token) if word == "TT" else None

    def verdict(self, type3):
        """AF DOMAIN\\user, NA STATUS or BH, as said."""
        return self._say("KK", type3)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Winbind(peer.Peer):
    """users: name: (password, "" or disabled, locked, must-change, expired). lockout_after=N: a real lock-out after N
    wrong passwords for half an hour, of users that have no other trouble."""
    name = "winbind"
    report = ("helper", "policy")

    def __init__(self, folder, policy="ntlmv2-only", users=None, domain="CORP", lanman=False, lockout_after=0):
        super().__init__(folder)
        peer.needs(BINARY, "winbind")
        peer.needs((glob.glob("/usr/lib/*/libnss_wrapper.so") + ["libnss_wrapper.so"])[0], "libnss-wrapper")
        self.policy, self.domain = policy, domain
        self.users = users or ({"svc": USERS["svc"]} if lockout_after else USERS)
        self.make_folders("lock", "state", "cache", "private", "pid", "socket", "ncalrpc")
        # The text file cannot count wrong passwords, the database cannot be given old ones.
        accounts = f"tdbsam:{self.folder}/private/passdb.tdb" if lockout_after else f"smbpasswd:{self.folder}/private/smbpasswd"
        self.configuration = peer.write(self.folder, "smb.conf", _CONFIGURATION.format(
            folder=self.folder, domain=domain, policy=policy, lanman="yes" if lanman else "no", accounts=accounts))
        self.env = {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_PASSWD": self.path("passwd"),
                    "NSS_WRAPPER_GROUP": self.path("group"),
                    "SELFTEST_WINBINDD_SOCKET_DIR": self.path("socket")}
        self._write_unix_users()
        if lockout_after:
            self._add_users(lockout_after)
        else:
            self._write_users()
        exports = "\n".join(f"export {name}='{value}'" for name, value in self.env.items())
        script = _HELPER.format(exports=exports, as_root="".join(w + " " for w in _AS_ROOT), helper=HELPER,
                                configuration=self.configuration)
        self.helper = peer.write(self.folder, "ntlm_auth", script, 0o755)
        self.launch([*_AS_ROOT, BINARY, "-F", "--no-process-group", "-l", self.folder, "-s", self.configuration],
                    self.env)
        self.wait_ready(self._answers)

    def _write_unix_users(self):
        """Accounts for a C library that asks the wrapper; Samba wants its own to have one of these."""
        passwd, group = peer.run(["getent", "passwd"]), peer.run(["getent", "group"])
        for number, name in enumerate(self.users, 7001):
            passwd += f"{name}:x:{number}:{number}::/nonexistent:/bin/false\n"
            group += f"{name}:x:{number}:\n"
        peer.write(self.folder, "passwd", passwd)
        peer.write(self.folder, "group", group)

    def _write_users(self):
        rows = ""
        for number, (name, (password, control)) in enumerate(self.users.items(), 7001):
            flags, age = _CONTROL[control]
            changed = 0 if age is None else int(time.time()) - age
            rows += f"{name}:{number}:{'X' * 32}:{nt_hash(password)}:[{flags:<11}]:LCT-{changed:08X}:\n"
        peer.write(self.folder, "private/smbpasswd", rows, 0o600)
        if any(control == "expired" for _, control in self.users.values()):
            self._set_policy("maximum password age", 90 * _DAY)

    def change_password(self, name, password):
        """From the next logon on."""
        self.users = {**self.users, name: (password, self.users[name][1])}
        self._write_users()

    def _add_users(self, lockout_after):
        for name, (password, control) in self.users.items():
            if control:
                raise ValueError(f"{name}: {control} and lockout_after do not go together")
            peer.run([*_AS_ROOT, "smbpasswd", "-c", self.configuration, "-L", "-a", "-s", name], self.env,
                     f"{password}\n{password}\n")
        self._set_policy("bad lockout attempt", lockout_after)

    def _set_policy(self, name, value):
        peer.run([*_AS_ROOT, "net", "-s", self.configuration, "sam", "policy", "set", name, str(value)], self.env)

    def _answers(self):
        done = subprocess.run([*_AS_ROOT, "wbinfo", "-p"], env={**os.environ, **self.env}, capture_output=True,
                              timeout=60, check=False)
        return done.returncode == 0


def _arguments(parser):
    parser.add_argument("policy", choices=POLICIES)
    parser.add_argument("--domain", default="CORP")
    parser.add_argument("--user", type=peer.login, action="append", metavar="NAME:PASSWORD",
                        help="default: " + ", ".join(USERS))
    parser.add_argument("--lockout-after", type=int, default=0, metavar="N",
                        help="lock an account after N wrong passwords")
    parser.add_argument("--lanman", action="store_true", help="take LM responses too")


def _start(a):
    return Winbind(a.folder, a.policy, {name: (password, "") for name, password in a.user} if a.user else None,
                   a.domain, a.lanman,
                   a.lockout_after)


if __name__ == "__main__":
    peer.main(__doc__, _arguments, _start)
