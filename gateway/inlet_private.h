/*
 * inlet_private: inlet.c has the relay itself, its keys, its memory and its numbers; inlet_take.c what a
 * message does; inlet_http.c the way in.
 */
#ifndef GATEWAY_INLET_PRIVATE_H
#define GATEWAY_INLET_PRIVATE_H

#include "gateway_private.h"
#include "inlet.h"
#include "relay_message.h"

struct crypto_sign_key;
struct dav_busytext;
struct map;

struct relay_key {
    struct crypto_sign_key *key;
    int64_t until; /* wall s; PRES_NEVER */
};

/* Somebody of whom the exporter has told. */
struct relay_held {
    uint64_t sequence; /* of the message */
    uint64_t seen;     /* sequence of the last digest that named them */
    uint32_t bucket;
    char address[]; /* lower case, the key in the map */
};

struct gw_inlet {
    struct gateway *g;
    struct gw_server *server;
    char *space; /* of our rows in the state file */
    struct relay_key *keys;
    unsigned key_count;
    struct dav_busytext *reader;
    struct map *held;
    bool loaded;
    uint64_t last;    /* sequence of the last message */
    int64_t last_at;  /* wall s when it came; 0: none since the start */
    int64_t keep_s;   /* the exporter's word; 0: it has none */
    bool silent;
    uint64_t messages, digests, people, withdrawn, bytes;
    uint64_t refused[GW_INLET_REFUSALS];
};

/* inlet.c */
void gw_inlet_remember(struct gw_inlet *r, const char *key, uint64_t value);
void gw_inlet_keep(struct gw_inlet *r, int64_t keep_s);
struct relay_held *gw_inlet_held(struct gw_inlet *r, const char *address, bool make);
bool gw_inlet_is_ours(const struct gw_inlet *r, const char *address, pres_id *ret);

/* inlet_take.c: tells that nothing is known of this person any more. */
void gw_inlet_withdraw(struct gw_inlet *r, const char *address);

#endif
