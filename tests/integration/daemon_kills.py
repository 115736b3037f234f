"""kill -9 at random moments while calendars change and subscribers read: nobody's state is lost, no subscriber misses
the last one.

FB_KILLS says how often (10 unless told; 200 takes some minutes)."""
import os
import random
import signal
import time

import company
import harness
from harness import check, check_equal, wait_until

PEOPLE = [f"p{i}@example.test" for i in range(20)]


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


def killed_at_random(folder):
    kills, rng = int(os.environ.get("FB_KILLS", "10")), random.Random(20261122)
    state = os.path.join(folder, "state")
    os.mkdir(state)
    sim, daemon = company.start(folder, [f"mailbox {p} password=x" for p in PEOPLE], PEOPLE,
                                rules=f"state: {{ directory: \"{state}\" }}\n".replace("  ", ""))
    people = Company(sim)
    known = people.known
    for p in PEOPLE:
        daemon.wait_state(p, "free", 60)
    last, seen = None, {}
    for number in range(kills):
        events = harness.Events(daemon.port, last_id=last)
        changed = set(rng.sample(PEOPLE, 3))
        for p in changed:
            people.change(p, rng)
        time.sleep(rng.random() * 1.2)  # the random moment, not a wait for something
        daemon.stop(signal.SIGKILL)
        events.cut()
        for _, _, ident, data in events.events:
            last, seen[data["address"]] = ident, data["state"]
        daemon.start()
        check_equal(daemon.ctl_json("status")["state"]["trouble"], None, f"kill {number}: the state file")
        for p in PEOPLE:
            now = daemon.presence(p)["state"]
            check(p in changed or now == known[p], f"kill {number}: {p} was {known[p]}, is {now} after the restart")
            check(now != "unknown", f"kill {number}: {p} is unknown after the restart")
        after = harness.Events(daemon.port, last_id=last)
        wait_until(lambda: all(daemon.presence(p)["state"] == known[p] for p in PEOPLE),
                   f"kill {number}: everybody's state again", 60)

        def told():
            states = {**seen, **{d["address"]: d["state"] for _, _, _, d in list(after.events)}}
            return all(states.get(p) == known[p] for p in PEOPLE)
        wait_until(told, f"kill {number}: a subscriber who comes back to know everybody's state", 60)
        for _, _, ident, data in after.events:
            last, seen[data["address"]] = ident, data["state"]
        after.cut()
    print(f"{kills} kills, {len(PEOPLE)} people: no state was lost")


if __name__ == "__main__":
    harness.run(killed_at_random)
