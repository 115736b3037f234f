"""Any WebDAV server as the far end of a relay: Apache's mod_dav keeps a file for each person, and other programs read
it."""
import os
import subprocess
import sys
import time

import company
import harness
import relay_world as world
from harness import check, check_equal, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
import apache_dav  # noqa: E402

ANNA, BERT = "anna@example.test", "bert+o'hara@example.test"
FOLDER = """\
AddType text/calendar .ifb
DavLockDB {folder}/run/davlock
<Location /freebusy>
  Dav On
  AuthType Basic
  AuthName "relay"
  AuthBasicProvider file
  AuthUserFile {folder}/accounts
  Require user exporter
</Location>
"""


def files(folder):
    """Files come, change and go; another daemon reads them as it reads anybody's."""
    harness.secret_file(folder, "password", "svc-secret")
    peer_folder = os.path.join(folder, "apache", "httpd")
    apache_dav.peer.write(peer_folder, "accounts", apache_dav.accounts(["exporter"]))
    os.makedirs(os.path.join(peer_folder, "htdocs", "freebusy"), exist_ok=True)
    with apache_dav.Httpd(peer_folder, FOLDER, (*apache_dav.LOGON_MODULES, "dav", "dav_fs")) as apache:
        sim = harness.Simulator(folder, company.company(f"mailbox {ANNA} password=x", f"mailbox {BERT} password=x"))
        near, key = os.path.join(folder, "inside"), world.sign_key(folder, "relay")[0]
        secret = harness.secret_file(folder, "exporter", "exporterpw")
        relay = (f"{{ name: outside, url: '{apache.url}/freebusy/{{address}}.ifb', user: exporter, password_file: {secret}, "
                 f"ca_file: {apache.ca_file}, sign_key_file: {key} }}")
        exporter = harness.Daemon(near, world.inside(near, sim.url, (ANNA, BERT), relay))
        wait_until(lambda: world.outlet(exporter)["exported"] == 2, "two files to be written")

        def get(name):
            return subprocess.run(["curl", "-s", "-u", "exporter:exporterpw", "--cacert", apache.ca_file, "-w",
                                   "%{http_code}", f"{apache.url}/freebusy/{name}.ifb"],
                                  capture_output=True, text=True, check=False).stdout

        check("METHOD:PUBLISH" in get(ANNA) and "X-FB-SIGN:" in get(ANNA), get(ANNA))
        check(get("bert%2Bo%27hara@example.test").endswith("200"), "a name with odd characters")

        reader = os.path.join(folder, "reader")
        os.makedirs(reader)
        harness.secret_file(reader, "password", "exporterpw")
        other = harness.Daemon(reader, f"""servers:
  - name: files
    kind: ifb
    url: {apache.url}/freebusy/
    account: exporter
    password_file: password
    auth: [basic]
    tls: {{ ca_file: {apache.ca_file} }}
    calendars: ["/freebusy/{{address}}.ifb"]
users:
  - {{ address: {ANNA}, server: files }}
poll: {{ interval: 1s }}
publish:
  http: {{ listen: ["127.0.0.1:0"] }}
control: {{ socket: "{{folder}}/control.sock" }}
""")
        other.wait_state(ANNA, "free")
        now = int(time.time())
        sim.control("POST", "/appointments",
                    {"mailbox": ANNA, "start": harness.utc(now - 60), "end": harness.utc(now + 3600), "busy": "busy"})
        other.wait_state(ANNA, "busy")

        exporter.write(world.read(exporter.config).replace(f'  - {{ address: "{ANNA}", server: hq }}\n', ""))
        check_equal(exporter.ctl("reload")[0], 0, "reload")
        wait_until(lambda: get(ANNA).endswith("404"), "the file to go")
        check(get("bert%2Bo%27hara@example.test").endswith("200"), "the other one stays")
        check_equal(exporter.ctl("check")[0], 0, "check")


if __name__ == "__main__":
    harness.run(files)
