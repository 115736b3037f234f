/*
 * http_view: see http_view.h; called by http_events.c for each event of such a stream.
 */
#include "http_view.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "gateway.h"
#include "http_cursor.h"
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
    enum { FOLLOWS, READS_JOURNAL, LOOKS_AT_ALL } way; /* the last two: the client came back, with */
    uint64_t since;                                    /* this number */
    int64_t since_at;                                  /* of that time */
    uint64_t since_turn;
};

enum { EVENT_ROOM = 320 };

struct list {
    pres_id *ids;
    size_t count;
};

static bool look(struct gw_view *v, const struct pres_event *event);
static bool look_again(struct gw_view *v, const struct pres_event *event);
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

void gw_view_resume(struct gw_view *v, uint64_t seq, const struct gw_cursor *cursor)
{
    v->way = READS_JOURNAL;
    v->since = seq;
    v->since_at = cursor->at;
    v->since_turn = cursor->turn;
}

bool gw_view_resuming(const struct gw_view *v)
{
    return v->way != FOLLOWS;
}

void gw_view_caught_up(struct gw_view *v)
{
    v->way = FOLLOWS;
}

bool gw_view_event(struct gw_view *v, const struct pres_event *event, const char *id, struct buf *out)
{
    if (!look(v, event))
        return false;
    if (id)
        buf_addf(out, "id: %s\n", id);
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
    v->way = v->way == FOLLOWS ? FOLLOWS : LOOKS_AT_ALL;
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
        return told != 0 || (v->way != FOLLOWS && look_again(v, event));
    }
    v->what = gw_told_what(v->told, &v->now);
    if (told == 0 && v->way == LOOKS_AT_ALL && !look_again(v, event)) {
        gw_told_put(v->told, v->key, v->what); /* the client has that already */
        return false;
    }
    return told != v->what;
}

/* Of whom this stream has said nothing yet: does a client that comes back have to be told? */
static bool look_again(struct gw_view *v, const struct pres_event *event)
{
    const struct gateway *g = v->g;
    if (event->removed) /* somebody hidden would have made all cursors worthless */
        return gw_policy_cursors_from(g) <= v->since;
    if (v->last_word) /* hidden: only to whom has seen them */
        return v->way == LOOKS_AT_ALL && event->id != PRES_NOBODY &&
               (v->since_at == 0 || gw_policy_seen_otherwise(g, event->id, v->since, v->since_turn) ||
                !gw_policy_was_hidden(g, event->id, v->since_at));
    return gw_policy_is_narrowed(g, event->id) ||
           gw_policy_seen_otherwise(g, event->id, v->since, v->since_turn) ||
           pres_journal_latest(gw_journal(v->g), event->id) > v->since;
}

static void add_id(void *arg, pres_id id)
{
    struct list *list = arg;
    if ((list->count & (list->count + 1)) == 0) /* grows at 0, 1, 3, 7 ... */
        list->ids = mem_realloc(list->ids, 2 * list->count + 2, sizeof *list->ids);
    list->ids[list->count++] = id;
}
