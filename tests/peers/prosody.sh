#!/bin/sh
# A Prosody of our own: Debian's package, a throwaway folder, clear text on free ports of the loopback.
#   prosody.sh DIR        starts it, prints "C2S COMPONENT PID"; stop it with kill PID
# Users of im.example register themselves; the component cal.example has the secret s3cret. With PEER_PORTS="C2S COMPONENT"
# it takes these ports (to start it again at the same place); PEER_EVERYBODY=FILE is a groups file for mod_groups; with
# PEER_OWN=yes the component may see users' presence and contact lists, and write in their names (package prosody-modules).
set -eu
dir=$1
mkdir -p "$dir/data" "$dir/certs"

write_config() {
    groups= groups_file=
    if [ -n "${PEER_EVERYBODY:-}" ]; then
        groups='"groups";' groups_file="groups_file = \"$PEER_EVERYBODY\""
    fi
    own= own_component=
    if [ -n "${PEER_OWN:-}" ]; then
        own='"privilege"; "pep";'
        own_component='modules_enabled = { "privilege" }
    validate_from_addresses = false'
    fi
    cat >"$dir/prosody.cfg.lua" <<END
run_as_root = true
pidfile = "$dir/prosody.pid"
data_path = "$dir/data"
certificates = "$dir/certs"
log = { { levels = { min = "info" }, to = "file", filename = "$dir/prosody.log" } }
interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { $1 }
component_ports = { $2 }
component_interfaces = { "127.0.0.1" }
s2s_ports = {}
http_ports = {}
https_ports = {}
c2s_direct_tls_ports = {}
authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true
registration_throttle_max = 100000
modules_enabled = { "roster", "saslauth", "disco", "presence", "message", "iq", "register", "ping", $groups $own }
modules_disabled = { "s2s", "tls", "dialback", "offline" }
$groups_file
privileged_entities = { ["cal.example"] = { roster = "get", presence = "managed_entity",
    iq = { ["http://jabber.org/protocol/pubsub"] = "both" } } }
VirtualHost "im.example"
Component "cal.example"
    component_secret = "s3cret"
    component_conflict_resolve = "kick_old"
    $own_component
END
}

listening() {
    grep -qi ":$(printf '%04X' "$1") 00000000:0000 0A" /proc/net/tcp
}

for attempt in 1 2 3 4 5; do
    ports=${PEER_PORTS:-$(/usr/bin/python3 "$(dirname "$0")/peer.py" 2)}
    c2s=${ports% *} component=${ports#* }
    write_config "$c2s" "$component"
    prosody -F --config "$dir/prosody.cfg.lua" >"$dir/out" 2>&1 </dev/null &
    pid=$!
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 600 ]; do
        if listening "$component" && listening "$c2s"; then
            echo "$c2s $component $pid"
            exit 0
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
done
echo "prosody.sh: it does not start (attempt $attempt):" >&2
tail -n 20 "$dir/out" "$dir/prosody.log" >&2
exit 1
