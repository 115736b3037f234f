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
    bool late; /* it came when a question was on its way: the answer may be of before, and the next one serves */
    gw_refresh_fn *done;
    void *arg;
    struct gw_refresh *next, **link;
};

static void put(struct gw_refresh **list, struct gw_refresh *r);
static void take(struct gw_refresh *r);
static void tell(struct gw_refresh *r, enum dav_err err, const char *code);
static void tell_orphans(void *arg);
static struct gw_refresh *next_of(struct gw_refresh *r, uint32_t id);

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
    r->late = p->persons[id].alone ? p->persons[id].running : gw_poll_bulk_asks(p, id);
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

void gw_poll_refresh_asked(struct gw_poller *p, uint32_t id)
{
    for (struct gw_refresh *r = next_of(p->refreshes, id); r; r = next_of(r->next, id))
        r->late = false;
}

void gw_poll_refresh_answer(struct gw_poller *p, uint32_t id, enum dav_err err, const char *code, bool late)
{
    struct gw_refresh *mine = NULL;
    for (struct gw_refresh *r = next_of(p->refreshes, id), *next; r; r = next) {
        next = next_of(r->next, id);
        if (r->late && !late)
            continue;
        take(r);
        put(&mine, r);
    }
    while (mine) /* each callback may cancel any of the others */
        tell(mine, err, code);
}

bool gw_poll_refresh_waits(const struct gw_poller *p, uint32_t id)
{
    return next_of(p->refreshes, id) != NULL;
}

bool gw_poll_refresh_late(const struct gw_poller *p, uint32_t id)
{
    const struct gw_refresh *r = next_of(p->refreshes, id);
    while (r && !r->late)
        r = next_of(r->next, id);
    return r != NULL;
}

void gw_poll_refresh_orphan(struct gw_poller *p, uint32_t id)
{
    bool any = p->orphans != NULL;
    for (struct gw_refresh *r = next_of(p->refreshes, id), *next; r; r = next) {
        next = next_of(r->next, id);
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

/* Of that person: `r` itself or the first after it. */
static struct gw_refresh *next_of(struct gw_refresh *r, uint32_t id)
{
    while (r && r->id != id)
        r = r->next;
    return r;
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
