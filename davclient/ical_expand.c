/*
 * ical_expand: from a text that was read to spans. At the end of a text all definitions of zones are known, so times
 * become moments; events are grouped by UID and expanded (ical_series.c), AVAILABLEs as well, which make no spans but
 * hours (ical_hours.c). The periods of a VFREEBUSY are spans as they stand.
 *
 * What is refused is counted and covered (ical_doubt.c); what cannot even be covered, because nothing says when it is,
 * is counted as lost: then nobody can say of any moment that it is free. Called by ical.c.
 */
#include <stdlib.h>
#include <string.h>

#include "ical_reading.h"

static enum dav_busy freebusy_kind(const struct dav_line *line);
static void add_period(struct reading *r, const struct dav_date *p, enum dav_busy kind);
static unsigned expand_all(struct reading *r, struct dav_event **events, size_t count, struct dav_spans *spans);
static void expand_hours(struct reading *r, struct dav_hours *h);
static bool resolve_event(struct reading *r, struct dav_event *e);
static bool resolve_dates(struct reading *r, struct dav_date *list);
static bool resolve(struct reading *r, struct dav_when *when);
static int compare_uids(const void *a, const void *b);

void dav_reading_refuse(struct reading *r, const struct dav_event *e)
{
    r->ical->skipped++;
    if (!dav_doubt_event(&r->ical->spans, e, r->ical->setup.from, r->ical->setup.until))
        r->ical->lost++;
}

void dav_reading_freebusy(struct reading *r, const struct dav_line *line)
{
    struct dav_date *periods = NULL;
    enum dav_busy kind = freebusy_kind(line);

    if (line->prop == DAV_PROP_DTSTART && !dav_line_when(line, r->arena, &r->busy_from))
        r->ical->covered_from = INT64_MAX; /* of which time is it? */
    if (line->prop == DAV_PROP_DTEND && !dav_line_when(line, r->arena, &r->busy_until))
        r->ical->covered_from = INT64_MAX;
    if (line->prop != DAV_PROP_FREEBUSY || kind == DAV_FREE || line->value_len == 0)
        return;
    if (!dav_line_dates(line, r->arena, &periods)) {
        r->ical->skipped++;
        r->ical->lost++;
        return;
    }
    for (const struct dav_date *p = periods; p != NULL; p = p->next)
        add_period(r, p, kind);
}

/* Several of them answer for what all of them cover. */
void dav_reading_freebusy_end(struct reading *r)
{
    struct dav_ical *ical = r->ical;
    int64_t t;

    ical->free_busies++;
    if (r->busy_from.form != DAV_WHEN_NONE && resolve(r, &r->busy_from)) {
        t = dav_tz_to_utc(r->busy_from.tz, r->busy_from.local);
        ical->covered_from = t > ical->covered_from ? t : ical->covered_from;
    }
    if (r->busy_until.form != DAV_WHEN_NONE && resolve(r, &r->busy_until)) {
        t = dav_tz_to_utc(r->busy_until.tz, r->busy_until.local);
        ical->covered_until = t < ical->covered_until ? t : ical->covered_until;
    }
    r->busy_from.form = DAV_WHEN_NONE;
    r->busy_until.form = DAV_WHEN_NONE;
}

void dav_reading_expand(struct reading *r)
{
    r->ical->skipped += expand_all(r, r->events, r->event_count, &r->ical->spans);
    for (struct dav_hours *h = r->hours; h != NULL; h = h->next)
        expand_hours(r, h);
}

enum dav_ical_verdict dav_reading_hand_over(struct dav_ical *ical)
{
    for (size_t i = 0; i < ical->spans.count; i++)
        if (!ical->setup.on_span(ical->setup.arg, &ical->spans.items[i]))
            return DAV_ICAL_STOPPED;
    return DAV_ICAL_OK;
}

/* An unknown type is to be treated as BUSY (RFC 5545 3.2.9). */
static enum dav_busy freebusy_kind(const struct dav_line *line)
{
    if (dav_line_param_is(line, "FBTYPE", "FREE"))
        return DAV_FREE;
    if (dav_line_param_is(line, "FBTYPE", "BUSY-TENTATIVE"))
        return DAV_TENTATIVE;
    return dav_line_param_is(line, "FBTYPE", "BUSY-UNAVAILABLE") ? DAV_OOF : DAV_BUSY;
}

static void add_period(struct reading *r, const struct dav_date *p, enum dav_busy kind)
{
    struct dav_ical *ical = r->ical;
    struct dav_span span = {.start = p->when.local, .kind = kind};

    span.end = p->end.form != DAV_WHEN_NONE ? p->end.local
                                            : span.start + p->length.days * DAV_DAY_S + p->length.seconds;
    if (!p->is_period || p->when.form != DAV_WHEN_UTC || span.end < span.start) {
        ical->skipped++;
        ical->lost++;
    } else if (span.end > ical->setup.from && span.start < ical->setup.until && span.end > span.start) {
        dav_spans_add(&ical->spans, &span);
    }
}

/* Returns how many were refused. */
static unsigned expand_all(struct reading *r, struct dav_event **events, size_t count, struct dav_spans *spans)
{
    struct dav_ical *ical = r->ical;
    long steps = ical->setup.max_steps, limit;
    unsigned refused = 0;
    size_t kept = 0;

    if (ical->setup.all_steps != 0 && steps > ical->steps_left)
        steps = ical->steps_left;
    limit = steps;
    for (size_t i = 0; i < count; i++) {
        if (resolve_event(r, events[i])) {
            events[kept++] = events[i];
        } else {
            dav_doubt_event(spans, events[i], ical->setup.from, ical->setup.until);
            refused++;
        }
    }
    if (kept > 1)
        qsort(events, kept, sizeof(*events), compare_uids);
    for (size_t i = 0, n; i < kept; i += n) {
        struct dav_series series = {.events = events + i,
                                    .from = ical->setup.from,
                                    .until = ical->setup.until,
                                    .max_instances = ical->setup.max_instances,
                                    .steps = &steps,
                                    .spans = spans};

        for (n = 1; i + n < kept && events[i]->uid != NULL && compare_uids(&events[i], &events[i + n]) == 0;)
            n++;
        series.count = n;
        refused += dav_series_expand(&series);
    }
    ical->steps_left -= limit - steps;
    return refused;
}

/* What makes nobody available for certain makes nobody available. */
static void expand_hours(struct reading *r, struct dav_hours *h)
{
    struct dav_ical *ical = r->ical;
    struct dav_spans spans = {.max = ical->setup.max_spans};
    size_t kept = 0;

    h->broken = h->broken || !resolve(r, &h->start) || !resolve(r, &h->end);
    if (h->broken) {
        ical->skipped++;
        h->start.form = h->start.tz != NULL ? h->start.form : DAV_WHEN_NONE;
        h->end.form = h->end.tz != NULL ? h->end.form : DAV_WHEN_NONE;
    }
    ical->skipped += expand_all(r, h->events, h->count, &spans);
    for (size_t i = 0; i < spans.count; i++)
        if (spans.items[i].kind != DAV_NOT_UNDERSTOOD)
            spans.items[kept++] = spans.items[i];
    spans.count = kept;
    if (ical->hours == NULL)
        ical->hours = dav_ranges_new(ical->setup.from, ical->setup.until);
    if (spans.full || !dav_ranges_add(ical->hours, h, &spans))
        r->too_large = true;
    free(spans.items);
}

static bool resolve_event(struct reading *r, struct dav_event *e)
{
    return resolve(r, &e->start) && resolve(r, &e->end) && resolve(r, &e->recurrence_id) &&
           resolve_dates(r, e->dates) && resolve_dates(r, e->ex_dates);
}

static bool resolve_dates(struct reading *r, struct dav_date *list)
{
    for (; list != NULL; list = list->next)
        if (!resolve(r, &list->when) || !resolve(r, &list->end))
            return false;
    return true;
}

/* A definition in the text goes before the name (RFC 5545 3.6.5). An unknown zone is not guessed. */
static bool resolve(struct reading *r, struct dav_when *when)
{
    switch (when->form) {
    case DAV_WHEN_NONE:
    case DAV_WHEN_DATE:
    case DAV_WHEN_FLOATING:
        when->tz = r->ical->zone;
        return true;
    case DAV_WHEN_UTC:
        when->tz = dav_zones_utc(r->ical->zones);
        return true;
    case DAV_WHEN_ZONED:
        break;
    }
    if (r->last_tzid == NULL || strcmp(r->last_tzid, when->tzid) != 0) {
        r->last_tzid = when->tzid;
        r->last_tz = NULL;
        for (size_t i = 0; i < r->definition_count && r->last_tz == NULL; i++)
            if (strcmp(dav_tz_name(r->definitions[i]), when->tzid) == 0)
                r->last_tz = r->definitions[i];
        if (r->last_tz == NULL)
            r->last_tz = dav_zones_find(r->ical->zones, when->tzid);
    }
    when->tz = r->last_tz;
    return when->tz != NULL;
}

/* Events without UID stand alone, at the beginning. */
static int compare_uids(const void *a, const void *b)
{
    const struct dav_event *x = *(struct dav_event *const *)a, *y = *(struct dav_event *const *)b;

    if (x->uid == NULL || y->uid == NULL)
        return (x->uid != NULL) - (y->uid != NULL);
    return strcmp(x->uid, y->uid);
}
