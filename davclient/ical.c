/*
 * ical: one iCalendar text at a time to spans (see ical.h). A text is read once, line by line; its events are kept in
 * an arena until its end, because overrides and zone definitions may stand before or behind what they are about. Then
 * times are given their zones, events are grouped by UID, expanded, and handed over: all of a text or, when it was cut
 * or too large, nothing.
 *
 * Hostile input meets these bounds: bytes, nesting, events and spans of a text, steps of work and instances of an
 * event, and the arena itself. libical is only ever given single values.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "ical_reading.h"

#define ARENA_MAX (128u * 1024 * 1024)

static const char *const names[] = {
    [VCALENDAR] = "VCALENDAR", [VEVENT] = "VEVENT",
    [VFREEBUSY] = "VFREEBUSY", [VTIMEZONE] = "VTIMEZONE",
    [VAVAILABILITY] = "VAVAILABILITY", [AVAILABLE] = "AVAILABLE",
};

static void apply_defaults(struct dav_ical_setup *s);
static char **copy_owners(const char *const *owners);
static enum dav_ical_verdict read_text(struct dav_ical *ical, const char *text, size_t len,
                                       struct dav_compact *compact);
static void read_lines(struct reading *r);
static enum component component_of(const struct dav_line *line);
static bool is_kept(enum component c);
static void begin_component(struct reading *r, const struct dav_line *line);
static void begin_hours(struct reading *r);
static void end_component(struct reading *r, const struct dav_line *line);
static void end_event(struct reading *r, struct dav_event ***list, size_t *count, size_t *cap);
static bool is_past(const struct reading *r, const struct dav_event *e);
static bool single_end(const struct dav_event *e, int64_t *ret);
static bool is_out_of_sight(const struct reading *r, const struct dav_event *e);
static void end_zone(struct reading *r);

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
    dav_ranges_free(&(*ical)->hours);
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

unsigned dav_ical_lost(const struct dav_ical *ical)
{
    return ical->lost;
}

bool dav_ical_covered(const struct dav_ical *ical, int64_t *ret_from, int64_t *ret_until)
{
    *ret_from = ical->covered_from;
    *ret_until = ical->covered_until;
    return ical->free_busies > 0;
}

enum dav_ical_verdict dav_ical_hours(struct dav_ical *ical)
{
    ical->spans.count = 0;
    ical->spans.full = false;
    if (ical->hours == NULL)
        return DAV_ICAL_OK;
    dav_ranges_hand_over(ical->hours, &ical->spans);
    dav_ranges_free(&ical->hours);
    return ical->spans.full ? DAV_ICAL_TOO_LARGE : dav_reading_hand_over(ical);
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
    ical->covered_from = INT64_MIN;
    ical->covered_until = INT64_MAX;
    ical->free_busies = 0;
    dav_zones_trim(ical->zones);
    r = mem_calloc(1, sizeof(*r));
    r->ical = ical;
    r->compact = compact;
    r->arena = arena_new(ARENA_MAX);
    dav_lines_init(&r->lines, text, len);
    read_lines(r);
    if (!r->cut && !r->too_large && r->any_calendar && compact == NULL)
        dav_reading_expand(r);
    if (r->too_large || ical->spans.full)
        verdict = DAV_ICAL_TOO_LARGE;
    else if (!r->any_calendar)
        verdict = DAV_ICAL_NOT_CALENDAR;
    else
        verdict = r->cut ? DAV_ICAL_CUT : compact != NULL ? DAV_ICAL_OK : dav_reading_hand_over(ical);
    dav_lines_free(&r->lines);
    for (const struct dav_hours *h = r->hours; h != NULL; h = h->next)
        free(h->events);
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
        else if (inside == VEVENT || inside == AVAILABLE)
            dav_event_line(&r->event, &line);
        else if (inside == VAVAILABILITY)
            dav_hours_line(r->hours, &line, r->arena);
        else if (inside == VFREEBUSY && r->compact == NULL)
            dav_reading_freebusy(r, &line);
        if (r->compact != NULL && is_kept(inside))
            dav_compact_line(r->compact, &line, inside == VEVENT || inside == AVAILABLE ? &r->event : NULL);
    }
    if (r->depth > 0)
        r->cut = true;
}

static enum component component_of(const struct dav_line *line)
{
    for (enum component c = VCALENDAR; c < OTHER; c++)
        if (dav_line_value_is(line, names[c]))
            return c;
    return OTHER;
}

/* What is kept line by line. */
static bool is_kept(enum component c)
{
    return c == VEVENT || c == VFREEBUSY || c == VAVAILABILITY || c == AVAILABLE;
}

/* Events count directly below a VCALENDAR only; whatever stands elsewhere is passed over with its whole inside. */
static void begin_component(struct reading *r, const struct dav_line *line)
{
    enum component c = component_of(line), inside = r->depth > 0 ? r->stack[r->depth - 1] : NONE;

    if (r->depth == ICAL_DEPTH_MAX) {
        r->too_large = true;
        return;
    }
    if (c == VCALENDAR && inside == NONE)
        r->any_calendar = true;
    else if (c == VCALENDAR || inside != (c == AVAILABLE ? VAVAILABILITY : VCALENDAR))
        c = OTHER;
    r->stack[r->depth++] = c;
    if (is_kept(c) && ++r->event_total > r->ical->setup.max_components)
        r->too_large = true;
    else if (c == VEVENT || c == AVAILABLE)
        r->too_large = dav_event_begin(&r->event, r->arena, r->ical->owners) == NULL;
    else if (c == VAVAILABILITY)
        begin_hours(r);
    else if (c == VTIMEZONE)
        r->zone_text = r->lines.at;
    if (c == VEVENT)
        r->event.markers = r->ical->setup.markers;
    if (r->compact != NULL && is_kept(c))
        dav_compact_begin(r->compact, names[c]);
}

static void begin_hours(struct reading *r)
{
    struct dav_hours *h = arena_alloc(r->arena, sizeof(*h));

    if (h == NULL) {
        r->too_large = true;
        return;
    }
    dav_hours_begin(h);
    h->next = r->hours;
    r->hours = h;
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
    if (r->compact != NULL && is_kept(inside))
        dav_compact_end(r->compact, names[inside]);
    if (inside == VEVENT)
        end_event(r, &r->events, &r->event_count, &r->event_cap);
    else if (inside == AVAILABLE)
        end_event(r, &r->hours->events, &r->hours->count, &r->hours->cap);
    else if (inside == VFREEBUSY)
        dav_reading_freebusy_end(r);
    else if (inside == VTIMEZONE)
        end_zone(r);
}

static void end_event(struct reading *r, struct dav_event ***list, size_t *count, size_t *cap)
{
    struct dav_event *e = r->event.event;

    dav_event_end(&r->event);
    if (r->compact != NULL) {
        if (!e->broken && is_past(r, e))
            dav_compact_drop(r->compact);
        return;
    }
    if (e->broken && list == &r->events) {
        dav_reading_refuse(r, e);
        return;
    }
    if (e->broken) { /* an AVAILABLE that makes nobody available */
        r->ical->skipped++;
        return;
    }
    if (is_out_of_sight(r, e))
        return;
    if (*count == *cap) {
        *cap = *cap == 0 ? 16 : *cap * 2;
        *list = mem_realloc(*list, *cap, sizeof(**list));
    }
    (*list)[(*count)++] = e;
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
    if (r->definition_count == ICAL_DEFINITIONS_MAX || len > 256 * 1024)
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
