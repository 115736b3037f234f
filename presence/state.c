/*
 * state: what a person is at a moment. Pure functions of what is known and the moment, called by the table at every
 * answer and every transition, and by whoever asks "and at three o'clock?". Nothing is set and later undone here: there
 * is no memory.
 *
 * An answer is good for [from, good_until): from the start of its window to whichever comes first, the window's end or
 * the moment at which the answer is too old. Outside of that stretch the state is unknown, inside it is a run of the
 * set, or free between two runs.
 */
#include "presence/state.h"

#include <string.h>

static int64_t good_until(const struct pres_known *known);
static int64_t end_in_window(const struct pres_known *known, int64_t end);
static void unknown_at(const struct pres_known *known, int64_t t, int64_t good, struct pres_presence *ret);
static bool text_same(const char *a, const char *b);

void pres_state_at(const struct pres_known *known, int64_t t, struct pres_presence *ret)
{
    pres_state_look(known, t, ret);
}

int64_t pres_state_next_change(const struct pres_known *known, int64_t t)
{
    struct pres_presence ignored;

    return pres_state_look(known, t, &ignored);
}

int64_t pres_state_look(const struct pres_known *known, int64_t t, struct pres_presence *ret)
{
    int64_t good = good_until(known), before, edge = PRES_NEVER;
    struct pres_interval run[2];
    unsigned n, next = 0;

    *ret = (struct pres_presence){.until = PRES_NEVER, .as_of = known->as_of, .reason = known->reason};
    if (known->as_of == 0 || t < known->from || t >= good) {
        unknown_at(known, t, good, ret);
        return known->as_of == 0 || t >= good ? PRES_NEVER : known->from < good ? known->from : good;
    }
    ret->valid_until = good;
    n = pres_set_look(known->set, t, run, &before);
    if (n > 0 && run[0].start <= t) {
        ret->state = run[0].kind;
        ret->since = run[0].start;
        ret->until = end_in_window(known, run[0].end);
        edge = run[0].end;
        next = 1;
    } else {
        ret->state = PRES_FREE;
        ret->since = before > INT64_MIN ? before : known->from;
        edge = n > 0 ? run[0].start : PRES_NEVER;
    }
    if (next < n && run[next].start < known->until) {
        if (next == 0)
            ret->until = run[0].start;
        ret->next = (struct pres_next){true, run[next].kind, run[next].start, end_in_window(known, run[next].end)};
    }
    return edge < good ? edge : good;
}

bool pres_presence_same(const struct pres_presence *a, const struct pres_presence *b)
{
    if (a->state != b->state || a->since != b->since || a->until != b->until || a->next.some != b->next.some)
        return false;
    if (a->next.some && (a->next.kind != b->next.kind || a->next.start != b->next.start || a->next.end != b->next.end))
        return false;
    return text_same(a->reason, b->reason);
}

static int64_t good_until(const struct pres_known *known)
{
    int64_t stale_at = PRES_NEVER;

    if (known->stale_after < PRES_NEVER - known->as_of)
        stale_at = known->as_of + known->stale_after;
    return stale_at < known->until ? stale_at : known->until;
}

/* An end where the window cuts is no end that anybody knows. */
static int64_t end_in_window(const struct pres_known *known, int64_t end)
{
    return end >= known->until ? PRES_NEVER : end;
}

static void unknown_at(const struct pres_known *known, int64_t t, int64_t good, struct pres_presence *ret)
{
    bool past = known->as_of != 0 && t >= good;

    ret->state = PRES_UNKNOWN;
    if (past)
        ret->since = good;
    else if (known->as_of != 0 && known->from < good)
        ret->until = known->from;
    if (!ret->reason)
        ret->reason = past ? "stale" : "never-read";
}

static bool text_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}
