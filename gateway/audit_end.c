/*
 * audit_end: see audit_end.h. A row of the state file for each path that an audit was written to. It is written after
 * the lines are on the disk, so that a crash leaves it behind the file, never before: what it names is then some line
 * of the file, and need not be the last.
 *
 * Nobody but the daemon can read the state file while it runs, so the same stands in a small file beside it: whoever
 * verifies the audit without asking the daemon compares with that.
 */
#include "audit_end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway_private.h"
#include "outlets_private.h"
#include "presence/store.h"

#define SPACE "audit"

enum { ENDS_MAX = 64 << 10 };

struct wanted {
    const char *text;
    char *ret; /* of CHAIN_HEX bytes */
    bool found;
};

static void take_row(void *arg, const char *key, const char *value);
static bool look_at_line(void *arg, const char *file, unsigned number, char *line);
static bool write_whole(const char *file, const struct buf *text);

void gw_audit_end_keep(struct gateway *g, const char *path, const char *head)
{
    if (!g->outlets)
        return;
    const struct pres_store *store = gw_outlets_store(g);
    store->put(store->impl, SPACE, path, head, NULL, NULL);
}

bool gw_audit_end_kept(const struct gateway *g, const char *path, char ret[CHAIN_HEX])
{
    struct wanted w = {.text = path, .ret = ret};
    if (!g->outlets)
        return false;
    const struct pres_store *store = gw_outlets_store(g);
    store->load(store->impl, SPACE, take_row, &w);
    return w.found;
}

bool gw_audit_end_is_gone(const char *path, unsigned keep, const char *head)
{
    struct wanted w = {.text = head};
    char why[300];
    chain_each(path, keep, look_at_line, &w, why, sizeof why);
    return !w.found;
}

struct jv *gw_audit_ends(const char *path, unsigned keep, const char *head, const char *oldest)
{
    struct jv *v = jv_set_str(jv_object(), "file", path);
    jv_set_int(v, "keep", keep);
    jv_set_str(v, "head", head[0] ? head : NULL);
    return jv_set_str(v, "oldest", oldest[0] ? oldest : NULL);
}

bool gw_audit_ends_write(const char *directory, const char *path, unsigned keep, const char *head, const char *oldest,
                         char *why, size_t why_size)
{
    char *file = mem_printf("%s/" AUDIT_END_FILE, directory), *fresh = mem_printf("%s.new", file);
    struct jv *v = gw_audit_ends(path, keep, head, oldest);
    struct buf b;
    buf_init(&b, ENDS_MAX);
    jv_write(&b, v, true);
    bool ok = buf_addc(&b, '\n') && write_whole(fresh, &b) && rename(fresh, file) == 0;
    if (!ok)
        snprintf(why, why_size, "%s: %s", file, strerror(errno));
    buf_free(&b);
    jv_free(&v);
    free(file);
    free(fresh);
    return ok;
}

void gw_audit_ends_read(const char *directory, const char *path, char ret_oldest[CHAIN_HEX])
{
    char *file = mem_printf("%s/" AUDIT_END_FILE, directory), why[300];
    FILE *in = fopen(file, "re");
    char *text = mem_calloc(1, ENDS_MAX);
    size_t len = in ? fread(text, 1, ENDS_MAX, in) : 0;
    struct jv *v = jv_parse(text, len, why, sizeof why);
    bool ours = strcmp(jv_str(jv_get(v, "file"), ""), path) == 0;
    snprintf(ret_oldest, CHAIN_HEX, "%s", ours ? jv_str(jv_get(v, "oldest"), "") : "");
    jv_free(&v);
    free(text);
    if (in)
        fclose(in);
    free(file);
}

static void take_row(void *arg, const char *key, const char *value)
{
    struct wanted *w = arg;
    if (strcmp(key, w->text) != 0)
        return;
    snprintf(w->ret, CHAIN_HEX, "%s", value);
    w->found = true;
}

/* Until it is found. */
static bool look_at_line(void *arg, const char *file, unsigned number, char *line)
{
    struct wanted *w = arg;
    (void)file, (void)number;
    w->found = w->found || str_ends(line, w->text);
    return !w->found;
}

static bool write_whole(const char *file, const struct buf *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len;
    if (fd >= 0)
        close(fd);
    return ok;
}
