/*
 * httpd_tls: certificates of clients, for httpd.c. libmicrohttpd leaves them to GnuTLS: who wants one asks before the
 * handshake begins, and looks at what came once the request is there. A client without one, or with one that nobody
 * here knows, is served like any other; what its certificate is worth is the handler's to judge, once a connection.
 *
 * Names are taken only as whole texts: one with a NUL inside ("admin\0.example.net") names nobody.
 */
#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd_private.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_LOOKED_AT = 64 };

static gnutls_session_t session_of(const struct httpd_conn *conn);
static struct httpd_cert *read_cert(gnutls_session_t session);
static void read_name(gnutls_x509_crt_t crt, struct httpd_cert *cert);
static void read_mails(gnutls_x509_crt_t crt, struct httpd_cert *cert);
static bool read_key(gnutls_x509_crt_t crt, struct httpd_cert *cert);
static bool is_text(const char *text, size_t len);

void httpd_tls_ask(struct httpd_conn *conn)
{
    gnutls_session_t session = session_of(conn);
    if (session != NULL)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
}

const struct httpd_cert *httpd_client_cert(const struct httpd_req *req)
{
    struct httpd_conn *conn = req->conn;
    if (!conn->cert_read && conn->h->is_tls && conn->h->settings.tls_ask_client) {
        gnutls_session_t session = session_of(conn);
        conn->cert_read = true;
        conn->cert = session != NULL ? read_cert(session) : NULL;
    }
    return conn->cert;
}

static gnutls_session_t session_of(const struct httpd_conn *conn)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info != NULL ? info->tls_session : NULL;
}

static struct httpd_cert *read_cert(gnutls_session_t session)
{
    unsigned count = 0, wrong = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t crt;
    if (chain == NULL || count == 0 || gnutls_x509_crt_init(&crt) != 0)
        return NULL;
    struct httpd_cert *cert = mem_calloc(1, sizeof(*cert));
    bool usable = gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) == 0 && read_key(crt, cert);
    if (usable) {
        cert->trusted = gnutls_certificate_verify_peers2(session, &wrong) == 0 && wrong == 0;
        read_name(crt, cert);
        read_mails(crt, cert);
    }
    gnutls_x509_crt_deinit(crt);
    if (usable)
        return cert;
    free(cert);
    return NULL;
}

static void read_name(gnutls_x509_crt_t crt, struct httpd_cert *cert)
{
    size_t len = sizeof(cert->name);
    if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, cert->name, &len) != 0 ||
        !is_text(cert->name, len))
        cert->name[0] = '\0';
}

static void read_mails(gnutls_x509_crt_t crt, struct httpd_cert *cert)
{
    unsigned found = 0;
    for (unsigned i = 0; i < NAMES_LOOKED_AT && found < HTTPD_CERT_MAILS; i++) {
        char *mail = cert->mails[found];
        size_t len = sizeof(cert->mails[0]) - 1;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, mail, &len, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        bool good = type == GNUTLS_SAN_RFC822NAME && len < sizeof(cert->mails[0]) && is_text(mail, len);
        mail[good ? len : 0] = '\0';
        found += good;
    }
}

static bool read_key(gnutls_x509_crt_t crt, struct httpd_cert *cert)
{
    gnutls_pubkey_t key;
    gnutls_datum_t der = {NULL, 0};
    if (gnutls_pubkey_init(&key) != 0)
        return false;
    bool ok = gnutls_pubkey_import_x509(key, crt, 0) == 0 && gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) == 0;
    if (ok) {
        uint8_t digest[CRYPTO_SHA256_LEN];
        struct buf b;
        buf_init(&b, sizeof(cert->key));
        crypto_sha256(der.data, der.size, digest);
        buf_adds(&b, "sha256//");
        crypto_base64_encode(&b, digest, sizeof(digest));
        snprintf(cert->key, sizeof(cert->key), "%s", b.data);
        buf_free(&b);
        gnutls_free(der.data);
    }
    gnutls_pubkey_deinit(key);
    return ok;
}

static bool is_text(const char *text, size_t len)
{
    return len > 0 && memchr(text, '\0', len) == NULL && str_is_utf8(text, len);
}
