/*
 * poller: who is asked when. Knows servers as sessions and persons as numbers; what a person is, and what becomes of an
 * answer, is its owner's business (poller_ops).
 *
 * Everybody has a fixed place in the interval, spread evenly by number, so that neither a start nor a reload bunches
 * people; a wheel of stripes visits them. Who is due waits in the queue of its server until the session has room: a
 * slow server keeps its own people waiting and nobody else's. A server that fails as a whole costs one probing question
 * at a time, not everybody's.
 *
 * Where more is due than a server's budget allows, people are served by rank (gw_rank); every eighth place goes to the
 * lower ranks, so that nobody is forgotten. People may also be asked about many in one question (davclient/batch.h),
 * instead of alone or beside it: see poller_bulk.c.
 *
 * Costs: 24 bytes a person, 16 more where people are asked about in numbers, nothing between visits, O(1) a visit.
 */
#ifndef GATEWAY_POLLER_H
#define GATEWAY_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/batch.h"
#include "davclient/query.h"
#include "davclient/session.h"

struct loop;
struct gw_poller;
struct gw_refresh;

typedef void gw_refresh_fn(void *arg, enum dav_err err, const char *code); /* as in gateway.h */

/* How much a question about a person matters now. */
enum gw_rank {
    GW_RANK_NOT,   /* nobody wants to know: not asked, but by a refresh */
    GW_RANK_LAST,
    GW_RANK_SOON,  /* what is known of the person says that the state changes soon */
    GW_RANK_FIRST, /* somebody watches this person */
};

/* How a person is to be asked about. */
enum gw_poller_way {
    GW_POLLER_ALONE = 1,
    GW_POLLER_BATCH = 2, /* with both: this one seldom, as long as the answers to the other are good */
};

struct gw_poller_ops {
    /* Fills in what to ask about a person. Texts are borrowed until `start` returned. */
    void (*question)(void *arg, uint32_t id, struct dav_question *ret);
    /* The same when somebody asked for a refresh; NULL: no other than at every poll. */
    void (*refresh_question)(void *arg, uint32_t id, struct dav_question *ret);
    /*
     * What became of it, from the loop. Comes also for people whom nobody was asked about because their server is known
     * to fail: then with requests == 0, and the server's code. May not add or remove persons or servers.
     */
    void (*answer)(void *arg, uint32_t id, const struct dav_result *result);
    /* A server began to fail as a whole (code is static), or answers again (NULL). */
    void (*server)(void *arg, unsigned server, const char *code);
    /* davclient's, or a test's. */
    unsigned (*room)(const struct dav_session *s);
    struct dav_query *(*start)(struct dav_session *s, const struct dav_question *q, dav_query_fn *done, void *arg);
    void (*cancel)(struct dav_query **q);
    /* Asked when a person's turn comes, and again when a first question leaves. NULL: everybody is GW_RANK_LAST. */
    enum gw_rank (*rank)(void *arg, uint32_t id);

    /* For people who are asked about many at once; NULL all of them: nobody is. `batch_question` and `batch_answer` are
     * as their likes above; batch_size 0: this session cannot, whatever `ways` says. */
    unsigned (*ways)(void *arg, uint32_t id); /* enum gw_poller_way; asked when a person is added or moved */
    void (*batch_question)(void *arg, uint32_t id, struct dav_question *ret);
    void (*batch_answer)(void *arg, uint32_t id, const struct dav_result *result);
    /* Of people who are asked about alone as well, some minutes after the last answer about many: might the next one be
     * another? NULL: it might. */
    bool (*batch_due)(void *arg, uint32_t id);
    unsigned (*batch_size)(const struct dav_session *s);
    struct dav_batch *(*batch_start)(struct dav_session *s, const struct dav_batch_question *q, dav_batch_fn *done,
                                     void *arg);
    void (*batch_cancel)(struct dav_batch **b);
};

/* ops are borrowed. `seed` moves everybody's place, so that two daemons do not ask at the same moments. */
struct gw_poller *gw_poller_new(struct loop *loop, const struct gw_poller_ops *ops, void *arg, int64_t interval_ms,
                                uint32_t seed);
void gw_poller_free(struct gw_poller **p); /* cancels everything; refreshes end without a callback */
void gw_poller_interval(struct gw_poller *p, int64_t interval_ms);

/* A server; the number returned is the smallest free one. The session stays the caller's and must outlive its server
 * here. NULL: one whose people are never asked about. */
unsigned gw_poller_server_add(struct gw_poller *p, struct dav_session *session);
/* Another session for the same people: running questions are asked again through it. Call before the old one is closed.
 */
void gw_poller_server_session(struct gw_poller *p, unsigned server, struct dav_session *session);
/* Its persons must be gone. */
void gw_poller_server_remove(struct gw_poller *p, unsigned server);
/* Something changed for the better (a new secret): if it is failing, tries at once. */
void gw_poller_server_kick(struct gw_poller *p, unsigned server);

/* A person is asked about soon after, and then once an interval. */
void gw_poller_add(struct gw_poller *p, uint32_t id, unsigned server);
void gw_poller_remove(struct gw_poller *p, uint32_t id); /* pending refreshes end with DAV_CANCELLED, from the loop */
/* What is asked about this person, or where, has changed: again, soon. */
void gw_poller_move(struct gw_poller *p, uint32_t id, unsigned server);

/* As gateway.h's gw_refresh; the handle is gone when its callback has come. */
struct gw_refresh *gw_poller_refresh(struct gw_poller *p, uint32_t id, gw_refresh_fn *done, void *arg);
void gw_poller_refresh_cancel(struct gw_refresh **r);

/* Something may have changed: ask about this person soon. What names nobody is ignored. */
void gw_poller_hint(struct gw_poller *p, uint32_t id);

/* Nobody wanted to know of this person, and now somebody does: soon, unless that was asked lately. */
void gw_poller_wanted(struct gw_poller *p, uint32_t id);

struct gw_poller_person {
    unsigned server;
    bool running, waiting;
    unsigned failures;                               /* in a row */
    int64_t last_asked_at, last_ok_at, next_poll_at; /* wall s, 0: never */
};
bool gw_poller_person(const struct gw_poller *p, uint32_t id, struct gw_poller_person *ret);

struct gw_poller_server {
    size_t persons, running, waiting;
    const char *failing; /* code, NULL: it answers, or was not asked yet */
    bool asked;          /* it answered something, or its failure is known */
};
void gw_poller_server(const struct gw_poller *p, unsigned server, struct gw_poller_server *ret);

#endif
