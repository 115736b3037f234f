#!/usr/bin/env bash
# Every code of a failure has its paragraph in docs/troubleshooting.md, which begins with what the program says, and no
# other code has one. No source names a code of a server or an outlet that the program does not print.
#   codes.sh SOURCE_DIR FREEBUSYD
set -u
cd "$1" || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$2" --print-causes >"$work/causes" || exit 1
cut -f 2 "$work/causes" | sort -u >"$work/have"
sed -n 's/^### //p' docs/troubleshooting.md | sort >"$work/told"
diff "$work/have" "$work/told" || { echo "codes (<) and paragraphs (>) differ"; exit 1; }
bad=0
while IFS=$'\t' read -r step code meaning _; do
    [ "$step" = publish ] && grep -qP "^(?!publish)\w+\t$code\t" "$work/causes" && continue
    paragraph=$(awk -v h="### $code" '$0 == h { on = 1; next } /^#/ { on = 0 } on' docs/troubleshooting.md | tr '\n' ' ')
    case " $paragraph" in
    *" $meaning "*) ;;
    *) echo "$code: the paragraph does not say \"$meaning\""; bad=1 ;;
    esac
done <"$work/causes"
# Beside codes only an outlet's kind and that of its rows look so: they are left out.
grep -ohE '"(dns|tcp|tls|http|proxy|sip|mqtt|xmpp|webhook|relay)-[a-z0-9-]+"' base/*.c davclient/*.c presence/*.c gateway/*.c |
    tr -d '"' | sort -u | grep -vxE 'sip-server|sip-watch' | comm -23 - "$work/have" >"$work/unknown"
[ -s "$work/unknown" ] && { echo "codes that nobody explains:"; cat "$work/unknown"; bad=1; }
exit $bad
