/*
 * journal (private): what watch.c needs beyond the public header, and what the journal and its readers tell each other.
 */
#ifndef PRESENCE_JOURNAL_PRIVATE_H
#define PRESENCE_JOURNAL_PRIVATE_H

#include "presence/journal.h"

struct pres_readers;

struct pres_table *pres_journal_table(const struct pres_journal *j);
size_t pres_journal_capacity(const struct pres_journal *j); /* entries */

/* journal_readers.c. */
struct pres_readers *pres_journal_readers(const struct pres_journal *j);
struct pres_readers *pres_readers_new(struct pres_journal *j);
void pres_readers_free(struct pres_readers **readers); /* when all have left */
void pres_readers_more(struct pres_readers *readers);  /* an entry was added */

/* What a cursor of the journal that this one follows means here. False: it is none, or too old. */
bool pres_journal_former(const struct pres_journal *j, uint64_t epoch, uint64_t seq, uint64_t *ret_seq);

/* "EPOCH-", as cursors begin. */
#define PRES_EPOCH_TEXT 17
const char *pres_journal_epoch_text(const struct pres_journal *j);

/*
 * A reader of some persons: `note` tells it the number of each entry about one of them, at the latest before `wake`, or
 * that it must look for itself, because the journal has gone round meanwhile; it may not read in it. `wake` comes only
 * after a note.
 */
#define PRES_JOURNAL_MISSED 0
typedef void pres_journal_note_fn(void *arg, uint64_t seq);
struct pres_journal_reader *pres_journal_reader_of_some(struct pres_journal *j, pres_journal_fn *wake,
                                                        pres_journal_note_fn *note, void *arg);
uint32_t pres_journal_want(struct pres_journal_reader *r, pres_id id); /* returns what to unwant it with */
void pres_journal_unwant(struct pres_journal_reader *r, pres_id id, uint32_t ref); /* before the reader is freed */
void pres_journal_pass_on(struct pres_journal *j); /* has all notes up to the head told now */
uint64_t pres_journal_passed_on(const struct pres_journal *j); /* up to which entry they were */

/* About whom entry `seq` is, without unfolding the rest. False when it is not kept. */
bool pres_journal_whose(const struct pres_journal *j, uint64_t seq, pres_id *ret_id, uint32_t *ret_generation);

/* For whoever knows which entry is next but some: has the processor load it. Nothing when it is not kept. */
void pres_journal_fetch(const struct pres_journal *j, uint64_t seq);
pres_id pres_journal_id(const struct pres_journal *j, uint64_t seq); /* PRES_NOBODY: not kept, or about nobody */

/* What entry `seq`, which is kept, says; returns who was removed, as pres_change has it. */
const char *pres_journal_read(const struct pres_journal *j, uint64_t seq, struct pres_presence *ret);

/* The number of the entry about the same id before entry `seq`; 0: none is kept. */
uint64_t pres_journal_before(const struct pres_journal *j, uint64_t seq);

bool pres_journal_is_removal(const struct pres_journal *j, uint64_t seq); /* one that is kept */

/*
 * The last removal after entry `after` of somebody who was published under, or configured with, this address (without
 * case). False: there is none. O(removals kept).
 */
bool pres_journal_find_removed(const struct pres_journal *j, const char *address, uint64_t after, pres_id *ret_id,
                               uint32_t *ret_generation);

/* The removals after entry `after` of members of that group, one with each call; *at begins as 0. False: no more. */
bool pres_journal_removed_member(const struct pres_journal *j, const char *group, uint64_t after, size_t *at,
                                 pres_id *ret_id, uint32_t *ret_generation);

#endif
