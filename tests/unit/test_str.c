/* str: hostile text made harmless, percent coding there and back, numbers at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"

static void case_is_ascii_only(void **state)
{
    char text[] = "ÄbC@X[`{";

    (void)state;
    assert_true(str_eq_nocase("Content-TYPE", "content-type"));
    assert_false(str_eq_nocase("abc", "abcd"));
    assert_false(str_eq_nocase("abcd", "abc"));
    assert_false(str_eq_nocase("@", "`")); /* 0x40 and 0x60: 32 apart, no letters */
    assert_false(str_eq_nocase("Ä", "ä"));
    assert_string_equal(str_lower(text), "Äbc@x[`{");
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts("http://x", "http://"));
    assert_false(str_starts("htt", "http"));
    assert_false(str_starts("HTTP", "http"));
    assert_true(str_starts_nocase("HTTP/1.1", "http/"));
    assert_false(str_starts_nocase("HT", "http"));
    assert_true(str_starts("x", ""));
    assert_true(str_ends("a.eml", ".eml"));
    assert_false(str_ends("eml", ".eml"));
    assert_true(str_ends("x", ""));
}

static void find_stays_within_length(void **state)
{
    const char *hay = "<html><BODY>";

    (void)state;
    assert_ptr_equal(str_find_nocase(hay, 12, "<body"), hay + 6);
    assert_null(str_find_nocase(hay, 10, "<body"));
    assert_ptr_equal(str_find_nocase(hay, 11, "<body"), hay + 6);
    assert_ptr_equal(str_find_nocase("aaab", 4, "aab") != NULL ? hay : NULL, hay);
    assert_null(str_find_nocase(hay, 3, "<html"));
    assert_ptr_equal(str_find_nocase(hay, 0, ""), hay);
    assert_non_null(str_find_nocase("a\0B", 3, "b"));
}

static void trims_both_ends(void **state)
{
    const char *text = " \t\r\n a b \n";
    size_t len = strlen(text);

    (void)state;
    assert_memory_equal(str_trim(text, &len), "a b", 3);
    assert_int_equal(len, 3);
    len = 4;
    str_trim(text, &len);
    assert_int_equal(len, 0);
}

static void numbers_are_whole(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0x10",
                                      "1.0",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999",
                                      "1e3"};
    int64_t v = 42;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_to_int(bad[i], INT64_MIN, INT64_MAX, &v))
            fail_msg("\"%s\" was taken for a number", bad[i]);
    assert_false(str_to_int("0", 1, 10, &v));
    assert_false(str_to_int("11", 1, 10, &v));
    assert_int_equal(v, 42);
    assert_true(str_to_int("10", 1, 10, &v) && v == 10);
    assert_true(str_to_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
    assert_true(str_to_int("9223372036854775807", INT64_MIN, INT64_MAX, &v) && v == INT64_MAX);
    assert_true(str_to_int("007", 0, 10, &v) && v == 7);
}

static void utf8_is_strict(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xC3",
                                      "\xC0\xAF",
                                      "\xC1\xBF",
                                      "\xE0\x80\xAF",
                                      "\xED\xA0\x80",
                                      "\xF0\x80\x80\xAF",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80",
                                      "\xFF",
                                      "a\xE2\x82",
                                      "\xE2\x82(",
                                      "\xC3("};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_is_utf8(bad[i], strlen(bad[i])))
            fail_msg("malformed UTF-8 number %zu passed", i);
    assert_false(str_is_utf8("a\0b", 3));
    assert_true(str_is_utf8("", 0));
    assert_true(str_is_utf8("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 19));
}

static void show(const char *text, size_t len, const char *wanted)
{
    char out[200];

    assert_string_equal(str_printable(text, len, out, sizeof(out)), wanted);
}

static void printable_escapes(void **state)
{
    (void)state;
    show("plain text, Zoë Müller 会議", strlen("plain text, Zoë Müller 会議"), "plain text, Zoë Müller 会議");
    show("a\r\nb\tc\0d", 8, "a\\x0d\\x0ab\\x09c\\x00d");
    show("\"it's\" \\x0a", 11, "\\x22it's\\x22 \\x5cx0a");
    show("EXAMPLE\\svc", 11, "EXAMPLE\\svc");
    show("\x1B[2J\x7F", 5, "\\x1b[2J\\x7f");
    show("\xC2\x9B"
         "31m",
         5, "\\xc2\\x9b31m");                                  /* C1: another CSI */
    show("\xE2\x80\xAEgpj.exe", 10, "\\xe2\\x80\\xaegpj.exe"); /* right-to-left override */
    show("\xE2\x81\xA6\xE2\x80\xA8\xEF\xBB\xBF", 9, "\\xe2\\x81\\xa6\\xe2\\x80\\xa8\\xef\\xbb\\xbf");
    show("\xF3\xA0\x81\x81", 4, "\\xf3\\xa0\\x81\\x81"); /* a tag character: invisible */
    show("ok\xC3", 3, "ok\\xc3");
    show("\xC3(\xA0\xE2\x82", 5, "\\xc3(\\xa0\\xe2\\x82");
}

/* At each size: never longer, always ended, a prefix of whole characters and escapes, then dots if it was cut. */
static void printable_cuts_whole(void **state)
{
    const char *text = "aé会\n😀\xFFz";
    char full[200], out[200];
    size_t size, n;

    (void)state;
    str_printable(text, strlen(text), full, sizeof(full));
    assert_string_equal(full, "aé会\\x0a😀\\xffz");
    for (size = 1; size <= strlen(full) + 1; size++) {
        memset(out, '#', sizeof(out));
        assert_ptr_equal(str_printable(text, strlen(text), out, size), out);
        n = strnlen(out, sizeof(out));
        assert_true(n < size);
        assert_int_equal(out[size], '#');
        if (size > strlen(full)) {
            assert_string_equal(out, full);
            continue;
        }
        if (size >= 4) {
            assert_string_equal(out + n - 3, "...");
            out[n - 3] = '\0';
            assert_memory_equal(out, full, n - 3);
            assert_true(str_is_utf8(out, n - 3));
            assert_true(n - 3 <= 6 || n - 3 >= 10); /* not inside \x0a */
        }
    }
    out[0] = '#';
    str_printable("abc", 3, out, 0);
    assert_int_equal(out[0], '#');
}

/* The characters that mailbox addresses of real companies put into URLs. */
static void percent_there_and_back(void **state)
{
    const char *text = "a.b-c_d~e #%+&|*/@'\"?=<>\xC3\xA9";
    struct buf out, back;

    (void)state;
    buf_init(&out, 1000);
    buf_init(&back, 1000);
    assert_true(str_percent_encode(&out, text, strlen(text), ""));
    assert_string_equal(out.data, "a.b-c_d~e%20%23%25%2B%26%7C%2A%2F%40%27%22%3F%3D%3C%3E%C3%A9");
    assert_true(str_percent_decode(&back, out.data, out.len));
    assert_string_equal(back.data, text);
    buf_reset(&out);
    assert_true(str_percent_encode(&out, "a@b/c\0", 6, "@/"));
    assert_string_equal(out.data, "a@b/c%00");
    buf_free(&out);
    buf_free(&back);
}

static void percent_decoding_refuses(void **state)
{
    static const char *const bad[] = {"%",    "%4",  "a%4",   "%zz",  "%4g", "%g4",
                                      "%%41", "%00", "a%00b", "% 41", "%-1", "%+4"};
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, 100);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_percent_decode(&out, bad[i], strlen(bad[i])))
            fail_msg("\"%s\" was decoded", bad[i]);
    assert_false(str_percent_decode(&out, "a\0b", 3));
    assert_false(str_percent_decode(&out, "%41", 2)); /* the 1 is not ours */
    buf_reset(&out);
    assert_true(str_percent_decode(&out, "%41+%2b%2B", 10));
    assert_string_equal(out.data, "A+++");
    buf_free(&out);
}

static void percent_coding_has_a_ceiling(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 5);
    assert_false(str_percent_encode(&out, "a  ", 3, ""));
    assert_string_equal(out.data, "a%20");
    buf_reset(&out);
    assert_false(str_percent_decode(&out, "123456", 6));
    buf_free(&out);
}

static void splits_at_the_first(void **state)
{
    const char *text = "user@host@more";
    size_t len;

    (void)state;
    assert_string_equal(str_split(text, '@', &len), "host@more");
    assert_int_equal(len, 4);
    assert_null(str_split(text, ':', &len));
    assert_int_equal(len, strlen(text));
    assert_string_equal(str_split("@", '@', &len), "");
    assert_int_equal(len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_ascii_only),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(find_stays_within_length),
        cmocka_unit_test(trims_both_ends),
        cmocka_unit_test(numbers_are_whole),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(printable_escapes),
        cmocka_unit_test(printable_cuts_whole),
        cmocka_unit_test(percent_there_and_back),
        cmocka_unit_test(percent_decoding_refuses),
        cmocka_unit_test(percent_coding_has_a_ceiling),
        cmocka_unit_test(splits_at_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
