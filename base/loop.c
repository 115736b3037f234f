/*
 * loop: one thread, one turn after the other. A turn is: wait for descriptors and signals (libevent calls us back for
 * each), run the timers that are due, run what was deferred, free what was reaped. main() owns the only loop and hands
 * it to every _new.
 *
 * libevent does the waiting and nothing else. Timers are ours (loop_timer.c), so a test can own time; the worker thread
 * is loop_worker.c. Everything that is called from here is called between loop_clock_start and loop_clock_stop: what
 * holds the thread too long is named in the log.
 */
#include "loop_private.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"

#define SLOW_US 20000

/* How often loop_free runs what keeps deferring itself before it gives up on it. */
#define LAST_ROUNDS 1000

struct loop_fd {
    struct loop *loop;
    const char *name;
    loop_fd_fn *fn;
    void *arg;
    struct event *event;
    int fd;
    unsigned want;
};

struct loop_signal {
    struct loop *loop;
    char name[24];
    loop_fn *fn;
    void *arg;
    struct event *event;
};

static void turn_begin(struct loop *loop);
static void turn_end(struct loop *loop);
static void wait_events(struct loop *loop, int wait_ms);
static void arm_wake(struct loop *loop, int64_t wait_ms);
static int64_t time_to_timer(const struct loop *loop);
static void run_deferred(struct loop *loop);
static void run_reaped(struct loop *loop);
static void finish_everything(struct loop *loop);
static void calls_add(struct loop_calls *c, loop_fn *fn, void *arg);
static void calls_drop(struct loop_calls *c, loop_fn *fn, const void *arg);
static void on_wake(evutil_socket_t fd, short what, void *arg);
static void on_fd(evutil_socket_t fd, short what, void *arg);
static void on_signal(evutil_socket_t signo, short what, void *arg);
static void on_libevent_log(int severity, const char *text);
static void die(const char *what) __attribute__((noreturn));

struct loop *loop_new(struct clk *clk)
{
    struct loop *loop = mem_calloc(1, sizeof(*loop));

    event_set_log_callback(on_libevent_log);
    loop->clk = clk;
    loop->wake_ms = -1;
    loop->base = event_base_new();
    if (!loop->base)
        die("event_base_new failed");
    loop->wake = event_new(loop->base, -1, 0, on_wake, loop);
    if (!loop->wake)
        die("event_new failed");
    loop_step_start(loop);
    return loop;
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;

    if (!l)
        return;
    if (l->in_turn)
        die("loop_free inside a callback");
    finish_everything(l);
    loop_step_stop(l);
    if (l->objects > 0)
        log_warning("loop", "freed before its users left=%zu", l->objects);
    event_free(l->wake);
    event_base_free(l->base);
    free(l->heap.entries);
    free(l->deferred.calls);
    free(l->running.calls);
    free(l->reaped.calls);
    free(l);
    *loop = NULL;
}

struct clk *loop_clk(const struct loop *loop)
{
    return loop->clk;
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping)
        loop_turn(loop, -1);
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_turn(struct loop *loop, int wait_ms)
{
    turn_begin(loop);
    wait_events(loop, wait_ms);
    if (clk_runs(loop->clk))
        loop_timer_run_due(loop);
    turn_end(loop);
}

void loop_advance(struct loop *loop, int64_t ms)
{
    int64_t end_ms = clk_mono_ms(loop->clk) + ms, now_ms, stop_ms;

    if (clk_runs(loop->clk))
        die("loop_advance needs a fake clock");
    do {
        now_ms = clk_mono_ms(loop->clk);
        if (!loop_timer_next(loop, &stop_ms) || stop_ms > end_ms)
            stop_ms = end_ms;
        if (stop_ms > now_ms)
            clk_fake_advance(loop->clk, stop_ms - now_ms);
        turn_begin(loop);
        loop_timer_run_due(loop);
        wait_events(loop, 0); /* what the timers wrote to a socket pair or handed to the worker may be back already */
        turn_end(loop);
    } while (stop_ms < end_ms || (loop_timer_next(loop, &stop_ms) && stop_ms <= end_ms));
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    calls_add(&loop->deferred, fn, arg);
}

void loop_undefer(struct loop *loop, loop_fn *fn, void *arg)
{
    calls_drop(&loop->deferred, fn, arg);
    calls_drop(&loop->running, fn, arg);
}

void loop_reap(struct loop *loop, void (*free_fn)(void *obj), void *obj)
{
    calls_add(&loop->reaped, free_fn, obj);
}

int64_t loop_lag_ms(struct loop *loop)
{
    int64_t us = loop->spent_us > loop->lag_us ? loop->spent_us : loop->lag_us;

    loop->lag_us = 0;
    return us / 1000;
}

struct loop_fd *loop_fd_new(struct loop *loop, const char *name, int fd, loop_fd_fn *fn, void *arg)
{
    struct loop_fd *w = mem_calloc(1, sizeof(*w));

    *w = (struct loop_fd){.loop = loop, .name = name, .fn = fn, .arg = arg, .fd = fd};
    loop->objects++;
    return w;
}

/* libevent cannot change what a pending event waits for: it is taken out, made anew in its old place, and put in again.
 */
void loop_fd_want(struct loop_fd *w, unsigned want)
{
    short what = (short)(EV_PERSIST | (want & LOOP_READ ? EV_READ : 0) | (want & LOOP_WRITE ? EV_WRITE : 0));
    int failed = 0;

    if (want == w->want)
        return;
    if (w->want != 0)
        event_del(w->event);
    w->want = want;
    if (want == 0)
        return;
    if (w->event)
        failed = event_assign(w->event, w->loop->base, w->fd, what, on_fd, w);
    else if (!(w->event = event_new(w->loop->base, w->fd, what, on_fd, w)))
        die("event_new failed");
    if (failed || event_add(w->event, NULL) != 0)
        log_error("loop", "cannot watch a descriptor name=%s fd=%d", w->name, w->fd);
}

void loop_fd_free(struct loop_fd **w)
{
    if (!*w)
        return;
    if ((*w)->event)
        event_free((*w)->event);
    (*w)->loop->objects--;
    free(*w);
    *w = NULL;
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn *fn, void *arg)
{
    struct loop_signal *s = mem_calloc(1, sizeof(*s));
    const char *abbreviation = sigabbrev_np(signo);

    *s = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
    snprintf(s->name, sizeof(s->name), "signal %s", abbreviation ? abbreviation : "?");
    s->event = evsignal_new(loop->base, signo, on_signal, s);
    if (!s->event || event_add(s->event, NULL) != 0)
        die("cannot watch a signal");
    loop->objects++;
    return s;
}

void loop_signal_free(struct loop_signal **s)
{
    if (!*s)
        return;
    event_free((*s)->event);
    (*s)->loop->objects--;
    free(*s);
    *s = NULL;
}

/* Always the real clock: a slow callback is slow even when a test's time stands still. */
int64_t loop_clock_start(void)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void loop_clock_stop(struct loop *loop, int64_t start_us, const char *name, const void *address)
{
    int64_t us = loop_clock_start() - start_us;

    loop->spent_us += us;
    if (us <= SLOW_US)
        return;
    if (address) /* deferred calls have no name; addr2line knows */
        log_warning("loop", "slow callback name=%s fn=%p ms=%" PRId64, name, address, us / 1000);
    else
        log_warning("loop", "slow callback name=%s ms=%" PRId64, name, us / 1000);
}

static void turn_begin(struct loop *loop)
{
    if (loop->in_turn)
        die("a turn inside a turn");
    loop->in_turn = true;
    loop->spent_us = 0;
}

static void turn_end(struct loop *loop)
{
    run_deferred(loop);
    run_reaped(loop);
    if (loop->spent_us > loop->lag_us)
        loop->lag_us = loop->spent_us;
    loop->spent_us = 0;
    loop->in_turn = false;
}

/* wait_ms < 0: as long as it takes. */
static void wait_events(struct loop *loop, int wait_ms)
{
    int64_t timer_ms = time_to_timer(loop), left_ms = wait_ms;
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

    if (timer_ms >= 0 && (left_ms < 0 || timer_ms < left_ms))
        left_ms = timer_ms;
    if (loop->deferred.len > 0 || loop->reaped.len > 0 || loop->stopping)
        left_ms = 0;
    if (left_ms == 0)
        flags |= EVLOOP_NONBLOCK;
    else
        arm_wake(loop, left_ms);
    if (event_base_loop(loop->base, flags) < 0) /* epoll itself is gone: going on would only burn the processor */
        die("event_base_loop failed");
}

/* Touches libevent only when the moment changed: most turns end by a descriptor, long before the next timer. */
static void arm_wake(struct loop *loop, int64_t wait_ms)
{
    int64_t at_ms = wait_ms < 0 ? -1 : loop_clock_start() / 1000 + wait_ms;
    struct timeval tv = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};

    if (at_ms == loop->wake_ms)
        return;
    loop->wake_ms = at_ms;
    if (at_ms < 0)
        event_del(loop->wake);
    else
        event_add(loop->wake, &tv);
}

/* -1: none, or they wait for loop_advance(). */
static int64_t time_to_timer(const struct loop *loop)
{
    int64_t due_ms, left_ms;

    if (!clk_runs(loop->clk) || !loop_timer_next(loop, &due_ms))
        return -1;
    left_ms = due_ms - clk_mono_ms(loop->clk);
    return left_ms < 0 ? 0 : left_ms < INT32_MAX ? left_ms : INT32_MAX;
}

/* The two lists change places, so that what is deferred from here on waits for the next turn. */
static void run_deferred(struct loop *loop)
{
    struct loop_calls now = loop->deferred;
    struct loop_call call;
    int64_t start;
    size_t i;

    loop->deferred = loop->running;
    loop->running = now;
    for (i = 0; i < loop->running.len; i++) {
        call = loop->running.calls[i];
        if (!call.fn)
            continue;
        start = loop_clock_start();
        call.fn(call.arg);
        loop_clock_stop(loop, start, "deferred", (const void *)(uintptr_t)call.fn);
    }
    loop->running.len = 0;
}

/* Freeing one thing may reap another. */
static void run_reaped(struct loop *loop)
{
    struct loop_call call;
    int64_t start = loop_clock_start();
    size_t i;

    if (loop->reaped.len == 0)
        return;
    for (i = 0; i < loop->reaped.len; i++) {
        call = loop->reaped.calls[i];
        call.fn(call.arg);
    }
    loop->reaped.len = 0;
    loop_clock_stop(loop, start, "reap", NULL);
}

/* Jobs first: their `done` may defer, reap, and even ask for more work. */
static void finish_everything(struct loop *loop)
{
    int rounds = 0;

    while (loop_worker_drain(loop) || loop->deferred.len > 0 || loop->reaped.len > 0) {
        if (rounds++ == LAST_ROUNDS) {
            log_warning("loop", "gave up on work that never ends");
            break;
        }
        turn_begin(loop);
        loop_worker_finish(loop);
        turn_end(loop);
    }
    loop_worker_free(loop);
}

static void calls_add(struct loop_calls *c, loop_fn *fn, void *arg)
{
    if (c->len == c->cap) {
        c->cap = c->cap > 0 ? c->cap * 2 : 16;
        c->calls = mem_realloc(c->calls, c->cap, sizeof(*c->calls));
    }
    c->calls[c->len++] = (struct loop_call){fn, arg};
}

static void calls_drop(struct loop_calls *c, loop_fn *fn, const void *arg)
{
    size_t i;

    for (i = 0; i < c->len; i++)
        if (c->calls[i].fn == fn && c->calls[i].arg == arg)
            c->calls[i].fn = NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;

    (void)fd;
    (void)what;
    loop->wake_ms = -1;
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    struct loop_fd *w = arg;
    struct loop *loop = w->loop;
    const char *name = w->name; /* the callback may free the watch */
    unsigned ready = (what & EV_READ ? LOOP_READ : 0U) | (what & EV_WRITE ? LOOP_WRITE : 0U);
    int64_t start = loop_clock_start();

    w->fn(w->arg, fd, ready);
    loop_clock_stop(loop, start, name, NULL);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct loop_signal *s = arg;
    struct loop *loop = s->loop;
    char name[sizeof(s->name)];
    int64_t start = loop_clock_start();

    (void)signo;
    (void)what;
    memcpy(name, s->name, sizeof(name)); /* the callback may free the watch */
    s->fn(s->arg);
    loop_clock_stop(loop, start, name, NULL);
}

static void on_libevent_log(int severity, const char *text)
{
    if (severity == EVENT_LOG_ERR)
        log_error("loop", "libevent: %s", text);
    else if (severity == EVENT_LOG_WARN)
        log_warning("loop", "libevent: %s", text);
    else
        log_debug("loop", "libevent: %s", text);
}

/* Misuse, or a machine without descriptors at start-up. */
static void die(const char *what)
{
    log_error("loop", "%s", what);
    abort();
}
