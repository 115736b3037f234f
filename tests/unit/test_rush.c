/*
 * The next mass change against counting by hand: what counts as a change, many people in slices, and a count that is
 * asked for again.
 */
#include "people_world.h"

#include "rush.h"

enum { HOUR = 3600 };

static void expect(const struct fixture *f, int64_t at, size_t persons)
{
    struct gw_rush_view view;
    bool there = gw_rush(f->g, &view);
    for (unsigned i = 0; i < 1000 && !there; i++) {
        loop_turn(f->loop, 0);
        there = gw_rush(f->g, &view);
    }
    assert_true(there);
    assert_int_equal(view.at, at);
    assert_int_equal(view.persons, persons);
}

static void nobody_changes(void **state)
{
    struct fixture *f = *state;
    const struct pres_interval long_past = {BEGAN - 5 * HOUR, BEGAN - HOUR, PRES_BUSY},
                               far_away = {BEGAN + 25 * HOUR, BEGAN + 26 * HOUR, PRES_BUSY},
                               whole_window = {BEGAN - DAY, BEGAN + 2 * DAY, PRES_OOF};
    struct gw_rush_view view;
    start_with(f, 4);
    assert_false(gw_rush(f->g, &view));
    meetings(f, 0, &long_past, 1);
    meetings(f, 1, &far_away, 1);
    meetings(f, 2, &whole_window, 1);
    loop_advance(f->loop, 10000);
    assert_false(gw_rush(f->g, &view));
}

static void most_people_win(void **state)
{
    struct fixture *f = *state;
    const struct pres_interval both[] = {{BEGAN + HOUR, BEGAN + 2 * HOUR, PRES_BUSY},
                                         {BEGAN + 2 * HOUR, BEGAN + 3 * HOUR, PRES_OOF}};
    start_with(f, 20);
    for (unsigned i = 0; i < 5; i++)
        meetings(f, i, &both[0], 1);
    for (unsigned i = 5; i < 12; i++)
        meetings(f, i, &both[1], 1);
    meetings(f, 12, both, 2); /* from one to the next is one change */
    expect(f, BEGAN + 2 * HOUR, 5 + 7 + 1);
}

/* An end of what is known is no end of a meeting. */
static void the_window_is_no_change(void **state)
{
    struct fixture *f = *state;
    const struct pres_interval until_the_end = {BEGAN - HOUR, BEGAN + 4 * HOUR, PRES_BUSY},
                               one = {BEGAN + HOUR, BEGAN + HOUR + 60, PRES_BUSY};
    start_with(f, 5);
    for (unsigned i = 0; i < 4; i++)
        pres_table_update(f->g->table, person(f, i), &until_the_end, 1, BEGAN - DAY, BEGAN + 4 * HOUR, BEGAN);
    meetings(f, 4, &one, 1);
    expect(f, BEGAN + HOUR, 1);
}

static void many_people_in_slices(void **state)
{
    struct fixture *f = *state;
    const struct pres_interval nine = {BEGAN + 21 * HOUR, BEGAN + 22 * HOUR, PRES_BUSY};
    struct gw_rush_view view;
    start_with(f, 9000);
    for (unsigned i = 0; i < 9000; i++)
        meetings(f, i, &nine, i % 3 == 0);
    turns(f, 20);
    assert_false(gw_rush(f->g, &view)); /* a slice is not everybody */
    gw_people_remove(f->g, person(f, 0)); /* where the walk has been */
    gw_people_remove(f->g, person(f, 8997));
    expect(f, BEGAN + 21 * HOUR, 3000 - 1);
}

/* What is counted holds for a minute; what has passed is not told. */
static void counted_again(void **state)
{
    struct fixture *f = *state;
    const struct pres_interval soon = {BEGAN + 600, BEGAN + 1200, PRES_BUSY},
                               later = {BEGAN + HOUR, BEGAN + 2 * HOUR, PRES_BUSY};
    struct gw_rush_view view;
    start_with(f, 10);
    meetings(f, 0, &soon, 1);
    expect(f, BEGAN + 600, 1);
    meetings(f, 1, &later, 1);
    meetings(f, 2, &later, 1);
    loop_advance(f->loop, 59000);
    expect(f, BEGAN + 600, 1);
    loop_advance(f->loop, 2000);
    expect(f, BEGAN + HOUR, 2);
    clk_fake_step_wall(f->clk, 3 * HOUR * 1000);
    gw_rush(f->g, &view); /* begins anew, nothing is left */
    loop_advance(f->loop, 5000);
    assert_false(gw_rush(f->g, &view));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(most_people_win, setup, teardown),
        cmocka_unit_test_setup_teardown(the_window_is_no_change, setup, teardown),
        cmocka_unit_test_setup_teardown(many_people_in_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(counted_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
