/*
 * What the tests of loop have in common: a loop with a clock of ours, and callbacks that leave a trace.
 */
#ifndef UNIT_LOOP_WORLD_H
#define UNIT_LOOP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "until.h"

#define START_MS 1700000000000

static struct clk *clk;
static struct loop *loop;
static char trace[200]; /* what the callbacks say, in order */

static inline void say(const char *what)
{
    assert_true(strlen(trace) + strlen(what) < sizeof(trace));
    strcat(trace, what);
}

static inline void say_arg(void *arg)
{
    say(arg);
}

static inline char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static inline int set_up(void **state)
{
    (void)state;
    trace[0] = '\0';
    clk = clk_fake_new(START_MS);
    loop = loop_new(clk);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    clk_fake_free(&clk);
    log_set_sink(NULL, NULL);
    return 0;
}

static inline int set_up_real(void **state)
{
    (void)state;
    trace[0] = '\0';
    loop = loop_new(clk_system());
    return 0;
}

/* Turns until the callbacks have said `wanted`. */
static inline void turn_until(const char *wanted)
{
    int64_t end = clk_mono_ms(clk_system()) + PATIENCE_MS;

    while (strcmp(trace, wanted) != 0 && clk_mono_ms(clk_system()) < end)
        loop_turn(loop, 50);
    assert_string_equal(trace, wanted);
}

static struct loop_timer *timers[3];

static inline void say_time(void *arg)
{
    char now[40];

    (void)arg;
    snprintf(now, sizeof(now), "%lld ", (long long)(clk_wall_ms(clk) - START_MS));
    say(now);
}

static inline void free_all_timers(void *arg)
{
    int i;

    say(arg);
    for (i = 0; i < 3; i++)
        loop_timer_free(&timers[i]);
}

#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define REAL(test) cmocka_unit_test_setup_teardown(test, set_up_real, tear_down)

#endif
