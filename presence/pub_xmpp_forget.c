/*
 * pub_xmpp_forget: somebody is gone for good. A contact whose person is not configured for a while keeps its
 * subscriptions; here they end: each watcher is told `unsubscribed`, as if nobody had ever been called so, and the row
 * goes. What the person watched as a subscriber goes with them.
 *
 * Without a stream, or without room on it, contacts are marked, and told when there is one.
 */
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_xmpp.h"

static void leave_contact(struct pub_xmpp *x, struct pub_contact *c);
static bool leave_watch(struct pub_xmpp *x, struct pub_watch *w);

void pres_pub_forget(struct pub_xmpp *x, const char *address)
{
    for (unsigned i = 0; i < PUB_FORMS; i++) {
        struct pub_contact *c = pres_pub_form(x, address, i, &x->local) ? map_get(x->contacts, x->local.data) : NULL;
        if (!c)
            continue;
        x->forgotten += !c->forgotten;
        c->forgotten = true;
        leave_contact(x, c);
    }
    size_t pos = 0;
    for (struct pub_watch *w; (w = map_next(x->watches, &pos));)
        if (str_eq_nocase(w->jid, address))
            leave_watch(x, w);
}

/* Somebody may have been taken back meanwhile: then their contact is one again. */
void pres_pub_forget_rest(struct pub_xmpp *x)
{
    size_t pos = 0;
    for (struct pub_contact *c; x->forgotten > 0 && (c = map_next(x->contacts, &pos));) {
        if (!c->forgotten)
            continue;
        if (pres_pub_person(x, c->local) == PRES_NOBODY) {
            leave_contact(x, c);
        } else {
            c->forgotten = false;
            x->forgotten--;
        }
    }
}

/* With its last watch it is gone. */
static void leave_contact(struct pub_xmpp *x, struct pub_contact *c)
{
    for (size_t left = c->count; left > 0; left--)
        if (!leave_watch(x, c->watches[left - 1]))
            return;
}

static bool leave_watch(struct pub_xmpp *x, struct pub_watch *w)
{
    if (!pres_pub_refuse(x, w->contact->local, w->jid, w->state == PUB_SUBSCRIBED))
        return false;
    pres_pub_drop(x, w, NULL);
    return true;
}
