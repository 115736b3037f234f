/*
 * cause: the stable codes, one table for everybody: the check, status, logs, `reason` of an unknown person. A code
 * never changes its meaning; each has the step of the check it belongs to, what a poller should do about it, and what a
 * person should.
 */
#ifndef DAVCLIENT_CAUSE_H
#define DAVCLIENT_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

/* What the poller should do. */
enum dav_err {
    DAV_OK,
    DAV_LATER,     /* asked to slow down, or a passing fault: try again after a pause */
    DAV_AUTH,      /* the service account was not let in: nothing on this server will work */
    DAV_FORBIDDEN, /* let in, but not to this person's calendar */
    DAV_NOT_FOUND, /* no such mailbox or calendar */
    DAV_PROTOCOL,  /* the answer makes no sense */
    DAV_LIMIT,     /* the answer is larger than we accept */
    DAV_NETWORK,   /* name, connection, TLS */
    DAV_CANCELLED,
};

/* Steps of the check, in their order. */
enum dav_step {
    DAV_STEP_CONFIG,
    DAV_STEP_DNS,
    DAV_STEP_TCP,
    DAV_STEP_PROXY,
    DAV_STEP_TLS,
    DAV_STEP_HTTP,
    DAV_STEP_SCHEMES,
    DAV_STEP_LOGON,
    DAV_STEP_MAILBOX,
    DAV_STEP_CALENDAR,
    DAV_STEP_READ,
    DAV_STEP_PUBLISH,
};
#define DAV_STEPS (DAV_STEP_PUBLISH + 1)
const char *dav_step_name(enum dav_step step); /* "config" "dns" ... */

struct dav_cause {
    const char *code; /* "receive-as-missing" */
    enum dav_err err;
    enum dav_step step;
    bool whole_server;   /* everybody on the server is concerned, not one person */
    const char *meaning; /* one sentence */
    const char *advice;  /* one or two sentences: what to do */
};

/* NULL for an unknown code. The returned pointer and its texts are static: a code may be compared by pointer. */
const struct dav_cause *dav_cause_find(const char *code);
size_t dav_cause_count(void);
const struct dav_cause *dav_cause_at(size_t i);
const char *dav_err_name(enum dav_err err);

#endif
