/*
 * pub_sip_server: what the files of the presence server share. pub_sip_server.c is the outlet and the door: which
 * request is what, and who may ask (pub_sip_door.c). pub_sip_watch.c has the subscriptions, pub_sip_notify.c their
 * notifications, pub_sip_keep.c what survives a restart. sip_answers.c remembers answers, for requests that come twice.
 */
#ifndef PRESENCE_PUB_SIP_SERVER_H
#define PRESENCE_PUB_SIP_SERVER_H

#include "base/buf.h"
#include "presence/pub_sip.h"
#include "presence/sip_doc.h"
#include "sip_answers.h"
#include "sip_client.h"

struct map;
struct sip_server;

enum { SIP_TAG_MAX = 24 };

/* One subscription: a dialog (RFC 6665 4.2). In the list of whom it watches. */
struct sip_watch {
    struct sip_server *server;
    struct sip_watched *watched;
    struct sip_watch *next, **link;
    struct pres_sip_path path;
    char *remote, *local;                    /* To and From of ours, with tags */
    char *call_id, *target, *routes, *event; /* routes: header lines; event: the value, with its id */
    char *contact, *account;                 /* where we are for the watcher; who it proved to be, "": it is trusted */
    uint32_t cseq_in, cseq_out;
    uint32_t cseq_kept; /* the row's: after a crash we go on behind it */
    unsigned call_back_port; /* where a TCP connection that went may be made anew; 0: nowhere */
    bool called_back;        /* it was, and the watcher has not asked since */
    int64_t ends_ms;         /* mono */
    int64_t told_ms;         /* mono ms of the last notification */
    const char *ending;      /* the reason with which the next notification ends it; NULL: it does not */
    bool changed;            /* something is to be told when the one under way is answered, or its time has come */
    bool restored;           /* from a row, and not looked at since whether it may still watch */
    bool unkept;             /* nothing of it is to be written down */
    unsigned unsafe;         /* rows that are not on the disk yet */
    struct pres_sip_owed *owed; /* what is answered when they are */
    struct pres_sip_call *call;
    struct loop_timer *timer; /* the end, or the next notification */
    char key[];               /* call id and both tags, ours last */
};

/* Somebody who is watched, or asked for: also one who does not exist, which nobody shall find out. */
struct sip_watched {
    struct sip_watch *first;
    size_t count;
    uint64_t told;  /* hash of the state last delivered, 0: none */
    char *entity;   /* "sip:carol@im.example" as the first one asked */
    char address[]; /* "carol@im.example", lower case */
};

struct sip_server {
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    struct pres_sip_doc doc;
    struct pres_sip_net *net; /* NULL: not open */
    struct pres_sip_client *client;
    struct pres_sip_answers *answers;
    struct pres_sip_guard guard;
    char **listen, **trusted;
    size_t listen_count, trusted_count;
    char *domain, *realm;
    struct tls *tls;
    bool (*password)(void *arg, const char *name, char out[PRES_SIP_PASSWORD_MAX]);
    void *password_arg;
    const struct pres_store *store; /* NULL: subscriptions end with us */
    bool (*forgotten)(void *arg, const char *address);
    void *forgotten_arg;
    double rate;
    size_t max_watchers;
    int64_t expires_s, min_expires_s;
    struct loop_timer *start_timer;
    char why[200];
    struct map *watches; /* by key */
    struct map *watched; /* by address */
    struct buf body;
    int64_t guess_at; /* mono ms: the second in which `guesses` wrong passwords came */
    unsigned guesses;
    bool leaving, quiet;
    bool loaded; /* what was kept */
    char self_id[24]; /* Call-ID of a subscription of our own, to see that all works; "": none */
    struct pres_sip_call *self_call;
    uint64_t notified, refused, wrong, ended;
};

/* pub_sip_door.c */
/* Who asks: false: they have been answered. */
bool pres_sip_server_admit(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                           const char **ret_account);
/* Somebody who was let in by that name ("": trusted) from there: would they still be? */
bool pres_sip_server_knows(const struct sip_server *s, const char *account, const char *host);
/* Our tag for the request's dialog: the same for each copy. Returns `out`. */
char *pres_sip_server_tag(const struct sip_server *s, const struct pres_sip_message *m, char out[SIP_TAG_MAX]);
/* Sends an answer; more: header lines. */
void pres_sip_server_answer(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                            unsigned status, const char *reason, const char *more);
/* The same, to be sent when `list` is paid (sip_answers.h). */
void pres_sip_server_owe(struct sip_server *s, struct pres_sip_owed **list, const struct pres_sip_path *path,
                         const struct pres_sip_message *m, unsigned status, const char *reason, const char *more);
/* "<sip:127.0.0.1:5060;transport=tcp>": where we are on that path. The caller frees it. */
char *pres_sip_server_contact(const struct sip_server *s, const struct pres_sip_path *path);

/* pub_sip_watch.c */
/* A SUBSCRIBE from somebody admitted. */
void pres_sip_watch_request(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                            const char *account);
/* A watch without its texts, in its lists; NULL: there are too many. */
struct sip_watch *pres_sip_watch_new(struct sip_server *s, const char *address, const char *entity, const char *key);
/* Tells those who watch the person, as far as the budget goes. */
enum pres_delivered pres_sip_watch_deliver(struct sip_server *s, struct pres_delivery *d);
/* Tells everybody that it is over; true when all have been told. */
bool pres_sip_watch_farewell(struct sip_server *s);
/* Whom phones watch: pres_outlet_ops.watched. */
void pres_sip_watch_each(const void *server, void (*fn)(void *arg, pres_id id), void *arg);
void pres_sip_watch_free_all(struct sip_server *s); /* rows stay */
/* What was promised is safe, or cannot be made so: it is said, and the state told. */
void pres_sip_watch_settle(struct sip_watch *w);
/* Whom that URI names; the address goes to out. */
pres_id pres_sip_watch_person(const struct sip_server *s, const struct pres_sip_uri *uri, struct buf *out);

/* pub_sip_notify.c */
/* Tells the present state: at once, or when the last one has been answered and five seconds have gone. True: it is
 * under way. `w` may be gone afterwards if it was ending. */
bool pres_sip_notify(struct sip_watch *w, bool now);
/* The same beside deliveries, which count what is sent themselves. */
void pres_sip_notify_beside(struct sip_watch *w, bool now);
void pres_sip_watch_end(struct sip_watch *w); /* with its row; frees it */
void pres_sip_watch_free(struct sip_watch *w);
void pres_sip_watch_arm(struct sip_watch *w); /* the timer, for whatever comes next */

/* pub_sip_keep.c */
/* All that were kept, each to be told within moments; once for a connection. */
void pres_sip_watch_load(struct sip_server *s);
/* The row is as the subscription is; pres_sip_watch_settle when it is safe. False: there is nothing to wait for. */
bool pres_sip_watch_keep(struct sip_watch *w);
void pres_sip_watch_unkeep(struct sip_watch *w);
/* Before a notification is numbered: the row is kept ahead of the numbers. */
void pres_sip_watch_keep_ahead(struct sip_watch *w);
/* Nothing of anybody who watches that address, or is called so, is kept any more. */
void pres_sip_watch_forget(struct sip_server *s, const char *address);
/* Somebody whom the site has forgotten is on either side. */
bool pres_sip_watch_nameless(const struct sip_server *s, const char *address, const struct pres_sip_message *m);

#endif
