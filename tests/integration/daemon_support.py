"""When something is wrong: a log level that falls back, the requests about one person, and a bundle that names nobody
and holds no secret."""
import json
import os
import stat
import subprocess

import company
import harness
from harness import check, check_equal, wait_until

ANNA, BOB = "anna.secretname@example.test", "bob.secretname@example.test"
TOKEN = "hook-Pl4nted-t0ken"


def started(folder):
    harness.secret_file(folder, "token", TOKEN)
    yaml = company.yaml("{url}", [ANNA, BOB]).replace("publish:\n", f"""publish:
  webhooks:
    - {{ name: chat, url: "http://127.0.0.1:9/{TOKEN}?k={TOKEN}", headers: ["X-Key: {TOKEN}"], token_file: token }}
""")
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(f"appointment {ANNA} now-1h +5h busy"))
    return harness.Daemon(folder, yaml.replace("{url}", sim.url))


def bundle_tells_all_but_secrets(folder):
    daemon = started(folder)
    daemon.wait_state(ANNA, "busy")
    wait_until(lambda: daemon.ctl_json("status")["causes"], "the person without a mailbox to be a cause")
    path = os.path.join(folder, "bundle.txt")
    code, said, err = daemon.ctl("bundle", path)
    check_equal(code, 0, f"bundle: {said}{err}")
    check("what `freebusyctl status` shows" in said and path in said, f"what is in it is told: {said}")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "nobody else reads it")
    for part in ("about", "configuration", "status", "servers", "counters", "log"):
        check(f"\n== {part}\n" in text, f"part {part}")
    for secret in ("secretname", "svc-secret", TOKEN):
        check(secret not in text, f"{secret} is in the bundle: {text[max(0, text.find(secret) - 200):][:400]}")
    for fact in ("freebusyd_build_info", "libcurl/", "mailbox-not-found", "interval: 1s", "# users: 2 entries",
                 "headers: (set, not shown)", "fetch: srv=hq", "person-"):
        check(fact in text, f"{fact} in the bundle: {text[text.find('== conf'):][:3000]}")
    check_equal(daemon.ctl("bundle", path)[0], 2, "an existing file is not overwritten")
    check(BOB in daemon.ctl("bundle", "-", "--names")[1], "names when they are asked for")
    daemon.stop()


def trace_shows_one_person(folder):
    daemon = started(folder)
    daemon.wait_state(ANNA, "busy")
    argv = [harness.FREEBUSYCTL, "--socket", daemon.socket, "--json", "trace", ANNA, "--for", "5s"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    check_equal(done.returncode, 0, f"trace: {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    own = [line for line in lines if not line["with_others"]]
    check(lines, "requests were seen")
    for line in own:
        check("anna.secretname" in line["url"] or "bob" not in line["url"], f"only hers: {line}")
        check(line["status"] > 0 and line["method"] and "?" not in line["url"], f"a whole line: {line}")
    check_equal(daemon.ctl("trace", "nobody@example.test")[0], 2, "nobody")
    check_equal(daemon.ctl("trace", ANNA, "--for", "soon")[0], 2, "a time that is none")
    daemon.stop()


def level_falls_back(folder):
    daemon = started(folder)
    daemon.stop()
    daemon.program = harness.Program("freebusyd", [harness.FREEBUSYD, "--config", daemon.config], folder)
    wait_until(lambda: daemon.ctl_json("status", quiet=True), "the daemon's control socket")
    check_equal(daemon.ctl_json("log")["level"], "info", "as it began")
    raised = daemon.ctl_json("log", "debug", "--for", "2s")
    check_equal((raised["level"], raised["then"]), ("debug", "info"), "raised")
    wait_until(lambda: daemon.ctl_json("log")["level"] == "info", "the level to fall back by itself")
    check("level=info again" in daemon.program.log(), "it says so")
    check_equal(daemon.ctl("log", "loud")[0], 2, "no such level")
    daemon.stop()


if __name__ == "__main__":
    harness.run(bundle_tells_all_but_secrets, trace_shows_one_person, level_falls_back)
