#!/usr/bin/env bash
# Proof that the walls between the layers hold: breaks each of the five once, in a copy, and demands that it is noticed.
#   walls_bite.sh SOURCE_DIR
set -u
source=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
noticed() { # WHAT EXPECTED-TEXT COMMAND...
    local what=$1 expected=$2
    shift 2
    if output=$("$@" 2>&1); then
        echo "NOT NOTICED: $what"
        bad=1
    elif ! grep -q -- "$expected" <<<"$output"; then
        echo "noticed for another reason: $what"
        tail -n 5 <<<"$output"
        bad=1
    else
        echo "noticed: $what"
    fi
}

# A house of two rooms, built with our own cmake/Layer.cmake.
mkdir -p "$work/cmake" "$work"/{base,davclient,presence}/include "$work"/base/include/base "$work"/presence/include/presence "$work"/davclient/include/davclient
cp "$source/cmake/Layer.cmake" "$source/cmake/closed_world.c" "$work/cmake/"
cat >"$work/CMakeLists.txt" <<'CM'
cmake_minimum_required(VERSION 3.25)
project(walls LANGUAGES C)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
include(cmake/Layer.cmake)
fb_layer(base)
fb_layer(davclient USES base)
fb_layer(presence USES base)
CM
rebuild() {
    echo 'int base_one(void);' >"$work/base/include/base/one.h"
    echo '#include "base/one.h"
int base_one(void) { return 1; }' >"$work/base/one.c"
    echo 'int dav_two(void);' >"$work/davclient/include/davclient/two.h"
    echo '#include "davclient/two.h"
#include "base/one.h"
int dav_two(void) { return base_one(); }' >"$work/davclient/two.c"
    echo 'int pres_three(void);' >"$work/presence/include/presence/three.h"
    echo '#include "presence/three.h"
int pres_three(void) { return 3; }' >"$work/presence/three.c"
}
build() { cmake -S "$work" -B "$work/build" -G Ninja >/dev/null && cmake --build "$work/build" && cmake --build "$work/build" --target all_verify_interface_header_sets; }

rebuild
build >/dev/null 2>&1 || { echo "the sound house does not build"; build; exit 1; }

echo '#include "presence/three.h"
int dav_two(void); int dav_two(void) { return pres_three(); }' >"$work/davclient/two.c"
noticed "1: a sibling's header is included" "presence/three.h" build

rebuild
echo 'extern int pres_three(void);
int dav_two(void); int dav_two(void) { return pres_three(); }' >"$work/davclient/two.c"
noticed "2: a sibling's function is smuggled in as extern" "undefined reference to .pres_three" build

rebuild
echo 'size_t pres_three(void);' >"$work/presence/include/presence/three.h"
echo '#include <stddef.h>
#include "presence/three.h"
size_t pres_three(void) { return 3; }' >"$work/presence/three.c"
noticed "3: a public header does not compile alone" "size_t" build

rebuild
echo '#include "presence/three.h"
int pres_three(void) { return 3; }
int helper(void) { return 4; }' >"$work/presence/three.c"
build >/dev/null 2>&1
noticed "4: a global without the layer's prefix" "'helper' does not begin with pres_" "$source/tests/checks/symbols.sh" "$work/build" presence

rebuild
echo '#include "../presence/include/presence/three.h"' >>"$work/davclient/two.c"
noticed "5a: an include by a relative path" "way round" "$source/tests/checks/layers.sh" "$work"
rebuild
mkdir -p "$work/gateway"
echo '#include <curl/curl.h>' >"$work/presence/three.c"
noticed "5b: a foreign library outside its file" "curl/curl.h" "$source/tests/checks/layers.sh" "$work"
rebuild
echo '#include "presence/three.h"' >"$work/gateway/poller.c"
noticed "5c: the poller looks at presence" "poller" "$source/tests/checks/layers.sh" "$work"
exit $bad
