/* Addresses that a redirect may not lead to, in all their spellings; and a client that is asked before it connects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/fetch.h"
#include "base/loop.h"

static void test_inner(void **state)
{
    static const char *const inner[] = {"127.0.0.1",
                                        "127.255.0.9",
                                        "0.0.0.0",
                                        "169.254.169.254",
                                        "169.254.0.1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "240.0.0.1",
                                        "100.100.100.200",
                                        "::1",
                                        "::",
                                        "::127.0.0.1",
                                        "::ffff:127.0.0.1",
                                        "::ffff:a9fe:a9fe",
                                        "64:ff9b::a9fe:a9fe",
                                        "2002:7f00:1::",
                                        "fe80::1",
                                        "febf::1",
                                        "ff02::1",
                                        "fd00:ec2::254",
                                        "not an address",
                                        "",
                                        "192.0.0.192"};
    static const char *const outer[] = {"10.0.0.1",    "192.168.1.1",     "172.16.0.1",   "8.8.8.8",      "100.64.0.1",
                                        "2001:db8::1", "::ffff:10.0.0.1", "fd12:3456::1", "2002:a00:1::", "128.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        if (!fetch_address_is_inner(inner[i]))
            fail_msg("%s is inner", inner[i]);
    for (size_t i = 0; i < sizeof outer / sizeof outer[0]; i++)
        if (fetch_address_is_inner(outer[i]))
            fail_msg("%s is not inner", outer[i]);
}

struct asked {
    char address[64];
    enum fetch_err err;
    bool done;
};

static bool refuse(void *arg, const char *address)
{
    struct asked *a = arg;
    strncpy(a->address, address, sizeof a->address - 1);
    return false;
}

static void done(void *arg, const struct fetch_answer *answer)
{
    struct asked *a = arg;
    a->err = answer->err;
    a->done = true;
}

static void test_asked(void **state)
{
    struct asked a = {{0}, FETCH_OK, false};
    struct loop *loop = loop_new(clk_system());
    struct fetch_client_settings s = {.name = "test", .address_ok = refuse, .address_arg = &a};
    struct fetch_client *c = fetch_client_new(loop, &s);
    struct fetch_request r = {.method = "GET", .url = "http://127.0.0.1:1/", .done = done, .arg = &a};
    (void)state;
    fetch_start(c, &r);
    while (!a.done)
        loop_turn(loop, 1000);
    assert_string_equal(a.address, "127.0.0.1");
    assert_int_equal(a.err, FETCH_TCP_REFUSED);
    fetch_client_free(&c);
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inner), cmocka_unit_test(test_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
