/*
 * ical_zone: a VTIMEZONE (RFC 5545 3.6.5) as a zone. Its observances (STANDARD, DAYLIGHT) each have onsets: the first
 * one, those of a rule, and dates. The onsets of all of them in order are the changes of the zone.
 *
 * Outlook begins its rules in 1601, others list a century of history, so onsets are only worked out for the years that
 * are asked about (and a year on both sides); an observance that has ended contributes its last one, because it may
 * still hold.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ical_parts.h"

#define OBSERVANCES_MAX 512
#define ONSETS_MAX 8192
#define STEPS_MAX 200000
#define LOOK_BACK_S (800LL * DAV_DAY_S) /* a yearly rule has an onset in any two years */

struct observance {
    struct dav_when start;
    int from_s, to_s;
    bool has_from, has_to;
    struct dav_text *rules;
    struct dav_date *dates;
};

struct onset {
    int64_t at;
    int from_s, to_s;
};

struct definition {
    struct arena *arena;
    const char *tzid;
    struct observance *observances;
    size_t count;
    struct onset *onsets;
    size_t onset_count;
};

static bool read_definition(struct definition *d, const char *text, size_t len);
static bool read_observance_line(struct definition *d, struct observance *o, const struct dav_line *line);
static void definition_free(void *arg);
static void fill(void *arg, struct dav_tz *tz, int64_t from, int64_t until);
static void add_onset(struct definition *d, const struct observance *o, int64_t local);
static void add_rule_onsets(struct definition *d, const struct observance *o, const char *text, int64_t from,
                            int64_t until, long *steps);
static int compare_onsets(const void *a, const void *b);

struct dav_tz *dav_zone_define(const char *text, size_t len)
{
    struct definition *d = mem_calloc(1, sizeof(*d));
    struct dav_tz *tz;

    d->arena = arena_new(1024 * 1024);
    d->observances = mem_calloc(OBSERVANCES_MAX, sizeof(*d->observances));
    if (!read_definition(d, text, len) || d->tzid == NULL || d->count == 0) {
        definition_free(d);
        return NULL;
    }
    d->observances = mem_realloc(d->observances, d->count, sizeof(*d->observances));
    tz = dav_tz_new(d->observances[0].to_s, fill, d, definition_free);
    dav_tz_set_name(tz, d->tzid);
    return tz;
}

static bool read_definition(struct definition *d, const char *text, size_t len)
{
    struct dav_lines lines;
    struct dav_line line;
    struct observance *o = NULL;
    bool ok = true;

    dav_lines_init(&lines, text, len);
    while (ok && dav_lines_next(&lines, &line)) {
        if (line.prop == DAV_PROP_BEGIN) {
            ok = o == NULL && d->count < OBSERVANCES_MAX &&
                 (dav_line_value_is(&line, "STANDARD") || dav_line_value_is(&line, "DAYLIGHT"));
            o = &d->observances[d->count];
        } else if (line.prop == DAV_PROP_END) {
            ok = o != NULL && o->start.form != DAV_WHEN_NONE && o->has_from && o->has_to;
            o = NULL;
            d->count++;
        } else if (o != NULL) {
            ok = read_observance_line(d, o, &line);
        } else if (line.prop == DAV_PROP_TZID && d->tzid == NULL) {
            d->tzid = arena_strndup(d->arena, line.value, line.value_len);
        }
    }
    dav_lines_free(&lines);
    return ok && o == NULL;
}

/* TZID parameters are not looked at: onsets are local times by definition, and a zone that names itself would go round
 * in circles. */
static bool read_observance_line(struct definition *d, struct observance *o, const struct dav_line *line)
{
    struct dav_text *rule;

    if (line->prop == DAV_PROP_DTSTART)
        return dav_value_when(line->value, line->value_len, &o->start);
    if (line->prop == DAV_PROP_TZOFFSETFROM) {
        o->has_from = true;
        return dav_value_offset(line->value, line->value_len, &o->from_s);
    }
    if (line->prop == DAV_PROP_TZOFFSETTO) {
        o->has_to = true;
        return dav_value_offset(line->value, line->value_len, &o->to_s);
    }
    if (line->prop == DAV_PROP_RDATE)
        return dav_line_dates(line, d->arena, &o->dates);
    if (line->prop != DAV_PROP_RRULE)
        return true;
    rule = arena_alloc(d->arena, sizeof(*rule));
    if (rule == NULL || (rule->text = arena_strndup(d->arena, line->value, line->value_len)) == NULL)
        return false;
    rule->next = o->rules;
    o->rules = rule;
    return true;
}

static void definition_free(void *arg)
{
    struct definition *d = arg;

    arena_free(&d->arena);
    free(d->observances);
    free(d->onsets);
    free(d);
}

static void fill(void *arg, struct dav_tz *tz, int64_t from, int64_t until)
{
    struct definition *d = arg;
    long steps = STEPS_MAX;

    d->onsets = mem_calloc(ONSETS_MAX, sizeof(*d->onsets));
    d->onset_count = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct observance *o = &d->observances[i];

        add_onset(d, o, o->start.local);
        for (const struct dav_date *date = o->dates; date != NULL; date = date->next)
            add_onset(d, o, date->when.local);
        for (const struct dav_text *rule = o->rules; rule != NULL; rule = rule->next)
            add_rule_onsets(d, o, rule->text, from, until, &steps);
    }
    qsort(d->onsets, d->onset_count, sizeof(*d->onsets), compare_onsets);
    dav_tz_restart(tz, d->onset_count > 0 ? d->onsets[0].from_s : d->observances[0].to_s);
    for (size_t i = 0; i < d->onset_count; i++)
        dav_tz_add(tz, d->onsets[i].at, d->onsets[i].to_s);
    free(d->onsets);
    d->onsets = NULL;
}

static void add_onset(struct definition *d, const struct observance *o, int64_t local)
{
    if (d->onset_count < ONSETS_MAX)
        d->onsets[d->onset_count++] = (struct onset){.at = local - o->from_s, .from_s = o->from_s, .to_s = o->to_s};
}

static void add_rule_onsets(struct definition *d, const struct observance *o, const char *text, int64_t from,
                            int64_t until, long *steps)
{
    struct dav_rule rule;
    struct dav_gen *gen;
    int64_t local, limit = until + 2 * DAV_DAY_S, begin = from;
    int left;

    if (!dav_rule_parse(text, &rule))
        return;
    left = rule.libical.count > 0 ? rule.libical.count - 1 : INT32_MAX;
    if (rule.until.form != DAV_WHEN_NONE && rule.until.local < begin)
        begin = rule.until.local;
    begin = rule.libical.count > 0 ? INT64_MIN / 4 : begin - LOOK_BACK_S;
    gen = dav_gen_new(&rule, o->start.local, o->start.form == DAV_WHEN_DATE, begin, limit);
    while (gen != NULL && left-- > 0 && dav_gen_next(gen, steps, &local) && local <= limit) {
        int64_t at = rule.until.form == DAV_WHEN_UTC ? local - o->from_s : local;

        if (rule.until.form != DAV_WHEN_NONE && at > rule.until.local)
            break;
        add_onset(d, o, local);
    }
    dav_gen_free(&gen);
}

static int compare_onsets(const void *a, const void *b)
{
    const struct onset *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}
