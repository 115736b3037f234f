/*
 * journal: the last changes in order, numbered, for subscribers who read at their own pace. A subscriber holds a
 * cursor, not a queue: a slow one costs nothing, and one that falls behind the journal's tail is told so and starts
 * again from the present states.
 *
 * A cursor is text "EPOCH-SEQ" (SEQ decimal, EPOCH drawn at each start of the daemon), given to clients as the event
 * id. A journal may follow that of the daemon before, and then knows what its last cursors mean.
 */
#ifndef PRESENCE_JOURNAL_H
#define PRESENCE_JOURNAL_H

#include "presence/table.h"

struct pres_journal;

struct pres_change {
    uint64_t seq; /* from 1, without gaps */
    pres_id id;
    uint32_t generation;      /* of the person: an entry about somebody removed since is skipped by readers */
    struct pres_presence now; /* as it was at this change */
    const char *removed;      /* nobody is published under this address any more; NULL: still there then */
};

/* Keeps the last `capacity` changes (48 bytes each, touched as they come). */
struct pres_journal *pres_journal_new(struct pres_table *table, size_t capacity);
void pres_journal_free(struct pres_journal **j); /* after its readers and before the table */

/* To be called for every change, first thing in the table's pres_change_fn: a subscriber's snapshot shows what was
 * reported, and counts it as numbered. Wakes the readers (through the loop, once a turn). */
void pres_journal_add(struct pres_journal *j, pres_id id, const struct pres_presence *now);

/*
 * To be called before somebody is taken out of the table, or gets another publish_as: the last that is told of an
 * address is `unknown`, with this reason. The address is kept for as long as the entry.
 */
#define PRES_REMOVED "removed"
void pres_journal_remove(struct pres_journal *j, pres_id id);

/* The person has another publish_as now: what was reported of them last is told under that. */
void pres_journal_renamed(struct pres_journal *j, pres_id id);

uint64_t pres_journal_head(const struct pres_journal *j); /* seq of the newest, 0: none yet */
uint64_t pres_journal_tail(const struct pres_journal *j); /* seq of the oldest kept, head + 1 when none */
uint64_t pres_journal_epoch(const struct pres_journal *j);

/*
 * This journal follows one that ended at `head`: what was reported up to there is what the table was told with
 * pres_table_assume(). Its last n entries are repeated at the beginning of this one, each with what was told last of
 * the person, PRES_NOBODY where a later one is about the same person; cursors among them go on here. Before the first
 * entry.
 */
void pres_journal_follow(struct pres_journal *j, uint64_t epoch, uint64_t head, const pres_id *last, size_t n);

/* The number of the last entry about this id; 0: none is kept. */
uint64_t pres_journal_latest(const struct pres_journal *j, pres_id id);

/* NULL when seq is not kept. Valid until the next add or get. */
const struct pres_change *pres_journal_get(const struct pres_journal *j, uint64_t seq);

/* Called once a turn after additions, never from inside pres_journal_add. */
typedef void pres_journal_fn(void *arg);
struct pres_journal_reader;
struct pres_journal_reader *pres_journal_reader_new(struct pres_journal *j, pres_journal_fn *wake, void *arg);
void pres_journal_reader_free(struct pres_journal_reader **r); /* safe inside any wake */

#endif
