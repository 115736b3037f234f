/*
 * freebusy: see freebusy.h. Somebody whose times may not be told is nobody here, even to askers who may know whether
 * the person is available: an answer without times would read as 'free all day' in a calendar program.
 */
#include "freebusy.h"

#include <string.h>

#include "audit.h"
#include "base/clk.h"
#include "base/loop.h"
#include "gateway.h"
#include "policy.h"

enum gw_freebusy_result gw_freebusy_find(struct gateway *g, const struct gw_who *who, const char *address,
                                         struct gw_freebusy *ret)
{
    struct pres_table *table = gw_table(g);
    pres_id id = pres_table_find(table, address);
    struct pres_presence presence;
    struct pres_known known;
    struct pres_grant grant;

    memset(ret, 0, sizeof *ret);
    if (id == PRES_NOBODY)
        return GW_FREEBUSY_NOBODY;
    gw_policy_grant(g, who, id, &grant);
    gw_audit(g, who, id, &grant);
    ret->now = clk_wall_s(loop_clk(gw_loop(g)));
    pres_table_known(table, id, &known);
    ret->seen = pres_view_known(&grant, &known, ret->now);
    if (!ret->seen)
        return GW_FREEBUSY_NOBODY;
    ret->address = pres_table_publish_as(table, id);
    pres_table_presence(table, id, &presence);
    if (presence.state != PRES_UNKNOWN)
        return GW_FREEBUSY_KNOWN;
    if (gw_policy_presence(g, who, id, &presence) && presence.reason)
        ret->code = presence.reason;
    else
        ret->code = "unknown";
    pres_seen_free(&ret->seen);
    return GW_FREEBUSY_UNKNOWN;
}

void gw_freebusy_free(struct gw_freebusy *f)
{
    pres_seen_free(&f->seen);
}

enum gw_freebusy_result gw_freebusy_cut(const struct gw_freebusy *f, int64_t *start, int64_t *end)
{
    const struct pres_known *known = &f->seen->known;

    *start = *start < known->from ? known->from : *start;
    *end = *end > known->until ? known->until : *end;
    return *start < *end ? GW_FREEBUSY_KNOWN : GW_FREEBUSY_OUTSIDE;
}
