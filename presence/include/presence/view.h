/*
 * view: what somebody may be told of a person. One pure function between what is known and every way out: an outlet or
 * a face renders what the view returns, and nothing else.
 */
#ifndef PRESENCE_VIEW_H
#define PRESENCE_VIEW_H

#include "presence/state.h"

struct pres_hours; /* hours.h */

/* How much, least first. */
enum pres_level {
    PRES_SEE_NOTHING,   /* not even that the person exists */
    PRES_SEE_AVAILABLE, /* available or not: everything that is not free is busy, without times */
    PRES_SEE_KINDS,     /* the kind of the present moment, without times */
    PRES_SEE_TIMES,     /* kinds with their times, and how old the data is */
};

/* "nothing" "available" "kinds" "times": as they are written in the configuration. */
const char *pres_level_name(enum pres_level level);
bool pres_level_parse(const char *name, enum pres_level *ret);

/*
 * What one viewer may be told of one person, and in which shape. All zero: nothing. Every shape holds at every level:
 * with a grid, somebody who may see `available` sees it change at the grid's moments only.
 */
struct pres_grant {
    enum pres_level level;
    bool merge;        /* every kind but free is told as busy */
    bool no_until;     /* no end of the present state, and nothing of what comes next; hence no free/busy times */
    bool working_only; /* outside of `hours` nothing but unknown is told; free/busy times show it as unavailable */
    int64_t grid_s;    /* times are rounded outward (starts down, ends up) to multiples of it, of a day at most, before
                          anything is cut; 0: as they are */
    int64_t horizon_s; /* nothing that begins later than so long from now; 0: everything known */
    int64_t expires;   /* wall s, when the grant ends; PRES_NEVER */
    const char *narrowed; /* what is narrower than the line: "choice", "marker"; NULL: nothing. Static */
    unsigned rule;     /* number of the line of the table that granted, from 1; 0: no line, the default */
    const struct pres_hours *hours; /* with working_only; borrowed. NULL with working_only: never */
};

#define PRES_GRID_MAX_S 86400 /* answers begin with yesterday: what a longer grid would cover may be cut off there */

/* Everything, as an administrator sees it. */
extern const struct pres_grant pres_grant_all;

/* Does this grant change anything of what is known? */
bool pres_grant_is_all(const struct pres_grant *grant);

/*
 * The presence at `now` as this viewer may see it, to be rendered like any other. `known` is what the table knows;
 * `full` is the presence made of it. False: nothing may be told, the person does not exist for this viewer.
 *
 * It is made of the very set that pres_view_known tells, so the two never contradict each other. Below PRES_SEE_TIMES
 * since, until and as_of are not known, valid_until is to five minutes, and there is no `next`. The reason of somebody
 * unknown is "never-read", "stale" or "outside-hours"; which failure stands behind an answer is not told. What remains:
 * who sees states without a grid sees when they change, to the second.
 */
bool pres_view_presence(const struct pres_grant *grant, const struct pres_known *known,
                        const struct pres_presence *full, int64_t now, struct pres_presence *ret);

/*
 * What is known, as this viewer may know it: for free/busy answers and relays. `known` inside is valid until
 * pres_seen_free, or as long as what was given when nothing had to be changed. NULL: no times may be told.
 */
struct pres_seen {
    struct pres_known known;
    struct pres_set *set; /* own copy, NULL: none was needed */
};
struct pres_seen *pres_view_known(const struct pres_grant *grant, const struct pres_known *known, int64_t now);
void pres_seen_free(struct pres_seen **seen);

#endif
