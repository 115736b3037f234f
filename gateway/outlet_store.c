/*
 * outlet_store: presence's store interface over the state file. Everything is also in memory, because outlets load from
 * it again after a reload, and because without a file it is all there is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "outlet_names.h"
#include "outlets.h"
#include "presence/store.h"

struct row {
    char *value;
    char *space; /* in name */
    char *key;   /* in name */
    char name[]; /* "space\nkey" */
};

/* Somebody who wants to know that a row is safe. */
struct waiting {
    struct gw_outlet_store *store;
    struct waiting *next, **link;
    pres_store_done_fn *done;
    void *arg;
    char key[];
};

struct gw_outlet_store {
    struct loop *loop;
    struct db *db; /* NULL: memory only */
    struct pres_store face;
    struct map *rows;
    struct waiting *waiting;
    struct gw_row_name *forgotten;
};

static void load(void *impl, const char *space, pres_store_row_fn *row, void *arg);
static void put(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done, void *arg);
static void forget(void *impl, void *arg);
static bool mentions(const struct gw_outlet_store *s, const char *space, const char *key, const char *value,
                     bool closed_only);
static void row_set(struct gw_outlet_store *s, const char *space, const char *key, const char *value);
static void take_row(void *arg, const struct db_value *columns, unsigned count);
static void write_row(struct gw_outlet_store *s, const char *space, const char *key, const char *value);
static void wait_for_it(struct gw_outlet_store *s, const char *key, pres_store_done_fn *done, void *arg);
static void safe(void *arg, bool ok);
static void safe_in_memory(void *arg);

struct gw_outlet_store *gw_outlet_store_new(struct loop *loop, struct db *db)
{
    char why[300];
    struct gw_outlet_store *s = mem_calloc(1, sizeof *s);
    s->loop = loop;
    s->db = db;
    s->face = (struct pres_store){.impl = s, .load = load, .put = put, .forget = forget};
    s->rows = map_new();
    if (db && !db_read(db, "SELECT space, key, value FROM outlet", take_row, s, why, sizeof why))
        log_error("outlets", "%s: some subscriptions are lost", why);
    return s;
}

void gw_outlet_store_free(struct gw_outlet_store **sp)
{
    struct gw_outlet_store *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    while (s->waiting) {
        struct waiting *w = s->waiting;
        if (s->db)
            db_forget(s->db, w);
        else
            loop_undefer(s->loop, safe_in_memory, w);
        s->waiting = w->next;
        free(w);
    }
    size_t pos = 0;
    for (struct row *r; (r = map_next(s->rows, &pos));) {
        free(r->value);
        free(r);
    }
    map_free(&s->rows);
    gw_row_names_free(&s->forgotten);
    free(s);
}

void gw_outlet_store_forget(struct gw_outlet_store *s, const char *name, const char *domain)
{
    gw_row_name_add(&s->forgotten, name, domain);
}

void gw_outlet_store_remember(struct gw_outlet_store *s)
{
    gw_row_names_free(&s->forgotten);
}

size_t gw_outlet_store_left(const struct gw_outlet_store *s)
{
    size_t pos = 0, left = 0;
    for (const struct row *r; (r = map_next(s->rows, &pos));)
        left += mentions(s, r->space, r->key, r->value, false);
    return left;
}

void gw_outlet_store_purge(struct gw_outlet_store *s)
{
    size_t pos = 0;
    gw_row_names_close(s->forgotten);
    for (struct row *r; (r = map_next(s->rows, &pos));) {
        if (!mentions(s, r->space, r->key, r->value, false))
            continue;
        if (s->db)
            write_row(s, r->space, r->key, NULL);
        map_del(s->rows, r->name);
        free(r->value);
        free(r);
    }
}

static bool mentions(const struct gw_outlet_store *s, const char *space, const char *key, const char *value,
                     bool closed_only)
{
    return gw_row_names_in(s->forgotten, space, key, closed_only) ||
           gw_row_names_in(s->forgotten, space, value, closed_only);
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
    if (value && mentions(s, space, key, value, true))
        value = NULL; /* who is forgotten is told of as gone, but not written down */
    row_set(s, space, key, value);
    if (s->db)
        write_row(s, space, key, value);
    if (done)
        wait_for_it(s, key, done, arg);
}

static void forget(void *impl, void *arg)
{
    struct gw_outlet_store *s = impl;
    for (struct waiting *w = s->waiting; w; w = w->next)
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

static void take_row(void *arg, const struct db_value *columns, unsigned count)
{
    if (count < 3 || columns[0].type != DB_TEXT || columns[1].type != DB_TEXT || columns[2].type != DB_TEXT)
        return;
    char *text[3];
    for (unsigned i = 0; i < 3; i++)
        text[i] = mem_strndup(columns[i].data, columns[i].len);
    row_set(arg, text[0], text[1], text[2]);
    for (unsigned i = 0; i < 3; i++)
        free(text[i]);
}

static void write_row(struct gw_outlet_store *s, const char *space, const char *key, const char *value)
{
    const struct db_value values[] = {db_text(space), db_text(key), db_text(value)};
    if (value)
        db_write(s->db, "INSERT OR REPLACE INTO outlet VALUES (?1, ?2, ?3)", values, 3);
    else
        db_write(s->db, "DELETE FROM outlet WHERE space = ?1 AND key = ?2", values, 2);
}

static void wait_for_it(struct gw_outlet_store *s, const char *key, pres_store_done_fn *done, void *arg)
{
    size_t len = strlen(key) + 1;
    struct waiting *w = mem_calloc(1, sizeof *w + len);
    *w = (struct waiting){.store = s, .next = s->waiting, .link = &s->waiting, .done = done, .arg = arg};
    memcpy(w->key, key, len);
    if (w->next)
        w->next->link = &w->next;
    s->waiting = w;
    if (s->db)
        db_sync(s->db, safe, w);
    else
        loop_defer(s->loop, safe_in_memory, w);
}

static void safe(void *arg, bool ok)
{
    struct waiting *w = arg;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    if (w->done)
        w->done(w->arg, w->key, ok);
    free(w);
}

static void safe_in_memory(void *arg)
{
    safe(arg, true);
}
