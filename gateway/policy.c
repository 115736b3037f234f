/*
 * policy: see policy.h. The table is the configuration's; here it meets the running daemon: who asks and about whom
 * become plain texts, the person's own choice and marker are put over the answer, and one timer counts the moments at
 * which a view changes by itself, so that streams and outlets look again (their epoch is another one).
 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "marker.h"
#include "policy_check.h"
#include "policy_choice.h"
#include "policy_table.h"
#include "who.h"

enum { SLEEP_MAX_MS = 60000, FIRST_TURN = 1 };

struct gw_policy {
    struct gateway *g;
    struct loop_timer *timer;
    unsigned epoch;
    int64_t next; /* wall s at which views may change by themselves */
    bool anonymous, told, had_table;
    uint64_t seen_since, turn; /* see gw_policy_narrowed_otherwise */
    uint64_t cursors_from;
};

/* Of one table, at one epoch. */
struct gw_policy_lines {
    const struct gw_who *who;
    const struct gw_policy_table *table;
    unsigned epoch;
    unsigned *list;
    size_t count;
};

static struct gw_asker asker_of(const struct gw_who *who, const char *part);
static void grant_at(const struct gateway *g, const struct gw_policy_lines *lines, const struct gw_asker *who,
                     pres_id id, int64_t at, struct pres_grant *ret);
static bool presence_of(const struct gateway *g, const struct gw_who *who, const struct pres_grant *grant, pres_id id,
                        int64_t at, struct pres_presence *ret);
static void look_up_lines(const struct gateway *g, struct gw_policy_lines *l);
static void arm(struct gw_policy *p);
static void on_timer(void *arg);
static int64_t wall_s(const struct gateway *g);
static void warn(const struct gateway *g);

struct gw_policy *gw_policy_new(struct gateway *g)
{
    struct gw_policy *p = mem_calloc(1, sizeof *p);
    p->g = g;
    p->epoch = 1;
    p->turn = FIRST_TURN;
    p->next = PRES_NEVER;
    p->timer = loop_timer_new(g->loop, "policy", on_timer, p);
    return p;
}

void gw_policy_free(struct gw_policy **p)
{
    if (!*p)
        return;
    loop_timer_free(&(*p)->timer);
    free(*p);
    *p = NULL;
}

void gw_policy_apply(struct gateway *g)
{
    static const struct gw_asker anonymous = {.name = "anonymous", .anonymous = true};
    const struct gw_policy_table *t = g->config->policy.table;
    g->policy->anonymous = false;
    for (size_t i = 0; t && i < gw_policy_table_count(t); i++)
        g->policy->anonymous |= gw_policy_line_who(t, i, &anonymous);
    if (!t && !g->policy->told)
        log_notice("policy", "there is no policy: who reaches a listener or an outlet sees everything");
    g->policy->told = !t;
    if (g->policy->had_table && !t)
        gw_policy_drop_cursors(g); /* there was much that they must not bring back */
    g->policy->had_table = t != NULL;
    warn(g);
    gw_policy_changed(g);
}

void gw_policy_grant(const struct gateway *g, const struct gw_who *who, pres_id id, struct pres_grant *ret)
{
    gw_policy_grant_part(g, who, NULL, id, ret);
}

void gw_policy_grant_part(const struct gateway *g, const struct gw_who *who, const char *part, pres_id id,
                          struct pres_grant *ret)
{
    *ret = pres_grant_all;
    if (who->admin || (!g->config->policy.table && !g->persons[id].choice && !g->persons[id].marked))
        return;
    struct gw_asker asker = asker_of(who, part);
    grant_at(g, NULL, &asker, id, wall_s(g), ret);
}

void gw_policy_grant_at(const struct gateway *g, const struct gw_asker *who, pres_id id, int64_t at,
                        struct pres_grant *ret)
{
    grant_at(g, NULL, who, id, at, ret);
}

bool gw_policy_presence(const struct gateway *g, const struct gw_who *who, pres_id id, struct pres_presence *ret)
{
    struct pres_grant grant;
    if (id == PRES_NOBODY)
        return false;
    gw_policy_grant(g, who, id, &grant);
    return presence_of(g, who, &grant, id, wall_s(g), ret);
}

struct gw_policy_lines *gw_policy_lines_new(const struct gw_who *who)
{
    struct gw_policy_lines *l = mem_calloc(1, sizeof *l);
    l->who = who;
    return l;
}

void gw_policy_lines_free(struct gw_policy_lines **l)
{
    if (*l)
        free((*l)->list);
    free(*l);
    *l = NULL;
}

bool gw_policy_presence_by(const struct gateway *g, struct gw_policy_lines *l, pres_id id, struct pres_presence *ret)
{
    struct pres_grant grant = pres_grant_all;
    int64_t now = wall_s(g);
    if (id == PRES_NOBODY)
        return false;
    if (l->epoch != g->policy->epoch || l->table != g->config->policy.table)
        look_up_lines(g, l);
    if (!l->who->admin && (l->table || g->persons[id].choice || g->persons[id].marked)) {
        struct gw_asker asker = asker_of(l->who, NULL);
        grant_at(g, l, &asker, id, now, &grant);
    }
    return presence_of(g, l->who, &grant, id, now, ret);
}

struct pres_seen *gw_policy_known(const struct gateway *g, const struct gw_who *who, pres_id id)
{
    struct pres_grant grant;
    struct pres_known known;
    if (id == PRES_NOBODY)
        return NULL;
    gw_policy_grant(g, who, id, &grant);
    gw_audit(g, who, id, &grant);
    pres_table_known(g->table, id, &known);
    return pres_view_known(&grant, &known, wall_s(g));
}

void gw_policy_changed(struct gateway *g)
{
    struct gw_policy *p = g->policy;
    p->epoch++;
    gw_http_policy_changed(g->http);
    gw_outlets_policy_changed(g);
    int64_t line = g->config->policy.table ? gw_policy_table_next(g->config->policy.table, wall_s(g)) : PRES_NEVER;
    int64_t mark = gw_marks_next(g->marks, wall_s(g));
    p->next = line < mark ? line : mark;
    arm(p);
}

void gw_policy_soon(struct gateway *g)
{
    g->policy->next = wall_s(g);
    arm(g->policy);
}

bool gw_policy_sees_all(const struct gateway *g, const struct gw_who *who)
{
    return who->admin || (!g->config->policy.table && gw_choices_count(g->choices) + gw_marks_count(g->marks) == 0);
}

bool gw_policy_is_set(const struct gateway *g)
{
    return g->config->policy.table != NULL;
}

bool gw_policy_names_anonymous(const struct gateway *g)
{
    return g->policy->anonymous;
}

void gw_policy_narrowed_otherwise(const struct gateway *g, pres_id id)
{
    if (!g->policy || !g->journal)
        return;
    g->persons[id].seen_since = g->policy->seen_since = pres_journal_head(g->journal);
    g->persons[id].seen_turn = ++g->policy->turn;
}

bool gw_policy_seen_otherwise(const struct gateway *g, pres_id id, uint64_t seq, uint64_t turn)
{
    const struct gw_person *p = id == PRES_NOBODY ? NULL : &g->persons[id];
    uint64_t seen = p ? p->seen_turn : g->policy->turn;
    if (turn > 0)
        return seen > turn;
    return seen > FIRST_TURN && (p ? p->seen_since : g->policy->seen_since) >= seq;
}

uint64_t gw_policy_turn(const struct gateway *g)
{
    return g->policy->turn;
}

void gw_policy_drop_cursors(const struct gateway *g)
{
    if (g->policy && g->journal)
        g->policy->cursors_from = pres_journal_head(g->journal);
}

uint64_t gw_policy_cursors_from(const struct gateway *g)
{
    return g->policy->cursors_from;
}

bool gw_policy_is_narrowed(const struct gateway *g, pres_id id)
{
    return g->persons[id].choice || g->persons[id].marked;
}

bool gw_policy_narrowing(const struct gateway *g, pres_id id, enum pres_level *ret, const char **ret_by,
                         int64_t *ret_until)
{
    enum pres_level mark;
    bool chosen = gw_choices_of(g->choices, id, ret), marked = gw_marks_at(g, id, wall_s(g), &mark);
    marked = marked && (!chosen || mark < *ret);
    if (marked)
        *ret = mark;
    *ret_by = marked ? "marker" : "choice";
    *ret_until = marked ? gw_marks_until(g, id, wall_s(g)) : PRES_NEVER;
    return chosen || marked;
}

bool gw_policy_was_hidden(const struct gateway *g, pres_id id, int64_t at)
{
    enum pres_level most;
    return (gw_choices_of(g->choices, id, &most) && most == PRES_SEE_NOTHING) ||
           (gw_marks_at(g, id, at, &most) && most == PRES_SEE_NOTHING);
}

unsigned gw_policy_epoch(const struct gateway *g)
{
    return g->policy->epoch;
}

static struct gw_asker asker_of(const struct gw_who *who, const char *part)
{
    return (struct gw_asker){.name = who->name,
                             .group = who->group,
                             .part = part,
                             .anonymous = strcmp(who->means, "anonymous") == 0,
                             .outlet = strcmp(who->means, "outlet") == 0};
}

/* The person's own choice and marker are the last word, but for widening. `lines` NULL: all of them. */
static void grant_at(const struct gateway *g, const struct gw_policy_lines *lines, const struct gw_asker *who,
                     pres_id id, int64_t at, struct pres_grant *ret)
{
    const struct gw_policy_table *t = g->config->policy.table;
    struct gw_subject whom = {.address = pres_table_address(g->table, id),
                              .publish_as = pres_table_publish_as(g->table, id),
                              .group = pres_table_group(g->table, id)};
    enum pres_level most;
    *ret = pres_grant_all;
    if (t && lines)
        gw_policy_table_grant_by(t, lines->list, lines->count, who, &whom, at, ret);
    else if (t)
        gw_policy_table_grant(t, who, &whom, at, ret);
    if (gw_choices_of(g->choices, id, &most) && most < ret->level) {
        ret->level = most;
        ret->narrowed = "choice";
    }
    if (gw_marks_at(g, id, at, &most) && most < ret->level) {
        ret->level = most;
        ret->narrowed = "marker";
    }
}

static bool presence_of(const struct gateway *g, const struct gw_who *who, const struct pres_grant *grant, pres_id id,
                        int64_t at, struct pres_presence *ret)
{
    struct pres_presence full;
    struct pres_known known;
    gw_audit(g, who, id, grant);
    if (grant->level == PRES_SEE_NOTHING)
        return false;
    pres_table_presence(g->table, id, &full);
    if (pres_grant_is_all(grant)) {
        *ret = full;
        return true;
    }
    pres_table_known(g->table, id, &known);
    return pres_view_presence(grant, &known, &full, at, ret);
}

static void look_up_lines(const struct gateway *g, struct gw_policy_lines *l)
{
    struct gw_asker asker = asker_of(l->who, NULL);
    l->epoch = g->policy->epoch;
    l->table = g->config->policy.table;
    free(l->list);
    l->list = l->table ? mem_calloc(gw_policy_table_count(l->table) + 1, sizeof *l->list) : NULL;
    l->count = l->table ? gw_policy_table_lines(l->table, &asker, l->list) : 0;
}

/* The wall clock may jump: never more than a minute at a stretch. */
static void arm(struct gw_policy *p)
{
    if (p->next == PRES_NEVER) {
        loop_timer_stop(p->timer);
        return;
    }
    int64_t ms = p->next * 1000 - clk_wall_ms(loop_clk(p->g->loop));
    loop_timer_in(p->timer, ms < 0 ? 0 : ms > SLEEP_MAX_MS ? SLEEP_MAX_MS : ms);
}

static void on_timer(void *arg)
{
    struct gw_policy *p = arg;
    if (wall_s(p->g) >= p->next)
        gw_policy_changed(p->g);
    else
        arm(p);
}

static int64_t wall_s(const struct gateway *g)
{
    return clk_wall_s(loop_clk(g->loop));
}

static void warn(const struct gateway *g)
{
    struct buf b;
    buf_init(&b, 1 << 18);
    gw_policy_warnings(g->config, &b);
    for (const char *line = b.len ? b.data : ""; *line;) {
        size_t len = strcspn(line, "\n");
        log_warning("policy", "%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
    buf_free(&b);
}
