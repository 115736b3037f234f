/*
 * VAVAILABILITY (RFC 7953) to the time in which the person is not available.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ical_text.h"

#define A_WEEK "20260302T000000Z", "20260309T000000Z" /* Monday to Sunday */
#define HOURS(inside) "BEGIN:VAVAILABILITY\nUID:h\n" inside "END:VAVAILABILITY\n"
#define AVAILABLE(inside) "BEGIN:AVAILABLE\nUID:a\n" inside "END:AVAILABLE\n"
#define WORKDAYS(start, end)                                                                                           \
    AVAILABLE("DTSTART;TZID=Europe/Berlin:20260105T" start "\nDTEND;TZID=Europe/Berlin:20260105T" end                  \
              "\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR\n")

static void the_usual_week(void **state)
{
    (void)state;
    ical_text_check(CALENDAR(HOURS(WORKDAYS("090000", "170000"))), A_WEEK, "Europe/Berlin", NULL,
                    "20260302T000000Z/20260302T080000Z oof outside-hours\n"
                    "20260302T160000Z/20260303T080000Z oof outside-hours\n"
                    "20260303T160000Z/20260304T080000Z oof outside-hours\n"
                    "20260304T160000Z/20260305T080000Z oof outside-hours\n"
                    "20260305T160000Z/20260306T080000Z oof outside-hours\n"
                    "20260306T160000Z/20260309T000000Z oof outside-hours\n");
    /* An event stands beside it as always, and one that is inside is no AVAILABLE. */
    ical_text_check(CALENDAR(HOURS("BUSYTYPE:BUSY\nDTSTART:20260307T000000Z\nDURATION:P1D\n" EVENT(
                        "UID:x\nDTSTART:20260307T090000Z\nDURATION:PT1H\n"))
                                 EVENT("UID:y\nDTSTART:20260307T120000Z\nDURATION:PT1H\n")
                                     AVAILABLE("DTSTART:20260307T090000Z\nDURATION:PT1H\n")),
                    A_WEEK, "Europe/Berlin", NULL,
                    "20260307T000000Z/20260308T000000Z busy outside-hours\n20260307T120000Z/20260307T130000Z busy\n");
}

static void exceptions_of_the_week(void **state)
{
    (void)state;
    /* One day shorter, one day off; hours on both sides of a lunch; two that touch are one. */
    ical_text_check(
        CALENDAR(HOURS("DTSTART:20260303T000000Z\nDTEND:20260306T000000Z\n" AVAILABLE(
            "DTSTART:20260303T080000Z\nDTEND:20260303T120000Z\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260304T080000Z\n")
                           AVAILABLE("RECURRENCE-ID:20260305T080000Z\nDTSTART:20260305T100000Z\nDTEND:"
                                     "20260305T120000Z\n") "BEGIN:AVAILABLE\nUID:b\nDTSTART:20260305T120000Z\nDTEND:"
                                                           "20260305T130000Z\nEND:AVAILABLE\n")),
        A_WEEK, NULL, NULL,
        "20260303T000000Z/20260303T080000Z oof outside-hours\n20260303T120000Z/20260305T100000Z oof outside-hours\n"
        "20260305T130000Z/20260306T000000Z oof outside-hours\n");
}

static void priorities(void **state)
{
    (void)state;
    /* The holidays go before the usual week, which has no priority; a priority of 9 before none, and after 1. */
    ical_text_check(CALENDAR(HOURS("BUSYTYPE:BUSY-TENTATIVE\n" WORKDAYS("000000", "235900"))
                                 HOURS("PRIORITY:1\nBUSYTYPE:BUSY\nDTSTART:20260303T000000Z\nDTEND:20260305T000000Z\n")
                                     HOURS("PRIORITY:9\nDTSTART:20260304T000000Z\nDTEND:20260306T000000Z\n" AVAILABLE(
                                         "DTSTART:20260304T000000Z\nDTEND:20260305T120000Z\n"))),
                    "20260303T000000Z", "20260306T000000Z", "Europe/Berlin", NULL,
                    "20260303T000000Z/20260305T000000Z busy outside-hours\n"
                    "20260305T120000Z/20260306T000000Z oof outside-hours\n");
    /* Of equals both have to agree, and BUSY is the word that stands. */
    ical_text_check(CALENDAR(HOURS(AVAILABLE("DTSTART:20260303T060000Z\nDTEND:20260303T120000Z\n")) HOURS(
                        "BUSYTYPE:BUSY\n" AVAILABLE("DTSTART:20260303T100000Z\nDTEND:20260303T180000Z\n"))),
                    "20260303T000000Z", "20260304T000000Z", NULL, NULL,
                    "20260303T000000Z/20260303T100000Z busy outside-hours\n"
                    "20260303T120000Z/20260303T180000Z oof outside-hours\n"
                    "20260303T180000Z/20260304T000000Z busy outside-hours\n");
}

/* As of one, read as two texts of one calendar. */
static void several_texts(void **state)
{
    static const char *const texts[] = {
        CALENDAR(HOURS(AVAILABLE("DTSTART:20260303T060000Z\nDTEND:20260303T180000Z\n"))),
        CALENDAR(HOURS("PRIORITY:3\nDTSTART:20260303T120000Z\nDTEND:20260303T140000Z\n")),
    };
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, "20260303T000000Z", "20260304T000000Z");
    struct dav_ical *ical = dav_ical_new(&setup);

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(dav_ical_read(ical, texts[i], strlen(texts[i])), DAV_ICAL_OK);
    assert_int_equal(t->count, 0);
    assert_int_equal(dav_ical_hours(ical), DAV_ICAL_OK);
    ical_text_expect(t, "20260303T000000Z/20260303T060000Z oof outside-hours\n"
                        "20260303T120000Z/20260303T140000Z oof outside-hours\n"
                        "20260303T180000Z/20260304T000000Z oof outside-hours\n");
    t->count = 0;
    assert_int_equal(dav_ical_hours(ical), DAV_ICAL_OK); /* said once */
    assert_int_equal(t->count, 0);
    dav_ical_free(&ical);
    free(t);
}

/* What cannot be understood makes nobody available. */
static void broken_ones(void **state)
{
    static const char *const texts[] = {
        HOURS(AVAILABLE("DTSTART:20260303T060000Z\nDTEND:20260303T180000Z\nRRULE:FREQ=FORTNIGHTLY\n")),
        HOURS(AVAILABLE("DTSTART:20260303T060000Z\nDTEND:20260303T050000Z\n")),
        HOURS(AVAILABLE("DTSTART:yesterday\nDURATION:PT5H\n")),
        HOURS(AVAILABLE("DTSTART;TZID=Nowhere:20260303T060000\nDURATION:PT5H\n")),
        HOURS("DTSTART:tomorrow\n"),
        HOURS("DTSTART;TZID=Nowhere:20260303T060000\n"),
        HOURS("DTEND:20261340T000000Z\nPRIORITY:high\nBUSYTYPE:NOT-AT-ALL\n"),
        HOURS(AVAILABLE("DTSTART:19260303T060000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY\n")),
    };
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, "20260303T000000Z", "20260304T000000Z");
    char text[500];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snprintf(text, sizeof(text), CALENDAR("%s"), texts[i]);
        t->count = 0;
        ical_text_read(t, &setup, text, strlen(text));
        assert_int_equal(t->verdict, DAV_ICAL_OK);
        assert_int_equal(t->skipped, 1);
        ical_text_expect(t, "20260303T000000Z/20260304T000000Z oof outside-hours\n");
    }
    free(t);
}

static void there_are_ceilings(void **state)
{
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, "20260303T000000Z", "20260304T000000Z");
    struct buf b;

    (void)state;
    buf_init(&b, 1024 * 1024);
    buf_adds(&b, "BEGIN:VCALENDAR\n");
    for (int i = 0; i < 100; i++)
        buf_adds(&b, HOURS(""));
    buf_adds(&b, "END:VCALENDAR\n");
    ical_text_read(t, &setup, b.data, b.len);
    assert_int_equal(t->verdict, DAV_ICAL_TOO_LARGE);
    assert_int_equal(t->count, 0);
    buf_free(&b);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_week), cmocka_unit_test(exceptions_of_the_week),
        cmocka_unit_test(priorities),     cmocka_unit_test(several_texts),
        cmocka_unit_test(broken_ones),    cmocka_unit_test(there_are_ceilings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
