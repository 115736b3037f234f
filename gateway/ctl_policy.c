/*
 * ctl_policy: what an administrator asks of the policy: what somebody may see of somebody and by which line, what
 * another file would change, and what people have chosen for themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "ctl.h"
#include "gateway_private.h"
#include "http_face.h"
#include "marker.h"
#include "policy.h"
#include "policy_check.h"
#include "policy_choice.h"
#include "policy_compare.h"
#include "policy_table.h"
#include "presence/render.h"
#include "who_table.h"

/* A comparison under way. */
struct diff {
    struct gateway *gateway;
    struct httpd_req *req; /* NULL: gone */
    char *path;
    bool lines; /* `next` is the configuration of today with a table of its own */
    struct gw_config *next;
    struct gw_compare *compare;
    char why[4200];
};

static struct jv *report(const struct gateway *g, const struct gw_asker *who, pres_id id, int64_t at);
static void add_presence(const struct gateway *g, const struct pres_grant *grant, pres_id id, int64_t at,
                         struct jv *out);
static bool add_text_table(const struct gateway *g, const char *path, struct gw_config *next, char *why,
                           size_t why_size);
static struct jv *choice_of(const struct gateway *g, pres_id id);
static void read_config(void *arg);
static void config_read(void *arg);
static void refuse(struct diff *d);
static void compared(void *arg, struct jv *answer);
static void asker_gone(void *arg);
static void diff_end(struct diff *d);
static void drop_config(void *arg);
static void diff_free(void *arg);

/* ?who=W&whom=ADDRESS&at=TIME, `who` written as in the table. */
void gw_ctl_get_policy_test(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    struct gateway *g = face->gateway;
    bool bad = false;
    int64_t at = clk_wall_s(loop_clk(g->loop));
    const char *text = httpd_param(req, "at", 0, &bad);
    bool timed = !text || utc_parse_any(text, strlen(text), &at);
    const char *whom = httpd_param(req, "whom", 0, &bad);
    pres_id id = whom ? pres_table_find(g->table, whom) : PRES_NOBODY;
    const char *name = httpd_param(req, "who", 0, &bad);
    (void)rest;
    if (bad || !timed || !whom || !name || !*name) {
        gw_http_problem(req, 400, "parameter-missing", "Say ?who=NAME&whom=ADDRESS, and at=TIME as UTC if at all.");
        return;
    }
    if (id == PRES_NOBODY) {
        gw_http_nobody(req);
        return;
    }
    char *who = mem_strdup(name), *part = strchr(who, ':');
    struct gw_asker asker = {.name = who, .anonymous = strcmp(who, "anonymous") == 0};
    const struct gw_who_entry *entry = gw_whos_named(g->config->whos, who);
    if (part) {
        *part++ = '\0';
        bool outlet = strcmp(who, "outlet") == 0, group = strcmp(who, "group") == 0;
        asker = (struct gw_asker){.name = outlet  ? part
                                          : group ? ""
                                                  : who,
                                  .group = group ? part : NULL,
                                  .part = outlet || group ? NULL : part,
                                  .outlet = !group};
    } else {
        asker.outlet = !entry && gw_outlets_configured(g->config, who);
        asker.group = entry ? entry->who.group : NULL;
    }
    gw_http_json(req, 200, report(g, &asker, id, at));
    free(who);
}

/* ?file=PATH: a configuration, or lines of a table as text. */
void gw_ctl_get_policy_diff(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    struct gateway *g = face->gateway;
    bool bad = false;
    const char *path = httpd_param(req, "file", 0, &bad);
    (void)rest;
    if (bad || !path || path[0] != '/') {
        gw_http_problem(req, 400, "parameter-missing", "Say ?file=PATH, from the root on.");
        return;
    }
    struct diff *d = mem_calloc(1, sizeof *d);
    *d = (struct diff){.gateway = g, .req = req, .path = mem_strdup(path)};
    d->lines = !str_ends(path, ".yaml") && !str_ends(path, ".yml");
    httpd_on_gone(req, asker_gone, d);
    if (!d->lines) {
        loop_work(g->loop, read_config, config_read, d);
        return;
    }
    d->next = mem_calloc(1, sizeof *d->next);
    *d->next = *g->config; /* but for the table; what it borrows is looked at in this turn only */
    if (add_text_table(g, path, d->next, d->why, sizeof d->why))
        d->compare = gw_policy_compare(g, d->next, compared, d);
    else
        refuse(d);
}

void gw_ctl_get_audience(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    struct gateway *g = face->gateway;
    enum pres_level level;
    int64_t now = clk_wall_s(loop_clk(g->loop));
    (void)rest;
    struct jv *list = jv_array();
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(g->table, id)) != PRES_NOBODY;)
        if (gw_choices_of(g->choices, id, &level) || gw_marks_at(g, id, now, &level))
            jv_add(list, choice_of(g, id));
    gw_http_json(req, 200, jv_set(jv_object(), "audience", list));
}

/* ?level=nothing|available|kinds|times|off|default */
void gw_ctl_post_audience(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    struct gateway *g = face->gateway;
    bool bad = false;
    enum pres_level level = PRES_SEE_NOTHING;
    const char *text = httpd_param(req, "level", 0, &bad);
    pres_id id = pres_table_find(g->table, rest);
    bool none = text && strcmp(text, "default") == 0;
    if (id == PRES_NOBODY) {
        gw_http_nobody(req);
        return;
    }
    if (bad || !text || (!none && strcmp(text, "off") != 0 && !pres_level_parse(text, &level))) {
        gw_http_problem(req, 400, "bad-level", "The levels are nothing (or off), available, kinds, times and default.");
        return;
    }
    gw_choices_set(g->choices, id, none ? NULL : &level);
    gw_policy_changed(g);
    gw_http_json(req, 200, choice_of(g, id));
}

static struct jv *choice_of(const struct gateway *g, pres_id id)
{
    enum pres_level level;
    bool some = gw_choices_of(g->choices, id, &level);
    struct jv *v = jv_set_str(jv_object(), "address", pres_table_address(g->table, id));
    jv_set_str(v, "level", some ? pres_level_name(level) : NULL);
    some = gw_marks_at(g, id, clk_wall_s(loop_clk(g->loop)), &level);
    jv_set_str(v, "marked", some ? pres_level_name(level) : NULL);
    return jv_set_bool(v, "kept", g->config->state_directory != NULL);
}

static struct jv *report(const struct gateway *g, const struct gw_asker *who, pres_id id, int64_t at)
{
    struct pres_grant grant;
    enum pres_level choice;
    struct buf b;
    buf_init(&b, 8192);
    gw_policy_grant_at(g, who, id, at, &grant);
    struct jv *v = jv_set_str(jv_object(), "whom", pres_table_publish_as(g->table, id));
    if (grant.rule > 0)
        gw_policy_line_text(g->config->policy.table, grant.rule - 1, &b);
    jv_set_int(v, "rule", grant.rule);
    jv_set_str(v, "line", grant.rule > 0 ? b.data : NULL);
    jv_set_bool(v, "policy", g->config->policy.table != NULL);
    jv_set_str(v, "chosen", gw_choices_of(g->choices, id, &choice) ? pres_level_name(choice) : NULL);
    jv_set_str(v, "marked", gw_marks_at(g, id, at, &choice) ? pres_level_name(choice) : NULL);
    buf_reset(&b);
    gw_policy_grant_text(&grant, &b);
    jv_set_str(v, "granted", b.data);
    buf_free(&b);
    add_presence(g, &grant, id, at, v);
    return v;
}

static void add_presence(const struct gateway *g, const struct pres_grant *grant, pres_id id, int64_t at,
                         struct jv *out)
{
    struct pres_known known;
    struct pres_presence full, seen;
    char why[100];
    struct buf b;
    pres_table_known(g->table, id, &known);
    pres_state_at(&known, at, &full);
    if (!pres_view_presence(grant, &known, &full, at, &seen)) {
        jv_set(out, "presence", jv_null());
        return;
    }
    buf_init(&b, 8192);
    pres_render_json(&b, pres_table_publish_as(g->table, id), &seen);
    jv_set(out, "presence", jv_parse(b.data, b.len, why, sizeof why));
    buf_free(&b);
}

/* In the worker: a configuration may name files with very many people. */
static void read_config(void *arg)
{
    struct diff *d = arg;
    struct gw_config_error err;
    d->next = gw_config_read(d->path, &err);
    if (!d->next)
        snprintf(d->why, sizeof d->why, "%s", err.why);
}

static void config_read(void *arg)
{
    struct diff *d = arg;
    if (!d->req) {
        gw_config_free(&d->next);
        diff_free(d);
    } else if (d->next) {
        d->compare = gw_policy_compare(d->gateway, d->next, compared, d);
    } else {
        refuse(d);
    }
}

static void refuse(struct diff *d)
{
    httpd_on_gone(d->req, NULL, NULL);
    gw_http_problem(d->req, 422, "config-refused", d->why);
    diff_end(d);
}

static void compared(void *arg, struct jv *answer)
{
    struct diff *d = arg;
    httpd_on_gone(d->req, NULL, NULL);
    gw_http_json(d->req, 200, answer);
    d->compare = NULL;
    diff_end(d);
}

/* While it is being read, it is waited for. */
static void asker_gone(void *arg)
{
    struct diff *d = arg;
    d->req = NULL;
    if (!d->compare)
        return;
    gw_policy_compare_cancel(&d->compare);
    diff_end(d);
}

static void diff_end(struct diff *d)
{
    if (d->lines) {
        gw_policy_table_free(&d->next->policy.table);
        free(d->next);
        diff_free(d);
    } else {
        loop_work(d->gateway->loop, drop_config, diff_free, d);
    }
}

/* In the worker, too. */
static void drop_config(void *arg)
{
    struct diff *d = arg;
    gw_config_free(&d->next);
}

static void diff_free(void *arg)
{
    struct diff *d = arg;
    free(d->path);
    free(d);
}

/* The working hours stay those that are configured. */
static bool add_text_table(const struct gateway *g, const char *path, struct gw_config *next, char *why,
                           size_t why_size)
{
    unsigned line;
    char *text = gw_policy_file(path);
    next->policy.table = gw_policy_table_new();
    gw_policy_table_hours(next->policy.table, gw_policy_hours(&g->config->policy.hours));
    const char *wrong = text ? gw_policy_table_read(next->policy.table, text, &line) : NULL;
    if (!text)
        snprintf(why, why_size, "%s: cannot be read, or is larger than 1 MB", path);
    else if (wrong)
        snprintf(why, why_size, "%s:%u: %s", path, line, wrong);
    bool good = text && !wrong;
    free(text);
    return good;
}
