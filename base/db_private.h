/* db_private: the connection, and what waits to be written; db_open.c makes it, db.c writes. */
#ifndef BASE_DB_PRIVATE_H
#define BASE_DB_PRIVATE_H

#include <sqlite3.h>

#include "base/db.h"

enum { DB_STATEMENTS_MAX = 32, DB_FAILURE_MAX = 200 };

struct db_entry;
struct db_waiter;

struct db {
    struct loop *loop;
    struct loop_timer *timer; /* the next batch */
    char *path;

    /* the loop's */
    struct db_entry *waiting, **end;
    size_t waiting_bytes, writing_bytes;
    struct db_waiter *waiters, **waiters_end; /* for what waits */
    struct db_waiter *told;                   /* for the batch under way */
    struct db_info info;
    char failure[DB_FAILURE_MAX];
    int64_t retry_ms;
    bool busy; /* the worker has what follows */
    bool dying;
    bool last; /* the batch under way closes the connection */
    bool compact;
    bool read_only; /* db_copy.c: what is written is dropped at once */

    /* the worker's while busy */
    sqlite3 *sqlite;
    struct {
        const char *sql;
        sqlite3_stmt *prepared;
    } statements[DB_STATEMENTS_MAX];
    unsigned statement_count;
    struct db_entry *writing; /* the batch; kept when it failed */
    uint64_t batch_rows;
    bool batch_ok;
    bool compacting, compacted;
    char batch_failure[DB_FAILURE_MAX];
};

void db_writer_init(struct db *db);
void db_connection_close(struct db *db);

#endif
