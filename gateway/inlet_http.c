/*
 * inlet_http: PUT /relay/NAME/ADDRESS.ifb, and PUT /relay/NAME/ for many people at once; DELETE; and what programs that
 * publish to a WebDAV folder ask first, OPTIONS and PROPFIND: it is a folder, and nothing is in it. The answer says
 * accepted or refused, and a code; it never says anything about people.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway_private.h"
#include "http_face.h"
#include "inlet_private.h"
#include "who.h"

enum { FOLDER_ROOM = 4096 };

static struct gw_inlet *relay_named(const struct gateway *g, const char *rest, const char **ret_address);
static bool may_speak(struct gw_face *face, struct httpd_req *req, struct gw_inlet *r, const char *address);
static bool may_ask(struct gw_face *face, struct httpd_req *req, struct gw_inlet *r);
static void answer_propfind(struct httpd_req *req, const struct gw_inlet *r, bool one);
static void answer(struct httpd_req *req, enum gw_inlet_refusal refusal);

void gw_http_inlet(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    static const char *const options[] = {"Allow: OPTIONS, PROPFIND, PUT, DELETE", "DAV: 1", NULL};
    const char *tail = NULL, *method = httpd_method(req);
    struct gw_inlet *r = relay_named(face->gateway, rest, &tail);
    char address[GW_RELAY_ADDRESS_MAX + 1];
    size_t len = tail ? strlen(tail) : 0;
    bool one = len > 0;

    if (!r || len > GW_RELAY_ADDRESS_MAX) {
        gw_http_problem(req, 404, "not-found", "There is nothing at this path.");
        return;
    }
    snprintf(address, sizeof address, "%s", tail);
    if (len > 4 && (str_ends(address, ".ifb") || str_ends(address, ".vfb")))
        address[len - 4] = '\0';
    bool asks = !one && (strcmp(method, "OPTIONS") == 0 || strcmp(method, "PROPFIND") == 0);
    if (!(asks ? may_ask(face, req, r) : may_speak(face, req, r, one ? address : NULL)))
        return;
    if (strcmp(method, "OPTIONS") == 0) {
        httpd_reply(req, 204, options, NULL, 0);
    } else if (strcmp(method, "PROPFIND") == 0) {
        answer_propfind(req, r, one);
    } else if (strcmp(method, "DELETE") == 0) {
        answer(req, one ? gw_inlet_delete(r, address) : GW_INLET_PERSON);
    } else {
        const char *body = httpd_body(req, &len);
        answer(req, gw_inlet_take(r, one ? address : NULL, body, len));
    }
}

/* NULL: no such relay. */
static struct gw_inlet *relay_named(const struct gateway *g, const char *rest, const char **ret_address)
{
    size_t len;
    const char *tail = str_split(rest, '/', &len);
    if (!tail) { /* the folder without its slash */
        len = strlen(rest);
        tail = rest + len;
    }
    for (unsigned i = 0; i < g->server_count; i++) {
        const char *name = g->servers[i]->config->name;
        if (g->servers[i]->relay && strlen(name) == len && strncmp(name, rest, len) == 0) {
            *ret_address = tail;
            return g->servers[i]->relay;
        }
    }
    return NULL;
}

/* About the folder: whoever may say something in it. Answers the request itself when not. */
static bool may_ask(struct gw_face *face, struct httpd_req *req, struct gw_inlet *r)
{
    const char *from = r->server->config->relay.from;
    return from && strcmp(from, "self") == 0 ? gw_who_login_of(face, req) != NULL : may_speak(face, req, r, NULL);
}

/* Answers the request itself when not. Without `from` it is the signature that says who speaks. */
static bool may_speak(struct gw_face *face, struct httpd_req *req, struct gw_inlet *r, const char *address)
{
    const char *from = r->server->config->relay.from;
    if (!from)
        return true;
    const struct gw_who *who = gw_who_of(face, req);
    if (!who)
        return false;
    bool self = strcmp(from, "self") == 0 && address && str_eq_nocase(who->name, address);
    if (self || (strcmp(from, "self") != 0 && strcmp(who->name, from) == 0))
        return true;
    r->refused[GW_INLET_PEER]++;
    answer(req, GW_INLET_PEER);
    return false;
}

/* Whatever was asked for: nobody reads here. */
static void answer_propfind(struct httpd_req *req, const struct gw_inlet *r, bool one)
{
    static const char *const headers[] = {"Content-Type: application/xml; charset=utf-8", "DAV: 1", NULL};
    const char *depth = httpd_header(req, "Depth"), *name = r->server->config->name;
    struct buf b;
    if (one) {
        gw_http_problem(req, 404, "not-found", "There is nothing to be read here.");
        return;
    }
    if (!depth || (strcmp(depth, "0") != 0 && strcmp(depth, "1") != 0)) {
        gw_http_problem(req, 403, "propfind-finite-depth", "Say Depth: 0 or 1.");
        return;
    }
    buf_init(&b, FOLDER_ROOM);
    buf_adds(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                 "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/relay/");
    str_percent_encode(&b, name, strlen(name), "");
    buf_adds(&b, "/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop>"
                 "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>\n");
    httpd_reply(req, 207, headers, b.data, b.len);
    buf_free(&b);
}

static void answer(struct httpd_req *req, enum gw_inlet_refusal refusal)
{
    char code[60];
    snprintf(code, sizeof code, "relay-%s", gw_inlet_refusal_name(refusal));
    switch (refusal) {
    case GW_INLET_WELL:
        httpd_reply(req, 204, NULL, NULL, 0);
        break;
    case GW_INLET_UNSIGNED:
    case GW_INLET_UNKNOWN_KEY:
    case GW_INLET_EXPIRED_KEY:
    case GW_INLET_TAMPERED:
    case GW_INLET_PEER:
    case GW_INLET_PERSON:
        gw_http_problem(req, 403, code, "This is not yours to say here.");
        break;
    case GW_INLET_MALFORMED:
        gw_http_problem(req, 400, code, "This is no free/busy that can be used.");
        break;
    case GW_INLET_STREAM:
    case GW_INLET_EXPIRED:
    case GW_INLET_REPLAYED:
    case GW_INLET_MISSED:
        gw_http_problem(req, 409, code, "This is not what comes next here.");
        break;
    }
}
