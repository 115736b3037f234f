/*
 * pace: a budget is kept to the request, whatever the pattern of asking; pauses grow, stay below their ceiling and
 * differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pace.h"

/* Goes whenever it may, for `seconds`; returns how often. */
static unsigned run(double rate, int seconds, unsigned *ret_burst)
{
    struct dav_pace p;
    int64_t now = 5000, end = now + seconds * 1000;
    unsigned gone = 0, at_once = 0;

    dav_pace_init(&p, rate, now);
    *ret_burst = 0;
    while (now < end) {
        int64_t wait = dav_pace_wait_ms(&p, now);

        if (wait == 0) {
            dav_pace_take(&p, now);
            gone++;
            at_once++;
        } else {
            assert_true(wait > 0);
            if (at_once > *ret_burst)
                *ret_burst = at_once;
            at_once = 0;
            now += wait;
        }
    }
    return gone;
}

static void budgets_are_kept(void **state)
{
    unsigned burst, gone;

    (void)state;
    gone = run(50, 100, &burst);
    assert_in_range(gone, 4900, 5006);
    assert_in_range(burst, 1, 6);
    gone = run(0.5, 100, &burst);
    assert_in_range(gone, 49, 51);
    assert_int_equal(burst, 1);
    gone = run(20000, 2, &burst);
    assert_in_range(gone, 38000, 42010);
}

static void silence_is_not_saved_up(void **state)
{
    struct dav_pace p;

    (void)state;
    dav_pace_init(&p, 50, 0);
    assert_int_equal(dav_pace_room(&p, 3600000), 5);
    for (int i = 0; i < 5; i++)
        dav_pace_take(&p, 3600000);
    assert_int_equal(dav_pace_room(&p, 3600000), 0);
    assert_in_range(dav_pace_wait_ms(&p, 3600000), 1, 21);
    dav_pace_take(&p, 3600000); /* could not wait: paid for afterwards */
    assert_in_range(dav_pace_wait_ms(&p, 3600000), 21, 41);
}

static void pauses(void **state)
{
    (void)state;
    for (uint64_t dice = 0; dice < 1000; dice += 7) {
        assert_in_range(dav_pace_backoff_ms(0, 1000, 60000, dice), 750, 1250);
        assert_in_range(dav_pace_backoff_ms(3, 1000, 60000, dice), 6000, 10000);
        assert_in_range(dav_pace_backoff_ms(4000000000U, 1000, 60000, dice), 45000, 75000);
    }
    assert_true(dav_pace_backoff_ms(3, 1000, 60000, 5) != dav_pace_backoff_ms(3, 1000, 60000, 500));
}

static void retry_after(void **state)
{
    int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

    (void)state;
    assert_int_equal(dav_pace_retry_after_s("120", now), 120);
    assert_int_equal(dav_pace_retry_after_s("Sun, 06 Nov 1994 08:50:37 GMT", now), 60);
    assert_int_equal(dav_pace_retry_after_s("Sun, 06 Nov 1994 08:40:37 GMT", now), 0);
    assert_int_equal(dav_pace_retry_after_s("Sun, 06 Nov 9994 08:40:37 GMT", now), 366 * 86400);
    assert_int_equal(dav_pace_retry_after_s(NULL, now), 0);
    assert_int_equal(dav_pace_retry_after_s("-5", now), 0);
    assert_int_equal(dav_pace_retry_after_s("soon", now), 0);
    assert_int_equal(dav_pace_retry_after_s("Sun, 06 ovD 1994 08:50:37 GMT", now), 0);
    assert_int_equal(dav_pace_retry_after_s("99999999999999999999", now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(silence_is_not_saved_up),
        cmocka_unit_test(pauses),
        cmocka_unit_test(retry_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
