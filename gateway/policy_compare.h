/*
 * policy_compare: two tables held against each other over everybody who may ask and everybody who may be asked about.
 */
#ifndef GATEWAY_POLICY_COMPARE_H
#define GATEWAY_POLICY_COMPARE_H

#include <stddef.h>

#include "presence/view.h"

struct gateway;
struct gw_config;
struct jv;

/*
 * {"changes":[{"who","was","becomes","persons","example","wider"}],"widens":N}: what `next` would change, most people
 * first within each asker. A NULL table grants everything.
 */
struct jv *gw_policy_compare(const struct gateway *g, const struct gw_config *next);

/* How many of the changes tell somebody more; the first of them in words. */
size_t gw_policy_widenings(const struct gateway *g, const struct gw_config *next, char *first, size_t first_size);

#endif
