/*
 * pace: how fast, and how long to hold back. Pure functions on numbers; the session asks them.
 */
#ifndef DAVCLIENT_PACE_H
#define DAVCLIENT_PACE_H

#include <stdint.h>

/* A token bucket. Its burst is what a tenth of a second brings, at least one: "spread evenly" is meant in earnest. */
struct dav_pace {
    double rate; /* per second */
    double burst;
    double tokens; /* may be below zero: what had to go out at once is paid for afterwards */
    int64_t at_ms;
};

void dav_pace_init(struct dav_pace *p, double rate, int64_t now_ms);

/* 0: one may go now; else how many ms to wait. */
int64_t dav_pace_wait_ms(struct dav_pace *p, int64_t now_ms);
void dav_pace_take(struct dav_pace *p, int64_t now_ms);

/* How many could go at once now. */
unsigned dav_pace_room(const struct dav_pace *p, int64_t now_ms);

/*
 * How long to leave a server alone after the attempt-th failure in a row (from 0): `first_ms` doubled each time up to
 * `ceiling_ms`, give or take a quarter by `dice` (any random number), so that many of us do not come back at the same
 * moment.
 */
int64_t dav_pace_backoff_ms(unsigned attempt, int64_t first_ms, int64_t ceiling_ms, uint64_t dice);

/* The seconds that a Retry-After header asks for (RFC 9110 10.2.3: a number or a date); 0: none, unreadable or past. */
int64_t dav_pace_retry_after_s(const char *value, int64_t now_wall_s);

#endif
