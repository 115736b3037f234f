/*
 * sim_publish: what of a calendar others can see as free/busy, which is the calendar of some time ago.
 */
#ifndef SIM_PUBLISH_H
#define SIM_PUBLISH_H

#include "sim_store.h"

/* Publishes it again, for [first, past), if it was changed longer than `delay` seconds ago, or there is no delay. */
void sim_publish(struct sim_mailbox *m, int64_t now, int64_t delay, int64_t first, int64_t past);

typedef void sim_published_fn(void *arg, int64_t start, int64_t end, enum sim_busy busy);
void sim_published_each(const struct sim_mailbox *m, sim_published_fn *fn, void *arg);

#endif
