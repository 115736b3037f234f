/*
 * config_schema_webhooks: publish.webhooks. See config_schema.c.
 */
#include "config_schema.h"

#define SHOW(name, place)                                                                                              \
    {                                                                                                                  \
#name, GW_OPT_TEXT, .out = (place) * sizeof(char *), .sentence = "What {show} is for " #name " time."          \
    }
static const struct gw_option show_options[] = {
    SHOW(free, 0), SHOW(elsewhere, 1), SHOW(tentative, 2), SHOW(busy, 3), SHOW(oof, 4), SHOW(unknown, 5),
};
static const struct gw_section show_section = {
    .key = "show",
    .sentence =
        "Which word stands for which kind of time as {show}; with a ready-made template, one that is empty shows "
        "nothing, and what is not said is the template's own.",
    .out = offsetof(struct gw_config_webhook, show),
    .options = show_options,
    .option_count = ROWS(show_options)};

static const struct gw_section text_section = {.key = "text",
                                               .sentence = GW_TEXT_SENTENCE,
                                               .out = offsetof(struct gw_config_webhook, text),
                                               .options = gw_config_text_options,
                                               .option_count = GW_KINDS_TOLD};

static const struct gw_option options[] = {
    {"name", GW_OPT_TEXT, IN(gw_config_webhook, name),
     .sentence = "How status, log lines and the hook's own requests call it; without it webhook1, webhook2 and so on."},
    {"template", GW_OPT_WORD, .dflt = "none", .words = "none mattermost rocketchat zulip slack matrix",
     IN(gw_config_webhook, ready),
     .sentence = "A ready-made way to set a person's status in a chat system, see docs/webhooks; none posts states."},
    {"url", GW_OPT_TEXT, .required = true, IN(gw_config_webhook, url),
     .sentence = "Where requests go, a template; with a ready-made one, where the chat server begins."},
    {"method", GW_OPT_WORD, .dflt = "POST", .words = "POST PUT PATCH", IN(gw_config_webhook, method),
     .sentence = "The method of the requests."},
    {"secret_file", GW_OPT_FILE, IN(gw_config_webhook, secret_file),
     .sentence = "A file with the secret that signs requests (HMAC-SHA-256), readable by the daemon alone; a change is "
                 "noticed within seconds."},
    {"token_file", GW_OPT_FILE, IN(gw_config_webhook, token_file),
     .sentence = "A file with what {token} stands for in headers: the access token of a chat system."},
    {"headers", GW_OPT_LIST, .max = 16, LIST_IN(gw_config_webhook, headers),
     .sentence = "Further headers, each \"Name: value\", where the value is a template."},
    {"body", GW_OPT_TEXT, IN(gw_config_webhook, body),
     .sentence = "A template of the body (see TEMPLATES), for one person a request; without it batches of JSON."},
    {"content_type", GW_OPT_TEXT, IN(gw_config_webhook, content_type),
     .sentence = "What the body is; without it application/json. The words of a template are escaped for it."},
    {"id", GW_OPT_TEXT, IN(gw_config_webhook, id),
     .sentence = "A template of what the chat system calls a person; without it the ready-made one finds out."},
    {"persons", GW_OPT_LIST, .max = 10000, LIST_IN(gw_config_webhook, persons),
     .sentence = "Only these people, by the address that is shown to others."},
    {"groups", GW_OPT_LIST, .max = 1000, LIST_IN(gw_config_webhook, groups),
     .sentence = "Only people of these groups."},
    {"kinds", GW_OPT_CHOICES, .words = "free elsewhere tentative busy oof unknown", .max = 6,
     LIST_IN(gw_config_webhook, kinds), .sentence = "Only when somebody's state becomes one of these."},
    {"batch", GW_OPT_COUNT, .dflt = "100", .min = 1, .max = 1000, IN(gw_config_webhook, batch),
     .sentence = "States in one request at the most."},
    {"delay", GW_OPT_MS, .dflt = "0s", .min = 0, .max = 3600000, IN(gw_config_webhook, delay_ms),
     .sentence = "How long a state waits for others to go with it."},
    {"timeout", GW_OPT_MS, .dflt = "10s", .min = 100, .max = 300000, IN(gw_config_webhook, timeout_ms),
     .sentence = "How long an answer may take."},
    {"break_after", GW_OPT_COUNT, .dflt = "5", .min = 1, .max = 1000, IN(gw_config_webhook, break_after),
     .sentence = "After so many failures in a row the hook rests: one request at a time, further and further apart."},
    {"queue", GW_OPT_COUNT, .dflt = "100000", .min = 1, .max = 10000000, IN(gw_config_webhook, queue),
     .sentence = "People whose states may wait; they survive a restart where state.directory is set."},
    {"allow_inner", GW_OPT_FLAG, .dflt = "false", IN(gw_config_webhook, allow_inner),
     .sentence =
         "Follow redirects to another host even to addresses of this machine and this link, where clouds keep their "
         "metadata."},
    {"ca_file", GW_OPT_FILE, IN(gw_config_webhook, ca_file),
     .sentence = "Certificates (PEM) that may have signed the server's; without it the system's."},
    {"client_cert_file", GW_OPT_FILE, IN(gw_config_webhook, client_cert_file),
     .sentence = "A client certificate (PEM) to show to the server."},
    {"client_key_file", GW_OPT_FILE, IN(gw_config_webhook, client_key_file),
     .sentence = "The private key (PEM) of the client certificate."},
    {"rate", GW_OPT_RATE, .dflt = "1000", .min = 0, .max = 1000000, IN(gw_config_webhook, rate),
     .sentence = "States a second at the most."},
    {"zone", GW_OPT_TEXT, IN(gw_config_webhook, zone),
     .sentence = "The zone of the times in texts, such as Europe/Berlin; without it UTC."},
};
static const struct gw_section *const sections[] = {&show_section, &text_section};
const struct gw_section gw_config_webhooks_section = {.key = "webhooks",
                                                      .sentence = "HTTP requests to whoever wants to know of changes.",
                                                      .list = true,
                                                      .size = sizeof(struct gw_config_webhook),
                                                      LIST_IN(gw_config, webhooks),
                                                      .out_line = offsetof(struct gw_config_webhook, line),
                                                      .options = options,
                                                      .option_count = ROWS(options),
                                                      .sections = sections,
                                                      .section_count = ROWS(sections)};
