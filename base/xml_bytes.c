/*
 * xml_bytes: which bytes may stand in an XML document, for reading and for writing.
 *
 * Servers of 2000 copy what users once typed into their answers: control characters, Latin-1 in a document that says
 * UTF-8. libxml2 can be told to recover from that, but it then guesses an encoding for all that follows. So xml.c sends
 * every piece through xml_clean_prefix(), which is one pass at memory speed for sane documents, and through xml_clean()
 * only from the first bad byte of a piece. xml_escape() is the writing side, with the same idea of what a character is.
 */
#include "xml_private.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/xml.h"

enum {
    BLOCK = 64, /* bytes looked at together; constant, so that compilers use vector instructions */
};

enum char_kind {
    CHAR_GOOD,
    CHAR_FORBIDDEN, /* well-formed UTF-8, but no Char of XML 1.0 */
    CHAR_BROKEN,    /* not UTF-8; one byte of it is consumed */
    CHAR_CUT,       /* good so far, the rest is not here */
};

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

static enum char_kind char_at(const unsigned char *p, size_t len, size_t *ret_size);
static enum char_kind wide_char_at(const unsigned char *p, size_t len, size_t *ret_size);
static bool block_is_plain(const unsigned char *p);
static const char *escape_of(char c);

size_t xml_clean_prefix(const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data;
    size_t i = 0;
    size_t size;

    while (i < len) {
        if (len - i >= BLOCK && block_is_plain(p + i)) {
            i += BLOCK;
            continue;
        }
        size_t end = len - i < BLOCK ? len : i + BLOCK;
        while (i < end) {
            if (char_at(p + i, len - i, &size) != CHAR_GOOD)
                return i;
            i += size;
        }
    }
    return i;
}

size_t xml_char_size(const char *data, size_t len)
{
    size_t size;

    return len > 0 && char_at((const unsigned char *)data, len, &size) == CHAR_GOOD ? size : 0;
}

static void clean_run(const unsigned char *p, size_t len, struct xml_rest *rest, struct buf *out)
{
    size_t size;

    for (size_t i = 0; i < len; i += size) {
        switch (char_at(p + i, len - i, &size)) {
        case CHAR_GOOD:
            buf_add(out, p + i, size);
            break;
        case CHAR_FORBIDDEN:
            break;
        case CHAR_BROKEN:
            buf_adds(out, REPLACEMENT);
            break;
        case CHAR_CUT:
            rest->len = len - i;
            memcpy(rest->bytes, p + i, rest->len);
            return;
        }
    }
}

void xml_clean(struct xml_rest *rest, const char *data, size_t len, struct buf *out)
{
    unsigned char joint[sizeof(rest->bytes) + 1];

    /* one byte at a time onto what waits: it becomes whole, or broken and is resolved, within three steps */
    while (rest->len > 0 && len > 0) {
        size_t n = rest->len;
        memcpy(joint, rest->bytes, n);
        joint[n++] = (unsigned char)*data++;
        len--;
        rest->len = 0;
        clean_run(joint, n, rest, out);
    }
    size_t good = xml_clean_prefix(data, len);
    buf_add(out, data, good);
    clean_run((const unsigned char *)data + good, len - good, rest, out);
}

bool xml_escape(struct buf *out, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t start = 0;
    size_t i = 0;
    size_t size;
    bool ok = true;

    while (i < len && ok) {
        enum char_kind kind = char_at(p + i, len - i, &size);
        const char *instead = kind == CHAR_GOOD ? escape_of(text[i]) : REPLACEMENT;
        if (instead) {
            ok = buf_add(out, text + start, i - start) && buf_adds(out, instead);
            start = i + size;
        }
        i += size;
    }
    return ok && buf_add(out, text + start, len - start);
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    default:
        return NULL;
    }
}

/* Nothing but ASCII from the blank upwards? As signed numbers those are the ones that are not below 0x20. */
static bool block_is_plain(const unsigned char *p)
{
    unsigned char other = 0;

    for (unsigned i = 0; i < BLOCK; i++)
        other |= (unsigned char)((int8_t)p[i] < 0x20);
    return other == 0;
}

static enum char_kind char_at(const unsigned char *p, size_t len, size_t *ret_size)
{
    *ret_size = 1;
    if (p[0] >= 0x80)
        return wide_char_at(p, len, ret_size);
    if (p[0] >= 0x20 || p[0] == '\t' || p[0] == '\n' || p[0] == '\r')
        return CHAR_GOOD;
    return CHAR_FORBIDDEN;
}

/* RFC 3629 4, by its table: only the second byte has special ranges. */
static enum char_kind wide_char_at(const unsigned char *p, size_t len, size_t *ret_size)
{
    unsigned char c = p[0];
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t need;

    if (c < 0xC2 || c > 0xF4)
        return CHAR_BROKEN;
    need = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c == 0xE0)
        low = 0xA0;
    if (c == 0xED)
        high = 0x9F;
    if (c == 0xF0)
        low = 0x90;
    if (c == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < need; i++) {
        if (i == len)
            return CHAR_CUT;
        if (p[i] < (i == 1 ? low : 0x80) || p[i] > (i == 1 ? high : 0xBF))
            return CHAR_BROKEN;
    }
    *ret_size = need;
    if (c == 0xEF && p[1] == 0xBF && p[2] >= 0xBE) /* U+FFFE and U+FFFF */
        return CHAR_FORBIDDEN;
    return CHAR_GOOD;
}
