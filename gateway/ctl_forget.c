/*
 * ctl_forget: POST /ctl/forget/ADDRESS, DELETE /ctl/forget/ADDRESS (takes it back), GET /ctl/audit (where the lines
 * are, all of them written), GET /ctl/identities.
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/mem.h"
#include "config_private.h"
#include "ctl.h"
#include "forget.h"
#include "gateway.h"
#include "http_face.h"
#include "who_table.h"

struct asked {
    struct gateway *gateway;
    struct httpd_req *req;
    struct gw_forget *forget;
};

static void forgotten(void *arg, struct jv *answer);
static void asker_gone(void *arg);
static void audit_written(void *arg, bool ok);
static void auditor_gone(void *arg);

void gw_ctl_post_forget(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    const char *wrong = gw_address_wrong(rest);
    if (wrong) {
        gw_http_problem(req, 400, "bad-address", wrong);
        return;
    }
    struct asked *a = mem_calloc(1, sizeof *a);
    *a = (struct asked){.gateway = face->gateway, .req = req};
    httpd_on_gone(req, asker_gone, a);
    a->forget = gw_forget(face->gateway, rest, forgotten, a);
}

void gw_ctl_delete_forget(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    if (gw_remember(face->gateway, rest))
        gw_http_json(req, 200, jv_set_bool(jv_object(), "ok", true));
    else
        gw_http_problem(req, 404, "not-forgotten", "Nobody of this name was forgotten.");
}

void gw_ctl_get_audit(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    struct asked *a = mem_calloc(1, sizeof *a);
    *a = (struct asked){.gateway = face->gateway, .req = req};
    httpd_on_gone(req, auditor_gone, a);
    gw_audit_sync(face->gateway, audit_written, a);
}

void gw_ctl_get_identities(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    const struct gw_config *c = gw_config(face->gateway);
    struct jv *v = jv_set_str(jv_object(), "file", c->identities_file);
    gw_http_json(req, 200, jv_set(v, "identities", gw_whos_report(c->whos)));
}

static void forgotten(void *arg, struct jv *answer)
{
    struct asked *a = arg;
    struct httpd_req *req = a->req;
    httpd_on_gone(req, NULL, NULL);
    free(a);
    gw_http_json(req, 200, answer);
}

static void asker_gone(void *arg)
{
    struct asked *a = arg;
    gw_forget_cancel(&a->forget);
    free(a);
}

static void audit_written(void *arg, bool ok)
{
    struct asked *a = arg;
    struct httpd_req *req = a->req;
    struct jv *v = gw_audit_report(a->gateway);
    httpd_on_gone(req, NULL, NULL);
    free(a);
    if (jv_is_null(v)) {
        jv_free(&v);
        gw_http_problem(req, 404, "no-audit", "No audit is configured (audit.file).");
        return;
    }
    gw_http_json(req, 200, jv_set_bool(v, "written", ok));
}

static void auditor_gone(void *arg)
{
    struct asked *a = arg;
    gw_audit_cancel(a->gateway, a);
    free(a);
}
