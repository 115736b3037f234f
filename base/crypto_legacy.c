/*
 * crypto_legacy: MD4, MD5, HMAC-MD5, single DES and RC4, which NTLM is made of. OpenSSL 3 keeps most of them in its
 * `legacy` provider. We load that one, and `default` beside it, into a library context of our own: what is fetched from
 * there serves whoever calls these functions, while the program's TLS goes on not knowing it.
 *
 * Everything is fetched once, at the first start(), and kept in `tools`. A fetch that fails means that the system has
 * no legacy provider, which is the caller's misfortune (NTLM is not available); an operation that fails afterwards
 * means that the library is broken, which ends the program as a failing SHA-256 does.
 */
#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static struct {
    OSSL_LIB_CTX *library;
    OSSL_PROVIDER *legacy, *standard;
    EVP_MD *md4, *md5;
    EVP_MAC *hmac;
    EVP_CIPHER *des, *rc4;
} tools;

static const char *fetch_all(void);
static void digest(EVP_MD *md, const struct crypto_piece *pieces, size_t count, uint8_t *out);
static void encrypt(EVP_CIPHER *cipher, const uint8_t *key, const void *data, size_t len, void *out);
static void die(const char *what) __attribute__((noreturn));

bool crypto_legacy_start(char *why, size_t why_size)
{
    const char *missing;

    if (tools.library)
        return true;
    missing = fetch_all();
    if (!missing)
        return true;
    crypto_legacy_stop();
    snprintf(why, why_size, "OpenSSL has no %s here (it comes with the provider \"legacy\", legacy.so)", missing);
    return false;
}

void crypto_legacy_stop(void)
{
    EVP_MD_free(tools.md4);
    EVP_MD_free(tools.md5);
    EVP_MAC_free(tools.hmac);
    EVP_CIPHER_free(tools.des);
    EVP_CIPHER_free(tools.rc4);
    if (tools.legacy)
        OSSL_PROVIDER_unload(tools.legacy);
    if (tools.standard)
        OSSL_PROVIDER_unload(tools.standard);
    OSSL_LIB_CTX_free(tools.library);
    tools = (__typeof__(tools)){0};
}

void crypto_legacy_md4(const struct crypto_piece *pieces, size_t count, uint8_t out[CRYPTO_LEGACY_LEN])
{
    digest(tools.md4, pieces, count, out);
}

void crypto_legacy_md5(const struct crypto_piece *pieces, size_t count, uint8_t out[CRYPTO_LEGACY_LEN])
{
    digest(tools.md5, pieces, count, out);
}

void crypto_legacy_hmac_md5(const uint8_t *key, size_t key_len, const struct crypto_piece *pieces, size_t count,
                            uint8_t out[CRYPTO_LEGACY_LEN])
{
    char name[] = "MD5";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(tools.hmac);
    bool ok = ctx && EVP_MAC_init(ctx, key, key_len, params) == 1;
    size_t len;

    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_MAC_update(ctx, pieces[i].data, pieces[i].len) == 1;
    if (!ok || EVP_MAC_final(ctx, out, &len, CRYPTO_LEGACY_LEN) != 1)
        die("HMAC-MD5 failed");
    EVP_MAC_CTX_free(ctx);
}

void crypto_legacy_des(const uint8_t key[CRYPTO_DES_LEN], const uint8_t block[CRYPTO_DES_LEN],
                       uint8_t out[CRYPTO_DES_LEN])
{
    encrypt(tools.des, key, block, CRYPTO_DES_LEN, out);
}

void crypto_legacy_rc4(const uint8_t key[CRYPTO_LEGACY_LEN], const void *data, size_t len, void *out)
{
    encrypt(tools.rc4, key, data, len, out);
}

/* Returns what could not be had. */
static const char *fetch_all(void)
{
    tools.library = OSSL_LIB_CTX_new();
    if (!tools.library)
        return "second library context";
    /* With one provider loaded by hand the default one does not come by itself, and MD5 and HMAC live there. */
    tools.legacy = OSSL_PROVIDER_load(tools.library, "legacy");
    tools.standard = OSSL_PROVIDER_load(tools.library, "default");
    tools.md4 = EVP_MD_fetch(tools.library, "MD4", NULL);
    tools.md5 = EVP_MD_fetch(tools.library, "MD5", NULL);
    tools.hmac = EVP_MAC_fetch(tools.library, "HMAC", NULL);
    tools.des = EVP_CIPHER_fetch(tools.library, "DES-ECB", NULL);
    tools.rc4 = EVP_CIPHER_fetch(tools.library, "RC4", NULL);
    return !tools.md4    ? "MD4"
           : !tools.md5  ? "MD5"
           : !tools.hmac ? "HMAC"
           : !tools.des  ? "DES"
           : !tools.rc4  ? "RC4"
                         : NULL;
}

static void digest(EVP_MD *md, const struct crypto_piece *pieces, size_t count, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = md && ctx && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) == 1;
    if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        die("MD4 or MD5 failed");
    EVP_MD_CTX_free(ctx);
}

static void encrypt(EVP_CIPHER *cipher, const uint8_t *key, const void *data, size_t len, void *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = cipher && ctx && len <= INT32_MAX && EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1;
    int done;

    if (!ok || EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 || EVP_EncryptUpdate(ctx, out, &done, data, (int)len) != 1)
        die("DES or RC4 failed");
    EVP_CIPHER_CTX_free(ctx);
}

static void die(const char *what)
{
    log_error("crypto", "%s", what);
    abort();
}
