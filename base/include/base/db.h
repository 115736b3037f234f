/*
 * db: one SQLite file for what must survive a restart. Opened and read at the start, before the loop runs; from then on
 * it is only written, in batches, by the loop's worker: nobody waits for a disk.
 *
 * The file is in WAL mode with synchronous FULL: what was said to be safe is there after a crash. While it is open
 * nobody else can open it. A file that is newer, corrupt or not ours is never touched.
 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct loop;

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_type type;
    int64_t number;   /* DB_INT */
    const void *data; /* DB_TEXT, DB_BLOB */
    size_t len;
};

struct db_value db_int(int64_t number);
struct db_value db_text(const char *text); /* NULL gives DB_NULL; borrowed */
struct db_value db_blob(const void *data, size_t len);

/* migrations[i] is the SQL that brings a file of version i to version i + 1. The first one makes a new file. */
struct db_schema {
    int32_t application_id; /* PRAGMA application_id: what tells our files from others' */
    const char *const *migrations;
    unsigned version; /* how many there are */
};

/*
 * Opens, makes or migrates the file; blocks. NULL: it cannot be used, and `why` says so in one line with the path: it
 * is newer than we are, corrupt, of another program, in use by another daemon, or its folder cannot be written.
 */
struct db *db_open(struct loop *loop, const char *path, const struct db_schema *schema, char *why, size_t why_size);

/*
 * The same for a file that can be read but not written, because of `trouble`: what it says now can be read before the
 * loop turns, nothing is ever written, and db_info() says that it fails. NULL: `why` says why it could not be read.
 */
struct db *db_open_copy(struct loop *loop, const char *path, const struct db_schema *schema, const char *trouble,
                        char *why, size_t why_size);

/* Commits what waits, in the worker, and closes there; loop_free() waits for that. No callback comes any more. */
void db_close(struct db **db);

/*
 * Runs a query and hands out its rows; blocks; only before the first db_write(). False: the file is damaged, `why` has
 * a line, rows may have been handed out before.
 */
typedef void db_row_fn(void *arg, const struct db_value *columns, unsigned count);
bool db_read(struct db *db, const char *sql, db_row_fn *row, void *arg, char *why, size_t why_size);

/*
 * One statement with its parameters, to be run in order with all others, soon (within `DB_DELAY_MS`, or when a few MB
 * wait). `sql` is static text, prepared once; the values are copied. False: too much waits already, it is dropped.
 */
enum { DB_DELAY_MS = 200 };
bool db_write(struct db *db, const char *sql, const struct db_value *values, unsigned count);

/* After what was written so far: writes the whole file anew, so that nothing of deleted rows is left in it. The next
 * db_sync() tells when. */
void db_compact(struct db *db);

/*
 * Tells when everything written so far is safe, or that it could not be made so yet (`ok` false; it is tried again all
 * the same). From the loop, once, never before this returned.
 */
typedef void db_done_fn(void *arg, bool ok);
void db_sync(struct db *db, db_done_fn *done, void *arg);
void db_forget(struct db *db, void *arg); /* no db_done_fn with this arg any more */

struct db_info {
    uint64_t batches, rows; /* committed */
    uint64_t dropped;       /* statements that found no room */
    size_t waiting;         /* bytes that are not committed */
    int64_t committed_at;   /* wall s, 0: not yet */
    int64_t failing_since;  /* wall s, 0: the last batch went well */
    const char *failure;    /* what SQLite said; NULL */
};
void db_info(const struct db *db, struct db_info *ret);

#endif
