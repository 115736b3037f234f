"""Socket activation by systemd's own systemd-socket-activate: the daemon serves the socket that it is handed, and says
so when a socket is handed over that its configuration does not name."""
import os
import socket

import company
import harness
from harness import check, wait_until

ANNA = "anna@example.test"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def activated(folder):
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(f"mailbox {ANNA} password=x"))
    named, other = free_port(), free_port()
    daemon = harness.Daemon(folder, company.yaml(sim.url, [ANNA], publish=f'["127.0.0.1:{named}"]'), start=False)
    program = harness.Program("freebusyd", ["systemd-socket-activate", "-l", f"127.0.0.1:{named}", "-l",
                                            f"127.0.0.1:{other}", harness.FREEBUSYD, "--config", daemon.config], folder)
    wait_until(lambda: "Listening on" in program.log(), "systemd-socket-activate to listen")
    daemon.program, daemon.port = program, named
    # the first caller wakes it, and is answered although nobody listened when they came
    status, text, _ = daemon.get("/healthz")
    check(status == 200, f"the first caller is answered: {status} {text}")
    daemon.wait_state(ANNA, "free")
    check("1 sockets were handed over that publish.http.listen does not name" in program.log(), "the other is named")
    files = f"/proc/{program.process.pid}/fd"
    inodes = [os.readlink(os.path.join(files, fd)) for fd in os.listdir(files)]
    with open("/proc/net/tcp", encoding="ascii") as table:
        bound = [line.split()[9] for line in table if f":{named:04X} 00000000:0000 0A" in line]
    check(len(bound) == 1 and f"socket:[{bound[0]}]" in inodes, "there is one listening socket, the one handed over")
    daemon.stop()


if __name__ == "__main__":
    harness.run(activated)
