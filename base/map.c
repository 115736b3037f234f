/*
 * map: text -> pointer, open addressing with linear probing. A slot is two pointers and nothing else: a probe compares
 * the keys themselves, which mostly differ within their first bytes, and a table that grows hashes its keys again
 * (SipHash-1-3, some 20 ns for an address).
 *
 * A deleted slot keeps a mark (value without key), so that nothing moves while somebody walks; marks are swept when the
 * table grows or fills up with them. Both happen only in map_put and map_reserve, which is why those are forbidden
 * while walking.
 */
#include "base/map.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"

#define FIRST_CAP 16

struct slot {
    const char *key; /* NULL: empty, or a mark when value is set */
    void *value;
};

struct map {
    struct slot *slots;
    size_t cap;  /* a power of two, 0 before the first entry */
    size_t live; /* entries */
    size_t used; /* entries and marks */
    uint64_t seed[2];
};

static void *const mark = (void *)(uintptr_t)1;

static void rehash(struct map *m, size_t cap);
static struct slot *find(const struct map *m, const char *key);
static struct slot *free_slot(struct map *m, const char *key);
static void sweep_marks_before(struct map *m, size_t i);
static uint64_t hash(const uint64_t seed[2], const char *key);

struct map *map_new(void)
{
    struct map *m = mem_calloc(1, sizeof(*m));

    crypto_random(m->seed, sizeof(m->seed));
    return m;
}

void map_free(struct map **m)
{
    if (!*m)
        return;
    free((*m)->slots);
    free(*m);
    *m = NULL;
}

void map_reserve(struct map *m, size_t n)
{
    size_t cap = m->cap > 0 ? m->cap : FIRST_CAP;

    while (cap / 4 * 3 < n)
        cap *= 2;
    if (cap > m->cap)
        rehash(m, cap);
}

size_t map_count(const struct map *m)
{
    return m->live;
}

void *map_get(const struct map *m, const char *key)
{
    struct slot *s = find(m, key);

    return s ? s->value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
    struct slot *s = find(m, key);
    void *old;

    assert(value && value != mark);
    if (s) {
        old = s->value;
        *s = (struct slot){key, value};
        return old;
    }
    if (m->used + 1 > m->cap / 4 * 3) /* mostly marks: sweep in place; mostly entries: double */
        rehash(m, m->cap == 0 ? FIRST_CAP : m->live + 1 > m->cap / 2 ? m->cap * 2 : m->cap);
    s = free_slot(m, key);
    m->used += s->value != mark;
    m->live++;
    *s = (struct slot){key, value};
    return NULL;
}

void *map_del(struct map *m, const char *key)
{
    struct slot *s = find(m, key);
    void *old;

    if (!s)
        return NULL;
    old = s->value;
    *s = (struct slot){NULL, mark};
    m->live--;
    sweep_marks_before(m, (size_t)(s - m->slots));
    return old;
}

void *map_next(const struct map *m, size_t *pos)
{
    struct slot *s;

    while (*pos < m->cap) {
        s = &m->slots[(*pos)++];
        if (s->key)
            return s->value;
    }
    return NULL;
}

static void rehash(struct map *m, size_t cap)
{
    struct slot *old = m->slots;
    size_t n = m->cap, i;

    m->slots = mem_calloc(cap, sizeof(*m->slots));
    m->cap = cap;
    m->used = m->live;
    for (i = 0; i < n; i++)
        if (old[i].key)
            *free_slot(m, old[i].key) = old[i];
    free(old);
}

/* There is always an empty slot to end at: the table is never more than three quarters full, marks included. */
static struct slot *find(const struct map *m, const char *key)
{
    struct slot *s;
    size_t i;

    if (m->live == 0)
        return NULL;
    for (i = hash(m->seed, key) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        s = &m->slots[i];
        if (!s->key && !s->value)
            return NULL;
        if (s->key && strcmp(s->key, key) == 0)
            return s;
    }
}

/* Where an absent key goes: the first slot on its way that is empty or a mark. */
static struct slot *free_slot(struct map *m, const char *key)
{
    size_t i = hash(m->seed, key) & (m->cap - 1);

    while (m->slots[i].key)
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

/* Marks that only lead to an empty slot lead nowhere. */
static void sweep_marks_before(struct map *m, size_t i)
{
    struct slot *after = &m->slots[(i + 1) & (m->cap - 1)];

    if (after->key || after->value)
        return;
    while (!m->slots[i].key && m->slots[i].value == mark) {
        m->slots[i].value = NULL;
        m->used--;
        i = (i - 1) & (m->cap - 1);
    }
}

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] = ROTATE(v[2], 32);
}

static uint64_t hash(const uint64_t seed[2], const char *key)
{
    return map_hash(seed, key, strlen(key));
}

uint64_t map_hash(const uint64_t seed[2], const void *data, size_t len)
{
    const char *key = data;
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d, seed[0] ^ 0x6c7967656e657261,
                     seed[1] ^ 0x7465646279746573};
    size_t left = len;
    uint64_t word;

    for (; left >= 8; left -= 8, key += 8) {
        memcpy(&word, key, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, key, left);
    word |= (uint64_t)len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
