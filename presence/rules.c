/*
 * rules: from what a calendar says of an event to the kind of time that we keep, or to "does not count". feed and the
 * tests call it once an event, `why` asks for the reason as well; a group of people may have rules of its own.
 *
 * Two steps: first which rule speaks (cancelled? an invitation nobody answered?), then what such time counts as here. A
 * mark that we do not understand counts as busy: the one mistake that we must not make is a false "free".
 */
#include "presence/rules.h"

static enum pres_rule which(const struct pres_rules *rules, enum pres_kind marked, unsigned traits);
static enum pres_rule by_mark(enum pres_kind marked);
static enum pres_kind tentative_of(const struct pres_rules *rules, enum pres_kind counts_as);

static const struct {
    const char *text, *option;
} rows[] = {
    [PRES_RULE_CANCELLED] = {"it is cancelled", NULL},
    [PRES_RULE_DECLINED] = {"the person declined it", NULL},
    [PRES_RULE_ALL_DAY] = {"all-day events do not count here", "presence.all_day"},
    [PRES_RULE_OUTSIDE_HOURS] = {"it is outside the hours that the calendar publishes as available",
                                 "presence.outside_hours"},
    [PRES_RULE_MARKED_FREE] = {"the calendar marks it as free", NULL},
    [PRES_RULE_UNANSWERED] = {"an invitation that the person has not answered", "presence.unanswered"},
    [PRES_RULE_ACCEPTED_MAYBE] = {"the person answered \"tentative\"", "presence.tentative"},
    [PRES_RULE_TENTATIVE] = {"the calendar marks it as tentative", "presence.tentative"},
    [PRES_RULE_ELSEWHERE] = {"the calendar marks it as working elsewhere", "presence.elsewhere"},
    [PRES_RULE_OOF] = {"the calendar marks it as out of office", "presence.oof"},
    [PRES_RULE_BUSY] = {"the calendar marks it as busy", NULL},
    [PRES_RULE_NOT_UNDERSTOOD] = {"its mark is not understood, and counts as busy", NULL},
};

struct pres_rules pres_rules_default(void)
{
    return (struct pres_rules){
        .tentative = PRES_TENTATIVE,
        .unanswered = PRES_TENTATIVE,
        .oof = PRES_OOF,
        .elsewhere = PRES_ELSEWHERE,
        .outside_hours = PRES_OOF,
        .all_day_counts = true,
    };
}

struct pres_verdict pres_rules_decide(const struct pres_rules *rules, enum pres_kind marked, unsigned traits)
{
    struct pres_verdict v = {.kind = PRES_BUSY, .rule = which(rules, marked, traits)};
    switch (v.rule) {
    case PRES_RULE_CANCELLED:
    case PRES_RULE_DECLINED:
    case PRES_RULE_ALL_DAY:
    case PRES_RULE_MARKED_FREE:
        v.kind = PRES_FREE;
        break;
    case PRES_RULE_OUTSIDE_HOURS:
        v.kind = rules->outside_hours;
        break;
    case PRES_RULE_UNANSWERED:
        v.kind = tentative_of(rules, rules->unanswered);
        break;
    case PRES_RULE_ACCEPTED_MAYBE:
    case PRES_RULE_TENTATIVE:
        v.kind = rules->tentative;
        break;
    case PRES_RULE_ELSEWHERE:
        v.kind = rules->elsewhere;
        break;
    case PRES_RULE_OOF:
        v.kind = rules->oof;
        break;
    case PRES_RULE_BUSY:
    case PRES_RULE_NOT_UNDERSTOOD:
        break;
    }
    return v;
}

enum pres_kind pres_rules_apply(const struct pres_rules *rules, enum pres_kind marked, unsigned traits)
{
    return pres_rules_decide(rules, marked, traits).kind;
}

const char *pres_rule_text(enum pres_rule rule)
{
    return rows[rule].text;
}

const char *pres_rule_option(enum pres_rule rule)
{
    return rows[rule].option;
}

static enum pres_rule which(const struct pres_rules *rules, enum pres_kind marked, unsigned traits)
{
    if (traits & PRES_TRAIT_CANCELLED)
        return PRES_RULE_CANCELLED;
    if (traits & PRES_TRAIT_DECLINED)
        return PRES_RULE_DECLINED;
    if (traits & PRES_TRAIT_OUTSIDE_HOURS)
        return PRES_RULE_OUTSIDE_HOURS;
    if ((traits & PRES_TRAIT_ALL_DAY) && !rules->all_day_counts)
        return PRES_RULE_ALL_DAY;
    if (marked == PRES_FREE)
        return PRES_RULE_MARKED_FREE;
    if (traits & PRES_TRAIT_UNANSWERED)
        return PRES_RULE_UNANSWERED;
    if (traits & PRES_TRAIT_ACCEPTED_MAYBE)
        return PRES_RULE_ACCEPTED_MAYBE;
    return by_mark(marked);
}

static enum pres_rule by_mark(enum pres_kind marked)
{
    switch (marked) {
    case PRES_FREE:
        return PRES_RULE_MARKED_FREE;
    case PRES_ELSEWHERE:
        return PRES_RULE_ELSEWHERE;
    case PRES_TENTATIVE:
        return PRES_RULE_TENTATIVE;
    case PRES_OOF:
        return PRES_RULE_OOF;
    case PRES_BUSY:
        return PRES_RULE_BUSY;
    case PRES_UNKNOWN:
        break;
    }
    return PRES_RULE_NOT_UNDERSTOOD;
}

static enum pres_kind tentative_of(const struct pres_rules *rules, enum pres_kind counts_as)
{
    return counts_as == PRES_TENTATIVE ? rules->tentative : counts_as;
}
