/*
 * table: all persons. gateway's feed brings answers and failures in; the change function hears of every presence that
 * differs from the one last reported; whoever serves a request asks here.
 *
 * A person is one record of 56 bytes in a chunk that never moves, a packed set of intervals, a few texts in a slab, 8
 * bytes in the heap of coming changes and 4 bytes a slot in the index of names. This file keeps the records; the rest
 * has files of its own, listed in table_private.h. An answer only changes the record and notes the person for the end
 * of the turn: table_report.c then looks whether anything differs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "slab.h"
#include "table_private.h"

static pres_id id_take(struct pres_table *t);
static void id_give(struct pres_table *t, pres_id id);
static int64_t clamp(int64_t value, int64_t low, int64_t high);

struct pres_table *pres_table_new(struct loop *loop, pres_change_fn *change, void *arg)
{
    struct pres_table *t = mem_calloc(1, sizeof(*t));

    t->loop = loop;
    t->change = change;
    t->arg = arg;
    t->first_unused = PRES_NOBODY;
    t->slab = pres_slab_new();
    t->class_by_key = map_new();
    pres_report_start(t);
    return t;
}

void pres_table_free(struct pres_table **table)
{
    struct pres_table *t = *table;

    if (!t)
        return;
    pres_report_stop(t);
    for (pres_id id = 0; id < t->n_ids; id++)
        free(pres_person(t, id)->set);
    for (uint32_t i = 0; i < t->n_ids; i += PRES_CHUNK)
        free(t->chunks[i >> PRES_CHUNK_BITS]);
    free(t->chunks);
    free(t->slots);
    map_free(&t->class_by_key);
    pres_slab_free(&t->slab);
    for (uint32_t i = 0; i < t->n_classes; i++) {
        if (t->classes[i])
            free(t->classes[i]->key);
        free(t->classes[i]);
    }
    free(t->classes);
    free(t->free_classes);
    pres_age_free(t);
    free(t->due);
    free(t->batch);
    free(t);
    *table = NULL;
}

pres_id pres_table_add(struct pres_table *t, const struct pres_person_spec *spec)
{
    struct pres_class *class = pres_class_use(t, spec);
    struct pres_presence never;
    struct pres_person *p;
    pres_id id;

    if (!class)
        return PRES_NOBODY;
    id = id_take(t);
    p = pres_person(t, id);
    p->class = class->index;
    if (!pres_name_set(t, id, spec->address, spec->publish_as)) {
        pres_class_leave(t, class->index);
        id_give(t, id);
        return PRES_NOBODY;
    }
    t->count++;
    t->by_state[PRES_UNKNOWN]++;
    p->told_state = PRES_UNKNOWN;
    pres_report_presence(t, p, 0, &never); /* never read: what everybody takes for granted, and no news */
    pres_report_tell(t, p, &never);
    return id;
}

void pres_table_respec(struct pres_table *t, pres_id id, const struct pres_person_spec *spec)
{
    struct pres_person *p = pres_person(t, id);
    struct pres_class *class = pres_class_use(t, spec);

    if (class) {
        uint32_t as_of = p->as_of;

        pres_age_set(t, p, 0); /* it is counted with its server, which the class knows */
        pres_class_leave(t, p->class);
        p->class = class->index;
        pres_age_set(t, p, as_of);
    }
    if (strcmp(pres_table_publish_as(t, id), spec->publish_as ? spec->publish_as : pres_table_address(t, id)) != 0)
        pres_name_set(t, id, pres_table_address(t, id), spec->publish_as);
    pres_report_later(t, id);
}

void pres_table_remove(struct pres_table *t, pres_id id)
{
    struct pres_person *p = pres_person(t, id);

    pres_name_drop(t, id);
    pres_due_set(t, id, PRES_NEVER);
    pres_age_set(t, p, 0);
    pres_class_leave(t, p->class);
    if (p->set) /* pres_table_known may have lent it */
        loop_reap(t->loop, free, p->set);
    p->set = NULL;
    t->count--;
    t->by_state[p->told_state]--;
    id_give(t, id);
}

size_t pres_table_count(const struct pres_table *t)
{
    return t->count;
}

pres_id pres_table_next(const struct pres_table *t, pres_id id)
{
    for (id = id == PRES_NOBODY ? 0 : id + 1; id < t->n_ids; id++)
        if (pres_person(t, id)->used)
            return id;
    return PRES_NOBODY;
}

const char *pres_table_group(const struct pres_table *t, pres_id id)
{
    return t->classes[pres_person(t, id)->class]->group;
}

unsigned pres_table_server(const struct pres_table *t, pres_id id)
{
    return t->classes[pres_person(t, id)->class]->server;
}

void pres_table_update(struct pres_table *t, pres_id id, const struct pres_interval *in, size_t n, int64_t from,
                       int64_t until, int64_t as_of)
{
    int64_t now = clamp(clk_wall_s(loop_clk(t->loop)), 1, UINT32_MAX - 1);
    struct pres_person *p = pres_person(t, id);
    struct pres_set *set;

    as_of = clamp(as_of, 1, now);
    if (as_of < p->as_of &&
        p->as_of <= now) /* one from the future is of before the clock was set back: no reason to prefer it */
        return;
    from = clamp(from, 0, UINT32_MAX - 1);
    until = clamp(until, 0, UINT32_MAX - 1);
    set = pres_set_build(in, n, from, until);
    if (pres_set_equal(set, p->set)) {
        free(set);
    } else {
        if (p->set)
            loop_reap(t->loop, free, p->set);
        p->set = set;
    }
    p->from = (uint32_t)from;
    p->until = (uint32_t)until;
    pres_age_set(t, p, (uint32_t)as_of);
    p->reason = 0;
    pres_report_later(t, id);
}

void pres_table_confirm(struct pres_table *t, pres_id id, int64_t as_of)
{
    struct pres_person *p = pres_person(t, id);
    int64_t now = clamp(clk_wall_s(loop_clk(t->loop)), 1, UINT32_MAX - 1);

    as_of = clamp(as_of, 1, now);
    if (p->as_of == 0)
        return;
    if (as_of > p->as_of || p->as_of > now)
        pres_age_set(t, p, (uint32_t)as_of);
    p->reason = 0;
    pres_report_later(t, id);
}

void pres_table_fail(struct pres_table *t, pres_id id, const char *reason)
{
    pres_person(t, id)->reason = pres_report_reason(t, reason);
    pres_report_later(t, id);
}

void pres_table_withdraw(struct pres_table *t, pres_id id, const char *reason)
{
    struct pres_person *p = pres_person(t, id);

    if (p->set)
        loop_reap(t->loop, free, p->set);
    p->set = NULL;
    pres_age_set(t, p, 0);
    p->from = p->until = 0;
    p->reason = pres_report_reason(t, reason);
    pres_report_later(t, id);
}

void pres_table_presence(const struct pres_table *t, pres_id id, struct pres_presence *ret)
{
    pres_report_presence(t, pres_person(t, id), pres_report_now(t), ret);
}

void pres_table_known(const struct pres_table *t, pres_id id, struct pres_known *ret)
{
    pres_report_known(t, pres_person(t, id), ret);
}

void pres_table_stats(const struct pres_table *t, struct pres_table_stats *ret)
{
    *ret = (struct pres_table_stats){.persons = t->count, .transitions = t->transitions};
    for (unsigned i = 0; i < PRES_KINDS; i++)
        ret->by_state[i] = t->by_state[i];
    pres_report_hour(t, ret);
    ret->next_change_at = pres_due_first(t, NULL);
    ret->oldest_as_of = pres_age_oldest(t);
}

struct loop *pres_table_loop(const struct pres_table *t)
{
    return t->loop;
}

bool pres_table_busy(const struct pres_table *t)
{
    return t->deferred;
}

bool pres_table_assume(struct pres_table *t, pres_id id, int64_t at)
{
    struct pres_person *p = pres_person(t, id);
    struct pres_presence then;

    pres_report_presence(t, p, at, &then);
    if (then.state == PRES_UNKNOWN)
        return false;
    pres_report_tell(t, p, &then);
    return true;
}

bool pres_table_settled(const struct pres_table *t, int64_t now)
{
    return !t->deferred && pres_due_first(t, NULL) > now;
}

uint32_t pres_table_generation(const struct pres_table *t, pres_id id)
{
    return pres_table_has(t, id) ? pres_person(t, id)->generation : 0;
}

void pres_table_fetch(const struct pres_table *t, pres_id id)
{
    if (id < t->n_ids)
        __builtin_prefetch(pres_person(t, id));
}

/* How old the answer is and how long it lasts are told as they are now: they are no part of what makes a change. */
void pres_table_told(const struct pres_table *t, pres_id id, struct pres_presence *ret)
{
    const struct pres_person *p = pres_person(t, id);
    struct pres_presence now;

    pres_table_presence(t, id, &now);
    pres_report_told(t, p, ret);
    ret->as_of = now.as_of;
    ret->valid_until = ret->state == PRES_UNKNOWN ? 0 : now.valid_until;
}

/* A blank record, in use, of a generation that this id never had. */
static pres_id id_take(struct pres_table *t)
{
    pres_id id = t->first_unused;
    struct pres_person *p;
    uint32_t generation;

    if (id == PRES_NOBODY) {
        id = t->n_ids;
        if (id % PRES_CHUNK == 0) {
            t->chunks = mem_realloc(t->chunks, (id >> PRES_CHUNK_BITS) + 1, sizeof(*t->chunks));
            t->chunks[id >> PRES_CHUNK_BITS] = mem_calloc(PRES_CHUNK, sizeof(struct pres_person));
        }
        t->n_ids++;
        p = pres_person(t, id);
    } else {
        p = pres_person(t, id);
        t->first_unused = p->due_pos;
    }
    generation = p->generation + 1;
    *p = (struct pres_person){.due_pos = PRES_NOT_DUE, .generation = generation ? generation : 1, .used = 1};
    return id;
}

static void id_give(struct pres_table *t, pres_id id)
{
    struct pres_person *p = pres_person(t, id);

    p->used = 0;
    p->queued = 0; /* what the queue still holds of it will be passed over */
    p->due_pos = t->first_unused;
    t->first_unused = id;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}
