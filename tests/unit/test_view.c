/*
 * view: each level and each shape by itself, in numbers that one can follow. That nothing is told beyond a grant,
 * whatever comes together, is test_view_random's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "presence/hours.h"
#include "presence/view.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z, a Friday */
#define MIN 60
#define HOUR 3600
#define DAY 86400

struct world {
    struct pres_set *set;
    struct pres_known known;
    struct pres_presence full;
    struct pres_presence seen;
};

/* Busy 11:53 to 12:07, away 14:10 to 15:00. */
static void begin(struct world *w, int64_t now)
{
    const struct pres_interval in[] = {{NOON - 7 * MIN, NOON + 7 * MIN, PRES_BUSY},
                                       {NOON + 130 * MIN, NOON + 180 * MIN, PRES_OOF}};
    *w = (struct world){.set = pres_set_build(in, 2, NOON - 36 * HOUR, NOON + 14 * DAY)};
    w->known = (struct pres_known){.set = w->set,
                                   .from = NOON - 36 * HOUR,
                                   .until = NOON + 14 * DAY,
                                   .as_of = NOON - 10 * HOUR,
                                   .stale_after = DAY,
                                   .reason = "receive-as-missing"};
    pres_state_at(&w->known, now, &w->full);
}

static bool look(struct world *w, struct pres_grant grant, int64_t now)
{
    if (!grant.expires)
        grant.expires = PRES_NEVER;
    return pres_view_presence(&grant, &w->known, &w->full, now, &w->seen);
}

static void end(struct world *w)
{
    free(w->set);
}

static void test_levels(void **state)
{
    (void)state;
    struct world w;
    begin(&w, NOON + 150 * MIN);
    assert_false(look(&w, (struct pres_grant){.level = PRES_SEE_NOTHING}, NOON + 150 * MIN));
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_AVAILABLE}, NOON + 150 * MIN));
    assert_int_equal(w.seen.state, PRES_BUSY);
    assert_int_equal(w.seen.since, 0);
    assert_true(w.seen.until == PRES_NEVER);
    assert_false(w.seen.next.some);
    assert_int_equal(w.seen.as_of, 0);
    assert_true(w.seen.valid_until == (NOON + 14 * HOUR) / 300 * 300);
    assert_null(w.seen.reason);
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_KINDS}, NOON + 150 * MIN));
    assert_int_equal(w.seen.state, PRES_OOF);
    assert_true(w.seen.until == PRES_NEVER);
    assert_true(look(&w, pres_grant_all, NOON + 150 * MIN));
    assert_true(w.seen.until == NOON + 180 * MIN);
    assert_string_equal(w.seen.reason, "receive-as-missing");
    end(&w);
}

/* What is behind a grid shows neither by the state nor by its times when a meeting truly begins. */
static void test_grid(void **state)
{
    (void)state;
    struct world w;
    struct pres_grant grant = {.level = PRES_SEE_TIMES, .grid_s = 30 * MIN};
    begin(&w, NOON - 25 * MIN);
    assert_int_equal(w.full.state, PRES_FREE);
    assert_true(look(&w, grant, NOON - 25 * MIN));
    assert_int_equal(w.seen.state, PRES_BUSY);
    assert_true(w.seen.since == NOON - 30 * MIN);
    assert_true(w.seen.until == NOON + 30 * MIN);
    assert_true(w.seen.next.some && w.seen.next.start == NOON + 120 * MIN && w.seen.next.end == NOON + 180 * MIN);
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_AVAILABLE, .grid_s = 30 * MIN}, NOON - 25 * MIN));
    assert_int_equal(w.seen.state, PRES_BUSY);
    end(&w);
}

static void test_merge(void **state)
{
    (void)state;
    struct world w;
    begin(&w, NOON);
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_TIMES, .merge = true}, NOON));
    assert_int_equal(w.seen.next.kind, PRES_BUSY);
    assert_true(w.seen.next.start == NOON + 130 * MIN);
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_KINDS, .merge = true}, NOON + 150 * MIN));
    assert_int_equal(w.seen.state, PRES_BUSY);
    end(&w);
}

static void test_no_until(void **state)
{
    (void)state;
    struct world w;
    struct pres_grant grant = {.level = PRES_SEE_TIMES, .no_until = true, .expires = PRES_NEVER};
    begin(&w, NOON);
    assert_true(look(&w, grant, NOON));
    assert_true(w.seen.until == PRES_NEVER && !w.seen.next.some && w.seen.since == NOON - 7 * MIN);
    assert_null(pres_view_known(&grant, &w.known, NOON));
    end(&w);
}

static void test_horizon(void **state)
{
    (void)state;
    struct world w;
    begin(&w, NOON + 10 * MIN);
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_TIMES, .horizon_s = 2 * HOUR}, NOON + 10 * MIN));
    assert_false(w.seen.next.some);
    assert_true(w.seen.until == PRES_NEVER);
    assert_true(look(&w, (struct pres_grant){.level = PRES_SEE_TIMES, .horizon_s = 2 * HOUR + 1}, NOON + 10 * MIN));
    assert_true(w.seen.next.some && w.seen.next.end == PRES_NEVER);
    /* rounded first: what begins at 14:10 comes in sight as what begins at 14:00 */
    struct pres_grant grid = {.level = PRES_SEE_TIMES, .horizon_s = 2 * HOUR, .grid_s = HOUR};
    assert_true(look(&w, grid, NOON + 1));
    assert_true(w.seen.next.some && w.seen.next.start == NOON + 2 * HOUR);
    end(&w);
}

static void test_working_hours(void **state)
{
    (void)state;
    char why[100];
    struct world w;
    struct pres_hours *hours = pres_hours_new(0x1f, 8 * HOUR, 14 * HOUR + 30 * MIN, NULL, why, sizeof why);
    struct pres_grant grant = {
        .level = PRES_SEE_TIMES, .working_only = true, .hours = hours, .expires = PRES_NEVER, .rule = 1};
    begin(&w, NOON + 20 * MIN);
    w.known.stale_after = 20 * DAY;
    assert_true(look(&w, grant, NOON + 20 * MIN));
    assert_int_equal(w.seen.state, PRES_FREE);
    assert_true(w.seen.until == NOON + 130 * MIN);
    assert_true(w.seen.next.some && w.seen.next.end == NOON + 150 * MIN);
    assert_true(look(&w, grant, NOON + 170 * MIN));
    assert_int_equal(w.seen.state, PRES_UNKNOWN);
    assert_string_equal(w.seen.reason, "outside-hours");
    assert_true(w.seen.since == 0 && w.seen.until == PRES_NEVER && !w.seen.next.some);

    struct pres_seen *seen = pres_view_known(&grant, &w.known, NOON);
    struct pres_presence p;
    pres_state_at(&seen->known, NOON + 9 * HOUR, &p); /* evening, and the weekend: never free */
    assert_int_equal(p.state, PRES_OOF);
    pres_state_at(&seen->known, NOON + 2 * DAY, &p);
    assert_int_equal(p.state, PRES_OOF);
    pres_state_at(&seen->known, NOON + 3 * DAY, &p);
    assert_int_equal(p.state, PRES_FREE);
    pres_seen_free(&seen);
    grant.hours = NULL; /* a line without hours tells nothing */
    assert_true(look(&w, grant, NOON));
    assert_int_equal(w.seen.state, PRES_UNKNOWN);
    pres_hours_free(&hours);
    end(&w);
}

static void test_unknown_stays_unknown(void **state)
{
    (void)state;
    struct world w;
    begin(&w, NOON + 2 * DAY);
    assert_int_equal(w.full.state, PRES_UNKNOWN);
    for (int level = PRES_SEE_AVAILABLE; level <= PRES_SEE_TIMES; level++) {
        assert_true(look(&w, (struct pres_grant){.level = (enum pres_level)level, .merge = true}, NOON + 2 * DAY));
        assert_int_equal(w.seen.state, PRES_UNKNOWN);
        assert_string_equal(w.seen.reason, "stale"); /* not which failure stands behind it */
    }
    end(&w);
}

static void test_an_ended_grant_tells_nothing(void **state)
{
    (void)state;
    struct world w;
    struct pres_grant grant = {.level = PRES_SEE_TIMES, .expires = NOON};
    begin(&w, NOON);
    assert_false(look(&w, grant, NOON));
    assert_null(pres_view_known(&grant, &w.known, NOON));
    assert_true(look(&w, grant, NOON - 1));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_no_until),
        cmocka_unit_test(test_horizon),
        cmocka_unit_test(test_working_hours),
        cmocka_unit_test(test_unknown_stays_unknown),
        cmocka_unit_test(test_an_ended_grant_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
