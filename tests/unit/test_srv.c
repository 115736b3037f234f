/*
 * srv against a name server that the test plays: records in any order, lies, silence, cut answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/nameser.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/srv.h"
#include "base/udp.h"

struct world {
    struct clk *clk;
    struct loop *loop;
    struct udp *server;
    char address[UDP_TEXT_MAX];
    unsigned asked, silent, told;
    unsigned char records[4000]; /* the answer section */
    size_t len;
    unsigned count;
    int code;
    bool wrong_id, wrong_name, cut;
    struct srv_host hosts[SRV_MAX];
    struct srv_rule rules[SRV_MAX];
    size_t n;
    enum srv_result result;
    struct srv *srv;
};

static void on_question(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    struct world *w = arg;
    unsigned char out[5000];
    size_t question = 12;
    w->asked++;
    if (w->silent > 0) {
        w->silent--;
        return;
    }
    memcpy(out, data, len);
    while (out[question])
        question += 1 + (size_t)out[question];
    question += 5;
    if (w->wrong_id)
        out[1] ^= 1;
    if (w->wrong_name)
        out[13] ^= 1;
    out[2] = (unsigned char)(0x81 | (w->cut ? 2 : 0));
    out[3] = (unsigned char)w->code;
    out[7] = (unsigned char)w->count;
    out[11] = 0;
    memcpy(out + question, w->records, w->len);
    udp_send(w->server, from, out, question + w->len);
}

static size_t put_name(unsigned char *out, const char *name)
{
    int n = ns_name_compress(name, out, 300, NULL, NULL);
    assert_true(n > 0);
    return (size_t)n;
}

static void add_record(struct world *w, int type, const unsigned char *data, size_t len)
{
    unsigned char *at = w->records + w->len;
    const unsigned char head[] = {
        0xc0, 12, 0, (unsigned char)type, 0, ns_c_in, 0, 0, 0, 60, (unsigned char)(len >> 8), (unsigned char)len};
    memcpy(at, head, sizeof head);
    memcpy(at + sizeof head, data, len);
    w->len += sizeof head + len;
    w->count++;
}

static void add_host(struct world *w, unsigned priority, unsigned weight, unsigned port, const char *host)
{
    unsigned char data[400] = {(unsigned char)(priority >> 8), (unsigned char)priority,    (unsigned char)(weight >> 8),
                               (unsigned char)weight,          (unsigned char)(port >> 8), (unsigned char)port};
    add_record(w, ns_t_srv, data, 6 + put_name(data + 6, host));
}

static void add_rule(struct world *w, unsigned order, unsigned preference, const char *flags, const char *service,
                     const char *next)
{
    unsigned char data[600] = {0, (unsigned char)order, 0, (unsigned char)preference};
    size_t at = 4;
    const char *const texts[] = {flags, service, ""};
    for (unsigned i = 0; i < 3; i++) {
        data[at++] = (unsigned char)strlen(texts[i]);
        memcpy(data + at, texts[i], strlen(texts[i]));
        at += strlen(texts[i]);
    }
    add_record(w, ns_t_naptr, data, at + put_name(data + at, next));
}

static void on_answer(void *arg, const struct srv_answer *a)
{
    struct world *w = arg;
    w->told++;
    w->srv = NULL;
    w->result = a->result;
    w->n = a->count;
    if (a->hosts)
        memcpy(w->hosts, a->hosts, a->count * sizeof *a->hosts);
    if (a->rules)
        memcpy(w->rules, a->rules, a->count * sizeof *a->rules);
}

static int set_up(void **state)
{
    char why[200];
    struct world *w = calloc(1, sizeof *w);
    w->clk = clk_fake_new(1800000000000);
    w->loop = loop_new(w->clk);
    w->server = udp_open(w->loop, "server", "127.0.0.1", 0, on_question, w, why, sizeof why);
    assert_non_null(w->server);
    snprintf(w->address, sizeof w->address, "127.0.0.1:%u", udp_port(w->server));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    srv_cancel(&w->srv);
    udp_close(&w->server);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    free(w);
    return 0;
}

static void find(struct world *w, const char *name, bool rules)
{
    w->told = 0;
    w->srv = rules ? srv_find_rules(w->loop, name, w->address, on_answer, w)
                   : srv_find(w->loop, name, w->address, on_answer, w);
    assert_int_equal(w->told, 0);
    for (unsigned i = 0; i < 300 && !w->told; i++) {
        loop_advance(w->loop, i < 20 ? 0 : 100);
        loop_turn(w->loop, 5);
    }
    assert_int_equal(w->told, 1);
}

static void test_hosts(void **state)
{
    struct world *w = *state;
    add_host(w, 20, 0, 5060, "late.example.com");
    add_host(w, 10, 0, 5070, "first.example.com");
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_FOUND);
    assert_int_equal(w->n, 2);
    assert_string_equal(w->hosts[0].host, "first.example.com");
    assert_int_equal(w->hosts[0].port, 5070);
    assert_string_equal(w->hosts[1].host, "late.example.com");
}

/* Each of one priority comes first now and then, the heavier one more often. */
static void test_lots(void **state)
{
    struct world *w = *state;
    unsigned heavy = 0, light = 0;
    add_host(w, 1, 1, 1, "light.example");
    add_host(w, 1, 9, 1, "heavy.example");
    for (unsigned i = 0; i < 200; i++) {
        find(w, "_x._tcp.example", false);
        assert_int_equal(w->n, 2);
        heavy += strcmp(w->hosts[0].host, "heavy.example") == 0;
        light += strcmp(w->hosts[0].host, "light.example") == 0;
    }
    assert_true(light > 0 && heavy > light);
}

static void test_rules(void **state)
{
    struct world *w = *state;
    add_rule(w, 2, 1, "s", "SIP+D2U", "_sip._udp.example.com");
    add_rule(w, 1, 2, "S", "SIP+D2T", "_sip._tcp.example.com");
    add_rule(w, 1, 1, "u", "E2U+sip", ".");
    add_rule(w, 1, 1, "s", "SIPS+D2T", "_sips._tcp.example.com");
    find(w, "example.com", true);
    assert_int_equal(w->n, 3);
    assert_string_equal(w->rules[0].service, "SIPS+D2T");
    assert_string_equal(w->rules[1].next, "_sip._tcp.example.com");
    assert_string_equal(w->rules[2].service, "SIP+D2U");
    assert_int_equal(w->rules[1].flag, 'S');
}

static void test_nothing(void **state)
{
    struct world *w = *state;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_NONE);
    w->code = ns_r_nxdomain;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_NONE);
    w->code = 0;
    add_host(w, 0, 0, 1, "."); /* RFC 2782: decidedly not here */
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_NONE);
    find(w, "no..name", false);
    assert_int_equal(w->result, SRV_NONE);
}

static void test_lost_and_late(void **state)
{
    struct world *w = *state;
    add_host(w, 1, 1, 5060, "h.example");
    w->silent = 1;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->asked, 2);
    assert_int_equal(w->result, SRV_FOUND);
    w->silent = 100;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_LATE);
    w->silent = 0;
    w->code = ns_r_servfail;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_LATE);
}

/* Answers to another question are not looked at, and one that was cut is no proof that there is nothing. */
static void test_lies(void **state)
{
    struct world *w = *state;
    add_host(w, 1, 1, 5060, "evil.example");
    w->wrong_id = true;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_LATE);
    w->wrong_id = false;
    w->wrong_name = true;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_LATE);
    w->wrong_name = false;
    w->count = 200; /* more than there are */
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_LATE);
    w->count = 0;
    w->len = 0;
    w->cut = true;
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->result, SRV_LATE);
}

static void test_odd_records(void **state)
{
    struct world *w = *state;
    const unsigned char brief[] = {0, 1, 0};
    const unsigned char loops[] = {0, 1, 0, 1, 0x13, 0xc4, 0xc0, 34}; /* a name that points at itself */
    add_record(w, ns_t_srv, brief, sizeof brief);
    add_record(w, ns_t_srv, loops, sizeof loops);
    add_host(w, 1, 1, 0, "port-0.example");
    add_host(w, 1, 1, 1, "a b.example");
    for (unsigned i = 0; i < SRV_MAX + 10; i++)
        add_host(w, 1, 1, 5060, "good.example");
    find(w, "_sip._tcp.example.com", false);
    assert_int_equal(w->n, SRV_MAX);
    assert_string_equal(w->hosts[0].host, "good.example");
}

static void test_cancel(void **state)
{
    struct world *w = *state;
    w->told = 0;
    w->srv = srv_find(w->loop, "_sip._tcp.example.com", w->address, on_answer, w);
    loop_advance(w->loop, 0);
    srv_cancel(&w->srv);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(w->loop, 5);
    loop_advance(w->loop, 60000);
    assert_int_equal(w->told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hosts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost_and_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_odd_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
