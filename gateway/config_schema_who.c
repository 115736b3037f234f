/*
 * config_schema_who: identities, and the reverse proxies that may tell them. See config_schema.c.
 */
#include <stdint.h>

#include "config_schema.h"

static const struct gw_option identities_options[] = {
    {"name", GW_OPT_TEXT, .required = true, IN(gw_config_who, name),
     .sentence = "How the policy, the audit and a reverse proxy call this identity: a mail address or any other word. "
                 "The one called anonymous is who asks without saying who, where the policy lets them."},
    {"group", GW_OPT_TEXT, IN(gw_config_who, group), .sentence = "A group of identities, for the policy."},
    {"role", GW_OPT_WORD, .dflt = "none", .words = "none reader admin", IN(gw_config_who, role),
     .sentence = "Whether it may read what administrators read (reader: the page, servers, status, metrics), and "
                 "change things, too (admin)."},
    {"certificate", GW_OPT_TEXT, IN(gw_config_who, certificate),
     .sentence = "Its client certificate: the common name or a mail address in one that publish.http.client_ca_file "
                 "has signed, or sha256//BASE64 of its SubjectPublicKeyInfo, whoever signed."},
};
const struct gw_section gw_config_identities_section = {
    .key = "identities",
    .sentence = "Who may ask on the listeners. With any, nobody is served who does not say who they are, but for what "
                "the policy gives to anonymous. Their tokens and passwords are in identities_file.",
    .list = true,
    .size = sizeof(struct gw_config_who),
    LIST_IN(gw_config, identities),
    .out_line = offsetof(struct gw_config_who, line),
    .options = identities_options,
    .option_count = ROWS(identities_options)};

static const struct gw_option proxies_options[] = {
    {"from", GW_OPT_TEXT, .required = true, IN(gw_config_proxy, from),
     .sentence = "The address or network that the proxy's requests come from, such as 192.0.2.7 or 10.0.0.0/8."},
    {"header", GW_OPT_TEXT, .required = true, IN(gw_config_proxy, header),
     .sentence = "The header in which it says who asks, such as X-Remote-User; from any other address it is refused."},
};
const struct gw_section gw_config_proxies_section = {.key = "proxies",
                                                     .sentence =
                                                         "Reverse proxies that are believed when they say who asks.",
                                                     .list = true,
                                                     .size = sizeof(struct gw_config_proxy),
                                                     LIST_IN(gw_config_http, proxies),
                                                     .out_line = SIZE_MAX,
                                                     .options = proxies_options,
                                                     .option_count = ROWS(proxies_options)};
