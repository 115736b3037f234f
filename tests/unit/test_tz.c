/*
 * Zones: what a wall clock time means around a change of clocks, in zones read from the system, and how zone files,
 * names and definitions that are wrong are met.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/utc.h"
#include "tz.h"

static int64_t at(const char *text)
{
    int64_t t;

    assert_true(utc_parse_basic(text, strlen(text), &t));
    return t;
}

static struct dav_tz *zone(struct dav_zones *zones, const char *name)
{
    struct dav_tz *tz = dav_zones_find(zones, name);

    assert_non_null(tz);
    return tz;
}

static void assert_utc(struct dav_tz *tz, const char *local, const char *utc)
{
    char got[UTC_TEXT_MAX];

    assert_string_equal(utc_basic(dav_tz_to_utc(tz, at(local)), got), utc);
}

static void test_plain_times(void **state)
{
    struct dav_zones *zones = dav_zones_new();
    struct dav_tz *berlin = zone(zones, "Europe/Berlin");

    (void)state;
    assert_utc(berlin, "20260310T120000Z", "20260310T110000Z");
    assert_utc(berlin, "20260710T120000Z", "20260710T100000Z");
    assert_utc(berlin, "20800710T120000Z", "20800710T100000Z"); /* by the rule in the footer */
    assert_utc(berlin, "20801210T120000Z", "20801210T110000Z");
    assert_int_equal(dav_tz_to_local(berlin, at("20260710T100000Z")), at("20260710T120000Z"));
    assert_utc(zone(zones, "America/New_York"), "20260310T120000Z", "20260310T160000Z");
    assert_utc(zone(zones, "Asia/Kathmandu"), "20260310T120000Z", "20260310T061500Z");
    assert_utc(zone(zones, "Australia/Sydney"), "20260110T120000Z", "20260110T010000Z"); /* summer in January */
    assert_utc(zone(zones, "Australia/Sydney"), "20900710T120000Z", "20900710T020000Z");
    assert_utc(zone(zones, "UTC"), "20260310T120000Z", "20260310T120000Z");
    dav_zones_free(&zones);
}

/* RFC 5545 3.3.5: 02:30 does not exist on 29 March 2026 in Berlin; with the offset before the gap it is 01:30Z. */
static void test_gap_takes_the_offset_before(void **state)
{
    struct dav_zones *zones = dav_zones_new();
    struct dav_tz *berlin = zone(zones, "Europe/Berlin");

    (void)state;
    assert_utc(berlin, "20260329T015959Z", "20260329T005959Z");
    assert_utc(berlin, "20260329T020000Z", "20260329T010000Z");
    assert_utc(berlin, "20260329T023000Z", "20260329T013000Z");
    assert_utc(berlin, "20260329T025959Z", "20260329T015959Z");
    assert_utc(berlin, "20260329T030000Z", "20260329T010000Z");
    assert_utc(zone(zones, "America/New_York"), "20260308T023000Z", "20260308T073000Z");
    dav_zones_free(&zones);
}

/* 02:30 comes twice on 25 October 2026 in Berlin: the first is meant. */
static void test_fold_takes_the_first(void **state)
{
    struct dav_zones *zones = dav_zones_new();
    struct dav_tz *berlin = zone(zones, "Europe/Berlin");

    (void)state;
    assert_utc(berlin, "20261025T015959Z", "20261024T235959Z");
    assert_utc(berlin, "20261025T020000Z", "20261025T000000Z");
    assert_utc(berlin, "20261025T023000Z", "20261025T003000Z");
    assert_utc(berlin, "20261025T025959Z", "20261025T005959Z");
    assert_utc(berlin, "20261025T030000Z", "20261025T020000Z");
    assert_int_equal(dav_tz_to_local(berlin, at("20261025T003000Z")), at("20261025T023000Z"));
    assert_int_equal(dav_tz_to_local(berlin, at("20261025T013000Z")), at("20261025T023000Z"));
    dav_zones_free(&zones);
}

/* Half an hour (Lord Howe), a whole day left out (Samoa, 30 December 2011). */
static void test_odd_changes(void **state)
{
    struct dav_zones *zones = dav_zones_new();

    (void)state;
    assert_utc(zone(zones, "Australia/Lord_Howe"), "20261004T021500Z", "20261003T154500Z");
    assert_utc(zone(zones, "Australia/Lord_Howe"), "20261004T023000Z", "20261003T153000Z");
    assert_utc(zone(zones, "Pacific/Apia"), "20111229T120000Z", "20111229T220000Z");
    assert_utc(zone(zones, "Pacific/Apia"), "20111231T120000Z", "20111230T220000Z");
    dav_zones_free(&zones);
}

static void test_names(void **state)
{
    struct dav_zones *zones = dav_zones_new();
    static const char *const bad[] = {"",
                                      "Europe/Nowhere",
                                      "../../../etc/passwd",
                                      "/etc/passwd",
                                      "Europe/../../passwd",
                                      "Europe",
                                      "Europe/",
                                      "tzdata.zi",
                                      "right/Nowhere",
                                      "Europe/Berlin ",
                                      "W. Europe",
                                      "Europe/BerlinEurope/BerlinEurope/BerlinEurope/BerlinEurope/BerlinEurope/Berlin"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(dav_zones_find(zones, bad[i]));
    assert_utc(zone(zones, "W. Europe Standard Time"), "20260710T120000Z", "20260710T100000Z");
    assert_utc(zone(zones, "w. europe standard time"), "20260710T120000Z", "20260710T100000Z");
    assert_utc(zone(zones, "/freeassociation.sourceforge.net/Europe/Berlin"), "20260710T120000Z", "20260710T100000Z");
    assert_utc(zone(zones, "/x.org/1/America/Argentina/Buenos_Aires"), "20260710T120000Z", "20260710T150000Z");
    assert_ptr_equal(zone(zones, "Europe/Berlin"), zone(zones, "Europe/Berlin")); /* read once */
    dav_zones_free(&zones);
}

/* A name is either unknown to Windows or leads to a zone that this system has. */
static void test_windows_names_exist(void **state)
{
    static const char *const some[] = {"Eastern Standard Time",
                                       "GMT Standard Time",
                                       "Tokyo Standard Time",
                                       "Russia Time Zone 11",
                                       "UTC-11",
                                       "Central Standard Time (Mexico)",
                                       "E. South America Standard Time",
                                       "Greenland Standard Time"};
    struct dav_zones *zones = dav_zones_new();

    (void)state;
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        assert_non_null(dav_tz_from_windows(some[i]));
        assert_non_null(dav_zones_find(zones, some[i]));
    }
    assert_null(dav_tz_from_windows("Middle Earth Standard Time"));
    dav_zones_free(&zones);
}

/* Every cut of a good file, and every single byte turned, is refused or read; nothing is read beyond its end (ASan
 * looks). */
static void test_broken_files(void **state)
{
    static const unsigned char head[44] = "TZif2";
    unsigned char file[2 * 44 + 9 + 6 + 4 + 32] = {0};
    size_t len = 0;

    (void)state;
    memcpy(file, head, 44); /* an empty first block */
    memcpy(file + 44, head, 44);
    file[44 + 35] = 1; /* timecnt */
    file[44 + 39] = 1; /* typecnt */
    file[44 + 43] = 4; /* charcnt */
    len = 88;
    file[len + 7] = 10;
    len += 9;
    file[len + 2] = 0x0e; /* 3600 s */
    file[len + 3] = 0x10;
    len += 6 + 4;
    memcpy(file + len, "\nCET-1CEST,M3.5.0,M10.5.0/3\n", 28);
    len += 28;
    for (size_t cut = 0; cut <= len; cut++) {
        unsigned char *copy = mem_calloc(1, cut + 1);
        unsigned char *exact = realloc(copy, cut > 0 ? cut : 1);
        struct dav_tz *tz;

        memcpy(exact, file, cut);
        tz = dav_tz_read(exact, cut);
        assert_int_equal(tz != NULL, cut >= 88 + 19);
        if (tz != NULL && cut == len)
            assert_utc(tz, "20300710T120000Z", "20300710T100000Z");
        dav_tz_free(&tz);
        free(exact);
    }
    for (size_t i = 0; i < len; i++) {
        for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
            struct dav_tz *tz;

            file[i] ^= (unsigned char)flip;
            tz = dav_tz_read(file, len);
            if (tz != NULL)
                dav_tz_to_utc(tz, 1000000);
            dav_tz_free(&tz);
            file[i] ^= (unsigned char)flip;
        }
    }
}

/* Names nobody has must not fill the memory. */
static void test_strangers_names_are_bounded(void **state)
{
    struct dav_zones *zones = dav_zones_new();
    char name[32];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "Zone/Number%d", i);
        assert_null(dav_zones_find(zones, name));
    }
    dav_zones_free(&zones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_times),
        cmocka_unit_test(test_gap_takes_the_offset_before),
        cmocka_unit_test(test_fold_takes_the_first),
        cmocka_unit_test(test_odd_changes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_windows_names_exist),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_strangers_names_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
