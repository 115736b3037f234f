#!/bin/sh
# A Kamailio of our own as presence server: Debian's packages, a throwaway folder, free ports of the loopback.
#   kamailio.sh DIR [memory] [auth] [tls=PEM,KEY] [min=SECONDS] [clean=SECONDS]
# starts it and prints "PORT TLS_PORT PID": UDP and TCP on one port, TLS on the other; stop it with kill PID.
# "memory" keeps nothing in a database (then it loses a document at a refresh without one); "auth" asks for digests of the realm im.example,
# password "pw" for every name. With PEER_PORTS="PORT TLS_PORT" it takes these (to start it again at the same place; the database stays).
# PEER_MEMORY is the megabytes of shared memory (128): each request holds some for five seconds.
# Packages: kamailio kamailio-presence-modules kamailio-sqlite-modules kamailio-tls-modules sqlite3
set -eu
dir=$1
shift
mkdir -p "$dir"
memory= auth= tls= min=0 clean=3
for option in "$@"; do
    case $option in
    memory) memory=1 ;;
    auth) auth=1 ;;
    tls=*) tls=${option#tls=} ;;
    min=*) min=${option#min=} ;;
    clean=*) clean=${option#clean=} ;;
    esac
done
db="sqlite:///$(cd "$dir" && pwd)/kamailio.db"

write_config() {
    cat <<END
#!KAMAILIO
debug=2
log_stderror=yes
children=$([ "$memory" ] && echo 2 || echo 1)
tcp_children=1
auto_aliases=no
alias="im.example"
dns=no
rev_dns=no
listen=udp:127.0.0.1:$1
listen=tcp:127.0.0.1:$1
enable_tls=$([ "$tls" ] && echo yes || echo no)
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "pv.so"
loadmodule "sanity.so"
END
    if [ "$tls" ]; then
        cat <<END
listen=tls:127.0.0.1:$2
loadmodule "tls.so"
modparam("tls", "certificate", "${tls%,*}")
modparam("tls", "private_key", "${tls#*,}")
modparam("tls", "tls_method", "TLSv1.2+")
END
    fi
    [ -z "$auth" ] || echo 'loadmodule "auth.so"'
    [ "$memory" ] || echo 'loadmodule "db_sqlite.so"'
    cat <<END
loadmodule "presence.so"
loadmodule "presence_xml.so"
modparam("presence", "server_address", "sip:presence@127.0.0.1:$1")
modparam("presence", "max_expires", 3600)
modparam("presence", "min_expires", $min)
modparam("presence", "min_expires_action", 1)
modparam("presence", "expires_offset", 0)
modparam("presence", "clean_period", $clean)
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", $([ "$memory" ] && echo 2 || echo 1))
modparam("presence_xml", "force_active", 1)
END
    [ "$memory" ] || echo "modparam(\"presence|presence_xml\", \"db_url\", \"$db\")"
    cat <<'END'
request_route {
	if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (!sanity_check("1511", "7")) exit;
	if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
	if (is_method("PUBLISH|SUBSCRIBE")) {
END
    if [ "$auth" ]; then
        cat <<'END'
		if (!pv_www_authenticate("im.example", "pw", "0")) { www_challenge("im.example", "1"); exit; }
		consume_credentials();
END
    fi
    cat <<'END'
		if (!t_newtran()) { sl_reply_error(); exit; }
		if (is_method("PUBLISH"))
			handle_publish();
		else
			handle_subscribe();
		t_release();
		exit;
	}
	if (is_method("ACK")) exit;
	sl_send_reply("405", "Method Not Allowed");
}
END
}

listening() {
    grep -qi ":$(printf '%04X' "$1") 00000000:0000 0A" /proc/net/tcp
}

if [ -z "$memory" ] && [ ! -f "$dir/kamailio.db" ]; then
    sqlite3 "$dir/kamailio.db" </usr/share/kamailio/db_sqlite/standard-create.sql
    sqlite3 "$dir/kamailio.db" </usr/share/kamailio/db_sqlite/presence-create.sql
fi
for attempt in 1 2 3 4 5; do
    ports=${PEER_PORTS:-$(/usr/bin/python3 "$(dirname "$0")/peer.py" 2)}
    port=${ports% *} tls_port=${ports#* }
    write_config "$port" "$tls_port" >"$dir/kamailio.cfg"
    PATH=$PATH:/usr/sbin kamailio -f "$dir/kamailio.cfg" -DD -E -m "${PEER_MEMORY:-128}" -M 16 -w "$dir" -Y "$dir" -P "$dir/pid" >"$dir/log" 2>&1 </dev/null &
    pid=$!
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 600 ]; do
        if listening "$port" && { [ -z "$tls" ] || listening "$tls_port"; }; then
            echo "$port $tls_port $pid"
            exit 0
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
done
echo "kamailio.sh: it does not start (attempt $attempt):" >&2
tail -n 30 "$dir/log" >&2
exit 1
