/*
 * page_find: looks for people among however many there are. A search walks everybody by id; all searches of a face
 * share one slice a turn, in turns, so that a hundred readers who type hold the loop no longer than one; while many
 * people change, the slice is small, for changes go first. Who is found is told at once, because nobody may hold a
 * person's id over a turn.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway.h"
#include "page.h"
#include "who.h"

enum { SLICE = 20000, SLICE_MS = 4, LOOK = 32, FINDS_MAX = 256 };

struct gw_find {
    struct gw_finds *room;
    struct gw_find *next;
    char *text, *group;
    int state;
    pres_id at;
    unsigned left;
    struct gw_who *who;
    const struct gw_find_ops *ops;
    void *arg;
};

struct gw_finds {
    struct gateway *gateway;
    struct gw_find *first, **last;
    unsigned count;
    bool deferred;
};

static void append(struct gw_finds *f, struct gw_find *find);
static void turn(void *arg);
static bool go_on(struct gw_finds *f, struct gw_find *find);
static bool matches(struct gw_finds *f, const struct gw_find *find, pres_id id);
static void unlink_find(struct gw_find *find);
static void find_free(struct gw_find *find);

struct gw_finds *gw_finds_new(struct gateway *g)
{
    struct gw_finds *f = mem_calloc(1, sizeof *f);
    f->gateway = g;
    f->last = &f->first;
    return f;
}

void gw_finds_free(struct gw_finds **f)
{
    if (!*f)
        return;
    loop_undefer(gw_loop((*f)->gateway), turn, *f);
    while ((*f)->first) {
        struct gw_find *find = (*f)->first;
        gw_find_cancel(&find);
    }
    free(*f);
    *f = NULL;
}

struct gw_find *gw_find_start(struct gw_finds *f, const struct gw_find_ask *ask, const struct gw_find_ops *ops,
                              void *arg)
{
    if (f->count == FINDS_MAX)
        return NULL;
    struct gw_find *find = mem_calloc(1, sizeof *find);
    *find = (struct gw_find){.room = f,
                             .text = mem_strdup(ask->text),
                             .group = mem_strdup_or_null(ask->group),
                             .state = ask->state,
                             .at = ask->after,
                             .left = ask->limit,
                             .who = gw_who_ref(ask->who),
                             .ops = ops,
                             .arg = arg};
    append(f, find);
    return find;
}

void gw_find_cancel(struct gw_find **find)
{
    if (!*find)
        return;
    unlink_find(*find);
    find_free(*find);
    *find = NULL;
}

static void wake(struct gw_finds *f)
{
    if (!f->deferred)
        loop_defer(gw_loop(f->gateway), turn, f);
    f->deferred = true;
}

static void append(struct gw_finds *f, struct gw_find *find)
{
    *f->last = find;
    f->last = &find->next;
    f->count++;
    wake(f);
}

/* The first one's slice; then it is the last one. */
static void turn(void *arg)
{
    struct gw_finds *f = arg;
    struct gw_find *find = f->first;
    f->deferred = false;
    if (!find)
        return;
    bool more = go_on(f, find);
    unlink_find(find);
    if (f->first)
        wake(f);
    if (more) {
        append(f, find);
        return;
    }
    bool rest = find->at != PRES_NOBODY && pres_table_next(gw_table(f->gateway), find->at) != PRES_NOBODY;
    find->ops->done(find->arg, find->at, rest);
    find_free(find);
}

/* False: it is at its end, because enough are found (`at` is the last one) or everybody was looked at. */
static bool go_on(struct gw_finds *f, struct gw_find *find)
{
    const struct clk *clk = loop_clk(gw_loop(f->gateway));
    int64_t stop_ms = clk_mono_ms(clk) + (pres_table_busy(gw_table(f->gateway)) ? 0 : SLICE_MS);
    for (unsigned i = 1; i <= SLICE; i++) {
        find->at = pres_table_next(gw_table(f->gateway), find->at);
        if (find->at == PRES_NOBODY)
            return false;
        if (matches(f, find, find->at)) {
            find->ops->found(find->arg, find->at);
            if (--find->left == 0)
                return false;
        }
        if (i % LOOK == 0 && clk_mono_ms(clk) >= stop_ms)
            break;
    }
    return true;
}

static bool has(const char *text, const char *part)
{
    return text && str_find_nocase(text, strlen(text), part);
}

/* The cheap questions first. */
static bool matches(struct gw_finds *f, const struct gw_find *find, pres_id id)
{
    struct pres_table *table = gw_table(f->gateway);
    const char *group = pres_table_group(table, id);
    if (find->group && (!group || strcmp(find->group, group) != 0))
        return false;
    if (find->text[0] && !has(pres_table_publish_as(table, id), find->text) &&
        !has(pres_table_address(table, id), find->text) && !has(group, find->text))
        return false;
    struct pres_presence now;
    return gw_page_see(f->gateway, find->who, id, &now) && (find->state < 0 || (int)now.state == find->state);
}

static void unlink_find(struct gw_find *find)
{
    struct gw_finds *f = find->room;
    struct gw_find **link = &f->first;
    while (*link != find)
        link = &(*link)->next;
    *link = find->next;
    if (f->last == &find->next)
        f->last = link;
    find->next = NULL;
    f->count--;
}

static void find_free(struct gw_find *find)
{
    gw_who_unref(&find->who);
    free(find->text);
    free(find->group);
    free(find);
}
