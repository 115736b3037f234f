"""The Debian package: built twice to the same bytes, without a word from lintian, and lived with in a Debian of its own
in a folder: installed, run against the simulator, upgraded with its state kept, removed, purged.

Nothing is started by systemd there; the unit itself is judged by check-unit.
"""
import filecmp
import glob
import os
import shutil
import subprocess

import company
import harness
from harness import check, check_equal

ANNA = "anna@example.test"
CONFIG = "etc/freebusyd/freebusyd.yaml"


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **more)
    check(done.returncode == 0, f"{' '.join(argv)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def built(folder):
    """The package, and the proof that building it again gives the same."""
    debs = []
    for name in ("first", "second"):
        out = os.path.join(folder, name)
        run(os.path.join(harness.SOURCE, "packaging", "build-deb"), out, umask=0o022 if name == "first" else 0o002)
        debs.append(sorted(glob.glob(os.path.join(out, "freebusyd*.deb"))))
    for one, other in zip(*debs):
        check(filecmp.cmp(one, other, shallow=False), f"{os.path.basename(one)} has the same bytes in both builds")
    check_equal(*[[os.path.basename(d) for d in some] for some in debs], "what is built")
    said = run("lintian", "--allow-root", "--display-info", "--fail-on", "error,warning",
               *glob.glob(os.path.join(folder, "first", "*.changes")))
    check_equal([line for line in said.splitlines() if line[:2] in ("E:", "W:")], [], "lintian")
    return next(d for d in debs[0] if "dbgsym" not in d)


def lists_agree(deb):
    """What is needed is written down in three places, one for each reader."""
    packaging = os.path.join(harness.SOURCE, "packaging")
    wanted = [w for line in read(os.path.join(packaging, "packages-build")).splitlines()
              for w in line.partition("#")[0].split() if w.endswith("-dev") and w != "libc6-dev"]
    control = read(os.path.join(packaging, "debian", "control"))
    check_equal([w for w in wanted if w not in control], [], "missing in Build-Depends")
    container = read(os.path.join(packaging, "Containerfile")).split()
    check_equal([n for n in depends(deb) if n != "libc6" and n not in container], [], "missing in the Containerfile")


def depends(deb):
    return [one.split("|")[0].split("(")[0].strip() for one in run("dpkg-deb", "-f", deb, "Depends").split(",")]


def debian(tree, packages=()):
    """A Debian 12 with these packages, as a folder or as an archive (*.tar)."""
    sources = [f for f in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.sources"),
                           *glob.glob("/etc/apt/sources.list.d/*.list")] if os.path.exists(f) and "bookworm" in read(f)]
    options = [f"--aptopt={f}" for f in glob.glob("/etc/apt/apt.conf.d/*") if "Acquire" in read(f)]
    include = ["--include=" + ",".join(packages)] if packages else []
    run("mmdebstrap", "--variant=minbase", *include, *options, "bookworm", tree, *sources)
    return tree


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def newer(folder, deb):
    """The same package with a higher version, and another proposal for the configuration."""
    parts = os.path.join(folder, "parts")
    run("dpkg-deb", "-R", deb, parts)
    for path, old, new in (("DEBIAN/control", "\nVersion: ", "\nVersion: 9+"), (CONFIG, "servers:", "# new\nservers:")):
        text = read(os.path.join(parts, path)).replace(old, new, 1)
        with open(os.path.join(parts, path), "w", encoding="utf-8") as file:
            file.write(text)
    out = os.path.join(folder, "newer.deb")
    run("dpkg-deb", "--root-owner-group", "-b", parts, out)
    return out


class Installed:
    """The package's daemon, run in its tree as an administrator would by hand."""

    def __init__(self, folder, tree):
        self.folder, self.tree, self.program = folder, tree, None

    def inside(self, *argv):
        return run("chroot", self.tree, *argv)

    def dpkg(self, *argv):
        return self.inside("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *argv)

    def put(self, path, text, mode=0o600):
        with open(os.open(self.path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)

    def path(self, path):
        return os.path.join(self.tree, path)

    def start(self):
        os.makedirs(self.path("run/freebusyd"), exist_ok=True)
        argv = ["chroot", self.tree, "env", "CREDENTIALS_DIRECTORY=/etc/freebusyd/secrets", "/usr/sbin/freebusyd",
                "--config", "/" + CONFIG]
        self.program = harness.Program("freebusyd", argv, self.folder)
        harness.wait_until(lambda: "persons" in self.ctl("status")[1], "the daemon to answer freebusyctl")

    def ctl(self, *argv):
        done = subprocess.run(["chroot", self.tree, "/usr/bin/freebusyctl", *argv], capture_output=True, text=True,
                              check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def shows(self, state):
        harness.wait_until(lambda: state in self.ctl("show", ANNA)[1], f"{ANNA} to be {state}")

    def left(self):
        """Every path in the tree that has our name, but what dpkg itself remembers."""
        found = run("find", self.tree, "-xdev", "-path", "*/proc", "-prune", "-o", "-name", "*freebusy*", "-print")
        return sorted(os.path.relpath(p, self.tree) for p in found.split())


def lived_with(folder):
    deb = built(folder)
    lists_agree(deb)
    daemon = Installed(folder, debian(os.path.join(folder, "tree"), depends(deb)))
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(f"mailbox {ANNA} password=x",
                                                    f"appointment {ANNA} now-1h +5h busy"))

    shutil.copy(deb, daemon.path("old.deb"))
    daemon.dpkg("-i", "/old.deb")
    check("/etc/freebusyd/freebusyd.yaml" in run("dpkg-deb", "-I", deb, "conffiles"), "the configuration is a conffile")
    check_equal(os.stat(daemon.path("etc/freebusyd/secrets")).st_mode & 0o777, 0o700, "mode of the secrets' folder")
    check("freebusyd " in daemon.inside("/usr/sbin/freebusyd", "--version"), "version")
    for page in ("man8/freebusyd.8", "man1/freebusyctl.1", "man5/freebusyd.yaml.5"):
        check(os.path.exists(daemon.path(f"usr/share/man/{page}.gz")), page)

    mine = company.yaml(sim.url, [ANNA]).replace("{folder}/control.sock", "/run/freebusyd/control.sock") + \
        "state: { directory: /var/lib/freebusyd }\n"
    daemon.put(CONFIG, mine)
    daemon.put("etc/freebusyd/secrets/password", "svc-secret\n")
    os.makedirs(daemon.path("var/lib/freebusyd"), mode=0o700)
    daemon.start()
    daemon.shows("busy")
    code, said = daemon.ctl("check")
    check_equal(code, 0, f"check: {said}")
    daemon.program.stop()

    # an upgrade keeps configuration and state: the last known state is there although the server is away
    sim.program.stop()
    shutil.copy(newer(folder, deb), daemon.path("new.deb"))
    daemon.dpkg("--force-confold", "-i", "/new.deb")
    check_equal(read(daemon.path(CONFIG)), mine, "the administrator's configuration after an upgrade")
    daemon.start()
    daemon.shows("busy")
    daemon.program.stop()

    daemon.dpkg("-r", "freebusyd")
    check(os.path.exists(daemon.path(CONFIG)) and os.listdir(daemon.path("var/lib/freebusyd")), "removal keeps both")
    daemon.dpkg("-P", "freebusyd")
    check_equal([p for p in daemon.left() if not p.startswith(("run", "tmp"))], ["etc/freebusyd"],
                "what a purge leaves: the administrator's secret")
    check_equal(os.listdir(daemon.path("etc/freebusyd")), ["secrets"], "in it")


if __name__ == "__main__":
    harness.run(lived_with)
