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
static void unknown_at(const struct pres_known *known, int64_t t, struct pres_presence *ret);
static struct pres_interval run_at(const struct pres_set *set, size_t i, size_t *ret_after);
static bool text_same(const char *a, const char *b);

void pres_state_at(const struct pres_known *known, int64_t t, struct pres_presence *ret)
{
    size_t count = pres_set_count(known->set), i;
    struct pres_interval run;

    *ret = (struct pres_presence){.until = PRES_NEVER, .as_of = known->as_of, .reason = known->reason};
    if (known->as_of == 0 || t < known->from || t >= good_until(known)) {
        unknown_at(known, t, ret);
        return;
    }
    ret->valid_until = good_until(known);
    i = pres_set_find(known->set, t);
    if (i < count && pres_set_at(known->set, i).start <= t) {
        run = run_at(known->set, i, &i);
        ret->state = run.kind;
        ret->since = run.start;
        ret->until = end_in_window(known, run.end);
    } else {
        ret->state = PRES_FREE;
        ret->since = i > 0 ? pres_set_at(known->set, i - 1).end : known->from;
    }
    if (i == count)
        return;
    run = run_at(known->set, i, &i);
    if (run.start >= known->until)
        return;
    if (ret->state == PRES_FREE)
        ret->until = run.start;
    ret->next = (struct pres_next){true, run.kind, run.start, end_in_window(known, run.end)};
}

int64_t pres_state_next_change(const struct pres_known *known, int64_t t)
{
    int64_t change = good_until(known);
    size_t i, after;

    if (known->as_of == 0 || t >= change)
        return PRES_NEVER;
    if (t < known->from)
        return known->from < change ? known->from : change;
    i = pres_set_find(known->set, t);
    if (i < pres_set_count(known->set)) {
        struct pres_interval run = run_at(known->set, i, &after);
        int64_t edge = run.start > t ? run.start : run.end;

        if (edge < change)
            change = edge;
    }
    return change;
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

static void unknown_at(const struct pres_known *known, int64_t t, struct pres_presence *ret)
{
    bool past = known->as_of != 0 && t >= good_until(known);

    ret->state = PRES_UNKNOWN;
    if (past)
        ret->since = good_until(known);
    else if (known->as_of != 0 && known->from < good_until(known))
        ret->until = known->from;
    if (!ret->reason)
        ret->reason = past ? "stale" : "never-read";
}

/* The whole run that interval i belongs to (a very long one is stored in pieces), and the index behind it. */
static struct pres_interval run_at(const struct pres_set *set, size_t i, size_t *ret_after)
{
    struct pres_interval run = pres_set_at(set, i), piece;
    size_t count = pres_set_count(set), first = i;

    while (first > 0 && (piece = pres_set_at(set, first - 1), piece.end == run.start && piece.kind == run.kind)) {
        run.start = piece.start;
        first--;
    }
    for (i++; i < count; i++) {
        piece = pres_set_at(set, i);
        if (piece.start != run.end || piece.kind != run.kind)
            break;
        run.end = piece.end;
    }
    *ret_after = i;
    return run;
}

static bool text_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}
