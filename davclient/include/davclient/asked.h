/*
 * asked: everything that is ever asked of a calendar server, for people who want to know.
 */
#ifndef DAVCLIENT_ASKED_H
#define DAVCLIENT_ASKED_H

#include <stdbool.h>
#include <stddef.h>

struct dav_asked {
    const char *kind; /* of server: "exchange" "caldav" "ifb" */
    const char *verb; /* of HTTP */
    const char *why;  /* half a sentence */
    const char *body; /* the very text that is sent, without times and names; NULL: none */
    const char *more; /* the rest of a body in parts, NULL */
    const char *told; /* what the server says in answer, where no property names it; NULL */
    const char *last; /* the last part of a body in three, NULL */
    /* only where the account has markers: */
    const char *marked;   /* one more part of the body, NULL */
    const char *compared; /* what happens to what it brings, NULL */
};

/* One kind of request; NULL: there are no more. */
const struct dav_asked *dav_asked_at(size_t i);

/*
 * With markers or without: calls with the name of each property, "{DAV:}displayname" or as it stands in a query
 * ("urn:schemas:calendar:dtstart"), that the request names.
 */
void dav_asked_properties(const struct dav_asked *asked, bool marked, void (*fn)(void *arg, const char *name),
                          void *arg);

#endif
