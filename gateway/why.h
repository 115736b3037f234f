/*
 * why: explains a person's state at a moment. Asks the mail server about the person once more (events that lose or do
 * not count are nowhere stored), weighs each event that covers the moment by the rules of the person's group, and says
 * what decided, what lost, what comes next, how old the data is and by which request it came.
 */
#ifndef GATEWAY_WHY_H
#define GATEWAY_WHY_H

#include <stdint.h>

#include "davclient/result.h"
#include "presence/rules.h"
#include "presence/table.h"

struct gateway;
struct gw_why;
struct jv;

/* The explanation, which the callee frees; NULL: the person was removed meanwhile. */
typedef void gw_why_fn(void *arg, struct jv *explanation);

/*
 * `at`: wall s, 0: now. The answer comes once, never before this returned, within ten seconds: when the server has not
 * answered by then, from what is stored alone. Cancel with gw_why_cancel before the asker goes away; the answer frees.
 */
struct gw_why *gw_why_start(struct gateway *g, pres_id id, int64_t at, gw_why_fn *done, void *arg);
void gw_why_cancel(struct gw_why **w);

/* feed: an answer about a person is here, before it is weighed. Cheap when nobody asks why. */
void gw_why_take(struct gateway *g, pres_id id, const struct pres_rules *rules, const struct dav_result *result);

#endif
