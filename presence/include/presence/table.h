/*
 * table: all persons. Answers come in, changes go out; owns the one timer that fires transitions at their second.
 *
 * A person is a pres_id: small, dense, reused after removal with a new generation inside the table, never held across a
 * removal by anybody else than its adder. Costs per person are bounded (see docs/performance.md); nothing is done for a
 * person between changes and answers.
 */
#ifndef PRESENCE_TABLE_H
#define PRESENCE_TABLE_H

#include "presence/interval.h"
#include "presence/state.h"

struct loop;
struct pres_table;

typedef uint32_t pres_id;
#define PRES_NOBODY UINT32_MAX

/*
 * A person's presence became `now`. Comes from the loop (from the transition timer, or at the end of the turn in which
 * an answer came), in slices when many change at once; never from inside pres_table_update. Persons may be added,
 * removed and updated in it.
 */
typedef void pres_change_fn(void *arg, pres_id id, const struct pres_presence *now);

struct pres_table *pres_table_new(struct loop *loop, pres_change_fn *change, void *arg);
void pres_table_free(struct pres_table **t);

/* Addresses are compared without case. PRES_NOBODY when the address or publish_as is there already, as anybody's
 * address or publish_as, is empty, or has more than 1000 bytes. Everything is copied; `group` and `publish_as` may be
 * NULL. stale_after in seconds. Somebody added is unknown ("never-read"), and no change is reported of it. */
struct pres_person_spec {
    const char *address;
    const char *publish_as; /* the address shown outside, NULL: the same */
    const char *group;
    int64_t stale_after;
    uint16_t server; /* the caller's number of the person's server */
};
pres_id pres_table_add(struct pres_table *t, const struct pres_person_spec *spec);

/* Changes group, publish_as, stale_after and server; intervals and presence stay (but for what another stale_after
 * makes of them). A publish_as that somebody else has is not taken: the old one stays. */
void pres_table_respec(struct pres_table *t, pres_id id, const struct pres_person_spec *spec);
void pres_table_remove(struct pres_table *t, pres_id id); /* no change is reported */

/* By address or publish_as, without case. PRES_NOBODY: not configured. */
pres_id pres_table_find(const struct pres_table *t, const char *address);
size_t pres_table_count(const struct pres_table *t);

/* Walks ids in ascending order: start with id = PRES_NOBODY; PRES_NOBODY at the end. */
pres_id pres_table_next(const struct pres_table *t, pres_id id);

const char *pres_table_address(const struct pres_table *t, pres_id id);    /* as configured */
const char *pres_table_publish_as(const struct pres_table *t, pres_id id); /* never NULL */
const char *pres_table_group(const struct pres_table *t, pres_id id);      /* NULL: none */
unsigned pres_table_server(const struct pres_table *t, pres_id id);

/*
 * A good answer: what the person does in [from, until), asked at `as_of`. The intervals are copied and packed. Clears
 * the failure. An answer older than the one known is ignored; `as_of` counts as now at the latest.
 */
void pres_table_update(struct pres_table *t, pres_id id, const struct pres_interval *in, size_t n, int64_t from,
                       int64_t until, int64_t as_of);

/* A good answer that says: nothing has changed in the window of the last one, as of then. Nothing happens for somebody
 * who was never read. Clears the failure. */
void pres_table_confirm(struct pres_table *t, pres_id id, int64_t as_of);

/* A question that failed: `reason` is a stable code (static text). The intervals stay until stale. */
void pres_table_fail(struct pres_table *t, pres_id id, const char *reason);

/* Nothing is known of the person any more, as if they had never been read, and this is why (static text). */
void pres_table_withdraw(struct pres_table *t, pres_id id, const char *reason);

/* Somebody who was just added and updated: before we were started, what is known now was reported as it was at that
 * moment. False: nothing was known of it. */
bool pres_table_assume(struct pres_table *t, pres_id id, int64_t at);

/* Everything that happened up to now was reported; what was reported last. */
bool pres_table_settled(const struct pres_table *t, int64_t now);
void pres_table_told(const struct pres_table *t, pres_id id, struct pres_presence *ret);

/* The presence now, by the loop's clock. `since` of a run that the window's start cuts is the one last reported, if
 * there was one: a window that moves with each answer makes no change. */
void pres_table_presence(const struct pres_table *t, pres_id id, struct pres_presence *ret);

/* More changes are being looked for in the next turn: whoever has work that can wait lets them go first. */
bool pres_table_busy(const struct pres_table *t);

/* What is known, for free/busy answers and for `why`; `set` is borrowed and valid until the loop's next turn. */
void pres_table_known(const struct pres_table *t, pres_id id, struct pres_known *ret);

struct pres_table_stats {
    size_t persons;
    size_t by_state[PRES_KINDS]; /* by the state last reported */
    size_t transitions;          /* reported since the start */
    int64_t worst_late_ms;       /* longest time from a transition's second to its report, last hour */
    size_t hour_changes;         /* transitions of the last hour that a clock brought, */
    size_t hour_late;            /* and those of them that were reported more than a second after theirs */
    int64_t next_change_at;      /* wall s, PRES_NEVER */
    int64_t oldest_as_of;        /* of the persons that were ever read, 0: none */
};
/* Everything in it is kept up to date: costs the same for ten people and for a million. */
void pres_table_stats(const struct pres_table *t, struct pres_table_stats *ret);

/* The same oldest_as_of of the people of one server. */
int64_t pres_table_oldest(const struct pres_table *t, unsigned server);

#endif
