/*
 * http_cursor: see http_cursor.h; used by http_events.c. NONCE, then the cursor under a key stream made of
 * HMACs of key and nonce, then a check of both, all in hex.
 */
#include "http_cursor.h"

#include <string.h>

#include "base/crypto.h"

enum { NONCE = 8, INSIDE = sizeof(struct gw_cursor), CHECK = 8, WHOLE = NONCE + INSIDE + CHECK };

_Static_assert(2 * WHOLE + 1 == GW_CURSOR_TEXT, "the text's room");

static void cover(const struct gw_cursor_key *key, const uint8_t nonce[NONCE], uint8_t *inside);
static void check_of(const struct gw_cursor_key *key, const uint8_t *whole, uint8_t ret[CRYPTO_SHA256_LEN]);
static bool read_hex(const char *text, uint8_t ret[WHOLE]);

void gw_cursor_key_make(struct gw_cursor_key *key)
{
    crypto_random(key->bytes, sizeof key->bytes);
}

char *gw_cursor_seal(const struct gw_cursor_key *key, const struct gw_cursor *cursor, char out[GW_CURSOR_TEXT])
{
    uint8_t whole[WHOLE] = {0}, check[CRYPTO_SHA256_LEN];
    crypto_random(whole, NONCE);
    memcpy(whole + NONCE, cursor, INSIDE);
    cover(key, whole, whole + NONCE);
    check_of(key, whole, check);
    memcpy(whole + NONCE + INSIDE, check, CHECK);
    crypto_hex(whole, sizeof whole, out);
    return out;
}

bool gw_cursor_open(const struct gw_cursor_key *key, const char *text, struct gw_cursor *ret)
{
    uint8_t whole[WHOLE], check[CRYPTO_SHA256_LEN];
    if (!read_hex(text, whole))
        return false;
    check_of(key, whole, check);
    if (!crypto_equal(check, whole + NONCE + INSIDE, CHECK))
        return false;
    cover(key, whole, whole + NONCE);
    memcpy(ret, whole + NONCE, INSIDE);
    return true;
}

/* Twice is not at all. */
static void cover(const struct gw_cursor_key *key, const uint8_t nonce[NONCE], uint8_t *inside)
{
    uint8_t block[NONCE + 1], stream[CRYPTO_SHA256_LEN];
    memcpy(block, nonce, NONCE);
    for (size_t i = 0; i < INSIDE; i++) {
        if (i % sizeof stream == 0) {
            block[NONCE] = (uint8_t)(1 + i / sizeof stream);
            crypto_hmac_sha256(key->bytes, sizeof key->bytes, block, sizeof block, stream);
        }
        inside[i] ^= stream[i % sizeof stream];
    }
}

static void check_of(const struct gw_cursor_key *key, const uint8_t *whole, uint8_t ret[CRYPTO_SHA256_LEN])
{
    uint8_t text[1 + NONCE + INSIDE] = {0};
    memcpy(text + 1, whole, NONCE + INSIDE);
    crypto_hmac_sha256(key->bytes, sizeof key->bytes, text, sizeof text, ret);
}

static bool read_hex(const char *text, uint8_t ret[WHOLE])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != GW_CURSOR_TEXT - 1 || strspn(text, digits) != GW_CURSOR_TEXT - 1)
        return false;
    for (size_t i = 0; i < WHOLE; i++)
        ret[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 | (strchr(digits, text[2 * i + 1]) - digits));
    return true;
}
