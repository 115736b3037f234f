/*
 * http_dav_props: what a CalDAV resource says of itself, as one table of properties, and the D:multistatus that carries
 * them. A property that a resource does not have is named in a propstat of its own with 404, as RFC 4918 9.1 wants it.
 *
 * Evolution finds the outbox by D:owner of the calendar, Thunderbird by D:current-user-principal; Thunderbird wants an
 * inbox, though nobody ever looks into it.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/xml.h"
#include "dav_message.h"
#include "freebusy.h"
#include "http_dav.h"
#include "http_face.h"
#include "presence/render.h"
#include "who.h"

#define CALENDARS (1u << GW_DAV_CALENDAR | 1u << GW_DAV_BUSY)
#define ITEM (1u << GW_DAV_ITEM)
#define BOXES (1u << GW_DAV_INBOX | 1u << GW_DAV_OUTBOX)
#define PRINCIPAL (1u << GW_DAV_PRINCIPAL)
#define OWNED (1u << GW_DAV_HOME | CALENDARS | BOXES)
#define ALL (~0u)

enum { ANSWER_MAX = 4 * 1024 * 1024, ARENA_MAX = 1024 * 1024 };

typedef void write_fn(struct buf *out, const struct gw_dav *at);

static write_fn resourcetype, displayname, current_principal, principal_collections, principal_url, privileges, reports,
    home_set, addresses, inbox_url, outbox_url, user_type, components, calendar_data, transparent, attendees_max, ctag,
    nothing, etag, content_type, event;

static const struct prop {
    char space; /* 'D', 'C' or 'S' */
    const char *name;
    unsigned kinds;
    write_fn *write;
} props[] = {
    {'D', "resourcetype", ALL, resourcetype},
    {'D', "displayname", ALL, displayname},
    {'D', "current-user-principal", ALL, current_principal},
    {'D', "principal-collection-set", ALL, principal_collections},
    {'D', "current-user-privilege-set", ALL, privileges},
    {'D', "supported-report-set", ALL, reports},
    {'D', "owner", OWNED, principal_url},
    {'D', "principal-URL", PRINCIPAL, principal_url},
    {'D', "alternate-URI-set", PRINCIPAL, nothing},
    {'D', "group-membership", PRINCIPAL, nothing},
    {'D', "sync-token", CALENDARS, ctag},
    {'S', "getctag", CALENDARS, ctag},
    {'C', "calendar-home-set", PRINCIPAL, home_set},
    {'C', "calendar-user-address-set", PRINCIPAL, addresses},
    {'C', "calendar-user-type", PRINCIPAL, user_type},
    {'C', "schedule-inbox-URL", PRINCIPAL, inbox_url},
    {'C', "schedule-outbox-URL", PRINCIPAL, outbox_url},
    {'C', "supported-calendar-component-set", CALENDARS, components},
    {'C', "supported-calendar-data", CALENDARS, calendar_data},
    {'C', "schedule-calendar-transp", CALENDARS, transparent},
    {'C', "max-attendees-per-instance", BOXES, attendees_max},
    {'D', "getetag", ITEM, etag},
    {'D', "getcontenttype", ITEM, content_type},
    {'C', "calendar-data", ITEM, event},
};
enum { PROPS = sizeof props / sizeof props[0] };

static bool read_depth(struct httpd_req *req, bool *ret_children);
static void add_children(struct buf *out, const struct gw_dav *d, const struct gw_dav_body *asked);
static bool has_busy(const struct gw_dav *d);
static void add_child(struct buf *out, const struct gw_dav *d, enum gw_dav_kind kind, const struct gw_dav_body *asked);
static const struct prop *find(const struct gw_dav *at, const struct gw_dav_name *name);
static const char *space_of(char space);
static void add_prop(struct buf *out, const struct gw_dav *at, const struct prop *p, bool name_only);
static void add_unknown(struct buf *out, const struct gw_dav_name *name);
static void add_propstat(struct buf *out, const struct buf *inside, const char *status);
static void add_link(struct buf *out, const struct gw_dav *d, enum gw_dav_kind kind, const char *of);

void gw_dav_propfind(const struct gw_dav *d)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct gw_dav_body asked;
    struct buf out;
    bool children;
    buf_init(&out, ANSWER_MAX);
    bool ok = read_depth(d->req, &children) && gw_dav_read_body(d, arena, &asked);
    if (ok && (d->kind == GW_DAV_ITEM || (d->kind == GW_DAV_BUSY && children))) {
        gw_dav_busy_list(d, &asked);
    } else if (ok) {
        gw_dav_begin_multistatus(&out);
        gw_dav_add_response(&out, d, &asked);
        if (children)
            add_children(&out, d, &asked);
        gw_dav_end_multistatus(&out);
        gw_dav_send_xml(d->req, 207, &out);
    }
    buf_free(&out);
    arena_free(&arena);
}

void gw_dav_begin_multistatus(struct buf *out)
{
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                  "<D:multistatus xmlns:D=\"DAV:\" xmlns:C=\"" GW_DAV_NS "\" xmlns:S=\"" GW_DAV_CS_NS "\">\n");
}

void gw_dav_end_multistatus(struct buf *out)
{
    buf_adds(out, "</D:multistatus>\n");
}

void gw_dav_add_response(struct buf *out, const struct gw_dav *at, const struct gw_dav_body *asked)
{
    struct buf have, missing;
    buf_init(&have, ANSWER_MAX);
    buf_init(&missing, ANSWER_MAX);
    if (asked->all || asked->names_only) {
        for (const struct prop *p = props; p < props + PROPS; p++)
            if (p->kinds & 1u << at->kind && p->write != event)
                add_prop(&have, at, p, asked->names_only);
    }
    for (unsigned i = 0; i < asked->prop_count; i++) {
        const struct prop *p = find(at, &asked->props[i]);
        if (p)
            add_prop(&have, at, p, false);
        else
            add_unknown(&missing, &asked->props[i]);
    }
    buf_adds(out, "<D:response>");
    add_link(out, at, at->kind, at->owner);
    if (have.len > 0 || missing.len == 0)
        add_propstat(out, &have, "200 OK");
    if (missing.len > 0)
        add_propstat(out, &missing, "404 Not Found");
    buf_adds(out, "</D:response>\n");
    buf_free(&have);
    buf_free(&missing);
}

void gw_dav_add_missing(struct buf *out, const char *href)
{
    buf_adds(out, "<D:response><D:href>");
    xml_escape(out, href, strlen(href));
    buf_adds(out, "</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n");
}

/* RFC 4918 9.1: a server may refuse infinity. Who says nothing means the resource itself, whatever the RFC would have
 * it mean. */
static bool read_depth(struct httpd_req *req, bool *ret_children)
{
    const char *depth = httpd_header(req, "Depth");
    *ret_children = depth && strcmp(depth, "1") == 0;
    if (!depth || *ret_children || strcmp(depth, "0") == 0)
        return true;
    if (str_eq_nocase(depth, "infinity"))
        gw_dav_error(req, 403, "D:propfind-finite-depth", "Depth is 0 or 1.");
    else
        gw_http_problem(req, 400, "bad-depth", "Depth is 0 or 1.");
    return false;
}

/* Of other people only who is asked for by name is shown. */
static void add_children(struct buf *out, const struct gw_dav *d, const struct gw_dav_body *asked)
{
    switch (d->kind) {
    case GW_DAV_ROOT:
        add_child(out, d, GW_DAV_PRINCIPALS, asked);
        add_child(out, d, GW_DAV_HOMES, asked);
        break;
    case GW_DAV_PRINCIPALS:
        add_child(out, d, GW_DAV_PRINCIPAL, asked);
        break;
    case GW_DAV_HOMES:
        add_child(out, d, GW_DAV_HOME, asked);
        break;
    case GW_DAV_HOME:
        for (unsigned kind = GW_DAV_CALENDAR; kind <= (d->own ? GW_DAV_OUTBOX : GW_DAV_BUSY); kind++)
            if (kind != GW_DAV_BUSY || has_busy(d))
                add_child(out, d, kind, asked);
        break;
    case GW_DAV_PRINCIPAL:
    case GW_DAV_CALENDAR:
    case GW_DAV_BUSY:
    case GW_DAV_INBOX:
    case GW_DAV_OUTBOX:
    case GW_DAV_ITEM:
        break;
    }
}

static bool has_busy(const struct gw_dav *d)
{
    struct gw_freebusy f;
    if (gw_freebusy_find(d->face->gateway, d->who, d->owner, &f) == GW_FREEBUSY_NOBODY)
        return false;
    gw_freebusy_free(&f);
    return true;
}

static void add_child(struct buf *out, const struct gw_dav *d, enum gw_dav_kind kind, const struct gw_dav_body *asked)
{
    struct gw_dav child = *d;
    child.kind = kind;
    if (kind >= GW_DAV_PRINCIPAL && !d->owner[0])
        gw_dav_person(d, d->who->name, &child);
    child.kind = kind;
    gw_dav_add_response(out, &child, asked);
}

static const struct prop *find(const struct gw_dav *at, const struct gw_dav_name *name)
{
    for (const struct prop *p = props; p < props + PROPS; p++)
        if (p->kinds & 1u << at->kind && strcmp(p->name, name->name) == 0 && strcmp(space_of(p->space), name->ns) == 0)
            return p;
    return NULL;
}

static const char *space_of(char space)
{
    return space == 'D' ? "DAV:" : space == 'C' ? GW_DAV_NS : GW_DAV_CS_NS;
}

static void add_prop(struct buf *out, const struct gw_dav *at, const struct prop *p, bool name_only)
{
    buf_addf(out, "<%c:%s>", p->space, p->name);
    if (!name_only)
        p->write(out, at);
    buf_addf(out, "</%c:%s>", p->space, p->name);
}

static void add_unknown(struct buf *out, const struct gw_dav_name *name)
{
    const char *prefix = name->ns[0] ? "x:" : "";
    buf_addf(out, "<%s%s xmlns%s=\"", prefix, name->name, name->ns[0] ? ":x" : "");
    xml_escape(out, name->ns, strlen(name->ns));
    buf_adds(out, "\"/>");
}

static void add_propstat(struct buf *out, const struct buf *inside, const char *status)
{
    buf_adds(out, "<D:propstat><D:prop>");
    buf_add(out, inside->data, inside->len);
    buf_addf(out, "</D:prop><D:status>HTTP/1.1 %s</D:status></D:propstat>", status);
    out->failed |= inside->failed;
}

static void add_link(struct buf *out, const struct gw_dav *d, enum gw_dav_kind kind, const char *of)
{
    buf_adds(out, "<D:href>");
    gw_dav_add_href(out, d, kind, of);
    buf_adds(out, "</D:href>");
}

static void resourcetype(struct buf *out, const struct gw_dav *at)
{
    static const char *const more[] = {
        [GW_DAV_PRINCIPAL] = "<D:principal/>",    [GW_DAV_CALENDAR] = "<C:calendar/>",
        [GW_DAV_BUSY] = "<C:calendar/>",          [GW_DAV_INBOX] = "<C:schedule-inbox/>",
        [GW_DAV_OUTBOX] = "<C:schedule-outbox/>", [GW_DAV_ITEM] = NULL,
    };
    if (at->kind != GW_DAV_ITEM)
        buf_adds(out, "<D:collection/>");
    if (more[at->kind])
        buf_adds(out, more[at->kind]);
}

static void displayname(struct buf *out, const struct gw_dav *at)
{
    const char *name = at->kind == GW_DAV_CALENDAR || !at->owner[0] ? "Free/busy" : at->owner;
    if (at->kind == GW_DAV_BUSY)
        buf_adds(out, "Busy: ");
    xml_escape(out, name, strlen(name));
}

static void current_principal(struct buf *out, const struct gw_dav *at)
{
    add_link(out, at, GW_DAV_PRINCIPAL, NULL);
}

static void principal_collections(struct buf *out, const struct gw_dav *at)
{
    add_link(out, at, GW_DAV_PRINCIPALS, NULL);
}

static void principal_url(struct buf *out, const struct gw_dav *at)
{
    add_link(out, at, GW_DAV_PRINCIPAL, at->owner);
}

static void privileges(struct buf *out, const struct gw_dav *at)
{
    buf_adds(out, "<D:privilege><D:read/></D:privilege><D:privilege><C:read-free-busy/></D:privilege>");
    if (at->kind == GW_DAV_OUTBOX)
        buf_adds(out, "<D:privilege><C:schedule-send-freebusy/></D:privilege>");
}

static void reports(struct buf *out, const struct gw_dav *at)
{
    static const char *const names[] = {"D:principal-property-search",
                                        "D:principal-search-property-set",
                                        "C:free-busy-query",
                                        "D:sync-collection",
                                        "C:calendar-query",
                                        "C:calendar-multiget"};
    unsigned count = 1u << at->kind & CALENDARS ? 6 : at->kind == GW_DAV_PRINCIPAL || at->kind == GW_DAV_HOME ? 3 : 2;
    for (unsigned i = 0; i < count; i++)
        buf_addf(out, "<D:supported-report><D:report><%s/></D:report></D:supported-report>", names[i]);
}

static void home_set(struct buf *out, const struct gw_dav *at)
{
    add_link(out, at, GW_DAV_HOME, at->owner);
}

static void addresses(struct buf *out, const struct gw_dav *at)
{
    if (!at->own) {
        buf_adds(out, "<D:href>mailto:");
        str_percent_encode(out, at->owner, strlen(at->owner), "@!$*()+");
        buf_adds(out, "</D:href>");
        return;
    }
    for (unsigned n = 0;; n++) {
        struct buf one;
        buf_init(&one, 8192);
        bool some = gw_dav_add_address(&one, at, n);
        if (some)
            buf_addf(out, "<D:href>%s</D:href>", one.data);
        buf_free(&one);
        if (!some)
            return;
    }
}

static void inbox_url(struct buf *out, const struct gw_dav *at)
{
    if (at->own)
        add_link(out, at, GW_DAV_INBOX, at->owner);
}

static void outbox_url(struct buf *out, const struct gw_dav *at)
{
    if (at->own)
        add_link(out, at, GW_DAV_OUTBOX, at->owner);
}

static void user_type(struct buf *out, const struct gw_dav *at)
{
    (void)at;
    buf_adds(out, "INDIVIDUAL");
}

static void components(struct buf *out, const struct gw_dav *at)
{
    (void)at;
    buf_adds(out, "<C:comp name=\"VEVENT\"/>");
}

static void calendar_data(struct buf *out, const struct gw_dav *at)
{
    (void)at;
    buf_adds(out, "<C:calendar-data content-type=\"text/calendar\" version=\"2.0\"/>");
}

static void transparent(struct buf *out, const struct gw_dav *at)
{
    (void)at;
    buf_adds(out, "<C:transparent/>");
}

static void attendees_max(struct buf *out, const struct gw_dav *at)
{
    (void)at;
    buf_addf(out, "%d", GW_DAV_ATTENDEES_MAX);
}

static void ctag(struct buf *out, const struct gw_dav *at)
{
    if (at->kind == GW_DAV_BUSY)
        gw_dav_busy_add_token(out, at);
    else
        buf_adds(out, GW_DAV_TOKEN);
}

/* An item's name says all that is in it, so it never changes. */
static void etag(struct buf *out, const struct gw_dav *at)
{
    buf_adds(out, "&quot;");
    gw_dav_busy_add_name(out, &at->item);
    buf_adds(out, "&quot;");
}

static void content_type(struct buf *out, const struct gw_dav *at)
{
    (void)at;
    buf_adds(out, "text/calendar; charset=utf-8; component=VEVENT");
}

static void event(struct buf *out, const struct gw_dav *at)
{
    struct buf text;
    buf_init(&text, 32768);
    pres_render_event(&text, at->owner, &at->item, false);
    xml_escape(out, text.data, text.len);
    out->failed |= text.failed;
    buf_free(&text);
}

static void nothing(struct buf *out, const struct gw_dav *at)
{
    (void)out, (void)at;
}
