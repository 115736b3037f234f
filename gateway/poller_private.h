/*
 * poller_private: what poller.c (people, queues, answers), poller_wheel.c (whose turn it is), poller_bulk.c (many in
 * one question) and poller_refresh.c (who waits for an answer) share.
 */
#ifndef GATEWAY_POLLER_PRIVATE_H
#define GATEWAY_POLLER_PRIVATE_H

#include "poller.h"

/* Where a person waits. In the order in which they are served. */
enum poll_queue {
    POLL_NOWHERE,
    POLL_URGENT, /* somebody asked for a refresh */
    POLL_HINTED, /* something has changed, it is said */
    POLL_FIRST,  /* its turn in the interval came, and somebody watches */
    POLL_SOON,   /* ... the state changes soon */
    POLL_DUE,    /* ... neither */
    POLL_NEW,    /* never asked, or to be asked again after a change */
    POLL_MISSED, /* its turn came while the server was failing */
    POLL_QUEUES,
};

#define POLL_NOBODY UINT32_MAX

enum { POLL_SUSPECTS = 3 }; /* so many different people with the same failure in a row make it the whole server's */

struct poll_person {
    uint32_t next, prev;          /* in its queue */
    uint32_t last_asked, last_ok; /* wall s, 0: never */
    uint16_t server;
    uint8_t queue; /* enum poll_queue */
    uint8_t skip;  /* turns still to be left out after failures */
    uint8_t fails; /* in a row, at most 255 */
    uint8_t used : 1, running : 1;
    uint8_t hinted : 1; /* while it was running */
    uint8_t alone : 1;  /* asked about by itself: has its place in the wheel and the queues */
};

_Static_assert(sizeof(struct poll_person) <= 24, "a million people must fit");

/* One running question. */
struct poll_flight {
    struct poll_server *server;
    uint32_t id;
    struct dav_query *query;
    struct poll_flight *next, **link;
};

struct poll_list {
    uint32_t first, last;
    size_t count;
};

struct poll_server {
    struct gw_poller *poller;
    unsigned number;
    struct dav_session *session;
    struct poll_list queues[POLL_QUEUES];
    struct poll_flight *flights;
    size_t persons, alone, running;
    struct poll_bulk *bulk;          /* people who are asked about many at once; NULL: there are none */
    struct loop_timer *again;        /* the session had no room, or a failing server is to be probed */
    const char *failing;             /* code of the whole server's failure, NULL */
    unsigned probes;                 /* that failed in a row */
    const char *suspected;           /* code of what may be the whole server's failure */
    uint32_t suspect[POLL_SUSPECTS]; /* who had it since the last other answer */
    unsigned suspects;
    bool asked;
    bool draining; /* drain_step is deferred */
    unsigned turn; /* counts questions that had to wait, for the places of the last */
};

struct gw_poller {
    struct loop *loop;
    const struct gw_poller_ops *ops;
    void *arg;
    struct poll_person *persons;
    uint32_t capacity; /* of persons; ids in use are below */
    struct poll_bulk_person *bulk;
    uint32_t bulk_capacity;
    size_t count;
    struct poll_server **servers;
    unsigned server_capacity;
    bool pumping; /* pump_all is deferred */

    /* the wheel */
    struct loop_timer *tick;
    int64_t interval_ms;
    int64_t epoch_ms; /* monotonic; turn 0 */
    int64_t turn;     /* the last one done, counted from the epoch */
    unsigned bits;    /* 2^bits stripes */
    uint32_t seed, random;

    struct gw_refresh *refreshes; /* waiting */
    struct gw_refresh *orphans;   /* whose person went away: told at the end of the turn */
};

/* poller.c */
void gw_poll_visit(struct gw_poller *p, uint32_t id); /* this person's turn has come */
void gw_poll_urgent(struct gw_poller *p, uint32_t id);
void gw_poll_pump(struct poll_server *s);
void gw_poll_verdict(struct poll_server *s, const struct dav_result *whole,
                     uint32_t first); /* on the server, by an answer about many, of whom this is the first */

/* poller_bulk.c */
void gw_poll_bulk_add(struct gw_poller *p, uint32_t id);
void gw_poll_bulk_remove(struct gw_poller *p, uint32_t id);
bool gw_poll_bulk_has(const struct gw_poller *p, uint32_t id);
bool gw_poll_bulk_knows(const struct gw_poller *p, uint32_t id); /* the last answer was good, and not long ago */
bool gw_poll_bulk_lately(const struct gw_poller *p, uint32_t id); /* asked in this half of an interval */
void gw_poll_bulk_urgent(struct gw_poller *p, uint32_t id);
void gw_poll_bulk_refresh(struct gw_poller *p, uint32_t id);    /* urgent, and again when one is on its way */
bool gw_poll_bulk_asks(const struct gw_poller *p, uint32_t id); /* one is on its way */
void gw_poll_bulk_state(const struct gw_poller *p, uint32_t id, struct gw_poller_person *ret); /* adds to it */
size_t gw_poll_bulk_waiting(const struct poll_server *s);
size_t gw_poll_bulk_running(const struct poll_server *s);
bool gw_poll_bulk_pump(struct poll_server *s);
bool gw_poll_bulk_probe(struct poll_server *s);
void gw_poll_bulk_resume(struct poll_server *s);
void gw_poll_bulk_restart(struct poll_server *s);
void gw_poll_bulk_interval(struct poll_server *s);
void gw_poll_bulk_free(struct poll_server *s);

/* poller.c */
uint32_t gw_poll_now_s(const struct gw_poller *p);
void gw_poll_pump_soon(struct gw_poller *p);

/* poller_queue.c */
enum gw_rank gw_poll_rank(struct gw_poller *p, uint32_t id);
void gw_poll_enter(struct gw_poller *p, uint32_t id, enum poll_queue queue); /* to its end */
void gw_poll_leave(struct gw_poller *p, uint32_t id);
bool gw_poll_any_waiting(const struct poll_server *s);
uint32_t gw_poll_next(struct poll_server *s);       /* who goes next; POLL_NOBODY */
uint32_t gw_poll_head(const struct poll_server *s); /* of all queues */
uint32_t gw_poll_first_untold(const struct poll_server *s); /* of a failing server, who has not been told */

/* poller_wheel.c */
void gw_poll_wheel_start(struct gw_poller *p);
void gw_poll_wheel_grow(struct gw_poller *p);                          /* capacity or interval changed */
int64_t gw_poll_wheel_next_ms(const struct gw_poller *p, uint32_t id); /* monotonic, when its turn comes */
uint32_t gw_poll_random(struct gw_poller *p);

/* poller_refresh.c */
void gw_poll_refresh_asked(struct gw_poller *p, uint32_t id); /* the question leaves that answers who waits */
void gw_poll_refresh_answer(struct gw_poller *p, uint32_t id, enum dav_err err, const char *code,
                            bool late); /* late: also who came when the question was on its way */
bool gw_poll_refresh_waits(const struct gw_poller *p, uint32_t id);
bool gw_poll_refresh_late(const struct gw_poller *p, uint32_t id);
void gw_poll_refresh_orphan(struct gw_poller *p, uint32_t id);
void gw_poll_refresh_free_all(struct gw_poller *p);

#endif
