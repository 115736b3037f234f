/*
 * loop: the promises of its header, each with the callback that would break it: one that frees its own watch, one that
 * defers for ever. Time is virtual except where a descriptor or the real clock is what is tested.
 */
#include "loop_world.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* --- deferred work --- */

static void defer_second(void *arg)
{
    say("1");
    loop_defer(loop, say_arg, arg);
}

static void undefer_third(void *arg)
{
    say("u");
    loop_undefer(loop, say_arg, arg);
}

static void deferred_once_then_next_turn(void **state)
{
    (void)state;
    loop_defer(loop, defer_second, text("2"));
    loop_defer(loop, say_arg, text("x"));
    assert_string_equal(trace, "");
    loop_turn(loop, 1000); /* must not wait: there is work */
    assert_string_equal(trace, "1x");
    loop_turn(loop, 1000);
    assert_string_equal(trace, "1x2");
    loop_turn(loop, 0);
    assert_string_equal(trace, "1x2");
}

static void undefer_takes_back_all_of_a_pair(void **state)
{
    char *a = text("a"), *b = text("b");

    (void)state;
    loop_defer(loop, say_arg, a);
    loop_defer(loop, undefer_third, b);
    loop_defer(loop, say_arg, b);
    loop_defer(loop, say_arg, a);
    loop_defer(loop, say_arg, b);
    loop_undefer(loop, say_arg, a);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_string_equal(trace, "u");
}

static void defer_for_ever(void *arg)
{
    loop_defer(loop, defer_for_ever, arg);
}

static void say_fd(void *arg, int fd, unsigned ready)
{
    char c;

    (void)ready;
    assert_int_equal(read(fd, &c, 1), 1);
    say(arg);
}

static void slices_starve_nobody(void **state)
{
    struct loop_fd *w;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    w = loop_fd_new(loop, "pipe", fds[0], say_fd, text("r"));
    loop_fd_want(w, LOOP_READ);
    defer_for_ever(NULL);
    loop_turn(loop, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(loop, 0);
    assert_string_equal(trace, "r");
    loop_undefer(loop, defer_for_ever, NULL);
    loop_fd_free(&w);
    close(fds[0]);
    close(fds[1]);
}

static void defer_from_timer(void *arg)
{
    say("t");
    loop_defer(loop, say_arg, arg);
}

static void deferred_runs_at_each_stop(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "a", defer_from_timer, text("d "));
    timers[1] = loop_timer_new(loop, "b", defer_from_timer, text("e "));
    loop_timer_in(timers[0], 10);
    loop_timer_in(timers[1], 20);
    loop_advance(loop, 20);
    assert_string_equal(trace, "td te ");
    loop_timer_free(&timers[0]);
    loop_timer_free(&timers[1]);
}

static void arm_first_timer(void *arg)
{
    (void)arg;
    loop_timer_in(timers[0], 0);
}

static void advance_ends_with_nothing_due(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "a", say_time, NULL);
    loop_defer(loop, arm_first_timer, NULL);
    loop_advance(loop, 100);
    assert_string_equal(trace, "100 ");
    loop_timer_free(&timers[0]);
}

/* --- reaping --- */

static void say_and_free(void *obj)
{
    say(obj);
    free(obj);
}

static void reap_another(void *obj)
{
    say_and_free(obj);
    loop_reap(loop, say_and_free, mem_strdup("C"));
}

static void reap_then_use(void *arg)
{
    char *obj = mem_strdup("B");

    loop_reap(loop, reap_another, obj);
    say(obj); /* still there */
    loop_defer(loop, say_arg, arg);
}

static void reaped_at_the_very_end(void **state)
{
    (void)state;
    timers[0] = loop_timer_new(loop, "a", reap_then_use, text("d"));
    loop_timer_in(timers[0], 1);
    loop_advance(loop, 1);
    assert_string_equal(trace, "BdBC");
    loop_timer_free(&timers[0]);
}

static void free_runs_what_is_left(void **state)
{
    (void)state;
    loop_defer(loop, defer_second, text("2"));
    loop_reap(loop, say_and_free, mem_strdup("R"));
    loop_free(&loop);
    assert_string_equal(trace, "1R2");
    loop_free(&loop);
}

/* --- descriptors --- */

static struct loop_fd *watch;

static void say_ready(void *arg, int fd, unsigned ready)
{
    char c;

    (void)arg;
    say(ready == LOOP_READ ? "r" : ready == LOOP_WRITE ? "w" : "b");
    if (ready & LOOP_READ && read(fd, &c, 1) == 0)
        say("eof");
}

static void want_can_change(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    watch = loop_fd_new(loop, "pair", fds[0], say_ready, NULL);
    assert_int_equal(write(fds[1], "xyz", 3), 3);
    loop_turn(loop, 0);
    assert_string_equal(trace, ""); /* nothing wanted yet */
    loop_fd_want(watch, LOOP_READ);
    assert_string_equal(trace, "");
    loop_turn(loop, 0);
    assert_string_equal(trace, "r");
    loop_fd_want(watch, LOOP_READ | LOOP_WRITE);
    loop_turn(loop, 0);
    assert_string_equal(trace, "rb");
    loop_fd_want(watch, 0);
    loop_turn(loop, 0);
    assert_string_equal(trace, "rb");
    loop_fd_want(watch, LOOP_WRITE);
    loop_turn(loop, 0);
    assert_string_equal(trace, "rbw");
    loop_fd_want(watch, LOOP_READ);
    loop_turn(loop, 0);
    close(fds[1]);
    loop_turn(loop, 0);
    assert_string_equal(trace, "rbwrreof");
    loop_fd_free(&watch);
    assert_null(watch);
    close(fds[0]);
}

static struct loop_fd *pair[2];

static void free_both(void *arg, int fd, unsigned ready)
{
    (void)fd;
    (void)ready;
    say(arg);
    loop_fd_free(&pair[0]);
    loop_fd_free(&pair[1]);
}

/* Both ends are ready in the same turn; whoever comes first frees both. */
static void fd_freed_in_a_callback_is_silent(void **state)
{
    int fds[2], i;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (i = 0; i < 2; i++) {
        pair[i] = loop_fd_new(loop, "pair", fds[i], free_both, text("x"));
        loop_fd_want(pair[i], LOOP_WRITE);
    }
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_string_equal(trace, "x");
    close(fds[0]);
    close(fds[1]);
}

static void pause_in_callback(void *arg, int fd, unsigned ready)
{
    (void)fd;
    (void)ready;
    say(arg);
    loop_fd_want(watch, 0);
}

static void pause_in_a_callback_holds(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    watch = loop_fd_new(loop, "pipe", fds[1], pause_in_callback, text("w"));
    loop_fd_want(watch, LOOP_WRITE);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_string_equal(trace, "w");
    loop_fd_free(&watch);
    close(fds[0]);
    close(fds[1]);
}

static void turn_comes_back_in_time(void **state)
{
    int64_t start = clk_mono_ms(clk_system());

    (void)state;
    timers[0] = loop_timer_new(loop, "fake", say_arg, text("wrong"));
    loop_timer_in(timers[0], 0);
    loop_turn(loop, 30); /* nothing to wait for at all; the fake clock's timer does not count */
    assert_true(clk_mono_ms(clk_system()) - start >= 20); /* libevent looks at a coarse clock */
    assert_string_equal(trace, "");
    loop_timer_free(&timers[0]);
}

/* --- signals --- */

static struct loop_signal *sig;

static void say_and_unwatch(void *arg)
{
    say(arg);
    loop_signal_free(&sig);
}

static void signals_arrive_in_a_turn(void **state)
{
    struct loop_signal *other = loop_signal_new(loop, SIGUSR2, say_arg, text("2"));

    (void)state;
    sig = loop_signal_new(loop, SIGUSR1, say_and_unwatch, text("1"));
    raise(SIGUSR1);
    assert_string_equal(trace, "");
    turn_until("1");
    raise(SIGUSR2);
    turn_until("12");
    raise(SIGUSR2);
    turn_until("122");
    loop_signal_free(&other);
}

/* --- the worker --- */

static pthread_t loop_thread;

struct task {
    char name[4];
    bool worked;
};

static void task_work(void *arg)
{
    struct task *t = arg;

    assert_false(pthread_equal(pthread_self(), loop_thread));
    t->worked = true;
}

/* Long enough that loop_free meets it at work. */
static void task_work_slowly(void *arg)
{
    int64_t end = clk_mono_ms(clk_system()) + 2;

    while (clk_mono_ms(clk_system()) < end)
        ;
    task_work(arg);
}

static void task_done(void *arg)
{
    struct task *t = arg;

    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_true(t->worked);
    say(t->name);
}

static void task_done_more(void *arg)
{
    static struct task more = {.name = "+"};

    task_done(arg);
    more.worked = false;
    loop_work(loop, task_work, task_done, &more);
}

static void work_comes_back_in_order(void **state)
{
    struct task tasks[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
    int i;

    (void)state;
    loop_thread = pthread_self();
    for (i = 0; i < 3; i++)
        loop_work(loop, task_work, task_done, &tasks[i]);
    assert_string_equal(trace, "");
    turn_until("abc");
    tasks[0].worked = false;
    loop_work(loop, task_work, task_done_more, &tasks[0]);
    turn_until("abca+");
}

static void free_waits_for_work(void **state)
{
    struct task tasks[20];
    int i;

    (void)state;
    loop_thread = pthread_self();
    for (i = 0; i < 20; i++) {
        tasks[i] = (struct task){.name = "a"};
        loop_work(loop, task_work_slowly, i == 19 ? task_done_more : task_done, &tasks[i]);
    }
    loop_free(&loop);
    assert_string_equal(trace, "aaaaaaaaaaaaaaaaaaaa+");
}

/* --- running, and the stopwatch --- */

static void say_and_stop(void *arg)
{
    say(arg);
    loop_stop(loop);
}

static void run_until_stopped(void **state)
{
    int64_t start = clk_mono_ms(clk_system());

    (void)state;
    timers[0] = loop_timer_new(loop, "slow", say_and_stop, text("2"));
    timers[1] = loop_timer_new(loop, "fast", say_arg, text("1"));
    timers[2] = loop_timer_new(loop, "wall", say_arg, text("w"));
    loop_timer_in(timers[1], 5); /* in this order, for whatever time passes between */
    loop_timer_at(timers[2], clk_wall_ms(clk_system()) + 20);
    loop_timer_in(timers[0], 40);
    loop_run(loop);
    assert_true(clk_mono_ms(clk_system()) - start >= 40);
    assert_string_equal(trace, "1w2");
    loop_defer(loop, say_and_stop, text("3"));
    loop_run(loop); /* the last stop is forgotten */
    assert_string_equal(trace, "1w23");
    loop_stop(loop);
    loop_run(loop); /* stopped before it ran */
    free_all_timers(text(""));
}

static char slow_line[300];

static void keep_slow(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    if (level == LOG_LEVEL_WARNING && strstr(line, "slow callback"))
        snprintf(slow_line, sizeof(slow_line), "%s", line);
}

static void burn(void *arg)
{
    int64_t end = clk_mono_ms(clk_system()) + 25;

    (void)arg;
    loop_timer_free(&timers[0]);
    while (clk_mono_ms(clk_system()) < end)
        ;
}

static void slow_ones_are_named(void **state)
{
    (void)state;
    log_set_sink(keep_slow, NULL);
    timers[0] = loop_timer_new(loop, "pres-tick", burn, NULL);
    loop_timer_in(timers[0], 1);
    loop_advance(loop, 1);
    assert_non_null(strstr(slow_line, "name=pres-tick"));
    assert_true(loop_lag_ms(loop) >= 24);
    loop_lag_ms(loop);
    assert_true(loop_lag_ms(loop) < 24);
    slow_line[0] = '\0';
    loop_defer(loop, burn, NULL);
    loop_turn(loop, 0);
    assert_non_null(strstr(slow_line, "name=deferred"));
}

static char left_line[300];

static void keep_left(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    if (level == LOG_LEVEL_WARNING && strstr(line, "left="))
        snprintf(left_line, sizeof(left_line), "%s", line);
}

static void stop_late(void *arg)
{
    loop_stop(arg);
}

/* Another time of day, and timers come all the same. */
static void a_shifted_clock_runs(void **state)
{
    struct clk *shifted = clk_shifted_new(86400000);
    struct loop *other = loop_new(shifted);
    struct loop_timer *late = loop_timer_new(other, "late", stop_late, other);

    (void)state;
    loop_timer_in(late, 20);
    loop_run(other); /* for ever, if it does not */
    assert_in_range(clk_wall_ms(shifted), 86400020, 86400000 + 60000);
    loop_timer_free(&late);
    loop_free(&other);
    clk_shifted_free(&shifted);
}

static void forgotten_objects_are_told(void **state)
{
    struct loop *other = loop_new(clk);

    (void)state;
    log_set_sink(keep_left, NULL);
    timers[0] = loop_timer_new(other, "forgotten", say_arg, NULL);
    loop_free(&other);
    assert_non_null(strstr(left_line, "left=1"));
    free(timers[0]);
    timers[0] = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL(deferred_once_then_next_turn),
        VIRTUAL(undefer_takes_back_all_of_a_pair),
        VIRTUAL(slices_starve_nobody),
        VIRTUAL(deferred_runs_at_each_stop),
        VIRTUAL(advance_ends_with_nothing_due),
        VIRTUAL(reaped_at_the_very_end),
        VIRTUAL(free_runs_what_is_left),
        VIRTUAL(want_can_change),
        VIRTUAL(fd_freed_in_a_callback_is_silent),
        VIRTUAL(pause_in_a_callback_holds),
        VIRTUAL(turn_comes_back_in_time),
        VIRTUAL(signals_arrive_in_a_turn),
        VIRTUAL(work_comes_back_in_order),
        VIRTUAL(free_waits_for_work),
        REAL(run_until_stopped),
        REAL(a_shifted_clock_runs),
        VIRTUAL(slow_ones_are_named),
        VIRTUAL(forgotten_objects_are_told),
    };

    event_enable_debug_mode(); /* aborts on an event that is used after its end, or assigned while pending */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
