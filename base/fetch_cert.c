/*
 * fetch_cert: what we want to know of the server's certificate: when it ends, for the administrator, and its hash, by
 * which a logon can be bound to this TLS connection (tls-server-end-point, RFC 5929 4.1). Called while curl holds the
 * connection.
 */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/utc.h"
#include "fetch_private.h"

static int64_t parse_openssl_date(const char *text);
static const EVP_MD *hash_of_signature(X509 *cert);

int64_t fetch_cert_end(CURL *easy)
{
    static const char KEY[] = "Expire date:";
    struct curl_certinfo *info = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info || info->num_of_certs < 1)
        return 0;
    for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next)
        if (strncmp(line->data, KEY, strlen(KEY)) == 0)
            return parse_openssl_date(line->data + strlen(KEY));
    return 0;
}

size_t fetch_cert_hash(CURL *easy, uint8_t out[FETCH_HASH_MAX])
{
    struct curl_tlssessioninfo *tls = NULL;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *cert;

    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls ||
        tls->backend != CURLSSLBACKEND_OPENSSL || !tls->internals)
        return 0;
    cert = SSL_get1_peer_certificate(tls->internals);
    if (!cert || !X509_digest(cert, hash_of_signature(cert), hash, &len) || len > FETCH_HASH_MAX)
        len = 0;
    memcpy(out, hash, len);
    X509_free(cert);
    return len;
}

/* "Nov 22 09:00:00 2026 GMT", as OpenSSL prints it. */
static int64_t parse_openssl_date(const char *text)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    int day, hour, minute, second, year;

    if (sscanf(text, "%3s %2d %2d:%2d:%2d %4d", month, &day, &hour, &minute, &second, &year) != 6)
        return 0;
    const char *at = strstr(MONTHS, month);
    if (!at || strlen(month) != 3)
        return 0;
    return utc_from_civil(year, (int)(at - MONTHS) / 3 + 1, day, hour, minute, second);
}

/* The hash of the certificate's own signature, but not the two that are too weak for it. Where there is none of its own
 * (Ed25519) the RFC leaves it open. */
static const EVP_MD *hash_of_signature(X509 *cert)
{
    const EVP_MD *md = NULL;
    int nid = NID_undef;

    if (X509_get_signature_info(cert, &nid, NULL, NULL, NULL) && nid != NID_md5 && nid != NID_sha1)
        md = EVP_get_digestbynid(nid);
    return md ? md : EVP_sha256();
}
