/*
 * exchange_known: the table behind exchange_known.h. Records lie in one array, in the order in which people were first
 * asked about; neighbours share their POLLs. Two indices lead into it, by person and by subscription: open addressing,
 * entries are never removed, and one that leads to a record with another key is passed over.
 *
 * When the array is full, those who have not been asked about for days make room first. exchange.c and
 * exchange_watch.c are the callers.
 */
#include "exchange_known.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FORGET_S (2 * 86400)
#define FIRST_CAPACITY 64

struct index {
    uint32_t *slots; /* record's number + 1; 0: free */
    uint32_t cap, used;
};

struct exchange_known_table {
    struct exchange_known *records;
    uint32_t count, cap, subscribed;
    struct index by_person, by_subscription;
};

static uint64_t spread(uint64_t key);
static void index_add(struct index *index, uint64_t key, uint32_t record);
static void make_room(struct exchange_known_table *table, int64_t now);
static void rebuild(struct exchange_known_table *table);
static void index_reset(struct index *index, uint32_t records);

struct exchange_known_table *dav_exchange_known_new(void)
{
    return mem_calloc(1, sizeof(struct exchange_known_table));
}

void dav_exchange_known_free(struct exchange_known_table **tablep)
{
    struct exchange_known_table *table = *tablep;

    *tablep = NULL;
    if (!table)
        return;
    free(table->records);
    free(table->by_person.slots);
    free(table->by_subscription.slots);
    free(table);
}

size_t dav_exchange_known_count(const struct exchange_known_table *table)
{
    return table->count;
}

size_t dav_exchange_known_subscribed(const struct exchange_known_table *table)
{
    return table->subscribed;
}

struct exchange_known *dav_exchange_known_find(const struct exchange_known_table *table, uint64_t person)
{
    const struct index *index = &table->by_person;

    for (uint64_t i = spread(person); index->cap > 0 && index->slots[i & (index->cap - 1)]; i++) {
        struct exchange_known *known = &table->records[index->slots[i & (index->cap - 1)] - 1];

        if (known->person == person)
            return known;
    }
    return NULL;
}

struct exchange_known *dav_exchange_known_add(struct exchange_known_table *table, uint64_t person, int64_t now)
{
    struct exchange_known *known = dav_exchange_known_find(table, person);

    if (!known) {
        if (table->count == table->cap)
            make_room(table, now);
        known = &table->records[table->count++];
        *known = (struct exchange_known){.person = person, .subscription = EXCHANGE_NO_SUBSCRIPTION};
        index_add(&table->by_person, person, table->count);
    }
    known->used_at = (uint32_t)now;
    return known;
}

struct exchange_known *dav_exchange_known_by_subscription(const struct exchange_known_table *table, uint32_t id)
{
    const struct index *index = &table->by_subscription;

    for (uint64_t i = spread(id); index->cap > 0 && index->slots[i & (index->cap - 1)]; i++) {
        struct exchange_known *known = &table->records[index->slots[i & (index->cap - 1)] - 1];

        if (known->subscription == id && id != EXCHANGE_NO_SUBSCRIPTION)
            return known;
    }
    return NULL;
}

void dav_exchange_known_subscribe(struct exchange_known_table *table, struct exchange_known *known, uint32_t id)
{
    struct exchange_known *other = dav_exchange_known_by_subscription(table, id);

    if (other && other != known) { /* the server gave the number away again: it has forgotten the other one */
        other->subscription = EXCHANGE_NO_SUBSCRIPTION;
        other->changes++;
        table->subscribed--;
    }
    table->subscribed -= known->subscription != EXCHANGE_NO_SUBSCRIPTION;
    table->subscribed += id != EXCHANGE_NO_SUBSCRIPTION;
    known->subscription = id;
    known->folder = 0;
    if (id == EXCHANGE_NO_SUBSCRIPTION || other == known)
        return;
    if (table->by_subscription.used >= table->by_subscription.cap / 4 * 3)
        rebuild(table); /* with the new one, without those that are over */
    else
        index_add(&table->by_subscription, id, (uint32_t)(known - table->records) + 1);
}

struct exchange_known *dav_exchange_known_group(const struct exchange_known_table *table,
                                                const struct exchange_known *known, unsigned size, unsigned *pos)
{
    uint32_t first = (uint32_t)(known - table->records) / size * size;

    while (*pos < size && first + *pos < table->count) {
        struct exchange_known *other = &table->records[first + (*pos)++];

        if (other->host == known->host)
            return other;
    }
    return NULL;
}

/* One of the first few hundred from there on: it is asked for by strangers. */
struct exchange_known *dav_exchange_known_any_subscribed(const struct exchange_known_table *table, uint32_t from)
{
    for (uint32_t i = 0; i < table->count && i < 256; i++) {
        struct exchange_known *known = &table->records[(from + i) % table->count];

        if (known->subscription != EXCHANGE_NO_SUBSCRIPTION)
            return known;
    }
    return NULL;
}

/* Subscription ids are small numbers in a row. */
static uint64_t spread(uint64_t key)
{
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return key ^ key >> 32;
}

static void index_add(struct index *index, uint64_t key, uint32_t record)
{
    uint64_t i = spread(key);

    while (index->slots[i & (index->cap - 1)])
        i++;
    index->slots[i & (index->cap - 1)] = record;
    index->used++;
}

static void make_room(struct exchange_known_table *table, int64_t now)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < table->count; i++)
        if ((int64_t)table->records[i].used_at + FORGET_S >= now)
            table->records[kept++] = table->records[i];
        else
            table->subscribed -= table->records[i].subscription != EXCHANGE_NO_SUBSCRIPTION;
    table->count = kept;
    if (kept >= table->cap / 2) {
        table->cap = table->cap ? table->cap * 2 : FIRST_CAPACITY;
        table->records = mem_realloc(table->records, table->cap, sizeof(*table->records));
    }
    rebuild(table);
}

static void rebuild(struct exchange_known_table *table)
{
    index_reset(&table->by_person, table->cap);
    index_reset(&table->by_subscription, table->cap);
    for (uint32_t i = 0; i < table->count; i++) {
        index_add(&table->by_person, table->records[i].person, i + 1);
        if (table->records[i].subscription != EXCHANGE_NO_SUBSCRIPTION)
            index_add(&table->by_subscription, table->records[i].subscription, i + 1);
    }
}

/* Half of it is free when every record has one entry; subscriptions that are over may fill half of that. */
static void index_reset(struct index *index, uint32_t records)
{
    uint32_t cap = records * 2;

    if (cap != index->cap) {
        free(index->slots);
        index->slots = mem_calloc(cap, sizeof(*index->slots));
    } else {
        memset(index->slots, 0, cap * sizeof(*index->slots));
    }
    index->cap = cap;
    index->used = 0;
}
