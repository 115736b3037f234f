/*
 * udp: two sockets of one loop, floods, and closing inside a callback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/udp.h"
#include "until.h"

struct side {
    struct udp *udp;
    struct udp_peer from;
    char got[100];
    unsigned count;
    size_t len;
    bool close;
};

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    struct side *s = arg;
    s->count++;
    s->from = *from;
    s->len = len;
    memcpy(s->got, data, len < sizeof s->got ? len : sizeof s->got);
    if (s->close)
        udp_close(&s->udp);
}

static struct udp *open_one(struct loop *loop, const char *host, struct side *s)
{
    char why[200];
    s->udp = udp_open(loop, "test", host, 0, on_datagram, s, why, sizeof why);
    return s->udp;
}

static void test_both_ways(void **state)
{
    (void)state;
    char text[UDP_TEXT_MAX], other[UDP_TEXT_MAX];
    struct loop *loop = loop_new(clk_system());
    struct side a = {0}, b = {0};
    struct udp_peer to;
    assert_non_null(open_one(loop, "127.0.0.1", &a));
    assert_non_null(open_one(loop, "127.0.0.1", &b));
    assert_true(udp_peer(&to, "127.0.0.1", udp_port(b.udp)));
    assert_true(udp_send(a.udp, &to, "hello", 5));
    UNTIL(loop, b.count >= 1)
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.got, "hello", 5);
    assert_int_equal(udp_peer_port(&b.from), udp_port(a.udp));
    assert_string_equal(udp_peer_host(&b.from, text), "127.0.0.1");
    assert_true(udp_send(b.udp, &b.from, "", 0)); /* an empty one is one, too */
    UNTIL(loop, a.count >= 1)
    assert_int_equal(a.count, 1);
    assert_int_equal(a.len, 0);
    assert_true(udp_peer_same(&a.from, &to));
    assert_true(udp_local(&to, text));
    assert_string_equal(text, "127.0.0.1");
    assert_string_equal(udp_peer_text(&to, text), udp_peer_text(&a.from, other));
    udp_close(&a.udp);
    udp_close(&b.udp);
    loop_free(&loop);
}

static void test_closed_inside(void **state)
{
    (void)state;
    struct loop *loop = loop_new(clk_system());
    struct side a = {0}, b = {.close = true};
    struct udp_peer to;
    assert_non_null(open_one(loop, "127.0.0.1", &a));
    assert_non_null(open_one(loop, "127.0.0.1", &b));
    assert_true(udp_peer(&to, "127.0.0.1", udp_port(b.udp)));
    for (unsigned i = 0; i < 10; i++)
        udp_send(a.udp, &to, "x", 1);
    UNTIL(loop, b.count >= 1)
    for (int i = 0; i < 20; i++)
        loop_turn(loop, 1);
    assert_int_equal(b.count, 1); /* nothing comes after the close */
    udp_close(&a.udp);
    loop_free(&loop);
}

static void test_names(void **state)
{
    (void)state;
    char why[200] = "", text[UDP_TEXT_MAX];
    struct side s = {0};
    struct udp_peer p, q;
    struct loop *loop = loop_new(clk_system());
    assert_false(udp_peer(&p, "example.com", 1));
    assert_false(udp_peer(&p, "127.0.0.1", 70000));
    assert_true(udp_peer(&p, "::1", 5060));
    assert_string_equal(udp_peer_text(&p, text), "[::1]:5060");
    assert_true(udp_peer(&q, "::1", 5061));
    assert_false(udp_peer_same(&p, &q));
    assert_null(udp_open(loop, "test", "example.com", 0, on_datagram, &s, why, sizeof why));
    assert_non_null(strstr(why, "example.com"));
    assert_non_null(open_one(loop, "127.0.0.1", &s));
    assert_null(udp_open(loop, "test", "127.0.0.1", udp_port(s.udp), on_datagram, &s, why, sizeof why)); /* taken */
    assert_non_null(strstr(why, "udp 127.0.0.1"));
    udp_close(&s.udp);
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_closed_inside),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
