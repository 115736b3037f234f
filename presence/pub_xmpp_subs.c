/*
 * pub_xmpp_subs: the life of a subscription from the contact's side (RFC 6121 3 and 4): we are the server of our
 * contacts. State is kept for (contact in the spelling asked for, bare JID of the watcher): none, pending, subscribed;
 * the rows live in the store, and `subscribed` is sent only when the row is safe, `unsubscribed` only when it is gone
 * for good, so that nothing is confirmed that a crash would forget.
 *
 * What comes from our own domain, or from our own resource, is an echo and never answered. Presence is answered with
 * presence only for subscribe and probe. We never ask to see anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "pub_xmpp.h"

enum { PROBE_MS = 2000, PENDING_MAX = 1000, CONTACT_MAX = 20000, ERRORS_MAX = 20 };

static const char SPACE[] = "xmpp";

enum type { TYPE_AVAILABLE, TYPE_SUBSCRIBE, TYPE_UNSUBSCRIBE, TYPE_PROBE, TYPE_ERROR, TYPE_OTHER };

static enum type type_of(const struct pres_xml *stanza);
static void take_probe(struct pub_xmpp *x, const struct pres_jid *to, const struct pres_jid *from, const char *full);
static void take_error(struct pub_xmpp *x, const struct pres_jid *to, const struct pres_jid *from,
                       const struct pres_xml *stanza);
static bool add_room(const struct pub_xmpp *x, const char *local);
static struct pub_watch *add(struct pub_xmpp *x, const char *local, const char *jid, enum pub_watch_state state);
static void set_state(struct pub_xmpp *x, struct pub_watch *w, enum pub_watch_state state);
static void save(struct pub_xmpp *x, struct pub_watch *w);
static void on_saved(void *arg, const char *key, bool ok);
static void on_refused(void *arg, const char *key, bool ok);
static void on_ended(void *arg, const char *key, bool ok);
static void refuse_key(struct pub_xmpp *x, const char *key, bool also_unavailable);
static void on_row(void *arg, const char *key, const char *value);
static void confirm(struct pub_xmpp *x, struct pub_watch *w);
static void tell(struct pub_xmpp *x, const char *local, const char *to);

void pres_pub_subs_load(struct pub_xmpp *x)
{
    x->store->load(x->store->impl, SPACE, on_row, x);
    log_info("xmpp", "subscriptions known watchers=%zu pending=%zu", map_count(x->watches) - x->pending, x->pending);
}

void pres_pub_subs_free(struct pub_xmpp *x)
{
    size_t pos = 0;
    struct pub_watch *w;
    x->store->forget(x->store->impl, x);
    while ((w = map_next(x->watches, &pos))) {
        free(w->to);
        free(w);
    }
    pos = 0;
    for (struct pub_contact *c; (c = map_next(x->contacts, &pos));) {
        free(c->watches);
        free(c);
    }
    map_free(&x->watches);
    map_free(&x->contacts);
}

void pres_pub_subs_ready(struct pub_xmpp *x)
{
    size_t pos = 0;
    struct pub_watch *w;
    while (x->owed > 0 && (w = map_next(x->watches, &pos)))
        if (w->owed && w->safe)
            confirm(x, w);
    pres_pub_forget_rest(x);
}

void pres_pub_presence(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    struct pres_jid from, to;
    const char *full = pres_xml_attr(stanza, "from");
    if (!pres_jid_parse(full, &from) || !pres_jid_parse(pres_xml_attr(stanza, "to"), &to))
        return;
    if (strcmp(from.domain, x->component) == 0) {
        x->echoes++;
        return;
    }
    if (strcmp(to.domain, x->component) != 0 || !from.local[0])
        return;
    if (!to.local[0]) {
        if (x->account)
            pres_pub_account_presence(x, &from, pres_xml_attr(stanza, "type"));
        return;
    }
    switch (type_of(stanza)) {
    case TYPE_SUBSCRIBE:
        pres_pub_subscribe(x, to.local, &from);
        return;
    case TYPE_UNSUBSCRIBE:
        pres_pub_unsubscribe(x, to.local, &from);
        return;
    case TYPE_PROBE:
        take_probe(x, &to, &from, full);
        return;
    case TYPE_ERROR:
        take_error(x, &to, &from, stanza);
        return;
    case TYPE_AVAILABLE: /* from somebody who comes online; answered, two gateways could talk for ever */
    case TYPE_OTHER:
        return;
    }
}

struct pub_watch *pres_pub_watch(const struct pub_xmpp *x, const char *local, const char *jid)
{
    char key[3 * PRES_JID_PART_MAX + 4];
    size_t local_len = strlen(local), jid_len = strlen(jid);
    if (local_len + jid_len + 2 > sizeof key)
        return NULL;
    memcpy(key, local, local_len);
    key[local_len] = ' ';
    memcpy(key + local_len + 1, jid, jid_len + 1);
    return map_get(x->watches, key);
}

void pres_pub_subscribe(struct pub_xmpp *x, const char *local, const struct pres_jid *from)
{
    pres_id id = pres_pub_person_for(x, from->bare, local);
    struct pub_watch *w = pres_pub_watch(x, local, from->bare);
    bool allowed = pres_pub_allowed(x, from) || (w && w->state == PUB_SUBSCRIBED);
    bool ask = !allowed && x->admin_count > 0;
    if (id == PRES_NOBODY || (!allowed && !ask) ||
        (!w && (!add_room(x, local) || (ask && x->pending >= PENDING_MAX)))) {
        x->refusals++;
        if (w)
            pres_pub_drop(x, w, on_refused);
        else
            pres_pub_refuse(x, local, from->bare, false);
        return;
    }
    if (w && w->state == PUB_SUBSCRIBED && w->safe) { /* the client's list may have lost it */
        confirm(x, w);
        return;
    }
    bool fresh = !w;
    if (!w)
        w = add(x, local, from->bare, allowed ? PUB_SUBSCRIBED : PUB_PENDING);
    else if (allowed)
        set_state(x, w, PUB_SUBSCRIBED);
    if (allowed && !w->owed) {
        w->owed = true;
        x->owed++;
    }
    if (fresh && ask)
        pres_pub_ask_admins(x, from->bare, pres_table_publish_as(x->table, id));
    if (fresh || allowed)
        save(x, w);
}

void pres_pub_unsubscribe(struct pub_xmpp *x, const char *local, const struct pres_jid *from)
{
    struct pub_watch *w = pres_pub_watch(x, local, from->bare);
    if (w)
        pres_pub_drop(x, w, on_ended);
    else
        pres_pub_refuse(x, local, from->bare, true);
}

size_t pres_pub_decide(struct pub_xmpp *x, const char *jid, bool allow)
{
    size_t pos = 0, n = 0;
    for (struct pub_watch *w; (w = map_next(x->watches, &pos));) {
        if (w->state != PUB_PENDING || strcmp(w->jid, jid) != 0)
            continue;
        n++;
        if (allow) {
            set_state(x, w, PUB_SUBSCRIBED);
            x->owed += !w->owed;
            w->owed = true;
            save(x, w);
        } else {
            x->refusals++;
            pres_pub_drop(x, w, on_refused);
        }
    }
    return n;
}

void pres_pub_drop(struct pub_xmpp *x, struct pub_watch *w, pres_store_done_fn *then)
{
    struct pub_contact *c = w->contact;
    x->store->put(x->store->impl, SPACE, w->key, NULL, then, x);
    map_del(x->watches, w->key);
    c->watches[w->index] = c->watches[--c->count];
    c->watches[w->index]->index = w->index;
    x->at = 0; /* a delivery under way would miss the one that moved */
    x->leave_at = 0;
    x->owed -= w->owed;
    x->pending -= w->state == PUB_PENDING;
    free(w->to);
    free(w);
    if (c->count > 0 || x->leaving)
        return;
    x->forgotten -= c->forgotten;
    map_del(x->contacts, c->local);
    free(c->watches);
    free(c);
}

bool pres_pub_refuse(struct pub_xmpp *x, const char *local, const char *jid, bool also_unavailable)
{
    pres_pub_write(x, local, false, jid, " type='unsubscribed'", "");
    if (!pres_pub_send(x))
        return false;
    if (!also_unavailable)
        return true;
    pres_pub_write(x, local, true, jid, " type='unavailable'", "");
    return pres_pub_send(x);
}

static enum type type_of(const struct pres_xml *stanza)
{
    static const struct {
        const char *name;
        enum type type;
    } names[] = {
        {"subscribe", TYPE_SUBSCRIBE}, {"unsubscribe", TYPE_UNSUBSCRIBE}, {"probe", TYPE_PROBE}, {"error", TYPE_ERROR}};
    const char *type = pres_xml_attr(stanza, "type");
    if (!type)
        return TYPE_AVAILABLE;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, type) == 0)
            return names[i].type;
    return TYPE_OTHER;
}

/* Answered from memory, to the very JID that asked. Somebody allowed whom we do not know is a subscription that we
 * lost: their server believes in it. */
static void take_probe(struct pub_xmpp *x, const struct pres_jid *to, const struct pres_jid *from, const char *full)
{
    struct pub_watch *w = pres_pub_watch(x, to->local, from->bare);
    int64_t now = clk_mono_ms(loop_clk(x->loop));
    if (!w && pres_pub_allowed(x, from) && add_room(x, to->local) &&
        pres_pub_person_for(x, full, to->local) != PRES_NOBODY) {
        w = add(x, to->local, from->bare, PUB_SUBSCRIBED);
        save(x, w);
        w->safe = true; /* there is nothing to confirm, and a change may come before the store has it */
    }
    if (!w) {
        pres_pub_refuse(x, to->local, from->bare, false);
        return;
    }
    if (w->state != PUB_SUBSCRIBED || (w->probed_at && now - w->probed_at < PROBE_MS && !from->resource[0]))
        return;
    w->probed_at = now;
    tell(x, to->local, full);
}

/* An address that is not there any more for good, again and again, is forgotten; anything else passes. */
static void take_error(struct pub_xmpp *x, const struct pres_jid *to, const struct pres_jid *from,
                       const struct pres_xml *stanza)
{
    static const char ns[] = "urn:ietf:params:xml:ns:xmpp-stanzas";
    const struct pres_xml *error = pres_xml_child(stanza, NULL, "error");
    struct pub_watch *w = pres_pub_watch(x, to->local, from->bare);
    x->errors_in++;
    if (!w || !(pres_xml_child(error, ns, "gone") || pres_xml_child(error, ns, "item-not-found")))
        return;
    if (++w->errors >= ERRORS_MAX)
        pres_pub_drop(x, w, NULL);
}

static bool add_room(const struct pub_xmpp *x, const char *local)
{
    const struct pub_contact *c = map_get(x->contacts, local);
    return map_count(x->watches) < x->max_watchers && (!c || c->count < CONTACT_MAX);
}

static struct pub_watch *add(struct pub_xmpp *x, const char *local, const char *jid, enum pub_watch_state state)
{
    size_t local_len = strlen(local), jid_len = strlen(jid);
    struct pub_contact *c = map_get(x->contacts, local);
    struct buf escaped;
    if (!c) {
        c = mem_calloc(1, sizeof *c + local_len + 1);
        memcpy(c->local, local, local_len + 1);
        map_put(x->contacts, c->local, c);
    }
    struct pub_watch *w = mem_calloc(1, sizeof *w + local_len + jid_len + 2);
    memcpy(w->key, local, local_len);
    w->key[local_len] = ' ';
    memcpy(w->key + local_len + 1, jid, jid_len + 1);
    w->jid = w->key + local_len + 1;
    buf_init(&escaped, 8 * PRES_JID_PART_MAX);
    xml_escape(&escaped, w->jid, jid_len);
    w->to_len = escaped.len;
    w->to = escaped.len == jid_len ? NULL : buf_take(&escaped); /* what needs no escape stands beside us in memory */
    buf_free(&escaped);
    w->contact = c;
    w->state = state;
    w->index = c->count;
    x->pending += state == PUB_PENDING;
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 4;
        c->watches = mem_realloc(c->watches, c->capacity, sizeof(struct pub_watch *));
    }
    c->watches[c->count++] = w;
    map_put(x->watches, w->key, w);
    return w;
}

static void set_state(struct pub_xmpp *x, struct pub_watch *w, enum pub_watch_state state)
{
    x->pending -= w->state == PUB_PENDING;
    x->pending += state == PUB_PENDING;
    w->state = state;
}

static void save(struct pub_xmpp *x, struct pub_watch *w)
{
    w->safe = false;
    x->store->put(x->store->impl, SPACE, w->key, w->state == PUB_SUBSCRIBED ? "subscribed" : "pending", on_saved, x);
}

static void on_saved(void *arg, const char *key, bool ok)
{
    struct pub_xmpp *x = arg;
    struct pub_watch *w = map_get(x->watches, key);
    if (!w)
        return;
    if (!ok)
        log_warning("xmpp", "a subscription could not be kept; it is served until the next restart");
    w->safe = true;
    if (w->owed)
        confirm(x, w);
}

static void on_refused(void *arg, const char *key, bool ok)
{
    (void)ok; /* it is tried again all the same, and the watcher is not told anything more */
    refuse_key(arg, key, false);
}

static void on_ended(void *arg, const char *key, bool ok)
{
    (void)ok;
    refuse_key(arg, key, true);
}

/* Who has asked again meanwhile is answered by that. */
static void refuse_key(struct pub_xmpp *x, const char *key, bool also_unavailable)
{
    const char *blank = strchr(key, ' ');
    if (map_get(x->watches, key))
        return;
    char *local = mem_strndup(key, (size_t)(blank - key));
    pres_pub_refuse(x, local, blank + 1, also_unavailable);
    free(local);
}

static void on_row(void *arg, const char *key, const char *value)
{
    struct pub_xmpp *x = arg;
    struct pres_jid jid;
    const char *blank = strchr(key, ' ');
    if (!blank || blank - key > PRES_JID_PART_MAX || !pres_jid_parse(blank + 1, &jid) || jid.resource[0] ||
        map_get(x->watches, key) || map_count(x->watches) >= x->max_watchers)
        return;
    char *local = mem_strndup(key, (size_t)(blank - key));
    struct pub_watch *w = add(x, local, jid.bare, strcmp(value, "pending") == 0 ? PUB_PENDING : PUB_SUBSCRIBED);
    w->safe = true;
    free(local);
}

/* `subscribed` from bare to bare, then the state. Without a stream, or without room, it stays owed. */
static void confirm(struct pub_xmpp *x, struct pub_watch *w)
{
    pres_pub_write(x, w->contact->local, false, w->jid, " type='subscribed'", "");
    bool sent = pres_pub_send(x);
    x->owed -= w->owed;
    x->owed += !sent;
    w->owed = !sent;
    if (!sent)
        return;
    tell(x, w->contact->local, w->jid);
    bool limited = pres_pub_limited(x);
    if (!limited && (w->contact->count > 1 || w->contact->told != 0))
        return;
    /* the only watcher knows now what a delivery would say */
    struct pres_presence now;
    const char *type;
    pres_id id = pres_pub_person(x, w->contact->local);
    if (id == PRES_NOBODY)
        return;
    pres_pub_presence_for(x, w->jid, id, &now);
    buf_reset(&x->out);
    pres_pub_body(x, &now, false, &x->out, &type);
    if (limited)
        pres_pub_told_limited(w, pres_pub_hash(&x->out, type));
    else
        w->contact->told = pres_pub_hash(&x->out, type);
}

static void tell(struct pub_xmpp *x, const char *local, const char *to)
{
    struct pres_presence now = {.state = PRES_UNKNOWN, .until = PRES_NEVER};
    pres_id id = pres_pub_person(x, local);
    const char *type;
    struct buf body;
    pres_pub_presence_for(x, to, id, &now);
    buf_init(&body, PUB_STANZA_MAX);
    pres_pub_body(x, &now, true, &body, &type);
    pres_pub_write(x, local, true, to, type, body.data);
    pres_pub_send(x);
    buf_free(&body);
}
