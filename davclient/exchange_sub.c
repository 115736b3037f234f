/*
 * exchange_sub: subscriptions to calendar folders: SUBSCRIBE, its renewal, and POLL, which asks about many at once.
 *
 * A subscription is taken out before a calendar is read for the second time, so that nothing is missed between the two.
 * From then on one POLL asks for a person and those beside it in the table (exchange_known.c) on the same host; who is
 * heard to have changed is read at once or hinted at. Servers may not answer for several mailboxes at once, or spoil
 * the answer because of one id: those are then asked about alone, and after a few such answers everybody is.
 *
 * Ids live in the server's memory. One that it does not know any more (412), that it gave away again, or that stands
 * for another folder now is lost, and what happened since the last POLL with it: the calendar is read. The same goes
 * for a POLL whose answer did not arrive, since asking takes the news away.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "caldav_store.h"
#include "exchange_poll.h"
#include "exchange_watch.h"

#define LIFETIME_S 3600
#define LIFETIME_MIN_S 60
#define LIFETIME_MAX_S (7 * 86400)
#define REFUSALS_MAX 3
#define LOST_MAX 3
#define PAUSE_S 3600         /* who refused is asked again */
#define NO_METHOD_PAUSE_S (6 * 3600)
#define HEADER_MAX (EXCHANGE_GROUP * 11 + 32)

static const char *const *headers_for(struct dav_query *q, struct exchange *x);
static void collect(struct dav_query *q, struct exchange *x, struct exchange_watch *w);
static void add_asked(struct exchange *x, struct exchange_known *known);
static void on_subscribed(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void on_renewed(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void on_polled(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void read_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void on_id(void *query, uint32_t id, int status, const char *path);
static void take(struct dav_query *q, struct exchange *x, struct exchange_known *known, int status, const char *path);
static void lose(struct exchange_watch *w, struct exchange_known *known, int64_t now);
static void release(struct dav_query *q, struct exchange *x, bool unheard);
static void one_by_one(struct dav_query *q, struct exchange *x, enum exchange_stage stage);
static void judge_group(struct exchange_watch *w, bool good);
static void refused(struct exchange_watch *w, struct exchange_known *known, int status, int64_t now);
static int64_t lifetime_of(const struct dav_reply *reply);
static void extend(struct exchange_known *known, int64_t now, int64_t lifetime);

bool dav_exchange_sub_wanted(const struct exchange_watch *w, const struct exchange_known *known, int64_t now)
{
    return !w->account->no_subscribe && w->no_subscription_until <= now && known->no_subscription_until <= now &&
           known->read_at > 0;
}

bool dav_exchange_sub_alive(struct exchange_watch *w, struct exchange_known *known, int64_t now)
{
    if (known->subscription == EXCHANGE_NO_SUBSCRIPTION)
        return false;
    if (known->ends_at <= now)
        lose(w, known, now);
    return known->subscription != EXCHANGE_NO_SUBSCRIPTION && w->no_subscription_until <= now;
}

void dav_exchange_sub_ask(struct dav_query *q, struct exchange *x)
{
    struct dav_ask ask = {
        .method = x->stage == EXCHANGE_SUBSCRIBE || x->stage == EXCHANGE_RENEW ? "SUBSCRIBE" : "POLL",
        .url = x->calendar,
        .body = "",
    };

    collect(q, x, dav_exchange_watch(q));
    ask.headers = headers_for(q, x);
    if (ask.headers)
        dav_query_send(q, &ask);
    else
        dav_query_fail(q, "answer-too-large", "no room for another request");
}

void dav_exchange_sub_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    if (x->stage == EXCHANGE_SUBSCRIBE)
        on_subscribed(q, x, reply);
    else if (x->stage == EXCHANGE_RENEW)
        on_renewed(q, x, reply);
    else
        on_polled(q, x, reply);
}

void dav_exchange_sub_end(struct dav_query *q, struct exchange *x)
{
    release(q, x, x->stage == EXCHANGE_POLL || x->stage == EXCHANGE_POLL_ALONE);
}

static const char *const *headers_for(struct dav_query *q, struct exchange *x)
{
    struct arena *arena = dav_query_arena(q);
    const char **headers = arena_alloc(arena, 8 * sizeof(*headers));
    char *ids = arena_alloc(arena, HEADER_MAX), *call_back = arena_alloc(arena, 360);
    int at, n = 0;

    if (!headers || !ids || !call_back)
        return NULL;
    headers[n++] = "Translate: f";
    headers[n++] = "Accept-Language: en-us";
    if (x->stage == EXCHANGE_SUBSCRIBE) {
        headers[n++] = "Notification-type: update";
        headers[n++] = "Depth: 1";
        if (dav_exchange_notify_url(dav_exchange_watch(q), call_back, 360))
            headers[n++] = call_back;
    } else {
        at = snprintf(ids, HEADER_MAX, "Subscription-id: %u", x->asked[0]);
        for (unsigned i = 1; i < x->asked_count; i++)
            at += snprintf(ids + at, (size_t)(HEADER_MAX - at), ",%u", x->asked[i]);
        headers[n++] = ids;
    }
    if (x->stage == EXCHANGE_SUBSCRIBE || x->stage == EXCHANGE_RENEW)
        headers[n++] = "Subscription-lifetime: 3600";
    headers[n] = NULL;
    return headers;
}
_Static_assert(LIFETIME_S == 3600, "the header says so");

/* The person first, then those beside it that can be asked about together with it. */
static void collect(struct dav_query *q, struct exchange *x, struct exchange_watch *w)
{
    struct exchange_known *known = dav_exchange_known(q, x), *other;
    int64_t now = dav_query_now(q);
    unsigned pos = 0;

    x->own_status = 0;
    x->asked_count = 0;
    x->asked = arena_alloc(dav_query_arena(q), (EXCHANGE_GROUP + 1) * sizeof(*x->asked));
    if (x->stage == EXCHANGE_SUBSCRIBE || !x->asked)
        return;
    add_asked(x, known);
    while (x->stage != EXCHANGE_POLL_ALONE && w->group > 1 && !known->alone &&
           (other = dav_exchange_known_group(w->table, known, w->group, &pos))) {
        if (other == known || other->subscription == EXCHANGE_NO_SUBSCRIPTION || other->alone ||
            other->ends_at <= now)
            continue;
        if (x->stage == EXCHANGE_RENEW ? other->renew_at <= now + LIFETIME_MIN_S : !other->polling)
            add_asked(x, other);
    }
}

static void add_asked(struct exchange *x, struct exchange_known *known)
{
    known->polling = x->stage != EXCHANGE_RENEW;
    x->asked[x->asked_count++] = known->subscription;
}

static void on_subscribed(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    struct exchange_watch *w = dav_exchange_watch(q);
    struct exchange_known *known = dav_exchange_known(q, x);
    const char *text = dav_reply_header(reply, "Subscription-id");
    int64_t now = dav_query_now(q);
    uint32_t id[2];

    if (reply->status / 100 != 2 || !text || dav_exchange_ids_read(text, strlen(text), id, 2) != 1) {
        refused(w, known, reply->status, now);
        dav_exchange_enter(q, x, dav_exchange_watch_choose(q, x));
        return;
    }
    w->refusals = 0;
    dav_exchange_known_subscribe(w->table, known, id[0]);
    known->alone = false;
    extend(known, now, lifetime_of(reply));
    dav_exchange_enter(q, x, EXCHANGE_REMEMBERED);
}

static void on_renewed(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    struct exchange_watch *w = dav_exchange_watch(q);
    struct exchange_known *known = dav_exchange_known(q, x);

    if (reply->status == 412 && x->asked_count > 1) {
        one_by_one(q, x, EXCHANGE_RENEW);
        return;
    }
    if (reply->status / 100 == 2 || reply->status == 412)
        read_answer(q, x, reply);
    if (known->subscription != EXCHANGE_NO_SUBSCRIPTION && known->renew_at <= dav_query_now(q))
        known->renew_at = known->ends_at; /* it will lapse, and another take its place */
    release(q, x, false);
    if (known->subscription == EXCHANGE_NO_SUBSCRIPTION)
        dav_exchange_enter(q, x, dav_exchange_watch_choose(q, x));
    else
        dav_exchange_enter(q, x, known->alone || w->group == 1 ? EXCHANGE_POLL_ALONE : EXCHANGE_POLL);
}

static void on_polled(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    struct exchange_watch *w = dav_exchange_watch(q);
    struct exchange_known *known = dav_exchange_known(q, x);

    w->polls++;
    if ((reply->status == 412 || reply->status == 409) && x->asked_count > 1) {
        one_by_one(q, x, EXCHANGE_POLL_ALONE);
        return;
    }
    if (reply->status / 100 == 2 || reply->status == 412 || reply->status == 409) {
        read_answer(q, x, reply);
        if (x->asked_count > 1)
            judge_group(w, x->own_status != 0);
    } else {
        refused(w, known, reply->status, dav_query_now(q));
    }
    release(q, x, reply->status / 100 == 2);
    if (x->own_status == 204)
        dav_query_unchanged(q, known->from, known->until, known->clean_at);
    else if (x->own_status == 0 && x->stage == EXCHANGE_POLL && reply->status / 100 == 2)
        dav_exchange_enter(q, x, EXCHANGE_POLL_ALONE);
    else
        dav_exchange_enter(q, x, dav_exchange_watch_choose(q, x));
}

/* A list of statuses, or one for all. */
static void read_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    if (reply->status == 207) {
        dav_exchange_poll_read(reply->body, reply->body_len, on_id, q);
        return;
    }
    for (unsigned i = 0; i < x->asked_count; i++)
        if (x->asked_count == 1 || reply->status == 204 || x->stage == EXCHANGE_RENEW)
            on_id(q, x->asked[i], reply->status, "");
    if (x->stage == EXCHANGE_RENEW && x->own_status == 200)
        extend(dav_exchange_known(q, x), dav_query_now(q), lifetime_of(reply));
}

static void on_id(void *query, uint32_t id, int status, const char *path)
{
    struct dav_query *q = query;
    struct exchange *x = dav_query_state(q);
    struct exchange_known *known = dav_exchange_known_by_subscription(dav_exchange_watch(q)->table, id);

    for (unsigned i = 0; i < x->asked_count; i++) {
        if (x->asked[i] != id || id == EXCHANGE_NO_SUBSCRIPTION)
            continue;
        x->asked[i] = EXCHANGE_NO_SUBSCRIPTION; /* heard */
        if (known) /* else it was lost meanwhile */
            take(q, x, known, status, path);
        return;
    }
}

static void take(struct dav_query *q, struct exchange *x, struct exchange_known *known, int status, const char *path)
{
    struct exchange_watch *w = dav_exchange_watch(q);
    uint64_t folder = path[0] ? dav_store_hash(path, strlen(path)) : 0;
    bool own = known->person == x->person;
    bool other_folder = folder && known->folder && folder != known->folder;

    known->polling = false;
    known->alone = known->alone && x->stage == EXCHANGE_RENEW;
    if (own)
        x->own_status = status;
    if ((status != 200 && status != 204) || other_folder) {
        lose(w, known, dav_query_now(q));
        x->own_status = own ? 412 : x->own_status;
    } else if (x->stage == EXCHANGE_RENEW) {
        extend(known, dav_query_now(q), LIFETIME_S);
    } else if (status == 204) {
        known->folder = folder ? folder : known->folder;
        known->clean_at = (uint32_t)dav_query_as_of(q);
        known->lost = 0;
    } else {
        known->folder = folder ? folder : known->folder;
        known->lost = 0;
        known->changes++;
        if (!own)
            dav_session_hint(w->session, known->number);
    }
}

/* What happened since it was last asked about is lost with it. */
static void lose(struct exchange_watch *w, struct exchange_known *known, int64_t now)
{
    w->lost++;
    log_debug("dav", "srv=%s subscription %u is lost", dav_session_name(w->session), known->subscription);
    if (known->folder == 0 && ++known->lost >= LOST_MAX) { /* granted, and forgotten at once, again and again */
        known->lost = 0;
        known->no_subscription_until = (uint32_t)(now + PAUSE_S);
    }
    dav_exchange_known_subscribe(w->table, known, EXCHANGE_NO_SUBSCRIPTION);
    known->changes++;
}

/* Nothing is on its way any more. Who was not heard of may have had news that nobody will tell again. */
static void release(struct dav_query *q, struct exchange *x, bool unheard)
{
    struct exchange_watch *w = dav_exchange_watch(q);

    for (unsigned i = 0; i < x->asked_count; i++) {
        struct exchange_known *known = dav_exchange_known_by_subscription(w->table, x->asked[i]);

        if (!known)
            continue;
        known->polling = false;
        known->alone = known->alone || unheard;
        known->changes = (uint16_t)(known->changes + unheard);
    }
    x->asked_count = 0;
}

/* One of several spoilt the answer, or several are too many. */
static void one_by_one(struct dav_query *q, struct exchange *x, enum exchange_stage stage)
{
    struct exchange_watch *w = dav_exchange_watch(q);

    for (unsigned i = 0; i < x->asked_count; i++) {
        struct exchange_known *known = dav_exchange_known_by_subscription(w->table, x->asked[i]);

        if (known)
            known->alone = true;
    }
    judge_group(w, false);
    release(q, x, false);
    dav_exchange_enter(q, x, stage);
}

static void judge_group(struct exchange_watch *w, bool good)
{
    w->group_refusals = good ? 0 : w->group_refusals + 1;
    if (w->group_refusals < REFUSALS_MAX || w->group == 1)
        return;
    log_info("dav", "srv=%s does not answer for several mailboxes at once, each is asked about alone",
             dav_session_name(w->session));
    w->group = 1;
}

/* A method that the server does not know is nobody's fault alone; other refusals may be. */
static void refused(struct exchange_watch *w, struct exchange_known *known, int status, int64_t now)
{
    bool no_method = status == 501 || status == 405;

    known->no_subscription_until = (uint32_t)(now + PAUSE_S);
    if (++w->refusals >= REFUSALS_MAX || no_method)
        w->no_subscription_until = now + (no_method ? NO_METHOD_PAUSE_S : PAUSE_S);
    if (known->subscription != EXCHANGE_NO_SUBSCRIPTION)
        known->changes++;
    dav_exchange_known_subscribe(w->table, known, EXCHANGE_NO_SUBSCRIPTION);
}

static int64_t lifetime_of(const struct dav_reply *reply)
{
    const char *text = dav_reply_header(reply, "Subscription-lifetime");
    int64_t lifetime;

    if (!text || !str_to_int(text, LIFETIME_MIN_S, LIFETIME_MAX_S, &lifetime))
        lifetime = text && str_to_int(text, 1, LIFETIME_MIN_S, &lifetime) ? lifetime : LIFETIME_S;
    return lifetime;
}

static void extend(struct exchange_known *known, int64_t now, int64_t lifetime)
{
    known->renew_at = (uint32_t)(now + lifetime * 9 / 10);
    known->ends_at = (uint32_t)(now + lifetime);
}
