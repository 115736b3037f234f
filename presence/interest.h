/*
 * interest (private): which readers of a journal want to hear of which person.
 */
#ifndef PRESENCE_INTEREST_H
#define PRESENCE_INTEREST_H

#include "presence/table.h"

struct pres_interest;
struct pres_journal_reader;

struct pres_interest *pres_interest_new(void);
void pres_interest_free(struct pres_interest **i);

/* Returns what to drop it with. */
uint32_t pres_interest_add(struct pres_interest *i, pres_id id, struct pres_journal_reader *who);
void pres_interest_drop(struct pres_interest *i, pres_id id, uint32_t ref);

typedef void pres_interest_fn(struct pres_journal_reader *who, uint64_t seq);
void pres_interest_tell(const struct pres_interest *i, pres_id id, uint64_t seq, pres_interest_fn *fn);
void pres_interest_tell_all(const struct pres_interest *i, uint64_t seq, pres_interest_fn *fn); /* once a wish */

#endif
