/*
 * poller_refresh: who waits for the answer about a person. A refresh is on one of two lists: waiting, or orphaned when
 * its person was removed. Its callback comes once, from the loop, and takes it away; cancelling takes it away without.
 */
#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "poller_private.h"

struct gw_refresh {
    struct gw_poller *poller;
    uint32_t id;
    gw_refresh_fn *done;
    void *arg;
    struct gw_refresh *next, **link;
};

static void put(struct gw_refresh **list, struct gw_refresh *r);
static void take(struct gw_refresh *r);
static void tell(struct gw_refresh *r, enum dav_err err, const char *code);
static void tell_orphans(void *arg);

struct gw_refresh *gw_poller_refresh(struct gw_poller *p, uint32_t id, gw_refresh_fn *done, void *arg)
{
    struct gw_refresh *r = mem_calloc(1, sizeof *r);
    *r = (struct gw_refresh){.poller = p, .id = id, .done = done, .arg = arg};
    if (!p->servers[p->persons[id].server]->session) { /* there is nobody to ask */
        if (!p->orphans)
            loop_defer(p->loop, tell_orphans, p);
        put(&p->orphans, r);
        return r;
    }
    put(&p->refreshes, r);
    gw_poll_urgent(p, id);
    return r;
}

void gw_poller_refresh_cancel(struct gw_refresh **r)
{
    if (!*r)
        return;
    if ((*r)->link) { /* else it is being told right now, and freed afterwards */
        take(*r);
        free(*r);
    }
    *r = NULL;
}

void gw_poll_refresh_answer(struct gw_poller *p, uint32_t id, enum dav_err err, const char *code)
{
    struct gw_refresh *mine = NULL;
    for (struct gw_refresh *r = p->refreshes, *next; r; r = next) {
        next = r->next;
        if (r->id != id)
            continue;
        take(r);
        put(&mine, r);
    }
    while (mine) /* each callback may cancel any of the others */
        tell(mine, err, code);
}

bool gw_poll_refresh_waits(const struct gw_poller *p, uint32_t id)
{
    const struct gw_refresh *r = p->refreshes;
    while (r && r->id != id)
        r = r->next;
    return r != NULL;
}

void gw_poll_refresh_orphan(struct gw_poller *p, uint32_t id)
{
    bool any = p->orphans != NULL;
    for (struct gw_refresh *r = p->refreshes, *next; r; r = next) {
        next = r->next;
        if (r->id != id)
            continue;
        take(r);
        put(&p->orphans, r);
    }
    if (!any && p->orphans)
        loop_defer(p->loop, tell_orphans, p);
}

void gw_poll_refresh_free_all(struct gw_poller *p)
{
    loop_undefer(p->loop, tell_orphans, p);
    while (p->refreshes || p->orphans) {
        struct gw_refresh *r = p->refreshes ? p->refreshes : p->orphans;
        take(r);
        free(r);
    }
}

static void put(struct gw_refresh **list, struct gw_refresh *r)
{
    r->next = *list;
    r->link = list;
    if (r->next)
        r->next->link = &r->next;
    *list = r;
}

static void take(struct gw_refresh *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->next = NULL;
    r->link = NULL;
}

static void tell(struct gw_refresh *r, enum dav_err err, const char *code)
{
    take(r);
    if (r->done)
        r->done(r->arg, err, code);
    free(r);
}

static void tell_orphans(void *arg)
{
    struct gw_poller *p = arg;
    while (p->orphans)
        tell(p->orphans, DAV_CANCELLED, NULL);
}
