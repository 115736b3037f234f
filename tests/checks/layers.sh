#!/usr/bin/env bash
# Wall 5: who includes what. Prints each include that the table of docs/architecture.md does not allow; exit 1 when there is one.
#   layers.sh [ROOT]
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
bad=0
complain() {
    echo "$1: $2"
    bad=1
}

# Foreign header -> the files that may speak it (a pattern over the path).
allowed() {
    case $1 in
    event2/*) [[ $2 == base/loop*.[ch] || $2 == base/io*.[ch] ]] ;;
    microhttpd.h) [[ $2 == base/httpd*.[ch] ]] ;;
    gnutls/*) [[ $2 == base/httpd_tls.c ]] ;;
    curl/*) [[ $2 == base/fetch*.[ch] ]] ;;
    libxml/*) [[ $2 == base/xml*.[ch] ]] ;;
    jansson.h) [[ $2 == base/json*.[ch] ]] ;;
    sqlite3.h) [[ $2 == base/db*.[ch] ]] ;;
    openssl/*) [[ $2 == base/tls*.[ch] || $2 == base/crypto*.[ch] || $2 == base/fetch*.c ]] ;;
    mosquitto.h | mqtt_protocol.h) [[ $2 == presence/pub_mqtt*.[ch] ]] ;;
    osip2/* | osipparser2/*) [[ $2 == presence/sip_*.c || $2 == presence/pub_sip*.c ]] ;;
    libical/*) [[ $2 == davclient/ical*.[ch] || $2 == davclient/tz*.[ch] || $2 == presence/render_vfb.c ]] ;;
    cyaml/* | yaml.h) [[ $2 == gateway/config*.[ch] ]] ;;
    systemd/*) [[ $2 == gateway/main.c || $2 == gateway/notify.c ]] ;;
    *) return 0 ;;
    esac
}

for file in $(find base davclient presence gateway -name '*.[ch]' 2>/dev/null); do
    own=${file%%/*}
    while read -r header; do
        case $header in
        ../* | */../*) complain "$file" "includes $header: a way round the include directories" ;;
        base/*) ;;
        davclient/*) [[ $own == davclient || $own == gateway ]] || complain "$file" "includes $header" ;;
        presence/*) [[ $own == presence || $own == gateway ]] || complain "$file" "includes $header" ;;
        *) allowed "$header" "$file" || complain "$file" "includes $header: see the table in docs/architecture.md" ;;
        esac
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]+)[>"].*/\1/p' "$file")

    # Inside the gateway: only gateway.c and feed.c (and what they are split into) see both sides.
    case $file in
    gateway/poller*) grep -q '"presence/' "$file" && complain "$file" "the poller knows nothing of presence" ;;
    gateway/policy* | gateway/relay*) grep -q '"davclient/' "$file" && complain "$file" "policy knows nothing of servers" ;;
    gateway/freebusyctl*) grep -Eq '"(davclient|presence)/' "$file" && complain "$file" "the command-line client speaks to base only" ;;
    esac

    # What leaves has passed the view: outlets ask their viewer, faces the policy.
    case $file in
    presence/pub_*.c | presence/sip_*.c | gateway/http_*.c | gateway/outlets*.c)
        grep -Eq 'pres_table_(presence|known) *\(' "$file" && complain "$file" "asks the table past the view" ;;
    esac
done
exit $bad
