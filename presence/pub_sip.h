/*
 * pub_sip: what the files of the outlet that publishes share. pub_sip.c is the outlet (connection, deliveries, what the
 * server sends us), pub_sip_publish.c the life of one publication, pub_sip_store.c what survives a restart,
 * pub_sip_self.c the proof that what is published arrives.
 */
#ifndef PRESENCE_PUB_SIP_PRIVATE_H
#define PRESENCE_PUB_SIP_PRIVATE_H

#include "base/buf.h"
#include "presence/pub_sip.h"
#include "presence/sip_doc.h"
#include "sip_client.h"
#include "sip_target.h"

struct io_name;
struct map;
struct pub_sip;

enum { PUB_SIP_MTU = 1300, PUB_SIP_BODY_MAX = 16384 };

/* What the server holds of us about one person: a state with an end, known by a tag that changes with each request. */
struct publication {
    struct pub_sip *outlet;
    pres_id id;
    char *address;              /* publish_as */
    char *tag;                  /* NULL: the server holds nothing that we know of */
    int64_t ends_at;            /* wall s: then it forgets */
    uint64_t told;              /* hash of the state it holds, 0: none */
    uint64_t telling;           /* of the one under way */
    int64_t asked_s;            /* how long the one under way shall last */
    int64_t min_s;              /* what the server said is the least */
    int64_t ghost_until;        /* wall s: so long an older state of ours may stand beside ours; 0: it cannot */
    bool doubtful;              /* the tag may be an old one: an answer was lost, or we were away */
    bool due;                   /* to be sent even when nothing changed */
    bool changed;               /* while one was under way */
    bool going;                 /* to be removed */
    bool brief;                 /* the server found it too long */
    bool by_tcp;                /* this once, for its size */
    unsigned failures, repeats; /* in a row; sent anew at once for the same state */
    int64_t not_before;         /* mono ms */
    struct pres_sip_call *call; /* under way */
    struct loop_timer *timer;   /* refresh, or the next attempt */
    char aor[];                 /* "sip:alice@example.com" */
};

struct pub_sip {
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    const struct pres_store *store;
    struct pres_sip_server server;
    struct pres_sip_doc doc;
    char *domain, *self, *user, *name_server;
    struct secret *(*password)(void *arg, char *why, size_t why_size);
    void *password_arg;
    struct tls *tls;
    int64_t expires_s;
    unsigned window;

    struct pres_sip_account account; /* the password belongs to us */
    struct pres_sip_net *net;        /* NULL: not connected */
    struct pres_sip_client *client;
    struct pres_sip_path path;   /* to the server */
    struct pres_sip_path large;  /* TCP beside UDP, for what is too large for a datagram */
    int64_t large_refused_until; /* mono ms */
    struct pres_sip_search *search;
    struct pres_sip_target targets[PRES_SIP_TARGETS_MAX];
    size_t target_count, target; /* the one being tried */
    struct io_name *name;
    struct pres_sip_call *hello;
    struct loop_timer *start_timer; /* for failures before anything was sent */
    const char *start_code;
    char start_why[200];
    bool up;
    int64_t heard_at; /* mono ms: the server's last answer */

    struct map *publications;        /* by aor */
    struct loop_timer *pause_timer;  /* armed: the server wants to be left alone */
    struct loop_timer *settle_timer; /* armed: we have just been started */
    struct buf body;
    size_t going;    /* publications to be removed */
    size_t going_at; /* where the search for them is */
    bool leaving;    /* all are */

    struct pres_sip_call *self_call; /* pub_sip_self.c */
    struct loop_timer *self_timer;
    unsigned self_tries;
    char self_nonce[20], self_id[20];
    char *self_tag;
    uint64_t refreshed, conflicts, ghosts, refused, pauses;
};

/* pub_sip.c: the connection is of no use any more. */
void pres_pub_sip_down(struct pub_sip *x, const char *code, const char *text, bool slow);

/* pub_sip_publish.c */
struct publication *pres_pub_sip_get(struct pub_sip *x, const char *aor, const char *address);
/* Sends the state; false: there is no room, or the state cannot be written. */
bool pres_pub_sip_publish(struct publication *p, const struct pres_presence *now);
/* Sends removals as far as there is room. */
void pres_pub_sip_remove_going(struct pub_sip *x);
void pres_pub_sip_go(struct publication *p);
bool pres_pub_sip_room(const struct pub_sip *x);
void pres_pub_sip_forget(struct publication *p); /* frees it */
void pres_pub_sip_cancel(struct publication *p); /* the call under way, its answer never to be known */
/* Header lines that every request about `aor` has. */
void pres_pub_sip_head(struct buf *out, const char *aor, const char *event);

/* pub_sip_store.c */
void pres_pub_sip_load(struct pub_sip *x);
void pres_pub_sip_keep(const struct publication *p); /* the row is as the publication is */

/* pub_sip_self.c */
void pres_pub_sip_self_init(struct pub_sip *x);
void pres_pub_sip_self_start(struct pub_sip *x);
void pres_pub_sip_self_stop(struct pub_sip *x);
/* A NOTIFY: is it about ourselves? */
bool pres_pub_sip_self_take(struct pub_sip *x, const struct pres_sip_message *m);

#endif
