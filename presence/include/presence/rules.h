/*
 * rules: which events count, and as what. One small table with defaults; a group may have its own. Pure.
 */
#ifndef PRESENCE_RULES_H
#define PRESENCE_RULES_H

#include "presence/interval.h"

/* What a server said of an event besides its kind. */
enum pres_trait {
    PRES_TRAIT_ALL_DAY = 1,
    PRES_TRAIT_CANCELLED = 2,
    PRES_TRAIT_DECLINED = 4,        /* by this person */
    PRES_TRAIT_UNANSWERED = 8,      /* an invitation this person has not answered */
    PRES_TRAIT_ACCEPTED_MAYBE = 16, /* this person answered "tentative" */
    PRES_TRAIT_PRIVATE = 32,
};

struct pres_rules {
    enum pres_kind tentative;  /* what tentative time counts as [TENTATIVE] */
    enum pres_kind unanswered; /* [TENTATIVE]; with TENTATIVE, `tentative` above says in turn what that counts as */
    enum pres_kind oof;        /* [OOF] */
    enum pres_kind elsewhere;  /* [ELSEWHERE] */
    bool all_day_counts;       /* [true]: false drops all-day events, whatever they are marked as */
};

struct pres_rules pres_rules_default(void);

/* FREE means that the event does not count. Cancelled and declined ones never do. A mark of UNKNOWN counts as busy. */
enum pres_kind pres_rules_apply(const struct pres_rules *rules, enum pres_kind marked, unsigned traits);

#endif
