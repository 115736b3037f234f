/*
 * What the tests of watch have in common: persons who come, go and change. Each change is recognisable: everybody is
 * free until a moment that is a number of its own.
 */
#ifndef UNIT_WATCH_WORLD_H
#define UNIT_WATCH_WORLD_H

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
#include "presence/watch.h"
#include "table_private.h"

#define NOON INT64_C(1800014400)
#define IDS 24      /* persons at one time */
#define LIVES 20000 /* persons ever */
#define CLIENTS 6
#define STEPS 30000

/* What a client has seen of a person: the number of the change, or: */
enum { NOTHING_YET = -2, AT_FIRST = -1 };

static uint64_t seed;

static inline unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

struct life {
    int64_t first, last; /* `until` of its first and its last change, 0: none yet */
    bool over;
};

struct client {
    struct pres_watch *watch;
    char cursor[48];
    bool everybody;
    pres_id ids[IDS];
    size_t n_ids;
    bool listed[IDS];
    unsigned listed_life[IDS]; /* who had the listed ids when it asked first */
    bool told_over[LIVES];     /* it knows that this person was removed */
    int64_t seen[IDS];         /* by id: `until` of the last change seen, or one of the above */
    unsigned life[IDS];        /* whose that was */
    unsigned wakes;
};

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_journal *journal;
    struct life lives[LIVES];
    unsigned n_lives;
    unsigned life_of[IDS]; /* of the person who has the id now; 0: nobody */
    int64_t next_until;
    int64_t follows[LIVES]; /* change number (less NOON) -> the change of the same person after it */
    struct client clients[CLIENTS];
    unsigned behind, resumed, afresh, midway, told_over;
};

static struct world world; /* large */

static inline void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    struct life *life = &w->lives[w->life_of[id]];

    pres_journal_add(w->journal, id, now);
    assert_int_equal(now->state, PRES_FREE);
    assert_true(now->until > life->last && now->until - NOON < LIVES);
    if (life->last != 0)
        w->follows[life->last - NOON] = now->until;
    else
        life->first = now->until;
    life->last = now->until;
}

static inline void on_wake(void *arg)
{
    struct client *c = arg;

    c->wakes++;
}

static inline void world_new(struct world *w, size_t capacity)
{
    memset(w, 0, sizeof(*w));
    w->clk = clk_fake_new(NOON * 1000);
    w->loop = loop_new(w->clk);
    w->table = pres_table_new(w->loop, on_change, w);
    w->journal = pres_journal_new(w->table, capacity);
    w->next_until = NOON + 100;
    w->n_lives = 1;
}

static inline void world_free(struct world *w)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        pres_watch_free(&w->clients[i].watch);
    pres_journal_free(&w->journal);
    pres_table_free(&w->table);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
}

static inline void person_change(struct world *w, pres_id id)
{
    struct pres_interval in = {w->next_until++, NOON + 2 * LIVES, PRES_BUSY};

    pres_table_update(w->table, id, &in, 1, NOON - 10, NOON + 4 * LIVES, NOON);
}

static inline void person_add(struct world *w)
{
    char address[32];
    pres_id id;

    snprintf(address, sizeof(address), "p%u@example.com", w->n_lives);
    id = pres_table_add(w->table, &(struct pres_person_spec){.address = address, .stale_after = PRES_NEVER});
    assert_true(id < IDS);
    w->life_of[id] = w->n_lives++;
}

static inline void person_remove(struct world *w, pres_id id)
{
    pres_journal_remove(w->journal, id);
    pres_table_remove(w->table, id);
    w->lives[w->life_of[id]].over = true;
    w->life_of[id] = 0;
}

#endif
