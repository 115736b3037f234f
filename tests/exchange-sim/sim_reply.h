/*
 * sim_reply: every answer of the server goes out here: its usual headers, the log line, and what the switches do to a
 * 207 document.
 */
#ifndef SIM_REPLY_H
#define SIM_REPLY_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct sim_request;

struct sim_reply {
    int status;
    const char *type; /* Content-Type; NULL: none */
    const char *body; /* NULL: empty */
    size_t len;
    const char *location; /* NULL: none */
    const char *header;   /* one more line, NULL: none */
    const char *const *more; /* and more of them, NULL-terminated; NULL */
    bool bare;            /* not Exchange that answers: no MS-WebStorage */
};

void sim_reply(struct sim_request *r, const struct sim_reply *reply);

/* A short web page that says the status, as IIS sends it. */
void sim_reply_error(struct sim_request *r, int status);
void sim_reply_page(struct sim_request *r, int status, const char *html);
void sim_reply_redirect(struct sim_request *r, const char *location);

/* 207, chunked. header: one more line or NULL. Takes the buffer's bytes. */
void sim_reply_multistatus(struct sim_request *r, struct buf *xml, const char *header);

/* What a client may not do: 400, and it is remembered as a violation. */
void sim_reply_violation(struct sim_request *r, const char *what);

#endif
