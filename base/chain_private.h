/* chain_private: what writer and reader share. */
#ifndef BASE_CHAIN_PRIVATE_H
#define BASE_CHAIN_PRIVATE_H

#include "base/chain.h"

#define CHAIN_WORD " chain="
#define CHAIN_BEGIN "chain-begins previous="

/* FILE, FILE.1 ...; malloc'ed. */
char *chain_file(const char *path, unsigned number);

/* The digest of `text` (without its chain) behind `previous`. */
void chain_digest(const char *previous, const char *text, size_t len, char out[CHAIN_HEX]);

/* One word that may be sealed: KEY=VALUE:NONCE:DIGEST. */
struct chain_sealed {
    const char *key, *value, *nonce, *digest;
    size_t key_len, value_len, nonce_len;
};
enum { CHAIN_NONCE = 16, CHAIN_SEAL = 32 }; /* hex digits */
bool chain_is_sealed(const char *word, size_t len, struct chain_sealed *ret);
void chain_seal_digest(const char *nonce, const char *value, size_t value_len, char out[CHAIN_HEX]);

#endif
