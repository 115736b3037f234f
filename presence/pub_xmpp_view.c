/*
 * pub_xmpp_view: where a policy names domains of watchers, two watchers of one contact may see different things. What
 * is told to a JID goes over the view of its domain; while nobody is limited the outlet's own path (pub_xmpp.c) says
 * the same to all of them at once.
 */
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/map.h"
#include "presence/viewer.h"
#include "pub_xmpp.h"

#define LIMITED 1 /* in pub_contact.told: what was said last stands with each watcher */

/* What those of one domain are told; made anew where the domain is another one. */
struct telling {
    char part[PRES_JID_PART_MAX + 1];
    struct pres_presence now;
    bool some, visible;
    const char *type;
    uint64_t hash;
};

static const char *part_of(const char *jid, char out[PRES_JID_PART_MAX + 1]);
static enum pres_delivered deliver_contact(struct pub_xmpp *x, struct pub_contact *c, struct pres_delivery *d);
static void prepare(struct pub_xmpp *x, const struct pub_contact *c, pres_id id, const char *jid, struct telling *t);

bool pres_pub_limited(const struct pub_xmpp *x)
{
    return pres_viewer_limited(pres_publisher_viewer(x->publisher));
}

pres_id pres_pub_person_for(const struct pub_xmpp *x, const char *jid, const char *local)
{
    struct pres_presence now;
    pres_id id = pres_pub_person(x, local);
    return pres_pub_presence_for(x, jid, id, &now) ? id : PRES_NOBODY;
}

bool pres_pub_presence_for(const struct pub_xmpp *x, const char *jid, pres_id id, struct pres_presence *ret)
{
    char part[PRES_JID_PART_MAX + 1];
    return pres_viewer_presence(pres_publisher_viewer(x->publisher), part_of(jid, part), id, ret);
}

struct pres_seen *pres_pub_known_for(const struct pub_xmpp *x, const char *jid, pres_id id)
{
    char part[PRES_JID_PART_MAX + 1];
    return pres_viewer_known(pres_publisher_viewer(x->publisher), part_of(jid, part), id);
}

/* In place of the outlet's deliver: d->now is everything, and not looked at. */
enum pres_delivered pres_pub_deliver_limited(struct pub_xmpp *x, struct pres_delivery *d)
{
    enum pres_delivered result = PRES_DELIVERED;
    if (!d->again)
        x->form = 0, x->at = 0;
    while (x->form < PUB_FORMS && result == PRES_DELIVERED) {
        struct pub_contact *c =
            pres_pub_form(x, d->address, x->form, &x->local) ? map_get(x->contacts, x->local.data) : NULL;
        if (c)
            result = deliver_contact(x, c, d);
        if (result == PRES_DELIVERED)
            x->form++, x->at = 0;
    }
    return result;
}

/* The only word to this watcher was said beside the deliveries. */
void pres_pub_told_limited(struct pub_watch *w, uint64_t hash)
{
    w->told = hash;
    w->contact->told = LIMITED;
}

static enum pres_delivered deliver_contact(struct pub_xmpp *x, struct pub_contact *c, struct pres_delivery *d)
{
    struct telling t = {.some = false};
    for (; x->at < c->count; x->at++) {
        struct pub_watch *w = c->watches[x->at];
        if (w->state != PUB_SUBSCRIBED || !w->safe)
            continue;
        prepare(x, c, d->id, w->jid, &t);
        bool before = w->told != 0 || c->told > LIMITED;
        bool early = t.now.state == PRES_UNKNOWN && t.now.as_of == 0 && loop_timer_armed(x->settle_timer);
        if ((!before && (!t.visible || early)) || (!d->resync && w->told == t.hash))
            continue;
        if (d->sent == d->budget)
            return PRES_MORE;
        struct buf *b = pres_xmpp_stream_add(x->stream);
        if (!b)
            return PRES_FULL;
        buf_add(b, x->head.data, x->head.len);
        buf_adds(b, w->to ? w->to : w->jid);
        buf_add(b, x->tail.data, x->tail.len);
        w->told = t.hash;
        d->sent++;
    }
    c->told = LIMITED;
    return PRES_DELIVERED;
}

static void prepare(struct pub_xmpp *x, const struct pub_contact *c, pres_id id, const char *jid, struct telling *t)
{
    char part[PRES_JID_PART_MAX + 1];
    if (t->some && strcmp(part_of(jid, part), t->part) == 0)
        return;
    part_of(jid, t->part);
    t->some = true;
    t->visible = pres_viewer_presence(pres_publisher_viewer(x->publisher), t->part, id, &t->now);
    buf_reset(&x->body);
    buf_reset(&x->head);
    buf_reset(&x->tail);
    pres_pub_body(x, &t->now, false, &x->body, &t->type);
    t->hash = pres_pub_hash(&x->body, t->type);
    pres_pub_head(x, c->local, true, &x->head);
    pres_pub_tail(t->type, x->body.data, &x->tail);
}

/* The domain of a bare or full JID. */
static const char *part_of(const char *jid, char out[PRES_JID_PART_MAX + 1])
{
    size_t len = strcspn(jid, "/");
    const char *at = memchr(jid, '@', len);
    if (at)
        len -= (size_t)(at + 1 - jid);
    snprintf(out, PRES_JID_PART_MAX + 1, "%.*s", (int)len, at ? at + 1 : jid);
    return out;
}
