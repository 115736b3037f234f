/*
 * ntlm_text: names and passwords on their way from UTF-8, as the configuration has them, to the UTF-16LE that NTLM
 * hashes and sends; the account's name taken apart; upper-casing as Windows does it; and back to UTF-8 what a server
 * calls itself.
 *
 * The domain is taken as it is written, and the user is upper-cased for hashing only: a server that hashes otherwise
 * refuses what is a right password. NTLM upper-cases one unit to one unit (no SS for sharp s), independently of any
 * locale; glibc's C.UTF-8 does the same but knows newer pairs than Windows does, which `left_alone` takes back.
 */
#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "base/buf.h"
#include "base/str.h"
#include "ntlm_parts.h"

/* Letters that Windows' table, being older or more careful, does not change: micro sign, dotless i, long s, combining
 * iota, and the capitals that Georgian, Cherokee and old Cyrillic got after 2014. */
static const struct {
    uint16_t first, last;
} left_alone[] = {
    {0x00B5, 0x00B5}, {0x0131, 0x0131}, {0x017F, 0x017F}, {0x0345, 0x0345},
    {0x10D0, 0x10FF}, {0x13F8, 0x13FD}, {0x1C80, 0x1C8F}, {0xAB70, 0xABBF},
};

static uint32_t next_char(const uint8_t **p);
static unsigned upper(unsigned unit, locale_t locale);
static bool add_utf8(struct buf *out, uint32_t c);

bool dav_ntlm_text_set(struct dav_ntlm_text *out, const char *text, size_t len, size_t units)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len;
    uint32_t c;

    out->len = 0;
    if (!str_is_utf8(text, len))
        return false;
    while (p < end) {
        c = next_char(&p);
        if (out->len + (c > 0xFFFF ? 4 : 2) > 2 * units)
            return false;
        if (c > 0xFFFF) {
            dav_ntlm_put(out->bytes + out->len, 0xD800 + ((c - 0x10000) >> 10), 2);
            out->len += 2;
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        dav_ntlm_put(out->bytes + out->len, c, 2);
        out->len += 2;
    }
    return true;
}

bool dav_ntlm_text_upper(struct dav_ntlm_text *text)
{
    static locale_t locale; /* made once, kept to the end */
    bool ascii = dav_ntlm_text_is_ascii(text);

    if (!locale)
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!locale && !ascii)
        return false;
    for (size_t i = 0; i < text->len; i += 2)
        dav_ntlm_put(text->bytes + i, upper(dav_ntlm_get16(text->bytes + i), ascii ? (locale_t)0 : locale), 2);
    return true;
}

bool dav_ntlm_text_is_ascii(const struct dav_ntlm_text *text)
{
    for (size_t i = 0; i < text->len; i += 2)
        if (dav_ntlm_get16(text->bytes + i) > 0x7F)
            return false;
    return true;
}

void dav_ntlm_name_split(const struct dav_ntlm_settings *settings, struct dav_ntlm_name *ret)
{
    const char *user = settings->user ? settings->user : "", *domain = settings->domain ? settings->domain : "";
    const char *slash = strchr(user, '\\');

    if (slash) { /* at the first one; user@domain behind it stays whole */
        *ret = (struct dav_ntlm_name){.domain = user, .domain_len = (size_t)(slash - user), .user = slash + 1};
    } else {
        *ret = (struct dav_ntlm_name){.domain = strchr(user, '@') ? "" : domain, .user = user};
        ret->domain_len = strlen(ret->domain);
    }
    ret->user_len = strlen(ret->user);
}

bool dav_ntlm_utf16_to_utf8(const uint8_t *data, size_t len, struct buf *out)
{
    uint32_t c, low;

    for (size_t i = 0; i + 2 <= len; i += 2) {
        c = dav_ntlm_get16(data + i);
        if (c >= 0xD800 && c <= 0xDFFF) {
            low = c < 0xDC00 && i + 4 <= len ? dav_ntlm_get16(data + i + 2) : 0;
            if (low >= 0xDC00 && low <= 0xDFFF) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            } else {
                c = 0xFFFD;
            }
        }
        if (!add_utf8(out, c == 0 ? 0xFFFD : c))
            return false;
    }
    return true;
}

/* The text is known to be well-formed. */
static uint32_t next_char(const uint8_t **p)
{
    uint32_t c = *(*p)++;
    int more = c < 0x80 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;

    if (more > 0)
        c &= 0x3FU >> more;
    while (more-- > 0)
        c = c << 6 | (*(*p)++ & 0x3F);
    return c;
}

/* Without a locale only ASCII is changed. Halves of surrogate pairs have no upper case and stay. */
static unsigned upper(unsigned unit, locale_t locale)
{
    wint_t result;

    if (unit < 0x80)
        return unit >= 'a' && unit <= 'z' ? unit - 0x20 : unit;
    for (size_t i = 0; i < sizeof(left_alone) / sizeof(left_alone[0]); i++)
        if (unit >= left_alone[i].first && unit <= left_alone[i].last)
            return unit;
    result = locale ? towupper_l(unit, locale) : unit;
    return result <= 0xFFFF ? (unsigned)result : unit;
}

static bool add_utf8(struct buf *out, uint32_t c)
{
    char bytes[4];

    if (c < 0x80)
        return buf_addc(out, (char)c);
    if (c < 0x800) {
        bytes[0] = (char)(0xC0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3F));
        return buf_add(out, bytes, 2);
    }
    if (c < 0x10000) {
        bytes[0] = (char)(0xE0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (c & 0x3F));
        return buf_add(out, bytes, 3);
    }
    bytes[0] = (char)(0xF0 | c >> 18);
    bytes[1] = (char)(0x80 | (c >> 12 & 0x3F));
    bytes[2] = (char)(0x80 | (c >> 6 & 0x3F));
    bytes[3] = (char)(0x80 | (c & 0x3F));
    return buf_add(out, bytes, 4);
}
