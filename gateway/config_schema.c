/*
 * config_schema: every key of the configuration file, in one table: what it holds, within which limits, what it is when
 * it is not there, and a sentence about it. config.c derives libcyaml's schema from it, `--print-options` prints it,
 * the manual page and the sample file are compared with it. Adding a key is adding a row.
 *
 * Scalars reach us as text and are read by config_option.c, not by libcyaml, because ranges, durations and a list of
 * all problems at once are beyond it; the shape of the file (which keys, mappings, lists) is libcyaml's to check.
 */
#include <stdint.h>

#include "base/buf.h"
#include "config_schema.h"

static const struct gw_option tls_options[] = {
    {"ca_file", GW_OPT_FILE, IN(gw_config_tls, ca_file),
     .sentence = "Certificates (PEM) that may have signed the server's; without it the system's."},
    {"min_version", GW_OPT_WORD, .dflt = "1.2", .words = "1.0 1.1 1.2 1.3", IN(gw_config_tls, min_version),
     .sentence = "The oldest TLS version that is accepted."},
    {"legacy_ciphers", GW_OPT_FLAG, .dflt = "false", IN(gw_config_tls, legacy_ciphers),
     .sentence = "Accept the weak ciphers and short keys of servers from before 2010."},
    {"pinned_key", GW_OPT_TEXT, IN(gw_config_tls, pinned_key),
     .sentence = "The server's public key must be this one: sha256//BASE64 of its SubjectPublicKeyInfo."},
    {"client_cert_file", GW_OPT_FILE, IN(gw_config_tls, client_cert_file),
     .sentence = "A client certificate (PEM) to show to the server."},
    {"client_key_file", GW_OPT_FILE, IN(gw_config_tls, client_key_file),
     .sentence = "The private key (PEM) of the client certificate."},
};
static const struct gw_section tls_section = {.key = "tls",
                                              .sentence = "How the connection to this server is protected.",
                                              .out = offsetof(struct gw_config_server, tls),
                                              .options = tls_options,
                                              .option_count = ROWS(tls_options)};

static const struct gw_option changes_options[] = {
    {"contenttag", GW_OPT_FLAG, .dflt = "true", IN(gw_config_changes, contenttag),
     .sentence = "Ask for the folder's contenttag, one small request a person and poll."},
    {"subscribe", GW_OPT_FLAG, .dflt = "true", IN(gw_config_changes, subscribe),
     .sentence = "Subscribe to calendars where the server grants it; one request then asks about a hundred of them."},
    {"notify_listen", GW_OPT_TEXT, IN(gw_config_changes, notify_listen),
     .sentence = "A numeric address and UDP port of this machine where the server may send notifications, such as "
                 "192.0.2.7:5602; without it there are none. They are hints only: nothing they say is believed."},
    {"notify_host", GW_OPT_TEXT, IN(gw_config_changes, notify_host),
     .sentence =
         "The name or address by which the server reaches this machine, where it is not that of notify_listen."},
    {"full_read", GW_OPT_S, .dflt = "30m", .min = 60000, .max = 86400000, IN(gw_config_changes, full_read_s),
     .sentence = "How long signs that nothing has changed are believed before the calendar is read all the same."},
};
static const struct gw_section changes_section = {.key = "changes",
                                                  .sentence = "Exchange: how it is seen that a calendar has changed.",
                                                  .out = offsetof(struct gw_config_server, changes),
                                                  .options = changes_options,
                                                  .option_count = ROWS(changes_options)};

static const struct gw_option server_options[] = {
    {"name", GW_OPT_TEXT, .required = true, IN(gw_config_server, name),
     .sentence = "How users, log lines and commands call this server."},
    {"kind", GW_OPT_CHOICE, .words = "exchange caldav ifb relay", .later = "ews", .required = true,
     IN(gw_config_server, kind),
     .sentence =
         "What it speaks: exchange is WebDAV as in Exchange 2000, 2003 and 2007; caldav is RFC 4791; ifb is any "
         "web server with a free/busy file for each person; relay asks nobody: others PUT free/busy to us."},
    {"url", GW_OPT_TEXT, IN(gw_config_server, url),
     .sentence = "Needed, but for kind relay: where mailboxes or calendars begin, such as "
                 "https://mail.example.com/exchange/; with caldav also a domain "
                 "alone, whose DNS says where (RFC 6764)."},
    {"account", GW_OPT_TEXT, IN(gw_config_server, account),
     .sentence = "Needed, but for kind relay: the service account: DOMAIN\\user, user@domain or user."},
    {"password_file", GW_OPT_FILE, IN(gw_config_server, password_file),
     .sentence = "A file with the account's password, readable by the daemon alone; a change is noticed within "
                 "seconds. Needed, but for negotiate with a keytab."},
    {"auth", GW_OPT_CHOICES, .dflt = "ntlm basic", .words = "negotiate ntlm basic forms", .min = 1, .max = 4,
     LIST_IN(gw_config_server, auth),
     .sentence = "Which ways to log in may be used, best first; basic only over TLS or to this machine."},
    {"lm_compatibility_level", GW_OPT_COUNT, .dflt = "3", .max = 3, IN(gw_config_server, lm_compatibility_level),
     .sentence = "What NTLM may answer, with Windows' own meaning; 3 is NTLMv2 only."},
    {"keytab_file", GW_OPT_FILE, IN(gw_config_server, keytab_file),
     .sentence = "Kerberos keys of the account, for negotiate; one file for all servers."},
    {"logon_format", GW_OPT_CHOICE, .dflt = "as-given", .words = "as-given domain-user upn user",
     IN(gw_config_server, logon_format),
     .sentence = "How the account's name is written into a logon form (auth: forms)."},
    {"channel_binding", GW_OPT_FLAG, .dflt = "true", IN(gw_config_server, channel_binding),
     .sentence = "Bind NTLM to the TLS connection; false where a proxy ends TLS in front of the server."},
    {"proxy", GW_OPT_TEXT, IN(gw_config_server, proxy),
     .sentence = "An HTTP proxy on the way to the server, http://host:port."},
    {"proxy_account", GW_OPT_TEXT, IN(gw_config_server, proxy_account),
     .sentence = "Our name at the proxy, where it asks for one; told by Basic, the only scheme used with proxies."},
    {"proxy_password_file", GW_OPT_FILE, IN(gw_config_server, proxy_password_file),
     .sentence = "A file with the password for the proxy, as password_file; watched like that one."},
    {"max_connections", GW_OPT_COUNT, .dflt = "8", .min = 1, .max = 256, IN(gw_config_server, max_connections),
     .sentence = "Connections to this server at the same time."},
    {"basic_together", GW_OPT_COUNT, .dflt = "0", .max = 256, IN(gw_config_server, basic_together),
     .sentence =
         "With basic each request shows the password, and all that are under way when it dies are refused: so many "
         "may be. 0 is one, and up to three when one at a time does not keep up."},
    {"max_requests_per_second", GW_OPT_RATE, .dflt = "50", .min = 0, .max = 1000000,
     IN(gw_config_server, max_requests_per_second),
     .sentence = "The load that the server's own administrator allows us."},
    {"allowed_hosts", GW_OPT_LIST, .max = 100, LIST_IN(gw_config_server, allowed_hosts),
     .sentence = "Hosts (host or host:port) that a redirect may lead to, with the account's credentials."},
    {"calendars", GW_OPT_LIST, .max = 16, LIST_IN(gw_config_server, calendars),
     .sentence = "CalDAV, ifb: paths of a person's calendars or free/busy files, where {address}, {local} and "
                 "{domain} stand for the address and its parts; without it a CalDAV server is asked where they are."},
    {"read", GW_OPT_WORD, .dflt = "both", .words = "freebusy calendar both", IN(gw_config_server, read),
     .sentence = "Exchange: what is read of a person: the free/busy that is published (many in one request, without "
                 "Receive-As, coarse and some minutes late), the calendar, or both: the calendar for the next hours. "
                 "CalDAV: freebusy asks the scheduling outbox, all others read calendars."},
    {"freebusy_people", GW_OPT_COUNT, .dflt = "100", .min = 1, .max = 500, IN(gw_config_server, freebusy_people),
     .sentence = "Exchange: about how many people one request for published free/busy asks; fewer where the server "
                 "takes no URL that long."},
    {"freebusy_delay", GW_OPT_S, .dflt = "45m", .min = 0, .max = 604800000, IN(gw_config_server, freebusy_delay_s),
     .sentence = "Exchange: for how long published free/busy and calendar may disagree before that is reported."},
    {"zone", GW_OPT_TEXT, IN(gw_config_server, zone),
     .sentence = "Zone of floating times and all-day events where the calendar names none, such as Europe/Berlin; "
                 "without it UTC."},
};
static const struct gw_section *const server_sections[] = {&tls_section, &changes_section,
                                                           &gw_config_relay_from_section};
static const struct gw_section servers_section = {.key = "servers",
                                                  .sentence = "The servers with the calendars.",
                                                  .list = true,
                                                  .size = sizeof(struct gw_config_server),
                                                  LIST_IN(gw_config, servers),
                                                  .out_line = offsetof(struct gw_config_server, line),
                                                  .options = server_options,
                                                  .option_count = ROWS(server_options),
                                                  .sections = server_sections,
                                                  .section_count = ROWS(server_sections)};

static const struct gw_option user_options[] = {
    {"address", GW_OPT_TEXT, IN(gw_config_user, address),
     .sentence = "The person's mail address; either this or file."},
    {"file", GW_OPT_FILE, IN(gw_config_user, file),
     .sentence = "A CSV file of people whose header line names the columns (address, server, path, publish_as, group, "
                 "zone, read, aliases); watched."},
    {"server", GW_OPT_TEXT, IN(gw_config_user, server),
     .sentence = "The name of the server with the calendar; may be left out when there is only one server."},
    {"path", GW_OPT_TEXT, IN(gw_config_user, path),
     .sentence = "Path of the mailbox or calendar, where it does not follow from the address."},
    {"publish_as", GW_OPT_TEXT, IN(gw_config_user, publish_as),
     .sentence = "The address that is shown to others instead."},
    {"aliases", GW_OPT_LIST, .max = 100, LIST_IN(gw_config_user, aliases),
     .sentence = "Further addresses of the person, by which an invitation may call them."},
    {"group", GW_OPT_TEXT, IN(gw_config_user, group),
     .sentence = "The group whose rules hold for the person, and by which subscribers may ask."},
    {"read", GW_OPT_WORD, .words = "freebusy calendar both", IN(gw_config_user, read),
     .sentence = "As the server's read, for this person."},
    {"zone", GW_OPT_TEXT, IN(gw_config_user, zone), .sentence = "As the server's zone, for this person."},
};
static const struct gw_section users_section = {.key = "users",
                                                .sentence = "Who is asked about: persons, and files of persons.",
                                                .list = true,
                                                .size = sizeof(struct gw_config_user),
                                                LIST_IN(gw_config, users),
                                                .out_line = offsetof(struct gw_config_user, line),
                                                .options = user_options,
                                                .option_count = ROWS(user_options)};

static const struct gw_option poll_options[] = {
    {"interval", GW_OPT_MS, .dflt = "60s", .min = 1000, .max = 86400000, IN(gw_config, poll_interval_ms),
     .sentence = "How often each person is asked about; people are spread evenly over it."},
    {"window", GW_OPT_S, .dflt = "14d", .min = 3600000, .max = 31622400000, IN(gw_config, poll_window_s),
     .sentence = "How far ahead calendars are read."},
    {"demand", GW_OPT_SECOND, .dflt = "all", .words = "all watched", IN(gw_config, demand_watched),
     .sentence =
         "Whom to ask about: everybody, or only those whom an open event stream or an outlet watches. XMPP and the "
         "SIP presence server know whom; MQTT, a SIP server that is published to, and webhooks tell of everybody."},
};
static const struct gw_section poll_section = {.key = "poll",
                                               .sentence = "When people are asked about.",
                                               .options = poll_options,
                                               .option_count = ROWS(poll_options)};

#define RULE(name, choices, stands, text)                                                                              \
    {                                                                                                                  \
#name, GW_OPT_WORD, .dflt = stands, .words = choices, IN(gw_config_rules, name), .sentence = text              \
    }
static const struct gw_option group_options[] = {
    {"name", GW_OPT_TEXT, .required = true, IN(gw_config_rules, group), .sentence = "The group, as users name it."},
    RULE(tentative, "available busy free", NULL, "As presence.tentative, for this group."),
    RULE(unanswered, "tentative busy free", NULL, "As presence.unanswered, for this group."),
    RULE(oof, "oof busy free", NULL, "As presence.oof, for this group."),
    RULE(elsewhere, "elsewhere busy free", NULL, "As presence.elsewhere, for this group."),
    RULE(outside_hours, "oof busy free", NULL, "As presence.outside_hours, for this group."),
    RULE(read, "freebusy calendar both", NULL, "As the server's read, for the people of this group."),
    {"all_day", GW_OPT_FLAG, IN(gw_config_rules, all_day), .sentence = "As presence.all_day, for this group."},
};
static const struct gw_section groups_section = {
    .key = "groups",
    .sentence = "Rules for the users of one group, where they differ from the others'.",
    .list = true,
    .size = sizeof(struct gw_config_rules),
    LIST_IN(gw_config, group_rules),
    .out_line = SIZE_MAX,
    .options = group_options,
    .option_count = ROWS(group_options)};

#define DEFAULT_RULES(member) .out = offsetof(struct gw_config, rules) + offsetof(struct gw_config_rules, member)
static const struct gw_option presence_options[] = {
    {"tentative", GW_OPT_WORD, .dflt = "available", .words = "available busy free", DEFAULT_RULES(tentative),
     .sentence = "What tentative time is: available keeps it a state of its own that shows as available, busy makes it "
                 "busy, free drops it."},
    {"unanswered", GW_OPT_WORD, .dflt = "tentative", .words = "tentative busy free", DEFAULT_RULES(unanswered),
     .sentence = "What an invitation counts as that the person has not answered."},
    {"oof", GW_OPT_WORD, .dflt = "oof", .words = "oof busy free", DEFAULT_RULES(oof),
     .sentence = "What time out of office counts as."},
    {"elsewhere", GW_OPT_WORD, .dflt = "elsewhere", .words = "elsewhere busy free", DEFAULT_RULES(elsewhere),
     .sentence = "What time working elsewhere counts as."},
    {"outside_hours", GW_OPT_WORD, .dflt = "oof", .words = "oof busy free", DEFAULT_RULES(outside_hours),
     .sentence = "What time outside the working hours counts as that a calendar publishes (VAVAILABILITY, RFC 7953)."},
    {"all_day", GW_OPT_FLAG, .dflt = "true", DEFAULT_RULES(all_day), .sentence = "Whether all-day events count."},
    {"stale_after", GW_OPT_S, .dflt = "15m", .min = 2000, .max = 604800000, IN(gw_config, stale_after_s),
     .sentence = "How old an answer may grow before the person is unknown; at least twice poll.interval."},
};
static const struct gw_section *const presence_sections[] = {&groups_section};
static const struct gw_section presence_section = {.key = "presence",
                                                   .sentence = "How kinds of time become presence.",
                                                   .options = presence_options,
                                                   .option_count = ROWS(presence_options),
                                                   .sections = presence_sections,
                                                   .section_count = ROWS(presence_sections)};

static const struct gw_option http_options[] = {
    {"listen", GW_OPT_LIST, .dflt = "127.0.0.1:8008", .max = 16, LIST_IN(gw_config_http, listen),
     .sentence = "Addresses and ports to serve HTTP on; an empty list serves none."},
    {"certificate_file", GW_OPT_FILE, IN(gw_config_http, certificate_file),
     .sentence = "The certificate chain (PEM) of the listeners; with it they speak TLS."},
    {"key_file", GW_OPT_FILE, IN(gw_config_http, key_file), .sentence = "The private key (PEM) of the certificate."},
    {"client_ca_file", GW_OPT_FILE, IN(gw_config_http, client_ca_file),
     .sentence = "Certificates (PEM) that may have signed those of clients; a certificate that identities name by its "
                 "key needs none."},
    {"allow_remote", GW_OPT_FLAG, .dflt = "false", IN(gw_config_http, allow_remote),
     .sentence = "The explicit word for a listener that other machines can reach without TLS, or where nobody has to "
                 "say who they are: whoever reaches it then sees everybody's presence."},
    {"max_connections", GW_OPT_COUNT, .dflt = "1000", .min = 4, .max = 1000000, IN(gw_config_http, max_connections),
     .sentence = "Connections at the same time, open event streams included."},
};
static const struct gw_section *const http_sections[] = {&gw_config_proxies_section};
static const struct gw_section http_section = {.key = "http",
                                               .sentence = "The HTTP interface.",
                                               .out = offsetof(struct gw_config, http),
                                               .options = http_options,
                                               .option_count = ROWS(http_options),
                                               .sections = http_sections,
                                               .section_count = ROWS(http_sections)};

#define SAY(name, place, stands)                                                                                       \
    {                                                                                                                  \
#name, GW_OPT_TEXT, .dflt = stands, .out = (place) * sizeof(char *),                                           \
                            .sentence = "The status text for " #name " time."                                          \
    }
const struct gw_option gw_config_text_options[GW_KINDS_TOLD] = {
    SAY(free, 0, "Free[ until {until}]"),
    SAY(elsewhere, 1, "Working elsewhere[ until {until}]"),
    SAY(tentative, 2, "Tentatively busy[ until {until}]"),
    SAY(busy, 3, "Busy[ until {until}]"),
    SAY(oof, 4, "Out of office[ until {until}]"),
    SAY(unknown, 5, "Calendar unknown"),
};

#define SHOW(name, place, stands)                                                                                      \
    {                                                                                                                  \
#name, GW_OPT_WORD, .dflt = stands, .words = "none chat away dnd xa", .out = (place) * sizeof(char *),         \
                            .sentence = "What XMPP clients show for " #name " time."                                   \
    }
static const struct gw_option xmpp_show_options[] = {
    SHOW(free, 0, "none"), SHOW(elsewhere, 1, "none"), SHOW(tentative, 2, "none"),
    SHOW(busy, 3, "dnd"),  SHOW(oof, 4, "xa"),
};
static const struct gw_section xmpp_show_section = {
    .key = "show",
    .sentence = "Which of XMPP's availabilities stands for which kind of time; none is plainly available.",
    .out = offsetof(struct gw_config_xmpp, show),
    .options = xmpp_show_options,
    .option_count = ROWS(xmpp_show_options)};

static const struct gw_section xmpp_text_section = {.key = "text",
                                                    .sentence = GW_TEXT_SENTENCE,
                                                    .out = offsetof(struct gw_config_xmpp, text),
                                                    .options = gw_config_text_options,
                                                    .option_count = GW_KINDS_TOLD};

static const struct gw_option xmpp_options[] = {
    {"component", GW_OPT_TEXT, IN(gw_config_xmpp, component),
     .sentence =
         "Our own domain on the XMPP server, such as cal.example.com; contacts are below it; with it the outlet is "
         "switched on."},
    {"server", GW_OPT_TEXT, .dflt = "127.0.0.1:5347", IN(gw_config_xmpp, server),
     .sentence = "Where the server takes external components, host:port."},
    {"secret_file", GW_OPT_FILE, IN(gw_config_xmpp, secret_file),
     .sentence = "A file with the component's secret, readable by the daemon alone; read anew for each connection."},
    {"tls", GW_OPT_FLAG, .dflt = "false", IN(gw_config_xmpp, tls),
     .sentence = "Speak TLS from the first byte, where the server's listener does."},
    {"ca_file", GW_OPT_FILE, IN(gw_config_xmpp, ca_file),
     .sentence = "Certificates (PEM) that may have signed the server's; without it the system's."},
    {"domain", GW_OPT_TEXT, IN(gw_config_xmpp, domain),
     .sentence = "The mail domain of most people: their contacts need not repeat it."},
    {"allow", GW_OPT_LIST, .max = 1000, LIST_IN(gw_config_xmpp, allow),
     .sentence =
         "Who may subscribe: domains (everybody there) and JIDs; without it, the domain that the component is below."},
    {"admins", GW_OPT_LIST, .max = 100, LIST_IN(gw_config_xmpp, admins),
     .sentence =
         "JIDs that are asked, by message, about everybody who is not in allow; without any these are refused."},
    {"zone", GW_OPT_TEXT, IN(gw_config_xmpp, zone),
     .sentence = "The zone of the times in texts, such as Europe/Berlin; without it UTC."},
    {"rate", GW_OPT_RATE, .dflt = "5000", .min = 0, .max = 1000000, IN(gw_config_xmpp, rate),
     .sentence = "Stanzas a second at the most."},
    {"max_watchers", GW_OPT_COUNT, .dflt = "100000", .min = 1, .max = 10000000, IN(gw_config_xmpp, max_watchers),
     .sentence = "Subscriptions in all; more are refused."},
    {"own_account", GW_OPT_CHOICE, .dflt = "untouched", .words = "untouched resource activity",
     IN(gw_config_xmpp, own_account),
     .sentence = "What is done to people's own accounts: nothing, a further resource beside theirs, or their user "
                 "activity (XEP-0108); the server must let the component write in its users' names, see docs/xmpp.md."},
};
static const struct gw_section *const xmpp_sections[] = {&xmpp_show_section, &xmpp_text_section};
static const struct gw_section xmpp_section = {.key = "xmpp",
                                               .sentence = "A contact for each person on an XMPP server.",
                                               .out = offsetof(struct gw_config, xmpp),
                                               .options = xmpp_options,
                                               .option_count = ROWS(xmpp_options),
                                               .sections = xmpp_sections,
                                               .section_count = ROWS(xmpp_sections)};

static const struct gw_section *const publish_sections[] = {
    &http_section,          &xmpp_section,           &gw_config_identity_section,
    &gw_config_sip_section, &gw_config_mqtt_section, &gw_config_webhooks_section,
    &gw_config_relays_section};
static const struct gw_section publish_section = {.key = "publish",
                                                  .sentence = "Where presence can be had.",
                                                  .sections = publish_sections,
                                                  .section_count = ROWS(publish_sections)};

static const struct gw_option state_options[] = {
    {"directory", GW_OPT_TEXT, IN(gw_config, state_directory), .restart = true,
     .sentence =
         "Where to keep what must survive a restart: everybody's last known state with its age, and the outlets' "
         "subscriptions; without it they are lost then. One daemon a directory. If it can only be read, what was "
         "saved is known and nothing more is saved; status says so, and the next start that may write does."},
};
static const struct gw_section state_section = {.key = "state",
                                                .sentence = "What is kept over a restart.",
                                                .options = state_options,
                                                .option_count = ROWS(state_options)};

static const struct gw_option control_options[] = {
    {"socket", GW_OPT_TEXT, IN(gw_config, control_socket),
     .sentence = "The Unix socket that freebusyctl talks to; without it $RUNTIME_DIRECTORY/control.sock, else "
                 "/run/freebusyd/control.sock."},
};
static const struct gw_section control_section = {.key = "control",
                                                  .sentence = "How freebusyctl reaches the daemon.",
                                                  .options = control_options,
                                                  .option_count = ROWS(control_options)};

static const struct gw_option root_options[] = {
    {"identities_file", GW_OPT_FILE, IN(gw_config, identities_file),
     .sentence = "A file of identities, one a line with its role, its group and the digests of its tokens and its "
                 "password; readable by the daemon alone, watched. freebusyctl identity writes it."},
};
static const struct gw_section *const root_sections[] = {
    &servers_section,         &users_section,            &poll_section,
    &presence_section,        &publish_section,          &gw_config_identities_section,
    &gw_config_audit_section, &gw_config_policy_section, &gw_config_markers_section,
    &state_section,           &control_section};
const struct gw_section gw_config_root = {.key = "",
                                          .size = sizeof(struct gw_config),
                                          .options = root_options,
                                          .option_count = ROWS(root_options),
                                          .sections = root_sections,
                                          .section_count = ROWS(root_sections)};

static void describe_section(const struct gw_section *s, const char *around, struct buf *out)
{
    struct buf path;
    buf_init(&path, 256);
    if (s->key[0])
        buf_addf(out, "%s%s%s\t%s\tnone\treload\t%s\n", around, s->key, s->list ? "[]" : "",
                 s->list ? "list of mappings" : "mapping", s->sentence);
    buf_addf(&path, "%s%s%s%s", around, s->key, s->list ? "[]" : "", s->key[0] ? "." : "");
    for (unsigned i = 0; i < s->option_count; i++) {
        const struct gw_option *o = &s->options[i];
        buf_addf(out, "%s%s\t", path.data, o->key);
        gw_option_type_text(o, out);
        const char *dflt = o->required ? "required" : o->dflt ? o->dflt : "none";
        buf_addf(out, "\t%s\t%s\t%s\n", dflt, o->restart ? "restart" : "reload", o->sentence);
    }
    for (unsigned i = 0; i < s->section_count; i++)
        describe_section(s->sections[i], path.data, out);
    buf_free(&path);
}

void gw_config_describe(struct buf *out)
{
    describe_section(&gw_config_root, "", out);
}
