/*
 * people_diff: see people_diff.h. For a reload (reload_run.c), for a changed CSV file (secrets.c), and at once for the
 * first configuration (people.c).
 *
 * First the roster from its first to its last person, each looked for in the table; then the table, for those whom the
 * roster did not name. Somebody who differs is only noted: people.c looks again at what it is, when the new
 * configuration is there. The list may have too many, never too few; so those of a relay are always on it, whose
 * settings are their own.
 */
#include "people_diff.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "forget.h"
#include "gateway_private.h"
#include "published.h"

enum { SLICE_MS = 4, STEP = 64, NO_SERVER = UINT16_MAX + 1 };

struct gw_people_diff {
    struct gateway *g;
    const struct gw_config *next;
    const struct gw_roster *roster;
    unsigned *was; /* for each server of `next`, which of today it is */
    uint8_t *seen; /* by id: the roster has them */
    size_t seen_size;
    size_t at_user;
    pres_id at;
    uint64_t generation;
    pres_id *gone;
    struct gw_people_pair *differing;
    size_t *fresh;
    size_t gone_count, gone_room, differing_count, differing_room, fresh_count, fresh_room;
    gw_people_diff_fn *done;
    void *arg;
};

static void slice(void *arg);
static bool step(struct gw_people_diff *d);
static void look_at_user(struct gw_people_diff *d, size_t i);
static bool differs(const struct gw_people_diff *d, pres_id id, const struct gw_user *u);
static void *room_for(void *list, size_t count, size_t *room, size_t size);

struct gw_people_diff *gw_people_diff_new(struct gateway *g, const struct gw_config *next,
                                          const struct gw_roster *roster, struct gw_server *const *servers,
                                          unsigned count)
{
    struct gw_people_diff *d = mem_calloc(1, sizeof *d);
    *d = (struct gw_people_diff){.g = g, .next = next, .roster = roster, .at = PRES_NOBODY};
    d->generation = g->people_generation;
    d->seen_size = g->person_capacity + 1;
    d->seen = mem_calloc(d->seen_size, 1);
    d->was = mem_calloc(next->servers_count + 1, sizeof *d->was);
    for (unsigned i = 0; i < next->servers_count; i++) {
        d->was[i] = NO_SERVER;
        for (unsigned k = 0; k < count; k++)
            if (strcmp(servers[k]->config->name, next->servers[i].name) == 0)
                d->was[i] = k;
    }
    return d;
}

void gw_people_diff_free(struct gw_people_diff **pd)
{
    struct gw_people_diff *d = *pd;
    if (!d)
        return;
    loop_undefer(d->g->loop, slice, d);
    free(d->was);
    free(d->seen);
    free(d->gone);
    free(d->differing);
    free(d->fresh);
    free(d);
    *pd = NULL;
}

void gw_people_diff_run(struct gw_people_diff *d, gw_people_diff_fn *done, void *arg)
{
    d->done = done;
    d->arg = arg;
    loop_defer(d->g->loop, slice, d);
}

void gw_people_diff_finish(struct gw_people_diff *d)
{
    while (step(d))
        ;
}

bool gw_people_diff_outdated(const struct gw_people_diff *d)
{
    return d->generation != d->g->people_generation;
}

const struct gw_roster *gw_people_diff_roster(const struct gw_people_diff *d)
{
    return d->roster;
}

const pres_id *gw_people_diff_gone(const struct gw_people_diff *d, size_t *ret_count)
{
    *ret_count = d->gone_count;
    return d->gone;
}

const struct gw_people_pair *gw_people_diff_differing(const struct gw_people_diff *d, size_t *ret_count)
{
    *ret_count = d->differing_count;
    return d->differing;
}

const size_t *gw_people_diff_fresh(const struct gw_people_diff *d, size_t *ret_count)
{
    *ret_count = d->fresh_count;
    return d->fresh;
}

/* One that is outdated is not worth going on with. */
static void slice(void *arg)
{
    struct gw_people_diff *d = arg;
    const struct clk *clk = loop_clk(d->g->loop);
    int64_t stop_ms = clk_mono_ms(clk) + SLICE_MS;
    bool more = !gw_people_diff_outdated(d);
    while (more && clk_mono_ms(clk) < stop_ms)
        more = step(d);
    if (more)
        loop_defer(d->g->loop, slice, d);
    else
        d->done(d->arg);
}

/* False: that was the last one. */
static bool step(struct gw_people_diff *d)
{
    for (unsigned i = 0; i < STEP; i++) {
        if (d->at_user < d->roster->count) {
            look_at_user(d, d->at_user++);
            continue;
        }
        d->at = pres_table_next(d->g->table, d->at);
        if (d->at == PRES_NOBODY)
            return false;
        if (d->seen[d->at])
            continue;
        d->gone = room_for(d->gone, d->gone_count, &d->gone_room, sizeof *d->gone);
        d->gone[d->gone_count++] = d->at;
    }
    return true;
}

static void look_at_user(struct gw_people_diff *d, size_t i)
{
    struct gateway *g = d->g;
    const struct gw_user *u = &d->roster->users[i];
    pres_id id = gw_forgotten_has(g, u->address) ? PRES_NOBODY : pres_table_find(g->table, u->address);
    if (id != PRES_NOBODY && !str_eq_nocase(pres_table_address(g->table, id), u->address))
        id = PRES_NOBODY; /* somebody was published under it so far */
    if (id == PRES_NOBODY) {
        d->fresh = room_for(d->fresh, d->fresh_count, &d->fresh_room, sizeof *d->fresh);
        d->fresh[d->fresh_count++] = i;
        return;
    }
    d->seen[id] = true;
    if (!differs(d, id, u))
        return;
    d->differing = room_for(d->differing, d->differing_count, &d->differing_room, sizeof *d->differing);
    d->differing[d->differing_count++] = (struct gw_people_pair){.id = id, .user = i};
}

static bool differs(const struct gw_people_diff *d, pres_id id, const struct gw_user *u)
{
    const struct pres_table *table = d->g->table;
    const struct gw_person *p = &d->g->persons[id];
    const char *published = u->publish_as ? u->publish_as : pres_table_address(table, id);
    const char *group = pres_table_group(table, id);
    struct pres_known known;
    if (d->was[u->server] != u->server || pres_table_server(table, id) != u->server ||
        d->next->servers[u->server].kind == GW_KIND_RELAY)
        return true;
    if (strcmp(pres_table_publish_as(table, id), published) != 0 ||
        (group && u->group ? strcmp(group, u->group) != 0 : group != u->group))
        return true;
    pres_table_known(table, id, &known);
    return known.stale_after != d->next->stale_after_s || p->ways != gw_published_ways(d->next, u) ||
           !gw_person_extra_same(p, u);
}

static void *room_for(void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return list;
    *room = *room ? 2 * *room : 64;
    return mem_realloc(list, *room, size);
}
