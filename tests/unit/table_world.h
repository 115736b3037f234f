/*
 * What the tests of table have in common: a table on a clock of ours, and what it reported.
 */
#ifndef UNIT_TABLE_WORLD_H
#define UNIT_TABLE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/loop.h"
#include "presence/table.h"
#include "table_private.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z */
#define DAY 86400
#define REPORTS_MAX 64

struct report {
    pres_id id;
    struct pres_presence now;
    int64_t at;
};

struct fixture {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct report reports[REPORTS_MAX]; /* the first ones since forget() */
    size_t n;
    pres_id remove, update; /* what the next change does, PRES_NOBODY: nothing */
};

static inline int64_t now_s(const struct fixture *f)
{
    return clk_wall_s(f->clk);
}

static inline void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct fixture *f = arg;
    pres_id other;

    if (f->n < REPORTS_MAX)
        f->reports[f->n] = (struct report){id, *now, now_s(f)};
    f->n++;
    if ((other = f->remove) != PRES_NOBODY) {
        f->remove = PRES_NOBODY;
        pres_table_remove(f->table, other);
    }
    if ((other = f->update) != PRES_NOBODY) {
        f->update = PRES_NOBODY;
        pres_table_update(f->table, other, NULL, 0, now_s(f), now_s(f) + DAY, now_s(f));
    }
}

static inline void setup(struct fixture *f)
{
    *f = (struct fixture){.remove = PRES_NOBODY, .update = PRES_NOBODY};
    f->clk = clk_fake_new(NOON * 1000);
    f->loop = loop_new(f->clk);
    f->table = pres_table_new(f->loop, on_change, f);
}

static inline void teardown(struct fixture *f)
{
    pres_table_free(&f->table);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
}

static inline void turns(struct fixture *f)
{
    for (unsigned i = 0; i < 3; i++)
        loop_turn(f->loop, 0);
}

static inline void forget(struct fixture *f)
{
    turns(f);
    f->n = 0;
}

static inline pres_id add(struct fixture *f, const char *address, const char *publish_as)
{
    return pres_table_add(
        f->table, &(struct pres_person_spec){
                      .address = address, .publish_as = publish_as, .group = "staff", .stale_after = 900, .server = 3});
}

/* An answer of now: busy in [start, end), free else, from yesterday to tomorrow. */
static inline void answer(struct fixture *f, pres_id id, int64_t start, int64_t end)
{
    struct pres_interval in = {start, end, PRES_BUSY};

    pres_table_update(f->table, id, &in, 1, NOON - DAY, NOON + DAY, now_s(f));
}

static inline enum pres_kind state_of(const struct fixture *f, pres_id id)
{
    struct pres_presence p;

    pres_table_presence(f->table, id, &p);
    return p.state;
}

#endif
