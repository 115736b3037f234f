/*
 * audit: who was told what about whom, as lines of a file that nobody changes unnoticed (base/chain.h). One line when
 * it happens first; what repeats it within audit.repeat is counted, and told as one line at the end of that time.
 */
#ifndef GATEWAY_AUDIT_H
#define GATEWAY_AUDIT_H

#include <stdbool.h>

#include "presence/table.h"

struct gateway;
struct gw_audit;
struct gw_who;
struct jv;
struct pres_grant;

/* Where an answer leaves, or is refused: cheap, and nothing at all where no audit is configured. */
void gw_audit(const struct gateway *g, const struct gw_who *who, pres_id id, const struct pres_grant *grant);
/* Of everybody, in one line: where no policy has anything to say. */
void gw_audit_everybody(const struct gateway *g, const struct gw_who *who);
/* What else belongs there: "forgotten", "reload". `more` is words key=value, or NULL. */
void gw_audit_event(struct gateway *g, const char *event, const char *more);

struct gw_audit *gw_audit_new(struct gateway *g);
void gw_audit_farewell(struct gateway *g); /* last lines, while there is a loop and a state file */
void gw_audit_free(struct gw_audit **a); /* what is not written yet is written after this */
void gw_audit_apply(struct gateway *g);  /* the configuration may be another */

/* When everything up to now is in the file. Once, later; `ok` false: it could not be written. */
typedef void gw_audit_done_fn(void *arg, bool ok);
void gw_audit_sync(struct gateway *g, gw_audit_done_fn *done, void *arg);
void gw_audit_cancel(struct gateway *g, void *arg);

/* Takes somebody out of all lines, before the next sync is done. */
void gw_audit_forget(struct gateway *g, const char *address);

struct jv *gw_audit_report(const struct gateway *g); /* null: none is kept */

#endif
