/*
 * config_schema: what the files of the table of keys share. config_schema.c has most of it, and the root;
 * config_schema_NAME.c a section each.
 */
#ifndef GATEWAY_CONFIG_SCHEMA_H
#define GATEWAY_CONFIG_SCHEMA_H

#include "config_private.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])
#define IN(type, member) .out = offsetof(struct type, member)
#define LIST_IN(type, member) .out = offsetof(struct type, member), .out_count = offsetof(struct type, member##_count)

/* The words of every outlet: what stands for one kind of time, `out` by its place in pres_kind. */
extern const struct gw_option gw_config_text_options[GW_KINDS_TOLD];
#define GW_TEXT_SENTENCE                                                                                               \
    "The words beside each availability: {until} is its end, and what stands in [ ] is left out where that is "        \
    "not known."

extern const struct gw_section gw_config_audit_section, gw_config_identities_section, gw_config_proxies_section,
    gw_config_identity_section, gw_config_mqtt_section, gw_config_sip_section, gw_config_webhooks_section,
    gw_config_policy_section, gw_config_markers_section, gw_config_relays_section, gw_config_relay_from_section;

#endif
