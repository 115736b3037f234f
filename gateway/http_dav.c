/*
 * http_dav: the way in to the CalDAV face: which resource is meant, may the asker see it, and who answers the method.
 * See http_dav.h for the resources.
 *
 * The path is split before it is decoded, so an address may hold a slash, and no escape makes two segments of one.
 */
#include "http_dav.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/xml.h"
#include "freebusy.h"
#include "gateway.h"
#include "http_face.h"
#include "who.h"

/* Somebody without an address of their own: a wall display, anonymous. Nobody can get mail there (RFC 2606). */
#define NO_DOMAIN "freebusyd.invalid"

enum { SEGMENTS_MAX = 4, ERROR_MAX = 1024 };

static const char *const folders[] = {[GW_DAV_CALENDAR] = "calendar/",
                                      [GW_DAV_BUSY] = "busy/",
                                      [GW_DAV_INBOX] = "inbox/",
                                      [GW_DAV_OUTBOX] = "outbox/",
                                      [GW_DAV_ITEM] = "busy/"};

static bool locate(struct gw_dav *d, const char *path);
static bool locate_below(struct gw_dav *d, char segments[][GW_DAV_OWNER_MAX + 1], int count);
static bool locate_folder(struct gw_dav *d, const char *name);
static int split(const char *path, char segments[][GW_DAV_OWNER_MAX + 1]);
static void answer_options(const struct gw_dav *d);
static void answer_get(const struct gw_dav *d);
static bool is_write(const char *method);
static bool own_name(const struct gw_dav *d, const char *name);
static const char *own_address(const struct gw_dav *d, unsigned n);

void gw_http_dav(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    const char *method = httpd_method(req);
    struct gw_dav d = {.face = face, .req = req, .who = gw_who_login_of(face, req)};
    if (!d.who)
        return;
    if (!locate(&d, httpd_path(req)))
        gw_http_nobody(req);
    else if (strcmp(method, "OPTIONS") == 0)
        answer_options(&d);
    else if (strcmp(method, "PROPFIND") == 0)
        gw_dav_propfind(&d);
    else if (strcmp(method, "REPORT") == 0)
        gw_dav_report(&d);
    else if (strcmp(method, "POST") == 0)
        gw_dav_post(&d);
    else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        answer_get(&d);
    else if (is_write(method))
        gw_dav_error(req, 403, "D:need-privileges", "Nothing can be written here.");
    else
        gw_http_problem(req, 501, "method-not-known", "This method is not known here.");
}

/* RFC 6764 5. Says nothing that would need a name. */
void gw_http_dav_well_known(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    static const char *const headers[] = {"Location: " GW_DAV_ROOT_PATH, "Cache-Control: max-age=3600", NULL};
    (void)face, (void)rest;
    httpd_reply(req, 301, headers, NULL, 0);
}

void gw_dav_add_href(struct buf *out, const struct gw_dav *d, enum gw_dav_kind kind, const char *of)
{
    bool person = kind >= GW_DAV_PRINCIPAL;
    buf_adds(out, GW_DAV_ROOT_PATH);
    if (kind == GW_DAV_PRINCIPALS || kind == GW_DAV_PRINCIPAL)
        buf_adds(out, "principals/");
    else if (kind != GW_DAV_ROOT)
        buf_adds(out, "calendars/");
    if (person) {
        const char *name = of ? of : d->who->name;
        str_percent_encode(out, name, strlen(name), "@");
        buf_addc(out, '/');
    }
    if (kind >= GW_DAV_CALENDAR)
        buf_adds(out, folders[kind]);
    if (kind == GW_DAV_ITEM)
        gw_dav_busy_add_name(out, &d->item);
}

bool gw_dav_add_address(struct buf *out, const struct gw_dav *d, unsigned n)
{
    const char *address = own_address(d, n);
    if (!address && n > 0)
        return false;
    buf_adds(out, "mailto:");
    if (address)
        return str_percent_encode(out, address, strlen(address), "@!$*()+");
    return str_percent_encode(out, d->who->name, strlen(d->who->name), "") && buf_adds(out, "@" NO_DOMAIN);
}

bool gw_dav_is_own_address(const struct gw_dav *d, const char *address)
{
    const char *own;
    for (unsigned n = 0; (own = own_address(d, n)); n++)
        if (str_eq_nocase(own, address))
            return true;
    size_t name = strlen(d->who->name);
    return !own_address(d, 0) && strncmp(address, d->who->name, name) == 0 &&
           str_eq_nocase(address + name, "@" NO_DOMAIN);
}

bool gw_dav_person(const struct gw_dav *d, const char *name, struct gw_dav *ret)
{
    struct gw_freebusy f;
    const char *owner = d->who->name;
    bool own = own_name(d, name);
    if (!own) {
        if (gw_freebusy_find(d->face->gateway, d->who, name, &f) == GW_FREEBUSY_NOBODY)
            return false;
        owner = f.address;
        gw_freebusy_free(&f);
    }
    *ret = *d;
    ret->kind = GW_DAV_PRINCIPAL;
    ret->own = own;
    snprintf(ret->owner, sizeof ret->owner, "%s", owner);
    return true;
}

void gw_dav_error(struct httpd_req *req, int status, const char *precondition, const char *why)
{
    struct buf b;
    buf_init(&b, ERROR_MAX);
    buf_addf(&b,
             "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
             "<D:error xmlns:D=\"DAV:\" xmlns:C=\"" GW_DAV_NS
             "\"><%s/><D:responsedescription>%s</D:responsedescription></D:error>\n",
             precondition, why);
    gw_dav_send_xml(req, status, &b);
    buf_free(&b);
}

void gw_dav_send_xml(struct httpd_req *req, int status, struct buf *body)
{
    static const char *const headers[] = {"Content-Type: application/xml; charset=utf-8",
                                          "Cache-Control: private, no-cache", "Vary: Authorization", NULL};
    if (body->failed) {
        gw_http_problem(req, 500, "answer-too-large", "The answer is larger than we send.");
        return;
    }
    size_t len = body->len;
    httpd_reply_take(req, status, headers, buf_take(body), len);
}

bool gw_dav_read_body(const struct gw_dav *d, struct arena *arena, struct gw_dav_body *ret)
{
    size_t len;
    const char *text = httpd_body(d->req, &len);
    switch (gw_dav_body_read(text, len, arena, ret)) {
    case GW_DAV_BODY_OK:
        return true;
    case GW_DAV_BODY_TOO_MUCH:
        gw_http_problem(d->req, 413, "question-too-large", "The body asks for more than is answered at a time.");
        return false;
    case GW_DAV_BODY_BROKEN:
        break;
    }
    gw_http_problem(d->req, 400, "bad-xml", "The body is no XML, or none that belongs here.");
    return false;
}

bool gw_dav_locate(const struct gw_dav *from, const char *href, struct gw_dav *ret)
{
    const char *host = strstr(href, "://"), *path = host ? strchr(host + 3, '/') : href;
    *ret = *from;
    return path && str_starts(path, "/dav") && locate(ret, path);
}

static bool locate(struct gw_dav *d, const char *path)
{
    char segments[SEGMENTS_MAX][GW_DAV_OWNER_MAX + 1];
    if (!str_starts(path, "/dav")) {
        d->kind = GW_DAV_ROOT; /* the root of the whole site, where programs look first */
        return true;
    }
    int count = split(path + 4, segments);
    if (count < 0)
        return false;
    if (count > 0)
        return locate_below(d, segments, count);
    d->kind = GW_DAV_ROOT;
    return true;
}

static bool locate_below(struct gw_dav *d, char segments[][GW_DAV_OWNER_MAX + 1], int count)
{
    bool principals = strcmp(segments[0], "principals") == 0;
    if (!principals && strcmp(segments[0], "calendars") != 0)
        return false;
    d->kind = principals ? GW_DAV_PRINCIPALS : GW_DAV_HOMES;
    if (count == 1)
        return true;
    if (!gw_dav_person(d, segments[1], d))
        return false;
    if (principals)
        return count == 2;
    d->kind = GW_DAV_HOME;
    if (count == 2)
        return true;
    if (!locate_folder(d, segments[2]))
        return false;
    if (count == 3)
        return true;
    bool item = d->kind == GW_DAV_BUSY && gw_dav_busy_parse_name(segments[3], &d->item);
    d->kind = GW_DAV_ITEM;
    return item;
}

static bool locate_folder(struct gw_dav *d, const char *name)
{
    struct gw_freebusy f;
    size_t len = strlen(name);
    for (d->kind = GW_DAV_CALENDAR; d->kind <= GW_DAV_OUTBOX; d->kind++)
        if (strncmp(folders[d->kind], name, len) == 0 && strcmp(folders[d->kind] + len, "/") == 0)
            break;
    switch (d->kind) {
    case GW_DAV_CALENDAR:
        return true;
    case GW_DAV_BUSY:
        if (gw_freebusy_find(d->face->gateway, d->who, d->owner, &f) == GW_FREEBUSY_NOBODY)
            return false; /* the asker is no person whom we know */
        gw_freebusy_free(&f);
        return true;
    case GW_DAV_INBOX:
    case GW_DAV_OUTBOX:
        return d->own;
    case GW_DAV_ROOT:
    case GW_DAV_PRINCIPALS:
    case GW_DAV_HOMES:
    case GW_DAV_PRINCIPAL:
    case GW_DAV_HOME:
    case GW_DAV_ITEM:
        break;
    }
    return false;
}

/* How many; -1: no path of ours. An empty segment is none but at the end. */
static int split(const char *path, char segments[][GW_DAV_OWNER_MAX + 1])
{
    int count = 0;
    while (*path == '/') {
        size_t len = strcspn(++path, "/");
        if (len == 0)
            return *path ? -1 : count;
        struct buf b;
        buf_init(&b, GW_DAV_OWNER_MAX);
        bool ok = count < SEGMENTS_MAX && str_percent_decode(&b, path, len) && str_is_utf8(b.data, b.len);
        if (ok)
            snprintf(segments[count++], GW_DAV_OWNER_MAX + 1, "%s", b.data);
        buf_free(&b);
        if (!ok)
            return -1;
        path += len;
    }
    return *path ? -1 : count;
}

static void answer_options(const struct gw_dav *d)
{
    const char *const headers[] = {"DAV: 1, 3, access-control, calendar-access, calendar-schedule, "
                                   "calendar-auto-schedule",
                                   d->kind == GW_DAV_OUTBOX ? "Allow: OPTIONS, GET, HEAD, PROPFIND, REPORT, POST"
                                                            : "Allow: OPTIONS, GET, HEAD, PROPFIND, REPORT",
                                   "Cache-Control: private, no-cache", NULL};
    httpd_reply(d->req, 200, headers, NULL, 0);
}

/* For somebody who opens it in a browser; busy times as a file. */
static void answer_get(const struct gw_dav *d)
{
    static const char *const headers[] = {"Content-Type: text/plain; charset=utf-8", "Cache-Control: private, no-cache",
                                          NULL};
    static const char text[] = "This is an address for calendar programs (CalDAV).\n";
    if (d->kind == GW_DAV_BUSY || d->kind == GW_DAV_ITEM)
        gw_dav_busy_get(d);
    else
        httpd_reply(d->req, 200, headers, text, sizeof text - 1);
}

static bool is_write(const char *method)
{
    static const char *const writes[] = {"PUT",  "DELETE", "MKCALENDAR", "MKCOL", "PROPPATCH", "COPY",
                                         "MOVE", "LOCK",   "UNLOCK",     "ACL",   "PATCH"};
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++)
        if (strcmp(writes[i], method) == 0)
            return true;
    return false;
}

static bool own_name(const struct gw_dav *d, const char *name)
{
    return str_eq_nocase(name, d->who->name) || (own_address(d, 0) && gw_dav_is_own_address(d, name));
}

/* The name, where it is an address, and what the person of that name is called. NULL: no more. */
static const char *own_address(const struct gw_dav *d, unsigned n)
{
    const struct pres_table *table = gw_table(d->face->gateway);
    const char *name = d->who->name, *own[3];
    unsigned count = 0;
    pres_id id = pres_table_find(table, name);
    if (strchr(name, '@'))
        own[count++] = name;
    if (id != PRES_NOBODY) {
        const char *more[] = {pres_table_publish_as(table, id), pres_table_address(table, id)};
        for (int i = 0; i < 2; i++)
            if ((count == 0 || !str_eq_nocase(more[i], own[count - 1])) && !str_eq_nocase(more[i], name))
                own[count++] = more[i];
    }
    return n < count ? own[n] : NULL;
}
