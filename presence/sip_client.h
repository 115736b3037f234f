/*
 * sip_client: requests of ours and their answers: client transactions other than INVITE (RFC 3261 17.1.2: timers E and
 * F), with digest where the server asks for it. pub_sip.c publishes with it, pub_sip_server.c notifies.
 */
#ifndef PRESENCE_SIP_CLIENT_H
#define PRESENCE_SIP_CLIENT_H

#include "sip_digest.h"
#include "sip_net.h"

struct pres_sip_client;
struct pres_sip_call;

enum { PRES_SIP_T1_MS = 500, PRES_SIP_T2_MS = 4000, PRES_SIP_TIMEOUT_MS = 64 * PRES_SIP_T1_MS };

enum pres_sip_end {
    PRES_SIP_ANSWERED,
    PRES_SIP_TIMEOUT,    /* nobody answered */
    PRES_SIP_LOST,       /* the connection went */
    PRES_SIP_UNKNOWN_US, /* our name or password is not taken; `answer` is what said so */
};

/* Once, from the loop, unless cancelled; the call is gone then. `answer` lives during it, NULL: there is none. */
typedef void pres_sip_done_fn(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);

/* A request. Texts are copied. */
struct pres_sip_request {
    const char *method, *uri;
    uint32_t cseq;    /* raised by one for each challenge that is met */
    const char *rest; /* header lines with CRLF but for Via, Max-Forwards, CSeq, Content-Length and credentials */
    const char *body;
    size_t body_len;
};

/* Whom challenges are met for. */
struct pres_sip_account {
    const char *user;
    const struct secret *password; /* NULL: none is known */
};

/* `account` NULL: challenges are not met. It is borrowed, and may change in place between calls. */
struct pres_sip_client *pres_sip_client_new(struct loop *loop, struct pres_sip_net *net,
                                            const struct pres_sip_account *account);
void pres_sip_client_free(struct pres_sip_client **c); /* cancels */

/* NULL: there is no room on that path. Retransmits where the path may lose. */
struct pres_sip_call *pres_sip_client_send(struct pres_sip_client *c, const struct pres_sip_path *path,
                                           const struct pres_sip_request *request, pres_sip_done_fn *done, void *arg);
void pres_sip_call_cancel(struct pres_sip_call **call); /* NULL is fine */
/* The CSeq that was used last. */
uint32_t pres_sip_call_cseq(const struct pres_sip_call *call);

/* From the net's handler: an answer; false: to nothing that we asked. */
bool pres_sip_client_take(struct pres_sip_client *c, const struct pres_sip_message *answer);
/* The connection is gone: whoever waits on it is told. */
void pres_sip_client_lost(struct pres_sip_client *c, uint64_t connection);

size_t pres_sip_client_waiting(const struct pres_sip_client *c);   /* calls under way */
uint64_t pres_sip_client_repeats(const struct pres_sip_client *c); /* retransmissions */

#endif
