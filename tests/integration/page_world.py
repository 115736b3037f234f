"""The company of the page's tests: people whose names are made to hurt among people who are not, and the identities
that a reverse proxy tells: an administrator, a reader, and somebody who may not read the page."""
import json

import company
import harness

ADMIN, READER, OTHER = "ops@example.test", "viewer", "door"
LONG = "x" * 287 + "@example.test"
HOSTILE = ["<script>window.pwned=1</script>@example.test", "\"'><img src=x onerror=window.pwned=1>@example.test",
           "\" autofocus onfocus=window.pwned=1 x=\"@example.test", "&lt;b&gt;&#39;@example.test",
           "\u202egnp.exe@example.test", "out\u2069\u200fside@example.test", "\u05e9\u05dc\u05d5\u05dd@example.test",
           "caf\u00e9 \u6797 \U0001f600@example.test", "a+b%2Fc?d=e#f;g@example.test", LONG]
GROUP = "<b>\"bold\" & 'brave'</b>"
ANNA, BOB = "anna@example.test", "bob@example.test"


def start(folder, more=60):
    """A simulator, and a daemon that reads it for Anna, Bob, the hostile ones (whom no mail server knows) and more."""
    crowd = [f"person{i:03}@example.test" for i in range(more)]
    lines = [f"appointment {ANNA} now-30m +3h busy", f"appointment {ANNA} now+26h +1h tentative",
             f"mailbox {BOB} password=x"]
    lines += [f"appointment {a} now+{i % 7}h +{30 + i % 90}m {('busy', 'tentative', 'oof')[i % 3]}"
              for i, a in enumerate(crowd)]
    users = [json.dumps({"address": ANNA, "server": "hq", "group": "office"}),
             json.dumps({"address": BOB, "server": "hq", "group": "office"})]
    users += [json.dumps({"address": a, "server": "hq", "group": GROUP}, ensure_ascii=False) for a in HOSTILE]
    users += [json.dumps({"address": a, "server": "hq", "group": "crowd"}) for a in crowd]
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company.company(*lines))
    yaml = company.yaml(sim.url, more_users=users).replace(
        'http: { listen: ["127.0.0.1:0"] }',
        'http: { listen: ["127.0.0.1:0"], proxies: [ { from: 127.0.0.1, header: X-Remote-User } ] }')
    yaml += (f"identities:\n  - {{ name: {ADMIN}, role: admin }}\n  - {{ name: {READER}, role: reader }}\n"
             f"  - {{ name: {OTHER} }}\n")
    daemon = harness.Daemon(folder, yaml)
    return sim, daemon, crowd


def status_as(daemon, path, name=READER, method="GET", **headers):
    """(status, text, headers) for somebody whom the proxy names."""
    return daemon.get(path, {"X-Remote-User": name, **{k.replace("_", "-"): v for k, v in headers.items()}}, method)
