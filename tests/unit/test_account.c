/*
 * account: which a session accepts, what it keeps of them, and the names of schemes.
 */
#include "dav_server.h"
#include "inner.h"

static int set_up(void **state)
{
    (void)state;
    world_begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void accounts_that_make_no_sense(void **state)
{
    struct dav_account usual = usual_account(), account;
    struct secret *secret = secret_new("x");
    char why[200];

    (void)state;
    account = usual, account.url = "ftp://x/";
    assert_null(dav_session_new(loop, &account, secret, why, sizeof(why)));
    assert_non_null(strstr(why, "url"));
    account = usual, account.auth_count = 0;
    assert_null(dav_session_new(loop, &account, secret, why, sizeof(why)));
    account = usual, account.user = "a:b";
    assert_null(dav_session_new(loop, &account, secret, why, sizeof(why)));
    assert_non_null(strstr(why, "colon"));
    account = usual, account.user = "";
    assert_null(dav_session_new(loop, &account, secret, why, sizeof(why)));
    secret_free(&secret);
}

static void copies_are_deep_and_complete(void **state)
{
    char host[] = "ex2.example.test", url[] = "https://x/", name[] = "hq";
    const char *hosts[] = {host, NULL};
    struct dav_account from = {.name = name, .url = url, .user = "svc", .allowed_hosts = hosts}, to;

    (void)state;
    dav_account_copy(&to, &from);
    memset(host, 'x', strlen(host));
    memset(url, 'x', strlen(url));
    memset(name, 'x', strlen(name));
    assert_string_equal(to.name, "hq");
    assert_string_equal(to.url, "https://x/");
    assert_string_equal(to.allowed_hosts[0], "ex2.example.test");
    assert_null(to.allowed_hosts[1]);
    assert_null(to.calendars);
    assert_int_equal(to.max_connections, 8);
    assert_true(to.max_requests_per_second > 49 && to.max_requests_per_second < 51);
    assert_int_equal(to.max_answer_bytes, 16 * 1024 * 1024);
    assert_int_equal(to.max_rows, 20000);
    dav_account_clear(&to);
}

static void scheme_names(void **state)
{
    enum dav_scheme scheme;

    (void)state;
    for (int i = 0; i < DAV_SCHEMES; i++) {
        assert_true(dav_scheme_parse(dav_scheme_name((enum dav_scheme)i), &scheme));
        assert_int_equal(scheme, i);
    }
    assert_false(dav_scheme_parse("Basic", &scheme));
    assert_false(dav_scheme_parse("", &scheme));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accounts_that_make_no_sense, set_up, tear_down),
        cmocka_unit_test(copies_are_deep_and_complete),
        cmocka_unit_test(scheme_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
