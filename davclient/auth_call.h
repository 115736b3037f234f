/*
 * auth_call: one request with a credential in it, and what its scheme needs around it: another exchange before, a
 * connection of its own, a token from the worker. Session and query send everything through here; the scheme's file
 * (auth_ntlm.c, auth_negotiate.c) drives.
 *
 * The callback comes from the loop, exactly once, never before dav_call_start() returned or after dav_call_cancel().
 */
#ifndef DAVCLIENT_AUTH_CALL_H
#define DAVCLIENT_AUTH_CALL_H

#include "base/fetch.h"
#include "inner.h"

#define DAV_CALL_HEADERS 26

enum dav_call_end {
    DAV_CALL_ANSWERED, /* `answer`: what came of the request, be it a 401 or a failure of the wire */
    DAV_CALL_AGAIN,    /* nothing was sent that counts: ask again as soon as the session lets you */
    DAV_CALL_STUCK,    /* the scheme cannot be carried through; nobody judged the secret. code, evidence */
    DAV_CALL_REFUSED,  /* the secret was refused by somebody else than the server (a KDC). code, evidence */
};

struct dav_call_result {
    enum dav_call_end end;
    const struct fetch_answer *answer; /* NULL unless ANSWERED */
    bool shown;                        /* this very call showed the secret, so its answer is a verdict on it */
    const char *code;
    const char *evidence;
};
typedef void dav_call_fn(void *arg, const struct dav_call_result *result);

struct dav_call_request {
    struct fetch_request http; /* done and arg unused; texts but the URL must live as long as the call */
    struct dav_host *host;
    bool own;  /* the session's own: it may show the secret in any state */
    bool bare; /* without any credential */
    bool anew; /* shows the secret even where a connection is logged on already */
    dav_call_fn *done;
    void *arg;
};

struct dav_call *dav_call_start(struct dav_session *s, const struct dav_call_request *request);
void dav_call_cancel(struct dav_call **c);

/* --- for the schemes --- */

struct dav_call {
    struct dav_session *session;
    const struct dav_auth_ops *auth; /* NULL: bare */
    struct dav_call_request request;
    char *url;
    unsigned epoch; /* of the session's secret when the call began */
    uint64_t number; /* of requests with credentials */
    int64_t due_ms;
    struct fetch *fetch;
    bool shown;
    bool waiting_to_end; /* an end without exchange, soon */
    enum dav_call_end end;
    const char *code;
    char evidence[200];
    /* NTLM */
    struct dav_lane *lane;
    int leg;
    unsigned losses;
    bool challenged; /* an open connection said 401 */
    /* Negotiate */
    struct dav_ticket *ticket;
};

/* One exchange of a call. */
struct dav_leg {
    struct fetch_client *client;
    const char *credential; /* a header line; NULL: none */
    bool empty;             /* without the body: for a leg that nobody will read */
    int64_t pin;
    bool fresh;
    fetch_done_fn *done; /* arg: the call; c->fetch is NULL again */
};
void dav_call_send(struct dav_call *c, const struct dav_leg *leg);

void dav_call_answered(struct dav_call *c, const struct fetch_answer *answer);

/* Ends it from the loop, or soon when `later`: that is for ends found before dav_call_start() has returned. */
void dav_call_end(struct dav_call *c, enum dav_call_end end, bool later, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * May it show the secret now? Only one call of a session is between showing and verdict, where the scheme says so by
 * these two. False: the call ends with DAV_CALL_AGAIN (`starting`: dav_call_start() has not returned yet).
 */
bool dav_call_show(struct dav_call *c, bool starting);
void dav_call_shown(struct dav_call *c); /* the verdict is known, or will not come */

#endif
