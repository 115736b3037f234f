/*
 * sip_message: one SIP message as plain data, read by libosip2 after sip_head.c has let it through. All texts live in
 * the caller's arena; the library's objects are gone when pres_sip_read returns. Only what a publisher and a presence
 * server look at is kept.
 */
#ifndef PRESENCE_SIP_MESSAGE_H
#define PRESENCE_SIP_MESSAGE_H

#include <stdint.h>

#include "sip_head.h"

struct arena;
struct buf;
struct udp_peer;

enum { PRES_SIP_VIAS_MAX = 20, PRES_SIP_ROUTES_MAX = 20, PRES_SIP_CHALLENGES_MAX = 4 };

struct pres_sip_uri {
    const char *text;      /* as it goes into a request */
    const char *user;      /* escapes undone; NULL: none */
    const char *host;      /* without brackets */
    unsigned port;         /* 0: none */
    const char *transport; /* NULL: none */
    bool secure;           /* sips: */
};

/* WWW-Authenticate or Proxy-Authenticate, quotes taken off. Texts may be NULL. */
struct pres_sip_challenge {
    bool proxy, stale;
    const char *realm, *nonce, *opaque, *algorithm, *qop;
};

/* Authorization */
struct pres_sip_credentials {
    const char *user, *realm, *nonce, *uri, *response, *algorithm, *cnonce, *qop, *nc;
};

struct pres_sip_message {
    bool request;
    const char *method; /* of an answer: of what it answers */
    unsigned status;
    const char *reason;
    struct pres_sip_uri uri;
    const char *vias[PRES_SIP_VIAS_MAX]; /* the first with what we add: received, rport */
    unsigned via_count;
    const char *branch, *via_host;             /* of the first; branch "" where a phone of 1999 sent none */
    unsigned via_port;                         /* 0: none */
    bool rport;                                /* answers go to the port that the request came from */
    const char *from, *from_tag, *to, *to_tag; /* tags: NULL: none */
    struct pres_sip_uri from_uri;
    const char *call_id;
    uint32_t cseq;
    bool has_contact;
    struct pres_sip_uri contact;
    const char *routes[PRES_SIP_ROUTES_MAX]; /* Record-Route, as sent */
    unsigned route_count;
    struct pres_sip_uri first_route, last_route; /* what an answer's or request's next hop is */
    struct pres_sip_challenge challenges[PRES_SIP_CHALLENGES_MAX];
    unsigned challenge_count;
    bool has_credentials;
    struct pres_sip_credentials credentials;
    struct pres_sip_head head; /* every header, for those that are read by name */
    const char *body;
    size_t body_len;
};

/* `from`: who sent it; NULL: nobody (tests). False: it is not one that we can do anything with. */
bool pres_sip_read(struct pres_sip_message *m, struct arena *a, const char *data, const struct pres_sip_extent *extent,
                   const struct udp_peer *from);

/* A header that is a number; -1: it is not there, or none. */
int64_t pres_sip_number(const struct pres_sip_message *m, const char *name);
/* Is `word` one of the comma-separated values of any header of that name, parameters left aside? */
bool pres_sip_lists(const struct pres_sip_message *m, const char *name, const char *word);

/* Via, From, To (with `tag` where it has none), Call-ID, CSeq: what every answer repeats, behind its status line. */
void pres_sip_answer_begin(struct buf *out, const struct pres_sip_message *m, unsigned status, const char *reason,
                           const char *tag);

#endif
