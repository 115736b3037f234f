/*
 * recent: a bounded memory of what came lately, by text: when it is full, what was used least recently goes. For tables
 * that strangers can fill.
 */
#ifndef GATEWAY_RECENT_H
#define GATEWAY_RECENT_H

#include <stddef.h>

struct gw_recent;

/* A value's `size` bytes begin as zero. `gone` (may be NULL) is told of each value before it goes. */
typedef void gw_recent_gone_fn(void *arg, const char *key, void *value);
struct gw_recent *gw_recent_new(size_t max, size_t size, gw_recent_gone_fn *gone, void *arg);
void gw_recent_free(struct gw_recent **r);
void gw_recent_clear(struct gw_recent *r);
size_t gw_recent_count(const struct gw_recent *r);

void *gw_recent_get(struct gw_recent *r, const char *key); /* NULL: not there. What is found was used now. */
void *gw_recent_put(struct gw_recent *r, const char *key); /* the one that is there, or a new one */
void gw_recent_del(struct gw_recent *r, const char *key);

#endif
