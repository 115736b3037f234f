/*
 * config_schema_sip: publish.sip: both the outlet to a presence server and the presence server of our own. See
 * config_schema.c.
 */
#include "config_schema.h"

#define BASIC(name, place, stands)                                                                                     \
    {                                                                                                                  \
#name, GW_OPT_WORD, .dflt = stands, .words = "open closed none", .out = (place) * sizeof(char *),              \
                            .sentence = "The basic status for " #name " time."                                         \
    }
static const struct gw_option basic_options[] = {
    BASIC(free, 0, "open"), BASIC(elsewhere, 1, "open"), BASIC(tentative, 2, "open"),
    BASIC(busy, 3, "open"), BASIC(oof, 4, "open"),       BASIC(unknown, 5, "none"),
};
static const struct gw_section basic_section = {.key = "basic",
                                                .sentence = "Which of PIDF's two states stands for which kind of time.",
                                                .out = offsetof(struct gw_config_sip, basic),
                                                .options = basic_options,
                                                .option_count = ROWS(basic_options)};

#define ACTIVITY(name, place, stands)                                                                                  \
    {                                                                                                                  \
#name, GW_OPT_TEXT, .dflt = stands, .out = (place) * sizeof(char *),                                           \
                            .sentence = "The activities for " #name " time, separated by spaces."                      \
    }
static const struct gw_option activity_options[] = {
    ACTIVITY(free, 0, NULL),           ACTIVITY(elsewhere, 1, "working"), ACTIVITY(tentative, 2, "appointment"),
    ACTIVITY(busy, 3, "busy meeting"), ACTIVITY(oof, 4, "away vacation"), ACTIVITY(unknown, 5, NULL),
};
static const struct gw_section activity_section = {
    .key = "activities",
    .sentence = "Which of RPID's activities (RFC 4480) stand for which kind of time; phones look for busy, away and "
                "on-the-phone.",
    .out = offsetof(struct gw_config_sip, activities),
    .options = activity_options,
    .option_count = ROWS(activity_options)};

static const struct gw_section text_section = {.key = "text",
                                               .sentence = GW_TEXT_SENTENCE,
                                               .out = offsetof(struct gw_config_sip, text),
                                               .options = gw_config_text_options,
                                               .option_count = GW_KINDS_TOLD};

static const struct gw_option options[] = {
    {"server", GW_OPT_TEXT, IN(gw_config_sip, server),
     .sentence = "The presence server that takes publications, as URI: sip:example.com (found by DNS), "
                 "sip:192.0.2.1:5060;transport=tcp, sips:example.com; with it everybody is published there."},
    {"domain", GW_OPT_TEXT, IN(gw_config_sip, domain),
     .sentence = "The SIP domain: only people published under it are told; at our own server it is also the realm of "
                 "passwords."},
    {"user", GW_OPT_TEXT, IN(gw_config_sip, user), .sentence = "Our account at the server, where it asks for one."},
    {"password_file", GW_OPT_FILE, IN(gw_config_sip, password_file),
     .sentence = "A file with that account's password, readable by the daemon alone; read anew for each connection."},
    {"self", GW_OPT_TEXT, .dflt = "freebusyd", IN(gw_config_sip, self),
     .sentence =
         "A name in the domain under which the daemon publishes to itself after each connection, to see that what it "
         "publishes arrives."},
    {"ca_file", GW_OPT_FILE, IN(gw_config_sip, ca_file),
     .sentence = "Certificates (PEM) that may have signed the server's; without it the system's."},
    {"expires", GW_OPT_S, .dflt = "10m", .min = 60000, .max = 86400000, IN(gw_config_sip, expires_s),
     .sentence = "How long the server keeps what it was told when the daemon dies."},
    {"rate", GW_OPT_RATE, .dflt = "500", .min = 0, .max = 100000, IN(gw_config_sip, rate),
     .sentence = "Publications, or notifications to phones, a second at the most."},
    {"window", GW_OPT_COUNT, .dflt = "100", .min = 1, .max = 1000, IN(gw_config_sip, window),
     .sentence = "Publications that may wait for an answer at once."},
    {"future", GW_OPT_COUNT, .dflt = "0", .min = 0, .max = 16, IN(gw_config_sip, future),
     .sentence = "How many coming stretches of busy time (of the next day) are told besides (RFC 4481)."},
    {"listen", GW_OPT_LIST, .max = 8, LIST_IN(gw_config_sip, listen),
     .sentence =
         "Where phones may watch people here, without another server: udp:, tcp: or tls: and a numeric address with "
         "port, such as udp:192.0.2.7:5060."},
    {"certificate_file", GW_OPT_FILE, IN(gw_config_sip, certificate_file),
     .sentence = "The certificate (PEM, with its chain) that is shown to phones, for tls: in listen."},
    {"key_file", GW_OPT_FILE, IN(gw_config_sip, key_file), .sentence = "The private key (PEM) of that certificate."},
    {"watchers_file", GW_OPT_FILE, IN(gw_config_sip, watchers_file),
     .sentence =
         "Who may watch at listen: a file readable by the daemon alone, with a line NAME:PASSWORD for each; read anew "
         "for each request."},
    {"trusted", GW_OPT_LIST, .max = 100, LIST_IN(gw_config_sip, trusted),
     .sentence = "Addresses, such as a proxy's, that may watch without a password."},
    {"max_watchers", GW_OPT_COUNT, .dflt = "10000", .min = 1, .max = 1000000, IN(gw_config_sip, max_watchers),
     .sentence = "Subscriptions of phones in all; more are refused."},
    {"zone", GW_OPT_TEXT, IN(gw_config_sip, zone),
     .sentence = "The zone of the times in texts, such as Europe/Berlin; without it UTC."},
};
static const struct gw_section *const sections[] = {&basic_section, &activity_section, &text_section};
const struct gw_section gw_config_sip_section = {
    .key = "sip",
    .sentence = "Presence for phones: published to a presence server (server), or watched here (listen), or both.",
    .out = offsetof(struct gw_config, sip),
    .options = options,
    .option_count = ROWS(options),
    .sections = sections,
    .section_count = ROWS(sections)};
