/*
 * What libical does wrong and ical_fix.c puts right: for each correction one series, its dates worked out by hand from
 * the section named (RFC 5545). Then the other way round: rules that do go to libical's iterator give the same dates
 * from the generator, so that the table of corrections has no gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ical_parts.h"
#include "ical_text.h"

#define SERIES(start, rule) CALENDAR(EVENT("UID:a\nDTSTART:" start "\nDURATION:PT1H\nRRULE:" rule "\n"))

static void assert_starts(const char *text, const char *from, const char *until, const char *expected)
{
    struct ical_text *t = mem_calloc(1, sizeof(*t));
    struct dav_ical_setup setup = ical_text_setup(t, from, until);
    struct buf got;

    ical_text_read(t, &setup, text, strlen(text));
    assert_int_equal(t->skipped, 0);
    buf_init(&got, 65536);
    buf_adds(&got, "");
    for (size_t i = 0; i < t->count; i++) {
        char start[UTC_TEXT_MAX];

        buf_addf(&got, "%s%.13s", i > 0 ? " " : "", utc_basic(t->spans[i].start, start));
    }
    assert_string_equal(got.data, expected);
    buf_free(&got);
    free(t);
}

/* 3.3.10: the positions count instances, hour by hour, not days. */
static void test_bysetpos_counts_instances(void **state)
{
    (void)state;
    assert_starts(SERIES("20260105T170000Z", "FREQ=MONTHLY;BYDAY=MO;BYHOUR=9,17;BYSETPOS=2,-1;COUNT=4"),
                  "20260101T000000Z", "20260401T000000Z", "20260105T1700 20260126T1700 20260202T1700 20260223T1700");
    assert_starts(SERIES("20260102T090000Z", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1"), "20260101T000000Z",
                  "20260120T000000Z", "20260102T0900 20260109T0900 20260116T0900");
    assert_starts(SERIES("20260302T140000Z", "FREQ=DAILY;BYHOUR=8,11,14;BYSETPOS=-1"), "20260302T000000Z",
                  "20260304T000000Z", "20260302T1400 20260303T1400");
}

/* 3.3.10: week 53 is only there in some years (2026 and 2032); -1 is the last; week 1 may begin in the old year. */
static void test_byweekno(void **state)
{
    (void)state;
    assert_starts(SERIES("20201228T090000Z", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO"), "20210601T000000Z",
                  "20330101T000000Z", "20261228T0900 20321227T0900");
    assert_starts(SERIES("20231230T090000Z", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SA"), "20230101T000000Z",
                  "20280101T000000Z", "20231230T0900 20241228T0900 20251227T0900 20270102T0900");
    assert_starts(SERIES("20241230T090000Z", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO"), "20241201T000000Z", "20280201T000000Z",
                  "20241230T0900 20251229T0900 20270104T0900 20280103T0900");
    /* 2010 has 52 weeks, the first two days of 2011 are still in the last of them */
    assert_starts(SERIES("20091230T213000Z", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=WE,SA,SU"), "20091201T000000Z",
                  "20120101T000000Z", "20091230T2130 20100102T2130 20100103T2130");
    /* without BYDAY: the weekday of DTSTART */
    assert_starts(SERIES("20260514T090000Z", "FREQ=YEARLY;BYWEEKNO=20"), "20260101T000000Z", "20280101T000000Z",
                  "20260514T0900 20270520T0900");
}

/* 3.3.10: BYYEARDAY narrows down other parts, and counts from the end as well. */
static void test_byyearday(void **state)
{
    (void)state;
    assert_starts(SERIES("20240409T090000Z", "FREQ=YEARLY;BYYEARDAY=100,-1;BYMONTH=4"), "20240101T000000Z",
                  "20270101T000000Z", "20240409T0900 20250410T0900 20260410T0900");
    assert_starts(SERIES("20251231T220000Z", "FREQ=HOURLY;BYYEARDAY=-1;BYHOUR=22,23"), "20250101T000000Z",
                  "20270101T000000Z", "20251231T2200 20251231T2300 20261231T2200 20261231T2300");
}

/* 3.3.10: the last day of the month as a filter of a DAILY rule. */
static void test_negative_monthday_as_filter(void **state)
{
    (void)state;
    assert_starts(SERIES("20260131T090000Z", "FREQ=DAILY;BYMONTHDAY=-1"), "20260101T000000Z", "20260501T000000Z",
                  "20260131T0900 20260228T0900 20260331T0900 20260430T0900");
    assert_starts(SERIES("20240229T090000Z", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"), "20240101T000000Z",
                  "20270101T000000Z", "20240229T0900 20250228T0900 20260228T0900");
}

/* 3.3.10: every seventh hour goes on over midnight, wherever the window is entered. */
static void test_sub_daily_interval(void **state)
{
    (void)state;
    assert_starts(SERIES("20260301T000000Z", "FREQ=HOURLY;INTERVAL=7"), "20260303T000000Z", "20260304T000000Z",
                  "20260303T0100 20260303T0800 20260303T1500 20260303T2200");
    assert_starts(SERIES("20260301T000000Z", "FREQ=MINUTELY;INTERVAL=1000"), "20260303T000000Z", "20260304T000000Z",
                  "20260303T0200 20260303T1840");
    assert_starts(SERIES("20260301T093000Z", "FREQ=HOURLY;INTERVAL=2;BYHOUR=9,10,11;BYMINUTE=0,30;COUNT=4"),
                  "20260301T000000Z", "20260304T000000Z", "20260301T0930 20260301T1100 20260301T1130 20260302T0900");
}

/* 3.3.10 and 3.8.5.3: every third week by weeks that begin on Saturday, entered years later; MO, TH are in one such
 * week. */
static void test_weeks_apart(void **state)
{
    (void)state;
    assert_starts(SERIES("20091203T170000Z", "FREQ=WEEKLY;INTERVAL=10;BYDAY=MO,TH;WKST=SA"), "20150101T000000Z",
                  "20150501T000000Z", "20150202T1700 20150205T1700 20150413T1700 20150416T1700");
    assert_starts(SERIES("20050607T020000Z", "FREQ=WEEKLY;INTERVAL=4;BYDAY=SU,TU;WKST=SA"), "20130423T000000Z",
                  "20130507T000000Z", "20130428T0200 20130430T0200");
}

/* 3.3.10: dates that do not exist are ignored; looking for one that never comes must end. */
static void test_what_never_comes(void **state)
{
    static const char *const never[] = {
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=YEARLY;BYMONTH=2",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30;BYMONTH=2",
        "FREQ=MONTHLY;INTERVAL=48;BYMONTH=2;BYDAY=5MO",
        "FREQ=MONTHLY;BYSETPOS=2",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1",
        "FREQ=SECONDLY;BYYEARDAY=366;BYMONTH=1",
    };
    char text[500];

    (void)state;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        snprintf(text, sizeof(text), SERIES("20210130T090000Z", "%s"), never[i]);
        assert_starts(text, "20260101T000000Z", "20280101T000000Z", "");
    }
}

/* 3.3.10: COUNT is counted from DTSTART, also when the window lies at the very end of the series. */
static void test_count(void **state)
{
    (void)state;
    assert_starts(SERIES("20000101T090000Z", "FREQ=DAILY;COUNT=9500"), "20260101T000000Z", "20260110T000000Z",
                  "20260101T0900 20260102T0900 20260103T0900");
    /* DTSTART always counts as the first (3.3.10), even if the rule does not make it */
    assert_starts(SERIES("20260301T090000Z", "FREQ=WEEKLY;BYDAY=MO;COUNT=3"), "20260101T000000Z", "20260501T000000Z",
                  "20260301T0900 20260302T0900 20260309T0900");
}

/* 3.8.5.3 leaves several rules undefined, RFC 2445 4.8.5.4 makes them a union. */
static void test_second_rule(void **state)
{
    (void)state;
    assert_starts(CALENDAR(EVENT("UID:a\nDTSTART:20260302T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2\nRRULE:"
                                 "FREQ=MONTHLY;BYMONTHDAY=20;COUNT=2\n")),
                  "20260301T000000Z", "20260501T000000Z", "20260302T0900 20260309T0900 20260320T0900");
}

#define MASTER                                                                                                         \
    "UID:a\nDTSTART;TZID=Europe/Berlin:20260323T090000\nDTEND;TZID=Europe/"                                            \
    "Berlin:20260323T100000\nRRULE:FREQ=DAILY;COUNT=10\n"

/* 3.2.13, 3.8.4.4: from the 27th on an hour and a half later and twice as long; the clock on the wall counts when the
 * clocks change on the 29th. A later override of the same sort takes over on the 31st, a single one stays what it is.
 */
static void test_this_and_future(void **state)
{
    (void)state;
    ical_text_check(CALENDAR(BERLIN EVENT(MASTER)
                                 EVENT("UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260327T090000\n"
                                       "DTSTART;TZID=Europe/Berlin:20260327T103000\nDURATION:PT2H\nSTATUS:TENTATIVE\n")
                                     EVENT("UID:a\nRECURRENCE-ID;TZID=Europe/"
                                           "Berlin:20260329T090000\nDTSTART;TZID=Europe/Berlin:20260329T200000\n"
                                           "DURATION:PT1H\n")
                                         EVENT("UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260331T070000Z\n"
                                               "DTSTART;TZID=Europe/Berlin:20260331T080000\nDURATION:PT30M\n")),
                    "20260326T000000Z", "20260501T000000Z", NULL, NULL,
                    "20260326T080000Z/20260326T090000Z busy\n"
                    "20260327T093000Z/20260327T113000Z tentative\n20260328T093000Z/20260328T113000Z tentative\n"
                    "20260329T180000Z/20260329T190000Z busy\n20260330T083000Z/20260330T103000Z tentative\n"
                    "20260331T060000Z/20260331T063000Z busy\n20260401T060000Z/20260401T063000Z busy\n");
    /* The rest is called off. */
    ical_text_check(CALENDAR(BERLIN EVENT(MASTER) EVENT(
                        "UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260325T090000\n"
                        "DTSTART;TZID=Europe/Berlin:20260325T090000\nDURATION:PT1H\nTRANSP:TRANSPARENT\n")),
                    "20260301T000000Z", "20260501T000000Z", NULL, NULL,
                    "20260323T080000Z/20260323T090000Z busy\n20260324T080000Z/20260324T090000Z busy\n");
}

/* 3.3.6: hours are exact, days are the calendar's. */
static void test_length_over_a_change(void **state)
{
    struct dav_zones *zones = dav_zones_new();
    struct dav_tz *berlin = dav_zones_find(zones, "Europe/Berlin");
    int64_t noon = utc_from_civil(2026, 10, 24, 12, 0, 0), start = dav_tz_to_utc(berlin, noon);

    (void)state;
    assert_int_equal(dav_fix_end(berlin, noon, (struct dav_length){.seconds = DAV_DAY_S}) - start, 24 * 3600);
    assert_int_equal(dav_fix_end(berlin, noon, (struct dav_length){.days = 1}) - start, 25 * 3600);
    assert_int_equal(dav_fix_end(berlin, noon, (struct dav_length){.days = 1, .seconds = 3600}) - start, 26 * 3600);
    dav_zones_free(&zones);
}

static uint32_t random_state = 12345;

static int pick(int n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (int)((random_state >> 16) % (unsigned)n);
}

/* A rule of the sorts that libical is trusted with. */
static void make_plain_rule(struct buf *b)
{
    static const char *const freqs[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    static const char *const days[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    static const char *const numbers[] = {"", "1", "2", "-1", "3", "-2"};
    int freq = pick(4);

    buf_reset(b);
    buf_addf(b, "FREQ=%s", freqs[freq]);
    if (pick(3) == 0)
        buf_addf(b, ";INTERVAL=%d", 2 + pick(5));
    if (pick(3) == 0)
        buf_addf(b, ";BYMONTH=%d,%d", 1 + pick(6), 7 + pick(6));
    if (pick(2) == 0)
        buf_addf(b, ";BYDAY=%s%s,%s%s", freq >= 2 ? numbers[pick(6)] : "", days[pick(3)],
                 freq >= 2 ? numbers[pick(6)] : "", days[3 + pick(4)]);
    else if (freq == 2 && pick(2) == 0)
        buf_addf(b, ";BYMONTHDAY=%d,-%d", 1 + pick(31), 1 + pick(5));
    if (freq >= 2 && pick(4) == 0)
        buf_addf(b, ";BYSETPOS=%s%d", pick(2) ? "-" : "", 1 + pick(2));
    if (pick(4) == 0)
        buf_addf(b, ";BYHOUR=%d,%d", pick(12), 12 + pick(12));
    if (pick(4) == 0)
        buf_addf(b, ";WKST=%s", days[pick(7)]);
}

static void test_libical_is_right_where_it_is_asked(void **state)
{
    int asked = 0;
    struct buf text;

    (void)state;
    buf_init(&text, 1000);
    for (int i = 0; i < 6000; i++) {
        struct dav_rule rule;
        struct dav_when start = {.form = DAV_WHEN_FLOATING};
        struct dav_run run;
        struct dav_gen *gen;
        long steps = 1000000, more = 1000000;
        int64_t from, to, a, b;

        make_plain_rule(&text);
        assert_true(dav_rule_parse(text.data, &rule));
        if (dav_fix_needed(&rule) != NULL)
            continue;
        asked++;
        start.local = utc_from_civil(1998 + pick(28), 1 + pick(12), 1 + pick(28), pick(24), 0, 0);
        from = start.local + pick(2) * (int64_t)pick(4000) * DAV_DAY_S;
        to = from + (int64_t)pick(1500) * DAV_DAY_S;
        if (!dav_run_open(&run, &rule, &start, from, to, &steps))
            fail_msg("%s cannot be opened", text.data);
        gen = dav_gen_new(&rule, start.local, false, from, to);
        for (;;) {
            bool more_a, more_b;

            /* each may begin a little before the window */
            while ((more_a = dav_run_next(&run, &a)) && a < from)
                ;
            while ((more_b = dav_gen_next(gen, &more, &b)) && b < from)
                ;
            if (more_a != more_b || (more_a && a != b)) {
                char x[UTC_TEXT_MAX], y[UTC_TEXT_MAX], z[UTC_TEXT_MAX], w[UTC_TEXT_MAX];

                print_error("%s from %s, window from %s: libical %s, generator %s\n", text.data,
                            utc_basic(start.local, z), utc_basic(from, w), more_a ? utc_basic(a, x) : "ends",
                            more_b ? utc_basic(b, y) : "ends");
                fail();
            }
            if (!more_a)
                break;
        }
        dav_run_close(&run);
        dav_gen_free(&gen);
    }
    assert_true(asked > 1000);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bysetpos_counts_instances),
        cmocka_unit_test(test_byweekno),
        cmocka_unit_test(test_byyearday),
        cmocka_unit_test(test_negative_monthday_as_filter),
        cmocka_unit_test(test_sub_daily_interval),
        cmocka_unit_test(test_weeks_apart),
        cmocka_unit_test(test_what_never_comes),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_second_rule),
        cmocka_unit_test(test_this_and_future),
        cmocka_unit_test(test_length_over_a_change),
        cmocka_unit_test(test_libical_is_right_where_it_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
