/*
 * pub_mqtt: the outlet to an MQTT broker: one retained message a person, for door displays, busy lights and home
 * automation, and one that says whether we are there.
 */
#ifndef PRESENCE_PUB_MQTT_H
#define PRESENCE_PUB_MQTT_H

#include "presence/publisher.h"
#include "presence/store.h"

struct secret;
struct tls;

enum pres_mqtt_version { PRES_MQTT_AUTO, PRES_MQTT_5, PRES_MQTT_311 };

/* Everything is copied but `tls` and `store`, which must outlive the publisher. NULL and zero mean what the comment
 * says. */
struct pres_mqtt_settings {
    const char *host;
    unsigned port;
    struct tls *tls; /* NULL: plain; of this outlet alone */
    const char *client_id;
    const char *user; /* NULL: none */
    /* Reads the password, anew before each connection; *ret NULL: there is none. False with a sentence in why. */
    bool (*password)(void *arg, struct secret **ret, char *why, size_t why_size);
    void *password_arg;
    enum pres_mqtt_version version;
    const char *topic;        /* a template, see pub_template.h */
    const char *status_topic; /* "1" while we are there, "0" when not */
    const char *payload;      /* a template; NULL: the JSON */
    const char *content_type; /* of the payload */
    const char *show[PRES_KINDS];
    const char *text[PRES_KINDS]; /* as pub_xmpp.h has it */
    const char *zone;
    unsigned inflight; /* messages that wait for the broker's word [200] */
    const struct pres_store *store;
};

/* NULL with a sentence in why. */
struct pres_publisher *pres_mqtt_new(struct loop *loop, struct pres_table *table,
                                     const struct pres_publisher_settings *publisher,
                                     const struct pres_mqtt_settings *settings, char *why, size_t why_size);

/* "mqtt://host[:port]" or "mqtts://host[:port]". False: neither. */
bool pres_mqtt_server_parse(const char *text, char *ret_host, size_t host_size, unsigned *ret_port, bool *ret_tls);
/* NULL: may be a topic (of a template, when `person`); else a phrase. */
const char *pres_mqtt_topic_wrong(const char *topic, bool person);

#endif
