/*
 * ical_series: all events of one UID to spans (RFC 5545 3.8.4.4, 3.8.5).
 *
 * A master has instances: DTSTART, what its rules and RDATEs add, without what EXDATE and EXRULE take away and without
 * those that an override stands for. Instances and what takes them away are matched as moments, whatever form they are
 * written in. An override is an event of its own, wherever it lies and whether or not its master is there; one with
 * RANGE=THISANDFUTURE also shifts and restyles every later instance of the master (3.2.13; libical does not).
 *
 * The window looks back by the length of the event, and rules are entered close to it, not at their beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "davclient/mark.h"
#include "ical_parts.h"

/* Sorted moments, or days as local midnight. */
struct moments {
    int64_t *items;
    size_t count, cap;
};

/* The expansion of one master. */
struct expansion {
    const struct dav_series *s;
    const struct dav_event *master;
    struct moments gone;            /* instances taken away, as moments */
    struct moments gone_days;       /* as whole local days: EXDATE;VALUE=DATE of a timed event */
    const struct dav_event **later; /* overrides with THISANDFUTURE, by RECURRENCE-ID */
    size_t later_count;
    int64_t slack; /* how far outside the window an instance may begin that still touches it */
    long steps;    /* left for this event */
    unsigned instances;
};

static bool expand_master(const struct dav_series *s, const struct dav_event *master);
static void collect_overrides(struct expansion *x);
static void collect_gone(struct expansion *x, const struct dav_when *when);
static bool collect_ex_rules(struct expansion *x);
static bool add_rules(struct expansion *x);
static bool walk_rule(struct expansion *x, const char *text, bool exclude);
static bool add_dates(struct expansion *x);
static bool add_instance(struct expansion *x, int64_t local, const struct dav_date *period);
static int64_t span_slack(const struct dav_event *e);
static bool is_replaced(const struct dav_series *s, const struct dav_event *override);
static bool add_event(const struct dav_series *s, const struct dav_event *e);
static int64_t event_end(const struct dav_event *e, int64_t local, int64_t start);
static void add_span(const struct dav_series *s, const struct dav_event *e, int64_t start, int64_t end);
static int64_t moment_of(const struct dav_when *when);
static void moments_add(struct moments *m, int64_t t);
static void moments_sort(struct moments *m);
static bool moments_have(const struct moments *m, int64_t t);
static int compare_moments(const void *a, const void *b);
static int compare_overrides(const void *a, const void *b);

unsigned dav_series_expand(const struct dav_series *s)
{
    unsigned skipped = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct dav_event *e = s->events[i];
        size_t mark = s->spans->count;
        bool single = e->recurrence_id.form != DAV_WHEN_NONE || (e->rules == NULL && e->dates == NULL && s->count == 1);

        if (e->recurrence_id.form != DAV_WHEN_NONE && is_replaced(s, e))
            continue;
        if (single ? add_event(s, e) : expand_master(s, e))
            continue;
        s->spans->count = mark;
        dav_doubt_event(s->spans, e, s->from, s->until);
        skipped++;
    }
    return skipped;
}

/* False: it would take more work, or give more instances, than one event may, or it is broken. */
static bool expand_master(const struct dav_series *s, const struct dav_event *master)
{
    struct expansion x = {.s = s, .master = master, .slack = span_slack(master)};
    bool done;

    x.steps = *s->steps / 5;
    *s->steps -= x.steps;
    collect_overrides(&x);
    for (const struct dav_date *d = master->ex_dates; d != NULL; d = d->next)
        collect_gone(&x, &d->when);
    moments_sort(&x.gone_days);
    done = collect_ex_rules(&x);
    moments_sort(&x.gone);
    done = done && add_instance(&x, master->start.local, NULL) && add_dates(&x) && add_rules(&x);
    *s->steps += x.steps;
    free(x.gone.items);
    free(x.gone_days.items);
    free(x.later);
    return done;
}

static void collect_overrides(struct expansion *x)
{
    const struct dav_series *s = x->s;

    for (size_t i = 0; i < s->count; i++) {
        const struct dav_event *e = s->events[i];
        int64_t moved;

        if (e->recurrence_id.form == DAV_WHEN_NONE)
            continue;
        collect_gone(x, &e->recurrence_id);
        if (!e->this_and_future)
            continue;
        if (x->later == NULL)
            x->later = mem_calloc(s->count, sizeof(const struct dav_event *));
        x->later[x->later_count++] = e;
        moved = moment_of(&e->start) - moment_of(&e->recurrence_id);
        moved = (moved < 0 ? -moved : moved) + span_slack(e);
        x->slack = moved > x->slack ? moved : x->slack;
    }
    if (x->later_count > 0)
        qsort(x->later, x->later_count, sizeof(const struct dav_event *), compare_overrides);
}

/* A DATE that names an instance with a time of day means the one on that day: many programs write it, and whoever
 * deleted an instance meant it. */
static void collect_gone(struct expansion *x, const struct dav_when *when)
{
    if (when->form == DAV_WHEN_DATE && x->master->start.form != DAV_WHEN_DATE)
        moments_add(&x->gone_days, when->local);
    else
        moments_add(&x->gone, moment_of(when));
}

static bool collect_ex_rules(struct expansion *x)
{
    for (const struct dav_text *rule = x->master->ex_rules; rule != NULL; rule = rule->next)
        if (!walk_rule(x, rule->text, true))
            return false;
    return true;
}

/* 3.8.5.3 allows one rule and leaves several undefined; RFC 2445 made them a union, and libical looks at the first
 * only. */
static bool add_rules(struct expansion *x)
{
    for (const struct dav_text *rule = x->master->rules; rule != NULL; rule = rule->next)
        if (!walk_rule(x, rule->text, false))
            return false;
    return true;
}

static bool walk_rule(struct expansion *x, const char *text, bool exclude)
{
    const struct dav_when *start = &x->master->start;
    struct dav_rule rule;
    struct dav_run run;
    int64_t from = dav_tz_to_local(start->tz, x->s->from) - x->slack;
    int64_t to = dav_tz_to_local(start->tz, x->s->until) + x->slack;
    int64_t local;
    bool ok;

    if (!dav_rule_parse(text, &rule) || !dav_run_open(&run, &rule, start, from, to, &x->steps))
        return false;
    ok = true;
    while (ok && dav_run_next(&run, &local)) {
        if (rule.until.form == DAV_WHEN_UTC && dav_tz_to_utc(start->tz, local) > rule.until.local)
            break;
        if (!exclude)
            ok = local < from || add_instance(x, local, NULL);
        else if (local >= from)
            moments_add(&x->gone, dav_tz_to_utc(start->tz, local));
    }
    ok = ok && !run.failed;
    dav_run_close(&run);
    return ok;
}

static bool add_dates(struct expansion *x)
{
    for (const struct dav_date *d = x->master->dates; d != NULL; d = d->next) {
        int64_t local = d->when.local;

        /* An instance lives in its own zone from here on only if that is the master's. */
        if (d->when.tz != x->master->start.tz)
            local = dav_tz_to_local(x->master->start.tz, moment_of(&d->when));
        if (!add_instance(x, local, d->is_period ? d : NULL))
            return false;
    }
    return true;
}

/* One instance of the master, which began as `local`. */
static bool add_instance(struct expansion *x, int64_t local, const struct dav_date *period)
{
    const struct dav_event *e = x->master;
    struct dav_tz *tz = e->start.tz;
    int64_t start = dav_tz_to_utc(tz, local), end;

    if (moments_have(&x->gone, start) || moments_have(&x->gone_days, dav_day_of(local) * DAV_DAY_S))
        return true;
    for (size_t i = x->later_count; i-- > 0;) {
        const struct dav_event *later = x->later[i];

        if (moment_of(&later->recurrence_id) > start)
            continue;
        /* As far as the clock on the wall was moved, where both are on the same wall; else as far as the moment was. */
        if (later->start.tz == tz && later->recurrence_id.tz == tz)
            local += later->start.local - later->recurrence_id.local;
        else
            local = dav_tz_to_local(tz, start + moment_of(&later->start) - moment_of(&later->recurrence_id));
        start = dav_tz_to_utc(tz, local);
        e = later;
        break;
    }
    if (period == NULL || e != x->master)
        end = event_end(e, local, start);
    else if (period->end.form != DAV_WHEN_NONE)
        end = moment_of(&period->end);
    else
        end = dav_fix_end(tz, local, period->length);
    if (end < start)
        return false;
    if (end > x->s->from && start < x->s->until && ++x->instances > x->s->max_instances)
        return false;
    add_span(x->s, e, start, end);
    return true;
}

/* The event's length, generously, and a day for what zones may differ in. */
static int64_t span_slack(const struct dav_event *e)
{
    int64_t slack = 2 * DAV_DAY_S;

    if (e->end.form != DAV_WHEN_NONE)
        slack += moment_of(&e->end) - moment_of(&e->start);
    else if (e->has_length)
        slack += e->length.days * DAV_DAY_S + e->length.seconds;
    return slack > 2 * DAV_DAY_S ? slack : 2 * DAV_DAY_S;
}

/* Two overrides of one instance: the one with the higher SEQUENCE stands, of equals the last. */
static bool is_replaced(const struct dav_series *s, const struct dav_event *override)
{
    int64_t moment = moment_of(&override->recurrence_id);
    bool behind = false;

    if (s->count > 200)
        return false; /* quadratic; to count both is the safe side */
    for (size_t i = 0; i < s->count; i++) {
        const struct dav_event *e = s->events[i];

        if (e == override)
            behind = true;
        else if (e->recurrence_id.form != DAV_WHEN_NONE && moment_of(&e->recurrence_id) == moment &&
                 (e->sequence > override->sequence || (behind && e->sequence == override->sequence)))
            return true;
    }
    return false;
}

/* False: it ends before it begins. */
static bool add_event(const struct dav_series *s, const struct dav_event *e)
{
    int64_t start = moment_of(&e->start), end = event_end(e, e->start.local, start);

    add_span(s, e, start, end);
    return end >= start;
}

/*
 * 3.8.5.3: with DTEND all instances have the same exact length, with DURATION the same nominal one. Days of an all-day
 * event are days. Without either a DATE lasts its day, a DATE-TIME takes no time (3.6.1).
 */
static int64_t event_end(const struct dav_event *e, int64_t local, int64_t start)
{
    if (e->has_length)
        return dav_fix_end(e->start.tz, local, e->length);
    if (e->start.form == DAV_WHEN_DATE && (e->end.form == DAV_WHEN_NONE || e->end.form == DAV_WHEN_DATE)) {
        int64_t days = e->end.form == DAV_WHEN_NONE ? 1 : (e->end.local - e->start.local) / DAV_DAY_S;

        return dav_tz_to_utc(e->start.tz,
                             local + (days == 0 ? 1 : days) * DAV_DAY_S); /* DTEND on the same day is met, and meant */
    }
    if (e->end.form == DAV_WHEN_NONE)
        return start;
    return start + moment_of(&e->end) - moment_of(&e->start);
}

static void add_span(const struct dav_series *s, const struct dav_event *e, int64_t start, int64_t end)
{
    struct dav_span span = {.start = start, .end = end, .kind = e->kind, .traits = e->traits};

    bool tells = e->kind != DAV_FREE || (e->traits & DAV_TRAIT_MARKS) != 0;

    if (end > start && end > s->from && start < s->until && tells)
        dav_spans_add(s->spans, &span);
}

static int64_t moment_of(const struct dav_when *when)
{
    return dav_tz_to_utc(when->tz, when->local);
}

static void moments_add(struct moments *m, int64_t t)
{
    if (m->count == m->cap) {
        m->cap = m->cap == 0 ? 16 : m->cap * 2;
        m->items = mem_realloc(m->items, m->cap, sizeof(*m->items));
    }
    m->items[m->count++] = t;
}

static void moments_sort(struct moments *m)
{
    if (m->count > 1)
        qsort(m->items, m->count, sizeof(*m->items), compare_moments);
}

static bool moments_have(const struct moments *m, int64_t t)
{
    return m->count > 0 && bsearch(&t, m->items, m->count, sizeof(*m->items), compare_moments) != NULL;
}

static int compare_moments(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int compare_overrides(const void *a, const void *b)
{
    const struct dav_event *x = *(const struct dav_event *const *)a, *y = *(const struct dav_event *const *)b;
    int64_t s = moment_of(&x->recurrence_id), t = moment_of(&y->recurrence_id);

    return s < t ? -1 : s > t;
}
