/*
 * config: the configuration file as plain data. Read whole through libcyaml against the schema in config_schema.c, then
 * checked (config_check.c); what this header shows has passed both. Reload builds a new one and swaps (reload.c).
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_outlets.h"
#include "config_policy.h"

/* The same numbers as enum dav_kind and enum dav_scheme: the configuration knows neither side of the house (account.c
 * asserts it). GW_KIND_RELAY is none of davclient's: nobody is asked, others tell us. */
enum gw_kind { GW_KIND_EXCHANGE, GW_KIND_CALDAV, GW_KIND_IFB, GW_KIND_RELAY };
enum gw_scheme { GW_SCHEME_NEGOTIATE, GW_SCHEME_NTLM, GW_SCHEME_BASIC, GW_SCHEME_FORMS };

/* One server to read from. Texts are never NULL unless the comment says so. */
struct gw_config_tls {
    char *ca_file;     /* NULL: the system's; relative paths are below the configuration file's folder */
    char *min_version; /* "1.0" to "1.3", NULL: 1.2 */
    char *pinned_key;  /* NULL */
    char *client_cert_file, *client_key_file; /* NULL */
    bool legacy_ciphers;
};

/* Exchange: how it is seen that a calendar has changed. */
struct gw_config_changes {
    bool contenttag, subscribe;
    char *notify_listen, *notify_host; /* NULL */
    int64_t full_read_s;
};

/* Who may PUT free/busy to us, for a server of kind relay. */
struct gw_config_relay_from {
    char *from;   /* an identity; "self": each person for themselves; NULL: whoever can sign */
    char *stream; /* NULL: the server's name */
    char **keys;  /* "FILE", "FILE until 2027-01-01T00:00:00Z" */
    unsigned keys_count;
    int64_t expiry_s;
};

struct gw_config_server {
    char *name;
    int kind; /* enum dav_kind */
    char *url;
    char *account;
    char *password_file; /* NULL: negotiate with a keytab needs none */
    int *auth; /* enum dav_scheme, best first */
    unsigned auth_count;
    unsigned lm_compatibility_level;
    struct gw_config_tls tls;
    struct gw_config_changes changes;
    struct gw_config_relay_from relay;
    char *keytab_file;                         /* NULL */
    int logon_format;                          /* enum dav_logon_format */
    bool channel_binding;
    char *proxy;                               /* NULL */
    char *proxy_account, *proxy_password_file; /* NULL, both or none */
    unsigned max_connections;
    unsigned basic_together;
    double max_requests_per_second;
    char **allowed_hosts;
    unsigned allowed_hosts_count;
    char **calendars;
    unsigned calendars_count;
    char *read; /* "freebusy" "calendar" "both" */
    unsigned freebusy_people;
    int64_t freebusy_delay_s;
    char *zone;    /* NULL */
    unsigned line; /* in the file, for errors */
};

/* A `users:` entry: one person, or a CSV file of persons. Exactly one of address and file is set. */
struct gw_config_user {
    char *address;
    char *file;
    char *server;
    char *path, *publish_as, *group, *zone; /* NULL */
    char *read;                             /* as the server's; NULL: that one */
    char **aliases;
    unsigned aliases_count;
    unsigned line;
};

/* How kinds of time become presence; `groups` may override (presence/rules.h explains the words). */
struct gw_config_rules {
    char *group;      /* NULL: the default rules */
    char *tentative;  /* "available" (stays tentative) | "busy" | "free" */
    char *unanswered; /* "tentative" | "busy" | "free" */
    char *oof;        /* "oof" | "busy" | "free" */
    char *read;       /* as the server's; NULL: that one */
    char *elsewhere;  /* "elsewhere" | "busy" | "free" */
    char *outside_hours; /* "oof" | "busy" | "free" */
    bool all_day;
};

/* Who may ask: the part without secrets, which are in identities_file. See who_table.h. */
struct gw_config_who {
    char *name;
    char *group;       /* NULL */
    char *role;        /* "none" "reader" "admin" */
    char *certificate; /* a name or mail address of a trusted certificate, or sha256//BASE64 of its key; NULL */
    unsigned line;
};

/* A reverse proxy that may say who asks. */
struct gw_config_proxy {
    char *from;   /* "10.0.0.0/8", "192.0.2.7" */
    char *header; /* "X-Remote-User" */
};

struct gw_config_audit {
    char *file;        /* NULL: none */
    unsigned max_size; /* MB */
    unsigned keep;
    int64_t repeat_s;
};

struct gw_config_http {
    char **listen; /* "127.0.0.1:8008", "[::1]:8008" */
    unsigned listen_count;
    char *certificate_file, *key_file; /* NULL: plain HTTP */
    char *client_ca_file;              /* who may have signed clients' certificates; NULL */
    struct gw_config_proxy *proxies;
    unsigned proxies_count;
    bool allow_remote; /* the explicit word for a listener beyond loopback */
    unsigned max_connections;
};

/* The outlet to an XMPP server. Not configured when component is NULL. */
/* What is done to people's own XMPP accounts, in the order of the words in config_schema.c. */
enum gw_own_account { GW_OWN_UNTOUCHED, GW_OWN_RESOURCE, GW_OWN_ACTIVITY };

struct gw_config_xmpp {
    char *component;   /* our domain */
    char *server;      /* "127.0.0.1:5347" */
    char *secret_file;
    bool tls;
    char *ca_file; /* NULL: the system's */
    char *domain;  /* NULL */
    char **allow;
    unsigned allow_count;
    char **admins;
    unsigned admins_count;
    char *zone; /* NULL: UTC */
    double rate;
    unsigned max_watchers;
    int own_account; /* enum gw_own_account */
    char *show[GW_KINDS_SHOWN]; /* "none" "chat" "away" "xa" "dnd" */
    char *text[GW_KINDS_TOLD];
};

struct gw_config {
    char *path;   /* the file it came from */
    char *folder; /* of that file, for relative paths */
    struct gw_config_server *servers;
    unsigned servers_count;
    struct gw_config_user *users;
    unsigned users_count;
    int64_t poll_interval_ms;
    int64_t poll_window_s;
    bool demand_watched;
    int64_t stale_after_s;
    struct gw_config_rules rules; /* default */
    struct gw_config_rules *group_rules;
    unsigned group_rules_count;
    struct gw_config_who *identities;
    unsigned identities_count;
    char *identities_file; /* NULL */
    struct gw_whos *whos;  /* of both */
    struct gw_config_audit audit;
    struct gw_config_http http;
    struct gw_config_xmpp xmpp;
    struct gw_config_identity *identity;
    unsigned identity_count;
    struct gw_config_mqtt mqtt;
    struct gw_config_sip sip;
    struct gw_config_webhook *webhooks;
    unsigned webhooks_count;
    struct gw_config_policy policy;
    struct gw_config_marker *markers;
    unsigned markers_count;
    const char **marker_words; /* the categories, NULL-terminated; NULL: none */
    struct gw_config_relay *relays;
    unsigned relays_count;
    char *state_directory; /* NULL */
    char *control_socket;
    struct gw_roster *roster; /* everybody, from `users` and their CSV files; see config_users.h */
    unsigned refs;            /* for gateway.c, which may have to keep an old one for a moment */
};

/* What is wrong: one line "FILE:LINE: KEY.PATH: sentence" per problem in `why`, newline-separated, and the stable code.
 */
struct gw_config_error {
    char code[48]; /* "config-unknown-key", "config-wrong-type", "config-missing", "config-value", "config-duplicate",
                      "config-secret"... */
    char why[4000];
};

/* NULL with *err filled when the file cannot be used. Checks everything that needs no network: secrets readable, CSV
 * files parse. */
struct gw_config *gw_config_read(const char *path, struct gw_config_error *err);
void gw_config_free(struct gw_config **c);

/* The schema as text for `--print-options` in tests: one line a key,
 * "path<TAB>type<TAB>default<TAB>reload|restart<TAB>sentence". Manual page and sample configuration are checked against
 * it. */
struct buf;
void gw_config_describe(struct buf *out);

/* "15m", "60s", "14d", "250ms" as a duration in ms; false: it is none. And back, in the largest unit that is exact. */
bool gw_duration_read(const char *text, int64_t *ret_ms);
void gw_duration_write(struct buf *out, int64_t ms);

#endif
