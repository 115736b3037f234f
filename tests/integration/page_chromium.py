"""The page in a real browser: tests/page/browser.js drives Debian's Chromium by Playwright against a daemon and a
simulator; its screenshots are kept in artefacts/page."""
import os
import subprocess

import harness
import page_morning
import page_world
from harness import check, wait_until
from page_world import ADMIN, ANNA, BOB, GROUP, HOSTILE, LONG, READER

PAGE = os.path.join(harness.SOURCE, "tests", "page")


def browse(folder, daemon, **more):
    """Runs the browser's tests; what it finds fails this one."""
    tools = subprocess.run([os.path.join(PAGE, "install")], capture_output=True, text=True, check=False, timeout=300)
    check(tools.returncode == 0, f"what tests/page/install says: {tools.stderr}")
    shots = os.path.join(harness.BUILD, "artefacts", "page")
    os.makedirs(shots, exist_ok=True)
    env = {**os.environ, "NODE_PATH": os.path.join(tools.stdout.strip(), "node_modules"), "FB_SHOTS": shots,
           "FB_PAGE": f"http://127.0.0.1:{daemon.port}", "FB_ADMIN": ADMIN, "FB_READER": READER, **more}
    with open(os.path.join(folder, "browser.log"), "w", encoding="utf-8") as log:
        done = subprocess.run(["node", os.path.join(PAGE, "browser.js")], env=env, stdout=log, stderr=subprocess.STDOUT,
                              check=False, timeout=500)
    with open(os.path.join(folder, "browser.log"), encoding="utf-8") as log:
        text = log.read()
    print(text, flush=True)
    check(done.returncode == 0, f"what the browser found: {text[-3000:]}")
    wait_until(lambda: daemon.ctl_json("subscribers")["subscribers"] == 0, "the streams of the browser to end")
    check(daemon.stop() == 0, "the daemon ends well")


def morning(folder):
    """Several servers and outlets that fail, each in its way."""
    plant, daemon = page_morning.start(folder)
    page_morning.go_wrong(plant, daemon)
    browse(folder, daemon, FB_WORLD="morning")


def picture(folder):
    """The picture for the README: artefacts/page/picture.png is what docs/page.png should be a copy of."""
    _, daemon = page_morning.start(folder, quiet=True)
    page_morning.all_read(daemon)
    wait_until(lambda: daemon.ctl_json("status")["causes"], "those whom the mail server does not know")
    browse(folder, daemon, FB_WORLD="picture")


def chromium(folder):
    sim, daemon, _ = page_world.start(folder)
    wait_until(lambda: daemon.ctl_json("show", ANNA)["state"] == "busy", "Anna to be busy")
    wait_until(lambda: daemon.ctl_json("show", BOB)["state"] == "free", "Bob to be free")
    wait_until(lambda: daemon.ctl_json("status")["causes"], "the cause of those whom the mail server does not know")
    browse(folder, daemon, FB_CONTROL=f"http://127.0.0.1:{sim.ports['control']}", FB_ANNA=ANNA, FB_BOB=BOB, FB_LONG=LONG,
           FB_GROUP=GROUP, FB_HOSTILE="\n".join(HOSTILE))


if __name__ == "__main__":
    harness.run(chromium, morning, picture)
