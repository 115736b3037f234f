/*
 * config_schema_relay: publish.relays, and servers[].relay. See config_schema.c.
 */
#include <stdint.h>

#include "config_schema.h"

static const struct gw_option options[] = {
    {"name", GW_OPT_TEXT, .required = true, IN(gw_config_relay, name),
     .sentence = "How status, log lines and the policy call this far end."},
    {"url", GW_OPT_TEXT, .required = true, IN(gw_config_relay, url),
     .sentence = "Where messages are PUT: https://HOST/relay/NAME/ of another freebusyd, or, with {address} in it, a "
                 "file for each person at any WebDAV server."},
    {"stream", GW_OPT_TEXT, IN(gw_config_relay, stream),
     .sentence = "What the far end calls us (its relay.stream); without it the name. Stands in every message, so that "
                 "one meant for somebody else is refused."},
    {"user", GW_OPT_TEXT, IN(gw_config_relay, user), .sentence = "Our name at the far end, with password_file."},
    {"password_file", GW_OPT_FILE, IN(gw_config_relay, password_file),
     .sentence = "A file with the password for user, told by Basic, readable by the daemon alone."},
    {"token_file", GW_OPT_FILE, IN(gw_config_relay, token_file),
     .sentence = "A file with a bearer token for the far end, readable by the daemon alone."},
    {"ca_file", GW_OPT_FILE, IN(gw_config_relay, ca_file),
     .sentence = "Certificates (PEM) that may have signed the far end's; without it the system's."},
    {"pinned_key", GW_OPT_TEXT, IN(gw_config_relay, pinned_key),
     .sentence = "The far end's public key must be this one: sha256//BASE64 of its SubjectPublicKeyInfo; several are "
                 "separated by a semicolon."},
    {"client_cert_file", GW_OPT_FILE, IN(gw_config_relay, client_cert_file),
     .sentence = "The certificate (PEM) that we show to the far end; TLS is 1.3 then, which shows it to nobody else."},
    {"client_key_file", GW_OPT_FILE, IN(gw_config_relay, client_key_file),
     .sentence = "The private key (PEM) of that certificate."},
    {"sign_key_file", GW_OPT_FILE, IN(gw_config_relay, sign_key_file),
     .sentence = "A private Ed25519 key (PEM) that signs every message, readable by the daemon alone."},
    {"pseudonym_key_file", GW_OPT_FILE, IN(gw_config_relay, pseudonym_key_file),
     .sentence =
         "A file with the secret from which people get other names for this far end; without it their addresses "
         "are told."},
    {"pseudonym_domain", GW_OPT_TEXT, .dflt = "pseudonym.invalid", IN(gw_config_relay, pseudonym_domain),
     .sentence = "The domain of those names."},
    {"digest", GW_OPT_MS, .dflt = "60s", .min = 1000, .max = 86400000, IN(gw_config_relay, digest_ms),
     .sentence = "How often the far end is told what it should hold, and how old that is; well below half of "
                 "presence.stale_after."},
    {"timeout", GW_OPT_MS, .dflt = "20s", .min = 100, .max = 300000, IN(gw_config_relay, timeout_ms),
     .sentence = "How long an answer may take."},
    {"pad_bytes", GW_OPT_COUNT, .dflt = "0", .max = 1000000, IN(gw_config_relay, pad_bytes),
     .sentence = "With this, messages are all of so many bytes (4096 or more), one every pad_every, whether there is "
                 "anything to say or not; 0 sends when there is."},
    {"pad_every", GW_OPT_MS, .dflt = "1s", .min = 100, .max = 3600000, IN(gw_config_relay, pad_every_ms),
     .sentence = "How often, with pad_bytes."},
};
const struct gw_section gw_config_relays_section = {
    .key = "relays",
    .sentence = "Others of limited trust who are told the free/busy that the policy grants them; we dial, they answer.",
    .list = true,
    .size = sizeof(struct gw_config_relay),
    LIST_IN(gw_config, relays),
    .out_line = offsetof(struct gw_config_relay, line),
    .options = options,
    .option_count = ROWS(options)};

static const struct gw_option from_options[] = {
    {"from", GW_OPT_TEXT, IN(gw_config_relay_from, from),
     .sentence = "Who may PUT: an identity, or self, where each identity speaks for the person of its name; without it "
                 "whoever can sign with one of the keys."},
    {"stream", GW_OPT_TEXT, IN(gw_config_relay_from, stream),
     .sentence = "What the exporter's messages name as their stream; without it the server's name."},
    {"keys", GW_OPT_LIST, .max = 16, LIST_IN(gw_config_relay_from, keys),
     .sentence = "Files with public Ed25519 keys (PEM), each, if that is meant, followed by \"until\" and a UTC time; "
                 "with any, what is not signed by one of them is refused."},
    {"expiry", GW_OPT_S, .dflt = "1d", .min = 10000, .max = 2678400000, IN(gw_config_relay_from, expiry_s),
     .sentence = "How old what was told may grow at most before the person is unknown; an exporter's own, shorter word "
                 "goes before."},
};
const struct gw_section gw_config_relay_from_section = {
    .key = "relay",
    .sentence = "Kind relay: who may PUT free/busy to /relay/NAME/ADDRESS.ifb, for the users of this server.",
    .out = offsetof(struct gw_config_server, relay),
    .options = from_options,
    .option_count = ROWS(from_options)};
