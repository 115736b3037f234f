/*
 * ntlm: Type 1 and Type 3. Here the level is decided upon (kind_of, too_weak) and the messages are laid out; what goes
 * into them comes from the files beside (ntlm_parts.h).
 *
 * Our Type 1 is always 40 bytes, offers neither signing nor sealing nor a key exchange, as HTTP has no use for them,
 * and tells no names. The Type 3 has the 88-byte header whether or not its MIC is used: readers go by the offsets.
 *
 * All that is secret stands in one struct work, which is wiped on every way out.
 */
#include "ntlm.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "ntlm_parts.h"

#define TYPE3_HEADER 88
#define TYPE3_MIC 72
#define WORKSTATION "GATEWAY"
#define STRONGEST 3

#define OFFER                                                                                                          \
    (DAV_NTLM_UNICODE | DAV_NTLM_OEM | DAV_NTLM_REQUEST_TARGET | DAV_NTLM_NTLM | DAV_NTLM_ALWAYS_SIGN | DAV_NTLM_128 | \
     DAV_NTLM_56)

enum kind {
    KIND_V1,      /* NTLMv1, with or without LM */
    KIND_SESSION, /* NTLM2 session response */
    KIND_V2,
};

struct work {
    int level;
    struct dav_ntlm_challenge challenge;
    struct dav_ntlm_name name;
    struct dav_ntlm_text user, domain, workstation, spn, password;
    bool lm_possible;
    uint8_t lm_hash[DAV_NTLM_KEY_LEN], nt_hash[DAV_NTLM_KEY_LEN], v2_hash[DAV_NTLM_KEY_LEN];
    uint8_t session_key[DAV_NTLM_KEY_LEN];
    uint8_t lm[DAV_NTLM_RESPONSE_LEN]; /* what will stand in the LM field */
    struct buf nt;                     /* and in the NT field */
    const char *why;
};

/* Of the payload of a Type 3. */
struct part {
    size_t field; /* where in the header its length and offset stand */
    const void *data;
    size_t len;
};
#define PARTS 6

static int effective_level(int level);
static uint32_t offer(int level);
static enum dav_ntlm_result prepare(struct work *w, const struct dav_ntlm_settings *settings, const char *password,
                                    size_t password_len, const struct dav_ntlm_round *round);
static enum dav_ntlm_result prepare_names(struct work *w, const struct dav_ntlm_settings *settings, const char *spn);
static enum kind kind_of(int level, uint32_t flags);
static bool too_weak(struct work *w);
static enum dav_ntlm_result answer(struct work *w, const char *password, size_t password_len,
                                   const struct dav_ntlm_round *round);
static void answer_v1(struct work *w, const char *password, size_t password_len);
static void answer_session(struct work *w, const uint8_t client[8]);
static enum dav_ntlm_result answer_v2(struct work *w, const struct dav_ntlm_round *round);
static enum dav_ntlm_result write_message(struct work *w, const struct dav_ntlm_round *round, struct buf *out);
static uint32_t lay_out(struct work *w, struct part parts[PARTS]);
static void put_parts(uint8_t *message, const struct part parts[PARTS]);
static void narrow(struct dav_ntlm_text *text);
static void wipe(struct work *w);

const char *dav_ntlm_code(enum dav_ntlm_result result)
{
    static const char *const codes[] = {
        [DAV_NTLM_OK] = "",
        [DAV_NTLM_MALFORMED] = "answer-malformed",
        [DAV_NTLM_TOO_WEAK] = "ntlm-too-weak",
        [DAV_NTLM_NAME] = "config-account",
        [DAV_NTLM_PASSWORD] = "config-secret",
        [DAV_NTLM_TOO_LARGE] = "answer-malformed", /* only a challenge can make it so large */
        [DAV_NTLM_NO_CRYPTO] = "auth-none-usable",
    };

    return codes[result];
}

uint64_t dav_ntlm_filetime(int64_t wall_ms)
{
    const int64_t from_1601_to_1970_ms = 11644473600000;

    return wall_ms < -from_1601_to_1970_ms ? 0 : (uint64_t)(wall_ms + from_1601_to_1970_ms) * 10000;
}

bool dav_ntlm_level_has_lm(int level)
{
    return effective_level(level) <= 1;
}

bool dav_ntlm_negotiate(const struct dav_ntlm_settings *settings, struct buf *out)
{
    uint8_t message[DAV_NTLM_TYPE1_LEN] = {0};

    memcpy(message, dav_ntlm_signature, sizeof(dav_ntlm_signature));
    dav_ntlm_put(message + 8, 1, 4);
    dav_ntlm_put(message + 12, offer(effective_level(settings->level)), 4);
    return buf_add(out, message, sizeof(message));
}

enum dav_ntlm_result dav_ntlm_authenticate(const struct dav_ntlm_settings *settings, const char *password,
                                           size_t password_len, const struct dav_ntlm_round *round, struct buf *out,
                                           char *why, size_t why_size)
{
    struct work w = {.level = effective_level(settings->level)};
    enum dav_ntlm_result result;

    if (!crypto_legacy_start(why, why_size))
        return DAV_NTLM_NO_CRYPTO;
    if (!dav_ntlm_challenge_parse(round->type2, round->type2_len, &w.challenge, why, why_size))
        return DAV_NTLM_MALFORMED;
    buf_init(&w.nt, DAV_NTLM_TYPE3_MAX);
    result = prepare(&w, settings, password, password_len, round);
    if (result == DAV_NTLM_OK)
        result = too_weak(&w) ? DAV_NTLM_TOO_WEAK : answer(&w, password, password_len, round);
    if (result == DAV_NTLM_OK)
        result = write_message(&w, round, out);
    if (result != DAV_NTLM_OK)
        snprintf(why, why_size, "%s", w.why);
    wipe(&w);
    return result;
}

/* What we do not know is taken as what is safe. */
static int effective_level(int level)
{
    return level < 0 || level > STRONGEST ? STRONGEST : level;
}

static uint32_t offer(int level)
{
    return level == 0 ? OFFER : OFFER | DAV_NTLM_ESS;
}

static enum dav_ntlm_result prepare(struct work *w, const struct dav_ntlm_settings *settings, const char *password,
                                    size_t password_len, const struct dav_ntlm_round *round)
{
    enum dav_ntlm_result result;

    dav_ntlm_name_split(settings, &w->name);
    result = prepare_names(w, settings, round->spn);
    if (result != DAV_NTLM_OK)
        return result;
    if (!dav_ntlm_text_set(&w->password, password, password_len, DAV_NTLM_PASSWORD_UNITS)) {
        w->why = str_is_utf8(password, password_len) ? "the password is longer than 256 characters"
                                                     : "the password is not UTF-8";
        return DAV_NTLM_PASSWORD;
    }
    w->lm_possible = dav_ntlm_lm_possible(password, password_len, &w->name);
    return DAV_NTLM_OK;
}

static enum dav_ntlm_result prepare_names(struct work *w, const struct dav_ntlm_settings *settings, const char *spn)
{
    const struct dav_ntlm_name *name = &w->name;
    const char *workstation = settings->workstation ? settings->workstation : WORKSTATION;

    if (name->user_len == 0) {
        w->why = "the account has no name";
        return DAV_NTLM_NAME;
    }
    if (!dav_ntlm_text_set(&w->user, name->user, name->user_len, DAV_NTLM_NAME_UNITS) ||
        !dav_ntlm_text_set(&w->domain, name->domain, name->domain_len, DAV_NTLM_NAME_UNITS) ||
        !dav_ntlm_text_set(&w->workstation, workstation, strlen(workstation), DAV_NTLM_NAME_UNITS) ||
        (spn && !dav_ntlm_text_set(&w->spn, spn, strlen(spn), DAV_NTLM_SPN_UNITS))) {
        w->why = "account, domain, workstation or server name is too long or not UTF-8";
        return DAV_NTLM_NAME;
    }
    if (!(w->challenge.flags & DAV_NTLM_UNICODE) &&
        (!dav_ntlm_text_is_ascii(&w->user) || !dav_ntlm_text_is_ascii(&w->domain) ||
         !dav_ntlm_text_is_ascii(&w->workstation))) {
        w->why = "the server takes names in a code page it does not tell, and the account's name is not plain ASCII";
        return DAV_NTLM_NAME;
    }
    return DAV_NTLM_OK;
}

/* At level 0 we never offered ESS, so a server that sets it nevertheless has agreed to nothing. */
static enum kind kind_of(int level, uint32_t flags)
{
    if (level >= 3)
        return KIND_V2;
    return level >= 1 && (flags & DAV_NTLM_ESS) ? KIND_SESSION : KIND_V1;
}

/*
 * A challenge that agrees neither to NTLM nor to ESS comes from a LAN Manager server, which looks at the LM field
 * alone. Sending it something else would be refused and counted as a wrong password; sending it LM is for levels 0
 * and 1.
 */
static bool too_weak(struct work *w)
{
    if (w->challenge.flags & (DAV_NTLM_NTLM | DAV_NTLM_ESS))
        return false;
    if (dav_ntlm_level_has_lm(w->level) && w->lm_possible)
        return false;
    w->why = dav_ntlm_level_has_lm(w->level)
                 ? "the server takes LM answers only, which this account's name or password has none of"
                 : "the server takes LM answers only, which lm_compatibility_level forbids";
    return true;
}

static enum dav_ntlm_result answer(struct work *w, const char *password, size_t password_len,
                                   const struct dav_ntlm_round *round)
{
    dav_ntlm_nt_hash(&w->password, w->nt_hash);
    switch (kind_of(w->level, w->challenge.flags)) {
    case KIND_V1:
        answer_v1(w, password, password_len);
        return DAV_NTLM_OK;
    case KIND_SESSION:
        answer_session(w, round->client_challenge);
        return DAV_NTLM_OK;
    case KIND_V2:
        break;
    }
    return answer_v2(w, round);
}

static void answer_v1(struct work *w, const char *password, size_t password_len)
{
    uint8_t nt[DAV_NTLM_RESPONSE_LEN];

    dav_ntlm_desl(w->nt_hash, w->challenge.nonce, nt);
    buf_add(&w->nt, nt, sizeof(nt));
    memcpy(w->lm, nt, sizeof(w->lm));
    mem_wipe(nt, sizeof(nt));
    if (dav_ntlm_level_has_lm(w->level) && w->lm_possible) {
        dav_ntlm_lm_hash(password, password_len, w->lm_hash);
        dav_ntlm_desl(w->lm_hash, w->challenge.nonce, w->lm);
    }
}

static void answer_session(struct work *w, const uint8_t client[8])
{
    uint8_t nonce[8], nt[DAV_NTLM_RESPONSE_LEN];

    dav_ntlm_session_nonce(w->challenge.nonce, client, nonce);
    dav_ntlm_desl(w->nt_hash, nonce, nt);
    buf_add(&w->nt, nt, sizeof(nt));
    mem_wipe(nt, sizeof(nt));
    memcpy(w->lm, client, 8);
}

static enum dav_ntlm_result answer_v2(struct work *w, const struct dav_ntlm_round *round)
{
    const struct dav_ntlm_challenge *c = &w->challenge;
    uint8_t head[DAV_NTLM_PROOF_LEN + 28] = {0}, *temp = head + DAV_NTLM_PROOF_LEN; /* proof to come; then temp */

    if (!dav_ntlm_v2_hash(w->nt_hash, &w->user, &w->domain, w->v2_hash)) {
        w->why = "this system cannot upper-case the account's name: it lacks the locale C.UTF-8";
        return DAV_NTLM_NAME;
    }
    temp[0] = temp[1] = 1; /* versions of the response */
    dav_ntlm_put(temp + 8, c->has_time ? c->time : round->time, 8);
    memcpy(temp + 16, round->client_challenge, 8);
    buf_add(&w->nt, head, sizeof(head));
    dav_ntlm_target_build(c, round->cert_hash, round->cert_hash_len, round->spn ? &w->spn : NULL, &w->nt);
    buf_add(&w->nt, "\0\0\0\0", 4);
    if (w->nt.failed) {
        w->why = "the server's target info is too large to be repeated";
        return DAV_NTLM_TOO_LARGE;
    }
    dav_ntlm_v2_proof(w->v2_hash, c->nonce, (uint8_t *)w->nt.data, w->nt.len);
    dav_ntlm_v2_session_key(w->v2_hash, (const uint8_t *)w->nt.data, w->session_key);
    if (!c->has_time) /* with a timestamp the LM field is to be zeros */
        dav_ntlm_lmv2(w->v2_hash, c->nonce, round->client_challenge, w->lm);
    return DAV_NTLM_OK;
}

static enum dav_ntlm_result write_message(struct work *w, const struct dav_ntlm_round *round, struct buf *out)
{
    struct part parts[PARTS];
    uint32_t flags = lay_out(w, parts);
    size_t total = TYPE3_HEADER;
    uint8_t *message = NULL;

    for (size_t i = 0; i < PARTS; i++)
        total += parts[i].len;
    if (total <= DAV_NTLM_TYPE3_MAX && !out->failed && total <= out->max - out->len)
        message = (uint8_t *)buf_room(out, total);
    if (!message) {
        w->why = "the answer is too large for a header";
        return DAV_NTLM_TOO_LARGE;
    }
    memcpy(message, dav_ntlm_signature, sizeof(dav_ntlm_signature));
    dav_ntlm_put(message + 8, 3, 4);
    dav_ntlm_put(message + 60, flags, 4);
    put_parts(message, parts);
    if (kind_of(w->level, w->challenge.flags) == KIND_V2 && w->challenge.has_time) {
        const struct crypto_piece messages[] = {
            {round->type1, round->type1_len}, {round->type2, round->type2_len}, {message, total}};

        dav_ntlm_mic(w->session_key, messages, message + TYPE3_MIC);
    }
    out->len += total;
    return DAV_NTLM_OK;
}

/* Names in the form that was agreed on; returns the flags that were. */
static uint32_t lay_out(struct work *w, struct part parts[PARTS])
{
    uint32_t flags = w->challenge.flags & (offer(w->level) | DAV_NTLM_TARGET_INFO);

    if (flags & DAV_NTLM_UNICODE) {
        flags &= ~DAV_NTLM_OEM;
    } else {
        narrow(&w->domain);
        narrow(&w->user);
        narrow(&w->workstation);
    }
    parts[0] = (struct part){28, w->domain.bytes, w->domain.len};
    parts[1] = (struct part){36, w->user.bytes, w->user.len};
    parts[2] = (struct part){44, w->workstation.bytes, w->workstation.len};
    parts[3] = (struct part){12, w->lm, sizeof(w->lm)};
    parts[4] = (struct part){20, w->nt.data, w->nt.len};
    parts[5] = (struct part){52, NULL, 0}; /* no session key: nothing is sealed with one */
    return flags;
}

/* Empty fields get a valid offset as well: some readers check it. */
static void put_parts(uint8_t *message, const struct part parts[PARTS])
{
    size_t pos = TYPE3_HEADER;

    for (const struct part *p = parts; p < parts + PARTS; p++) {
        dav_ntlm_put(message + p->field, p->len, 2);
        dav_ntlm_put(message + p->field + 2, p->len, 2);
        dav_ntlm_put(message + p->field + 4, pos, 4);
        if (p->len > 0)
            memcpy(message + pos, p->data, p->len);
        pos += p->len;
    }
}

/* To one byte a character: prepare_names has seen that it is ASCII. */
static void narrow(struct dav_ntlm_text *text)
{
    for (size_t i = 0; i < text->len / 2; i++)
        text->bytes[i] = text->bytes[2 * i];
    text->len /= 2;
}

static void wipe(struct work *w)
{
    buf_wipe(&w->nt);
    mem_wipe(w, sizeof(*w));
}
