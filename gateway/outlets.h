/*
 * outlets: whom the daemon tells by itself (an XMPP server so far): owns a publisher for each outlet configured, feeds
 * them from the journal, replaces those whose configuration changed. The faces see their state through gw_outlet_*.
 */
#ifndef GATEWAY_OUTLETS_H
#define GATEWAY_OUTLETS_H

#include "presence/publisher.h"

struct gateway;
struct gw_config;
struct gw_outlets;

/* After a new configuration is in place; `old` NULL: it is the first. Cannot fail: an outlet that cannot be made says
 * so in its status. */
void gw_outlets_apply(struct gateway *g, const struct gw_config *old);
/* People were added, removed or renamed. */
void gw_outlets_people_changed(struct gateway *g);
void gw_outlets_forget(struct gateway *g, const char *address); /* for good; again while something is left */
void gw_outlets_resync(struct gateway *g); /* anybody may have changed without a word in the journal */
/* Something new is known of somebody, whether it changes the present state or not: for relays. */
void gw_outlets_known(struct gateway *g, pres_id id);
/* Outside of a turn: lets outlets say that we go, for 3 s at the longest. */
void gw_outlets_policy_changed(struct gateway *g);
void gw_outlets_farewell(struct gateway *g);
void gw_outlets_free(struct gw_outlets **o);

/* outlets_sip.c: how the site writes PIDF, from the configuration; also without an outlet for it. */
void gw_pidf_apply(struct gateway *g);
void gw_pidf_free(struct gateway *g);

/* Does the configuration make an outlet of this label? */
bool gw_outlets_configured(const struct gw_config *c, const char *label);

size_t gw_outlet_count(const struct gateway *g);
void gw_outlet_status(const struct gateway *g, size_t i, struct pres_publisher_status *ret);
/* An administrator's check: lets each outlet that is up try what it can; or, without `begin`, is one of them at it? */
bool gw_outlets_prove(struct gateway *g, bool begin);
size_t gw_outlet_counts(const struct gateway *g, size_t i, struct pres_count *rows, size_t max);
bool gw_outlets_watched(const struct gateway *g, void (*fn)(void *arg, pres_id id),
                        void *arg);            /* as pres_watch_each() */
bool gw_outlets_well(const struct gateway *g); /* none is down */

/* outlet_store.c: rows in the state file (read here: before anything is written to it); db NULL: in memory only. The db
 * must outlive the store. */
struct db;
struct gw_outlet_store;
struct loop;
struct pres_store;
struct gw_outlet_store *gw_outlet_store_new(struct loop *loop, struct db *db);
void gw_outlet_store_free(struct gw_outlet_store **s);
const struct pres_store *gw_outlet_store_face(const struct gw_outlet_store *s);

/* Somebody whose name is to be in no row: those that are there are counted (left) until they are deleted (purge), and
 * then no new one is taken.
 * `domain`: the one that contacts of XMPP leave out, NULL. */
void gw_outlet_store_forget(struct gw_outlet_store *s, const char *name, const char *domain);
void gw_outlet_store_remember(struct gw_outlet_store *s); /* all of them may be written again */
size_t gw_outlet_store_left(const struct gw_outlet_store *s);
void gw_outlet_store_purge(struct gw_outlet_store *s);
struct gw_outlet_store *gw_outlets_rows(const struct gateway *g);

#endif
