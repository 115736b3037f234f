/*
 * http_face: one way in. The HTTP listeners and the control socket serve the same resources through the same tables;
 * the control socket is an administrator's face and has more of them (ctl_cmds.c).
 */
#ifndef GATEWAY_HTTP_FACE_H
#define GATEWAY_HTTP_FACE_H

#include <stdbool.h>
#include <stddef.h>

#include "presence/table.h"

struct buf;
struct gateway;
struct gw_events;
struct gw_page;
struct httpd_req;
struct jv;

struct gw_face {
    struct gateway *gateway;
    struct gw_events *events; /* its open event streams */
    struct gw_page *page;     /* what its page needs, see page.h */
    bool admin;
};

/* `rest` is what follows a prefix route's path, percent-decoded; "" for others. Answers the request, now or later. */
typedef void gw_http_route_fn(struct gw_face *face, struct httpd_req *req, const char *rest);

struct gw_http_route {
    const char *method; /* "GET" serves HEAD too; "*": any */
    const char *path;
    bool prefix; /* everything below path, which ends in '/' */
    gw_http_route_fn *fn;
};

/* Looks in `extra` (may be NULL; ends with a NULL path), then among the public routes. The httpd_handler_fn of a face
 * calls this. */
void gw_http_dispatch(struct gw_face *face, struct httpd_req *req, const struct gw_http_route *extra);

/* RFC 9457: {"type","title","status","code","detail"}. `code` is stable, `detail` one sentence for this case. */
void gw_http_problem(struct httpd_req *req, int status, const char *code, const char *detail);

/* The same with other headers than the usual ones. */
void gw_http_problem_with(struct httpd_req *req, int status, const char *const *headers, const char *code,
                          const char *detail);

/* A JSON tree, freed here. */
void gw_http_json(struct httpd_req *req, int status, struct jv *v);

/* The one 404 for a person who is not configured and for one whom the caller may not see. */
void gw_http_nobody(struct httpd_req *req);

/* Event streams of one face (http_events.c). */
struct gw_events *gw_events_new(struct gateway *g);
void gw_events_free(struct gw_events **e); /* after the httpd that carries them */
void gw_events_policy_changed(struct gw_events *e); /* every stream looks whether it is concerned */
size_t gw_events_count(const struct gw_events *e);
bool gw_events_watched(const struct gw_events *e, void (*fn)(void *arg, pres_id id),
                       void *arg); /* as pres_watch_each() */
size_t gw_events_watching(const struct gw_events *e, pres_id id); /* how many tell of this person */
void gw_http_get_events(struct gw_face *face, struct httpd_req *req, const char *rest);

/* GET of free/busy by address (http_freebusy.c). */
void gw_http_get_freebusy(struct gw_face *face, struct httpd_req *req, const char *rest);

/* CalDAV: everything below /dav/, and discovery (http_dav.c). */
void gw_http_dav(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_http_dav_well_known(struct gw_face *face, struct httpd_req *req, const char *rest);

/* GET /, its files and GET /v1/people (http_page.c), GET /metrics (metrics.c). */
void gw_http_get_page(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_http_get_page_file(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_http_get_people(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_metrics_write(struct gateway *g, struct buf *out);
void gw_http_get_metrics(struct gw_face *face, struct httpd_req *req, const char *rest);

#endif
