/*
 * exchange_fb_digits: one person's row, a digit for each quarter of an hour, becomes spans. Pure.
 *
 * 0 is free, 1 tentative, 2 busy, 3 out of office; 4 means that nothing is published for that quarter, which is neither
 * free nor busy: what lies beyond a 4, seen from now, is cut off. Whoever has a 4 now is not known at all.
 *
 * Rows are long and change seldom from digit to digit, so whole words are compared where possible.
 */
#include <string.h>

#include "davclient/result.h"
#include "exchange_fb.h"

enum { AT_ONCE = 32 }; /* spans that are added together */

static bool flush(struct buf *spans, const struct dav_span *some, size_t *count);
static const char *run_end(const char *p, const char *end);

enum dav_fb_digits dav_fb_digits(const char *digits, size_t len, const struct dav_fb_window *w, int64_t now,
                                 struct buf *spans, int64_t *ret_from, int64_t *ret_until)
{
    static const enum dav_busy kinds[] = {DAV_FREE, DAV_TENTATIVE, DAV_BUSY, DAV_OOF};
    const char *end = digits + len;
    struct dav_span some[AT_ONCE];
    size_t before = spans->len, count = 0;
    int64_t from = w->start, until = w->end;
    enum dav_fb_digits result = DAV_FB_DIGITS_OK;

    if (len != (size_t)((w->end - w->start) / w->slot_s))
        return DAV_FB_DIGITS_LENGTH;
    now = now < w->start ? w->start : now >= w->end ? w->end - 1 : now;
    for (const char *p = digits, *next; p < end; p = next) {
        next = run_end(p, end);
        struct dav_span span = {
            .start = w->start + (p - digits) * w->slot_s,
            .end = w->start + (next - digits) * w->slot_s,
        };

        if (*p < '0' || *p > '4') {
            result = DAV_FB_DIGITS_RANGE;
            break;
        }
        if (*p == '4' && span.end <= now) {
            from = span.end;
            spans->len = before;
            count = 0;
        } else if (*p == '4' && span.start <= now) {
            result = DAV_FB_DIGITS_NO_DATA;
        } else if (*p == '4') {
            until = span.start < until ? span.start : until;
        } else if (*p != '0' && result == DAV_FB_DIGITS_OK && span.start < until) {
            span.kind = kinds[*p - '0'];
            some[count++] = span;
            if (count == AT_ONCE && !flush(spans, some, &count))
                result = DAV_FB_DIGITS_FULL;
        }
    }
    if (result == DAV_FB_DIGITS_OK && !flush(spans, some, &count))
        result = DAV_FB_DIGITS_FULL;
    if (result != DAV_FB_DIGITS_OK) {
        spans->len = before;
        return result;
    }
    *ret_from = from;
    *ret_until = until;
    return result;
}

static bool flush(struct buf *spans, const struct dav_span *some, size_t *count)
{
    size_t bytes = *count * sizeof(*some);

    *count = 0;
    return buf_add(spans, some, bytes);
}

/* Behind the last digit that equals *p. */
static const char *run_end(const char *p, const char *end)
{
    char c = *p;
    uint64_t all = 0x0101010101010101u * (unsigned char)c, word;

    while (end - p >= (ptrdiff_t)sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        if (word != all && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            return p + __builtin_ctzll(word ^ all) / 8;
        if (word != all)
            break;
        p += sizeof(word);
    }
    while (p < end && *p == c)
        p++;
    return p;
}
