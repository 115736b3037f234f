/*
 * table_name: how persons are called. Under `text` a record has up to four NUL-terminated texts in a row in the slab:
 *
 *   1. the address in lower case: always, it is a key of the map
 *   2. the address as configured, when it is spelled otherwise
 *   3. the published address in lower case, when it is another one: also a key of the map
 *   4. the published address as configured, when it is spelled otherwise than 3 (or than 1, if there is no 3)
 *
 * Nearly everybody has only the first, which is why they are laid out like this.
 */
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "slab.h"
#include "table_private.h"

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
static void key_put(struct pres_table *t, const char *key, pres_id id);

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
    at = pres_slab_at(t->slab, ref);
    key_put(t, at, id);
    if (p->has_alias)
        key_put(t, text_skip(at, 1U + p->has_spelling), id);
    return true;
}

void pres_name_drop(struct pres_table *t, pres_id id)
{
    struct pres_person *p = pres_person(t, id);
    const char *text;

    if (p->text == 0)
        return;
    text = pres_slab_at(t->slab, p->text);
    map_del(t->by_name, text);
    if (p->has_alias)
        map_del(t->by_name, text_skip(text, 1U + p->has_spelling));
    pres_slab_give(t->slab, p->text, text_bytes(t, p));
    p->text = 0;
}

pres_id pres_table_find(const struct pres_table *t, const char *address)
{
    char key[NAME_MAX_BYTES + 1];
    size_t len = strnlen(address, sizeof(key));
    void *value;

    if (len == sizeof(key))
        return PRES_NOBODY;
    memcpy(key, address, len + 1);
    value = map_get(t->by_name, str_lower(key));
    return value ? (pres_id)((uintptr_t)value - 2) : PRES_NOBODY;
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
    void *value = map_get(t->by_name, key);

    return value && (pres_id)((uintptr_t)value - 2) != by_other_than;
}

/* The map takes neither NULL nor 1 for a value, so ids are shifted by two. */
static void key_put(struct pres_table *t, const char *key, pres_id id)
{
    map_put(t->by_name, key, (void *)((uintptr_t)id + 2));
}
