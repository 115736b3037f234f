/*
 * arena: allocations that end together. A query owns one; its parsers put rows and texts here, and dropping the query
 * frees all at once, whichever of its twenty exits it takes.
 *
 * Memory comes in a chain of blocks, newest first; only the first of the chain is filled. A piece larger than half a
 * block gets a block of its own in a second chain, so that one long text does not waste what is left in the current
 * one.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_BLOCK 2048
#define LARGEST_BLOCK 65536
#define ALIGNMENT alignof(max_align_t)

struct block {
    struct block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *top;
    struct block *large;
    size_t next_cap;
    size_t max;
    size_t used;
    bool failed;
};

static struct block *block_for(struct arena *a, size_t len);
static struct block *block_new(size_t cap, struct block *next);
static void block_free_until(struct block **b, const struct block *last);

struct arena *arena_new(size_t max)
{
    struct arena *a = mem_calloc(1, sizeof(*a));

    a->max = max;
    a->next_cap = FIRST_BLOCK;
    return a;
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    block_free_until(&(*a)->top, NULL);
    block_free_until(&(*a)->large, NULL);
    free(*a);
    *a = NULL;
}

void arena_reset(struct arena *a)
{
    struct block *first = a->top;

    while (first && first->next)
        first = first->next;
    block_free_until(&a->top, first);
    block_free_until(&a->large, NULL);
    if (first)
        first->used = 0;
    a->next_cap = FIRST_BLOCK;
    a->used = 0;
    a->failed = false;
}

void *arena_alloc(struct arena *a, size_t len)
{
    size_t room = a->max - a->used;
    struct block *b;
    char *p;

    len = len > 0 ? len : 1;
    if (a->failed || len > room || len > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    len = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    b = block_for(a, len);
    p = b->bytes + b->used;
    b->used += len;
    a->used += len < room ? len : room; /* rounding must not push the sum past the ceiling */
    return memset(p, 0, len);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    char *copy;

    len = strnlen(text, len);
    copy = arena_alloc(a, len + 1);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}

static struct block *block_for(struct arena *a, size_t len)
{
    struct block *b = a->top;

    if (b && b->cap - b->used >= len)
        return b;
    if (len > a->next_cap / 2)
        return a->large = block_new(len, a->large);
    a->top = block_new(a->next_cap, b);
    a->next_cap = a->next_cap < LARGEST_BLOCK ? a->next_cap * 2 : LARGEST_BLOCK;
    return a->top;
}

static struct block *block_new(size_t cap, struct block *next)
{
    struct block *b = mem_realloc(NULL, 1, sizeof(*b) + cap);

    b->next = next;
    b->cap = cap;
    b->used = 0;
    return b;
}

static void block_free_until(struct block **b, const struct block *last)
{
    struct block *next;

    for (; *b && *b != last; *b = next) {
        next = (*b)->next;
        free(*b);
    }
}
