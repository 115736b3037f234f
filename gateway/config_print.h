/*
 * config_print: the configuration in use as text, for a bundle: what differs from the defaults, without what may be a
 * secret and without the users.
 */
#ifndef GATEWAY_CONFIG_PRINT_H
#define GATEWAY_CONFIG_PRINT_H

struct buf;
struct gw_config;

void gw_config_print(const struct gw_config *c, struct buf *out);

#endif
