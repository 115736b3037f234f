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

void crypto_random(void *out, size_t len); /* ends the program when the system has no randomness */
uint64_t crypto_random_u64(void);
void crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]);
bool crypto_equal(const void *a, const void *b, size_t len); /* constant time */

/* Standard alphabet with padding (RFC 4648 4). */
bool crypto_base64_encode(struct buf *out, const void *data, size_t len);
bool crypto_base64_decode(struct buf *out, const char *text, size_t len); /* blanks skipped; false: not base64 */

#endif
