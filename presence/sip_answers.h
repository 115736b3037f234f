/*
 * sip_answers: server transactions (RFC 3261 17.2.2) as far as they matter here: a request that comes again by UDP gets
 * the answer that the first one got, and does nothing.
 */
#ifndef PRESENCE_SIP_ANSWERS_H
#define PRESENCE_SIP_ANSWERS_H

#include "sip_net.h"

struct pres_sip_answers;

struct pres_sip_answers *pres_sip_answers_new(struct loop *loop, struct pres_sip_net *net);
void pres_sip_answers_free(struct pres_sip_answers **a);

/* Was it answered already? Then it has been again. */
bool pres_sip_answers_again(struct pres_sip_answers *a, const struct pres_sip_path *path,
                            const struct pres_sip_message *m);
/* Sends an answer to where the request's Via says, and remembers it. */
void pres_sip_answers_send(struct pres_sip_answers *a, const struct pres_sip_path *path,
                           const struct pres_sip_message *m, const char *data, size_t len);

/* An answer that waits for something, such as a disk: copies of its request do nothing meanwhile. A list. */
struct pres_sip_owed;
void pres_sip_answers_owe(struct pres_sip_answers *a, struct pres_sip_owed **list, const struct pres_sip_path *path,
                          const struct pres_sip_message *m, const char *data, size_t len);
/* Sends them all, in the order in which they were owed; *list is NULL afterwards. */
void pres_sip_answers_pay(struct pres_sip_answers *a, struct pres_sip_owed **list);
void pres_sip_answers_waive(struct pres_sip_answers *a, struct pres_sip_owed **list); /* none is sent */

#endif
