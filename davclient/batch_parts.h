/*
 * batch_parts: a question about many as its flavour sees it (exchange_fb.c): who was asked about, and what is settled
 * so far. All of it lives in the query's arena, but for the spans.
 */
#ifndef DAVCLIENT_BATCH_PARTS_H
#define DAVCLIENT_BATCH_PARTS_H

#include "base/buf.h"
#include "davclient/batch.h"
#include "flavour.h"

struct dav_session;

enum dav_batch_state { DAV_BATCH_PENDING, DAV_BATCH_KNOWN, DAV_BATCH_FAILED };

struct dav_batch_entry {
    const char *address;
    const char *const *aliases;
    enum dav_batch_state state;
    const char *code;     /* FAILED */
    const char *evidence; /* in the arena, NULL */
    size_t first, count;  /* KNOWN: spans */
    int64_t from, until;
    unsigned requests; /* in which it was asked about */
};

struct dav_batch {
    struct dav_query *query;
    struct dav_session *session;
    dav_batch_fn *done;    /* NULL: a check of one person ... */
    dav_query_fn *checked; /* ... which ends here */
    dav_step_fn *on_step;  /* of it */
    void *arg;
    struct dav_batch_entry *entries;
    size_t count, pending;
    const char *way;  /* of the flavour: dav_result.way of each person; NULL. Static */
    struct buf spans; /* struct dav_span */
};

struct dav_batch *dav_query_batch(const struct dav_query *q);

/* Each settles one person; PENDING ones get the query's own failure at the end. */
void dav_batch_known(struct dav_batch *b, size_t i, size_t first, int64_t from, int64_t until);
void dav_batch_failed(struct dav_batch *b, size_t i, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* For the flavour's end(). */
void dav_batch_end(struct dav_batch *b);

#endif
