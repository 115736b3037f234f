/*
 * auth_basic: the Basic scheme (RFC 7617). Stateless: every request carries name and password. The text goes out as
 * UTF-8, as the configuration has it; the servers do not say which charset they expect.
 */
#include "auth.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/secret.h"

#define CREDENTIAL_MAX (SECRET_MAX + 1024)

static bool accepts(const char *user, char *why, size_t why_size);
static bool line(const char *user, const struct secret *secret, struct buf *out);

const struct dav_auth_ops dav_auth_basic = {
    .scheme = DAV_SCHEME_BASIC,
    .shows_secret = true,
    .accepts = accepts,
    .line = line,
};

static bool accepts(const char *user, char *why, size_t why_size)
{
    for (const char *p = user; *p; p++) {
        if (*p == ':' || (unsigned char)*p < 0x20 || *p == 0x7f) {
            snprintf(why, why_size, "the account name has a colon or a control character, which Basic cannot carry");
            return false;
        }
    }
    return true;
}

static bool line(const char *user, const struct secret *secret, struct buf *out)
{
    struct buf plain;
    size_t len;
    const char *bytes = secret_bytes(secret, &len);
    bool ok;

    buf_init(&plain, CREDENTIAL_MAX);
    buf_adds(&plain, user);
    buf_addc(&plain, ':');
    buf_add(&plain, bytes, len);
    ok = !plain.failed && buf_adds(out, "Authorization: Basic ") && crypto_base64_encode(out, plain.data, plain.len);
    buf_wipe(&plain);
    return ok;
}
