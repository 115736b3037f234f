/*
 * state: what a person is at a moment, as a pure function of the intervals known, their age and the moment.
 */
#ifndef PRESENCE_STATE_H
#define PRESENCE_STATE_H

#include "presence/interval.h"

#define PRES_NEVER INT64_MAX

/* What is known of a person. */
struct pres_known {
    const struct pres_set *set; /* NULL: nothing but free */
    int64_t from, until;        /* the window that the set answers for, [from, until) */
    int64_t as_of;              /* when the answer was asked for; 0: never read */
    int64_t stale_after;        /* seconds after as_of until the answer is too old */
    const char *reason;         /* stable code of the last failure, NULL: none */
};

struct pres_next {
    bool some;
    enum pres_kind kind;
    int64_t start, end;
};

/*
 * since: start of the present unbroken run of this kind; for free: the end of what was before, or `from`; for unknown:
 * when the answer became too old, 0 when nothing was ever known of this moment.
 *
 * until: its end; PRES_NEVER when it is free (or unknown) to the end of what is known, and for a run that the window's
 * end cuts: where that one ends is not known.
 *
 * next: the run after the present one that is not free, if it starts within the window (it may be of the present kind
 * when free time lies between). Its end is PRES_NEVER where the window cuts it. None when the state is unknown.
 *
 * reason: for unknown "never-read", "stale", or the code of the failure; for the others NULL, or the failure that
 * stands behind an answer that is growing old.
 */
struct pres_presence {
    enum pres_kind state;
    int64_t since;
    int64_t until;
    struct pres_next next;
    int64_t as_of;       /* 0: never read */
    int64_t valid_until; /* when this becomes unknown if no new answer comes; 0 for unknown */
    const char *reason;
};

/*
 * The state at t. UNKNOWN when never read, when as_of + stale_after <= t, or when t lies outside the window.
 * Back-to-back intervals of one kind are one run. An overlap ends where the strongest kind's unbroken run ends.
 */
void pres_state_at(const struct pres_known *known, int64_t t, struct pres_presence *ret);

/*
 * The first moment after t at which the state, or its since/until/next, can differ: start or end of a run, staleness,
 * the window's end. PRES_NEVER when nothing will ever change by itself (never read).
 */
int64_t pres_state_next_change(const struct pres_known *known, int64_t t);

/* Both with one look: fills *ret and returns the next change. */
int64_t pres_state_look(const struct pres_known *known, int64_t t, struct pres_presence *ret);

/* Same state, since, until, next and reason? (as_of and valid_until move with every poll and do not count.) */
bool pres_presence_same(const struct pres_presence *a, const struct pres_presence *b);

#endif
