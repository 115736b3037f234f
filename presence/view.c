/*
 * view: see view.h. A viewer's set is made of what is known: rounded outward first (so that nothing that is cut later
 * shows where a meeting truly begins), then merged, then, outside of working hours, covered; horizon and window cut it
 * last. The faces and outlets call it for each thing they tell; it knows nothing of who asks, only what was
 * granted (gateway/policy.c decides that).
 */
#include "presence/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "presence/hours.h"

/* Working hours come no more often than once a day; a day in summer time's spring has 23 hours. */
enum { NIGHT_S = 79200, NIGHTS_MORE = 4, ABOUT_S = 300, DAY_S = 86400 };
enum { NEAR = 4, NEAR_DAYS = 3, FEW = 24 };

/* Of what is known: these intervals, and the nights between two moments. */
struct part {
    size_t first, end;
    int64_t nights_from, nights_until;
};

static const char *const level_names[] = {"nothing", "available", "kinds", "times"};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

static bool is_plain(const struct pres_grant *grant);
static void look(const struct pres_grant *grant, const struct pres_known *known, const struct pres_presence *full,
                 int64_t now, struct pres_presence *ret);
static int64_t since_before(const struct pres_grant *grant, const struct pres_presence *full, enum pres_kind state,
                            int64_t now);
static void within_hours(int64_t begin, int64_t end, int64_t sight, struct pres_presence *p);
static void reduce(const struct pres_grant *grant, int64_t now, struct pres_presence *p);
static int64_t about(int64_t valid_until, int64_t now);
static bool look_near(const struct pres_grant *grant, const struct pres_known *known, struct pres_known *seen,
                      int64_t now, size_t reach, struct pres_presence *ret);
static struct pres_set *shaped(const struct pres_grant *grant, const struct pres_known *known, int64_t until,
                               const struct part *part);
static size_t add_nights(const struct pres_grant *grant, int64_t from, int64_t until, struct pres_interval *out,
                         size_t max);
static int64_t round_down(int64_t t, int64_t grid);
static int64_t round_up(int64_t t, int64_t grid);

const struct pres_grant pres_grant_all = {.level = PRES_SEE_TIMES, .expires = PRES_NEVER};

const char *pres_level_name(enum pres_level level)
{
    return level_names[level];
}

bool pres_level_parse(const char *name, enum pres_level *ret)
{
    for (unsigned i = 0; i < LEVELS; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret = (enum pres_level)i;
            return true;
        }
    return false;
}

bool pres_grant_is_all(const struct pres_grant *grant)
{
    return grant->level == PRES_SEE_TIMES && !grant->merge && !grant->no_until && !grant->working_only &&
           grant->grid_s == 0 && grant->horizon_s == 0 && grant->expires == PRES_NEVER;
}

bool pres_view_presence(const struct pres_grant *grant, const struct pres_known *known,
                        const struct pres_presence *full, int64_t now, struct pres_presence *ret)
{
    struct pres_presence seen;
    if (grant->level == PRES_SEE_NOTHING || now >= grant->expires)
        return false;
    if (pres_grant_is_all(grant)) {
        *ret = *full;
        return true;
    }
    if (full->state == PRES_UNKNOWN)
        seen = (struct pres_presence){.state = PRES_UNKNOWN, .since = full->since, .until = PRES_NEVER};
    else if (is_plain(grant))
        seen = *full;
    else
        look(grant, known, full, now, &seen);
    if (seen.state == PRES_UNKNOWN)
        seen.reason = full->state != PRES_UNKNOWN ? seen.reason : full->as_of == 0 ? "never-read" : "stale";
    else
        seen.reason = NULL;
    seen.as_of = full->as_of;
    reduce(grant, now, &seen);
    *ret = seen;
    return true;
}

struct pres_seen *pres_view_known(const struct pres_grant *grant, const struct pres_known *known, int64_t now)
{
    if (grant->level != PRES_SEE_TIMES || grant->no_until || now >= grant->expires)
        return NULL;
    struct pres_seen *seen = mem_calloc(1, sizeof *seen);
    seen->known = *known;
    if (pres_grant_is_all(grant))
        return seen;
    seen->known.reason = NULL;
    if (grant->horizon_s > 0 && seen->known.until > now + grant->horizon_s)
        seen->known.until = now + grant->horizon_s;
    const struct part all = {0, pres_set_count(known->set), INT64_MIN, PRES_NEVER};
    seen->set = shaped(grant, known, seen->known.until, &all);
    seen->known.set = seen->set;
    return seen;
}

void pres_seen_free(struct pres_seen **seen)
{
    if (!*seen)
        return;
    free((*seen)->set);
    free(*seen);
    *seen = NULL;
}

/* Is the state the one that is known, whatever is left out beside it? */
static bool is_plain(const struct pres_grant *grant)
{
    return grant->grid_s == 0 && !grant->working_only && (!grant->merge || grant->level < PRES_SEE_TIMES) &&
           (grant->horizon_s == 0 || grant->level < PRES_SEE_TIMES);
}

/* The state by the viewer's own set. */
static void look(const struct pres_grant *grant, const struct pres_known *known, const struct pres_presence *full,
                 int64_t now, struct pres_presence *ret)
{
    struct pres_known seen = *known;
    int64_t begin = INT64_MIN, end = PRES_NEVER;
    *ret = (struct pres_presence){.state = PRES_UNKNOWN, .until = PRES_NEVER, .reason = "outside-hours"};
    if (grant->working_only && (!grant->hours || !pres_hours_at(grant->hours, now, &begin, &end)))
        return;
    if (grant->horizon_s > 0 && seen.until > now + grant->horizon_s)
        seen.until = now + grant->horizon_s;
    for (size_t reach = NEAR; !look_near(grant, known, &seen, now, reach, ret); reach *= 4)
        ;
    if (ret->state == PRES_UNKNOWN) {
        ret->reason = "stale";
        return;
    }
    if (ret->since <= known->from)
        ret->since = since_before(grant, full, ret->state, now);
    ret->valid_until = full->valid_until;
    within_hours(begin, end, seen.until, ret);
}

/*
 * The same from a few intervals to either side of now: most of a calendar has no part in the present. False: what was
 * left out might have one, because the run at now, the one before or the next one reaches to it; more have to be looked
 * at.
 */
static bool look_near(const struct pres_grant *grant, const struct pres_known *known, struct pres_known *seen,
                      int64_t now, size_t reach, struct pres_presence *ret)
{
    size_t count = pres_set_count(known->set), at = pres_set_find(known->set, now), days = reach / NEAR * NEAR_DAYS;
    struct part part = {.first = at > reach ? at - reach : 0,
                        .end = count - at > reach ? at + reach : count,
                        .nights_from = now - (int64_t)days * DAY_S,
                        .nights_until = now + (int64_t)days * DAY_S};
    int64_t before = part.first > 0 ? round_up(pres_set_at(known->set, part.first - 1).end, grant->grid_s) : INT64_MIN;
    int64_t behind = part.end < count ? round_down(pres_set_at(known->set, part.end).start, grant->grid_s) : PRES_NEVER;
    if (grant->working_only && part.nights_from > before)
        before = part.nights_from;
    if (grant->working_only && part.nights_until < behind)
        behind = part.nights_until;
    struct pres_set *set = shaped(grant, known, seen->until, &part);
    seen->set = set;
    pres_state_at(seen, now, ret);
    seen->set = NULL;
    free(set);
    if (ret->state == PRES_UNKNOWN)
        return true;
    return (before <= known->from || ret->since > before) &&
           (behind >= seen->until || (ret->until < behind && ret->next.some && ret->next.end < behind));
}

/*
 * Began before what is known begins: the table may remember when. It remembers runs by their own kind; where the viewer
 * sees another one, nothing is known.
 */
static int64_t since_before(const struct pres_grant *grant, const struct pres_presence *full, enum pres_kind state,
                            int64_t now)
{
    int64_t since = full->since;
    if (full->state != state || grant->merge || since == 0)
        return 0;
    since = state == PRES_FREE ? round_up(since, grant->grid_s) : round_down(since, grant->grid_s);
    return since <= now ? since : 0;
}

/* Of other days' working hours nothing is told; of an end behind what is in sight neither. */
static void within_hours(int64_t begin, int64_t end, int64_t sight, struct pres_presence *p)
{
    if (p->since < begin)
        p->since = begin;
    if (p->next.some && p->next.start >= end)
        p->next.some = false;
    if (end >= sight)
        return;
    if (p->until > end)
        p->until = end;
    if (p->next.some && p->next.end > end)
        p->next.end = end;
}

/* Takes away what the level does not grant. */
static void reduce(const struct pres_grant *grant, int64_t now, struct pres_presence *p)
{
    bool kinds = grant->level > PRES_SEE_AVAILABLE && !grant->merge;
    if (!kinds && p->state != PRES_FREE && p->state != PRES_UNKNOWN)
        p->state = PRES_BUSY;
    if (!p->next.some || grant->no_until || grant->level < PRES_SEE_TIMES)
        p->next = (struct pres_next){.some = false};
    if (grant->no_until || grant->level < PRES_SEE_TIMES)
        p->until = PRES_NEVER;
    if (p->state == PRES_UNKNOWN)
        p->valid_until = 0;
    if (grant->level < PRES_SEE_TIMES) {
        p->since = p->as_of = 0;
        p->valid_until = about(p->valid_until, now);
    }
}

/* So coarse that it does not show when the calendar was read, which may be when it changed. */
static int64_t about(int64_t valid_until, int64_t now)
{
    int64_t coarse = round_down(valid_until, ABOUT_S);
    return coarse > now ? coarse : valid_until;
}

/* The set as this viewer may see it, up to `until`, of a part of what is known; NULL: nothing but free. The caller
 * frees it. */
static struct pres_set *shaped(const struct pres_grant *grant, const struct pres_known *known, int64_t until,
                               const struct part *part)
{
    int64_t nights_from = part->nights_from > known->from ? part->nights_from : known->from;
    int64_t nights_until = part->nights_until < until ? part->nights_until : until;
    bool covered = grant->working_only && nights_until > nights_from;
    size_t nights = covered ? (size_t)((nights_until - nights_from) / NIGHT_S) : 0;
    size_t max = part->end - part->first + nights + NIGHTS_MORE, n = 0;
    struct pres_interval few[FEW], *in = max <= FEW ? few : mem_calloc(max, sizeof *in);
    for (size_t i = part->first; i < part->end; i++) {
        struct pres_interval one = pres_set_at(known->set, i);
        in[n++] = (struct pres_interval){round_down(one.start, grant->grid_s), round_up(one.end, grant->grid_s),
                                         grant->merge ? PRES_BUSY : one.kind};
    }
    if (grant->working_only)
        n += add_nights(grant, nights_from, nights_until, in + n, nights + NIGHTS_MORE);
    struct pres_set *set = pres_set_build(in, n, known->from, until);
    if (in != few)
        free(in);
    return set;
}

/* Time outside of working hours is not to be had; that it is not known, a set cannot say. */
static size_t add_nights(const struct pres_grant *grant, int64_t from, int64_t until, struct pres_interval *out,
                         size_t max)
{
    size_t n = 0;
    enum pres_kind kind = grant->merge ? PRES_BUSY : PRES_OOF;
    for (int64_t t = from, begin, end; t < until && n < max; t = end) {
        bool inside = grant->hours && pres_hours_at(grant->hours, t, &begin, &end);
        if (!grant->hours)
            begin = from, end = until;
        if (!inside)
            out[n++] = (struct pres_interval){begin, end, kind};
    }
    return n;
}

static int64_t round_down(int64_t t, int64_t grid)
{
    return grid > 1 ? t - (t % grid + grid) % grid : t;
}

static int64_t round_up(int64_t t, int64_t grid)
{
    return grid > 1 ? round_down(t + grid - 1, grid) : t;
}
