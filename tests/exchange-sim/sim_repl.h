/*
 * sim_repl: replication by collblob: a SEARCH that shows the blob of an earlier one is told only what has changed
 * since. The blob names a calendar and its revision at that time.
 */
#ifndef SIM_REPL_H
#define SIM_REPL_H

#include <stdbool.h>

struct arena;
struct buf;
struct sim_item;
struct sim_mailbox;

/* "" is a first look: everything is new. False: it is of another calendar, or of no moment of this one (475). */
bool sim_repl_since(const struct sim_mailbox *m, const char *blob, unsigned *ret_revision);

const char *sim_repl_blob(struct arena *a, const struct sim_mailbox *m); /* of now */

/* Has it changed since, and is it new then? */
bool sim_repl_changed(const struct sim_item *item, unsigned since);
bool sim_repl_new(const struct sim_item *item, unsigned since);

/* Adds a response for each item that was deleted since, with its repl-uid and nothing else; `repl` is the prefix of the
 * replication's namespace. None where there was nothing before. */
void sim_repl_deleted(const struct sim_mailbox *m, unsigned since, const char *repl, struct buf *out);

#endif
