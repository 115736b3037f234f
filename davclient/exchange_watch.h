/*
 * exchange_watch (private to exchange*.c): has a calendar changed since it was read? What a session keeps for that, and
 * the three ways of asking: contenttag, subscriptions, and the datagrams of the server.
 */
#ifndef DAVCLIENT_EXCHANGE_WATCH_H
#define DAVCLIENT_EXCHANGE_WATCH_H

#include "exchange.h"
#include "exchange_known.h"
#include "pace.h"

struct udp;

/* Of a session, for all its persons. Times are wall s. */
struct exchange_watch {
    struct dav_session *session;
    const struct dav_account *account; /* the session's */
    struct exchange_known_table *table;
    unsigned refusals;             /* of SUBSCRIBE or POLL in a row */
    int64_t no_subscription_until; /* it has none to give */
    unsigned group;                /* how many one POLL asks about */
    unsigned group_refusals;       /* in a row: answers for several that were none */
    uint64_t polls, lost;
    struct udp *udp;
    int64_t udp_retry_at;
    struct dav_pace hints;
    int64_t farewell_at; /* the last datagram without id that was heeded */
    uint64_t heeded, ignored;
    uint32_t next_farewell;
    char told[160]; /* by the last describe */
};

/* exchange_watch.c */
struct exchange_watch *dav_exchange_watch(struct dav_query *q); /* NULL: a single question, of which nothing is kept */
void dav_exchange_watch_free(void *watch);
const char *dav_exchange_watch_describe(void *watch);
struct exchange_known *dav_exchange_known(struct dav_query *q, const struct exchange *x);
enum exchange_stage dav_exchange_watch_choose(struct dav_query *q,
                                              struct exchange *x); /* EXCHANGE_NONE: it is answered */
void dav_exchange_watch_widen(struct dav_query *q, struct exchange *x);
void dav_exchange_watch_read(struct dav_query *q, struct exchange *x,
                             const char *place); /* the calendar was read whole */

/* exchange_tag.c */
void dav_exchange_tag_ask(struct dav_query *q, struct exchange *x);
void dav_exchange_tag_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);

/* exchange_sub.c */
bool dav_exchange_sub_wanted(const struct exchange_watch *w, const struct exchange_known *known, int64_t now);
bool dav_exchange_sub_alive(struct exchange_watch *w, struct exchange_known *known, int64_t now);
void dav_exchange_sub_ask(struct dav_query *q, struct exchange *x);
void dav_exchange_sub_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
void dav_exchange_sub_end(struct dav_query *q, struct exchange *x);

/* exchange_notify.c */
void dav_exchange_notify_open(struct exchange_watch *w, int64_t now);
void dav_exchange_notify_close(struct exchange_watch *w);
bool dav_exchange_notify_url(const struct exchange_watch *w, char *out, size_t size);

#endif
