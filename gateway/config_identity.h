/*
 * config_identity: what people are called outside, where that differs from what the calendars know.
 */
#ifndef GATEWAY_CONFIG_IDENTITY_H
#define GATEWAY_CONFIG_IDENTITY_H

struct arena;
struct gw_config;
struct gw_reading;

/* The address by the rules of publish.identity, in the arena; NULL: none is meant. */
const char *gw_identity_publish_as(const struct gw_config *c, const char *address, struct arena *arena);

/* Rules that contradict each other. */
void gw_identity_check(struct gw_reading *r, const struct gw_config *c);

/* Two people whom an outlet would call the same: a topic or a chat name of a part of the address. After the roster is
 * there. */
void gw_identity_check_roster(struct gw_reading *r, const struct gw_config *c);

#endif
