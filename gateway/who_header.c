/*
 * who_header: see who_header.h. RFC 6750 2.1 and RFC 7617, no more: what is longer than a name or a secret may be, has
 * a NUL or a control character, or is not the one way to write it in base64, is no credential at all.
 */
#include "who_header.h"

#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"

enum { HEADER_MAX = 1400, DECODED_MAX = GW_AUTH_NAME_MAX + 1 + GW_AUTH_SECRET_MAX };

static bool take_bearer(const char *text, struct gw_auth *ret);
static bool take_basic(const char *text, struct gw_auth *ret);
static bool split(const char *text, size_t len, struct gw_auth *ret);

enum gw_auth_kind gw_auth_parse(const char *header, struct gw_auth *ret)
{
    *ret = (struct gw_auth){.kind = GW_AUTH_BAD};
    if (strlen(header) > HEADER_MAX)
        return GW_AUTH_BAD;
    if (str_starts_nocase(header, "bearer ") && take_bearer(header + strlen("bearer "), ret))
        ret->kind = GW_AUTH_BEARER;
    else if (str_starts_nocase(header, "basic ") && take_basic(header + strlen("basic "), ret))
        ret->kind = GW_AUTH_BASIC;
    return ret->kind;
}

static bool take_bearer(const char *text, struct gw_auth *ret)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t len = strlen(text);
    text = str_trim(text, &len);
    size_t plain = strspn(text, letters);
    if (plain == 0 || len > GW_AUTH_SECRET_MAX || plain + strspn(text + plain, "=") < len)
        return false;
    memcpy(ret->secret, text, len);
    ret->secret_len = len;
    return true;
}

static bool take_basic(const char *text, struct gw_auth *ret)
{
    struct buf b;
    size_t len = strlen(text);
    text = str_trim(text, &len);
    buf_init(&b, DECODED_MAX);
    bool ok =
        strcspn(text, " \t") >= len && crypto_base64_decode(&b, text, len) && b.len > 0 && split(b.data, b.len, ret);
    buf_wipe(&b);
    return ok;
}

static bool split(const char *text, size_t len, struct gw_auth *ret)
{
    const char *colon = memchr(text, ':', len);
    if (!colon || colon == text || !str_is_utf8(text, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            return false;
    size_t name_len = (size_t)(colon - text), secret_len = len - name_len - 1;
    if (name_len > GW_AUTH_NAME_MAX || secret_len > GW_AUTH_SECRET_MAX || secret_len == 0)
        return false;
    memcpy(ret->name, text, name_len);
    memcpy(ret->secret, colon + 1, secret_len);
    ret->secret_len = secret_len;
    return true;
}
