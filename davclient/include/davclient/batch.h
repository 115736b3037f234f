/*
 * batch: one question about many people: "what do their calendars say from A to B", for servers that publish free/busy
 * of many in one answer. Beside query.h, which asks about one. What comes is coarse (quarters of an hour, and as old as
 * what the server published last), and it is all that can be had without rights on the calendars.
 */
#ifndef DAVCLIENT_BATCH_H
#define DAVCLIENT_BATCH_H

#include "davclient/query.h"
#include "davclient/result.h"
#include "davclient/session.h"

struct dav_batch;

#define DAV_BATCH_MAX 500    /* people in one question */
#define DAV_BATCH_SLOT_S 900 /* the grid of the answer */

struct dav_batch_person {
    const char *address;
    const char *const *aliases; /* further addresses by which the answer may call this person, NULL-terminated; NULL */
};

struct dav_batch_question {
    const struct dav_batch_person *persons;
    size_t count;        /* what is beyond DAV_BATCH_MAX is not asked about */
    int64_t from, until; /* UTC s; widened to the grid */
};

/*
 * Lives during the call. `persons` are as many as were asked about, in that order, each a whole result: its spans, or
 * the code for which this person is unknown; from and until are what the server published for this person, which may be
 * less than what was asked.
 */
struct dav_batch_result {
    const struct dav_result *persons;
    size_t count;
    enum dav_err err;      /* DAV_OK when the server answered about anybody; else nobody is known, for this reason */
    const char *code;      /* with err; what whoever could not be asked about any more has as well */
    const char *evidence;  /* NULL: none */
    int64_t retry_after_s; /* what the server asked for, 0: nothing */
    unsigned requests;     /* HTTP requests that all of it took */
};
typedef void dav_batch_fn(void *arg, const struct dav_batch_result *result);

/* Can this server be asked about many at once? It may still turn out that it does not offer it. */
bool dav_batch_possible(const struct dav_session *s);

/* How many to put into one question, for best effect; 0: see above. */
unsigned dav_batch_size(const struct dav_session *s);

/*
 * Copies the question. The answer comes from the loop, exactly once, never before this returned, within 120 s, by the
 * same rules as a query's. A question that the server finds too large, or that one person spoils, is asked again in
 * halves before that. NULL, and no answer, where dav_batch_possible() is false.
 */
struct dav_batch *dav_batch_start(struct dav_session *s, const struct dav_batch_question *question, dav_batch_fn *done,
                                  void *arg);

/* No answer afterwards; *b becomes NULL. In every state, from inside any callback; NULL is fine. */
void dav_batch_cancel(struct dav_batch **b);

/* The check (query.h), for a person who is read this way. */
struct dav_query *dav_batch_check_start(struct dav_session *s, const struct dav_question *question,
                                        dav_step_fn *on_step, dav_query_fn *done, void *arg);

#endif
