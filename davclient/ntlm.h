/*
 * ntlm: the three messages of NTLM (MS-NLMP) as functions on bytes. No connection, no clock, no randomness in here: who
 * holds the connection brings them, keeps the bytes of Type 1 and Type 2 as they travelled, and does base64 and
 * headers.
 *
 *   dav_ntlm_negotiate      settings                      -> Type 1
 *   dav_ntlm_authenticate   settings, password, round     -> Type 3, or why there is none
 *   dav_ntlm_challenge_*    what a Type 2 tells about the server, for the check
 *
 * What is answered follows from the level and from one thing in the challenge, extended session security ("ESS"):
 *
 *   level   challenge      LM field                           NT field
 *   0       any            LM (a copy of NT where there is    NTLMv1
 *   1       without ESS    no LM hash: see ntlm_hash.c)       NTLMv1
 *   1, 2    with ESS       client challenge                   NTLM2 session response
 *   2       without ESS    copy of NT                         NTLMv1
 *   3..5    any            LMv2, or zeros with a MIC          NTLMv2
 *
 * No challenge gets a weaker answer than its row. Levels 4 and 5 differ from 3 on servers only.
 */
#ifndef DAVCLIENT_NTLM_H
#define DAVCLIENT_NTLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define DAV_NTLM_TYPE1_LEN 40
#define DAV_NTLM_TYPE2_MAX 8192  /* a larger challenge is refused unread */
#define DAV_NTLM_TYPE3_MAX 12288 /* in base64 it must pass as one header line */
#define DAV_NTLM_HASH_MAX 64     /* of a certificate: SHA-512 */

enum dav_ntlm_result {
    DAV_NTLM_OK,
    DAV_NTLM_MALFORMED, /* the challenge breaks its own rules, or one of ours on size */
    DAV_NTLM_TOO_WEAK,  /* it can only be answered with what the level forbids */
    DAV_NTLM_NAME,      /* a name that cannot be sent: empty, too long, no UTF-8, or not ASCII towards an OEM server */
    DAV_NTLM_PASSWORD,  /* too long, or no UTF-8 */
    DAV_NTLM_TOO_LARGE, /* the answer would not fit into a header */
    DAV_NTLM_NO_CRYPTO, /* OpenSSL's legacy provider is missing */
};

/* The stable code (cause.h) of a result; "" for DAV_NTLM_OK. */
const char *dav_ntlm_code(enum dav_ntlm_result result);

struct dav_ntlm_settings {
    int level;               /* LmCompatibilityLevel; anything outside 0..5 is taken as 3 */
    const char *user;        /* DOMAIN\user, user@domain or user; UTF-8 */
    const char *domain;      /* of a bare user; NULL: none */
    const char *workstation; /* NULL: a constant that tells nothing */
};

/* One handshake. */
struct dav_ntlm_round {
    const uint8_t *type1, *type2; /* as sent and as received: the MIC is over both */
    size_t type1_len, type2_len;
    uint64_t time;               /* now, as FILETIME: dav_ntlm_filetime() */
    uint8_t client_challenge[8]; /* random, new for each handshake */
    const uint8_t *cert_hash;    /* the server's certificate (RFC 5929 4.1); NULL: not over TLS, or not to be told */
    size_t cert_hash_len;        /* at most DAV_NTLM_HASH_MAX */
    const char *spn;             /* "HTTP/host"; NULL: none */
};

uint64_t dav_ntlm_filetime(int64_t wall_ms);

/* Does this level answer with LM hashes when asked to? For the warning at every start. */
bool dav_ntlm_level_has_lm(int level);

/* Appends DAV_NTLM_TYPE1_LEN bytes. False: they did not fit. */
bool dav_ntlm_negotiate(const struct dav_ntlm_settings *settings, struct buf *out);

/*
 * Appends the Type 3; on any other result `out` is as before and `why` says in a sentence what was wrong (no secret in
 * it). The message is a credential: wipe it after use, never log it.
 */
enum dav_ntlm_result dav_ntlm_authenticate(const struct dav_ntlm_settings *settings, const char *password,
                                           size_t password_len, const struct dav_ntlm_round *round, struct buf *out,
                                           char *why, size_t why_size) __attribute__((warn_unused_result));

/* A Type 2, read. Points into the message. */
struct dav_ntlm_challenge {
    uint32_t flags;
    uint8_t nonce[8];
    const uint8_t *target_name;
    size_t target_name_len;
    const uint8_t *target_info; /* checked AV pairs without their end mark; NULL: the server sent no list */
    size_t target_info_len;
    bool has_time; /* MsvAvTimestamp: the server's clock, and its wish for a MIC */
    uint64_t time;
    uint32_t av_flags; /* MsvAvFlags, 0 when absent */
    bool has_version;
    uint8_t major, minor; /* 5.2 = 2003, 6.0 = 2008, ... */
    uint16_t build;
};

bool dav_ntlm_challenge_parse(const void *data, size_t len, struct dav_ntlm_challenge *ret, char *why, size_t why_size);

/* Names for people, as UTF-8; what is no text becomes U+FFFD. False: not told, or it did not fit. */
bool dav_ntlm_challenge_target(const struct dav_ntlm_challenge *c, struct buf *out);
enum dav_ntlm_av {
    DAV_NTLM_AV_END = 0,
    DAV_NTLM_AV_NB_COMPUTER = 1,
    DAV_NTLM_AV_NB_DOMAIN = 2,
    DAV_NTLM_AV_DNS_COMPUTER = 3,
    DAV_NTLM_AV_DNS_DOMAIN = 4,
    DAV_NTLM_AV_DNS_FOREST = 5,
    DAV_NTLM_AV_FLAGS = 6,
    DAV_NTLM_AV_TIME = 7,
    DAV_NTLM_AV_SINGLE_HOST = 8,
    DAV_NTLM_AV_TARGET_NAME = 9,
    DAV_NTLM_AV_BINDING = 10,
};
bool dav_ntlm_challenge_name(const struct dav_ntlm_challenge *c, enum dav_ntlm_av which, struct buf *out);

#endif
