/*
 * policy_table: see policy_table.h. A line is two lists of words and a grant; matching is a walk over the lines with
 * comparisons of short texts. policy_words.c reads lines and writes them.
 */
#include "policy_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy_private.h"
#include "presence/pub_xmpp.h"

enum { HORIZON_LOOK_S = 900 };

static bool grants(const struct gw_policy_table *t, size_t i, const struct gw_asker *who,
                   const struct gw_subject *whom, int64_t now, struct pres_grant *ret);
static bool all_at_once(const struct gw_rule *r, const struct gw_asker *who);
static bool who_matches(const struct gw_word *w, const struct gw_asker *who);
static bool whom_matches(const struct gw_word *w, const struct gw_asker *who, const struct gw_subject *whom);
static bool in_domain(const char *address, const char *domain);
static bool same(const char *a, const char *b);
static int64_t sooner(int64_t a, int64_t b);

struct gw_policy_table *gw_policy_table_new(void)
{
    return mem_calloc(1, sizeof(struct gw_policy_table));
}

void gw_policy_table_free(struct gw_policy_table **t)
{
    if (!*t)
        return;
    for (size_t i = 0; i < (*t)->count; i++)
        gw_policy_rule_free(&(*t)->rules[i]);
    pres_hours_free(&(*t)->hours);
    free((*t)->rules);
    free(*t);
    *t = NULL;
}

void gw_policy_table_hours(struct gw_policy_table *t, struct pres_hours *hours)
{
    pres_hours_free(&t->hours);
    t->hours = hours;
}

size_t gw_policy_table_count(const struct gw_policy_table *t)
{
    return t->count;
}

void gw_policy_table_grant(const struct gw_policy_table *t, const struct gw_asker *who, const struct gw_subject *whom,
                           int64_t now, struct pres_grant *ret)
{
    for (size_t i = 0; i < t->count; i++)
        if (gw_policy_line_who(t, i, who) && grants(t, i, who, whom, now, ret))
            return;
    *ret = (struct pres_grant){.level = PRES_SEE_NOTHING, .expires = PRES_NEVER};
}

size_t gw_policy_table_lines(const struct gw_policy_table *t, const struct gw_asker *who, unsigned *lines)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        if (gw_policy_line_who(t, i, who))
            lines[n++] = (unsigned)i;
    return n;
}

void gw_policy_table_grant_by(const struct gw_policy_table *t, const unsigned *lines, size_t count,
                              const struct gw_asker *who, const struct gw_subject *whom, int64_t now,
                              struct pres_grant *ret)
{
    for (size_t i = 0; i < count; i++)
        if (grants(t, lines[i], who, whom, now, ret))
            return;
    *ret = (struct pres_grant){.level = PRES_SEE_NOTHING, .expires = PRES_NEVER};
}

bool gw_policy_line_who(const struct gw_policy_table *t, size_t i, const struct gw_asker *who)
{
    for (size_t w = 0; w < t->rules[i].who_count; w++)
        if (who_matches(&t->rules[i].who[w], who))
            return true;
    return false;
}

bool gw_policy_line_whom(const struct gw_policy_table *t, size_t i, const struct gw_subject *whom)
{
    static const struct gw_asker nobody = {.name = ""};
    for (size_t w = 0; w < t->rules[i].whom_count; w++)
        if (t->rules[i].whom[w].kind == GW_WORD_SELF || whom_matches(&t->rules[i].whom[w], &nobody, whom))
            return true;
    return false;
}

const char *gw_policy_line_word(const struct gw_policy_table *t, size_t i, size_t w)
{
    return w < t->rules[i].who_count ? t->rules[i].who[w].as_written : NULL;
}

bool gw_policy_line_is_file(const struct gw_policy_table *t, size_t i, unsigned *ret_line)
{
    *ret_line = t->rules[i].number;
    return t->rules[i].in_file;
}

int64_t gw_policy_table_next(const struct gw_policy_table *t, int64_t now)
{
    int64_t next = PRES_NEVER, begin, end;
    for (size_t i = 0; i < t->count; i++) {
        const struct pres_grant *grant = &t->rules[i].grant;
        if (now >= grant->expires)
            continue;
        next = sooner(next, grant->expires);
        if (grant->level == PRES_SEE_NOTHING)
            continue;
        if (grant->grid_s > 0)
            next = sooner(next, (now / grant->grid_s + 1) * grant->grid_s);
        if (grant->horizon_s > 0)
            next = sooner(next, (now / HORIZON_LOOK_S + 1) * HORIZON_LOOK_S);
        if (grant->working_only && t->hours) {
            pres_hours_at(t->hours, now, &begin, &end);
            next = sooner(next, end);
        }
    }
    return next;
}

bool gw_policy_widens(const struct pres_grant *a, const struct pres_grant *b)
{
    if (b->level == PRES_SEE_NOTHING)
        return false;
    if (b->level > a->level || b->expires > a->expires)
        return true;
    if (a->grid_s > 0 && (b->grid_s == 0 || b->grid_s % a->grid_s != 0))
        return true;
    if (a->working_only && (!b->working_only || !pres_hours_same(a->hours, b->hours)))
        return true;
    if (b->level >= PRES_SEE_KINDS && a->merge && !b->merge)
        return true;
    if (b->level < PRES_SEE_TIMES)
        return false;
    return (a->no_until && !b->no_until) || (a->horizon_s > 0 && (b->horizon_s == 0 || b->horizon_s > a->horizon_s));
}

/* Line i, of this asker: is it in force, and does it speak of the subject? */
static bool grants(const struct gw_policy_table *t, size_t i, const struct gw_asker *who,
                   const struct gw_subject *whom, int64_t now, struct pres_grant *ret)
{
    const struct gw_rule *r = &t->rules[i];
    bool meant = false;
    for (size_t w = 0; w < r->whom_count && !meant && now < r->grant.expires; w++)
        meant = whom_matches(&r->whom[w], who, whom);
    if (!meant)
        return false;
    *ret = r->grant;
    ret->rule = (unsigned)i + 1;
    ret->hours = r->grant.working_only ? t->hours : NULL;
    if (all_at_once(r, who))
        ret->level = PRES_SEE_NOTHING;
    return true;
}

/* Is the asker everybody who sees an account's activity, among them whoever other lines mean to tell less, and is that
 * not named in the line? */
static bool all_at_once(const struct gw_rule *r, const struct gw_asker *who)
{
    bool named = !who->outlet || !same(who->part, PRES_XMPP_PART_ACTIVITY);
    for (size_t w = 0; w < r->who_count && !named; w++)
        named = r->who[w].kind == GW_WORD_PART && who_matches(&r->who[w], who);
    return !named;
}

static bool who_matches(const struct gw_word *w, const struct gw_asker *who)
{
    switch (w->kind) {
    case GW_WORD_ALL:
        return !who->anonymous;
    case GW_WORD_ANONYMOUS:
        return who->anonymous;
    case GW_WORD_GROUP:
        return !who->anonymous && who->group && strcmp(w->text, who->group) == 0;
    case GW_WORD_DOMAIN:
        return !who->anonymous && !who->outlet && in_domain(who->name, w->text);
    case GW_WORD_OUTLET:
        return who->outlet && same(w->text, who->name);
    case GW_WORD_PART:
        return who->outlet && same(w->text, who->name) && same(w->part, who->part);
    case GW_WORD_NAME:
        return !who->anonymous && same(w->text, who->name);
    case GW_WORD_SELF:
        break;
    }
    return false;
}

static bool whom_matches(const struct gw_word *w, const struct gw_asker *who, const struct gw_subject *whom)
{
    switch (w->kind) {
    case GW_WORD_ALL:
        return true;
    case GW_WORD_GROUP:
        return whom->group && strcmp(w->text, whom->group) == 0;
    case GW_WORD_DOMAIN:
        return in_domain(whom->address, w->text) || in_domain(whom->publish_as, w->text);
    case GW_WORD_NAME:
        return same(w->text, whom->address) || same(w->text, whom->publish_as);
    case GW_WORD_SELF:
        return !who->anonymous && !who->outlet && (same(who->name, whom->address) || same(who->name, whom->publish_as));
    case GW_WORD_ANONYMOUS:
    case GW_WORD_OUTLET:
    case GW_WORD_PART:
        break;
    }
    return false;
}

static bool in_domain(const char *address, const char *domain)
{
    const char *at = address ? strrchr(address, '@') : NULL;
    return at && str_eq_nocase(at + 1, domain);
}

static bool same(const char *a, const char *b)
{
    return a && b && str_eq_nocase(a, b);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
