/*
 * who: who asks. Every request on a listener has an identity before a handler sees it: a bearer token, a name with a
 * password, a client certificate, the header of a listed reverse proxy, or anonymous where the policy names that. The
 * control socket's caller is the administrator.
 */
#ifndef GATEWAY_WHO_H
#define GATEWAY_WHO_H

#include <stdbool.h>
#include <stddef.h>

struct gw_face;
struct httpd_req;

/* An identity. Lives as long as the request, and longer for who keeps a reference (event streams, which outlast a
 * reload). */
struct gw_who {
    const char *name;  /* "door-display", "alice@example.com"; for anonymous "anonymous" */
    const char *means; /* "control" "token" "basic" "certificate" "proxy" "anonymous" "outlet" "relay": static */
    const char *group; /* as configured, NULL: none */
    bool admin;        /* may change things: refresh, reload */
    bool reader;       /* may read what administrators read: the page, servers, status, metrics */
};

/*
 * Who sent this request. NULL: nobody whom we know; the request has then been answered (401, 403 or 429), and the
 * handler returns. Cheap: found once for each request.
 */
const struct gw_who *gw_who_of(struct gw_face *face, struct httpd_req *req);

/* For what outlasts the request. */
struct gw_who *gw_who_ref(const struct gw_who *who);
void gw_who_unref(struct gw_who **who);

#endif
