/*
 * config_schema_identity: publish.identity. See config_schema.c.
 */
#include <stdint.h>

#include "config_schema.h"

static const struct gw_option options[] = {
    {"domain", GW_OPT_TEXT, .required = true, IN(gw_config_identity, domain),
     .sentence = "The domain of addresses that the calendars know, such as corp.example.com."},
    {"publish_as", GW_OPT_TEXT, .required = true, IN(gw_config_identity, publish_as),
     .sentence = "The domain that they are shown with to others: alice@corp.example.com becomes alice@example.com."},
};
const struct gw_section gw_config_identity_section = {.key = "identity",
                                                      .sentence =
                                                          "Domains by which people are called differently in chat; "
                                                          "users[].publish_as, and the column of a file, go before "
                                                          "it. Two people who would get the same address are refused.",
                                                      .list = true,
                                                      .size = sizeof(struct gw_config_identity),
                                                      LIST_IN(gw_config, identity),
                                                      .out_line = SIZE_MAX,
                                                      .options = options,
                                                      .option_count = ROWS(options)};
