/*
 * gateway: the daemon as one object. Owns the table of persons, the journal of changes, the poller, the servers with
 * their sessions, the faces. gw_new makes the parts that every configuration needs and leaves the rest to gw_swap
 * (reload.c), so that the first configuration comes in the same way as every later one.
 *
 *   poller --question--> davclient's session --result--> feed --> table --change--> journal --> faces
 */
#include "gateway.h"

#include <stdlib.h>

#include "audit.h"
#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "demand.h"
#include "forget.h"
#include "gateway_private.h"
#include "keep.h"
#include "inlet.h"
#include "policy.h"
#include "marker.h"
#include "policy_choice.h"
#include "rush.h"
#include "who.h"

enum { CAUSE_TICK_MS = 15000, JOURNAL_MIN = 65536, JOURNAL_MAX = 1 << 20 };

static size_t journal_capacity(const struct gw_config *config);
static void cause_tick(void *arg);

struct gateway *gw_new(struct loop *loop, struct gw_config *config, char *why, size_t why_size)
{
    struct gateway *g = mem_calloc(1, sizeof *g);
    g->loop = loop;
    g->started_at = clk_wall_s(loop_clk(loop));
    g->table = pres_table_new(loop, gw_feed_change, g);
    g->journal = pres_journal_new(g->table, journal_capacity(config));
    g->demand = gw_demand_new(g);
    g->gate = gw_gate_new(g);
    g->audit = gw_audit_new(g);
    g->policy = gw_policy_new(g);
    g->choices = gw_choices_new(g);
    g->marks = gw_marks_new(g);
    g->poller = gw_poller_new(loop, &gw_feed_ops, g, config->poll_interval_ms, (uint32_t)crypto_random_u64());
    g->keep = gw_keep_new(loop, config->state_directory, why, why_size);
    if (!g->keep)
        gw_config_drop(config);
    g->forgotten = gw_forgotten_new(g);
    if (!g->keep || !gw_swap(g, config, NULL, why, why_size)) {
        gw_free(&g);
        return NULL;
    }
    gw_keep_load(g);
    g->files = gw_files_new(g);
    g->rush = gw_rush_new(g);
    g->cause_timer = loop_timer_new(loop, "causes", cause_tick, g);
    loop_timer_in(g->cause_timer, CAUSE_TICK_MS);
    log_notice("gateway", "started %s", why);
    return g;
}

void gw_free(struct gateway **gateway)
{
    struct gateway *g = *gateway;
    if (!g)
        return;
    gw_outlets_farewell(g);
    gw_audit_farewell(g);
    gw_faces_free_retired(g);
    gw_checks_free(g);
    gw_http_free(&g->http);
    gw_ctl_free(&g->ctl);
    gw_forgets_free(g);
    gw_gate_free(&g->gate);
    gw_audit_free(&g->audit);
    gw_log_free(&g->log);
    gw_traces_free(&g->traces);
    gw_listeners_free(&g->listeners);
    gw_reloads_free(g);
    gw_files_free(&g->files);
    gw_rush_free(&g->rush);
    loop_timer_free(&g->cause_timer);
    gw_demand_free(&g->demand);
    gw_poller_free(&g->poller);
    for (unsigned i = 0; i < g->server_count; i++)
        gw_server_free(&g->servers[i], "stopping");
    free(g->servers);
    gw_outlets_free(&g->outlets);
    gw_pidf_free(g);
    gw_keep_leave(g);
    gw_policy_free(&g->policy);
    gw_choices_free(&g->choices);
    gw_marks_free(&g->marks);
    gw_forgotten_free(&g->forgotten);
    gw_keep_free(&g->keep);
    gw_people_free(g);
    pres_journal_free(&g->journal);
    pres_table_free(&g->table);
    gw_feed_free(g);
    free(g->scratch);
    gw_config_drop(g->config);
    free(g->reload_error);
    free(g);
    *gateway = NULL;
}

struct loop *gw_loop(const struct gateway *g)
{
    return g->loop;
}

const struct gw_config *gw_config(const struct gateway *g)
{
    return g->config;
}

struct pres_table *gw_table(const struct gateway *g)
{
    return g->table;
}

struct pres_journal *gw_journal(const struct gateway *g)
{
    return g->journal;
}

struct gw_http *gw_http(const struct gateway *g)
{
    return g->http;
}

struct gw_gate *gw_gate(const struct gateway *g)
{
    return g->gate;
}

const struct pres_sip_doc *gw_pidf(const struct gateway *g)
{
    return g->pidf;
}

int64_t gw_started_at(const struct gateway *g)
{
    return g->started_at;
}

int64_t gw_reloaded_at(const struct gateway *g)
{
    return g->reloaded_at;
}

const char *gw_reload_error(const struct gateway *g)
{
    return g->reload_error;
}

int gw_listen_fd(const struct gateway *g, unsigned listener)
{
    return gw_listeners_dup(g->listeners, listener);
}

struct gw_refresh *gw_refresh(struct gateway *g, pres_id id, gw_refresh_fn *done, void *arg)
{
    return gw_poller_refresh(g->poller, id, done, arg);
}

void gw_refresh_cancel(struct gw_refresh **r)
{
    gw_poller_refresh_cancel(r);
}

void gw_stats(const struct gateway *g, struct gw_stats *ret)
{
    *ret = g->stats;
    ret->loop_lag_ms = loop_lag_ms(g->loop);
    ret->ready = true;
    for (unsigned i = 0; i < g->server_count; i++) {
        struct gw_poller_server s;
        gw_poller_server(g->poller, g->servers[i]->number, &s);
        ret->polls_running += s.running;
        bool needed = s.persons > 0 && (!g->config->demand_watched || s.waiting > 0 || s.running > 0);
        ret->ready = ret->ready && (s.asked || !needed);
    }
}

/* Room for two changes of everybody, within reason: what a subscriber may miss and still catch up with. */
static size_t journal_capacity(const struct gw_config *config)
{
    size_t wanted = config->roster->count * 2;
    return wanted < JOURNAL_MIN ? JOURNAL_MIN : wanted > JOURNAL_MAX ? JOURNAL_MAX : wanted;
}

static void cause_tick(void *arg)
{
    struct gateway *g = arg;
    int64_t now = clk_wall_s(loop_clk(g->loop));
    gw_keep_tick(g);
    for (unsigned i = 0; i < g->server_count; i++) {
        gw_causes_tick(&g->servers[i]->causes, g->servers[i]->config->name, now);
        gw_server_tick(g, g->servers[i]);
        if (g->servers[i]->relay)
            gw_inlet_tick(g->servers[i]->relay);
    }
    loop_timer_in(g->cause_timer, CAUSE_TICK_MS);
}
