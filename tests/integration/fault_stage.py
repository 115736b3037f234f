"""What a fault needs to happen: a simulator and, where its file says so, real servers that are set up wrongly; and the
configuration of a program that runs into it."""
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import threading

import harness
import kdc
import peer
import squid
import tls_server
import winbind

SECRET, WRONG, PROXY_SECRET = "Planted-se.cret:1", "Planted-wr.ong:2", "Planted-pr.oxy:3"
NETWORK = ("refused", "silent")
KERBEROS = {"other-key": f"cpw -pw {WRONG} svc", "revoked": "modprinc -allow_tix svc",
            "expired": "modprinc -pwexpire yesterday svc"}
# Accounts as winbindd has them; the data of the simulator may say more.
NTLM_USERS = {"svc-presence": (SECRET, "")}


class StageFailed(Exception):
    """A stage that could not be built."""


class Deaf:
    """A port that never answers: its queue of connections is full, and nobody takes one out."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.callers = []
        for _ in range(4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self.port))
            self.callers.append(caller)

    def stop(self):
        for one in [*self.callers, self.socket]:
            one.close()


class Stages:
    """What stages have in common: certificates, and one winbindd a policy."""

    def __init__(self, folder):
        self.folder, self.lock, self.judges, self.proxies, self.stages = folder, threading.Lock(), {}, {}, []
        self.certificates = peer.certificates(os.path.join(folder, "certificates"))

    def build(self, fault):
        stage = Stage(self, fault)
        self.stages.append(stage)
        stage.build()
        return stage

    def judge(self, policy):
        with self.lock:
            if policy not in self.judges:
                self.judges[policy] = winbind.Winbind(os.path.join(self.folder, f"winbind-{policy}"), policy,
                                                      NTLM_USERS, "EXAMPLE")
            return self.judges[policy]

    def proxy(self, kind):
        with self.lock:
            if kind not in self.proxies:
                users = {"gateway": PROXY_SECRET, "denied": PROXY_SECRET} if kind == "users" else {}
                self.proxies[kind] = squid.Squid(os.path.join(self.folder, f"squid-{kind}"), users,
                                                 kind != "no-connection-auth")
            return self.proxies[kind]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stage in self.stages:
            stage.stop()
        for server in [*self.judges.values(), *self.proxies.values()]:
            server.stop()


class Stage:
    """One fault, happening."""

    def __init__(self, stages, fault):
        self.stages, self.fault, self.others = stages, fault, []
        self.folder = os.path.join(stages.folder, fault.name)
        self.sim = self.port = None
        self.realm, self.env = None, {}
        # Addresses are told apart by their domain, so that one daemon can have all of them.
        self.address, self.neighbour = f"{fault.local}@{fault.name}.test", f"neighbour@{fault.name}.test"

    def certificate(self, name, kind="pem"):
        return os.path.join(self.stages.certificates, f"{name}.{kind}")

    def build(self):
        fault = self.fault
        os.makedirs(self.folder)
        harness.secret_file(self.folder, "password", SECRET if fault.password == "right" else WRONG)
        harness.secret_file(self.folder, "proxy-password", PROXY_SECRET)
        if fault.network and fault.network not in NETWORK:
            raise StageFailed(f"network: {fault.network}?")
        if fault.network == "silent":
            self.others.append(Deaf())
            self.port = self.others[-1].port
        elif fault.network == "refused":
            self.port = peer.free_port()
        else:
            self._start_simulator()
            self._start_openssl()
        if fault.kerberos:
            self._start_realm()
        with open(os.path.join(self.folder, "freebusyd.yaml"), "w", encoding="utf-8") as file:
            file.write(configuration([self]).replace("{folder}", self.folder))

    def _data(self):
        fault = self.fault
        lines = ["domain EXAMPLE", f"account svc-presence password={SECRET} {fault.service}",
                 f'mailbox "{self.address}" {fault.person}', f"mailbox {self.neighbour}"]
        lines += [f'appointment "{a}" now-1h +12h busy' for a in (self.address, self.neighbour)]
        return "\n".join(lines + [self._fill(line) for line in fault.data]) + "\n"

    def _start_simulator(self):
        fault, args = self.fault, []
        if fault.tls:
            args += ["--tls-cert", self.certificate(fault.tls), "--tls-key", self.certificate(fault.tls, "key")]
        if fault.ntlm:
            args += ["--ntlm-helper", self.stages.judge(fault.ntlm).helper]
        self.sim = harness.Simulator(self.folder, self._data(), fault.profile,
                                     [*args, "--log", os.path.join(self.folder, "requests.log")])
        self.port = self.sim.port
        self._set_switches()

    def _set_switches(self):
        switches = [self._fill(line).partition("=") for line in self.fault.set]
        if switches:
            self.sim.control("PUT", "/faults", {name: value or "on" for name, _, value in switches})

    def _start_openssl(self):
        """openssl s_server in front of the simulator."""
        if not self.fault.openssl:
            return
        options = dict(word.partition("=")[::2] for word in self.fault.openssl.split())
        name = options.pop("certificate", "good")
        if "client_ca" in options:
            options["client_ca"] = self.certificate(options["client_ca"])
        server = tls_server.TlsServer(os.path.join(self.folder, "openssl"), self.certificate(name),
                                      self.certificate(name, "key"),
                                      upstream=self.sim.url, **options)
        self.others.append(server)
        self.port = server.port

    def _start_realm(self):
        """A realm in which the service account has this trouble, and the environment of a program in it."""
        self.realm = realm = kdc.Kdc(os.path.join(self.folder, "kdc"), {"svc": SECRET},
                                     [] if self.fault.kerberos == "no-service" else kdc.SERVICES)
        self.others.append(realm)
        self.env = realm.client_env("svc")
        if self.fault.kerberos in KERBEROS:
            realm.kadmin(KERBEROS[self.fault.kerberos])
        elif self.fault.kerberos == "no-keytab":
            os.remove(realm.keytab("svc"))
        elif self.fault.kerberos == "no-kdc":
            realm.stop()
        elif self.fault.kerberos != "no-service":
            raise StageFailed(f"kerberos: {self.fault.kerberos}?")

    def _fill(self, text):
        """What files may leave open."""
        fault = self.fault
        values = {"port": self.port, "folder": self.folder, "address": self.address, "secret": SECRET,
                  "certificates": self.stages.certificates, "ca": self.certificate("ca"),
                  "scheme": "https" if fault.tls or fault.openssl else "http",
                  "host": "localhost" if fault.tls or fault.openssl else "127.0.0.1"}
        if "{proxy" in text:
            proxy = self.stages.proxy(fault.squid)
            values["proxy"], values["proxy_port"] = proxy.url, proxy.port
        return re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]) if m[1] in values else m[0], text)

    def yaml(self):
        """This server as one entry of `servers`."""
        fault = self.fault
        url = self._fill(fault.url or "{scheme}://{host}:{port}/exchange/")
        lines = [f"name: {fault.name}", "kind: exchange", f"url: {url}", f"account: {fault.account}",
                 f"password_file: {self.folder}/password", f"auth: [{fault.auth}]", f"read: {fault.read}"]
        if (fault.tls or fault.openssl) and fault.trust == "ca":
            tls = [line.partition(":")[2].strip() for line in fault.server if line.startswith("tls:")]
            lines.append("tls: { " + ", ".join([f"ca_file: {self.certificate('ca')}", *map(self._fill, tls)]) + " }")
        if fault.squid:
            lines.append(self._fill("proxy: {proxy}"))
        lines += [self._fill(line) for line in fault.server if not line.startswith("tls:")]
        return "  - " + "\n    ".join(lines) + "\n"

    def users(self):
        return "".join(f"  - {{ address: {json.dumps(a)}, server: {self.fault.name} }}\n" for a in (self.address,
                                                                                                    self.neighbour))

    # ---- looking at it -----------------------------------------------------------------------------------------------

    def check(self):
        """(exit code, lines as JSON, everything that was printed) of a check from the file."""
        argv = [harness.FREEBUSYCTL, "check", "--config", os.path.join(self.folder, "freebusyd.yaml"), "--json",
                self.fault.name]
        return self._run([*mute_dns(self.folder), *argv] if self.fault.dns == "mute" else argv)

    def check_by(self, daemon):
        return self._run([harness.FREEBUSYCTL, "--socket", daemon.socket, "check", "--json", self.fault.name, "--user",
                          self.address])

    def _run(self, argv):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=self.folder,
                              env={**os.environ, **self.env})
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return done.returncode, lines, done.stdout + done.stderr

    def attempts(self):
        """Logons the server saw: rejected ones, one for as many as it accepted, answers to challenges that nobody
        judged, and what a KDC rejected; and its complaints."""
        if not self.sim:
            return 0, []
        seen = self.sim.control("GET", "/counters")
        ntlm, logons = seen["ntlm"], seen["logons"]
        unjudged = ntlm.get("authenticates", 0) - sum(ntlm.get(kind, 0) for kind in ("v2", "session", "v1", "lm"))
        if self.realm:
            unjudged += self.realm.log().count("PREAUTH_FAILED")
        return logons["rejected"] + (logons["accepted"] > 0) + unjudged, seen["violations"]

    def account_unharmed(self):
        if not self.sim:
            return True
        account = next(a for a in self.sim.control("GET", "/accounts")["accounts"] if a["account"] == "svc-presence")
        return account["wrong"] <= 1 and (account["state"] != "locked" or "state=locked" in self.fault.service)

    def no_secrets(self, text, where):
        for secret in (SECRET, WRONG, PROXY_SECRET):
            for form in forms_of(secret):
                if form in text:
                    raise harness.Failed(f"a secret in {where}")
        found = re.search(r'TlRMTVNTUA|cadata="|sessionid=[0-9a-f]|Authorization: (?!\[)', text)
        if found:
            raise harness.Failed(f"a credential in {where}: ...{text[max(0, found.start() - 80):found.start()]}")

    def start_over(self):
        """As at the beginning: for the daemon."""
        if self.sim:
            self.sim.control("POST", "/reset")
            self._set_switches()

    def stop(self):
        for other in self.others:
            other.stop()
        if self.sim:
            self.sim.program.stop()


def forms_of(secret):
    """The secret, its NT hash, and what Basic makes of it."""
    yield secret
    yield winbind.nt_hash(secret)
    yield winbind.nt_hash(secret).lower()
    for user in ("EXAMPLE\\svc-presence", "svc-presence", "gateway", "denied"):
        yield base64.b64encode(f"{user}:{secret}".encode()).decode()


def mute_dns(folder):
    """Runs a command where the only name server hears everything and says nothing: in a network of its own."""
    script = os.path.join(os.path.dirname(os.path.abspath(winbind.__file__)), "mute_dns.sh")
    if not shutil.which("unshare"):
        raise StageFailed("unshare is missing: install the Debian package util-linux")
    return [script, folder]


def configuration(stages):
    servers, users = "".join(s.yaml() for s in stages), "".join(s.users() for s in stages)
    return f"""servers:
{servers}users:
{users}poll: {{ interval: 2s, window: 14d }}
presence: {{ stale_after: 15m }}
publish:
  http: {{ listen: ["127.0.0.1:0"] }}
control: {{ socket: "{{folder}}/control.sock" }}
"""
