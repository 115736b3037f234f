/*
 * pub_sip: the two outlets to phones. pres_sip_new publishes everybody's presence to a SIP presence server (PUBLISH,
 * RFC 3903); pres_sip_server_new is a small presence server itself, which phones watch directly (SUBSCRIBE, RFC 6665
 * and 3856). Both carry the same documents (render.h).
 */
#ifndef PRESENCE_PUB_SIP_H
#define PRESENCE_PUB_SIP_H

#include "presence/publisher.h"
#include "presence/render.h"
#include "presence/store.h"

struct secret;
struct tls;

/* What the documents say; for both. */
struct pres_sip_looks {
    struct pres_pidf_map map;
    const char *text[PRES_KINDS]; /* the note: as in pub_xmpp.h */
    const char *zone;             /* of the times in notes, NULL: UTC */
    unsigned future;              /* coming stretches of busy time that are told */
};

/* Everything is copied but `tls` and `store`, which must outlive the publisher. Zero means the default in brackets. */
struct pres_sip_settings {
    const char *server; /* "sip:sip.example.com", "sip:192.0.2.1:5060;transport=tcp", "sips:..." */
    const char *domain; /* only those published under it; NULL: everybody */
    const char *user;   /* NULL: as `self` */
    const char *self;   /* the name under which we publish to ourselves, to see that it works [freebusyd] */
    /* Reads the password, anew before each connection; NULL with a sentence in why, or NULL with "": there is none. */
    struct secret *(*password)(void *arg, char *why, size_t why_size);
    void *password_arg;
    struct tls *tls;   /* for sips: and transport=tls; NULL: there is none */
    int64_t expires_s; /* what is published lasts so long without us [600] */
    unsigned window;   /* requests under way at once [200] */
    struct pres_sip_looks looks;
    const struct pres_store *store;
    const char *name_server; /* for tests; NULL: the system's */
};

/* NULL with a sentence in why. Entity tags are loaded here. */
struct pres_publisher *pres_sip_new(struct loop *loop, struct pres_table *table,
                                    const struct pres_publisher_settings *publisher,
                                    const struct pres_sip_settings *settings, char *why, size_t why_size);

/* NULL: it is the URI of a server, else a phrase. */
const char *pres_sip_server_wrong(const char *uri);
/* May TLS be spoken with it? By its URI, or as its DNS may say. */
bool pres_sip_server_tls(const char *uri);

enum { PRES_SIP_PASSWORD_MAX = 256 };

struct pres_sip_server_settings {
    const char *const *listen; /* "udp:0.0.0.0:5060" "tcp:[::1]:5060" "tls:192.0.2.1:5061" */
    size_t listen_count;
    struct tls *tls;    /* of tls_server_new, for tls: */
    const char *domain; /* people in it may be asked for at our address alone; and the realm of passwords; NULL: none */
    /* The password of somebody who may watch, for each request anew; false: there is no such name. NULL: nobody has
     * one. */
    bool (*password)(void *arg, const char *name, char out[PRES_SIP_PASSWORD_MAX]);
    void *password_arg;
    const char *const *trusted; /* addresses ("192.0.2.1") whose requests need no password, such as a proxy's */
    size_t trusted_count;
    unsigned max_watchers; /* subscriptions in all [10 000] */
    int64_t expires_s;     /* the longest subscription [3600] */
    int64_t min_expires_s; /* the shortest [60] */
    struct pres_sip_looks looks;
    const struct pres_store *store; /* what was subscribed lives on in it over a restart; NULL: nothing does */
    bool (*forgotten)(void *arg, const char *address); /* whose name may not be written down; NULL: nobody's */
    void *forgotten_arg;
    bool quiet; /* only to see that it works: nobody may watch but itself */
};

struct pres_publisher *pres_sip_server_new(struct loop *loop, struct pres_table *table,
                                           const struct pres_publisher_settings *publisher,
                                           const struct pres_sip_server_settings *settings, char *why, size_t why_size);

/* Is it an entry of `listen`? With its parts. */
bool pres_sip_listen_parse(const char *text, char ret_transport[4], char *ret_host, size_t host_size,
                           unsigned *ret_port);
/* For tests: the port that the kernel chose, by "udp" "tcp" "tls". */
unsigned pres_sip_server_port(const struct pres_publisher *p, const char *transport);

#endif
