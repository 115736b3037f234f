/*
 * sim_publish: what of a calendar others can see as free/busy, which is the calendar of some time ago.
 */
#ifndef SIM_PUBLISH_H
#define SIM_PUBLISH_H

#include "sim_store.h"

struct sim;

/* Publishes it again, for [first, past), if it was changed longer than `delay` seconds ago, or there is no delay. */
void sim_publish(struct sim_mailbox *m, int64_t now, int64_t delay, int64_t first, int64_t past);

/* The same as the server's switches have it; returns which stretch that is: months of the mailbox's own clock. */
void sim_publish_due(const struct sim *sim, struct sim_mailbox *m, int64_t *ret_first, int64_t *ret_past);
int64_t sim_published_at(const struct sim_mailbox *m); /* 0: never */

typedef void sim_published_fn(void *arg, int64_t start, int64_t end, enum sim_busy busy);
void sim_published_each(const struct sim_mailbox *m, sim_published_fn *fn, void *arg);

#endif
