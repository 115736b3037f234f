/*
 * slab: blocks of 1 MiB, cut into units of 4 bytes. A piece is some units in a row; its reference is the number of its
 * first unit, counted through all blocks. Pieces that were given back wait, by size, in lists that run through their
 * own first unit.
 *
 * Blocks are never returned: people come and go with names of much the same lengths, so what one leaves the next one
 * takes.
 */
#include "slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define UNIT 4
#define BLOCK_BITS 18 /* units in a block */
#define BLOCK_UNITS (UINT32_C(1) << BLOCK_BITS)
#define SIZES (PRES_SLAB_MAX / UNIT + 1)

struct pres_slab {
    char **blocks;
    uint32_t n_blocks;
    uint32_t fill;              /* units used of the last block */
    uint32_t free_first[SIZES]; /* by units; 0: none */
};

static uint32_t units_of(size_t len);

struct pres_slab *pres_slab_new(void)
{
    struct pres_slab *s = mem_calloc(1, sizeof(*s));

    s->fill = BLOCK_UNITS;
    return s;
}

void pres_slab_free(struct pres_slab **s)
{
    if (!*s)
        return;
    for (uint32_t i = 0; i < (*s)->n_blocks; i++)
        free((*s)->blocks[i]);
    free((*s)->blocks);
    free(*s);
    *s = NULL;
}

uint32_t pres_slab_take(struct pres_slab *s, size_t len)
{
    uint32_t units = units_of(len), ref = s->free_first[units];

    if (ref != 0) {
        memcpy(&s->free_first[units], pres_slab_at(s, ref), sizeof(ref));
        return ref;
    }
    if (s->fill + units > BLOCK_UNITS) {
        s->blocks = mem_realloc(s->blocks, s->n_blocks + 1, sizeof(*s->blocks));
        s->blocks[s->n_blocks++] = mem_realloc(NULL, BLOCK_UNITS, UNIT);
        s->fill = s->n_blocks == 1; /* reference 0 means none */
    }
    ref = (s->n_blocks - 1) << BLOCK_BITS | s->fill;
    s->fill += units;
    return ref;
}

char *pres_slab_at(const struct pres_slab *s, uint32_t ref)
{
    return s->blocks[ref >> BLOCK_BITS] + (size_t)(ref & (BLOCK_UNITS - 1)) * UNIT;
}

void pres_slab_give(struct pres_slab *s, uint32_t ref, size_t len)
{
    uint32_t units = units_of(len);

    memcpy(pres_slab_at(s, ref), &s->free_first[units], sizeof(ref));
    s->free_first[units] = ref;
}

static uint32_t units_of(size_t len)
{
    assert(len > 0 && len <= PRES_SLAB_MAX);
    return (uint32_t)((len + UNIT - 1) / UNIT);
}
