/*
 * config_schema_mqtt: publish.mqtt. See config_schema.c.
 */
#include "config_schema.h"

#define SHOW(name, place, stands)                                                                                      \
    {                                                                                                                  \
#name, GW_OPT_TEXT, .dflt = stands, .out = (place) * sizeof(char *),                                           \
                            .sentence = "What {show} is for " #name " time."                                           \
    }
static const struct gw_option show_options[] = {
    SHOW(free, 0, NULL),  SHOW(elsewhere, 1, NULL), SHOW(tentative, 2, NULL),
    SHOW(busy, 3, "dnd"), SHOW(oof, 4, "xa"),       SHOW(unknown, 5, "unknown"),
};
static const struct gw_section show_section = {.key = "show",
                                               .sentence = "Which word stands for which kind of time as {show}.",
                                               .out = offsetof(struct gw_config_mqtt, show),
                                               .options = show_options,
                                               .option_count = ROWS(show_options)};

static const struct gw_section text_section = {.key = "text",
                                               .sentence = GW_TEXT_SENTENCE,
                                               .out = offsetof(struct gw_config_mqtt, text),
                                               .options = gw_config_text_options,
                                               .option_count = GW_KINDS_TOLD};

static const struct gw_option options[] = {
    {"server", GW_OPT_TEXT, IN(gw_config_mqtt, server),
     .sentence =
         "The broker: mqtts://host[:8883], or mqtt://host[:1883] in clear text; with it the outlet is switched on."},
    {"topic", GW_OPT_TEXT, .dflt = "presence/{address}", IN(gw_config_mqtt, topic),
     .sentence =
         "The topic of a person's retained message, where {address}, {local}, {domain} and {group} stand for the "
         "address, its parts and the group, each escaped to one level."},
    {"status_topic", GW_OPT_TEXT, .dflt = "presence-gateway/online", IN(gw_config_mqtt, status_topic),
     .sentence = "The topic that says 1 while the daemon is there and 0 when it is not, also by the broker's will."},
    {"user", GW_OPT_TEXT, IN(gw_config_mqtt, user), .sentence = "Our name at the broker, where it asks for one."},
    {"password_file", GW_OPT_FILE, IN(gw_config_mqtt, password_file),
     .sentence =
         "A file with the password for the broker, readable by the daemon alone; read anew for each connection."},
    {"ca_file", GW_OPT_FILE, IN(gw_config_mqtt, ca_file),
     .sentence = "Certificates (PEM) that may have signed the broker's; without it the system's."},
    {"client_cert_file", GW_OPT_FILE, IN(gw_config_mqtt, client_cert_file),
     .sentence = "A client certificate (PEM) to show to the broker."},
    {"client_key_file", GW_OPT_FILE, IN(gw_config_mqtt, client_key_file),
     .sentence = "The private key (PEM) of the client certificate."},
    {"client_id", GW_OPT_TEXT, .dflt = "freebusyd", IN(gw_config_mqtt, client_id),
     .sentence =
         "Our client identifier; two daemons at one broker need two, because a broker cuts the older of two that "
         "are the same."},
    {"protocol", GW_OPT_CHOICE, .dflt = "auto", .words = "auto 5 3.1.1", IN(gw_config_mqtt, protocol),
     .sentence = "The version of MQTT; auto is 5, and 3.1.1 where the broker does not know it."},
    {"payload", GW_OPT_TEXT, IN(gw_config_mqtt, payload),
     .sentence = "A template of the message (see TEMPLATES); without it the JSON of the HTTP interface."},
    {"content_type", GW_OPT_TEXT, .dflt = "application/json", IN(gw_config_mqtt, content_type),
     .sentence =
         "What the message is, told to brokers of MQTT 5; with json in it, the words of a template are escaped for "
         "JSON."},
    {"zone", GW_OPT_TEXT, IN(gw_config_mqtt, zone),
     .sentence = "The zone of the times in texts, such as Europe/Berlin; without it UTC."},
    {"rate", GW_OPT_RATE, .dflt = "5000", .min = 0, .max = 1000000, IN(gw_config_mqtt, rate),
     .sentence = "Messages a second at the most."},
    {"inflight", GW_OPT_COUNT, .dflt = "200", .min = 1, .max = 20000, IN(gw_config_mqtt, inflight),
     .sentence = "Messages that may wait for the broker's acknowledgement."},
};
static const struct gw_section *const sections[] = {&show_section, &text_section};
const struct gw_section gw_config_mqtt_section = {.key = "mqtt",
                                                  .sentence = "A retained message for each person on an MQTT broker.",
                                                  .out = offsetof(struct gw_config, mqtt),
                                                  .options = options,
                                                  .option_count = ROWS(options),
                                                  .sections = sections,
                                                  .section_count = ROWS(sections)};
