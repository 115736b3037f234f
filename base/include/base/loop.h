/*
 * loop: the one thread's event loop, over libevent. Timers, descriptors, signals, work for the end of the turn, and a
 * worker for what must block.
 *
 * Timers run on the loop's clock (see clk.h): with a fake clock they fire only in loop_advance(). Each callback is
 * timed; one that takes longer than 20 ms is warned about by its name.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct clk;
struct loop;
struct loop_timer;
struct loop_fd;
struct loop_signal;
struct loop_step;

typedef void loop_fn(void *arg);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void loop_fd_fn(void *arg, int fd, unsigned ready); /* ready: LOOP_READ | LOOP_WRITE */

/* `clk` must outlive the loop. */
struct loop *loop_new(struct clk *clk);
void loop_free(struct loop **loop); /* runs what was deferred or reaped before */
struct clk *loop_clk(const struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn: handles what is ready, or waits up to `wait_ms` for something. For tests and freebusyctl. */
void loop_turn(struct loop *loop, int wait_ms);

/*
 * Tests with a fake clock: goes forward `ms`, stopping at each timer that is due on the way, so that callbacks see the
 * time they asked for. Deferred work runs after each stop. A timer that keeps arming itself
 * with 0 ms holds the time, and so this call, for ever.
 */
void loop_advance(struct loop *loop, int64_t ms);

/* A one-shot timer, owned by its maker. `name` (static text) appears in warnings. */
struct loop_timer *loop_timer_new(struct loop *loop, const char *name, loop_fn *fn, void *arg);
void loop_timer_free(struct loop_timer **t);          /* safe inside its own callback; no callback afterwards */
void loop_timer_in(struct loop_timer *t, int64_t ms); /* (re)arms; ms < 0 counts as 0 */
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

/*
 * Arms for a moment of the wall clock (ms since 1970); the callback comes when the moment has been reached. A clock
 * that is set does not lose or delay the appointment: the loop looks at the wall clock again when the kernel says that
 * it was set, and every 60 s in any case.
 */
void loop_timer_at(struct loop_timer *t, int64_t wall_ms);

/* `fn` comes, from the loop, after the wall clock was set. */
struct loop_step *loop_step_new(struct loop *loop, loop_fn *fn, void *arg);
void loop_step_free(struct loop_step **s); /* safe inside any such fn */

/* What happens when the kernel says that the wall clock was set. Tests with a fake clock say it themselves. */
void loop_stepped(struct loop *loop);

/* Watches `fd`, which stays the caller's. want: LOOP_READ | LOOP_WRITE, 0 for a pause. */
struct loop_fd *loop_fd_new(struct loop *loop, const char *name, int fd, loop_fd_fn *fn, void *arg);
void loop_fd_want(struct loop_fd *w, unsigned want);
void loop_fd_free(struct loop_fd **w);

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn *fn, void *arg);
void loop_signal_free(struct loop_signal **s);

/* Runs `fn` once at the end of this turn (or soon, when called outside a turn). What is deferred meanwhile runs in the
 * next turn, after waiting descriptors had their chance: long work cut into slices starves nobody. */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* Takes back every deferred call with this pair. */
void loop_undefer(struct loop *loop, loop_fn *fn, void *arg);

/* Frees `obj` at the very end of the turn, when nobody further up the stack can still hold it. */
void loop_reap(struct loop *loop, void (*free_fn)(void *obj), void *obj);

/*
 * The one worker thread, for calls that block (files on slow disks, SQLite). `work` runs there and must not touch the
 * loop; `done` runs in the loop afterwards. Jobs run in order. loop_free() waits for them all and runs their `done`.
 */
void loop_work(struct loop *loop, loop_fn *work, loop_fn *done, void *arg);

/* Longest time between two turns' starts that was spent in callbacks since the last call, in ms. */
int64_t loop_lag_ms(struct loop *loop);

#endif
