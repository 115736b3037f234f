/*
 * keep: what survives a restart, in DIRECTORY/state.sqlite: the last answer about each person with its age, where their
 * calendar was found, and the rows of the outlets. Without a directory, or when the file cannot be used, the daemon
 * serves on from memory and says so; from a file that can only be read it takes what was known.
 */
#ifndef GATEWAY_KEEP_H
#define GATEWAY_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "davclient/cause.h"
#include "presence/table.h"

struct db;
struct gateway;
struct gw_keep;
struct gw_server;
struct jv;
struct loop;

/* `directory` NULL: nothing is kept. Blocks. NULL only when another daemon uses the directory; `why` has its pid. */
struct gw_keep *gw_keep_new(struct loop *loop, const char *directory, char *why, size_t why_size);
void gw_keep_free(struct gw_keep **k);          /* what waits is still written */
struct db *gw_keep_db(const struct gw_keep *k); /* NULL: in memory only */

/* Once, after the first configuration's people are there: gives them their last known states, as old as they are. */
void gw_keep_load(struct gateway *g);

/* Now and then. Rows that say nothing about today any more are deleted, but not before an hour after the start: a
 * machine whose clock is wrong when it starts has it right by then. */
void gw_keep_tick(struct gateway *g);

/* Last of all: a note for the next start, with which cursors of subscribers go on there (keep_leave.c). */
void gw_keep_leave(struct gateway *g);

/* A good answer about a person is in the table. */
void gw_keep_answer(struct gateway *g, pres_id id);

/* A person is about to be removed. */
void gw_keep_remove(struct gateway *g, pres_id id);

/*
 * An answer of the server's came with this err: when its secret was refused, that is remembered, as a slow salted
 * digest, so that not even a daemon that is started again and again shows it twice. Forgotten with a good answer, and
 * when an administrator says that it may be tried again.
 */
void gw_keep_verdict(struct gateway *g, struct gw_server *s, enum dav_err err);
void gw_keep_pardon(struct gateway *g, struct gw_server *s);

/* {"directory","well","trouble",...}; null when nothing is to be kept. */
struct jv *gw_keep_report(const struct gateway *g);
bool gw_keep_well(const struct gateway *g);

#endif
