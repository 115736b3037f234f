/*
 * db: see base/db.h. Writing. Statements gather on a list; a timer, or their size, hands the list to the loop's worker,
 * which runs it as one transaction. A list that fails is kept and tried again at growing distances, while newer ones
 * gather behind it up to a ceiling; whoever waits for safety is told at the first failure.
 *
 * The connection belongs to the worker from the first batch on. db_open.c makes it and reads.
 */
#include "db_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

enum { BATCH_BYTES = 4 << 20, WAITING_BYTES_MAX = 256 << 20, RETRY_MIN_MS = 1000, RETRY_MAX_MS = 60000 };

/* One statement; the values' bytes follow it. */
struct db_entry {
    struct db_entry *next;
    const char *sql;
    size_t size;
    unsigned count;
    struct db_value values[];
};

struct db_waiter {
    struct db_waiter *next;
    db_done_fn *done;
    void *arg;
};

static void tell_read_only(struct db *db);
static void start_batch(void *arg);
static void write_batch(void *arg);
static void batch_written(void *arg);
static void batch_failed(struct db *db);
static bool compact(struct db *db);
static bool run_entries(struct db *db);
static bool run_entry(struct db *db, const struct db_entry *e);
static sqlite3_stmt *statement_of(struct db *db, const char *sql);
static void tell(struct db_waiter **waiters, bool ok);
static struct db_entry *entry_new(const char *sql, const struct db_value *values, unsigned count);
static void entries_free(struct db_entry **first);
static void finish(struct db *db);

struct db_value db_int(int64_t number)
{
    return (struct db_value){.type = DB_INT, .number = number};
}

struct db_value db_text(const char *text)
{
    return text ? (struct db_value){.type = DB_TEXT, .data = text, .len = strlen(text)} : (struct db_value){0};
}

struct db_value db_blob(const void *data, size_t len)
{
    return (struct db_value){.type = DB_BLOB, .data = data, .len = len};
}

void db_writer_init(struct db *db)
{
    db->end = &db->waiting;
    db->waiters_end = &db->waiters;
    db->retry_ms = RETRY_MIN_MS;
    db->timer = loop_timer_new(db->loop, "db", start_batch, db);
}

bool db_write(struct db *db, const char *sql, const struct db_value *values, unsigned count)
{
    if (db->read_only)
        return true;
    struct db_entry *e = entry_new(sql, values, count);
    if (db->waiting_bytes + e->size > WAITING_BYTES_MAX) {
        db->info.dropped++;
        free(e);
        return false;
    }
    *db->end = e;
    db->end = &e->next;
    db->waiting_bytes += e->size;
    if (db->busy || db->writing) /* the next batch begins when this one has ended well */
        return true;
    if (db->waiting_bytes >= BATCH_BYTES)
        loop_timer_in(db->timer, 0);
    else if (!loop_timer_armed(db->timer))
        loop_timer_in(db->timer, DB_DELAY_MS);
    return true;
}

void db_sync(struct db *db, db_done_fn *done, void *arg)
{
    struct db_waiter *w = mem_calloc(1, sizeof *w);
    *w = (struct db_waiter){.done = done, .arg = arg};
    *db->waiters_end = w;
    db->waiters_end = &w->next;
    if (!db->busy && !loop_timer_armed(db->timer))
        loop_timer_in(db->timer, 0);
}

void db_compact(struct db *db)
{
    db->compact = true;
}

void db_forget(struct db *db, void *arg)
{
    struct db_waiter *lists[] = {db->waiters, db->told};
    for (unsigned i = 0; i < 2; i++)
        for (struct db_waiter *w = lists[i]; w; w = w->next)
            if (w->arg == arg)
                w->done = NULL;
}

void db_info(const struct db *db, struct db_info *ret)
{
    *ret = db->info;
    ret->waiting = db->waiting_bytes + db->writing_bytes;
    ret->failure = db->info.failing_since ? db->failure : NULL;
}

void db_close(struct db **dbp)
{
    struct db *db = *dbp;
    if (!db)
        return;
    *dbp = NULL;
    db->dying = true;
    for (struct db_waiter *w = db->waiters; w; w = w->next)
        w->done = NULL;
    for (struct db_waiter *w = db->told; w; w = w->next)
        w->done = NULL;
    loop_timer_free(&db->timer);
    if (!db->busy)
        start_batch(db);
}

/* Read it is by now, and there is nothing that could be made safe. */
static void tell_read_only(struct db *db)
{
    db_connection_close(db);
    db->told = db->waiters;
    db->waiters = NULL;
    db->waiters_end = &db->waiters;
    if (db->dying)
        finish(db);
    else
        tell(&db->told, false);
}

/* A list that failed before is tried again first; nothing overtakes it. The last batch of all takes everything. */
static void start_batch(void *arg)
{
    struct db *db = arg;
    if (db->read_only) {
        tell_read_only(db);
        return;
    }
    if (db->dying && db->writing) {
        struct db_entry **tail = &db->writing;
        while (*tail)
            tail = &(*tail)->next;
        *tail = db->waiting;
        db->waiting = NULL;
        db->writing_bytes += db->waiting_bytes;
        db->waiting_bytes = 0;
    } else if (!db->writing) {
        db->writing = db->waiting;
        db->waiting = NULL;
        db->end = &db->waiting;
        db->writing_bytes = db->waiting_bytes;
        db->waiting_bytes = 0;
    }
    /* Those who wait for something behind a list that fails are told of the failure as well. */
    struct db_waiter **end = &db->told;
    while (*end)
        end = &(*end)->next;
    *end = db->waiters;
    db->waiters = NULL;
    db->waiters_end = &db->waiters;
    db->compacting = db->compact;
    db->compact = false;
    db->busy = true;
    db->last = db->dying;
    loop_work(db->loop, write_batch, batch_written, db);
}

/* In the worker. */
static void write_batch(void *arg)
{
    struct db *db = arg;
    db->batch_rows = 0;
    db->batch_ok = !db->writing || run_entries(db);
    db->compacted = db->batch_ok && (!db->compacting || compact(db));
    if (db->last)
        db_connection_close(db);
}

/* The log, too, which has what was there before. */
static bool compact(struct db *db)
{
    return sqlite3_exec(db->sqlite, "VACUUM", NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_exec(db->sqlite, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK;
}

static bool run_entries(struct db *db)
{
    bool ok = sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    for (const struct db_entry *e = db->writing; ok && e; e = e->next, db->batch_rows++)
        ok = run_entry(db, e);
    ok = ok && sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok) {
        snprintf(db->batch_failure, sizeof db->batch_failure, "%s", sqlite3_errmsg(db->sqlite));
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    }
    return ok;
}

static bool run_entry(struct db *db, const struct db_entry *e)
{
    sqlite3_stmt *s = statement_of(db, e->sql);
    bool ok = s != NULL;
    for (unsigned i = 0; ok && i < e->count; i++) {
        const struct db_value *v = &e->values[i];
        int at = (int)i + 1, len = (int)v->len, rc = SQLITE_OK;
        switch (v->type) {
        case DB_NULL:
            rc = sqlite3_bind_null(s, at);
            break;
        case DB_INT:
            rc = sqlite3_bind_int64(s, at, v->number);
            break;
        case DB_TEXT:
            rc = sqlite3_bind_text(s, at, v->data, len, SQLITE_STATIC);
            break;
        case DB_BLOB:
            rc = sqlite3_bind_blob(s, at, v->len ? v->data : "", len, SQLITE_STATIC);
            break;
        }
        ok = rc == SQLITE_OK;
    }
    ok = ok && sqlite3_step(s) == SQLITE_DONE;
    if (s) {
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return ok;
}

/* Statements are static texts: known again by their address. */
static sqlite3_stmt *statement_of(struct db *db, const char *sql)
{
    unsigned i = 0;
    while (i < db->statement_count && db->statements[i].sql != sql)
        i++;
    if (i < db->statement_count)
        return db->statements[i].prepared;
    if (i == DB_STATEMENTS_MAX || sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                     &db->statements[i].prepared, NULL) != SQLITE_OK)
        return NULL;
    db->statements[i].sql = sql;
    db->statement_count++;
    return db->statements[i].prepared;
}

static void batch_written(void *arg)
{
    struct db *db = arg;
    int64_t now = clk_wall_s(loop_clk(db->loop));
    db->busy = false;
    if (db->dying && !db->last) { /* closed in the middle of a batch: what came since, and the end */
        if (db->batch_ok)
            entries_free(&db->writing);
        start_batch(db);
        return;
    }
    if (db->last) {
        if (!db->batch_ok)
            log_error("db", "%s: %s; the last changes are lost", db->path, db->batch_failure);
        finish(db);
        return;
    }
    if (db->batch_ok) {
        if (db->info.failing_since)
            log_notice("db", "%s: can be written again after=%llds", db->path,
                       (long long)(now - db->info.failing_since));
        if (db->writing) {
            db->info.batches++;
            db->info.rows += db->batch_rows;
            db->info.committed_at = now;
        }
        db->info.failing_since = 0;
        db->retry_ms = RETRY_MIN_MS;
        entries_free(&db->writing);
        db->writing_bytes = 0;
    } else {
        batch_failed(db);
    }
    if (db->compacting && !db->compacted) {
        log_warning("db", "%s: could not be written anew, trying again", db->path);
        db->compact = true;
    }
    tell(&db->told, db->batch_ok && (db->compacted || !db->compacting));
    if (!db->batch_ok)
        loop_timer_in(db->timer, db->retry_ms);
    else if (db->waiting || db->waiters)
        loop_timer_in(db->timer, db->waiters || db->waiting_bytes >= BATCH_BYTES ? 0 : DB_DELAY_MS);
}

static void batch_failed(struct db *db)
{
    memcpy(db->failure, db->batch_failure, sizeof db->failure);
    if (!db->info.failing_since) {
        db->info.failing_since = clk_wall_s(loop_clk(db->loop));
        log_error("db", "%s: %s; serving on from memory, trying again", db->path, db->failure);
    }
    db->retry_ms = db->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : db->retry_ms * 2;
}

/* Whoever is told may write and wait anew. */
static void tell(struct db_waiter **waiters, bool ok)
{
    for (struct db_waiter *w; (w = *waiters);) {
        *waiters = w->next;
        if (w->done)
            w->done(w->arg, ok);
        free(w);
    }
}

static struct db_entry *entry_new(const char *sql, const struct db_value *values, unsigned count)
{
    size_t head = sizeof(struct db_entry) + count * sizeof *values, size = head;
    for (unsigned i = 0; i < count; i++)
        size += values[i].len;
    struct db_entry *e = mem_calloc(1, size);
    *e = (struct db_entry){.sql = sql, .size = size, .count = count};
    char *at = (char *)e + head;
    for (unsigned i = 0; i < count; i++) {
        e->values[i] = values[i];
        if (values[i].len == 0)
            continue;
        memcpy(at, values[i].data, values[i].len);
        e->values[i].data = at;
        at += values[i].len;
    }
    return e;
}

static void entries_free(struct db_entry **first)
{
    for (struct db_entry *e; (e = *first);) {
        *first = e->next;
        free(e);
    }
}

static void finish(struct db *db)
{
    entries_free(&db->writing);
    entries_free(&db->waiting);
    tell(&db->told, false);
    tell(&db->waiters, false);
    free(db->path);
    free(db);
}
