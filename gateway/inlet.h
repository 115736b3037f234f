/*
 * inlet: a server of kind relay: nobody is asked, others PUT free/busy to us: an exporter of our own kind, signed,
 * or any program that publishes free/busy. What they tell of the people they may speak for goes into the table like any
 * source's answer.
 */
#ifndef GATEWAY_INLET_H
#define GATEWAY_INLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/session.h"

struct buf;
struct gateway;
struct gw_config;
struct gw_config_server;
struct gw_face;
struct gw_inlet;
struct gw_server;
struct httpd_req;
struct jv;

/* Why something was refused. */
enum gw_inlet_refusal {
    GW_INLET_WELL,
    GW_INLET_MALFORMED,
    GW_INLET_UNSIGNED,
    GW_INLET_UNKNOWN_KEY,
    GW_INLET_EXPIRED_KEY,
    GW_INLET_TAMPERED,
    GW_INLET_STREAM,
    GW_INLET_EXPIRED,
    GW_INLET_REPLAYED,
    GW_INLET_PEER,
    GW_INLET_PERSON,
    GW_INLET_MISSED, /* a digest names what we do not hold */
};
#define GW_INLET_REFUSALS (GW_INLET_MISSED + 1)

/* NULL with a sentence in why. */
struct gw_inlet *gw_inlet_new(struct gateway *g, struct gw_server *s, const struct gw_config *config,
                                    const struct gw_config_server *server, char *why, size_t why_size);
void gw_inlet_free(struct gw_inlet **r);
/* Another configuration of the same server, which is in s->config now. */
void gw_inlet_config(struct gw_inlet *r);
/* What the state file has of all relays; called when it can be read, and again whenever: once is enough. */
void gw_inlet_load(struct gateway *g);

/* How old an answer of this relay may grow. */
int64_t gw_inlet_stale_after(const struct gw_inlet *r);
/* Is it silent? To be called now and then. */
void gw_inlet_tick(struct gw_inlet *r);
/* The person is removed here. */
void gw_inlet_forget(struct gw_inlet *r, const char *address);

/* One message; that the peer may speak here is known by then. `address` NULL: it names people itself, else it may speak
 * of this one only. */
enum gw_inlet_refusal gw_inlet_take(struct gw_inlet *r, const char *address, const char *body, size_t len);
enum gw_inlet_refusal gw_inlet_delete(struct gw_inlet *r, const char *address);

/* PUT, DELETE, OPTIONS /relay/NAME/[ADDRESS.ifb] (inlet_http.c). */
void gw_http_inlet(struct gw_face *face, struct httpd_req *req, const char *rest);

/* For status, `servers` and metrics. */
void gw_inlet_info(const struct gw_inlet *r, struct dav_session_info *ret);
struct jv *gw_inlet_report(const struct gw_inlet *r);
void gw_inlet_metrics(struct buf *b, const struct gateway *g);
const char *gw_inlet_refusal_name(enum gw_inlet_refusal refusal); /* "replayed"; static */

#endif
