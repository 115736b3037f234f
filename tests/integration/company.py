"""A simulated company for the daemon's tests, and the configuration that reads it."""
import harness
import json

ACCOUNT = "domain   EXAMPLE\naccount  svc-presence  password=svc-secret  receive-as=all\n"


def company(*lines):
    """Mailboxes are made for the addresses that appointments name; a line that begins with 'mailbox' stands for
    itself."""
    text, seen = ACCOUNT, set()
    for line in lines:
        words = line.split()
        if words[0] == "mailbox":
            seen.add(words[1])
        elif words[0] == "appointment" and words[1] not in seen:
            seen.add(words[1])
            text += f"mailbox {words[1]} password=x\n"
        text += line + "\n"
    return text


def yaml(url, addresses=(), more_users=(), interval="1s", stale="15m", server_more="", publish='["127.0.0.1:0"]',
         rules=""):
    """The daemon's configuration: one server, these people."""
    users = "".join(f"  - {{ address: {json.dumps(a)}, server: hq }}\n"
                    for a in addresses) + "".join(f"  - {u}\n" for u in more_users)
    return f"""servers:
  - name: hq
    kind: exchange
    url: {url}
    account: EXAMPLE\\svc-presence
    password_file: password
    auth: [basic]
{server_more}users:
{users}poll: {{ interval: {interval}, window: 14d }}
presence:
  stale_after: {stale}
{rules}publish:
  http: {{ listen: {publish} }}
control: {{ socket: "{{folder}}/control.sock" }}
"""


def start(folder, lines, addresses, args=(), profile="2003", **config):
    """A simulator with that company, and the daemon polling it."""
    harness.secret_file(folder, "password", "svc-secret")
    sim = harness.Simulator(folder, company(*lines), profile, args)
    return sim, harness.Daemon(folder, yaml(sim.url, addresses, **config))
