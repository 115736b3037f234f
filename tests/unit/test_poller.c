/*
 * The poller against servers of ours: who is asked when, and above all who is not.
 */
#include "poller_world.h"

static void even_spread(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 1000, 0);
    add(f, 1000, 1200, 1);
    loop_advance(f->loop, 11 * INTERVAL);
    for (int second = 120; second < 600; second++) /* 1,200 people in 60 s are 20 a second */
        assert_in_range(f->per_second[second], 14, 26);
    for (uint32_t id = 0; id < 1200; id++)
        assert_in_range(f->ok[id], 11, 12);
    assert_true(f->s[0].most <= 8);
}

/* Everybody is read first as fast as the server allows, and not again right after. */
static void first_reading(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 800, 0); /* 8 connections of 20 ms: 400 a second */
    loop_advance(f->loop, 2500);
    for (uint32_t id = 0; id < 800; id++)
        assert_in_range(f->ok[id], 1, 1);
}

/* One person a minute is worth no tick every few milliseconds. */
static void few_people(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 1, 0);
    loop_advance(f->loop, 10 * INTERVAL + 5000);
    assert_in_range(f->ok[0], 10, 12);
}

static void slow_server(void **state)
{
    struct fixture *f = *state;
    f->s[0].latency_ms = -1; /* accepts and never answers */
    add(f, 0, 500, 0);
    add(f, 500, 1000, 1);
    loop_advance(f->loop, 5 * INTERVAL);
    assert_int_equal(f->s[0].started, 8);
    for (uint32_t id = 500; id < 1000; id++)
        assert_true(f->ok[id] >= 5);
}

/* More people than the pace allows: everybody gets the same share. */
static void too_many(void **state)
{
    struct fixture *f = *state;
    f->s[0].connections = 1;
    f->s[0].latency_ms = 600; /* 100 a minute */
    add(f, 0, 400, 0);
    loop_advance(f->loop, 12 * INTERVAL);
    for (uint32_t id = 0; id < 400; id++)
        assert_in_range(f->ok[id], 2, 4);
}

static void whole_server_fails(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 1000, 0);
    add(f, 1000, 1100, 1);
    loop_advance(f->loop, INTERVAL);
    f->s[0].err = DAV_NETWORK;
    f->s[0].code = "tcp-refused";
    unsigned before = f->s[0].started;
    loop_advance(f->loop, 60 * INTERVAL);
    unsigned burnt = f->s[0].started - before;
    assert_in_range(burnt, 50, 80); /* the window's worth, then one a minute */
    assert_int_equal(f->failing, 1);
    for (uint32_t id = 0; id < 1000; id++) { /* but everybody knows why */
        assert_true(f->local[id] + f->failed[id] > 0);
        assert_string_equal(f->code[id], "tcp-refused");
    }
    for (uint32_t id = 1000; id < 1100; id++)
        assert_true(f->ok[id] >= 60);
    f->s[0].err = DAV_OK;
    f->s[0].code = NULL;
    loop_advance(f->loop, 2 * INTERVAL); /* one probe away, and one interval */
    assert_int_equal(f->recovered, 1);
    assert_true(f->s[0].most <= 8);
    for (uint32_t id = 0; id < 1000; id++)
        assert_null(f->code[id]);
}

static void failing_from_the_start(void **state)
{
    struct fixture *f = *state;
    f->s[0].err = DAV_AUTH;
    f->s[0].code = "logon-rejected";
    add(f, 0, PEOPLE, 0);
    loop_advance(f->loop, 900);
    assert_true(f->s[0].started <= 8);
    for (uint32_t id = 0; id < PEOPLE; id++)
        if (!f->code[id] || strcmp(f->code[id], "logon-rejected") != 0)
            fail_msg("person %u was not told", id);
    f->s[0].err = DAV_OK;
    unsigned before = f->s[0].started;
    gw_poller_server_kick(f->poller, 0); /* a new secret: at once */
    loop_advance(f->loop, 50);
    assert_true(f->s[0].started > before);
    assert_int_equal(f->recovered, 1);
}

static void told_when_to_come_back(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 100, 0);
    loop_advance(f->loop, 2 * INTERVAL);
    f->s[0].err = DAV_LATER;
    f->s[0].code = "throttled";
    f->s[0].retry_after_s = 300;
    loop_advance(f->loop, 2000);
    unsigned before = f->s[0].started;
    loop_advance(f->loop, 290 * 1000);
    assert_int_equal(f->s[0].started, before);
    f->s[0].err = DAV_OK;
    loop_advance(f->loop, 60 * 1000);
    assert_true(f->s[0].started > before + 50);
}

/* One mailbox makes the server report errors: its own turns grow rarer, nobody else's do. */
static void one_bad_person(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum dav_err err;
        const char *code;
    } ways[] = {{DAV_FORBIDDEN, "receive-as-missing"}, {DAV_LATER, "http-server-error"}, {DAV_NETWORK, "tcp-reset"}};
    add(f, 0, 200, 0);
    loop_advance(f->loop, 2 * INTERVAL);
    f->s[0].bad = 77;
    for (int w = 0; w < 3; w++) {
        f->s[0].err = ways[w].err;
        f->s[0].code = ways[w].code;
        unsigned failed = f->failed[77], ok = f->ok[78];
        loop_advance(f->loop, 40 * INTERVAL);
        if (w == 0)
            assert_in_range(f->failed[77] - failed, 4, 8);
        assert_in_range(f->ok[78] - ok, 39, 41);
        assert_int_equal(f->local[78], 0);
        f->s[0].err = DAV_OK;
        f->s[0].code = NULL;
        loop_advance(f->loop, 33 * INTERVAL);
        if (f->code[77])
            fail_msg("still %s", f->code[77]);
    }
}

/* Several mailboxes with troubles of their own, asked one after the other: that is not the server's failure. */
static void some_bad_people(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) { /* two alike; three, but not alike */
        f->s[i].err = f->s[i].also_err = DAV_NETWORK;
        f->s[i].code = "tcp-reset";
        f->s[i].also_code = i == 0 ? "tcp-reset" : "answer-timeout";
        f->s[i].bad = i == 0 ? 0 : 100;
        f->s[i].also_bad_from = f->s[i].bad + 1;
        f->s[i].also_bad_until = f->s[i].bad + 2 + (uint32_t)i;
    }
    add(f, 0, 10, 0);
    add(f, 100, 110, 1);
    loop_advance(f->loop, 40 * INTERVAL);
    assert_int_equal(f->failing, 0);
    for (uint32_t id = 0; id < 10; id++)
        assert_true(id < 2 ? f->failed[id] > 4 : f->ok[id] >= 39);
    for (uint32_t id = 100; id < 110; id++)
        assert_true(id < 103 ? f->failed[id] > 4 : f->ok[id] >= 39);
    f->s[0].bad = UINT32_MAX; /* and now it is */
    loop_advance(f->loop, INTERVAL);
    assert_int_equal(f->failing, 1);
}

/* Who is alone on a server cannot be told from it: at the second time. */
static void lonely_person(void **state)
{
    struct fixture *f = *state;
    f->s[0].err = DAV_NETWORK;
    f->s[0].code = "tcp-reset";
    add(f, 0, 1, 0);
    loop_advance(f->loop, 100);
    assert_int_equal(f->failing, 0);
    loop_advance(f->loop, INTERVAL);
    assert_int_equal(f->failing, 1);
}

struct waiter {
    unsigned calls;
    enum dav_err err;
    struct gw_refresh **also_cancel;
    struct gw_refresh *handle;
};

static void refreshed(void *arg, enum dav_err err, const char *code)
{
    struct waiter *w = arg;
    (void)code;
    w->calls++;
    w->err = err;
    if (w->also_cancel)
        gw_poller_refresh_cancel(w->also_cancel);
    gw_poller_refresh_cancel(&w->handle); /* harmless inside its own callback */
}

static void refresh(void **state)
{
    struct fixture *f = *state;
    f->s[0].connections = 1;
    f->s[0].latency_ms = 100;
    add(f, 0, 300, 0);
    loop_advance(f->loop, 150);
    struct waiter a = {0}, b = {0}, c = {0}, d = {0};
    a.handle = gw_poller_refresh(f->poller, 250, refreshed, &a);
    b.handle = gw_poller_refresh(f->poller, 250, refreshed, &b);
    c.handle = gw_poller_refresh(f->poller, 251, refreshed, &c);
    loop_turn(f->loop, 0);
    assert_int_equal(a.calls, 0);
    unsigned before = f->order_count;
    loop_advance(f->loop, 200); /* the one that runs, then 250, then 251 */
    assert_int_equal(f->order[before], 250);
    assert_int_equal(f->order[before + 1], 251);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_int_equal(f->asked[250], 1);
    d.handle = gw_poller_refresh(f->poller, 251, refreshed, &d); /* its answer may be of before */
    loop_advance(f->loop, 100);
    assert_int_equal(c.calls, 1);
    assert_int_equal(d.calls, 0);
    loop_advance(f->loop, 100);
    assert_int_equal(c.calls, 1);
    assert_int_equal(d.calls, 1);
    assert_int_equal(f->asked[251], 2);

    struct waiter e = {0}, g = {0}, h = {0};
    e.handle = gw_poller_refresh(f->poller, 200, refreshed, &e);
    g.handle = gw_poller_refresh(f->poller, 200, refreshed, &g);
    e.also_cancel = &g.handle;
    g.also_cancel = &e.handle;
    h.handle = gw_poller_refresh(f->poller, 201, refreshed, &h);
    gw_poller_refresh_cancel(&h.handle);
    loop_advance(f->loop, 500);
    assert_int_equal(e.calls + g.calls, 1);
    assert_int_equal(h.calls, 0);
}

static void refresh_of_somebody_removed(void **state)
{
    struct fixture *f = *state;
    f->s[0].latency_ms = -1;
    add(f, 0, 20, 0);
    loop_advance(f->loop, 10);
    struct waiter a = {0}, b = {0}, c = {0};
    a.handle = gw_poller_refresh(f->poller, 0, refreshed, &a);  /* runs */
    b.handle = gw_poller_refresh(f->poller, 19, refreshed, &b); /* waits */
    c.handle = gw_poller_refresh(f->poller, 19, refreshed, &c);
    gw_poller_remove(f->poller, 0);
    gw_poller_remove(f->poller, 19);
    assert_int_equal(a.calls + b.calls, 0);
    gw_poller_refresh_cancel(&c.handle);
    loop_advance(f->loop, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_int_equal(c.calls, 0);
    assert_int_equal(a.err, DAV_CANCELLED);
}

/* While the server is down an administrator may ask, one at a time, and that is a probe. */
static void refresh_of_a_failing_server(void **state)
{
    struct fixture *f = *state;
    f->s[0].err = DAV_NETWORK;
    f->s[0].code = "tcp-timeout";
    add(f, 0, 50, 0);
    loop_advance(f->loop, 10 * INTERVAL);
    struct waiter a = {0};
    f->s[0].err = DAV_OK;
    a.handle = gw_poller_refresh(f->poller, 30, refreshed, &a);
    loop_turn(f->loop, 0);
    loop_advance(f->loop, 100);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.err, DAV_OK);
    loop_advance(f->loop, 1000);
    for (uint32_t id = 0; id < 50; id++)
        assert_true(f->ok[id] > 0);
}

static void change_while_running(void **state)
{
    struct fixture *f = *state;
    f->s[0].latency_ms = 5000;
    add(f, 0, 8, 0);
    loop_advance(f->loop, 100);
    assert_int_equal(f->s[0].running, 8);
    gw_poller_move(f->poller, 0, 0); /* another path: the running question is about the old one */
    gw_poller_move(f->poller, 1, 1); /* another server */
    gw_poller_remove(f->poller, 2);
    assert_int_equal(f->s[0].running, 5);
    loop_turn(f->loop, 0);
    loop_advance(f->loop, 100);
    assert_int_equal(f->asked[0], 2);
    assert_int_equal(f->ok[1], 1);
    struct dav_session other = {.connections = 8, .latency_ms = 10, .bad = UINT32_MAX};
    gw_poller_server_session(f->poller, 0, &other);
    assert_int_equal(f->s[0].running, 0);
    loop_turn(f->loop, 0);
    loop_advance(f->loop, 100);
    assert_int_equal(other.started, 6);
    for (uint32_t id = 3; id < 8; id++)
        assert_int_equal(f->ok[id], 1);
    assert_int_equal(f->ok[2], 0);
    struct gw_poller_server view;
    gw_poller_server(f->poller, 1, &view);
    assert_int_equal(view.persons, 1);
    while (f->asked[1] < 2)
        loop_advance(f->loop, INTERVAL);
    assert_int_equal(f->s[1].started, f->asked[1] - 1); /* the first one was at the other server */
    for (uint32_t id = 0; id < 8; id++)
        if (id != 2)
            gw_poller_remove(f->poller, id);
    gw_poller_server_remove(f->poller, 0);
}

/* After a night's sleep nobody is asked twice, and not everybody at once beyond the room. */
static void long_pause(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 300, 0);
    loop_advance(f->loop, 2 * INTERVAL);
    unsigned before[300];
    for (uint32_t id = 0; id < 300; id++)
        before[id] = f->asked[id];
    clk_fake_advance(f->clk, (int64_t)8 * 3600 * 1000);
    loop_advance(f->loop, 30000);
    for (uint32_t id = 0; id < 300; id++)
        assert_in_range(f->asked[id] - before[id], 1, 2);
    assert_true(f->s[0].most <= 8);
}

static void another_interval(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 64, 0);
    loop_advance(f->loop, INTERVAL);
    gw_poller_interval(f->poller, 1000);
    unsigned before = f->ok[5];
    loop_advance(f->loop, 30000);
    assert_in_range(f->ok[5] - before, 28, 31);
    struct gw_poller_person view;
    assert_true(gw_poller_person(f->poller, 5, &view));
    int64_t now = clk_wall_s(f->clk);
    assert_in_range(view.next_poll_at, now, now + 2);
    assert_in_range(view.last_ok_at, now - 2, now);
    assert_false(gw_poller_person(f->poller, 64, &view));
    assert_false(gw_poller_person(f->poller, UINT32_MAX, &view));
}

static void next_poll_is_foretold(void **state)
{
    struct fixture *f = *state;
    add(f, 0, 100, 0);
    loop_advance(f->loop, INTERVAL * 2 + 777);
    for (uint32_t id = 0; id < 100; id += 9) {
        struct gw_poller_person view;
        gw_poller_person(f->poller, id, &view);
        unsigned before = f->asked[id];
        int64_t wait = (view.next_poll_at - clk_wall_s(f->clk)) * 1000;
        assert_in_range(wait, 0, INTERVAL + 1000);
        loop_advance(f->loop, wait + 2000);
        assert_int_equal(f->asked[id], before + 1);
    }
}

static void million(void **state)
{
    (void)state;
    struct clk *clk = clk_fake_new(1800000000000);
    struct loop *loop = loop_new(clk);
    struct fixture f = {.clk = clk, .loop = loop};
    struct dav_session none = {.connections = 0};
    struct gw_poller *p = gw_poller_new(loop, &ops, &f, INTERVAL, 1);
    gw_poller_server_add(p, &none);
    int64_t before = clk_mono_ms(clk_system());
    for (uint32_t id = 0; id < 1000000; id++)
        gw_poller_add(p, id, 0);
    loop_advance(loop, INTERVAL);
    struct gw_poller_server view;
    gw_poller_server(p, 0, &view);
    assert_int_equal(view.waiting, 1000000);
    gw_poller_free(&p);
    print_message("a million people through one interval: %lld ms\n", (long long)(clk_mono_ms(clk_system()) - before));
    loop_free(&loop);
    clk_fake_free(&clk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(even_spread, setup, teardown),
        cmocka_unit_test_setup_teardown(first_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(few_people, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_server, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_server_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_from_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(told_when_to_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(one_bad_person, setup, teardown),
        cmocka_unit_test_setup_teardown(some_bad_people, setup, teardown),
        cmocka_unit_test_setup_teardown(lonely_person, setup, teardown),
        cmocka_unit_test_setup_teardown(refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(refresh_of_somebody_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(refresh_of_a_failing_server, setup, teardown),
        cmocka_unit_test_setup_teardown(change_while_running, setup, teardown),
        cmocka_unit_test_setup_teardown(long_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(another_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(next_poll_is_foretold, setup, teardown),
        cmocka_unit_test(million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
