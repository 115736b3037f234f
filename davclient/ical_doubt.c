/*
 * ical_doubt: what is still known of an item that is refused. A rule that costs too much, a zone that nobody knows, an
 * end before its beginning: when the item is cannot be said, but when it cannot be often can. The rest of the window is
 * given away as not understood, which counts as busy: somebody must not look free because we gave up on a meeting. Who
 * cannot even be given a beginning is the caller's trouble. Called by ical.c and ical_series.c.
 */
#include <string.h>

#include "davclient/mark.h"
#include "ical_parts.h"

#define FARTHEST_EAST_S (14 * 3600) /* zones are between UTC-12 and UTC+14 */
#define FARTHEST_WEST_S (12 * 3600)

static int64_t earliest(const struct dav_when *when);
static int64_t latest(const struct dav_when *when);
static int64_t last_end(const struct dav_event *e);
static int64_t length_of(const struct dav_event *e);

bool dav_doubt_event(struct dav_spans *spans, const struct dav_event *e, int64_t from, int64_t until)
{
    struct dav_span span = {.kind = DAV_NOT_UNDERSTOOD, .traits = e->traits, .start = from, .end = until};
    bool marked = (e->traits & DAV_TRAIT_MARKS) != 0;

    if ((e->kind == DAV_FREE && !marked) || (e->traits & DAV_TRAIT_CANCELLED) != 0)
        return true;
    if (e->kind == DAV_FREE)
        span.kind = DAV_FREE;
    if (e->start.form == DAV_WHEN_NONE) {
        if (marked)
            dav_spans_add(spans, &span);
        return e->kind == DAV_FREE;
    }
    span.start = earliest(&e->start);
    if (e->end.form != DAV_WHEN_NONE && earliest(&e->end) < span.start && earliest(&e->end) > span.start - DAV_DAY_S)
        span.start = earliest(&e->end); /* the two were confused */
    span.end = e->recurs ? last_end(e) : latest(&e->start) + length_of(e);
    span.start = span.start > from ? span.start : from;
    span.end = span.end < until ? span.end : until;
    if (span.end > span.start)
        dav_spans_add(spans, &span);
    return true;
}

static int64_t earliest(const struct dav_when *when)
{
    if (when->tz != NULL)
        return dav_tz_to_utc(when->tz, when->local);
    return when->form == DAV_WHEN_UTC ? when->local : when->local - FARTHEST_EAST_S;
}

static int64_t latest(const struct dav_when *when)
{
    if (when->tz != NULL)
        return dav_tz_to_utc(when->tz, when->local);
    return when->form == DAV_WHEN_UTC ? when->local : when->local + FARTHEST_WEST_S;
}

/* The end of a series: only UNTIL says it without walking, and only where it is all that the series has. */
static int64_t last_end(const struct dav_event *e)
{
    int64_t last = latest(&e->start);

    if (e->broken || e->dates != NULL)
        return INT64_MAX;
    for (const struct dav_text *rule = e->rules; rule != NULL; rule = rule->next) {
        struct dav_rule parsed;

        if (!dav_rule_parse(rule->text, &parsed) || parsed.until.form == DAV_WHEN_NONE)
            return INT64_MAX;
        if (parsed.until.local + DAV_DAY_S > last)
            last = parsed.until.local + DAV_DAY_S;
    }
    return last + length_of(e);
}

/* Of one instance. What makes no sense is taken for a day. */
static int64_t length_of(const struct dav_event *e)
{
    int64_t length = DAV_DAY_S;

    if (e->end.form != DAV_WHEN_NONE)
        length = e->end.local - e->start.local;
    else if (e->has_length)
        length = e->length.days * DAV_DAY_S + e->length.seconds;
    return length > 0 ? length : DAV_DAY_S;
}
