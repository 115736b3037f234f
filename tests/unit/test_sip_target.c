/*
 * sip_target: which hosts, ports and transports a server's URI means (RFC 3263), with a name server that the test
 * plays; and that nobody waits for one that is silent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/loop.h"
#include "name_server.h"
#include "sip_target.h"

static struct clk *clk;
static struct loop *loop;
static struct pres_sip_search *search;
static struct buf told; /* "tcp:host:port ..." */
static unsigned calls;

static int set_up(void **state)
{
    (void)state;
    clk = clk_fake_new(INT64_C(1795348800000));
    loop = loop_new(clk);
    name_server_begin(loop);
    buf_init(&told, 10000);
    calls = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pres_sip_search_cancel(&search);
    udp_close(&dns);
    buf_free(&told);
    loop_free(&loop);
    clk_fake_free(&clk);
    return 0;
}

static void on_targets(void *arg, const struct pres_sip_target *targets, size_t count)
{
    static const char *const names[] = {[PRES_SIP_UDP] = "udp", [PRES_SIP_TCP] = "tcp", [PRES_SIP_TLS] = "tls"};
    (void)arg;
    search = NULL;
    calls++;
    for (size_t i = 0; i < count; i++)
        buf_addf(&told, "%s%s:%s:%u", i ? " " : "", names[targets[i].transport], targets[i].host, targets[i].port);
}

static void find(const char *uri, const char *expected)
{
    struct pres_sip_server server;
    assert_null(pres_sip_server_parse(uri, &server));
    buf_reset(&told);
    calls = 0;
    search = pres_sip_search_new(loop, &server, dns_address, on_targets, NULL);
    assert_int_equal(calls, 0); /* never before it returned */
    for (unsigned i = 0; i < 300 && !calls; i++) {
        loop_advance(loop, i < 20 ? 0 : 100);
        loop_turn(loop, 5);
    }
    assert_int_equal(calls, 1);
    assert_string_equal(told.data, expected);
}

/* An address, or a port, says it all. */
static void test_told(void **state)
{
    (void)state;
    find("sip:192.0.2.1", "udp:192.0.2.1:5060");
    find("sip:[2001:db8::1];transport=tcp", "tcp:2001:db8::1:5060");
    find("sips:192.0.2.1", "tls:192.0.2.1:5061");
    find("sip:example.com:5070", "udp:example.com:5070");
    find("sips:example.com:5071", "tls:example.com:5071");
    assert_int_equal(dns_asked, 0);
}

/* The domain's own order of transports, and of hosts in each. */
static void test_rules(void **state)
{
    (void)state;
    records[0] = (struct record){"example.com", ns_t_naptr, "SIP+D2U _sip._udp.example.com", 0, 2};
    records[1] = (struct record){"example.com", ns_t_naptr, "SIPS+D2T secure.example.com", 0, 1};
    records[2] = (struct record){"example.com", ns_t_naptr, "E2U+sip _x.example.com", 0, 1};
    records[3] = (struct record){"_sip._udp.example.com", ns_t_srv, "u.example.com", 5070, 1};
    records[4] = (struct record){"secure.example.com", ns_t_srv, "second.example.com", 5072, 2};
    records[5] = (struct record){"secure.example.com", ns_t_srv, "first.example.com", 5071, 1};
    find("sip:example.com", "tls:first.example.com:5071 tls:second.example.com:5072 udp:u.example.com:5070");
    assert_int_equal(dns_asked, 3);
}

/* A transport in the URI is not the domain's to choose. */
static void test_transport(void **state)
{
    (void)state;
    records[0] = (struct record){"example.com", ns_t_naptr, "SIP+D2U _sip._udp.example.com", 0, 1};
    records[1] = (struct record){"_sip._udp.example.com", ns_t_srv, "u.example.com", 5070, 1};
    records[2] = (struct record){"_sip._tcp.example.com", ns_t_srv, "t.example.com", 5080, 1};
    records[3] = (struct record){"_sips._tcp.example.com", ns_t_srv, "s.example.com", 5081, 1};
    find("sip:example.com;transport=tcp", "tcp:t.example.com:5080");
    find("sips:example.com", "tls:s.example.com:5081");
    find("sip:example.com;transport=TLS", "tls:s.example.com:5081");
}

/* Without NAPTR all three are asked for; without anything the domain is a host. */
static void test_less(void **state)
{
    (void)state;
    records[0] = (struct record){"_sip._udp.example.com", ns_t_srv, "u.example.com", 5070, 1};
    records[1] = (struct record){"_sip._tcp.example.com", ns_t_srv, "t.example.com", 5080, 1};
    find("sip:example.com", "tcp:t.example.com:5080 udp:u.example.com:5070");
    find("sip:example.net", "udp:example.net:5060");
    find("sip:example.net;transport=tcp", "tcp:example.net:5060");
}

/* More than anybody tries. */
static void test_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RECORDS; i++)
        records[i] =
            (struct record){i < 4 ? "_sip._udp.example.com" : "_sip._tcp.example.com", ns_t_srv, "h.example", 1 + i, i};
    find("sip:example.com", "tcp:h.example:5 tcp:h.example:6 tcp:h.example:7 tcp:h.example:8 udp:h.example:1 "
                            "udp:h.example:2 udp:h.example:3 udp:h.example:4");
}

/* Silence is no proof that there is nothing: no host is made up; and the loop goes on all the while. */
static void test_silence(void **state)
{
    (void)state;
    mute = true;
    find("sip:example.com", "");
    find("sip:example.com;transport=tcp", "");
}

static void test_cancel(void **state)
{
    struct pres_sip_server server;
    (void)state;
    records[0] = (struct record){"_sip._tcp.example.com", ns_t_srv, "t.example.com", 5080, 1};
    assert_null(pres_sip_server_parse("sip:example.com", &server));
    for (unsigned turns = 0; turns < 8; turns++) {
        search = pres_sip_search_new(loop, &server, dns_address, on_targets, NULL);
        for (unsigned i = 0; i < turns && search; i++)
            loop_turn(loop, 1);
        bool before = search != NULL;
        unsigned called = calls;
        pres_sip_search_cancel(&search);
        for (unsigned i = 0; i < 10; i++)
            loop_turn(loop, 1);
        assert_int_equal(calls, called);
        if (turns == 0)
            assert_true(before);
    }
}

static void test_wrong(void **state)
{
    static const char *const wrong[] = {
        "example.com",          "sip:",    "sip:a@example.com", "sip:example.com?x=y", "sip:h;transport=sctp",
        "sips:h;transport=udp", "sip:h:0", "sip:h:70000",       "sip:<example.com>",   "http://h"};
    struct pres_sip_server server;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (!pres_sip_server_parse(wrong[i], &server))
            fail_msg("%s was taken", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transport, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_less, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
