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
static bool is_in_calendar(const struct dav_span *span);

bool gw_published_holds(const struct gw_published *o, int64_t delay_s)
{
    return o->as_of > 0 && !o->code && o->alone_as_of > 0 && !o->alone_code && o->changed_at > 0 &&
           o->as_of >= o->changed_at + delay_s && o->differs.at == 0;
}

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

void gw_published_keep_calendar(struct gw_published *o, const struct dav_result *result, int64_t now)
{
    int64_t from = now - now % PUBLISHED_SLOT_S, known = (result->until - from) / PUBLISHED_SLOT_S;

    o->calendar_from = from;
    o->calendar_count = known < 0 ? 0 : known < PUBLISHED_NEAR ? (unsigned)known : PUBLISHED_NEAR;
    memset(o->may, 0x11, sizeof(o->may)); /* free may be anywhere */
    memset(o->must, 0, sizeof(o->must));
    for (unsigned slot = 0; slot < o->calendar_count; slot++) {
        int64_t start = from + (int64_t)slot * PUBLISHED_SLOT_S, end = start + PUBLISHED_SLOT_S;
        unsigned may = 1, must = 0;
        for (size_t i = 0; i < result->count; i++) {
            const struct dav_span *span = &result->spans[i];
            unsigned mine = digit_of(span->kind);
            if (span->start < end + PUBLISHED_SLOT_S && span->end > start - PUBLISHED_SLOT_S)
                may |= span->kind > DAV_OOF ? 15 : 1u << mine;
            if (span->start <= start && span->end >= end && is_in_calendar(span) && mine > must)
                must = mine;
        }
        o->may[slot / 2] |= (uint8_t)(may << slot % 2 * 4);
        o->must[slot / 4] |= (uint8_t)(must << slot % 4 * 2);
    }
}

bool gw_published_contradicts(const struct gw_published *o, int64_t at, struct gw_differs *ret)
{
    static const enum dav_busy kinds[] = {DAV_FREE, DAV_TENTATIVE, DAV_BUSY, DAV_OOF};
    int64_t there = (at - o->near_from) / PUBLISHED_SLOT_S, here = (at - o->calendar_from) / PUBLISHED_SLOT_S;

    if (at < o->near_from || at < o->calendar_from || there >= (int64_t)o->near_count ||
        here >= (int64_t)o->calendar_count)
        return false;
    unsigned digit = o->near[there / 4] >> there % 4 * 2 & 3;
    unsigned may = o->may[here / 2] >> here % 2 * 4 & 15, must = o->must[here / 4] >> here % 4 * 2 & 3;
    bool invented = digit > 0 && !(may & 1u << digit);
    bool lacks = must > digit && !(must == 1 && digit == 0);
    *ret = (struct gw_differs){
        .at = o->near_from + there * PUBLISHED_SLOT_S, .published = kinds[digit], .calendar = kinds[must]};
    return invented || lacks;
}

void gw_published_look(struct gw_published *o, int64_t now)
{
    int64_t since = o->differs.since;
    bool before = o->differs.at != 0;
    struct gw_differs found = {.at = 0};

    if (before && o->differs.at + PUBLISHED_SLOT_S > now && gw_published_contradicts(o, o->differs.at, &found)) {
        o->differs = found; /* still */
        o->differs.since = since;
        o->differed++;
        return;
    }
    o->differs = (struct gw_differs){.at = 0};
    for (unsigned slot = 0; slot < PUBLISHED_NEAR && o->differs.at == 0; slot++) {
        int64_t at = o->near_from + (int64_t)slot * PUBLISHED_SLOT_S;
        if (at + PUBLISHED_SLOT_S > now && gw_published_contradicts(o, at, &found))
            o->differs = found;
    }
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

static bool is_in_calendar(const struct dav_span *span)
{
    return !(span->traits & (DAV_TRAIT_CANCELLED | DAV_TRAIT_DECLINED));
}
