"""The near end is a program that publishes free/busy as Evolution does, through GNOME's WebDAV client: the folder is
mounted, and a file in it replaced."""
import os
import subprocess
import sys
import time

import harness
import relay_world as world
from harness import check, check_equal, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "peers"))
import gvfs  # noqa: E402

ANNA, BERT = "anna@example.test", "bert+o'hara@example.test"
STAMP = "%Y%m%dT%H%M%SZ"


def calendar(now, *periods):
    """As it comes from Evolution: no METHOD, an organizer of her own, details of meetings if she has ticked that."""
    busy = "".join(f"FREEBUSY;FBTYPE=BUSY;X-SUMMARY=tooth;X-LOCATION=dentist:{harness.utc(a, STAMP)}/{harness.utc(b, STAMP)}\r\n"
                   for a, b in periods)
    return ("BEGIN:VCALENDAR\r\nCALSCALE:GREGORIAN\r\nPRODID:-//Ximian//NONSGML Evolution Calendar//EN\r\nVERSION:2.0\r\n"
            f"BEGIN:VFREEBUSY\r\nORGANIZER;CN=Anna:mailto:anna@home.example\r\nDTSTART:{harness.utc(now - 86400, STAMP)}\r\n"
            f"DTEND:{harness.utc(now + 86400 * 30, STAMP)}\r\n{busy}END:VFREEBUSY\r\nEND:VCALENDAR\r\n")


def published(folder):
    """One's own, of two calendars, one after the other in the file; nobody else's; and nothing can be read there."""
    publisher = world.published_by_themselves(os.path.join(folder, "outside"), (ANNA, BERT))
    now = int(time.time())
    file = os.path.join(folder, "busy.ifb")
    with open(file, "w", encoding="ascii", newline="") as out:
        out.write(calendar(now) + calendar(now, (now - 60, now + 3600)))
    folder_url = f"http://127.0.0.1:{publisher.port}/relay/inside/"

    codes, said = gvfs.save(os.path.join(folder, "his"), folder_url, BERT, BERT + "pw",
                            [(BERT + ".ifb", file), (ANNA + ".ifb", file)])
    check(len(codes) == 3 and codes[:2] == [0, 0] and codes[2] != 0, f"mounted, his own, and not hers: {codes} {said}")
    wait_until(lambda: publisher.ctl_json("show", BERT)["state"] == "busy", "what the second calendar says")
    check_equal(publisher.ctl_json("show", BERT)["until"], harness.utc(now + 3600), "until when")
    check_equal(publisher.ctl_json("show", ANNA)["state"], "unknown", "the other one")
    codes, said = gvfs.save(os.path.join(folder, "wrong"), folder_url, ANNA, "wrong", [(ANNA + ".ifb", file)])
    check(all(codes), f"a wrong password: {codes} {said}")
    check("tooth" not in publisher.program.log() and "dentist" not in publisher.program.log(), "no text in the log")

    def ask(path, depth="1", login=BERT):
        done = subprocess.run(["curl", "-s", "-w", "%{http_code}", "-X", "PROPFIND", "-H", f"Depth: {depth}", "-u",
                               f"{login}:{login}pw", f"http://127.0.0.1:{publisher.port}{path}"], capture_output=True,
                              text=True, check=False)
        return done.stdout[-3:], done.stdout

    check_equal([ask(path)[0] for path in ("/relay/inside/", "/relay/inside")], ["207", "207"], "the folder")
    check("@" not in ask("/relay/inside/")[1] and ask("/relay/inside/")[1].count("<D:response>") == 1, "in which nobody is")
    check_equal(ask("/relay/inside/", "infinity")[0], "403", "however deep")
    check_equal(ask("/relay/inside/", login="nobody@example.test")[0], "401", "for nobody without a name")
    # Oneself and somebody else, here or not, make no difference.
    check_equal({ask(f"/relay/inside/{p}.ifb")[0] for p in (ANNA, "none@example.test")}, {"403"}, "others' files")
    check_equal(ask(f"/relay/inside/{BERT.replace('+', '%2B')}.ifb")[0], "404", "nor one's own can be read")


if __name__ == "__main__":
    harness.run(published)
