/*
 * demand: who is watched, and what follows for the polls. Event streams and outlets are asked whom they tell of; the
 * answer is kept as a set for a few seconds, so that nothing is to be kept in step with every subscription.
 *
 * Two uses. With `poll.demand: watched` nobody is asked about whom nobody watches, and whoever is watched from now on
 * is asked about at once: a timer looks for them, and a new event stream makes it look soon. And where a server's
 * budget is smaller than what is due, those who are watched by name come first, then those whose state is about to
 * change, then the others (poller.c sees to it that these come at all).
 */
#include "demand.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"

enum { KEPT_MS = 5000, LOOK_MS = 2000, SOON_S = 900 };

struct gw_demand {
    struct gateway *g;
    uint8_t *bits, *before; /* one a person */
    size_t size;            /* bytes of each */
    size_t count;
    bool everybody;
    int64_t at_ms; /* of the set; 0: never */
    struct loop_timer *timer;
};

static void mark(void *arg, pres_id id);
static void look(struct gw_demand *d);
static void look_if_old(struct gw_demand *d);
static void on_timer(void *arg);
static void wake_new(struct gw_demand *d);
static bool has(const struct gw_demand *d, const uint8_t *bits, uint32_t id);

struct gw_demand *gw_demand_new(struct gateway *g)
{
    struct gw_demand *d = mem_calloc(1, sizeof *d);
    d->g = g;
    d->timer = loop_timer_new(g->loop, "demand", on_timer, d);
    return d;
}

void gw_demand_free(struct gw_demand **d)
{
    if (!*d)
        return;
    loop_timer_free(&(*d)->timer);
    free((*d)->bits);
    free((*d)->before);
    free(*d);
    *d = NULL;
}

void gw_demand_apply(struct gateway *g)
{
    if (g->config->demand_watched)
        loop_timer_in(g->demand->timer, 0);
    else
        loop_timer_stop(g->demand->timer);
}

void gw_demand_changed(struct gateway *g)
{
    if (g->demand && g->config->demand_watched)
        loop_timer_in(g->demand->timer, 0);
}

enum gw_rank gw_demand_rank(struct gateway *g, uint32_t id)
{
    struct gw_demand *d = g->demand;
    struct pres_presence p;
    int64_t now = clk_wall_s(loop_clk(g->loop)), next;
    if (!d)
        return GW_RANK_LAST;
    look_if_old(d);
    if (has(d, d->bits, id))
        return GW_RANK_FIRST;
    if (g->config->demand_watched && !d->everybody)
        return GW_RANK_NOT;
    pres_table_presence(g->table, id, &p);
    next = p.until != PRES_NEVER && p.until > now ? p.until : p.next.some ? p.next.start : PRES_NEVER;
    return next != PRES_NEVER && next > now && next - now <= SOON_S ? GW_RANK_SOON : GW_RANK_LAST;
}

size_t gw_demand_count(const struct gateway *g)
{
    if (!g->demand)
        return SIZE_MAX;
    look_if_old(g->demand);
    return g->demand->everybody ? SIZE_MAX : g->demand->count;
}

static void mark(void *arg, pres_id id)
{
    struct gw_demand *d = arg;
    if (id / 8 >= d->size || d->bits[id / 8] >> id % 8 & 1)
        return;
    d->bits[id / 8] = (uint8_t)(d->bits[id / 8] | 1u << id % 8);
    d->count++;
}

static void look(struct gw_demand *d)
{
    size_t size = d->g->person_capacity / 8 + 1;
    uint8_t *bits = d->before;
    d->before = d->bits;
    d->bits = bits;
    if (size != d->size) {
        d->bits = mem_realloc(d->bits, size, 1);
        d->before = mem_realloc(d->before, size, 1);
        if (size > d->size)
            memset(d->before + d->size, 0, size - d->size);
        d->size = size;
    }
    memset(d->bits, 0, d->size);
    d->count = 0;
    d->everybody = !gw_http_watched(d->g->http, mark, d);
    d->everybody = !gw_outlets_watched(d->g, mark, d) || d->everybody;
    d->at_ms = clk_mono_ms(loop_clk(d->g->loop));
}

static void look_if_old(struct gw_demand *d)
{
    if (d->at_ms == 0 || clk_mono_ms(loop_clk(d->g->loop)) - d->at_ms >= KEPT_MS)
        look(d);
}

static void on_timer(void *arg)
{
    struct gw_demand *d = arg;
    bool everybody = d->everybody;
    look(d);
    if (!everybody)
        wake_new(d);
    loop_timer_in(d->timer, LOOK_MS);
}

/* Those who were not wanted at the last look. */
static void wake_new(struct gw_demand *d)
{
    for (size_t at = 0; at < d->size; at++) {
        if (!d->everybody && d->bits[at] == d->before[at])
            continue;
        for (unsigned bit = 0; bit < 8; bit++) {
            uint32_t id = (uint32_t)(at * 8 + bit);
            if ((d->everybody || has(d, d->bits, id)) && !has(d, d->before, id))
                gw_poller_wanted(d->g->poller, id);
        }
    }
}

static bool has(const struct gw_demand *d, const uint8_t *bits, uint32_t id)
{
    return id / 8 < d->size && bits[id / 8] >> id % 8 & 1;
}
