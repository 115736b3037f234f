#!/usr/bin/env bash
# The systemd unit: systemd-analyze accepts it, and its exposure is printed and at most 1.2.
#   unit.sh SOURCE_DIR FREEBUSYD
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|/usr/sbin/freebusyd|$2|" "$1/systemd/freebusyd.service" >"$work/freebusyd.service"
systemd-analyze verify --man=no "$work/freebusyd.service" || { echo "systemd-analyze verify refuses the unit"; exit 1; }
systemd-analyze security --offline=true "$work/freebusyd.service" >"$work/report" || { cat "$work/report"; exit 1; }
score=$(sed -nE 's/.*exposure level for freebusyd.service: ([0-9.]+).*/\1/p' "$work/report")
echo "exposure score: $score"
awk -v s="$score" 'BEGIN { exit !(s != "" && s <= 1.2) }'
