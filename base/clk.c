/*
 * clk: the only place that asks the kernel for the time (apart from the loop's stopwatch for slow callbacks, which must
 * be real even in tests). main() hands clk_system() to the loop; a test hands it a clock that it moves by hand.
 */
#include "base/clk.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

struct clk {
    bool fake;
    int64_t wall_ms; /* both only for a fake clock */
    int64_t mono_ms;
    int64_t shift_ms; /* added to the machine's wall clock */
};

static int64_t read_clock(clockid_t id);

struct clk *clk_system(void)
{
    static struct clk machine;

    return &machine;
}

struct clk *clk_shifted_new(int64_t wall_ms)
{
    struct clk *clk = mem_calloc(1, sizeof(*clk));

    clk->shift_ms = wall_ms - read_clock(CLOCK_REALTIME);
    return clk;
}

void clk_shifted_free(struct clk **clk)
{
    assert(!*clk || !(*clk)->fake);
    free(*clk);
    *clk = NULL;
}

bool clk_runs(const struct clk *clk)
{
    return !clk->fake;
}

struct clk *clk_fake_new(int64_t wall_ms)
{
    struct clk *clk = mem_calloc(1, sizeof(*clk));

    *clk = (struct clk){.fake = true, .wall_ms = wall_ms, .mono_ms = 1000};
    return clk;
}

void clk_fake_free(struct clk **clk)
{
    assert(!*clk || (*clk)->fake);
    free(*clk);
    *clk = NULL;
}

void clk_fake_advance(struct clk *clk, int64_t ms)
{
    assert(clk->fake && ms >= 0);
    clk->wall_ms += ms;
    clk->mono_ms += ms;
}

void clk_fake_step_wall(struct clk *clk, int64_t ms)
{
    assert(clk->fake);
    clk->wall_ms += ms;
}

int64_t clk_wall_ms(const struct clk *clk)
{
    return clk->fake ? clk->wall_ms : read_clock(CLOCK_REALTIME) + clk->shift_ms;
}

int64_t clk_wall_s(const struct clk *clk)
{
    int64_t ms = clk_wall_ms(clk);

    return ms / 1000 - (ms % 1000 < 0);
}

int64_t clk_mono_ms(const struct clk *clk)
{
    return clk->fake ? clk->mono_ms : read_clock(CLOCK_MONOTONIC);
}

static int64_t read_clock(clockid_t id)
{
    struct timespec ts = {0};

    clock_gettime(id, &ts); /* cannot fail for the two clocks that every Linux has */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
