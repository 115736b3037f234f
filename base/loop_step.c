/*
 * loop_step: the wall clock is set, by an administrator, by a time service at start-up, or after a suspended machine
 * woke. Timers run on the other clock and would notice with the next look; the kernel tells at once: a timer that never
 * ends is cancelled when its clock is set.
 *
 * loop.c makes one of these for a loop on the machine's clock. Appointments (loop_timer.c) look at the clock then, and
 * so does whoever asked to be told. Where the kernel gives no such timer, appointments wake every minute as ever.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop_private.h"

/* No machine of ours runs in the year 2200. */
#define NEVER_S INT64_C(7258118400)

struct loop_step {
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    struct loop_step *next, **link;
};

static bool watch(int fd);
static void on_ready(void *arg, int fd, unsigned ready);
static void tell_all(void *arg);

void loop_step_start(struct loop *loop)
{
    int fd;

    if (!clk_runs(loop->clk))
        return;
    fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0 || !watch(fd)) {
        log_notice("loop", "a clock that is set is noticed within a minute only: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    loop->step_at = fd;
    loop->step_watch = loop_fd_new(loop, "clock step", fd, on_ready, loop);
    loop_fd_want(loop->step_watch, LOOP_READ);
}

void loop_step_stop(struct loop *loop)
{
    loop_undefer(loop, tell_all, loop);
    if (!loop->step_watch)
        return;
    loop_fd_free(&loop->step_watch);
    close(loop->step_at);
}

struct loop_step *loop_step_new(struct loop *loop, loop_fn *fn, void *arg)
{
    struct loop_step *s = mem_calloc(1, sizeof(*s));

    *s = (struct loop_step){.loop = loop, .fn = fn, .arg = arg, .next = loop->steps, .link = &loop->steps};
    if (s->next)
        s->next->link = &s->next;
    loop->steps = s;
    loop->objects++;
    return s;
}

void loop_step_free(struct loop_step **step)
{
    struct loop_step *s = *step;

    if (!s)
        return;
    if (s->loop->step_next == s)
        s->loop->step_next = s->next;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    s->loop->objects--;
    free(s);
    *step = NULL;
}

void loop_stepped(struct loop *loop)
{
    loop_timer_look_again(loop);
    loop_undefer(loop, tell_all, loop);
    loop_defer(loop, tell_all, loop);
}

static bool watch(int fd)
{
    struct itimerspec never = {.it_value = {.tv_sec = NEVER_S}};

    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0;
}

static void on_ready(void *arg, int fd, unsigned ready)
{
    struct loop *loop = arg;
    uint64_t times;
    ssize_t n = read(fd, &times, sizeof(times));

    (void)ready;
    if (n < 0 && errno == EAGAIN)
        return;
    if (!watch(fd) && errno != ECANCELED) /* set again meanwhile: armed all the same */
        loop_fd_want(loop->step_watch, 0);
    log_notice("loop", "the wall clock was set");
    loop_stepped(loop);
}

static void tell_all(void *arg)
{
    struct loop *loop = arg;
    struct loop_step *s;

    loop->step_next = loop->steps;
    while ((s = loop->step_next)) {
        loop->step_next = s->next;
        s->fn(s->arg);
    }
}
