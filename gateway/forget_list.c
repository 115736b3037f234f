/*
 * forget_list: who is forgotten, as digests under one random salt. The salt is in the state file beside them: who has
 * the file can try addresses, and finds nothing else there. Without a state file the list is lost with the daemon,
 * which the answer says.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "forget_private.h"

static void take_row(void *arg, const struct db_value *columns, unsigned count);
static void add(struct gw_forgotten *f, const char *hex);

struct gw_forgotten *gw_forgotten_new(struct gateway *g)
{
    struct gw_forgotten *f = mem_calloc(1, sizeof *f);
    char why[300];
    struct db *db = gw_keep_db(g->keep);
    f->digests = map_new();
    crypto_random(f->salt, sizeof f->salt);
    if (db && !db_read(db, "SELECT salt, digest FROM forgotten", take_row, f, why, sizeof why))
        log_error("forget", "%s: who was forgotten is not known", why);
    return f;
}

void gw_forgotten_free(struct gw_forgotten **f)
{
    size_t pos = 0;
    if (!*f)
        return;
    for (char *hex; (hex = map_next((*f)->digests, &pos));)
        free(hex);
    map_free(&(*f)->digests);
    free(*f);
    *f = NULL;
}

bool gw_forgotten_has(const struct gateway *g, const char *address)
{
    char hex[FORGET_HEX];
    if (!g->forgotten || map_count(g->forgotten->digests) == 0) /* not there: in tests of single parts */
        return false;
    gw_forget_digest(g->forgotten, address, NULL, hex);
    return map_get(g->forgotten->digests, hex) != NULL;
}

size_t gw_forgotten_count(const struct gateway *g)
{
    return map_count(g->forgotten->digests);
}

void gw_forget_digest(const struct gw_forgotten *f, const char *address, uint8_t raw[CRYPTO_SHA256_LEN], char *hex)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    char *lower = str_lower(mem_strdup(address));
    crypto_hmac_sha256(f->salt, sizeof f->salt, lower, strlen(lower), digest);
    crypto_hex(digest, sizeof digest, hex);
    if (raw)
        memcpy(raw, digest, sizeof digest);
    mem_wipe(lower, strlen(lower));
    free(lower);
}

void gw_forget_note(struct gateway *g, const char *address)
{
    uint8_t raw[CRYPTO_SHA256_LEN];
    char hex[FORGET_HEX];
    struct db *db = gw_keep_db(g->keep);
    gw_forget_digest(g->forgotten, address, raw, hex);
    add(g->forgotten, hex);
    const struct db_value row[] = {db_blob(raw, sizeof raw), db_blob(g->forgotten->salt, sizeof g->forgotten->salt),
                                   db_int(clk_wall_s(loop_clk(g->loop)))};
    if (db)
        db_write(db, "INSERT OR REPLACE INTO forgotten VALUES (?1, ?2, ?3)", row, 3);
}

bool gw_remember(struct gateway *g, const char *address)
{
    uint8_t raw[CRYPTO_SHA256_LEN];
    char hex[FORGET_HEX];
    struct db *db = gw_keep_db(g->keep);
    gw_forget_digest(g->forgotten, address, raw, hex);
    char *there = map_del(g->forgotten->digests, hex);
    const struct db_value digest = db_blob(raw, sizeof raw);
    if (!there)
        return false;
    free(there);
    if (db)
        db_write(db, "DELETE FROM forgotten WHERE digest = ?1", &digest, 1);
    gw_outlet_store_remember(gw_outlets_rows(g));
    log_notice("forget", "somebody is no longer forgotten digest=%s", hex);
    return true;
}

static void take_row(void *arg, const struct db_value *columns, unsigned count)
{
    struct gw_forgotten *f = arg;
    char hex[FORGET_HEX];
    if (count < 2 || columns[0].len != sizeof f->salt || columns[1].len != CRYPTO_SHA256_LEN)
        return;
    memcpy(f->salt, columns[0].data, sizeof f->salt); /* one for all */
    crypto_hex(columns[1].data, CRYPTO_SHA256_LEN, hex);
    add(f, hex);
}

static void add(struct gw_forgotten *f, const char *hex)
{
    if (map_get(f->digests, hex))
        return;
    char *kept = mem_strdup(hex);
    map_put(f->digests, kept, kept);
}
