/*
 * http_pidf: a presence over HTTP in the form that phones read.
 */
#ifndef GATEWAY_HTTP_PIDF_H
#define GATEWAY_HTTP_PIDF_H

#include <stdbool.h>

#include "presence/table.h"

struct gw_face;
struct httpd_req;

/* Does the request's Accept header ask for it, at least as much as for JSON? */
bool gw_http_wants_pidf(const struct httpd_req *req);
void gw_http_get_pidf(struct gw_face *face, struct httpd_req *req, pres_id id);

#endif
