/*
 * config_outlets: the parts of the configuration that outlets are made of. See config.h.
 */
#ifndef GATEWAY_CONFIG_OUTLETS_H
#define GATEWAY_CONFIG_OUTLETS_H

#include <stdbool.h>
#include <stdint.h>

/* Words and texts stand in the order of pres_kind (outlets_xmpp.c asserts how many there are). */
enum { GW_KINDS_SHOWN = 5, GW_KINDS_TOLD = 6 };

/* A domain that is called differently outside. */
struct gw_config_identity {
    char *domain, *publish_as;
};

/* The outlet to an MQTT broker. Not configured when server is NULL. */
struct gw_config_mqtt {
    char *server; /* "mqtts://broker.example.com" */
    char *topic, *status_topic;
    char *user, *password_file;               /* NULL */
    char *ca_file;                            /* NULL: the system's */
    char *client_cert_file, *client_key_file; /* NULL, both or none */
    char *client_id;
    int protocol;  /* enum pres_mqtt_version */
    char *payload; /* NULL: the JSON */
    char *content_type;
    char *zone; /* NULL: UTC */
    double rate;
    unsigned inflight;
    char *show[GW_KINDS_TOLD]; /* NULL: empty */
    char *text[GW_KINDS_TOLD];
};

/* SIP: publishing to a server when `server` is not NULL, being one when there is something in `listen`. */
struct gw_config_sip {
    char *server; /* "sip:192.0.2.1:5060;transport=tcp"; NULL */
    char *domain; /* NULL */
    char *user, *password_file; /* NULL */
    char *self;
    char *ca_file; /* NULL: the system's */
    int64_t expires_s;
    double rate;
    unsigned window, future;
    char **listen; /* "udp:192.0.2.7:5060" */
    unsigned listen_count;
    char *certificate_file, *key_file; /* NULL */
    char *watchers_file;               /* NULL */
    char **trusted;
    unsigned trusted_count;
    unsigned max_watchers;
    char *zone;                      /* NULL: UTC */
    char *basic[GW_KINDS_TOLD];      /* "open" "closed" "none" */
    char *activities[GW_KINDS_TOLD]; /* NULL: none */
    char *text[GW_KINDS_TOLD];
};

/* One webhook. */
struct gw_config_webhook {
    char *name;  /* NULL: by its number */
    char *ready; /* "none" "mattermost" ... */
    char *url;
    char *method;
    char *secret_file, *token_file; /* NULL */
    char **headers;
    unsigned headers_count;
    char *body, *content_type; /* NULL */
    char *id;                  /* NULL */
    char **persons;
    unsigned persons_count;
    char **groups;
    unsigned groups_count;
    int *kinds; /* enum pres_kind */
    unsigned kinds_count;
    unsigned batch;
    int64_t delay_ms, timeout_ms;
    unsigned break_after;
    unsigned queue;
    bool allow_inner;
    char *ca_file, *client_cert_file, *client_key_file; /* NULL */
    double rate;
    char *zone;                /* NULL: UTC */
    char *show[GW_KINDS_TOLD]; /* NULL: the ready-made one's */
    char *text[GW_KINDS_TOLD];
    unsigned line;
};

/* One far end of a relay pair. */
struct gw_config_relay {
    char *name;
    char *url;    /* with {address}: one file a person */
    char *stream; /* NULL: the name */
    char *user, *password_file, *token_file;            /* NULL */
    char *ca_file, *client_cert_file, *client_key_file; /* NULL */
    char *pinned_key;                                   /* NULL */
    char *sign_key_file;                                /* NULL: not signed */
    char *pseudonym_key_file, *pseudonym_domain;        /* NULL: addresses */
    int64_t digest_ms, timeout_ms, pad_every_ms;
    unsigned pad_bytes; /* 0: no padding */
    unsigned line;
};

#endif
