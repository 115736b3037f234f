/*
 * audience: a process on the other core that holds connections and reads what comes, as fast as it can. It counts
 * events, which end with
 * "}\n\n" whoever sends them, and tells through shared memory.
 */
#ifndef LOAD_AUDIENCE_H
#define LOAD_AUDIENCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct audience {
    pid_t pid;
    volatile uint64_t *shared; /* see audience.c */
};

/* Writes what connection `i` says first; returns its length. */
typedef size_t audience_hello_fn(unsigned i, char *out, size_t max);

enum { AUDIENCE_HELLO_MAX = 64 * 1024 };

void audience_start(struct audience *a, unsigned port, unsigned connections, audience_hello_fn *hello);
void audience_stop(struct audience *a);

uint64_t audience_events(const struct audience *a);
uint64_t audience_bytes(const struct audience *a);
double audience_last(const struct audience *a);  /* as stopwatch_now() */
void audience_await(struct audience *a);         /* from now on the first event is the next one */
double audience_first(const struct audience *a); /* 0: none came yet */
/* How often it found for a tenth of a second that there was nothing to read. One that gets no turn on a busy machine
 * counts no events either, but not this. */
uint64_t audience_idle(const struct audience *a);
uint64_t audience_lost(const struct audience *a);

#endif
