/*
 * sip_head and sip_message: what comes from phones and servers, whole and broken: folded lines, compact names, wrong
 * lengths, a thousand headers, torn datagrams.
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
#include "base/udp.h"
#include "sip_message.h"

static struct arena *arena;
static struct pres_sip_message m;
static struct pres_sip_extent extent;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static bool read_from(const char *text, size_t len, const char *host, unsigned port)
{
    struct udp_peer from;
    if (pres_sip_cut(text, len, false, &extent) != PRES_SIP_WHOLE)
        return false;
    return pres_sip_read(&m, arena, text, &extent, host && udp_peer(&from, host, port) ? &from : NULL);
}

static bool read_text(const char *text)
{
    return read_from(text, strlen(text), NULL, 0);
}

#define SUBSCRIBE                                                                                                      \
    "SUBSCRIBE sip:carol@im.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1;rport\r\n"              \
    "From: \"Bob\" <sip:bob@im.example>;tag=b1\r\nTo: <sip:carol@im.example>\r\nCall-ID: c1@host\r\n"                  \
    "CSeq: 7 SUBSCRIBE\r\nContact: <sip:bob@192.0.2.9:5062;transport=udp>\r\nMax-Forwards: 70\r\n"

static void test_request(void **state)
{
    (void)state;
    const char *text =
        SUBSCRIBE "Event: presence;id=3\r\nExpires: 600\r\nAccept: application/pidf+xml, text/plain;q=0.1\r\n"
                  "Content-Length: 0\r\n\r\n";
    assert_true(read_from(text, strlen(text), "198.51.100.7", 4711));
    assert_true(m.request);
    assert_string_equal(m.method, "SUBSCRIBE");
    assert_string_equal(m.uri.user, "carol");
    assert_string_equal(m.uri.host, "im.example");
    assert_string_equal(m.branch, "z9hG4bK1");
    assert_true(m.rport);
    assert_int_equal(m.via_count, 1);
    assert_non_null(strstr(m.vias[0], "rport=4711"));
    assert_non_null(strstr(m.vias[0], "received=198.51.100.7"));
    assert_string_equal(m.from_tag, "b1");
    assert_null(m.to_tag);
    assert_string_equal(m.call_id, "c1@host");
    assert_int_equal(m.cseq, 7);
    assert_true(m.has_contact);
    assert_string_equal(m.contact.host, "192.0.2.9");
    assert_int_equal(m.contact.port, 5062);
    assert_string_equal(m.contact.transport, "udp");
    assert_int_equal(pres_sip_number(&m, "expires"), 600);
    assert_int_equal(pres_sip_number(&m, "Min-Expires"), -1);
    assert_true(pres_sip_lists(&m, "Accept", "application/PIDF+xml"));
    assert_true(pres_sip_lists(&m, "Accept", "text/plain"));
    assert_false(pres_sip_lists(&m, "Accept", "text"));
    assert_true(pres_sip_lists(&m, "Event", "presence"));
    assert_false(pres_sip_lists(&m, "Event", "presence.winfo"));
    struct buf answer;
    buf_init(&answer, 4096);
    pres_sip_answer_begin(&answer, &m, 200, "OK", "us");
    assert_non_null(
        strstr(answer.data, "\r\nTo: <sip:carol@im.example>;tag=us\r\nCall-ID: c1@host\r\nCSeq: 7 SUBSCRIBE\r\n"));
    buf_free(&answer);
}

/* As Kamailio answers. */
static void test_answer(void **state)
{
    (void)state;
    assert_true(read_text(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1:43210;rport=40870;branch=z9hG4bKabc;received=127.0.0.1\r\n"
        "CSeq: 1 OPTIONS\r\nFrom: <sip:freebusyd@im.example>;tag=1234\r\n"
        "To: <sip:freebusyd@im.example>;tag=c96b05d2fe30f33b6c652ec9bc4917d7.0142c1d9\r\nCall-ID: abc-fb\r\n"
        "SIP-ETag: a.1795355260.28250.1.0\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\nContent-Length: 0\r\n\r\n"));
    assert_false(m.request);
    assert_int_equal(m.status, 200);
    assert_string_equal(m.branch, "z9hG4bKabc");
    assert_string_equal(m.method, "OPTIONS");
    assert_string_equal(pres_sip_head_get(&m.head, "sip-etag"), "a.1795355260.28250.1.0");
}

static void test_challenge(void **state)
{
    (void)state;
    assert_true(read_text(
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 PUBLISH\r\n"
        "WWW-Authenticate: Digest realm=\"im.example\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth,auth-int\", "
        "stale=TRUE\r\n"
        "WWW-Authenticate: Digest realm=\"im \\\"x\\\"\", nonce=\"def\", opaque=\"\"\r\nRetry-After: 120 "
        "(soon);duration=1\r\n\r\n"));
    assert_int_equal(m.challenge_count, 2);
    assert_string_equal(m.challenges[0].realm, "im.example");
    assert_string_equal(m.challenges[0].qop, "auth,auth-int");
    assert_true(m.challenges[0].stale);
    assert_string_equal(m.challenges[1].realm, "im \"x\"");
    assert_null(m.challenges[1].qop);
    assert_int_equal(pres_sip_number(&m, "Retry-After"), 120);
}

static void test_compact_and_folded(void **state)
{
    (void)state;
    assert_true(
        read_text("NOTIFY sip:x@127.0.0.1:5070 SIP/2.0\r\nv: SIP/2.0/UDP\r\n 127.0.0.1:5060\r\n\t;branch=z9hG4bKn\r\n"
                  "f: <sip:carol@im.example>;tag=1\r\nt:\r\n <sip:x@im.example>;tag=2\r\ni: abc\r\nCSEQ: 3 NOTIFY\r\n"
                  "o: presence\r\nSubscription-State : terminated;reason=timeout\r\nl: 5\r\n\r\nhello"));
    assert_string_equal(m.via_host, "127.0.0.1");
    assert_int_equal(m.via_port, 5060);
    assert_string_equal(m.to_tag, "2");
    assert_true(pres_sip_lists(&m, "Event", "presence"));
    assert_int_equal(m.body_len, 5);
    assert_memory_equal(m.body, "hello", 5);
    assert_non_null(pres_sip_head_get(&m.head, "Subscription-State"));
    assert_true(
        read_text("OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\n"
                  "Call-ID: 1\nCSeq: 1 OPTIONS\n\n")); /* as phones of 1999 did */
}

static void test_users(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *user;
    } rows[] = {{"sip:o'hara%26co@im.example", "o'hara&co"},
                {"sip:alice%40corp.example@192.0.2.1", "alice@corp.example"},
                {"sip:a%2fb@x", "a/b"},
                {"sip:%2541@x", "%41"},
                {"sip:im.example", NULL},
                {"sips:alice@[2001:db8::1]:5061", "alice"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 "SUBSCRIBE %s SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <%s>\r\n"
                 "Call-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n\r\n",
                 rows[i].uri, rows[i].uri);
        assert_true(read_text(text));
        assert_int_equal(m.uri.user != NULL, rows[i].user != NULL);
        if (rows[i].user)
            assert_string_equal(m.uri.user, rows[i].user);
    }
    assert_string_equal(m.uri.host, "2001:db8::1");
    assert_int_equal(m.uri.port, 5061);
}

static void test_routes(void **state)
{
    (void)state;
    assert_true(read_text(SUBSCRIBE "Record-Route: <sip:p1.example;lr>, <sip:p2.example:5070;transport=tcp;lr>\r\n"
                                    "Record-Route: <sip:192.0.2.3;lr>\r\n\r\n"));
    assert_int_equal(m.route_count, 3);
    assert_string_equal(m.first_route.host, "p1.example");
    assert_string_equal(m.last_route.host, "192.0.2.3");
    assert_non_null(strstr(m.routes[1], "sip:p2.example:5070;transport=tcp;lr"));
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool stream;
        enum pres_sip_cut want;
        size_t head, body_len, end;
    } rows[] = {
        {"", true, PRES_SIP_MORE, 0, 0, 0},
        {"\r\n\r\n", true, PRES_SIP_EMPTY, 0, 0, 4},
        {"\r\n\r\n", false, PRES_SIP_EMPTY, 0, 0, 4},
        {"\r\nA: b", true, PRES_SIP_EMPTY, 0, 0, 2},
        {"X y z\r\nA: b\r\n\r\n", true, PRES_SIP_WHOLE, 0, 0, 15},
        {"X y z\r\nContent-Length: 3\r\n\r\nab", true, PRES_SIP_MORE, 0, 0, 0},
        {"X y z\r\nContent-Length: 3\r\n\r\nab", false, PRES_SIP_BAD, 0, 0, 0}, /* torn */
        {"X y z\r\nContent-Length: 3\r\n\r\nabcd", true, PRES_SIP_WHOLE, 0, 3, 31},
        {"X y z\r\nContent-Length: 3\r\n\r\nabcd", false, PRES_SIP_WHOLE, 0, 3, 32},
        {"X y z\r\nA: b\r\n\r\nabcd", false, PRES_SIP_WHOLE, 0, 4, 19},
        {"X y z\r\nA: b\r\n\r\nabcd", true, PRES_SIP_WHOLE, 0, 0, 15},
        {"X y z\r\nContent-Length: -3\r\n\r\nabc", true, PRES_SIP_BAD, 0, 0, 0},
        {"X y z\r\nContent-Length: 3x\r\n\r\nabc", true, PRES_SIP_BAD, 0, 0, 0},
        {"X y z\r\nContent-Length:\r\n\r\nabc", true, PRES_SIP_BAD, 0, 0, 0},
        {"X y z\r\nContent-Length: 99999999999999999999\r\n\r\n", true, PRES_SIP_BAD, 0, 0, 0},
        {"X y z\r\nContent-Length: 65537\r\n\r\n", true, PRES_SIP_BAD, 0, 0, 0},
        {"X y z\r\nContent-Length: 3\r\nl: 0\r\n\r\nabc", true, PRES_SIP_BAD, 0, 0, 0}, /* smuggling */
        {"X y z\r\nContent-Length: 3\r\nl: 3\r\n\r\nabc", true, PRES_SIP_WHOLE, 0, 3, 37},
        {"X y z\r\nContent-Length :\r\n 3\r\n\r\nabc", true, PRES_SIP_WHOLE, 0, 3, 34},
        {"X y z\r\nA: b", false, PRES_SIP_BAD, 0, 0, 0},
        {"X y z\r\nA: b", true, PRES_SIP_MORE, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum pres_sip_cut got = pres_sip_cut(rows[i].text, strlen(rows[i].text), rows[i].stream, &extent);
        if (got != rows[i].want)
            print_message("row %zu\n", i);
        assert_int_equal(got, rows[i].want);
        if (got == PRES_SIP_WHOLE || got == PRES_SIP_EMPTY) {
            assert_int_equal(extent.body_len, rows[i].body_len);
            assert_int_equal(extent.end, rows[i].end);
        }
    }
}

static void test_too_much(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_adds(&text, SUBSCRIBE);
    for (unsigned i = 0; i < 1000; i++)
        buf_addf(&text, "X-%u: y\r\n", i);
    buf_adds(&text, "\r\n");
    assert_false(read_text(text.data)); /* a thousand headers */
    buf_reset(&text);
    buf_adds(&text, SUBSCRIBE "Subject: ");
    for (unsigned i = 0; i < 20000; i++)
        buf_addc(&text, 'a');
    buf_adds(&text, "\r\n\r\n");
    assert_int_equal(pres_sip_cut(text.data, text.len, true, &extent), PRES_SIP_BAD);
    assert_int_equal(pres_sip_cut(text.data, 16000, true, &extent), PRES_SIP_MORE);
    assert_int_equal(pres_sip_cut(text.data, 17000, true, &extent), PRES_SIP_BAD); /* no head is that long */
    buf_reset(&text);
    buf_adds(&text, SUBSCRIBE);
    for (unsigned i = 0; i < 60; i++)
        buf_addf(&text, "Via: SIP/2.0/UDP h%u;branch=z9hG4bK%u\r\n", i, i);
    buf_adds(&text, "\r\n");
    assert_false(read_text(text.data));
    buf_free(&text);
}

static void test_broken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "X y z\r\nA: b\r\n\r\n",
        "SUBSCRIBE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
        "<sip:a@b>\r\nCall-ID: 1\r\n\r\n",
        "SUBSCRIBE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
        "<sip:a@b>\r\nCall-ID: 1\r\n"
        "CSeq: 99999999999 SUBSCRIBE\r\n\r\n",
        "SUBSCRIBE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
        "<sip:a@b>\r\nCall-ID: 1\r\n"
        "CSeq: 1 NOTIFY\r\n\r\n", /* another method than it says */
        "SUBSCRIBE sip:a@b SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 "
        "SUBSCRIBE\r\n\r\n",
        "SUBSCRIBE sip:a@b SIP/2.0\r\nVia\r\nFrom: <sip:a@b>;tag=1\r\n\r\n",
        "SUBSCRIBE sip:a@b SIP/2.0\r\n: x\r\nFrom: <sip:a@b>;tag=1\r\n\r\n",
        "SIP/2.0 999 No\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: "
        "1\r\nCSeq: 1 X\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(read_text(texts[i]));
    const char zero[] = SUBSCRIBE "Subject: a\0b\r\n\r\n";
    assert_false(read_from(zero, sizeof zero - 1, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_challenge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compact_and_folded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_routes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
