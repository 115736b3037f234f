/* ntlm_kit: what the tests of NTLM share: hex, a Type 2 made to measure, and the fields of a Type 3 as a server reads
 * them. */
#ifndef TEST_NTLM_KIT_H
#define TEST_NTLM_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ntlm_parts.h"

#define KIT_MAX 16384
#define KIT_FLAGS (DAV_NTLM_UNICODE | DAV_NTLM_NTLM | DAV_NTLM_TARGET_INFO | DAV_NTLM_ESS | DAV_NTLM_ALWAYS_SIGN)

struct bytes {
    size_t len;
    uint8_t data[KIT_MAX];
};

static inline void kit_add(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len > KIT_MAX)
        abort();
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

static inline void kit_add_number(struct bytes *b, uint64_t value, size_t len)
{
    uint8_t bytes[8];

    dav_ntlm_put(bytes, value, len);
    kit_add(b, bytes, len);
}

static inline struct bytes kit_unhex(const char *hex)
{
    struct bytes b = {0};
    unsigned value;

    for (; hex[0] && hex[1]; hex += 2) {
        if (sscanf(hex, "%2x", &value) != 1)
            abort();
        kit_add(&b, &(uint8_t){(uint8_t)value}, 1);
    }
    return b;
}

static inline bool kit_is(const void *data, size_t len, const char *hex)
{
    struct bytes b = kit_unhex(hex);

    return b.len == len && (len == 0 || memcmp(b.data, data, len) == 0);
}

static inline void kit_add_pair(struct bytes *b, unsigned id, const void *value, size_t len)
{
    kit_add_number(b, id, 2);
    kit_add_number(b, len, 2);
    kit_add(b, value, len);
}

/* 56-byte header, target name "S" as UTF-16, then the info. */
static inline struct bytes kit_type2(uint32_t flags, const uint8_t nonce[8], const struct bytes *info)
{
    struct bytes b = {0};
    size_t info_len = info ? info->len : 0;

    kit_add(&b, dav_ntlm_signature, 8);
    kit_add_number(&b, 2, 4);
    kit_add_number(&b, 2, 2);
    kit_add_number(&b, 2, 2);
    kit_add_number(&b, 56, 4);
    kit_add_number(&b, flags, 4);
    kit_add(&b, nonce, 8);
    kit_add_number(&b, 0, 8);
    kit_add_number(&b, info_len, 2);
    kit_add_number(&b, info_len, 2);
    kit_add_number(&b, 58, 4);
    kit_add_number(&b, 0, 8);
    kit_add(&b, "S", 2);
    if (info)
        kit_add(&b, info->data, info->len);
    return b;
}

/* The fields of a Type 3, by where they stand in its header. */
enum kit_field { KIT_LM = 12, KIT_NT = 20, KIT_DOMAIN = 28, KIT_USER = 36, KIT_WORKSTATION = 44, KIT_KEY = 52 };
#define KIT_FLAGS_AT 60
#define KIT_MIC_AT 72

static inline const uint8_t *kit_field(const void *message, size_t message_len, enum kit_field field, size_t *ret_len)
{
    const uint8_t *p = message;
    size_t len = dav_ntlm_get16(p + field), offset = dav_ntlm_get32(p + field + 4);

    if (offset > message_len || len > message_len - offset) {
        fprintf(stderr, "field %d of the message is not inside it\n", field);
        abort();
    }
    *ret_len = len;
    return p + offset;
}

/* Finds a pair in the temp part of an NTLMv2 response. NULL: not there. */
static inline const uint8_t *kit_sent_pair(const uint8_t *nt, size_t nt_len, unsigned id, size_t *ret_len)
{
    size_t pos = 0, head = DAV_NTLM_PROOF_LEN + 28;
    struct dav_ntlm_pair pair;

    while (dav_ntlm_pair_next(nt + head, nt_len - head, &pos, &pair) && pair.id != DAV_NTLM_AV_END) {
        if (pair.id == id) {
            *ret_len = pair.len;
            return pair.value;
        }
    }
    return NULL;
}

#endif
