/*
 * fetch_error: what curl reports, as causes that an administrator can act on. Pure: looks at the handle of a transfer
 * that has ended (or whose connecting has run out of time) and names the cause.
 *
 * The codes are those of the check (`freebusyctl check`); some causes share one, since the same thing is to be done
 * about them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch_private.h"

enum {
    /* A resolver that gives up needs at least its first time-out (5 s by default); a name that does not exist is known
       sooner. */
    RESOLVER_GAVE_UP_US = 4500000,

    /* Results of OpenSSL's verification, X509_V_ERR_... */
    VERIFY_OK = 0,
    VERIFY_UNSET = 1, /* curl's initial value: OpenSSL found nothing, and then curl itself did */
    VERIFY_NOT_YET_VALID = 9,
    VERIFY_EXPIRED = 10,
    VERIFY_HOSTNAME_MISMATCH = 62,
    VERIFY_ADDRESS_MISMATCH = 64,
    VERIFY_KEY_TOO_SMALL =
        66, /* of the server, of an authority; a digest too weak: our own demands, not a lack of trust */
    VERIFY_CA_KEY_TOO_SMALL = 67,
    VERIFY_DIGEST_TOO_WEAK = 68,
};

static enum fetch_err of_receive(const struct fetch_slot *slot);
static enum fetch_err of_verification(const struct fetch_slot *slot);
static enum fetch_err of_resolve(const struct fetch_slot *slot);
static enum fetch_err of_errno(const struct fetch_slot *slot, enum fetch_err otherwise);
static bool is_over_proxy(const struct fetch_slot *slot, long *ret_status);

const char *fetch_err_code(enum fetch_err err)
{
    switch (err) {
    case FETCH_OK:
        return "ok";
    case FETCH_DNS_NOT_FOUND:
        return "dns-not-found";
    case FETCH_DNS_TIMEOUT:
        return "dns-timeout";
    case FETCH_TCP_REFUSED:
        return "tcp-refused";
    case FETCH_TCP_TIMEOUT:
    case FETCH_TIMEOUT:
        return "tcp-timeout";
    case FETCH_TCP_RESET:
    case FETCH_PIN_LOST:
        return "tcp-reset";
    case FETCH_PROXY_AUTH:
        return "proxy-auth";
    case FETCH_PROXY_DENIED:
        return "proxy-denied";
    case FETCH_TLS_EXPIRED:
        return "tls-expired";
    case FETCH_TLS_NOT_YET_VALID:
        return "tls-not-yet-valid";
    case FETCH_TLS_UNTRUSTED:
        return "tls-untrusted";
    case FETCH_TLS_NAME_MISMATCH:
        return "tls-name-mismatch";
    case FETCH_TLS_PIN_MISMATCH:
        return "tls-pin-mismatch";
    case FETCH_TLS_PROTOCOL:
        return "tls-protocol";
    case FETCH_PARTIAL:
    case FETCH_MALFORMED:
        return "answer-malformed";
    case FETCH_TOO_LARGE:
    case FETCH_STOPPED:
        return "answer-too-large";
    }
    return "?";
}

enum fetch_err fetch_error_of(const struct fetch_slot *slot, CURLcode code)
{
    const char *unused;
    long status;

    if (code == CURLE_OK) {
        /* without a tunnel the proxy's refusal looks like the server's answer, but a server does not say 407 */
        return slot->client->proxy && slot->fetch->status == 407 ? FETCH_PROXY_AUTH : FETCH_OK;
    }
    if (is_over_proxy(slot, &status))
        return status == 407 ? FETCH_PROXY_AUTH : FETCH_PROXY_DENIED;
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return of_resolve(slot);
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return of_errno(slot, FETCH_TCP_REFUSED);
    case CURLE_OPERATION_TIMEDOUT:
        return slot->fetch->state == FETCH_CONNECTING ? fetch_error_of_connecting(slot, &unused) : FETCH_TIMEOUT;
    case CURLE_PROXY:
        return FETCH_PROXY_DENIED;
    case CURLE_PEER_FAILED_VERIFICATION:
        return of_verification(slot);
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return FETCH_TLS_UNTRUSTED;
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return FETCH_TLS_PIN_MISMATCH;
    case CURLE_SSL_CONNECT_ERROR:
        return of_errno(slot, FETCH_TLS_PROTOCOL);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_USE_SSL_FAILED:
        return FETCH_TLS_PROTOCOL;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
        return FETCH_TCP_RESET;
    case CURLE_RECV_ERROR:
        return of_receive(slot);
    case CURLE_PARTIAL_FILE:
        return FETCH_PARTIAL;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_OUT_OF_MEMORY: /* how it calls a header line over its own ceiling */
        return FETCH_TOO_LARGE;
    default:
        return FETCH_MALFORMED;
    }
}

/* Connecting took too long: which part of it? Curl notes the moment of the TCP connection only when all of it is done.
 */
enum fetch_err fetch_error_of_connecting(const struct fetch_slot *slot, const char **ret_text)
{
    curl_off_t named_us = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_NAMELOOKUP_TIME_T, &named_us);
    if (fetch_socket_stands(slot)) {
        *ret_text = "TCP connection stands, but the TLS or proxy handshake did not end for";
        return FETCH_TCP_TIMEOUT;
    }
    if (named_us == 0 && !slot->client->unix_socket) {
        *ret_text = "no answer from the name server for";
        return FETCH_DNS_TIMEOUT;
    }
    *ret_text = "no TCP connection for";
    return FETCH_TCP_TIMEOUT;
}

static bool in_word(const char *start, const char *at)
{
    return at > start && isalpha((unsigned char)at[-1]) && isalpha((unsigned char)at[1]);
}

/* Quotes only get in the way of a text that is quoted itself, and escaped for it; the apostrophe of "couldn't" is none.
 */
void fetch_error_text(const struct fetch_slot *slot, CURLcode code, char *out, size_t size)
{
    const char *text = slot->error[0] ? slot->error : curl_easy_strerror(code), *start;
    long number = 0;
    size_t len = 0;

    if (code == CURLE_OK)
        text = "the proxy answered 407";
    if (code == CURLE_OUT_OF_MEMORY)
        text = "header line too long";
    curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &number);
    if (slot->client->unix_socket && code == CURLE_COULDNT_CONNECT && number > 0)
        text = strerrordesc_np((int)number), number = 0; /* curl would speak of a host and a port */
    for (start = text; *text && len + 1 < size; text++)
        if ((*text != '\'' && *text != '"') || (*text == '\'' && in_word(start, text)))
            out[len++] = *text;
    out[len] = '\0';
    if (code == CURLE_COULDNT_CONNECT && number > 0)
        snprintf(out + len, size - len, " (%s)", strerrordesc_np((int)number));
}

/* A tunnel was asked for and refused. */
static bool is_over_proxy(const struct fetch_slot *slot, long *ret_status)
{
    *ret_status = 0;
    if (slot->client->proxy && slot->fetch->state == FETCH_CONNECTING)
        curl_easy_getinfo(slot->easy, CURLINFO_HTTP_CONNECTCODE, ret_status);
    return *ret_status >= 300;
}

static enum fetch_err of_resolve(const struct fetch_slot *slot)
{
    curl_off_t us = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_TOTAL_TIME_T, &us);
    return us >= RESOLVER_GAVE_UP_US ? FETCH_DNS_TIMEOUT : FETCH_DNS_NOT_FOUND;
}

/* No route counts as silence: a packet filter is the likely cause of both. */
static enum fetch_err of_errno(const struct fetch_slot *slot, enum fetch_err otherwise)
{
    long number = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &number);
    switch (number) {
    case ECONNREFUSED:
    case ENOENT: /* the last two: a Unix socket */
    case EACCES:
        return FETCH_TCP_REFUSED;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return FETCH_TCP_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
        return FETCH_TCP_RESET;
    default:
        return otherwise;
    }
}

/* Curl uses one code for a lost connection, for chunks that are none, and for a server that only says after the
 * handshake of TLS 1.3 that it wants a client's certificate; only its text tells. */
static enum fetch_err of_receive(const struct fetch_slot *slot)
{
    if (strstr(slot->error, "chunk"))
        return FETCH_MALFORMED;
    if (strstr(slot->error, "Too large response headers"))
        return FETCH_TOO_LARGE;
    if (strstr(slot->error, " alert "))
        return FETCH_TLS_PROTOCOL;
    return FETCH_TCP_RESET;
}

/* When the chain is good but the verification failed, curl did not find the name in the certificate. */
static enum fetch_err of_verification(const struct fetch_slot *slot)
{
    long verify = -1;

    curl_easy_getinfo(slot->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
    switch (verify) {
    case VERIFY_EXPIRED:
        return FETCH_TLS_EXPIRED;
    case VERIFY_NOT_YET_VALID:
        return FETCH_TLS_NOT_YET_VALID;
    case VERIFY_OK:
    case VERIFY_UNSET:
    case VERIFY_HOSTNAME_MISMATCH:
    case VERIFY_ADDRESS_MISMATCH:
        return FETCH_TLS_NAME_MISMATCH;
    case VERIFY_KEY_TOO_SMALL:
    case VERIFY_CA_KEY_TOO_SMALL:
    case VERIFY_DIGEST_TOO_WEAK:
        return FETCH_TLS_PROTOCOL;
    default:
        return FETCH_TLS_UNTRUSTED;
    }
}
