#!/usr/bin/env bash
# The size of the house: a function of more than 120 lines, a file of more than 1000 and a line of more than 120 columns
# fail; what is over 60 and 600 is listed.
#   size.sh [ROOT]
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
find base davclient presence gateway tests -name '*.[ch]' -not -path '*/corpus/*' | sort | while read -r file; do
    awk -v file="$file" '
        /^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !/^#/ { name = $0; start = NR }
        /^}/ && start { len = NR - start + 1; start = 0
            if (len > 120) print "TOO LONG function " file ": " len " lines: " name
            else if (len > 60) print "long function " file ": " len " lines: " name }
        length($0) > 120 { print "TOO LONG line " file ":" NR ": " length($0) " columns" }
        END { if (NR > 1000) print "TOO LONG file " file ": " NR " lines"
              else if (NR > 600) print "long file " file ": " NR " lines" }' "$file"
done | awk '{ print } /^TOO LONG/ { bad = 1 } END { exit bad }'
