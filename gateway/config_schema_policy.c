/*
 * config_schema_policy: policy, who may see whom and how much. See config_schema.c.
 */
#include "config_schema.h"

static const struct gw_option rule_options[] = {
    {"who", GW_OPT_TEXT, .required = true, IN(gw_config_rule, who),
     .sentence = "Who asks, several separated by commas: an identity, group:NAME of identities, @DOMAIN of addresses, "
                 "anonymous, an outlet by its label (xmpp, or outlet:xmpp), xmpp:DOMAIN for those who watch from that "
                 "domain, or * for all of these but anonymous."},
    {"whom", GW_OPT_TEXT, .required = true, IN(gw_config_rule, whom),
     .sentence = "About whom, several separated by commas: an address, group:NAME, @DOMAIN, self (the asker's own "
                 "address), or *."},
    {"level", GW_OPT_WORD, .words = "nothing available kinds times", .required = true, IN(gw_config_rule, level),
     .sentence =
         "How much is told: nothing (as if there were no such person), available (or not, without times), kinds "
         "(of the present moment, without times), or times."},
    {"grid", GW_OPT_S, .min = 60000, .max = 86400000, IN(gw_config_rule, grid_s),
     .sentence =
         "Round times outward to multiples of this, such as 30m; it must divide a day. Without it nothing is rounded."},
    {"merge", GW_OPT_FLAG, .dflt = "false", IN(gw_config_rule, merge), .sentence = "Tell every kind but free as busy."},
    {"horizon", GW_OPT_S, .min = 60000, .max = 31622400000, IN(gw_config_rule, horizon_s),
     .sentence = "Tell nothing that begins later than so long from now. Without it all that is known."},
    {"no_until", GW_OPT_FLAG, .dflt = "false", IN(gw_config_rule, no_until),
     .sentence = "Do not tell when the present state ends and what comes next; hence no free/busy times."},
    {"working_hours_only", GW_OPT_FLAG, .dflt = "false", IN(gw_config_rule, working_only),
     .sentence = "Outside policy.working_hours everybody is unknown, and unavailable in free/busy times."},
    {"until", GW_OPT_TEXT, IN(gw_config_rule, until),
     .sentence = "The last day of this line (2027-06-30, to midnight UTC), or the moment of its end "
                 "(2027-06-30T17:00:00Z); later lines hold from then on."},
};
static const struct gw_section rules_section = {.key = "rules",
                                                .sentence = "Who may see whom: the first line that matches decides; "
                                                            "where none does, nothing may be seen.",
                                                .list = true,
                                                .size = sizeof(struct gw_config_rule),
                                                LIST_IN(gw_config_policy, rules),
                                                .out_line = offsetof(struct gw_config_rule, line),
                                                .options = rule_options,
                                                .option_count = ROWS(rule_options)};

static const struct gw_option hours_options[] = {
    {"days", GW_OPT_LIST, .dflt = "mon tue wed thu fri", .max = 7, LIST_IN(gw_config_hours, days),
     .sentence = "The working days: mon, tue, wed, thu, fri, sat, sun."},
    {"from", GW_OPT_TEXT, IN(gw_config_hours, from), .sentence = "When they begin, such as 08:00."},
    {"to", GW_OPT_TEXT, IN(gw_config_hours, to), .sentence = "When they end, such as 18:00; 24:00 at the latest."},
    {"zone", GW_OPT_TEXT, IN(gw_config_hours, zone),
     .sentence = "The zone of these times, such as Europe/Berlin; without it UTC."},
};
static const struct gw_section hours_section = {.key = "working_hours",
                                                .sentence = "What working_hours_only means.",
                                                .out = offsetof(struct gw_config_policy, hours),
                                                .options = hours_options,
                                                .option_count = ROWS(hours_options)};

static const struct gw_option policy_options[] = {
    {"file", GW_OPT_FILE, IN(gw_config_policy, file),
     .sentence = "A text file of further lines, after those of rules: WHO WHOM LEVEL and, as far as needed, grid=30m, "
                 "merge, horizon=14d, no_until, working_hours_only, until=DAY; # begins a comment."},
};
static const struct gw_section *const policy_sections[] = {&rules_section, &hours_section};
const struct gw_section gw_config_policy_section = {.key = "policy",
                                                    .sentence = "Who may see whom, and how much. Without it, who "
                                                                "reaches a listener or an outlet sees everything.",
                                                    .out = offsetof(struct gw_config, policy),
                                                    .options = policy_options,
                                                    .option_count = ROWS(policy_options),
                                                    .sections = policy_sections,
                                                    .section_count = ROWS(policy_sections)};
