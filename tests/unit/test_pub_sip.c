/*
 * pub_sip against a server that the test plays over UDP, on a fake clock: Sunday, 2026-11-22T12:00:00Z. What each
 * answer does to a publication; what is sent again and when; what survives a restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/udp.h"
#include "presence/pub_sip.h"
#include "sip_digest.h"
#include "sip_message.h"

#define NOON INT64_C(1795348800)

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    struct udp *server;
    struct udp_peer client;
    struct arena *arena;
    char text[70000]; /* the last request about carol */
    struct pres_sip_message m;
    unsigned requests; /* about carol */
    bool silent;
    char row[300]; /* the store's only row that is looked at */
    struct pres_store store;
    bool with_password;
};

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    (void)now;
    if (w->publisher)
        pres_publisher_changed(w->publisher, id);
}

static void load(void *impl, const char *space, pres_store_row_fn *row, void *arg)
{
    struct world *w = impl;
    assert_string_equal(space, "sip");
    if (w->row[0])
        row(arg, "sip:carol@im.example", w->row);
}

static void put(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done, void *arg)
{
    struct world *w = impl;
    (void)space, (void)done, (void)arg;
    if (strcmp(key, "sip:carol@im.example") == 0)
        snprintf(w->row, sizeof w->row, "%s", value ? value : "");
}

static void send_answer(struct world *w, unsigned status, const char *more)
{
    struct buf out;
    buf_init(&out, 10000);
    pres_sip_answer_begin(&out, &w->m, status, "Words", "srv");
    buf_addf(&out, "%sContent-Length: 0\r\n\r\n", more);
    udp_send(w->server, &w->client, out.data, out.len);
    buf_free(&out);
}

static void on_request(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    struct world *w = arg;
    struct pres_sip_extent extent;
    char *copy = w->text;
    if (w->silent)
        return;
    w->client = *from;
    memcpy(copy, data, len);
    copy[len] = '\0';
    arena_reset(w->arena);
    assert_int_equal(pres_sip_cut(copy, len, false, &extent), PRES_SIP_WHOLE);
    assert_true(pres_sip_read(&w->m, w->arena, copy, &extent, from));
    if (strstr(w->m.uri.text, "carol"))
        w->requests++;
    else if (strcmp(w->m.method, "OPTIONS") == 0)
        send_answer(w, 200, "");
    else
        send_answer(w, 403, ""); /* nothing of its own */
}

static void turns(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        loop_advance(w->loop, 0);
        loop_turn(w->loop, 1);
    }
}

static void answer(struct world *w, unsigned status, const char *more)
{
    send_answer(w, status, more);
    turns(w);
}

/* Waits for the n-th request about carol. */
static void want(struct world *w, unsigned n)
{
    for (int i = 0; i < 100 && w->requests < n; i++)
        turns(w);
    assert_int_equal(w->requests, n);
    assert_string_equal(w->m.method, "PUBLISH");
}

/* Lets time go by until there is the n-th request, `ms` at the most. */
static void pass_until(struct world *w, unsigned n, int64_t ms)
{
    for (; ms > 0 && w->requests < n; ms -= 400) {
        loop_advance(w->loop, 400);
        for (int i = 0; i < 4; i++)
            loop_turn(w->loop, 0);
    }
    want(w, n);
}

static struct secret *password(void *arg, char *why, size_t size)
{
    (void)arg, (void)why, (void)size;
    return secret_new("pw");
}

static void set_busy(struct world *w, int64_t start, int64_t end)
{
    const struct pres_interval in = {start, end, PRES_BUSY};
    pres_table_update(w->table, pres_table_find(w->table, "carol@im.example"), &in, end > start, NOON - 86400,
                      NOON + 864000, clk_wall_s(w->clk));
    turns(w);
}

static void start(struct world *w)
{
    char why[200], uri[100];
    const struct pres_publisher_settings p = {.name = "sip"};
    snprintf(uri, sizeof uri, "sip:127.0.0.1:%u;transport=udp", udp_port(w->server));
    const struct pres_sip_settings s = {.server = uri,
                                        .domain = "im.example",
                                        .looks.text[PRES_BUSY] = "Busy[ until {until}]",
                                        .password = w->with_password ? password : NULL,
                                        .store = &w->store};
    w->publisher = pres_sip_new(w->loop, w->table, &p, &s, why, sizeof why);
    assert_non_null(w->publisher);
    pres_publisher_start(w->publisher);
}

static const char *state(struct world *w, const char **ret_code)
{
    struct pres_publisher_status s;
    pres_publisher_status(w->publisher, &s);
    *ret_code = s.code;
    return s.state;
}

static const char *header(const struct world *w, const char *name)
{
    const char *value = pres_sip_head_get(&w->m.head, name);
    return value ? value : "";
}

static void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static int set_up(void **test)
{
    char why[200];
    struct world *w = mem_calloc(1, sizeof *w);
    const struct pres_person_spec carol = {.address = "carol@im.example", .stale_after = 864000},
                                  dave = {.address = "dave@other.example", .stale_after = 864000};
    log_set_sink(quiet, NULL);
    w->clk = clk_fake_new(NOON * 1000);
    w->loop = loop_new(w->clk);
    w->arena = arena_new(1 << 20);
    w->table = pres_table_new(w->loop, on_change, w);
    pres_table_add(w->table, &carol);
    pres_table_add(w->table, &dave);
    w->store = (struct pres_store){.impl = w, .load = load, .put = put};
    w->server = udp_open(w->loop, "server", "127.0.0.1", 0, on_request, w, why, sizeof why);
    assert_non_null(w->server);
    set_busy(w, 0, 0);
    *test = w;
    return 0;
}

static int tear_down(void **test)
{
    struct world *w = *test;
    pres_publisher_free(&w->publisher);
    udp_close(&w->server);
    pres_table_free(&w->table);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    arena_free(&w->arena);
    free(w);
    return 0;
}

/* Initial, changed with the tag, prolonged in time, and the row that survives a restart. */
static void test_life(void **test)
{
    struct world *w = *test;
    const char *code;
    start(w);
    want(w, 1);
    assert_string_equal(w->m.uri.text, "sip:carol@im.example");
    assert_string_equal(header(w, "SIP-If-Match"), "");
    assert_string_equal(header(w, "Event"), "presence");
    assert_string_equal(header(w, "Expires"), "600");
    assert_non_null(strstr(w->text, "<basic>open</basic>"));
    answer(w, 200, "SIP-ETag: t1\r\nExpires: 500\r\n");
    assert_string_equal(w->row, "1795349300 t1 carol@im.example");
    assert_string_equal(state(w, &code), "up");

    set_busy(w, NOON - 60, NOON + 300);
    want(w, 2);
    assert_string_equal(header(w, "SIP-If-Match"), "t1");
    assert_string_equal(header(w, "Expires"), "330"); /* as long as the meeting, and a little */
    assert_non_null(strstr(w->text, "<rpid:busy/><rpid:meeting/>"));
    assert_non_null(strstr(w->text, "<note>Busy until 12:05 UTC</note>"));
    answer(w, 200, "SIP-ETag: t2\r\nExpires: 330\r\n");

    loop_advance(w->loop, 237000); /* less than 72 % */
    turns(w);
    assert_int_equal(w->requests, 2);
    pass_until(w, 3, 55000); /* at 88 % at the latest */
    assert_string_equal(header(w, "SIP-If-Match"), "t2");
    assert_non_null(strstr(w->text, "<rpid:busy/>")); /* whole, each time */
    answer(w, 200, "SIP-ETag: t3\r\nExpires: 60\r\n");

    pres_publisher_free(&w->publisher);
    start(w);
    want(w, 4);
    assert_string_equal(header(w, "SIP-If-Match"), "t3");
}

/* Timer E: 0.5, 1, 2, 4, 4 s; timer F: after 32 s the server is down, and back when it answers. */
static void test_lost(void **test)
{
    struct world *w = *test;
    const char *code;
    start(w);
    want(w, 1);
    unsigned before = w->requests;
    loop_advance(w->loop, 499);
    turns(w);
    assert_int_equal(w->requests, before);
    loop_advance(w->loop, 1);
    want(w, 2);
    loop_advance(w->loop, 1000);
    want(w, 3);
    loop_advance(w->loop, 2000);
    want(w, 4);
    w->silent = true;
    for (int i = 0; i < 40; i++) {
        loop_advance(w->loop, 1000);
        turns(w);
    }
    assert_string_not_equal(state(w, &code), "up");
    assert_string_equal(code, "sip-timeout");
    w->silent = false;
    for (int i = 0; i < 80 && strcmp(state(w, &code), "up") != 0; i++) {
        loop_advance(w->loop, 1000);
        turns(w);
    }
    assert_string_equal(state(w, &code), "up");
}

/* A challenge is met once for each nonce; a fresh nonce that is refused means a wrong password. */
static void test_digest(void **test)
{
    struct world *w = *test;
    const char *code;
    w->with_password = true;
    start(w);
    want(w, 1);
    answer(w, 401,
           "WWW-Authenticate: Digest realm=\"im.example\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n"
           "WWW-Authenticate: Digest realm=\"im.example\", nonce=\"n2\", qop=\"auth\", algorithm=SHA-256\r\n");
    want(w, 2);
    assert_true(w->m.has_credentials);
    assert_int_equal(w->m.cseq, 2);
    assert_string_equal(w->m.credentials.nonce, "n2"); /* the better one */
    assert_string_equal(w->m.credentials.uri, "sip:carol@im.example");
    assert_int_equal(strlen(w->m.credentials.response), 64);
    answer(w, 401, "WWW-Authenticate: Digest realm=\"im.example\", nonce=\"n3\", qop=\"auth\", stale=true\r\n");
    want(w, 3);
    assert_string_equal(w->m.credentials.nonce, "n3");
    assert_int_equal(strlen(w->m.credentials.response), 32);
    answer(w, 401, "WWW-Authenticate: Digest realm=\"im.example\", nonce=\"n4\", qop=\"auth\"\r\n");
    turns(w);
    assert_int_equal(w->requests, 3);
    assert_string_equal(state(w, &code), "waiting");
    assert_string_equal(code, "sip-not-authorized");
}

/* RFC 2617 3.5's example with SIP's method would tell nothing more than this: both sides of ours agree, and an altered
 * word is noticed; a nonce of another host or of another time is not taken. */
static void test_guard(void **test)
{
    struct world *w = *test;
    static const struct pres_sip_guard guard = {.key = "0123456789012345678901234567890", .realm = "im.example"};
    struct pres_sip_auth auth = {0};
    struct secret *secret = secret_new("pw");
    struct pres_sip_extent extent;
    struct buf text;
    buf_init(&text, 10000);
    buf_adds(&text, "SIP/2.0 401 No\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
                    "<sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n");
    pres_sip_guard_ask(&guard, &text, "192.0.2.1", NOON, false);
    buf_adds(&text, "\r\n");
    assert_int_equal(pres_sip_cut(text.data, text.len, false, &extent), PRES_SIP_WHOLE);
    assert_true(pres_sip_read(&w->m, w->arena, text.data, &extent, NULL));
    assert_true(pres_sip_auth_take(&auth, &w->m));
    buf_reset(&text);
    buf_adds(&text, "SUBSCRIBE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
                    "<sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n");
    assert_true(pres_sip_auth_add(&auth, &text, "bob", secret, "SUBSCRIBE", "sip:a@b"));
    buf_adds(&text, "\r\n");
    assert_int_equal(pres_sip_cut(text.data, text.len, false, &extent), PRES_SIP_WHOLE);
    assert_true(pres_sip_read(&w->m, w->arena, text.data, &extent, NULL));
    assert_int_equal(pres_sip_guard_look(&guard, &w->m, "pw", "192.0.2.1", NOON + 10), PRES_SIP_KNOWN);
    assert_int_equal(pres_sip_guard_look(&guard, &w->m, "pW", "192.0.2.1", NOON + 10), PRES_SIP_REFUSED);
    assert_int_equal(pres_sip_guard_look(&guard, &w->m, NULL, "192.0.2.1", NOON + 10), PRES_SIP_REFUSED);
    assert_int_equal(pres_sip_guard_look(&guard, &w->m, "pw", "192.0.2.2", NOON + 10), PRES_SIP_ASK);
    assert_int_equal(pres_sip_guard_look(&guard, &w->m, "pw", "192.0.2.1", NOON + 1000), PRES_SIP_STALE);
    w->m.method = "PUBLISH"; /* what was proved was another request */
    assert_int_equal(pres_sip_guard_look(&guard, &w->m, "pw", "192.0.2.1", NOON + 10), PRES_SIP_REFUSED);
    pres_sip_auth_clear(&auth);
    secret_free(&secret);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_guard, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
