/*
 * fuzz_ntlm: a Type 2 of any bytes, answered at every level. The first byte chooses what we bring ourselves: bit 0 a
 * certificate, bit 1 a service name, bit 7 account and password from the input as well (each a length byte and that
 * many bytes); the rest is the Type 2.
 *
 * Whatever comes in: a refusal leaves no byte behind and says why; an answer has its fields inside itself and is never
 * weaker than its level.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "ntlm_parts.h"

#define NT_V2_MIN 48 /* proof, fixed part of temp, end mark */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static char *take_text(const uint8_t **data, size_t *size)
{
    size_t len = *size > 0 ? **data : 0;
    char *text;

    if (*size > 0) {
        ++*data;
        --*size;
    }
    if (len > *size)
        len = *size;
    text = malloc(len + 1);
    check(text != NULL);
    memcpy(text, *data, len);
    text[len] = '\0';
    *data += len;
    *size -= len;
    return text;
}

static const uint8_t *field(const struct buf *message, size_t at, size_t *ret_len)
{
    const uint8_t *p = (const uint8_t *)message->data;
    size_t offset = dav_ntlm_get32(p + at + 4);

    *ret_len = dav_ntlm_get16(p + at);
    check(offset >= 88 && offset <= message->len && *ret_len <= message->len - offset);
    return p + offset;
}

static void check_answer(int level, const struct buf *message, const char *password, const struct dav_ntlm_challenge *c)
{
    uint8_t lm_hash[16], lm_response[24];
    size_t lm_len, nt_len, len;
    const uint8_t *lm = field(message, 12, &lm_len);

    check(message->len <= DAV_NTLM_TYPE3_MAX);
    field(message, 20, &nt_len);
    for (size_t at = 28; at <= 52; at += 8)
        field(message, at, &len);
    check(lm_len == 24 && (level >= 3 ? nt_len >= NT_V2_MIN : nt_len == 24));
    if (level < 2 || strlen(password) > 14)
        return;
    dav_ntlm_lm_hash(password, strlen(password), lm_hash);
    dav_ntlm_desl(lm_hash, c->nonce, lm_response);
    check(memcmp(lm, lm_response, 24) != 0);
}

static void read_names(const uint8_t *data, size_t size)
{
    struct dav_ntlm_challenge c;
    struct buf text;
    char why[100] = "";

    if (!dav_ntlm_challenge_parse(data, size, &c, why, sizeof(why))) {
        check(why[0]);
        return;
    }
    buf_init(&text, 256);
    dav_ntlm_challenge_target(&c, &text);
    for (int which = 1; which <= 10; which++) {
        buf_reset(&text);
        dav_ntlm_challenge_name(&c, (enum dav_ntlm_av)which, &text);
    }
    buf_free(&text);
}

static void answer(int level, uint8_t options, const char *user, const char *password, const uint8_t *data, size_t size)
{
    struct dav_ntlm_settings settings = {.level = level, .user = user, .domain = "CORP"};
    struct dav_ntlm_round round = {.type2 = data, .type2_len = size, .time = 1, .client_challenge = "nonce678"};
    struct dav_ntlm_challenge c;
    struct buf type1, type3;
    char why[200] = "";

    buf_init(&type1, DAV_NTLM_TYPE1_LEN);
    buf_init(&type3, DAV_NTLM_TYPE3_MAX);
    check(dav_ntlm_negotiate(&settings, &type1));
    round.type1 = (const uint8_t *)type1.data;
    round.type1_len = type1.len;
    if (options & 1) {
        round.cert_hash = (const uint8_t *)"a hash of 32 bytes, as of SHA256";
        round.cert_hash_len = 32;
    }
    round.spn = options & 2 ? "HTTP/mail.corp.example" : NULL;
    if (dav_ntlm_authenticate(&settings, password, strlen(password), &round, &type3, why, sizeof(why)) == DAV_NTLM_OK) {
        check(dav_ntlm_challenge_parse(data, size, &c, why, sizeof(why)));
        check_answer(level, &type3, password, &c);
    } else {
        check(type3.len == 0 && !type3.failed && why[0]);
    }
    buf_free(&type1);
    buf_wipe(&type3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *user = NULL, *password = NULL;
    uint8_t options = size > 0 ? data[0] : 0, *exact;

    if (size == 0)
        return 0;
    data++;
    size--;
    if (options & 0x80) {
        user = take_text(&data, &size);
        password = take_text(&data, &size);
    }
    exact = malloc(size ? size : 1);
    check(exact != NULL);
    memcpy(exact, data, size);
    read_names(exact, size);
    for (int level = 0; level <= 3; level++)
        answer(level, options, user ? user : "CORP\\svc", password ? password : "Passw0rd", exact, size);
    free(exact);
    free(user);
    free(password);
    return 0;
}
