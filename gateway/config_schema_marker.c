/*
 * config_schema_marker: markers, what people may write into their calendars. See config_schema.c.
 */
#include "config_schema.h"

static const struct gw_option options[] = {
    {"category", GW_OPT_TEXT, .required = true, IN(gw_config_marker, category),
     .sentence = "The category, such as freebusyd:private; case does not matter."},
    {"level", GW_OPT_WORD, .words = "nothing available kinds", .required = true, IN(gw_config_marker, level),
     .sentence = "The most that anybody is told of the person while an event with this category lasts, whatever "
                 "policy says: nothing, available (or not, without times), or kinds."},
};
const struct gw_section gw_config_markers_section = {.key = "markers",
                                                     .sentence =
                                                         "Categories by which people are shown less while an event "
                                                         "that carries one lasts (eight at most). Without markers no "
                                                         "categories are asked for.",
                                                     .list = true,
                                                     .size = sizeof(struct gw_config_marker),
                                                     LIST_IN(gw_config, markers),
                                                     .out_line = offsetof(struct gw_config_marker, line),
                                                     .options = options,
                                                     .option_count = ROWS(options)};
