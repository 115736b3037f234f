/*
 * relay_message: what goes from an exporter to a publisher, as text. One message type: an iCalendar object with a head
 * of our own (X-FB-...), signed as a whole, and behind it any number of VFREEBUSY (METHOD:PUBLISH), of people who are
 * no longer told of (METHOD:CANCEL), or the list of what the exporter believes that the publisher holds (a digest).
 * Other programs read it as plain free/busy. Pure text; see docs/relay.md for the format.
 */
#ifndef GATEWAY_RELAY_MESSAGE_H
#define GATEWAY_RELAY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct crypto_sign_key;

enum { GW_RELAY_NAME_MAX = 64, GW_RELAY_MESSAGE_MAX = 2 << 20, GW_RELAY_PARTS_MAX = 4096, GW_RELAY_ADDRESS_MAX = 1000 };

struct gw_relay_head {
    char stream[GW_RELAY_NAME_MAX + 1]; /* who talks to whom: a message for another stream is no message */
    uint64_t sequence;                  /* grows with every message of a stream */
    int64_t made;                       /* wall s; 0: none of our messages */
    int64_t keep_s;                     /* for so long after its time data may be used, and the message after `made` */
    bool cancel;                        /* METHOD:CANCEL */
    unsigned part, parts;               /* a digest of one part of the people; parts 0: it is none */
    char key[33];                       /* "": not signed */
};

/* Begins a message in an empty buf. */
void gw_relay_begin(struct buf *out, const struct gw_relay_head *head, const struct crypto_sign_key *key);
/* Ends it; with a key what gw_relay_begin left open for it is filled in. `size`: what the message is filled up to,
 * exactly where that is 30 bytes or more away; 0: nothing. False: no room. */
bool gw_relay_end(struct buf *out, const struct crypto_sign_key *key, size_t size);

/* One person in a CANCEL. */
void gw_relay_add_cancel(struct buf *out, const char *address, int64_t now);
/* One line of a digest: the person's last message (0: whatever it was, leave it), and how old the data is. */
void gw_relay_add_has(struct buf *out, const char *address, uint64_t sequence, int64_t age_s);

/* The head of what came in. False: it is broken. A text that is none of ours has `made` 0. */
bool gw_relay_parse(const char *text, size_t len, struct gw_relay_head *ret);
/* Is it signed by this key? */
bool gw_relay_verify(const char *text, size_t len, const struct crypto_sign_key *key);

/* The lines of a digest, one after another: start with *at = text. False: there is no more, or (*ret_bad) no sense in
 * it. */
bool gw_relay_next_has(const char **at, const char *end, char address[GW_RELAY_ADDRESS_MAX + 1], uint64_t *ret_sequence,
                       int64_t *ret_age_s, bool *ret_bad);

/* A stable number for an address, without case: the part it belongs to is this modulo the number of parts. */
uint32_t gw_relay_bucket(const char *address);

/* 32 hex digits that stand for an address, the same always, and which nobody without the key can trace back or guess
 * at: HMAC-SHA-256 of the address in lower case. */
void gw_relay_pseudonym(const char *key, size_t key_len, const char *address, char out[33]);

#endif
