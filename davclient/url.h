/*
 * url: taking URLs apart and putting them together, for servers that are particular about it. Pure functions.
 */
#ifndef DAVCLIENT_URL_H
#define DAVCLIENT_URL_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

#define DAV_URL_HOST_MAX 256
#define DAV_URL_PATH_MAX 4096 /* longest path we build or accept from a server */

struct dav_url {
    bool tls;
    char host[DAV_URL_HOST_MAX]; /* lower case, IPv6 without brackets */
    unsigned port;               /* the scheme's own when the text names none */
    const char *path;            /* points into the text that was parsed; "" when there is none */
};

/* http and https only; no user information. The path includes the query; a fragment makes it invalid. */
bool dav_url_parse(const char *text, struct dav_url *ret);

/* Same scheme, host and port. */
bool dav_url_same_origin(const struct dav_url *a, const struct dav_url *b);

/* "https://host:port", the port left out when it is the scheme's own. */
bool dav_url_origin(const struct dav_url *u, struct buf *out);

/* 127.0.0.0/8, ::1 and localhost. */
bool dav_url_is_loopback(const char *host);

/* One path segment of arbitrary UTF-8 text: everything but A-Z a-z 0-9 - . _ ~ @ percent-encoded. */
bool dav_url_add_segment(struct buf *out, const char *text);

/*
 * One path segment of Exchange's store: first its own escapes (/ \ ? ~ become _xF8FF_ _xF8FE_ _x003F_ _x007E_, and what
 * would read as such an escape has its underscore escaped), then percent-encoding of the rest.
 */
bool dav_url_add_store_segment(struct buf *out, const char *text);

/*
 * A path as an administrator or a server wrote it: %XX stays, what may not stand in a URL is percent-encoded (a raw
 * blank, bytes beyond ASCII, a lone %), and '+' too since some decoders make it a blank. False when it has control
 * characters or is too long.
 */
bool dav_url_add_path(struct buf *out, const char *text, size_t len);

/*
 * A path template of the configuration, below `base` unless it begins with a slash. {address}, {local} and {domain}
 * become (parts of) segments, whatever characters they have. False: too long, or another word in braces.
 */
bool dav_url_expand(struct buf *out, const char *base, const char *template, const char *address);

/*
 * The path of an href, absolute URL or path, as dav_url_add_path() does it. Whatever host it names is ignored: servers
 * name hosts that do not exist. False for what has no absolute path. `folder`: the path gets its trailing slash.
 */
bool dav_url_path_of(struct buf *out, const char *href, size_t len, bool folder);

/* Do two paths mean the same, whatever their spelling of escapes and trailing slash? */
bool dav_url_path_equal(const char *a, const char *b);

#endif
