/*
 * published_compare: does what a server publishes of a person agree with the person's calendar? Called with each answer
 * from the calendar, for the next hours.
 *
 * Some differences are none. The grid is a quarter of an hour, and servers mark a quarter too many rather than too few;
 * tentative time need not be published; and what is published is older than the calendar. So a quarter contradicts the
 * calendar when it has a kind that no appointment has in that quarter or its neighbours, or lacks the kind of an
 * appointment that fills it whole; and only one that does so again and again, for longer than publishing may take, is
 * worth telling (published.c).
 */
#include <string.h>

#include "published_private.h"

static unsigned digit_of(enum dav_busy kind);
static unsigned near_digit(const struct gw_published *o, int64_t at);
static bool is_in_calendar(const struct dav_span *span);

void gw_published_keep_near(struct gw_published *o, const struct dav_result *result, int64_t now)
{
    int64_t from = now - now % PUBLISHED_SLOT_S, known = (result->until - from) / PUBLISHED_SLOT_S;

    memset(o->near, 0, sizeof(o->near));
    o->near_from = from;
    o->near_count = known < 0 ? 0 : known < PUBLISHED_NEAR ? (unsigned)known : PUBLISHED_NEAR;
    for (size_t i = 0; i < result->count; i++) {
        const struct dav_span *span = &result->spans[i];
        int64_t first = (span->start - from) / PUBLISHED_SLOT_S, end = (span->end - from) / PUBLISHED_SLOT_S;
        for (int64_t slot = first > 0 ? first : 0; slot < end && slot < (int64_t)o->near_count; slot++)
            o->near[slot / 4] |= (uint8_t)(digit_of(span->kind) << slot % 4 * 2);
    }
}

bool gw_published_contradicts(const struct gw_published *o, const struct dav_span *spans, size_t count, int64_t at,
                              struct gw_differs *ret)
{
    static const enum dav_busy kinds[] = {DAV_FREE, DAV_TENTATIVE, DAV_BUSY, DAV_OOF};
    int64_t from = at - (at - o->near_from) % PUBLISHED_SLOT_S, until = from + PUBLISHED_SLOT_S;
    unsigned digit = near_digit(o, at), about = 1, fills = 0;

    for (size_t i = 0; i < count; i++) {
        const struct dav_span *span = &spans[i];
        unsigned mine = digit_of(span->kind);
        if (span->start < until + PUBLISHED_SLOT_S && span->end > from - PUBLISHED_SLOT_S)
            about |= span->kind > DAV_OOF ? 15 : 1u << mine;
        if (span->start <= from && span->end >= until && is_in_calendar(span) && mine > fills)
            fills = mine;
    }
    bool invented = digit > 0 && !(about & 1u << digit);
    bool lacks = fills > digit && !(fills == 1 && digit == 0);
    ret->at = from;
    ret->published = kinds[digit];
    ret->calendar = kinds[fills];
    return invented || lacks;
}

void gw_published_look(struct gw_published *o, const struct dav_span *spans, size_t count, int64_t now, int64_t until)
{
    int64_t end = o->near_from + (int64_t)o->near_count * PUBLISHED_SLOT_S;
    int64_t since = o->differs.since;
    struct gw_differs found;

    end = end < until ? end : until;
    if (o->differs.at != 0 && o->differs.at + PUBLISHED_SLOT_S > now && o->differs.at >= o->near_from &&
        o->differs.at < end && gw_published_contradicts(o, spans, count, o->differs.at, &found)) {
        o->differs = found; /* still */
        o->differs.since = since;
        o->differed++;
        return;
    }
    bool before = o->differs.at != 0;
    o->differs = (struct gw_differs){.at = 0};
    for (int64_t at = o->near_from; at < end && o->differs.at == 0; at += PUBLISHED_SLOT_S)
        if (at + PUBLISHED_SLOT_S > now && gw_published_contradicts(o, spans, count, at, &found))
            o->differs = found;
    if (o->differs.at == 0) {
        o->differed = 0;
        return;
    }
    bool goes_on = before && o->told; /* it was told of another quarter: that one is over, this one is no news */
    o->differs.since = goes_on ? since : now;
    o->differed = goes_on ? o->differed + 1 : 1;
}

static unsigned digit_of(enum dav_busy kind)
{
    return kind == DAV_TENTATIVE ? 1 : kind == DAV_BUSY ? 2 : kind == DAV_OOF ? 3 : 0;
}

static unsigned near_digit(const struct gw_published *o, int64_t at)
{
    int64_t slot = (at - o->near_from) / PUBLISHED_SLOT_S;

    return slot >= 0 && slot < (int64_t)o->near_count ? o->near[slot / 4] >> slot % 4 * 2 & 3 : 0;
}

static bool is_in_calendar(const struct dav_span *span)
{
    return !(span->traits & (DAV_TRAIT_CANCELLED | DAV_TRAIT_DECLINED));
}
