/*
 * relay_out: the exporter of a relay pair: an outlet that PUTs what it is allowed to tell (the view of its own
 * identity) to somebody outside, and takes nothing from there but "accepted" or "refused".
 */
#ifndef GATEWAY_RELAY_OUT_H
#define GATEWAY_RELAY_OUT_H

#include "presence/publisher.h"
#include "presence/store.h"

struct gateway;
struct gw_config_relay;

/* `config` is read now and not kept. NULL with a sentence in why. */
struct pres_publisher *gw_relay_out_new(struct gateway *g, const char *label, const struct gw_config_relay *config,
                                        const struct pres_store *store, char *why, size_t why_size);

#endif
