/*
 * relay_out_private: the exporter's two halves. relay_out.c has the line: one message under way at a time, its answer,
 * what is sent next. relay_out_people.c has the people: what the other side holds of each, and what differs.
 */
#ifndef GATEWAY_RELAY_OUT_PRIVATE_H
#define GATEWAY_RELAY_OUT_PRIVATE_H

#include "base/buf.h"
#include "gateway_private.h"
#include "relay_message.h"
#include "relay_out.h"
#include "who.h"

struct crypto_sign_key;
struct fetch;
struct fetch_client;

/* What the far end was told of somebody. */
struct relay_told {
    struct pres_set *set;
    int64_t from, until, as_of;
};

struct relay_person {
    char *address; /* the key in the map, lower case: publish_as */
    char *wire;    /* what the far end knows the person as */
    uint32_t bucket;
    uint64_t sequence;      /* of the message that was accepted last; 0: none since we started */
    struct relay_told held; /* by it */
    struct relay_told next; /* in the message being made or under way */
    bool unread;            /* may be told of, but nothing is known yet */
    bool told;              /* the far end may know of this person */
    bool flying;            /* `next` is */
    bool again;             /* something changed while it was */
    bool withdrawn;         /* a tombstone is due, or under way */
};

enum relay_sending { RELAY_NOTHING, RELAY_PROBE, RELAY_PEOPLE, RELAY_CANCEL, RELAY_DIGEST };

struct relay_out {
    struct gateway *g;
    struct pres_publisher *publisher;
    const struct pres_store *store;
    char *name, *space, *url, *stream, *authorization, *base;
    bool files; /* one file a person, at any WebDAV server */
    struct gw_who who;
    struct crypto_sign_key *key;
    char *pseudonym_key, *pseudonym_domain; /* NULL: addresses as they are */
    int64_t digest_ms, timeout_ms, pad_ms;
    size_t pad_bytes, batch_bytes;

    struct fetch_client *client;
    struct fetch *fetch;
    enum relay_sending sending;
    bool up;
    struct relay_person **flying; /* in the message under way */
    size_t flying_count;
    struct buf batch; /* components of the next message */
    struct relay_person **waiting; /* in it */
    size_t waiting_count, waiting_room;
    struct buf message;
    uint64_t sequence, reserved;

    struct map *people;
    size_t told_count, withdrawn_count;
    struct loop_timer *tick, *flush, *pad;
    pres_id sweep_at;
    size_t sweep_hurry; /* to be looked at quickly: the policy has changed */
    unsigned epoch;
    int64_t next_digest_ms;
    unsigned digest_part, digest_parts;
    int64_t refused_ms; /* when people were sent again last because a digest was refused */
    bool may_resend;    /* in this round of digests: not again and again, whatever the far end says */

    uint64_t messages, bytes, digests, digests_refused, cancels, withheld, cut;
};

/* relay_out.c */
void gw_relay_send_soon(struct relay_out *r);
void gw_relay_batch_drop(struct relay_out *r); /* what was not sent yet is to be looked at again */

/* relay_out_people.c */
enum relay_news { RELAY_SAME, RELAY_DIFFERS, RELAY_WITHHELD, RELAY_FULL };
struct relay_person *gw_relay_person(struct relay_out *r, const char *address);
/* Looks at somebody, and puts what differs into the batch. */
enum relay_news gw_relay_look(struct relay_out *r, pres_id id, const char *address);
void gw_relay_accepted(struct relay_out *r, struct relay_person *p, uint64_t sequence); /* the message with `next` */
void gw_relay_lost(struct relay_person *p);                                            /* it was not */
void gw_relay_withdraw(struct relay_out *r, struct relay_person *p);
void gw_relay_withdrawn(struct relay_out *r, struct relay_person *p); /* the tombstone was accepted; frees p */
void gw_relay_withdraw_gone(struct relay_out *r); /* who is not in the table any more */
void gw_relay_sweep(struct relay_out *r);         /* a slice of everybody: does the view still say the same? */
void gw_relay_people_load(struct relay_out *r);
void gw_relay_people_free(struct relay_out *r);

#endif
