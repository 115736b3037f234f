/*
 * http_events: server-sent events. Each open stream is one pres_watch read at the pace of its socket: httpd asks for
 * bytes when there is room, and the watch yields the next event or nothing. No stream has a queue of its own; one that
 * falls off the journal's tail is told so and ended, and its last event id lets it catch up when it comes back.
 *
 * One timer serves all streams with a comment line every 15 s, so that proxies and clients see a living connection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway.h"
#include "http_cursor.h"
#include "http_face.h"
#include "http_view.h"
#include "policy.h"
#include "presence/render.h"
#include "presence/watch.h"
#include "who.h"

enum { SILENT_MAX = 500, COMMENT_EVERY_MS = 15000, EVENT_MAX = 8192, EVENT_AT_MIN = 256, WATCHED_MAX = 100000 };

struct stream {
    struct gw_events *owner;
    struct stream *next, **back;
    struct httpd_stream *http;
    struct pres_watch *watch;
    char peer[64];
    struct gw_who *who;
    struct gw_view *view; /* NULL: sees everything as it is */
    unsigned epoch;       /* of the policy that `who` and `view` go by, and the snapshot was made with */
    uint64_t turn;        /* likewise */
    unsigned silent;      /* events that this viewer was not told, since the last rest */
    bool again;           /* the policy has moved on: look at everybody anew */
    bool comment_due;
    bool ended; /* the farewell is written, the end comes with the next pull */
};

struct gw_events {
    struct gateway *gateway;
    struct loop_timer *comments;
    struct stream *first;
    size_t count;
    struct buf event; /* where one event is put together */
    struct gw_cursor_key key;
};

static void send_comments(void *arg);
static void wake(void *arg);
static void gone(void *arg);
static ssize_t pull(void *arg, char *out, size_t max);
static size_t put_comment(struct stream *s, char *out, size_t room);
static size_t event_at(const struct stream *s, const struct pres_event *event, char *out, size_t room);
static size_t put_event(struct stream *s, char *out, size_t room, bool *ret_idle);
static pres_id *asked_for(struct gw_face *face, struct httpd_req *req, size_t *ret_n, bool *ret_ok);
static void begin_watch(struct stream *s, struct httpd_req *req, const pres_id *ids, size_t n);
static bool nobody_unknown(struct stream *s, struct httpd_req *req);
static bool follow_policy(struct stream *s);
static size_t put_viewed(struct stream *s, char *out, size_t room, bool *ret_idle);
static const char *viewed_id(const struct stream *s, const char *cursor, char out[GW_CURSOR_TEXT]);
static size_t put_behind(struct stream *s, char *out, size_t room);
static size_t put_cut(struct stream *s, const char *why, const char *detail, char *out, size_t room);
static void stream_free(struct stream *s);

struct gw_events *gw_events_new(struct gateway *g)
{
    struct gw_events *e = mem_calloc(1, sizeof(*e));
    e->gateway = g;
    e->comments = loop_timer_new(gw_loop(g), "http events comments", send_comments, e);
    buf_init(&e->event, EVENT_MAX);
    gw_cursor_key_make(&e->key);
    return e;
}

void gw_events_free(struct gw_events **e)
{
    if (!*e)
        return;
    loop_timer_free(&(*e)->comments);
    buf_free(&(*e)->event);
    free(*e);
    *e = NULL;
}

void gw_events_policy_changed(struct gw_events *e)
{
    for (struct stream *s = e ? e->first : NULL; s; s = s->next)
        if (s->http)
            httpd_stream_wake(s->http);
}

size_t gw_events_count(const struct gw_events *e)
{
    return e ? e->count : 0;
}

size_t gw_events_watching(const struct gw_events *e, pres_id id)
{
    size_t n = 0;
    for (const struct stream *s = e ? e->first : NULL; s; s = s->next)
        n += pres_watch_names(s->watch, id);
    return n;
}

bool gw_events_watched(const struct gw_events *e, void (*fn)(void *arg, pres_id id), void *arg)
{
    bool named = true;
    for (const struct stream *s = e ? e->first : NULL; s; s = s->next)
        named = pres_watch_each(s->watch, fn, arg) && named;
    return named;
}

void gw_http_get_events(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    static const char *const headers[] = {"Content-Type: text/event-stream", "Cache-Control: no-store",
                                          "X-Accel-Buffering: no", NULL};
    size_t n = 0;
    bool ok = true, bad = false;
    const struct gw_who *who = gw_who_of(face, req);
    if (!who)
        return;
    pres_id *ids = asked_for(face, req, &n, &ok);
    if (!ok)
        return;
    struct gw_events *e = face->events;
    struct stream *s = mem_calloc(1, sizeof(*s));
    s->owner = e;
    snprintf(s->peer, sizeof(s->peer), "%s", httpd_peer(req));
    s->who = gw_who_ref(who);
    s->epoch = gw_policy_epoch(e->gateway);
    s->turn = gw_policy_turn(e->gateway);
    begin_watch(s, req, ids, n);
    if (!s->view && !ids)
        gw_audit_everybody(e->gateway, who);
    for (size_t i = 0; !s->view && i < n; i++)
        if (ids[i] != PRES_NOBODY)
            gw_audit(e->gateway, who, ids[i], &pres_grant_all);
    free(ids);
    const char *group = httpd_param(req, "group", 0, &bad);
    if (group)
        pres_watch_removed_members(s->watch, group);
    if (!nobody_unknown(s, req)) {
        stream_free(s);
        gw_http_nobody(req);
        return;
    }
    s->next = e->first;
    s->back = &e->first;
    if (s->next)
        s->next->back = &s->next;
    e->first = s;
    if (e->count++ == 0)
        loop_timer_in(e->comments, COMMENT_EVERY_MS);
    gw_demand_changed(e->gateway);
    s->comment_due = true; /* the first bytes go out at once, so that the client knows it is connected */
    log_debug("http", "events open peer=%s watching=%zu resumed=%d", s->peer, n, pres_watch_resumed(s->watch));
    s->http = httpd_stream_start(req, 200, headers, pull, gone, s);
}

/* From where the client was, as far as that is still its to know; see http_view.h. */
static void begin_watch(struct stream *s, struct httpd_req *req, const pres_id *ids, size_t n)
{
    struct gateway *g = s->owner->gateway;
    struct pres_journal *j = gw_journal(g);
    bool bad = false, all = gw_policy_sees_all(g, s->who);
    struct gw_cursor opened = {.at = 0};
    const char *cursor = httpd_header(req, "Last-Event-ID");
    if (!cursor)
        cursor = httpd_param(req, "last_event_id", 0, &bad); /* for clients that cannot set a header */
    if (cursor && gw_cursor_open(&s->owner->key, cursor, &opened))
        cursor = opened.plain;
    s->watch = pres_watch_new(j, ids, n, all || !gw_policy_is_set(g) ? cursor : NULL, wake, s);
    uint64_t seq = pres_watch_seq(s->watch);
    bool resumed = pres_watch_resumed(s->watch) && !s->who->admin;
    if (resumed && seq < gw_policy_cursors_from(g)) {
        pres_watch_free(&s->watch);
        s->watch = pres_watch_new(j, ids, n, NULL, wake, s);
        resumed = false;
    }
    if (!all || (resumed && gw_policy_seen_otherwise(g, PRES_NOBODY, seq, opened.turn)))
        s->view = gw_view_new(g, s->who);
    if (s->view && resumed) {
        gw_view_resume(s->view, seq, &opened);
        s->again = true;
    }
}

/*
 * The persons named by `address` parameters, as far as there are any, and the members of `group`; NULL for everybody.
 * Answers the request itself when it sets *ret_ok to false.
 */
static pres_id *asked_for(struct gw_face *face, struct httpd_req *req, size_t *ret_n, bool *ret_ok)
{
    bool bad = false;
    unsigned n = 0;
    const char *group = httpd_param(req, "group", 0, &bad);
    while (n < WATCHED_MAX && httpd_param(req, "address", n, &bad))
        n++;
    if (bad) {
        gw_http_problem(req, 400, "bad-escape", "A parameter has a broken percent-escape.");
        *ret_ok = false;
        return NULL;
    }
    if (n == 0 && !group)
        return NULL;
    struct pres_table *table = gw_table(face->gateway);
    pres_id *ids = mem_calloc(n + (group ? pres_table_count(table) : 0) + 1, sizeof(*ids));
    for (unsigned i = 0; i < n; i++)
        ids[i] = pres_table_find(table, httpd_param(req, "address", i, &bad));
    *ret_n = n;
    for (pres_id id = PRES_NOBODY; group && (id = pres_table_next(table, id)) != PRES_NOBODY;) {
        const char *of = pres_table_group(table, id);
        if (of && strcmp(of, group) == 0)
            ids[(*ret_n)++] = id;
    }
    return ids;
}

/* Every address is somebody's, or was when the cursor was given: then the watch has to tell that it is no longer. */
static bool nobody_unknown(struct stream *s, struct httpd_req *req)
{
    bool bad = false;
    const char *address;
    for (unsigned i = 0; i < WATCHED_MAX && (address = httpd_param(req, "address", i, &bad)); i++) {
        struct gateway *g = s->owner->gateway;
        struct pres_presence p;
        bool was = pres_watch_removed(s->watch, address);
        pres_id id = pres_table_find(gw_table(g), address);
        if (!was && (id == PRES_NOBODY || (s->view && !gw_policy_presence(g, s->who, id, &p))))
            return false;
    }
    return true;
}

static void send_comments(void *arg)
{
    struct gw_events *e = arg;
    for (struct stream *s = e->first; s; s = s->next) {
        s->comment_due = true;
        httpd_stream_wake(s->http);
    }
    if (e->first)
        loop_timer_in(e->comments, COMMENT_EVERY_MS);
}

static void wake(void *arg)
{
    struct stream *s = arg;
    if (s->http)
        httpd_stream_wake(s->http);
}

static void gone(void *arg)
{
    struct stream *s = arg;
    log_debug("http", "events closed peer=%s", s->peer);
    *s->back = s->next;
    if (s->next)
        s->next->back = s->back;
    s->owner->count--;
    loop_undefer(gw_loop(s->owner->gateway), wake, s);
    stream_free(s);
}

static void stream_free(struct stream *s)
{
    pres_watch_free(&s->watch);
    gw_view_free(&s->view);
    gw_who_unref(&s->who);
    free(s);
}

static ssize_t pull(void *arg, char *out, size_t max)
{
    struct stream *s = arg;
    size_t len = 0;
    if (s->ended)
        return HTTPD_PULL_END;
    if (s->epoch != gw_policy_epoch(s->owner->gateway) && !follow_policy(s)) {
        len = put_cut(s, "policy-changed", "What you may see is different now. Connect again.", out, max);
        return len > 0 ? (ssize_t)len : HTTPD_PULL_WAIT;
    }
    if (s->comment_due)
        len = put_comment(s, out, max);
    for (bool idle = false; !idle && !s->ended;)
        len += (s->view ? put_viewed : put_event)(s, out + len, max - len, &idle);
    return len > 0 ? (ssize_t)len : HTTPD_PULL_WAIT;
}

/*
 * The comment that shows a living connection, with the present cursor as a bare id: a subscriber to quiet people then
 * does not fall off the journal's tail. An event block without data is not dispatched by clients, its id counts.
 */
static size_t put_comment(struct stream *s, char *out, size_t room)
{
    char text[200], plain[48], sealed[GW_CURSOR_TEXT];
    const char *id = pres_watch_cursor(s->watch, plain);
    if (s->view)
        id = viewed_id(s, id, sealed);
    int len = id ? snprintf(text, sizeof(text), ":\nid: %s\n\n", id) : snprintf(text, sizeof(text), ":\n\n");
    if (len < 0 || (size_t)len > room)
        return 0;
    memcpy(out, text, (size_t)len);
    s->comment_due = false;
    return (size_t)len;
}

/* Where it is to go, if there is much room and the address needs no escapes: nearly always. */
static size_t event_at(const struct stream *s, const struct pres_event *event, char *out, size_t room)
{
    static const char kind[] = "\nevent: presence\ndata: ";
    size_t len = strlen(event->cursor), json;
    const char *address =
        event->removed ? event->removed : pres_table_publish_as(gw_table(s->owner->gateway), event->id);
    char *at = out;
    if (room < EVENT_AT_MIN)
        return 0;
    at = (char *)memcpy(at, "id: ", 4) + 4;
    at = (char *)memcpy(at, event->cursor, len) + len;
    at = (char *)memcpy(at, kind, sizeof(kind) - 1) + sizeof(kind) - 1;
    json = pres_render_json_at(at, room - (size_t)(at - out) - 2, address, &event->now);
    if (json == 0)
        return 0;
    at = (char *)memcpy(at + json, "\n\n", 2) + 2;
    return (size_t)(at - out);
}

/* Writes one event, if there is one and it fits; *ret_idle says that no more can follow now. */
static size_t put_event(struct stream *s, char *out, size_t room, bool *ret_idle)
{
    struct buf *b = &s->owner->event;
    struct pres_event event;
    size_t len;
    buf_reset(b);
    switch (pres_watch_next(s->watch, &event)) {
    case PRES_WATCH_NOTHING:
        *ret_idle = true;
        return 0;
    case PRES_WATCH_BEHIND:
        *ret_idle = true;
        return put_behind(s, out, room);
    case PRES_WATCH_EVENT:
        len = event_at(s, &event, out, room);
        if (len > 0)
            return len;
        buf_adds(b, "id: ");
        buf_adds(b, event.cursor);
        buf_adds(b, "\nevent: presence\ndata: ");
        pres_render_json(b,
                         event.removed ? event.removed : pres_table_publish_as(gw_table(s->owner->gateway), event.id),
                         &event.now);
        buf_adds(b, "\n\n");
        s->ended = false;
        if (b->len <= room && !b->failed) {
            memcpy(out, b->data, b->len);
            return b->len;
        }
        pres_watch_unget(s->watch);
        *ret_idle = true;
        return 0;
    }
    return 0;
}

static size_t put_behind(struct stream *s, char *out, size_t room)
{
    return put_cut(s, "too-slow",
                   "Changes came faster than they were read. Connect again: the present states come first.", out, room);
}

/* The last event of a stream. */
static size_t put_cut(struct stream *s, const char *why, const char *detail, char *out, size_t room)
{
    struct buf *b = &s->owner->event;
    buf_reset(b);
    buf_addf(b, "event: cut\ndata: {\"reason\":\"%s\",\"detail\":\"%s\"}\n\n", why, detail);
    if (b->len > room)
        return 0;
    log_info("http", "events cut peer=%s why=%s", s->peer, why);
    memcpy(out, b->data, b->len);
    s->ended = true;
    return b->len;
}

/* False: the stream goes by rights that are no more; whoever comes back is asked anew. */
static bool follow_policy(struct stream *s)
{
    const struct gateway *g = s->owner->gateway;
    if (!gw_who_holds(g, s->who) || (!s->view && !gw_policy_sees_all(g, s->who)))
        return false;
    s->epoch = gw_policy_epoch(g);
    s->turn = gw_policy_turn(g);
    s->again = s->view != NULL;
    return true;
}

/* As put_event, for somebody who may not see everything. Many events may pass in silence: not all in one turn. */
static size_t put_viewed(struct stream *s, char *out, size_t room, bool *ret_idle)
{
    struct buf *b = &s->owner->event;
    struct pres_event event;
    char id[GW_CURSOR_TEXT];
    buf_reset(b);
    switch (pres_watch_next(s->watch, &event)) {
    case PRES_WATCH_NOTHING:
        *ret_idle = !s->again;
        if (!s->again)
            gw_view_caught_up(s->view);
        if (s->again) {
            struct pres_watch *old = s->watch;
            s->watch = gw_view_again(s->view, old, wake, s);
            pres_watch_free(&old);
            s->again = false;
        }
        return 0;
    case PRES_WATCH_BEHIND:
        *ret_idle = true;
        return put_behind(s, out, room);
    case PRES_WATCH_EVENT:
        break;
    }
    if (!gw_view_event(s->view, &event, viewed_id(s, event.cursor, id), b)) {
        if (++s->silent < SILENT_MAX)
            return 0;
        s->silent = 0;
        *ret_idle = true;
        loop_defer(gw_loop(s->owner->gateway), wake, s);
        return 0;
    }
    if (b->len > room || b->failed) {
        pres_watch_unget(s->watch);
        *ret_idle = true;
        return 0;
    }
    gw_view_said(s->view);
    memcpy(out, b->data, b->len);
    return b->len;
}

/* NULL: none may be given, or not until everybody was looked at. What is told in this second may not be all of it. */
static const char *viewed_id(const struct stream *s, const char *cursor, char out[GW_CURSOR_TEXT])
{
    const struct gateway *g = s->owner->gateway;
    if (s->again || gw_view_resuming(s->view) || gw_policy_is_set(g))
        return NULL;
    struct gw_cursor inside = {.at = clk_wall_s(loop_clk(gw_loop(g))) - 1, .turn = s->turn};
    snprintf(inside.plain, sizeof inside.plain, "%s", cursor);
    return gw_cursor_seal(&s->owner->key, &inside, out);
}
