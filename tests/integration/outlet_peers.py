"""What the tests of the outlets share beside harness.py: an outlet's row of the status, a meeting in the simulator, a
subscriber at a broker."""
import json
import os
import sys
import time

import harness
from harness import check, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))


def outlet(daemon, name):
    return next((o for o in daemon.ctl_json("status").get("outlets", []) if o["name"] == name), {})


def wait_up(daemon, name, seconds=60):
    return wait_until(lambda: (o := outlet(daemon, name)).get("state") == "up" and o, f"the outlet {name} to be up",
                      seconds)


def checked(daemon, name):
    """The line of `freebusyctl check` about an outlet, by the running daemon."""
    code, out, err = daemon.ctl("check", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    check(lines and "done" in lines[-1], f"the check goes to its end: {code} {out}{err}")
    return next(line for line in lines if line.get("outlet") == name)


def meeting(sim, address, begin=None, length=3600, kind="busy"):
    begin = begin or int(time.time()) - 60
    return sim.control("POST", "/appointments",
                       {"mailbox": address, "start": harness.utc(begin), "end": harness.utc(begin + length),
                                                 "busy": kind})


class Subscriber:
    """mosquitto_sub on everything: what stands at each topic now, and all that was seen."""

    def __init__(self, folder, port, name="mosquitto_sub", version="5", args=()):
        argv = ["/usr/bin/mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", version, "-q", "1", "-t", "#", "-F",
                "%t\t%E\t%C\t%p", *args]
        self.program = harness.Program(name, argv, folder)
        self.program.expected_to_run = False  # it may end with its broker

    def seen(self):
        """[(topic, expiry, content type, payload)]; a line that is still being written is left out."""
        lines = self.program.out().split("\n")[:-1]
        return [tuple(line.split("\t", 3)) for line in lines if line.count("\t") >= 3]

    def now(self):
        return {topic: payload for topic, _, _, payload in self.seen()}

    def state(self, topic):
        payload = self.now().get(topic)
        try:
            return json.loads(payload)["state"] if payload else None
        except (ValueError, KeyError, TypeError):
            return None

    def wait_state(self, topic, state, seconds=60):
        wait_until(lambda: self.state(topic) == state, f"{topic} to be {state}", seconds)

    def wait_payload(self, topic, payload, seconds=60):
        wait_until(lambda: self.now().get(topic) == payload, f"{topic} to be {payload!r}", seconds)

    def stop(self):
        self.program.stop()
