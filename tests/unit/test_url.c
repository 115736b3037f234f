/*
 * url: every character in an address, URLs of servers that mean well, and of those that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "url.h"

static struct buf out;

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 2 * DAV_URL_PATH_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static void a_mailbox_name_with_any_character(void **state)
{
    static const struct {
        const char *name, *path;
    } cases[] = {
        {"anna@example.test", "anna@example.test"},
        {"a~b@x", "a_x007E_b@x"},
        {"a#b@x", "a%23b@x"},
        {"a%b@x", "a%25b@x"},
        {"a+b@x", "a%2Bb@x"},
        {"a&b@x", "a%26b@x"},
        {"a*b@x", "a%2Ab@x"},
        {"a|b@x", "a%7Cb@x"},
        {"a/b@x", "a_xF8FF_b@x"},
        {"a\\b@x", "a_xF8FE_b@x"},
        {"a?b@x", "a_x003F_b@x"},
        {"a b@x", "a%20b@x"},
        {"\"a\"@x", "%22a%22@x"},
        {"o'neill@x", "o%27neill@x"},
        {"j\xc3\xbcrgen@x", "j%C3%BCrgen@x"},
        {"\xe4\xba\x88@x", "%E4%BA%88@x"},
        {"a_b_x@x", "a_b_x@x"},
        {"a_x0041_b@x", "a_x005F_x0041_b@x"},
        {"a;b=c,d:e$f!(g)@x", "a%3Bb%3Dc%2Cd%3Ae%24f%21%28g%29@x"},
        {"..", ".."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&out);
        assert_true(dav_url_add_store_segment(&out, cases[i].name));
        assert_string_equal(out.data, cases[i].path);
    }
    buf_reset(&out);
    assert_true(dav_url_add_segment(&out, "a/b~c?d@x"));
    assert_string_equal(out.data, "a%2Fb~c%3Fd@x");
}

static void paths_others_have_written(void **state)
{
    static const struct {
        const char *href, *path; /* NULL: no path */
    } cases[] = {
        {"https://mail.example.test/exchange/anna@example.test/Calendar", "/exchange/anna@example.test/Calendar/"},
        {"https://SERVER01/exchange/local/%23%23DavMail URI%23%23/", "/exchange/local/%23%23DavMail%20URI%23%23/"},
        {"http://x/Napt%C3%A1r/", "/Napt%C3%A1r/"},
        {"/Napt\xc3\xa1r", "/Napt%C3%A1r/"},
        {"/a+b", "/a%2Bb/"},
        {"/100%", "/100%25/"},
        {"/100%2", "/100%252/"},
        {"/{8D71}.EML", "/%7B8D71%7D.EML/"},
        {"https://host", NULL},
        {"", NULL},
        {"Calendar", NULL},
        {"/a\nb", NULL},
        {"javascript:alert(1)", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&out);
        assert_int_equal(dav_url_path_of(&out, cases[i].href, strlen(cases[i].href), true), cases[i].path != NULL);
        if (cases[i].path)
            assert_string_equal(out.data, cases[i].path);
    }
    buf_reset(&out);
    for (int i = 0; i < 1000; i++)
        buf_adds(&out, "/\xc3\xa1");
    {
        struct buf mended;

        buf_init(&mended, 100000);
        assert_false(dav_url_add_path(&mended, out.data, out.len));
        buf_free(&mended);
    }
}

static void taking_urls_apart(void **state)
{
    static const char *const bad[] = {
        "",
        "mail.example.test/x",
        "ftp://x/",
        "https://",
        "https:///x",
        "https://user:pw@host/",
        "https://host:0/",
        "https://host:65536/",
        "https://host:8x/",
        "https://ho st/",
        "https://[::1/",
        "https://[::1]x/",
        "https://host/#frag",
        "https://host/a\nb",
        "https://host:/",
    };
    struct dav_url u, v;

    (void)state;
    assert_true(dav_url_parse("HTTPS://Mail.Example.Test/exchange/?x=1", &u));
    assert_true(u.tls);
    assert_int_equal(u.port, 443);
    assert_string_equal(u.host, "mail.example.test");
    assert_string_equal(u.path, "/exchange/?x=1");
    assert_true(dav_url_parse("https://mail.example.test:443", &v));
    assert_true(dav_url_same_origin(&u, &v));
    assert_string_equal(v.path, "");
    assert_true(dav_url_parse("http://[::1]:8080/x", &v));
    assert_string_equal(v.host, "::1");
    assert_int_equal(v.port, 8080);
    assert_false(dav_url_same_origin(&u, &v));
    assert_true(dav_url_origin(&v, &out));
    assert_string_equal(out.data, "http://[::1]:8080");
    buf_reset(&out);
    assert_true(dav_url_origin(&u, &out));
    assert_string_equal(out.data, "https://mail.example.test");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(dav_url_parse(bad[i], &u));
}

static void what_is_this_machine(void **state)
{
    static const char *const yes[] = {"127.0.0.1", "127.255.3.4", "::1", "localhost"};
    static const char *const no[] = {"127.0.0.1.evil.test",
                                     "127.evil.test",
                                     "localhost.evil.test",
                                     "128.0.0.1",
                                     "1.127.0.0",
                                     "127.0.1",
                                     "::2",
                                     "127.0.0.256",
                                     ""};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(dav_url_is_loopback(yes[i]));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(dav_url_is_loopback(no[i]));
}

static void equal_whatever_the_spelling(void **state)
{
    (void)state;
    assert_true(dav_url_path_equal("/Napt%C3%A1r", "/Napt%c3%a1r/"));
    assert_true(dav_url_path_equal("/a%40b", "/a@b"));
    assert_true(dav_url_path_equal("/", "/"));
    assert_false(dav_url_path_equal("/a", "/ab"));
    assert_false(dav_url_path_equal("/a//", "/a/"));
    assert_false(dav_url_path_equal("/a", "/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mailbox_name_with_any_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_others_have_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(taking_urls_apart, set_up, tear_down),
        cmocka_unit_test(what_is_this_machine),
        cmocka_unit_test(equal_whatever_the_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
