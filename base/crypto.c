/*
 * crypto: random bytes, SHA-256, comparison in constant time (all OpenSSL's) and base64 (ours: OpenSSL's decoder
 * accepts too much and tells too little). Used for map seeds, credentials, keys of webhooks.
 */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void die(const char *what) __attribute__((noreturn));
static int base64_value(char c);
static bool add_group(struct buf *out, uint32_t bits, int letters);

void crypto_random(void *out, size_t len)
{
    if (len > INT32_MAX || RAND_bytes(out, (int)len) != 1)
        die("no random bytes to be had");
}

uint64_t crypto_random_u64(void)
{
    static _Thread_local uint64_t stock[64]; /* asking OpenSSL costs the same for one as for many */
    static _Thread_local unsigned left;
    if (left == 0) {
        crypto_random(stock, sizeof(stock));
        left = sizeof(stock) / sizeof(stock[0]);
    }
    uint64_t value = stock[--left];
    stock[left] = 0;
    return value;
}

void crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN])
{
    if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1)
        die("SHA-256 failed");
}

void crypto_sha1(const void *data, size_t len, uint8_t out[CRYPTO_SHA1_LEN])
{
    if (EVP_Digest(data, len, out, NULL, EVP_sha1(), NULL) != 1)
        die("SHA-1 failed");
}

void crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN])
{
    unsigned out_len = CRYPTO_SHA256_LEN;

    if (key_len > INT32_MAX || !HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &out_len))
        die("HMAC failed");
}

void crypto_slow(const void *data, size_t len, const void *salt, size_t salt_len, uint8_t out[CRYPTO_SLOW_LEN])
{
    enum { COST = 4096, BLOCKS = 8, MEMORY = 8 << 20 };
    if (EVP_PBE_scrypt(data, len, salt, salt_len, COST, BLOCKS, 1, MEMORY, out, CRYPTO_SLOW_LEN) != 1)
        die("scrypt failed");
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

bool crypto_base64_encode(struct buf *out, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t before = out->len, i;
    uint32_t bits;
    int k, have;
    char group[4];

    for (i = 0; i < len; i += 3) {
        have = len - i < 3 ? (int)(len - i) : 3;
        bits = (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0);
        for (k = 0; k < 4; k++)
            group[k] = k <= have ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
        if (!buf_add(out, group, 4)) {
            out->len = before;
            out->data[before] = '\0';
            return false;
        }
    }
    return !out->failed;
}

bool crypto_base64_decode(struct buf *out, const char *text, size_t len)
{
    int letters = 0, padding = 0, value;
    size_t before = out->len, i;
    uint32_t bits = 0;
    bool ok = true;

    for (i = 0; ok && i < len; i++) {
        if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n')
            continue;
        if (text[i] == '=') {
            ok = letters >= 2 && letters + ++padding <= 4;
            continue;
        }
        value = base64_value(text[i]);
        ok = value >= 0 && padding == 0;
        bits = bits << 6 | (uint32_t)(value & 63);
        if (ok && ++letters == 4) {
            ok = add_group(out, bits, 4);
            bits = 0;
            letters = 0;
        }
    }
    if (ok && letters > 0)
        ok = letters + padding == 4 && add_group(out, bits, letters);
    if (!ok) {
        out->len = before;
        out->data[before] = '\0';
    }
    return ok;
}

static void die(const char *what)
{
    log_error("crypto", "%s", what);
    abort();
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Two to four letters are one to three bytes; what is left over of the last letter must be zero, or two texts meant one
 * thing. */
static bool add_group(struct buf *out, uint32_t bits, int letters)
{
    uint8_t bytes[3];

    bits <<= 6 * (4 - letters);
    bytes[0] = (uint8_t)(bits >> 16);
    bytes[1] = (uint8_t)(bits >> 8);
    bytes[2] = (uint8_t)bits;
    if (letters < 4 && (bits & (letters == 2 ? 0xFFFFU : 0xFFU)) != 0)
        return false;
    return buf_add(out, bytes, (size_t)(letters - 1));
}
