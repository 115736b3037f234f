"""Random marker strings in every field of what mail servers say; none of them may come out anywhere: no answer, stream,
hook, command, log, audit line, state file or byte to another relay."""
import glob
import os

import harness
import leak_world
import relay_world
from harness import check, wait_until
from leak_world import WELL
from hook_sink import HookSink


def everything(daemon, people, folder):
    """What may be asked of the daemon, as (name, bytes)."""
    for who in people:
        for path in (f"/v1/presence/{who}", f"/v1/freebusy/{who}.ifb", f"/person/{who}"):
            yield path, daemon.get(path)[1].encode()
        yield "PIDF", daemon.get(f"/v1/presence/{who}", {"Accept": "application/pidf+xml"})[1].encode()
        for command in (("show", who), ("why", who), ("--json", "why", who), ("audit", who)):
            yield " ".join(command), "".join(daemon.ctl(*command)[1:]).encode()
    for path in ("/", "/v1/status", "/v1/servers", "/metrics"):
        yield path, daemon.get(path)[1].encode()
    for command in (("status",), ("users",), ("--json", "users"), ("bundle", "-"), ("bundle", "-", "--names"), ("servers",),
                    ("--json", "servers"), ("check",), ("privacy",)):
        yield " ".join(command), "".join(str(x) for x in daemon.ctl(*command)[1:]).encode()


def search_files(mark, daemon, folder):
    daemon.stop()
    mark.search("the log", daemon.program.log().encode())
    places = glob.glob(os.path.join(folder, "state", "*")) + glob.glob(os.path.join(folder, "audit.log*"))
    check(len(places) >= 2, f"state and audit were written: {places}")
    for place in places:
        with open(place, "rb") as file:
            mark.search(place, file.read())


def no_marker_leaves(folder):
    """Exchange, CalDAV and free/busy files with markers everywhere, many of them broken; then every way out is
    searched, and the log at its most talkative."""
    sources, hook = leak_world.Sources(folder), HookSink()
    mark = sources.mark
    os.mkdir(os.path.join(folder, "state"), 0o700)
    rules = f"audit: {{ file: {folder}/audit.log }}\nstate: {{ directory: {folder}/state }}\n" \
            "markers: [ { category: nobodys, level: kinds } ]\n"  # so that categories are read
    try:
        text = sources.yaml(rules).replace("publish:\n",
                                           f"publish:\n  webhooks: [ {{ name: wall, url: '{hook.url}' }} ]\n")
        daemon = harness.Daemon(folder, text)
        events = harness.Events(daemon.port)
        for who in WELL:
            daemon.wait_state(who, "busy")
            events.wait(lambda e, w=who: e["address"] == w and e["state"] == "busy", f"{who} in the stream")
        wait_until(lambda: sum("busy" in r["body"] for r in list(hook.requests)) > 0, "the hook to be told")
        wait_until(sources.all_read, "everything to be read")
        sources.check_heard()
        for name, data in everything(daemon, [*WELL, *sources.broken_people, *sources.broken_readers], folder):
            mark.search(name, data)
        search_files(mark, daemon, folder)
        mark.search("the event stream", repr(events.events).encode())
        mark.search("the hook", repr(list(hook.requests)).encode())
    finally:
        sources.stop()
        hook.stop()


def no_marker_is_relayed(folder):
    """Two daemons with a line between them on which every message is kept; what the far one serves and writes down."""
    sources = leak_world.Sources(folder)
    mark, (key, pub) = sources.mark, relay_world.sign_key(folder, "relay")
    people = [*WELL, *sources.broken_people, *sources.broken_readers]
    far, near = os.path.join(folder, "far"), os.path.join(folder, "near")
    for place in (far, near):
        os.makedirs(os.path.join(place, "state"), 0o700)
    for name in ("password", "dav-password"):
        os.rename(os.path.join(folder, name), os.path.join(near, name))
    kept = "audit: { file: \"%s/audit.log\" }\nstate: { directory: \"%s/state\" }\n"
    try:
        publisher = harness.Daemon(far, relay_world.outside(far, people, f'{{ keys: ["{pub}"], stream: a-to-b }}',
                                                            more=kept % (far, far)))
        line = relay_world.Recorder(publisher.port)
        relay = f"{{ name: outside, stream: a-to-b, url: 'http://127.0.0.1:{line.port}/relay/inside/', sign_key_file: {key}, digest: 1s }}"
        exporter = harness.Daemon(near, sources.yaml(kept % (near, near)).replace(
            "publish:\n", "publish:\n  relays:\n    - " + relay + "\n"))
        for who in WELL:
            publisher.wait_state(who, "busy")
        wait_until(sources.all_read, "everything to be read")
        wait_until(lambda: any(b"X-FB-HAS" in body for _, _, body, _ in list(line.seen)), "a digest")
        sources.check_heard()
        sent = b"\n".join(f"{verb} {path}\n".encode() + body for verb, path, body, _ in list(line.seen))
        check(all(who.encode() in sent for who in WELL), "everybody was sent")
        mark.search("the relay's messages", sent)
        for name, data in everything(publisher, WELL, far):
            mark.search("the far end's " + name, data)
        for daemon, place in ((exporter, near), (publisher, far)):
            search_files(mark, daemon, place)
    finally:
        sources.stop()


if __name__ == "__main__":
    harness.run(no_marker_leaves, no_marker_is_relayed)
