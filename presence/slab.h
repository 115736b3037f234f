/*
 * slab (private): short texts of persons, packed into large blocks. A text is named by 4 bytes instead of a pointer and
 * has no allocator's header; its place never moves.
 */
#ifndef PRESENCE_SLAB_H
#define PRESENCE_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct pres_slab;

#define PRES_SLAB_MAX 4096 /* bytes of one piece */

struct pres_slab *pres_slab_new(void);
void pres_slab_free(struct pres_slab **s);

/* Room for `len` bytes (1 to PRES_SLAB_MAX), uninitialised. Never 0. */
uint32_t pres_slab_take(struct pres_slab *s, size_t len);
char *pres_slab_at(const struct pres_slab *s, uint32_t ref);

/* `len` as it was taken. */
void pres_slab_give(struct pres_slab *s, uint32_t ref, size_t len);

#endif
