/*
 * table: a wall clock that does not simply go on: leap seconds, a day ahead and back, sleep, the hours of summer time.
 * Each transition is told, once.
 */
#include <time.h>

#include "table_world.h"

/* Busy from NOON + 60 to NOON + 120: what was told, in order. */
static void expect_busy_then_free(const struct fixture *f)
{
    assert_int_equal(f->n, 2);
    assert_int_equal(f->reports[0].now.state, PRES_BUSY);
    assert_int_equal(f->reports[0].now.since, NOON + 60);
    assert_int_equal(f->reports[1].now.state, PRES_FREE);
}

/* The clock is stepped by a second, `after_ms` after NOON, and polls go on coming in. */
static void leap(int64_t after_ms, int64_t step_ms, bool told)
{
    struct fixture f;
    pres_id alice;

    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 60, NOON + 120);
    forget(&f);
    for (int64_t ms = 0; ms < 180000; ms += 250) {
        if (ms == after_ms) {
            clk_fake_step_wall(f.clk, step_ms);
            if (told)
                loop_stepped(f.loop);
        }
        loop_advance(f.loop, 250);
        if (ms % 1000 == 500)
            answer(&f, alice, NOON + 60, NOON + 120);
        turns(&f);
        if (f.n == 1 && (told || step_ms < 0)) /* who asks hears the same as who listens */
            assert_int_equal(state_of(&f, alice), PRES_BUSY);
    }
    expect_busy_then_free(&f);
    teardown(&f);
}

static void test_leap_seconds(void **state)
{
    (void)state;
    for (int64_t after_ms = 58000; after_ms <= 62000; after_ms += 250)
        for (int told = 0; told < 2; told++) {
            leap(after_ms, -1000, told);
            leap(after_ms, 1000, told);
            leap(after_ms + 60000, -1000, told);
            leap(after_ms + 60000, 1000, told);
        }
}

/* Sleep, or a clock that was wrong by a day: one change to what is so now, and back when the clock is set back. */
static void test_a_day(void **state)
{
    struct pres_interval in[] = {{NOON + 60, NOON + 120, PRES_BUSY}, {NOON + DAY - 60, NOON + DAY + 3600, PRES_OOF}};
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = pres_table_add(f.table, &(struct pres_person_spec){.address = "a@example.com", .stale_after = 7 * DAY});
    pres_table_update(f.table, alice, in, 2, NOON - DAY, NOON + 14 * DAY, NOON);
    forget(&f);
    clk_fake_step_wall(f.clk, DAY * 1000);
    loop_stepped(f.loop);
    loop_advance(f.loop, 1000);
    turns(&f);
    assert_int_equal(f.n, 1); /* the meeting of yesterday is over: nobody is told of it now */
    assert_int_equal(f.reports[0].now.state, PRES_OOF);
    assert_int_equal(f.reports[0].now.since, NOON + DAY - 60);
    clk_fake_step_wall(f.clk, -DAY * 1000);
    loop_stepped(f.loop);
    loop_advance(f.loop, 1000);
    turns(&f);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_FREE);
    f.n = 0;
    loop_advance(f.loop, 180000);
    expect_busy_then_free(&f);
    teardown(&f);
}

/* Where clocks on walls show an hour twice, or not at all, nothing is told twice or not at all. */
static void test_summer_time(void **state)
{
    static const int64_t changes[] = {1792890000 /* 2026-10-25T01:00:00Z */, 1774746000 /* 2026-03-29T01:00:00Z */};

    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f;
        pres_id alice;

        setup(&f);
        clk_fake_step_wall(f.clk, (changes[i] - 7200 - NOON) * 1000);
        alice = pres_table_add(f.table, &(struct pres_person_spec){.address = "a@example.com", .stale_after = DAY});
        const struct pres_interval quarters[] = {{changes[i] - 1800, changes[i] - 900, PRES_BUSY},
                                                 {changes[i], changes[i] + 900, PRES_BUSY},
                                                 {changes[i] + 1800, changes[i] + 2700, PRES_BUSY}};
        pres_table_update(f.table, alice, quarters, 3, changes[i] - DAY, changes[i] + DAY, now_s(&f));
        forget(&f);
        loop_advance(f.loop, 3 * 3600 * 1000);
        assert_int_equal(f.n, 6);
        for (unsigned k = 0; k < 6; k++)
            assert_int_equal(f.reports[k].at, changes[i] - 1800 + k / 2 * 1800 + k % 2 * 900);
        teardown(&f);
    }
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leap_seconds),
        cmocka_unit_test(test_a_day),
        cmocka_unit_test(test_summer_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
