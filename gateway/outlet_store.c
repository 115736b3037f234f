/*
 * outlet_store: presence's store interface over one file: a journal of JSON lines {"space","key","value"}, value null
 * for a row that is gone. Everything is also in memory, because outlets load from it again after a reload.
 *
 * Rows that come while the worker writes wait for its next job: a flood of subscriptions costs a few large writes, each
 * with one fdatasync. At the start the file is read, what a crash cut off is left out, and a file with many old lines
 * is written anew beside the old one and renamed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "outlets.h"
#include "presence/store.h"

enum { FILE_MAX = 256 << 20, LINE_MAX_BYTES = 16384, OLD_LINES = 1000 };

struct row {
    char *value;
    char *space; /* in name */
    char *key;   /* in name */
    char name[]; /* "space\nkey" */
};

struct waiting {
    struct waiting *next;
    pres_store_done_fn *done;
    void *arg;
    char key[];
};

struct waiting_list {
    struct waiting *first, **end; /* end: of the list that waits only */
};

struct gw_outlet_store {
    struct loop *loop;
    struct pres_store face;
    char *path; /* NULL: memory only */
    int fd;
    struct map *rows;
    size_t lines; /* in the file */
    struct buf lines_waiting, lines_writing;
    struct waiting_list waiting, writing;
    bool busy, failed, dying;
};

static void load(void *impl, const char *space, pres_store_row_fn *row, void *arg);
static void put(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done, void *arg);
static void forget(void *impl, void *arg);
static void row_set(struct gw_outlet_store *s, const char *space, const char *key, const char *value);
static bool read_file(struct gw_outlet_store *s);
static bool read_line(struct gw_outlet_store *s, const char *line, size_t len);
static void open_file(struct gw_outlet_store *s, bool anew);
static bool write_anew(struct gw_outlet_store *s);
static void add_line(struct buf *out, const char *space, const char *key, const char *value);
static void start_writing(struct gw_outlet_store *s);
static void write_lines(void *arg);
static void written(void *arg);
static bool write_all(int fd, const char *data, size_t len);
static void list_clear(struct waiting_list *l);
static void free_all(struct gw_outlet_store *s);

struct gw_outlet_store *gw_outlet_store_new(struct loop *loop, const char *directory)
{
    struct gw_outlet_store *s = mem_calloc(1, sizeof *s);
    s->loop = loop;
    s->fd = -1;
    s->face = (struct pres_store){.impl = s, .load = load, .put = put, .forget = forget};
    s->rows = map_new();
    s->waiting.end = &s->waiting.first;
    buf_init(&s->lines_waiting, FILE_MAX);
    buf_init(&s->lines_writing, FILE_MAX);
    if (!directory)
        return s;
    s->path = mem_printf("%s/outlets.journal", directory);
    bool whole = read_file(s);
    open_file(s, !whole || s->lines > 2 * map_count(s->rows) + OLD_LINES);
    return s;
}

void gw_outlet_store_free(struct gw_outlet_store **sp)
{
    struct gw_outlet_store *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    list_clear(&s->waiting);
    list_clear(&s->writing);
    s->dying = true;
    if (!s->busy)
        free_all(s);
}

const struct pres_store *gw_outlet_store_face(const struct gw_outlet_store *s)
{
    return &s->face;
}

static void load(void *impl, const char *space, pres_store_row_fn *row, void *arg)
{
    struct gw_outlet_store *s = impl;
    size_t pos = 0;
    for (struct row *r; (r = map_next(s->rows, &pos));)
        if (strcmp(r->space, space) == 0)
            row(arg, r->key, r->value);
}

static void put(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done, void *arg)
{
    struct gw_outlet_store *s = impl;
    size_t len = strlen(key) + 1;
    row_set(s, space, key, value);
    if (s->fd >= 0)
        add_line(&s->lines_waiting, space, key, value);
    if (done) {
        struct waiting *w = mem_calloc(1, sizeof *w + len);
        w->done = done;
        w->arg = arg;
        memcpy(w->key, key, len);
        *s->waiting.end = w;
        s->waiting.end = &w->next;
    }
    if (!s->busy)
        start_writing(s);
}

static void forget(void *impl, void *arg)
{
    struct gw_outlet_store *s = impl;
    struct waiting *lists[] = {s->waiting.first, s->writing.first};
    for (unsigned i = 0; i < 2; i++)
        for (struct waiting *w = lists[i]; w; w = w->next)
            if (w->arg == arg)
                w->done = NULL;
}

static void row_set(struct gw_outlet_store *s, const char *space, const char *key, const char *value)
{
    char *name = mem_printf("%s\n%s", space, key);
    struct row *old = map_del(s->rows, name);
    if (old) {
        free(old->value);
        free(old);
    }
    if (value) {
        size_t space_len = strlen(space), len = strlen(name) + 1;
        struct row *r = mem_calloc(1, sizeof *r + len + space_len + 1);
        memcpy(r->name, name, len);
        r->space = r->name + len;
        memcpy(r->space, space, space_len + 1);
        r->key = r->name + space_len + 1;
        r->value = mem_strdup(value);
        map_put(s->rows, r->name, r);
    }
    free(name);
}

/* False: lines are left out that cannot be read, or the last one was cut. */
static bool read_file(struct gw_outlet_store *s)
{
    bool whole = true;
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(s->path, "re");
    if (!file)
        return errno == ENOENT;
    for (ssize_t len; (len = getline(&line, &room, file)) > 0;) {
        bool good = line[len - 1] == '\n' && read_line(s, line, (size_t)len - 1);
        s->lines++;
        whole = whole && good;
    }
    free(line);
    fclose(file);
    if (!whole)
        log_warning("outlets", "%s: some lines cannot be read and are left out", s->path);
    return whole;
}

static bool read_line(struct gw_outlet_store *s, const char *line, size_t len)
{
    char why[100];
    struct jv *v = len <= LINE_MAX_BYTES ? jv_parse(line, len, why, sizeof why) : NULL;
    const char *space = jv_str(jv_get(v, "space"), NULL), *key = jv_str(jv_get(v, "key"), NULL);
    if (space && key)
        row_set(s, space, key, jv_str(jv_get(v, "value"), NULL));
    bool good = space && key;
    jv_free(&v);
    return good;
}

static void open_file(struct gw_outlet_store *s, bool anew)
{
    if (!anew || write_anew(s))
        s->fd = open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0)
        log_error("outlets", "%s: %s; subscriptions will not survive a restart", s->path, strerror(errno));
}

static bool write_anew(struct gw_outlet_store *s)
{
    struct buf text;
    size_t pos = 0;
    char *path = mem_printf("%s.new", s->path);
    buf_init(&text, FILE_MAX);
    for (struct row *r; (r = map_next(s->rows, &pos));)
        add_line(&text, r->space, r->key, r->value);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && !text.failed && write_all(fd, text.data, text.len) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    ok = ok && rename(path, s->path) == 0;
    buf_free(&text);
    free(path);
    return ok;
}

static void add_line(struct buf *out, const char *space, const char *key, const char *value)
{
    buf_adds(out, "{\"space\":");
    jv_quote(out, space);
    buf_adds(out, ",\"key\":");
    jv_quote(out, key);
    buf_adds(out, ",\"value\":");
    jv_quote(out, value);
    buf_adds(out, "}\n");
}

/* Also without a file, so that `done` comes from the loop in any case. */
static void start_writing(struct gw_outlet_store *s)
{
    struct buf lines = s->lines_writing;
    s->lines_writing = s->lines_waiting;
    s->lines_waiting = lines;
    buf_reset(&s->lines_waiting);
    s->writing.first = s->waiting.first;
    s->waiting.first = NULL;
    s->waiting.end = &s->waiting.first;
    s->busy = true;
    if (s->fd >= 0)
        loop_work(s->loop, write_lines, written, s);
    else
        loop_defer(s->loop, written, s);
}

/* In the worker. */
static void write_lines(void *arg)
{
    struct gw_outlet_store *s = arg;
    s->failed = s->lines_writing.failed || !write_all(s->fd, s->lines_writing.data, s->lines_writing.len) ||
                fdatasync(s->fd) != 0;
}

static void written(void *arg)
{
    struct gw_outlet_store *s = arg;
    if (s->failed)
        log_error("outlets", "%s: cannot be written", s->path);
    for (struct waiting *w; (w = s->writing.first);) { /* whoever is called may put more, and forget */
        s->writing.first = w->next;
        if (w->done)
            w->done(w->arg, w->key, !s->failed);
        free(w);
    }
    s->busy = false;
    if (s->lines_waiting.len > 0 || s->waiting.first)
        start_writing(s);
    else if (s->dying)
        free_all(s);
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void list_clear(struct waiting_list *l)
{
    for (struct waiting *w = l->first, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    l->first = NULL;
    l->end = &l->first;
}

static void free_all(struct gw_outlet_store *s)
{
    size_t pos = 0;
    for (struct row *r; (r = map_next(s->rows, &pos));) {
        free(r->value);
        free(r);
    }
    map_free(&s->rows);
    if (s->fd >= 0)
        close(s->fd);
    list_clear(&s->waiting);
    list_clear(&s->writing);
    buf_free(&s->lines_waiting);
    buf_free(&s->lines_writing);
    free(s->path);
    free(s);
}
