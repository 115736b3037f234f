/*
 * who: who asks. Every request on a listener has an identity before a handler sees it: a bearer token, a name with a
 * password, a client certificate, the header of a listed reverse proxy, or anonymous where the policy names that. The
 * control socket's caller is the administrator.
 */
#ifndef GATEWAY_WHO_H
#define GATEWAY_WHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct gateway;
struct gw_face;
struct gw_gate;
struct httpd_req;

/* An identity. Lives as long as the request, and longer for who keeps a reference (event streams, which outlast a
 * reload). */
struct gw_who {
    const char *name;  /* "door-display", "alice@example.com"; for anonymous "anonymous" */
    const char *means; /* "control" "token" "basic" "certificate" "proxy" "anonymous" "outlet" "relay": static */
    const char *group; /* as configured, NULL: none */
    bool admin;        /* may change things: refresh, reload */
    bool reader;       /* may read what administrators read: the page, servers, status, metrics */
    uint64_t secrets;  /* another one when any of its credentials is another; 0: has none */
};

/*
 * Who sent this request. NULL: nobody whom we know; the request has then been answered (401, 403 or 429), and the
 * handler returns. Cheap: found once for each request.
 */
const struct gw_who *gw_who_of(struct gw_face *face, struct httpd_req *req);

/* The same for what a program asks in somebody's name, where being let in as anonymous would only keep it from saying
 * who asks: with passwords about, anonymous is asked for one. */
const struct gw_who *gw_who_login_of(struct gw_face *face, struct httpd_req *req);

/* May they read what administrators read? False: the request has been answered. */
bool gw_who_reads(struct gw_face *face, struct httpd_req *req);

/* For what outlasts the request. */
struct gw_who *gw_who_ref(const struct gw_who *who);
void gw_who_unref(struct gw_who **who);

/* Is it still configured, with the same rights? For what outlasts a reload. */
bool gw_who_holds(const struct gateway *g, const struct gw_who *who);

/*
 * Finds out, once for each request, before its handler. LATER: a password is being looked at (it takes a while, beside
 * the loop), and `then` comes when it was right; a wrong one is answered by itself, and a client that leaves is
 * forgotten.
 */
enum gw_who_state { GW_WHO_KNOWN, GW_WHO_ANSWERED, GW_WHO_LATER };
typedef void gw_who_then_fn(struct gw_face *face, struct httpd_req *req, const void *arg);
enum gw_who_state gw_who_ask(struct gw_face *face, struct httpd_req *req, gw_who_then_fn *then, const void *arg);

/* The gate of all listeners: who tried what, from where. */
struct gw_gate *gw_gate_new(struct gateway *g);
void gw_gate_free(struct gw_gate **gate);   /* after the faces */
void gw_gate_changed(struct gw_gate *gate); /* the identities are others now */
void gw_gate_count(const struct gw_gate *gate, size_t i, const char **ret_why, uint64_t *ret_count); /* NULL: no more */

#endif
