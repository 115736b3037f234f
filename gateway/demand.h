/*
 * demand: who is watched by anybody (an event stream, an outlet), and how urgent the next question about a person is.
 */
#ifndef GATEWAY_DEMAND_H
#define GATEWAY_DEMAND_H

#include "poller.h"

struct gateway;
struct gw_demand;

struct gw_demand *gw_demand_new(struct gateway *g);
void gw_demand_free(struct gw_demand **d);

/* With poll.demand: watched; else all of them are wanted. The configuration may have changed. */
void gw_demand_apply(struct gateway *g);

/* For the poller. */
enum gw_rank gw_demand_rank(struct gateway *g, uint32_t id);

/* How many are watched; SIZE_MAX: everybody. */
size_t gw_demand_count(const struct gateway *g);

#endif
