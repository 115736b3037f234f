/* who_net: which addresses are in which network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "who_net.h"

static bool in(const char *network, const char *peer)
{
    struct gw_net net, address;
    assert_true(gw_net_parse(network, &net));
    assert_true(gw_net_peer(peer, &address));
    return gw_net_has(&net, &address);
}

static void networks_end_where_they_end(void **state)
{
    (void)state;
    assert_true(in("10.0.0.0/8", "10.255.0.1:1"));
    assert_false(in("10.0.0.0/8", "11.0.0.0:1"));
    assert_true(in("192.0.2.7", "192.0.2.7:65535"));
    assert_false(in("192.0.2.7", "192.0.2.8:1"));
    assert_true(in("192.0.2.4/30", "192.0.2.7:1"));
    assert_false(in("192.0.2.4/30", "192.0.2.8:1"));
    assert_true(in("2001:db8::/33", "[2001:db8:7fff::1]:1"));
    assert_false(in("2001:db8::/33", "[2001:db8:8000::1]:1"));
    assert_true(in("0.0.0.0/0", "[::ffff:1.2.3.4]:1"));
    assert_false(in("0.0.0.0/0", "[2001:db8::1]:1"));
    assert_true(in("10.1.2.3/8", "10.9.9.9:1")); /* host bits do not matter */
}

static void what_is_no_network_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "example.com", "10.0.0.0/33",  "10.0.0.0/-1", "10.0.0.0/",
                                      "10.0.0/8", "::/129",      "10.0.0.0/8/8", "10.0.0.0/8x", " 10.0.0.0",
                                      "[::1]",    "1.2.3.4:80"};
    struct gw_net net;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (gw_net_parse(bad[i], &net))
            fail_msg("taken: %s", bad[i]);
    assert_false(gw_net_peer("unix", &net));
    assert_false(gw_net_peer("[]:1", &net));
}

static void failures_are_counted_by_place(void **state)
{
    (void)state;
    char a[GW_NET_TEXT_MAX], b[GW_NET_TEXT_MAX];
    gw_net_neighbourhood("192.0.2.7:1", a);
    gw_net_neighbourhood("192.0.2.7:2", b);
    assert_string_equal(a, b);
    gw_net_neighbourhood("192.0.2.8:2", b);
    assert_string_not_equal(a, b);
    gw_net_neighbourhood("[2001:db8::1]:1", a);
    gw_net_neighbourhood("[2001:db8::ffff:ffff]:1", b);
    assert_string_equal(a, b);
    gw_net_neighbourhood("[2001:db8:0:1::1]:1", b);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_end_where_they_end),
        cmocka_unit_test(what_is_no_network_is_none),
        cmocka_unit_test(failures_are_counted_by_place),
    };
    return cmocka_run_group_tests_name("who_net", tests, NULL, NULL);
}
