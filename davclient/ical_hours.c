/*
 * ical_hours: VAVAILABILITY (RFC 7953) as working hours. Each of them covers a stretch of time (all of it, when it has
 * neither DTSTART nor DTEND) and says by its AVAILABLEs, which recur as events do, when in that stretch the person can
 * be met; everything else there has its BUSYTYPE. Where several cover a moment the one with the highest priority
 * speaks, and of equals each has to agree before somebody is available. What they say is handed over with the trait
 * DAV_TRAIT_OUTSIDE_HOURS: it is no event, and any event goes before it.
 *
 * ical.c reads the components and expands the AVAILABLEs; here they are collected over all texts of a reading (a person
 * may have one for the usual week and one for the holidays, as two resources) and laid over each other at its end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ical_parts.h"

#define RANGES_MAX 64
#define FREE_MAX 20000

struct range {
    int64_t start, end;
    int rank; /* 1 is the strongest */
    enum dav_busy kind;
    struct dav_span *available; /* sorted, joined */
    size_t count;
};

struct dav_ranges {
    int64_t from, until;
    struct range *ranges;
    size_t count, free_count;
};

static size_t join(struct dav_span *spans, size_t count);
static size_t collect_edges(const struct dav_ranges *r, int64_t *edges);
static enum dav_busy kind_at(const struct dav_ranges *r, int64_t t);
static bool is_available(const struct range *range, int64_t t);
static int strength(enum dav_busy kind);
static int compare_spans(const void *a, const void *b);
static int compare_times(const void *a, const void *b);

void dav_hours_begin(struct dav_hours *h)
{
    memset(h, 0, sizeof(*h));
    h->kind = DAV_OOF; /* BUSY-UNAVAILABLE is the default (RFC 7953 3.2) */
}

/* An end or beginning that cannot be read is none: then it holds for longer, and nobody is available by mistake. */
void dav_hours_line(struct dav_hours *h, const struct dav_line *line, struct arena *arena)
{
    bool ok = true;

    if (line->prop == DAV_PROP_DTSTART) {
        ok = dav_line_when(line, arena, &h->start);
    } else if (line->prop == DAV_PROP_DTEND) {
        ok = dav_line_when(line, arena, &h->end);
    } else if (line->prop == DAV_PROP_DURATION) {
        h->has_length = !line->broken && dav_value_length(line->value, line->value_len, &h->length);
        ok = h->has_length;
    } else if (line->prop == DAV_PROP_BUSYTYPE) {
        h->kind = dav_hours_kind(line);
    } else if (line->prop == DAV_PROP_PRIORITY) {
        h->priority = !line->broken && line->value_len == 1 && line->value[0] >= '0' && line->value[0] <= '9'
                          ? line->value[0] - '0'
                          : 0;
    }
    h->broken = h->broken || !ok;
}

/* An unknown type is to be treated as BUSY-UNAVAILABLE (RFC 7953 3.2). */
enum dav_busy dav_hours_kind(const struct dav_line *line)
{
    if (dav_line_value_is(line, "BUSY"))
        return DAV_BUSY;
    return dav_line_value_is(line, "BUSY-TENTATIVE") ? DAV_TENTATIVE : DAV_OOF;
}

struct dav_ranges *dav_ranges_new(int64_t from, int64_t until)
{
    struct dav_ranges *r = mem_calloc(1, sizeof(*r));

    r->from = from;
    r->until = until;
    return r;
}

void dav_ranges_free(struct dav_ranges **rp)
{
    struct dav_ranges *r = *rp;

    *rp = NULL;
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        free(r->ranges[i].available);
    free(r->ranges);
    free(r);
}

bool dav_ranges_add(struct dav_ranges *r, const struct dav_hours *h, const struct dav_spans *free_time)
{
    struct range range = {.start = r->from, .end = r->until, .rank = h->priority > 0 ? h->priority : 10};

    if (r->count == RANGES_MAX || r->free_count + free_time->count > FREE_MAX)
        return false;
    if (h->start.form != DAV_WHEN_NONE)
        range.start = dav_tz_to_utc(h->start.tz, h->start.local);
    if (h->end.form != DAV_WHEN_NONE)
        range.end = dav_tz_to_utc(h->end.tz, h->end.local);
    else if (h->has_length && h->start.form != DAV_WHEN_NONE)
        range.end = dav_fix_end(h->start.tz, h->start.local, h->length);
    range.start = range.start > r->from ? range.start : r->from;
    range.end = range.end < r->until ? range.end : r->until;
    if (range.end <= range.start)
        return true;
    range.kind = h->kind;
    if (free_time->count > 0) {
        range.available = mem_calloc(free_time->count, sizeof(*range.available));
        memcpy(range.available, free_time->items, free_time->count * sizeof(*range.available));
        range.count = join(range.available, free_time->count);
    }
    r->free_count += range.count;
    r->ranges = mem_realloc(r->ranges, r->count + 1, sizeof(*r->ranges));
    r->ranges[r->count++] = range;
    return true;
}

void dav_ranges_hand_over(const struct dav_ranges *r, struct dav_spans *spans)
{
    struct dav_span span = {.traits = DAV_TRAIT_OUTSIDE_HOURS};
    int64_t *edges;
    size_t count;

    if (r->count == 0)
        return;
    edges = mem_calloc(2 * (r->count + r->free_count), sizeof(*edges));
    count = collect_edges(r, edges);
    for (size_t i = 0; i + 1 < count; i++) {
        enum dav_busy kind = kind_at(r, edges[i]);

        if (kind != span.kind || span.end != edges[i]) {
            if (span.kind != DAV_FREE)
                dav_spans_add(spans, &span);
            span.start = edges[i];
            span.kind = kind;
        }
        span.end = edges[i + 1];
    }
    if (span.kind != DAV_FREE)
        dav_spans_add(spans, &span);
    free(edges);
}

static size_t join(struct dav_span *spans, size_t count)
{
    size_t left = 0;

    qsort(spans, count, sizeof(*spans), compare_spans);
    for (size_t i = 1; i < count; i++) {
        if (spans[i].start > spans[left].end)
            spans[++left] = spans[i];
        else if (spans[i].end > spans[left].end)
            spans[left].end = spans[i].end;
    }
    return left + 1;
}

/* In order, each once. */
static size_t collect_edges(const struct dav_ranges *r, int64_t *edges)
{
    size_t n = 0, left = 0;

    for (size_t i = 0; i < r->count; i++) {
        const struct range *range = &r->ranges[i];

        edges[n++] = range->start;
        edges[n++] = range->end;
        for (size_t k = 0; k < range->count; k++) {
            const struct dav_span *a = &range->available[k];

            if (a->start > range->start && a->start < range->end)
                edges[n++] = a->start;
            if (a->end > range->start && a->end < range->end)
                edges[n++] = a->end;
        }
    }
    qsort(edges, n, sizeof(*edges), compare_times);
    for (size_t i = 1; i < n; i++)
        if (edges[i] != edges[left])
            edges[++left] = edges[i];
    return left + 1;
}

/* FREE also where nobody says anything. Of equals BUSY goes before BUSY-UNAVAILABLE before BUSY-TENTATIVE. */
static enum dav_busy kind_at(const struct dav_ranges *r, int64_t t)
{
    enum dav_busy kind = DAV_FREE;
    int rank = 11;

    for (size_t i = 0; i < r->count; i++) {
        const struct range *range = &r->ranges[i];

        if (t < range->start || t >= range->end || range->rank > rank)
            continue;
        if (range->rank < rank)
            kind = DAV_FREE;
        rank = range->rank;
        if (!is_available(range, t) && strength(range->kind) > strength(kind))
            kind = range->kind;
    }
    return kind;
}

static bool is_available(const struct range *range, int64_t t)
{
    size_t low = 0, high = range->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (range->available[mid].end > t)
            high = mid;
        else
            low = mid + 1;
    }
    return low < range->count && range->available[low].start <= t;
}

static int strength(enum dav_busy kind)
{
    return kind == DAV_BUSY ? 3 : kind == DAV_OOF ? 2 : kind == DAV_TENTATIVE ? 1 : 0;
}

static int compare_spans(const void *a, const void *b)
{
    const struct dav_span *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}
