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
    PRES_TRAIT_OUTSIDE_HOURS = 64, /* no event: time outside the person's published availability (RFC 7953) */
};

struct pres_rules {
    enum pres_kind tentative;     /* what tentative time counts as [TENTATIVE] */
    enum pres_kind unanswered;    /* [TENTATIVE]; with TENTATIVE, `tentative` above says in turn what that counts as */
    enum pres_kind oof;           /* [OOF] */
    enum pres_kind elsewhere;     /* [ELSEWHERE] */
    enum pres_kind outside_hours; /* [OOF]: time outside the working hours that the calendar itself publishes */
    bool all_day_counts;          /* [true]: false drops all-day events, whatever they are marked as */
};

struct pres_rules pres_rules_default(void);

/* Which rule decided; in the order in which they are tried. */
enum pres_rule {
    PRES_RULE_CANCELLED,
    PRES_RULE_DECLINED,
    PRES_RULE_ALL_DAY,        /* all-day events do not count here */
    PRES_RULE_OUTSIDE_HOURS,
    PRES_RULE_MARKED_FREE,    /* what its owner marked as free is free, answered or not */
    PRES_RULE_UNANSWERED,
    PRES_RULE_ACCEPTED_MAYBE,
    PRES_RULE_TENTATIVE,
    PRES_RULE_ELSEWHERE,
    PRES_RULE_OOF,
    PRES_RULE_BUSY,
    PRES_RULE_NOT_UNDERSTOOD, /* a mark that we do not know counts as busy */
};

struct pres_verdict {
    enum pres_kind kind; /* FREE: it does not count */
    enum pres_rule rule;
};

/* What an event counts as, and by which rule. Cancelled and declined ones never count. */
struct pres_verdict pres_rules_decide(const struct pres_rules *rules, enum pres_kind marked, unsigned traits);

/* The same without the reason. */
enum pres_kind pres_rules_apply(const struct pres_rules *rules, enum pres_kind marked, unsigned traits);

/* A sentence for people: "an invitation that is not answered". Static. */
const char *pres_rule_text(enum pres_rule rule);

/* The option that a site changes to have it otherwise, "presence.unanswered"; NULL where none does. Static. */
const char *pres_rule_option(enum pres_rule rule);

#endif
