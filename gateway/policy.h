/*
 * policy: who may see whom, and how much. One table, the first line that matches decides, and where none does nothing
 * may be seen. Where the configuration has no `policy` at all, who reaches a listener or an outlet sees everything: the
 * listeners are then loopback ones, or an administrator said otherwise (allow_remote).
 */
#ifndef GATEWAY_POLICY_H
#define GATEWAY_POLICY_H

#include "presence/table.h"
#include "presence/view.h"

struct gateway;
struct gw_who;

/* What `who` may be told of this person now. Cheap: O(lines of the table), usually less. */
void gw_policy_grant(const struct gateway *g, const struct gw_who *who, pres_id id, struct pres_grant *ret);

/* Is there a table at all, and is there a line about `anonymous`? */
bool gw_policy_is_set(const struct gateway *g);
bool gw_policy_names_anonymous(const struct gateway *g);

/* Changes whenever an answer of gw_policy_grant may differ from before: a reload, an opt-out, an expiry. */
unsigned gw_policy_epoch(const struct gateway *g);

#endif
