/*
 * redirect: may we follow this Location, and where does it lead? A pure decision.
 */
#ifndef DAVCLIENT_REDIRECT_H
#define DAVCLIENT_REDIRECT_H

#include <stdbool.h>

#include "url.h"

struct buf;

#define DAV_REDIRECT_MAX 5 /* redirects followed for one request */

enum dav_redirect {
    DAV_REDIRECT_FOLLOW,    /* `out` has the absolute URL to send the same request to */
    DAV_REDIRECT_FOREIGN,   /* to a host that is not allowed, or from https to http; `out` has the URL */
    DAV_REDIRECT_TOO_MANY,  /* allowed, but we have followed enough */
    DAV_REDIRECT_SENSELESS, /* no Location, or none that can be read */
};

struct dav_redirect_rules {
    const char *home;                 /* the account's URL */
    const char *const *allowed_hosts; /* "host" or "host:port", NULL-terminated; NULL: none */
};

/* 301, 302, 303, 307, 308. */
bool dav_redirect_is(int status);

/* `from` is the URL that answered, `hops` how many redirects led there. */
enum dav_redirect dav_redirect_decide(const struct dav_redirect_rules *rules, const char *from, const char *location,
                                      unsigned hops, struct buf *out);

/* May a URL that was remembered or configured for a person be asked, credentials included? */
bool dav_redirect_host_allowed(const struct dav_redirect_rules *rules, const struct dav_url *to);

/* A URL that is no place for WebDAV: a logon page ("auth-none-usable") or Outlook Web Access ("webdav-missing"); NULL:
 * any other. */
const char *dav_redirect_trap(const char *url);

#endif
