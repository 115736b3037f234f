/*
 * crypto_sign: Ed25519 signatures (RFC 8032) over OpenSSL, with keys in PEM files as `openssl genpkey` writes them. A
 * key is known by the first half of the SHA-256 of its public part, in hex: both ends can tell which one is meant.
 */
#ifndef BASE_CRYPTO_SIGN_H
#define BASE_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SIGN_LEN 64
#define CRYPTO_SIGN_ID_LEN 32 /* letters of a key's id */

struct crypto_sign_key;

/* From a PEM file: a private key, or a public one. NULL with a sentence in why, free of the file's content. */
struct crypto_sign_key *crypto_sign_private(const char *path, char *why, size_t why_size);
struct crypto_sign_key *crypto_sign_public(const char *path, char *why, size_t why_size);
void crypto_sign_free(struct crypto_sign_key **key);

/* CRYPTO_SIGN_ID_LEN letters; the same for both halves of a pair. */
const char *crypto_sign_id(const struct crypto_sign_key *key);

/* With a private key only. */
void crypto_sign(const struct crypto_sign_key *key, const void *data, size_t len, uint8_t out[CRYPTO_SIGN_LEN]);
bool crypto_sign_verify(const struct crypto_sign_key *key, const void *data, size_t len,
                        const uint8_t signature[CRYPTO_SIGN_LEN]);

#endif
