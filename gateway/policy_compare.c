/*
 * policy_compare: see policy_compare.h; for `freebusyctl policy diff`, and for a reload, which must be confirmed when
 * it tells somebody more.
 *
 * Nobody is asked one by one: askers and people are classes (policy_sides.c). People are put into theirs first, some a
 * turn; then each asker looks at each class, by the one table and by the other, and classes with the same change are
 * one row. A step is one class, or a few people; steps are made until a slice is over.
 */
#include "policy_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "marker.h"
#include "marker_check.h"
#include "policy_private.h"
#include "policy_sides.h"

enum { SLICE_MS = 4, PEOPLE_STEP = 64 };

/* What becomes of some people, for the asker at hand. */
struct change {
    struct pres_grant was, becomes;
    size_t persons;
    const struct gw_side_class *example;
};

struct gw_compare {
    struct gateway *g;
    struct gw_config *now;
    const struct gw_config *next;
    gw_compare_fn *done; /* or: */
    gw_widenings_fn *weighed;
    void *arg;
    int64_t at; /* wall s */
    struct gw_sides sides;
    bool all_classed;
    size_t asker, class; /* to be looked at next */
    struct change *changes;
    size_t change_count;
    struct jv *rows; /* NULL: only counted */
    size_t widens;
    char first[400]; /* of what widens */
};

static struct gw_compare *begin(struct gateway *g, const struct gw_config *next);
static void slice(void *arg);
static void finish(struct gw_compare *c);
static bool step(struct gw_compare *c);
static void look(struct gw_compare *c, const struct gw_side_asker *asker, const struct gw_side_class *class);
static void grant_of(const struct gw_compare *c, const struct gw_config *config, const struct gw_asker *asker,
                     const struct gw_side_class *class, struct pres_grant *ret);
static bool same_grant(const struct pres_grant *a, const struct pres_grant *b);
static int more_people(const void *a, const void *b);
static void tell(struct gw_compare *c, const struct gw_side_asker *asker, const struct change *change);
static void tell_markers(struct gw_compare *c);

struct gw_compare *gw_policy_compare(struct gateway *g, const struct gw_config *next, gw_compare_fn *done, void *arg)
{
    struct gw_compare *c = begin(g, next);
    c->done = done;
    c->arg = arg;
    c->rows = jv_array();
    loop_defer(g->loop, slice, c);
    return c;
}

void gw_policy_compare_cancel(struct gw_compare **pc)
{
    struct gw_compare *c = *pc;
    if (!c)
        return;
    loop_undefer(c->g->loop, slice, c);
    gw_sides_free(&c->sides);
    gw_config_drop(c->now);
    jv_free(&c->rows);
    free(c->changes);
    free(c);
    *pc = NULL;
}

struct gw_compare *gw_policy_widenings(struct gateway *g, const struct gw_config *next, gw_widenings_fn *done,
                                       void *arg)
{
    struct gw_compare *c = begin(g, next);
    c->weighed = done;
    c->arg = arg;
    loop_defer(g->loop, slice, c);
    return c;
}

/* A reload may bring another configuration meanwhile: ours stays. */
static struct gw_compare *begin(struct gateway *g, const struct gw_config *next)
{
    struct gw_compare *c = mem_calloc(1, sizeof *c);
    *c = (struct gw_compare){.g = g, .now = g->config, .next = next, .at = clk_wall_s(loop_clk(g->loop))};
    c->now->refs++;
    gw_sides_init(&c->sides, g, c->now, next);
    return c;
}

static void slice(void *arg)
{
    struct gw_compare *c = arg;
    const struct clk *clk = loop_clk(c->g->loop);
    int64_t stop_ms = clk_mono_ms(clk) + SLICE_MS;
    bool more = c->rows || c->now->policy.table; /* without a table everybody sees everything already */
    while (more && clk_mono_ms(clk) < stop_ms)
        more = step(c);
    if (more)
        loop_defer(c->g->loop, slice, c);
    else
        finish(c);
}

static void finish(struct gw_compare *c)
{
    gw_compare_fn *done = c->done;
    gw_widenings_fn *weighed = c->weighed;
    void *arg = c->arg;
    char first[sizeof c->first];
    struct jv *answer = NULL;
    tell_markers(c);
    size_t widens = c->widens;
    memcpy(first, c->first, sizeof first);
    if (c->rows)
        answer = jv_set_int(jv_set(jv_object(), "changes", c->rows), "widens", (int64_t)widens);
    c->rows = NULL;
    gw_policy_compare_cancel(&c);
    if (weighed)
        weighed(arg, widens, first);
    else
        done(arg, answer);
}

/* False: that was the last one. */
static bool step(struct gw_compare *c)
{
    if (!c->all_classed) {
        c->all_classed = !gw_sides_people(&c->sides, PEOPLE_STEP);
        return true;
    }
    if (c->asker == c->sides.asker_count)
        return false;
    const struct gw_side_asker *asker = c->sides.askers[c->asker];
    if (c->class < c->sides.class_count) {
        look(c, asker, c->sides.classes[c->class++]);
        return true;
    }
    if (c->change_count > 1)
        qsort(c->changes, c->change_count, sizeof *c->changes, more_people);
    for (size_t i = 0; i < c->change_count; i++)
        tell(c, asker, &c->changes[i]);
    c->change_count = c->class = 0;
    c->asker++;
    return true;
}

static void look(struct gw_compare *c, const struct gw_side_asker *asker, const struct gw_side_class *class)
{
    struct change now = {.persons = class->persons, .example = class};
    grant_of(c, c->now, &asker->was, class, &now.was);
    grant_of(c, c->next, &asker->becomes, class, &now.becomes);
    if (same_grant(&now.was, &now.becomes))
        return;
    for (size_t i = 0; i < c->change_count; i++)
        if (same_grant(&c->changes[i].was, &now.was) && same_grant(&c->changes[i].becomes, &now.becomes)) {
            c->changes[i].persons += class->persons;
            return;
        }
    c->changes = mem_realloc(c->changes, c->change_count + 1, sizeof *c->changes);
    c->changes[c->change_count++] = now;
}

static void grant_of(const struct gw_compare *c, const struct gw_config *config, const struct gw_asker *asker,
                     const struct gw_side_class *class, struct pres_grant *ret)
{
    if (config->policy.table)
        gw_policy_table_grant(config->policy.table, asker, &class->subject, c->at, ret);
    else
        *ret = pres_grant_all;
}

static bool same_grant(const struct pres_grant *a, const struct pres_grant *b)
{
    if (a->level == PRES_SEE_NOTHING && b->level == PRES_SEE_NOTHING)
        return true;
    return a->level == b->level && a->merge == b->merge && a->no_until == b->no_until &&
           a->working_only == b->working_only && a->grid_s == b->grid_s && a->horizon_s == b->horizon_s &&
           a->expires == b->expires && (!a->working_only || pres_hours_same(a->hours, b->hours));
}

static int more_people(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    return (x->persons < y->persons) - (x->persons > y->persons);
}

static void tell(struct gw_compare *c, const struct gw_side_asker *asker, const struct change *change)
{
    bool wider = gw_policy_widens(&change->was, &change->becomes);
    const char *example = change->example->subject.publish_as;
    struct buf was, becomes;
    buf_init(&was, 1000);
    buf_init(&becomes, 1000);
    gw_policy_grant_text(&change->was, &was);
    gw_policy_grant_text(&change->becomes, &becomes);
    if (wider && c->widens == 0)
        snprintf(c->first, sizeof c->first, "%s would see %s of %s, where it was %s", asker->shown, becomes.data,
                 example, was.data);
    c->widens += wider;
    if (c->rows) {
        struct jv *row = jv_set_str(jv_object(), "who", asker->shown);
        jv_set_int(row, "others", (int64_t)asker->others);
        jv_set_str(row, "was", was.data);
        jv_set_str(row, "becomes", becomes.data);
        jv_set_int(row, "persons", (int64_t)change->persons);
        jv_set_str(row, "example", example);
        jv_add(c->rows, jv_set_bool(row, "wider", wider));
    }
    buf_free(&was);
    buf_free(&becomes);
}

/* Who has a marker in the calendar believes in what it meant. */
static void tell_markers(struct gw_compare *c)
{
    const struct gw_config_marker *becomes, *was = gw_markers_widen(c->now, c->next, &becomes);
    size_t persons = gw_marks_count(c->g->marks);
    if (!was || persons == 0)
        return;
    const char *level = becomes ? becomes->level : "what the policy says";
    if (c->widens++ == 0)
        snprintf(c->first, sizeof c->first, "a marker, %s, would stand for %s, where it was %s, and people use it",
                 was->category, level, was->level);
    if (!c->rows)
        return;
    struct jv *row = jv_set_str(jv_object(), "who", "*");
    jv_set_str(row, "was", was->level);
    jv_set_str(row, "becomes", level);
    jv_set_int(row, "persons", (int64_t)persons);
    jv_set_str(row, "example", was->category);
    jv_add(c->rows, jv_set_bool(row, "wider", true));
}
