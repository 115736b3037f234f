/*
 * ical_compact: what is kept of an event is what decides and nothing else, and it decides the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "davclient/mark.h"
#include "ical_text.h"

static struct ical_text t;
static const char *const owners[] = {"anna@example.org", "a.smith@example.org", NULL};

static struct dav_ical *reader(void)
{
    struct dav_ical_setup setup = ical_text_setup(&t, "20260301T000000Z", "20260501T000000Z");

    setup.owners = owners;
    setup.zone = "Europe/Berlin";
    t.skipped = 0;
    return dav_ical_new(&setup);
}

/* What is kept of `text`, within a VCALENDAR as it is read again. */
static void compact(const char *text, struct buf *out)
{
    struct dav_ical *ical = reader();

    buf_init(out, 1 << 20);
    buf_adds(out, "BEGIN:VCALENDAR\r\n");
    assert_int_equal(dav_ical_compact(ical, text, strlen(text), out, NULL, NULL), DAV_ICAL_OK);
    buf_adds(out, "END:VCALENDAR\r\n");
    dav_ical_free(&ical);
}

static void read_spans(const char *text, size_t len)
{
    struct dav_ical *ical = reader();

    assert_int_equal(dav_ical_read(ical, text, len), DAV_ICAL_OK);
    t.skipped = dav_ical_skipped(ical);
    qsort(t.spans, t.count, sizeof(*t.spans), ical_text_compare);
    dav_ical_free(&ical);
}

static void nothing_else_is_kept(void **state)
{
    static const char *const never[] = {"secret", "boss", "Room", "bob", "Anna", "minutes", "VALARM", "LIC", "7f2c"};
    struct buf kept;

    (void)state;
    compact(CALENDAR("X-WR-CALNAME:secret plans\n" BERLIN EVENT(
                "UID:7f2c@secret.example\nSUMMARY:secret\nLOCATION:Room 1\nDESCRIPTION:minutes of the\n  secret\n"
                "DTSTART;TZID=Europe/Berlin:20260310T100000\nDTEND;TZID=Europe/Berlin:20260310T110000\n"
                "ORGANIZER;CN=The boss:mailto:boss@example.org\nCLASS:CONFIDENTIAL\n"
                "ATTENDEE;CN=\"Anna; or: so\";PARTSTAT=TENTATIVE:mailto:A.Smith@example.org\n"
                "ATTENDEE;CN=bob;PARTSTAT=ACCEPTED:mailto:bob@example.org\n"
                "BEGIN:VALARM\nDESCRIPTION:secret\nTRIGGER:-PT15M\nEND:VALARM\n")),
            &kept);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_null(strstr(kept.data, never[i]));
    assert_true(kept.len < 700);
    read_spans(kept.data, kept.len);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.spans[0].traits, DAV_TRAIT_PRIVATE | DAV_TRAIT_ACCEPTED_MAYBE);
    buf_free(&kept);
}

static void what_is_over_is_dropped(void **state)
{
    struct buf kept;

    (void)state;
    compact(CALENDAR(BERLIN EVENT("UID:1\nDTSTART:20260101T100000Z\nDTEND:20260101T110000Z\n")), &kept);
    assert_string_equal(kept.data, "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
    buf_free(&kept);
    /* what recurs is not over, what lasts is not over, and what is broken is not forgotten */
    compact(CALENDAR(EVENT("UID:1\nDTSTART:20260101T100000Z\nDURATION:PT1H\nRRULE:FREQ=YEARLY\n") EVENT(
                "UID:2\nDTSTART:20200101T100000Z\nDTEND:20260401T100000Z\n") EVENT("UID:3\nDTSTART:nonsense\n")
                         EVENT("UID:4\nDTSTART:20200101T100000Z\nDURATION:-PT1H\n")),
            &kept);
    read_spans(kept.data, kept.len);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.skipped, 2);
    buf_free(&kept);
}

static void the_same_comes_of_it(void **state)
{
    static const char *const texts[] = {
        CALENDAR(EVENT(
            "UID:1\nDTSTART;TZID=\"Europe/Berlin\":20260302T100000\nDTEND;TZID=\"Europe/Berlin\":20260302T110000\n"
            "RRULE:FREQ=WEEKLY;BYDAY=MO,WE\nEXDATE;TZID=Europe/Berlin:20260309T100000,20260311T100000\n"
            "RDATE;VALUE=PERIOD:20260315T100000Z/PT2H\n")
                     EVENT("UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260401T100000\n"
                           "DTSTART;TZID=Europe/Berlin:20260401T120000\nDURATION:PT3H\nSTATUS:TENTATIVE\n") BERLIN),
        CALENDAR(EVENT("UID:1\nDTSTART;VALUE=DATE:20260310\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\n")
                     EVENT("UID:2\nDTSTART:20260310T100000\nDURATION:PT1H\nTRANSP:TRANSPARENT\n")
                         EVENT("UID:3\nDTSTART:20260310T100000\nDURATION:PT1H\nSTATUS:CANCELLED\n") EVENT(
                             "UID:4\nDTSTART:20260312T100000\nDURATION:PT1H\nATTENDEE:mailto:anna@example.org\n")
                             EVENT("UID:5\nDTSTART:20260313T100000\nDURATION:PT1H\nORGANIZER:mailto:anna@example.org\n"
                                   "ATTENDEE;PARTSTAT=DECLINED:mailto:anna@example.org\n")),
        CALENDAR("BEGIN:VFREEBUSY\nUID:9\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260310T100000Z/PT1H,20260311T100000Z/"
                 "20260311T120000Z\nCOMMENT:x\nEND:VFREEBUSY\nBEGIN:VTODO\nDTSTART:20260310T100000Z\nEND:VTODO\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct dav_span before[64];
        size_t count;
        struct buf kept;

        read_spans(texts[i], strlen(texts[i]));
        count = t.count;
        assert_in_range(count, 1, 64);
        memcpy(before, t.spans, count * sizeof(*before));
        compact(texts[i], &kept);
        read_spans(kept.data, kept.len);
        assert_int_equal(t.count, count);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(t.spans[k].start, before[k].start);
            assert_int_equal(t.spans[k].end, before[k].end);
            assert_int_equal(t.spans[k].kind, before[k].kind);
            assert_int_equal(t.spans[k].traits, before[k].traits);
        }
        buf_free(&kept);
    }
}

/* Of the categories nothing is kept but our own words, and they say the same of the event. */
static void markers_are_kept_as_ours(void **state)
{
    static const char *const markers[] = {"other", "Hidden", NULL};
    static const char text[] = CALENDAR(EVENT("UID:1\nDTSTART:20260310T100000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT\n"
                                              "CATEGORIES:secret,HID\n DEN\nCATEGORIES:boss\n")
                                            EVENT("UID:2\nDTSTART:20260311T100000Z\nDURATION:PT1H\n"
                                                  "TRANSP:TRANSPARENT\nCATEGORIES:secret\n")
                                                EVENT("UID:3\nDTSTART:20260401T100000Z\nTRANSP:TRANSPARENT\n"
                                                      "DTEND:20260312T100000Z\nCATEGORIES:hidden\n")
                                                    EVENT("UID:4\nTRANSP:TRANSPARENT\nCATEGORIES:other\n"));
    struct ical_text *x = calloc(1, sizeof(*x));
    struct dav_ical_setup setup = ical_text_setup(x, "20260301T000000Z", "20260501T000000Z");
    struct buf kept;
    struct dav_ical *ical;

    (void)state;
    setup.markers = markers;
    ical = dav_ical_new(&setup);
    buf_init(&kept, 1 << 20);
    buf_adds(&kept, "BEGIN:VCALENDAR\r\n");
    assert_int_equal(dav_ical_compact(ical, text, strlen(text), &kept, NULL, NULL), DAV_ICAL_OK);
    buf_adds(&kept, "END:VCALENDAR\r\n");
    dav_ical_free(&ical);
    assert_null(strstr(kept.data, "secret"));
    assert_null(strstr(kept.data, "boss"));
    assert_non_null(strstr(kept.data, "CATEGORIES:Hidden\r\n"));
    ical_text_read(x, &setup, kept.data, kept.len);
    /* the third is over before it begins, the fourth could be at any time: narrow as long as they may be */
    assert_int_equal(x->count, 3);
    assert_int_equal(x->lost, 0);
    assert_int_equal(x->spans[0].end - x->spans[0].start, 61 * 86400);
    assert_int_equal(x->spans[0].traits, DAV_TRAIT_MARK(0));
    assert_int_equal(x->spans[1].traits, DAV_TRAIT_MARK(1));
    assert_int_equal(x->spans[1].end - x->spans[1].start, 3600);
    assert_int_equal(x->spans[2].traits, DAV_TRAIT_MARK(1));
    for (size_t i = 0; i < x->count; i++)
        assert_int_equal(x->spans[i].kind, DAV_FREE);
    /* without markers a category is nothing, and free time is no span */
    setup.markers = NULL;
    x->count = 0;
    ical_text_read(x, &setup, text, strlen(text));
    assert_int_equal(x->count, 0);
    buf_free(&kept);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_else_is_kept),
        cmocka_unit_test(what_is_over_is_dropped),
        cmocka_unit_test(the_same_comes_of_it),
        cmocka_unit_test(markers_are_kept_as_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
