/*
 * feed: THE meeting point. Whatever a server answers about a person comes through here, and nowhere else does
 * davclient's data become presence's: the rules of the person's group say which spans count and as what, the table gets
 * the intervals, or the failure. A failure never touches what is known: it grows old and then unknown.
 *
 * The poller calls `answer`, the table calls gw_feed_change when somebody's presence differs from what was last told.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "davclient/mark.h"
#include "demand.h"
#include "gateway_private.h"
#include "marker.h"
#include "published.h"
#include "keep.h"
#include "why.h"

enum { DAY_S = 86400, HOUR_S = 3600, FOLD_S = 600, COST_OF = 300 };

struct group_rules {
    struct pres_rules rules;
    char name[];
};

/* Data crosses the border as plain numbers; these hold it together. */
_Static_assert((int)DAV_FREE == PRES_FREE && (int)DAV_ELSEWHERE == PRES_ELSEWHERE &&
                   (int)DAV_TENTATIVE == PRES_TENTATIVE && (int)DAV_BUSY == PRES_BUSY && (int)DAV_OOF == PRES_OOF &&
                   (int)DAV_NOT_UNDERSTOOD == PRES_UNKNOWN, /* which the rules have count as busy */
               "one order of kinds");
_Static_assert((int)DAV_TRAIT_ALL_DAY == PRES_TRAIT_ALL_DAY && (int)DAV_TRAIT_CANCELLED == PRES_TRAIT_CANCELLED &&
                   (int)DAV_TRAIT_DECLINED == PRES_TRAIT_DECLINED &&
                   (int)DAV_TRAIT_UNANSWERED == PRES_TRAIT_UNANSWERED &&
                   (int)DAV_TRAIT_ACCEPTED_MAYBE == PRES_TRAIT_ACCEPTED_MAYBE &&
                   (int)DAV_TRAIT_PRIVATE == PRES_TRAIT_PRIVATE &&
                   (int)DAV_TRAIT_OUTSIDE_HOURS == PRES_TRAIT_OUTSIDE_HOURS,
               "one set of traits");

static void question(void *arg, uint32_t id, struct dav_question *ret);
static void refresh_question(void *arg, uint32_t id, struct dav_question *ret);
static void answer(void *arg, uint32_t id, const struct dav_result *result);
static void server_turned(void *arg, unsigned number, const char *code);
static enum gw_rank rank(void *arg, uint32_t id);
static void note_cost(struct gw_server *s, unsigned requests);
static void take_marks(struct gateway *g, pres_id id, const struct dav_result *result);
static void take_answer(struct gateway *g, pres_id id, const struct dav_result *result);
static void take_confirmation(struct gateway *g, pres_id id, const struct dav_result *result);
static void take_failure(struct gateway *g, pres_id id, const struct dav_result *result);
static bool has_own_failure(const struct gw_server *s, const struct gw_person *p);
static void remember(struct gw_person *p, const char *place);
static struct pres_rules rules_from(const struct gw_config_rules *words);
static enum pres_kind kind_of(const char *word);

const struct gw_poller_ops gw_feed_ops = {
    .question = question,
    .refresh_question = refresh_question,
    .answer = answer,
    .server = server_turned,
    .room = dav_session_room,
    .start = dav_query_start,
    .cancel = dav_query_cancel,
    .rank = rank,
    .ways = gw_published_poll_ways,
    .batch_question = gw_published_question,
    .batch_due = gw_published_due,
    .batch_answer = gw_published_answer,
    .batch_size = dav_batch_size,
    .batch_start = dav_batch_start,
    .batch_cancel = dav_batch_cancel,
};

void gw_feed_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct gateway *g = arg;
    g->persons[id].unknown = now->state == PRES_UNKNOWN;
    gw_person_reclass(g, id);
    pres_journal_add(g->journal, id, now);
}

void gw_feed_rules(struct gateway *g)
{
    gw_feed_free(g);
    g->rules_epoch = (uint8_t)(g->rules_epoch % UINT8_MAX + 1);
    g->rules = rules_from(&g->config->rules);
    g->group_rules = map_new();
    for (unsigned i = 0; i < g->config->group_rules_count; i++) {
        const struct gw_config_rules *words = &g->config->group_rules[i];
        size_t len = strlen(words->group) + 1;
        struct group_rules *group = mem_calloc(1, sizeof *group + len);
        memcpy(group->name, words->group, len);
        group->rules = rules_from(words);
        map_put(g->group_rules, group->name, group);
    }
}

void gw_feed_free(struct gateway *g)
{
    size_t pos = 0;
    for (void *group; g->group_rules && (group = map_next(g->group_rules, &pos));)
        free(group);
    map_free(&g->group_rules);
}

bool gw_feed_has_rules(const struct gateway *g, pres_id id)
{
    return gw_feed_rules_of(g, id) != &g->rules;
}

static void question(void *arg, uint32_t id, struct dav_question *ret)
{
    gw_feed_question(arg, id, ret);
    ret->until = gw_published_window(arg, id, ret->until);
}

/* The distant days, too, from the calendar: what is published of them may be old. */
static void refresh_question(void *arg, uint32_t id, struct dav_question *ret)
{
    gw_feed_question(arg, id, ret);
}

void gw_feed_question(const struct gateway *g, pres_id id, struct dav_question *ret)
{
    const struct gw_person *p = &g->persons[id];
    const struct gw_extra *extra = p->extra;
    int64_t now = clk_wall_s(loop_clk(g->loop)), until = now + g->config->poll_window_s;
    ret->address = pres_table_address(g->table, id);
    if (extra) {
        ret->path = extra->path;
        ret->zone = extra->zone;
        ret->remember = extra->remember;
        ret->aliases = (const char *const *)extra->aliases;
    }
    ret->from = (now / DAY_S - 1) * DAY_S; /* yesterday, so that `since` of what goes on is known */
    ret->until = (until + HOUR_S - 1) / HOUR_S * HOUR_S;
    ret->again = true;
    ret->held = p->held == g->rules_epoch;
    ret->number = id;
}

void gw_feed_hint(void *arg, uint32_t number)
{
    struct gateway *g = arg;
    gw_poller_hint(g->poller, number);
}

static void answer(void *arg, uint32_t id, const struct dav_result *result)
{
    struct gateway *g = arg;
    gw_feed_count(g, result);
    if (result->requests > 0 || result->err == DAV_OK)
        note_cost(gw_server_of(g, id), result->requests);
    if (g->whys && !result->unchanged)
        gw_why_take(g, id, gw_feed_rules_of(g, id), result);
    gw_keep_verdict(g, gw_server_of(g, id), result->err);
    if (result->err == DAV_OK && result->unchanged)
        take_confirmation(g, id, result);
    else if (result->err == DAV_OK)
        take_answer(g, id, result);
    else
        take_failure(g, id, result);
    gw_person_reclass(g, id);
}

/* The mean of the first few hundred, then one that forgets. */
static void note_cost(struct gw_server *s, unsigned requests)
{
    s->answers += s->answers < COST_OF;
    s->per_poll += ((double)requests - s->per_poll) / s->answers;
}

void gw_feed_count(struct gateway *g, const struct dav_result *result)
{
    if (result->requests == 0 && result->err != DAV_OK)
        return;
    g->stats.polls_by_err[result->err]++;
    if (result->err == DAV_OK)
        g->stats.polls_ok++;
    else
        g->stats.polls_failed++;
}

/* The scratch has room for so many; what is in it stays. */
void gw_feed_room(struct gateway *g, size_t count)
{
    if (g->scratch_size >= count)
        return;
    g->scratch_size = count * 2;
    g->scratch = mem_realloc(g->scratch, g->scratch_size, sizeof *g->scratch);
}

/* What counts, into the scratch. */
size_t gw_feed_weigh(struct gateway *g, const struct pres_rules *rules, const struct dav_result *result)
{
    size_t n = 0;
    bool hours = false;
    gw_feed_room(g, result->count);
    for (size_t i = 0; i < result->count; i++) {
        const struct dav_span *span = &result->spans[i];
        if (span->traits & DAV_TRAIT_OUTSIDE_HOURS) {
            hours = true;
            continue;
        }
        enum pres_kind kind = pres_rules_apply(rules, (enum pres_kind)span->kind, span->traits & ~DAV_TRAIT_MARKS);
        if (kind != PRES_FREE)
            g->scratch[n++] = (struct pres_interval){.start = span->start, .end = span->end, .kind = kind};
    }
    return hours ? gw_hours_weigh(g, n, rules, result) : n;
}

/* The last answer about this person was good. */
void gw_feed_well(struct gateway *g, pres_id id)
{
    struct gw_person *p = &g->persons[id];
    struct gw_server *s = gw_server_of(g, id);
    if (p->cause)
        gw_causes_leave(&s->causes, p->cause, id, s->config->name, clk_wall_s(loop_clk(g->loop)));
    p->cause = 0;
    p->was_read = 1;
}

/* Before the answer is told to anybody. What the person did not make, or has refused, says nothing about them. */
static void take_marks(struct gateway *g, pres_id id, const struct dav_result *result)
{
    const unsigned not_theirs = DAV_TRAIT_CANCELLED | DAV_TRAIT_DECLINED | DAV_TRAIT_UNANSWERED;
    struct gw_mark *marks = NULL;
    size_t count = 0;
    for (size_t i = 0; i < result->count; i++) {
        const struct dav_span *span = &result->spans[i];
        for (unsigned k = 0; k < g->config->markers_count && span->traits & DAV_TRAIT_MARKS; k++) {
            if (!(span->traits & DAV_TRAIT_MARK(k)) || span->traits & not_theirs)
                continue;
            marks = mem_realloc(marks, count + 1, sizeof *marks);
            marks[count] = (struct gw_mark){.start = span->start, .end = span->end};
            pres_level_parse(g->config->markers[k].level, &marks[count++].level);
        }
    }
    gw_marks_set(g->marks, id, marks, count, result->until);
    free(marks);
}

static void take_answer(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_person *p = &g->persons[id];
    const struct gw_server *s = gw_server_of(g, id);
    int64_t until = result->until;
    size_t n = gw_feed_weigh(g, gw_feed_rules_of(g, id), result);
    n = gw_published_extend(g, id, result, n, &until);
    gw_feed_well(g, id);
    if (g->marks && !result->markless)
        take_marks(g, id, result);
    p->held = g->rules_epoch;
    uint16_t skipped = result->skipped < UINT16_MAX ? (uint16_t)result->skipped : UINT16_MAX;
    if (skipped > p->skipped) /* once, not at every poll */
        log_warning("poll", "server=%s person=%s broken_items=%u: their times make no sense, they are left out",
                    s->config->name, pres_table_address(g->table, id), skipped);
    p->skipped = skipped;
    p->way = gw_published_way(g, id, result->way);
    remember(p, result->remember);
    pres_table_update(g->table, id, g->scratch, n, result->from, until, result->as_of);
    gw_keep_answer(g, id);
    gw_outlets_known(g, id);
}

void gw_feed_pushed(struct gateway *g, pres_id id, const struct dav_result *result)
{
    gw_feed_count(g, result);
    take_answer(g, id, result);
    gw_person_reclass(g, id);
}

void gw_feed_confirmed(struct gateway *g, pres_id id, int64_t as_of)
{
    gw_feed_well(g, id);
    pres_table_confirm(g->table, id, as_of);
    gw_keep_answer(g, id);
    gw_person_reclass(g, id);
}

void gw_feed_withdrawn(struct gateway *g, pres_id id, const char *code)
{
    gw_feed_well(g, id);
    g->persons[id].was_read = 0;
    g->persons[id].kept_as_of = 0;
    gw_keep_remove(g, id);
    pres_table_withdraw(g->table, id, code);
    gw_outlets_known(g, id);
}

/* What is held of this person is what the calendar says. */
static void take_confirmation(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_person *p = &g->persons[id];
    struct gw_server *s = gw_server_of(g, id);
    if (p->cause)
        gw_causes_leave(&s->causes, p->cause, id, s->config->name, clk_wall_s(loop_clk(g->loop)));
    p->cause = 0;
    gw_published_confirm(g, id, result);
    pres_table_confirm(g->table, id, result->as_of);
    gw_keep_answer(g, id);
}

static void take_failure(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_person *p = &g->persons[id];
    bool elsewhere = p->extra && p->extra->remember && p->extra->remember[0] != '/';
    if (result->err == DAV_NOT_FOUND || (result->err == DAV_NETWORK && elsewhere))
        remember(p, NULL); /* it may have moved: look for it again */
    if (!gw_published_instead(g, id, result))
        gw_feed_failure(g, id, result);
}

void gw_feed_failure(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_person *p = &g->persons[id];
    struct gw_server *s = gw_server_of(g, id);
    const struct dav_cause *cause = gw_cause_of(result->err, result->code);
    if (result->requests == 0 && cause->whole_server && has_own_failure(s, p))
        return; /* nobody was asked: what was last seen of this person is not over */
    p->cause = gw_causes_enter(&s->causes, p->cause, cause, result->evidence, id, s->config->name,
                               pres_table_address(g->table, id), clk_wall_s(loop_clk(g->loop)));
    pres_table_fail(g->table, id, cause->code);
}

/* One that is not everybody's on the server. */
static bool has_own_failure(const struct gw_server *s, const struct gw_person *p)
{
    return p->cause && !s->causes.entries[p->cause - 1].cause->whole_server;
}

static void server_turned(void *arg, unsigned number, const char *code)
{
    struct gateway *g = arg;
    struct gw_server *s = gw_server_numbered(g, number);
    int64_t now = clk_wall_s(loop_clk(g->loop));
    if (!s)
        return;
    if (code) {
        s->failing_since = s->failing_since ? s->failing_since : now;
        if (s->failing_code == code && now - s->failing_logged_at < FOLD_S)
            return; /* comes and goes: once in a while is enough */
        s->failing_logged_at = now;
        s->failing_code = code;
        s->failing_told = true;
        log_warning("poll", "server=%s fails as a whole code=%s persons=%zu: probing it with one question at a time",
                    s->config->name, code, s->persons);
        gw_causes_told(&s->causes, code, s->persons, now);
    } else {
        if (s->failing_told)
            log_notice("poll", "server=%s answers again after=%llds", s->config->name,
                       (long long)(now - s->failing_since));
        s->failing_told = false;
        s->failing_since = 0;
    }
}

static enum gw_rank rank(void *arg, uint32_t id)
{
    return gw_demand_rank(arg, id);
}

static void remember(struct gw_person *p, const char *place)
{
    const char *before = p->extra ? p->extra->remember : NULL;
    if (before == place || (before && place && strcmp(before, place) == 0) || (!place && !p->extra))
        return;
    struct gw_extra *extra = gw_person_extra(p);
    free(extra->remember);
    extra->remember = mem_strdup_or_null(place);
}

const struct pres_rules *gw_feed_rules_of(const struct gateway *g, pres_id id)
{
    const char *group = pres_table_group(g->table, id);
    const struct group_rules *own = group ? map_get(g->group_rules, group) : NULL;
    return own ? &own->rules : &g->rules;
}

static struct pres_rules rules_from(const struct gw_config_rules *words)
{
    struct pres_rules rules = pres_rules_default();
    rules.tentative = kind_of(words->tentative);
    rules.unanswered = kind_of(words->unanswered);
    rules.oof = kind_of(words->oof);
    rules.elsewhere = kind_of(words->elsewhere);
    rules.outside_hours = kind_of(words->outside_hours);
    rules.all_day_counts = words->all_day;
    return rules;
}

/* "available" is a promise about how tentative time looks outside; inside it stays tentative. */
static enum pres_kind kind_of(const char *word)
{
    enum pres_kind kind = PRES_TENTATIVE;
    if (strcmp(word, "available") != 0)
        pres_kind_parse(word, &kind);
    return kind;
}
