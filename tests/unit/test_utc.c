/* utc: known moments, every day of four centuries against a plain count, and a table of what is not a date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utc.h"

typedef bool parse_fn(const char *text, size_t len, int64_t *ret);

static void expect(parse_fn *parse, const char *text, int64_t wanted)
{
    int64_t t = 42;

    if (!parse(text, strlen(text), &t) || t != wanted)
        fail_msg("\"%s\" reads as %lld, not %lld", text, (long long)t, (long long)wanted);
}

static void refuse(parse_fn *parse, const char *text)
{
    int64_t t = 42;

    if (parse(text, strlen(text), &t) || t != 42)
        fail_msg("\"%s\" reads as %lld", text, (long long)t);
}

static void known_moments(void **state)
{
    char out[UTC_TEXT_MAX];

    (void)state;
    assert_string_equal(utc_rfc3339(0, out), "1970-01-01T00:00:00Z");
    assert_string_equal(utc_rfc3339(1795338000, out), "2026-11-22T09:00:00Z");
    assert_string_equal(utc_basic(1795338000, out), "20261122T090000Z");
    assert_string_equal(utc_slashed(1795338000, out), "2026/11/22 09:00:00");
    assert_string_equal(utc_rfc3339(-1, out), "1969-12-31T23:59:59Z");
    assert_string_equal(utc_rfc3339(951827696, out), "2000-02-29T12:34:56Z");
    assert_int_equal(utc_from_civil(2000, 2, 29, 12, 34, 56), 951827696);
}

static void formatters_clamp(void **state)
{
    char out[UTC_TEXT_MAX];

    (void)state;
    assert_string_equal(utc_rfc3339(INT64_MIN, out), "0001-01-01T00:00:00Z");
    assert_string_equal(utc_basic(INT64_MAX, out), "99991231T235959Z");
    assert_string_equal(utc_slashed(253402300800, out), "9999/12/31 23:59:59");
}

/* The oracle only knows how long months are. */
static void each_day_follows_the_last(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = utc_days(1899, 12, 31);
    char out[UTC_TEXT_MAX], wanted[UTC_TEXT_MAX];
    int y, m, d, length;

    (void)state;
    for (y = 1900; y < 2301; y++)
        for (m = 1; m <= 12; m++) {
            length = lengths[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
            for (d = 1; d <= length; d++) {
                assert_int_equal(utc_days(y, m, d), ++day);
                snprintf(wanted, sizeof(wanted), "%04d-%02d-%02dT23:59:59Z", y, m, d);
                assert_string_equal(utc_rfc3339(day * 86400 + 86399, out), wanted);
                expect(utc_parse_rfc3339, wanted, day * 86400 + 86399);
            }
        }
    assert_int_equal(utc_days(1, 1, 1), -719162);
    assert_int_equal(utc_days(-400, 3, 1), utc_days(0, 3, 1) - 146097);
}

static void rfc3339_spellings(void **state)
{
    (void)state;
    expect(utc_parse_rfc3339, "2008-03-03T09:00:00.000Z", 1204534800);
    expect(utc_parse_rfc3339, "2008-03-03T09:00:00.999999999Z", 1204534800);
    expect(utc_parse_rfc3339, "2008-03-03 09:00:00Z", 1204534800);
    expect(utc_parse_rfc3339, "2008-03-03T10:30:00+01:30", 1204534800);
    expect(utc_parse_rfc3339, "2008-03-02T23:00:00.5-10:00", 1204534800);
    expect(utc_parse_rfc3339, "2008-03-03T09:00:00-00:00", 1204534800);
    expect(utc_parse_rfc3339, "2016-12-31T23:59:60Z", 1483228799);
    expect(utc_parse_rfc3339, "2000-02-29T00:00:00Z", 951782400);
    expect(utc_parse_rfc3339, "0001-01-01T00:00:00Z", -62135596800);
    expect(utc_parse_rfc3339, "9999-12-31T23:59:59Z", 253402300799);
}

static void not_rfc3339(void **state)
{
    static const char *const texts[] = {
        "",
        "Z",
        "2008-03-03",
        "2008-03-03T09:00:00",
        "2008-03-03T09:00Z",
        "2008-03-03T09:00:00.Z",
        "2008-03-03T09:00:00.1234567890Z",
        "2008-03-03T09:00:00.12x4Z",
        "2008-03-03T09:00:00Z ",
        " 2008-03-03T09:00:00Z",
        "2008-03-03T09:00:00ZZ",
        "2008-03-03t09:00:00Z",
        "2008-03-03T09:00:00z",
        "2008-13-03T09:00:00Z",
        "2008-00-03T09:00:00Z",
        "2008-06-31T09:00:00Z",
        "2008-06-00T09:00:00Z",
        "2007-02-29T09:00:00Z",
        "1900-02-29T09:00:00Z",
        "0000-06-01T09:00:00Z",
        "2008-03-03T24:00:00Z",
        "2008-03-03T09:60:00Z",
        "2008-03-03T09:00:61Z",
        "2008-03-03T09:00:00+24:00",
        "2008-03-03T09:00:00+01:60",
        "2008-03-03T09:00:00+0100",
        "2008-03-03T09:00:00+1:00",
        "2008-03-03T09:00:00+01:00Z",
        "2008-3-3T09:00:00Z",
        "-008-03-03T09:00:00Z",
        "2008-03-03T+9:00:00Z",
        "12008-03-03T09:00:00Z",
        "2008/03/03 09:00:00Z",
        "20080303T090000Z",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        refuse(utc_parse_rfc3339, texts[i]);
}

/* Any prefix of a date is none, and nothing behind `len` is looked at. */
static void length_is_obeyed(void **state)
{
    const char *text = "2008-03-03T09:00:00.000Z";
    int64_t t = 42;
    size_t n;

    (void)state;
    for (n = 0; n < strlen(text); n++)
        assert_false(utc_parse_rfc3339(text, n, &t));
    assert_int_equal(t, 42);
    assert_true(utc_parse_basic("20261122T090000Z0", 16, &t));
    assert_false(utc_parse_rfc3339("2008-03-03T09:00:00Z\0", 21, &t));
}

static void basic_only(void **state)
{
    (void)state;
    expect(utc_parse_basic, "20261122T090000Z", 1795338000);
    expect(utc_parse_basic, "20161231T235960Z", 1483228799);
    refuse(utc_parse_basic, "20261122T090000");
    refuse(utc_parse_basic, "20261122");
    refuse(utc_parse_basic, "20261131T090000Z");
    refuse(utc_parse_basic, "20261322T090000Z");
    refuse(utc_parse_basic, "20261122T240000Z");
    refuse(utc_parse_basic, "20261122 090000Z");
    refuse(utc_parse_basic, "20261122T090000Z ");
    refuse(utc_parse_basic, "2026-11-22T09:00:00Z");
}

static void any_of_three(void **state)
{
    (void)state;
    expect(utc_parse_any, "20261122T090000Z", 1795338000);
    expect(utc_parse_any, "2026-11-22T09:00:00Z", 1795338000);
    expect(utc_parse_any, "1795338000", 1795338000);
    expect(utc_parse_any, "0", 0);
    expect(utc_parse_any, "-1", -1);
    expect(utc_parse_any, "253402300799", 253402300799);
    refuse(utc_parse_any, "253402300800");
    refuse(utc_parse_any, "9999999999999999999999");
    refuse(utc_parse_any, "-");
    refuse(utc_parse_any, "");
    refuse(utc_parse_any, "+1");
    refuse(utc_parse_any, "1e9");
    refuse(utc_parse_any, "tomorrow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_moments),
        cmocka_unit_test(formatters_clamp),
        cmocka_unit_test(each_day_follows_the_last),
        cmocka_unit_test(rfc3339_spellings),
        cmocka_unit_test(not_rfc3339),
        cmocka_unit_test(length_is_obeyed),
        cmocka_unit_test(basic_only),
        cmocka_unit_test(any_of_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
