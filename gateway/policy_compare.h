/*
 * policy_compare: two tables held against each other over everybody who may ask and everybody who may be asked about.
 */
#ifndef GATEWAY_POLICY_COMPARE_H
#define GATEWAY_POLICY_COMPARE_H

#include <stddef.h>

struct gateway;
struct gw_compare;
struct gw_config;
struct jv;

/*
 * What `next` would change, in slices between which the daemon does what it has to:
 * {"changes":[{"who","others","was","becomes","persons","example","wider"}],"widens":N}, most people first within each
 * asker, who stands for `others` more. A NULL table grants everything. `done` comes once, never before this returned;
 * it frees the answer. `next` must live until then, or until it is cancelled.
 */
typedef void gw_compare_fn(void *arg, struct jv *answer);
struct gw_compare *gw_policy_compare(struct gateway *g, const struct gw_config *next, gw_compare_fn *done, void *arg);
void gw_policy_compare_cancel(struct gw_compare **c);

/* The same for a reload: how many of the changes tell somebody more; the first of them in words. */
typedef void gw_widenings_fn(void *arg, size_t count, const char *first);
struct gw_compare *gw_policy_widenings(struct gateway *g, const struct gw_config *next, gw_widenings_fn *done,
                                       void *arg);

#endif
