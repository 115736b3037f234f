/*
 * pub_webhook_ready: how chat systems want a person's status told. One row a product, see docs/webhooks/.
 */
#ifndef PRESENCE_PUB_WEBHOOK_READY_H
#define PRESENCE_PUB_WEBHOOK_READY_H

#include "presence/state.h"

/* Texts are templates (template.h). NULL: there is none. */
struct pres_hook_ready {
    const char *name;
    const char *id;                    /* of the person over there; NULL: `lookup` asks for it */
    const char *lookup, *lookup_field; /* GET, and where the id stands in the answer */
    /* GET and field: what is shown at present. Only what is still ours (`mark`) is changed or taken back. */
    const char *guard, *guard_field, *mark;
    const char *method, *path, *content_type, *body;
    const char *release; /* the body that takes our state back */
    const char *who, *who_field; /* GET: who we are over there, and what an answer that says so has */
    const char *headers[3];
    const char *ok_field; /* true in an answer that means success; NULL: the status says it */
    const char *why_field, *denied; /* of an answer that says no; its words that mean our token, one space between */
    const char *show[PRES_KINDS];
    unsigned text_max; /* bytes of {text}, 0: any */
};

const struct pres_hook_ready *pres_hook_ready_find(const char *name);

#endif
