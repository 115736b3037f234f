/*
 * sim_subscribe: subscriptions to folders, and who is told by datagram. They live in the server's memory: a restart
 * forgets them all and begins to count anew.
 */
#ifndef SIM_SUBSCRIBE_H
#define SIM_SUBSCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/udp.h"

struct jv;
struct sim;
struct sim_subs;

/* One of them. */
struct sim_sub {
    uint32_t id;
    char *mailbox;       /* key */
    char *href;          /* of the folder, without slash at the end */
    bool calendar;       /* it is the calendar, which changes; other folders never do */
    unsigned revision;   /* of the mailbox, when it was last asked about */
    int64_t ends_at;     /* by the simulator's clock */
    int64_t lifetime;
    bool call_back;
    bool silent;         /* the call-back names a host that we do not know */
    struct udp_peer peer;
    char *line;          /* what to say to it first: "NOTIFY httpu://... HTTP/1.1" */
    int64_t told_at_ms;  /* monotonic; 0: not since the last POLL */
    struct sim_sub *next;
};

struct sim_subs *sim_subs_new(struct sim *sim);
void sim_subs_free(struct sim_subs **subs);
void sim_subs_forget(struct sim_subs *subs); /* as by a restart */
struct jv *sim_subs_json(const struct sim_subs *subs);

/* For sim_subscribe.c and sim_notify.c. */
struct sim_sub *sim_subs_add(struct sim_subs *subs);
struct sim_sub *sim_subs_find(struct sim_subs *subs, uint32_t id); /* NULL: none, or it is over */
void sim_subs_remove(struct sim_subs *subs, uint32_t id);
bool sim_sub_has_news(const struct sim *sim, const struct sim_sub *sub);

/* sim_notify.c: tells those with a call-back whose folder has changed; called now and then. */
void sim_notify(struct sim *sim, struct sim_sub *subs, struct udp **udp, int64_t now_ms);

#endif
