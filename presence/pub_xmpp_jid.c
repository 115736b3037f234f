/*
 * pub_xmpp_jid: see pub_xmpp_jid.h. Servers are known to pass on what clients wrote, so everything that comes in is
 * parsed and folded here before it is compared or stored.
 */
#include "pub_xmpp_jid.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"

/* XEP-0106 3: the characters that a local part may not have, and how they are written. */
static const struct {
    char c;
    const char *code;
} escapes[] = {{' ', "20"}, {'"', "22"}, {'&', "26"}, {'\'', "27"}, {'/', "2f"},
               {':', "3a"}, {'<', "3c"}, {'>', "3e"}, {'@', "40"},  {'\\', "5c"}};
enum { ESCAPES = sizeof escapes / sizeof escapes[0] };

static bool copy_part(const char *text, size_t len, const char *forbidden, char *out);
static int escape_at(const char *text, size_t len);

bool pres_jid_parse(const char *text, struct pres_jid *ret)
{
    if (!text || !str_is_utf8(text, strlen(text)))
        return false;
    const char *slash = strchr(text, '/');
    size_t bare_len = slash ? (size_t)(slash - text) : strlen(text);
    const char *at = memchr(text, '@', bare_len);
    size_t local_len = at ? (size_t)(at - text) : 0;
    const char *domain = at ? at + 1 : text;
    size_t domain_len = bare_len - (size_t)(domain - text);
    if (domain_len > 1 && domain[domain_len - 1] == '.') /* RFC 7622 3.2: the root's dot does not count */
        domain_len--;
    ret->local[0] = ret->resource[0] = '\0';
    if ((at && (local_len == 0 || !copy_part(text, local_len, " \"&'/:<>@", ret->local))) || domain_len == 0 ||
        !copy_part(domain, domain_len, " \"&'/\\<>@", ret->domain) ||
        (slash && (!slash[1] || !copy_part(slash + 1, strlen(slash + 1), "", ret->resource))))
        return false;
    str_lower(ret->local);
    str_lower(ret->domain);
    size_t len = strlen(ret->local);
    memcpy(ret->bare, ret->local, len);
    if (len > 0)
        ret->bare[len++] = '@';
    memcpy(ret->bare + len, ret->domain, strlen(ret->domain) + 1);
    return true;
}

bool pres_jid_escape(struct buf *out, const char *text, size_t len)
{
    if (len == 0 || text[0] == ' ' || text[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++) {
        int row = -1;
        for (int k = 0; k < ESCAPES && row < 0; k++)
            if (escapes[k].c == text[i])
                row = k;
        /* a backslash that stands before no code means itself already */
        if (row >= 0 && text[i] == '\\' && escape_at(text + i, len - i) < 0)
            row = -1;
        if (!(row < 0 ? buf_addc(out, text[i]) : buf_addc(out, '\\') && buf_adds(out, escapes[row].code)))
            return false;
    }
    return true;
}

bool pres_jid_unescape(struct buf *out, const char *local)
{
    size_t len = strlen(local);
    for (size_t i = 0; i < len; i++) {
        int row = escape_at(local + i, len - i);
        if (!buf_addc(out, row < 0 ? local[i] : escapes[row].c))
            return false;
        i += row < 0 ? 0 : 2;
    }
    return true;
}

static bool copy_part(const char *text, size_t len, const char *forbidden, char *out)
{
    if (len > PRES_JID_PART_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127 || strchr(forbidden, text[i]))
            return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* The row of the escape sequence that begins here, -1: none does. */
static int escape_at(const char *text, size_t len)
{
    for (int k = 0; k < ESCAPES && len >= 3 && text[0] == '\\'; k++)
        if (text[1] == escapes[k].code[0] && text[2] == escapes[k].code[1])
            return k;
    return -1;
}
