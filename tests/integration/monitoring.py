"""Metrics as Prometheus' own linter likes them, each with its row in docs/monitoring.md; alert rules and dashboard ask
for nothing that the daemon does not have."""
import glob
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
    """With people who are known and not, and an outlet that is down."""
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company("appointment anna@example.test now-1h +5h busy"))
    daemon = harness.Daemon(folder, company.yaml(sim.url, ["anna@example.test", "absent@example.test"]).replace(
        "publish:\n", "publish:\n  mqtt: { server: \"mqtt://127.0.0.1:1\" }\n"))
    daemon.wait_state("anna@example.test", "busy", 60)
    status, text, _ = daemon.get("/metrics")
    check_equal(status, 200, "metrics")
    promtool("check", "metrics", text=text)
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.M))
    there = set(types)
    check("example.test" not in text, "no address in the metrics")
    with open(os.path.join(HERE, "freebusyd.rules.yml"), encoding="utf-8") as file:
        asked = names_in(file.read())
    with open(os.path.join(HERE, "freebusyd-dashboard.json"), encoding="utf-8") as file:
        for panel in json.load(file)["panels"]:
            for target in panel["targets"]:
                asked |= names_in(target["expr"])
    check_equal(asked - there, set(), "metrics that rules or dashboard ask for and the daemon does not have")
    every_one_documented(types)


def every_one_documented(types):
    """The table against the sources, for some come only with what is not configured here, and against what was served."""
    with open(os.path.join(harness.SOURCE, "docs", "monitoring.md"), encoding="utf-8") as file:
        told = dict(re.findall(r"^\| `(freebusyd_\w+)` \| (\w+) \|", file.read(), re.M))
    written = set()
    for path in glob.glob(os.path.join(harness.SOURCE, "gateway", "*.c")):
        with open(path, encoding="utf-8") as file:
            written |= names_in(file.read())
    check_equal(set(told), written, "the metrics of docs/monitoring.md, and those of the sources")
    check_equal({name: told[name] for name in types}, types, "their types")


def alert_rules(_):
    """Each rule fires when it should and is silent when it should be."""
    promtool("check", "rules", "freebusyd.rules.yml")
    promtool("test", "rules", "freebusyd.rules.test.yml")


if __name__ == "__main__":
    harness.run(metrics_linted, alert_rules)
