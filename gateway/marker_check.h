/*
 * marker_check: what the table of keys cannot say of markers, and who cannot use them.
 */
#ifndef GATEWAY_MARKER_CHECK_H
#define GATEWAY_MARKER_CHECK_H

#include <stdbool.h>

#define GW_MARKERS_MAX 8

struct buf;
struct gw_config;
struct gw_config_marker;
struct gw_reading;

void gw_markers_check(struct gw_reading *r, struct gw_config *c); /* makes c->marker_words */

/* A line for each server some of whose people are read without their events. */
void gw_markers_warnings(const struct gw_config *c, struct buf *out);

bool gw_markers_same(const struct gw_config *a, const struct gw_config *b);

/* The first marker of `before` that hides less in `after`, and as what it stands there (NULL: not any more). NULL: none
 * does. */
const struct gw_config_marker *gw_markers_widen(const struct gw_config *before, const struct gw_config *after,
                                                const struct gw_config_marker **ret_becomes);

#endif
