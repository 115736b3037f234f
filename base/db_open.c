/*
 * db_open: opens a file, finds out whether it is ours and how old, migrates it step by step in one transaction, reads
 * it. Whatever is wrong, the file stays as it is.
 */
#include "db_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static bool open_file(struct db *db, const struct db_schema *schema, char *why, size_t why_size);
static bool check_ours(struct db *db, const struct db_schema *schema, int64_t *ret_version, char *why, size_t why_size);
static bool migrate(struct db *db, const struct db_schema *schema, unsigned from);
static bool run(struct db *db, const char *sql);
static bool number(struct db *db, const char *sql, int64_t *ret);
static bool sqlite_says(struct db *db, char *why, size_t why_size);

struct db *db_open(struct loop *loop, const char *path, const struct db_schema *schema, char *why, size_t why_size)
{
    struct db *db = mem_calloc(1, sizeof *db);
    db->loop = loop;
    db->path = mem_strdup(path);
    if (!open_file(db, schema, why, why_size)) {
        db_connection_close(db);
        free(db->path);
        free(db);
        return NULL;
    }
    db_writer_init(db);
    return db;
}

bool db_read(struct db *db, const char *sql, db_row_fn *row, void *arg, char *why, size_t why_size)
{
    enum { COLUMNS_MAX = 16 };
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW)
            break;
        struct db_value columns[COLUMNS_MAX];
        unsigned n = (unsigned)sqlite3_column_count(s);
        n = n < COLUMNS_MAX ? n : COLUMNS_MAX;
        for (unsigned i = 0; i < n; i++) {
            int at = (int)i, type = sqlite3_column_type(s, at);
            if (type == SQLITE_INTEGER)
                columns[i] = db_int(sqlite3_column_int64(s, at));
            else if (type == SQLITE_NULL)
                columns[i] = (struct db_value){.type = DB_NULL};
            else
                columns[i] = (struct db_value){.type = type == SQLITE_BLOB ? DB_BLOB : DB_TEXT,
                                               .data = sqlite3_column_blob(s, at),
                                               .len = (size_t)sqlite3_column_bytes(s, at)};
        }
        row(arg, columns, n);
    }
    bool ok = rc == SQLITE_DONE;
    if (!ok)
        sqlite_says(db, why, why_size);
    sqlite3_finalize(s);
    return ok;
}

void db_connection_close(struct db *db)
{
    for (unsigned i = 0; i < db->statement_count; i++)
        sqlite3_finalize(db->statements[i].prepared);
    db->statement_count = 0;
    sqlite3_close(db->sqlite);
    db->sqlite = NULL;
}

static bool open_file(struct db *db, const struct db_schema *schema, char *why, size_t why_size)
{
    enum { MODE = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX };
    int64_t version = 0;
    int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would let the group read it */
    if (fd < 0) {
        snprintf(why, why_size, "%s: %s", db->path, strerror(errno));
        return false;
    }
    close(fd);
    if (sqlite3_open_v2(db->path, &db->sqlite, MODE, NULL) != SQLITE_OK)
        return sqlite_says(db, why, why_size);
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Exclusive first: then WAL needs no shared memory file, and a second daemon is refused. */
    if (!run(db, "PRAGMA locking_mode=EXCLUSIVE") || !check_ours(db, schema, &version, why, why_size))
        return why[0] ? false : sqlite_says(db, why, why_size);
    if (!run(db, "PRAGMA journal_mode=WAL") || !run(db, "PRAGMA synchronous=FULL") ||
        !run(db, "PRAGMA temp_store=MEMORY") || !migrate(db, schema, (unsigned)version))
        return sqlite_says(db, why, why_size);
    return true;
}

static bool check_ours(struct db *db, const struct db_schema *schema, int64_t *ret_version, char *why, size_t why_size)
{
    int64_t id, tables;
    why[0] = '\0';
    if (!number(db, "PRAGMA user_version", ret_version) || !number(db, "PRAGMA application_id", &id) ||
        !number(db, "SELECT count(*) FROM sqlite_schema", &tables))
        return false;
    if (id != schema->application_id && (id != 0 || tables > 0))
        snprintf(why, why_size, "%s: is a database of another program", db->path);
    else if (*ret_version > schema->version)
        snprintf(why, why_size, "%s: was written by a newer version (schema %lld, known here: %u)", db->path,
                 (long long)*ret_version, schema->version);
    return !why[0];
}

/* Also writes when there is nothing to migrate: that the file can be written is better known now. */
static bool migrate(struct db *db, const struct db_schema *schema, unsigned from)
{
    char text[100];
    bool ok = run(db, "BEGIN IMMEDIATE");
    for (unsigned i = from; ok && i < schema->version; i++)
        ok = run(db, schema->migrations[i]);
    snprintf(text, sizeof text, "PRAGMA application_id=%ld; PRAGMA user_version=%u", (long)schema->application_id,
             schema->version);
    return ok && run(db, text) && run(db, "COMMIT");
}

static bool run(struct db *db, const char *sql)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool number(struct db *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        *ret = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return ok;
}

static bool sqlite_says(struct db *db, char *why, size_t why_size)
{
    int code = sqlite3_extended_errcode(db->sqlite) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        snprintf(why, why_size, "%s: another daemon is using it", db->path);
    else
        snprintf(why, why_size, "%s: %s", db->path, db->sqlite ? sqlite3_errmsg(db->sqlite) : "no memory");
    return false;
}
