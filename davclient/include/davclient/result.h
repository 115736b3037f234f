/*
 * result: what a server answered about one person, as plain data: start, end, kind and what decides whether an event
 * counts. No subject, place or attendee has a place here.
 */
#ifndef DAVCLIENT_RESULT_H
#define DAVCLIENT_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/cause.h"

enum dav_busy {
    DAV_FREE,
    DAV_ELSEWHERE,
    DAV_TENTATIVE,
    DAV_BUSY,
    DAV_OOF,
    DAV_NOT_UNDERSTOOD, /* time that a refused item may take; the rules have it count as busy */
};

/* Traits of a span; the rules that weigh them are the caller's. */
enum dav_trait {
    DAV_TRAIT_ALL_DAY = 1,
    DAV_TRAIT_CANCELLED = 2,
    DAV_TRAIT_DECLINED = 4,
    DAV_TRAIT_UNANSWERED = 8,
    DAV_TRAIT_ACCEPTED_MAYBE = 16,
    DAV_TRAIT_PRIVATE = 32,
    DAV_TRAIT_OUTSIDE_HOURS = 64, /* no event: time outside the availability that the calendar publishes (RFC 7953) */
    /* from 128 on: DAV_TRAIT_MARK, see mark.h */
};

struct dav_span {
    int64_t start, end; /* UTC s, half-open, end > start */
    enum dav_busy kind;
    unsigned traits;
};

struct dav_result {
    enum dav_err err;
    const char *code; /* stable code when err is set, see cause.h; NULL when all is well */
    /* one printable line about what the server said; NULL: none. No credential, no calendar text */
    const char *evidence;
    const struct dav_span *spans; /* in no order, may overlap; only when err is DAV_OK */
    size_t count;
    int64_t from, until;   /* the window they answer for */
    int64_t as_of;         /* wall s when the question left */
    int64_t retry_after_s; /* what the server asked for, 0: nothing */
    /* what to hand in with the next question about this person (calendar URL found), NULL: nothing */
    const char *remember;
    const char *way; /* how it was read, when that limits what can be known: one phrase; NULL: nothing to say. Static */
    const char *method, *url; /* of the last request that was sent for it; NULL: none. They live during the call */
    bool unchanged;    /* nothing has changed since the last whole answer: there are no spans here, its hold on, until
                          as_of */
    bool markless;     /* no event was seen, only busy times: nothing is known of the markers of events */
    bool routine;      /* read although there was no sign of a change, because it was time */
    unsigned requests; /* HTTP requests that it took */
    unsigned skipped;  /* items that were broken and left out, each counted, none guessed */
};

#endif
