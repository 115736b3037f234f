/*
 * table_report: changes go out. Three things make us look at a person, and all three end in settle(), which compares
 * the presence now with the one last reported, reports a difference once, and files the person under its next change:
 *
 *   due    the moment has come at which the presence changes by itself (one timer stands on the earliest of all)
 *   queue  an answer, a failure or new settings arrived; looked at when the turn ends: what is undone then is no news
 *   sweep  the wall clock was set back: everybody is looked at again, for what "has begun" may not have begun now
 *
 * A slice of work takes from the three in turn and stops after so many persons or so many milliseconds; the rest is
 * deferred to the next turn, behind the descriptors that wait. A million meetings that begin at nine delay the polls by
 * a slice, not by seconds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "table_private.h"

#define SLICE_ROUNDS 2000 /* a round takes one person from each of the three */
#define SLICE_MS 5
#define SLICE_LOOK 32   /* rounds between two looks at the clock */
#define QUEUE_KEPT 2048 /* a queue that grew beyond this in a storm is given back */

/* A step back of the wall clock up to this is left alone: time catches up before anybody could tell. */
#define BACK_S 2

/* How often the clock is looked at when nothing happens. */
#define MINUTE_MS 60000

/* What is reported within this time of its second is on time. */
#define PUNCTUAL_MS 1000

/* The code for all failures beyond the 255 that have numbers: never reached, the codes are a short list. */
#define OTHER_REASON "failed"

static void on_deferred(void *arg);
static void on_timer(void *arg);
static void on_minute(void *arg);
static void on_step(void *arg);
static void work(struct pres_table *t);
static void look_at_clock(struct pres_table *t, int64_t now);
static bool work_left(const struct pres_table *t, int64_t now);
static void arm(struct pres_table *t);
static void defer(struct pres_table *t);
static bool take_due(struct pres_table *t, int64_t now);
static bool take_queued(struct pres_table *t, int64_t now);
static bool take_swept(struct pres_table *t, int64_t now);
static bool settle(struct pres_table *t, pres_id id, int64_t now);
static void keep_since(const struct pres_person *p, const struct pres_known *known, struct pres_presence *now);
static bool was_told(const struct pres_table *t, const struct pres_person *p, const struct pres_presence *now);
static bool str_same(const char *a, const char *b);
static void queue_add(struct pres_table *t, pres_id id);
static void note_late(struct pres_table *t, int64_t at);

void pres_report_start(struct pres_table *t)
{
    t->sweep = PRES_NOBODY;
    t->armed_for = PRES_NEVER;
    t->settled_at = clk_wall_s(loop_clk(t->loop));
    t->n_reasons = 1; /* number 0 is none */
    pres_report_reason(t, "never-read");
    pres_report_reason(t, "stale");
    t->timer = loop_timer_new(t->loop, "presence transition", on_timer, t);
    t->minute = loop_timer_new(t->loop, "presence clock check", on_minute, t);
    loop_timer_in(t->minute, MINUTE_MS);
    t->step = loop_step_new(t->loop, on_step, t);
}

void pres_report_stop(struct pres_table *t)
{
    loop_undefer(t->loop, on_deferred, t);
    loop_timer_free(&t->timer);
    loop_timer_free(&t->minute);
    loop_step_free(&t->step);
    free(t->queue);
}

int64_t pres_report_now(const struct pres_table *t)
{
    int64_t now = clk_wall_s(loop_clk(t->loop));

    return now < t->settled_at && now + BACK_S >= t->settled_at ? t->settled_at : now;
}

void pres_report_later(struct pres_table *t, pres_id id)
{
    struct pres_person *p = pres_person(t, id);

    if (p->queued)
        return;
    p->queued = 1;
    queue_add(t, id);
    defer(t);
}

void pres_report_known(const struct pres_table *t, const struct pres_person *p, struct pres_known *ret)
{
    *ret = (struct pres_known){
        .set = p->set,
        .from = p->from,
        .until = p->until,
        .as_of = p->as_of,
        .stale_after = t->classes[p->class]->stale_after,
        .reason = t->reasons[p->reason],
    };
}

void pres_report_presence(const struct pres_table *t, const struct pres_person *p, int64_t now,
                          struct pres_presence *ret)
{
    struct pres_known known;

    pres_report_known(t, p, &known);
    pres_state_at(&known, now, ret);
    keep_since(p, &known, ret);
}

/*
 * The state is pure but for one thing remembered: a run that the window's start cuts began when we said it did. Windows
 * move with every answer, and without this the free and the long absent would "change" with every poll.
 */
static void keep_since(const struct pres_person *p, const struct pres_known *known, struct pres_presence *now)
{
    if (now->state != PRES_UNKNOWN && now->state == p->told_state && now->since == known->from &&
        p->told_since < known->from && pres_time_unpack(p->told_until) >= known->from)
        now->since = p->told_since;
}

void pres_report_told(const struct pres_table *t, const struct pres_person *p, struct pres_presence *ret)
{
    *ret = (struct pres_presence){
        .state = (enum pres_kind)p->told_state,
        .since = p->told_since,
        .until = pres_time_unpack(p->told_until),
        .reason = t->reasons[p->told_reason],
    };
    if (p->told_next != PRES_FREE)
        ret->next = (struct pres_next){true, (enum pres_kind)p->told_next, p->told_next_start,
                                       pres_time_unpack(p->told_next_end)};
}

void pres_report_tell(struct pres_table *t, struct pres_person *p, const struct pres_presence *now)
{
    t->by_state[p->told_state]--;
    t->by_state[now->state]++;
    p->told_state = now->state & 7;
    p->told_since = pres_time_pack(now->since);
    p->told_until = pres_time_pack(now->until);
    p->told_next = now->next.some ? now->next.kind & 7 : PRES_FREE;
    p->told_next_start = pres_time_pack(now->next.start);
    p->told_next_end = pres_time_pack(now->next.end);
    p->told_reason = pres_report_reason(t, now->reason);
}

/* Codes are static text, the same few from everywhere: compared by address first. */
uint8_t pres_report_reason(struct pres_table *t, const char *code)
{
    if (!code)
        return 0;
    for (unsigned i = 1; i < t->n_reasons; i++)
        if (t->reasons[i] == code)
            return (uint8_t)i;
    for (unsigned i = 1; i < t->n_reasons; i++)
        if (strcmp(t->reasons[i], code) == 0)
            return (uint8_t)i;
    if (t->n_reasons > UINT8_MAX)
        return UINT8_MAX;
    t->reasons[t->n_reasons] = t->n_reasons == UINT8_MAX ? OTHER_REASON : code;
    return (uint8_t)t->n_reasons++;
}

void pres_report_hour(const struct pres_table *t, struct pres_table_stats *ret)
{
    int64_t oldest = clk_wall_s(loop_clk(t->loop)) / 60 - PRES_LATE_MINUTES;

    for (unsigned i = 0; i < PRES_LATE_MINUTES; i++) {
        if (t->late[i].minute <= oldest)
            continue;
        ret->hour_changes += t->late[i].changes;
        ret->hour_late += t->late[i].late;
        if (t->late[i].worst_ms > ret->worst_late_ms)
            ret->worst_late_ms = t->late[i].worst_ms;
    }
}

static void on_deferred(void *arg)
{
    struct pres_table *t = arg;

    t->deferred = false;
    work(t);
}

static void on_timer(void *arg)
{
    struct pres_table *t = arg;

    t->armed_for = PRES_NEVER;
    defer(t); /* as all work, so that a turn has one slice */
}

static void on_minute(void *arg)
{
    struct pres_table *t = arg;

    loop_timer_in(t->minute, MINUTE_MS);
    defer(t);
}

/* Backwards is a matter for everybody, see look_at_clock; forwards for those who are due. */
static void on_step(void *arg)
{
    defer(arg);
}

static void work(struct pres_table *t)
{
    const struct clk *clk = loop_clk(t->loop);
    int64_t now = clk_wall_s(clk), stop_ms = clk_mono_ms(clk) + SLICE_MS;

    t->looked_ms = clk_wall_ms(clk);
    look_at_clock(t, now);
    now = t->settled_at; /* a second that comes again, as a leap second does, changes nothing again */
    for (unsigned round = 1; round <= SLICE_ROUNDS; round++) {
        bool more = take_due(t, now);

        more |= take_queued(t, now);
        more |= take_swept(t, now);
        if (!more)
            break;
        if (round % SLICE_LOOK != 0)
            continue;
        if (clk_mono_ms(clk) >= stop_ms)
            break;
        t->looked_ms = clk_wall_ms(clk);
    }
    if (work_left(t, now))
        defer(t);
    else
        arm(t);
}

static void look_at_clock(struct pres_table *t, int64_t now)
{
    if (now + BACK_S < t->settled_at) {
        t->sweep = 0;
        t->settled_at = now;
    } else if (now > t->settled_at) {
        t->settled_at = now;
    }
}

static bool work_left(const struct pres_table *t, int64_t now)
{
    return t->queue_len > 0 || t->sweep != PRES_NOBODY || pres_due_first(t, NULL) <= now;
}

static void arm(struct pres_table *t)
{
    int64_t at = pres_due_first(t, NULL);

    if (at == t->armed_for)
        return;
    t->armed_for = at;
    if (at == PRES_NEVER)
        loop_timer_stop(t->timer);
    else
        loop_timer_at(t->timer, at * 1000);
}

static void defer(struct pres_table *t)
{
    if (t->deferred)
        return;
    t->deferred = true;
    loop_defer(t->loop, on_deferred, t);
}

static bool take_due(struct pres_table *t, int64_t now)
{
    int64_t at;
    pres_id id = pres_due_take(t, now, &at);

    if (id == PRES_NOBODY)
        return false;
    if (settle(t, id, now))
        note_late(t, at);
    return true;
}

static bool take_queued(struct pres_table *t, int64_t now)
{
    pres_id id;

    if (t->queue_len == 0)
        return false;
    id = t->queue[t->queue_first];
    t->queue_first = (t->queue_first + 1) % t->queue_cap;
    if (--t->queue_len == 0 && t->queue_cap > QUEUE_KEPT) {
        free(t->queue);
        t->queue = NULL;
        t->queue_cap = 0;
    }
    if (pres_table_has(t, id) && pres_person(t, id)->queued) {
        pres_person(t, id)->queued = 0;
        settle(t, id, now);
    }
    return true;
}

static bool take_swept(struct pres_table *t, int64_t now)
{
    pres_id id = t->sweep;

    if (id == PRES_NOBODY)
        return false;
    if (id >= t->n_ids) {
        t->sweep = PRES_NOBODY;
        return false;
    }
    t->sweep = id + 1;
    if (pres_table_has(t, id))
        settle(t, id, now);
    return true;
}

/* Looks at one person; reports what differs. The report is the last thing done: it may remove anybody. True: there was
 * one. */
static bool settle(struct pres_table *t, pres_id id, int64_t now)
{
    struct pres_person *p = pres_person(t, id);
    struct pres_presence presence;
    struct pres_known known;

    if (p->as_of > now) /* asked before the clock was set back; it would outlive its age */
        pres_age_set(t, p, pres_time_pack(now > 1 ? now : 1));
    pres_report_known(t, p, &known);
    pres_due_set(t, id, pres_state_look(&known, now, &presence));
    keep_since(p, &known, &presence);
    if (was_told(t, p, &presence))
        return false;
    pres_report_tell(t, p, &presence);
    t->transitions++;
    t->change(t->arg, id, &presence);
    return true;
}

/* As pres_presence_same() with what was told, without unfolding that. */
static bool was_told(const struct pres_table *t, const struct pres_person *p, const struct pres_presence *now)
{
    const struct pres_next *next = &now->next;

    if (p->told_state != now->state || p->told_since != pres_time_pack(now->since) ||
        p->told_until != pres_time_pack(now->until) || p->told_next != (next->some ? next->kind : PRES_FREE))
        return false;
    if (next->some &&
        (p->told_next_start != pres_time_pack(next->start) || p->told_next_end != pres_time_pack(next->end)))
        return false;
    return str_same(t->reasons[p->told_reason], now->reason);
}

static bool str_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void queue_add(struct pres_table *t, pres_id id)
{
    if (t->queue_len == t->queue_cap) {
        size_t cap = t->queue_cap ? 2 * t->queue_cap : 64;
        pres_id *queue = mem_calloc(cap, sizeof(*queue));

        for (size_t i = 0; i < t->queue_len; i++)
            queue[i] = t->queue[(t->queue_first + i) % t->queue_cap];
        free(t->queue);
        t->queue = queue;
        t->queue_cap = cap;
        t->queue_first = 0;
    }
    t->queue[(t->queue_first + t->queue_len++) % t->queue_cap] = id;
}

/* The worst of each minute and how many there were, for an hour. */
static void note_late(struct pres_table *t, int64_t at)
{
    int64_t wall_ms = t->looked_ms, late_ms = wall_ms - at * 1000, minute = wall_ms / 60000;
    unsigned slot = (unsigned)(minute % PRES_LATE_MINUTES);

    if (t->late[slot].minute != minute) {
        t->late[slot].minute = minute;
        t->late[slot].worst_ms = 0;
        t->late[slot].changes = t->late[slot].late = 0;
    }
    t->late[slot].changes++;
    t->late[slot].late += late_ms > PUNCTUAL_MS;
    if (late_ms > t->late[slot].worst_ms)
        t->late[slot].worst_ms = late_ms;
}
