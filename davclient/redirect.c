/*
 * redirect: may we follow this Location, and where does it lead? A pure decision; query.c asks for each 3xx and sends
 * the same method and body again. Nothing is ever followed to a host that is neither the one that answered, nor the
 * account's own, nor named in allowed_hosts.
 */
#include "redirect.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

static bool absolute(const char *from, const char *location, struct buf *out);
static bool host_allowed(const struct dav_url *to, const struct dav_url *home, const char *const *allowed);
static bool entry_matches(const char *entry, const struct dav_url *to);
static bool same_host(const struct dav_url *a, const struct dav_url *b);

bool dav_redirect_is(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

enum dav_redirect dav_redirect_decide(const struct dav_redirect_rules *rules, const char *from, const char *location,
                                      unsigned hops, struct buf *out)
{
    struct dav_url a, b, home;

    buf_reset(out);
    if (!location || !dav_url_parse(from, &a) || !dav_url_parse(rules->home, &home) || !absolute(from, location, out) ||
        !dav_url_parse(out->data, &b))
        return DAV_REDIRECT_SENSELESS;
    if (a.tls && !b.tls)
        return DAV_REDIRECT_FOREIGN;
    if (!same_host(&a, &b) && !host_allowed(&b, &home, rules->allowed_hosts))
        return DAV_REDIRECT_FOREIGN;
    if (hops >= DAV_REDIRECT_MAX)
        return DAV_REDIRECT_TOO_MANY;
    return DAV_REDIRECT_FOLLOW;
}

bool dav_redirect_host_allowed(const struct dav_redirect_rules *rules, const struct dav_url *to)
{
    struct dav_url home;

    return dav_url_parse(rules->home, &home) && (to->tls || !home.tls) && host_allowed(to, &home, rules->allowed_hosts);
}

const char *dav_redirect_trap(const char *url)
{
    static const char *const logon[] = {"owalogon.asp", "/auth/logon.aspx", "CookieAuth.dll", "/logon.asp"};
    size_t len = strlen(url);

    for (size_t i = 0; i < sizeof(logon) / sizeof(logon[0]); i++)
        if (str_find_nocase(url, len, logon[i]))
            return "auth-none-usable";
    return str_find_nocase(url, len, "/owa/") || (len >= 4 && str_eq_nocase(url + len - 4, "/owa")) ? "webdav-missing"
                                                                                                    : NULL;
}

/* Location may be a URL, //host/path, /path; a path relative to the folder is not sent by any server we know, and taken
 * all the same. */
static bool absolute(const char *from, const char *location, struct buf *out)
{
    size_t len = strcspn(location, "#");
    struct dav_url u;
    const char *path = location;

    if (!dav_url_parse(from, &u))
        return false;
    if (str_starts_nocase(location, "http://") || str_starts_nocase(location, "https://")) {
        path = strchr(location, ':') + 3;
        path += strcspn(path, "/?#");
        buf_add(out, location, (size_t)(path - location));
    } else if (str_starts(location, "//")) {
        path = location + 2 + strcspn(location + 2, "/?#");
        buf_adds(out, u.tls ? "https:" : "http:");
        buf_add(out, location, (size_t)(path - location));
    } else {
        dav_url_origin(&u, out);
        if (*location != '/') {
            const char *last = strrchr(u.path, '/');

            buf_add(out, u.path, last ? (size_t)(last - u.path) + 1 : 0);
            if (!last)
                buf_addc(out, '/');
        }
    }
    if (path == location + len)
        buf_addc(out, '/');
    return !out->failed && dav_url_add_path(out, path, (size_t)(location + len - path));
}

static bool host_allowed(const struct dav_url *to, const struct dav_url *home, const char *const *allowed)
{
    if (same_host(home, to))
        return true;
    for (; allowed && *allowed; allowed++)
        if (entry_matches(*allowed, to))
            return true;
    return false;
}

/* "host" stands for the scheme's own port, "host:port" for that one. IPv6 in brackets. */
static bool entry_matches(const char *entry, const struct dav_url *to)
{
    struct dav_url u;
    struct buf url;
    bool ok;

    buf_init(&url, DAV_URL_HOST_MAX + 32);
    buf_addf(&url, "%s://%s/", to->tls ? "https" : "http", entry);
    ok = !url.failed && dav_url_parse(url.data, &u) && dav_url_same_origin(&u, to);
    buf_free(&url);
    return ok;
}

/* The same origin, or the same host on the standard ports when http leads to https. */
static bool same_host(const struct dav_url *a, const struct dav_url *b)
{
    if (dav_url_same_origin(a, b))
        return true;
    return strcmp(a->host, b->host) == 0 && !a->tls && b->tls && a->port == 80 && b->port == 443;
}
