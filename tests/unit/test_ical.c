/*
 * Calendar text to spans: what the cases of tests/data/freebusy leave out (overrides of every sort, clock changes,
 * zones, the person's answer) and what hostile or careless servers send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "ical_text.h"

#define MARCH "20260301T000000Z", "20260401T000000Z"
#define YEAR "20260101T000000Z", "20270101T000000Z"

static void test_overrides(void **state)
{
    (void)state;
    /* A RECURRENCE-ID in another form names the same instance; one without master stands alone; one that no instance
     * matches counts. */
    ical_text_check(
        CALENDAR(
            BERLIN EVENT("UID:a\nDTSTART;TZID=Europe/Berlin:20260302T100000\nDTEND;TZID=Europe/Berlin:20260302T110000\n"
                         "RRULE:FREQ=DAILY;COUNT=3\n") EVENT("UID:a\nRECURRENCE-ID:20260303T090000Z\nDTSTART:"
                                                             "20260303T150000Z\nDTEND:20260303T160000Z\n")
                EVENT("UID:a\nRECURRENCE-ID:20260320T090000Z\nDTSTART:20260320T090000Z\nDTEND:20260320T100000Z\n")
                    EVENT("UID:b\nRECURRENCE-ID:20260311T090000Z\nDTSTART:20260312T090000Z\nDTEND:20260312T100000Z\n")),
        MARCH, NULL, NULL,
        "20260302T090000Z/20260302T100000Z busy\n20260303T150000Z/20260303T160000Z busy\n"
        "20260304T090000Z/20260304T100000Z busy\n20260312T090000Z/20260312T100000Z busy\n"
        "20260320T090000Z/20260320T100000Z busy\n");
    /* Two overrides of one instance: the newer revision; it stands before its master here. */
    ical_text_check(
        CALENDAR(
            EVENT("UID:a\nRECURRENCE-ID:20260303T090000Z\nSEQUENCE:2\nDTSTART:20260303T120000Z\nDURATION:PT1H\n")
                EVENT("UID:a\nRECURRENCE-ID:20260303T090000Z\nSEQUENCE:1\nDTSTART:20260303T150000Z\nDURATION:PT1H\n")
                    EVENT("UID:a\nDTSTART:20260302T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2\n")),
        MARCH, NULL, NULL, "20260302T090000Z/20260302T100000Z busy\n20260303T120000Z/20260303T130000Z busy\n");
    /* An all-day series with one day that is moved. */
    ical_text_check(
        CALENDAR(EVENT("UID:a\nDTSTART;VALUE=DATE:20260302\nRRULE:FREQ=WEEKLY;COUNT=2\n") EVENT(
            "UID:a\nRECURRENCE-ID;VALUE=DATE:20260309\nDTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260312\n")),
        MARCH, "Europe/Berlin", NULL,
        "20260301T230000Z/20260302T230000Z busy all-day\n20260309T230000Z/20260311T230000Z busy all-day\n");
}

static void test_exceptions(void **state)
{
    (void)state;
    /* As a local time, as UTC, and as a date, which means the instance of that day. */
    ical_text_check(
        CALENDAR(BERLIN EVENT(
            "UID:a\nDTSTART;TZID=Europe/Berlin:20260302T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5\n"
            "EXDATE;TZID=Europe/Berlin:20260303T100000\nEXDATE:20260304T090000Z\nEXDATE;VALUE=DATE:20260305\n")),
        MARCH, NULL, NULL, "20260302T090000Z/20260302T100000Z busy\n20260306T090000Z/20260306T100000Z busy\n");
    /* EXRULE is history, and still sent; DTSTART itself can be excluded. */
    ical_text_check(CALENDAR(EVENT("UID:a\nDTSTART:20260302T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=6\n"
                                   "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2\nEXDATE:20260302T090000Z\n")),
                    MARCH, NULL, NULL,
                    "20260303T090000Z/20260303T100000Z busy\n20260305T090000Z/20260305T100000Z busy\n"
                    "20260306T090000Z/20260306T100000Z busy\n20260307T090000Z/20260307T100000Z busy\n");
    /* RDATE in another zone than DTSTART; one list over two lines. */
    ical_text_check(CALENDAR(EVENT("UID:a\nDTSTART:20260302T090000Z\nDURATION:PT1H\nRDATE;TZID=America/"
                                   "New_York:20260310T0900\n 00,20260311T090000\n")),
                    MARCH, NULL, NULL,
                    "20260302T090000Z/20260302T100000Z busy\n20260310T130000Z/20260310T140000Z busy\n"
                    "20260311T130000Z/20260311T140000Z busy\n");
}

static void test_until(void **state)
{
    (void)state;
    /* A date that a program wrote where a moment belongs means the whole day. */
    ical_text_check(
        CALENDAR(EVENT("UID:a\nDTSTART:20260302T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20260304\n")), MARCH,
        NULL, NULL,
        "20260302T090000Z/20260302T100000Z busy\n20260303T090000Z/20260303T100000Z busy\n"
        "20260304T090000Z/20260304T100000Z busy\n");
    /* In UTC it is compared as a moment: 23:30Z on the 3rd is 00:30 on the 4th in Berlin. */
    ical_text_check(
        CALENDAR(BERLIN EVENT("UID:a\nDTSTART;TZID=Europe/"
                              "Berlin:20260302T003000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20260303T233000Z\n")),
        MARCH, NULL, NULL,
        "20260301T233000Z/20260302T003000Z busy\n20260302T233000Z/20260303T003000Z busy\n"
        "20260303T233000Z/20260304T003000Z busy\n");
}

/* 3.3.10: generated instances follow the clocks, too. 02:30 does not exist on 29 March 2026, and comes twice on 25
 * October. */
static void test_clock_changes(void **state)
{
    (void)state;
    ical_text_check(
        CALENDAR(BERLIN EVENT(
            "UID:a\nDTSTART;TZID=Europe/Berlin:20260328T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n")),
        YEAR, NULL, NULL,
        "20260328T013000Z/20260328T023000Z busy\n20260329T013000Z/20260329T023000Z busy\n"
        "20260330T003000Z/20260330T013000Z busy\n");
    ical_text_check(
        CALENDAR(BERLIN EVENT(
            "UID:a\nDTSTART;TZID=Europe/Berlin:20261024T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n")),
        YEAR, NULL, NULL,
        "20261024T003000Z/20261024T013000Z busy\n20261025T003000Z/20261025T013000Z busy\n"
        "20261026T013000Z/20261026T023000Z busy\n");
    /* A night shift: DTEND fixes eight hours, whatever the clocks do; DURATION in days is a day by the calendar. */
    ical_text_check(
        CALENDAR(BERLIN EVENT(
            "UID:a\nDTSTART;TZID=Europe/Berlin:20260327T220000\nDTEND;TZID=Europe/Berlin:20260328T060000\n"
            "RRULE:FREQ=DAILY;COUNT=2\n") EVENT("UID:b\nDTSTART;TZID=Europe/Berlin:20261024T120000\nDURATION:P1D\n")),
        YEAR, NULL, NULL,
        "20260327T210000Z/20260328T050000Z busy\n20260328T210000Z/20260329T050000Z busy\n"
        "20261024T100000Z/20261025T110000Z busy\n");
    /* All-day series: every day is its own day, 23 hours on 29 March. */
    ical_text_check(CALENDAR(EVENT("UID:a\nDTSTART;VALUE=DATE:20260328\nRRULE:FREQ=DAILY;COUNT=3\n")), YEAR,
                    "Europe/Berlin", NULL,
                    "20260327T230000Z/20260328T230000Z busy all-day\n20260328T230000Z/20260329T220000Z busy all-day\n"
                    "20260329T220000Z/20260330T220000Z busy all-day\n");
}

#define ODD(tzid, from, to)                                                                                            \
    "BEGIN:VTIMEZONE\nTZID:" tzid "\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:" from "\nTZOFFSETTO:" to   \
    "\nEND:STANDARD\nEND:VTIMEZONE\n"

static void test_zones(void **state)
{
    (void)state;
    /* The definition goes before the name, also when it stands behind the event; a Windows name needs none. */
    ical_text_check(
        CALENDAR(EVENT("UID:a\nDTSTART;TZID=Europe/Berlin:20260310T120000\nDURATION:PT1H\n")
                     ODD("Europe/Berlin", "+0530", "+0530")
                         EVENT("UID:b\nDTSTART;TZID=\"Tokyo Standard Time\":20260310T180000\nDURATION:PT1H\n")),
        MARCH, NULL, NULL, "20260310T063000Z/20260310T073000Z busy\n20260310T090000Z/20260310T100000Z busy\n");
    /* One that refers to itself is read like any other; a broken one leaves the name. */
    ical_text_check(
        CALENDAR("BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART;TZID=X:19700101T000000\nTZOFFSETFROM:+"
                 "0100\nTZOFFSETTO:+0100\n"
                 "RDATE;TZID=X:19800101T000000\nEND:STANDARD\nEND:VTIMEZONE\n"
                 "BEGIN:VTIMEZONE\nTZID:Asia/"
                 "Tokyo\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:nine\nEND:STANDARD\nEND:VTIMEZONE\n" EVENT(
                     "UID:a\nDTSTART;TZID=X:20260310T120000\nDURATION:PT1H\n")
                     EVENT("UID:b\nDTSTART;TZID=Asia/Tokyo:20260310T180000\nDURATION:PT1H\n")),
        MARCH, NULL, NULL, "20260310T090000Z/20260310T100000Z busy\n20260310T110000Z/20260310T120000Z busy\n");
    /* Rules that have ended leave their last offset behind: this zone gave up summer time in 2015. */
    ical_text_check(
        CALENDAR(
            "BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nDTSTART:20001029T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
            "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20151025T010000Z\nEND:STANDARD\n"
            "BEGIN:DAYLIGHT\nDTSTART:20010325T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"
            "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20150329T010000Z\nEND:DAYLIGHT\nEND:VTIMEZONE\n" EVENT(
                "UID:a\nDTSTART;TZID=Z:20100705T120000\nDURATION:PT1H\nRRULE:FREQ=YEARLY\n")),
        "20140101T000000Z", "20180101T000000Z", NULL, NULL,
        "20140705T100000Z/20140705T110000Z busy\n20150705T100000Z/20150705T110000Z busy\n"
        "20160705T110000Z/20160705T120000Z busy\n20170705T110000Z/20170705T120000Z busy\n");
    /* And one that kept it since 2014, asked about years later. */
    ical_text_check(
        CALENDAR(
            "BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nDTSTART:20011028T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
            "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20131027T010000Z\nEND:STANDARD\n"
            "BEGIN:DAYLIGHT\nDTSTART:20010325T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"
            "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20140330T010000Z\nEND:DAYLIGHT\nEND:VTIMEZONE\n" EVENT(
                "UID:a\nDTSTART;TZID=Z:20260310T120000\nDURATION:PT1H\n")),
        MARCH, NULL, NULL, "20260310T100000Z/20260310T110000Z busy\n");
}

static void test_unknown_and_changing_zones(void **state)
{
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    struct dav_ical *ical;
    const char *text;

    (void)state;
    /* An unknown zone is not guessed: that event is refused, and may be at any of the hours that zones have it at. */
    text = CALENDAR(EVENT("UID:a\nDTSTART;TZID=Middle Earth:20260310T120000\nDURATION:PT1H\n")
                        EVENT("UID:b\nDTSTART:20260311T120000Z\nDURATION:PT1H\n"));
    ical_text_read(t, &setup, text, strlen(text));
    assert_int_equal(t->skipped, 1);
    ical_text_expect(t, "20260309T220000Z/20260311T010000Z not-understood\n20260311T120000Z/20260311T130000Z busy\n");
    /* The same TZID means something else in the next text of the same reading. */
    t->count = 0;
    ical = dav_ical_new(&setup);
    text = CALENDAR(ODD("X", "+0100", "+0100") EVENT("UID:a\nDTSTART;TZID=X:20260310T120000\nDURATION:PT1H\n"));
    assert_int_equal(dav_ical_read(ical, text, strlen(text)), DAV_ICAL_OK);
    text = CALENDAR(ODD("X", "+0300", "+0300") EVENT("UID:a\nDTSTART;TZID=X:20260310T120000\nDURATION:PT1H\n"));
    assert_int_equal(dav_ical_read(ical, text, strlen(text)), DAV_ICAL_OK);
    /* And a calendar's zone may come as a definition. */
    text = CALENDAR(ODD("Own", "-0330", "-0330"));
    assert_true(dav_ical_set_timezone(ical, text, strlen(text)));
    assert_false(dav_ical_set_timezone(ical, "nonsense", 8));
    assert_false(dav_ical_set_zone(ical, "Nowhere"));
    text = CALENDAR(EVENT("UID:a\nDTSTART:20260310T120000\nDURATION:PT1H\n"));
    assert_int_equal(dav_ical_read(ical, text, strlen(text)), DAV_ICAL_OK);
    dav_ical_free(&ical);
    ical_text_expect(t, "20260310T110000Z/20260310T120000Z busy\n20260310T090000Z/20260310T100000Z busy\n"
                        "20260310T153000Z/20260310T163000Z busy\n");
    setup.zone = "Nowhere";
    assert_null(dav_ical_new(&setup));
    free(t);
}

#define ASKED(lines) CALENDAR(EVENT("UID:a\nDTSTART:20260310T090000Z\nDURATION:PT1H\n" lines))
#define ANSWER "20260310T090000Z/20260310T100000Z "
#define ALICE "Alice@Example.org"

static void test_own_answer(void **state)
{
    (void)state;
    ical_text_check(ASKED("ATTENDEE;PARTSTAT=declined:MAILTO:aLICE@example.ORG\n"), MARCH, NULL, ALICE,
                    ANSWER "busy declined\n");
    ical_text_check(ASKED("ATTENDEE;CN=\"Liddell; Alice: x\";PARTSTAT=TENTATIVE:mailto:alice@example.org\n"), MARCH,
                    NULL, ALICE, ANSWER "busy maybe\n");
    ical_text_check(ASKED("ATTENDEE;RSVP=TRUE:mailto:alice@example.org\n"), MARCH, NULL, ALICE,
                    ANSWER "busy unanswered\n");
    ical_text_check(ASKED("ATTENDEE;PARTSTAT=X-LATER:mailto:alice%40example.org\n"), MARCH, NULL, ALICE,
                    ANSWER "busy unanswered\n");
    ical_text_check(ASKED("ATTENDEE;PARTSTAT=DECLINED;EMAIL=alice@example.org:urn:uuid:1\n"), MARCH, NULL, ALICE,
                    ANSWER "busy declined\n");
    ical_text_check(ASKED("ATTENDEE;PARTSTAT=DELEGATED:mailto:alice@example.org\n"), MARCH, NULL, ALICE,
                    ANSWER "busy declined\n");
    ical_text_check(ASKED("ATTENDEE;PARTSTAT=DECLINED:mailto:malice@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:"
                          "alice@example.org.uk\n"),
                    MARCH, NULL, ALICE, ANSWER "busy\n");
    /* Who invites need not answer. */
    ical_text_check(ASKED("ORGANIZER:mailto:alice@example.org\nATTENDEE:mailto:alice@example.org\n"), MARCH, NULL,
                    ALICE, ANSWER "busy\n");
    ical_text_check(ASKED("ATTENDEE;PARTSTAT=DECLINED:mailto:alice@example.org\n"), MARCH, NULL, NULL, ANSWER "busy\n");
}

static void test_marks(void **state)
{
    (void)state;
    ical_text_check(ASKED("TRANSP:TRANSPARENT\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\n"), MARCH, NULL, NULL, ANSWER "oof\n");
    ical_text_check(ASKED("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\n"), MARCH, NULL, NULL, ANSWER "elsewhere\n");
    ical_text_check(ASKED("X-MICROSOFT-CDO-BUSYSTATUS:NONSENSE\nSTATUS:TENTATIVE\n"), MARCH, NULL, NULL,
                    ANSWER "tentative\n");
    ical_text_check(ASKED("X-MICROSOFT-CDO-BUSYSTATUS:BUSY\nSTATUS:CANCELLED\n"), MARCH, NULL, NULL,
                    ANSWER "busy cancelled\n");
    ical_text_check(ASKED("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nX-MICROSOFT-CDO-INTENDEDSTATUS:OOF\n"
                          "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org\n"),
                    MARCH, NULL, ALICE, ANSWER "oof\n");
    ical_text_check(ASKED("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nX-MICROSOFT-CDO-INTENDEDSTATUS:OOF\n"
                          "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@example.org\n"),
                    MARCH, NULL, ALICE, ANSWER "tentative unanswered\n");
    ical_text_check(ASKED("CLASS:X-SECRET\n"), MARCH, NULL, NULL, ANSWER "busy private\n");
    ical_text_check(ASKED("X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\n"), MARCH, NULL, NULL, ANSWER "busy all-day\n");
    /* An all-day event that ends on its day is met, and means the day. */
    ical_text_check(CALENDAR(EVENT("DTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260310\n")), MARCH, NULL, NULL,
                    "20260310T000000Z/20260311T000000Z busy all-day\n");
    /* An alarm has properties of the same names. */
    ical_text_check(ASKED("BEGIN:VALARM\nDURATION:PT5H\nSTATUS:CANCELLED\nUID:other\nEND:VALARM\n"), MARCH, NULL, NULL,
                    ANSWER "busy\n");
}

static void test_lines(void **state)
{
    size_t big = 2 * 1024 * 1024;
    char *text = calloc(1, big + 1000);
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    int head;

    (void)state;
    /* Folds in a name, in a date, after every kind of line end; lower case; no line end at the end; bytes that are no
     * UTF-8. */
    ical_text_check("begin:vcalendar\r\nBEGIN:VEVENT\r\nSUMMARY:\xff\xfe\r\n folded "
                    "DTSTART:19700101T000000Z\r\nDTST\r\n ART:202603\r\n\t10T09"
                    "0000Z\r\ndtend:20260310T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR",
                    MARCH, NULL, NULL, ANSWER "busy\n");
    /* A long line that nobody wants costs nothing, one that is wanted costs its event. */
    head = sprintf(text, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260310T090000Z\nDURATION:PT1H\nDESCRIPTION:");
    memset(text + head, 'x', big);
    strcpy(text + head + big, "\nEND:VEVENT\nEND:VCALENDAR\n");
    ical_text_read(t, &setup, text, strlen(text));
    ical_text_expect(t, ANSWER "busy\n");
    memcpy(text + head - 12, "EXDATE:12345", 12);
    t->count = 0;
    ical_text_read(t, &setup, text, strlen(text));
    assert_int_equal(t->verdict, DAV_ICAL_OK);
    assert_int_equal(t->skipped, 1);
    ical_text_expect(t, "20260310T090000Z/20260310T100000Z not-understood\n");
    free(text);
    free(t);
}

#define LOST NULL /* nothing says when it is */
#define DAY_OF_IT "20260310T090000Z/20260311T090000Z"
#define FROM_THEN_ON "20260310T090000Z/20260401T000000Z"
#define ALL_THE_TIME "20260301T000000Z/20260401T000000Z"
static const struct {
    const char *text, *cover;
} broken[] = {
    {"", LOST},
    {"DTSTART:20261301T090000Z\nDURATION:PT1H\n", LOST},
    {"DTSTART:20260230T090000Z\nDURATION:PT1H\n", LOST},
    {"DTSTART:20260310T256000Z\nDURATION:PT1H\n", LOST},
    {"DTSTART:20260310T0900Z\nDURATION:PT1H\n", LOST},
    {"DTSTART:yesterday\nDURATION:PT1H\n", LOST},
    {"DTSTART:\nDURATION:PT1H\n", LOST},
    {"DTSTART\nDURATION:PT1H\n", LOST},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T080000Z\n", "20260310T080000Z/20260311T090000Z"},
    {"DTSTART:20260310T090000Z\nDURATION:-PT1H\n", DAY_OF_IT},
    {"DTSTART:20260310T090000Z\nDURATION:P\n", DAY_OF_IT},
    {"DTSTART:20260310T090000Z\nDURATION:PT99999999999H\n", DAY_OF_IT},
    {"DTSTART:20260310T090000Z\nDURATION:one hour\n", DAY_OF_IT},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=FORTNIGHTLY\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;UNTIL=soon\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;COUNT=0\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;COUNT=-3\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;INTERVAL=0\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;INTERVAL=70000\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=32\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;BYHOUR=25\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:RSCALE=HEBREW;FREQ=DAILY\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRDATE:20260311T090000Z,tomorrow\n", FROM_THEN_ON},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nEXDATE:20260311T090000Z,,\n",
     "20260310T090000Z/20260310T100000Z"},
    {"DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRECURRENCE-ID:x\n", "20260310T090000Z/20260310T100000Z"},
    /* more work than one event may cost */
    {"DTSTART:19260310T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY\n", ALL_THE_TIME},
    {"DTSTART:19260310T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;COUNT=999999999\n", ALL_THE_TIME},
    {"DTSTART:19260310T090000Z\nDURATION:PT1S\nRRULE:FREQ=MINUTELY;BYSECOND=0,1,2,3,4,5,6,7,8,9,10\n",
     ALL_THE_TIME},
    {"DTSTART:19260310T090000Z\nDURATION:P40000D\nRRULE:FREQ=DAILY\n", ALL_THE_TIME},
};


/* Each is refused and counted, and what time it may take is not free; the event beside it is as it was. */
static void test_broken_items(void **state)
{
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    char text[1000], expected[300];

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        snprintf(text, sizeof(text),
                 CALENDAR(EVENT("UID:a\n%s") EVENT("UID:b\nDTSTART:20260311T090000Z\nDURATION:PT1H\n")),
                 broken[i].text);
        t->count = 0;
        ical_text_read(t, &setup, text, strlen(text));
        if (t->skipped != 1)
            print_error("not refused: %s", broken[i].text);
        assert_int_equal(t->verdict, DAV_ICAL_OK);
        assert_int_equal(t->skipped, 1);
        assert_int_equal(t->lost, broken[i].cover == LOST);
        snprintf(expected, sizeof(expected), "%s%s20260311T090000Z/20260311T100000Z busy\n",
                 broken[i].cover != LOST ? broken[i].cover : "", broken[i].cover != LOST ? " not-understood\n" : "");
        ical_text_expect(t, expected);
    }
    free(t);
}

/* What is refused does not make anybody busy when it would not have, and not before or after it can be. */
static void test_doubt_has_ends(void **state)
{
    static const struct {
        const char *text, *cover;
    } refused[] = {
        {"STATUS:CANCELLED\nDTSTART:20260310T090000Z\nDTEND:20260310T080000Z\n", ""},
        {"TRANSP:TRANSPARENT\nDTSTART:20260310T090000Z\nRRULE:FREQ=FORTNIGHTLY\n", ""},
        {"DTSTART:20090310T090000Z\nDTEND:20090310T080000Z\n", ""},
        {"DTSTART:20260310T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;UNTIL=20260312T120000Z\n",
         "20260310T090000Z/20260313T120001Z not-understood\n"},
        {"DTSTART:20100310T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;UNTIL=20100312T120000Z;BYSETPOS=7\n", ""},
        {"DTSTART;TZID=Nowhere:20260310T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20260311T120000Z\n",
         "20260309T190000Z/20260312T130000Z not-understood\n"},
        {"DTSTART;VALUE=DATE:20260310\nRRULE:FREQ=HOURLY\n",
         "20260310T000000Z/20260401T000000Z not-understood all-day\n"},
        {"DTSTART:00000310T090000Z\nDTEND:00000310T080000Z\n", ""},
        {"DTSTART:99990310T090000Z\nDTEND:99990310T080000Z\n", ""},
    };
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    char text[1000];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(text, sizeof(text), CALENDAR(EVENT("UID:a\n%s")), refused[i].text);
        t->count = 0;
        ical_text_read(t, &setup, text, strlen(text));
        assert_int_equal(t->lost, 0);
        ical_text_expect(t, refused[i].cover);
    }
    free(t);
}

/* Far away from us, but no reason to refuse anything. */
static void test_far_dates(void **state)
{
    (void)state;
    ical_text_check(
        CALENDAR(BERLIN EVENT(
            "UID:a\nDTSTART;TZID=Europe/Berlin:00000101T000000\nDTEND;TZID=Europe/Berlin:99991231T235959\n")
                     EVENT("UID:b\nDTSTART;TZID=Europe/"
                           "Berlin:16010101T090000\nDURATION:PT1H\nRRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=10\n")),
        MARCH, NULL, NULL, "00010101T000000Z/99991231T225959Z busy\n20260310T080000Z/20260310T090000Z busy\n");
    /* A date that never comes is searched for in no time. */
    ical_text_check(
        CALENDAR(
            EVENT("UID:a\nDTSTART:20200101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\n")
                EVENT("UID:b\nDTSTART:20200101T090000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\n")
                    EVENT("UID:c\nDTSTART:20210228T090000Z\nDURATION:PT1H\nRRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=2;"
                          "BYMONTHDAY=29\n")),
        MARCH, NULL, NULL, "");
}

static void test_texts_that_are_no_calendar(void **state)
{
    static const struct {
        const char *text;
        enum dav_ical_verdict verdict;
    } texts[] = {
        {"", DAV_ICAL_NOT_CALENDAR},
        {"<html><body>Service unavailable</body></html>", DAV_ICAL_NOT_CALENDAR},
        {"BEGIN:VCALENDAR\n", DAV_ICAL_CUT},
        {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260310T090000Z\nDURATION:PT1H\nEND:VEVENT\n", DAV_ICAL_CUT},
        {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260310T090000Z\nDURATION:PT1H\nEND:VCALENDAR\n", DAV_ICAL_CUT},
        {"BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR\n", DAV_ICAL_CUT},
        {"BEGIN:VCALENDAR\nEND:VCALENDAR\n", DAV_ICAL_OK},
        {"BEGIN:VEVENT\nDTSTART:20260310T090000Z\nDURATION:PT1H\nEND:VEVENT\n", DAV_ICAL_NOT_CALENDAR},
        {"BEGIN:VCALENDAR\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:"
         "A\nBEGIN:A\nBEGIN:A\n"
         "BEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\n",
         DAV_ICAL_TOO_LARGE},
    };
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ical_text_read(t, &setup, texts[i].text, strlen(texts[i].text));
        assert_int_equal(t->verdict, texts[i].verdict);
        assert_int_equal(t->count, 0);
    }
    setup.max_bytes = 10;
    ical_text_read(t, &setup, "BEGIN:VCALENDAR\nEND:VCALENDAR\n", 30);
    assert_int_equal(t->verdict, DAV_ICAL_TOO_LARGE);
    free(t);
}

/* Wherever a good text is cut, nothing comes of it, and nothing is read beyond its end. */
static void test_every_cut(void **state)
{
    static const char text[] = CALENDAR(BERLIN EVENT(
        "UID:a\nDTSTART;TZID=\"Europe/Berlin\":20260310T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;\n COUNT=3\n"
        "RDATE;VALUE=PERIOD:20260320T090000Z/PT1H\nATTENDEE;PARTSTAT=DECLINED:mailto:a@b\n") "BEGIN:"
                                                                                             "VFREEBUSY\nFREEBUSY;"
                                                                                             "FBTYPE=BUSY:"
                                                                                             "20260312T090000Z/"
                                                                                             "PT1H\nEND:VFREEBUSY\n");
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    const char *owners[] = {"a@b", NULL};

    (void)state;
    setup.owners = owners;
    for (size_t cut = 0; cut < sizeof(text) - 2; cut++) {
        char *exact = malloc(cut > 0 ? cut : 1);

        memcpy(exact, text, cut);
        ical_text_read(t, &setup, exact, cut);
        free(exact);
        assert_int_not_equal(t->verdict, DAV_ICAL_OK);
        assert_int_equal(t->count, 0);
    }
    ical_text_read(t, &setup, text, sizeof(text) - 1);
    assert_int_equal(t->verdict, DAV_ICAL_OK);
    assert_int_equal(t->count, 5);
    free(t);
}

/* Any byte wrong: no crash, no hang (the sanitizers and the test's time limit look). */
static void test_every_byte_wrong(void **state)
{
    static const char text[] =
        CALENDAR(BERLIN EVENT("UID:a\nDTSTART;TZID=Europe/Berlin:20260310T100000\nDURATION:PT1H\n"
                              "RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1;UNTIL=20270101\nEXDATE:20260327T090000Z\n"));
    static const char wrong[] = {'\n', ':', ';', '9', '-', 'T', '\0', '\xff', '"', ' '};
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    char copy[sizeof(text)];

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (size_t k = 0; k < sizeof(wrong); k++) {
            memcpy(copy, text, sizeof(text));
            copy[i] = wrong[k];
            t->count = 0;
            ical_text_read(t, &setup, copy, sizeof(text) - 1);
        }
    }
    free(t);
}

/* Thousands of hostile events together may not cost more than a few of them: a text has a budget, too. */
static void test_a_text_has_a_budget(void **state)
{
    struct ical_text *t = calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, MARCH);
    struct timespec before, after;
    struct buf b;

    (void)state;
    buf_init(&b, 4 * 1024 * 1024);
    buf_adds(&b, "BEGIN:VCALENDAR\n");
    for (int i = 0; i < 5000; i++)
        buf_addf(&b, EVENT("UID:%d\nDTSTART:19260310T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;COUNT=999999999\n"),
                 i);
    buf_adds(&b, EVENT("UID:z\nDTSTART:20260311T090000Z\nDURATION:PT1H\n") "END:VCALENDAR\n");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    ical_text_read(t, &setup, b.data, b.len);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_int_equal(t->skipped, 5000);
    assert_int_equal(t->count, 5001); /* nobody looks free because of it */
    assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 3000);
    buf_free(&b);
    /* And ceilings on events and spans. */
    setup.max_components = 2;
    ical_text_read(t, &setup, CALENDAR(EVENT("") EVENT("") EVENT("")),
                   sizeof(CALENDAR(EVENT("") EVENT("") EVENT(""))) - 1);
    assert_int_equal(t->verdict, DAV_ICAL_TOO_LARGE);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_clock_changes),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_unknown_and_changing_zones),
        cmocka_unit_test(test_own_answer),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_broken_items),
        cmocka_unit_test(test_doubt_has_ends),
        cmocka_unit_test(test_far_dates),
        cmocka_unit_test(test_texts_that_are_no_calendar),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_byte_wrong),
        cmocka_unit_test(test_a_text_has_a_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
