/*
 * page_act: what may be done from the page: ask the mail server about one person again, and ask why somebody is in
 * their state, which asks the server, too. Only administrators may, and only from our own page: a header that a form
 * cannot send and a foreign page may not, and an origin that is ours where the browser names one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/httpd.h"
#include "base/json.h"
#include "base/mem.h"
#include "ctl.h"
#include "gateway.h"
#include "http_face.h"
#include "page.h"
#include "policy.h"
#include "who.h"

static bool may_act(struct gw_face *face, struct httpd_req *req, const char *address);
static bool is_ours(const struct httpd_req *req);

void gw_http_post_refresh(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    if (may_act(face, req, rest))
        gw_ctl_post_refresh(face, req, rest);
}

void gw_http_post_why(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    if (may_act(face, req, rest))
        gw_ctl_get_why(face, req, rest);
}

/* Answers the request itself when it returns false. */
static bool may_act(struct gw_face *face, struct httpd_req *req, const char *address)
{
    const struct gw_who *who = gw_who_of(face, req);
    if (!who)
        return false;
    if (!who->admin) {
        gw_http_problem(req, 403, "read-only", "Your identity may read, and nothing else.");
        return false;
    }
    if (!is_ours(req)) {
        gw_http_problem(req, 403, "foreign-page",
                        "This is done from our own page, or with the header X-Freebusyd: act and no foreign Origin.");
        return false;
    }
    struct pres_grant grant;
    pres_id id = pres_table_find(gw_table(face->gateway), address);
    if (id != PRES_NOBODY)
        gw_policy_grant(face->gateway, who, id, &grant);
    if (id == PRES_NOBODY || grant.level == PRES_SEE_NOTHING) {
        gw_http_nobody(req);
        return false;
    }
    return true;
}

static bool is_ours(const struct httpd_req *req)
{
    const char *act = httpd_header(req, "X-Freebusyd"), *site = httpd_header(req, "Sec-Fetch-Site");
    const char *origin = httpd_header(req, "Origin"), *host = httpd_header(req, "Host");
    if (!act || strcmp(act, "act") != 0 || (site && strcmp(site, "same-origin") != 0))
        return false;
    const char *authority = origin ? strstr(origin, "://") : NULL;
    return !origin || (authority && host && strcmp(authority + 3, host) == 0);
}
