/*
 * arena: many small allocations with one end. What is parsed for one question lives in the question's arena, so that no
 * error path can leak it. A ceiling bounds what a peer can make us keep.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

/* At most `max` bytes in all. */
struct arena *arena_new(size_t max);
void arena_free(struct arena **a);

/* Forgets everything, keeps the first block for reuse. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. NULL when the ceiling is reached, and from then on. */
void *arena_alloc(struct arena *a, size_t len);
char *arena_strndup(struct arena *a, const char *text, size_t len);

/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);

#endif
