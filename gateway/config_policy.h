/*
 * config_policy: the part of the configuration that says who may see whom. See config.h.
 */
#ifndef GATEWAY_CONFIG_POLICY_H
#define GATEWAY_CONFIG_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct gw_policy_table;

struct gw_config_rule {
    char *who, *whom;
    char *level; /* "nothing" "available" "kinds" "times" */
    bool merge, no_until, working_only;
    int64_t grid_s, horizon_s;
    char *until; /* NULL: for ever */
    unsigned line;
};

struct gw_config_hours {
    char **days; /* "mon" ... */
    unsigned days_count;
    char *from, *to; /* "08:00"; NULL: none are configured */
    char *zone;      /* NULL: UTC */
};

/* A category that people may write into their calendars. */
struct gw_config_marker {
    char *category;
    char *level; /* "nothing" "available" "kinds" */
    unsigned line;
};

struct gw_config_policy {
    struct gw_config_rule *rules;
    unsigned rules_count;
    char *file; /* NULL */
    struct gw_config_hours hours;
    struct gw_policy_table *table; /* all lines, compiled; NULL: there is no `policy`, and everybody sees everything */
};

#endif
