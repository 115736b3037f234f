/*
 * table: names; what is reported and what is not; punctuality, slices and clock steps on a clock of our own.
 */
#include "table_world.h"

static void test_names(void **state)
{
    struct fixture f;
    pres_id alice, bob, carol;
    char longest[1002];

    (void)state;
    setup(&f);
    alice = add(&f, "Alice@Example.com", NULL);
    bob = add(&f, "bob@example.com", "Robert@Example.org");
    carol = add(&f, "carol@example.com", "Carol@Example.com");
    assert_int_equal(pres_table_find(f.table, "aLICE@example.COM"), alice);
    assert_int_equal(pres_table_find(f.table, "robert@example.org"), bob);
    assert_int_equal(pres_table_find(f.table, "BOB@example.com"), bob);
    assert_int_equal(pres_table_find(f.table, "nobody@example.com"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, ""), PRES_NOBODY);
    assert_string_equal(pres_table_address(f.table, alice), "Alice@Example.com");
    assert_string_equal(pres_table_publish_as(f.table, alice), "Alice@Example.com");
    assert_string_equal(pres_table_publish_as(f.table, bob), "Robert@Example.org");
    assert_string_equal(pres_table_address(f.table, carol), "carol@example.com");
    assert_string_equal(pres_table_publish_as(f.table, carol), "Carol@Example.com");
    assert_string_equal(pres_table_group(f.table, bob), "staff");
    assert_int_equal(pres_table_server(f.table, bob), 3);
    /* every way to be there already */
    assert_int_equal(add(&f, "ALICE@example.com", NULL), PRES_NOBODY);
    assert_int_equal(add(&f, "ROBERT@example.org", NULL), PRES_NOBODY);
    assert_int_equal(add(&f, "dave@example.com", "alice@EXAMPLE.com"), PRES_NOBODY);
    assert_int_equal(add(&f, "dave@example.com", "robert@EXAMPLE.org"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, "dave@example.com"), PRES_NOBODY);
    assert_int_equal(add(&f, "", NULL), PRES_NOBODY);
    memset(longest, 'x', sizeof(longest));
    longest[1001] = '\0';
    assert_int_equal(add(&f, longest, NULL), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, longest), PRES_NOBODY);
    longest[1000] = '\0';
    assert_int_not_equal(add(&f, longest, NULL), PRES_NOBODY);
    assert_int_equal(pres_table_count(f.table), 4);
    pres_table_remove(f.table, bob);
    assert_int_equal(pres_table_find(f.table, "robert@example.org"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, "bob@example.com"), PRES_NOBODY);
    assert_int_equal(pres_table_next(f.table, alice), carol);
    assert_int_equal(add(&f, "new@example.com", "bob@example.com"), bob); /* the id is used again */
    turns(&f);
    assert_int_equal(f.n, 0);
    teardown(&f);
}

static void test_respec(void **state)
{
    struct pres_person_spec spec = {
        .publish_as = "Chief@Example.com", .group = "board", .stale_after = 60, .server = 9};
    struct fixture f;
    pres_id alice, bob;

    (void)state;
    setup(&f);
    alice = add(&f, "Alice@example.com", "first@example.com");
    bob = add(&f, "bob@example.com", NULL);
    answer(&f, alice, NOON, NOON + 3600);
    forget(&f);
    pres_table_respec(f.table, alice, &spec);
    assert_string_equal(pres_table_address(f.table, alice), "Alice@example.com");
    assert_string_equal(pres_table_publish_as(f.table, alice), "Chief@Example.com");
    assert_string_equal(pres_table_group(f.table, alice), "board");
    assert_int_equal(pres_table_server(f.table, alice), 9);
    assert_int_equal(pres_table_find(f.table, "first@example.com"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, "chief@example.com"), alice);
    assert_string_equal(pres_table_group(f.table, bob), "staff");
    turns(&f);
    assert_int_equal(f.n, 0); /* still busy */
    loop_advance(f.loop, 59999);
    assert_int_equal(f.n, 0);
    loop_advance(f.loop, 1); /* the new age limit */
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_UNKNOWN);
    spec.publish_as = "BOB@example.com"; /* somebody else's */
    spec.group = NULL;
    pres_table_respec(f.table, alice, &spec);
    assert_string_equal(pres_table_publish_as(f.table, alice), "Chief@Example.com");
    assert_null(pres_table_group(f.table, alice));
    assert_int_equal(pres_table_find(f.table, "bob@example.com"), bob);
    spec.publish_as = NULL;
    pres_table_respec(f.table, alice, &spec);
    assert_string_equal(pres_table_publish_as(f.table, alice), "Alice@example.com");
    assert_int_equal(pres_table_find(f.table, "chief@example.com"), PRES_NOBODY);
    teardown(&f);
}

static void test_reports_at_the_end_of_the_turn(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    assert_int_equal(state_of(&f, alice), PRES_UNKNOWN);
    answer(&f, alice, NOON - 60, NOON + 60);
    assert_int_equal(f.n, 0);
    assert_int_equal(state_of(&f, alice), PRES_BUSY);
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    assert_int_equal(f.reports[0].now.since, NOON - 60);
    forget(&f);
    answer(&f, alice, NOON - 60, NOON + 90); /* and back again: no news */
    answer(&f, alice, NOON - 60, NOON + 60);
    turns(&f);
    assert_int_equal(f.n, 0);
    pres_table_update(f.table, alice, NULL, 0, NOON - DAY, NOON + DAY, NOON - 1); /* older than what is known */
    turns(&f);
    assert_int_equal(f.n, 0);
    answer(&f, alice, NOON - 60, NOON + 70); /* another end is news */
    answer(&f, alice, NOON - 60, NOON + 80);
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.until, NOON + 80);
    answer(&f, alice, NOON, NOON + 10);
    pres_table_remove(f.table, alice);
    forget(&f);
    turns(&f);
    assert_int_equal(f.n, 0);
    teardown(&f);
}

static void test_transitions_at_their_second(void **state)
{
    struct pres_interval in[] = {{NOON + 100, NOON + 200, PRES_BUSY}, {NOON + 150, NOON + 160, PRES_OOF}};
    static const struct {
        int64_t at;
        enum pres_kind state;
    } want[] = {{100, PRES_BUSY}, {150, PRES_OOF}, {160, PRES_BUSY}, {200, PRES_FREE}, {900, PRES_UNKNOWN}};
    struct pres_table_stats stats;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    pres_table_update(f.table, alice, in, 2, NOON - DAY, NOON + DAY, NOON);
    forget(&f);
    pres_table_stats(f.table, &stats);
    assert_int_equal(stats.next_change_at, NOON + 100);
    loop_advance(f.loop, 3600 * 1000);
    assert_int_equal(f.n, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(f.reports[i].at - NOON, want[i].at);
        assert_int_equal(f.reports[i].now.state, want[i].state);
    }
    assert_string_equal(f.reports[4].now.reason, "stale");
    assert_int_equal(f.reports[3].now.since, NOON + 200);
    pres_table_stats(f.table, &stats);
    assert_int_equal(stats.next_change_at, PRES_NEVER);
    assert_int_equal(stats.transitions, 6);
    assert_int_equal(stats.worst_late_ms, 0);
    assert_true(stats.hour_changes > 0);
    assert_int_equal(stats.hour_late, 0);
    assert_int_equal(stats.by_state[PRES_UNKNOWN], 1);
    assert_int_equal(stats.oldest_as_of, NOON);
    teardown(&f);
}

static void test_failures(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    pres_table_fail(f.table, alice, "receive-as-missing");
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_UNKNOWN);
    assert_string_equal(f.reports[0].now.reason, "receive-as-missing");
    answer(&f, alice, NOON, NOON + 7200);
    forget(&f);
    pres_table_fail(f.table, alice, "tcp-refused");
    pres_table_fail(f.table, alice, "tcp-refused");
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    assert_string_equal(f.reports[0].now.reason, "tcp-refused");
    loop_advance(f.loop, 900 * 1000);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_UNKNOWN);
    assert_string_equal(f.reports[1].now.reason, "tcp-refused");
    assert_int_equal(f.reports[1].now.since, NOON + 900);
    answer(&f, alice, NOON, NOON + 7200);
    turns(&f);
    assert_int_equal(f.n, 3);
    assert_int_equal(f.reports[2].now.state, PRES_BUSY);
    assert_null(f.reports[2].now.reason);
    teardown(&f);
}

/* The window goes along with the polls; neither the free nor the long absent change by it. */
static void test_moving_window_is_no_news(void **state)
{
    struct pres_interval away = {NOON - 30 * DAY, NOON + 60 * DAY, PRES_OOF};
    struct pres_presence p;
    struct fixture f;
    pres_id alice, bob;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    bob = add(&f, "bob@example.com", NULL);
    for (unsigned i = 0; i < 50; i++) {
        pres_table_update(f.table, alice, NULL, 0, now_s(&f), now_s(&f) + 14 * DAY, now_s(&f));
        pres_table_update(f.table, bob, &away, 1, now_s(&f), now_s(&f) + 14 * DAY, now_s(&f));
        loop_advance(f.loop, 60000);
        assert_int_equal(f.n, 2);
    }
    pres_table_presence(f.table, alice, &p);
    assert_int_equal(p.since, NOON);
    pres_table_presence(f.table, bob, &p);
    assert_int_equal(p.since, NOON);
    assert_int_equal(p.until, PRES_NEVER);
    /* but what is told was free until a meeting that an answer took away is not free since then */
    answer(&f, alice, now_s(&f) - 100, now_s(&f) - 10);
    turns(&f);
    pres_table_presence(f.table, alice, &p);
    assert_int_equal(p.since, now_s(&f) - 10);
    /* nor is a meeting that was to end before the window's start the one that goes on there, though nobody told its end
     */
    answer(&f, alice, now_s(&f) - 100, now_s(&f) + 100);
    turns(&f);
    clk_fake_step_wall(f.clk, 3600 * 1000);
    away.kind = PRES_BUSY;
    pres_table_update(f.table, alice, &away, 1, now_s(&f), now_s(&f) + DAY, now_s(&f));
    pres_table_presence(f.table, alice, &p);
    assert_int_equal(p.since, now_s(&f));
    teardown(&f);
}

static void test_calls_from_the_report(void **state)
{
    struct fixture f;
    pres_id id[4];

    (void)state;
    setup(&f);
    for (unsigned i = 0; i < 4; i++) {
        char address[] = "0@example.com";

        address[0] = (char)('0' + i);
        id[i] = add(&f, address, NULL);
        answer(&f, id[i], NOON + 10, NOON + 20);
    }
    forget(&f);
    f.remove = id[2];
    f.update = id[1];
    loop_advance(f.loop, 10000);
    turns(&f);
    for (unsigned i = 0; i < 2; i++) /* the first to be told of could be any of those who are left */
        assert_int_equal(state_of(&f, id[i * 3]), PRES_BUSY);
    assert_int_equal(state_of(&f, id[1]), PRES_FREE);
    assert_int_equal(pres_table_count(f.table), 3);
    f.remove = f.reports[0].id; /* itself */
    answer(&f, f.remove, NOON, NOON + 500);
    turns(&f);
    assert_int_equal(pres_table_count(f.table), 2);
    teardown(&f);
}

/* Many at one second: each once, in slices that let the loop turn in between. */
static void test_slices(void **state)
{
    enum { MANY = 9000, SLICE = 2000 };
    struct fixture f;
    size_t most = 0;
    unsigned used = 0;

    (void)state;
    setup(&f);
    for (unsigned i = 0; i < MANY; i++) {
        char address[32];

        snprintf(address, sizeof(address), "p%u@example.com", i);
        answer(&f, add(&f, address, NULL), NOON + 60, NOON + 120);
    }
    for (unsigned round = 0; round < 2; round++) { /* first the answers, then the transition */
        f.n = 0;
        used = 0;
        most = 0;
        if (round == 1)
            loop_advance(f.loop, 60000);
        assert_true(f.n <= SLICE);
        for (size_t before = SIZE_MAX; f.n < MANY && before != f.n; used++) {
            before = f.n;
            loop_turn(f.loop, 0);
            most = f.n - before > most ? f.n - before : most;
        }
        turns(&f);
        assert_int_equal(f.n, MANY);
        assert_true(most <= SLICE && used >= 4);
    }
    for (pres_id id = 0; id < MANY; id++)
        assert_int_equal(state_of(&f, id), PRES_BUSY);
    teardown(&f);
}

static void test_clock_set_back(void **state)
{
    struct pres_presence p;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 10, NOON + 7200);
    loop_advance(f.loop, 10000);
    forget(&f);
    assert_int_equal(state_of(&f, alice), PRES_BUSY);
    clk_fake_step_wall(f.clk, -3600 * 1000);
    assert_int_equal(state_of(&f, alice), PRES_FREE);
    loop_advance(f.loop, 60000); /* noticed within a minute */
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_FREE);
    /* the answer seems to come from the future, and must not live for an hour longer */
    pres_table_presence(f.table, alice, &p);
    assert_true(p.valid_until <= now_s(&f) + 900);
    answer(&f, alice, NOON + 10, NOON + 7200);
    while (now_s(&f) < NOON + 9) {
        loop_advance(f.loop, 1000);
        if (now_s(&f) % 300 == 0)
            answer(&f, alice, NOON + 10, NOON + 7200);
    }
    assert_int_equal(f.n, 1);
    loop_advance(f.loop, 1000);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_BUSY);
    assert_int_equal(f.reports[1].at, NOON + 10);
    teardown(&f);
}

/* The kernel says so: nobody waits for the next minute. */
static void test_clock_set_and_told(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 600, NOON + 7200);
    forget(&f);
    clk_fake_step_wall(f.clk, 700 * 1000);
    loop_stepped(f.loop);
    for (unsigned turn = 0; turn < 3; turn++)
        loop_advance(f.loop, 0);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    clk_fake_step_wall(f.clk, -650 * 1000);
    loop_stepped(f.loop);
    for (unsigned turn = 0; turn < 3; turn++)
        loop_advance(f.loop, 0);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_FREE);
    teardown(&f);
}

static void test_clock_set_forward(void **state)
{
    struct pres_table_stats stats;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 600, NOON + 7200);
    forget(&f);
    clk_fake_step_wall(f.clk, 700 * 1000);
    loop_advance(f.loop, 60000);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    assert_int_equal(f.reports[0].now.since, NOON + 600);
    pres_table_stats(f.table, &stats);
    assert_true(stats.worst_late_ms >= 100 * 1000 && stats.worst_late_ms <= 160 * 1000);
    assert_int_equal(stats.hour_changes, 1);
    assert_int_equal(stats.hour_late, 1);
    loop_advance(f.loop, 61 * 60 * 1000);
    pres_table_stats(f.table, &stats);
    assert_true(stats.worst_late_ms < 100 * 1000); /* it is not the last hour any more */
    assert_int_equal(stats.hour_late, 0);
    /* what was asked an hour ahead of the right time does not keep out what is asked now */
    answer(&f, alice, NOON, NOON + 7200);
    clk_fake_step_wall(f.clk, -3600 * 1000);
    answer(&f, alice, NOON - DAY, NOON - 7200);
    assert_int_equal(state_of(&f, alice), PRES_FREE);
    teardown(&f);
}

/* The set that was lent lives until the turn ends, whatever becomes of its person. */
static void test_known_is_lent(void **state)
{
    struct pres_known known;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 10, NOON + 20);
    pres_table_known(f.table, alice, &known);
    assert_int_equal(known.stale_after, 900);
    answer(&f, alice, NOON + 30, NOON + 40);
    assert_int_equal(pres_set_at(known.set, 0).start, NOON + 10);
    pres_table_known(f.table, alice, &known);
    pres_table_remove(f.table, alice);
    assert_int_equal(pres_set_at(known.set, 0).start, NOON + 30);
    teardown(&f);
}

/* Nothing is known any more, for a reason, at once; and what was known does not come back with a confirmation. */
static void test_withdrawn(void **state)
{
    struct pres_presence now;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON - 60, NOON + 3600);
    pres_table_presence(f.table, alice, &now);
    assert_int_equal(now.state, PRES_BUSY);
    loop_advance(f.loop, 1);
    f.n = 0;
    pres_table_withdraw(f.table, alice, "relay-withdrawn");
    loop_advance(f.loop, 1);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_UNKNOWN);
    assert_string_equal(f.reports[0].now.reason, "relay-withdrawn");
    pres_table_confirm(f.table, alice, NOON + 1);
    pres_table_presence(f.table, alice, &now);
    assert_int_equal(now.state, PRES_UNKNOWN);
    answer(&f, alice, NOON - 60, NOON + 3600);
    pres_table_presence(f.table, alice, &now);
    assert_int_equal(now.state, PRES_BUSY);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_respec),
        cmocka_unit_test(test_reports_at_the_end_of_the_turn),
        cmocka_unit_test(test_transitions_at_their_second),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_moving_window_is_no_news),
        cmocka_unit_test(test_calls_from_the_report),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_clock_set_forward),
        cmocka_unit_test(test_clock_set_and_told),
        cmocka_unit_test(test_known_is_lent),
        cmocka_unit_test(test_withdrawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
