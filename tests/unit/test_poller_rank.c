/*
 * Who comes first when not everybody can be asked in time, who is not asked at all, and what happens after an outage.
 */
#include "poller_world.h"

/* 100 places a minute for 400 people, ten of them watched, ten whose state changes soon. */
static void those_who_matter_come_first(void **state)
{
    struct fixture *f = *state;
    f->s[0].connections = 1;
    f->s[0].latency_ms = 600;
    for (uint32_t id = 0; id < 10; id++) {
        f->rank[id * 40] = GW_RANK_FIRST;
        f->rank[id * 40 + 7] = GW_RANK_SOON;
    }
    add(f, 0, 400, 0);
    loop_advance(f->loop, 5 * INTERVAL); /* the first readings */
    memset(f->ok, 0, sizeof f->ok);
    loop_advance(f->loop, 12 * INTERVAL);
    unsigned first = 0, soon = 0, least = 99, rest = 0;
    for (uint32_t id = 0; id < 400; id++) {
        if (f->rank[id] == GW_RANK_FIRST)
            first += f->ok[id];
        else if (f->rank[id] == GW_RANK_SOON)
            soon += f->ok[id];
        else
            rest += f->ok[id];
        if (f->ok[id] < least)
            least = f->ok[id];
    }
    assert_true(first >= 10 * 9);
    assert_true(soon >= 10 * 6);
    assert_true(least >= 1); /* nobody is forgotten */
    assert_true(rest > 380 * 2);
}

/* In one queue: watched, then soon, then the others; a refresh before all of them, news before those whose turn it is.
 */
static void in_this_order(void **state)
{
    struct fixture *f = *state;
    f->s[0].connections = 1;
    f->s[0].latency_ms = 10;
    add(f, 0, 60, 0);
    loop_advance(f->loop, INTERVAL / 4);
    f->s[0].latency_ms = 3 * INTERVAL; /* one question keeps everybody waiting */
    f->rank[31] = f->rank[32] = GW_RANK_FIRST;
    f->rank[33] = GW_RANK_SOON;
    loop_advance(f->loop, 2 * INTERVAL + INTERVAL / 2);
    gw_poller_hint(f->poller, 20);
    struct gw_refresh *r = gw_poller_refresh(f->poller, 21, NULL, NULL);
    (void)r;
    f->s[0].latency_ms = 10;
    f->order_count = 0;
    loop_advance(f->loop, INTERVAL);
    unsigned place[60];
    memset(place, 0xff, sizeof place);
    for (unsigned i = f->order_count; i-- > 0;)
        place[f->order[i]] = i;
    assert_int_equal(place[21], 0);
    assert_int_equal(place[20], 1);
    assert_true(place[31] < 8 && place[32] < 8);
    assert_true(place[33] < 12);
    assert_false(f->held[21]); /* asked by name: from the source, not by signs or hearsay */
    assert_true(f->held[31]);
    assert_int_equal(f->fresh_s[21], 0);
    assert_int_equal(f->fresh_s[20], 0);
    assert_int_equal(f->fresh_s[31], INTERVAL / 2000);
}

static void nobody_wants_to_know(void **state)
{
    struct fixture *f = *state;
    for (uint32_t id = 0; id < 100; id++)
        f->rank[id] = id % 10 ? GW_RANK_NOT : GW_RANK_FIRST;
    add(f, 0, 100, 0);
    loop_advance(f->loop, 10 * INTERVAL);
    for (uint32_t id = 0; id < 100; id++)
        assert_in_range(f->asked[id], id % 10 ? 0 : 9, id % 10 ? 0 : 12);
    f->rank[15] = GW_RANK_FIRST; /* somebody opens a stream */
    gw_poller_wanted(f->poller, 15);
    gw_poller_wanted(f->poller, 15);
    loop_advance(f->loop, 100);
    assert_int_equal(f->asked[15], 1);
    gw_poller_wanted(f->poller, 15);      /* has just been asked */
    gw_poller_wanted(f->poller, 4000000); /* nobody */
    loop_advance(f->loop, 100);
    assert_int_equal(f->asked[15], 1);
    loop_advance(f->loop, 5 * INTERVAL);
    assert_in_range(f->asked[15], 5, 7);
    f->rank[15] = GW_RANK_NOT;
    unsigned before = f->asked[15];
    loop_advance(f->loop, 5 * INTERVAL);
    assert_in_range(f->asked[15], before, before + 1);
    gw_poller_refresh(f->poller, 16, NULL, NULL); /* by name: always */
    loop_advance(f->loop, 100);
    assert_int_equal(f->asked[16], 1);
}

/* Thousands whom nobody watches are passed over in slices, not at once; behind them is somebody. */
static void many_nobody_wants_to_know(void **state)
{
    struct fixture *f = *state;
    struct gw_poller_server view;
    f->s[0].connections = 0;
    for (uint32_t id = 0; id < PEOPLE; id++)
        f->rank[id] = id + 1 < PEOPLE ? GW_RANK_NOT : GW_RANK_FIRST;
    add(f, 0, PEOPLE, 0);
    gw_poller_server(f->poller, 0, &view);
    assert_in_range(view.waiting, 1000, PEOPLE - 1000);
    f->s[0].connections = 8;
    loop_advance(f->loop, 100);
    assert_int_equal(f->s[0].started, 1);
    assert_int_equal(f->asked[PEOPLE - 1], 1);
}

/* A hint is no more than an early turn; one that comes while an answer is on its way is not lost. */
static void hints(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 10, 0);
    loop_advance(f->loop, 1000);
    memset(f->asked, 0, sizeof f->asked);
    for (int i = 0; i < 100; i++)
        gw_poller_hint(f->poller, 3);
    gw_poller_hint(f->poller, 11);         /* nobody */
    gw_poller_hint(f->poller, UINT32_MAX); /* nobody either */
    loop_advance(f->loop, 5);
    assert_int_equal(f->asked[3], 1);
    for (int i = 0; i < 100; i++)
        gw_poller_hint(f->poller, 3); /* it is running */
    loop_advance(f->loop, 200);
    assert_int_equal(f->asked[3], 2);
}

/* Who asks by name while a poll is on its way that says "unchanged" gets a reading all the same. */
static void refreshed_fn(void *arg, enum dav_err err, const char *code)
{
    (void)err, (void)code;
    ++*(unsigned *)arg;
}

static void a_refresh_is_a_reading(void **state)
{
    struct fixture *f = *state;
    unsigned calls = 0;
    add(f, 0, 1, 0);
    loop_advance(f->loop, 1000);
    f->unchanged = true;
    f->s[0].latency_ms = 100;
    unsigned before = f->asked[0];
    while (f->asked[0] == before)
        loop_advance(f->loop, 50);
    assert_true(f->held[0]);
    gw_poller_refresh(f->poller, 0, refreshed_fn, &calls);
    loop_advance(f->loop, 100);
    assert_int_equal(calls, 0);
    loop_advance(f->loop, 150);
    assert_int_equal(calls, 1);
    assert_false(f->held[0]);
}

/* The budget: so many starts a second, as a session's room tells it. */
enum { BUDGET = 50 };
static unsigned budget_room(const struct dav_session *s)
{
    int64_t second = (clk_mono_ms(fx->clk) - fx->start_ms) / 1000;
    unsigned used = second < 8000 ? fx->per_second[second] : 0;
    (void)s;
    return used < BUDGET ? BUDGET - used : 0;
}

/* Ten thousand people... here as many as there are, an hour without an answer: one question at a time, a handful of
 * lines, and afterwards no burst above the budget. */
static void an_hours_outage(void **state)
{
    static struct gw_poller_ops with_budget;
    struct fixture *f = *state;
    with_budget = ops;
    with_budget.room = budget_room;
    gw_poller_free(&f->poller);
    f->poller = gw_poller_new(f->loop, &with_budget, f, INTERVAL, 12345);
    gw_poller_server_add(f->poller, &f->s[0]);
    add(f, 0, 2500, 0);
    loop_advance(f->loop, 3 * INTERVAL);
    f->s[0].err = DAV_NETWORK;
    f->s[0].code = "tcp-refused";
    unsigned before = f->s[0].started;
    loop_advance(f->loop, 3600 * 1000);
    assert_in_range(f->s[0].started - before, 60, 200); /* probes */
    assert_int_equal(f->failing, 1);
    f->s[0].err = DAV_OK;
    f->s[0].code = NULL;
    int64_t back = (clk_mono_ms(f->clk) - f->start_ms) / 1000;
    memset(f->ok, 0, sizeof f->ok);
    loop_advance(f->loop, 3 * INTERVAL);
    for (int64_t second = back; second < back + 180 && second < 4000; second++)
        assert_true(f->per_second[second] <= BUDGET);
    for (uint32_t id = 0; id < 2500; id++)
        assert_in_range(f->ok[id], 1, 4);
    assert_int_equal(f->recovered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_who_matter_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(in_this_order, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_wants_to_know, setup, teardown),
        cmocka_unit_test_setup_teardown(many_nobody_wants_to_know, setup, teardown),
        cmocka_unit_test_setup_teardown(hints, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refresh_is_a_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(an_hours_outage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
