/*
 * listeners: the bound sockets of publish.http.listen, apart from what is served on them: a reload keeps those whose
 * address stays, and binds the new ones before anything else changes.
 */
#ifndef GATEWAY_LISTENERS_H
#define GATEWAY_LISTENERS_H

#include <stddef.h>

struct gw_config_http;
struct gw_listeners;

/* NULL with a sentence in why. `old` may be NULL; its sockets are shared, not taken. */
struct gw_listeners *gw_listeners_new(const struct gw_config_http *http, const struct gw_listeners *old, char *why,
                                      size_t why_size);
void gw_listeners_free(struct gw_listeners **l);

/* A duplicate of socket i, the caller's; -1 when there is none. */
int gw_listeners_dup(const struct gw_listeners *l, unsigned i);

/*
 * Socket activation (sd_listen_fds(3)): these descriptors are bound and listening already, for as long as the process
 * lives. One whose address a listener of the configuration names serves that listener, on ports below 1024 too. Called
 * once, at start. Returns how many of them are no listening sockets of an address.
 */
unsigned gw_listeners_given(int first, unsigned count);
/* Those that no listener uses: they would leave callers waiting for ever. `text` names the first. */
unsigned gw_listeners_unused(const struct gw_listeners *l, char text[32]);

#endif
