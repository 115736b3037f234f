/*
 * pub_mqtt: what the files of the MQTT outlet share. pub_mqtt.c is the outlet (connection, deliveries,
 * acknowledgements), pub_mqtt_topic.c knows which topics the broker keeps, and clears those that are nobody's any more,
 * pub_mqtt_link.c is the connection.
 */
#ifndef PRESENCE_PUB_MQTT_PRIVATE_H
#define PRESENCE_PUB_MQTT_PRIVATE_H

#include "base/buf.h"
#include "presence/pub_mqtt.h"
#include "pub_mqtt_link.h"

struct map;

/* A topic that the broker has, or has been sent, a message for. */
struct pub_topic {
    pres_id id;         /* whose it is, PRES_NOBODY: not known (yet) */
    uint32_t sweep;     /* the last one that found it to be somebody's */
    bool clearing;      /* on the list of those that are to be emptied, or under way */
    uint64_t told;      /* hash of the state sent last, 0: none since the connection stands */
    int64_t refresh_at; /* wall s: then it is sent again, because its validity ends; 0: never */
    char text[];
};

/* A message that the broker has not acknowledged. */
struct pub_sent {
    int mid;
    struct pub_topic *topic; /* NULL: the status topic, or nobody cares any more */
    int64_t at_ms;
    bool clear;
};

struct pub_mqtt {
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    const struct pres_store *store;
    char *host, *client_id, *user, *topic, *status_topic, *payload, *content_type;
    unsigned port;
    struct tls *tls;
    bool (*password)(void *arg, struct secret **ret, char *why, size_t why_size);
    void *password_arg;
    enum pres_mqtt_version version;
    char *show[PRES_KINDS], *text[PRES_KINDS];
    struct pres_zone *zone;

    struct pres_mqtt_link *link;
    bool v5; /* of the link, or of the next one */
    bool up;
    bool leaving;  /* farewell under way */
    int leave_mid; /* 0: acknowledged */
    struct loop_timer *start_timer, *settle_timer, *tick;
    char start_why[200];
    struct buf name, body; /* one topic, one payload */

    struct pub_sent *sent; /* oldest first, a ring of `inflight` */
    size_t inflight, sent_first, sent_count;

    struct map *topics; /* text -> struct pub_topic */
    uint32_t sweep;
    bool sweeping;
    pres_id sweep_at;
    struct pub_topic **clears;
    size_t clear_count, clear_capacity;
    pres_id refresh_pos;
    struct pub_topic **by_id; /* by pres_id; NULL: none */
    size_t by_id_size;

    uint64_t lost, refused, cleared, conflicts;
    unsigned lost_here; /* on this connection */
    int64_t reborn_ms;
};

/* pub_mqtt.c */
bool pres_mqtt_topic_of(struct pub_mqtt *m, pres_id id, struct buf *out);
/* False: no room, or the link is not up. topic NULL: the status topic. */
bool pres_mqtt_send(struct pub_mqtt *m, struct pub_topic *topic, const char *text, const void *payload, size_t len,
                    uint32_t expiry_s);

/* pub_mqtt_topic.c */
void pres_mqtt_topics_load(struct pub_mqtt *m);
void pres_mqtt_topics_free(struct pub_mqtt *m);
void pres_mqtt_topics_disconnected(struct pub_mqtt *m);
/* The topic of that text, made and stored when it is new. */
struct pub_topic *pres_mqtt_topic_get(struct pub_mqtt *m, const char *text);
void pres_mqtt_topic_own(struct pub_mqtt *m, struct pub_topic *t, pres_id id);
/* Begins to look for topics that are nobody's any more. */
void pres_mqtt_topics_sweep(struct pub_mqtt *m);
void pres_mqtt_topics_clear(struct pub_mqtt *m); /* as many as there is room for */
void pres_mqtt_topic_cleared(struct pub_mqtt *m, struct pub_topic *t);
void pres_mqtt_topics_refresh(struct pub_mqtt *m); /* a part of everybody, each tick */

#endif
