/*
 * query: one question about one person: "what does the calendar say from A to B", with its own memory, deadlines, and
 * exactly one answer.
 */
#ifndef DAVCLIENT_QUERY_H
#define DAVCLIENT_QUERY_H

#include "davclient/result.h"
#include "davclient/session.h"

struct dav_query;

struct dav_question {
    const char *address;        /* SMTP address, as configured */
    const char *path;           /* mailbox or calendar path that overrides what follows from the address; NULL */
    const char *const *aliases; /* further addresses of this person (for PARTSTAT), NULL-terminated; NULL */
    const char *zone;     /* zone of floating times and dates where the calendar names none; NULL: the account's */
    const char *remember; /* from the last result about this person; NULL */
    int64_t from, until;  /* UTC s */

    /* For who asks about a person again and again; zero for a single question. */
    bool again;      /* notes may be kept for the next question about this person */
    bool held;       /* the last whole answer of this session is still in use, so this one may say `unchanged` */
    uint32_t number; /* the caller's for this person, given back with hints (dav_session_on_hint) */
    int64_t fresh_s; /* what the server said so many seconds ago about changes will do; 0: it must be asked */
};

/* The answer. Everything in it lives during the call only. */
typedef void dav_query_fn(void *arg, const struct dav_result *result);

/*
 * Copies the question. The answer comes from the loop, exactly once, never before this returned: within 120 s, or when
 * the session's state makes it hopeless (a refused logon answers at once with its code, without a request).
 */
struct dav_query *dav_query_start(struct dav_session *s, const struct dav_question *question, dav_query_fn *done,
                                  void *arg);

/* No answer afterwards; *q becomes NULL. In every state, from inside any callback; NULL is fine. */
void dav_query_cancel(struct dav_query **q);

/*
 * The check: the same question, told step by step. on_step comes for each step that was passed or that failed; the last
 * is the first that failed, or "read". Then done comes with the result. Never more than one logon attempt.
 */
struct dav_step_report {
    enum dav_step step;
    bool ok;
    const struct dav_cause *cause; /* when not ok */
    const char *evidence;          /* one line; also for ok: "TLSv1.2, certificate until 2027-01-01"; may be NULL */
};
typedef void dav_step_fn(void *arg, const struct dav_step_report *report);
struct dav_query *dav_check_start(struct dav_session *s, const struct dav_question *question, dav_step_fn *on_step,
                                  dav_query_fn *done, void *arg);

#endif
