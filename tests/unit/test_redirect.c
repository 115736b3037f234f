/*
 * redirect: where a Location may lead. Credentials follow wherever FOLLOW is said, so each line here is about them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "redirect.h"

static const char *const allowed[] = {"ex2.example.test", "ex3.example.test:8443", "[::1]:9000", NULL};
static const struct dav_redirect_rules rules = {"https://mail.example.test/exchange/", allowed};
static const struct dav_redirect_rules closed = {"https://mail.example.test/exchange/", NULL};
static const struct dav_redirect_rules clear = {"http://mail.example.test/exchange/", NULL};

static const struct {
    const struct dav_redirect_rules *rules;
    const char *from, *location;
    unsigned hops;
    enum dav_redirect want;
    const char *url;
} cases[] = {
    {&rules, "https://mail.example.test/exchange/a/", "https://ex2.example.test/exchange/a/", 0, DAV_REDIRECT_FOLLOW,
     "https://ex2.example.test/exchange/a/"},
    {&rules, "https://mail.example.test/a", "https://EX2.Example.Test:443/a", 0, DAV_REDIRECT_FOLLOW,
     "https://EX2.Example.Test:443/a"},
    {&rules, "https://mail.example.test/a", "https://ex3.example.test:8443/a", 4, DAV_REDIRECT_FOLLOW, NULL},
    {&rules, "https://mail.example.test/a", "https://ex3.example.test:8443/a", 5, DAV_REDIRECT_TOO_MANY, NULL},
    {&rules, "https://mail.example.test/a", "https://ex3.example.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "https://ex2.example.test:8443/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "https://evil.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "https://ex2.example.test.evil.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "https://evilex2.example.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "//evil.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "https://ex2.example.test@evil.test/a", 0, DAV_REDIRECT_SENSELESS, NULL},
    {&rules, "https://mail.example.test/a", "http://mail.example.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "http://ex2.example.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&rules, "https://mail.example.test/a", "https://[::1]:9000/a", 0, DAV_REDIRECT_FOLLOW, NULL},
    /* back to where the account lives */
    {&rules, "https://ex2.example.test/a", "https://mail.example.test/b", 1, DAV_REDIRECT_FOLLOW, NULL},
    {&closed, "https://mail.example.test/a", "https://ex2.example.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&closed, "https://mail.example.test/a", "/b c", 0, DAV_REDIRECT_FOLLOW, "https://mail.example.test/b%20c"},
    {&closed, "https://mail.example.test/a/b", "c?d", 0, DAV_REDIRECT_FOLLOW, "https://mail.example.test/a/c?d"},
    {&closed, "https://mail.example.test/a", "//mail.example.test", 0, DAV_REDIRECT_FOLLOW,
     "https://mail.example.test/"},
    {&closed, "https://mail.example.test/a", "https://mail.example.test/x#y", 0, DAV_REDIRECT_FOLLOW,
     "https://mail.example.test/x"},
    {&closed, "https://mail.example.test:8443/a", "https://mail.example.test/a", 0, DAV_REDIRECT_FOLLOW, NULL},
    {&closed, "https://mail.example.test/a", "https://mail.example.test:8443/a", 0, DAV_REDIRECT_FOREIGN, NULL},
    {&closed, "https://mail.example.test/a", NULL, 0, DAV_REDIRECT_SENSELESS, NULL},
    {&closed, "https://mail.example.test/a", "javascript:alert(1)", 0, DAV_REDIRECT_FOLLOW,
     "https://mail.example.test/javascript:alert(1)"},
    {&closed, "https://mail.example.test/a", "/a\r\nAuthorization: x", 0, DAV_REDIRECT_SENSELESS, NULL},
    {&clear, "http://mail.example.test/a", "https://mail.example.test/a", 0, DAV_REDIRECT_FOLLOW, NULL},
    {&clear, "http://mail.example.test/a", "http://evil.test/a", 0, DAV_REDIRECT_FOREIGN, NULL},
};

static void where_a_location_leads(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 8192);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum dav_redirect got =
            dav_redirect_decide(cases[i].rules, cases[i].from, cases[i].location, cases[i].hops, &out);

        if (got != cases[i].want)
            fail_msg("%s -> %s: %d, not %d", cases[i].from, cases[i].location ? cases[i].location : "nothing", got,
                     cases[i].want);
        if (cases[i].url)
            assert_string_equal(out.data, cases[i].url);
    }
    buf_free(&out);
}

static void what_was_remembered(void **state)
{
    struct dav_url u;

    (void)state;
    assert_true(dav_url_parse("https://ex2.example.test/x", &u));
    assert_true(dav_redirect_host_allowed(&rules, &u));
    assert_false(dav_redirect_host_allowed(&closed, &u)); /* no longer */
    assert_true(dav_url_parse("http://ex2.example.test/x", &u));
    assert_false(dav_redirect_host_allowed(&rules, &u));
    assert_true(dav_url_parse("https://mail.example.test/x", &u));
    assert_true(dav_redirect_host_allowed(&closed, &u));
}

static void traps(void **state)
{
    (void)state;
    assert_string_equal(dav_redirect_trap("https://x/owa/auth/logon.aspx?url=y"), "auth-none-usable");
    assert_string_equal(dav_redirect_trap("https://x/exchweb/bin/auth/owalogon.asp?url=y"), "auth-none-usable");
    assert_string_equal(dav_redirect_trap("https://x/owa"), "webdav-missing");
    assert_null(dav_redirect_trap("https://x/exchange/owada@x/"));
    assert_true(dav_redirect_is(302));
    assert_false(dav_redirect_is(304));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_a_location_leads),
        cmocka_unit_test(what_was_remembered),
        cmocka_unit_test(traps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
