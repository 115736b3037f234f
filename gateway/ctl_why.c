/* ctl_why: GET /ctl/why/ADDRESS?at=TIME: why somebody is in the state they are shown in; see why.h. */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/utc.h"
#include "ctl.h"
#include "gateway.h"
#include "http_face.h"
#include "presence/view.h"
#include "who.h"
#include "why.h"

struct asked {
    struct httpd_req *req;
    struct gw_why *why;
};

static void explained(void *arg, struct jv *explanation);
static void asker_gone(void *arg);

void gw_ctl_get_why(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    pres_id id = pres_table_find(gw_table(face->gateway), rest);
    bool bad = false;
    const char *text = httpd_param(req, "at", 0, &bad);
    int64_t at = 0;
    if (id == PRES_NOBODY) {
        gw_http_nobody(req);
        return;
    }
    if (bad || (text && !utc_parse_any(text, strlen(text), &at))) {
        gw_http_problem(req, 400, "bad-time", "The moment is written as 2026-11-22T09:00:00Z.");
        return;
    }
    gw_audit(face->gateway, gw_who_of(face, req), id, &pres_grant_all);
    struct asked *a = mem_calloc(1, sizeof *a);
    a->req = req;
    httpd_on_gone(req, asker_gone, a);
    a->why = gw_why_start(face->gateway, id, at, explained, a);
}

static void explained(void *arg, struct jv *explanation)
{
    struct asked *a = arg;
    if (explanation)
        gw_http_json(a->req, 200, explanation);
    else
        gw_http_nobody(a->req);
    free(a);
}

static void asker_gone(void *arg)
{
    struct asked *a = arg;
    gw_why_cancel(&a->why);
    free(a);
}
