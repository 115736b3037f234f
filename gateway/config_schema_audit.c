/*
 * config_schema_audit: the audit. See config_schema.c.
 */
#include "config_schema.h"

static const struct gw_option options[] = {
    {"file", GW_OPT_TEXT, IN(gw_config_audit, file),
     .sentence = "Where to write who was told what about whom, one line a decision; without it nowhere."},
    {"max_size", GW_OPT_COUNT, .dflt = "100", .min = 1, .max = 100000, IN(gw_config_audit, max_size),
     .sentence = "Megabytes after which the file becomes FILE.1, and a new one goes on."},
    {"keep", GW_OPT_COUNT, .dflt = "10", .min = 1, .max = 1000, IN(gw_config_audit, keep),
     .sentence = "How many such older files are kept."},
    {"repeat", GW_OPT_S, .dflt = "1h", .min = 1000, .max = 86400000, IN(gw_config_audit, repeat_s),
     .sentence = "How long the same answer to the same asker is only counted, and then told as one line."},
};
const struct gw_section gw_config_audit_section = {.key = "audit",
                                                   .sentence = "A record of disclosures that shows when it was "
                                                               "tampered with.",
                                                   .out = offsetof(struct gw_config, audit),
                                                   .options = options,
                                                   .option_count = ROWS(options)};
