/*
 * probe: one check of one server, as the daemon runs it for an administrator: the daemon's configuration, certificates
 * and network, but a session of its own, so that the daemon's people are not held up and nothing that was learnt before
 * hides a failure. One thing that was learnt counts: a password that was refused is not shown again by a check.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/utc.h"
#include "gateway_private.h"
#include "inlet.h"

enum { DAY_S = 86400 };

struct gw_check {
    struct gateway *g;
    struct dav_session *session;
    struct dav_query *query;
    dav_step_fn *on_step;
    dav_query_fn *done;
    void *arg;
    char *evidence;                /* of the first step: the file, or why there is no session */
    const struct dav_cause *known; /* what the daemon's session was refused for; NULL */
    char *known_evidence;
    bool is_well; /* and nothing had to be asked: of a relay */
    bool begun;
    struct gw_check *next, **link; /* in the gateway's list */
};

static void begin(struct gw_check *c, const struct gw_server *s, const char *address);
static void step(void *arg, const struct dav_step_report *report);
static void finish(void *arg, const struct dav_result *result);
static void refuse(void *arg);
static void look_at_relay(struct gw_check *c, const struct gw_server *s);
static bool was_refused(struct gw_check *c, const struct gw_server *s);
static void discard(void *arg);

struct gw_check *gw_check_start(struct gateway *g, const char *server, const char *address, dav_step_fn *on_step,
                                dav_query_fn *done, void *arg)
{
    struct gw_check *c = mem_calloc(1, sizeof *c);
    struct gw_server *s = server ? gw_server_named(g, server) : g->servers[0];
    *c = (struct gw_check){.g = g, .on_step = on_step, .done = done, .arg = arg, .next = g->checks, .link = &g->checks};
    if (c->next)
        c->next->link = &c->next;
    g->checks = c;
    if (s)
        begin(c, s, address);
    else
        c->evidence = mem_strdup("no server of this name is configured");
    if (!c->query)
        loop_defer(g->loop, refuse, c);
    return c;
}

void gw_check_cancel(struct gw_check **check)
{
    struct gw_check *c = *check;
    if (!c)
        return;
    loop_undefer(c->g->loop, refuse, c);
    loop_undefer(c->g->loop, discard, c);
    dav_query_cancel(&c->query);
    dav_session_close(&c->session, "check ended");
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    free(c->evidence);
    free(c->known_evidence);
    free(c);
    *check = NULL;
}

void gw_checks_free(struct gateway *g)
{
    while (g->checks) {
        struct gw_check *c = g->checks;
        gw_check_cancel(&c);
    }
}

static void begin(struct gw_check *c, const struct gw_server *s, const char *address)
{
    struct gateway *g = c->g;
    char why[300] = "";
    if (s->relay) {
        look_at_relay(c, s);
        return;
    }
    if (was_refused(c, s))
        return;
    c->session = gw_server_session(g, g->config, s->config, s->secret, why, sizeof why);
    c->evidence = mem_strdup(c->session ? g->config->path : why);
    if (!c->session)
        return;
    pres_id id = pres_table_find(g->table, address);
    const struct gw_extra *extra = id == PRES_NOBODY ? NULL : g->persons[id].extra;
    int64_t now = clk_wall_s(loop_clk(g->loop));
    struct dav_question q = {.address = id == PRES_NOBODY ? address : pres_table_address(g->table, id),
                             .from = now - DAY_S,
                             .until = now + 2 * DAY_S};
    if (extra) {
        q.path = extra->path;
        q.zone = extra->zone;
        q.aliases = (const char *const *)extra->aliases;
    }
    log_info("check", "server=%s begins", s->config->name);
    bool published = id == PRES_NOBODY ? s->config->kind != GW_KIND_IFB && strcmp(s->config->read, "freebusy") == 0
                                       : g->persons[id].ways == GW_POLLER_BATCH;
    c->query = (published ? dav_batch_check_start : dav_check_start)(c->session, &q, step, finish, c);
}

static void step(void *arg, const struct dav_step_report *report)
{
    struct gw_check *c = arg;
    if (!c->begun &&
        report->step != DAV_STEP_CONFIG) /* that the configuration is well was seen before anything was asked */
        c->on_step(c->arg, &(struct dav_step_report){.step = DAV_STEP_CONFIG, .ok = true, .evidence = c->evidence});
    c->begun = true;
    c->on_step(c->arg, report);
}

/* The asker's handle ends here; the session, whose callback this is, a little later. */
static void finish(void *arg, const struct dav_result *result)
{
    struct gw_check *c = arg;
    c->query = NULL;
    loop_defer(c->g->loop, discard, c);
    c->done(c->arg, result);
}

/* Nobody can be asked; what came is all there is to be looked at. */
static void look_at_relay(struct gw_check *c, const struct gw_server *s)
{
    struct dav_session_info info;
    char at[UTC_TEXT_MAX];
    gw_inlet_info(s->relay, &info);
    c->evidence = mem_strdup(c->g->config->path);
    c->is_well = info.last_ok && !info.code;
    c->known = c->is_well ? NULL : dav_cause_find("relay-silent");
    c->known_evidence = info.last_ok ? mem_printf("the last message came at %s", utc_rfc3339(info.last_ok, at))
                                     : mem_strdup("no message has come since the daemon started");
}

/* A session that was refused waits for another secret, or for an administrator's word; so does a check. */
static bool was_refused(struct gw_check *c, const struct gw_server *s)
{
    struct dav_session_info info;
    dav_session_info(s->session, &info);
    if (strcmp(info.state, "refused") != 0 || !info.code)
        return false;
    c->known = dav_cause_find(info.code);
    c->known_evidence = mem_printf("%s (seen before; nothing was sent now)", info.evidence ? info.evidence : "refused");
    c->evidence = mem_strdup(c->g->config->path);
    return true;
}

static void refuse(void *arg)
{
    struct gw_check *c = arg;
    if (c->is_well) {
        c->on_step(c->arg, &(struct dav_step_report){.step = DAV_STEP_CONFIG, .ok = true, .evidence = c->evidence});
        c->on_step(c->arg, &(struct dav_step_report){.step = DAV_STEP_READ, .ok = true, .evidence = c->known_evidence});
        loop_defer(c->g->loop, discard, c);
        c->done(c->arg, &(struct dav_result){.err = DAV_OK});
        return;
    }
    const struct dav_cause *cause = c->known ? c->known : gw_cause_of(DAV_PROTOCOL, "config-account");
    const char *evidence = c->known ? c->known_evidence : c->evidence;
    struct dav_result result = {.err = cause->err, .code = cause->code, .evidence = evidence};
    if (c->known)
        c->on_step(c->arg, &(struct dav_step_report){.step = DAV_STEP_CONFIG, .ok = true, .evidence = c->evidence});
    c->on_step(c->arg, &(struct dav_step_report){.step = cause->step, .cause = cause, .evidence = evidence});
    loop_defer(c->g->loop, discard, c);
    c->done(c->arg, &result);
}

static void discard(void *arg)
{
    struct gw_check *c = arg;
    gw_check_cancel(&c);
}
