/*
 * http_view: see http_view.h; called by http_events.c for each event of such a stream.
 */
#include "http_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway.h"
#include "policy.h"
#include "presence/render.h"

/* What the viewer was told last of somebody. */
struct told {
    struct pres_presence now;
    char address[];
};

struct gw_view {
    struct gateway *g;
    const struct gw_who *who;
    struct map *told;    /* address -> struct told */
    const char *address; /* of the last event, */
    struct pres_presence now;
    bool last_word; /* after which there is no such person */
};

struct list {
    pres_id *ids;
    size_t count;
};

static bool look(struct gw_view *v, const struct pres_event *event);
static void add_id(void *arg, pres_id id);

struct gw_view *gw_view_new(struct gateway *g, const struct gw_who *who)
{
    struct gw_view *v = mem_calloc(1, sizeof *v);
    *v = (struct gw_view){.g = g, .who = who, .told = map_new()};
    return v;
}

void gw_view_free(struct gw_view **v)
{
    size_t pos = 0;
    if (!*v)
        return;
    for (void *told; (told = map_next((*v)->told, &pos));)
        free(told);
    map_free(&(*v)->told);
    free(*v);
    *v = NULL;
}

bool gw_view_event(struct gw_view *v, const struct pres_event *event, struct buf *out)
{
    if (!look(v, event))
        return false;
    buf_adds(out, "event: presence\ndata: ");
    pres_render_json(out, v->address, &v->now);
    buf_adds(out, "\n\n");
    return true;
}

void gw_view_said(struct gw_view *v)
{
    struct told *told = map_get(v->told, v->address);
    if (v->last_word) {
        free(map_del(v->told, v->address));
        return;
    }
    if (!told) {
        size_t len = strlen(v->address) + 1;
        told = mem_calloc(1, sizeof *told + len);
        memcpy(told->address, v->address, len);
        map_put(v->told, told->address, told);
    }
    told->now = v->now;
}

struct pres_watch *gw_view_again(struct gw_view *v, const struct pres_watch *old, pres_journal_fn *wake, void *arg)
{
    struct list list = {.ids = NULL};
    bool named = pres_watch_each(old, add_id, &list);
    if (named && !list.ids)
        list.ids = mem_calloc(1, sizeof *list.ids); /* nobody is left; NULL would be everybody */
    struct pres_watch *again = pres_watch_new(gw_journal(v->g), list.ids, list.count, NULL, wake, arg);
    free(list.ids);
    return again;
}

/* Fills address, now and last_word. False: for this viewer nothing has changed. */
static bool look(struct gw_view *v, const struct pres_event *event)
{
    v->address = event->removed ? event->removed : pres_table_publish_as(gw_table(v->g), event->id);
    const struct told *told = map_get(v->told, v->address);
    v->last_word = event->removed || !gw_policy_presence(v->g, v->who, event->id, &v->now);
    if (v->last_word)
        v->now = (struct pres_presence){.state = PRES_UNKNOWN, .until = PRES_NEVER, .reason = PRES_REMOVED};
    return v->last_word ? told != NULL : !told || !pres_presence_same(&told->now, &v->now);
}

static void add_id(void *arg, pres_id id)
{
    struct list *list = arg;
    if ((list->count & (list->count + 1)) == 0) /* grows at 0, 1, 3, 7 ... */
        list->ids = mem_realloc(list->ids, 2 * list->count + 2, sizeof *list->ids);
    list->ids[list->count++] = id;
}
