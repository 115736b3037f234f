/*
 * ctl_cmds: what an administrator may ask of the running daemon: a person with the polls, a refresh that is answered
 * when the mail server answered, a reload, another try for a refused secret.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/mem.h"
#include "ctl.h"
#include "gateway.h"
#include "http_face.h"
#include "presence/view.h"
#include "report.h"
#include "who.h"

struct refresh {
    struct gateway *gateway;
    struct httpd_req *req;
    struct gw_refresh *running;
    char *address;
};

struct reload {
    struct httpd_req *req;
    struct gw_reload *running;
};

static void reloaded(void *arg, bool ok, const char *why);
static void reload_asker_gone(void *arg);
static void refreshed(void *arg, enum dav_err err, const char *code);
static void asker_gone(void *arg);

void gw_ctl_get_person(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    pres_id id = pres_table_find(gw_table(face->gateway), rest);
    if (id == PRES_NOBODY) {
        gw_http_nobody(req);
        return;
    }
    gw_audit(face->gateway, gw_who_of(face, req), id, &pres_grant_all);
    gw_http_json(req, 200, gw_report_person(face->gateway, id));
}

void gw_ctl_post_refresh(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    pres_id id = pres_table_find(gw_table(face->gateway), rest);
    if (id == PRES_NOBODY) {
        gw_http_nobody(req);
        return;
    }
    struct refresh *r = mem_calloc(1, sizeof(*r));
    *r = (struct refresh){.gateway = face->gateway, .req = req, .address = mem_strdup(rest)};
    httpd_on_gone(req, asker_gone, r);
    r->running = gw_refresh(face->gateway, id, refreshed, r);
}

void gw_ctl_post_unbreak(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    if (gw_unbreak(face->gateway, rest))
        gw_http_json(req, 200, jv_set_bool(jv_object(), "ok", true));
    else
        gw_http_problem(req, 404, "no-such-server", "No server of this name is configured.");
}

void gw_ctl_post_reload(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    bool bad = false, confirmed = httpd_param(req, "confirm", 0, &bad) != NULL;
    struct reload *r = mem_calloc(1, sizeof(*r));
    r->req = req;
    httpd_on_gone(req, reload_asker_gone, r);
    r->running = gw_reload(face->gateway, confirmed, reloaded, r);
}

static void reloaded(void *arg, bool ok, const char *why)
{
    struct reload *r = arg;
    httpd_on_gone(r->req, NULL, NULL);
    if (ok)
        gw_http_json(r->req, 200, jv_set_str(jv_set_bool(jv_object(), "ok", true), "changes", why));
    else
        gw_http_problem(r->req, 422, "config-refused", why);
    free(r);
}

/* What was begun is brought to its end. */
static void reload_asker_gone(void *arg)
{
    struct reload *r = arg;
    gw_reload_forget(&r->running);
    free(r);
}

static void refresh_free(struct refresh *r)
{
    free(r->address);
    free(r);
}

static void refreshed(void *arg, enum dav_err err, const char *code)
{
    struct refresh *r = arg;
    pres_id id = pres_table_find(gw_table(r->gateway), r->address);
    if (id == PRES_NOBODY) {
        gw_http_nobody(r->req);
    } else {
        struct jv *v = jv_set_bool(jv_object(), "ok", err == DAV_OK);
        jv_set_str(v, "code", code);
        gw_http_json(r->req, 200, jv_set(v, "person", gw_report_person(r->gateway, id)));
    }
    refresh_free(r);
}

static void asker_gone(void *arg)
{
    struct refresh *r = arg;
    gw_refresh_cancel(&r->running);
    refresh_free(r);
}
