/*
 * rush: see rush.h. Counts, for each minute of the coming day, how many people's intervals begin or end in it. That is
 * a walk over everybody's calendar, so it is made in slices, one a turn, and only while somebody asks: the first
 * question begins it, and an answer older than a minute begins it again. A small company is counted at once.
 */
#include "rush.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"

enum { MINUTES = 24 * 60, SLICE = 2000, SLICE_MS = 3, LOOK = 64, GOOD_FOR_MS = 60000, NOBODY_FOR_MS = 4000 };

struct gw_rush {
    struct gateway *gateway;
    uint32_t counts[MINUTES]; /* of the walk under way */
    int64_t from;             /* its first minute, wall s */
    pres_id at;               /* the last one looked at */
    bool walking;
    int64_t counted_ms; /* monotonic, 0: never */
    struct gw_rush_view view;
};

static void slice(void *arg);
static void count(struct gw_rush *r, pres_id id);
static void finish(struct gw_rush *r);

struct gw_rush *gw_rush_new(struct gateway *g)
{
    struct gw_rush *r = mem_calloc(1, sizeof *r);
    r->gateway = g;
    return r;
}

void gw_rush_free(struct gw_rush **r)
{
    if (!*r)
        return;
    loop_undefer((*r)->gateway->loop, slice, *r);
    free(*r);
    *r = NULL;
}

bool gw_rush(struct gateway *g, struct gw_rush_view *ret)
{
    struct gw_rush *r = g->rush;
    if (!r)
        return false;
    int64_t now_ms = clk_mono_ms(loop_clk(g->loop)), now = clk_wall_s(loop_clk(g->loop));
    bool passed = r->view.at + 60 <= now;
    int64_t good_for = r->view.persons == 0 ? NOBODY_FOR_MS : passed ? 0 : GOOD_FOR_MS;
    if (!r->walking && (!r->counted_ms || now_ms - r->counted_ms >= good_for)) {
        memset(r->counts, 0, sizeof r->counts);
        r->from = now - now % 60;
        r->at = PRES_NOBODY;
        r->walking = true;
        slice(r);
    }
    *ret = r->view;
    return r->view.persons > 0 && r->view.at + 60 > now;
}

static void slice(void *arg)
{
    struct gw_rush *r = arg;
    const struct clk *clk = loop_clk(r->gateway->loop);
    int64_t stop_ms = clk_mono_ms(clk) + SLICE_MS;
    for (unsigned i = 1; i <= SLICE; i++) {
        r->at = pres_table_next(r->gateway->table, r->at);
        if (r->at == PRES_NOBODY) {
            finish(r);
            return;
        }
        count(r, r->at);
        if (i % LOOK == 0 && clk_mono_ms(clk) >= stop_ms)
            break;
    }
    loop_defer(r->gateway->loop, slice, r);
}

/* An end that is the next one's beginning is one change. */
static void count(struct gw_rush *r, pres_id id)
{
    struct pres_known known;
    pres_table_known(r->gateway->table, id, &known);
    int64_t now = clk_wall_s(loop_clk(r->gateway->loop)), until = r->from + MINUTES * 60, last = 0;
    size_t n = pres_set_count(known.set);
    for (size_t i = pres_set_find(known.set, now); i < n; i++) {
        struct pres_interval one = pres_set_at(known.set, i);
        if (one.start > now && one.start < until && one.start != last)
            r->counts[(one.start - r->from) / 60]++;
        if (one.end >= until || one.end >= known.until)
            break;
        if (one.end > now)
            r->counts[(one.end - r->from) / 60]++;
        last = one.end;
    }
}

static void finish(struct gw_rush *r)
{
    unsigned most = 0;
    for (unsigned i = 1; i < MINUTES; i++)
        most = r->counts[i] > r->counts[most] ? i : most;
    r->view = (struct gw_rush_view){r->from + most * 60, r->counts[most]};
    r->counted_ms = clk_mono_ms(loop_clk(r->gateway->loop));
    r->walking = false;
}
