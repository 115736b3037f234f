#!/usr/bin/env bash
# Samba judges our NTLM: ntlm_auth (package winbind) checks whole handshakes against a password it was told, and single responses against a
# challenge it was told. It needs no daemon, no domain and no configuration.
#   ntlm_verdict.sh NTLM_ANSWER        NTLM_ANSWER: tests/integration/ntlm_answer.c, built
# Prints each case and its verdict; exit 1 when one is not as expected.
set -u
answer=$1
judge=$(command -v ntlm_auth) || { echo "ntlm_auth is missing (package winbind)"; exit 1; }
export LC_ALL=C.UTF-8
cases=0
bad=0

note() { # NAME EXPECTED GOT
    cases=$((cases + 1))
    if [[ $3 == $2 ]]; then # EXPECTED is a pattern
        echo "ok      $1: $3"
    else
        echo "FAILED  $1: $3, expected $2"
        bad=$((bad + 1))
    fi
}

# One handshake: what ntlm_auth, told the right password, says to our Type 3.
pipes=$(mktemp -d)
trap '' PIPE # whoever of them ends early: the verdict shows it
trap 'rm -rf "$pipes"' EXIT
mkfifo "$pipes"/{to_judge,from_judge,to_us,from_us}
handshake() { # RIGHT-PASSWORD LEVEL ACCOUNT PASSWORD [OPTION...]
    local right=$1 type1 type2 type3 verdict
    shift
    timeout 60 "$judge" --configfile=/dev/null --helper-protocol=squid-2.5-ntlmssp --domain=CORP --password="$right" \
        <"$pipes/to_judge" >"$pipes/from_judge" 2>/dev/null &
    timeout 60 "$answer" "$@" <"$pipes/to_us" >"$pipes/from_us" 2>&1 &
    exec 3>"$pipes/to_judge" 4<"$pipes/from_judge" 5>"$pipes/to_us" 6<"$pipes/from_us"
    read -r -t 10 type1 <&6
    echo "YR $type1" >&3
    read -r -t 10 type2 <&4
    echo "${type2#TT }" >&5
    read -r -t 10 type3 <&6
    echo "KK $type3" >&3
    read -r -t 10 verdict <&4
    exec 3>&- 4<&- 5>&- 6<&-
    wait
    echo "${verdict:-nothing}"
}

for level in 0 1 2 3; do
    note "level $level, right" 'AF CORP\\svc' "$(handshake Passw0rd $level 'CORP\svc' Passw0rd)"
    note "level $level, wrong" 'NA NT_STATUS_LOGON_FAILURE*' "$(handshake Passw0rd $level 'CORP\svc' passw0rD)"
    note "level $level, umlauts" 'AF CORP\\jörg' "$(handshake 'pässwörd' $level 'CORP\jörg' 'pässwörd')"
    note "level $level, umlauts, wrong" 'NA NT_STATUS_LOGON_FAILURE*' "$(handshake 'pässwörd' $level 'CORP\jörg' 'password')"
    note "level $level, Cyrillic, euro, emoji" 'AF corp\\Иван' "$(handshake 'Пароль€😀' $level 'corp\Иван' 'Пароль€😀')"
    note "level $level, 15 characters" 'AF CORP\\svc' "$(handshake 'Fifteen15chars!' $level 'CORP\svc' 'Fifteen15chars!')"
    note "level $level, 14 of 15 characters" 'NA NT_STATUS_LOGON_FAILURE*' "$(handshake 'Fifteen15chars!' $level 'CORP\svc' 'Fifteen15chars')"
    note "level $level, empty" 'AF CORP\\svc' "$(handshake '' $level 'CORP\svc' '')"
    note "level $level, user@domain" 'AF *svc@corp.example' "$(handshake Passw0rd $level svc@corp.example Passw0rd)"
    note "level $level, bare user" 'AF *svc' "$(handshake Passw0rd $level svc Passw0rd)"
done
note "level 5, right" 'AF CORP\\svc' "$(handshake Passw0rd 5 'CORP\svc' Passw0rd)"
note "level 3, names of the service" 'AF CORP\\svc' \
    "$(handshake Passw0rd 3 'CORP\svc' Passw0rd --spn HTTP/mail.corp.example --cert-hash 00112233445566778899aabbccddeeff)"
note "level 3, one bit of the MIC" 'NA *' "$(handshake Passw0rd 3 'CORP\svc' Passw0rd --flip-mic)"

# Single responses, taken out of a Type 3 that answers a challenge without target info.
nonce=0123456789abcdef
hex() { od -An -v -tx1 | tr -d ' \n'; }
unhex() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }
field() { # TYPE3-HEX OFFSET
    local len=${1:$((2 * $2 + 2)):2}${1:$((2 * $2)):2} at=${1:$((2 * $2 + 10)):2}${1:$((2 * $2 + 8)):2}
    echo "${1:$((2 * 16#$at)):$((2 * 16#$len))}"
}
type3() { # FLAGS-LITTLE-ENDIAN LEVEL PASSWORD
    unhex "4e544c4d53535000020000000000000020000000$1$nonce" | base64 -w0 | "$answer" "$2" 'CORP\svc' "$3" | tail -n 1 | base64 -d | hex
}
response() { # KIND CHALLENGE RESPONSE
    printf '%s\n' "LANMAN-Challenge: $2" 'Username: svc' 'NT-Domain: CORP' "$1-Response: $3" . |
        timeout 60 "$judge" --configfile=/dev/null --helper-protocol=ntlm-server-1 --domain=X --password=Passw0rd 2>/dev/null | grep ^Authenticated
}
plain=05820000
ess=05820800
for word in Passw0rd:Yes Password:No; do
    case $word in *:Yes) which=right ;; *) which=wrong ;; esac # no password in the output
    password=${word%:*} expected="Authenticated: ${word#*:}"
    note "LM response of level 0, $which password" "$expected" "$(response LANMAN $nonce "$(field "$(type3 $plain 0 $password)" 12)")"
    note "NTLMv1 response of level 0, $which password" "$expected" "$(response NT $nonce "$(field "$(type3 $plain 0 $password)" 20)")"
    note "LM field of level 2, $which password" "$expected" "$(response LANMAN $nonce "$(field "$(type3 $plain 2 $password)" 12)")"
    both=$(type3 $ess 1 $password)
    client=$(field "$both" 12)
    session=$(unhex "$nonce${client:0:16}" | md5sum)
    note "NTLM2 session response of level 1, $which password" "$expected" "$(response NT "${session:0:16}" "$(field "$both" 20)")"
    both=$(type3 $ess 3 $password)
    note "LMv2 response of level 3, $which password" "$expected" "$(response LANMAN $nonce "$(field "$both" 12)")"
    note "NTLMv2 response of level 3, $which password" "$expected" "$(response NT $nonce "$(field "$both" 20)")"
done
echo "verdicts as expected: $((cases - bad)) of $cases"
exit $((bad > 0))
