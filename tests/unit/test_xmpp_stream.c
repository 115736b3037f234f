/*
 * The XMPP stream against servers that lie, flood, stay silent and end: the connection ends with its cause, memory
 * stays in bounds, and the outlet tries again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "xmpp_world.h"

static struct world *connected(void)
{
    struct world *w = world_new();
    world_set(w, "alice@example.com", PRES_FREE, 0, 1);
    world_start(w);
    assert_true(world_connect(w));
    return w;
}

static const char *code_of(struct world *w)
{
    struct pres_publisher_status status;
    for (int i = 0; i < 30; i++)
        world_turn(w);
    pres_publisher_status(w->publisher, &status);
    return status.code ? status.code : "";
}

static void test_bad_xml(void **state)
{
    static const struct {
        const char *say, *code;
    } rows[] = {
        {"<presence", ""},
        {"<presence></message>", "xmpp-bad-xml"},
        {"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>", "xmpp-bad-xml"},
        {"<message>&lol;</message>", "xmpp-bad-xml"},
        {"<!-- no -->", "xmpp-bad-xml"},
        {"<?php no ?>", "xmpp-bad-xml"},
        {"</stream:stream>", "tcp-reset"},
        {"<stream:error/>", "xmpp-stream-error"},
        {"<handshake/><handshake/>", ""},
        {"<message xmlns='jabber:client'><body>x</body></message>", ""},
        {"  \n \t ", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = connected();
        world_say(w, rows[i].say, strlen(rows[i].say));
        assert_string_equal(code_of(w), rows[i].code);
        world_free(&w);
    }
}

static void test_stream_errors(void **state)
{
    static const struct {
        const char *condition, *code;
    } rows[] = {{"bad-format", "xmpp-stream-error"},
                {"bad-namespace-prefix", "xmpp-stream-error"},
                {"conflict", "xmpp-conflict"},
                {"connection-timeout", "xmpp-stream-error"},
                {"host-gone", "xmpp-host-unknown"},
                {"host-unknown", "xmpp-host-unknown"},
                {"improper-addressing", "xmpp-stream-error"},
                {"internal-server-error", "xmpp-stream-error"},
                {"invalid-from", "xmpp-stream-error"},
                {"invalid-namespace", "xmpp-stream-error"},
                {"invalid-xml", "xmpp-stream-error"},
                {"not-authorized", "xmpp-not-authorized"},
                {"not-well-formed", "xmpp-stream-error"},
                {"policy-violation", "xmpp-policy"},
                {"remote-connection-failed", "xmpp-stream-error"},
                {"reset", "xmpp-stream-error"},
                {"resource-constraint", "xmpp-stream-error"},
                {"restricted-xml", "xmpp-stream-error"},
                {"see-other-host", "xmpp-redirected"},
                {"system-shutdown", "xmpp-shutdown"},
                {"undefined-condition", "xmpp-stream-error"},
                {"unsupported-version", "xmpp-stream-error"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = connected();
        struct pres_publisher_status status;
        char text[400];
        int len = snprintf(text, sizeof text,
                           "<stream:error><%s xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
                           "xmlns='urn:ietf:params:xml:ns:xmpp-streams'>because \x01 \"so\"</text></stream:error>",
                           rows[i].condition);
        world_say(w, text, (size_t)len);
        assert_string_equal(code_of(w), rows[i].code);
        pres_publisher_status(w->publisher, &status);
        assert_non_null(strstr(status.text, rows[i].condition));
        world_free(&w);
    }
}

/* A stanza that does not end: cut at the ceiling, whatever it is made of. */
static void test_endless(void **state)
{
    static const char *const pieces[] = {"x", "<a>", "<a/>", "<b c='dddddddddddddddddddd'/>", "&lt;", "\xC3\xA9"};
    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct world *w = connected();
        struct buf many;
        struct pres_publisher_status status = {.code = NULL};
        buf_init(&many, 1 << 20);
        while (many.len < 65536)
            buf_adds(&many, pieces[i]);
        world_say(w, "<message><body>", 15);
        for (size_t sent = 0; sent < 10u << 20 && !status.code; sent += many.len) {
            if (send(w->peer, many.data, many.len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
                break;
            for (int k = 0; k < 8; k++)
                loop_turn(w->loop, 0);
            pres_publisher_status(w->publisher, &status);
        }
        assert_string_equal(code_of(w), "xmpp-bad-xml");
        buf_free(&many);
        world_free(&w);
    }
}

/* Attributes and names without end. */
static void test_endless_tag(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct world *w = connected();
        struct buf many;
        buf_init(&many, 1 << 20);
        buf_adds(&many, kind ? "<presence " : "<presence a='");
        for (int i = 0; many.len < 600000; i++)
            buf_addf(&many, kind ? "a%d='x' " : "%d", i);
        for (size_t at = 0; at < many.len;) {
            ssize_t n = send(w->peer, many.data + at, many.len - at, MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                break;
            at += n > 0 ? (size_t)n : 0;
            for (int k = 0; k < 300; k++)
                loop_turn(w->loop, 0);
        }
        assert_string_equal(code_of(w), "xmpp-bad-xml");
        buf_free(&many);
        world_free(&w);
    }
}

/* Stanzas of the allowed size may come for ever. */
static void test_long_stream(void **state)
{
    struct world *w = connected();
    struct buf many;
    (void)state;
    buf_init(&many, 1 << 20);
    while (many.len < 200000)
        buf_adds(&many, "<message from='bob@im.example' to='cal.example'><body>hello</body></message>");
    for (int i = 0; i < 20; i++)
        world_say(w, many.data, many.len);
    assert_string_equal(code_of(w), "");
    buf_free(&many);
    world_free(&w);
}

static void test_silence(void **state)
{
    struct world *w = connected();
    struct buf one;
    (void)state;
    buf_init(&one, 65536);
    loop_advance(w->loop, 60000);
    assert_true(world_stanza(w, &one)); /* are you there? */
    assert_non_null(strstr(one.data, "urn:xmpp:ping"));
    world_say(w, " ", 1);
    assert_string_equal(code_of(w), "");
    loop_advance(w->loop, 60000);
    loop_advance(w->loop, 19000);
    assert_string_equal(code_of(w), "");
    loop_advance(w->loop, 1000);
    assert_string_equal(code_of(w), "tcp-timeout");
    buf_free(&one);
    world_free(&w);
}

/* A server that accepts and says nothing, one that is none, and one that refuses: each by its name, with growing waits.
 */
static void test_start(void **state)
{
    static const char refuses[] =
        "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    struct pres_publisher_status status;
    struct world *w = world_new();
    (void)state;
    world_start(w);
    assert_true(world_until(w, "to='cal.example'>"));
    loop_advance(w->loop, 15000);
    assert_string_equal(code_of(w), "tcp-timeout");
    world_hang_up(w);

    loop_advance(w->loop, 1000);
    assert_true(world_until(w, "to='cal.example'>"));
    world_say(w, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    assert_string_equal(code_of(w), "xmpp-bad-xml");
    world_hang_up(w);

    loop_advance(w->loop, 2000);
    assert_true(world_until(w, "to='cal.example'>"));
    world_say(w, "<html><body/></html>", 20);
    assert_string_equal(code_of(w), "xmpp-bad-xml");
    world_hang_up(w);

    loop_advance(w->loop, 60000);
    assert_true(world_until(w, "to='cal.example'>"));
    world_say(w, WORLD_HEADER, strlen(WORLD_HEADER));
    assert_true(world_until(w, "</handshake>"));
    world_say(w, refuses, strlen(refuses));
    assert_string_equal(code_of(w), "xmpp-not-authorized");
    world_hang_up(w);
    loop_advance(w->loop, 40000); /* no quick second try with a secret that was refused */
    pres_publisher_status(w->publisher, &status);
    assert_string_equal(status.state, "waiting");
    assert_int_equal(status.failures, 4);
    loop_advance(w->loop, 20000);
    assert_true(world_connect(w));
    world_free(&w);
}

/* Some of our pings came back to somebody else: two gateways share the name. */
static void test_shared_name(void **state)
{
    struct world *w = world_new();
    struct buf one;
    (void)state;
    buf_init(&one, 65536);
    world_start(w);
    assert_true(world_shake(w));
    for (unsigned i = 0; i < 8 && world_stanza(w, &one); i++)
        if (i % 2)
            world_say(w, one.data, one.len);
    assert_string_equal(code_of(w), "");
    loop_advance(w->loop, 30000);
    assert_string_equal(code_of(w), "xmpp-conflict");
    buf_free(&one);
    world_free(&w);
}

/* A daemon with many subscribers has descriptors beyond what select could watch. */
static void test_many_descriptors(void **state)
{
    enum { MANY = FD_SETSIZE + 50 };
    struct rlimit files;
    int *open_ones = mem_calloc(MANY, sizeof *open_ones);
    struct pres_publisher_status status;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max < 2 * MANY ? files.rlim_max : 2 * MANY;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    for (int i = 0; i < MANY; i++)
        assert_true((open_ones[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    struct world *w = connected();
    assert_true(w->listener > FD_SETSIZE && w->peer > FD_SETSIZE);
    assert_string_equal(code_of(w), "");
    pres_publisher_status(w->publisher, &status);
    assert_string_equal(status.state, "up");
    world_free(&w);
    for (int i = 0; i < MANY; i++)
        close(open_ones[i]);
    free(open_ones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_xml),
        cmocka_unit_test(test_stream_errors),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_endless_tag),
        cmocka_unit_test(test_long_stream),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_shared_name),
        cmocka_unit_test(test_many_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
