"""The simulator's NTLM, judged by clients that nobody here wrote, with verdicts of winbindd: python3-ntlm-auth at every
level, python3-requests-ntlm and curl. What they never send is sent by hand."""
import base64
import http.client
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import company  # noqa: E402
import harness  # noqa: E402
import ntlm_client  # noqa: E402
import winbind  # noqa: E402
from harness import check, check_equal  # noqa: E402

USER, SECRET = "EXAMPLE\\svc-presence", "svc-secret"
USERS = {"svc-presence": (SECRET, ""), "jost": ("pässwörd", ""), "disabled": (SECRET, "disabled"),
         "locked": (SECRET, "locked"),
         "mustchange": (SECRET, "must-change"), "expired": (SECRET, "expired")}
DATA = company.company("appointment anna@example.test now-1h +12h busy", *(
    "mailbox jost@example.test account=jost password=pässwörd",), *(
        f"mailbox {name}@example.test account={name} password={SECRET}" for name in ("disabled", "locked", "mustchange",
                                                                                     "expired")))
# Kinds of answer by the client's level: with extended session security in the challenge, and without.
KINDS = {"full": ("v1", "session", "session", "v2"), "no-info": ("v1", "session", "session", "v2"),
         "plain": ("v1", "v1", "v1", "v2")}
CODES = {"locked": "0x80070775", "disabled": "0x80070533", "expired": "0x80070532", "mustchange": "0x80070773",
         "svc-presence": "0x8007052e"}


def start(folder, policy="ntlmv1-permitted", **faults):
    judge = winbind.Winbind(os.path.join(folder, "winbind"), policy, USERS, "EXAMPLE")
    sim = harness.Simulator(folder, DATA, args=["--ntlm-helper", judge.helper, "--set", "auth=ntlm"])
    sim.judge = judge  # stays as long as the simulator
    if faults:
        sim.control("PUT", "/faults", faults)
    return sim, sim.url + "anna@example.test/"


def counters(sim):
    return sim.control("GET", "/counters")


def attempt(url, user=USER, password=SECRET, level=3):
    return ntlm_client.attempt(url, user, password, level, "PROPFIND")["statuses"]


def end(sim):
    check_equal(sim.program.stop(), 0, "the simulator's exit code")
    sim.judge.stop()


def levels(folder):
    """Every level, every challenge; the answer is of the kind that Windows would send; one handshake, and the
    connection is kept."""
    sim, url = start(folder)
    for challenge, kinds in KINDS.items():
        sim.control("PUT", "/faults", {"ntlm-challenge": challenge})
        for level, kind in enumerate(kinds):
            sim.control("DELETE", "/counters")
            what = f"challenge {challenge}, level {level}"
            check_equal(attempt(url, level=level), [401, 207, 207], what)
            seen = counters(sim)
            check_equal((seen["connections"], seen["logons"]["accepted"], seen["ntlm"].get(kind)), (1, 1, 1),
                        f"{what}: {seen['ntlm']}")
            check_equal(attempt(url, password="wrong", level=level), [401, 401], what + ", wrong password")
            sim.control("PUT", "/accounts", {"account": "svc-presence", "state": "normal"})
    end(sim)


def clients(folder):
    """python3-requests-ntlm and curl; a password and names beyond ASCII; the account without its domain."""
    sim, url = start(folder)
    check_equal(ntlm_client.attempt_requests(url, USER, SECRET, "PROPFIND")["statuses"], [401, 401, 207],
                "requests-ntlm")
    check_equal(ntlm_client.attempt_requests(url, USER, "wrong", "PROPFIND")["status"], 401,
                "requests-ntlm, wrong password")
    curl = ["curl", "-q", "-s", "-S", "--noproxy", "*", "--max-time", "60", "--ntlm", "-X", "PROPFIND", "-H",
            "Depth: 0", "-w",
            "%{http_code} %{num_connects} ", "-o", "/dev/null", "-o", "/dev/null"]
    for password, expected in ((SECRET, "207 1 207 0 "), ("wrong", "401 1 401 0 ")):
        done = subprocess.run([*curl, "-u", f"{USER}:{password}", url, url], capture_output=True, text=True, timeout=60,
                              check=False)
        check_equal(done.stdout, expected, f"curl --ntlm with {password}: {done.stderr}")
    sim.control("PUT", "/accounts", {"account": "svc-presence", "state": "normal"})
    check_equal(attempt(sim.url + "jost@example.test/", "EXAMPLE\\jost", "pässwörd"), [401, 207, 207],
                "a password beyond ASCII")
    check_equal(attempt(url, "svc-presence"), [401, 207, 207], "without domain")
    check_equal(attempt(url, "OTHER\\svc-presence"), [401, 401], "another domain")
    check(SECRET not in sim.program.log() + sim.judge.all_logs(), "no password in the logs")
    end(sim)


def policies(folder):
    """The server's policy, by winbindd and by our own switch."""
    for policy, taken in (("ntlmv2-only", (3,)), ("disabled", ())):
        below = os.path.join(folder, policy)
        os.makedirs(below)
        sim, url = start(below, policy)
        for level in range(4):
            check_equal(attempt(url, level=level), [401, 207, 207] if level in taken else [401, 401],
                        f"{policy}, level {level}")
            sim.control("PUT", "/accounts", {"account": "svc-presence", "state": "normal"})
        end(sim)
    sim, url = start(folder, **{"refuse-v1": "on"})
    check_equal([attempt(url, level=level)[1] for level in (1, 3)], [401, 207], "refuse-v1")
    end(sim)


def refusals(folder):
    """What a refused logon is told: nothing, or Windows' number; winbindd's account states and those of the data."""
    sim, _ = start(folder)

    def page(user):
        answer = handshake(sim, f"EXAMPLE\\{user}", SECRET if user != "svc-presence" else "wrong",
                           f"{user}@example.test")
        check_equal(answer.status, 401, user)
        return answer.text

    for user in CODES:
        check("401.1" in page(user) and "0x8" not in page(user), f"{user}: nothing is told")
    sim.control("PUT", "/faults", {"refusal": "code"})
    for user, code in CODES.items():
        check(code in page(user), f"{user}: {code} in {page(user)}")
    sim.control("PUT", "/faults", {"refusal": "expiry"})
    for user in ("expired", "mustchange"):
        answer = handshake(sim, f"EXAMPLE\\{user}", SECRET, f"{user}@example.test")
        check(answer.status == 302 and "/iisadmpwd/" in answer.headers["Location"], f"{user} is led to a new password")
    sim.control("PUT", "/faults", {"refusal": "code"})
    sim.control("PUT", "/accounts", {"account": "svc-presence", "state": "no-right"})
    check("0x80070569" in handshake(sim, USER, SECRET, "anna@example.test").text,
          "the state of the data counts as well")
    end(sim)


def lock_out(folder):
    """Five wrong passwords in a row lock the account, by whatever way they come; a right one between begins again."""
    sim, url = start(folder, auth="ntlm-basic")

    def basic(password):
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=60)
        token = base64.b64encode(f"{USER}:{password}".encode()).decode()
        connection.request("PROPFIND", "/exchange/anna@example.test/",
                           headers={"Depth": "0", "Authorization": "Basic " + token})
        return connection.getresponse().status

    def account():
        return next((a["state"], a["wrong"]) for a in sim.control("GET", "/accounts")["accounts"]
                    if a["account"] == "svc-presence")

    check_equal([basic("x") for _ in range(4)], [401] * 4, "four wrong ones")
    check_equal(account(), ("normal", 4), "not locked yet")
    check_equal(attempt(url), [401, 207, 207], "the right one")
    check_equal(account(), ("normal", 0), "begins again")
    check_equal([attempt(url, password="x")[1] for _ in range(3)] + [basic("x") for _ in range(2)], [401] * 5,
                "five wrong ones")
    check_equal(account()[0], "locked", "after five")
    check_equal((attempt(url)[1], basic(SECRET)), (401, 401), "the right one is refused")
    sim.control("PUT", "/accounts", {"account": "svc-presence", "state": "normal"})
    check_equal((attempt(url)[1], basic(SECRET)), (207, 207), "unlocked")
    end(sim)


# ---- by hand ---------------------------------------------------------------------------------------------------------

class Hand:
    """One connection, and any header."""

    def __init__(self, sim):
        self.connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=60)

    def ask(self, token=None, scheme="NTLM", method="PROPFIND", path="/exchange/anna@example.test/", body=None):
        headers = {"Depth": "0"}
        if token is not None:
            headers["Authorization"] = f"{scheme} {base64.b64encode(token).decode()}"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        answer.text = answer.read().decode("utf-8", "replace")
        answer.offers = answer.headers.get_all("WWW-Authenticate", [])
        return answer


def context(user=USER, password=SECRET):
    from ntlm_auth.ntlm import NtlmContext
    domain, _, name = user.rpartition("\\")
    ntlm = NtlmContext(name, password, domain, ntlm_compatibility=3)
    ntlm.negotiate_flags |= 4
    return ntlm


def handshake(sim, user, password, mailbox, scheme="NTLM"):
    """The answer to the Type 3."""
    hand, ntlm = Hand(sim), context(user, password)
    path = f"/exchange/{mailbox}/"
    first = hand.ask(ntlm.step(), scheme, path=path)
    return hand.ask(ntlm.step(base64.b64decode(first.offers[0].split(" ")[1])), scheme, path=path)


def by_hand(folder):
    """Leg 1, what belongs to a connection, and messages that are none."""
    sim, _ = start(folder)
    hand, ntlm = Hand(sim), context()
    first = hand.ask()
    check_equal((first.status, first.offers), (401, ["Negotiate", "NTLM"]), "nobody")
    check("401.2" in first.text and first.headers["MS-WebStorage"] is None, "IIS answers, not Exchange")
    second = hand.ask(ntlm.step(), method="SEARCH", path="/exchange/anna@example.test/Calendar/",
                      body="<a>no SEARCH at all</a>")
    check_equal((second.status, len(second.offers), second.text), (401, 1, ""),
                "leg 1: the challenge alone, the body means nothing")
    check_equal(counters(sim)["refusals"], [], "the statement of leg 1 was not looked at")
    third = hand.ask(ntlm.step(base64.b64decode(second.offers[0][5:])))
    check_equal((third.status, hand.ask().status, Hand(sim).ask().status), (207, 207, 401),
                "the connection is logged on, no other one")
    check_equal(handshake(sim, USER, SECRET, "anna@example.test", "Negotiate").status, 207,
                "the same under the name Negotiate")
    for method, inner in (("POLL", "412 "), ("BPROPPATCH", "401 ")):
        answer = Hand(sim).ask(method=method)
        check(answer.status == 207 and inner in answer.text,
              f"{method} is refused inside of a 207: {answer.status} {answer.text}")
    ntlm = context()
    challenge = base64.b64decode(Hand(sim).ask(ntlm.step()).offers[0][5:])
    check_equal(Hand(sim).ask(ntlm.step(challenge)).status, 401, "a Type 3 on another connection than its Type 1")
    check_equal(counters(sim)["ntlm"]["strays"], 1, "and it is noticed")
    rejected = counters(sim)["logons"]["rejected"]
    for junk in (b"", b"NTLMSSP\0", b"NTLMSSP\0\1\0\0\0", b"NTLMSSP\0\1\0\0\0" + b"\xff" * 40,
                 b"NTLMSSP\0\3\0\0\0" + b"\xff" * 60, b"\x60" * 900,
                 os.urandom(3000), b"NTLMSSP\0\2\0\0\0" + b"\0" * 60):
        hand = Hand(sim)
        check_equal(hand.ask(junk).status, 401, f"no message: {junk[:20]}")
        hand.ask(context().step())
        check_equal(hand.ask(b"NTLMSSP\0\3\0\0\0" + junk).status, 401, f"no answer: {junk[:20]}")
    check_equal(counters(sim)["logons"]["rejected"], rejected, "nonsense is no logon")
    check_equal(attempt(sim.url + "anna@example.test/"), [401, 207, 207], "afterwards")
    end(sim)


def breakers(folder):
    """What proxies do to NTLM, and IIS that wants a logon for every request."""
    sim, _ = start(folder)

    def legs(how):
        """Statuses and number of offers of the three legs, None for a connection that is cut."""
        sim.control("PUT", "/faults", {"ntlm-break": how})
        hand, ntlm, out = Hand(sim), context(), []
        try:
            first = hand.ask(ntlm.step())
            out.append((first.status, len(first.offers)))
            if not first.offers or " " not in first.offers[0]:
                return out
            token = ntlm.step(base64.b64decode(first.offers[0][5:]))
            for leg in (token, None):
                answer = hand.ask(leg)
                out.append((answer.status, len(answer.offers)))
        except (http.client.HTTPException, OSError):
            out.append(None)
        return out

    check_equal(legs("bare"), [(401, 2)], "bare: no challenge")
    check_equal(legs("strip"), [(401, 0)], "strip: nothing is offered")
    check_equal(legs("share"), [(401, 1), (401, 1), (401, 2)], "share: another challenge instead of a verdict")
    check_equal(legs("silent"), [(401, 1), None], "silent: cut after the challenge")
    check_equal(legs("close"), [(401, 1), (401, 2), (401, 2)], "close: the Type 3 comes on a new connection")
    check_equal(legs("single"), [(401, 1), (207, 0), (401, 2)], "single: the next request has to log on again")
    check_equal(counters(sim)["logons"]["rejected"], 0, "none of this is a rejected logon")
    sim.control("PUT", "/faults", {"ntlm-break": "off"})
    damage = {"cut": lambda t: len(t) == 24, "past-end": lambda t: t[41] == 0x7f, "huge": lambda t: len(t) > 24 << 10}
    for how, is_so in damage.items():
        sim.control("PUT", "/faults", {"ntlm-challenge": how})
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=60)
        connection.request("PROPFIND", "/exchange/anna@example.test/", headers={
            "Depth": "0", "Authorization": "NTLM " + base64.b64encode(context().step()).decode()})
        token = base64.b64decode(connection.getresponse().headers["WWW-Authenticate"][5:])
        check(is_so(token), f"{how}: {len(token)} bytes")
    end(sim)


if __name__ == "__main__":
    ntlm_client.again_with_md4()
    harness.run(levels, clients, policies, refusals, lock_out, by_hand, breakers)
