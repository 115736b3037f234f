/*
 * sip_digest: HTTP digest in SIP (RFC 3261 22, RFC 8760: MD5, and SHA-256 where it is offered), both sides: proving who
 * we are to a server, and asking watchers who they are. Pure but for randomness.
 */
#ifndef PRESENCE_SIP_DIGEST_H
#define PRESENCE_SIP_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "sip_message.h"

struct buf;
struct secret;

/* What a server asked us, for this and the next requests. Zeroed: nothing yet. */
struct pres_sip_auth {
    char *realm, *nonce, *opaque;
    bool proxy, sha256, qop, opaque_told;
    uint32_t count; /* requests with this nonce */
};

/* Takes the best challenge of an answer; false: there is none that we can meet. */
bool pres_sip_auth_take(struct pres_sip_auth *auth, const struct pres_sip_message *answer);
void pres_sip_auth_clear(struct pres_sip_auth *auth);
/* The header line for a request, CRLF included. False: nothing was asked yet. */
bool pres_sip_auth_add(struct pres_sip_auth *auth, struct buf *out, const char *user, const struct secret *password,
                       const char *method, const char *uri);

/* The other side. The key is random and made at the start: nonces die with it. */
struct pres_sip_guard {
    uint8_t key[32];
    const char *realm;
};

enum pres_sip_verdict {
    PRES_SIP_KNOWN,   /* they are who they say */
    PRES_SIP_ASK,     /* no credentials of ours: challenge */
    PRES_SIP_STALE,   /* right, but the nonce is old: challenge with stale=true */
    PRES_SIP_REFUSED, /* wrong */
};

/* `host`: where the request came from; a nonce is good for one of them only. `password` NULL: there is no such user (as
 * long in the making as a wrong password). */
enum pres_sip_verdict pres_sip_guard_look(const struct pres_sip_guard *g, const struct pres_sip_message *m,
                                          const char *password, const char *host, int64_t now_s);
/* A WWW-Authenticate line, CRLF included. */
void pres_sip_guard_ask(const struct pres_sip_guard *g, struct buf *out, const char *host, int64_t now_s, bool stale);

#endif
