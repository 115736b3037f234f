/*
 * policy: who may see whom, and how much. One table (policy_table.h), the first line that matches decides, and where
 * none does nothing may be seen. Where the configuration has no `policy` at all, who reaches a listener or an outlet
 * sees everything: the listeners are then loopback ones, or an administrator said otherwise (allow_remote).
 *
 * A person's own choice (policy_choice.c), or a marker in their calendar (marker.c), is the most that anybody is told
 * of them, whatever the table says. The control socket sees everything.
 */
#ifndef GATEWAY_POLICY_H
#define GATEWAY_POLICY_H

#include "presence/table.h"
#include "presence/view.h"

struct gateway;
struct gw_asker;
struct gw_policy;
struct gw_policy_lines;
struct gw_subject;
struct gw_who;

/* What `who` may be told of this person now. Cheap: O(lines of the table), usually less. */
void gw_policy_grant(const struct gateway *g, const struct gw_who *who, pres_id id, struct pres_grant *ret);
/* The same for a part of an outlet's audience, such as the watchers of one XMPP domain. */
void gw_policy_grant_part(const struct gateway *g, const struct gw_who *who, const char *part, pres_id id,
                          struct pres_grant *ret);

/*
 * The presence of this person as `who` may see it: table, policy and view in one. False: for `who` there is no such
 * person (PRES_NOBODY included). What a face tells of a person comes from here, or from freebusy.h.
 */
bool gw_policy_presence(const struct gateway *g, const struct gw_who *who, pres_id id, struct pres_presence *ret);

/* The same for an asker who goes on asking, a stream: the lines that speak of `who`, who must outlive it, are kept. */
struct gw_policy_lines *gw_policy_lines_new(const struct gw_who *who);
void gw_policy_lines_free(struct gw_policy_lines **l);
bool gw_policy_presence_by(const struct gateway *g, struct gw_policy_lines *l, pres_id id, struct pres_presence *ret);

/* What is known of this person, as `who` may know it; NULL: no times may be told. Freed by pres_seen_free, in this
 * turn. */
struct pres_seen *gw_policy_known(const struct gateway *g, const struct gw_who *who, pres_id id);

/* Is everything told to `who`, of everybody, as things are? Then no view is needed. */
bool gw_policy_sees_all(const struct gateway *g, const struct gw_who *who);

/* Is there a table at all, and is there a line about `anonymous`? */
bool gw_policy_is_set(const struct gateway *g);
bool gw_policy_names_anonymous(const struct gateway *g);

/* Changes whenever an answer of gw_policy_grant, or what a view makes of it, may differ from before without anything
 * else having changed: a reload, an opt-out, a marker that begins or ends, an
 * expiry, a moment of a grid. */
unsigned gw_policy_epoch(const struct gateway *g);

/*
 * A person's own choice or marker is another than before: cursors from before this tell nothing of what came between
 * (see http_view.h), and those from before gw_policy_cursors_from are no use at all.
 */
void gw_policy_narrowed_otherwise(const struct gateway *g, pres_id id);
void gw_policy_drop_cursors(const struct gateway *g);
/* Has that happened since the journal's number was `seq`, or since `turn` (0: not known), to somebody or anybody
 * (PRES_NOBODY)? In doubt, yes. */
bool gw_policy_seen_otherwise(const struct gateway *g, pres_id id, uint64_t seq, uint64_t turn);
uint64_t gw_policy_turn(const struct gateway *g); /* from 1 */
uint64_t gw_policy_cursors_from(const struct gateway *g);

/* May the person's own choice or marker narrow what is told, now or at another time? */
bool gw_policy_is_narrowed(const struct gateway *g, pres_id id);
/* How it does now: the most that is told, by "choice" or "marker", until when (PRES_NEVER: not known). False: not. */
bool gw_policy_narrowing(const struct gateway *g, pres_id id, enum pres_level *ret, const char **ret_by,
                         int64_t *ret_until);
/* Was the person hidden so at that time, as far as is known now? */
bool gw_policy_was_hidden(const struct gateway *g, pres_id id, int64_t at);

/* For an asker made of words, at another time: `policy test`. */
void gw_policy_grant_at(const struct gateway *g, const struct gw_asker *who, pres_id id, int64_t at,
                        struct pres_grant *ret);

/* Somebody has chosen otherwise. */
void gw_policy_changed(struct gateway *g);
/* The same for many at once: in the loop's next turn. */
void gw_policy_soon(struct gateway *g);

/* The gateway's: g->policy. */
struct gw_policy *gw_policy_new(struct gateway *g);
void gw_policy_free(struct gw_policy **p);
void gw_policy_apply(struct gateway *g); /* a new configuration is in place */

#endif
