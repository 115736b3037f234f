/*
 * hours: days and midnights, the change to summer time, whole days that join, and what is no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utc.h"
#include "presence/hours.h"

#define FIVE_DAYS 0x1f
#define HOUR 3600

static struct pres_hours *made(unsigned days, const char *from, const char *to, const char *zone)
{
    char why[200] = "";
    struct pres_hours *h = pres_hours_new(days, pres_hours_time(from), pres_hours_time(to), zone, why, sizeof why);
    assert_non_null(h);
    return h;
}

static void check(const struct pres_hours *h, int64_t t, bool inside, int64_t start, int64_t end)
{
    int64_t s, e;
    assert_int_equal(pres_hours_at(h, t, &s, &e), inside);
    assert_int_equal(s, start);
    assert_int_equal(e, end);
}

static void test_week(void **state)
{
    (void)state;
    struct pres_hours *h = made(FIVE_DAYS, "08:00", "18:00", NULL);
    int64_t friday = utc_from_civil(2027, 1, 15, 0, 0, 0), monday = friday + 3 * 86400;
    check(h, friday + 8 * HOUR, true, friday + 8 * HOUR, friday + 18 * HOUR);
    check(h, friday + 18 * HOUR - 1, true, friday + 8 * HOUR, friday + 18 * HOUR);
    check(h, friday + 18 * HOUR, false, friday + 18 * HOUR, monday + 8 * HOUR);
    check(h, monday + 8 * HOUR - 1, false, friday + 18 * HOUR, monday + 8 * HOUR);
    check(h, friday, false, friday - 6 * HOUR, friday + 8 * HOUR);
    pres_hours_free(&h);
}

/* On 28 March 2027 the clocks of Berlin go from 2:00 to 3:00. */
static void test_summer_time(void **state)
{
    (void)state;
    struct pres_hours *h = made(0x7f, "08:00", "18:00", "Europe/Berlin");
    int64_t before = utc_from_civil(2027, 3, 27, 7, 0, 0), after = utc_from_civil(2027, 3, 28, 6, 0, 0);
    check(h, before, true, before, before + 10 * HOUR);
    check(h, after, true, after, after + 10 * HOUR);
    check(h, after - 1, false, before + 10 * HOUR, after);
    pres_hours_free(&h);
}

static void test_whole_days_join(void **state)
{
    (void)state;
    struct pres_hours *h = made(0x03, "00:00", "24:00", NULL);
    int64_t monday = utc_from_civil(2027, 1, 18, 0, 0, 0);
    check(h, monday + 5, true, monday, monday + 2 * 86400);
    check(h, monday + 86400, true, monday, monday + 2 * 86400);
    check(h, monday + 2 * 86400, false, monday + 2 * 86400, monday + 7 * 86400);
    pres_hours_free(&h);
}

static void test_what_is_none(void **state)
{
    (void)state;
    char why[200];
    assert_null(pres_hours_new(0, 0, 100, NULL, why, sizeof why));
    assert_null(pres_hours_new(1, 100, 100, NULL, why, sizeof why));
    assert_null(pres_hours_new(1, 0, 86401, NULL, why, sizeof why));
    assert_null(pres_hours_new(1, 0, 100, "../etc/passwd", why, sizeof why));
    static const char *const bad[] = {"", "8:00", "08:60", "24:01", "0800", "08:0x", "-1:00", "08:000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pres_hours_time(bad[i]), -1);
    assert_int_equal(pres_hours_time("24:00"), 86400);
    assert_int_equal(pres_hours_day("sun"), 6);
    assert_int_equal(pres_hours_day("Sun"), -1);
}

static void test_same(void **state)
{
    (void)state;
    struct pres_hours *a = made(1, "08:00", "18:00", NULL), *b = made(1, "08:00", "18:00", "UTC");
    struct pres_hours *c = made(1, "08:00", "18:00", "Europe/Berlin"), *d = made(1, "08:00", "18:01", NULL);
    assert_true(pres_hours_same(a, b));
    assert_false(pres_hours_same(a, c));
    assert_false(pres_hours_same(a, d));
    assert_false(pres_hours_same(a, NULL));
    pres_hours_free(&a);
    pres_hours_free(&b);
    pres_hours_free(&c);
    pres_hours_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_week),         cmocka_unit_test(test_summer_time), cmocka_unit_test(test_whole_days_join),
        cmocka_unit_test(test_what_is_none), cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
