/*
 * loop_timer: timers as a heap of our own instead of libevent's, so that they follow struct clk: a test moves its clock
 * and sees them fire at the millisecond. loop.c asks for the first due time, sleeps no longer than that, and calls
 * loop_timer_run_due().
 *
 * The heap has four children a node (flatter, and siblings share a cache line); a timer knows its place in it, so that
 * stopping and re-arming cost O(log n) with any number of them.
 *
 * An appointment (loop_timer_at) is a timer that, when due, looks at the wall clock and may arm itself again.
 */
#include "loop_private.h"

#include <stdlib.h>

#include "base/clk.h"
#include "base/mem.h"

#define FANOUT 4
#define NOT_ARMED SIZE_MAX
#define NO_APPOINTMENT INT64_MIN

/* The longest sleep towards an appointment: a clock that was set is noticed after this. */
#define STRETCH_MS 60000

struct loop_timer {
    struct loop *loop;
    const char *name;
    loop_fn *fn;
    void *arg;
    size_t place;    /* in the heap */
    uint64_t order;  /* of arming */
    int64_t wall_ms; /* of an appointment */
};

static void arm(struct loop_timer *t, int64_t ms);
static void arm_stretch(struct loop_timer *t);
static void heap_add(struct loop_heap *h, struct loop_timer *t, int64_t due_ms);
static void heap_del(struct loop_heap *h, size_t i);
static void heap_place(struct loop_heap *h, size_t i, struct loop_heap_entry e);
static bool heap_up(struct loop_heap *h, size_t i);
static void heap_down(struct loop_heap *h, size_t i);
static bool earlier(const struct loop_heap_entry *a, const struct loop_heap_entry *b);

struct loop_timer *loop_timer_new(struct loop *loop, const char *name, loop_fn *fn, void *arg)
{
    struct loop_timer *t = mem_calloc(1, sizeof(*t));

    *t = (struct loop_timer){.loop = loop, .name = name, .fn = fn, .arg = arg, .place = NOT_ARMED};
    loop->objects++;
    return t;
}

void loop_timer_free(struct loop_timer **t)
{
    if (!*t)
        return;
    loop_timer_stop(*t);
    (*t)->loop->objects--;
    free(*t);
    *t = NULL;
}

void loop_timer_in(struct loop_timer *t, int64_t ms)
{
    t->wall_ms = NO_APPOINTMENT;
    arm(t, ms);
}

void loop_timer_at(struct loop_timer *t, int64_t wall_ms)
{
    t->wall_ms = wall_ms > NO_APPOINTMENT ? wall_ms : NO_APPOINTMENT + 1;
    arm_stretch(t);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (t->place != NOT_ARMED)
        heap_del(&t->loop->heap, t->place);
}

bool loop_timer_armed(const struct loop_timer *t)
{
    return t->place != NOT_ARMED;
}

bool loop_timer_next(const struct loop *loop, int64_t *ret_ms)
{
    if (loop->heap.len == 0)
        return false;
    *ret_ms = loop->heap.entries[0].due_ms;
    return true;
}

/*
 * The order of arming tells the timers of this run from those armed meanwhile. Looking at the first alone is enough:
 * what is armed now is due now at the earliest, so it sorts behind everything that was due already.
 */
void loop_timer_run_due(struct loop *loop)
{
    struct loop_heap *h = &loop->heap;
    int64_t now_ms = clk_mono_ms(loop->clk), start;
    uint64_t last = h->armed;
    struct loop_timer *t;
    const char *name;

    while (h->len > 0 && h->entries[0].due_ms <= now_ms && h->entries[0].timer->order <= last) {
        t = h->entries[0].timer;
        heap_del(h, 0);
        if (t->wall_ms != NO_APPOINTMENT && clk_wall_ms(loop->clk) < t->wall_ms) {
            arm_stretch(t);
            continue;
        }
        name = t->name; /* the callback may free the timer */
        start = loop_clock_start();
        t->fn(t->arg);
        loop_clock_stop(loop, start, name, NULL);
    }
}

/* Those that are due by the new time are so now; the sleep of the others has another length. */
void loop_timer_look_again(struct loop *loop)
{
    size_t n = loop->heap.len;
    struct loop_timer **timers = mem_calloc(n + 1, sizeof(*timers));

    for (size_t i = 0; i < n; i++)
        timers[i] = loop->heap.entries[i].timer;
    for (size_t i = 0; i < n; i++)
        if (timers[i]->wall_ms != NO_APPOINTMENT)
            arm_stretch(timers[i]);
    free(timers);
}

static void arm(struct loop_timer *t, int64_t ms)
{
    int64_t due_ms;

    if (__builtin_add_overflow(clk_mono_ms(t->loop->clk), ms > 0 ? ms : 0, &due_ms))
        due_ms = INT64_MAX;
    loop_timer_stop(t);
    t->order = ++t->loop->heap.armed;
    heap_add(&t->loop->heap, t, due_ms);
}

static void arm_stretch(struct loop_timer *t)
{
    int64_t left_ms;

    if (__builtin_sub_overflow(t->wall_ms, clk_wall_ms(t->loop->clk), &left_ms))
        left_ms = t->wall_ms > 0 ? INT64_MAX : 0;
    arm(t, left_ms < STRETCH_MS ? left_ms : STRETCH_MS);
}

static void heap_add(struct loop_heap *h, struct loop_timer *t, int64_t due_ms)
{
    if (h->len == h->cap) {
        h->cap = h->cap > 0 ? h->cap * 2 : 64;
        h->entries = mem_realloc(h->entries, h->cap, sizeof(*h->entries));
    }
    heap_place(h, h->len++, (struct loop_heap_entry){due_ms, t});
    heap_up(h, h->len - 1);
}

static void heap_del(struct loop_heap *h, size_t i)
{
    struct loop_heap_entry last = h->entries[--h->len];

    h->entries[i].timer->place = NOT_ARMED;
    if (i == h->len)
        return;
    heap_place(h, i, last);
    if (!heap_up(h, i))
        heap_down(h, i);
}

static void heap_place(struct loop_heap *h, size_t i, struct loop_heap_entry e)
{
    h->entries[i] = e;
    e.timer->place = i;
}

static bool heap_up(struct loop_heap *h, size_t i)
{
    struct loop_heap_entry e = h->entries[i];
    size_t start = i, parent;

    for (; i > 0; i = parent) {
        parent = (i - 1) / FANOUT;
        if (!earlier(&e, &h->entries[parent]))
            break;
        heap_place(h, i, h->entries[parent]);
    }
    heap_place(h, i, e);
    return i != start;
}

static void heap_down(struct loop_heap *h, size_t i)
{
    struct loop_heap_entry e = h->entries[i];
    size_t first, child, k;

    for (; (first = i * FANOUT + 1) < h->len; i = child) {
        child = first;
        for (k = first + 1; k < h->len && k < first + FANOUT; k++)
            if (earlier(&h->entries[k], &h->entries[child]))
                child = k;
        if (!earlier(&h->entries[child], &e))
            break;
        heap_place(h, i, h->entries[child]);
    }
    heap_place(h, i, e);
}

static bool earlier(const struct loop_heap_entry *a, const struct loop_heap_entry *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->timer->order < b->timer->order;
}
