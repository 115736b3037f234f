/*
 * view: see view.h. The faces and outlets call it for each thing they tell; it knows nothing of who asks, only what was
 * granted (gateway/policy.c decides that).
 */
#include "presence/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const level_names[] = {"nothing", "available", "kinds", "times"};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

const struct pres_grant pres_grant_all = {.level = PRES_SEE_TIMES, .expires = PRES_NEVER};

const char *pres_level_name(enum pres_level level)
{
    return level_names[level];
}

bool pres_level_parse(const char *name, enum pres_level *ret)
{
    for (unsigned i = 0; i < LEVELS; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret = (enum pres_level)i;
            return true;
        }
    return false;
}

bool pres_grant_is_all(const struct pres_grant *grant)
{
    return grant->level == PRES_SEE_TIMES && !grant->merge && !grant->no_until && !grant->working_only &&
           grant->grid_s == 0 && grant->horizon_s == 0 && grant->expires == PRES_NEVER;
}

bool pres_view_presence(const struct pres_grant *grant, const struct pres_known *known,
                        const struct pres_presence *full, int64_t now, struct pres_presence *ret)
{
    (void)known, (void)now;
    *ret = *full;
    return pres_grant_is_all(grant);
}

struct pres_seen *pres_view_known(const struct pres_grant *grant, const struct pres_known *known, int64_t now)
{
    (void)now;
    if (!pres_grant_is_all(grant))
        return NULL;
    struct pres_seen *seen = mem_calloc(1, sizeof *seen);
    seen->known = *known;
    return seen;
}

void pres_seen_free(struct pres_seen **seen)
{
    if (!*seen)
        return;
    free((*seen)->set);
    free(*seen);
    *seen = NULL;
}
