/*
 * ntlm_target: the list of AV pairs that goes back inside an NTLMv2 response, and so under its proof: the server's own,
 * in its order, those we do not know too, with what only we can tell (MS-NLMP 3.1.5.1.2):
 *
 *   flags             MIC present, when the server told its time; other bits as the server had them
 *   channel binding   which TLS server this answer was made for; a relay has another certificate
 *   target name       which service it was made for
 *
 * What the server says in the places of these three is not repeated: it would be our word then.
 */
#include "base/buf.h"
#include "ntlm_parts.h"

static bool add_pair(struct buf *out, unsigned id, const void *value, size_t len);
static bool copy_pairs(const struct dav_ntlm_challenge *c, struct buf *out);
static bool add_flags(const struct dav_ntlm_challenge *c, struct buf *out);

bool dav_ntlm_target_build(const struct dav_ntlm_challenge *c, const uint8_t *cert_hash, size_t cert_hash_len,
                           const struct dav_ntlm_text *spn, struct buf *out)
{
    uint8_t binding[CRYPTO_LEGACY_LEN];

    /* A server that sends no list is older than the pairs: an empty one goes back. */
    if (c->target_info) {
        if (!copy_pairs(c, out) || !add_flags(c, out))
            return false;
        if (cert_hash) {
            dav_ntlm_binding(cert_hash, cert_hash_len, binding);
            if (!add_pair(out, DAV_NTLM_AV_BINDING, binding, sizeof(binding)))
                return false;
        }
        if (spn && !add_pair(out, DAV_NTLM_AV_TARGET_NAME, spn->bytes, spn->len))
            return false;
    }
    return add_pair(out, DAV_NTLM_AV_END, NULL, 0);
}

static bool copy_pairs(const struct dav_ntlm_challenge *c, struct buf *out)
{
    struct dav_ntlm_pair pair;
    size_t pos = 0;

    while (dav_ntlm_pair_next(c->target_info, c->target_info_len, &pos, &pair) && pair.id != DAV_NTLM_AV_END) {
        if (pair.id == DAV_NTLM_AV_FLAGS || pair.id == DAV_NTLM_AV_TARGET_NAME || pair.id == DAV_NTLM_AV_BINDING)
            continue;
        if (!add_pair(out, pair.id, pair.value, pair.len))
            return false;
    }
    return true;
}

/* The MIC bit is a promise: set exactly when a MIC follows, or the server refuses the answer. */
static bool add_flags(const struct dav_ntlm_challenge *c, struct buf *out)
{
    uint32_t flags = (c->av_flags & ~DAV_NTLM_AV_FLAG_MIC) | (c->has_time ? DAV_NTLM_AV_FLAG_MIC : 0);
    uint8_t value[4];

    if (flags == 0)
        return true;
    dav_ntlm_put(value, flags, sizeof(value));
    return add_pair(out, DAV_NTLM_AV_FLAGS, value, sizeof(value));
}

static bool add_pair(struct buf *out, unsigned id, const void *value, size_t len)
{
    uint8_t head[4];

    dav_ntlm_put(head, id, 2);
    dav_ntlm_put(head + 2, len, 2);
    return buf_add(out, head, sizeof(head)) && (len == 0 || buf_add(out, value, len));
}
