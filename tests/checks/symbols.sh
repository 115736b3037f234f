#!/usr/bin/env bash
# Wall 4: every global symbol of a layer begins with its prefix. In base the prefix is the file's stem (json.c: jv), elsewhere the layer's.
#   symbols.sh BUILD_DIR [LAYER...]
set -u
build=$1
shift
[ $# -gt 0 ] || set -- base davclient presence gateway
bad=0

# The prefix that FILE.c of LAYER must use.
prefix_of() {
    case $1 in
    base) case $2 in json) echo jv ;; *) echo "${2%%_*}" ;; esac ;;
    davclient) echo dav ;;
    presence) echo pres ;;
    gateway) echo gw ;;
    *) echo "$1" ;;
    esac
}

for layer in "$@"; do
    archive=$(find "$build" -name "lib$layer.a" | head -n 1)
    [ -n "$archive" ] || { echo "no lib$layer.a below $build"; exit 2; }
    while read -r object symbol; do
        stem=${object##*:}
        stem=${stem%.c.o}
        prefix=$(prefix_of "$layer" "$stem")
        case $symbol in
        "$prefix"_* | "$prefix" | __asan_* | __odr_asan* | __ubsan_* | __sanitizer_* | __start_* | __stop_*) ;;
        *) echo "$layer/$stem.c: global '$symbol' does not begin with ${prefix}_"; bad=1 ;;
        esac
    done < <(nm -A --defined-only --extern-only "$archive" | awk '{ split($1, part, ":"); print part[1] ":" part[2], $NF }')
done
exit $bad
