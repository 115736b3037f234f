/*
 * io over TLS, against OpenSSL's own server: who is let through, who is not and why, with and without certificates of
 * ours; and the context for libraries that connect by themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/tls.h"

enum { PATIENCE_TURNS = 6000 };

static char folder[] = "/tmp/fb-io-tls-XXXXXX";

struct world {
    struct loop *loop;
    struct io *io;
    struct tls *tls;
    pid_t server;
    unsigned port;
    unsigned opened, ended;
    enum io_end why;
    char text[200], got[200];
    size_t got_len;
};

static void on_open(void *arg)
{
    struct world *w = arg;
    w->opened++;
    io_write(w->io, "hello\n", 6);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct world *w = arg;
    for (size_t i = 0; i < len && w->got_len < sizeof w->got - 1; i++)
        w->got[w->got_len++] = data[i];
}

static void on_end(void *arg, enum io_end why, const char *text)
{
    struct world *w = arg;
    w->ended++;
    w->why = why;
    snprintf(w->text, sizeof w->text, "%s", text);
}

static char *path(const char *name, char out[200])
{
    snprintf(out, 200, "%s/%s", folder, name);
    return out;
}

/* OpenSSL's server, which turns each line around; its port is in what it prints first. */
static void serve(struct world *w, const char *certificate, const char *more, const char *value)
{
    int ends[2];
    char cert[200], key[200], line[200];
    snprintf(cert, sizeof cert, "%s/%s.pem", folder, certificate);
    snprintf(key, sizeof key, "%s/%s.key", folder, certificate);
    assert_int_equal(pipe(ends), 0);
    w->server = fork();
    if (w->server == 0) {
        char ca[200];
        const char *argv[20] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",           cert,
                                "-key",    key,        "-rev",    "-CAfile",     path("ca.pem", ca)};
        int n = 11;
        if (more)
            argv[n++] = more;
        if (value)
            argv[n++] = value;
        dup2(ends[1], 1);
        dup2(open("/dev/null", O_RDWR), 2);
        union {
            const char **from;
            char *const *to;
        } args = {.from = argv};
        execvp("openssl", args.to);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    while (w->port == 0 && fgets(line, sizeof line, out))
        sscanf(line, "ACCEPT 127.0.0.1:%u", &w->port);
    assert_int_not_equal(w->port, 0);
    fclose(out);
}

static void connect_to(struct world *w, const char *host, const struct tls_settings *settings)
{
    static const struct io_handler handler = {on_open, on_data, NULL, on_end};
    char why[200];
    w->loop = loop_new(clk_system());
    w->tls = tls_client_new(settings, why, sizeof why);
    assert_non_null(w->tls);
    struct io_settings s = {.name = "test", .host = host, .port = w->port, .tls = w->tls, .connect_ms = 60000};
    w->io = io_open(w->loop, &s, &handler, w);
    for (int i = 0; i < PATIENCE_TURNS && !w->ended && w->got_len < 6; i++)
        loop_turn(w->loop, 10);
}

static void finish(struct world *w)
{
    io_close(&w->io);
    loop_turn(w->loop, 0);
    tls_free(&w->tls);
    loop_free(&w->loop);
    kill(w->server, SIGKILL);
    waitpid(w->server, NULL, 0);
}

static void good(void **state)
{
    char ca[200];
    const char *const hosts[] = {"localhost", "127.0.0.1"};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world w = {.port = 0};
        serve(&w, "good", NULL, NULL);
        connect_to(&w, hosts[i], &(struct tls_settings){.ca_file = path("ca.pem", ca)});
        if (w.ended)
            fail_msg("%s: %s", hosts[i], w.text);
        assert_int_equal(w.opened, 1);
        assert_string_equal(w.got, "olleh\n");
        finish(&w);
    }
}

/* What the peer shows, what we ask for, and what is said about it. */
static void refused(void **state)
{
    static const struct {
        const char *certificate, *more, *value, *text;
    } cases[] = {
        {"wrong-name", NULL, NULL, "certificate: "},
        {"unknown-ca", NULL, NULL, "certificate: "},
        {"expired", NULL, NULL, "certificate: certificate has expired"},
        {"self-signed", NULL, NULL, "certificate: "},
        {"no-server", NULL, NULL, "certificate: "},
        {"good", "-tls1_1", NULL, ""},
    };
    char ca[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w = {.port = 0};
        serve(&w, cases[i].certificate, cases[i].more, cases[i].value);
        connect_to(&w, "localhost", &(struct tls_settings){.ca_file = path("ca.pem", ca)});
        if (w.opened || w.ended != 1 || w.why != IO_TLS || !strstr(w.text, cases[i].text))
            fail_msg("%s %s: opened %u, ended %u, why %d, text %s", cases[i].certificate,
                     cases[i].more ? cases[i].more : "", w.opened, w.ended, w.why, w.text);
        finish(&w);
    }
}

/* A server that wants a certificate of ours. */
static void client_certificate(void **state)
{
    char ca[200], cert[200], key[200];
    struct tls_settings with = {.ca_file = path("ca.pem", ca),
                                .client_cert_file = path("client.pem", cert),
                                .client_key_file = path("client.key", key)};
    struct world w = {.port = 0}, without = {.port = 0};
    (void)state;
    serve(&w, "good", "-Verify", "2");
    connect_to(&w, "localhost", &with);
    assert_string_equal(w.got, "olleh\n");
    finish(&w);
    with.client_cert_file = with.client_key_file = NULL;
    serve(&without, "good", "-Verify", "2");
    connect_to(&without, "localhost", &with);
    assert_int_equal(without.ended, 1); /* with TLS 1.3 after the handshake, as far as we see it */
    assert_int_equal(without.got_len, 0);
    finish(&without);
}

/* For a library that connects by itself: one context, one name. */
static void context(void **state)
{
    char ca[200];
    struct world w = {.port = 0};
    (void)state;
    serve(&w, "good", NULL, NULL);
    connect_to(&w, "localhost", &(struct tls_settings){.ca_file = path("ca.pem", ca)});
    assert_non_null(tls_context_for(w.tls, "localhost"));
    assert_non_null(tls_context_for(w.tls, "127.0.0.1"));
    assert_null(tls_context_why(w.tls));
    finish(&w);
}

static int make_certificates(void **state)
{
    char command[600];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(command, sizeof command,
             FB_SOURCE_DIR "/tests/peers/certs.sh %s good wrong-name unknown-ca expired self-signed no-server client",
             folder);
    return system(command);
}

static int remove_certificates(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(refused),
                                       cmocka_unit_test(client_certificate), cmocka_unit_test(context)};
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
