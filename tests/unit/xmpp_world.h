/*
 * An XMPP outlet and the server it talks to, in one loop on a fake clock: Sunday, 2026-11-22T12:00:00Z. The server is
 * played by the test: it listens, answers the handshake, and hands over what the outlet sends, stanza by stanza.
 */
#ifndef TESTS_XMPP_WORLD_H
#define TESTS_XMPP_WORLD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "presence/pub_xmpp.h"
#include "presence/publisher.h"
#include "presence/table.h"
#include "presence/viewer.h"

#define WORLD_NOON INT64_C(1795348800)
#define WORLD_ROWS 20000

struct world_row {
    char *key, *value;
};

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    int listener, peer;
    unsigned port;
    struct buf in; /* from the outlet, not yet taken */
    struct pres_store store;
    struct world_row rows[WORLD_ROWS];
    size_t row_count;
    struct {
        pres_store_done_fn *done;
        void *arg;
        char *key;
    } puts[WORLD_ROWS];
    size_t put_count;
    bool put_scheduled, hold_puts;
    const char *allow[4], *admins[2];
    size_t allow_count, admin_count, max_watchers;
    const char *domain, *zone;
    bool own_account, own_activity;
    struct {
        const char *domain;
        enum pres_level level;
    } sees[4]; /* what watchers of a domain may see; none: everybody everything */
    size_t sees_count;
    double rate;
};

static int64_t world_now(void *arg)
{
    const struct world *w = arg;
    return clk_wall_s(w->clk);
}

static bool world_limited(void *arg)
{
    return ((const struct world *)arg)->sees_count > 0;
}

static void world_grant(void *arg, pres_id id, const char *part, struct pres_grant *ret)
{
    const struct world *w = arg;
    (void)id;
    *ret = (struct pres_grant){.level = PRES_SEE_NOTHING, .expires = PRES_NEVER};
    for (size_t i = 0; i < w->sees_count; i++)
        if (part && strcmp(w->sees[i].domain, part) == 0)
            ret->level = w->sees[i].level;
}

static void world_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    (void)now;
    if (w->publisher)
        pres_publisher_changed(w->publisher, id);
}

static void world_load(void *impl, const char *space, pres_store_row_fn *row, void *arg)
{
    struct world *w = impl;
    (void)space;
    for (size_t i = 0; i < w->row_count; i++)
        row(arg, w->rows[i].key, w->rows[i].value);
}

static void world_puts(void *arg)
{
    struct world *w = arg;
    w->put_scheduled = false;
    size_t n = w->put_count;
    w->put_count = 0;
    for (size_t i = 0; i < n; i++) {
        if (w->puts[i].done)
            w->puts[i].done(w->puts[i].arg, w->puts[i].key, true);
        free(w->puts[i].key);
    }
}

static void world_put(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done,
                      void *arg)
{
    struct world *w = impl;
    size_t i = 0;
    (void)space;
    while (i < w->row_count && strcmp(w->rows[i].key, key) != 0)
        i++;
    if (i < w->row_count) {
        free(w->rows[i].key);
        free(w->rows[i].value);
        w->rows[i] = w->rows[--w->row_count];
    }
    if (value)
        w->rows[w->row_count++] = (struct world_row){mem_strdup(key), mem_strdup(value)};
    if (!done)
        return;
    w->puts[w->put_count].done = done;
    w->puts[w->put_count].arg = arg;
    w->puts[w->put_count++].key = mem_strdup(key);
    if (!w->put_scheduled && !w->hold_puts) {
        w->put_scheduled = true;
        loop_defer(w->loop, world_puts, w);
    }
}

static void world_forget(void *impl, void *arg)
{
    struct world *w = impl;
    (void)arg;
    for (size_t i = 0; i < w->put_count; i++)
        w->puts[i].done = NULL;
}

static struct secret *world_secret(void *arg, char *why, size_t why_size)
{
    (void)arg;
    (void)why;
    (void)why_size;
    return secret_new("s3cret");
}

static void world_quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static struct world *world_new(void)
{
    struct world *w = mem_calloc(1, sizeof *w);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    if (!getenv("LOUD"))
        log_set_sink(world_quiet, NULL);
    else
        log_set_level(LOG_LEVEL_DEBUG);
    w->clk = clk_fake_new(WORLD_NOON * 1000);
    w->loop = loop_new(w->clk);
    w->table = pres_table_new(w->loop, world_change, w);
    w->peer = -1;
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(w->listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(w->listener, 5) != 0)
        abort();
    getsockname(w->listener, (struct sockaddr *)&a, &len);
    w->port = ntohs(a.sin_port);
    buf_init(&w->in, 64 << 20);
    w->store = (struct pres_store){.impl = w, .load = world_load, .put = world_put, .forget = world_forget};
    w->allow[0] = "im.example";
    w->allow_count = 1;
    return w;
}

static void world_hang_up(struct world *w)
{
    if (w->peer >= 0)
        close(w->peer);
    w->peer = -1;
    buf_reset(&w->in);
}

static void world_free(struct world **wp)
{
    struct world *w = *wp;
    pres_publisher_free(&w->publisher);
    pres_table_free(&w->table);
    world_hang_up(w);
    close(w->listener);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    buf_free(&w->in);
    for (size_t i = 0; i < w->row_count; i++) {
        free(w->rows[i].key);
        free(w->rows[i].value);
    }
    for (size_t i = 0; i < w->put_count; i++)
        free(w->puts[i].key);
    free(w);
    *wp = NULL;
}

static void world_start(struct world *w)
{
    char why[200];
    struct pres_viewer viewer = {.now = world_now, .grant = world_grant, .limited = world_limited, .arg = w};
    struct pres_publisher_settings p = {.name = "xmpp", .rate = w->rate, .viewer = &viewer};
    struct pres_xmpp_settings s = {.component = "cal.example",
                                   .host = "127.0.0.1",
                                   .port = w->port,
                                   .secret = world_secret,
                                   .domain = w->domain,
                                   .allow = w->allow,
                                   .allow_count = w->allow_count,
                                   .admins = w->admins,
                                   .admin_count = w->admin_count,
                                   .zone = w->zone,
                                   .max_watchers = w->max_watchers,
                                   .own_account = w->own_account,
                                   .own_activity = w->own_activity,
                                   .store = &w->store};
    static const char *const shows[PRES_KINDS] = {"", "", "", "dnd", "xa", ""};
    static const char *const texts[PRES_KINDS] = {"Free[ until {until}]",          "Elsewhere[ until {until}]",
                                                  "Tentative[ until {until}]",     "Busy[ until {until}]",
                                                  "Out of office[ until {until}]", "Unknown"};
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        s.show[i] = shows[i];
        s.text[i] = texts[i];
    }
    w->publisher = pres_xmpp_new(w->loop, w->table, &p, &s, why, sizeof why);
    if (!w->publisher)
        abort();
    pres_publisher_start(w->publisher);
}

/* One turn, and what the outlet has sent by then. */
static void world_turn(struct world *w)
{
    loop_turn(w->loop, 2);
    if (w->peer < 0) {
        int on = 1; /* small pieces must not wait for each other in real time */
        w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (w->peer >= 0)
            setsockopt(w->peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    for (ssize_t n = 1; w->peer >= 0 && n > 0;) {
        char *room = buf_room(&w->in, 65536);
        n = room ? read(w->peer, room, 65536) : 0;
        if (n > 0)
            w->in.len += (size_t)n;
        w->in.data[w->in.len] = '\0';
    }
}

/* False: `text` did not come. */
static bool world_until(struct world *w, const char *text)
{
    for (int i = 0; i < 5000 && !strstr(w->in.len ? w->in.data : "", text); i++)
        world_turn(w);
    return w->in.len && strstr(w->in.data, text);
}

static void world_say(struct world *w, const char *text, size_t len)
{
    for (int i = 0; len > 0 && i < 20000; i++) {
        ssize_t n = send(w->peer, text, len, MSG_NOSIGNAL);
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else {
            world_turn(w);
        }
    }
}

#define WORLD_HEADER                                                                                                   \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' from='cal.example' id='e5089d8b-329c-4d32-9683-39a1cee67951'>"

/* The server's side of the handshake. False: the outlet's was wrong. */
static bool world_shake(struct world *w)
{
    if (!world_until(w, "to='cal.example'>"))
        return false;
    buf_reset(&w->in);
    world_say(w, WORLD_HEADER, strlen(WORLD_HEADER));
    /* the vector is of real servers: the id above and the secret "s3cret" */
    if (!world_until(w, "<handshake>e5f508889c1d84ddf903fea74f54960f6d3d73b9</handshake>"))
        return false;
    buf_reset(&w->in);
    world_say(w, "<handshake/>", 12);
    return true;
}

/* A stanza from anybody else ends the stream: ours are the component, its contacts, and, where people's own accounts
 * are written to, our resource of those. */
static inline bool world_is_ours(const struct world *w, const char *from, size_t len)
{
    const char *slash = memchr(from, '/', len), *at = memchr(from, '@', slash ? (size_t)(slash - from) : len);
    size_t bare = slash ? (size_t)(slash - from) : len, host = at ? bare - (size_t)(at + 1 - from) : bare;
    const char *domain = at ? at + 1 : from;
    if (host == 11 && memcmp(domain, "cal.example", host) == 0)
        return true;
    return w->own_account && at && host == 10 && memcmp(domain, "im.example", host) == 0 && len - bare == 9 &&
           memcmp(slash, "/calendar", 9) == 0;
}

/* The outlet's next stanza into `out`; false: none came. */
static bool world_stanza(struct world *w, struct buf *out)
{
    for (int i = 0; i < 60; i++) {
        const char *end = w->in.len ? strchr(w->in.data, '>') : NULL;
        if (end && end[-1] != '/') {
            const char *close = w->in.data[1] == 'p' ? "</presence>" : w->in.data[1] == 'm' ? "</message>" : "</iq>";
            end = strstr(w->in.data, "</privileged_iq>"); /* an iq within the iq */
            const char *next = strstr(w->in.data, close);
            end = strstr(end && next && next < end ? end : w->in.data, close);
            end = end ? end + strlen(close) - 1 : NULL;
        }
        if (end) {
            size_t len = (size_t)(end - w->in.data) + 1;
            buf_reset(out);
            buf_add(out, w->in.data, len);
            buf_drop(&w->in, len);
            return true;
        }
        world_turn(w);
    }
    return false;
}

/* Handshake, and the pings to itself sent back as the server would. */
static bool world_connect(struct world *w)
{
    struct buf one;
    unsigned pings = 0;
    if (!world_shake(w))
        return false;
    buf_init(&one, 65536);
    while (pings < 8 && world_stanza(w, &one)) {
        pings += strstr(one.data, "id='self-") != NULL;
        world_say(w, one.data, one.len);
    }
    buf_free(&one);
    for (int i = 0; i < 5; i++)
        world_turn(w);
    return pings == 8;
}

static pres_id world_person(struct world *w, const char *address)
{
    struct pres_person_spec spec = {.address = address, .stale_after = 20000};
    pres_id id = pres_table_find(w->table, address);
    return id == PRES_NOBODY ? pres_table_add(w->table, &spec) : id;
}

/* Free, but for one stretch (kind FREE: none). */
static void world_set(struct world *w, const char *address, enum pres_kind kind, int64_t start, int64_t end)
{
    struct pres_interval one = {.start = start, .end = end, .kind = kind};
    pres_table_update(w->table, world_person(w, address), &one, kind != PRES_FREE, WORLD_NOON - 86400,
                      WORLD_NOON + 14 * 86400, clk_wall_s(w->clk));
}

#endif
