/*
 * fuzz_freebusy: an answer about the free/busy of many people, of any bytes: rows, whose they are, and their digits.
 * The first two bytes choose the window and the moment that is now.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "davclient/result.h"
#include "exchange_fb.h"

enum { SPANS = 40, PEOPLE = 4 };

static const char *const people[PEOPLE] = {"anna@example.test", "BOB@example.test", "anna@example.test", "b&c@x"};

struct seen {
    struct dav_fb_names names;
    struct dav_fb_window window;
    int64_t now;
    struct buf spans;
    unsigned rows;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is told of a person lies in the window, in order, and around now. */
static void check(const struct seen *s, int64_t from, int64_t until)
{
    const struct dav_span *span = (const struct dav_span *)(const void *)s->spans.data;
    int64_t last = s->window.start, now = s->now < s->window.end ? s->now : s->window.end - 1;

    if (from < s->window.start || until > s->window.end || from > now || until <= now)
        abort();
    for (size_t i = 0; i < s->spans.len / sizeof(*span); i++) {
        if (span[i].start < last || span[i].start < from || span[i].end > until || span[i].end <= span[i].start ||
            span[i].kind < DAV_TENTATIVE || span[i].kind > DAV_OOF)
            abort();
        last = span[i].end;
    }
}

static bool on_row(void *arg, const struct dav_fb_row *row)
{
    struct seen *s = arg;
    int64_t from, until;
    struct dav_fb_names_pos pos = {0};
    uint32_t person;

    while (dav_fb_names_next(&s->names, row->email, &pos, &person))
        if (person >= PEOPLE)
            abort();
    buf_reset(&s->spans);
    if (!row->broken &&
        dav_fb_digits(row->digits, row->len, &s->window, s->now, &s->spans, &from, &until) == DAV_FB_DIGITS_OK)
        check(s, from, until);
    else if (s->spans.len > 0)
        abort();
    return ++s->rows < 20;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dav_fb_reader *reader;
    static struct arena *arena;
    struct seen s = {.window = {.slot_s = 900}};
    char *body;

    if (size < 2)
        return 0;
    if (!reader) {
        reader = dav_fb_reader_new(1 << 20); /* one for many answers, as in the daemon */
        arena = arena_new(1 << 20);
    }
    arena_reset(arena);
    if (!dav_fb_names_new(&s.names, arena, PEOPLE))
        abort();
    for (uint32_t i = 0; i < PEOPLE; i++)
        dav_fb_names_add(&s.names, people[i], i);
    s.window.end = (int64_t)(data[0] % 64 + 1) * 900;
    s.now = (int64_t)data[1] * 900;
    buf_init(&s.spans, SPANS * sizeof(struct dav_span));
    body = malloc(size - 1);
    if (!body)
        abort();
    memcpy(body, data + 2, size - 2);
    body[size - 2] = '\0';
    dav_fb_read(reader, body, size - 2, data[0] % 64 + 1U, on_row, &s);
    free(body);
    buf_free(&s.spans);
    return 0;
}
