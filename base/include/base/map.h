/*
 * map: text -> pointer. Keys are borrowed: each must live, unchanged, as long as its entry (usually it is a member of
 * the value). Costs 16 bytes a slot; open addressing with a seed drawn at random, so that a stranger cannot choose
 * collisions.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map **m); /* the values are the caller's */

/* Room for `n` entries without growing on the way. */
void map_reserve(struct map *m, size_t n);

size_t map_count(const struct map *m);
void *map_get(const struct map *m, const char *key);

/* Stores `value` (not NULL) under `key`; returns the value that was there before, else NULL. The new key pointer is
 * kept. */
void *map_put(struct map *m, const char *key, void *value);

/* Removes; returns what was there, else NULL. */
void *map_del(struct map *m, const char *key);

/* Walks all entries in no order: start with *pos = 0; NULL at the end. Entries may be deleted, not added, while
 * walking. */
void *map_next(const struct map *m, size_t *pos);

/* SipHash-1-3 of some bytes, for tables that keep no keys; the seed is to be drawn at random. */
uint64_t map_hash(const uint64_t seed[2], const void *data, size_t len);

#endif
