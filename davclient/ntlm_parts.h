/*
 * ntlm_parts (private to ntlm*.c and their tests): what the pieces hand to each other.
 *
 *   ntlm            levels, messages          ntlm_challenge   Type 2 to struct dav_ntlm_challenge
 *   ntlm_hash       hashes and responses      ntlm_target      the AV pairs that go back
 *   ntlm_text       names, UTF-16
 */
#ifndef DAVCLIENT_NTLM_PARTS_H
#define DAVCLIENT_NTLM_PARTS_H

#include "base/crypto.h"
#include "ntlm.h"

/* MS-NLMP 2.2.2.5, those that mean something here. */
#define DAV_NTLM_UNICODE 0x00000001U
#define DAV_NTLM_OEM 0x00000002U
#define DAV_NTLM_REQUEST_TARGET 0x00000004U
#define DAV_NTLM_NTLM 0x00000200U
#define DAV_NTLM_ALWAYS_SIGN 0x00008000U
#define DAV_NTLM_ESS 0x00080000U
#define DAV_NTLM_TARGET_INFO 0x00800000U
#define DAV_NTLM_VERSION 0x02000000U
#define DAV_NTLM_128 0x20000000U
#define DAV_NTLM_56 0x80000000U

#define DAV_NTLM_AV_FLAG_MIC 0x00000002U

#define DAV_NTLM_KEY_LEN 16
#define DAV_NTLM_RESPONSE_LEN 24 /* all but NTLMv2's */
#define DAV_NTLM_PROOF_LEN 16

#define DAV_NTLM_NAME_UNITS 256
#define DAV_NTLM_PASSWORD_UNITS 256
#define DAV_NTLM_SPN_UNITS 320 /* a host name has 253 characters at most */
#define DAV_NTLM_TEXT_UNITS DAV_NTLM_SPN_UNITS

extern const uint8_t dav_ntlm_signature[8];

/* UTF-16LE */
struct dav_ntlm_text {
    size_t len; /* bytes */
    uint8_t bytes[2 * DAV_NTLM_TEXT_UNITS];
};

/* What became of an account's name. Points into the settings. */
struct dav_ntlm_name {
    const char *user, *domain;
    size_t user_len, domain_len;
};

/* ntlm_text.c. False: not UTF-8, or more than `units`. */
bool dav_ntlm_text_set(struct dav_ntlm_text *out, const char *text, size_t len, size_t units);
bool dav_ntlm_text_upper(struct dav_ntlm_text *text); /* false: this system cannot (no C.UTF-8) */
bool dav_ntlm_text_is_ascii(const struct dav_ntlm_text *text);
void dav_ntlm_name_split(const struct dav_ntlm_settings *settings, struct dav_ntlm_name *ret);
bool dav_ntlm_utf16_to_utf8(const uint8_t *data, size_t len, struct buf *out);

/* ntlm_hash.c. Only after crypto_legacy_start(). */
bool dav_ntlm_lm_possible(const char *password, size_t len, const struct dav_ntlm_name *name);
void dav_ntlm_lm_hash(const char *password, size_t len, uint8_t out[DAV_NTLM_KEY_LEN]); /* if dav_ntlm_lm_possible */
void dav_ntlm_nt_hash(const struct dav_ntlm_text *password, uint8_t out[DAV_NTLM_KEY_LEN]);
bool dav_ntlm_v2_hash(const uint8_t nt_hash[DAV_NTLM_KEY_LEN], const struct dav_ntlm_text *user,
                      const struct dav_ntlm_text *domain, uint8_t out[DAV_NTLM_KEY_LEN]); /* false: as _text_upper */
void dav_ntlm_desl(const uint8_t key[DAV_NTLM_KEY_LEN], const uint8_t nonce[8], uint8_t out[DAV_NTLM_RESPONSE_LEN]);
void dav_ntlm_session_nonce(const uint8_t server[8], const uint8_t client[8], uint8_t out[8]);
void dav_ntlm_lmv2(const uint8_t v2_hash[DAV_NTLM_KEY_LEN], const uint8_t server[8], const uint8_t client[8],
                   uint8_t out[DAV_NTLM_RESPONSE_LEN]);

/* `temp` begins DAV_NTLM_PROOF_LEN bytes after `response`, where the proof goes. */
void dav_ntlm_v2_proof(const uint8_t v2_hash[DAV_NTLM_KEY_LEN], const uint8_t server[8], uint8_t *response, size_t len);
void dav_ntlm_v2_session_key(const uint8_t v2_hash[DAV_NTLM_KEY_LEN], const uint8_t proof[DAV_NTLM_PROOF_LEN],
                             uint8_t out[DAV_NTLM_KEY_LEN]);
void dav_ntlm_mic(const uint8_t session_key[DAV_NTLM_KEY_LEN], const struct crypto_piece messages[3],
                  uint8_t out[DAV_NTLM_KEY_LEN]);
void dav_ntlm_binding(const uint8_t *cert_hash, size_t len, uint8_t out[CRYPTO_LEGACY_LEN]);

/* ntlm_challenge.c: the next pair at *pos; at the end, DAV_NTLM_AV_END. False: it runs past the list. */
struct dav_ntlm_pair {
    unsigned id;
    const uint8_t *value;
    size_t len;
};
bool dav_ntlm_pair_next(const uint8_t *list, size_t len, size_t *pos, struct dav_ntlm_pair *ret);

/* ntlm_target.c: appends the list with its end mark. `spn` may be NULL. */
bool dav_ntlm_target_build(const struct dav_ntlm_challenge *c, const uint8_t *cert_hash, size_t cert_hash_len,
                           const struct dav_ntlm_text *spn, struct buf *out);

/* Little-endian, byte by byte: the message may lie anywhere. */
static inline uint16_t dav_ntlm_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t dav_ntlm_get32(const uint8_t *p)
{
    return dav_ntlm_get16(p) | (uint32_t)dav_ntlm_get16(p + 2) << 16;
}

static inline uint64_t dav_ntlm_get64(const uint8_t *p)
{
    return dav_ntlm_get32(p) | (uint64_t)dav_ntlm_get32(p + 4) << 32;
}

static inline void dav_ntlm_put(uint8_t *p, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

#endif
