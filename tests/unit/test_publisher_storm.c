/*
 * A change storm of a thousand people with several outlets, one of which hangs, is full for ever, or fails at once: the
 * others have everything in as many turns, and in as much time of the clock, as without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "presence/publisher.h"

enum { PEOPLE = 1000, OUTLETS = 3, TURNS_MAX = 10000 };
#define NOON INT64_C(1795348800)

enum manner { GOOD, FULL, DEAD, NEVER_UP };

struct outlet {
    enum manner manner;
    unsigned got, asked;
    struct pres_publisher *publisher;
};

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct outlet outlets[OUTLETS];
};

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    (void)now;
    for (unsigned i = 0; i < OUTLETS; i++)
        if (w->outlets[i].publisher)
            pres_publisher_changed(w->outlets[i].publisher, id);
}

static void nothing(void *outlet)
{
    (void)outlet;
}

static void disconnect(void *outlet, const char *why)
{
    (void)outlet, (void)why;
}

static enum pres_delivered deliver(void *outlet, struct pres_delivery *d)
{
    struct outlet *o = outlet;
    o->asked++;
    if (o->manner == FULL)
        return PRES_FULL;
    if (o->manner == DEAD) {
        pres_publisher_down(o->publisher, "tcp-reset", "dead", false);
        return PRES_FULL;
    }
    o->got++;
    d->sent = 1;
    return PRES_DELIVERED;
}

static const struct pres_outlet_ops ops = {
    .kind = "test", .connect = nothing, .disconnect = disconnect, .deliver = deliver, .free = nothing};

static void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

/* Turns until both good outlets have told of everybody, the third being of that manner; *ret_ms: by the clock. */
static unsigned storm(enum manner third, int64_t *ret_ms)
{
    struct world w = {.outlets = {{.manner = GOOD}, {.manner = GOOD}, {.manner = third}}};
    struct pres_publisher_settings s = {.name = "test", .rate = 5000};
    struct pres_interval busy = {.start = NOON - 60, .end = NOON + 3600, .kind = PRES_BUSY};
    unsigned turns = 0;
    log_set_sink(quiet, NULL);
    w.clk = clk_fake_new(NOON * 1000);
    w.loop = loop_new(w.clk);
    w.table = pres_table_new(w.loop, on_change, &w);
    for (unsigned i = 0; i < PEOPLE; i++) {
        char address[40];
        snprintf(address, sizeof address, "p%u@example.com", i);
        pres_table_add(w.table, &(struct pres_person_spec){.address = address, .stale_after = 100000});
    }
    for (unsigned i = 0; i < OUTLETS; i++) {
        w.outlets[i].publisher = pres_publisher_new(w.loop, w.table, &s, &ops, &w.outlets[i]);
        pres_publisher_start(w.outlets[i].publisher);
        if (w.outlets[i].manner != NEVER_UP)
            pres_publisher_up(w.outlets[i].publisher);
    }
    for (int i = 0; i < 100; i++)
        loop_advance(w.loop, 100);
    w.outlets[0].got = w.outlets[1].got = 0;
    for (pres_id id = pres_table_next(w.table, PRES_NOBODY); id != PRES_NOBODY; id = pres_table_next(w.table, id))
        pres_table_update(w.table, id, &busy, 1, NOON - 86400, NOON + 86400, NOON);
    int64_t began = clk_mono_ms(w.clk);
    while ((w.outlets[0].got < PEOPLE || w.outlets[1].got < PEOPLE) && ++turns < TURNS_MAX) {
        loop_turn(w.loop, 0);
        loop_advance(w.loop, 1);
    }
    *ret_ms = clk_mono_ms(w.clk) - began;
    assert_int_equal(w.outlets[0].got, PEOPLE);
    assert_int_equal(w.outlets[1].got, PEOPLE);
    if (third == FULL)
        assert_true(w.outlets[2].asked <= 2); /* it is not asked again and again */
    for (unsigned i = 0; i < OUTLETS; i++)
        pres_publisher_free(&w.outlets[i].publisher);
    pres_table_free(&w.table);
    loop_free(&w.loop);
    clk_fake_free(&w.clk);
    return turns;
}

static void the_others_finish(void **state)
{
    int64_t usual_ms, ms;
    unsigned usual = storm(GOOD, &usual_ms);
    (void)state;
    for (enum manner third = FULL; third <= NEVER_UP; third++) {
        unsigned turns = storm(third, &ms);
        if (turns > usual || ms > usual_ms)
            fail_msg("with an outlet of manner %d: %u turns and %d ms, usual are %u and %d", third, turns, (int)ms,
                     usual, (int)usual_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_others_finish)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
