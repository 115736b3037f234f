/*
 * str: small pure functions on bounded text. The ones that matter for safety are str_printable, which stands between a
 * peer's bytes and our log, and the percent coding, which stands between an address and a URL. No locale is ever
 * consulted.
 */
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

/* Four bytes of one character as four escapes, and the NUL of the last. */
#define PIECE_MAX 17

static char lower(char c);
static bool is_blank(char c);
static bool is_unreserved(char c);
static int hex_value(char c);
static size_t utf8_decode(const char *text, size_t len, uint32_t *ret);
static size_t utf8_shape(unsigned char first, uint32_t *bits, uint32_t *min);
static bool is_showable(uint32_t c);
static size_t show_one(const char *text, size_t len, char piece[PIECE_MAX], size_t *piece_len);

bool str_eq_nocase(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_starts_nocase(const char *text, const char *prefix)
{
    while (*prefix && lower(*text) == lower(*prefix)) {
        text++;
        prefix++;
    }
    return *prefix == '\0';
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), tail = strlen(suffix);

    return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

const char *str_find_nocase(const char *hay, size_t len, const char *needle)
{
    size_t n = strlen(needle), i, k;

    for (i = 0; n <= len && i <= len - n; i++) {
        for (k = 0; k < n && lower(hay[i + k]) == lower(needle[k]); k++)
            ;
        if (k == n)
            return hay + i;
    }
    return NULL;
}

char *str_lower(char *text)
{
    char *p;

    for (p = text; *p; p++)
        *p = lower(*p);
    return text;
}

const char *str_trim(const char *text, size_t *len)
{
    while (*len > 0 && is_blank(text[0])) {
        text++;
        --*len;
    }
    while (*len > 0 && is_blank(text[*len - 1]))
        --*len;
    return text;
}

bool str_to_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = *text == '-';
    int64_t value = 0;

    text += negative;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value))
            return false;
        /* counted downwards for negatives, or INT64_MIN could not be read */
        if (__builtin_add_overflow(value, negative ? '0' - *text : *text - '0', &value))
            return false;
    }
    if (value < min || value > max)
        return false;
    *ret = value;
    return true;
}

bool str_is_utf8(const char *text, size_t len)
{
    uint32_t c;
    size_t n;

    while (len > 0) {
        n = utf8_decode(text, len, &c);
        if (n == 0 || c == 0)
            return false;
        text += n;
        len -= n;
    }
    return true;
}

char *str_printable(const char *text, size_t len, char *out, size_t size)
{
    size_t pos = 0, safe = 0, n, take;
    char piece[PIECE_MAX];

    if (size == 0)
        return out;
    for (; len > 0; text += take, len -= take) {
        take = show_one(text, len, piece, &n);
        if (pos + n > size - 1)
            break;
        memcpy(out + pos, piece, n);
        pos += n;
        if (pos + 3 <= size - 1) /* the last whole piece after which the dots still fit */
            safe = pos;
    }
    if (len > 0)
        for (pos = safe; pos < size - 1 && pos < safe + 3; pos++)
            out[pos] = '.';
    out[pos] = '\0';
    return out;
}

bool str_percent_encode(struct buf *out, const char *text, size_t len, const char *keep)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t start = 0;
    unsigned char c;
    size_t i;

    for (i = 0; i < len; i++) {
        c = (unsigned char)text[i];
        if (is_unreserved(text[i]) || (c != 0 && strchr(keep, text[i])))
            continue;
        buf_add(out, text + start, i - start);
        buf_add(out, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
        start = i + 1;
    }
    return buf_add(out, text + start, len - start);
}

bool str_percent_decode(struct buf *out, const char *text, size_t len)
{
    int high, low;
    size_t i;
    char c;

    for (i = 0; i < len; i++) {
        c = text[i];
        if (c == '%') {
            if (len - i < 3 || (high = hex_value(text[i + 1])) < 0 || (low = hex_value(text[i + 2])) < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || !buf_addc(out, c))
            return false;
    }
    return true;
}

const char *str_split(const char *text, char sep, size_t *ret_len)
{
    const char *at = sep ? strchr(text, sep) : NULL;

    *ret_len = at ? (size_t)(at - text) : strlen(text);
    return at ? at + 1 : NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character: its length in bytes, 0 when it is malformed, overlong, a surrogate, too big, or cut off (RFC 3629). */
static size_t utf8_decode(const char *text, size_t len, uint32_t *ret)
{
    uint32_t c, min;
    size_t n = utf8_shape((unsigned char)text[0], &c, &min), i;

    if (n == 0 || n > len)
        return 0;
    for (i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | ((unsigned char)text[i] & 0x3F);
    }
    if (c < min || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *ret = c;
    return n;
}

static size_t utf8_shape(unsigned char first, uint32_t *bits, uint32_t *min)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0;

    *bits = n == 1 ? first : n == 0 ? 0 : (uint32_t)first & (0x7FU >> n);
    *min = least[n];
    return n;
}

/* False for what could forge a line, hide, or turn the order of its neighbours around on an administrator's screen. */
static bool is_showable(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } bad[] = {
        {0x00, 0x1F},     {0x22, 0x22},     {0x7F, 0x9F},     {0xAD, 0xAD},
        {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F}, {0xFDD0, 0xFDEF},
        {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE007F},
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (c >= bad[i].first && c <= bad[i].last)
            return false;
    return true;
}

/* The next character as it may be shown; returns how many bytes of text it stands for. */
static size_t show_one(const char *text, size_t len, char piece[PIECE_MAX], size_t *piece_len)
{
    uint32_t c = 0;
    size_t n = utf8_decode(text, len, &c), i;

    /* A backslash is shown as it is (DOMAIN\user), but where it would read as one of our own escapes. */
    if (n > 0 && is_showable(c) && !(c == '\\' && len > 1 && text[1] == 'x')) {
        memcpy(piece, text, n);
        *piece_len = n;
        return n;
    }
    n = n > 0 ? n : 1;
    for (i = 0; i < n; i++)
        snprintf(piece + 4 * i, 5, "\\x%02x", (unsigned char)text[i]);
    *piece_len = 4 * n;
    return n;
}
