/*
 * db_copy: a file that can be read but not written, such as one on a disk that has gone read-only. SQLite would have to
 * write even to read what was written last, for that is in the log beside the file. So both are copied to a place of
 * our own, in memory if there is one, and opened there like any other; the copy's names are gone at once, its bytes
 * when it has been read. The file itself is not touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "db_private.h"

static const off_t COPY_BYTES_MAX = (off_t)8 << 30;

static bool make_folder(char *out, size_t size, const char *in);
static bool copy_both(const char *path, const char *folder, char *why, size_t why_size);
static bool copy_file(const char *from, const char *to, char *why, size_t why_size);
static bool copy_bytes(int in, int out);
static void remove_folder(const char *folder);

struct db *db_open_copy(struct loop *loop, const char *path, const struct db_schema *schema, const char *trouble,
                        char *why, size_t why_size)
{
    const char *places[] = {"/dev/shm", getenv("TMPDIR"), "/tmp"};
    struct db *db = NULL;
    char folder[200];
    snprintf(why, why_size, "%s: there is no place to read a copy of it", path);
    for (unsigned i = 0; i < sizeof places / sizeof places[0] && !db; i++) {
        if (!places[i] || !make_folder(folder, sizeof folder, places[i]))
            continue;
        char *copy = mem_printf("%s/copy", folder);
        if (copy_both(path, folder, why, why_size))
            db = db_open(loop, copy, schema, why, why_size);
        free(copy);
        remove_folder(folder);
    }
    if (!db)
        return NULL;
    free(db->path);
    db->path = mem_strdup(path);
    db->read_only = true;
    db->info.failing_since = clk_wall_s(loop_clk(loop));
    snprintf(db->failure, sizeof db->failure, "%s", trouble);
    loop_timer_in(db->timer, 0); /* it has been read when the loop turns */
    return db;
}

static bool make_folder(char *out, size_t size, const char *in)
{
    int len = snprintf(out, size, "%s/freebusyd-XXXXXX", in);
    return len > 0 && (size_t)len < size && mkdtemp(out);
}

/* Without a log there was a stop in good order. */
static bool copy_both(const char *path, const char *folder, char *why, size_t why_size)
{
    char *from = mem_printf("%s-wal", path), *to = mem_printf("%s/copy", folder),
         *log_to = mem_printf("%s/copy-wal", folder);
    bool ok = copy_file(path, to, why, why_size) &&
              (access(from, F_OK) != 0 || copy_file(from, log_to, why, why_size));
    free(from);
    free(to);
    free(log_to);
    return ok;
}

static bool copy_file(const char *from, const char *to, char *why, size_t why_size)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), out = -1;
    struct stat st;
    bool ok = in >= 0 && fstat(in, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= COPY_BYTES_MAX;
    if (ok)
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ok = ok && out >= 0 && copy_bytes(in, out);
    if (!ok)
        snprintf(why, why_size, "%s: cannot be copied to be read: %s", from, strerror(errno));
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return ok;
}

static bool copy_bytes(int in, int out)
{
    static char piece[1 << 16];
    ssize_t n;
    while ((n = read(in, piece, sizeof piece)) > 0)
        for (ssize_t at = 0, wrote; at < n; at += wrote)
            if ((wrote = write(out, piece + at, (size_t)(n - at))) <= 0)
                return false;
    return n == 0;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"copy", "copy-wal", "copy-journal"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = mem_printf("%s/%s", folder, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
}
