/*
 * bundle: one text for those who help from outside: configuration without secrets, status, causes, counters, versions
 * and the last log lines, with a list of what is in it on top. People have pseudonyms unless told otherwise.
 */
#ifndef GATEWAY_BUNDLE_H
#define GATEWAY_BUNDLE_H

#include <stdbool.h>

struct buf;
struct gateway;

/* False: it is larger than out takes. */
bool gw_bundle(struct gateway *g, bool names, struct buf *out);

#endif
