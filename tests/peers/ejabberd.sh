#!/bin/sh
# An ejabberd of our own: Debian's package, a throwaway folder, clear text on free ports of the loopback; no node name, so
# neither epmd nor a cookie.
#   ejabberd.sh DIR        starts it, prints "C2S COMPONENT PID API"; stop it with kill PID (it takes a second or two)
# Users of im.example register themselves; the component cal.example has the secret s3cret; API is the port of its HTTP
# interface for administrators. PEER_PORTS="C2S COMPONENT API" and PEER_OWN=yes as for prosody.sh.
set -eu
dir=$1
mkdir -p "$dir/db"

write_config() {
    check_from=true privilege=
    if [ -n "${PEER_OWN:-}" ]; then
        check_from=false privilege='mod_privilege: { roster: { get: all }, presence: { managed_entity: all } }'
    fi
    cat >"$dir/ejabberd.yml" <<END
hosts: [im.example]
loglevel: warning
log_rotate_size: infinity
acme: { auto: false }
auth_method: internal
auth_password_format: plain
s2s_access: none
disable_sasl_mechanisms: ["digest-md5"]
registration_timeout: infinity
listen:
  - { port: $1, ip: "127.0.0.1", module: ejabberd_c2s, shaper: none, access: all }
  - port: $2
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    shaper: none
    check_from: $check_from
    hosts: { cal.example: { password: "s3cret" } }
  - { port: $3, ip: "127.0.0.1", module: ejabberd_http, request_handlers: { /api: mod_http_api } }
api_permissions:
  "from this machine": { from: mod_http_api, who: { ip: 127.0.0.1/8 }, what: "*" }
access_rules: { register: [ allow: all ] }
modules:
  mod_adhoc: {}
  mod_admin_extra: {}
  mod_caps: {}
  mod_disco: {}
  mod_http_api: {}
  mod_ping: {}
  $privilege
  mod_register: { ip_access: all, access: register }
  mod_roster: {}
  mod_vcard: {}
END
}

listening() {
    grep -qi ":$(printf '%04X' "$1") 00000000:0000 0A" /proc/net/tcp
}

export EJABBERD_CONFIG_PATH="$dir/ejabberd.yml" EJABBERD_LOG_PATH="$dir/ejabberd.log" HOME="$dir"
ERL_LIBS=$(dirname "$(dpkg -L ejabberd | sed -n 's,/ebin/ejabberd.app$,,p')")
export ERL_LIBS
for attempt in 1 2 3; do
    # shellcheck disable=SC2086
    set -- ${PEER_PORTS:-$(/usr/bin/python3 "$(dirname "$0")/peer.py" 3)}
    write_config "$1" "$2" "$3"
    (cd "$dir" && exec erl -noinput +sbwt none -mnesia dir "\"$dir/db\"" -ejabberd quiet true -s ejabberd) >"$dir/out" 2>&1 </dev/null &
    pid=$!
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 600 ]; do
        if listening "$2" && listening "$1" && listening "$3"; then
            echo "$1 $2 $pid $3"
            exit 0
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
done
echo "ejabberd.sh: it does not start (attempt $attempt):" >&2
tail -n 20 "$dir/out" >&2
exit 1
