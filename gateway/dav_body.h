/*
 * dav_body (private): what the XML of a PROPFIND or REPORT asks for, as plain data. Everything is bounded, and lives in
 * the caller's arena.
 */
#ifndef GATEWAY_DAV_BODY_H
#define GATEWAY_DAV_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum { GW_DAV_PROPS_MAX = 100, GW_DAV_MATCHES_MAX = 20, GW_DAV_HREFS_MAX = 1000 };

struct gw_dav_name {
    const char *ns, *name; /* a name that may be written again as it is */
};

/* One property-search of a principal-property-search. */
struct gw_dav_match {
    bool address; /* it asks for calendar-user-address-set, and nothing else */
    const char *text;
};

struct gw_dav_body {
    const char *root; /* "propfind", "free-busy-query" ...; "" for no body at all */
    bool names_only;  /* DAV:propname */
    bool all;         /* DAV:allprop, or nothing said */
    struct gw_dav_name props[GW_DAV_PROPS_MAX];
    unsigned prop_count;
    struct gw_dav_match matches[GW_DAV_MATCHES_MAX];
    unsigned match_count;
    bool any_of;                         /* one match is enough */
    const char *hrefs[GW_DAV_HREFS_MAX]; /* of a multiget, as sent */
    unsigned href_count;
    const char *token;       /* sync-token; NULL: none */
    const char *start, *end; /* time-range, NULL: none */
    bool not_events;         /* a filter for other components than VEVENT */
};

enum gw_dav_body_result {
    GW_DAV_BODY_OK,
    GW_DAV_BODY_BROKEN,   /* no XML, or XML that nobody should send: 400 */
    GW_DAV_BODY_TOO_MUCH, /* more of something than we take: 403 */
};

enum gw_dav_body_result gw_dav_body_read(const char *text, size_t len, struct arena *arena, struct gw_dav_body *ret);

#endif
