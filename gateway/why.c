/*
 * why: see why.h. An explanation waits for the refresh that it ordered; meanwhile feed shows it each answer about its
 * person, and it keeps the events that cover its moment. Then it is written down, beside the state that is published.
 */
#include "why.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/utc.h"
#include "gateway_private.h"
#include "marker.h"
#include "policy_choice.h"
#include "report.h"

enum { PATIENCE_MS = 10000, EVENTS_MAX = 200 };

struct event {
    struct dav_span span;
    struct pres_verdict verdict;
};

struct gw_why {
    struct gateway *gateway;
    pres_id id;
    int64_t at; /* 0: the moment of the answer */
    gw_why_fn *done;
    void *arg;
    struct gw_refresh *refresh;
    struct loop_timer *patience;
    struct event *events;
    size_t count, left_out; /* beyond EVENTS_MAX */
    struct jv *reads;       /* how each answer came */
    struct gw_why *next, **link;
};

static void refreshed(void *arg, enum dav_err err, const char *code);
static void out_of_patience(void *arg);
static void finish(struct gw_why *w);
static void let_go(struct gw_why *w);
static int64_t moment_of(const struct gw_why *w);
static void known_at(const struct gw_why *w, int64_t at, struct pres_presence *ret);
static struct jv *read_object(const struct dav_result *r);
static struct jv *event_object(const struct event *e, enum pres_kind state);
static struct jv *traits_of(unsigned traits);
static const char *fate_of(const struct event *e, enum pres_kind state);
static struct jv *stored_at(const struct gw_why *w, int64_t at);
static struct jv *explanation_of(struct gw_why *w);

struct gw_why *gw_why_start(struct gateway *g, pres_id id, int64_t at, gw_why_fn *done, void *arg)
{
    struct gw_why *w = mem_calloc(1, sizeof *w);
    *w = (struct gw_why){.gateway = g, .id = id, .at = at, .done = done, .arg = arg, .reads = jv_array()};
    w->next = g->whys;
    w->link = &g->whys;
    if (w->next)
        w->next->link = &w->next;
    g->whys = w;
    w->patience = loop_timer_new(g->loop, "why", out_of_patience, w);
    loop_timer_in(w->patience, PATIENCE_MS);
    w->refresh = gw_refresh(g, id, refreshed, w);
    return w;
}

void gw_why_cancel(struct gw_why **w)
{
    if (*w)
        let_go(*w);
    *w = NULL;
}

void gw_why_take(struct gateway *g, pres_id id, const struct pres_rules *rules, const struct dav_result *result)
{
    for (struct gw_why *w = g->whys; w; w = w->next) {
        if (w->id != id)
            continue;
        int64_t at = moment_of(w);
        jv_add(w->reads, read_object(result));
        for (size_t i = 0; result->err == DAV_OK && i < result->count; i++) {
            const struct dav_span *span = &result->spans[i];
            if (span->start > at || span->end <= at)
                continue;
            if (w->count == EVENTS_MAX) {
                w->left_out++;
                continue;
            }
            if (!w->events)
                w->events = mem_calloc(EVENTS_MAX, sizeof *w->events);
            struct pres_verdict verdict = pres_rules_decide(rules, (enum pres_kind)span->kind, span->traits);
            w->events[w->count++] = (struct event){.span = *span, .verdict = verdict};
        }
    }
}

static void refreshed(void *arg, enum dav_err err, const char *code)
{
    struct gw_why *w = arg;
    (void)code;
    w->refresh = NULL;
    if (err == DAV_CANCELLED) { /* removed from the configuration */
        gw_why_fn *done = w->done;
        void *asker = w->arg;
        let_go(w);
        done(asker, NULL);
        return;
    }
    finish(w);
}

static void out_of_patience(void *arg)
{
    struct gw_why *w = arg;
    jv_add(w->reads, jv_set_str(jv_set_bool(jv_object(), "ok", false), "code", "no-answer-yet"));
    finish(w);
}

static void finish(struct gw_why *w)
{
    struct jv *explanation = explanation_of(w);
    gw_why_fn *done = w->done;
    void *asker = w->arg;
    let_go(w);
    done(asker, explanation);
}

static void let_go(struct gw_why *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    gw_refresh_cancel(&w->refresh);
    loop_timer_free(&w->patience);
    jv_free(&w->reads);
    free(w->events);
    free(w);
}

static int64_t moment_of(const struct gw_why *w)
{
    return w->at ? w->at : clk_wall_s(loop_clk(w->gateway->loop));
}

/* What is known of the moment. Of the future it is what the present answer says, although that will be old by then. */
static void known_at(const struct gw_why *w, int64_t at, struct pres_presence *ret)
{
    struct pres_known known;
    int64_t now = clk_wall_s(loop_clk(w->gateway->loop));
    pres_table_known(w->gateway->table, w->id, &known);
    if (at > now && known.as_of + known.stale_after > now)
        known.stale_after += at - now;
    pres_state_at(&known, at, ret);
}

static struct jv *explanation_of(struct gw_why *w)
{
    struct gateway *g = w->gateway;
    int64_t at = moment_of(w), now = clk_wall_s(loop_clk(g->loop));
    struct pres_presence p;
    struct gw_person_view view;
    known_at(w, at, &p);
    gw_person_view(g, w->id, &view);

    struct jv *v = gw_report_presence_object(pres_table_publish_as(g->table, w->id), &p);
    jv_set_str(v, "configured_as", pres_table_address(g->table, w->id));
    jv_set(v, "at", gw_report_time(at));
    jv_set(v, "now", gw_report_time(now));
    jv_set_str(v, "server", view.server);
    jv_set_str(v, "group", pres_table_group(g->table, w->id));
    jv_set_bool(v, "group_has_rules", gw_feed_has_rules(g, w->id));
    struct jv *covering = jv_array();
    for (size_t i = 0; i < w->count; i++)
        jv_add(covering, event_object(&w->events[i], p.state));
    jv_set(v, "covering", covering);
    jv_set_int(v, "covering_left_out", (int64_t)w->left_out);
    jv_set(v, "stored", stored_at(w, at));
    jv_set(v, "reads", w->reads);
    w->reads = NULL;
    if (p.as_of)
        jv_set_int(v, "age_s", now - p.as_of);
    enum pres_level most;
    jv_set_str(v, "chosen", gw_choices_of(g->choices, w->id, &most) ? pres_level_name(most) : NULL);
    jv_set_str(v, "marked", gw_marks_at(g, w->id, at, &most) ? pres_level_name(most) : NULL);
    return jv_set(v, "failure", gw_report_failure(g, w->id, view.code, view.evidence));
}

static struct jv *read_object(const struct dav_result *r)
{
    struct jv *v = jv_set_bool(jv_object(), "ok", r->err == DAV_OK);
    jv_set_str(v, "code", r->code);
    jv_set_str(v, "evidence", r->evidence);
    jv_set_str(v, "method", r->method);
    jv_set_str(v, "url", r->url);
    jv_set_str(v, "way", r->way);
    jv_set_int(v, "requests", r->requests);
    jv_set_int(v, "events", r->err == DAV_OK ? (int64_t)r->count : 0);
    jv_set_int(v, "broken_items", r->skipped);
    jv_set(v, "from", gw_report_time(r->from));
    jv_set(v, "until", gw_report_time(r->until));
    return jv_set(v, "as_of", gw_report_time(r->as_of));
}

static struct jv *event_object(const struct event *e, enum pres_kind state)
{
    struct jv *v = jv_object();
    jv_set(v, "start", gw_report_time(e->span.start));
    jv_set(v, "end", gw_report_time(e->span.end));
    jv_set_str(v, "marked", pres_kind_name((enum pres_kind)e->span.kind));
    jv_set(v, "traits", traits_of(e->span.traits));
    jv_set_str(v, "counts_as", pres_kind_name(e->verdict.kind));
    jv_set_str(v, "rule", pres_rule_text(e->verdict.rule));
    jv_set_str(v, "option", pres_rule_option(e->verdict.rule));
    return jv_set_str(v, "fate", fate_of(e, state));
}

static struct jv *traits_of(unsigned traits)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{PRES_TRAIT_ALL_DAY, "all-day"},          {PRES_TRAIT_CANCELLED, "cancelled"},
                 {PRES_TRAIT_DECLINED, "declined"},        {PRES_TRAIT_UNANSWERED, "unanswered"},
                 {PRES_TRAIT_ACCEPTED_MAYBE, "tentative"}, {PRES_TRAIT_PRIVATE, "private"},
                 {PRES_TRAIT_OUTSIDE_HOURS, "outside-hours"}};
    struct jv *list = jv_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (traits & names[i].bit)
            jv_add(list, jv_string(names[i].name));
    return list;
}

static const char *fate_of(const struct event *e, enum pres_kind state)
{
    if (e->verdict.kind == PRES_FREE)
        return "does-not-count";
    if (state == PRES_UNKNOWN)
        return "not-used";
    return e->verdict.kind == state ? "decides" : e->verdict.kind < state ? "weaker" : "not-used";
}

/* The interval that is kept of the moment, which an explanation without an answer has to do with; null: none. */
static struct jv *stored_at(const struct gw_why *w, int64_t at)
{
    struct pres_known known;
    pres_table_known(w->gateway->table, w->id, &known);
    size_t i = pres_set_find(known.set, at);
    if (i >= pres_set_count(known.set) || pres_set_at(known.set, i).start > at)
        return jv_null();
    struct pres_interval one = pres_set_at(known.set, i);
    struct jv *v = jv_set_str(jv_object(), "state", pres_kind_name(one.kind));
    jv_set(v, "start", gw_report_time(one.start));
    return jv_set(v, "end", gw_report_time(one.end));
}
