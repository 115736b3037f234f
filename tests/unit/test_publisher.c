/*
 * publisher with an outlet that does what the test says: order, replacing, rate, room, reconnection, and that the
 * outlet ends with the present states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "presence/publisher.h"

#define NOON INT64_C(1795348800)
#define PEOPLE 500

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *p;
    unsigned connects, disconnects, freed, farewells;
    pres_id log[20000];
    enum pres_kind states[20000];
    unsigned count, more_left;
    enum pres_delivered answer;
    bool again_seen;
};

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    (void)now;
    pres_publisher_changed(w->p, id);
}

static void out_connect(void *outlet)
{
    ((struct world *)outlet)->connects++;
}

static void out_disconnect(void *outlet, const char *why)
{
    (void)why;
    ((struct world *)outlet)->disconnects++;
}

static enum pres_delivered out_deliver(void *outlet, struct pres_delivery *d)
{
    struct world *w = outlet;
    assert_true(d->budget >= 1);
    w->again_seen = w->again_seen || d->again;
    if (w->answer == PRES_FULL)
        return PRES_FULL;
    if (w->more_left > 0) {
        w->more_left--;
        d->sent = 1;
        return PRES_MORE;
    }
    w->states[w->count] = d->now->state;
    w->log[w->count++] = d->id;
    d->sent = 1;
    return PRES_DELIVERED;
}

static bool out_farewell(void *outlet)
{
    return ++((struct world *)outlet)->farewells == 3;
}

static void out_free(void *outlet)
{
    ((struct world *)outlet)->freed++;
}

static const struct pres_outlet_ops ops = {.kind = "test",
                                           .connect = out_connect,
                                           .disconnect = out_disconnect,
                                           .deliver = out_deliver,
                                           .farewell = out_farewell,
                                           .free = out_free};

static void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static struct world *world_new(double rate, size_t ceiling)
{
    struct world *w = mem_calloc(1, sizeof *w);
    struct pres_publisher_settings s = {.name = "test", .rate = rate, .ceiling = ceiling};
    log_set_sink(quiet, NULL);
    w->clk = clk_fake_new(NOON * 1000);
    w->loop = loop_new(w->clk);
    w->table = pres_table_new(w->loop, on_change, w);
    w->p = pres_publisher_new(w->loop, w->table, &s, &ops, w);
    for (unsigned i = 0; i < PEOPLE; i++) {
        char address[40];
        snprintf(address, sizeof address, "p%u@example.com", i);
        struct pres_person_spec spec = {.address = address, .stale_after = 1000000};
        pres_table_add(w->table, &spec);
    }
    return w;
}

static void world_free(struct world **wp)
{
    struct world *w = *wp;
    pres_publisher_free(&w->p);
    assert_int_equal(w->freed, 1);
    pres_table_free(&w->table);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    free(w);
}

static void set(struct world *w, pres_id id, enum pres_kind kind)
{
    struct pres_interval one = {.start = NOON - 60, .end = NOON + 3600, .kind = kind};
    pres_table_update(w->table, id, &one, kind != PRES_FREE, NOON - 86400, NOON + 86400, clk_wall_s(w->clk));
}

static void settle(struct world *w)
{
    for (int i = 0; i < 50; i++)
        loop_turn(w->loop, 0);
}

static void go_up(struct world *w)
{
    pres_publisher_start(w->p);
    pres_publisher_up(w->p);
    settle(w);
}

static void test_resync_then_changes(void **state)
{
    struct world *w = world_new(1e6, 0);
    (void)state;
    set(w, 7, PRES_BUSY);
    settle(w);
    assert_int_equal(w->count, 0); /* nothing before it is up */
    go_up(w);
    assert_int_equal(w->count, PEOPLE);
    for (unsigned i = 0; i < PEOPLE; i++)
        assert_int_equal(w->log[i], i);
    assert_int_equal(w->states[7], PRES_BUSY);
    set(w, 3, PRES_OOF);
    settle(w);
    assert_int_equal(w->count, PEOPLE + 1);
    assert_int_equal(w->log[PEOPLE], 3);
    assert_int_equal(w->states[PEOPLE], PRES_OOF);
    world_free(&w);
}

/* While the outlet takes nothing, any number of changes of a person wait as one, and the last is what arrives. */
static void test_newest_replaces(void **state)
{
    struct world *w = world_new(1e6, 0);
    struct pres_publisher_status status;
    (void)state;
    go_up(w);
    w->answer = PRES_FULL;
    w->count = 0;
    for (unsigned round = 0; round < 10; round++) {
        for (pres_id id = 0; id < 3; id++)
            set(w, id, round % 2 ? PRES_BUSY : PRES_OOF);
        settle(w);
    }
    pres_publisher_status(w->p, &status);
    assert_int_equal(status.waiting, 3);
    assert_true(status.replaced >= 20);
    w->answer = PRES_DELIVERED;
    pres_publisher_room(w->p);
    settle(w);
    assert_true(w->count >= 3 && w->count <= 4); /* the one that was being tried may have changed meanwhile */
    for (unsigned i = 0; i < w->count; i++)
        assert_int_equal(w->states[i], PRES_BUSY);
    world_free(&w);
}

static void test_rate(void **state)
{
    struct world *w = world_new(100, 0);
    (void)state;
    go_up(w);
    unsigned burst = w->count;
    assert_true(burst <= 11);
    loop_advance(w->loop, 1000);
    assert_in_range(w->count, burst + 95, burst + 101);
    set(w, 499, PRES_BUSY); /* a change goes before what is only brought again */
    loop_advance(w->loop, 50);
    bool told = false;
    for (unsigned i = 0; i < w->count; i++)
        told = told || w->log[i] == 499;
    assert_true(told);
    world_free(&w);
}

static void test_parts(void **state)
{
    struct world *w = world_new(1e6, 0);
    (void)state;
    go_up(w);
    w->count = 0;
    w->more_left = 5;
    w->again_seen = false;
    set(w, 1, PRES_BUSY);
    settle(w);
    assert_int_equal(w->count, 1);
    assert_true(w->again_seen);
    world_free(&w);
}

static void test_back_off(void **state)
{
    struct world *w = world_new(1e6, 0);
    struct pres_publisher_status status;
    (void)state;
    pres_publisher_start(w->p);
    for (unsigned i = 1, wait_ms = 1000; i<10; i++, wait_ms = wait_ms * 2> 60000 ? 60000 : wait_ms * 2) {
        assert_int_equal(w->connects, i);
        pres_publisher_down(w->p, "tcp-refused", "nobody there", false);
        loop_advance(w->loop, wait_ms / 2);
        assert_int_equal(w->connects, i); /* a quarter is left to chance, no more */
        loop_advance(w->loop, wait_ms / 2);
        assert_int_equal(w->connects, i + 1);
    }
    pres_publisher_up(w->p); /* begins anew */
    settle(w);
    pres_publisher_down(w->p, "tcp-reset", "gone", false);
    w->count = 0;
    set(w, 9, PRES_BUSY);
    settle(w);
    assert_int_equal(w->count, 0);
    loop_advance(w->loop, 1000);
    pres_publisher_up(w->p);
    settle(w);
    assert_int_equal(w->count, PEOPLE);
    assert_int_equal(w->states[9], PRES_BUSY);

    pres_publisher_down(w->p, "xmpp-not-authorized", "no", true);
    unsigned before = w->connects;
    loop_advance(w->loop, 44000);
    assert_int_equal(w->connects, before);
    pres_publisher_status(w->p, &status);
    assert_string_equal(status.state, "waiting");
    assert_string_equal(status.code, "xmpp-not-authorized");
    loop_advance(w->loop, 16000);
    assert_int_equal(w->connects, before + 1);
    world_free(&w);
}

/* More wait than may: everybody is brought instead, nothing is lost. */
static void test_ceiling(void **state)
{
    struct world *w = world_new(1e6, 10);
    struct pres_publisher_status status;
    (void)state;
    go_up(w);
    w->answer = PRES_FULL;
    for (pres_id id = 0; id < 100; id++)
        set(w, id, PRES_BUSY);
    settle(w);
    pres_publisher_status(w->p, &status);
    assert_true(status.waiting <= 11);
    w->answer = PRES_DELIVERED;
    w->count = 0;
    pres_publisher_room(w->p);
    settle(w);
    enum pres_kind last[PEOPLE] = {PRES_FREE};
    for (unsigned i = 0; i < w->count; i++)
        last[w->log[i]] = w->states[i];
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(last[i], PRES_BUSY);
    world_free(&w);
}

/* Somebody is removed while waiting: not delivered, whoever has the id next is. */
static void test_removed(void **state)
{
    struct world *w = world_new(1e6, 0);
    (void)state;
    go_up(w);
    w->answer = PRES_FULL;
    set(w, 5, PRES_BUSY);
    set(w, 6, PRES_BUSY);
    settle(w);
    pres_table_remove(w->table, 5);
    pres_table_remove(w->table, 6);
    pres_publisher_people_changed(w->p);
    w->answer = PRES_DELIVERED;
    w->count = 0;
    pres_publisher_room(w->p);
    settle(w);
    assert_int_equal(w->count, PEOPLE - 2);
    for (unsigned i = 0; i < w->count; i++)
        assert_true(w->log[i] != 5 && w->log[i] != 6);
    world_free(&w);
}

static void test_farewell(void **state)
{
    struct world *w = world_new(1e6, 0);
    (void)state;
    assert_true(pres_publisher_farewell(w->p)); /* not up: nothing to say */
    go_up(w);
    assert_false(pres_publisher_farewell(w->p));
    assert_false(pres_publisher_farewell(w->p));
    assert_true(pres_publisher_farewell(w->p));
    pres_publisher_free(&w->p);
    assert_int_equal(w->disconnects, 1);
    w->freed = 1;
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resync_then_changes),
        cmocka_unit_test(test_newest_replaces),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_farewell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
