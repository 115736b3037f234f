/*
 * db: what was said to be safe is in the file, in order; a file that is newer, foreign, corrupt or in use is refused
 * and stays as it is; a full disk loses nothing that comes after it; a migration is whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "db_private.h"
#include "until.h"

static const char *const migrations[] = {
    "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, b BLOB) WITHOUT ROWID",
    "ALTER TABLE t ADD COLUMN extra TEXT",
    "CREATE TABLE broken (; nonsense",
};
static const struct db_schema first = {0x66627432, migrations, 1}, second = {0x66627432, migrations, 2},
                              broken = {0x66627432, migrations, 3}, foreign = {0x1234, migrations, 1};
static const char *const put = "INSERT OR REPLACE INTO t (k, n, b) VALUES (?1, ?2, ?3)";

struct world {
    char folder[40];
    char *path;
    struct loop *loop;
    struct db *db;
    unsigned safe, unsafe;
    unsigned rows;
    int64_t sum;
};

static void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    log_set_sink(quiet, NULL);
    strcpy(w->folder, "/tmp/test_db_XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    w->path = mem_printf("%s/state.sqlite", w->folder);
    w->loop = loop_new(clk_system());
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    db_close(&w->db);
    loop_free(&w->loop);
    char *command = mem_printf("rm -rf %s", w->folder);
    int rc = system(command);
    free(command);
    free(w->path);
    free(w);
    return rc;
}

static struct db *must_open(struct world *w, const struct db_schema *schema)
{
    char why[300] = "";
    w->db = db_open(w->loop, w->path, schema, why, sizeof why);
    if (!w->db)
        fail_msg("%s", why);
    return w->db;
}

static void must_refuse(struct world *w, const struct db_schema *schema, const char *word)
{
    char why[300] = "";
    assert_null(db_open(w->loop, w->path, schema, why, sizeof why));
    if (!strstr(why, word) || !strstr(why, w->path))
        fail_msg("'%s' should say '%s' and the path", why, word);
}

/* Everything written is committed; then as after a restart. */
static void reopen(struct world *w, const struct db_schema *schema)
{
    db_close(&w->db);
    loop_free(&w->loop);
    w->loop = loop_new(clk_system());
    must_open(w, schema);
}

static void on_row(void *arg, const struct db_value *columns, unsigned count)
{
    struct world *w = arg;
    assert_true(count >= 2);
    w->rows++;
    w->sum += columns[1].number;
}

static void count_rows(struct world *w)
{
    char why[300];
    w->rows = 0;
    w->sum = 0;
    assert_true(db_read(w->db, "SELECT k, n FROM t", on_row, w, why, sizeof why));
}

static void on_done(void *arg, bool ok)
{
    struct world *w = arg;
    *(ok ? &w->safe : &w->unsafe) += 1;
}

static void write_row(struct world *w, const char *key, int64_t n)
{
    const struct db_value values[] = {db_text(key), db_int(n), db_blob("\0x", 2)};
    assert_true(db_write(w->db, put, values, 3));
}

static void wait_for(struct world *w, const unsigned *count, unsigned want)
{
    UNTIL(w->loop, *count >= want)
}

static void keeps_in_order(void **state)
{
    struct world *w = *state;
    struct stat st;
    must_open(w, &first);
    for (int i = 0; i < 1000; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%d", i % 100);
        write_row(w, key, i);
    }
    struct db_info info;
    db_sync(w->db, on_done, w);
    assert_int_equal(w->safe, 0);
    for (db_info(w->db, &info); info.waiting > 0; db_info(w->db, &info)) /* also while the worker has it */
        loop_turn(w->loop, 1);
    assert_int_equal(info.rows, 1000);
    wait_for(w, &w->safe, 1);
    db_info(w->db, &info);
    assert_true(info.committed_at > 0);
    write_row(w, "late", 5); /* db_close commits what nobody waited for */
    reopen(w, &first);
    count_rows(w);
    assert_int_equal(w->rows, 101);
    assert_int_equal(w->sum, 900 * 100 + 99 * 100 / 2 + 5);
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
}

static void on_done_again(void *arg, bool ok)
{
    struct world *w = arg;
    on_done(arg, ok);
    if (w->unsafe < 3)
        db_sync(w->db, on_done_again, w);
}

/* What cannot be written can be read, with what is in the log alone; the file stays as it is, and nothing is safe. */
static void copy_is_read(void **state)
{
    struct world *w = *state;
    struct db_info info;
    char why[300], *copy = mem_printf("%s/copy.sqlite", w->folder);
    must_open(w, &first);
    write_row(w, "before", 7);
    db_sync(w->db, on_done, w);
    wait_for(w, &w->safe, 1); /* which has not gone from the log into the file */
    char *command =
        mem_printf("cd %s && cp state.sqlite copy.sqlite && cp state.sqlite-wal copy.sqlite-wal", w->folder);
    assert_int_equal(system(command), 0);
    db_close(&w->db);
    assert_null(db_open_copy(w->loop, copy, &foreign, "it is so", why, sizeof why));
    w->db = db_open_copy(w->loop, copy, &second, "it is so", why, sizeof why); /* which migrates, too */
    assert_non_null(w->db);
    count_rows(w);
    assert_int_equal(w->rows, 1);
    assert_int_equal(w->sum, 7);
    write_row(w, "after", 8);
    db_compact(w->db);
    db_sync(w->db, on_done_again, w);
    assert_int_equal(w->unsafe, 0);
    wait_for(w, &w->unsafe, 3);
    db_info(w->db, &info);
    assert_true(info.failing_since > 0 && info.dropped == 0 && info.waiting == 0);
    assert_string_equal(info.failure, "it is so");
    db_sync(w->db, on_done, w);
    db_close(&w->db);
    w->db = db_open(w->loop, copy, &first, why, sizeof why); /* a migrated one would be refused */
    assert_non_null(w->db);
    count_rows(w);
    assert_int_equal(w->sum, 7);
    free(command);
    free(copy);
}

/* Closing while the worker writes: what came meanwhile is written, too, and the connection is closed. */
static void closed_in_the_middle(void **state)
{
    struct world *w = *state;
    must_open(w, &first);
    for (int round = 0; round < 20; round++) {
        char key[40];
        for (int i = 0; i < 200; i++) {
            snprintf(key, sizeof key, "r%d-%d", round, i);
            write_row(w, key, 1);
        }
        w->safe = 0;
        db_sync(w->db, on_done, w);
        while (!w->db->busy) /* the batch begins */
            loop_turn(w->loop, 1);
        snprintf(key, sizeof key, "r%d-late", round);
        write_row(w, key, 1);
        reopen(w, &first);
    }
    w->rows = 0;
    count_rows(w);
    assert_int_equal(w->rows, 20 * 201);
}

static void migrates(void **state)
{
    struct world *w = *state;
    must_open(w, &first);
    write_row(w, "a", 1);
    reopen(w, &second);
    count_rows(w);
    assert_int_equal(w->rows, 1);
    db_close(&w->db);
    loop_free(&w->loop);
    w->loop = loop_new(clk_system());
    must_refuse(w, &first, "newer version");
    must_refuse(w, &broken, "syntax error"); /* half a migration leaves the old file */
    must_refuse(w, &foreign, "another program");
    must_open(w, &second);
    count_rows(w);
    assert_int_equal(w->rows, 1);
}

static void one_at_a_time(void **state)
{
    struct world *w = *state;
    must_open(w, &first);
    char why[300] = "";
    assert_null(db_open(w->loop, w->path, &first, why, sizeof why));
    assert_non_null(strstr(why, "another daemon"));
}

static void refuses_garbage(void **state)
{
    struct world *w = *state;
    char text[4096];
    memset(text, 'x', sizeof text);
    int fd = open(w->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    close(fd);
    must_refuse(w, &first, "not a database");
    struct stat st;
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_size, sizeof text);
    char why[300] = "";
    assert_null(db_open(w->loop, "/nonexistent/folder/state.sqlite", &first, why, sizeof why));
    assert_non_null(strstr(why, "No such file"));
}

/* A limit on file sizes is a disk that is full. */
static void full_disk(void **state)
{
    struct world *w = *state;
    struct rlimit old, small;
    must_open(w, &first);
    write_row(w, "before", 1);
    db_sync(w->db, on_done, w);
    wait_for(w, &w->safe, 1);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 1 << 16;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    char *large = mem_calloc(1, 1 << 18);
    const struct db_value values[] = {db_text("large"), db_int(2), db_blob(large, 1 << 18)};
    assert_true(db_write(w->db, put, values, 3));
    free(large);
    db_sync(w->db, on_done, w);
    wait_for(w, &w->unsafe, 1);
    struct db_info info;
    db_info(w->db, &info);
    assert_true(info.failing_since > 0);
    assert_non_null(info.failure);
    write_row(w, "after", 4);
    setrlimit(RLIMIT_FSIZE, &old);
    db_sync(w->db, on_done, w);
    wait_for(w, &w->safe, 2);
    reopen(w, &first);
    count_rows(w);
    assert_int_equal(w->rows, 3);
    assert_int_equal(w->sum, 7);
}

static void forgets(void **state)
{
    struct world *w = *state;
    unsigned other = 0;
    must_open(w, &first);
    write_row(w, "a", 1);
    db_sync(w->db, on_done, &other); /* would write into what is no world */
    db_forget(w->db, &other);
    db_sync(w->db, on_done, w);
    wait_for(w, &w->safe, 1);
    assert_int_equal(other, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_in_the_middle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copy_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(migrates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_garbage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
