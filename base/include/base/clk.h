/*
 * clk: where the program reads the time. Everything asks a struct clk, so that a test can own time.
 *
 * Two readings: the wall clock (UTC, can jump) for appointments, and the monotonic clock for waits.
 */
#ifndef BASE_CLK_H
#define BASE_CLK_H

#include <stdbool.h>
#include <stdint.h>

struct clk;

/* The machine's own clocks. One static object; never freed. */
struct clk *clk_system(void);

/* The machine's clocks, with a wall clock that reads `wall_ms` now and runs on from there. Owned by the caller. */
struct clk *clk_shifted_new(int64_t wall_ms);
void clk_shifted_free(struct clk **clk);

/* It goes on by itself; only a fake one does not. */
bool clk_runs(const struct clk *clk);

/* A clock that stands still until told otherwise; wall time starts at `wall_ms`, monotonic at 1000. Owned by the
 * caller. */
struct clk *clk_fake_new(int64_t wall_ms);
void clk_fake_free(struct clk **clk);

/* Both readings go forward by `ms` (>= 0). Timers of a loop on this clock fire in loop_advance(), not here. */
void clk_fake_advance(struct clk *clk, int64_t ms);

/* Only the wall clock jumps, forward or back, as when an administrator sets it. */
void clk_fake_step_wall(struct clk *clk, int64_t ms);

/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clk_wall_ms(const struct clk *clk);

/* The same in whole seconds, rounded down. */
int64_t clk_wall_s(const struct clk *clk);

/* Milliseconds of a clock that never jumps; its origin means nothing. */
int64_t clk_mono_ms(const struct clk *clk);

#endif
