/*
 * pub_xmpp: the outlet to an XMPP server, as an external component (XEP-0114) with one contact per person: whoever
 * subscribes to alice\40example.com@cal.example.com sees when Alice is busy.
 */
#ifndef PRESENCE_PUB_XMPP_H
#define PRESENCE_PUB_XMPP_H

#include "presence/publisher.h"
#include "presence/store.h"

/* The part of the outlet that is everybody who sees people's own activities: a server tells all of them the same. */
#define PRES_XMPP_PART_ACTIVITY "activity"

struct secret;
struct tls;

/* Everything is copied but `tls` and `store`, which must outlive the publisher. NULL and zero mean what the comment
 * says. */
struct pres_xmpp_settings {
    const char *component; /* our domain */
    const char *host;
    unsigned port;
    struct tls *tls; /* NULL: plain */
    /* Reads the secret, anew before each connection; NULL with a sentence in why. */
    struct secret *(*secret)(void *arg, char *why, size_t why_size);
    void *secret_arg;
    const char *domain;       /* of mail addresses: alice@cal.example.com will do for alice@DOMAIN; NULL: none */
    const char *const *allow; /* who may subscribe: "im.example.com" (everybody there) or "bob@im.example.com" */
    size_t allow_count;
    const char *const *admins; /* JIDs that are asked about everybody else; none: they are refused */
    size_t admin_count;
    const char *show[PRES_KINDS]; /* "" "chat" "away" "xa" "dnd"; for UNKNOWN not looked at */
    /* The status text; [ and ] enclose what is left out when the end is not known, {until} is that end. */
    const char *text[PRES_KINDS];
    const char *zone;    /* of the times in texts, from the system's zone files; NULL: UTC */
    size_t max_watchers; /* subscriptions in all; more are refused [100 000] */
    const struct pres_store *store;
    bool own_account; /* show a resource beside people's own accounts, see docs/xmpp.md */
    bool own_activity; /* publish activities in people's own accounts, as PRES_XMPP_PART_ACTIVITY sees them */
    bool quiet; /* only to see that it connects: nothing is answered to anybody */
};

/* NULL with a sentence in why. Subscriptions are loaded here. */
struct pres_publisher *pres_xmpp_new(struct loop *loop, struct pres_table *table,
                                     const struct pres_publisher_settings *publisher,
                                     const struct pres_xmpp_settings *settings, char *why, size_t why_size);

/* Is this a text template as above? */
bool pres_xmpp_text_valid(const char *text);
/* Is it an entry of `allow`, or a domain name? */
bool pres_xmpp_jid_valid(const char *text);

#endif
