/*
 * viewer: see viewer.h.
 */
#include "presence/viewer.h"

static bool sees(const struct pres_viewer *v, const char *part, pres_id id, struct pres_grant *ret);

bool pres_viewer_limited(const struct pres_viewer *v)
{
    return v->grant && v->limited(v->arg);
}

pres_id pres_viewer_find(const struct pres_viewer *v, const char *part, const char *address)
{
    struct pres_grant grant;
    pres_id id = pres_table_find(v->table, address);
    return id != PRES_NOBODY && sees(v, part, id, &grant) ? id : PRES_NOBODY;
}

pres_id pres_viewer_next(const struct pres_viewer *v, const char *part, pres_id id)
{
    struct pres_grant grant;
    do
        id = pres_table_next(v->table, id);
    while (id != PRES_NOBODY && !sees(v, part, id, &grant));
    return id;
}

bool pres_viewer_presence(const struct pres_viewer *v, const char *part, pres_id id, struct pres_presence *ret)
{
    struct pres_grant grant;
    struct pres_presence full;
    struct pres_known known;
    *ret = (struct pres_presence){.state = PRES_UNKNOWN, .until = PRES_NEVER};
    if (id == PRES_NOBODY || !sees(v, part, id, &grant))
        return false;
    pres_table_presence(v->table, id, &full);
    if (pres_grant_is_all(&grant)) {
        *ret = full;
        return true;
    }
    pres_table_known(v->table, id, &known);
    return pres_view_presence(&grant, &known, &full, v->now(v->arg), ret);
}

struct pres_seen *pres_viewer_known(const struct pres_viewer *v, const char *part, pres_id id)
{
    struct pres_grant grant;
    struct pres_known known;
    if (id == PRES_NOBODY || !sees(v, part, id, &grant))
        return NULL;
    pres_table_known(v->table, id, &known);
    return pres_view_known(&grant, &known, v->now ? v->now(v->arg) : 0);
}

static bool sees(const struct pres_viewer *v, const char *part, pres_id id, struct pres_grant *ret)
{
    *ret = pres_grant_all;
    if (pres_viewer_limited(v))
        v->grant(v->arg, id, part, ret);
    return ret->level != PRES_SEE_NOTHING;
}
