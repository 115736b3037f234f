/*
 * ntlm_hash: the arithmetic of NTLM (MS-NLMP 3.3.1, 3.3.2, 3.1.5.1.2), one small function for each term. ntlm.c puts
 * them together; the tests hold each against published values.
 *
 * About LM: its hash is made of at most 14 characters in the OEM code page of the server's machines, which nobody here
 * knows. So it is made of ASCII only, never of a password cut to 14, and never for user@domain names (whose LM answers
 * servers refuse). Where it cannot be made, the NTLMv1 answer stands in its field as well, as it does at level 2.
 *
 * Whatever is a key here is wiped before returning.
 */
#include <string.h>

#include "base/mem.h"
#include "ntlm_parts.h"

#define LM_PASSWORD_MAX 14
#define LM_HALF 7

static void des_with_7(const uint8_t key[LM_HALF], const uint8_t block[8], uint8_t out[8]);

bool dav_ntlm_lm_possible(const char *password, size_t len, const struct dav_ntlm_name *name)
{
    if (len > LM_PASSWORD_MAX || memchr(name->user, '@', name->user_len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)password[i] > 0x7F)
            return false;
    return true;
}

void dav_ntlm_lm_hash(const char *password, size_t len, uint8_t out[DAV_NTLM_KEY_LEN])
{
    static const uint8_t constant[8] = {'K', 'G', 'S', '!', '@', '#', '$', '%'};
    uint8_t padded[LM_PASSWORD_MAX] = {0};

    for (size_t i = 0; i < len && i < LM_PASSWORD_MAX; i++)
        padded[i] = (uint8_t)(password[i] >= 'a' && password[i] <= 'z' ? password[i] - 0x20 : password[i]);
    des_with_7(padded, constant, out);
    des_with_7(padded + LM_HALF, constant, out + 8);
    mem_wipe(padded, sizeof(padded));
}

void dav_ntlm_nt_hash(const struct dav_ntlm_text *password, uint8_t out[DAV_NTLM_KEY_LEN])
{
    struct crypto_piece piece = {password->bytes, password->len};

    crypto_legacy_md4(&piece, 1, out);
}

bool dav_ntlm_v2_hash(const uint8_t nt_hash[DAV_NTLM_KEY_LEN], const struct dav_ntlm_text *user,
                      const struct dav_ntlm_text *domain, uint8_t out[DAV_NTLM_KEY_LEN])
{
    struct dav_ntlm_text upper = *user;
    struct crypto_piece pieces[] = {{upper.bytes, upper.len}, {domain->bytes, domain->len}};

    if (!dav_ntlm_text_upper(&upper))
        return false;
    crypto_legacy_hmac_md5(nt_hash, DAV_NTLM_KEY_LEN, pieces, 2, out);
    return true;
}

/* DESL: the key, padded with zeros to 21 bytes, encrypts the nonce three times. */
void dav_ntlm_desl(const uint8_t key[DAV_NTLM_KEY_LEN], const uint8_t nonce[8], uint8_t out[DAV_NTLM_RESPONSE_LEN])
{
    uint8_t padded[3 * LM_HALF] = {0};

    memcpy(padded, key, DAV_NTLM_KEY_LEN);
    for (size_t i = 0; i < 3; i++)
        des_with_7(padded + i * LM_HALF, nonce, out + 8 * i);
    mem_wipe(padded, sizeof(padded));
}

/* What takes the server's challenge's place in an NTLM2 session response. */
void dav_ntlm_session_nonce(const uint8_t server[8], const uint8_t client[8], uint8_t out[8])
{
    struct crypto_piece pieces[] = {{server, 8}, {client, 8}};
    uint8_t digest[CRYPTO_LEGACY_LEN];

    crypto_legacy_md5(pieces, 2, digest);
    memcpy(out, digest, 8);
}

void dav_ntlm_lmv2(const uint8_t v2_hash[DAV_NTLM_KEY_LEN], const uint8_t server[8], const uint8_t client[8],
                   uint8_t out[DAV_NTLM_RESPONSE_LEN])
{
    struct crypto_piece pieces[] = {{server, 8}, {client, 8}};

    crypto_legacy_hmac_md5(v2_hash, DAV_NTLM_KEY_LEN, pieces, 2, out);
    memcpy(out + CRYPTO_LEGACY_LEN, client, 8);
}

void dav_ntlm_v2_proof(const uint8_t v2_hash[DAV_NTLM_KEY_LEN], const uint8_t server[8], uint8_t *response, size_t len)
{
    struct crypto_piece pieces[] = {{server, 8}, {response + DAV_NTLM_PROOF_LEN, len - DAV_NTLM_PROOF_LEN}};

    crypto_legacy_hmac_md5(v2_hash, DAV_NTLM_KEY_LEN, pieces, 2, response);
}

void dav_ntlm_v2_session_key(const uint8_t v2_hash[DAV_NTLM_KEY_LEN], const uint8_t proof[DAV_NTLM_PROOF_LEN],
                             uint8_t out[DAV_NTLM_KEY_LEN])
{
    struct crypto_piece piece = {proof, DAV_NTLM_PROOF_LEN};

    crypto_legacy_hmac_md5(v2_hash, DAV_NTLM_KEY_LEN, &piece, 1, out);
}

/* The third message comes with zeros where the MIC will stand. */
void dav_ntlm_mic(const uint8_t session_key[DAV_NTLM_KEY_LEN], const struct crypto_piece messages[3],
                  uint8_t out[DAV_NTLM_KEY_LEN])
{
    crypto_legacy_hmac_md5(session_key, DAV_NTLM_KEY_LEN, messages, 3, out);
}

/* MD5 over a gss_channel_bindings_struct (RFC 2744 3.11): four empty address words, then the application data. */
void dav_ntlm_binding(const uint8_t *cert_hash, size_t len, uint8_t out[CRYPTO_LEGACY_LEN])
{
    static const char prefix[] = "tls-server-end-point:"; /* RFC 5929 4 */
    uint8_t head[20] = {0};
    struct crypto_piece pieces[] = {{head, sizeof(head)}, {prefix, sizeof(prefix) - 1}, {cert_hash, len}};

    dav_ntlm_put(head + 16, sizeof(prefix) - 1 + len, 4);
    crypto_legacy_md5(pieces, 3, out);
}

/* 56 key bits, spread over eight bytes with room for a parity bit that nobody looks at. */
static void des_with_7(const uint8_t key[LM_HALF], const uint8_t block[8], uint8_t out[8])
{
    uint64_t bits = 0;
    uint8_t spread[CRYPTO_DES_LEN];

    for (size_t i = 0; i < LM_HALF; i++)
        bits = bits << 8 | key[i];
    for (size_t i = 0; i < CRYPTO_DES_LEN; i++)
        spread[i] = (uint8_t)(bits >> (49 - 7 * i) << 1);
    crypto_legacy_des(spread, block, out);
    mem_wipe(spread, sizeof(spread));
    mem_wipe(&bits, sizeof(bits));
}
