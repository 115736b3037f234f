/*
 * fuzz_ical: iCalendar of any bytes to spans. Whatever comes out must be spans of the window, and must come in bounded
 * work: libFuzzer's own time-out watches that. What is kept of a text (dav_ical_compact) must give the same spans as
 * the text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "ical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FROM = 1772323200, DAYS = 60 }; /* 2026-03-01, over the change to summer time */

struct seen {
    const struct dav_ical_setup *setup;
    unsigned count;
    uint64_t sum; /* in whatever order */
};

static bool on_span(void *arg, const struct dav_span *span)
{
    struct seen *seen = arg;
    if (span->end <= span->start || span->end <= seen->setup->from || span->start >= seen->setup->until ||
        span->kind > DAV_NOT_UNDERSTOOD)
        abort();
    seen->count++;
    seen->sum +=
        ((uint64_t)span->start * 31 + (uint64_t)span->end) * 1000003 + (unsigned)span->kind * 64U + span->traits;
    return true;
}

/* An item left out for too much work need not be the same one. */
static void read_compacted(struct dav_ical *ical, const char *data, size_t size, struct seen *seen)
{
    unsigned skipped = dav_ical_skipped(ical);
    struct seen before = *seen;
    struct buf text;
    buf_init(&text, 4 << 20);
    buf_adds(&text, "BEGIN:VCALENDAR\r\n");
    if (dav_ical_compact(ical, data, size, &text, NULL, NULL) != DAV_ICAL_OK)
        abort();
    buf_adds(&text, "END:VCALENDAR\r\n");
    seen->count = 0;
    seen->sum = 0;
    if (dav_ical_read(ical, text.data, text.len) != DAV_ICAL_OK && skipped == 0)
        abort();
    if (skipped == 0 && (seen->count != before.count || seen->sum != before.sum || dav_ical_skipped(ical) != 0))
        abort();
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const owners[] = {"anna@example.test", NULL};
    struct seen seen = {0};
    struct dav_ical_setup setup = {.from = FROM,
                                   .until = FROM + DAYS * 86400,
                                   .zone = "Europe/Berlin",
                                   .owners = owners,
                                   .on_span = on_span,
                                   .arg = &seen,
                                   .max_bytes = 1 << 20,
                                   .max_steps = 20000};
    seen.setup = &setup;
    struct dav_ical *ical = dav_ical_new(&setup);
    if (!ical)
        abort();
    dav_ical_set_timezone(ical, (const char *)data, size);
    if (dav_ical_read(ical, (const char *)data, size) == DAV_ICAL_OK)
        read_compacted(ical, (const char *)data, size, &seen);
    dav_ical_free(&ical);
    return 0;
}
