/*
 * policy_choice: what a person has chosen to be told of themselves at most, whatever the table says. Kept with the
 * outlets' rows in the state file, under the address; each person's record has the choice at hand.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "outlets_private.h"
#include "policy.h"
#include "policy_choice.h"
#include "presence/store.h"

#define SPACE "audience"

struct choice {
    enum pres_level level;
    char address[]; /* lower case */
};

struct gw_choices {
    struct gateway *g;
    struct map *by_address;
    bool loaded;
};

static void put(struct gw_choices *c, const char *address, enum pres_level level);
static void drop(struct gw_choices *c, const char *address);
static void take_row(void *arg, const char *key, const char *value);

struct gw_choices *gw_choices_new(struct gateway *g)
{
    struct gw_choices *c = mem_calloc(1, sizeof *c);
    c->g = g;
    c->by_address = map_new();
    return c;
}

void gw_choices_free(struct gw_choices **c)
{
    size_t pos = 0;
    if (!*c)
        return;
    for (void *one; (one = map_next((*c)->by_address, &pos));)
        free(one);
    map_free(&(*c)->by_address);
    free(*c);
    *c = NULL;
}

void gw_choices_load(struct gw_choices *c)
{
    const struct pres_store *store = gw_outlets_store(c->g);
    if (c->loaded)
        return;
    c->loaded = true;
    store->load(store->impl, SPACE, take_row, c);
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(c->g->table, id)) != PRES_NOBODY;)
        gw_choices_apply(c, id);
}

size_t gw_choices_count(const struct gw_choices *c)
{
    return c ? map_count(c->by_address) : 0;
}

void gw_choices_apply(const struct gw_choices *c, pres_id id)
{
    char *address = str_lower(mem_strdup(pres_table_address(c->g->table, id)));
    const struct choice *choice = map_get(c->by_address, address);
    c->g->persons[id].choice = choice ? (uint8_t)(choice->level + 1) : 0;
    free(address);
}

void gw_choices_set(struct gw_choices *c, pres_id id, const enum pres_level *level)
{
    const struct pres_store *store = gw_outlets_store(c->g);
    char *address = str_lower(mem_strdup(pres_table_address(c->g->table, id)));
    drop(c, address);
    if (level)
        put(c, address, *level);
    store->put(store->impl, SPACE, address, level ? pres_level_name(*level) : NULL, NULL, NULL);
    gw_choices_apply(c, id);
    gw_policy_narrowed_otherwise(c->g, id);
    free(address);
}

void gw_choices_forget(struct gw_choices *c, const char *address)
{
    const struct pres_store *store = gw_outlets_store(c->g);
    char *lower = str_lower(mem_strdup(address));
    if (map_get(c->by_address, lower)) {
        drop(c, lower);
        store->put(store->impl, SPACE, lower, NULL, NULL, NULL);
    }
    free(lower);
}

bool gw_choices_of(const struct gw_choices *c, pres_id id, enum pres_level *ret)
{
    uint8_t choice = c->g->persons[id].choice;
    if (choice)
        *ret = (enum pres_level)(choice - 1);
    return choice != 0;
}

static void put(struct gw_choices *c, const char *address, enum pres_level level)
{
    size_t len = strlen(address) + 1;
    struct choice *one = mem_calloc(1, sizeof *one + len);
    one->level = level;
    memcpy(one->address, address, len);
    free(map_put(c->by_address, one->address, one));
}

static void drop(struct gw_choices *c, const char *address)
{
    free(map_del(c->by_address, address));
}

/* What cannot be read is the narrowest choice: somebody has made one. */
static void take_row(void *arg, const char *key, const char *value)
{
    enum pres_level level = PRES_SEE_NOTHING;
    pres_level_parse(value, &level);
    put(arg, key, level);
}
