/*
 * servers: one configured server as the daemon keeps it: its session, its secret, how its people fare. Made by
 * reload.c, shown by the faces through gw_server_view.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "demand.h"
#include "gateway_private.h"
#include "keep.h"
#include "published.h"
#include "inlet.h"

struct gw_server *gw_server_new(struct gateway *g, const struct gw_config *config,
                                const struct gw_config_server *server, char *why, size_t why_size)
{
    struct gw_server *s = mem_calloc(1, sizeof *s);
    s->config = server;
    s->number = UINT32_MAX;
    if (server->password_file) {
        gw_stamp_of(server->password_file, &s->secret_stamp);
        s->secret = secret_read(server->password_file, why, why_size);
    }
    if (server->proxy_password_file)
        gw_stamp_of(server->proxy_password_file, &s->proxy_stamp);
    if (server->kind == GW_KIND_RELAY)
        s->relay = gw_inlet_new(g, s, config, server, why, why_size);
    else if (s->secret || !server->password_file)
        s->session = gw_server_session(g, config, server, s->secret, why, why_size);
    if (s->secret)
        s->secret_changed_at = secret_mtime_ms(s->secret) / 1000;
    if (s->session)
        gw_server_tick(g, s);
    else if (!s->relay)
        gw_server_free(&s, "not started");
    return s;
}

void gw_server_free(struct gw_server **server, const char *reason)
{
    struct gw_server *s = *server;
    if (!s)
        return;
    dav_session_close(&s->session, reason);
    gw_inlet_free(&s->relay);
    secret_free(&s->secret);
    gw_causes_free(&s->causes);
    free(s->secret_note);
    free(s);
    *server = NULL;
}

struct dav_session *gw_server_session(struct gateway *g, const struct gw_config *config,
                                      const struct gw_config_server *server, const struct secret *secret, char *why,
                                      size_t why_size)
{
    struct dav_account account;
    char reason[300] = "";
    gw_account(config, server, &account);
    struct secret *proxy = gw_proxy_secret(server, reason, sizeof reason);
    account.proxy_secret = proxy;
    struct dav_session *session = NULL;
    if (proxy || !server->proxy_password_file)
        session = dav_session_new(g->loop, &account, secret, reason, sizeof reason);
    secret_free(&proxy);
    if (session) {
        gw_trace_watch(g, session);
        dav_session_on_hint(session, gw_feed_hint, g);
    }
    if (!session)
        snprintf(why, why_size, "%s:%u: server %s: %s", config->path, server->line, server->name, reason);
    return session;
}

struct gw_server *gw_server_named(const struct gateway *g, const char *name)
{
    for (unsigned i = 0; i < g->server_count; i++)
        if (strcmp(g->servers[i]->config->name, name) == 0)
            return g->servers[i];
    return NULL;
}

struct gw_server *gw_server_of(const struct gateway *g, pres_id id)
{
    return g->servers[pres_table_server(g->table, id)];
}

struct gw_server *gw_server_numbered(const struct gateway *g, unsigned number)
{
    for (unsigned i = 0; i < g->server_count; i++)
        if (g->servers[i]->number == number)
            return g->servers[i];
    return NULL;
}

/* The secret's file has changed: `secret` is taken, NULL when the file cannot be used (why). */
void gw_server_secret(struct gateway *g, struct gw_server *s, struct secret *secret, const char *why)
{
    free(s->secret_note);
    s->secret_note = NULL;
    if (!secret) {
        s->secret_note = mem_printf("the secret's file cannot be used, the one read before stays in use: %s", why);
        log_warning("secret", "server=%s %s", s->config->name, s->secret_note);
        return;
    }
    s->secret_changed_at = clk_wall_s(loop_clk(g->loop));
    if (secret_equal(secret, s->secret)) {
        secret_free(&secret);
        return;
    }
    log_notice("secret", "server=%s new secret read from its file", s->config->name);
    s->kept_refusal = false; /* what is in the state file is about another one */
    secret_free(&s->secret);
    s->secret = secret;
    dav_session_set_secret(s->session, secret);
    gw_poller_server_kick(g->poller, s->number);
}

/* The same for the proxy's password. */
void gw_server_proxy_secret(struct gateway *g, struct gw_server *s, const struct secret *secret, const char *why)
{
    if (!secret) {
        log_warning("secret", "server=%s the proxy's password cannot be used, the one read before stays in use: %s",
                    s->config->name, why);
        return;
    }
    log_notice("secret", "server=%s new password for the proxy read from its file", s->config->name);
    dav_session_set_proxy_secret(s->session, secret);
    gw_poller_server_kick(g->poller, s->number);
}

void gw_server_tick(struct gateway *g, struct gw_server *s)
{
    struct dav_session_info info;
    if (!s->session)
        return;
    dav_session_info(s->session, &info);
    s->rate.samples[s->rate.next].at = clk_mono_ms(loop_clk(g->loop));
    s->rate.samples[s->rate.next].count = info.requests;
    s->rate.next = (s->rate.next + 1) % GW_RATE_SAMPLES;
}

/* Since the oldest sample; a session of a reload began to count anew. */
static double rate_of(const struct gw_rate *r, uint64_t count, int64_t now_ms)
{
    for (unsigned i = 0; i < GW_RATE_SAMPLES; i++) {
        unsigned at = (r->next + i) % GW_RATE_SAMPLES;
        if (r->samples[at].at && r->samples[at].count <= count && now_ms > r->samples[at].at)
            return (double)(count - r->samples[at].count) * 1000 / (double)(now_ms - r->samples[at].at);
    }
    return 0;
}

size_t gw_server_count(const struct gateway *g)
{
    return g->server_count;
}

/* With demand: watched, those at the most who are watched anywhere. */
static size_t wanted_persons(const struct gateway *g, const struct gw_server *s)
{
    size_t watched = g->config->demand_watched ? gw_demand_count(g) : SIZE_MAX;
    return watched < s->persons ? watched : s->persons;
}

void gw_server_view(const struct gateway *g, size_t i, struct gw_server_view *ret)
{
    struct gw_server *s = g->servers[i];
    struct gw_poller_server poll;
    int64_t now_ms = clk_mono_ms(loop_clk(g->loop));
    gw_poller_server(g->poller, s->number, &poll);
    *ret = (struct gw_server_view){
        .config = s->config,
        .persons = s->persons,
        .fresh = s->classes[GW_CLASS_FRESH],
        .ageing = s->classes[GW_CLASS_AGEING],
        .stale = s->classes[GW_CLASS_STALE],
        .unknown = s->classes[GW_CLASS_UNKNOWN],
        .asked = poll.asked || s->persons == 0 || (g->config->demand_watched && poll.waiting + poll.running == 0),
        .oldest_as_of = pres_table_oldest(g->table, (unsigned)i),
        .secret_note = s->secret_note,
        .secret_changed_at = s->secret_changed_at,
        .now = clk_wall_s(loop_clk(g->loop)),
        .relay = s->relay,
    };
    if (s->relay)
        gw_inlet_info(s->relay, &ret->session);
    else
        dav_session_info(s->session, &ret->session);
    struct gw_budget_in in = {
        .persons = wanted_persons(g, s),
        .per_poll = s->per_poll,
        .interval_ms = g->config->poll_interval_ms,
        .max_requests_per_second = s->config->max_requests_per_second,
        .max_connections = s->config->max_connections,
        .latency_ms = ret->session.latency_ms,
    };
    gw_budget_work_out(&in, &ret->budget);
    ret->per_poll = s->per_poll;
    ret->rate = rate_of(&s->rate, ret->session.requests, now_ms);
    if (!ret->secret_note) /* the file is in order; was what it says refused? */
        ret->secret_note = ret->session.secret_note;
}

bool gw_unbreak(struct gateway *g, const char *server)
{
    struct gw_server *s = gw_server_named(g, server);
    if (!s)
        return false;
    log_notice("secret", "server=%s an administrator says that its secret may be tried again", server);
    if (s->session)
        dav_session_unbreak(s->session);
    gw_keep_pardon(g, s);
    gw_poller_server_kick(g->poller, s->number);
    return true;
}

static bool has_cause(const struct gateway *g, pres_id id, unsigned cause)
{
    return g->persons[id].cause == cause;
}

/* One row for a server that fails as a whole, one for each other code its people have. */
static size_t server_causes(const struct gateway *g, struct gw_server *s, struct gw_cause_row *rows, size_t max)
{
    struct gw_poller_server poll;
    size_t n = 0;
    gw_poller_server(g->poller, s->number, &poll);
    for (unsigned i = 0; i < s->causes.count && n < max; i++) {
        struct gw_cause_entry *e = &s->causes.entries[i];
        bool whole_server = poll.failing && strcmp(poll.failing, e->cause->code) == 0;
        if (e->persons == 0)
            continue;
        rows[n] = (struct gw_cause_row){.server = s->config->name,
                                        .cause = e->cause,
                                        .persons = e->persons,
                                        .since = e->since,
                                        .example = PRES_NOBODY};
        memcpy(rows[n].evidence, e->evidence, sizeof rows[n].evidence);
        if (whole_server)
            rows[n].persons = s->persons;
        else
            rows[n].example = gw_people_example(g, s, has_cause, i + 1, &e->example);
        n++;
    }
    if (s->differing > 0 && n < max)
        rows[n++] = (struct gw_cause_row){.server = s->config->name,
                                          .cause = dav_cause_find("freebusy-differs"),
                                          .persons = s->differing,
                                          .since = s->differing_since,
                                          .example = gw_published_example(g, s)};
    return n;
}

static int worst_first(const void *a, const void *b)
{
    const struct gw_cause_row *x = a, *y = b;
    return x->persons != y->persons ? (x->persons < y->persons ? 1 : -1)
                                    : (x->since > y->since) - (x->since < y->since);
}

size_t gw_causes(const struct gateway *g, struct gw_cause_row *rows, size_t max)
{
    size_t n = 0;
    for (unsigned i = 0; i < g->server_count; i++)
        n += server_causes(g, g->servers[i], rows + n, max - n);
    qsort(rows, n, sizeof *rows, worst_first);
    return n;
}
