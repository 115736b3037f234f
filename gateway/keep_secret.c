/*
 * keep_secret: which secret a server refused. Without it a daemon that systemd starts again and again would show a
 * wrong password at every start, and the account would be locked by morning. The row has a slow salted digest of the
 * secret, so that the file is no way to guess it; another secret, or another account, is tried at once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/secret.h"
#include "gateway_private.h"
#include "keep_private.h"

enum { SALT_LEN = 16, TEXT_MAX = 600 };

static void take_row(void *arg, const struct db_value *columns, unsigned count);
static void digest_of(const struct secret *secret, const void *salt, uint8_t out[CRYPTO_SLOW_LEN]);

void gw_keep_verdict(struct gateway *g, struct gw_server *s, enum dav_err err)
{
    const char *code, *evidence;
    if (err == DAV_OK && s->kept_refusal)
        gw_keep_pardon(g, s);
    if (err != DAV_AUTH || s->kept_refusal || !s->secret || !g->keep || !g->keep->db ||
        !dav_session_refusal(s->session, &code, &evidence))
        return;
    uint8_t salt[SALT_LEN], digest[CRYPTO_SLOW_LEN];
    crypto_random(salt, sizeof salt);
    digest_of(s->secret, salt, digest);
    const struct db_value row[] = {db_text(s->config->name),
                                   db_text(s->config->account),
                                   db_blob(salt, sizeof salt),
                                   db_blob(digest, sizeof digest),
                                   db_text(code),
                                   db_text(evidence),
                                   db_int(clk_wall_s(loop_clk(g->loop)))};
    s->kept_refusal =
        db_write(g->keep->db, "INSERT OR REPLACE INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", row, 7);
    db_sync(g->keep->db, NULL, NULL);
}

void gw_keep_pardon(struct gateway *g, struct gw_server *s)
{
    const struct db_value name = db_text(s->config->name);
    s->kept_refusal = false;
    if (g->keep && g->keep->db)
        db_write(g->keep->db, "DELETE FROM refusal WHERE server = ?1", &name, 1);
}

void gw_keep_load_refusals(struct gateway *g)
{
    char why[300];
    if (!db_read(g->keep->db, "SELECT server, account, salt, digest, code, evidence FROM refusal", take_row, g, why,
                 sizeof why))
        log_error("keep", "%s: refused secrets are not known", why);
}

static void take_row(void *arg, const struct db_value *columns, unsigned count)
{
    struct gateway *g = arg;
    char name[TEXT_MAX], account[TEXT_MAX], code[TEXT_MAX], evidence[TEXT_MAX] = "";
    if (count < 6 || !gw_keep_text(&columns[0], name, sizeof name) ||
        !gw_keep_text(&columns[1], account, sizeof account) || !gw_keep_text(&columns[4], code, sizeof code))
        return;
    gw_keep_text(&columns[5], evidence, sizeof evidence);
    struct gw_server *s = gw_server_named(g, name);
    const struct db_value *salt = &columns[2], *digest = &columns[3];
    if (!s || !s->secret || !s->config->account || strcmp(s->config->account, account) != 0 || salt->len != SALT_LEN ||
        digest->len != CRYPTO_SLOW_LEN || !dav_cause_find(code))
        return;
    uint8_t now[CRYPTO_SLOW_LEN];
    digest_of(s->secret, salt->data, now);
    if (!crypto_equal(now, digest->data, CRYPTO_SLOW_LEN))
        return;
    s->kept_refusal = true;
    log_warning("keep", "server=%s this secret was refused before the restart code=%s: it is not shown again", name,
                code);
    dav_session_refuse(s->session, code, evidence);
}

static void digest_of(const struct secret *secret, const void *salt, uint8_t out[CRYPTO_SLOW_LEN])
{
    size_t len;
    const char *bytes = secret_bytes(secret, &len);
    crypto_slow(bytes, len, salt, SALT_LEN, out);
}
