/*
 * pub_webhook: the outlet to whoever takes HTTP requests: states as JSON, batched and signed; or, by template, the
 * status of a person in a chat system. At least once, in order for each person, from a queue that survives a restart.
 */
#ifndef PRESENCE_PUB_WEBHOOK_H
#define PRESENCE_PUB_WEBHOOK_H

#include "presence/publisher.h"
#include "presence/store.h"

struct secret;

/* Everything is copied but `store`, which must outlive the publisher. NULL and zero mean what the comment says. */
struct pres_webhook_settings {
    const char *name;  /* of the queue's rows in the store */
    const char *ready; /* "mattermost" ...: see pres_webhook_ready; NULL: none */
    const char *url;   /* a template; of a ready-made one, where the server begins */
    const char *method;
    /* Reads both files, now and then; each NULL: there is none. False with a sentence in why. */
    bool (*secrets)(void *arg, struct secret **ret_sign, struct secret **ret_token, char *why, size_t why_size);
    void *secrets_arg;
    const char *const *headers; /* "Name: value", templates */
    size_t header_count;
    const char *body; /* a template, for one person; NULL: the batch as JSON */
    const char *content_type;
    const char *id; /* a template: what the other side calls the person; NULL: it is asked */
    const char *const *persons;
    size_t person_count; /* 0: everybody */
    const char *const *groups;
    size_t group_count;   /* 0: everybody */
    unsigned kinds;       /* a bit a kind, 0: all */
    unsigned batch;       /* states in a request [100] */
    int64_t delay_ms;     /* wait so long for more of them */
    int64_t timeout_ms;   /* [10 000] */
    unsigned break_after; /* failures in a row, then it rests [5] */
    size_t queue_max;     /* persons that wait [100 000] */
    bool allow_inner;     /* a redirect may lead to this machine and this link */
    const char *ca_file, *client_cert_file, *client_key_file;
    const char
        *show[PRES_KINDS]; /* NULL: the ready-made one's; "" in a ready-made one: nothing is shown for this kind */
    const char *text[PRES_KINDS];
    const char *zone;
    const struct pres_store *store;
};

/* NULL with a sentence in why. The queue is loaded here. */
struct pres_publisher *pres_webhook_new(struct loop *loop, struct pres_table *table,
                                        const struct pres_publisher_settings *publisher,
                                        const struct pres_webhook_settings *settings, char *why, size_t why_size);

/* Is there a ready-made one of this name? */
bool pres_webhook_ready(const char *name);
/* The template of what the product calls a person; NULL: it finds out. */
const char *pres_webhook_id(const char *name);
/* NULL: may be the URL of a hook; else a phrase. */
const char *pres_webhook_url_wrong(const char *url);

#endif
