/*
 * ical: one iCalendar text at a time to spans (see ical.h). A text is read once, line by line; its events are kept in
 * an arena until its end, because overrides and zone definitions may stand before or behind what they are about. Then
 * times are given their zones, events are grouped by UID, expanded, and handed over: all of a text or, when it was cut
 * or too large, nothing.
 *
 * Hostile input meets these bounds: bytes, nesting, events and spans of a text, steps of work and instances of an
 * event, and the arena itself. libical is only ever given single values.
 */
#include "ical.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "ical_parts.h"

#define DEPTH_MAX 16
#define DEFINITIONS_MAX 256
#define ARENA_MAX (128u * 1024 * 1024)

struct dav_ical {
    struct dav_ical_setup setup; /* numbers and callback; its texts are not ours */
    char **owners;
    struct dav_zones *zones;
    struct dav_tz *zone;     /* the calendar's */
    struct dav_tz *own_zone; /* the same when it came as a definition, ours to free */
    unsigned skipped;
    long steps_left; /* of all_steps */
    struct dav_spans spans;
};

enum component { NONE, VCALENDAR, VEVENT, VFREEBUSY, VTIMEZONE, OTHER };

/* A text while it is read. */
struct reading {
    struct dav_ical *ical;
    struct arena *arena;
    struct dav_lines lines;
    enum component stack[DEPTH_MAX];
    unsigned depth;
    bool any_calendar, cut, too_large;
    struct dav_event_reading event; /* of the VEVENT at hand */
    const char *zone_text;          /* of the VTIMEZONE at hand */
    struct dav_event **events;
    size_t event_count, event_cap, event_total;
    struct dav_tz *definitions[DEFINITIONS_MAX]; /* of this text */
    size_t definition_count;
    const char *last_tzid; /* looked up last: most events of a text are in one zone */
    struct dav_tz *last_tz;
    struct dav_compact *compact; /* NULL: to be expanded */
};

static void apply_defaults(struct dav_ical_setup *s);
static char **copy_owners(const char *const *owners);
static enum dav_ical_verdict read_text(struct dav_ical *ical, const char *text, size_t len,
                                       struct dav_compact *compact);
static void read_lines(struct reading *r);
static enum component component_of(const struct dav_line *line);
static void begin_component(struct reading *r, const struct dav_line *line);
static void end_component(struct reading *r, const struct dav_line *line);
static void end_event(struct reading *r);
static bool is_past(const struct reading *r, const struct dav_event *e);
static bool single_end(const struct dav_event *e, int64_t *ret);
static bool is_out_of_sight(const struct reading *r, const struct dav_event *e);
static void end_zone(struct reading *r);
static void read_freebusy(struct reading *r, const struct dav_line *line);
static enum dav_busy freebusy_kind(const struct dav_line *line);
static void expand(struct reading *r);
static bool resolve_event(struct reading *r, struct dav_event *e);
static bool resolve_dates(struct reading *r, struct dav_date *list);
static bool resolve(struct reading *r, struct dav_when *when);
static int compare_uids(const void *a, const void *b);
static enum dav_ical_verdict hand_over(struct dav_ical *ical);

struct dav_ical *dav_ical_new(const struct dav_ical_setup *setup)
{
    struct dav_ical *ical = mem_calloc(1, sizeof(*ical));

    icalerror_set_errors_are_fatal(0);
    ical->setup = *setup;
    ical->setup.zone = NULL;
    ical->setup.owners = NULL;
    apply_defaults(&ical->setup);
    ical->steps_left = ical->setup.all_steps;
    ical->owners = copy_owners(setup->owners);
    ical->zones = dav_zones_new();
    ical->zone = dav_zones_utc(ical->zones);
    ical->spans.max = ical->setup.max_spans;
    if (setup->zone != NULL && !dav_ical_set_zone(ical, setup->zone))
        dav_ical_free(&ical);
    return ical;
}

void dav_ical_free(struct dav_ical **ical)
{
    if (*ical == NULL)
        return;
    for (size_t i = 0; (*ical)->owners != NULL && (*ical)->owners[i] != NULL; i++)
        free((*ical)->owners[i]);
    free((*ical)->owners);
    dav_tz_free(&(*ical)->own_zone);
    dav_zones_free(&(*ical)->zones);
    free((*ical)->spans.items);
    free(*ical);
    *ical = NULL;
}

bool dav_ical_set_zone(struct dav_ical *ical, const char *name)
{
    struct dav_tz *tz = dav_zones_find(ical->zones, name);

    if (tz == NULL)
        return false;
    ical->zone = tz;
    return true;
}

bool dav_ical_set_timezone(struct dav_ical *ical, const char *text, size_t len)
{
    struct dav_lines lines;
    struct dav_line line;
    struct dav_tz *tz = NULL;
    const char *begin = NULL;

    dav_lines_init(&lines, text, len);
    while (tz == NULL && dav_lines_next(&lines, &line)) {
        if (line.prop == DAV_PROP_BEGIN && dav_line_value_is(&line, "VTIMEZONE"))
            begin = lines.at;
        else if (line.prop == DAV_PROP_END && begin != NULL && dav_line_value_is(&line, "VTIMEZONE"))
            tz = dav_zone_define(begin, (size_t)(lines.line_start - begin));
    }
    dav_lines_free(&lines);
    if (tz == NULL)
        return false;
    dav_tz_free(&ical->own_zone);
    ical->own_zone = tz;
    ical->zone = tz;
    return true;
}

bool dav_ical_timezone_id(const char *text, size_t len, char *out, size_t size)
{
    struct dav_lines lines;
    struct dav_line line;
    bool found = false;

    dav_lines_init(&lines, text, len);
    while (!found && dav_lines_next(&lines, &line)) {
        found = line.prop == DAV_PROP_TZID && line.value_len > 0 && line.value_len < size;
        if (found) {
            memcpy(out, line.value, line.value_len);
            out[line.value_len] = '\0';
        }
    }
    dav_lines_free(&lines);
    return found;
}

bool dav_ical_knows_zone(struct dav_ical *ical, const char *name)
{
    return dav_zones_find(ical->zones, name) != NULL;
}

enum dav_ical_verdict dav_ical_read(struct dav_ical *ical, const char *text, size_t len)
{
    return read_text(ical, text, len, NULL);
}

enum dav_ical_verdict dav_ical_compact(struct dav_ical *ical, const char *text, size_t len, struct buf *out,
                                       dav_ical_zone_fn *zones, void *arg)
{
    struct dav_compact compact = {.out = out, .on_zone = zones, .arg = arg};
    enum dav_ical_verdict verdict;
    size_t before = out->len;

    buf_init(&compact.zones, out->max);
    verdict = read_text(ical, text, len, &compact);
    if (verdict == DAV_ICAL_OK && out->len > before)
        buf_add(out, compact.zones.data, compact.zones.len);
    if (verdict == DAV_ICAL_OK && (out->failed || compact.zones.failed))
        verdict = DAV_ICAL_TOO_LARGE;
    buf_free(&compact.zones);
    return verdict;
}

unsigned dav_ical_skipped(const struct dav_ical *ical)
{
    return ical->skipped;
}

void dav_spans_add(struct dav_spans *spans, const struct dav_span *span)
{
    if (spans->count >= spans->max) {
        spans->full = true;
        return;
    }
    if (spans->count == spans->cap) {
        spans->cap = spans->cap == 0 ? 64 : spans->cap * 2;
        spans->items = mem_realloc(spans->items, spans->cap, sizeof(*spans->items));
    }
    spans->items[spans->count++] = *span;
}

static void apply_defaults(struct dav_ical_setup *s)
{
    s->max_bytes = s->max_bytes > 0 ? s->max_bytes : 64u * 1024 * 1024;
    s->max_components = s->max_components > 0 ? s->max_components : 100000;
    s->max_spans = s->max_spans > 0 ? s->max_spans : 100000;
    s->max_instances = s->max_instances > 0 ? s->max_instances : 5000;
    s->max_steps = s->max_steps > 0 ? s->max_steps : 1000000;
}

static char **copy_owners(const char *const *owners)
{
    size_t n = 0;
    char **copy;

    if (owners == NULL || owners[0] == NULL)
        return NULL;
    while (owners[n] != NULL)
        n++;
    copy = mem_calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = str_lower(mem_strdup(str_starts_nocase(owners[i], "mailto:") ? owners[i] + 7 : owners[i]));
    return copy;
}

static enum dav_ical_verdict read_text(struct dav_ical *ical, const char *text, size_t len, struct dav_compact *compact)
{
    struct reading *r;
    enum dav_ical_verdict verdict;

    if (len > ical->setup.max_bytes)
        return DAV_ICAL_TOO_LARGE;
    ical->spans.count = 0;
    ical->spans.full = false;
    dav_zones_trim(ical->zones);
    r = mem_calloc(1, sizeof(*r));
    r->ical = ical;
    r->compact = compact;
    r->arena = arena_new(ARENA_MAX);
    dav_lines_init(&r->lines, text, len);
    read_lines(r);
    if (!r->cut && !r->too_large && r->any_calendar && compact == NULL)
        expand(r);
    if (r->too_large || ical->spans.full)
        verdict = DAV_ICAL_TOO_LARGE;
    else if (!r->any_calendar)
        verdict = DAV_ICAL_NOT_CALENDAR;
    else
        verdict = r->cut ? DAV_ICAL_CUT : compact != NULL ? DAV_ICAL_OK : hand_over(ical);
    dav_lines_free(&r->lines);
    arena_free(&r->arena);
    free(r->events);
    free(r);
    return verdict;
}

static void read_lines(struct reading *r)
{
    struct dav_line line;

    while (!r->cut && !r->too_large && dav_lines_next(&r->lines, &line)) {
        enum component inside = r->depth > 0 ? r->stack[r->depth - 1] : NONE;

        if (line.prop == DAV_PROP_BEGIN)
            begin_component(r, &line);
        else if (line.prop == DAV_PROP_END)
            end_component(r, &line);
        else if (inside == VEVENT)
            dav_event_line(&r->event, &line);
        else if (inside == VFREEBUSY && line.prop == DAV_PROP_FREEBUSY && r->compact == NULL)
            read_freebusy(r, &line);
        if (r->compact != NULL && (inside == VEVENT || inside == VFREEBUSY))
            dav_compact_line(r->compact, &line, inside == VEVENT ? &r->event : NULL);
    }
    if (r->depth > 0)
        r->cut = true;
}

static enum component component_of(const struct dav_line *line)
{
    static const struct {
        const char *name;
        enum component component;
    } names[] = {{"VCALENDAR", VCALENDAR}, {"VEVENT", VEVENT}, {"VFREEBUSY", VFREEBUSY}, {"VTIMEZONE", VTIMEZONE}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (dav_line_value_is(line, names[i].name))
            return names[i].component;
    return OTHER;
}

/* Events count directly below a VCALENDAR only; whatever stands elsewhere is passed over with its whole inside. */
static void begin_component(struct reading *r, const struct dav_line *line)
{
    enum component c = component_of(line), inside = r->depth > 0 ? r->stack[r->depth - 1] : NONE;

    if (r->depth == DEPTH_MAX) {
        r->too_large = true;
        return;
    }
    if (c == VCALENDAR && inside == NONE)
        r->any_calendar = true;
    else if (c == VCALENDAR || inside != VCALENDAR)
        c = OTHER;
    r->stack[r->depth++] = c;
    if (c == VEVENT) {
        if (++r->event_total > r->ical->setup.max_components ||
            dav_event_begin(&r->event, r->arena, r->ical->owners) == NULL)
            r->too_large = true;
    } else if (c == VTIMEZONE) {
        r->zone_text = r->lines.at;
    }
    if (r->compact != NULL && (c == VEVENT || c == VFREEBUSY))
        dav_compact_begin(r->compact, c == VEVENT ? "VEVENT" : "VFREEBUSY");
}

static void end_component(struct reading *r, const struct dav_line *line)
{
    enum component c = component_of(line), inside;

    if (r->depth == 0) {
        r->cut = true;
        return;
    }
    inside = r->stack[--r->depth];
    if (inside != OTHER && inside != c) {
        r->cut = true; /* an END is missing: what is it that we did not get? */
        return;
    }
    if (r->compact != NULL && (inside == VEVENT || inside == VFREEBUSY))
        dav_compact_end(r->compact, inside == VEVENT ? "VEVENT" : "VFREEBUSY");
    if (inside == VEVENT)
        end_event(r);
    else if (inside == VTIMEZONE)
        end_zone(r);
}

static void end_event(struct reading *r)
{
    struct dav_event *e = r->event.event;

    dav_event_end(&r->event);
    if (r->compact != NULL) {
        if (!e->broken && is_past(r, e))
            dav_compact_drop(r->compact);
        return;
    }
    if (e->broken) {
        r->ical->skipped++;
        return;
    }
    if (is_out_of_sight(r, e))
        return;
    if (r->event_count == r->event_cap) {
        r->event_cap = r->event_cap == 0 ? 16 : r->event_cap * 2;
        r->events = mem_realloc(r->events, r->event_cap, sizeof(*r->events));
    }
    r->events[r->event_count++] = e;
}

/* The end of an event that happens once, as its wall clock shows it. False: it is broken, and to be counted. */
static bool single_end(const struct dav_event *e, int64_t *ret)
{
    *ret = e->start.local + DAV_DAY_S;
    if (e->end.form != DAV_WHEN_NONE)
        *ret = e->end.local;
    else if (e->has_length)
        *ret = e->start.local + e->length.days * DAV_DAY_S + e->length.seconds;
    return *ret >= e->start.local;
}

/* Most events of a calendar are single and long past: no zone could bring them into the window. */
static bool is_past(const struct reading *r, const struct dav_event *e)
{
    int64_t end;

    if (e->rules != NULL || e->dates != NULL || e->recurrence_id.form != DAV_WHEN_NONE || !single_end(e, &end))
        return false;
    return end + 3 * DAV_DAY_S < r->ical->setup.from;
}

static bool is_out_of_sight(const struct reading *r, const struct dav_event *e)
{
    int64_t end;

    if (e->rules != NULL || e->dates != NULL || e->recurrence_id.form != DAV_WHEN_NONE || !single_end(e, &end))
        return false;
    return end + 3 * DAV_DAY_S < r->ical->setup.from || e->start.local - 3 * DAV_DAY_S > r->ical->setup.until;
}

/* The same definition comes with every resource of a calendar: its text is the key under which the zone is kept. */
static void end_zone(struct reading *r)
{
    struct dav_zones *zones = r->ical->zones;
    size_t len = (size_t)(r->lines.line_start - r->zone_text);
    struct dav_tz *tz;
    char *key;

    len = strnlen(r->zone_text, len);
    if (r->definition_count == DEFINITIONS_MAX || len > 256 * 1024)
        return;
    key = arena_strndup(r->arena, r->zone_text, len);
    if (key == NULL)
        return;
    tz = dav_zones_defined(zones, key);
    if (tz == NULL) {
        tz = dav_zone_define(key, len);
        if (tz == NULL)
            return; /* then its name is looked up, as if it had not been defined */
        dav_zones_define(zones, key, tz);
    }
    r->definitions[r->definition_count++] = tz;
    if (r->compact != NULL)
        dav_compact_zone(r->compact, key, len);
}

static void read_freebusy(struct reading *r, const struct dav_line *line)
{
    struct dav_date *periods = NULL;
    enum dav_busy kind = freebusy_kind(line);

    if (kind == DAV_FREE || line->value_len == 0)
        return;
    if (!dav_line_dates(line, r->arena, &periods)) {
        r->ical->skipped++;
        return;
    }
    for (const struct dav_date *p = periods; p != NULL; p = p->next) {
        struct dav_span span = {.start = p->when.local, .kind = kind};

        span.end =
            p->end.form != DAV_WHEN_NONE ? p->end.local : span.start + p->length.days * DAV_DAY_S + p->length.seconds;
        if (!p->is_period || p->when.form != DAV_WHEN_UTC || span.end < span.start)
            r->ical->skipped++;
        else if (span.end > r->ical->setup.from && span.start < r->ical->setup.until && span.end > span.start)
            dav_spans_add(&r->ical->spans, &span);
    }
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

static void expand(struct reading *r)
{
    struct dav_ical *ical = r->ical;
    long steps = ical->setup.max_steps, limit;
    size_t kept = 0;

    if (ical->setup.all_steps != 0 && steps > ical->steps_left)
        steps = ical->steps_left;
    limit = steps;

    for (size_t i = 0; i < r->event_count; i++) {
        if (resolve_event(r, r->events[i]))
            r->events[kept++] = r->events[i];
        else
            ical->skipped++;
    }
    if (kept > 1)
        qsort(r->events, kept, sizeof(*r->events), compare_uids);
    for (size_t i = 0, n; i < kept; i += n) {
        struct dav_series series = {.events = r->events + i,
                                    .from = ical->setup.from,
                                    .until = ical->setup.until,
                                    .max_instances = ical->setup.max_instances,
                                    .steps = &steps,
                                    .spans = &ical->spans};

        for (n = 1; i + n < kept && r->events[i]->uid != NULL && compare_uids(&r->events[i], &r->events[i + n]) == 0;)
            n++;
        series.count = n;
        ical->skipped += dav_series_expand(&series);
    }
    ical->steps_left -= limit - steps;
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

static enum dav_ical_verdict hand_over(struct dav_ical *ical)
{
    for (size_t i = 0; i < ical->spans.count; i++)
        if (!ical->setup.on_span(ical->setup.arg, &ical->spans.items[i]))
            return DAV_ICAL_STOPPED;
    return DAV_ICAL_OK;
}
