/*
 * recent: see recent.h. A map and, through its entries, a list in the order of use.
 */
#include "recent.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct entry {
    struct entry *newer, *older;
    char *key;
    max_align_t value[];
};

struct gw_recent {
    struct map *map;
    struct entry *newest, *oldest;
    size_t max, size;
    gw_recent_gone_fn *gone;
    void *arg;
};

static void link_newest(struct gw_recent *r, struct entry *e);
static void unlink_entry(struct gw_recent *r, struct entry *e);
static void drop(struct gw_recent *r, struct entry *e);

struct gw_recent *gw_recent_new(size_t max, size_t size, gw_recent_gone_fn *gone, void *arg)
{
    struct gw_recent *r = mem_calloc(1, sizeof *r);
    *r = (struct gw_recent){.map = map_new(), .max = max, .size = size, .gone = gone, .arg = arg};
    return r;
}

void gw_recent_free(struct gw_recent **r)
{
    if (!*r)
        return;
    gw_recent_clear(*r);
    map_free(&(*r)->map);
    free(*r);
    *r = NULL;
}

void gw_recent_clear(struct gw_recent *r)
{
    while (r->oldest)
        drop(r, r->oldest);
}

size_t gw_recent_count(const struct gw_recent *r)
{
    return map_count(r->map);
}

void *gw_recent_get(struct gw_recent *r, const char *key)
{
    struct entry *e = map_get(r->map, key);
    if (!e)
        return NULL;
    unlink_entry(r, e);
    link_newest(r, e);
    return e->value;
}

void *gw_recent_put(struct gw_recent *r, const char *key)
{
    void *there = gw_recent_get(r, key);
    if (there)
        return there;
    if (map_count(r->map) >= r->max)
        drop(r, r->oldest);
    struct entry *e = mem_calloc(1, sizeof *e + r->size);
    e->key = mem_strdup(key);
    map_put(r->map, e->key, e);
    link_newest(r, e);
    return e->value;
}

void gw_recent_del(struct gw_recent *r, const char *key)
{
    struct entry *e = map_get(r->map, key);
    if (e)
        drop(r, e);
}

static void link_newest(struct gw_recent *r, struct entry *e)
{
    e->newer = NULL;
    e->older = r->newest;
    if (r->newest)
        r->newest->newer = e;
    else
        r->oldest = e;
    r->newest = e;
}

static void unlink_entry(struct gw_recent *r, struct entry *e)
{
    if (e->newer)
        e->newer->older = e->older;
    else
        r->newest = e->older;
    if (e->older)
        e->older->newer = e->newer;
    else
        r->oldest = e->newer;
}

static void drop(struct gw_recent *r, struct entry *e)
{
    map_del(r->map, e->key);
    unlink_entry(r, e);
    if (r->gone)
        r->gone(r->arg, e->key, e->value);
    free(e->key);
    free(e);
}
