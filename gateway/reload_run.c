/*
 * reload_run: a reload without holding the loop, however many people there are. One at a time, in the order in which
 * they were asked for; each reads the file for itself.
 *
 *   read (in the worker) -> would the policy tell more? (slices) -> who is new, gone, different? (slices) -> gw_swap
 *
 * Nothing changes before gw_swap (reload.c), which takes place in one turn, whole or not at all, and touches only those
 * whom the comparison named. If people came or went while they were compared, they are compared again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "people_diff.h"
#include "policy_compare.h"

struct gw_reload {
    struct gateway *g; /* NULL: the daemon stops; it is gone when the worker gives it back */
    struct gw_reload *next;
    bool confirmed, reading;
    gw_reload_fn *done; /* NULL: nobody wants to know */
    void *arg;
    char *path;
    struct gw_config *config;
    struct gw_config_error err;
    struct gw_compare *compare;
    struct gw_people_diff *people;
};

static void begin(struct gw_reload *r);
static void read_file(void *arg);
static void was_read(void *arg);
static void weighed(void *arg, size_t count, const char *first);
static void compare_people(struct gw_reload *r);
static void people_compared(void *arg);
static void refuse(struct gw_reload *r);
static void end(struct gw_reload *r, bool ok, const char *why);
static void log_lines(const char *lines);
static void reload_free(struct gw_reload *r);
static void drop_config(void *arg);
static void dropped(void *arg);

struct gw_reload *gw_reload(struct gateway *g, bool confirmed, gw_reload_fn *done, void *arg)
{
    struct gw_reload *r = mem_calloc(1, sizeof *r), **link = &g->reloads;
    *r = (struct gw_reload){.g = g, .confirmed = confirmed, .done = done, .arg = arg};
    r->path = mem_strdup(g->config->path);
    while (*link)
        link = &(*link)->next;
    *link = r;
    if (r == g->reloads)
        begin(r);
    return r;
}

void gw_reload_forget(struct gw_reload **r)
{
    if (*r)
        (*r)->done = NULL;
    *r = NULL;
}

bool gw_reloading(const struct gateway *g)
{
    return g->reloads != NULL;
}

void gw_reloads_free(struct gateway *g)
{
    while (g->reloads) {
        struct gw_reload *r = g->reloads;
        g->reloads = r->next;
        gw_policy_compare_cancel(&r->compare);
        gw_people_diff_free(&r->people);
        r->g = NULL;
        if (!r->reading)
            reload_free(r);
    }
}

static void begin(struct gw_reload *r)
{
    r->reading = true;
    loop_work(r->g->loop, read_file, was_read, r);
}

/* In the worker: it may name files with very many people. */
static void read_file(void *arg)
{
    struct gw_reload *r = arg;
    r->config = gw_config_read(r->path, &r->err);
}

static void was_read(void *arg)
{
    struct gw_reload *r = arg;
    r->reading = false;
    if (!r->g)
        reload_free(r);
    else if (!r->config)
        refuse(r);
    else if (r->confirmed)
        compare_people(r);
    else
        r->compare = gw_policy_widenings(r->g, r->config, weighed, r);
}

/* Nobody is told more by accident. What follows from people who move into other groups is not looked at. */
static void weighed(void *arg, size_t count, const char *first)
{
    struct gw_reload *r = arg;
    r->compare = NULL;
    if (count == 0) {
        compare_people(r);
        return;
    }
    snprintf(r->err.code, sizeof r->err.code, "policy-widens");
    snprintf(r->err.why, sizeof r->err.why,
             "%s: policy: tells more than before in %zu cases, and that was not confirmed: %s. See freebusyctl policy "
             "diff %s, then freebusyctl reload --confirm",
             r->path, count, first, r->path);
    refuse(r);
}

static void compare_people(struct gw_reload *r)
{
    struct gateway *g = r->g;
    gw_people_diff_free(&r->people);
    r->people = gw_people_diff_new(g, r->config, r->config->roster, g->servers, g->server_count);
    gw_people_diff_run(r->people, people_compared, r);
}

static void people_compared(void *arg)
{
    struct gw_reload *r = arg;
    struct gateway *g = r->g;
    char why[sizeof r->err.why];
    if (gw_people_diff_outdated(r->people)) {
        compare_people(r);
        return;
    }
    struct gw_config *config = r->config;
    r->config = NULL;
    if (gw_swap(g, config, r->people, why, sizeof why)) {
        g->reloaded_at = clk_wall_s(loop_clk(g->loop));
        log_notice("reload", "done: %s", why);
        end(r, true, why);
    } else {
        snprintf(r->err.code, sizeof r->err.code, "config-value");
        snprintf(r->err.why, sizeof r->err.why, "%s", why);
        refuse(r);
    }
}

static void refuse(struct gw_reload *r)
{
    log_error("reload", "refused code=%s, nothing was changed:", r->err.code);
    log_lines(r->err.why);
    end(r, false, r->err.why);
}

static void end(struct gw_reload *r, bool ok, const char *why)
{
    struct gateway *g = r->g;
    free(g->reload_error);
    g->reload_error = ok ? NULL : mem_strdup(why);
    g->reloads = r->next;
    if (r->done)
        r->done(r->arg, ok, why);
    if (g->reloads)
        begin(g->reloads);
    gw_people_diff_free(&r->people);
    loop_work(g->loop, drop_config, dropped, r);
}

static void log_lines(const char *lines)
{
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        log_error("reload", "%.*s", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

/* In the worker, too. */
static void drop_config(void *arg)
{
    struct gw_reload *r = arg;
    gw_config_free(&r->config);
}

static void dropped(void *arg)
{
    reload_free(arg);
}

static void reload_free(struct gw_reload *r)
{
    gw_config_free(&r->config);
    free(r->path);
    free(r);
}
