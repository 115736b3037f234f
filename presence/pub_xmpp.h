/*
 * pub_xmpp: what the files of the XMPP outlet share. pub_xmpp.c is the outlet (connection, deliveries, dispatch),
 * pub_xmpp_subs.c the life of subscriptions, pub_xmpp_contact.c which contact is who, pub_xmpp_write.c how presence
 * looks, pub_xmpp_iq.c what is answered to questions, pub_xmpp_chat.c what is said to people,
 * pub_xmpp_account.c what is shown beside people's own accounts, pub_xmpp_activity.c what is published in them.
 */
#ifndef PRESENCE_PUB_XMPP_PRIVATE_H
#define PRESENCE_PUB_XMPP_PRIVATE_H

#include "base/buf.h"
#include "presence/pub_xmpp.h"
#include "pub_xmpp_jid.h"
#include "xmpp_stanza.h"
#include "xmpp_stream.h"

struct map;
struct pub_account;
struct pub_activity;
struct pub_contact;

#define PUB_RESOURCE "calendar"
#define PUB_FORMS 3 /* ways in which a person's contact may be written */
#define PUB_PINGS 8 /* to ourselves, at connect */
#define PUB_STANZA_MAX 16384
#define PUB_CHATS_PER_SECOND 50

enum pub_watch_state { PUB_PENDING, PUB_SUBSCRIBED };

/* One subscription, or request for one. */
struct pub_watch {
    struct pub_contact *contact;
    size_t index; /* in the contact's list */
    enum pub_watch_state state;
    bool owed; /* `subscribed` is to be sent when the row is safe and the stream is up */
    bool safe; /* the store has the row */
    unsigned errors;
    uint64_t told;     /* hash of what was sent last where watchers see different things, 0: nothing */
    int64_t probed_at; /* mono ms of the last probe's answer */
    const char *jid;   /* bare, in key */
    char *to;          /* the same escaped for XML; NULL: needs no escape */
    size_t to_len;
    char key[]; /* "local jid" */
};

/* A contact that somebody watches, in one of its spellings. */
struct pub_contact {
    struct pub_watch **watches;
    size_t count, capacity;
    uint64_t told;  /* hash of what was sent last, 0: nothing */
    bool forgotten; /* its watchers are to be told that there is no such contact */
    char local[];  /* escaped, lower case */
};

struct pub_xmpp {
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    const struct pres_store *store;
    char *component, *host, *domain;
    unsigned port;
    struct tls *tls;
    struct secret *(*secret)(void *arg, char *why, size_t why_size);
    void *secret_arg;
    char **allow, **admins;
    size_t allow_count, admin_count, max_watchers;
    bool quiet;
    struct pub_account *account; /* NULL: people's own accounts are left alone */
    struct pub_activity *activity; /* NULL: no activities are published */
    char *show[PRES_KINDS], *text[PRES_KINDS];
    struct pres_zone *zone;

    struct pres_xmpp_stream *stream;
    struct loop_timer *start_timer; /* for failures that come before there is a stream */
    char start_why[200];
    struct map *contacts; /* local -> struct pub_contact */
    struct map *watches;  /* key -> struct pub_watch */
    size_t pending, owed;
    size_t forgotten;      /* contacts that are */
    struct buf out;        /* one stanza */
    struct buf body;       /* inside of a presence */
    struct buf head, tail; /* what stands before and behind a watcher's JID */
    struct buf local;      /* a contact's spelling */
    struct buf words;      /* a status text */

    unsigned form; /* delivery under way: spelling, and how far */
    size_t at;
    uint64_t saying;
    bool leaving; /* farewell under way */
    size_t leave_pos;
    struct pub_contact *leave_contact;
    size_t leave_at;

    int64_t chat_at; /* mono ms: the second in which `chats` were answered */
    unsigned chats;

    uint64_t ping_nonce;
    unsigned pings_back;
    bool doubted; /* not one of the first came back */
    struct loop_timer *ping_timer;
    struct loop_timer *settle_timer; /* armed: we have just been started */

    uint64_t stanzas_in, stanzas_dropped, refusals, echoes, errors_in;
};

/* pub_xmpp.c. What came, to the file that knows about it. */
void pres_pub_stanza(struct pub_xmpp *x, const struct pres_xml *stanza);
/* False: the stream is not ready, or has no room; the stanza is lost. Takes what is in x->out. */
bool pres_pub_send(struct pub_xmpp *x);
uint64_t pres_pub_hash(const struct buf *body, const char *type); /* of what pres_pub_body made, never 0 */

/* pub_xmpp_view.c: as that JID may see it. Nobody may be told more than what comes from here. */
struct pres_seen;
bool pres_pub_limited(const struct pub_xmpp *x);
pres_id pres_pub_person_for(const struct pub_xmpp *x, const char *jid, const char *local);
bool pres_pub_presence_for(const struct pub_xmpp *x, const char *jid, pres_id id, struct pres_presence *ret);
struct pres_seen *pres_pub_known_for(const struct pub_xmpp *x, const char *jid, pres_id id);
enum pres_delivered pres_pub_deliver_limited(struct pub_xmpp *x, struct pres_delivery *d);
void pres_pub_told_limited(struct pub_watch *w, uint64_t hash);

/* pub_xmpp_contact.c */
/* The person behind a local part of ours, whoever may see them; PRES_NOBODY: none, or spelt in a way we do not use. */
pres_id pres_pub_person(const struct pub_xmpp *x, const char *local);
/* The i-th spelling (< PUB_FORMS) of an address; the first is the one we show. False: there is no such. */
bool pres_pub_form(const struct pub_xmpp *x, const char *address, unsigned i, struct buf *out);
bool pres_pub_allowed(const struct pub_xmpp *x, const struct pres_jid *jid);
bool pres_pub_is_admin(const struct pub_xmpp *x, const struct pres_jid *jid);

/* pub_xmpp_subs.c */
void pres_pub_subs_load(struct pub_xmpp *x);
void pres_pub_subs_free(struct pub_xmpp *x);
void pres_pub_subs_ready(struct pub_xmpp *x); /* the stream is up: what is owed is sent */
void pres_pub_presence(struct pub_xmpp *x, const struct pres_xml *stanza);
struct pub_watch *pres_pub_watch(const struct pub_xmpp *x, const char *local, const char *jid);
/* As if the watcher had asked, or had been decided about. */
void pres_pub_subscribe(struct pub_xmpp *x, const char *local, const struct pres_jid *from);
void pres_pub_unsubscribe(struct pub_xmpp *x, const char *local, const struct pres_jid *from);
/* An administrator's word about everything that this JID asked for. Returns how many requests that were. */
size_t pres_pub_decide(struct pub_xmpp *x, const char *jid, bool allow);
/* It is no more, here and in the store, and `then` (or NULL) when it is gone there for good; with its last watch the
 * contact goes. */
void pres_pub_drop(struct pub_xmpp *x, struct pub_watch *w, pres_store_done_fn *then);
/* The same for somebody who may not see and for somebody who does not exist. False: it was not sent. */
bool pres_pub_refuse(struct pub_xmpp *x, const char *local, const char *jid, bool also_unavailable);

/* pub_xmpp_forget.c */
void pres_pub_forget(struct pub_xmpp *x, const char *address);
void pres_pub_forget_rest(struct pub_xmpp *x); /* the stream is up: who could not be told before */

/* pub_xmpp_demand.c */
void pres_pub_watched(const void *outlet, void (*fn)(void *arg, pres_id id), void *arg);

/* pub_xmpp_account.c. Each but the first two and the last only where there is x->account. */
struct pub_account *pres_pub_account_new(void);
void pres_pub_account_free(struct pub_account **a);
void pres_pub_account_lost(struct pub_xmpp *x, const char *text); /* the stream is gone, and why */
void pres_pub_account_grant(struct pub_xmpp *x, const struct pres_xml *message);
/* A user's own presence, as their server hands it to us. */
void pres_pub_account_presence(struct pub_xmpp *x, const struct pres_jid *from, const char *type);
void pres_pub_account_deliver(struct pub_xmpp *x, const struct pres_delivery *d);
bool pres_pub_account_answer(struct pub_xmpp *x, const struct pres_xml *iq); /* false: it is none to us */
void pres_pub_account_people_changed(struct pub_xmpp *x);
void pres_pub_account_farewell(struct pub_xmpp *x);
uint64_t pres_pub_account_shown(const struct pub_xmpp *x);
/* The JID of the account that belongs to an address, and back; these two always. */
bool pres_pub_account_jid(const char *address, struct buf *out);
pres_id pres_pub_account_person(const struct pub_xmpp *x, const char *jid);

/* pub_xmpp_activity.c. Each but the first two and the last only where there is x->activity. */
struct pub_activity *pres_pub_activity_new(struct pub_xmpp *x);
void pres_pub_activity_free(struct pub_activity **a);
void pres_pub_activity_ready(struct pub_xmpp *x);
void pres_pub_activity_lost(struct pub_xmpp *x);
void pres_pub_activity_grant(struct pub_xmpp *x, const struct pres_xml *message);
void pres_pub_activity_deliver(struct pub_xmpp *x, const struct pres_delivery *d);
bool pres_pub_activity_answer(struct pub_xmpp *x, const struct pres_xml *iq); /* false: it is none to us */
void pres_pub_activity_people_changed(struct pub_xmpp *x);
bool pres_pub_activity_farewell(struct pub_xmpp *x); /* false: there was no room, call it again */
uint64_t pres_pub_activity_shown(const struct pub_xmpp *x);

/* pub_xmpp_write.c */
/* What stands inside a presence of that state; *ret_type: "" or " type='unavailable'". `stamped`: with a delay stamp
 * where the state is old. */
void pres_pub_body(struct pub_xmpp *x, const struct pres_presence *now, bool stamped, struct buf *out,
                   const char **ret_type);
void pres_pub_text(const struct pub_xmpp *x, const struct pres_presence *now, struct buf *out); /* plain, not escaped */
/* One presence into x->out. */
void pres_pub_write(struct pub_xmpp *x, const char *local, bool with_resource, const char *to, const char *type,
                    const char *body);
/* What stands before the watcher's JID in such a stanza, and behind it. */
void pres_pub_head(const struct pub_xmpp *x, const char *local, bool with_resource, struct buf *out);
void pres_pub_tail(const char *type, const char *body, struct buf *out);
void pres_pub_clock(const struct pub_xmpp *x, int64_t t,
                    struct buf *out); /* "15:00 UTC", with the day when it is not today */

/* pub_xmpp_iq.c, pub_xmpp_adhoc.c, pub_xmpp_chat.c */
void pres_pub_iq(struct pub_xmpp *x, const struct pres_xml *stanza);
void pres_pub_iq_error(struct pub_xmpp *x, const struct pres_xml *stanza, const char *type, const char *condition);
bool pres_pub_iq_begin(struct pub_xmpp *x, const struct pres_xml *stanza); /* "<iq type='result' ...>" into x->out */
void pres_pub_command(struct pub_xmpp *x, const struct pres_xml *stanza, const struct pres_xml *command);
void pres_pub_message(struct pub_xmpp *x, const struct pres_xml *stanza);
void pres_pub_ask_admins(struct pub_xmpp *x, const char *jid, const char *address);

#endif
