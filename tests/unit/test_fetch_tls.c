/*
 * fetch: TLS with certificates made here, proxies, and Unix sockets.
 */
#include "fetch_world.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/crypto.h"
#include "base/httpd.h"

/* --- proxies --- */

static void through_proxy(const char *scheme, const char *answer, enum fetch_err err)
{
    struct outcome o = {0};
    struct world w;
    unsigned port;
    char proxy[100], url[100];
    struct server *server;

    setup(&w, NULL);
    server = &w.server;
    port = server->port;
    fetch_client_free(&w.client);
    snprintf(proxy, sizeof(proxy), "http://us%%40er:geheim@127.0.0.1:%u", port);
    w.client = fetch_client_new(w.loop, &(struct fetch_client_settings){.name = "t", .proxy = proxy});
    server->script = (struct script){.answer = answer};
    snprintf(url, sizeof(url), "%s://mail.example.test/x", scheme);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    assert_int_equal(o.err, err);
    assert_null(strstr(o.text, "geheim"));
    assert_non_null(strstr(server->request, "Proxy-Authorization: Basic"));
    teardown(&w);
}

static void test_proxy(void **state)
{
    (void)state;
    through_proxy("http", OK_HELLO, FETCH_OK);
    through_proxy("http", "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", FETCH_PROXY_AUTH);
    through_proxy("https", "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", FETCH_PROXY_AUTH);
    through_proxy("https", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", FETCH_PROXY_DENIED);
    through_proxy("https", "HTTP/1.1 200 Tunnel\r\n\r\nnot TLS", FETCH_TLS_PROTOCOL);
}

/* --- TLS --- */

struct cert {
    EVP_PKEY *key;
    X509 *x509;
    char *cert_pem, *key_pem;
};

static char *pem_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(data, (size_t)len);

    BIO_free(bio);
    return text;
}

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Valid from now + from_s to now + to_s; signed by `issuer`, or by itself. */
static void cert_make(struct cert *cert, const char *name, const char *alt, long from_s, long to_s,
                      const struct cert *issuer)
{
    X509_NAME *subject;
    BIO *bio;

    cert->key = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    X509_set_version(cert->x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert->x509), 1000 + to_s % 1000);
    X509_gmtime_adj(X509_getm_notBefore(cert->x509), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert->x509), to_s);
    X509_set_pubkey(cert->x509, cert->key);
    subject = X509_get_subject_name(cert->x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert->x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
    if (alt)
        add_extension(cert->x509, NID_subject_alt_name, alt);
    else
        add_extension(cert->x509, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(cert->x509, issuer ? issuer->key : cert->key, EVP_sha256());
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert->x509);
    cert->cert_pem = pem_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL);
    cert->key_pem = pem_of(bio);
}

static void cert_free(struct cert *cert)
{
    EVP_PKEY_free(cert->key);
    X509_free(cert->x509);
    free(cert->cert_pem);
    free(cert->key_pem);
}

static void tls_handler(void *arg, struct httpd_req *req)
{
    (void)arg;
    httpd_reply(req, 200, NULL, "over TLS", 8);
}

static char ca_path[] = "/tmp/test-fetch-ca-XXXXXX";
static struct cert ca;

/* As curl spells it: the digest of the key as it stands in the certificate. */
static void pin_of(const struct cert *cert, char *out, size_t size)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(cert->key, &der);
    struct buf text;

    assert_true(len > 0);
    crypto_sha256(der, (size_t)len, digest);
    OPENSSL_free(der);
    buf_init(&text, 100);
    crypto_base64_encode(&text, digest, sizeof(digest));
    snprintf(out, size, "sha256//%s", text.data);
    buf_free(&text);
}

static const char OWN_PIN[] = "the server's own";

static void tls_once(const char *alt, long from_s, long to_s, const struct cert *issuer, const char *pin,
                     struct outcome *o)
{
    struct world w;
    struct cert cert;
    struct httpd *httpd;
    char url[100], why[200], own_pin[100];

    setup(&w, NULL);
    cert_make(&cert, "server", alt, from_s, to_s, issuer);
    pin_of(&cert, own_pin, sizeof(own_pin));
    httpd = httpd_new(
        w.loop,
        &(struct httpd_settings){.listen = "127.0.0.1:0", .tls_cert_pem = cert.cert_pem, .tls_key_pem = cert.key_pem},
        tls_handler, NULL, why, sizeof(why));
    if (!httpd)
        fail_msg("%s", why);
    fetch_client_free(&w.client);
    w.client =
        fetch_client_new(w.loop, &(struct fetch_client_settings){
                                     .name = "tls", .ca_file = ca_path, .pinned_key = pin == OWN_PIN ? own_pin : pin});
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", httpd_port(httpd));
    memset(o, 0, sizeof(*o));
    start(&w, o, (struct fetch_request){.url = url});
    wait_done(&w, o);
    if (o->err == FETCH_OK) {
        struct outcome again = {0};
        start(&w, &again, (struct fetch_request){.url = url});
        wait_done(&w, &again);
        assert_true(again.reused);
        assert_int_equal(again.cert_not_after, 0);
        /* what a logon binds itself to: the certificate's hash, of the connection whether new or not */
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        X509_digest(cert.x509, EVP_sha256(), hash, &len);
        assert_int_equal(o->cert_hash_len, len);
        assert_memory_equal(o->cert_hash, hash, len);
        assert_int_equal(again.cert_hash_len, len);
        assert_memory_equal(again.cert_hash, hash, len);
    }
    httpd_free(&httpd);
    teardown(&w);
    cert_free(&cert);
}

static void test_tls(void **state)
{
    static const char IP[] = "IP:127.0.0.1";
    struct outcome o;

    (void)state;
    tls_once(IP, -3600, 86400, &ca, NULL, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "over TLS");
    assert_in_range(o.cert_not_after, time(NULL) + 86400 - 100, time(NULL) + 86400);
    tls_once(IP, -7200, -3600, &ca, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-expired");
    tls_once(IP, 3600, 86400, &ca, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-not-yet-valid");
    tls_once(IP, -3600, 86400, NULL, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-untrusted");
    tls_once("DNS:other.example.test", -3600, 86400, &ca, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-name-mismatch");
    tls_once(IP, -3600, 86400, &ca, OWN_PIN, &o);
    assert_int_equal(o.err, FETCH_OK);
    tls_once(IP, -3600, 86400, &ca, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &o);
    assert_string_equal(fetch_err_code(o.err), "tls-pin-mismatch");
}

static void test_tls_to_something_else(void **state)
{
    struct outcome o = {0};
    struct world w;
    char url[100];

    (void)state;
    setup(&w, NULL);
    w.server.script =
        (struct script){.answer = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", .at_accept = true, .after = CLOSE};
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", w.server.port);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TLS_PROTOCOL);
    /* one that goes away in the handshake, politely or not */
    for (int polite = 0; polite < 2; polite++) {
        memset(&o, 0, sizeof(o));
        w.server.script = (struct script){.at_accept = true, .after = polite ? CLOSE : RESET};
        start(&w, &o, (struct fetch_request){.url = url});
        wait_done(&w, &o);
        assert_true(o.err == FETCH_TCP_RESET || (polite && o.err == FETCH_TLS_PROTOCOL));
    }
    /* and one that says nothing in it */
    memset(&o, 0, sizeof(o));
    w.server.script = (struct script){.by_hand = true};
    start(&w, &o, (struct fetch_request){.url = url});
    WAIT_UNTIL(&w, w.server.accepted == 4);
    settle(&w);
    loop_advance(w.loop, 10000);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_TIMEOUT);
    assert_non_null(strstr(o.text, "handshake"));
    teardown(&w);
}

static void test_unix_socket(void **state)
{
    struct outcome o = {0};
    struct world w;
    char dir[] = "/tmp/test-fetch-XXXXXX";
    char path[100], listen_at[120], why[200];
    struct httpd *httpd;

    (void)state;
    setup(&w, NULL);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(listen_at, sizeof(listen_at), "unix:%s", path);
    httpd = httpd_new(w.loop, &(struct httpd_settings){.listen = listen_at}, tls_handler, NULL, why, sizeof(why));
    assert_non_null(httpd);
    fetch_client_free(&w.client);
    w.client = fetch_client_new(w.loop, &(struct fetch_client_settings){.name = "unix", .unix_socket = path});
    start(&w, &o, (struct fetch_request){.url = "http://localhost/"});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "over TLS");
    httpd_free(&httpd);
    unlink(path);
    memset(&o, 0, sizeof(o));
    settle(&w);
    start(&w, &o, (struct fetch_request){.url = "http://localhost/"});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_REFUSED);
    rmdir(dir);
    teardown(&w);
}

static int make_ca(void **state)
{
    int fd = mkstemp(ca_path);

    (void)state;
    cert_make(&ca, "test authority", NULL, -3600, 864000, NULL);
    assert_int_equal(write(fd, ca.cert_pem, strlen(ca.cert_pem)), strlen(ca.cert_pem));
    close(fd);
    return 0;
}

static int remove_ca(void **state)
{
    (void)state;
    unlink(ca_path);
    cert_free(&ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_to_something_else),
        cmocka_unit_test(test_unix_socket),
    };
    return cmocka_run_group_tests_name("fetch-tls", tests, make_ca, remove_ca);
}
