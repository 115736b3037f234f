/*
 * poller_queue: where people wait, and who goes next. A person is in one queue of its server at the most (enum
 * poll_queue); the queues are served in their order, but that where more is due than the server's budget allows, every
 * eighth place goes to the lower ranks.
 */
#include "poller_private.h"

enum { LAST_PLACES = 8, UNWANTED_AT_ONCE = 2000 };

void gw_poller_hint(struct gw_poller *p, uint32_t id)
{
    struct poll_person *person = id < p->capacity && p->persons[id].used ? &p->persons[id] : NULL;
    if (!person || !person->alone || person->queue == POLL_URGENT || person->queue == POLL_HINTED ||
        p->servers[person->server]->failing)
        return;
    if (person->running) {
        person->hinted = 1; /* the answer on its way may be of before */
        return;
    }
    person->skip = 0;
    gw_poll_enter(p, id, POLL_HINTED);
    gw_poll_pump_soon(p);
}

void gw_poller_wanted(struct gw_poller *p, uint32_t id)
{
    struct poll_person *person = id < p->capacity && p->persons[id].used ? &p->persons[id] : NULL;
    if (!person || person->running || person->queue != POLL_NOWHERE)
        return;
    int64_t since_ms = ((int64_t)gw_poll_now_s(p) - person->last_asked) * 1000;
    if (person->alone ? !gw_poll_bulk_knows(p, id) : !gw_poll_bulk_lately(p, id))
        gw_poll_bulk_urgent(p, id);
    person->skip = 0;
    if (person->alone && (since_ms < 0 || since_ms >= p->interval_ms / 2))
        gw_poll_enter(p, id, POLL_NEW);
    gw_poll_pump_soon(p);
}

enum gw_rank gw_poll_rank(struct gw_poller *p, uint32_t id)
{
    return p->ops->rank ? p->ops->rank(p->arg, id) : GW_RANK_LAST;
}

/* To the end of that queue, from wherever it was. */
void gw_poll_enter(struct gw_poller *p, uint32_t id, enum poll_queue queue)
{
    gw_poll_leave(p, id);
    struct poll_person *person = &p->persons[id];
    struct poll_list *list = &p->servers[person->server]->queues[queue];
    person->queue = (uint8_t)queue;
    person->next = POLL_NOBODY;
    person->prev = list->last;
    if (list->last == POLL_NOBODY)
        list->first = id;
    else
        p->persons[list->last].next = id;
    list->last = id;
    list->count++;
}

void gw_poll_leave(struct gw_poller *p, uint32_t id)
{
    struct poll_person *person = &p->persons[id];
    if (person->queue == POLL_NOWHERE)
        return;
    struct poll_list *list = &p->servers[person->server]->queues[person->queue];
    *(person->prev == POLL_NOBODY ? &list->first : &p->persons[person->prev].next) = person->next;
    *(person->next == POLL_NOBODY ? &list->last : &p->persons[person->next].prev) = person->prev;
    list->count--;
    person->queue = POLL_NOWHERE;
}

bool gw_poll_any_waiting(const struct poll_server *s)
{
    return gw_poll_head(s) != POLL_NOBODY;
}

/* Who goes next. Most first questions come long after they were put down, and may not be wanted any more; when there
 * are very many of those, nobody goes until the pump comes again. */
uint32_t gw_poll_next(struct poll_server *s)
{
    struct gw_poller *p = s->poller;
    uint32_t id = gw_poll_head(s);
    for (unsigned i = 0;
         id != POLL_NOBODY && (p->persons[id].queue == POLL_NEW || p->persons[id].queue == POLL_MISSED) &&
         gw_poll_rank(p, id) == GW_RANK_NOT;
         i++) {
        if (i == UNWANTED_AT_ONCE)
            return POLL_NOBODY;
        gw_poll_leave(p, id);
        id = gw_poll_head(s);
    }
    bool ranked = id != POLL_NOBODY && (p->persons[id].queue == POLL_FIRST || p->persons[id].queue == POLL_SOON);
    if (ranked && s->turn % LAST_PLACES == LAST_PLACES - 1) {
        uint32_t soon = s->queues[POLL_SOON].first, due = s->queues[POLL_DUE].first;
        bool second = s->turn / LAST_PLACES % 2 == 0 && soon != POLL_NOBODY;
        return second || due == POLL_NOBODY ? (soon != POLL_NOBODY ? soon : id) : due;
    }
    return id;
}

uint32_t gw_poll_head(const struct poll_server *s)
{
    for (int q = POLL_URGENT; q < POLL_QUEUES; q++)
        if (s->queues[q].first != POLL_NOBODY)
            return s->queues[q].first;
    return POLL_NOBODY;
}

uint32_t gw_poll_first_untold(const struct poll_server *s)
{
    for (int q = POLL_HINTED; q <= POLL_NEW; q++)
        if (s->queues[q].first != POLL_NOBODY)
            return s->queues[q].first;
    return POLL_NOBODY;
}
