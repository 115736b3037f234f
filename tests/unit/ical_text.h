/*
 * ical_text: for tests of ical: a text in, the spans out as text, "20260310T090000Z/20260310T100000Z busy" a line,
 * sorted. Traits follow as words. Text is given with '\n' line ends.
 */
#ifndef TESTS_ICAL_TEXT_H
#define TESTS_ICAL_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utc.h"
#include "ical.h"

#define CALENDAR(inside) "BEGIN:VCALENDAR\nVERSION:2.0\n" inside "END:VCALENDAR\n"
#define EVENT(inside) "BEGIN:VEVENT\n" inside "END:VEVENT\n"

#define BERLIN                                                                                                         \
    "BEGIN:VTIMEZONE\nTZID:Europe/"                                                                                    \
    "Berlin\nBEGIN:DAYLIGHT\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nDTSTART:19810329T020000\n"                          \
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nBEGIN:STANDARD\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"     \
    "DTSTART:19961027T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n"

#define TEXT_SPANS 20000

struct ical_text {
    struct dav_span spans[TEXT_SPANS];
    size_t count;
    enum dav_ical_verdict verdict;
    unsigned skipped, lost;
};

static bool ical_text_add(void *arg, const struct dav_span *span)
{
    struct ical_text *t = arg;

    assert_true(t->count < TEXT_SPANS);
    t->spans[t->count++] = *span;
    return true;
}

static int ical_text_compare(const void *a, const void *b)
{
    const struct dav_span *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static inline struct dav_ical_setup ical_text_setup(struct ical_text *t, const char *from, const char *until)
{
    struct dav_ical_setup setup = {.on_span = ical_text_add, .arg = t};

    assert_true(utc_parse_basic(from, strlen(from), &setup.from));
    assert_true(utc_parse_basic(until, strlen(until), &setup.until));
    t->count = 0;
    return setup;
}

static inline void ical_text_read(struct ical_text *t, const struct dav_ical_setup *setup, const char *text, size_t len)
{
    struct dav_ical *ical = dav_ical_new(setup);

    assert_non_null(ical);
    t->verdict = dav_ical_read(ical, text, len);
    if (t->verdict == DAV_ICAL_OK)
        t->verdict = dav_ical_hours(ical);
    t->skipped = dav_ical_skipped(ical);
    t->lost = dav_ical_lost(ical);
    dav_ical_free(&ical);
    qsort(t->spans, t->count, sizeof(t->spans[0]), ical_text_compare);
}

static inline void ical_text_expect(const struct ical_text *t, const char *expected)
{
    static const char *const kinds[] = {"free", "elsewhere", "tentative", "busy", "oof", "not-understood"};
    static const char *const traits[] = {" all-day", " cancelled", " declined",     " unanswered",
                                         " maybe",   " private",   " outside-hours"};
    struct buf got;

    buf_init(&got, 4 * 1024 * 1024);
    buf_adds(&got, "");
    for (size_t i = 0; i < t->count; i++) {
        char start[UTC_TEXT_MAX], end[UTC_TEXT_MAX];

        buf_addf(&got, "%s/%s %s", utc_basic(t->spans[i].start, start), utc_basic(t->spans[i].end, end),
                 kinds[t->spans[i].kind]);
        for (size_t k = 0; k < sizeof(traits) / sizeof(traits[0]); k++)
            if ((t->spans[i].traits & (1U << k)) != 0)
                buf_adds(&got, traits[k]);
        buf_addc(&got, '\n');
    }
    assert_string_equal(got.data, expected);
    buf_free(&got);
}

/* The usual test: all is well, and these are the spans. */
static inline void ical_text_check(const char *text, const char *from, const char *until, const char *zone,
                                   const char *owner, const char *expected)
{
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, from, until);
    const char *owners[] = {owner, NULL};

    setup.zone = zone;
    setup.owners = owners;
    ical_text_read(t, &setup, text, strlen(text));
    ical_text_expect(t, expected);
    assert_int_equal(t->verdict, DAV_ICAL_OK);
    assert_int_equal(t->skipped, 0);
    free(t);
}

#endif
