/*
 * http_view: see http_view.h; called by http_events.c for each event of such a stream.
 */
#include "http_view.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "gateway.h"
#include "policy.h"
#include "presence/render.h"
#include "told.h"

struct gw_view {
    struct gateway *g;
    struct gw_policy_lines *lines; /* of the policy that speak of the viewer */
    struct gw_told *told;
    const char *address; /* of the last event, */
    uint64_t key, what;  /* its digests */
    struct pres_presence now;
    bool last_word; /* after which there is no such person */
};

enum { EVENT_ROOM = 320 };

struct list {
    pres_id *ids;
    size_t count;
};

static bool look(struct gw_view *v, const struct pres_event *event);
static void add_id(void *arg, pres_id id);

struct gw_view *gw_view_new(struct gateway *g, const struct gw_who *who)
{
    struct gw_view *v = mem_calloc(1, sizeof *v);
    *v = (struct gw_view){.g = g, .told = gw_told_new(), .lines = gw_policy_lines_new(who)};
    return v;
}

void gw_view_free(struct gw_view **v)
{
    if (!*v)
        return;
    gw_told_free(&(*v)->told);
    gw_policy_lines_free(&(*v)->lines);
    free(*v);
    *v = NULL;
}

bool gw_view_event(struct gw_view *v, const struct pres_event *event, struct buf *out)
{
    if (!look(v, event))
        return false;
    buf_adds(out, "event: presence\ndata: ");
    char *at = buf_room(out, EVENT_ROOM);
    size_t len = at ? pres_render_json_at(at, EVENT_ROOM, v->address, &v->now) : 0;
    out->len += len;
    if (len == 0)
        pres_render_json(out, v->address, &v->now); /* an address that needs escapes, or is long */
    buf_adds(out, "\n\n");
    return true;
}

void gw_view_said(struct gw_view *v)
{
    if (v->last_word)
        gw_told_drop(v->told, v->key);
    else
        gw_told_put(v->told, v->key, v->what);
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
    v->key = gw_told_who(v->told, v->address);
    v->last_word = event->removed || !gw_policy_presence_by(v->g, v->lines, event->id, &v->now);
    uint64_t told = gw_told_get(v->told, v->key);
    if (v->last_word) {
        v->now = (struct pres_presence){.state = PRES_UNKNOWN, .until = PRES_NEVER, .reason = PRES_REMOVED};
        return told != 0;
    }
    v->what = gw_told_what(v->told, &v->now);
    return told != v->what;
}

static void add_id(void *arg, pres_id id)
{
    struct list *list = arg;
    if ((list->count & (list->count + 1)) == 0) /* grows at 0, 1, 3, 7 ... */
        list->ids = mem_realloc(list->ids, 2 * list->count + 2, sizeof *list->ids);
    list->ids[list->count++] = id;
}
