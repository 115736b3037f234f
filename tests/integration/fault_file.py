"""Reads tests/faults/*.fault: lines of `key: value`, in any order, keys of LISTS as often as needed; `#` begins a
comment line. A key that is not known is an error, so that no fault is tested with a misspelt one."""
import os

LISTS = ("what", "set", "data", "server", "evidence", "advice")
WORDS = {"profile": "2003", "expect": None, "auth": "basic", "account": "EXAMPLE\\svc-presence",
         "service": "receive-as=all", "password": "right",
         "local": "anna", "person": "", "url": "", "tls": "", "trust": "ca", "openssl": "", "squid": "", "ntlm": "",
         "network": "", "kerberos": "",
         "dns": "", "read": "calendar", "attempts": "1", "daemon": "yes"}


class Fault:
    """A fault's name and what its file says: see tests/faults/README.md."""

    def __init__(self, path):
        self.name = os.path.basename(path)[:-len(".fault")]
        for key, value in WORDS.items():
            setattr(self, key, value)
        for key in LISTS:
            setattr(self, key, [])
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip() and not line.startswith("#"):
                    self._take(line, f"{path}:{number}")
        if not self.what or not self.expect:
            raise ValueError(f"{path}: `what` and `expect` are needed")
        self.step, self.code = self.expect.split()
        self.attempts, self.daemon = int(self.attempts), self.daemon == "yes"
        self.neighbour_is_well = bool(self.person)

    def _take(self, line, where):
        key, colon, value = line.partition(":")
        if colon and key in LISTS:
            getattr(self, key).append(value.strip())
        elif colon and key in WORDS:
            setattr(self, key, value.strip())
        else:
            raise ValueError(f"{where}: no such key: {line.strip()}")


def read_all(folder):
    return [Fault(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".fault")]
