/*
 * ntlm: published values and recorded handshakes (tests/data/ntlm). Every entry of the file is tried under its name,
 * and every expected value in it must be one that this test knows how to check: nothing in the file is passed over in
 * silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ntlm_group.h"

#define FILE_PATH FB_SOURCE_DIR "/tests/data/ntlm/vectors.json"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int total, good;

static bool verdict(const char *name, bool ok)
{
    total++;
    good += ok;
    print_message("%s %s\n", ok ? "ok    " : "FAILED", name);
    return ok;
}

static struct jv *load(void)
{
    FILE *file = fopen(FILE_PATH, "rb");
    char *text = malloc(1 << 20), why[200] = "";
    struct jv *all;

    assert_non_null(file);
    assert_non_null(text);
    all = jv_parse(text, fread(text, 1, 1 << 20, file), why, sizeof(why));
    fclose(file);
    free(text);
    assert_string_equal(why, "");
    assert_non_null(all);
    return all;
}

static bool check_value(const struct group *g, const char *key, const struct jv *value)
{
    for (size_t i = 0; i < COUNT(values); i++) {
        if (strcmp(key, values[i].key) != 0)
            continue;
        if (values[i].is(g, value))
            return true;
        print_message("       %s is not %s\n", key, jv_str(value, "as expected"));
        return false;
    }
    print_message("       this test does not know \"%s\"\n", key);
    return false;
}

static bool check_group(const struct jv *json)
{
    struct group g;
    struct bytes type2;
    const char *key;
    struct jv *value;
    size_t pos = 0, n = 0;
    bool ok = true;

    read_group(&g, json);
    type2 = challenge_of(&g, g.flags);
    if (g.user[0] && !ask(level_of(&g), &g, &type2, &g.lm, &g.nt))
        return false;
    while (jv_next(g.expect, &pos, &key, &value)) {
        ok &= check_value(&g, key, value);
        n++;
    }
    return ok && n > 0;
}

static void check_groups(const struct jv *groups)
{
    for (size_t i = 0; i < jv_count(groups); i++)
        verdict(jv_str(jv_get(jv_at(groups, i), "id"), "?"), check_group(jv_at(groups, i)));
}

/* ---- the table of levels ---- */

static const char *kind_of(const struct group *g, const struct bytes *lm, const struct bytes *nt)
{
    uint8_t plain[24], old[24], nonce[8], with_nonce[24], client[24] = {0}, proof[DAV_NTLM_PROOF_LEN], lmv2[24];
    struct bytes copy = *nt;

    dav_ntlm_desl(g->nt_hash, g->server, plain);
    dav_ntlm_desl(g->lm_hash, g->server, old);
    dav_ntlm_session_nonce(g->server, g->client, nonce);
    dav_ntlm_desl(g->nt_hash, nonce, with_nonce);
    memcpy(client, g->client, 8);
    if (lm->len != 24)
        return "LM field of another length";
    if (nt->len == 24) {
        if (memcmp(nt->data, with_nonce, 24) == 0 && memcmp(lm->data, client, 24) == 0)
            return "ntlm2session";
        if (memcmp(nt->data, plain, 24) != 0)
            return "unknown";
        return memcmp(lm->data, old, 24) == 0 ? "lm+ntlmv1" : memcmp(lm->data, plain, 24) == 0 ? "ntlmv1" : "unknown";
    }
    memcpy(proof, nt->data, sizeof(proof));
    dav_ntlm_v2_proof(g->v2_hash, g->server, copy.data, copy.len);
    dav_ntlm_lmv2(g->v2_hash, g->server, g->client, lmv2);
    return memcmp(proof, copy.data, sizeof(proof)) == 0 && memcmp(lm->data, lmv2, 24) == 0 ? "ntlmv2" : "unknown";
}

static void check_levels(const struct jv *table)
{
    struct group g = {
        .user = "svc", .domain = "CORP", .password = "Passw0rd", .server = "nonce678", .client = "CHALLENG"};
    const struct jv *flags = jv_get(table, "type1_flags_u32"), *row;
    struct buf type1;
    char name[80];

    hashes(&g);
    buf_init(&type1, 64);
    for (int level = 0; level <= 5; level++) {
        struct dav_ntlm_settings settings = {.level = level};
        char key[] = {(char)('0' + level), '\0'};

        snprintf(name, sizeof(name), "type 1 of level %d", level);
        buf_reset(&type1);
        verdict(name, dav_ntlm_negotiate(&settings, &type1) && type1.len == DAV_NTLM_TYPE1_LEN &&
                          dav_ntlm_get32((const uint8_t *)type1.data + 12) == jv_num(jv_get(flags, key), 0));
    }
    buf_free(&type1);
    for (size_t i = 0; i < jv_count(jv_get(table, "rows")); i++) {
        row = jv_at(jv_get(table, "rows"), i);
        bool ess = jv_truth(jv_get(row, "challenge_has_ess"), false);
        int level = (int)jv_num(jv_get(row, "level"), -1);
        struct bytes type2 = challenge_of(&g, ess ? KIT_FLAGS : KIT_FLAGS & ~DAV_NTLM_ESS), lm, nt;
        const char *expected = jv_str(jv_get(row, "response"), "?");

        snprintf(name, sizeof(name), "level %d, %s: %s", level, ess ? "ESS" : "no ESS", expected);
        verdict(name, ask(level, &g, &type2, &lm, &nt) && strcmp(kind_of(&g, &lm, &nt), expected) == 0);
    }
}

/* ---- handshakes of others, recomputed ---- */

struct exchange {
    struct group g;
    struct bytes type1, type2, type3;
    struct dav_ntlm_challenge challenge;
    const uint8_t *lm, *nt;
    size_t lm_len, nt_len;
};

/* Same challenge, same client challenge: the same fields, whoever computes them. */
static bool same_v1(struct exchange *x, int level)
{
    struct bytes lm, nt;
    bool ess = level > 0 && (x->challenge.flags & DAV_NTLM_ESS);

    if (ess)
        memcpy(x->g.client, x->lm, 8);
    if (!ask(level, &x->g, &x->type2, &lm, &nt) || nt.len != x->nt_len || memcmp(nt.data, x->nt, nt.len) != 0)
        return false;
    /* one of these clients cuts long passwords for LM; we send none */
    return (!ess && strlen(x->g.password) > 14) || (lm.len == x->lm_len && memcmp(lm.data, x->lm, lm.len) == 0);
}

static bool mic_is_right(const struct exchange *x)
{
    struct bytes copy = x->type3;
    const struct crypto_piece pieces[] = {
        {x->type1.data, x->type1.len}, {x->type2.data, x->type2.len}, {copy.data, copy.len}};
    const uint8_t *sent_key;
    uint8_t key[16], mic[16];
    size_t len;

    memset(copy.data + KIT_MIC_AT, 0, 16);
    dav_ntlm_v2_session_key(x->g.v2_hash, x->nt, key);
    sent_key = kit_field(x->type3.data, x->type3.len, KIT_KEY, &len);
    if (len == 16) /* this client exchanged a key: then that one counts */
        crypto_legacy_rc4(key, sent_key, len, key);
    dav_ntlm_mic(key, pieces, mic);
    return memcmp(mic, x->type3.data + KIT_MIC_AT, 16) == 0;
}

static bool same_binding(const struct exchange *x, const struct bytes *data)
{
    uint8_t hash[16];
    size_t len;
    const uint8_t *sent = kit_sent_pair(x->nt, x->nt_len, DAV_NTLM_AV_BINDING, &len);

    dav_ntlm_binding(data->data + 21, data->len - 21, hash);
    return sent && len == 16 && memcmp(sent, hash, 16) == 0;
}

static bool same_v2(struct exchange *x, const struct jv *json)
{
    struct bytes response = {0}, lm, nt, binding = hex_of(json, "cbt_application_data");
    uint8_t lmv2[24];
    const uint8_t *flags;
    size_t len;

    memcpy(x->g.client, x->nt + DAV_NTLM_PROOF_LEN + 16, 8);
    x->g.time = dav_ntlm_get64(x->nt + DAV_NTLM_PROOF_LEN + 8);
    kit_add(&response, x->nt, x->nt_len);
    dav_ntlm_v2_proof(x->g.v2_hash, x->g.server, response.data, response.len);
    if (memcmp(response.data, x->nt, x->nt_len) != 0)
        return false;
    dav_ntlm_lmv2(x->g.v2_hash, x->g.server, x->g.client, lmv2);
    if (!x->challenge.has_time && (x->lm_len != 24 || memcmp(lmv2, x->lm, 24) != 0))
        return false;
    /* without target info there is only one list to send, so all of it must agree */
    if (!x->challenge.target_info &&
        (!ask(3, &x->g, &x->type2, &lm, &nt) || nt.len != x->nt_len || memcmp(nt.data, x->nt, nt.len) != 0))
        return false;
    flags = kit_sent_pair(x->nt, x->nt_len, DAV_NTLM_AV_FLAGS, &len);
    if (flags && (dav_ntlm_get32(flags) & DAV_NTLM_AV_FLAG_MIC) && !mic_is_right(x))
        return false;
    return binding.len == 0 || same_binding(x, &binding);
}

static bool check_exchange(const struct jv *json)
{
    struct exchange x = {
        .type1 = hex_of(json, "negotiate"), .type2 = hex_of(json, "challenge"), .type3 = hex_of(json, "authenticate")};
    char why[200];

    x.g.user = jv_str(jv_get(json, "user"), "");
    x.g.domain = jv_str(jv_get(json, "domain"), "");
    x.g.password = jv_str(jv_get(json, "password"), "");
    hashes(&x.g);
    if (!dav_ntlm_challenge_parse(x.type2.data, x.type2.len, &x.challenge, why, sizeof(why)))
        return false;
    memcpy(x.g.server, x.challenge.nonce, 8);
    x.lm = kit_field(x.type3.data, x.type3.len, KIT_LM, &x.lm_len);
    x.nt = kit_field(x.type3.data, x.type3.len, KIT_NT, &x.nt_len);
    return x.nt_len == 24 ? same_v1(&x, (int)jv_num(jv_get(json, "level"), -1)) : same_v2(&x, json);
}

static void check_exchanges(const struct jv *list)
{
    char name[200];

    for (size_t i = 0; i < jv_count(list); i++) {
        const struct jv *json = jv_at(list, i);

        snprintf(name, sizeof(name), "exchange %zu: %s (%s)", i + 1, jv_str(jv_get(json, "generator"), "?"),
                 jv_str(jv_get(json, "user"), "?"));
        verdict(name, check_exchange(json));
    }
}

/* ---- reading challenges ---- */

static bool is_text(bool known, const struct buf *text, const char *expected)
{
    return known && !text->failed && strcmp(text->data, expected) == 0;
}

static bool names_are(const struct dav_ntlm_challenge *c, const struct jv *av)
{
    struct buf text;
    const char *key;
    struct jv *value;
    size_t pos = 0;
    uint8_t time[8];
    bool ok = true, known;

    buf_init(&text, 1024);
    while (jv_next(av, &pos, &key, &value)) {
        buf_reset(&text);
        if (strcmp(key, "7_filetime_hex") == 0) {
            dav_ntlm_put(time, c->time, 8);
            ok &= kit_is(time, 8, jv_str(value, ""));
            continue;
        }
        known = dav_ntlm_challenge_name(c, (enum dav_ntlm_av)atoi(key), &text);
        ok &= is_text(known, &text, jv_str(value, ""));
    }
    buf_free(&text);
    return ok;
}

static bool sent_flags_are(const struct bytes *message, const char *expected)
{
    struct group g = {.user = "svc", .domain = "CORP", .password = "Passw0rd"};
    struct bytes lm, nt;
    const uint8_t *flags;
    size_t len, pos = 0;
    struct dav_ntlm_pair pair;
    int count = 0;

    if (!ask(3, &g, message, &lm, &nt))
        return false;
    while (dav_ntlm_pair_next(nt.data + 44, nt.len - 44, &pos, &pair) && pair.id != DAV_NTLM_AV_END)
        count += pair.id == DAV_NTLM_AV_FLAGS;
    flags = kit_sent_pair(nt.data, nt.len, DAV_NTLM_AV_FLAGS, &len);
    return count == 1 && flags && kit_is(flags, len, expected);
}

static bool check_parsed(const struct dav_ntlm_challenge *c, const struct bytes *message, const char *key,
                         const struct jv *value)
{
    struct buf text;
    char version[32] = "";
    bool ok;

    if (strcmp(key, "result") == 0)
        return true;
    if (strcmp(key, "flags_u32") == 0)
        return c->flags == jv_num(value, 0);
    if (strcmp(key, "server_challenge") == 0)
        return kit_is(c->nonce, 8, jv_str(value, ""));
    if (strcmp(key, "has_ess") == 0)
        return !!(c->flags & DAV_NTLM_ESS) == jv_truth(value, false);
    if (strcmp(key, "has_timestamp") == 0)
        return c->has_time == jv_truth(value, false);
    if (strcmp(key, "target_info") == 0)
        return jv_is_null(value) && !c->target_info;
    if (strcmp(key, "av") == 0)
        return names_are(c, value);
    if (strcmp(key, "sent_flags_av") == 0)
        return sent_flags_are(message, jv_str(value, ""));
    if (strcmp(key, "version") == 0) {
        if (c->has_version)
            snprintf(version, sizeof(version), "%u.%u.%u", c->major, c->minor, c->build);
        return strcmp(version, jv_str(value, "?")) == 0;
    }
    if (strcmp(key, "target_name") == 0) {
        buf_init(&text, 256);
        ok = dav_ntlm_challenge_target(c, &text) && strcmp(text.data, jv_str(value, "?")) == 0;
        buf_free(&text);
        return ok;
    }
    print_message("       this test does not know \"%s\"\n", key);
    return false;
}

static bool check_challenge(const struct jv *json)
{
    struct bytes message = hex_of(json, "challenge_message");
    uint8_t *exact = malloc(message.len ? message.len : 1); /* so that one byte too far is noticed */
    const struct jv *expect = jv_get(json, "expect");
    const char *result = jv_str(jv_get(expect, "result"), "?"), *key;
    struct dav_ntlm_challenge c;
    struct jv *value;
    char why[200];
    size_t pos = 0;
    bool ok;

    assert_non_null(exact);
    memcpy(exact, message.data, message.len);
    ok = dav_ntlm_challenge_parse(exact, message.len, &c, why, sizeof(why));
    if (strcmp(result, "ok-or-reject") == 0)
        ok = true;
    else if (strcmp(result, "reject") == 0)
        ok = !ok && why[0];
    else
        while (ok && jv_next(expect, &pos, &key, &value))
            ok = check_parsed(&c, &message, key, value);
    free(exact);
    return ok;
}

static void every_vector(void **state)
{
    struct jv *all = load();
    const struct jv *parse = jv_get(all, "challenge_parse");
    size_t expected = jv_count(jv_get(all, "groups")) + jv_count(jv_get(jv_get(all, "level_table"), "rows")) + 6 +
                      jv_count(jv_get(all, "exchanges")) + jv_count(parse);
    char why[200];

    (void)state;
    assert_true(crypto_legacy_start(why, sizeof(why)));
    check_groups(jv_get(all, "groups"));
    check_levels(jv_get(all, "level_table"));
    check_exchanges(jv_get(all, "exchanges"));
    for (size_t i = 0; i < jv_count(parse); i++)
        verdict(jv_str(jv_get(jv_at(parse, i), "id"), "?"), check_challenge(jv_at(parse, i)));
    print_message("NTLM vectors: %d of %zu\n", good, expected);
    jv_free(&all);
    crypto_legacy_stop();
    assert_int_equal(total, expected);
    assert_int_equal(good, expected);
    assert_true(expected >= 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_vector)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
