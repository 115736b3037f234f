/*
 * pub_xmpp: the XMPP outlet's middle. publisher.c calls its ops; it owns the stream to the server, hands what comes in
 * to the file that knows about it, and delivers states to the watchers of a contact. See pub_xmpp.h for the other
 * files.
 *
 * A delivery goes through the spellings of the person's contact and the watchers of each, from where the last call
 * stopped. When the state differs from what the last call was saying, it begins again.
 *
 * After a connection eight pings go to ourselves. They come back through the server: that proves the way (the check
 * "deliver one state to itself"), and fewer than eight back means that another gateway shares our name.
 */
#include "pub_xmpp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/xml.h"
#include "pub_text.h"
#include "pub_zone.h"

enum { PING_MS = 30000, SETTLE_MS = 30000, MAX_WATCHERS = 100000, LEAVE_SLICE = 500, AHEAD = 6 };

static struct pub_xmpp *outlet_new(struct loop *loop, struct pres_table *table, const struct pres_xmpp_settings *s);
static void outlet_connect(void *outlet);
static void outlet_disconnect(void *outlet, const char *why);
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d);
static enum pres_delivered deliver_contact(struct pub_xmpp *x, struct pub_contact *c, const char *type,
                                           struct pres_delivery *d);
static void prefetch(const struct pub_watch *w);
static void add_stanza(const struct pub_xmpp *x, const struct pub_watch *w, struct buf *b);
static bool outlet_farewell(void *outlet);
static void outlet_people_changed(void *outlet);
static void outlet_forget(void *outlet, const char *address);
static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max);
static void outlet_free(void *outlet);
static void on_start_failed(void *arg);
static void on_ready(void *arg);
static void on_stanza(void *arg, const struct pres_xml *stanza);
static void on_room(void *arg);
static void on_silent(void *arg);
static void on_end(void *arg, const char *code, const char *text, bool slow);
static void on_ping_late(void *arg);
static void on_settled(void *arg);
static void prove(struct pub_xmpp *x);
static void ping(struct pub_xmpp *x, unsigned i);
static bool take_ping(struct pub_xmpp *x, const struct pres_xml *stanza);

static const struct pres_outlet_ops ops = {
    .kind = "xmpp",
    .parts = true,
    .connect = outlet_connect,
    .disconnect = outlet_disconnect,
    .deliver = outlet_deliver,
    .farewell = outlet_farewell,
    .people_changed = outlet_people_changed,
    .forget = outlet_forget,
    .counts = outlet_counts,
    .watched = pres_pub_watched,
    .free = outlet_free,
};

struct pres_publisher *pres_xmpp_new(struct loop *loop, struct pres_table *table,
                                     const struct pres_publisher_settings *publisher,
                                     const struct pres_xmpp_settings *s, char *why, size_t why_size)
{
    struct pub_xmpp *x = outlet_new(loop, table, s);
    if (!pres_zone_open(s->zone, &x->zone, why, why_size)) {
        outlet_free(x);
        return NULL;
    }
    x->publisher = pres_publisher_new(loop, table, publisher, &ops, x);
    pres_pub_subs_load(x);
    return x->publisher;
}

bool pres_pub_send(struct pub_xmpp *x)
{
    if (x->out.failed || !x->stream || !pres_xmpp_stream_write(x->stream, x->out.data, x->out.len)) {
        x->stanzas_dropped++;
        return false;
    }
    pres_publisher_spent(x->publisher, 1);
    return true;
}

static struct pub_xmpp *outlet_new(struct loop *loop, struct pres_table *table, const struct pres_xmpp_settings *s)
{
    struct pub_xmpp *x = mem_calloc(1, sizeof *x);
    x->loop = loop;
    x->table = table;
    x->store = s->store;
    x->component = str_lower(mem_strdup(s->component));
    x->host = mem_strdup(s->host);
    x->port = s->port;
    x->domain = s->domain ? str_lower(mem_strdup(s->domain)) : NULL;
    x->tls = s->tls;
    x->secret = s->secret;
    x->secret_arg = s->secret_arg;
    x->allow = mem_list(s->allow, s->allow_count);
    x->allow_count = s->allow_count;
    x->admins = mem_list(s->admins, s->admin_count);
    x->admin_count = s->admin_count;
    x->quiet = s->quiet;
    x->account = s->own_account ? pres_pub_account_new() : NULL;
    x->activity = s->own_activity ? pres_pub_activity_new(x) : NULL;
    x->max_watchers = s->max_watchers ? s->max_watchers : MAX_WATCHERS;
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        x->show[i] = mem_strdup(s->show[i] ? s->show[i] : "");
        x->text[i] = mem_strdup(s->text[i] ? s->text[i] : "");
    }
    x->contacts = map_new();
    x->watches = map_new();
    buf_init(&x->out, PUB_STANZA_MAX);
    buf_init(&x->body, PUB_STANZA_MAX);
    buf_init(&x->head, PUB_STANZA_MAX);
    buf_init(&x->tail, PUB_STANZA_MAX);
    buf_init(&x->local, 3 * PRES_JID_PART_MAX);
    buf_init(&x->words, PRES_TEXT_MAX);
    x->start_timer = loop_timer_new(loop, "xmpp start", on_start_failed, x);
    x->ping_timer = loop_timer_new(loop, "xmpp ping", on_ping_late, x);
    x->settle_timer = loop_timer_new(loop, "xmpp settle", on_settled, x);
    loop_timer_in(x->settle_timer, SETTLE_MS);
    return x;
}

static void outlet_connect(void *outlet)
{
    static const struct pres_xmpp_handler handler = {on_ready, on_stanza, on_room, on_silent, on_end};
    struct pub_xmpp *x = outlet;
    struct secret *secret = x->secret(x->secret_arg, x->start_why, sizeof x->start_why);
    if (!secret) {
        loop_timer_in(x->start_timer, 0);
        return;
    }
    struct pres_xmpp_stream_settings s = {
        .component = x->component, .host = x->host, .port = x->port, .tls = x->tls, .secret = secret};
    pres_xmpp_stream_close(&x->stream);
    x->stream = pres_xmpp_stream_new(x->loop, &s, &handler, x);
    secret_free(&secret);
}

static void outlet_disconnect(void *outlet, const char *why)
{
    struct pub_xmpp *x = outlet;
    log_debug("xmpp", "disconnect why=%s", why);
    loop_timer_stop(x->start_timer);
    loop_timer_stop(x->ping_timer);
    pres_xmpp_stream_close(&x->stream);
}

static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d)
{
    struct pub_xmpp *x = outlet;
    const char *type;
    enum pres_delivered result = PRES_DELIVERED;
    if (x->account && !d->again)
        pres_pub_account_deliver(x, d);
    if (x->activity && !d->again)
        pres_pub_activity_deliver(x, d);
    if (map_count(x->contacts) == 0)
        return PRES_DELIVERED;
    if (pres_pub_limited(x))
        return pres_pub_deliver_limited(x, d);
    buf_reset(&x->body);
    pres_pub_body(x, d->now, false, &x->body, &type);
    uint64_t saying = pres_pub_hash(&x->body, type);
    if (!d->again || saying != x->saying)
        x->form = 0, x->at = 0;
    x->saying = saying;
    while (x->form < PUB_FORMS && result == PRES_DELIVERED) {
        struct pub_contact *c =
            pres_pub_form(x, d->address, x->form, &x->local) ? map_get(x->contacts, x->local.data) : NULL;
        bool early = c && c->told == 0 && d->now->as_of == 0 && loop_timer_armed(x->settle_timer);
        if (c && !early && (d->resync || c->told != saying))
            result = deliver_contact(x, c, type, d);
        if (result == PRES_DELIVERED)
            x->form++, x->at = 0;
    }
    return result;
}

static enum pres_delivered deliver_contact(struct pub_xmpp *x, struct pub_contact *c, const char *type,
                                           struct pres_delivery *d)
{
    buf_reset(&x->head);
    buf_reset(&x->tail);
    pres_pub_head(x, c->local, true, &x->head);
    pres_pub_tail(type, x->body.data, &x->tail);
    for (; x->at < c->count; x->at++) {
        const struct pub_watch *w = c->watches[x->at];
        if (w->state != PUB_SUBSCRIBED || !w->safe)
            continue;
        if (d->sent == d->budget)
            return PRES_MORE;
        struct buf *b = pres_xmpp_stream_add(x->stream);
        if (!b)
            return PRES_FULL;
        if (x->at + AHEAD < c->count)
            prefetch(c->watches[x->at + AHEAD]);
        add_stanza(x, w, b);
        d->sent++;
    }
    c->told = x->saying;
    return PRES_DELIVERED;
}

/* Watchers by the hundred thousand are in no cache. */
static void prefetch(const struct pub_watch *w)
{
    __builtin_prefetch(w);
    __builtin_prefetch(w->key);
}

/* A copy or three: this is what nine o'clock consists of. */
static void add_stanza(const struct pub_xmpp *x, const struct pub_watch *w, struct buf *b)
{
    const char *to = w->to ? w->to : w->jid;
    size_t len = x->head.len + w->to_len + x->tail.len;
    if (b->cap - b->len <= len) { /* once in a while: it grows */
        buf_add(b, x->head.data, x->head.len);
        buf_add(b, to, w->to_len);
        buf_add(b, x->tail.data, x->tail.len);
        return;
    }
    char *at = mempcpy(b->data + b->len, x->head.data, x->head.len);
    at = mempcpy(at, to, w->to_len);
    memcpy(at, x->tail.data, x->tail.len + 1);
    b->len += len;
}

/* Goes through all contacts once, as far as there is room; true when everything is in the kernel's hands. */
static bool outlet_farewell(void *outlet)
{
    struct pub_xmpp *x = outlet;
    if (!x->leaving) {
        x->leaving = true;
        if (x->account)
            pres_pub_account_farewell(x);
        x->leave_contact = map_next(x->contacts, &x->leave_pos);
    }
    if (x->activity && !pres_pub_activity_farewell(x))
        return false;
    for (unsigned i = 0; x->leave_contact && i < LEAVE_SLICE; i++) {
        struct pub_contact *c = x->leave_contact;
        if (x->leave_at == c->count) {
            x->leave_contact = map_next(x->contacts, &x->leave_pos);
            x->leave_at = 0;
            continue;
        }
        struct pub_watch *w = c->watches[x->leave_at];
        if (w->state == PUB_SUBSCRIBED) {
            pres_pub_write(x, c->local, true, w->jid, " type='unavailable'",
                           "<status>The calendar gateway was stopped</status>");
            if (!pres_pub_send(x))
                return false;
        }
        x->leave_at++;
    }
    return !x->leave_contact && pres_xmpp_stream_waiting(x->stream) == 0;
}

/* Contacts whose person is gone: their watchers keep their subscription, and are told that nothing is known. */
static void outlet_people_changed(void *outlet)
{
    struct pub_xmpp *x = outlet;
    size_t pos = 0;
    if (x->account)
        pres_pub_account_people_changed(x);
    if (x->activity)
        pres_pub_activity_people_changed(x);
    for (struct pub_contact *c; (c = map_next(x->contacts, &pos));) {
        if (pres_pub_person(x, c->local) != PRES_NOBODY || c->told == 0)
            continue;
        c->told = 0;
        for (size_t i = 0; i < c->count; i++)
            if (c->watches[i]->state == PUB_SUBSCRIBED) {
                pres_pub_write(x, c->local, true, c->watches[i]->jid, " type='unavailable'", "");
                pres_pub_send(x);
            }
    }
}

static void outlet_forget(void *outlet, const char *address)
{
    pres_pub_forget(outlet, address);
}

static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max)
{
    const struct pub_xmpp *x = outlet;
    const struct pres_count all[] = {
        {"contacts", "Contacts that somebody watches or wants to watch.", map_count(x->contacts)},
        {"watchers", "Subscriptions.", map_count(x->watches) - x->pending},
        {"own_accounts", "People whom we show beside or in their own account.",
         pres_pub_account_shown(x) + pres_pub_activity_shown(x)},
        {"pending", "Subscription requests that an administrator has not decided.", x->pending},
        {"stanzas_in", "Stanzas received.", x->stanzas_in},
        {"dropped", "Answers that found no room.", x->stanzas_dropped},
        {"refused", "Subscription requests refused.", x->refusals},
        {"echoes", "Presence of our own that the server sent back.", x->echoes},
    };
    return pres_counts_copy(rows, max, all, sizeof all / sizeof all[0]);
}

static void outlet_free(void *outlet)
{
    struct pub_xmpp *x = outlet;
    pres_xmpp_stream_close(&x->stream);
    pres_pub_account_free(&x->account);
    pres_pub_activity_free(&x->activity);
    pres_pub_subs_free(x);
    loop_timer_free(&x->start_timer);
    loop_timer_free(&x->ping_timer);
    loop_timer_free(&x->settle_timer);
    mem_list_free(&x->allow, x->allow_count);
    mem_list_free(&x->admins, x->admin_count);
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        free(x->show[i]);
        free(x->text[i]);
    }
    free(x->component);
    free(x->host);
    free(x->domain);
    pres_zone_free(&x->zone);
    buf_free(&x->out);
    buf_free(&x->body);
    buf_free(&x->head);
    buf_free(&x->tail);
    buf_free(&x->local);
    buf_free(&x->words);
    free(x);
}

static void on_start_failed(void *arg)
{
    struct pub_xmpp *x = arg;
    pres_publisher_down(x->publisher, "secret-unreadable", x->start_why, false);
}

static void on_ready(void *arg)
{
    struct pub_xmpp *x = arg;
    x->doubted = false;
    prove(x);
    if (x->activity)
        pres_pub_activity_ready(x);
    pres_publisher_up(x->publisher);
    pres_pub_subs_ready(x);
}

static void on_stanza(void *arg, const struct pres_xml *stanza)
{
    pres_pub_stanza(arg, stanza);
}

void pres_pub_stanza(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    x->stanzas_in++;
    if (x->quiet)
        take_ping(x, stanza);
    else if (strcmp(stanza->name, "presence") == 0)
        pres_pub_presence(x, stanza);
    else if (strcmp(stanza->name, "message") == 0)
        pres_pub_message(x, stanza);
    else if (strcmp(stanza->name, "iq") == 0 && !(x->account && pres_pub_account_answer(x, stanza)) &&
             !(x->activity && pres_pub_activity_answer(x, stanza)) && !take_ping(x, stanza))
        pres_pub_iq(x, stanza);
}

static void on_room(void *arg)
{
    struct pub_xmpp *x = arg;
    pres_publisher_room(x->publisher);
}

static void on_silent(void *arg)
{
    ping(arg, PUB_PINGS);
}

static void on_end(void *arg, const char *code, const char *text, bool slow)
{
    struct pub_xmpp *x = arg;
    pres_xmpp_stream_close(&x->stream);
    loop_timer_stop(x->ping_timer);
    pres_pub_account_lost(x, text);
    if (x->activity)
        pres_pub_activity_lost(x);
    pres_publisher_down(x->publisher, code, text, slow);
}

/* Not all pings came back: another connection took some of them, or nothing comes back at all. */
static void on_ping_late(void *arg)
{
    struct pub_xmpp *x = arg;
    const char *text = x->pings_back
                           ? "some stanzas to ourselves came back elsewhere: another gateway uses this component"
                           : "no stanza to ourselves came back";
    char detail[200];
    snprintf(detail, sizeof detail, "%s", text);
    if (x->pings_back) {
        on_end(x, "xmpp-conflict", detail, true);
        return;
    }
    if (!x->doubted)
        log_warning("xmpp", "%s component=%s", detail, x->component);
    x->doubted = true;
    prove(x); /* another gateway may have got all of them: the next are divided anew */
}

/* Who has not been read by now is unknown; before, telling so after each start would only make contacts flicker. */
static void on_settled(void *arg)
{
    struct pub_xmpp *x = arg;
    pres_publisher_people_changed(x->publisher);
}

/* That the name is ours alone. */
static void prove(struct pub_xmpp *x)
{
    x->ping_nonce = crypto_random_u64();
    x->pings_back = 0;
    for (unsigned i = 0; i < PUB_PINGS; i++)
        ping(x, i);
    loop_timer_in(x->ping_timer, PING_MS);
}

static void ping(struct pub_xmpp *x, unsigned i)
{
    buf_reset(&x->out);
    buf_addf(&x->out, "<iq type='get' id='self-%016" PRIx64 "-%u' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
             x->ping_nonce, i, x->component, x->component);
    pres_pub_send(x);
}

/* Ours, come back. (Answered it would come back again, as a result.) */
static bool take_ping(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    char expected[40];
    const char *id = pres_xml_attr(stanza, "id"), *from = pres_xml_attr(stanza, "from");
    snprintf(expected, sizeof expected, "self-%016" PRIx64 "-", x->ping_nonce);
    if (!id || !from || strcmp(from, x->component) != 0 || !str_starts(id, "self-"))
        return false;
    if (str_starts(id, expected) && x->pings_back < PUB_PINGS && ++x->pings_back == PUB_PINGS) {
        loop_timer_stop(x->ping_timer);
        pres_publisher_proved(x->publisher);
    }
    return true;
}

/* Whether something differs from what was said before; never 0. Eight bytes at a time: it is made for each change. */
uint64_t pres_pub_hash(const struct buf *b, const char *type)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ b->len, word;
    size_t i = 0;
    for (; i + sizeof word <= b->len; i += sizeof word) {
        memcpy(&word, b->data + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    for (; i < b->len; i++)
        hash = (hash ^ (unsigned char)b->data[i]) * UINT64_C(1099511628211);
    for (; *type; type++)
        hash = (hash ^ (unsigned char)*type) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}
