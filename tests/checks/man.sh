#!/usr/bin/env bash
# The manual pages are clean mdoc.   man.sh SOURCE_DIR
set -u
cd "$1" || exit 2
ls docs/man/freebusyd.8 docs/man/freebusyctl.1 docs/man/freebusyd.yaml.5 >/dev/null || exit 1
mandoc -T lint -W warning docs/man/*.[158]
