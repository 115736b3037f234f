/*
 * marker: when whose marked events are, and what that means now. feed.c hands over what a calendar said; each person's
 * record has it at hand for the policy, which counts the moments at which it changes (gw_marks_next).
 *
 * Who has asked to be seen less is not seen more because we know less. It is kept with the outlets' rows in the state
 * file, under the address, so that a restart begins with it. And once the time is over for which the calendar was read,
 * the narrowest of what was there holds until it is read again.
 *
 * A row is "UNTIL", and " LEVEL START END" for each mark.
 */
#include "marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway_private.h"
#include "outlets_private.h"
#include "policy.h"
#include "presence/store.h"

#define SPACE "marker"

enum { MARKS_MAX = 64, ROW_MAX = 8192 };

struct gw_marked {
    char *address; /* lower case */
    int64_t until; /* wall s: what is known ends here */
    size_t count, max;
    struct gw_mark marks[];
};

struct gw_marks {
    struct gateway *g;
    struct map *by_address; /* of struct gw_marked */
    bool loaded;
};

static struct gw_marked *marked_new(const char *address, int64_t until, size_t max);
static void marked_free(struct gw_marked *one);
static void add(struct gw_marked *one, const struct gw_mark *mark);
static bool same(const struct gw_marked *a, const struct gw_marked *b);
static void keep(const struct gw_marks *m, const char *address, const struct gw_marked *one);
static void replace(struct gw_marks *m, const char *address, struct gw_marked *one);
static void take_row(void *arg, const char *key, const char *value);
static bool read_row(struct gw_marked *one, const char *value);
static void drop_all(struct gw_marks *m);
static char *lower_address(const struct gateway *g, pres_id id);
static int level_at(const struct gateway *g, pres_id id, int64_t at);
static int by_start(const void *a, const void *b);

struct gw_marks *gw_marks_new(struct gateway *g)
{
    struct gw_marks *m = mem_calloc(1, sizeof *m);
    m->g = g;
    m->by_address = map_new();
    return m;
}

void gw_marks_free(struct gw_marks **m)
{
    size_t pos = 0;
    if (!*m)
        return;
    for (struct gw_marked *one; (one = map_next((*m)->by_address, &pos));)
        marked_free(one);
    map_free(&(*m)->by_address);
    free(*m);
    *m = NULL;
}

void gw_marks_load(struct gw_marks *m)
{
    const struct pres_store *store = gw_outlets_store(m->g);
    if (m->loaded)
        return;
    m->loaded = true;
    store->load(store->impl, SPACE, take_row, m);
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(m->g->table, id)) != PRES_NOBODY;)
        gw_marks_apply(m, id);
    gw_marks_configured(m);
    gw_policy_soon(m->g);
}

void gw_marks_configured(struct gw_marks *m)
{
    if (!m->loaded || m->g->config->markers_count > 0 || gw_marks_count(m) == 0)
        return;
    drop_all(m);
    gw_policy_soon(m->g);
}

void gw_marks_apply(const struct gw_marks *m, pres_id id)
{
    char *address = lower_address(m->g, id);
    m->g->persons[id].marked = map_get(m->by_address, address);
    free(address);
}

void gw_marks_set(struct gw_marks *m, pres_id id, struct gw_mark *marks, size_t count, int64_t until)
{
    const struct gw_marked *before = m->g->persons[id].marked;
    if (!before && count == 0)
        return;
    char *address = lower_address(m->g, id);
    struct gw_marked *now = NULL;
    if (count > 0) {
        qsort(marks, count, sizeof *marks, by_start);
        now = marked_new(address, until, count);
        for (size_t i = 0; i < count; i++)
            add(now, &marks[i]);
    }
    if (before && now && same(before, now)) {
        marked_free(now);
    } else {
        int64_t at = clk_wall_s(loop_clk(m->g->loop));
        int was = level_at(m->g, id, at);
        keep(m, address, now);
        replace(m, address, now);
        gw_marks_apply(m, id);
        if (!now || level_at(m->g, id, at) != was)
            gw_policy_narrowed_otherwise(m->g, id);
        gw_policy_soon(m->g);
    }
    free(address);
}

void gw_marks_forget(struct gw_marks *m, const char *address)
{
    char *lower = str_lower(mem_strdup(address));
    pres_id id = pres_table_find(m->g->table, lower);
    if (map_get(m->by_address, lower)) {
        keep(m, lower, NULL);
        replace(m, lower, NULL);
    }
    if (id != PRES_NOBODY)
        gw_marks_apply(m, id);
    free(lower);
}

bool gw_marks_at(const struct gateway *g, pres_id id, int64_t at, enum pres_level *ret)
{
    const struct gw_marked *one = g->persons[id].marked;
    bool holds = false;
    for (size_t i = 0; one && i < one->count; i++) {
        const struct gw_mark *mark = &one->marks[i];
        bool on = at >= one->until || (mark->start <= at && at < mark->end);
        if (on && (!holds || mark->level < *ret))
            *ret = mark->level;
        holds |= on;
    }
    return holds;
}

int64_t gw_marks_until(const struct gateway *g, pres_id id, int64_t at)
{
    const struct gw_marked *one = g->persons[id].marked;
    int64_t until = PRES_NEVER;
    int before = level_at(g, id, at);
    for (size_t i = 0; one && i < 2 * one->count + 1; i++) {
        const struct gw_mark *mark = &one->marks[i / 2];
        int64_t edge = i == 2 * one->count ? one->until : i % 2 ? mark->end : mark->start;
        if (edge > at && edge < until && level_at(g, id, edge) != before)
            until = edge;
    }
    return until;
}

size_t gw_marks_count(const struct gw_marks *m)
{
    return m ? map_count(m->by_address) : 0;
}

int64_t gw_marks_next(const struct gw_marks *m, int64_t now)
{
    int64_t next = PRES_NEVER;
    size_t pos = 0;
    for (const struct gw_marked *one; m && (one = map_next(m->by_address, &pos));) {
        if (one->until > now && one->until < next)
            next = one->until;
        for (size_t i = 0; i < one->count; i++) {
            const struct gw_mark *mark = &one->marks[i];
            int64_t edge = mark->start > now ? mark->start : mark->end;
            if (edge > now && edge < next)
                next = edge;
        }
    }
    return next;
}

static struct gw_marked *marked_new(const char *address, int64_t until, size_t max)
{
    size_t room = max < MARKS_MAX ? max : MARKS_MAX;
    struct gw_marked *one = mem_calloc(1, sizeof *one + room * sizeof *one->marks);
    one->address = mem_strdup(address);
    one->until = until;
    one->max = room;
    return one;
}

static void marked_free(struct gw_marked *one)
{
    if (!one)
        return;
    free(one->address);
    free(one);
}

/* In the order of their beginnings. What touches another of the same level is one with it; where there are too many,
 * one covers them all. */
static void add(struct gw_marked *one, const struct gw_mark *mark)
{
    for (size_t i = 0; i < one->count; i++) {
        struct gw_mark *other = &one->marks[i];
        if (other->level == mark->level && mark->start <= other->end) {
            other->end = mark->end > other->end ? mark->end : other->end;
            return;
        }
    }
    if (one->count < one->max) {
        one->marks[one->count++] = *mark;
        return;
    }
    struct gw_mark whole = *mark;
    for (size_t i = 0; i < one->count; i++) {
        const struct gw_mark *other = &one->marks[i];
        whole.start = other->start < whole.start ? other->start : whole.start;
        whole.end = other->end > whole.end ? other->end : whole.end;
        whole.level = other->level < whole.level ? other->level : whole.level;
    }
    one->marks[0] = whole;
    one->count = 1;
}

static bool same(const struct gw_marked *a, const struct gw_marked *b)
{
    if (a->until != b->until || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->marks[i].start != b->marks[i].start || a->marks[i].end != b->marks[i].end ||
            a->marks[i].level != b->marks[i].level)
            return false;
    return true;
}

/* NULL: no more. */
static void keep(const struct gw_marks *m, const char *address, const struct gw_marked *one)
{
    const struct pres_store *store = gw_outlets_store(m->g);
    struct buf row;
    buf_init(&row, ROW_MAX);
    if (one)
        buf_addf(&row, "%" PRId64, one->until);
    for (size_t i = 0; one && i < one->count; i++)
        buf_addf(&row, " %s %" PRId64 " %" PRId64, pres_level_name(one->marks[i].level), one->marks[i].start,
                 one->marks[i].end);
    store->put(store->impl, SPACE, address, one ? row.data : NULL, NULL, NULL);
    buf_free(&row);
}

static void replace(struct gw_marks *m, const char *address, struct gw_marked *one)
{
    marked_free(map_del(m->by_address, address));
    if (one)
        map_put(m->by_address, one->address, one);
}

/* What cannot be read holds from now on, at the narrowest, until the calendar is read. */
static void take_row(void *arg, const char *key, const char *value)
{
    static const struct gw_mark narrowest = {.level = PRES_SEE_NOTHING};
    struct gw_marked *one = marked_new(key, 0, MARKS_MAX);
    if (!read_row(one, value)) {
        one->until = 0;
        one->count = 0;
        add(one, &narrowest);
    }
    replace(arg, key, one);
}

static bool read_row(struct gw_marked *one, const char *value)
{
    int used = 0;
    bool ok = sscanf(value, "%" SCNd64 "%n", &one->until, &used) == 1;
    for (value += used; ok && *value; value += used) {
        char level[16];
        struct gw_mark mark;
        ok = sscanf(value, " %15s %" SCNd64 " %" SCNd64 "%n", level, &mark.start, &mark.end, &used) == 3 &&
             pres_level_parse(level, &mark.level);
        if (ok)
            add(one, &mark);
    }
    return ok && one->count > 0;
}

static void drop_all(struct gw_marks *m)
{
    size_t pos = 0;
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(m->g->table, id)) != PRES_NOBODY;) {
        if (m->g->persons[id].marked)
            gw_policy_narrowed_otherwise(m->g, id);
        m->g->persons[id].marked = NULL;
    }
    for (struct gw_marked *one; (one = map_next(m->by_address, &pos));) {
        keep(m, one->address, NULL);
        marked_free(one);
    }
    map_free(&m->by_address);
    m->by_address = map_new();
}

static char *lower_address(const struct gateway *g, pres_id id)
{
    return str_lower(mem_strdup(pres_table_address(g->table, id)));
}

/* -1: none. */
static int level_at(const struct gateway *g, pres_id id, int64_t at)
{
    enum pres_level level = PRES_SEE_NOTHING;
    return gw_marks_at(g, id, at, &level) ? (int)level : -1;
}

static int by_start(const void *a, const void *b)
{
    const struct gw_mark *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}
