#!/usr/bin/env bash
# Certificates of every kind that a TLS test needs, made by openssl on the spot, valid for names localhost, mail.corp.example and 127.0.0.1.
#   certs.sh DIR [NAME...]      makes the named ones, or all, as DIR/NAME.pem and DIR/NAME.key; DIR/ca.pem is the authority to trust
#
# good          RSA, as a server should have it        good-sha1, good-sha512   signed with another digest (channel binding tells)
# expired       since yesterday                        not-yet                  valid from tomorrow
# soon          ends in 10 days                        wrong-name               valid for elsewhere.example only
# self-signed   its own authority                      unknown-ca               signed by other-ca.pem, which nobody trusts
# weak          RSA 1024, SHA-1, a CN and no names     no-server                for clients only
# chain         50 certificates up to ca.pem           gap                      signed by an intermediate that the server does not send
# client        for a client called gateway            other-client             the same, from other-ca.pem
#
# NAME.pem has what a server sends, itself first. NAME.pin is the public key's hash as curl and freebusyd pin it.
set -eu
[ $# -ge 1 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
shift
umask 077
all="good good-sha1 good-sha512 expired not-yet soon wrong-name self-signed unknown-ca weak no-server chain gap client other-client"
names=subjectAltName=DNS:localhost,DNS:mail.corp.example,IP:127.0.0.1
ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256'
rsa='-newkey rsa:2048'
chain_length=50
log=certs.log
# Not the machine's configuration, which may add extensions of its own.
printf '%s\n' '[req]' 'distinguished_name = name' 'x509_extensions = ids' '[name]' '[ids]' 'subjectKeyIdentifier = hash' \
    'authorityKeyIdentifier = keyid' >openssl.cnf
export OPENSSL_CONF=$PWD/openssl.cnf

quiet() {
    "$@" >>$log 2>&1 || { echo "certs.sh: failed: $*" >&2; tail -n 5 $log >&2; exit 1; }
}
# certificate NAME CN ISSUER [OPTION...]; ISSUER - signs itself. Words of $key make the key, $days is the life.
key=$ec
days=90
certificate() {
    local name=$1 subject=/CN=$2 issuer=$3
    shift 3
    [ "$issuer" = - ] || set -- -CA "$issuer.pem" -CAkey "$issuer.key" "$@"
    quiet openssl req -x509 -nodes $key -days "$days" -subj "$subject" -keyout "$name.key" -out "$name.pem" "$@"
}
authority() { # NAME CN ISSUER
    certificate "$1" "$2" "$3" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}
server() { # NAME ISSUER [OPTION...]
    local name=$1 issuer=$2
    shift 2
    certificate "$name" "$name" "$issuer" -addext basicConstraints=critical,CA:FALSE -addext $names "$@"
}
# Only `openssl ca` takes dates; the others count days from now.
dated() { # NAME FROM TO
    local form=+%Y%m%d%H%M%SZ
    quiet openssl req -new -nodes $ec -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    printf '%s\n' '[ca]' 'default_ca = ours' '[ours]' 'database = ca.index' 'new_certs_dir = .' 'policy = any' 'unique_subject = no' 'rand_serial = yes' \
        'x509_extensions = server' '[any]' 'commonName = supplied' '[server]' 'basicConstraints = critical,CA:FALSE' \
        "${names/=/ = }" >ca.cnf
    : >>ca.index
    quiet openssl ca -batch -notext -config ca.cnf -md sha256 -cert ca.pem -keyfile ca.key -in "$1.csr" -out "$1.pem" \
        -startdate "$(date -u -d "$2" $form)" -enddate "$(date -u -d "$3" $form)"
    rm -f -- "$1.csr" [0-9A-F]*[0-9A-F].pem
}
other_ca() {
    [ -e other-ca.pem ] || authority other-ca "Somebody else's CA" -
}
chain() {
    local above=ca link i
    for ((i = 2; i <= chain_length; i++)); do
        link=link-$i
        authority $link "Link $i" $above
        above=$link
    done
    server chain $above
    for ((i = chain_length; i >= 2; i--)); do
        cat link-$i.pem
    done >>chain.pem
    rm -f link-*
}
make() {
    case $1 in
    good) key=$rsa server good ca ;;
    good-sha1) server "$1" ca -sha1 ;;
    good-sha512) server "$1" ca -sha512 ;;
    expired) dated "$1" '-30 days' '-1 day' ;;
    not-yet) dated "$1" '+1 day' '+30 days' ;;
    soon) days=10 server "$1" ca ;;
    wrong-name) certificate "$1" "$1" ca -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:elsewhere.example ;;
    self-signed) server "$1" - ;;
    unknown-ca) other_ca && server "$1" other-ca ;;
    weak) key='-newkey rsa:1024' certificate "$1" localhost ca -sha1 -addext basicConstraints=critical,CA:FALSE ;;
    no-server) server "$1" ca -addext extendedKeyUsage=clientAuth ;;
    chain) chain ;;
    gap) authority between "Between" ca && server "$1" between ;;
    client) certificate "$1" gateway ca -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth ;;
    other-client) other_ca && certificate "$1" gateway other-ca -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth ;;
    *) echo "certs.sh: no certificate is called $1" >&2 && exit 2 ;;
    esac
    printf 'sha256//%s\n' "$(openssl x509 -in "$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER |
        openssl dgst -sha256 -binary | openssl base64)" >"$1.pin"
}

[ -e ca.pem ] || key=$rsa authority ca "A private CA" -
for name in ${*:-$all}; do
    make "$name"
done
chmod 644 ./*.pem
