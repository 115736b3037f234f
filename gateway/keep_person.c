/*
 * keep_person: the last answer about each person, as a row. It is written when what it says differs from the row, or
 * when the row has grown old: an unchanged calendar costs a write in minutes, not at every poll. A row may therefore be
 * somewhat older than the last answer was; after a restart its person turns unknown that much too early, never too
 * late.
 *
 * The blob is nine bytes an interval: start and end in seconds since 1970 as 32-bit little endian, and the kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "keep_private.h"

enum { INTERVAL_BYTES = 9, BUSY_BYTES_MAX = 1 << 20, AGE_MAX_S = 300, AGE_SHARE = 4, ADDRESS_MAX = 1100,
       TIDY_AFTER_MS = 3600000 };

/* What loading needs to remember between rows. */
struct loading {
    struct gateway *g;
    struct gw_left *left;
    struct pres_interval *intervals;
    size_t room;
    size_t strangers;
};

static void take_row(void *arg, const struct db_value *columns, unsigned count);
static size_t read_busy(struct loading *l, const struct db_value *blob);
static void write_busy(struct buf *out, const struct pres_set *set);
static uint32_t hash_of(const struct buf *busy, const char *place);
static uint32_t u32_at(const uint8_t *p);
static void add_u32(struct buf *out, int64_t n);

void gw_keep_load(struct gateway *g)
{
    char why[300];
    struct loading l = {.g = g};
    if (!g->keep->db)
        return;
    l.left = gw_keep_left(g, why, sizeof why);
    if (!db_read(g->keep->db, "SELECT address, server, as_of, starts, ends, busy, place FROM person", take_row, &l, why,
                 sizeof why)) {
        log_error("keep", "%s: what could be read of it is used, and it is not written to", why);
        snprintf(g->keep->trouble, sizeof g->keep->trouble, "%s", why);
        db_close(&g->keep->db);
    }
    free(l.intervals);
    if (g->keep->db)
        gw_keep_load_refusals(g);
    if (g->keep->db) /* before anything else, see keep_leave.c */
        db_write(g->keep->db, "DELETE FROM leave", NULL, 0);
    if (g->keep->db)
        gw_keep_left_all(g, l.left);
    gw_keep_left_free(&l.left);
    g->keep->loaded_ms = clk_mono_ms(loop_clk(g->loop));
    log_notice("keep", "last known states of persons=%zu, of others=%zu, from=%s", g->keep->loaded, l.strangers,
               g->keep->directory);
}

void gw_keep_tick(struct gateway *g)
{
    struct gw_keep *k = g->keep;
    const struct db_value now = db_int(clk_wall_s(loop_clk(g->loop)));
    if (!k->db || k->tidied || clk_mono_ms(loop_clk(g->loop)) - k->loaded_ms < TIDY_AFTER_MS)
        return;
    k->tidied = true;
    db_write(k->db, "DELETE FROM person WHERE ends < ?1", &now, 1);
}

void gw_keep_answer(struct gateway *g, pres_id id)
{
    struct gw_person *p = &g->persons[id];
    struct pres_known known;
    struct buf busy;
    if (!g->keep || !g->keep->db)
        return;
    pres_table_known(g->table, id, &known);
    const char *place = p->extra ? p->extra->remember : NULL;
    buf_init(&busy, BUSY_BYTES_MAX);
    write_busy(&busy, known.set);
    uint32_t hash = hash_of(&busy, place);
    int64_t age_max = known.stale_after / AGE_SHARE < AGE_MAX_S ? known.stale_after / AGE_SHARE : AGE_MAX_S;
    bool same = p->kept_as_of && hash == p->kept_hash && known.as_of - p->kept_as_of < age_max;
    if (!same && !busy.failed) {
        const struct db_value values[] = {db_text(pres_table_address(g->table, id)),
                                          db_text(gw_server_of(g, id)->config->name),
                                          db_int(known.as_of),
                                          db_int(known.from),
                                          db_int(known.until),
                                          db_blob(busy.data, busy.len),
                                          db_text(place)};
        if (db_write(g->keep->db, "INSERT OR REPLACE INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", values, 7)) {
            p->kept_hash = hash;
            p->kept_as_of = (uint32_t)known.as_of;
        }
    }
    buf_free(&busy);
}

void gw_keep_remove(struct gateway *g, pres_id id)
{
    const struct db_value address = db_text(pres_table_address(g->table, id));
    if (g->keep && g->keep->db)
        db_write(g->keep->db, "DELETE FROM person WHERE address = ?1", &address, 1);
}

/* A row that makes no sense is left out; so is one about somebody who is read from another server now. */
static void take_row(void *arg, const struct db_value *columns, unsigned count)
{
    struct loading *l = arg;
    struct gateway *g = l->g;
    char address[ADDRESS_MAX], server[ADDRESS_MAX];
    if (count < 7 || !gw_keep_text(&columns[0], address, sizeof address) ||
        !gw_keep_text(&columns[1], server, sizeof server))
        return;
    int64_t as_of = columns[2].number, from = columns[3].number, until = columns[4].number;
    pres_id id = pres_table_find(g->table, address);
    if (id == PRES_NOBODY || strcmp(pres_table_address(g->table, id), address) != 0 ||
        strcmp(gw_server_of(g, id)->config->name, server) != 0 || as_of <= 0 || from >= until) {
        l->strangers++;
        return;
    }
    struct gw_person *p = &g->persons[id];
    size_t n = read_busy(l, &columns[5]);
    char *place = columns[6].type == DB_TEXT ? mem_strndup(columns[6].data, columns[6].len) : NULL;
    if (place && !(p->extra && p->extra->path)) { /* a path that is configured says where it is */
        struct gw_extra *extra = gw_person_extra(p);
        free(extra->remember);
        extra->remember = place;
        place = NULL;
    }
    free(place);
    p->was_read = 1;
    p->kept_as_of = (uint32_t)as_of;
    pres_table_update(g->table, id, l->intervals, n, from, until, as_of);
    gw_keep_left_person(g, l->left, id);
    g->keep->loaded++;
}

bool gw_keep_text(const struct db_value *v, char *out, size_t size)
{
    if (v->type != DB_TEXT || v->len >= size || memchr(v->data, 0, v->len))
        return false;
    memcpy(out, v->data, v->len);
    out[v->len] = '\0';
    return true;
}

static size_t read_busy(struct loading *l, const struct db_value *blob)
{
    size_t n = blob->type == DB_BLOB ? blob->len / INTERVAL_BYTES : 0;
    if (n > l->room) {
        l->room = n * 2;
        l->intervals = mem_realloc(l->intervals, l->room, sizeof *l->intervals);
    }
    const uint8_t *at = blob->data;
    for (size_t i = 0; i < n; i++, at += INTERVAL_BYTES)
        l->intervals[i] = (struct pres_interval){
            .start = u32_at(at),
            .end = u32_at(at + 4),
            .kind = at[8] < PRES_UNKNOWN ? (enum pres_kind)at[8] : PRES_BUSY,
        };
    return n;
}

static void write_busy(struct buf *out, const struct pres_set *set)
{
    for (size_t i = 0; i < pres_set_count(set); i++) {
        struct pres_interval one = pres_set_at(set, i);
        add_u32(out, one.start);
        add_u32(out, one.end);
        buf_addc(out, (char)one.kind);
    }
}

/* FNV-1a; of the place as well. */
static uint32_t hash_of(const struct buf *busy, const char *place)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < busy->len; i++)
        hash = (hash ^ (uint8_t)busy->data[i]) * 16777619u;
    for (; place && *place; place++)
        hash = (hash ^ (uint8_t)*place) * 16777619u;
    return hash;
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add_u32(struct buf *out, int64_t n)
{
    const char bytes[4] = {(char)(n & 0xff), (char)(n >> 8 & 0xff), (char)(n >> 16 & 0xff), (char)(n >> 24 & 0xff)};
    buf_add(out, bytes, sizeof bytes);
}
