/*
 * exchange_known (private to exchange*.c): what a session knows of each person that it is asked about again and again:
 * where the calendar was, as of when it was read, and by which sign one sees that nothing in it has changed. Nothing
 * of what stands in it. Everything here may be lost at any time, at the cost of one more reading.
 */
#ifndef DAVCLIENT_EXCHANGE_KNOWN_H
#define DAVCLIENT_EXCHANGE_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_NO_SUBSCRIPTION UINT32_MAX

/* Times are wall s, 0: never. Hashes are never 0 but for "none". */
struct exchange_known {
    uint64_t person;  /* hash of the address */
    uint64_t place;   /* of the calendar's URL */
    uint64_t host;    /* of its origin, to the lower half */
    uint64_t folder;  /* of the path that the first POLL about it named */
    uint64_t tag;     /* of contenttag, as it was before the last reading or earlier */
    uint32_t number;  /* the caller's, for hints */
    uint32_t from, until;   /* the window of the last reading */
    uint32_t read_at;       /* as of then the caller has it */
    uint32_t clean_at;      /* as of then nothing had changed since */
    uint32_t proved_at;     /* the walk from the mailbox's own address led there */
    uint32_t used_at;
    uint32_t hinted_at;
    uint32_t subscription;  /* EXCHANGE_NO_SUBSCRIPTION: none */
    uint32_t renew_at, ends_at;
    uint32_t no_subscription_until, no_tag_until, no_form_until;
    uint16_t changes; /* counts what was heard of changes ... */
    uint16_t seen;    /* ... up to here the reading has it */
    bool polling;     /* a POLL about it is on its way */
    bool alone;       /* was not answered for among others */
    uint8_t lost;     /* subscriptions in a row that were not known when they were first asked about */
};

struct exchange_known_table;

struct exchange_known_table *dav_exchange_known_new(void);
void dav_exchange_known_free(struct exchange_known_table **table);

/* Pointers hold until the next dav_exchange_known_add(). */
struct exchange_known *dav_exchange_known_find(const struct exchange_known_table *table, uint64_t person);
struct exchange_known *dav_exchange_known_add(struct exchange_known_table *table, uint64_t person, int64_t now);
struct exchange_known *dav_exchange_known_by_subscription(const struct exchange_known_table *table, uint32_t id);
void dav_exchange_known_subscribe(struct exchange_known_table *table, struct exchange_known *known, uint32_t id);

/* The others that are asked about together with it: walk from *pos = 0; NULL at the end. */
struct exchange_known *dav_exchange_known_group(const struct exchange_known_table *table,
                                                const struct exchange_known *known, unsigned size, unsigned *pos);
struct exchange_known *dav_exchange_known_any_subscribed(const struct exchange_known_table *table, uint32_t from);
size_t dav_exchange_known_count(const struct exchange_known_table *table);
size_t dav_exchange_known_subscribed(const struct exchange_known_table *table);

static inline bool dav_exchange_known_dirty(const struct exchange_known *known)
{
    return known->changes != known->seen;
}

#endif
