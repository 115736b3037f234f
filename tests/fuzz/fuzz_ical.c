/*
 * fuzz_ical: iCalendar of any bytes to spans. Whatever comes out must be spans of the window, and must come in bounded work: libFuzzer's own time-out
 * watches that.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FROM = 1772323200, DAYS = 60 }; /* 2026-03-01, over the change to summer time */

static bool on_span(void *arg, const struct dav_span *span)
{
    const struct dav_ical_setup *setup = arg;
    if (span->end <= span->start || span->end <= setup->from || span->start >= setup->until || span->kind > DAV_OOF)
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const owners[] = {"anna@example.test", NULL};
    struct dav_ical_setup setup = {.from = FROM, .until = FROM + DAYS * 86400, .zone = "Europe/Berlin", .owners = owners,
                                   .on_span = on_span, .arg = &setup, .max_bytes = 1 << 20, .max_steps = 20000};
    struct dav_ical *ical = dav_ical_new(&setup);
    if (!ical)
        abort();
    dav_ical_set_timezone(ical, (const char *)data, size);
    dav_ical_read(ical, (const char *)data, size);
    dav_ical_free(&ical);
    return 0;
}
