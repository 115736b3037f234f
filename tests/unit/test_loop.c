/*
 * loop: the promises of its header, each with the callback that would break it: one that frees itself, one that arms
 * itself again, one that defers for ever. Time is virtual except where a descriptor or the real clock is what is
 * tested.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define START_MS 1700000000000

static struct clk *clk;
static struct loop *loop;
static char trace[200]; /* what the callbacks say, in order */

static void say(const char *what)
{
    assert_true(strlen(trace) + strlen(what) < sizeof(trace));
    strcat(trace, what);
}

static void say_arg(void *arg)
{
    say(arg);
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static int set_up(void **state)
{
    (void)state;
    trace[0] = '\0';
    clk = clk_fake_new(START_MS);
    loop = loop_new(clk);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    clk_fake_free(&clk);
    log_set_sink(NULL, NULL);
    return 0;
}

static int set_up_real(void **state)
{
    (void)state;
    trace[0] = '\0';
    loop = loop_new(clk_system());
    return 0;
}

/* Turns until the callbacks have said `wanted`, or 10 s of real time. */
static void turn_until(const char *wanted)
{
    int64_t end = clk_mono_ms(clk_system()) + 10000;

    while (strcmp(trace, wanted) != 0 && clk_mono_ms(clk_system()) < end)
        loop_turn(loop, 50);
    assert_string_equal(trace, wanted);
}

/* --- timers --- */

static struct loop_timer *timers[3];

static void say_time(void *arg)
{
    char now[40];

    (void)arg;
    snprintf(now, sizeof(now), "%lld ", (long long)(clk_wall_ms(clk) - START_MS));
    say(now);
}

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

static void free_all_timers(void *arg)
{
    int i;

    say(arg);
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
    loop_timer_in(timers[0], 40);
    loop_timer_in(timers[1], 5);
    loop_timer_at(timers[2], clk_wall_ms(clk_system()) + 20);
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

#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define REAL(test) cmocka_unit_test_setup_teardown(test, set_up_real, tear_down)

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
        VIRTUAL(slow_ones_are_named),
        VIRTUAL(forgotten_objects_are_told),
    };

    event_enable_debug_mode(); /* aborts on an event that is used after its end, or assigned while pending */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
