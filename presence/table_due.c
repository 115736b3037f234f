/*
 * table_due: whose presence changes next. One heap over all persons who have a coming change, four children a node:
 * half as deep as with two, and the four lie side by side in one cache line. Moments stand in the heap itself, so that
 * comparing touches no record; the record knows its place, so that it can be moved when an answer changes its moment.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "table_private.h"

#define CHILDREN 4

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
