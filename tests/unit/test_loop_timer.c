/*
 * loop_timer: the promises of the header, each with the callback that would break it: one that frees itself, one that
 * arms itself again. Time is virtual except where the kernel's clock is what is tested.
 */
#include "loop_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void timers_fire_at_their_ms(void **state)
{
    static const int64_t delays[] = {500, 20, 1000};
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        timers[i] = loop_timer_new(loop, "t", say_time, NULL);
        loop_timer_in(timers[i], delays[i]);
    }
    assert_string_equal(trace, "");
    loop_advance(loop, 19);
    assert_string_equal(trace, "");
    loop_advance(loop, 1);
    assert_string_equal(trace, "20 ");
    assert_false(loop_timer_armed(timers[1]));
    assert_true(loop_timer_armed(timers[0]));
    loop_advance(loop, 5000);
    assert_string_equal(trace, "20 500 1000 ");
    assert_int_equal(clk_wall_ms(clk), START_MS + 5020);
    for (i = 0; i < 3; i++)
        loop_timer_free(&timers[i]);
    assert_null(timers[0]);
    loop_timer_free(&timers[0]);
}

static void same_ms_in_order_of_arming(void **state)
{
    int i;

    (void)state;
    timers[0] = loop_timer_new(loop, "a", say_arg, text("a"));
    timers[1] = loop_timer_new(loop, "b", say_arg, text("b"));
    timers[2] = loop_timer_new(loop, "c", say_arg, text("c"));
    loop_timer_in(timers[2], 10);
    loop_timer_in(timers[0], 10);
    loop_timer_in(timers[1], 10);
    loop_timer_in(timers[2], 10); /* armed again: now the last */
    loop_advance(loop, 10);
    assert_string_equal(trace, "abc");
    loop_timer_in(timers[1], 5);
    loop_timer_in(timers[0], -7);
    loop_timer_stop(timers[1]);
    loop_advance(loop, 10);
    assert_string_equal(trace, "abca");
    for (i = 0; i < 3; i++)
        loop_timer_free(&timers[i]);
}

/* All three are due at once; the first one frees itself and the others. */
static void freed_in_a_callback_is_silent(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        timers[i] = loop_timer_new(loop, "t", free_all_timers, text("x"));
        loop_timer_in(timers[i], 10);
    }
    loop_advance(loop, 100);
    assert_string_equal(trace, "x");
}

static void stop_next_and_arm_again(void *arg)
{
    (void)arg;
    say_time(NULL);
    loop_timer_stop(timers[1]);
    loop_defer(loop, say_arg, text("d "));
    if (strlen(trace) < 12)
        loop_timer_in(timers[0], 0);
}

static void rearmed_at_once_comes_in_the_next_stop(void **state)
{
    int i;

    (void)state;
    timers[0] = loop_timer_new(loop, "again", stop_next_and_arm_again, NULL);
    timers[1] = loop_timer_new(loop, "stopped", say_arg, text("wrong"));
    timers[2] = loop_timer_new(loop, "other", say_arg, text("o "));
    for (i = 0; i < 3; i++)
        loop_timer_in(timers[i], 10);
    loop_advance(loop, 10);
    assert_string_equal(trace, "10 o d 10 d 10 d ");
    for (i = 0; i < 3; i++)
        loop_timer_free(&timers[i]);
}

static void far_away_does_not_wrap(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "far", say_arg, text("wrong"));
    timers[1] = loop_timer_new(loop, "far", say_arg, text("wrong"));
    timers[2] = loop_timer_new(loop, "past", say_arg, text("past"));
    loop_timer_in(timers[0], INT64_MAX);
    loop_timer_at(timers[1], INT64_MAX);
    loop_timer_at(timers[2], INT64_MIN);
    loop_advance(loop, 1000000);
    assert_string_equal(trace, "past");
    assert_true(loop_timer_armed(timers[0]) && loop_timer_armed(timers[1]));
    free_all_timers(text(""));
}

#define MANY 3000

static struct many {
    struct loop_timer *timer;
    int64_t due_ms; /* -1: stopped */
    int fired;
} many[MANY];

static void many_fired(void *arg)
{
    struct many *m = arg;

    assert_int_equal(m->due_ms, clk_mono_ms(clk));
    m->due_ms = -1;
    m->fired++;
}

/* The heap against an array: armed, armed again, stopped and freed at random, each fires at its own ms or not at all.
 */
static void thousands_of_timers(void **state)
{
    int64_t end_ms;
    int i, step;

    (void)state;
    srandom(1);
    for (i = 0; i < MANY; i++)
        many[i] = (struct many){loop_timer_new(loop, "many", many_fired, &many[i]), -1, 0};
    for (step = 0; step < 30; step++) {
        for (i = 0; i < MANY; i++) {
            if (random() % 3 == 0) {
                many[i].due_ms = clk_mono_ms(clk) + 1 + random() % 2000;
                loop_timer_in(many[i].timer, many[i].due_ms - clk_mono_ms(clk));
            } else if (random() % 10 == 0) {
                many[i].due_ms = -1;
                loop_timer_stop(many[i].timer);
            }
        }
        end_ms = clk_mono_ms(clk) + random() % 300;
        loop_advance(loop, end_ms - clk_mono_ms(clk));
        for (i = 0; i < MANY; i++) {
            assert_true(many[i].due_ms == -1 || many[i].due_ms > end_ms);
            assert_int_equal(loop_timer_armed(many[i].timer), many[i].due_ms != -1);
        }
    }
    for (i = 0, step = 0; i < MANY; i++) {
        step += many[i].fired;
        loop_timer_free(&many[i].timer);
    }
    assert_true(step > MANY);
}

/* --- appointments --- */

static void appointment_is_exact(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "at", say_time, NULL);
    loop_timer_at(timers[0], START_MS + 3600123);
    loop_advance(loop, 3600122);
    assert_string_equal(trace, "");
    assert_true(loop_timer_armed(timers[0]));
    loop_advance(loop, 1);
    assert_string_equal(trace, "3600123 ");
    loop_timer_at(timers[0], START_MS);
    assert_string_equal(trace, "3600123 "); /* passed already, but never before loop_timer_at returned */
    loop_advance(loop, 0);
    assert_string_equal(trace, "3600123 3600123 ");
    loop_timer_free(&timers[0]);
}

static void appointment_follows_a_set_clock(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "at", say_time, NULL);
    loop_timer_at(timers[0], START_MS + 3600000);
    loop_advance(loop, 600000);
    clk_fake_step_wall(clk, 3000000); /* the moment is here; noticed within 60 s */
    loop_advance(loop, 60000);
    assert_true(strlen(trace) > 0);
    assert_true(atol(trace) >= 3600000 && atol(trace) <= 3660000);

    trace[0] = '\0';
    loop_timer_at(timers[0], START_MS + 4000000);
    clk_fake_step_wall(clk, -1000000); /* it is 2660000 or so again: must not come when it would have */
    loop_advance(loop, 1000000);
    assert_string_equal(trace, "");
    loop_advance(loop, 1000000);
    assert_string_equal(trace, "4000000 ");
    loop_timer_free(&timers[0]);
}

static struct loop_step *steps[3];
static char step_text[] = "step ";

static void say_and_free_all(void *arg)
{
    say(arg);
    for (unsigned i = 0; i < 3; i++)
        loop_step_free(&steps[i]);
}

/* Told by the kernel: at once, appointments that moved nearer and those that moved away. */
static void a_set_clock_is_noticed_at_once(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "at", say_time, NULL);
    timers[1] = loop_timer_new(loop, "in", say_time, NULL);
    timers[2] = loop_timer_new(loop, "later", say_time, NULL);
    loop_timer_at(timers[0], START_MS + 3600000);
    loop_timer_at(timers[2], START_MS + 3600500);
    loop_timer_in(timers[1], 40000);
    clk_fake_step_wall(clk, 3600000);
    loop_stepped(loop);
    loop_advance(loop, 0);
    assert_string_equal(trace, "3600000 ");
    loop_advance(loop, 500);
    assert_string_equal(trace, "3600000 3600500 ");
    loop_advance(loop, 39500);
    assert_string_equal(trace, "3600000 3600500 3640000 "); /* not an appointment: as long as it was */

    trace[0] = '\0';
    for (unsigned i = 0; i < 3; i++)
        steps[i] = loop_step_new(loop, i == 1 ? say_and_free_all : say_arg, step_text);
    loop_stepped(loop);
    loop_stepped(loop);
    assert_string_equal(trace, "");
    loop_advance(loop, 0);
    assert_string_equal(trace, "step step ");
    loop_stepped(loop);
    for (unsigned i = 0; i < 3; i++)
        loop_timer_free(&timers[i]);
}

/* Setting the machine's clock is nothing for a test: that the kernel was asked to tell is what can be seen. */
static void kernel_is_asked_to_tell(void **state)
{
    char path[64], text[512];
    bool asked = false;

    (void)state;
    for (int fd = 3; fd < 64; fd++) {
        FILE *f;
        size_t n;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        f = fopen(path, "r");
        if (!f)
            continue;
        n = fread(text, 1, sizeof(text) - 1, f);
        text[n] = '\0';
        fclose(f);
        asked = asked || (strstr(text, "clockid: 0\n") && strstr(text, "settime flags: 03\n"));
    }
    assert_true(asked);
    loop_turn(loop, 0); /* and is not ready */
}

static void in_replaces_at(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "both", say_time, NULL);
    loop_timer_at(timers[0], START_MS + 90000);
    loop_timer_in(timers[0], 10);
    loop_advance(loop, 100000);
    assert_string_equal(trace, "10 ");
    loop_timer_in(timers[0], 10);
    loop_timer_at(timers[0], START_MS + 190000);
    loop_advance(loop, 100000);
    assert_string_equal(trace, "10 190000 ");
    loop_timer_free(&timers[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL(timers_fire_at_their_ms),
        VIRTUAL(same_ms_in_order_of_arming),
        VIRTUAL(freed_in_a_callback_is_silent),
        VIRTUAL(rearmed_at_once_comes_in_the_next_stop),
        VIRTUAL(far_away_does_not_wrap),
        VIRTUAL(thousands_of_timers),
        VIRTUAL(appointment_is_exact),
        VIRTUAL(appointment_follows_a_set_clock),
        VIRTUAL(a_set_clock_is_noticed_at_once),
        REAL(kernel_is_asked_to_tell),
        VIRTUAL(in_replaces_at),
    };

    event_enable_debug_mode(); /* aborts on an event that is used after its end, or assigned while pending */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
