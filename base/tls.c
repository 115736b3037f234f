/*
 * tls: client contexts and sessions, over OpenSSL. Made by whoever configures a stream, used by io.c, which hands the
 * session to libevent. fetch.c has curl do the same for HTTP.
 */
#include "base/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct tls {
    SSL_CTX *context;
    char *host;   /* of tls_context_for */
    long verdict; /* X509_V_OK, or why a certificate was refused */
};

static bool set_up(SSL_CTX *context, const struct tls_settings *s, const char **ret_step);
static int version_of(const char *text);
static int no_passphrase(char *out, int size, int writing, void *arg);
static bool demand_name(X509_VERIFY_PARAM *param, const char *host, bool *ret_numeric);
static bool name_sent(SSL *session, const char *host);
static void on_info(const SSL *session, int where, int value);
static int on_verify(int good, X509_STORE_CTX *store);

struct tls *tls_client_new(const struct tls_settings *settings, char *why, size_t why_size)
{
    const char *step = "TLS";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    ERR_clear_error();
    if (!context || !set_up(context, settings, &step)) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        snprintf(why, why_size, "%s: %s", step, reason ? reason : "cannot be used");
        ERR_clear_error();
        SSL_CTX_free(context);
        return NULL;
    }
    struct tls *t = mem_calloc(1, sizeof *t);
    t->context = context;
    return t;
}

struct tls *tls_server_new(const char *certificate_file, const char *key_file, char *why, size_t why_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    ERR_clear_error();
    if (context)
        SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        snprintf(why, why_size, "certificate and key: %s", reason ? reason : "cannot be used");
        ERR_clear_error();
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    struct tls *t = mem_calloc(1, sizeof *t);
    t->context = context;
    return t;
}

void tls_free(struct tls **t)
{
    if (!*t)
        return;
    SSL_CTX_free((*t)->context);
    free((*t)->host);
    free(*t);
    *t = NULL;
}

const char *tls_files_wrong(const char *certificate_file, const char *key_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    ERR_clear_error();
    bool ok = context != NULL;
    if (ok) {
        SSL_CTX_set_security_level(context, 0); /* old and weak is another question than broken */
        SSL_CTX_set_default_passwd_cb(context, no_passphrase);
        ok = key_file ? SSL_CTX_use_certificate_chain_file(context, certificate_file) == 1 &&
                            SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) == 1
                      : SSL_CTX_load_verify_locations(context, certificate_file, NULL) == 1;
    }
    const char *reason = ok ? NULL : ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    SSL_CTX_free(context);
    return ok ? NULL : reason ? reason : "cannot be used";
}

void *tls_session_new(struct tls *t, const char *host)
{
    bool numeric;
    SSL *session = SSL_new(t->context);
    if (!session)
        return NULL;
    if (!host)
        return session;
    if (!demand_name(SSL_get0_param(session), host, &numeric) || (!numeric && !name_sent(session, host))) {
        SSL_free(session);
        return NULL;
    }
    return session;
}

void *tls_context_for(struct tls *t, const char *host)
{
    bool numeric;
    if (!demand_name(SSL_CTX_get0_param(t->context), host, &numeric))
        return NULL;
    free(t->host);
    t->host = numeric ? NULL : mem_strdup(host);
    t->verdict = X509_V_OK;
    SSL_CTX_set_app_data(t->context, t);
    SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_info_callback(t->context, on_info);
    return t->context;
}

const char *tls_context_why(const struct tls *t)
{
    return t->verdict == X509_V_OK ? NULL : X509_verify_cert_error_string(t->verdict);
}

char *tls_session_why(const void *session, unsigned long error, char *out, size_t out_size)
{
    long verdict = SSL_get_verify_result(session);
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    if (verdict != X509_V_OK)
        snprintf(out, out_size, "certificate: %s", X509_verify_cert_error_string(verdict));
    else
        snprintf(out, out_size, "%s", reason ? reason : "the peer closed during the TLS handshake");
    return out;
}

static bool set_up(SSL_CTX *context, const struct tls_settings *s, const char **ret_step)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    *ret_step = "TLS version";
    if (SSL_CTX_set_min_proto_version(context, version_of(s->min_version)) != 1)
        return false;
    *ret_step = "trusted certificates";
    if ((s->ca_file ? SSL_CTX_load_verify_locations(context, s->ca_file, NULL)
                    : SSL_CTX_set_default_verify_paths(context)) != 1)
        return false;
    *ret_step = "client certificate";
    return !s->client_cert_file || (SSL_CTX_use_certificate_chain_file(context, s->client_cert_file) == 1 &&
                                    SSL_CTX_use_PrivateKey_file(context, s->client_key_file, SSL_FILETYPE_PEM) == 1);
}

static int version_of(const char *text)
{
    if (text && strcmp(text, "1.0") == 0)
        return TLS1_VERSION;
    if (text && strcmp(text, "1.1") == 0)
        return TLS1_1_VERSION;
    return text && strcmp(text, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/* A daemon has nobody to ask. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool demand_name(X509_VERIFY_PARAM *param, const char *host, bool *ret_numeric)
{
    struct in6_addr address;
    *ret_numeric = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return *ret_numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
                        : X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

/* The library that made the session knows the address only, and has sent that as a name: set right before the first
 * message is written. */
static void on_info(const SSL *session, int where, int value)
{
    (void)value;
    const struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    union {
        const SSL *from;
        SSL *to;
    } s = {.from = session}; /* OpenSSL's callback has it const, its setter has not */
    if ((where & SSL_CB_HANDSHAKE_START) && t->host)
        name_sent(s.to, t->host);
}

static int on_verify(int good, X509_STORE_CTX *store)
{
    const SSL *session = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    t->verdict = good ? t->verdict : X509_STORE_CTX_get_error(store);
    return good;
}

/* What SSL_set_tlsext_host_name() does; that macro casts the const away in a way that clang refuses. */
static bool name_sent(SSL *session, const char *host)
{
    return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) == 1;
}
