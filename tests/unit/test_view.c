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

/* What is looked at is a part of the calendar; what comes out is what the whole set says, as it is told by
 * pres_view_known. Crowded and empty calendars, at moments all over them. */
static void test_as_the_whole_set_says(void **state)
{
    enum { ROUNDS = 4000, MOST = 90 };
    unsigned seed = 11, busy = 0;
    char why[200];
    struct pres_hours *hours = pres_hours_new(0x1f, 8 * HOUR, 17 * HOUR, NULL, why, sizeof why);
    (void)state;
    assert_non_null(hours);
    for (unsigned i = 0; i < ROUNDS; i++) {
        static const int64_t grids[] = {0, 60, 900, 3600, 7200, DAY};
        struct pres_interval in[MOST];
        struct world w;
        unsigned n = (unsigned)rand_r(&seed) % MOST, space = 1 + (unsigned)rand_r(&seed) % 600;
        int64_t at = NOON - 36 * HOUR - DAY;
        for (unsigned k = 0; k < n; k++) {
            at += (int64_t)((unsigned)rand_r(&seed) % space) * MIN;
            in[k].start = at;
            at += (int64_t)(1 + (unsigned)rand_r(&seed) % 180) * MIN;
            in[k].end = at;
            in[k].kind = (enum pres_kind)(PRES_TENTATIVE + (unsigned)rand_r(&seed) % 3);
        }
        begin(&w, NOON);
        free(w.set);
        w.known.set = w.set = pres_set_build(in, n, w.known.from, w.known.until);
        int64_t now = w.known.from + (int64_t)((unsigned)rand_r(&seed) % (15 * 24 * 60)) * MIN;
        w.known.as_of = now;
        pres_state_at(&w.known, now, &w.full);
        struct pres_grant grant = {.level = PRES_SEE_TIMES,
                                   .merge = rand_r(&seed) % 2,
                                   .working_only = rand_r(&seed) % 3 == 0,
                                   .hours = hours,
                                   .grid_s = grids[(unsigned)rand_r(&seed) % 6],
                                   .horizon_s = rand_r(&seed) % 3 ? 0 : 5 * DAY,
                                   .expires = PRES_NEVER};
        struct pres_seen *whole = pres_view_known(&grant, &w.known, now);
        struct pres_presence all;
        int64_t from, until;
        bool inside = !grant.working_only || pres_hours_at(hours, now, &from, &until);
        pres_state_at(&whole->known, now, &all);
        assert_true(look(&w, grant, now));
        if (inside) {
            assert_int_equal(w.seen.state, all.state);
            busy += all.state != PRES_FREE;
        }
        if (!grant.working_only) {
            assert_int_equal(w.seen.until, all.until);
            assert_int_equal(w.seen.next.some, all.next.some);
            if (all.next.some) {
                assert_int_equal(w.seen.next.kind, all.next.kind);
                assert_int_equal(w.seen.next.start, all.next.start);
                assert_int_equal(w.seen.next.end, all.next.end);
            }
            if (all.since > w.known.from)
                assert_int_equal(w.seen.since, all.since);
        } else if (inside && all.until < until) {
            assert_int_equal(w.seen.until, all.until);
        }
        pres_seen_free(&whole);
        end(&w);
    }
    assert_in_range(busy, ROUNDS / 10, ROUNDS);
    pres_hours_free(&hours);
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
        cmocka_unit_test(test_as_the_whole_set_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
