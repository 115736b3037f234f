/*
 * exchange_poll (private to exchange*.c): what Exchange says about subscriptions, read.
 */
#ifndef DAVCLIENT_EXCHANGE_POLL_H
#define DAVCLIENT_EXCHANGE_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One id of the answer: 200 something happened, 204 nothing, anything else: the server does not know it. `path` is that
 * of the folder, with trailing slash; "": not told. */
typedef void dav_exchange_poll_fn(void *arg, uint32_t id, int status, const char *path);

/* False: it is no whole document. What was told until then was told. */
bool dav_exchange_poll_read(const char *body, size_t len, dav_exchange_poll_fn *fn, void *arg);

/* "15,18": how many there were, 0 for anything that is not a list of numbers. */
unsigned dav_exchange_ids_read(const char *text, size_t len, uint32_t *ids, unsigned max);

/* A datagram: -1: no NOTIFY that makes sense; else the number of ids in it, 0: it has no such header. */
int dav_exchange_notify_read(const char *data, size_t len, uint32_t *ids, unsigned max);

#endif
