/* httpd: TLS. A certificate made for the occasion, OpenSSL as the client in the same loop. */
#include "httpd_client.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static char *cert_pem;
static char *key_pem;
static struct httpd_req *late;
static struct httpd_stream *stream;
static int gone;

static char *bio_text(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static int setup_tls(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
                               0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    PEM_write_bio_X509(cert_bio, cert);
    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
    cert_pem = bio_text(cert_bio);
    key_pem = bio_text(key_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return setup_loop(state);
}

static int teardown_tls(void **state)
{
    free(cert_pem);
    free(key_pem);
    return teardown_loop(state);
}

static void on_gone(void *arg)
{
    (void)arg;
    gone++;
}

static ssize_t pull(void *arg, char *out, size_t max)
{
    bool *said = arg;
    if (*said || max < 5)
        return HTTPD_PULL_WAIT;
    *said = true;
    memcpy(out, "data\n", 5);
    return 5;
}

static void handle(void *arg, struct httpd_req *req)
{
    assert_true(httpd_is_tls(req));
    if (strcmp(httpd_path(req), "/late") == 0) {
        late = req;
        httpd_on_gone(req, on_gone, NULL);
    } else if (strcmp(httpd_path(req), "/stream") == 0) {
        stream = httpd_stream_start(req, 200, NULL, pull, on_gone, arg);
    } else {
        size_t len;
        const char *body = httpd_body(req, &len);
        httpd_reply(req, 200, NULL, body, len);
    }
}

/* The socket of `c` under a TLS client; SSL reads and writes it itself. */
static SSL *tls_open(struct client *c, SSL_CTX *ctx, const struct httpd *h)
{
    client_open(c, h);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, c->fd);
    SSL_set_connect_state(ssl);
    return ssl;
}

static bool tls_handshake(SSL *ssl)
{
    int done = -1;
    wait_until((done = SSL_do_handshake(ssl)) == 1 ||
               (SSL_get_error(ssl, done) != SSL_ERROR_WANT_READ && SSL_get_error(ssl, done) != SSL_ERROR_SYSCALL));
    return done == 1;
}

static void tls_send(SSL *ssl, const char *data, size_t len)
{
    size_t sent = 0;
    size_t n = 0;
    wait_until((sent += SSL_write_ex(ssl, data + sent, len - sent, &n) == 1 ? n : 0) == len);
}

static bool tls_has(SSL *ssl, struct client *c, const char *text)
{
    char piece[20000];
    size_t n;
    while (SSL_read_ex(ssl, piece, sizeof(piece), &n) == 1)
        buf_add(&c->in, piece, n);
    return strstr(c->in.data, text) != NULL;
}

static void serves_tls(void **state)
{
    char why[200];
    bool said = false;
    struct client c;
    struct httpd_settings settings = {.listen = "127.0.0.1:0", .tls_cert_pem = cert_pem, .tls_key_pem = key_pem};
    struct httpd *h = httpd_new(loop, &settings, handle, &said, why, sizeof(why));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    (void)state;
    assert_non_null(h);
    SSL *ssl = tls_open(&c, ctx, h);
    assert_true(tls_handshake(ssl));
    char *body = mem_calloc(1, 500001);
    memset(body, 'b', 500000);
    tls_send(ssl, "PUT / HTTP/1.1\r\nContent-Length: 500000\r\n\r\n", 42);
    tls_send(ssl, body, 500000);
    wait_until(tls_has(ssl, &c, body));
    free(body);
    tls_send(ssl, "GET /late HTTP/1.1\r\n\r\n", 22);
    wait_until(late != NULL);
    assert_rests();
    httpd_reply(late, 200, NULL, "at last", 7);
    wait_until(tls_has(ssl, &c, "at last"));
    buf_reset(&c.in);
    tls_send(ssl, "GET /stream HTTP/1.1\r\n\r\n", 24);
    wait_until(tls_has(ssl, &c, "5\r\ndata\n\r\n"));
    said = false;
    httpd_stream_wake(stream);
    wait_until(tls_has(ssl, &c, "data\n\r\n5\r\ndata\n"));
    assert_rests();
    SSL_free(ssl);
    client_close(&c);
    wait_until(gone == 1);
    httpd_free(&h);
    SSL_CTX_free(ctx);
}

static void refuses_old_tls_and_plain_text(void **state)
{
    char why[200];
    bool said = false;
    struct client c;
    struct httpd_settings settings = {.listen = "127.0.0.1:0", .tls_cert_pem = cert_pem, .tls_key_pem = key_pem};
    struct httpd *h = httpd_new(loop, &settings, handle, &said, why, sizeof(why));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    (void)state;
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    SSL_CTX_set_security_level(ctx, 0);
    SSL *ssl = tls_open(&c, ctx, h);
    assert_false(tls_handshake(ssl));
    SSL_free(ssl);
    client_close(&c);
    client_open(&c, h);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    wait_until(client_is_closed(&c));
    assert_null(strstr(c.in.data, "200"));
    client_close(&c);
    wait_until(httpd_connections(h) == 0);
    assert_rests();
    httpd_free(&h);
    SSL_CTX_free(ctx);
}

static void explains_a_bad_certificate(void **state)
{
    char why[300];
    (void)state;
    struct httpd_settings settings = {.listen = "127.0.0.1:0", .tls_cert_pem = "nonsense", .tls_key_pem = key_pem};
    for (int i = 0; i < 20; i++) /* a descriptor lost each time would show as another one below */
        assert_null(httpd_new(loop, &settings, handle, NULL, why, sizeof(why)));
    assert_true(str_starts(why, "127.0.0.1:0: "));
    assert_true(strlen(why) > 25);
    settings.tls_cert_pem = cert_pem;
    settings.tls_key_pem = NULL;
    assert_null(httpd_new(loop, &settings, handle, NULL, why, sizeof(why)));
    int probe = dup(0);
    assert_true(probe < 20);
    close(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_tls),
        cmocka_unit_test(refuses_old_tls_and_plain_text),
        cmocka_unit_test(explains_a_bad_certificate),
    };
    return cmocka_run_group_tests(tests, setup_tls, teardown_tls);
}
