/* Dates and lengths as libical reads them: what is read by hand must be what it says, for values as they should be and
 * for values that something happened to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utc.h"
#include "ical_parts.h"

enum { ROUNDS = 200000 };

/* One of its characters is another one, or is gone, or is there twice. */
static void hurt(char *text, unsigned *seed)
{
    static const char letters[] = "0123456789TZPDHMSW+- ";
    size_t len = strlen(text), at = (unsigned)rand_r(seed) % (len + 1);
    char letter = letters[(unsigned)rand_r(seed) % (sizeof letters - 1)];
    switch ((unsigned)rand_r(seed) % 3) {
    case 0:
        if (at < len)
            text[at] = letter;
        break;
    case 1:
        if (at < len)
            memmove(text + at, text + at + 1, len - at);
        break;
    default:
        memmove(text + at + 1, text + at, len - at + 1);
        text[at] = letter;
    }
}

/* What libical says, where it may be believed (see ical_value.c). */
static bool slow_when(const char *text, struct icaltimetype *t)
{
    size_t len = strlen(text);
    if (len == 0 || strspn(text, "0123456789TZ") != len)
        return false;
    *t = icaltime_from_string(text);
    if (t->month < 1 || t->month > 12 || t->day < 1 || t->day > icaltime_days_in_month(t->month, t->year) ||
        t->year < 0 || t->year > 9999)
        return false;
    return t->is_date || (t->hour >= 0 && t->hour <= 23 && t->minute >= 0 && t->minute <= 59 && t->second >= 0 &&
                          t->second <= 60);
}

static void test_moments(void **state)
{
    unsigned seed = 5, good = 0;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[64];
        struct icaltimetype t;
        struct dav_when when;
        unsigned form = (unsigned)rand_r(&seed) % 3;
        snprintf(text, sizeof text, form == 0 ? "%04u%02u%02u" : "%04u%02u%02uT", (unsigned)rand_r(&seed) % 10000,
                 (unsigned)rand_r(&seed) % 14, (unsigned)rand_r(&seed) % 33);
        if (form > 0)
            snprintf(text + strlen(text), 20, "%02u%02u%02u%s", (unsigned)rand_r(&seed) % 25,
                     (unsigned)rand_r(&seed) % 61, (unsigned)rand_r(&seed) % 62, form == 1 ? "" : "Z");
        for (unsigned k = (unsigned)rand_r(&seed) % 3; k > 0; k--)
            hurt(text, &seed);
        bool right = slow_when(text, &t), read = dav_value_when(text, strlen(text), &when);
        if (read != right)
            fail_msg("%s: %d, libical %d", text, read, right);
        if (!right)
            continue;
        good++;
        if (when.local != utc_from_civil(t.year, t.month, t.day, t.hour, t.minute, t.second > 59 ? 59 : t.second))
            fail_msg("%s: %lld", text, (long long)when.local);
        assert_int_equal(when.form == DAV_WHEN_DATE, t.is_date);
        assert_int_equal(when.form == DAV_WHEN_UTC, !t.is_date && text[strlen(text) - 1] == 'Z');
    }
    assert_in_range(good, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

static void test_lengths(void **state)
{
    static const char *const forms[] = {"PT%uM", "PT%uH%uM", "P%uDT%uH", "P%uD", "P%uW", "PT%uH%uM%uS", "-PT%uM",
                                        "P%uDT%uM",
                                        "PT%uS%uM", "P%uDT", "PT", "P%uH", "+P%uD", "PT%uH%uH", "P%uDT%uH%uM%uS"};
    unsigned seed = 6, good = 0;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[80];
        struct dav_length length;
        const char *form = forms[(unsigned)rand_r(&seed) % 15];
        text[0] = '\0';
        for (const char *p = form; *p; p++) {
            size_t len = strlen(text);
            if (*p == '%')
                snprintf(text + len, 20, "%u", (unsigned)rand_r(&seed) % (rand_r(&seed) % 9 ? 100 : 3000000)), p++;
            else
                text[len] = *p, text[len + 1] = '\0';
        }
        if (rand_r(&seed) % 2)
            hurt(text, &seed);
        unsigned digits = 0, longest = 0;
        for (const char *p = text; *p; p++) {
            digits = *p >= '0' && *p <= '9' ? digits + 1 : 0;
            longest = digits > longest ? digits : longest;
        }
        struct icaldurationtype d = icaldurationtype_from_string(text);
        bool right = longest > 0 && longest <= 7 && !icaldurationtype_is_bad_duration(d);
        bool read = dav_value_length(text, strlen(text), &length);
        if (read != right)
            fail_msg("%s: %d, libical %d", text, read, right);
        if (!right)
            continue;
        good++;
        int64_t sign = d.is_neg ? -1 : 1;
        if (length.days != sign * ((int64_t)d.weeks * 7 + d.days) ||
            length.seconds != sign * ((int64_t)d.hours * 3600 + (int64_t)d.minutes * 60 + d.seconds))
            fail_msg("%s: %lld days %lld s", text, (long long)length.days, (long long)length.seconds);
    }
    assert_in_range(good, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moments), cmocka_unit_test(test_lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
