/*
 * crypto: the few primitives we need, over OpenSSL.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define CRYPTO_SHA256_LEN 32
#define CRYPTO_SHA1_LEN 20

void crypto_random(void *out, size_t len); /* ends the program when the system has no randomness */
uint64_t crypto_random_u64(void);
void crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]);
void crypto_sha1(const void *data, size_t len, uint8_t out[CRYPTO_SHA1_LEN]); /* for protocols that demand it */
void crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]);
/* A slow digest (scrypt, 4 MiB, some ms) of something that could be guessed, such as a password. */
#define CRYPTO_SLOW_LEN 32
void crypto_slow(const void *data, size_t len, const void *salt, size_t salt_len, uint8_t out[CRYPTO_SLOW_LEN]);

/*
 * Passwords as they may be kept: "scrypt:N:R:P:SALT:DIGEST", salt and digest in base64. Making and checking one takes
 * tens of ms and MEMORY, on purpose: never on a loop. A text that is not one of these (crypto_password_wrong) matches
 * no password.
 */
enum { CRYPTO_PASSWORD_MEMORY = 64 << 20 };
bool crypto_password_hash(struct buf *out, const char *password, size_t len);
bool crypto_password_check(const char *kept, const char *password, size_t len);
const char *crypto_password_wrong(const char *kept); /* a phrase, NULL: fine */
void crypto_password_decoy(struct buf *out);         /* one that takes as long and that no password matches */

/* Lower-case hex, NUL-terminated: out has 2 * len + 1 bytes. */
void crypto_hex(const void *data, size_t len, char *out);

bool crypto_equal(const void *a, const void *b, size_t len); /* constant time */

/* Standard alphabet with padding (RFC 4648 4). */
bool crypto_base64_encode(struct buf *out, const void *data, size_t len);
bool crypto_base64_decode(struct buf *out, const char *text, size_t len); /* blanks skipped; false: not base64 */

/*
 * Legacy algorithms, for logging on to servers that know nothing newer and for nothing else. They live in a library
 * context of their own (crypto_legacy.c), so TLS cannot come to use them. One thread only.
 *
 * start() may be called again and again and is quick after the first time. False, with a sentence in why, where the
 * system has no provider for them; the other functions may be called only after it returned true.
 */
#define CRYPTO_LEGACY_LEN 16 /* MD4, MD5, HMAC-MD5 */
#define CRYPTO_DES_LEN 8     /* block, and key with its parity bits */

struct crypto_piece {
    const void *data;
    size_t len;
};

bool crypto_legacy_start(char *why, size_t why_size);
void crypto_legacy_stop(void); /* gives everything back; start() may follow */

/* Each over the pieces as if they stood behind each other. */
void crypto_legacy_md4(const struct crypto_piece *pieces, size_t count, uint8_t out[CRYPTO_LEGACY_LEN]);
void crypto_legacy_md5(const struct crypto_piece *pieces, size_t count, uint8_t out[CRYPTO_LEGACY_LEN]);
void crypto_legacy_hmac_md5(const uint8_t *key, size_t key_len, const struct crypto_piece *pieces, size_t count,
                            uint8_t out[CRYPTO_LEGACY_LEN]);

/* One block, ECB. The parity bits of the key do not matter. */
void crypto_legacy_des(const uint8_t key[CRYPTO_DES_LEN], const uint8_t block[CRYPTO_DES_LEN],
                       uint8_t out[CRYPTO_DES_LEN]);

/* From the beginning of the key stream; the key has 16 bytes. `out` may be `data`. */
void crypto_legacy_rc4(const uint8_t key[CRYPTO_LEGACY_LEN], const void *data, size_t len, void *out);

#endif
