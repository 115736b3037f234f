"""kill -9 at random moments while calendars change and subscribers read: nobody's state is lost, no subscriber misses
the last one.

FB_KILLS says how often (10 unless told; 200 takes some minutes), FB_PEOPLE how many there are (20), FB_SUBSCRIBERS how
many read (1), FB_INTERVAL how often each calendar is read (1s)."""
import json
import os
import random
import signal
import time
import urllib.parse

import company
import harness
from harness import check, check_equal, wait_until

KILLS, COUNT, READERS = (int(os.environ.get(name, usual)) for name, usual in
                         (("FB_KILLS", 10), ("FB_PEOPLE", 20), ("FB_SUBSCRIBERS", 1)))
PEOPLE = [f"p{i}@example.test" for i in range(COUNT)]


class Company:
    """What the simulator's people are doing, and what they are to be shown as."""

    def __init__(self, sim):
        self.sim, self.known, self.items = sim, {p: "free" for p in PEOPLE}, {}

    def change(self, person, rng):
        """A meeting of theirs is under way, or is called off."""
        if person in self.items:
            self.sim.control("DELETE", f"/appointments/{self.items.pop(person)}")
            self.known[person] = "free"
            return
        now, kind = int(time.time()), rng.choice(["busy", "oof", "tentative"])
        made = self.sim.control("POST", "/appointments", {"mailbox": person, "start": harness.utc(now - 3600),
                                                          "end": harness.utc(now + 43200), "busy": kind})
        self.items[person], self.known[person] = made["id"], kind


class Subscriber:
    """One who comes back with the cursor that it had, and what it was told of each."""

    def __init__(self):
        self.last, self.seen, self.events, self.came = None, {}, None, 0

    def come(self, daemon):
        self.events = harness.Events(daemon.port, last_id=self.last)
        self.came += 1

    def note(self):
        """What has come since the last time."""
        came = self.events.events
        while came:
            _, _, self.last, data = came.pop(0)
            self.seen[data["address"]] = data["state"]

    def cut(self):
        self.events.cut()
        self.note()


def states(daemon):
    """Everybody's, a hundred at a time."""
    found = {}
    for i in range(0, COUNT, 100):
        query = urllib.parse.urlencode([("address", p) for p in PEOPLE[i:i + 100]])
        status, body, _ = daemon.get("/v1/presence?" + query)
        check_equal(status, 200, f"a look at everybody: {body[:200]}")
        found.update({one["address"]: one["state"] for one in json.loads(body)["presence"]})
    return found


def killed_at_random(folder):
    rng, state = random.Random(20261122), os.path.join(folder, "state")
    os.mkdir(state)
    sim, daemon = company.start(folder, [f"mailbox {p} password=x" for p in PEOPLE], PEOPLE,
                                interval=os.environ.get("FB_INTERVAL", "1s"),
                                rules=f"state: {{ directory: \"{state}\" }}\n".replace("  ", ""))
    people, readers = Company(sim), [Subscriber() for _ in range(READERS)]
    known = people.known
    wait_until(lambda: states(daemon) == known, "everybody to be free", 120)
    wait_until(lambda: daemon.ctl_json("status")["state"]["rows"] >= COUNT, "everybody to be saved", 60)
    for number in range(KILLS):
        for one in readers:
            if not one.events or rng.random() < 0.8:  # the others stay away this time
                one.come(daemon)
        changed = set(rng.sample(PEOPLE, max(3, COUNT // 100)))
        for p in changed:
            people.change(p, rng)
        time.sleep(rng.random() * 1.2)  # the random moment, not a wait for something
        daemon.stop(signal.SIGKILL)
        for one in readers:
            one.cut()
        daemon.start()
        check_equal(daemon.ctl_json("status")["state"]["trouble"], None, f"kill {number}: the state file")
        for p, now in states(daemon).items():
            check(p in changed or now == known[p], f"kill {number}: {p} was {known[p]}, is {now} after the restart")
            check(now != "unknown", f"kill {number}: {p} is unknown after the restart")
        for one in readers:
            one.come(daemon)
        wait_until(lambda: states(daemon) == known, f"kill {number}: everybody's state again", 60)

        def told():
            for one in readers:
                one.note()
            return all(one.seen == known for one in readers)
        wait_until(told, f"kill {number}: subscribers who come back to know everybody's state", 60)
        for one in readers:
            one.cut()
        # a state is written down within a moment of being told, not before
        wait_until(lambda: daemon.ctl_json("status")["state"]["waiting_bytes"] == 0, f"kill {number}: all to be saved")
    print(f"{KILLS} kills, {COUNT} people, {READERS} subscribers, who came {sum(one.came for one in readers)} times: "
          "no state was lost")


if __name__ == "__main__":
    harness.run(killed_at_random)
