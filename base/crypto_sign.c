/*
 * crypto_sign: see crypto_sign.h. The relay's two ends are its users: one signs what it sends, the other believes
 * nothing that is not signed by a key it was given. OpenSSL does the work; here is what a file may hold and what a key
 * is called.
 */
#include "base/crypto_sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

struct crypto_sign_key {
    EVP_PKEY *key;
    char id[CRYPTO_SIGN_ID_LEN + 1];
};

static struct crypto_sign_key *from_file(const char *path, bool is_private, char *why, size_t why_size);
static bool name(struct crypto_sign_key *k);
static int no_passphrase(char *out, int size, int writing, void *arg);

struct crypto_sign_key *crypto_sign_private(const char *path, char *why, size_t why_size)
{
    return from_file(path, true, why, why_size);
}

struct crypto_sign_key *crypto_sign_public(const char *path, char *why, size_t why_size)
{
    return from_file(path, false, why, why_size);
}

void crypto_sign_free(struct crypto_sign_key **key)
{
    if (!*key)
        return;
    EVP_PKEY_free((*key)->key);
    free(*key);
    *key = NULL;
}

const char *crypto_sign_id(const struct crypto_sign_key *key)
{
    return key->id;
}

void crypto_sign(const struct crypto_sign_key *key, const void *data, size_t len, uint8_t out[CRYPTO_SIGN_LEN])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = CRYPTO_SIGN_LEN;

    if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) != 1 ||
        EVP_DigestSign(context, out, &size, data, len) != 1 || size != CRYPTO_SIGN_LEN) {
        log_error("crypto", "a signature cannot be made");
        abort();
    }
    EVP_MD_CTX_free(context);
}

bool crypto_sign_verify(const struct crypto_sign_key *key, const void *data, size_t len,
                        const uint8_t signature[CRYPTO_SIGN_LEN])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->key) == 1 &&
                EVP_DigestVerify(context, signature, CRYPTO_SIGN_LEN, data, len) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

static struct crypto_sign_key *from_file(const char *path, bool is_private, char *why, size_t why_size)
{
    FILE *file = fopen(path, "re");
    struct crypto_sign_key *k = mem_calloc(1, sizeof(*k));

    if (file) {
        k->key = is_private ? PEM_read_PrivateKey(file, NULL, no_passphrase, NULL)
                            : PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);
        fclose(file);
    }
    ERR_clear_error();
    if (k->key && EVP_PKEY_get_base_id(k->key) == EVP_PKEY_ED25519 && name(k))
        return k;
    snprintf(why, why_size, "%s: %s", path,
             !file                 ? "cannot be read"
             : !k->key && is_private ? "is no private key in PEM without a passphrase"
             : !k->key             ? "is no public key in PEM"
                                   : "is no Ed25519 key");
    crypto_sign_free(&k);
    return NULL;
}

static bool name(struct crypto_sign_key *k)
{
    uint8_t raw[32], digest[CRYPTO_SHA256_LEN];
    size_t len = sizeof(raw);

    if (EVP_PKEY_get_raw_public_key(k->key, raw, &len) != 1)
        return false;
    crypto_sha256(raw, len, digest);
    for (size_t i = 0; i < CRYPTO_SIGN_ID_LEN / 2; i++)
        snprintf(k->id + 2 * i, 3, "%02x", digest[i]);
    return true;
}

/* A daemon has nobody to ask. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}
