"""gss-ntlmssp (through python3-gssapi) accepts our Type 3 or does not: levels, MIC, and the channel binding with its
flag.

    ntlm_gssapi.py NTLM_ANSWER

Level 1 is left out on the acceptor's side: gss-ntlmssp 1.2.0 accepts any password there.
"""
import base64
import hashlib
import os
import subprocess
import sys
import tempfile

PASSWORDS = {"CORP\\svc": "Passw0rd", "CORP\\jörg": "pässwörd", "dave@corp.example": "Upn-pass1"}
USERS = "CORP:svc:Passw0rd\nCORP:jörg:pässwörd\n:dave@corp.example:Upn-pass1\n"
CHANNEL_BOUND = 0x800
CERTIFICATE = b"stands for a certificate"


def accept(binding, answer, arguments):
    """One handshake in this process. Returns (accepted, bound, name or reason)."""
    import gssapi  # reads the environment

    ntlm = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
    extra = {}
    if binding:
        data = b"tls-server-end-point:" + binding
        extra["channel_bindings"] = gssapi.raw.ChannelBindings(application_data=data)
    context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(usage="accept", mechs=[ntlm]), **extra)
    ours = subprocess.Popen([answer, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")
    type2 = context.step(base64.b64decode(ours.stdout.readline()))
    type3, _ = ours.communicate(base64.b64encode(type2).decode() + "\n", timeout=60)
    if ours.returncode != 0:
        return False, False, f"no answer ({ours.returncode})"
    try:
        context.step(base64.b64decode(type3))
    except gssapi.exceptions.GSSError as error:
        return False, False, type(error).__name__
    return True, bool(int(context.actual_flags) & CHANNEL_BOUND), str(context.initiator_name).strip("\0")


def cases():
    """Acceptor's level, its binding, our arguments, expected (accepted, bound)."""
    for server in (0, 2, 3):
        for ours in (0, 1, 2, 3):
            welcome = server < 3 or ours == 3
            for account, password in PASSWORDS.items():
                yield server, None, [str(ours), account, password], (welcome, False)
                yield server, None, [str(ours), account, password + "x"], (False, False)
    good = ["3", "CORP\\svc", "Passw0rd"]
    right, wrong = hashlib.sha256(CERTIFICATE).digest(), hashlib.sha256(b"a relay's").digest()
    longer = hashlib.sha512(CERTIFICATE).digest()
    yield 3, None, good + ["--flip-mic"], (False, False)
    yield 3, None, good + ["--spn", "HTTP/mail.corp.example"], (True, False)
    yield 3, right, good, (True, False)
    yield 3, right, good + ["--cert-hash", right.hex()], (True, True)
    yield 3, right, good + ["--cert-hash", right.hex(), "--spn", "HTTP/mail.corp.example"], (True, True)
    yield 3, longer, good + ["--cert-hash", longer.hex()], (True, True)
    yield 3, right, good + ["--cert-hash", wrong.hex()], (False, False)


def run_level(level, answer):
    """All cases of one acceptor, whose level this process has in its environment. Prints them and, at the end, "good
    total"."""
    good = total = 0
    for _, binding, arguments, (accepted, bound) in (case for case in cases() if case[0] == level):
        got = accept(binding, answer, arguments)
        ok = got[:2] == (accepted, bound)
        good += ok
        total += 1
        level_and_account, password, more = arguments[:2], arguments[2], arguments[3:]
        secret = "right password" if password in PASSWORDS.values() else "wrong password"  # itself is not for logs
        what = " ".join([*level_and_account, secret, *(a if len(a) < 40 else a[:8] + "..." for a in more)])
        print(f"{'ok    ' if ok else 'FAILED'} acceptor at level {level}, {'binding, ' if binding else ''}{what}:",
              *got)
    print(good, total)


def main():
    if sys.argv[1] == "--level":
        return run_level(int(sys.argv[2]), sys.argv[3])
    good = total = 0
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".users") as users:
        users.write(USERS)
        users.flush()
        for level in (0, 2, 3):
            done = subprocess.run([sys.executable, __file__, "--level", str(level), sys.argv[1]],
                                  stdout=subprocess.PIPE,
                                  env=dict(os.environ, LC_ALL="C.UTF-8", NTLM_USER_FILE=users.name,
                                           LM_COMPAT_LEVEL=str(level)),
                                  encoding="utf-8", timeout=100, check=True)
            *lines, counts = done.stdout.splitlines()
            print("\n".join(lines))
            good += int(counts.split()[0])
            total += int(counts.split()[1])
    print(f"verdicts as expected: {good} of {total}")
    return 0 if good == total > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
