/*
 * ntlm_group: one group of tests/data/ntlm/vectors.json: its inputs, the answer that ntlm*.c makes of them, and a
 * function for each kind of value that such a group expects. What a client over HTTP has no use for (key exchange,
 * signing, sealing) is computed here, so that the published values hold the primitives to account.
 */
#ifndef TEST_NTLM_GROUP_H
#define TEST_NTLM_GROUP_H

#include "base/json.h"
#include "ntlm_kit.h"

#define SEAL_MAGIC "session key to client-to-server sealing key magic constant"
#define SIGN_MAGIC "session key to client-to-server signing key magic constant"
#define FLAG_KEY_EXCH 0x40000000U
#define FLAG_LM_KEY 0x00000080U
#define FLAG_NON_NT_KEY 0x00400000U

/* One group: its inputs, and the Type 3 that we make of them. */
struct group {
    const struct jv *in, *expect;
    const char *user, *domain, *password;
    uint32_t flags;
    uint8_t server[8], client[8];
    uint64_t time;
    struct bytes info, random_key;
    bool has_info;
    struct bytes lm, nt; /* of our Type 3 */
    uint8_t lm_hash[16], nt_hash[16], v2_hash[16];
};

static struct bytes hex_of(const struct jv *object, const char *key)
{
    return kit_unhex(jv_str(jv_get(object, key), ""));
}

static void copy8(uint8_t out[8], const struct jv *object, const char *key)
{
    struct bytes b = hex_of(object, key);

    memset(out, 0, 8);
    if (b.len == 8)
        memcpy(out, b.data, 8);
}

/* ---- our answer to a challenge ---- */

static bool ask(int level, const struct group *g, const struct bytes *type2, struct bytes *lm, struct bytes *nt)
{
    struct dav_ntlm_settings settings = {.level = level,
                                         .user = g->user,
                                         .domain = g->domain,
                                         .workstation = jv_str(jv_get(g->in, "workstation"), NULL)};
    struct dav_ntlm_round round = {.type2 = type2->data, .type2_len = type2->len, .time = g->time};
    struct buf type1, type3;
    char why[200] = "";
    size_t len;
    const uint8_t *p;
    bool ok;

    buf_init(&type1, 64);
    buf_init(&type3, DAV_NTLM_TYPE3_MAX);
    assert_true(dav_ntlm_negotiate(&settings, &type1));
    round.type1 = (const uint8_t *)type1.data;
    round.type1_len = type1.len;
    memcpy(round.client_challenge, g->client, 8);
    ok = dav_ntlm_authenticate(&settings, g->password, strlen(g->password), &round, &type3, why, sizeof(why)) ==
         DAV_NTLM_OK;
    *lm = *nt = (struct bytes){0};
    if (ok) {
        p = kit_field(type3.data, type3.len, KIT_LM, &len);
        kit_add(lm, p, len);
        p = kit_field(type3.data, type3.len, KIT_NT, &len);
        kit_add(nt, p, len);
    } else {
        print_message("no answer: %s\n", why);
    }
    buf_free(&type1);
    buf_wipe(&type3);
    return ok;
}

static struct bytes challenge_of(const struct group *g, uint32_t flags)
{
    return kit_type2(flags | (g->has_info ? DAV_NTLM_TARGET_INFO : 0), g->server, g->has_info ? &g->info : NULL);
}

static int level_of(const struct group *g)
{
    return g->has_info ? 3 : g->flags & DAV_NTLM_ESS ? 1 : 0;
}

/* ---- groups: one function for each expected value ---- */

static bool is_lm_hash(const struct group *g, const struct jv *value)
{
    return kit_is(g->lm_hash, 16, jv_str(value, ""));
}

static bool is_nt_hash(const struct group *g, const struct jv *value)
{
    return kit_is(g->nt_hash, 16, jv_str(value, ""));
}

static bool is_v2_hash(const struct group *g, const struct jv *value)
{
    return kit_is(g->v2_hash, 16, jv_str(value, ""));
}

static bool is_lm_response(const struct group *g, const struct jv *value)
{
    return kit_is(g->lm.data, g->lm.len, jv_str(value, ""));
}

static bool is_nt_response(const struct group *g, const struct jv *value)
{
    return kit_is(g->nt.data, g->nt.len, jv_str(value, ""));
}

static bool is_proof(const struct group *g, const struct jv *value)
{
    return kit_is(g->nt.data, DAV_NTLM_PROOF_LEN, jv_str(value, ""));
}

static bool is_temp(const struct group *g, const struct jv *value)
{
    return kit_is(g->nt.data + DAV_NTLM_PROOF_LEN, g->nt.len - DAV_NTLM_PROOF_LEN, jv_str(value, ""));
}

static bool is_session_nonce(const struct group *g, const struct jv *value)
{
    uint8_t nonce[8];

    dav_ntlm_session_nonce(g->server, g->client, nonce);
    return kit_is(nonce, 8, jv_str(value, ""));
}

/* NTLMv1 has no session key that our client needs; it is the hash of the hash. */
static void session_key(const struct group *g, uint8_t out[16])
{
    struct crypto_piece piece = {g->nt_hash, 16};

    if (level_of(g) == 3)
        dav_ntlm_v2_session_key(g->v2_hash, g->nt.data, out);
    else
        crypto_legacy_md4(&piece, 1, out);
}

static bool is_session_key(const struct group *g, const struct jv *value)
{
    uint8_t key[16];

    session_key(g, key);
    return kit_is(key, 16, jv_str(value, ""));
}

/* KXKEY of MS-NLMP 3.4.5.1, of which our client uses nothing: this checks DES and the hashes once more. */
static void exchange_key(const struct group *g, uint32_t flags, uint8_t out[16])
{
    struct crypto_piece pieces[] = {{g->server, 8}, {g->lm.data, 8}};
    uint8_t session[16], half[16], wide[24];

    session_key(g, session);
    memcpy(out, session, 16);
    if (level_of(g) == 3)
        return;
    if (flags & DAV_NTLM_ESS) {
        crypto_legacy_hmac_md5(session, 16, pieces, 2, out);
    } else if (flags & FLAG_LM_KEY) { /* DES under hash[0..6], then under hash[7] and six times BD */
        memcpy(half, g->lm_hash, 8);
        memset(half + 8, 0xBD, 8);
        dav_ntlm_desl(half, g->lm.data, wide);
        memcpy(out, wide, 16);
    } else if (flags & FLAG_NON_NT_KEY) {
        memcpy(out, g->lm_hash, 8);
        memset(out + 8, 0, 8);
    }
}

static bool is_exchange_key(const struct group *g, const struct jv *value)
{
    uint8_t key[16];

    exchange_key(g, g->flags, key);
    return kit_is(key, 16, jv_str(value, ""));
}

static bool is_encrypted(const struct group *g, uint32_t flags, const struct jv *value)
{
    uint8_t key[16], out[16];

    exchange_key(g, flags, key);
    crypto_legacy_rc4(key, g->random_key.data, 16, out);
    return g->random_key.len == 16 && kit_is(out, 16, jv_str(value, ""));
}

static bool is_encrypted_key(const struct group *g, const struct jv *value)
{
    return is_encrypted(g, g->flags, value);
}

static bool is_encrypted_key_non_nt(const struct group *g, const struct jv *value)
{
    return is_encrypted(g, g->flags | FLAG_NON_NT_KEY, value);
}

static bool is_encrypted_key_lm(const struct group *g, const struct jv *value)
{
    return is_encrypted(g, g->flags | FLAG_LM_KEY, value);
}

static void derive(const struct group *g, const char *magic, bool shorten, uint8_t out[16])
{
    uint8_t key[16];
    struct crypto_piece pieces[] = {{key, 16}, {magic, strlen(magic) + 1}};

    exchange_key(g, g->flags, key);
    if (g->flags & FLAG_KEY_EXCH)
        memcpy(key, g->random_key.data, 16);
    if (shorten && !(g->flags & DAV_NTLM_128)) /* 56 bits, or 40 */
        pieces[0].len = g->flags & DAV_NTLM_56 ? 7 : 5;
    crypto_legacy_md5(pieces, 2, out);
}

static bool is_sign_key(const struct group *g, const struct jv *value)
{
    uint8_t key[16];

    derive(g, SIGN_MAGIC, false, key);
    return kit_is(key, 16, jv_str(value, ""));
}

static bool is_seal_key(const struct group *g, const struct jv *value)
{
    uint8_t key[16];

    derive(g, SEAL_MAGIC, true, key);
    return kit_is(key, 16, jv_str(value, ""));
}

/* One key stream for the text and then, where keys were exchanged, for its checksum. */
static void seal(const struct group *g, struct bytes *sealed, uint8_t signature[16])
{
    struct bytes text = hex_of(g->expect, "plaintext");
    uint8_t sign_key[16], seal_key[16], sum[16];
    struct crypto_piece pieces[] = {{"\0\0\0\0", 4}, {text.data, text.len}};

    derive(g, SIGN_MAGIC, false, sign_key);
    derive(g, SEAL_MAGIC, true, seal_key);
    crypto_legacy_hmac_md5(sign_key, 16, pieces, 2, sum);
    *sealed = text;
    kit_add(sealed, sum, 8);
    crypto_legacy_rc4(seal_key, sealed->data, sealed->len, sealed->data);
    memset(signature, 0, 16);
    signature[0] = 1;
    memcpy(signature + 4, g->flags & FLAG_KEY_EXCH ? sealed->data + text.len : sum, 8);
    sealed->len = text.len;
}

static bool is_sealed(const struct group *g, const struct jv *value)
{
    struct bytes sealed;
    uint8_t signature[16];

    seal(g, &sealed, signature);
    return kit_is(sealed.data, sealed.len, jv_str(value, ""));
}

static bool is_signature(const struct group *g, const struct jv *value)
{
    struct bytes sealed;
    uint8_t signature[16];

    seal(g, &sealed, signature);
    return kit_is(signature, 16, jv_str(value, ""));
}

static bool is_input(const struct group *g, const struct jv *value) /* stands among the results, is none */
{
    (void)g;
    return jv_is_string(value);
}

static bool is_challenge(const struct group *g, const struct jv *value)
{
    struct bytes message = kit_unhex(jv_str(value, "")), lm, nt;
    struct dav_ntlm_challenge c;
    char why[200];

    return dav_ntlm_challenge_parse(message.data, message.len, &c, why, sizeof(why)) &&
           memcmp(c.nonce, g->server, 8) == 0 && c.flags == g->flags &&
           c.target_info_len == (g->has_info ? g->info.len - 4 : 0) && ask(level_of(g), g, &message, &lm, &nt) &&
           lm.len == g->lm.len && memcmp(lm.data, g->lm.data, lm.len) == 0 && nt.len == g->nt.len &&
           memcmp(nt.data, g->nt.data, nt.len) == 0;
}

static bool is_field(const struct bytes *message, enum kit_field field, const void *data, size_t len)
{
    size_t field_len;
    const uint8_t *p = kit_field(message->data, message->len, field, &field_len);

    return field_len == len && memcmp(p, data, len) == 0;
}

static bool is_name(const struct bytes *message, enum kit_field field, const char *name)
{
    struct dav_ntlm_text text;

    return dav_ntlm_text_set(&text, name, strlen(name), DAV_NTLM_NAME_UNITS) &&
           is_field(message, field, text.bytes, text.len);
}

/* The published message has its fields in another order, and flags of another challenge. */
static bool is_authenticate(const struct group *g, const struct jv *value)
{
    struct bytes message = kit_unhex(jv_str(value, ""));

    return is_field(&message, KIT_LM, g->lm.data, g->lm.len) && is_field(&message, KIT_NT, g->nt.data, g->nt.len) &&
           is_name(&message, KIT_USER, g->user) && is_name(&message, KIT_DOMAIN, g->domain) &&
           is_name(&message, KIT_WORKSTATION, jv_str(jv_get(g->in, "workstation"), ""));
}

static bool is_binding_struct(const struct group *g, const struct jv *value)
{
    struct bytes whole = kit_unhex(jv_str(value, "")), data = hex_of(g->in, "application_data"),
                 cert = hex_of(g->in, "cert_sha256");

    return whole.len == 20 + data.len && memcmp(whole.data + 20, data.data, data.len) == 0 &&
           data.len == 21 + cert.len && memcmp(data.data, "tls-server-end-point:", 21) == 0 &&
           memcmp(data.data + 21, cert.data, cert.len) == 0;
}

static bool is_binding(const struct group *g, const struct jv *value)
{
    struct bytes cert = hex_of(g->in, "cert_sha256");
    uint8_t hash[16];

    dav_ntlm_binding(cert.data, cert.len, hash);
    return kit_is(hash, 16, jv_str(value, ""));
}

static bool is_lm_allowed(const struct group *g, const struct jv *value)
{
    struct dav_ntlm_name name = {.user = g->user, .user_len = strlen(g->user)};

    return dav_ntlm_lm_possible(g->password, strlen(g->password), &name) == jv_truth(value, false);
}

/* {"lm_response": ..., "nt_response": ...} as the answer at `level`. */
static bool is_answer(const struct group *g, int level, uint32_t flags, const struct jv *value)
{
    struct bytes type2 = challenge_of(g, flags), lm, nt;

    return jv_count(value) == 2 && ask(level, g, &type2, &lm, &nt) &&
           kit_is(lm.data, lm.len, jv_str(jv_get(value, "lm_response"), "")) &&
           kit_is(nt.data, nt.len, jv_str(jv_get(value, "nt_response"), ""));
}

static bool is_level0(const struct group *g, const struct jv *value)
{
    return is_answer(g, 0, KIT_FLAGS & ~DAV_NTLM_ESS, value) && is_answer(g, 1, KIT_FLAGS & ~DAV_NTLM_ESS, value) &&
           is_answer(g, 0, KIT_FLAGS, value);
}

static bool is_level2(const struct group *g, const struct jv *value)
{
    return is_answer(g, 2, KIT_FLAGS & ~DAV_NTLM_ESS, value);
}

static bool is_level12_ess(const struct group *g, const struct jv *value)
{
    return is_answer(g, 1, KIT_FLAGS, value) && is_answer(g, 2, KIT_FLAGS, value);
}

static bool is_level3(const struct group *g, const struct jv *value)
{
    struct group timed = *g;
    struct bytes type2, lm, nt;

    timed.info.len -= 4; /* the end mark */
    kit_add_pair(&timed.info, DAV_NTLM_AV_TIME, "12345678", 8);
    kit_add_pair(&timed.info, DAV_NTLM_AV_END, NULL, 0);
    type2 = challenge_of(&timed, KIT_FLAGS);
    return jv_count(value) == 6 && is_v2_hash(g, jv_get(value, "ntowfv2")) && is_temp(g, jv_get(value, "temp")) &&
           is_proof(g, jv_get(value, "nt_proof")) && is_session_key(g, jv_get(value, "session_base_key")) &&
           is_lm_response(g, jv_get(value, "lm_response_without_timestamp")) && ask(3, &timed, &type2, &lm, &nt) &&
           kit_is(lm.data, lm.len, jv_str(jv_get(value, "lm_response_with_timestamp"), ""));
}

static void hashes(struct group *g)
{
    struct dav_ntlm_text password, user, domain;

    assert_true(dav_ntlm_text_set(&password, g->password, strlen(g->password), DAV_NTLM_PASSWORD_UNITS));
    assert_true(dav_ntlm_text_set(&user, g->user, strlen(g->user), DAV_NTLM_NAME_UNITS));
    assert_true(dav_ntlm_text_set(&domain, g->domain, strlen(g->domain), DAV_NTLM_NAME_UNITS));
    dav_ntlm_lm_hash(g->password, strlen(g->password), g->lm_hash);
    dav_ntlm_nt_hash(&password, g->nt_hash);
    assert_true(dav_ntlm_v2_hash(g->nt_hash, &user, &domain, g->v2_hash));
}

static void read_group(struct group *g, const struct jv *json)
{
    struct bytes time;

    *g = (struct group){.in = jv_get(json, "inputs"), .expect = jv_get(json, "expect")};
    g->user = jv_str(jv_get(g->in, "user"), "");
    g->domain = jv_str(jv_get(g->in, "domain"), "");
    g->password = jv_str(jv_get(g->in, "password"), "");
    g->flags = (uint32_t)jv_num(jv_get(g->in, "flags_u32"), KIT_FLAGS & ~DAV_NTLM_TARGET_INFO);
    copy8(g->server, g->in, "server_challenge");
    copy8(g->client, g->in, "client_challenge");
    time = hex_of(g->in, "time");
    g->time = time.len == 8 ? dav_ntlm_get64(time.data) : 0;
    g->info = hex_of(g->in, "target_info");
    g->has_info = g->info.len > 0;
    g->random_key = hex_of(g->in, "random_session_key");
    hashes(g);
}

static const struct {
    const char *key;
    bool (*is)(const struct group *g, const struct jv *value);
} values[] = {
    {"lm_hash", is_lm_hash},
    {"nt_hash", is_nt_hash},
    {"ntowfv2", is_v2_hash},
    {"lm_response", is_lm_response},
    {"nt_response", is_nt_response},
    {"nt_proof", is_proof},
    {"temp", is_temp},
    {"ntlm2_session_hash", is_session_nonce},
    {"session_base_key", is_session_key},
    {"samba_user_session_key", is_session_key},
    {"key_exchange_key", is_exchange_key},
    {"encrypted_session_key", is_encrypted_key},
    {"encrypted_session_key_if_REQUEST_NON_NT_SESSION_KEY", is_encrypted_key_non_nt},
    {"encrypted_session_key_if_LM_KEY", is_encrypted_key_lm},
    {"client_sign_key", is_sign_key},
    {"client_seal_key", is_seal_key},
    {"plaintext", is_input},
    {"sealed", is_sealed},
    {"signature", is_signature},
    {"challenge_message", is_challenge},
    {"authenticate_message", is_authenticate},
    {"gss_channel_bindings_struct", is_binding_struct},
    {"av_channel_bindings", is_binding},
    {"lm_allowed", is_lm_allowed},
    {"level0_no_ess", is_level0},
    {"level2_no_ess", is_level2},
    {"level1_2_with_ess", is_level12_ess},
    {"level3", is_level3},
};

#endif
