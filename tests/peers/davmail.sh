#!/usr/bin/env bash
# Runs DavMail (Debian package davmail-server) in the foreground as a CalDAV front of an Exchange server, in WebDAV mode.
#   tests/peers/davmail.sh DIR URL PORT
# DIR takes its home, settings and davmail.log; URL is the server's, ending in /exchange/; PORT is where it serves CalDAV on
# 127.0.0.1. The shell becomes DavMail, so the caller stops it by the process id it started.
set -eu
[ $# = 3 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dir=$1
[ -e /usr/share/davmail/davmail.jar ] || { echo "davmail.sh: package davmail-server is not installed" >&2; exit 3; }
mkdir -p "$dir/home"
dir=$(cd "$dir" && pwd)
cat >"$dir/davmail.properties" <<END
davmail.server=true
davmail.mode=WebDav
davmail.url=$2
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.caldavPort=$3
davmail.imapPort=
davmail.ldapPort=
davmail.popPort=
davmail.smtpPort=
davmail.disableUpdateCheck=true
davmail.caldavPastDelay=90
davmail.logFilePath=$dir/davmail.log
log4j.rootLogger=WARN
log4j.logger.davmail=DEBUG
log4j.logger.org.apache.http.wire=WARN
log4j.logger.org.apache.http=WARN
END
# The package's launcher takes no options for the virtual machine: a small one starts in half the time.
exec env HOME="$dir/home" java -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Duser.home="$dir/home" \
    -jar /usr/share/davmail/davmail.jar -server "$dir/davmail.properties"
