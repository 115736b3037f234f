"""The container: packaging/Containerfile built by buildah on a Debian of our own under the name that FROM asks for, for no
image comes from anywhere else, and what is in it run as the image says: as its user, by its entry point, with its health
check.

The isolation is a chroot and the storage plain folders, so neither user namespaces nor an overlay are needed; where the
test is not root that is not possible, and it fails. buildah wants a root that is a mount point, which that of a chroot is
not: there the test goes on in one that is made so, in a mount namespace of its own.
"""
import json
import os
import subprocess
import sys
import tempfile

import company
import harness
import package_deb
from harness import check, check_equal, wait_until
from package_deb import run

ANNA = "anna@example.test"
BASE, NAME = "docker.io/library/debian:bookworm-slim", "localhost/freebusyd"
MOUNT = "etc/freebusyd"


class Image:
    """The image in a storage of its own, and what a runtime would be told about it."""

    def __init__(self, folder):
        self.folder = folder
        self.base()
        source = os.path.join(folder, "source")
        run("sh", "-c", f"mkdir {source} && git -C {harness.SOURCE} archive HEAD | tar -x -C {source}")
        self.buildah("bud", "--isolation", "chroot", "--network", "host", "--pull-never", "--format", "docker",
                     "-f", os.path.join(source, "packaging", "Containerfile"), "-t", NAME, source)
        container = self.buildah("from", "--pull-never", NAME)
        self.config = json.loads(self.buildah("inspect", container))["Docker"]["config"]
        self.root = self.buildah("mount", container)

    def buildah(self, *argv):
        return run("buildah", "--root", os.path.join(self.folder, "images"), "--runroot",
                   os.path.join(self.folder, "images-run"), "--storage-driver", "vfs", *argv).strip()

    def base(self):
        tree = package_deb.debian(os.path.join(self.folder, "base.tar"))
        container = self.buildah("from", "scratch")
        self.buildah("add", container, tree, "/")
        self.buildah("commit", container, BASE)
        self.buildah("rm", container)

    def argv(self, *argv):
        """As a runtime starts it: root, user and environment of the image."""
        return ["chroot", "--userspec=" + self.config["User"], self.root, "env", "-i", *self.config["Env"], *argv]

    def entry(self, *argv):
        return self.argv(*self.config["Entrypoint"], *argv)

    def mount(self, name, text, mode):
        """What `-v` would put there."""
        path = os.path.join(self.root, MOUNT, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, *[int(n) for n in self.config["User"].split(":")])


def contained(folder):
    image = Image(folder)
    check_equal(image.config["User"], "10001:10001", "the user")
    check_equal(image.config["Cmd"], ["--config", f"/{MOUNT}/freebusyd.yaml"], "the command")
    check_equal([list(image.config[k]) for k in ("ExposedPorts", "Volumes")], [["8008/tcp"], ["/var/lib/freebusyd"]],
                "port and volume")
    check("freebusyd " in run(*image.entry("--version")), "its version")
    for path in ("usr/bin/gcc", "usr/bin/cmake", "src", "build"):
        check(not os.path.exists(os.path.join(image.root, path)), f"{path} was needed for building only")

    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(f"mailbox {ANNA} password=x",
                                                    f"appointment {ANNA} now-1h +5h busy"))
    yaml = company.yaml(sim.url, [ANNA]).replace("{folder}/control.sock", "/run/freebusyd/control.sock")
    image.mount("freebusyd.yaml", yaml + "state: { directory: /var/lib/freebusyd }\n", 0o644)
    image.mount("secrets/password", "svc-secret\n", 0o600)
    for what in (["--check-config"], ["--check-server", "hq"]):
        run(*image.entry(*image.config["Cmd"], *what))

    check_equal(image.config["Healthcheck"]["Test"][0], "CMD", "the health check")
    health = image.argv(*image.config["Healthcheck"]["Test"][1:])
    check(subprocess.run(health, capture_output=True, check=False).returncode != 0, "nothing runs: not healthy")
    daemon = harness.Program("freebusyd", image.entry(*image.config["Cmd"]), folder)
    wait_until(lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0, "it to be healthy")
    wait_until(lambda: "busy" in run(*image.argv("/usr/bin/freebusyctl", "show", ANNA)), f"{ANNA} to be busy")
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        check("\nUid:\t10001\t10001\t10001\t10001\n" in file.read(), "the daemon is not root")
    check_equal(daemon.stop(), 0, "exit code")
    check(os.listdir(os.path.join(image.root, "var/lib/freebusyd")), "the state is in the volume")


def go_on_mounted():
    with tempfile.TemporaryDirectory() as root:
        script = 'mount --rbind / "$0" && exec chroot "$0" sh -c \'cd "$0" && exec "$@"\' "$@"'
        return subprocess.run([*harness.own_mounts(), "sh", "-c", script, root, os.getcwd(), sys.executable,
                               *sys.argv], check=False).returncode


if __name__ == "__main__":
    if not harness.root_is_mounted():
        sys.exit(go_on_mounted())
    harness.run(contained)
