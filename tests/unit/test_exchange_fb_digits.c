/*
 * exchange_fb_digits: rows of digits against the spans they stand for, and rows that stand for nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "davclient/result.h"
#include "exchange_fb.h"

#define NOON INT64_C(1204545600)

/* Spans as "kind:first-last" in slots, then the stretch that they hold for; or why not. `now` is in slots, too. */
static const char *read_row(const char *digits, int now)
{
    static char out[4000];
    struct dav_fb_window w = {NOON, NOON + (int64_t)12 * 900, 900};
    struct buf spans;
    int64_t from = 0, until = 0;
    size_t len = 0;

    buf_init(&spans, 100 * sizeof(struct dav_span));
    enum dav_fb_digits result = dav_fb_digits(digits, strlen(digits), &w, NOON + now * 900 + 60, &spans, &from, &until);
    const struct dav_span *span = (const struct dav_span *)(const void *)spans.data;
    static const char *const results[] = {"ok", "length", "range", "no-data", "full"};

    out[0] = '\0';
    if (result != DAV_FB_DIGITS_OK) {
        assert_int_equal(spans.len, 0);
        snprintf(out, sizeof(out), "%s", results[result]);
    }
    for (size_t i = 0; i < spans.len / sizeof(*span); i++) {
        assert_int_equal(span[i].traits, 0);
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%d:%d-%d ", (int)span[i].kind,
                                (int)(span[i].start - NOON) / 900, (int)(span[i].end - NOON) / 900);
    }
    if (result == DAV_FB_DIGITS_OK)
        snprintf(out + len, sizeof(out) - len, "in %d-%d", (int)(from - NOON) / 900, (int)(until - NOON) / 900);
    buf_free(&spans);
    return out;
}

static void rows(void **state)
{
    static const struct {
        const char *digits;
        int now;
        const char *expected;
    } cases[] = {
        {"000000000000", 3, "in 0-12"},
        {"222222222222", 3, "3:0-12 in 0-12"},
        {"002201000333", 0, "3:2-4 2:5-6 4:9-12 in 0-12"},
        {"012301230123", 0, "2:1-2 3:2-3 4:3-4 2:5-6 3:6-7 4:7-8 2:9-10 3:10-11 4:11-12 in 0-12"},
        /* what is not published is cut off, as seen from now */
        {"442200000044", 5, "3:2-4 in 2-10"},
        {"224422004422", 5, "3:4-6 in 4-8"},
        {"220000000004", 11, "no-data"},
        {"444444444444", 0, "no-data"},
        {"400000000000", 0, "no-data"},
        {"400000000000", 1, "in 1-12"},
        {"422000000000", -50, "no-data"}, /* now is before all of it */
        {"002200000000", 50, "3:2-4 in 0-12"},
        /* nonsense */
        {"", 0, "length"},
        {"00000000000", 0, "length"},
        {"0000000000000", 0, "length"},
        {"00000000000 ", 0, "range"},
        {"000000000005", 0, "range"},
        {"00000000000a", 0, "range"},
        {"000000/00000", 0, "range"},
        {"444444444445", 0, "range"},
        {"22222222222\xff", 0, "range"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(read_row(cases[i].digits, cases[i].now), cases[i].expected);
}

/* No room: nothing is known, rather than half of it. */
static void no_room(void **state)
{
    struct dav_fb_window w = {NOON, NOON + (int64_t)12 * 900, 900};
    struct buf spans;
    int64_t from, until;
    const struct dav_span before = {1, 2, DAV_BUSY, 0};

    (void)state;
    buf_init(&spans, 3 * sizeof(struct dav_span));
    buf_add(&spans, &before, sizeof(before));
    assert_int_equal(dav_fb_digits("020202000000", 12, &w, NOON, &spans, &from, &until), DAV_FB_DIGITS_FULL);
    assert_int_equal(spans.len, sizeof(before));
    assert_memory_equal(spans.data, &before, sizeof(before));
    buf_free(&spans);
}

/* Every digit at every place of a long row: the word-wise walk must not step over one. */
static void every_place(void **state)
{
    enum { SLOTS = 70 };
    struct dav_fb_window w = {NOON, NOON + (int64_t)SLOTS * 900, 900};
    char row[SLOTS + 1];

    (void)state;
    for (int at = 0; at < SLOTS; at++)
        for (int len = 1; at + len <= SLOTS; len += 7) {
            struct buf spans;
            int64_t from, until;
            memset(row, '0', SLOTS);
            memset(row + at, '2', (size_t)len);
            buf_init(&spans, 1000);
            assert_int_equal(dav_fb_digits(row, SLOTS, &w, NOON, &spans, &from, &until), DAV_FB_DIGITS_OK);
            assert_int_equal(spans.len, sizeof(struct dav_span));
            const struct dav_span *span = (const struct dav_span *)(const void *)spans.data;
            assert_int_equal(span->start, NOON + at * 900);
            assert_int_equal(span->end, NOON + (at + len) * 900);
            buf_free(&spans);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(no_room),
        cmocka_unit_test(every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
