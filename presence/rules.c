/*
 * rules: from what a calendar says of an event to the kind of time that we keep, or to "does not count". feed and the
 * tests call it once an event; a group of people may have rules of its own.
 *
 * Two steps: first what the event is (cancelled? an invitation nobody answered?), then what such time counts as here. A
 * mark that we do not understand counts as busy: the one mistake that we must not make is a false "free".
 */
#include "presence/rules.h"

static enum pres_kind what_it_is(const struct pres_rules *rules, enum pres_kind marked, unsigned traits);

struct pres_rules pres_rules_default(void)
{
    return (struct pres_rules){
        .tentative = PRES_TENTATIVE,
        .unanswered = PRES_TENTATIVE,
        .oof = PRES_OOF,
        .elsewhere = PRES_ELSEWHERE,
        .all_day_counts = true,
    };
}

enum pres_kind pres_rules_apply(const struct pres_rules *rules, enum pres_kind marked, unsigned traits)
{
    switch (what_it_is(rules, marked, traits)) {
    case PRES_FREE:
        return PRES_FREE;
    case PRES_ELSEWHERE:
        return rules->elsewhere;
    case PRES_TENTATIVE:
        return rules->tentative;
    case PRES_OOF:
        return rules->oof;
    case PRES_BUSY:
    case PRES_UNKNOWN:
        break;
    }
    return PRES_BUSY;
}

static enum pres_kind what_it_is(const struct pres_rules *rules, enum pres_kind marked, unsigned traits)
{
    if (traits & (PRES_TRAIT_CANCELLED | PRES_TRAIT_DECLINED))
        return PRES_FREE;
    if ((traits & PRES_TRAIT_ALL_DAY) && !rules->all_day_counts)
        return PRES_FREE;
    if (marked == PRES_FREE) /* what its owner marked as free is free, answered or not */
        return PRES_FREE;
    if (traits & PRES_TRAIT_UNANSWERED)
        return rules->unanswered;
    if (traits & PRES_TRAIT_ACCEPTED_MAYBE)
        return PRES_TENTATIVE;
    return marked;
}
