/*
 * outside_hours: time outside the working hours that a calendar publishes (RFC 7953) is no event: whatever event covers
 * a part of it goes before it there, however weak. Called by feed.c when an answer has such time.
 */
#include <stdlib.h>

#include "gateway_private.h"

/* Adds what of `span` no event in the set covers. Returns how many the scratch has then. */
static size_t add_rest(struct gateway *g, size_t n, const struct pres_set *events, const struct dav_span *span,
                       enum pres_kind kind)
{
    size_t i = pres_set_find(events, span->start), count = pres_set_count(events);
    int64_t at = span->start;

    for (; i < count && at < span->end; i++) {
        struct pres_interval event = pres_set_at(events, i);

        gw_feed_room(g, n + 2);
        if (event.start > at)
            g->scratch[n++] = (struct pres_interval){
                .start = at, .end = event.start < span->end ? event.start : span->end, .kind = kind};
        at = event.end > at ? event.end : at;
    }
    gw_feed_room(g, n + 1);
    if (at < span->end)
        g->scratch[n++] = (struct pres_interval){.start = at, .end = span->end, .kind = kind};
    return n;
}

size_t gw_hours_weigh(struct gateway *g, size_t n, const struct pres_rules *rules, const struct dav_result *result)
{
    struct pres_set *events = pres_set_build(g->scratch, n, result->from, result->until);

    for (size_t i = 0; i < result->count; i++) {
        const struct dav_span *span = &result->spans[i];
        enum pres_kind kind;

        if (!(span->traits & DAV_TRAIT_OUTSIDE_HOURS))
            continue;
        kind = pres_rules_apply(rules, (enum pres_kind)span->kind, span->traits);
        if (kind != PRES_FREE)
            n = add_rest(g, n, events, span, kind);
    }
    free(events);
    return n;
}
