/*
 * http_dav (private): the CalDAV face, just large enough that the attendees' window of a calendar program works: find
 * the outbox (RFC 6764, 3744, 4791, 6638), ask there about many people, or ask about one.
 *
 *   /dav/                                 root                    /dav/calendars/NAME/            home
 *   /dav/principals/                      all principals          /dav/calendars/NAME/calendar/   an empty calendar
 *   /dav/principals/NAME/                 a principal             /dav/calendars/NAME/inbox/ outbox/
 *   /dav/calendars/NAME/busy/             busy times as events    /dav/calendars/NAME/busy/ITEM.ics
 *
 * NAME is the asker's own name, or the address of somebody whose times the asker may see. Nothing can be written.
 */
#ifndef GATEWAY_HTTP_DAV_H
#define GATEWAY_HTTP_DAV_H

#include <stdbool.h>

#include "dav_body.h"
#include "presence/interval.h"

struct arena;
struct buf;
struct gw_face;
struct gw_who;
struct httpd_req;

#define GW_DAV_ROOT_PATH "/dav/"
#define GW_DAV_NS "urn:ietf:params:xml:ns:caldav"
#define GW_DAV_CS_NS "http://calendarserver.org/ns/"

/* Of a calendar that never changes. */
#define GW_DAV_TOKEN "urn:freebusyd:sync:empty"

enum { GW_DAV_OWNER_MAX = 1024 };

enum gw_dav_kind {
    GW_DAV_ROOT,
    GW_DAV_PRINCIPALS,
    GW_DAV_HOMES,
    GW_DAV_PRINCIPAL,
    GW_DAV_HOME,
    GW_DAV_CALENDAR,
    GW_DAV_BUSY,
    GW_DAV_INBOX,
    GW_DAV_OUTBOX,
    GW_DAV_ITEM,
};

/* A resource, as one asker sees it. */
struct gw_dav {
    struct gw_face *face;
    struct httpd_req *req;
    const struct gw_who *who;
    enum gw_dav_kind kind;
    bool own;                         /* it is the asker's */
    char owner[GW_DAV_OWNER_MAX + 1]; /* as its path has it, decoded; "" where there is none */
    struct pres_interval item;        /* of an ITEM */
};

/* The path of a resource; of the asker's own where `of` is NULL. Clean in XML. */
void gw_dav_add_href(struct buf *out, const struct gw_dav *d, enum gw_dav_kind kind, const char *of);

/* The asker's n-th address, from 0, into out as an escaped mailto: URI. False: there are no more. */
bool gw_dav_add_address(struct buf *out, const struct gw_dav *d, unsigned n);
bool gw_dav_is_own_address(const struct gw_dav *d, const char *address);

/* Is there somebody with this name or address whom the asker may see? Fills kind PRINCIPAL, own and owner. */
bool gw_dav_person(const struct gw_dav *d, const char *name, struct gw_dav *ret);

/* The resource that an href of a multiget names, if the asker may see it. */
bool gw_dav_locate(const struct gw_dav *from, const char *href, struct gw_dav *ret);

/* Answers. */
/* A D:error with the precondition ("D:need-privileges") and a sentence. */
void gw_dav_error(struct httpd_req *req, int status, const char *precondition, const char *why);
void gw_dav_send_xml(struct httpd_req *req, int status, struct buf *body); /* takes what is in it */
void gw_dav_propfind(const struct gw_dav *d);
void gw_dav_report(const struct gw_dav *d);
void gw_dav_post(const struct gw_dav *d);

/* Reads the request's body; false: it has been refused. */
bool gw_dav_read_body(const struct gw_dav *d, struct arena *arena, struct gw_dav_body *ret);

/* Busy times as events (http_dav_busy.c). Each answers by itself; 503 while they are not known. */
void gw_dav_busy_list(const struct gw_dav *d, const struct gw_dav_body *asked);     /* PROPFIND with children, ITEM */
void gw_dav_busy_query(const struct gw_dav *d, const struct gw_dav_body *asked);    /* calendar-query */
void gw_dav_busy_sync(const struct gw_dav *d, const struct gw_dav_body *asked);     /* sync-collection */
void gw_dav_busy_multiget(const struct gw_dav *d, const struct gw_dav_body *asked); /* calendar-multiget */
void gw_dav_busy_get(const struct gw_dav *d);                                       /* GET of BUSY or ITEM */
void gw_dav_busy_add_token(struct buf *out, const struct gw_dav *d);                /* changes with what is in it */
void gw_dav_busy_add_name(struct buf *out, const struct pres_interval *item);       /* last part of an item's path */
bool gw_dav_busy_parse_name(const char *name, struct pres_interval *ret);

/* A D:multistatus, element by element (http_dav_props.c). */
void gw_dav_begin_multistatus(struct buf *out);
void gw_dav_add_response(struct buf *out, const struct gw_dav *at, const struct gw_dav_body *asked);
void gw_dav_add_missing(struct buf *out, const char *href); /* 404 */
void gw_dav_end_multistatus(struct buf *out);

#endif
