"""freebusyctl why: what decides a state, what loses, what does not count, by which request; before, now and later."""
import time

import company
import harness
from harness import check, check_equal

EVENTS = ["appointment anna@example.test now-1h +3h tentative",
          "appointment anna@example.test now-30m +1h busy",
          "appointment anna@example.test now-20m +1h oof cancelled=yes busy=oof meeting=yes",
          "appointment anna@example.test now-20m +2h oof response=declined busy=oof meeting=yes",
          "appointment anna@example.test now-10m +1h busy response=unanswered meeting=yes",
          "appointment anna@example.test now+3h +1h oof",
          "appointment bob@example.test now-1h +3h busy response=unanswered meeting=yes"]
RULES = "  groups: [ { name: sales, unanswered: free } ]\n"


def fates(explanation):
    return sorted((e["marked"], e["counts_as"], e["fate"]) for e in explanation["covering"])


def why_weighs_events(folder):
    """Each event that covers the moment is there with its rule; the state is the one that is published."""
    people = ["anna@example.test", "carl@example.test"]
    sim, daemon = company.start(folder, EVENTS, people, rules=RULES,
                                more_users=["{ address: bob@example.test, server: hq, group: sales }"])
    daemon.wait_state("anna@example.test", "busy", 60)
    why = daemon.ctl_json("why", "anna@example.test")
    check_equal(why["state"], "busy", "the state explained")
    found = fates(why)
    check(("busy", "busy", "decides") in found, f"the meeting decides: {found}")
    check(("tentative", "tentative", "weaker") in found, f"the tentative one is weaker: {found}")
    check_equal(len([f for f in found if f[2] == "does-not-count"]), 2, f"cancelled and declined ones: {found}")
    rules = {e["rule"] for e in why["covering"]}
    check({"it is cancelled", "the person declined it", "an invitation that the person has not answered"} <= rules,
          f"rules named: {rules}")
    check_equal(why["next"]["state"], "tentative", "what comes next")
    check_equal(why["reads"][-1]["method"], "SEARCH", "the request")
    check("anna" in why["reads"][-1]["url"] and why["age_s"] < 60, f"its URL and age: {why}")

    code, text, _ = daemon.ctl("why", "anna@example.test")
    check_equal(code, 0, "exit code")
    check("because of" in text and "decides" in text and "does not count" in text and "SEARCH" in text,
          f"in words:\n{text}")

    later = daemon.ctl_json("why", "anna@example.test", "--at", harness.utc(int(time.time()) + 3 * 3600 + 1800))
    check_equal([later["state"]] + fates(later), ["oof", ("oof", "oof", "decides")], "three hours and a half later")
    night = daemon.ctl_json("why", "anna@example.test", "--at", harness.utc(int(time.time()) + 8 * 3600))
    check_equal((night["state"], night["covering"], night["until"]), ("free", [], None), "eight hours later")

    bob = daemon.ctl_json("why", "bob@example.test")
    check_equal((bob["state"], bob["group_has_rules"]), ("free", True), "the group's own rule")
    check_equal((bob["covering"][0]["fate"], bob["covering"][0]["option"]), ("does-not-count", "presence.unanswered"),
                "its option")


def why_without_a_server(folder):
    """A server that is down, a person who is not there: what is stored, the code; never a free."""
    sim, daemon = company.start(folder, EVENTS, ["anna@example.test", "absent@example.test"])
    daemon.wait_state("anna@example.test", "busy", 60)
    code, text, _ = daemon.ctl("why", "absent@example.test")
    check_equal(code, 1, "exit code for somebody unknown")
    check("mailbox-not-found" in text and "is unknown" in text, f"the cause:\n{text}")
    sim.program.stop()
    why = daemon.ctl_json("why", "anna@example.test")
    check_equal(why["state"], "busy", "what is stored stands")
    check(why["stored"]["state"] == "busy" and not why["reads"][-1]["ok"] and why["covering"] == [],
          f"from what is stored: {why}")
    code, text, _ = daemon.ctl("why", "anna@example.test")
    check("was read earlier" in text and "could not be read just now" in text, f"in words:\n{text}")
    for arguments, want in ((("why", "anna@example.test", "--at", "teatime"), 2), (("why", "nobody@example.test"), 2)):
        code, _, err = daemon.ctl(*arguments)
        check_equal(code, want, f"{arguments}: {err}")


if __name__ == "__main__":
    harness.run(why_weighs_events, why_without_a_server)
