/*
 * reload: from one configuration to the next, whole or not at all. Also the way in of the first one, with nothing
 * before it. What takes long, reading and comparing, is done by then (reload_run.c).
 *
 * Steps: plan (compare old and new; make every session, socket and face that will be needed, which is all that can
 * fail) -> commit (exchange, which cannot fail) -> retire what was replaced. A server whose account did not change
 * keeps its session with its connections, a person who did not change keeps what is known and their place in the
 * interval, a listener whose address did not change keeps its socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "demand.h"
#include "gateway_private.h"
#include "inlet.h"
#include "policy.h"
#include "marker.h"
#include "marker_check.h"
#include "policy_choice.h"
#include "who.h"
#include "who_table.h"

enum { RETIRE_MS = 1000 };

/* What becomes of the server at one place of the new configuration. */
struct plan_server {
    struct gw_server *server; /* the old one, or a new one */
    bool is_new;
    struct dav_session *session; /* replaces the old one's */
    struct secret *secret;       /* replaces the old one's */
    struct gw_stamp secret_stamp;
    bool elsewhere; /* what was remembered of its calendars' places is void */
};

struct plan {
    struct gw_config *config;
    const struct gw_people_diff *people; /* NULL: to be compared */
    struct plan_server *servers;
    struct gw_listeners *listeners; /* with http, or neither */
    struct gw_http *http;
    struct gw_ctl *ctl;
    struct gw_stamp certificate, key, client_ca;
};

struct gw_faces {
    struct gateway *g;
    struct gw_http *http;
    struct gw_ctl *ctl;
    struct loop_timer *timer;
    struct gw_faces *next;
};

static bool plan_make(struct gateway *g, struct plan *plan, char *why, size_t why_size);
static bool plan_one_server(struct gateway *g, struct plan *plan, unsigned i, char *why, size_t why_size);
static bool plan_faces(struct gateway *g, struct plan *plan, char *why, size_t why_size);
static void plan_free(struct plan *plan);
static void commit(struct gateway *g, struct plan *plan, struct buf *told);
static unsigned commit_servers(struct gateway *g, struct plan *plan);
static unsigned drop_servers(struct gateway *g, struct gw_server **old, unsigned count);
static void commit_faces(struct gateway *g, struct plan *plan);
static void retired(void *arg);
static bool account_same(const struct gw_config_server *a, const struct gw_config_server *b);
static bool http_same(const struct gw_config_http *a, const struct gw_config_http *b);
static bool same(const char *a, const char *b);
static bool same_list(char *const *a, unsigned a_count, char *const *b, unsigned b_count);
static void warn_of_unused(const struct gateway *g);
static void drop_roster(void *arg);
static void dropped(void *arg);

bool gw_swap(struct gateway *g, struct gw_config *config, const struct gw_people_diff *people, char *why,
             size_t why_size)
{
    struct plan plan = {.config = config, .people = people};
    struct buf told;
    config->refs++;
    if (!plan_make(g, &plan, why, why_size)) {
        plan_free(&plan);
        gw_config_drop(config);
        return false;
    }
    buf_init(&told, 400);
    commit(g, &plan, &told);
    snprintf(why, why_size, "%s", told.data);
    buf_free(&told);
    free(plan.servers);
    return true;
}

void gw_config_drop(struct gw_config *config)
{
    if (config && --config->refs == 0)
        gw_config_free(&config);
}

void gw_faces_free_retired(struct gateway *g)
{
    while (g->retired)
        retired(g->retired);
}

static bool plan_make(struct gateway *g, struct plan *plan, char *why, size_t why_size)
{
    plan->servers = mem_calloc(plan->config->servers_count + 1, sizeof *plan->servers);
    for (unsigned i = 0; i < plan->config->servers_count; i++)
        if (!plan_one_server(g, plan, i, why, why_size))
            return false;
    return plan_faces(g, plan, why, why_size);
}

static bool plan_one_server(struct gateway *g, struct plan *plan, unsigned i, char *why, size_t why_size)
{
    const struct gw_config_server *now = &plan->config->servers[i];
    struct plan_server *p = &plan->servers[i];
    p->server = gw_server_named(g, now->name);
    if (!p->server) {
        p->server = gw_server_new(g, plan->config, now, why, why_size);
        p->is_new = p->server != NULL;
        return p->is_new;
    }
    const struct gw_config_server *before = p->server->config;
    if ((before->kind == GW_KIND_RELAY) != (now->kind == GW_KIND_RELAY)) {
        snprintf(why, why_size,
                 "%s:%u: server %s: a relay is not made of another kind, nor the other way round: give it "
                 "another name",
                 plan->config->path, now->line, now->name);
        return false;
    }
    if (now->kind == GW_KIND_RELAY)
        return true;
    if (now->password_file && !same(before->password_file, now->password_file)) {
        gw_stamp_of(now->password_file, &p->secret_stamp);
        p->secret = secret_read(now->password_file, why, why_size);
        if (!p->secret)
            return false;
    }
    if (account_same(before, now) && gw_markers_same(g->config, plan->config))
        return true;
    p->session = gw_server_session(g, plan->config, now, p->secret ? p->secret : p->server->secret, why, why_size);
    p->elsewhere = !same(before->url, now->url) || before->kind != now->kind ||
                   !same_list(before->calendars, before->calendars_count, now->calendars, now->calendars_count);
    return p->session != NULL;
}

/* The faces read the configuration through the gateway, so they are made under the new one. */
static bool plan_faces(struct gateway *g, struct plan *plan, char *why, size_t why_size)
{
    struct gw_config *old_config = g->config;
    struct gw_listeners *old_listeners = g->listeners;
    const struct gw_config_http *http = &plan->config->http;
    if (http->certificate_file) {
        gw_stamp_of(http->certificate_file, &plan->certificate);
        gw_stamp_of(http->key_file, &plan->key);
    }
    if (http->client_ca_file)
        gw_stamp_of(http->client_ca_file, &plan->client_ca);
    bool need_http = !g->http || !http_same(&old_config->http, http) ||
                     !gw_stamp_same(&plan->certificate, &g->certificate) || !gw_stamp_same(&plan->key, &g->key) ||
                     !gw_stamp_same(&plan->client_ca, &g->client_ca) ||
                     gw_whos_certificates(old_config->whos) != gw_whos_certificates(plan->config->whos);
    bool need_ctl = !g->ctl || !same(old_config->control_socket, plan->config->control_socket);
    bool ok = true;
    g->config = plan->config;
    if (need_http) {
        plan->listeners = gw_listeners_new(http, old_listeners, why, why_size);
        g->listeners = plan->listeners;
        plan->http = plan->listeners ? gw_http_new(g, why, why_size) : NULL;
        ok = plan->http != NULL;
    }
    if (ok && need_ctl) {
        plan->ctl = gw_ctl_new(g, why, why_size);
        ok = plan->ctl != NULL;
    }
    g->config = old_config;
    g->listeners = old_listeners;
    return ok;
}

/* Undoes a plan that is not carried out. */
static void plan_free(struct plan *plan)
{
    for (unsigned i = 0; i < plan->config->servers_count; i++) {
        struct plan_server *p = &plan->servers[i];
        if (p->is_new)
            gw_server_free(&p->server, "not needed");
        dav_session_close(&p->session, "not needed");
        secret_free(&p->secret);
    }
    free(plan->servers);
    gw_ctl_free(&plan->ctl);
    gw_http_free(&plan->http);
    gw_listeners_free(&plan->listeners);
}

static void commit(struct gateway *g, struct plan *plan, struct buf *told)
{
    struct gw_server **old_servers = g->servers;
    unsigned old_count = g->server_count;
    struct gw_config *old_config = g->config;
    g->config = plan->config;
    gw_stamp_of(g->config->identities_file ? g->config->identities_file : "", &g->identities);
    gw_gate_changed(g->gate);
    gw_policy_apply(g);
    gw_audit_apply(g);
    unsigned changed = commit_servers(g, plan);
    gw_poller_interval(g->poller, g->config->poll_interval_ms);
    gw_feed_rules(g);
    gw_people_log_notes(g->config->roster);
    struct gw_people_change people = plan->people
                                         ? gw_people_take(g, plan->people, old_servers)
                                         : gw_people_apply(g, g->config->roster, old_servers, old_count);
    loop_work(g->loop, drop_roster, dropped, gw_roster_forget_users(g->config->roster));
    for (unsigned i = 0; i < g->server_count; i++)
        if (plan->servers[i].elsewhere)
            gw_people_forget_places(g, g->servers[i]);
    unsigned removed = drop_servers(g, old_servers, old_count);
    buf_addf(told,
             "servers %u, of these new or changed %u, removed %u; persons %zu, added %zu, removed %zu, changed %zu%s%s",
             g->server_count, changed, removed, pres_table_count(g->table), people.added, people.removed,
             people.changed, plan->http && g->http ? "; listeners made anew" : "",
             plan->ctl && g->ctl ? "; control socket moved" : "");
    commit_faces(g, plan);
    gw_outlets_apply(g, old_config);
    gw_choices_load(g->choices);
    gw_marks_load(g->marks);
    gw_marks_configured(g->marks);
    gw_pidf_apply(g);
    gw_inlet_load(g);
    gw_demand_apply(g);
    free(old_servers);
    gw_config_drop(old_config);
}

static unsigned commit_servers(struct gateway *g, struct plan *plan)
{
    unsigned changed = 0;
    g->server_count = plan->config->servers_count;
    g->servers = mem_calloc(g->server_count + 1, sizeof *g->servers);
    for (unsigned i = 0; i < g->server_count; i++) {
        struct plan_server *p = &plan->servers[i];
        struct gw_server *s = p->server;
        g->servers[i] = s;
        s->config = &plan->config->servers[i];
        if (s->relay && !p->is_new)
            gw_inlet_config(s->relay);
        changed += p->is_new || p->session || p->secret;
        if (p->is_new)
            s->number = gw_poller_server_add(g->poller, s->session);
        if (p->session) {
            gw_poller_server_session(g->poller, s->number, p->session);
            dav_session_close(&s->session, "configuration changed");
            s->session = p->session;
        }
        if (p->secret) {
            s->secret_stamp = p->secret_stamp;
            gw_server_secret(g, s, p->secret, "");
        }
    }
    return changed;
}

/* The people of a server that is gone have been moved or removed by now. */
static unsigned drop_servers(struct gateway *g, struct gw_server **old, unsigned count)
{
    unsigned removed = 0;
    for (unsigned i = 0; i < count; i++) {
        bool kept = false;
        for (unsigned k = 0; k < g->server_count && !kept; k++)
            kept = g->servers[k] == old[i];
        if (kept)
            continue;
        gw_poller_server_remove(g->poller, old[i]->number);
        gw_server_free(&old[i], "removed from the configuration");
        removed++;
    }
    return removed;
}

/* The old ones go a little later: one of them may be answering the very request that asked for the reload. */
static void commit_faces(struct gateway *g, struct plan *plan)
{
    struct gw_faces *old = mem_calloc(1, sizeof *old);
    old->g = g;
    if (plan->http) {
        old->http = g->http;
        g->http = plan->http;
        gw_listeners_free(&g->listeners);
        g->listeners = plan->listeners;
        warn_of_unused(g);
        g->certificate = plan->certificate;
        g->key = plan->key;
        g->client_ca = plan->client_ca;
    }
    if (plan->ctl) {
        old->ctl = g->ctl;
        g->ctl = plan->ctl;
    }
    if (!old->http && !old->ctl) {
        free(old);
        return;
    }
    old->next = g->retired;
    g->retired = old;
    old->timer = loop_timer_new(g->loop, "retired-faces", retired, old);
    loop_timer_in(old->timer, RETIRE_MS);
}

static void retired(void *arg)
{
    struct gw_faces *old = arg, **link = &old->g->retired;
    while (*link != old)
        link = &(*link)->next;
    *link = old->next;
    loop_timer_free(&old->timer);
    gw_http_free(&old->http);
    gw_ctl_free(&old->ctl);
    free(old);
}

/* Everything but the secret, which a session can exchange. */
static bool account_same(const struct gw_config_server *a, const struct gw_config_server *b)
{
    if (a->kind != b->kind || a->auth_count != b->auth_count ||
        memcmp(a->auth, b->auth, a->auth_count * sizeof *a->auth) != 0)
        return false;
    return same(a->url, b->url) && same(a->account, b->account) &&
           a->lm_compatibility_level == b->lm_compatibility_level && same(a->tls.ca_file, b->tls.ca_file) &&
           same(a->tls.min_version, b->tls.min_version) && same(a->tls.pinned_key, b->tls.pinned_key) &&
           a->changes.contenttag == b->changes.contenttag && a->changes.subscribe == b->changes.subscribe &&
           same(a->changes.notify_listen, b->changes.notify_listen) &&
           same(a->changes.notify_host, b->changes.notify_host) && a->changes.full_read_s == b->changes.full_read_s &&
           same(a->tls.client_cert_file, b->tls.client_cert_file) &&
           same(a->tls.client_key_file, b->tls.client_key_file) && a->tls.legacy_ciphers == b->tls.legacy_ciphers &&
           same(a->proxy, b->proxy) && same(a->proxy_account, b->proxy_account) &&
           same(a->proxy_password_file, b->proxy_password_file) && same(a->keytab_file, b->keytab_file) &&
           a->logon_format == b->logon_format && a->channel_binding == b->channel_binding && same(a->zone, b->zone) &&
           a->max_connections == b->max_connections && a->basic_together == b->basic_together &&
           a->freebusy_people == b->freebusy_people &&
           !(a->max_requests_per_second < b->max_requests_per_second ||
             a->max_requests_per_second > b->max_requests_per_second) &&
           same_list(a->allowed_hosts, a->allowed_hosts_count, b->allowed_hosts, b->allowed_hosts_count) &&
           same_list(a->calendars, a->calendars_count, b->calendars, b->calendars_count);
}

static bool http_same(const struct gw_config_http *a, const struct gw_config_http *b)
{
    return same_list(a->listen, a->listen_count, b->listen, b->listen_count) &&
           same(a->certificate_file, b->certificate_file) && same(a->key_file, b->key_file) &&
           same(a->client_ca_file, b->client_ca_file) &&
           a->max_connections == b->max_connections;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(char *const *a, unsigned a_count, char *const *b, unsigned b_count)
{
    if (a_count != b_count)
        return false;
    for (unsigned i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

/* A socket of the service manager that nobody serves lets its callers wait for ever. */
static void warn_of_unused(const struct gateway *g)
{
    char text[32];
    unsigned unused = gw_listeners_unused(g->listeners, text);
    if (unused)
        log_warning("reload", "%u sockets were handed over that publish.http.listen does not name, the first is %s",
                    unused, text);
}

/* In the worker: of very many people it takes a while. */
static void drop_roster(void *arg)
{
    struct gw_roster *roster = arg;
    gw_roster_free(&roster);
}

static void dropped(void *arg)
{
    (void)arg;
}
