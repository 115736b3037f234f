/*
 * table_name: how persons are called. Under `text` a record has up to four NUL-terminated texts in a row in the slab:
 *
 *   1. the address in lower case: always, people are found by it
 *   2. the address as configured, when it is spelled otherwise
 *   3. the published address in lower case, when it is another one: people are found by this, too
 *   4. the published address as configured, when it is spelled otherwise than 3 (or than 1, if there is no 3)
 *
 * Nearly everybody has only the first, which is why they are laid out like this.
 *
 * Whom a text belongs to is found through an index of our own, open addressing with 4 bytes a slot: the key is in the
 * slab anyway, and base's map, with two pointers a slot, would cost a million people 25 MB more. A removal closes its
 * gap at once, so there are no marks to sweep.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"
#include "slab.h"
#include "table_private.h"

#define EMPTY UINT32_MAX
#define FIRST_SLOTS 64

/* An entry of the index: whose text it is, and which. */
#define BY_ADDRESS(id) ((id) << 1)
#define BY_ALIAS(id) ((id) << 1 | 1)

/* Far above any mail address (RFC 5321: 254), far below what would hurt. Four of them fit a piece of slab. */
#define NAME_MAX_BYTES 1000

struct names {
    const char *text[4];
    char address_key[NAME_MAX_BYTES + 1], alias_key[NAME_MAX_BYTES + 1];
    bool has[4];
};

static_assert(4 * (NAME_MAX_BYTES + 1) <= PRES_SLAB_MAX, "all texts of a person are one piece");

static bool names_make(struct names *n, const char *address, const char *publish_as);
static size_t text_bytes(const struct pres_table *t, const struct pres_person *p);
static unsigned text_count(const struct pres_person *p);
static const char *text_skip(const char *text, unsigned count);
static bool taken(const struct pres_table *t, const char *key, pres_id by_other_than);
static void index_add(struct pres_table *t, uint32_t entry);
static void index_remove(struct pres_table *t, uint32_t entry);
static void index_grow(struct pres_table *t);
static uint32_t index_slot(const struct pres_table *t, const char *key);
static uint32_t index_home(const struct pres_table *t, const char *key);
static const char *entry_key(const struct pres_table *t, uint32_t entry);

bool pres_name_set(struct pres_table *t, pres_id id, const char *address, const char *publish_as)
{
    struct pres_person *p = pres_person(t, id);
    struct names n;
    size_t len = 0;
    uint32_t ref;
    char *at;

    if (!names_make(&n, address, publish_as) || taken(t, n.address_key, id) || (n.has[2] && taken(t, n.alias_key, id)))
        return false;
    /* The new texts are written before the old ones go: `address` may be one of these. */
    for (unsigned i = 0; i < 4; i++)
        len += n.has[i] ? strlen(n.text[i]) + 1 : 0;
    ref = pres_slab_take(t->slab, len);
    at = pres_slab_at(t->slab, ref);
    for (unsigned i = 0; i < 4; i++)
        if (n.has[i])
            at = stpcpy(at, n.text[i]) + 1;
    pres_name_drop(t, id);
    p->text = ref;
    p->has_spelling = n.has[1];
    p->has_alias = n.has[2];
    p->has_alias_spelling = n.has[3];
    index_add(t, BY_ADDRESS(id));
    if (p->has_alias)
        index_add(t, BY_ALIAS(id));
    return true;
}

void pres_name_drop(struct pres_table *t, pres_id id)
{
    struct pres_person *p = pres_person(t, id);

    if (p->text == 0)
        return;
    index_remove(t, BY_ADDRESS(id));
    if (p->has_alias)
        index_remove(t, BY_ALIAS(id));
    pres_slab_give(t->slab, p->text, text_bytes(t, p));
    p->text = 0;
}

pres_id pres_table_find(const struct pres_table *t, const char *address)
{
    char key[NAME_MAX_BYTES + 1];
    size_t len = strnlen(address, sizeof(key));
    uint32_t entry;

    if (len == sizeof(key) || t->n_slots == 0)
        return PRES_NOBODY;
    memcpy(key, address, len + 1);
    entry = t->slots[index_slot(t, str_lower(key))];
    return entry == EMPTY ? PRES_NOBODY : entry >> 1;
}

const char *pres_table_address(const struct pres_table *t, pres_id id)
{
    const struct pres_person *p = pres_person(t, id);

    return text_skip(pres_slab_at(t->slab, p->text), p->has_spelling);
}

const char *pres_table_publish_as(const struct pres_table *t, pres_id id)
{
    const struct pres_person *p = pres_person(t, id);

    if (!p->has_alias && !p->has_alias_spelling)
        return pres_table_address(t, id);
    return text_skip(pres_slab_at(t->slab, p->text), text_count(p) - 1);
}

void pres_table_fetch_names(const struct pres_table *t, pres_id id)
{
    if (pres_table_has(t, id))
        __builtin_prefetch(pres_slab_at(t->slab, pres_person(t, id)->text));
}

/* Which of the four texts there are to be. False: a name is empty or too long. */
static bool names_make(struct names *n, const char *address, const char *publish_as)
{
    size_t len = strlen(address), alias_len = publish_as ? strlen(publish_as) : 0;

    if (len == 0 || len > NAME_MAX_BYTES || alias_len > NAME_MAX_BYTES)
        return false;
    memset(n->has, 0, sizeof(n->has));
    memcpy(n->address_key, address, len + 1);
    str_lower(n->address_key);
    n->text[0] = n->address_key;
    n->has[0] = true;
    n->text[1] = address;
    n->has[1] = strcmp(address, n->address_key) != 0;
    if (alias_len == 0 || strcmp(publish_as, address) == 0)
        return true;
    memcpy(n->alias_key, publish_as, alias_len + 1);
    str_lower(n->alias_key);
    n->text[2] = n->alias_key;
    n->has[2] = strcmp(n->alias_key, n->address_key) != 0;
    n->text[3] = publish_as;
    n->has[3] = !n->has[2] || strcmp(publish_as, n->alias_key) != 0;
    return true;
}

static size_t text_bytes(const struct pres_table *t, const struct pres_person *p)
{
    const char *text = pres_slab_at(t->slab, p->text);

    return (size_t)(text_skip(text, text_count(p)) - text);
}

static unsigned text_count(const struct pres_person *p)
{
    return 1U + p->has_spelling + p->has_alias + p->has_alias_spelling;
}

static const char *text_skip(const char *text, unsigned count)
{
    while (count-- > 0)
        text += strlen(text) + 1;
    return text;
}

static bool taken(const struct pres_table *t, const char *key, pres_id by_other_than)
{
    pres_id id = pres_table_find(t, key);

    return id != PRES_NOBODY && id != by_other_than;
}

static void index_add(struct pres_table *t, uint32_t entry)
{
    if (t->n_names >= t->n_slots / 4 * 3)
        index_grow(t);
    t->slots[index_slot(t, entry_key(t, entry))] = entry;
    t->n_names++;
}

/* Whoever stands behind the gap and was driven from a place at or before it moves into it, and leaves the next gap. */
static void index_remove(struct pres_table *t, uint32_t entry)
{
    uint32_t mask = t->n_slots - 1, gap = index_slot(t, entry_key(t, entry));

    for (uint32_t i = (gap + 1) & mask; t->slots[i] != EMPTY; i = (i + 1) & mask) {
        uint32_t home = index_home(t, entry_key(t, t->slots[i]));

        if (((i - home) & mask) >= ((i - gap) & mask)) {
            t->slots[gap] = t->slots[i];
            gap = i;
        }
    }
    t->slots[gap] = EMPTY;
    t->n_names--;
}

static void index_grow(struct pres_table *t)
{
    uint32_t n_old = t->n_slots, *old = t->slots;

    if (n_old == 0)
        t->seed = crypto_random_u64();
    t->n_slots = n_old ? 2 * n_old : FIRST_SLOTS;
    t->slots = mem_realloc(NULL, t->n_slots, sizeof(*t->slots));
    memset(t->slots, 0xff, t->n_slots * sizeof(*t->slots)); /* EMPTY */
    for (uint32_t i = 0; i < n_old; i++)
        if (old[i] != EMPTY)
            t->slots[index_slot(t, entry_key(t, old[i]))] = old[i];
    free(old);
}

/* Where the key is, or the empty slot where it would go. */
static uint32_t index_slot(const struct pres_table *t, const char *key)
{
    uint32_t slot = index_home(t, key);

    while (t->slots[slot] != EMPTY && strcmp(entry_key(t, t->slots[slot]), key) != 0)
        slot = (slot + 1) & (t->n_slots - 1);
    return slot;
}

/* FNV-1a with a seed, folded. Only an administrator adds names; a stranger who asks cannot make others collide. */
static uint32_t index_home(const struct pres_table *t, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ t->seed;

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    hash ^= hash >> 32;
    return (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->n_slots - 1);
}

static const char *entry_key(const struct pres_table *t, uint32_t entry)
{
    const struct pres_person *p = pres_person(t, entry >> 1);

    return text_skip(pres_slab_at(t->slab, p->text), entry & 1 ? 1U + p->has_spelling : 0);
}
