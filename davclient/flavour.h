/*
 * flavour: one protocol spoken by the session: Exchange's WebDAV, CalDAV. A flavour turns a question into requests and
 * answers into spans; it knows nothing of connections, pace, logon, redirects or back-off, which are the session's and
 * the query's business.
 *
 * The course of a question: begin() is called once, from the loop, when the session is ready; it asks its first request
 * with dav_query_send(). Each whole answer comes to answer(), which sends the next request or ends the question with
 * dav_query_succeed() or dav_query_fail(): exactly one of the three, as the last thing it does. end() is for what does
 * not live in the query's arena.
 *
 * What never reaches answer(): lost, cut or oversized answers, a 207 that could not be read to its end, redirects
 * (followed or refused before), 429 and 503 with Retry-After, a 401 that rejects the service account. A 401 that does
 * arrive means: the account is good, this person's data is closed to it.
 */
#ifndef DAVCLIENT_FLAVOUR_H
#define DAVCLIENT_FLAVOUR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "davclient/account.h"
#include "davclient/query.h"
#include "davclient/result.h"
#include "multistatus.h"

struct arena;
struct fetch;
struct loop;
struct dav_query;
struct dav_session;

/* One request. `headers`, `body`, `method` and `spec` are not copied: static, or in the query's arena. `url` is copied.
 */
struct dav_ask {
    const char *method;
    const char
        *url; /* "/path" on the host that serves this person, or an absolute URL whose host must be an allowed one */
    const char *const *headers; /* "Name: value", NULL-terminated; Authorization and Expect are not the flavour's */
    const char *body;           /* NULL: none */
    size_t body_len;
    const struct dav_ms_spec
        *spec;              /* a 207 is read as it arrives, on_response gets the rows; NULL: every body is collected */
    dav_ms_fn *on_response; /* its arg is the query */
    bool compressed;        /* gzip welcome */
    int64_t total_ms;       /* for the whole exchange; 0: the usual */
    bool behind;            /* whoever waits may go first: this question has had its share */
    bool may_shrink;        /* an answer that is too large, cut or late comes to answer(), as DAV_STATUS_*: it may be
                               this request's fault, and a smaller one may do better */
};

#define DAV_STATUS_TOO_LARGE 413 /* more than account.max_answer_bytes */
#define DAV_STATUS_LOST 0        /* none came, or not whole: reply.body is what happened */

/* A whole answer; lives during answer(). */
struct dav_reply {
    int status;
    bool multistatus;       /* 207, complete, and read through the spec */
    unsigned rows;          /* DAV:responses in it */
    const char *sync_token; /* DAV:sync-token of it, "" for none */
    const char *body;       /* of what was not read through a spec, NUL-terminated; at most 64 KiB of an error page */
    size_t body_len;
    const char *path; /* where the answer came from, after redirects: escaped path ... */
    const char *url;  /* ... and the whole URL */
    const struct fetch
        *fetch; /* NULL for a 401 that was held back until it was clear whom it meant; see dav_reply_header() */
};

/* The first header of that name, NULL when there is none. */
const char *dav_reply_header(const struct dav_reply *reply, const char *name);

struct dav_flavour {
    const char *name;                 /* in log lines */
    const char *probe_method;         /* NULL: PROPFIND */
    const char *const *probe_headers; /* of the PROPFIND on the account's URL that asks what the server is and wants */
    const char *probe_body;

    /* Writes what the server calls itself ("Exchange 2003 (6.5.7638)") when its headers say so, else leaves it alone.
     */
    void (*identify)(const struct fetch *fetch, char *product, size_t size);

    /*
     * The answer to the PROPFIND without credentials, or to the same with them (`logged_on`), when it is neither 401
     * nor a redirect. NULL: one can work with such a server; else a stable code for the whole server.
     */
    const char *(*judge_probe)(const struct dav_reply *reply, bool logged_on);

    void (*begin)(struct dav_query *q);
    void (*answer)(struct dav_query *q, const struct dav_reply *reply);
    void (*end)(
        struct dav_query *q); /* the question is over (also by cancel or failure after begin()); NULL: nothing to do */
    const char *(*describe)(void *shared); /* session_info.changes, NULL: nothing to say; NULL: never */
    void (*forget)(void *shared); /* the session is over, and with it what dav_query_shared() holds; NULL: nothing */
    const struct dav_flavour *batch; /* the same server, asked about many people at once: begin, answer, end, forget;
                                        NULL: it cannot be */
};

extern const struct dav_flavour dav_exchange_flavour;
extern const struct dav_flavour dav_caldav_flavour;
extern const struct dav_flavour dav_ifb_flavour;
extern const struct dav_flavour dav_caldav_outbox_flavour; /* a `batch` */
extern const struct dav_flavour dav_exchange_fb_flavour; /* a `batch` */

/* What a flavour may ask of its query. None of these calls back. */
const struct dav_question *dav_query_question(const struct dav_query *q); /* our copy; the window may have been cut */
const struct dav_account *dav_query_account(const struct dav_query *q);
struct arena *dav_query_arena(struct dav_query *q);
void *dav_query_state(const struct dav_query *q); /* what begin() put there, NULL before */
void dav_query_set_state(struct dav_query *q, void *state);

/* What the flavour keeps for all questions of a session; NULL at first. */
void **dav_query_shared(struct dav_query *q);

/* The session, for what outlives the question: none of these calls back. */
struct dav_session *dav_query_session(const struct dav_query *q);
struct loop *dav_session_loop(const struct dav_session *s);
const char *dav_session_name(const struct dav_session *s);
void dav_session_hint(struct dav_session *s, uint32_t number);

/* More than was asked for is read: that is the window which the answer is for. */
void dav_query_widen(struct dav_query *q, int64_t from, int64_t until);

/* The question is answered by what the caller holds: nothing has changed in [from, until) as of then. */
void dav_query_unchanged(struct dav_query *q, int64_t from, int64_t until, int64_t as_of);
void dav_query_routine(struct dav_query *q); /* it will be read anew, but nothing says that anything has changed */
int64_t dav_query_as_of(const struct dav_query *q); /* when it began */

/* Now, wall s: for what ages while nobody asks. */
int64_t dav_query_now(const struct dav_query *q);

/* How this person is being read, and what cannot be known that way: dav_result.way. Static. */
void dav_query_way(struct dav_query *q, const char *way);
void dav_query_markless(struct dav_query *q); /* no event is seen: see dav_result.markless */

void dav_query_send(struct dav_query *q, const struct dav_ask *ask);
void dav_query_succeed(struct dav_query *q);
void dav_query_fail(struct dav_query *q, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Adds to the answer. False: more than account.max_rows; the question fails with answer-too-large, return false from
 * on_response. */
bool dav_query_span(struct dav_query *q, const struct dav_span *span);
size_t dav_query_span_count(const struct dav_query *q);
void dav_query_clear_spans(struct dav_query *q); /* starting over with another method; forgets skipped items as well */
void dav_query_skip(struct dav_query *q);        /* an item was broken and left out */

/* The answer is about less time than was asked: all else is unknown, not free. */
void dav_query_cut(struct dav_query *q, int64_t from, int64_t until);

/* To be handed in with the next question about this person. Copied. Same as already known: cheap. */
void dav_query_remember(struct dav_query *q, const char *text);

/* The check: this step is passed, with a line of evidence (fmt may be NULL). Nothing happens for a plain question. */
void dav_query_passed(struct dav_query *q, enum dav_step step, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The path of the account's URL, with trailing slash. */
const char *dav_query_base_path(const struct dav_query *q);

/* May this be asked: a path, or a URL whose host is the account's own or an allowed one? For what was remembered or
 * configured. */
bool dav_query_may_ask(const struct dav_query *q, const char *url);

/* What the server calls itself, as far as is known; "" before. */
const char *dav_query_product(const struct dav_query *q);

/*
 * What a status that a flavour has no own idea about means: "http-server-error", "calendar-forbidden",
 * "calendar-not-found" ... NULL for 2xx. Looks into error pages for what tells causes apart.
 */
const char *dav_reply_code(const struct dav_reply *reply);

#endif
