/*
 * report: what the daemon knows of itself, as JSON trees, for HTTP, the control socket and whoever asks later. One
 * function a table of product's; the caller frees the tree. Times are RFC 3339 or null.
 */
#ifndef GATEWAY_REPORT_H
#define GATEWAY_REPORT_H

#include <stdint.h>

#include "presence/table.h"

struct gateway;
struct jv;

/* {"version","started_at","ready","persons":{state:count},"servers":{ok,failing},"causes":[...],"subscribers",
 * "listen":[...],...} */
struct jv *gw_report_status(struct gateway *g);

/* {"servers":[...]}: one object a server: state, product, scheme, counters, freshness, cause with advice. */
struct jv *gw_report_servers(struct gateway *g);

/* {"causes":[...]}, worst first. */
struct jv *gw_report_causes(struct gateway *g);

/* One person: presence as in the API, and what happened with the polls. */
struct jv *gw_report_person(struct gateway *g, pres_id id);

/* The same presence object as the API's, as a tree. */
struct jv *gw_report_presence(struct gateway *g, pres_id id);

/* Any presence, as the API writes one; and with group and server, as lists of people have them. */
struct pres_presence;
struct jv *gw_report_row(struct gateway *g, pres_id id, const struct pres_presence *p);
struct jv *gw_report_presence_object(const char *address, const struct pres_presence *p);

/* {"code","meaning","advice","evidence"} of one person's; code NULL: null. */
struct jv *gw_report_failure(struct gateway *g, pres_id id, const char *code, const char *evidence);

struct jv *gw_report_time(int64_t t); /* seconds; 0 and PRES_NEVER: null */

#endif
