/*
 * sim_publish: a task of the server (or Outlook) writes down every few minutes when somebody is busy, and that is what
 * free/busy shows. Busystatus as stored; cancelled and declined meetings, and damaged items, are left out.
 */
#include "sim_publish.h"

#include "base/mem.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_recur.h"
#include "sim_zone.h"

#include <stdlib.h>

struct run {
    int64_t start, end;
    enum sim_busy busy;
};

struct sim_published {
    unsigned revision; /* of the calendar */
    int64_t at;
    int64_t first, past;
    size_t count, cap;
    struct run runs[];
};

static void add(void *arg, const struct sim_instance *in)
{
    struct sim_published **p = arg;
    if (in->busy > SIM_OOF)
        return;
    if ((*p)->count == (*p)->cap) {
        size_t cap = (*p)->cap ? 2 * (*p)->cap : 16;
        *p = mem_realloc(*p, sizeof **p + cap * sizeof(struct run), 1);
        (*p)->cap = cap;
    }
    (*p)->runs[(*p)->count++] = (struct run){in->start, in->end, (enum sim_busy)in->busy};
}

void sim_publish(struct sim_mailbox *m, int64_t now, int64_t delay, int64_t first, int64_t past)
{
    struct sim_published *p = m->published;
    bool changed = !p || p->revision != m->revision, moved = p && (p->first != first || p->past != past);
    if (delay > 0 && p && !moved && (!changed || now < m->changed_at + delay))
        return;
    free(p);
    p = mem_calloc(1, sizeof *p);
    *p = (struct sim_published){.revision = m->revision, .at = now, .first = first, .past = past};
    for (size_t i = 0; i < m->count; i++) {
        const struct sim_item *item = m->items[i];
        struct sim_instance whole;
        if (item->cancelled || item->response == 4 || !item->has_end)
            continue;
        sim_recur_whole(item, &whole);
        if (whole.type == SIM_SINGLE)
            add(&p, &whole);
        else
            sim_recur_expand(item, first, past, add, &p);
    }
    m->published = p;
}

/* First moment of the month that lies `months` after the current one, on the mailbox's wall clock. */
static int64_t month_start(const struct sim *sim, const struct sim_mailbox *m, int64_t months)
{
    struct sim_civil c;
    sim_civil_of(sim_zone_to_local(m->zone, sim_now(sim)), &c);
    int64_t month0 = c.year * 12 + c.month - 1 + months;
    return sim_zone_to_utc(m->zone, utc_from_civil((int)(month0 / 12), (int)(month0 % 12) + 1, 1, 0, 0, 0));
}

void sim_publish_due(const struct sim *sim, struct sim_mailbox *m, int64_t *ret_first, int64_t *ret_past)
{
    *ret_first = month_start(sim, m, 0);
    *ret_past = month_start(sim, m, sim_fault_number(&sim->faults, m, SIM_F_FB_MONTHS));
    sim_publish(m, sim_now(sim), sim_fault_number(&sim->faults, m, SIM_F_FB_DELAY), *ret_first, *ret_past);
}

int64_t sim_published_at(const struct sim_mailbox *m)
{
    return m->published ? m->published->at : 0;
}

void sim_published_each(const struct sim_mailbox *m, sim_published_fn *fn, void *arg)
{
    for (size_t i = 0; m->published && i < m->published->count; i++)
        fn(arg, m->published->runs[i].start, m->published->runs[i].end, m->published->runs[i].busy);
}
