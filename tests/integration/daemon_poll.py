"""Who is asked, and what the budget buys: the whole daemon beside the simulator."""
import time

import company
import harness
from harness import check, check_equal, wait_until

PEOPLE = [f"p{i}@example.test" for i in range(12)]


def asked(sim):
    """Persons whose calendar was read since the counters were cleared."""
    return {a for a, methods in sim.control("GET", "/counters")["users"].items()
            if any(m in methods for m in ("SEARCH", "PROPFIND", "POLL"))}


def watched_only(folder):
    """poll.demand: watched: nobody is asked about whom nobody watches; who is watched is read at once."""
    lines = [f"appointment {p} now-10m +2h busy" for p in PEOPLE]
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*lines), args=("--set", "subscribe=501"))
    yaml = company.yaml(sim.url, PEOPLE, server_more="    read: calendar\n").replace("window: 14d",
                                                                                     "window: 14d, demand: watched")
    daemon = harness.Daemon(folder, yaml)
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "a daemon that has nobody to ask about to be ready", 60)
    check_equal(asked(sim), set(), "persons asked about before anybody watches")
    check_equal(daemon.presence(PEOPLE[0])["state"], "unknown", "somebody who was never read")

    two = harness.Events(daemon.port, f"?address={PEOPLE[3]}&address={PEOPLE[4]}")
    two.wait(lambda d: d["address"] == PEOPLE[3] and d["state"] == "busy", "the first watched person", 60)
    two.wait(lambda d: d["address"] == PEOPLE[4] and d["state"] == "busy", "the second watched person", 60)
    check_equal(asked(sim), set(PEOPLE[3:5]), "persons asked about")
    check_equal(daemon.ctl("refresh", PEOPLE[0])[0], 0, "a refresh of somebody else")
    check_equal(asked(sim), {PEOPLE[0], *PEOPLE[3:5]}, "persons asked about after a refresh")

    everybody = harness.Events(daemon.port)
    for p in PEOPLE:
        everybody.wait(lambda d, p=p: d["address"] == p and d["state"] == "busy", f"{p} for who watches everybody", 60)
    everybody.cut()
    two.cut()
    wait_until(lambda: daemon.ctl_json("status")["subscribers"] == 0, "the streams to be over", 60)

    def idle():
        sim.control("DELETE", "/counters")
        before, end = daemon.ctl_json("status")["polls"]["ok"], time.monotonic() + 3
        wait_until(lambda: time.monotonic() > end, "three seconds to pass")
        return asked(sim) == set() and daemon.ctl_json("status")["polls"]["ok"] == before
    wait_until(idle, "three seconds in which nobody is asked about", 60)


def watched_only_published(folder):
    """The same of people who are read many at once: who is not watched is not in the question."""
    lines = [f"appointment {p} now-10m +2h busy" for p in PEOPLE]
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*lines))
    daemon = harness.Daemon(folder, company.yaml(sim.url, PEOPLE, server_more="    read: freebusy\n").replace(
        "window: 14d", "window: 14d, demand: watched"))
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "a daemon that has nobody to ask about to be ready", 60)
    check("GET" not in sim.control("GET", "/counters")["methods"], "a question before anybody watches")

    two = harness.Events(daemon.port, f"?address={PEOPLE[3]}&address={PEOPLE[4]}")
    for p in PEOPLE[3:5]:
        two.wait(lambda d, p=p: d["address"] == p and d["state"] == "busy", f"{p}, who is watched", 60)
    for p in PEOPLE[:3] + PEOPLE[5:]:
        check_equal(daemon.presence(p)["state"], "unknown", f"{p}, who is not")
    two.cut()
    wait_until(lambda: daemon.ctl_json("status")["subscribers"] == 0, "the streams to be over", 60)

    def idle():
        sim.control("DELETE", "/counters")
        end = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > end, "three seconds to pass")
        return sim.control("GET", "/counters")["requests"] == 0
    wait_until(idle, "three seconds in which nobody is asked about", 60)
    one = harness.Events(daemon.port, f"?address={PEOPLE[0]}")
    one.wait(lambda d: d["address"] == PEOPLE[0] and d["state"] == "busy", "another one, who is watched now", 60)


def budget_shown(folder):
    """`servers` says what freshness the budget buys, and what it would take."""
    lines = [f"mailbox {p} password=x" for p in PEOPLE]
    more = "    read: calendar\n    max_requests_per_second: 2\n    changes: { subscribe: false }\n"
    _, daemon = company.start(folder, lines, PEOPLE, server_more=more)
    budget = lambda: daemon.ctl_json("servers")["servers"][0]["budget"]
    found = wait_until(lambda: (b := budget())["limited_by"] and b, "the budget to be too small", 60)
    check_equal(found["limited_by"], "max_requests_per_second", "what limits")
    check(found["requests_per_second_needed"] > 10 and found["freshness_s"] > 5, f"what it takes: {found}")
    text = daemon.ctl("servers")[1]
    check("raise max_requests_per_second (now 2)" in text and "instead of 1 s" in text, f"the words for it: {text}")
    daemon.write(company.yaml(daemon_url(daemon), PEOPLE, interval="30s"))
    check_equal(daemon.ctl("reload")[0], 0, "reload")
    wait_until(lambda: budget()["limited_by"] is None and budget()["requests_per_poll"] > 0, "the budget to be enough",
               60)
    check("of 50 allowed" in daemon.ctl("servers")[1], "the words for that")


def daemon_url(daemon):
    return daemon.ctl_json("servers")["servers"][0]["url"]


if __name__ == "__main__":
    harness.run(watched_only, watched_only_published, budget_shown)
