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

/* A row of an outlet's mapping or words: what stands for one kind of time. `place`: of pres_kind. */
#define GW_SAY(name, place, stands)                                                                                    \
    {                                                                                                                  \
#name, GW_OPT_TEXT, .dflt = stands, .out = (place) * sizeof(char *),                                           \
                            .sentence = "The status text for " #name " time."                                          \
    }
#define GW_TEXT_SENTENCE                                                                                               \
    "The words beside each availability: {until} is its end, and what stands in [ ] is left out where that is "        \
    "not known."

extern const struct gw_section gw_config_identity_section, gw_config_mqtt_section, gw_config_sip_section,
    gw_config_webhooks_section;

#endif
