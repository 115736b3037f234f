/*
 * keep: see keep.h. Opening the file, and who else has it. A lock on DIRECTORY/lock tells a second daemon the pid of
 * the first; the kernel takes it away with the process, however that ends.
 *
 * Whatever is wrong with the file, it is left as it is for an administrator to look at: we never begin by deleting.
 */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/db.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "keep_private.h"
#include "report.h"

static const char *const migrations[] = {
    "CREATE TABLE person (address TEXT PRIMARY KEY, server TEXT NOT NULL, as_of INTEGER NOT NULL,"
    " starts INTEGER NOT NULL, ends INTEGER NOT NULL, busy BLOB NOT NULL, place TEXT) WITHOUT ROWID;"
    "CREATE TABLE outlet (space TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (space, key)) WITHOUT ROWID;"
    "CREATE TABLE refusal (server TEXT PRIMARY KEY, account TEXT NOT NULL, salt BLOB NOT NULL, digest BLOB NOT NULL,"
    " code TEXT NOT NULL, evidence TEXT, at INTEGER NOT NULL)",
    "CREATE TABLE forgotten (digest BLOB PRIMARY KEY, salt BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE leave (epoch TEXT, head INTEGER, at INTEGER, people INTEGER, otherwise TEXT, last TEXT)",
};
static const struct db_schema schema = {
    .application_id = 0x66726279, .migrations = migrations, .version = sizeof migrations / sizeof migrations[0]};

static bool only_readable(const char *directory, const char *path);
static void open_copy(struct gw_keep *k, struct loop *loop, const char *path);
static bool lock(struct gw_keep *k, char *why, size_t why_size);
static pid_t holder(int fd);

struct gw_keep *gw_keep_new(struct loop *loop, const char *directory, char *why, size_t why_size)
{
    struct gw_keep *k = mem_calloc(1, sizeof *k);
    k->lock = -1;
    if (!directory)
        return k;
    k->directory = mem_strdup(directory);
    if (!lock(k, why, why_size)) {
        gw_keep_free(&k);
        return NULL;
    }
    char *path = mem_printf("%s/state.sqlite", directory);
    if (!k->trouble[0])
        k->db = db_open(loop, path, &schema, k->trouble, sizeof k->trouble);
    if (!k->db && only_readable(directory, path))
        open_copy(k, loop, path);
    else if (!k->db)
        log_error("keep", "%s: serving on from memory, nothing will survive a restart", k->trouble);
    free(path);
    return k;
}

void gw_keep_free(struct gw_keep **kp)
{
    struct gw_keep *k = *kp;
    if (!k)
        return;
    db_close(&k->db);
    if (k->lock >= 0)
        close(k->lock);
    free(k->directory);
    free(k);
    *kp = NULL;
}

struct db *gw_keep_db(const struct gw_keep *k)
{
    return k ? k->db : NULL;
}

bool gw_keep_well(const struct gateway *g)
{
    struct db_info info;
    if (!g->keep || !g->keep->directory)
        return true;
    if (!g->keep->db)
        return false;
    db_info(g->keep->db, &info);
    return !info.failing_since;
}

struct jv *gw_keep_report(const struct gateway *g)
{
    struct db_info info = {0};
    const struct gw_keep *k = g->keep;
    if (!k || !k->directory)
        return jv_null();
    if (k->db)
        db_info(k->db, &info);
    struct jv *v = jv_set_str(jv_object(), "directory", k->directory);
    jv_set_bool(v, "well", gw_keep_well(g));
    jv_set_str(v, "trouble", !k->db ? k->trouble : info.failing_since ? info.failure : NULL);
    jv_set(v, "failing_since", gw_report_time(info.failing_since));
    jv_set(v, "committed_at", gw_report_time(info.committed_at));
    jv_set_int(v, "rows", (int64_t)info.rows);
    jv_set_int(v, "dropped", (int64_t)info.dropped);
    jv_set_int(v, "waiting_bytes", (int64_t)info.waiting);
    return jv_set_int(v, "persons_loaded", (int64_t)k->loaded);
}

/* Is there a state that could be read, if only it could be written? */
static bool only_readable(const char *directory, const char *path)
{
    return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 &&
           (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 || faccessat(AT_FDCWD, directory, W_OK, AT_EACCESS) != 0);
}

/* Known states of before are better than none. */
static void open_copy(struct gw_keep *k, struct loop *loop, const char *path)
{
    char why[sizeof k->trouble];
    k->db = db_open_copy(loop, path, &schema, k->trouble, why, sizeof why);
    if (k->db)
        log_error("keep", "%s: what was saved before is known, and serving on from memory", k->trouble);
    else
        log_error("keep", "%s, and %s: serving on from memory, nothing will survive a restart", k->trouble, why);
}

/* False: another daemon has it. A directory that cannot be written is only trouble. */
static bool lock(struct gw_keep *k, char *why, size_t why_size)
{
    char *path = mem_printf("%s/lock", k->directory);
    struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool ok = true;
    pid_t other = 0;
    k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (k->lock < 0) {
        snprintf(k->trouble, sizeof k->trouble, "%s: %s", path, strerror(errno));
        k->lock = open(path, O_RDONLY | O_CLOEXEC); /* another one may have been there before it became so */
        other = k->lock < 0 ? 0 : holder(k->lock);
        ok = other == 0;
    } else if (fcntl(k->lock, F_SETLK, &want) != 0) {
        other = holder(k->lock);
        ok = false;
    }
    if (!ok)
        snprintf(why, why_size, "%s: another freebusyd uses this state directory (pid %ld)", k->directory,
                 (long)other);
    free(path);
    return ok;
}

/* 0: nobody. */
static pid_t holder(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
