/*
 * pub_mqtt_link: one connection to an MQTT broker, over libmosquitto inside our loop: name, TCP, TLS, CONNECT with a
 * will, publications with their acknowledgements, keepalive. No connection is made twice: the owner makes a new link.
 */
#ifndef PRESENCE_PUB_MQTT_LINK_H
#define PRESENCE_PUB_MQTT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct pres_mqtt_link;
struct secret;
struct tls;

/* From the loop, never before pres_mqtt_link_new returned, never after pres_mqtt_link_close. `acked` may not close the
 * link; the others may. `end` comes once and is the last. */
struct pres_mqtt_handler {
    void (*up)(void *arg);
    void (*acked)(void *arg, int mid, bool taken); /* false: the broker refused the message */
    void (*echo)(void *arg, const char *topic, const void *payload, size_t len); /* of what was subscribed to */
    /* `slow`: trying again at once is of no use. `old`: the broker may know only an older version of the protocol. */
    void (*end)(void *arg, const char *code, const char *text, bool slow, bool old);
};

struct pres_mqtt_link_settings {
    const char *host;
    unsigned port;
    struct tls *tls; /* NULL: plain; outlives the link, and serves for it alone */
    const char *client_id;
    const char *user;              /* NULL: none */
    const struct secret *password; /* NULL: none; copied */
    const char *will_topic;        /* "0" goes there, retained, when we vanish */
    bool v5;
};

struct pres_mqtt_link *pres_mqtt_link_new(struct loop *loop, const struct pres_mqtt_link_settings *settings,
                                          const struct pres_mqtt_handler *handler, void *arg);
/* At once; what waits is not sent. `goodbye`: the broker is told, and does not publish the will. NULL is fine. */
void pres_mqtt_link_close(struct pres_mqtt_link **l, bool goodbye);

/* QoS 1, retained; len 0 removes. expiry_s 0: for ever. The message's number, or -1: it could not be taken. */
int pres_mqtt_link_publish(struct pres_mqtt_link *l, const char *topic, const void *payload, size_t len,
                           uint32_t expiry_s, const char *content_type);
void pres_mqtt_link_subscribe(struct pres_mqtt_link *l, const char *topic);
/* After a run of publications: has what did not fit the socket sent when it does. */
void pres_mqtt_link_flush(struct pres_mqtt_link *l);
bool pres_mqtt_link_waiting(const struct pres_mqtt_link *l); /* not all is in the kernel's hands */

#endif
