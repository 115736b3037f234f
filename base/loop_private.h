/*
 * What loop.c (turns, descriptors, signals, deferred work), loop_timer.c (the heap of timers), loop_step.c (a wall
 * clock that is set) and loop_worker.c (the thread) know of each other; io.c, whose streams libevent drives, needs the
 * event base. Nobody else includes this.
 */
#ifndef BASE_LOOP_PRIVATE_H
#define BASE_LOOP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct event;
struct event_base;
struct loop_worker;

/* A timer in the heap; `due_ms` stands beside the pointer so that sifting stays within the array. */
struct loop_heap_entry {
    int64_t due_ms;
    struct loop_timer *timer;
};

struct loop_heap {
    struct loop_heap_entry *entries;
    size_t len;
    size_t cap;
    uint64_t armed; /* counts armings: timers due at the same ms fire in the order they were armed */
};

/* Calls for later: `fn` becomes NULL when taken back. */
struct loop_call {
    loop_fn *fn;
    void *arg;
};

struct loop_calls {
    struct loop_call *calls;
    size_t len;
    size_t cap;
};

struct loop {
    struct event_base *base;
    struct clk *clk;
    struct event *wake; /* the one libevent timer: ends a wait, does nothing */
    int64_t wake_ms;    /* when it goes off, on CLOCK_MONOTONIC; -1: not armed */
    bool stopping;
    bool in_turn;
    struct loop_heap heap;
    struct loop_calls deferred; /* for the end of this turn */
    struct loop_calls running;  /* being run right now */
    struct loop_calls reaped;
    struct loop_worker *worker; /* NULL until first used */
    size_t objects;             /* timers, descriptors, signals and step watches alive */
    int step_at;                /* the kernel's notice that the wall clock was set */
    struct loop_fd *step_watch; /* NULL: there is none */
    struct loop_step *steps, *step_next;
    int64_t spent_us; /* in callbacks during this turn */
    int64_t lag_us;   /* the most of them since last asked */
};

/* Around each callback: returns the start to hand to loop_clock_stop, which warns when it took too long. */
int64_t loop_clock_start(void);
void loop_clock_stop(struct loop *loop, int64_t start_us, const char *name, const void *address);

/* When the first timer is due, on the loop's clock. False: none armed. */
bool loop_timer_next(const struct loop *loop, int64_t *ret_ms);

/* Runs what is due now; what is armed meanwhile waits for the next call, even when it is due at once. */
void loop_timer_run_due(struct loop *loop);

/* Every appointment looks at the wall clock in the next turn. */
void loop_timer_look_again(struct loop *loop);

/* The loop's own watch for a wall clock that is set; nothing for a fake clock. */
void loop_step_start(struct loop *loop);
void loop_step_stop(struct loop *loop);

/* Waits until every job has been worked on. True: some of them still need their `done`. */
bool loop_worker_drain(struct loop *loop);

/* Runs `done` of every finished job. */
void loop_worker_finish(struct loop *loop);

/* Ends the thread; there are no jobs any more. */
void loop_worker_free(struct loop *loop);

#endif
