/*
 * http_api: what is served under /v1, /healthz and /readyz, as one table of routes.
 *
 * httpd hands over a whole request; gw_http_dispatch finds its row and calls it. Errors are RFC 9457 problems with a
 * stable code. An address that nobody configured and one that the caller may not see are the same 404. Nothing here
 * waits: every answer is ready when its question comes, except the event streams (http_events.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/utc.h"
#include "gateway.h"
#include "http_face.h"
#include "http_pidf.h"
#include "inlet.h"
#include "page.h"
#include "policy.h"
#include "presence/render.h"
#include "report.h"
#include "who.h"

enum { PATH_MAX_DECODED = 1024, LIST_BYTES_MAX = 256 * 1024 * 1024, ADDRESSES_MAX = 10000 };

static void get_health(struct gw_face *face, struct httpd_req *req, const char *rest);
static void get_ready(struct gw_face *face, struct httpd_req *req, const char *rest);
static void get_presence(struct gw_face *face, struct httpd_req *req, const char *rest);
static void get_presence_list(struct gw_face *face, struct httpd_req *req, const char *rest);
static void get_servers(struct gw_face *face, struct httpd_req *req, const char *rest);
static void get_status(struct gw_face *face, struct httpd_req *req, const char *rest);

static const struct gw_http_route public_routes[] = {
    {"GET", "/", false, gw_http_get_page},
    {"GET", "/page.js", false, gw_http_get_page_file},
    {"GET", "/page.css", false, gw_http_get_page_file},
    {"GET", "/icon.svg", false, gw_http_get_page_file},
    {"GET", "/person/", true, gw_http_get_person_page},
    {"GET", "/v1/people", false, gw_http_get_people},
    {"POST", "/v1/refresh/", true, gw_http_post_refresh},
    {"POST", "/v1/why/", true, gw_http_post_why},
    {"GET", "/healthz", false, get_health},
    {"GET", "/readyz", false, get_ready},
    {"GET", "/metrics", false, gw_http_get_metrics},
    {"GET", "/v1/presence", false, get_presence_list},
    {"GET", "/v1/presence/", true, get_presence},
    {"GET", "/v1/events", false, gw_http_get_events},
    {"GET", "/v1/servers", false, get_servers},
    {"GET", "/v1/status", false, get_status},
    {"GET", "/v1/freebusy/", true, gw_http_get_freebusy},
    {"GET", "/freebusy/", true, gw_http_get_freebusy},
    {"*", "/dav/", true, gw_http_dav},
    {"*", "/dav/", false, gw_http_dav},
    {"PROPFIND", "/", false, gw_http_dav},
    {"OPTIONS", "/", false, gw_http_dav},
    {"*", "/dav", false, gw_http_dav_well_known},
    {"*", "/.well-known/caldav", false, gw_http_dav_well_known},
    {"*", "/.well-known/caldav/", false, gw_http_dav_well_known},
    {"PUT", "/relay/", true, gw_http_inlet},
    {"DELETE", "/relay/", true, gw_http_inlet},
    {"OPTIONS", "/relay/", true, gw_http_inlet},
    {"PROPFIND", "/relay/", true, gw_http_inlet},
    {NULL, NULL, false, NULL},
};

/* What an asker must be, where that is not somebody known. Whom an answer is about is the policy's to say. */
enum need { NEED_NAME, NEED_NOTHING, NEED_READER };
static const struct {
    const char *path;
    enum need need;
} needs[] = {
    {"/healthz", NEED_NOTHING},
    {"/readyz", NEED_NOTHING},
    {"/", NEED_READER},
    {"/page.js", NEED_READER},
    {"/page.css", NEED_READER},
    {"/icon.svg", NEED_READER},
    {"/v1/people", NEED_READER},
    {"/person/", NEED_READER},
    {"/metrics", NEED_READER},
    {"/v1/servers", NEED_READER},
    {"/v1/status", NEED_READER},
    {"/dav", NEED_NOTHING},
    {"/.well-known/caldav", NEED_NOTHING},
};

static const char *const json_headers[] = {"Content-Type: application/json", "Cache-Control: no-store", NULL};
static const char *const text_headers[] = {"Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store", NULL};

struct allowed {
    char header[64]; /* "Allow: GET, HEAD"; "": nobody knows the path */
};

static const struct gw_http_route *find(const struct gw_http_route *routes, struct httpd_req *req,
                                        struct allowed *allowed);
static enum need need_of(const char *path);
static void serve(struct gw_face *face, struct httpd_req *req, const void *arg);
static void refuse_method(struct httpd_req *req, const struct allowed *allowed);
static bool same_method(const char *have, const char *asked);
static bool add_presence(struct gw_face *face, const struct gw_who *who, pres_id id, struct buf *out);
static void add_comma(struct buf *out);
static void add_listed(struct gw_face *face, const struct gw_who *who, struct httpd_req *req, struct buf *out,
                       struct buf *missing);
static void add_group(struct gw_face *face, const struct gw_who *who, struct buf *out, const char *group);

void gw_http_dispatch(struct gw_face *face, struct httpd_req *req, const struct gw_http_route *extra)
{
    if (need_of(httpd_path(req)) == NEED_NOTHING || gw_who_ask(face, req, serve, extra) == GW_WHO_KNOWN)
        serve(face, req, extra);
}

static enum need need_of(const char *path)
{
    for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
        if (strcmp(needs[i].path, path) == 0)
            return needs[i].need;
    return NEED_NAME;
}

/* It is known who asks, or it does not matter. */
static void serve(struct gw_face *face, struct httpd_req *req, const void *arg)
{
    const struct gw_http_route *extra = arg;
    struct allowed allowed = {""};
    const struct gw_http_route *route = extra ? find(extra, req, &allowed) : NULL;
    if (!route)
        route = find(public_routes, req, &allowed);
    if (!route && allowed.header[0]) {
        refuse_method(req, &allowed);
        return;
    }
    if (!route) {
        gw_http_problem(req, 404, "not-found", "There is nothing at this path.");
        return;
    }
    bool discovers = strcmp(route->path, "/") == 0 && strcmp(route->method, "GET") != 0; /* CalDAV, not the page */
    if (need_of(route->path) == NEED_READER && !discovers && !gw_who_reads(face, req))
        return;
    struct buf rest;
    buf_init(&rest, PATH_MAX_DECODED);
    const char *raw = route->prefix ? httpd_path(req) + strlen(route->path) : "";
    if (strlen(raw) > 3 * PATH_MAX_DECODED)
        gw_http_problem(req, 414, "path-too-long", "No address is that long.");
    else if (!str_percent_decode(&rest, raw, strlen(raw)) || !str_is_utf8(rest.data, rest.len))
        gw_http_problem(req, 400, "bad-escape", "The path has a broken percent-escape or is not UTF-8.");
    else
        route->fn(face, req, rest.data);
    buf_free(&rest);
}

void gw_http_problem(struct httpd_req *req, int status, const char *code, const char *detail)
{
    static const char *const headers[] = {"Content-Type: application/problem+json", "Cache-Control: no-store", NULL};
    static const char *const headers_503[] = {"Content-Type: application/problem+json", "Cache-Control: no-store",
                                              "Retry-After: 30", NULL};
    gw_http_problem_with(req, status, status == 503 ? headers_503 : headers, code, detail);
}

static void refuse_method(struct httpd_req *req, const struct allowed *allowed)
{
    const char *const headers[] = {"Content-Type: application/problem+json", allowed->header, NULL};
    gw_http_problem_with(req, 405, headers, "method-not-allowed", "This resource does not know that method.");
}

void gw_http_problem_with(struct httpd_req *req, int status, const char *const *headers, const char *code,
                          const char *detail)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_adds(&b, "{\"type\":\"about:blank\",\"title\":");
    jv_quote(&b, status == 404   ? "Not found"
                 : status == 503 ? "Not known at present"
                 : status >= 500 ? "Failed"
                                 : "Not accepted");
    buf_addf(&b, ",\"status\":%d,\"code\":", status);
    jv_quote(&b, code);
    buf_adds(&b, ",\"detail\":");
    jv_quote(&b, detail);
    buf_adds(&b, "}\n");
    httpd_reply(req, status, headers, b.data, b.len);
    buf_free(&b);
}

void gw_http_json(struct httpd_req *req, int status, struct jv *v)
{
    struct buf b;
    buf_init(&b, LIST_BYTES_MAX);
    bool fits = jv_write(&b, v, false) && buf_addc(&b, '\n');
    jv_free(&v);
    if (!fits) {
        buf_free(&b);
        gw_http_problem(req, 500, "answer-too-large", "The answer is larger than we send.");
        return;
    }
    size_t len = b.len;
    httpd_reply_take(req, status, json_headers, buf_take(&b), len);
}

void gw_http_nobody(struct httpd_req *req)
{
    gw_http_problem(req, 404, "no-such-person", "There is no person with this address, or none that you may see.");
}

static const struct gw_http_route *find(const struct gw_http_route *routes, struct httpd_req *req,
                                        struct allowed *allowed)
{
    const char *path = httpd_path(req);
    for (const struct gw_http_route *r = routes; r->path; r++) {
        size_t len = strlen(r->path);
        bool here = r->prefix ? strncmp(path, r->path, len) == 0 && path[len] : strcmp(path, r->path) == 0;
        if (!here)
            continue;
        size_t at = strlen(allowed->header);
        snprintf(allowed->header + at, sizeof(allowed->header) - at, "%s%s",
                 at ? ", " : "Allow: ", strcmp(r->method, "GET") == 0 ? "GET, HEAD" : r->method);
        if (same_method(r->method, httpd_method(req)))
            return r;
    }
    return NULL;
}

static bool same_method(const char *have, const char *asked)
{
    return strcmp(have, asked) == 0 || strcmp(have, "*") == 0 ||
           (strcmp(have, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static void get_health(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)face, (void)rest;
    httpd_reply(req, 200, text_headers, "alive\n", 6);
}

/* Ready: every server answered once, or its failure is known and reported. */
static void get_ready(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    struct gw_stats stats;
    gw_stats(face->gateway, &stats);
    if (stats.ready)
        httpd_reply(req, 200, text_headers, "ready\n", 6);
    else
        gw_http_problem(req, 503, "not-ready", "A server has neither answered nor failed yet.");
}

static void get_presence(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    const struct gw_who *who = gw_who_of(face, req);
    if (!who)
        return;
    pres_id id = pres_table_find(gw_table(face->gateway), rest);
    if (gw_http_wants_pidf(req)) {
        gw_http_get_pidf(face, req, id);
        return;
    }
    struct buf b;
    buf_init(&b, 16384);
    if (!add_presence(face, who, id, &b)) {
        buf_free(&b);
        gw_http_nobody(req);
        return;
    }
    buf_addc(&b, '\n');
    size_t len = b.len;
    httpd_reply_take(req, 200, json_headers, buf_take(&b), len);
}

/* Persons nobody knows do not spoil the answer about the others: they are named in "not_found". */
static void get_presence_list(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    bool bad = false;
    const struct gw_who *who = gw_who_of(face, req);
    if (!who)
        return;
    const char *group = httpd_param(req, "group", 0, &bad);
    const char *first = httpd_param(req, "address", 0, &bad);
    if (bad) {
        gw_http_problem(req, 400, "bad-escape", "A parameter has a broken percent-escape.");
        return;
    }
    if (!group && !first) {
        gw_http_problem(req, 400, "parameter-missing", "Say whom: ?address=A, as often as you like, or ?group=G.");
        return;
    }
    struct buf out, missing;
    buf_init(&out, LIST_BYTES_MAX);
    buf_init(&missing, LIST_BYTES_MAX);
    buf_adds(&out, "{\"presence\":[");
    add_listed(face, who, req, &out, &missing);
    if (group)
        add_group(face, who, &out, group);
    buf_addf(&out, "],\"not_found\":[%s]}\n", missing.data);
    buf_free(&missing);
    if (out.failed) {
        buf_free(&out);
        gw_http_problem(req, 413, "answer-too-large", "Ask about fewer people at a time.");
        return;
    }
    size_t len = out.len;
    httpd_reply_take(req, 200, json_headers, buf_take(&out), len);
}

static void get_servers(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    gw_http_json(req, 200, gw_report_servers(face->gateway));
}

static void get_status(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    gw_http_json(req, 200, gw_report_status(face->gateway));
}

/* False, and nothing added: for who asks there is nobody. A comma before all but the first. */
static bool add_presence(struct gw_face *face, const struct gw_who *who, pres_id id, struct buf *out)
{
    struct pres_presence p;
    if (!gw_policy_presence(face->gateway, who, id, &p))
        return false;
    add_comma(out);
    pres_render_json(out, pres_table_publish_as(gw_table(face->gateway), id), &p);
    return true;
}

static void add_comma(struct buf *out)
{
    if (out->len > 0 && out->data[out->len - 1] != '[')
        buf_addc(out, ',');
}

static void add_listed(struct gw_face *face, const struct gw_who *who, struct httpd_req *req, struct buf *out,
                       struct buf *missing)
{
    bool bad = false;
    const char *address;
    for (unsigned i = 0; i < ADDRESSES_MAX && (address = httpd_param(req, "address", i, &bad)); i++) {
        if (!add_presence(face, who, pres_table_find(gw_table(face->gateway), address), out)) {
            add_comma(missing);
            jv_quote(missing, address);
        }
    }
}

static void add_group(struct gw_face *face, const struct gw_who *who, struct buf *out, const char *group)
{
    struct pres_table *table = gw_table(face->gateway);
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(table, id)) != PRES_NOBODY;) {
        const char *of = pres_table_group(table, id);
        if (of && strcmp(of, group) == 0)
            add_presence(face, who, id, out);
    }
}
