/*
 * pub_xmpp_demand: whom anybody on the XMPP server has subscribed to, for a daemon that asks about nobody else. Called
 * through pres_outlet_ops every few seconds.
 */
#include "base/map.h"
#include "pub_xmpp.h"

void pres_pub_watched(const void *outlet, void (*fn)(void *arg, pres_id id), void *arg)
{
    const struct pub_xmpp *x = outlet;
    size_t pos = 0;

    for (const struct pub_contact *c; (c = map_next(x->contacts, &pos));) {
        pres_id id = pres_pub_person(x, c->local);
        bool subscribed = false;

        for (size_t i = 0; i < c->count && !subscribed; i++)
            subscribed = c->watches[i]->state == PUB_SUBSCRIBED;
        if (subscribed && id != PRES_NOBODY)
            fn(arg, id);
    }
}
