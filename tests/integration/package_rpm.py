"""The RPM: packaging/build-rpm builds it, and it holds what the Debian package holds, with the secrets' folder shut."""
import glob
import os
import subprocess

import harness
from harness import check, check_equal

FILES = {"/usr/sbin/freebusyd": "-rwxr-xr-x", "/usr/bin/freebusyctl": "-rwxr-xr-x",
         "/usr/lib/systemd/system/freebusyd.service": "-rw-r--r--", "/etc/freebusyd/freebusyd.yaml": "-rw-r--r--",
         "/etc/freebusyd/secrets": "drwx------", "/usr/share/man/man8/freebusyd.8": "-rw-r--r--",
         "/usr/share/man/man1/freebusyctl.1": "-rw-r--r--", "/usr/share/man/man5/freebusyd.yaml.5": "-rw-r--r--",
         "/usr/share/bash-completion/completions/freebusyctl": "-rw-r--r--",
         "/usr/share/freebusyd/freebusyd.rules.yml": "-rw-r--r--"}


def query(*argv):
    return subprocess.run(["rpm", "-qp", *argv], capture_output=True, text=True, check=True).stdout


def built(folder):
    done = subprocess.run([os.path.join(harness.SOURCE, "packaging", "build-rpm"), folder], capture_output=True,
                          text=True, check=False)
    check_equal(done.returncode, 0, f"build-rpm: {done.stdout}{done.stderr}")
    rpm = next(p for p in glob.glob(os.path.join(folder, "freebusyd-*.rpm")) if "debug" not in p)
    modes = {line.split()[-1].removesuffix(".gz"): line.split()[0] for line in query("-lv", rpm).splitlines()}
    for path, mode in FILES.items():
        check_equal(modes.get(path), mode, path)
    documents = {os.path.basename(path) for path in query("-d", rpm).split()}
    check({"configure.md", "troubleshooting.md", "page.png", "zulip.md", "radicale.md"} <= documents, "the documents")
    check(not documents & {"make-config-page", "logon.md"}, "what is for developers stays with the sources")
    check_equal(query("--configfiles", rpm).split(), ["/etc/freebusyd/freebusyd.yaml"], "configuration files")
    check("libmicrohttpd.so" in query("--requires", rpm), "the libraries it needs are found by rpmbuild")


if __name__ == "__main__":
    harness.run(built)
