/*
 * ntlm_challenge: reads a Type 2 message. Everything in it is a stranger's claim: each offset is compared with the
 * length of the message before it is used, and lengths are compared with what is left behind the offset, so that no sum
 * can wrap. After a successful parse the target name and every AV pair are known to lie inside, and apart.
 *
 * Old servers send short headers: 32 bytes (nothing behind the nonce) or 48 (no version). Where the header ends can
 * only be told from the length of the message and from where the payload begins.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "ntlm_parts.h"

#define HEADER_SHORT 32
#define HEADER_INFO 48 /* with the field for the target info */
#define HEADER_VERSION 56
#define TYPE_CHALLENGE 2
#define AV_HEADER 4

const uint8_t dav_ntlm_signature[8] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0};

static const char *read_message(const uint8_t *p, size_t len, struct dav_ntlm_challenge *ret);
static const char *read_fields(const uint8_t *p, size_t len, struct dav_ntlm_challenge *ret);
static bool read_field(const uint8_t *p, size_t len, size_t at, size_t header, const uint8_t **ret, size_t *ret_len);
static bool overlap(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
static const char *read_pairs(struct dav_ntlm_challenge *ret);
static void read_version(const uint8_t *p, size_t len, struct dav_ntlm_challenge *ret);

bool dav_ntlm_challenge_parse(const void *data, size_t len, struct dav_ntlm_challenge *ret, char *why, size_t why_size)
{
    struct dav_ntlm_challenge c = {0};
    const char *wrong = read_message(data, len, &c);

    if (wrong) {
        snprintf(why, why_size, "%s", wrong);
        return false;
    }
    *ret = c;
    return true;
}

bool dav_ntlm_challenge_target(const struct dav_ntlm_challenge *c, struct buf *out)
{
    if (c->target_name_len == 0)
        return false;
    if (c->flags & DAV_NTLM_UNICODE)
        return dav_ntlm_utf16_to_utf8(c->target_name, c->target_name_len, out);
    for (size_t i = 0; i < c->target_name_len; i++) /* some code page; only its ASCII half is sure */
        if (c->target_name[i] > 0 && c->target_name[i] < 0x80 ? !buf_addc(out, (char)c->target_name[i])
                                                              : !buf_adds(out, "\xEF\xBF\xBD"))
            return false;
    return true;
}

bool dav_ntlm_challenge_name(const struct dav_ntlm_challenge *c, enum dav_ntlm_av which, struct buf *out)
{
    struct dav_ntlm_pair pair;
    size_t pos = 0;

    while (c->target_info && dav_ntlm_pair_next(c->target_info, c->target_info_len, &pos, &pair) &&
           pair.id != DAV_NTLM_AV_END)
        if (pair.id == (unsigned)which)
            return dav_ntlm_utf16_to_utf8(pair.value, pair.len, out);
    return false;
}

bool dav_ntlm_pair_next(const uint8_t *list, size_t len, size_t *pos, struct dav_ntlm_pair *ret)
{
    size_t left = len - *pos;
    const uint8_t *p = list + *pos;

    *ret = (struct dav_ntlm_pair){.id = DAV_NTLM_AV_END};
    if (left == 0) /* the end mark is missing; the end of the list does as well */
        return true;
    if (left < AV_HEADER)
        return false;
    if (dav_ntlm_get16(p) == DAV_NTLM_AV_END)
        return true;
    if (dav_ntlm_get16(p + 2) > left - AV_HEADER)
        return false;
    *ret = (struct dav_ntlm_pair){.id = dav_ntlm_get16(p), .value = p + AV_HEADER, .len = dav_ntlm_get16(p + 2)};
    *pos += AV_HEADER + ret->len;
    return true;
}

/* Each of the readers returns what is wrong, or NULL. */
static const char *read_message(const uint8_t *p, size_t len, struct dav_ntlm_challenge *ret)
{
    const char *wrong;

    if (len < HEADER_SHORT)
        return "the challenge is shorter than its fixed part";
    if (len > DAV_NTLM_TYPE2_MAX)
        return "the challenge is larger than any real one";
    if (memcmp(p, dav_ntlm_signature, sizeof(dav_ntlm_signature)) != 0)
        return "the challenge does not begin with NTLMSSP";
    if (dav_ntlm_get32(p + 8) != TYPE_CHALLENGE)
        return "the message is no challenge";
    ret->flags = dav_ntlm_get32(p + 20);
    memcpy(ret->nonce, p + 24, sizeof(ret->nonce));
    wrong = read_fields(p, len, ret);
    if (!wrong)
        read_version(p, len, ret);
    return wrong;
}

static const char *read_fields(const uint8_t *p, size_t len, struct dav_ntlm_challenge *ret)
{
    bool has_info = len >= HEADER_INFO && (ret->flags & DAV_NTLM_TARGET_INFO);
    size_t header = has_info ? HEADER_INFO : HEADER_SHORT;

    if (!read_field(p, len, 12, header, &ret->target_name, &ret->target_name_len))
        return "the target name of the challenge is not inside it";
    if (!has_info) /* without the flag the field may hold anything */
        return NULL;
    if (!read_field(p, len, 40, header, &ret->target_info, &ret->target_info_len))
        return "the target info of the challenge is not inside it";
    if (overlap(ret->target_name, ret->target_name_len, ret->target_info, ret->target_info_len))
        return "target name and target info of the challenge overlap";
    return read_pairs(ret);
}

/* A field is length, allocated length (which nobody uses) and offset. An empty one may point anywhere. */
static bool read_field(const uint8_t *p, size_t len, size_t at, size_t header, const uint8_t **ret, size_t *ret_len)
{
    size_t size = dav_ntlm_get16(p + at), offset = dav_ntlm_get32(p + at + 4);

    *ret = p + header;
    *ret_len = size;
    if (size == 0)
        return true;
    if (offset < header || offset > len || size > len - offset)
        return false;
    *ret = p + offset;
    return true;
}

static bool overlap(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len > 0 && b_len > 0 && a < b + b_len && b < a + a_len;
}

/* Walks the whole list once, so that nobody after us can step out of it. */
static const char *read_pairs(struct dav_ntlm_challenge *ret)
{
    struct dav_ntlm_pair pair;
    size_t pos = 0;
    bool has_flags = false;

    for (;;) {
        if (!dav_ntlm_pair_next(ret->target_info, ret->target_info_len, &pos, &pair))
            return "a pair of the target info runs past its end";
        if (pair.id == DAV_NTLM_AV_END)
            break;
        if (pair.id == DAV_NTLM_AV_TIME) {
            if (pair.len != 8 || ret->has_time)
                return "the challenge has a broken timestamp";
            ret->has_time = true;
            ret->time = dav_ntlm_get64(pair.value);
        }
        if (pair.id == DAV_NTLM_AV_FLAGS) {
            if (pair.len != 4 || has_flags)
                return "the target info has broken flags";
            has_flags = true;
            ret->av_flags = dav_ntlm_get32(pair.value);
        }
    }
    ret->target_info_len = pos; /* without end mark, and whatever may stand behind it */
    return NULL;
}

static void read_version(const uint8_t *p, size_t len, struct dav_ntlm_challenge *ret)
{
    if (!(ret->flags & DAV_NTLM_VERSION) || len < HEADER_VERSION)
        return;
    if ((ret->target_name_len > 0 && ret->target_name < p + HEADER_VERSION) ||
        (ret->target_info_len > 0 && ret->target_info < p + HEADER_VERSION))
        return; /* payload stands where the version would */
    ret->has_version = true;
    ret->major = p[48];
    ret->minor = p[49];
    ret->build = dav_ntlm_get16(p + 50);
}
