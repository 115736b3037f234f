/*
 * rush: the next mass change: the moment of the coming day at which the most people change state, such as nine o'clock.
 */
#ifndef GATEWAY_RUSH_H
#define GATEWAY_RUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway;
struct gw_rush;

struct gw_rush_view {
    int64_t at; /* wall s, the beginning of a minute */
    size_t persons;
};

struct gw_rush *gw_rush_new(struct gateway *g);
void gw_rush_free(struct gw_rush **r);

/* False: not counted yet, or nobody will change. Asking keeps the count going; what it says is up to a minute old. */
bool gw_rush(struct gateway *g, struct gw_rush_view *ret);

#endif
