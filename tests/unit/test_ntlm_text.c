/* ntlm_text: UTF-8 to UTF-16LE at its limits, upper-casing as Windows does it, names taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ntlm_kit.h"

static void utf16(void **state)
{
    struct dav_ntlm_text text;

    (void)state;
    assert_true(dav_ntlm_text_set(&text, "aé€😀", 1 + 2 + 3 + 4, 5));
    assert_true(kit_is(text.bytes, text.len, "6100e900ac203dd800de"));
    assert_false(dav_ntlm_text_set(&text, "aé€😀", 10, 4)); /* the last one is two units */
    assert_true(dav_ntlm_text_set(&text, "", 0, 0));
    assert_int_equal(text.len, 0);
}

static void only_utf8(void **state)
{
    static const char *const bad[] = {"\xE9", "a\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"};
    struct dav_ntlm_text text;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(dav_ntlm_text_set(&text, bad[i], strlen(bad[i]), 10));
    assert_false(dav_ntlm_text_set(&text, "a\0b", 3, 10));
}

static void as_long_as_may_be(void **state)
{
    char name[DAV_NTLM_TEXT_UNITS + 1];
    struct dav_ntlm_text text;

    (void)state;
    memset(name, 'x', sizeof(name));
    assert_true(dav_ntlm_text_set(&text, name, DAV_NTLM_TEXT_UNITS, DAV_NTLM_TEXT_UNITS));
    assert_int_equal(text.len, sizeof(text.bytes));
    assert_false(dav_ntlm_text_set(&text, name, DAV_NTLM_TEXT_UNITS + 1, DAV_NTLM_TEXT_UNITS));
}

static void upper_is(const char *text, const char *expected)
{
    struct dav_ntlm_text upper, plain;

    assert_true(dav_ntlm_text_set(&upper, text, strlen(text), DAV_NTLM_NAME_UNITS));
    assert_true(dav_ntlm_text_set(&plain, expected, strlen(expected), DAV_NTLM_NAME_UNITS));
    assert_true(dav_ntlm_text_upper(&upper));
    assert_int_equal(upper.len, plain.len);
    assert_memory_equal(upper.bytes, plain.bytes, plain.len);
}

static void upper_case(void **state)
{
    (void)state;
    upper_is("svc-7{`@", "SVC-7{`@");
    upper_is("jörg Zoë ÿ", "JÖRG ZOË Ÿ");
    upper_is("Иван Ωμέγας", "ИВАН ΩΜΈΓΑΣ");
    upper_is("Straße", "STRAßE"); /* one unit stays one unit */
    upper_is("ıſµ", "ıſµ");       /* no capitals in Windows' table */
    upper_is("გიორგი", "გიორგი");
    upper_is("𐐨😀", "𐐨😀"); /* outside the first plane nothing changes */
}

static void split_is(const char *user, const char *domain, const char *expected_domain, const char *expected_user)
{
    struct dav_ntlm_settings settings = {.user = user, .domain = domain};
    struct dav_ntlm_name name;

    dav_ntlm_name_split(&settings, &name);
    assert_int_equal(name.domain_len, strlen(expected_domain));
    assert_memory_equal(name.domain, expected_domain, name.domain_len);
    assert_int_equal(name.user_len, strlen(expected_user));
    assert_memory_equal(name.user, expected_user, name.user_len);
}

static void names(void **state)
{
    (void)state;
    split_is("CORP\\svc", NULL, "CORP", "svc");
    split_is("CORP\\svc", "OTHER", "CORP", "svc");
    split_is("CORP\\a\\b", NULL, "CORP", "a\\b");
    split_is("CORP\\svc@x", NULL, "CORP", "svc@x");
    split_is("svc@corp.example", NULL, "", "svc@corp.example");
    split_is("svc@corp.example", "CORP", "", "svc@corp.example");
    split_is("svc", "CORP", "CORP", "svc");
    split_is("svc", NULL, "", "svc");
    split_is("CORP/svc", NULL, "", "CORP/svc");
    split_is("\\svc", "CORP", "", "svc");
    split_is("CORP\\", NULL, "CORP", "");
    split_is(NULL, NULL, "", "");
}

static void utf8_is(const char *hex, const char *expected)
{
    struct bytes utf16 = kit_unhex(hex);
    uint8_t *exact = malloc(utf16.len); /* a byte too far is noticed */
    struct buf out;

    assert_non_null(exact);
    memcpy(exact, utf16.data, utf16.len);
    buf_init(&out, 64);
    assert_true(dav_ntlm_utf16_to_utf8(exact, utf16.len, &out));
    assert_string_equal(out.data, expected);
    free(exact);
    buf_free(&out);
}

static void back_to_utf8(void **state)
{
    struct buf small;

    (void)state;
    utf8_is("6100e900ac203dd800de", "aé€😀");
    utf8_is("3dd8", "\xEF\xBF\xBD"); /* half a pair at the end */
    utf8_is("3dd86100", "\xEF\xBF\xBD"
                        "a");                        /* and in the middle */
    utf8_is("00de3dd8", "\xEF\xBF\xBD\xEF\xBF\xBD"); /* in the wrong order */
    utf8_is("00006100", "\xEF\xBF\xBD"
                        "a"); /* no NUL gets into a text */
    utf8_is("610062", "a");   /* half a unit */
    buf_init(&small, 2);
    assert_false(dav_ntlm_utf16_to_utf8((const uint8_t *)"\xac\x20", 2, &small));
    buf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf16),      cmocka_unit_test(only_utf8), cmocka_unit_test(as_long_as_may_be),
        cmocka_unit_test(upper_case), cmocka_unit_test(names),     cmocka_unit_test(back_to_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
