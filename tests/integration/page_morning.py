"""A morning on which much is wrong: a company on four servers and two outlets, of which one each is well. The page of it
is what tests/page/morning.js looks at, and the picture in docs/page.png."""
import json
import os
import time

import company
import harness
from daemon_faults import make_certificate
from harness import wait_until
from outlet_peers import wait_up
from hook_sink import HookSink

HOUR = 3600
OFFICE = {  # hours of today and tomorrow, as it is ten o'clock now
    "anna.albrecht": [("sales", 9, 11.5, "busy"), ("sales", 14, 15, "tentative"), ("sales", 33, 36, "busy")],
    "bob.baker": [("office", 8, 9, "busy"), ("office", 11, 12, "tentative"), ("office", 13, 17, "busy")],
    "carl.o'neill": [("research", 10, 12, "busy"), ("research", 15, 16, "busy"), ("research", 38, 39.5, "tentative")],
    "dora.diaz": [("office", 0, 48, "oof")],
    "erika.eötvös": [("sales", 9.5, 10.5, "tentative"), ("sales", 34, 41, "busy")],
    "frank.fischer": [("research", 11, 12, "busy"), ("research", 32, 34, "oof")],
    "grace.green": [("office", 24, 48, "oof")],
    "hugo.horn": [("sales", 7, 16, "busy"), ("sales", 35, 36, "busy")],
    "ines.ito": [("office", 10.5, 11.5, "busy"), ("office", 12.5, 13.5, "tentative"), ("office", 37, 38, "busy")],
}
MISSING = ["petra.lang", "quentin.roy"]
PLANT = [f"line{n}" for n in range(1, 6)]


def start(folder, quiet=False):
    midnight = int(time.time()) // HOUR * HOUR - 10 * HOUR
    lines = [f"appointment {who}@example.com {harness.utc(int(midnight + a * HOUR))} "
             f"{harness.utc(int(midnight + z * HOUR))} {kind}" for who, day in OFFICE.items() for _, a, z, kind in day]
    make_certificate(folder, "hq", "localhost")
    for name, text in (("password", "svc-secret"), ("wrong", "not-that"), ("hook", "s3cret")):
        harness.secret_file(folder, name, text)
    for name in ("hq-sim", "plant-sim"):
        os.makedirs(f"{folder}/{name}")
    hq = harness.Simulator(f"{folder}/hq-sim", company.company(*lines, "account svc-lab password=x"),
                           args=["--tls-cert", f"{folder}/hq.pem", "--tls-key", f"{folder}/hq.key"])
    plant = harness.Simulator(f"{folder}/plant-sim", company.company(
        *[f"appointment {who}@plant.example.com now-1h +4h busy" for who in PLANT]), "2007")
    daemon = harness.Daemon(folder, yaml(hq, plant, HookSink("s3cret"), quiet))
    return plant, daemon


def yaml(hq, plant, sink, quiet):
    def server(name, url, password="password", account="svc-presence", more=""):
        return (f"  - {{ name: {name}, kind: exchange, url: \"{url}\", account: 'EXAMPLE\\{account}', "
                f"password_file: {password}, auth: [basic]{more} }}\n")

    def person(address, group, at="hq"):
        return "  - " + json.dumps({"address": address, "server": at, "group": group}, ensure_ascii=False) + "\n"
    secure = f"https://localhost:{hq.port}/exchange/"
    people = [person(f"{who}@example.com", day[0][0]) for who, day in OFFICE.items()]
    people += [person(f"{who}@example.com", "office") for who in MISSING]
    people += [person(f"{who}@plant.example.com", "plant", "plant") for who in PLANT]
    servers, mqtt = server("hq", secure, more=", tls: { ca_file: hq.pem }") + server("plant", plant.url), ""
    if not quiet:
        people += [person(f"robot{n}@lab.example.com", "laboratory", "lab") for n in range(3)]
        people += [person("sue.stone@branch.example.com", "branch", "branch")]
        servers += (server("lab", secure, "wrong", "svc-lab", ", tls: { ca_file: hq.pem }")
                    + server("branch", "http://127.0.0.1:1/exchange/"))
        mqtt = '  mqtt: { server: "mqtt://127.0.0.1:1" }\n'
    return (f"servers:\n{servers}users:\n{''.join(people)}poll: {{ interval: 5s, window: 14d }}\n"
            + f'publish:\n  http: {{ listen: ["127.0.0.1:0"] }}\n{mqtt}'
            + f'  webhooks:\n    - {{ name: wall, url: "{sink.url}", secret_file: hook }}\n'
            + 'control: { socket: "{folder}/control.sock" }\n')


def all_read(daemon):
    """Until everybody who can be read has been."""
    def known(address):
        return daemon.presence(address)["state"] != "unknown"
    wait_until(lambda: all(known(f"{who}@plant.example.com") for who in PLANT), "the plant to be read")
    wait_until(lambda: all(known(f"{who}@example.com") for who in OFFICE), "the office to be read")
    wait_up(daemon, "wall")


def go_wrong(plant, daemon):
    """Then the plant's server wants to be left alone. Until all is known."""
    all_read(daemon)
    plant.control("PUT", "/faults", {"status": 503, "retry-after": 600})

    def all_wrong():
        status = daemon.ctl_json("status")
        causes = {c["code"] for c in status["causes"]}
        mqtt = next(o for o in status["outlets"] if o["name"] == "mqtt")
        return ({"mailbox-not-found", "logon-rejected", "tcp-refused"} <= causes and mqtt["code"] and status["warnings"]
                and next(s for s in status["servers"] if s["name"] == "plant")["failure"])
    wait_until(all_wrong, "all troubles to be known")
