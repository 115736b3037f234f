/*
 * exchange_fb_names: whose row is it? Rows name people by address, in any order and any case, maybe by another address
 * than the one that was asked for. An open-addressed table of all names in one question; several persons may have the
 * same one.
 */
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "exchange_fb.h"

struct dav_fb_name {
    const char *name; /* NULL: empty */
    uint32_t hash, person;
};

static uint32_t hash_of(const char *name);

bool dav_fb_names_new(struct dav_fb_names *names, struct arena *arena, size_t most)
{
    size_t size = 16;

    while (size < 2 * most)
        size *= 2;
    names->mask = (uint32_t)size - 1;
    names->slots = arena_alloc(arena, size * sizeof(*names->slots));
    return names->slots != NULL;
}

void dav_fb_names_add(struct dav_fb_names *names, const char *name, uint32_t person)
{
    uint32_t hash = hash_of(name), i = hash & names->mask;

    while (names->slots[i].name)
        i = (i + 1) & names->mask;
    names->slots[i] = (struct dav_fb_name){.name = name, .hash = hash, .person = person};
}

bool dav_fb_names_next(const struct dav_fb_names *names, const char *name, struct dav_fb_names_pos *pos,
                       uint32_t *ret_person)
{
    uint32_t hash = pos->hash = pos->steps ? pos->hash : hash_of(name);

    for (;;) {
        const struct dav_fb_name *slot = &names->slots[(hash + pos->steps) & names->mask];

        if (!slot->name)
            return false;
        pos->steps++;
        if (slot->hash == hash && str_eq_nocase(slot->name, name)) {
            *ret_person = slot->person;
            return true;
        }
    }
}

/* Eight bytes at a time, of the letters as if they were small; that some signs are mixed up with others does not
 * matter. The table is thrown away with the question, and addresses are ours. */
static uint32_t hash_of(const char *name)
{
    const uint64_t small = 0x2020202020202020;
    size_t len = strlen(name);
    uint64_t hash = len, word;

    for (; len > 0; name += sizeof(word), len -= len < sizeof(word) ? len : sizeof(word)) {
        word = 0;
        memcpy(&word, name, len < sizeof(word) ? len : sizeof(word));
        hash = (hash ^ (word | small)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}
