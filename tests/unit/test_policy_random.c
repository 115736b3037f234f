/*
 * Policy and view together against an oracle: random tables, people, askers, outlets and moments. The oracle evaluates
 * a table by its own reading of the same lines, and reckons what may be seen minute by minute, without sets, without
 * cleverness. Nothing may leave that it does not grant, and what it grants must arrive.
 *
 * FREEBUSY_POLICY_CASES says how many cases [20 000]; a million take some minutes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "policy_table.h"

#define START INT64_C(1800014400) /* 2027-01-15T12:00:00Z, a Friday */
#define MIN 60
#define DAY 86400
#define BEFORE (36 * 3600)
#define AFTER (3 * DAY)
#define LINES_MAX 8
#define PERIODS_MAX 12
#define CELLS ((BEFORE + AFTER) / MIN)

enum { WHO_NAMES = 4, CASES = 20000, HOURS_FROM = 8 * 3600, HOURS_TO = 18 * 3600 };

static const char *const names[] = {"ann@one.example", "bob@two.example", "door", "hall"};
static const char *const addresses[] = {"ann@one.example", "cat@one.example", "dan@two.example", "eve@three.example"};
static const char *const groups[] = {"red", "blue"};
static const char *const outlets[] = {"xmpp", "wall"};
static const char *const domains[] = {"one.example", "two.example", "three.example"};
static const int64_t grids[] = {0, 0, 15 * MIN, 30 * MIN, 60 * MIN, 45 * MIN};
static const int64_t horizons[] = {0, 0, 3600, 5 * 3600, DAY};

/* A line as the oracle has it: words that it understands itself. */
struct line {
    char who[80], whom[80];
    int level;
    bool merge, no_until, working, ends;
    int64_t grid, horizon, until;
};

struct world {
    struct line lines[LINES_MAX];
    unsigned line_count;
    struct gw_asker who;
    struct gw_subject whom;
    int choice; /* the person's, -1: none */
    struct pres_interval periods[PERIODS_MAX];
    unsigned period_count;
    int64_t now;
    struct pres_known known;
    bool stale;
    uint8_t real[CELLS]; /* kind by minute, from START - BEFORE */
};

static uint64_t seed = 88172645463325252u;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % sides;
}

/* --- making a world --- */

static void make_who_word(char *out, size_t size)
{
    switch (dice(8)) {
    case 0:
        snprintf(out, size, "*");
        break;
    case 1:
        snprintf(out, size, "anonymous");
        break;
    case 2:
        snprintf(out, size, "group:%s", groups[dice(2)]);
        break;
    case 3:
        snprintf(out, size, "@%s", domains[dice(3)]);
        break;
    case 4:
        snprintf(out, size, "outlet:%s", outlets[dice(2)]);
        break;
    case 5:
        snprintf(out, size, "%s:%s", outlets[dice(2)], domains[dice(3)]);
        break;
    case 6:
        snprintf(out, size, "%s", outlets[dice(2)]);
        break;
    default:
        snprintf(out, size, "%s", names[dice(WHO_NAMES)]);
    }
}

static void make_whom_word(char *out, size_t size)
{
    switch (dice(6)) {
    case 0:
    case 1:
        snprintf(out, size, "*");
        break;
    case 2:
        snprintf(out, size, "group:%s", groups[dice(2)]);
        break;
    case 3:
        snprintf(out, size, "@%s", domains[dice(3)]);
        break;
    case 4:
        snprintf(out, size, "self");
        break;
    default:
        snprintf(out, size, "%s", addresses[dice(4)]);
    }
}

static void make_line(struct line *l)
{
    make_who_word(l->who, sizeof l->who);
    make_whom_word(l->whom, sizeof l->whom);
    l->level = (int)dice(4);
    l->merge = dice(3) == 0;
    l->no_until = dice(5) == 0;
    l->working = dice(4) == 0;
    l->grid = grids[dice(6)];
    l->horizon = horizons[dice(5)];
    l->ends = dice(5) == 0;
    l->until = START + (int64_t)(dice(4) * 6 * 3600) - 12 * 3600;
}

static void make_asker(struct world *w)
{
    w->who = (struct gw_asker){.name = names[dice(WHO_NAMES)]};
    switch (dice(4)) {
    case 0:
        w->who = (struct gw_asker){.name = "anonymous", .anonymous = true};
        break;
    case 1:
        w->who = (struct gw_asker){.name = outlets[dice(2)], .outlet = true, .part = dice(2) ? domains[dice(3)] : NULL};
        break;
    default:
        w->who.group = dice(2) ? groups[dice(2)] : NULL;
    }
}

static void make_calendar(struct world *w)
{
    w->period_count = dice(PERIODS_MAX + 1);
    memset(w->real, PRES_FREE, sizeof w->real);
    for (unsigned i = 0; i < w->period_count; i++) {
        int64_t start = START - BEFORE + (int64_t)dice(CELLS) * MIN, end = start + (1 + (int64_t)dice(300)) * MIN;
        enum pres_kind kind = (enum pres_kind)(PRES_ELSEWHERE + dice(4));
        w->periods[i] = (struct pres_interval){start, end, kind};
        for (int64_t t = start; t < end && t < START + AFTER; t += MIN) {
            uint8_t *cell = &w->real[(t - START + BEFORE) / MIN];
            *cell = *cell < (uint8_t)kind ? (uint8_t)kind : *cell;
        }
    }
    w->stale = dice(20) == 0;
    w->now = START + (int64_t)dice(600) * MIN + dice(MIN);
    w->known = (struct pres_known){.set = pres_set_build(w->periods, w->period_count, START - BEFORE, START + AFTER),
                                   .from = START - BEFORE,
                                   .until = START + AFTER,
                                   .as_of = w->stale ? START - 2 * DAY : START - 100,
                                   .stale_after = w->stale ? 60 : 10 * DAY,
                                   .reason = dice(2) ? "receive-as-missing" : NULL};
}

static void make(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->line_count = dice(LINES_MAX + 1);
    for (unsigned i = 0; i < w->line_count; i++)
        make_line(&w->lines[i]);
    make_asker(w);
    w->whom = (struct gw_subject){.address = addresses[dice(4)], .group = dice(3) ? groups[dice(2)] : NULL};
    w->choice = dice(4) ? -1 : (int)dice(4);
    make_calendar(w);
}

/* --- the oracle: who --- */

static bool ends_with(const char *text, const char *domain)
{
    size_t a = strlen(text), b = strlen(domain);
    return a > b && text[a - b - 1] == '@' && strcmp(text + a - b, domain) == 0;
}

static bool means_who(const struct world *w, const char *word)
{
    const struct gw_asker *who = &w->who;
    char both[200];
    if (strcmp(word, "anonymous") == 0 || who->anonymous)
        return strcmp(word, "anonymous") == 0 && who->anonymous;
    if (strcmp(word, "*") == 0 || strcmp(word, who->name) == 0)
        return true;
    if (word[0] == '@')
        return !who->outlet && ends_with(who->name, word + 1);
    snprintf(both, sizeof both, "group:%s", who->group ? who->group : "\n");
    if (strcmp(word, both) == 0)
        return true;
    snprintf(both, sizeof both, "outlet:%s", who->name);
    if (who->outlet && strcmp(word, both) == 0)
        return true;
    snprintf(both, sizeof both, "%s:%s", who->name, who->part ? who->part : "\n");
    return who->outlet && strcmp(word, both) == 0;
}

static bool means_whom(const struct world *w, const char *word)
{
    char group[100];
    snprintf(group, sizeof group, "group:%s", w->whom.group ? w->whom.group : "\n");
    if (strcmp(word, "self") == 0)
        return !w->who.outlet && !w->who.anonymous && strcmp(w->who.name, w->whom.address) == 0;
    return strcmp(word, "*") == 0 || strcmp(word, group) == 0 || strcmp(word, w->whom.address) == 0 ||
           (word[0] == '@' && ends_with(w->whom.address, word + 1));
}

/* NULL: nothing may be seen. */
static const struct line *deciding(const struct world *w)
{
    for (unsigned i = 0; i < w->line_count; i++) {
        const struct line *l = &w->lines[i];
        if ((!l->ends || w->now < l->until) && means_who(w, l->who) && means_whom(w, l->whom))
            return l;
    }
    return NULL;
}

/* --- the oracle: what, minute by minute --- */

static bool at_work(int64_t t)
{
    int64_t day = t / DAY, second = t % DAY;
    return (day + 3) % 7 < 5 && second >= HOURS_FROM && second < HOURS_TO;
}

/* What this viewer would see at minute t, were it now: the strongest kind that touches the grid's cell around it. */
static int cell_kind(const struct world *w, const struct line *l, int64_t t)
{
    int64_t from = t, until = t + MIN;
    int kind = PRES_FREE;
    if (l->grid) {
        from = t / l->grid * l->grid;
        until = from + l->grid;
    }
    for (int64_t at = from; at < until; at += MIN) {
        int64_t cell = (at - START + BEFORE) / MIN;
        if (cell >= 0 && cell < CELLS && at >= START - BEFORE && w->real[cell] > kind)
            kind = w->real[cell];
    }
    if (l->merge && kind != PRES_FREE)
        kind = PRES_BUSY;
    if (l->working && !at_work(t))
        kind = l->merge ? PRES_BUSY : kind > PRES_OOF ? kind : PRES_OOF;
    return kind;
}

static void fail_in(const struct world *w, const struct line *l, const char *what)
{
    fail_msg("%s: %s asks of %s, line \"%s %s level=%d merge=%d no_until=%d working=%d grid=%lld horizon=%lld\", now "
             "START+%lld, choice %d",
             what, w->who.name, w->whom.address, l ? l->who : "-", l ? l->whom : "-", l ? l->level : 0,
             l ? l->merge : 0, l ? l->no_until : 0, l ? l->working : 0, (long long)(l ? l->grid : 0),
             (long long)(l ? l->horizon : 0), (long long)(w->now - START), w->choice);
}

static void check_state(const struct world *w, const struct line *l, int level, const struct pres_presence *p)
{
    int expected = cell_kind(w, l, w->now / MIN * MIN);
    if (w->stale || (l->working && !at_work(w->now)))
        expected = PRES_UNKNOWN;
    else if (expected != PRES_FREE && (level == PRES_SEE_AVAILABLE || l->merge))
        expected = PRES_BUSY;
    if ((int)p->state != expected)
        fail_in(w, l, "another state than granted");
    if (p->reason && (p->state != PRES_UNKNOWN || strcmp(p->reason, "receive-as-missing") == 0))
        fail_in(w, l, "a reason that is not granted");
}

/* Each time that is told must be a change of what this viewer may see, by itself. */
static void check_times(const struct world *w, const struct line *l, int level, const struct pres_presence *p)
{
    bool times = level == PRES_SEE_TIMES;
    if (!times && (p->since || p->as_of || p->next.some || p->until != PRES_NEVER || p->valid_until % 300 != 0))
        fail_in(w, l, "a time at a level without times");
    if (l->no_until && (p->until != PRES_NEVER || p->next.some))
        fail_in(w, l, "an end that is not granted");
    if (p->state == PRES_UNKNOWN || !times)
        return;
    int64_t sight = l->horizon ? w->now + l->horizon : START + AFTER, limit = START + AFTER;
    if (p->until != PRES_NEVER) {
        if (p->until > limit || (p->state == PRES_FREE && p->until > sight))
            fail_in(w, l, "an end beyond what may be seen");
        if (cell_kind(w, l, p->until) == (int)p->state && !(l->working && !at_work(p->until)))
            fail_in(w, l, "an end that is none");
        for (int64_t t = w->now / MIN * MIN; t < p->until; t += MIN)
            if (cell_kind(w, l, t) != (int)p->state)
                fail_in(w, l, "an end that hides a change");
    }
    if (p->since > START - BEFORE && p->since > 0) {
        bool went_on = cell_kind(w, l, p->since - MIN) == (int)p->state;
        if (p->since > w->now || (went_on && at_work(p->since - MIN) == at_work(p->since)))
            fail_in(w, l, "a beginning that is none");
    }
    if (p->next.some) {
        if (p->next.start > sight || cell_kind(w, l, p->next.start) != (int)p->next.kind)
            fail_in(w, l, "what comes next is not so");
        bool morning = l->working && at_work(p->next.start) && !at_work(p->next.start - MIN);
        if (l->grid && p->next.start % l->grid && !morning)
            fail_in(w, l, "what comes next is not on the grid");
    }
}

static void check_known(const struct world *w, const struct line *l, const struct pres_presence *p,
                        const struct pres_seen *seen)
{
    const struct pres_known *k = &seen->known;
    struct pres_presence mine;
    if (l->horizon && k->until > w->now + l->horizon)
        fail_in(w, l, "free/busy times beyond the horizon");
    for (int64_t t = k->from; t + MIN <= k->until; t += 7 * MIN) {
        size_t i = pres_set_find(k->set, t);
        int kind = i < pres_set_count(k->set) && pres_set_at(k->set, i).start <= t ? (int)pres_set_at(k->set, i).kind
                                                                                   : PRES_FREE;
        if (kind != cell_kind(w, l, t))
            fail_in(w, l, "free/busy times that are not granted");
    }
    pres_state_at(k, w->now, &mine);
    if (p->state != PRES_UNKNOWN && mine.state != p->state)
        fail_in(w, l, "presence and free/busy contradict each other");
    if (k->reason)
        fail_in(w, l, "a reason in free/busy");
}

static void check(struct world *w, const struct gw_policy_table *table)
{
    struct pres_grant grant;
    struct pres_presence full, seen;
    const struct line *l = deciding(w);
    int level = l ? l->level : PRES_SEE_NOTHING;
    gw_policy_table_grant(table, &w->who, &w->whom, w->now, &grant);
    if (w->choice >= 0 && w->choice < (int)grant.level)
        grant.level = (enum pres_level)w->choice;
    if (w->choice >= 0 && w->choice < level)
        level = w->choice;
    pres_state_at(&w->known, w->now, &full);
    bool told = pres_view_presence(&grant, &w->known, &full, w->now, &seen);
    if (told != (level != PRES_SEE_NOTHING))
        fail_in(w, l, told ? "somebody who may not be seen" : "nobody, where somebody may be seen");
    struct pres_seen *known = pres_view_known(&grant, &w->known, w->now);
    if (!known != (level != PRES_SEE_TIMES || l->no_until))
        fail_in(w, l, "free/busy times where there are none, or none where there are");
    if (told && !pres_grant_is_all(&grant)) {
        check_state(w, l, level, &seen);
        check_times(w, l, level, &seen);
        if (known)
            check_known(w, l, &seen, known);
    }
    pres_seen_free(&known);
}

static struct gw_policy_table *compile(const struct world *w)
{
    static const char *const levels[] = {"nothing", "available", "kinds", "times"};
    char why[100], until[30];
    struct gw_policy_table *t = gw_policy_table_new();
    gw_policy_table_hours(t, pres_hours_new(0x1f, HOURS_FROM, HOURS_TO, NULL, why, sizeof why));
    for (unsigned i = 0; i < w->line_count; i++) {
        const struct line *l = &w->lines[i];
        struct gw_policy_line line = {.who = l->who,
                                      .whom = l->whom,
                                      .level = levels[l->level],
                                      .merge = l->merge,
                                      .no_until = l->no_until,
                                      .working_only = l->working,
                                      .grid_s = l->grid,
                                      .horizon_s = l->horizon};
        int64_t hour = (l->until - (START - START % DAY)) / 3600;
        snprintf(until, sizeof until, "2027-01-%02dT%02d:00:00Z", (int)(15 + (hour < 0 ? -1 : hour / 24)),
                 (int)((hour + 24) % 24));
        line.until = l->ends ? until : NULL;
        if (gw_policy_table_add(t, &line, i + 1, true))
            fail_msg("a line was refused: %s", gw_policy_table_add(t, &line, i + 1, true));
    }
    return t;
}

static void test_nothing_leaves_that_is_not_granted(void **state)
{
    (void)state;
    const char *asked = getenv("FREEBUSY_POLICY_CASES"), *start = getenv("FREEBUSY_POLICY_SEED");
    unsigned long cases = asked ? strtoul(asked, NULL, 10) : CASES;
    if (start)
        seed = strtoull(start, NULL, 10) | 1;
    for (unsigned long i = 0; i < cases; i++) {
        static struct world w;
        make(&w);
        struct gw_policy_table *table = compile(&w);
        check(&w, table);
        gw_policy_table_free(&table);
        free((void *)(uintptr_t)w.known.set);
    }
    print_message("cases=%lu\n", cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_leaves_that_is_not_granted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
