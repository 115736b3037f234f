/*
 * table_due: whose presence changes next. One heap over all persons who have a coming change, four children a node:
 * half as deep as with two, and the four lie side by side in one cache line. Moments stand in the heap itself, so that
 * comparing touches no record; the record knows its place, so that it can be moved when an answer changes its moment.
 *
 * Everybody who is due at one second is taken out of the way at once: they are the top of the heap, and gathered as a
 * list. Whoever is last in the heap is settled first. Then nobody who gets a later moment has anybody below who is
 * still due, and the million who change at nine o'clock cost no sinking through twenty levels each, but one comparison.
 * The list also tells whose record will be needed soon, so that memory is asked for ahead.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "table_private.h"

#define CHILDREN 4

#define BATCH_KEPT 1024 /* a list that grew beyond this in a storm is given back */
#define AHEAD_RECORD 24 /* persons from now, whose record is fetched */
#define AHEAD_SET 12    /* and whose intervals are */
#define LINE_BYTES 64

static void gather(struct pres_table *t);
static void fetch_ahead(const struct pres_table *t);
static void grow(struct pres_table *t);
static void place(struct pres_table *t, uint32_t pos, struct pres_due entry);
static void rise(struct pres_table *t, uint32_t pos, struct pres_due entry);
static void sink(struct pres_table *t, uint32_t pos, struct pres_due entry);

void pres_due_set(struct pres_table *t, pres_id id, int64_t at)
{
    struct pres_person *p = pres_person(t, id);
    uint32_t pos = p->due_pos;
    struct pres_due entry = {.at = at < UINT32_MAX ? (uint32_t)at : UINT32_MAX, .id = id};

    if (at == PRES_NEVER) {
        if (pos == PRES_NOT_DUE)
            return;
        p->due_pos = PRES_NOT_DUE;
        entry = t->due[--t->n_due]; /* the last one fills the gap */
        if (pos == t->n_due)
            return;
    } else if (pos == PRES_NOT_DUE) {
        grow(t);
        pos = t->n_due++;
    } else if (t->due[pos].at == entry.at) {
        return;
    }
    if (pos > 0 && entry.at < t->due[(pos - 1) / CHILDREN].at)
        rise(t, pos, entry);
    else
        sink(t, pos, entry);
}

int64_t pres_due_first(const struct pres_table *t, pres_id *ret_id)
{
    if (t->n_due == 0)
        return PRES_NEVER;
    if (ret_id)
        *ret_id = t->due[0].id;
    return t->due[0].at;
}

pres_id pres_due_take(struct pres_table *t, int64_t now, int64_t *ret_at)
{
    for (;;) {
        while (t->batch_len > 0) {
            pres_id id = t->batch[--t->batch_len];
            uint32_t pos;

            fetch_ahead(t);
            pos = pres_table_has(t, id) ? pres_person(t, id)->due_pos : PRES_NOT_DUE;
            if (pos != PRES_NOT_DUE && t->due[pos].at <= now) { /* no answer has moved it meanwhile */
                *ret_at = t->due[pos].at;
                return id;
            }
        }
        if (t->batch_cap > BATCH_KEPT) {
            free(t->batch);
            t->batch = NULL;
            t->batch_cap = 0;
        }
        if (pres_due_first(t, NULL) > now)
            return PRES_NOBODY;
        gather(t);
    }
}

/* Lists all who share the first moment: the heap's top, and of whoever has it those children who have it, too. */
static void gather(struct pres_table *t)
{
    uint32_t at = t->due[0].at;
    size_t n = 0, seen = 0;

    for (uint64_t pos = 0, end = 1;;) { /* positions, in ascending order */
        for (; pos < end; pos++) {
            if (t->due[pos].at != at)
                continue;
            if (n == t->batch_cap) {
                t->batch_cap = t->batch_cap ? 2 * t->batch_cap : 64;
                t->batch = mem_realloc(t->batch, t->batch_cap, sizeof(*t->batch));
            }
            t->batch[n++] = (pres_id)pos;
        }
        if (seen == n)
            break;
        pos = (uint64_t)t->batch[seen++] * CHILDREN + 1;
        end = pos + CHILDREN < t->n_due ? pos + CHILDREN : t->n_due;
    }
    for (size_t i = 0; i < n; i++)
        t->batch[i] = t->due[t->batch[i]].id;
    t->batch_len = n;
}

static void fetch_ahead(const struct pres_table *t)
{
    size_t left = t->batch_len;

    if (left >= AHEAD_RECORD)
        __builtin_prefetch(pres_person(t, t->batch[left - AHEAD_RECORD]), 1);
    if (left >= AHEAD_SET) {
        const char *set = (const char *)pres_person(t, t->batch[left - AHEAD_SET])->set;

        __builtin_prefetch(set);
        __builtin_prefetch(set + LINE_BYTES);
    }
}

static void grow(struct pres_table *t)
{
    if (t->n_due < t->cap_due)
        return;
    t->cap_due = t->cap_due ? 2 * t->cap_due : 64;
    t->due = mem_realloc(t->due, t->cap_due, sizeof(*t->due));
}

static void place(struct pres_table *t, uint32_t pos, struct pres_due entry)
{
    t->due[pos] = entry;
    pres_person(t, entry.id)->due_pos = pos;
}

static void rise(struct pres_table *t, uint32_t pos, struct pres_due entry)
{
    while (pos > 0 && entry.at < t->due[(pos - 1) / CHILDREN].at) {
        place(t, pos, t->due[(pos - 1) / CHILDREN]);
        pos = (pos - 1) / CHILDREN;
    }
    place(t, pos, entry);
}

static void sink(struct pres_table *t, uint32_t pos, struct pres_due entry)
{
    for (;;) {
        uint64_t first = (uint64_t)pos * CHILDREN + 1, least;

        if (first >= t->n_due)
            break;
        least = first;
        for (uint64_t child = first + 1; child < first + CHILDREN && child < t->n_due; child++)
            if (t->due[child].at < t->due[least].at)
                least = child;
        if (t->due[least].at >= entry.at)
            break;
        place(t, pos, t->due[least]);
        pos = (uint32_t)least;
    }
    place(t, pos, entry);
}
