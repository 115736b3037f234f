/*
 * outlets_private: what outlets.c and the files of the kinds share. A kind of outlet (outlets_KIND.c) says how its part
 * of the configuration becomes publishers, and when that part has changed; adding a kind is adding a file and a row of
 * the table in outlets.c.
 */
#ifndef GATEWAY_OUTLETS_PRIVATE_H
#define GATEWAY_OUTLETS_PRIVATE_H

#include "gateway_private.h"
#include "presence/viewer.h"
#include "who.h"

struct gw_outlet_kind;
struct tls;

/* One publisher that the configuration asks for. */
struct gw_outlet {
    const struct gw_outlet_kind *kind;
    char *label;
    struct gateway *gateway;
    unsigned index;                   /* among those of its kind in the configuration */
    struct pres_publisher *publisher; /* NULL: it could not be made */
    struct tls *tls;                  /* of the publisher */
    struct gw_who who;                /* as whom it asks */
    struct pres_viewer viewer;        /* through whose eyes it sees */
    bool was_limited;                 /* when the policy was looked at last */
    char why[300];                    /* why it could not be made */
    int64_t since;
};

struct gw_outlet_kind {
    const char *name;
    unsigned (*count)(const struct gw_config *c);
    /* What the i-th is called in status, log and metrics, and known by over a reload: "xmpp". The caller frees it. */
    char *(*label)(const struct gw_config *c, unsigned i);
    bool (*same)(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
    /* NULL with o->why. o->label and o->index are set; what the publisher needs beside itself goes to o. */
    struct pres_publisher *(*make)(struct gateway *g, struct gw_outlet *o);
};

extern const struct gw_outlet_kind gw_outlet_xmpp, gw_outlet_mqtt, gw_outlet_sip, gw_outlet_sip_server,
    gw_outlet_webhook, gw_outlet_relay;

const struct pres_store *gw_outlets_store(const struct gateway *g);

/* NULL is equal to NULL. */
bool gw_same_text(const char *a, const char *b);
bool gw_same_list(char *const *a, unsigned a_count, char *const *b, unsigned b_count);
bool gw_same_words(char *const *a, char *const *b, unsigned count);

#endif
