/*
 * discover (private): from a domain to the URL of its calendar server, by DNS (RFC 6764).
 */
#ifndef DAVCLIENT_DISCOVER_H
#define DAVCLIENT_DISCOVER_H

#include <stdbool.h>

struct loop;
struct dav_discover;

/* Outlives the search. */
struct dav_discover_setup {
    const char *domain;
    const char *server; /* the name server, "127.0.0.1:53"; NULL: the system's */
    const char *const *allowed_hosts;
    unsigned attempt; /* counts those before, after which the server found was not reached */
};

/* A URL, or else a stable code and what it is about. They live during the call; the search is gone then. */
typedef void dav_discover_fn(void *arg, const char *url, const char *code, const char *evidence);

/* Is this url no URL, but a name? */
bool dav_discover_is_domain(const char *url);

struct dav_discover *dav_discover_start(struct loop *loop, const struct dav_discover_setup *setup, dav_discover_fn *fn,
                                        void *arg);
void dav_discover_cancel(struct dav_discover **d); /* NULL is fine */

#endif
