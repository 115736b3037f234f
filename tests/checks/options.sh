#!/usr/bin/env bash
# The code's own tables against what is written about them: every configuration key stands in freebusyd.yaml(5) and in
# packaging/freebusyd.yaml, every command in freebusyctl(1), and nothing else does.
#   options.sh SOURCE_DIR FREEBUSYD FREEBUSYCTL
set -u
cd "$1" || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
differ() { # WHAT CODE DOCUMENT
    if ! diff -u --label code --label document "$2" "$3"; then
        echo "$1 differ (lines with - are in the code only, with + in the document only)"
        bad=1
    fi
}
"$2" --print-options >"$work/options" || { echo "freebusyd --print-options failed"; exit 1; }
"$3" --print-commands >"$work/commands" || { echo "freebusyctl --print-commands failed"; exit 1; }
cut -f1 "$work/options" | LC_ALL=C sort -u >"$work/keys"
[ -s "$work/keys" ] || { echo "no keys printed"; exit 1; }

# The page is made from the table; what is committed must be what would be made now.
docs/man/make-config-page "$2" >"$work/page" || { echo "docs/man/make-config-page failed"; exit 1; }
differ "freebusyd.yaml(5) as made from the code and as committed" "$work/page" docs/man/freebusyd.yaml.5

# In the sample, a key is `name:` at any depth, commented out or not; compare the last parts.
sed -E 's/\[\]//g; s/.*\.//' "$work/keys" | LC_ALL=C sort -u >"$work/last-parts"
grep -oE '(^|[ {,-])#? ?[a-z_]+:( |$)' packaging/freebusyd.yaml | tr -d ' #{,:-' | LC_ALL=C sort -u >"$work/sample-keys"
differ "configuration keys and packaging/freebusyd.yaml" "$work/last-parts" "$work/sample-keys"

cut -f1 "$work/commands" | LC_ALL=C sort -u >"$work/names"
sed -nE 's/^\.It Cm ([a-z]+).*/\1/p' docs/man/freebusyctl.1 | LC_ALL=C sort -u >"$work/man-names"
differ "commands and freebusyctl(1)" "$work/names" "$work/man-names"

exit $bad
