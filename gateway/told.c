/*
 * told: see told.h. Open addressing with linear probing; who is taken out leaves no mark, those behind move up.
 */
#include "told.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/map.h"
#include "base/mem.h"
#include "presence/state.h"

enum { FIRST_ROOM = 16 };

struct slot {
    uint64_t who, what; /* who 0: empty */
};

struct gw_told {
    struct slot *slots;
    size_t room, count; /* room: a power of two */
    uint64_t seed[2];
};

static struct slot *find(const struct gw_told *t, uint64_t who);
static void grow(struct gw_told *t);

struct gw_told *gw_told_new(void)
{
    struct gw_told *t = mem_calloc(1, sizeof *t);
    t->room = FIRST_ROOM;
    t->slots = mem_calloc(t->room, sizeof *t->slots);
    crypto_random(t->seed, sizeof t->seed);
    return t;
}

void gw_told_free(struct gw_told **t)
{
    if (!*t)
        return;
    free((*t)->slots);
    free(*t);
    *t = NULL;
}

uint64_t gw_told_who(const struct gw_told *t, const char *address)
{
    uint64_t who = map_hash(t->seed, address, strlen(address));
    return who ? who : 1;
}

uint64_t gw_told_what(const struct gw_told *t, const struct pres_presence *now)
{
    const struct pres_next none = {.some = false};
    const struct pres_next *next = now->next.some ? &now->next : &none;
    const char *reason = now->reason;
    size_t len = reason ? strlen(reason) : 0;
    int64_t words[8] = {(int64_t)now->state, now->since, now->until, next->some, (int64_t)next->kind, next->start,
                        next->end, reason ? (int64_t)map_hash(t->seed, reason, len) : 0};
    uint64_t what = map_hash(t->seed, words, sizeof words);
    return what ? what : 1;
}

uint64_t gw_told_get(const struct gw_told *t, uint64_t who)
{
    const struct slot *s = find(t, who);
    return s->who ? s->what : 0;
}

void gw_told_put(struct gw_told *t, uint64_t who, uint64_t what)
{
    struct slot *s = find(t, who);
    if (!s->who && t->count >= t->room / 4 * 3) {
        grow(t);
        s = find(t, who);
    }
    t->count += !s->who;
    *s = (struct slot){.who = who, .what = what};
}

void gw_told_drop(struct gw_told *t, uint64_t who)
{
    struct slot *gap = find(t, who);
    if (!gap->who)
        return;
    t->count--;
    size_t hole = (size_t)(gap - t->slots), mask = t->room - 1;
    for (size_t i = (hole + 1) & mask; t->slots[i].who; i = (i + 1) & mask) {
        size_t home = (size_t)t->slots[i].who & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) /* its way does not lead over the hole */
            continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = (struct slot){.who = 0};
}

size_t gw_told_count(const struct gw_told *t)
{
    return t->count;
}

static struct slot *find(const struct gw_told *t, uint64_t who)
{
    size_t i = (size_t)who & (t->room - 1);
    while (t->slots[i].who && t->slots[i].who != who)
        i = (i + 1) & (t->room - 1);
    return &t->slots[i];
}

static void grow(struct gw_told *t)
{
    struct slot *old = t->slots;
    size_t room = t->room;
    t->room *= 2;
    t->slots = mem_calloc(t->room, sizeof *t->slots);
    for (size_t i = 0; i < room; i++)
        if (old[i].who)
            *find(t, old[i].who) = old[i];
    free(old);
}
