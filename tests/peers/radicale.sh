#!/bin/sh
# A Radicale of our own: Debian's package, a throwaway folder, https on a free port of the loopback.
#   radicale.sh DIR        starts it, prints "PORT PID"; stop it with kill PID
# Accounts (password = name + "pw"): `svc` reads every calendar and writes none, `owner` writes them. DIR/ca.pem is its certificate.
set -eu
dir=$1
mkdir -p "$dir/store"
[ -e "$dir/ca.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1,DNS:localhost \
    -keyout "$dir/key.pem" -out "$dir/ca.pem" 2>/dev/null
printf 'svc:svcpw\nowner:ownerpw\n' >"$dir/accounts"
cat >"$dir/rights" <<END
[reader]
user: ^svc$
collection: .*
permissions: Rr
[writer]
user: ^owner$
collection: .*
permissions: RWrw
END

start() {
    cat >"$dir/config" <<END
[server]
hosts = 127.0.0.1:$1
ssl = True
certificate = $dir/ca.pem
key = $dir/key.pem
[auth]
type = htpasswd
htpasswd_filename = $dir/accounts
htpasswd_encryption = plain
delay = 0
[rights]
type = from_file
file = $dir/rights
[storage]
filesystem_folder = $dir/store
[web]
type = none
END
    # The distribution's Python, whatever else stands in PATH.
    /usr/bin/python3 -m radicale --config "$dir/config" >"$dir/log" 2>&1 </dev/null &
    pid=$!
}

# A port that is free now may be taken a moment later: then another one.
for attempt in 1 2 3 4 5; do
    port=$(/usr/bin/python3 "$(dirname "$0")/peer.py" 1)
    start "$port"
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 600 ]; do
        if curl -s --max-time 60 -o /dev/null --cacert "$dir/ca.pem" "https://127.0.0.1:$port/"; then
            echo "$port $pid"
            exit 0
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
done
echo "radicale.sh: it does not start (attempt $attempt):" >&2
tail -n 20 "$dir/log" >&2
exit 1
