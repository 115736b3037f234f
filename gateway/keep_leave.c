/*
 * keep_leave: cursors of subscribers over a restart. A daemon that is stopped in good order leaves a note in the state
 * file: where its journal ended, when, and of whom it had told what its successor cannot know. The successor takes from
 * that, with the rows, what everybody was last told, reports only what is different now, and lets who comes back with
 * a cursor of the old journal go on in the new one, which begins with the old one's last entries: nothing is lost,
 * nothing is told twice. A cursor from before these gets a snapshot.
 *
 * The note is deleted first thing, before anything else is written: a row that is newer than the note is never in the
 * file beside it. So after a crash there is none, and cursors of before get a snapshot. So do they when people were
 * added, removed or renamed meanwhile, when the clock is behind the note, and when a change was waiting to be told as
 * we were stopped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "keep_private.h"
#include "outlets.h"
#include "presence/journal.h"

enum { TEXT_MAX = 1 << 20, EPOCH_DIGITS = 16, LAST_MAX = 4096, COLUMNS = 6 };

/* What was left. */
struct gw_left {
    uint64_t epoch, head;
    int64_t at; /* 0: nothing */
    uint64_t people;
    char *otherwise;         /* addresses, one a line: made NUL-terminated */
    struct map *by_otherwise; /* address -> itself */
    char *last;               /* of whom the last entries were, one a line; "": of somebody with a later one */
};

static void take_note(void *arg, const struct db_value *columns, unsigned count);
static void split(struct gw_left *left);
static void follow(struct gateway *g, const struct gw_left *left);
static void write_last(const struct gateway *g, struct buf *out);
static uint64_t people_of(const struct gateway *g);
static uint64_t hash_add(uint64_t hash, const char *text);
static bool told_otherwise(const struct gateway *g, pres_id id);

struct gw_left *gw_keep_left(struct gateway *g, char *why, size_t why_size)
{
    struct gw_left *left = mem_calloc(1, sizeof *left);
    struct db_info info;
    db_info(g->keep->db, &info);
    /* Where it cannot be deleted it would be there for the next start, too. */
    if (info.failing_since ||
        !db_read(g->keep->db, "SELECT epoch, head, at, people, otherwise, last FROM leave", take_note, left, why,
                 why_size) ||
        left->at == 0 || left->at > clk_wall_s(loop_clk(g->loop)) || left->people != people_of(g))
        gw_keep_left_free(&left);
    if (left)
        split(left);
    return left;
}

void gw_keep_left_free(struct gw_left **left)
{
    if (!*left)
        return;
    map_free(&(*left)->by_otherwise);
    free((*left)->otherwise);
    free((*left)->last);
    free(*left);
    *left = NULL;
}

void gw_keep_left_person(struct gateway *g, const struct gw_left *left, pres_id id)
{
    if (!left || map_get(left->by_otherwise, pres_table_address(g->table, id)) ||
        !pres_table_assume(g->table, id, left->at))
        return;
    g->persons[id].unknown = 0;
    gw_person_reclass(g, id);
}

void gw_keep_left_all(struct gateway *g, const struct gw_left *left)
{
    size_t pos = 0;
    const char *address;
    if (!left)
        return;
    follow(g, left);
    while ((address = map_next(left->by_otherwise, &pos))) {
        pres_id id = pres_table_find(g->table, address);
        if (id != PRES_NOBODY && !g->persons[id].was_read) /* nothing will be reported of them */
            pres_journal_renamed(g->journal, id);
    }
    gw_outlets_resync(g);
    log_notice("keep", "cursors of before go on head=%" PRIu64 " told_otherwise=%zu", left->head,
               map_count(left->by_otherwise));
}

void gw_keep_leave(struct gateway *g)
{
    int64_t now = clk_wall_s(loop_clk(g->loop));
    char epoch[EPOCH_DIGITS + 1];
    struct db_info info;
    struct buf otherwise, last;
    if (!g->keep || !g->keep->db || !g->journal || !pres_table_settled(g->table, now))
        return;
    db_info(g->keep->db, &info);
    if (info.dropped > 0 || info.failing_since)
        return;
    buf_init(&otherwise, TEXT_MAX);
    buf_init(&last, TEXT_MAX);
    write_last(g, &last);
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(g->table, id)) != PRES_NOBODY;)
        if (told_otherwise(g, id)) {
            buf_adds(&otherwise, pres_table_address(g->table, id));
            buf_addc(&otherwise, '\n');
        }
    snprintf(epoch, sizeof epoch, "%016" PRIx64, pres_journal_epoch(g->journal));
    const struct db_value note[] = {db_text(epoch), db_int((int64_t)pres_journal_head(g->journal)), db_int(now),
                                    db_int((int64_t)people_of(g)), db_text(otherwise.data), db_text(last.data)};
    if (!otherwise.failed && !last.failed)
        db_write(g->keep->db, "INSERT INTO leave VALUES (?1, ?2, ?3, ?4, ?5, ?6)", note, COLUMNS);
    buf_free(&otherwise);
    buf_free(&last);
}

static void take_note(void *arg, const struct db_value *columns, unsigned count)
{
    struct gw_left *left = arg;
    char epoch[EPOCH_DIGITS + 1];
    if (count < COLUMNS || left->at != 0 || !gw_keep_text(&columns[0], epoch, sizeof epoch) ||
        columns[4].type != DB_TEXT || columns[5].type != DB_TEXT)
        return;
    left->epoch = strtoull(epoch, NULL, 16);
    left->head = (uint64_t)columns[1].number;
    left->at = columns[2].number;
    left->people = (uint64_t)columns[3].number;
    left->otherwise = columns[4].len ? mem_strndup(columns[4].data, columns[4].len) : mem_strdup("");
    left->last = columns[5].len ? mem_strndup(columns[5].data, columns[5].len) : mem_strdup("");
}

static void split(struct gw_left *left)
{
    left->by_otherwise = map_new();
    for (char *line = left->otherwise, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        map_put(left->by_otherwise, line, line);
    }
}

/* Who is told otherwise anyway, or not known, has no part in it. */
static void follow(struct gateway *g, const struct gw_left *left)
{
    pres_id *ids = mem_calloc(LAST_MAX, sizeof *ids);
    struct pres_presence told;
    size_t n = 0;
    for (char *line = left->last, *end; n < LAST_MAX && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        ids[n] = *line ? pres_table_find(g->table, line) : PRES_NOBODY;
        if (ids[n] != PRES_NOBODY)
            pres_table_told(g->table, ids[n], &told);
        if (ids[n] != PRES_NOBODY && told.state == PRES_UNKNOWN)
            ids[n] = PRES_NOBODY;
        n++;
    }
    pres_journal_follow(g->journal, left->epoch, left->head, ids, n);
    free(ids);
}

/* The entries since the last about somebody who was removed, which nobody could repeat. */
static void write_last(const struct gateway *g, struct buf *out)
{
    uint64_t head = pres_journal_head(g->journal), tail = pres_journal_tail(g->journal), first = head + 1;
    const struct pres_change *change;
    while (first > tail && head - first + 1 < LAST_MAX && (change = pres_journal_get(g->journal, first - 1)) &&
           !change->removed && (change->id == PRES_NOBODY || g->persons[change->id].used))
        first--;
    for (uint64_t seq = first; seq <= head; seq++) {
        pres_id id = pres_journal_get(g->journal, seq)->id;
        if (id != PRES_NOBODY && pres_journal_latest(g->journal, id) == seq)
            buf_adds(out, pres_table_address(g->table, id));
        buf_addc(out, '\n');
    }
}

/* Who there is, under which names and in which group, in any order. */
static uint64_t people_of(const struct gateway *g)
{
    uint64_t sum = 0;
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(g->table, id)) != PRES_NOBODY;) {
        uint64_t hash = hash_add(UINT64_C(14695981039346656037), pres_table_address(g->table, id));
        hash = hash_add(hash, pres_table_publish_as(g->table, id));
        sum += hash_add(hash, pres_table_group(g->table, id) ? pres_table_group(g->table, id) : "");
    }
    return sum;
}

/* FNV-1a, with the end of the text. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    } while (*text++ != '\0');
    return hash;
}

/* Does what was told of them last not follow from their row? A failure is in no row; and some have none. */
static bool told_otherwise(const struct gateway *g, pres_id id)
{
    bool kept = g->persons[id].kept_as_of != 0;
    struct pres_presence told;
    pres_table_told(g->table, id, &told);
    if (told.state == PRES_UNKNOWN)
        return !kept && (!told.reason || strcmp(told.reason, "never-read") != 0);
    return !kept || told.reason;
}
