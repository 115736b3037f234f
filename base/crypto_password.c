/*
 * crypto_password: passwords in the form in which they may lie in a file: scrypt (RFC 7914) with its cost and salt
 * written beside the digest, so that the cost can be raised later and old lines still work. The file is an
 * administrator's, but what is in it may cost us only so much: who writes a cost of gigabytes is told so when it is
 * read.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    COST = 16384,
    BLOCKS = 8,
    LANES = 2,
    LANES_MAX = 16,
    SALT_LEN = 16,
    SALT_MAX = 64,
    DIGEST_LEN = 32,
    KEPT_MAX = 300
};

struct kept {
    int64_t cost, blocks, lanes;
    uint8_t salt[SALT_MAX], digest[DIGEST_LEN];
    size_t salt_len;
};

static bool parse(const char *text, struct kept *ret);
static bool take_number(const char **text, int64_t max, int64_t *ret);
static bool take_bytes(const char *text, size_t len, uint8_t *out, size_t max, size_t *ret_len);
static bool derive(const struct kept *k, const char *password, size_t len, uint8_t out[DIGEST_LEN]);
static bool write_kept(struct buf *out, const struct kept *k);

bool crypto_password_hash(struct buf *out, const char *password, size_t len)
{
    struct kept k = {.cost = COST, .blocks = BLOCKS, .lanes = LANES, .salt_len = SALT_LEN};
    crypto_random(k.salt, SALT_LEN);
    return derive(&k, password, len, k.digest) && write_kept(out, &k);
}

void crypto_password_decoy(struct buf *out)
{
    struct kept k = {.cost = COST, .blocks = BLOCKS, .lanes = LANES, .salt_len = SALT_LEN};
    crypto_random(k.salt, SALT_LEN);
    crypto_random(k.digest, DIGEST_LEN);
    write_kept(out, &k);
}

bool crypto_password_check(const char *kept, const char *password, size_t len)
{
    struct kept k;
    uint8_t got[DIGEST_LEN];
    bool same = parse(kept, &k) && derive(&k, password, len, got) && crypto_equal(got, k.digest, DIGEST_LEN);
    mem_wipe(got, sizeof got);
    return same;
}

const char *crypto_password_wrong(const char *kept)
{
    struct kept k;
    if (!str_starts(kept, "scrypt:"))
        return "is no hash of a password; it begins with scrypt:";
    if (!parse(kept, &k))
        return "is not of the form scrypt:N:R:P:SALT:DIGEST";
    if (k.cost < 1024 || (k.cost & (k.cost - 1)) != 0)
        return "has a cost N that is no power of two from 1024 up";
    return k.cost * k.blocks * 128 > CRYPTO_PASSWORD_MEMORY || k.lanes > LANES_MAX ? "would take too much to check"
                                                                                   : NULL;
}

void crypto_hex(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static bool parse(const char *text, struct kept *ret)
{
    size_t len;
    *ret = (struct kept){.cost = 0};
    if (strlen(text) > KEPT_MAX || !str_starts(text, "scrypt:"))
        return false;
    text += strlen("scrypt:");
    if (!take_number(&text, INT32_MAX, &ret->cost) || !take_number(&text, 1024, &ret->blocks) ||
        !take_number(&text, 1024, &ret->lanes))
        return false;
    const char *digest = str_split(text, ':', &len);
    size_t digest_len = 0;
    return digest && take_bytes(text, len, ret->salt, SALT_MAX, &ret->salt_len) && ret->salt_len >= 8 &&
           take_bytes(digest, strlen(digest), ret->digest, DIGEST_LEN, &digest_len) && digest_len == DIGEST_LEN;
}

static bool take_number(const char **text, int64_t max, int64_t *ret)
{
    char number[12];
    size_t len;
    const char *rest = str_split(*text, ':', &len);
    if (!rest || len == 0 || len >= sizeof number)
        return false;
    memcpy(number, *text, len);
    number[len] = '\0';
    *text = rest;
    return str_to_int(number, 1, max, ret);
}

static bool take_bytes(const char *text, size_t len, uint8_t *out, size_t max, size_t *ret_len)
{
    struct buf b;
    buf_init(&b, max);
    bool ok = crypto_base64_decode(&b, text, len) && b.len <= max;
    if (ok && b.len > 0)
        memcpy(out, b.data, b.len);
    *ret_len = b.len;
    buf_wipe(&b);
    return ok;
}

static bool derive(const struct kept *k, const char *password, size_t len, uint8_t out[DIGEST_LEN])
{
    if (k->cost * k->blocks * 128 > CRYPTO_PASSWORD_MEMORY)
        return false;
    return EVP_PBE_scrypt(password, len, k->salt, k->salt_len, (uint64_t)k->cost, (uint64_t)k->blocks,
                          (uint64_t)k->lanes, (uint64_t)CRYPTO_PASSWORD_MEMORY * 2, out, DIGEST_LEN) == 1;
}

static bool write_kept(struct buf *out, const struct kept *k)
{
    buf_addf(out, "scrypt:%lld:%lld:%lld:", (long long)k->cost, (long long)k->blocks, (long long)k->lanes);
    crypto_base64_encode(out, k->salt, k->salt_len);
    buf_addc(out, ':');
    return crypto_base64_encode(out, k->digest, DIGEST_LEN) && !out->failed;
}
