/*
 * pub_zone against what the C library says of the same zones, at every hour of days around changes and far ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "pub_zone.h"

static void test_as_libc(void **state)
{
    static const char *const zones[] = {"Europe/Berlin",     "America/New_York", "Australia/Sydney", "Asia/Kolkata",
                                        "America/Sao_Paulo", "Asia/Tokyo",       "Europe/Lisbon",    "Pacific/Auckland",
                                        "America/St_Johns",  "Asia/Kathmandu"};
    unsigned compared = 0;
    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct pres_zone *z = pres_zone_new(zones[i]);
        if (!z && i == 0)
            skip(); /* a machine without zone files */
        assert_non_null(z);
        setenv("TZ", zones[i], 1);
        tzset();
        for (int64_t t = 1700000000; t < 2800000000; t += 3600 * 7) {
            time_t when = (time_t)t;
            struct tm tm;
            const char *name;
            localtime_r(&when, &tm);
            assert_int_equal(pres_zone_offset(z, t, &name), tm.tm_gmtoff);
            assert_string_equal(name, tm.tm_zone);
            compared++;
        }
        pres_zone_free(&z);
    }
    assert_true(compared > 100000);
}

static void test_none(void **state)
{
    const char *name;
    (void)state;
    assert_null(pres_zone_new("Nowhere/Atall"));
    assert_null(pres_zone_new("../../etc/passwd"));
    assert_null(pres_zone_new("/etc/passwd"));
    assert_int_equal(pres_zone_offset(NULL, 0, &name), 0);
    assert_string_equal(name, "UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_libc), cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
