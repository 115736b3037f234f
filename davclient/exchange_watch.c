/*
 * exchange_watch: has a calendar changed since it was read? A question of somebody who asks again and again, and still
 * holds the last answer, begins here: what is the cheapest thing that tells?
 *
 *   nothing        a POLL for a neighbour said a moment ago that nothing has happened
 *   POLL           of this person's subscription and its neighbours' (exchange_sub.c)
 *   contenttag     one small PROPFIND (exchange_tag.c)
 *   SEARCH         the calendar itself
 *
 * Signs are believed only when they say that something changed. That nothing did is believed for a while
 * (account.full_read_s) and inside the window that was read, which is therefore wider than asked for. What was heard of
 * a change is counted, and forgotten only when a reading that began later is complete.
 */
#include "exchange_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "caldav_store.h"
#include "url.h"

#define PROOF_S 86400 /* so long a mailbox that goes by another name is taken for the same person's */
#define MARGIN_S 7200

static bool is_covered(const struct dav_question *question, const struct exchange_known *known, int64_t now,
                       int64_t full_read_s);

struct exchange_watch *dav_exchange_watch(struct dav_query *q)
{
    void **shared = dav_query_shared(q);
    struct exchange_watch *w = *shared;

    if (!dav_query_question(q)->again)
        return NULL;
    if (!w) {
        *shared = w = mem_calloc(1, sizeof(*w));
        w->session = dav_query_session(q);
        w->account = dav_query_account(q);
        w->table = dav_exchange_known_new();
        w->group = EXCHANGE_GROUP;
        dav_pace_init(&w->hints, w->account->max_requests_per_second / 10, 0);
    }
    dav_exchange_notify_open(w, dav_query_now(q));
    return w;
}

void dav_exchange_watch_free(void *watch)
{
    struct exchange_watch *w = watch;

    dav_exchange_notify_close(w);
    dav_exchange_known_free(&w->table);
    mem_wipe(w, sizeof(*w));
    free(w);
}

const char *dav_exchange_watch_describe(void *watch)
{
    struct exchange_watch *w = watch;

    size_t subscriptions = dav_exchange_known_subscribed(w->table);

    if (subscriptions > 0)
        snprintf(w->told, sizeof(w->told),
                 "%zu subscriptions, %llu polls of up to %u, %llu lost; %llu notifications, %llu ignored",
                 subscriptions, (unsigned long long)w->polls, w->group, (unsigned long long)w->lost,
                 (unsigned long long)w->heeded, (unsigned long long)w->ignored);
    else if (w->account->no_contenttag)
        return NULL;
    else
        snprintf(w->told, sizeof(w->told), "contenttag");
    return w->told;
}

struct exchange_known *dav_exchange_known(struct dav_query *q, const struct exchange *x)
{
    struct exchange_watch *w = dav_exchange_watch(q);

    return w ? dav_exchange_known_find(w->table, x->person) : NULL;
}

enum exchange_stage dav_exchange_watch_choose(struct dav_query *q, struct exchange *x)
{
    const struct dav_question *question = dav_query_question(q);
    struct exchange_watch *w = dav_exchange_watch(q);
    struct exchange_known *known = dav_exchange_known(q, x);
    int64_t now = dav_query_now(q);
    bool same = known && known->place == dav_store_hash(x->calendar, strlen(x->calendar));

    if (!dav_exchange_place_is_own(q, x->calendar) && w && (!same || known->proved_at + PROOF_S <= now))
        return EXCHANGE_ROOT; /* found under another name, some time ago: is it still the same mailbox? */
    if (!w || !same)
        return EXCHANGE_REMEMBERED;
    if (!dav_exchange_sub_alive(w, known, now) && dav_exchange_sub_wanted(w, known, now))
        return EXCHANGE_SUBSCRIBE;
    if (!question->held || dav_exchange_known_dirty(known))
        return EXCHANGE_REMEMBERED;
    if (!is_covered(question, known, now, w->account->full_read_s)) {
        if (known->tag || known->subscription != EXCHANGE_NO_SUBSCRIPTION)
            dav_query_routine(q);
        return EXCHANGE_REMEMBERED;
    }
    if (known->subscription != EXCHANGE_NO_SUBSCRIPTION && !known->polling) {
        if (known->clean_at + question->fresh_s >= now && known->clean_at <= now && question->fresh_s > 0) {
            dav_query_unchanged(q, known->from, known->until, known->clean_at);
            return EXCHANGE_NONE;
        }
        if (known->renew_at <= now)
            return EXCHANGE_RENEW;
        return known->alone || w->group == 1 ? EXCHANGE_POLL_ALONE : EXCHANGE_POLL;
    }
    return w->account->no_contenttag || known->no_tag_until > now ? EXCHANGE_REMEMBERED : EXCHANGE_TAG;
}

/* So that the window moves on without a reading, up to the next that comes anyway. */
void dav_exchange_watch_widen(struct dav_query *q, struct exchange *x)
{
    const struct dav_question *question = dav_query_question(q);

    if (!question->again || x->widened)
        return;
    x->widened = true;
    dav_query_widen(q, question->from, question->until + dav_query_account(q)->full_read_s + MARGIN_S);
}

void dav_exchange_watch_read(struct dav_query *q, struct exchange *x, const char *place)
{
    const struct dav_question *question = dav_query_question(q);
    struct exchange_watch *w = dav_exchange_watch(q);
    struct exchange_known *known;
    uint64_t where = dav_store_hash(place, strlen(place));
    struct dav_url url;

    if (!w)
        return;
    known = dav_exchange_known_add(w->table, x->person, dav_query_now(q));
    if (known->place != where) {
        dav_exchange_known_subscribe(w->table, known, EXCHANGE_NO_SUBSCRIPTION);
        known->tag = 0;
        known->proved_at = 0;
    }
    known->place = where;
    known->host = place[0] != '/' && dav_url_parse(place, &url) ? dav_store_hash(place, (size_t)(url.path - place)) : 0;
    known->number = question->number;
    known->from = (uint32_t)question->from;
    known->until = (uint32_t)question->until;
    known->read_at = known->clean_at = (uint32_t)dav_query_as_of(q);
    known->seen = x->changes;
    if (x->tag)
        known->tag = x->tag;
    if (x->proved)
        known->proved_at = (uint32_t)dav_query_now(q);
}

/* Also when the clock was set back: what is of the future does not count. */
static bool is_covered(const struct dav_question *question, const struct exchange_known *known, int64_t now,
                       int64_t full_read_s)
{
    return known->read_at > 0 && known->read_at <= now && known->read_at + full_read_s > now &&
           known->from <= question->from && known->until >= question->until;
}
