/*
 * table_class: group, age limit and server are the same for thousands of persons. Each combination exists once, counted
 * by its users, and a person's record holds its number.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "table_private.h"

#define CLASSES_MAX (UINT32_C(1) << PRES_CLASS_BITS)

static struct pres_class *class_new(struct pres_table *t, char *key, const struct pres_person_spec *spec,
                                    uint32_t stale_after);
static uint32_t index_take(struct pres_table *t);

struct pres_class *pres_class_use(struct pres_table *t, const struct pres_person_spec *spec)
{
    uint32_t stale_after = spec->stale_after < 0            ? 0
                           : spec->stale_after < UINT32_MAX ? (uint32_t)spec->stale_after
                                                            : UINT32_MAX;
    char *key =
        mem_printf("%u %u %s%s", spec->server, stale_after, spec->group ? "=" : "", spec->group ? spec->group : "");
    struct pres_class *class = map_get(t->class_by_key, key);

    if (class)
        free(key);
    else
        class = class_new(t, key, spec, stale_after);
    if (class)
        class->users++;
    return class;
}

void pres_class_leave(struct pres_table *t, uint32_t index)
{
    struct pres_class *class = t->classes[index];

    if (--class->users > 0)
        return;
    map_del(t->class_by_key, class->key);
    t->classes[index] = NULL;
    t->free_classes[t->n_free_classes++] = index;
    free(class->key);
    free(class);
}

/* Takes `key`. */
static struct pres_class *class_new(struct pres_table *t, char *key, const struct pres_person_spec *spec,
                                    uint32_t stale_after)
{
    uint32_t index = index_take(t);
    struct pres_class *class;

    if (index == CLASSES_MAX) {
        free(key);
        return NULL;
    }
    class = mem_calloc(1, sizeof(*class));
    *class = (struct pres_class){.key = key, .stale_after = stale_after, .index = index, .server = spec->server};
    if (spec->group)
        class->group = strchr(key, '=') + 1;
    t->classes[index] = class;
    map_put(t->class_by_key, key, class);
    return class;
}

/* A number nobody uses; CLASSES_MAX: there is none. */
static uint32_t index_take(struct pres_table *t)
{
    if (t->n_free_classes > 0)
        return t->free_classes[--t->n_free_classes];
    if (t->n_classes == CLASSES_MAX)
        return CLASSES_MAX;
    if (t->n_classes == t->cap_classes) {
        t->cap_classes = t->cap_classes ? 2 * t->cap_classes : 16;
        t->classes = mem_realloc(t->classes, t->cap_classes, sizeof(struct pres_class *));
        t->free_classes = mem_realloc(t->free_classes, t->cap_classes, sizeof(*t->free_classes));
    }
    return t->n_classes++;
}
