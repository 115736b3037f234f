"""Metrics as Prometheus' own linter likes them; alert rules and dashboard ask for nothing that the daemon does not
have."""
import json
import os
import re
import subprocess

import company
import harness
from harness import check, check_equal

HERE = os.path.join(os.environ["FB_SOURCE"], "packaging", "monitoring")


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, cwd=HERE, timeout=120,
                          check=False)
    check_equal(done.returncode, 0, f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def names_in(expression):
    return set(re.findall(r"\bfreebusyd_[a-z_]+", expression))


def metrics_linted(folder):
    """With a server that answers, one that does not, and persons with odd names."""
    sim, daemon = company.start(folder, ["appointment anna@example.test now-1h +5h busy"],
                                ["anna@example.test", "absent@example.test"])
    daemon.wait_state("anna@example.test", "busy", 60)
    status, text, _ = daemon.get("/metrics")
    check_equal(status, 200, "metrics")
    promtool("check", "metrics", text=text)
    there = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    check("example.test" not in text, "no address in the metrics")
    with open(os.path.join(HERE, "freebusyd.rules.yml"), encoding="utf-8") as file:
        asked = names_in(file.read())
    with open(os.path.join(HERE, "freebusyd-dashboard.json"), encoding="utf-8") as file:
        for panel in json.load(file)["panels"]:
            for target in panel["targets"]:
                asked |= names_in(target["expr"])
    outlets = {name for name in asked if name.startswith("freebusyd_outlet_")}  # there is none here
    check_equal(asked - there - outlets, set(), "metrics that rules or dashboard ask for and the daemon does not have")


def alert_rules(_):
    """Each rule fires when it should and is silent when it should be."""
    promtool("check", "rules", "freebusyd.rules.yml")
    promtool("test", "rules", "freebusyd.rules.test.yml")


if __name__ == "__main__":
    harness.run(metrics_linted, alert_rules)
