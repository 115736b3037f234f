"""A PostgreSQL of our own for the peers that keep their data in one (DAViCal, SOGo): Debian's package, a cluster in
DIR, durable as long as the test. Everybody who reaches it is trusted.

Debian package postgresql. As root it runs as `postgres`, else as whoever started it. It listens on a Unix socket in
DIR, and on a port of the loopback when told so.
"""
import glob
import os
import pwd
import signal
import subprocess

import peer

USER = "postgres"
_CONFIGURATION = """
listen_addresses = '{addresses}'
port = {port}
unix_socket_directories = '{folder}'
fsync = off
shared_buffers = 16MB
max_connections = 40
"""


class Postgres(peer.Peer):
    name = "postgres"

    def __init__(self, folder, tcp=False):
        super().__init__(folder)
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
        self.binaries = found[-1] if found else peer.needs("/usr/lib/postgresql", "postgresql")
        if os.geteuid() == 0:
            self.let_in(USER)
        self.run([f"{self.binaries}/initdb", "-D", self.path("data"), "-U", USER, "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8",
                  "--no-sync"])
        with open(self.path("data/postgresql.conf"), encoding="utf-8") as file:
            defaults = file.read()

        def argv_for(port):
            ours = _CONFIGURATION.format(addresses="127.0.0.1" if tcp else "", port=port, folder=self.folder)
            peer.write(self.folder, "data/postgresql.conf", defaults + ours)
            return [f"{self.binaries}/postgres", "-D", self.path("data")]

        self.launch_on_free_port(argv_for, lambda: "ready to accept connections" in self.log(), user=USER, seconds=60)

    @property
    def environment(self):
        """What libpq needs to find it."""
        return {"PGHOST": self.folder, "PGPORT": str(self.port)}

    def run(self, argv, text=None):
        """Standard output of a program that runs as the cluster's owner."""
        owner = {}
        if os.geteuid() == 0:
            owner = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
        env = {**os.environ, "PATH": f"{self.binaries}:{os.environ['PATH']}", "HOME": self.folder, "PGUSER": USER}
        if self.process:
            env.update(self.environment)
        done = subprocess.run(argv, env=env, input=text, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              check=False, **owner)
        if done.returncode != 0:
            raise peer.PeerFailed(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def sql(self, database, text, user=USER):
        return self.run([f"{self.binaries}/psql", "-qX", "-v", "ON_ERROR_STOP=1", "-U", user, database], text)

    def stop(self, seconds=60):
        """At once: SIGTERM would wait for its clients, and nothing here is to last."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
        return super().stop(seconds)
