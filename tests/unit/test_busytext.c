/* busytext: whose each VFREEBUSY is and what it says, whatever stands beside it; what is broken is nobody's free time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "davclient/busytext.h"

#define CAL(inside) "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" inside "END:VCALENDAR\r\n"
#define BUSY(inside) "BEGIN:VFREEBUSY\r\n" inside "END:VFREEBUSY\r\n"
#define WINDOW "DTSTART:20261122T000000Z\r\nDTEND:20261222T000000Z\r\n"
#define NINE 1795338000 /* 2026-11-22T09:00:00Z */

enum { PARTS = 8, SPANS = 8 };

struct seen {
    unsigned count;
    struct {
        char address[200];
        int64_t stamp, from, until;
        bool good;
        size_t count;
        struct dav_span spans[SPANS];
    } parts[PARTS];
};

static void on_part(void *arg, const struct dav_busytext_part *part)
{
    struct seen *s = arg;
    assert_true(s->count < PARTS);
    snprintf(s->parts[s->count].address, 200, "%s", part->address);
    s->parts[s->count].stamp = part->stamp;
    s->parts[s->count].good = part->good;
    s->parts[s->count].from = part->from;
    s->parts[s->count].until = part->until;
    s->parts[s->count].count = part->count;
    for (size_t i = 0; i < part->count && i < SPANS; i++)
        s->parts[s->count].spans[i] = part->spans[i];
    s->count++;
}

static bool read(const char *text, size_t max, struct seen *ret)
{
    struct dav_busytext *b = dav_busytext_new();
    memset(ret, 0, sizeof *ret);
    bool whole = dav_busytext_read(b, text, strlen(text), max, on_part, ret);
    dav_busytext_free(&b);
    return whole;
}

static void two_people(void **state)
{
    (void)state;
    struct seen s;
    assert_true(read(CAL(BUSY("UID:x\r\nDTSTAMP:20261122T080000Z\r\n" WINDOW "ORGANIZER:mailto:a%25b@example.test\r\n"
                              "ATTENDEE:mailto:other@example.test\r\n"
                              "FREEBUSY;FBTYPE=BUSY:20261122T090000Z/PT1H30M,20261122T1\r\n 20000Z/20261122T130000Z\r\n"
                              "FREEBUSY;FBTYPE=FREE:20261122T130000Z/PT1H\r\n")
                             BUSY(WINDOW "ATTENDEE;CN=\"B: b\":MAILTO:bert@example.test\r\n"
                                         "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261122T090000Z/P1D\r\n")),
                     2, &s));
    assert_int_equal(s.count, 2);
    assert_string_equal(s.parts[0].address, "a%b@example.test");
    assert_int_equal(s.parts[0].stamp, NINE - 3600);
    assert_true(s.parts[0].good);
    assert_int_equal(s.parts[0].count, 2);
    unsigned first = s.parts[0].spans[0].start > s.parts[0].spans[1].start; /* they come in no order */
    assert_int_equal(s.parts[0].spans[first].start, NINE);
    assert_int_equal(s.parts[0].spans[first].end, NINE + 5400);
    assert_int_equal(s.parts[0].spans[!first].start, NINE + 3 * 3600);
    assert_int_equal(s.parts[0].spans[!first].end, NINE + 4 * 3600);
    assert_int_equal(s.parts[0].until - s.parts[0].from, 30 * 86400);
    assert_string_equal(s.parts[1].address, "bert@example.test");
    assert_int_equal(s.parts[1].stamp, 0);
    assert_int_equal(s.parts[1].count, 1);
    assert_int_equal(s.parts[1].spans[0].kind, DAV_OOF);
    assert_false(read(CAL(BUSY(WINDOW) BUSY(WINDOW)), 1, &s));
    assert_int_equal(s.count, 1);
}

static void broken(void **state)
{
    (void)state;
    static const char *const bad[] = {
        BUSY("DTSTART:20261122T000000Z\r\n"),                             /* until when? */
        BUSY("DTEND:20261122T000000Z\r\n"),                               /* from when? */
        BUSY("DTSTART:20261222T000000Z\r\nDTEND:20261122T000000Z\r\n"),   /* no time at all */
        BUSY(WINDOW "FREEBUSY:20261122T090000Z/20261122T080000Z\r\n"),    /* backwards */
        BUSY(WINDOW "FREEBUSY:20261122T090000/PT1H\r\n"),                 /* in which zone? */
        BUSY(WINDOW "FREEBUSY:rubbish\r\n"),                              /* when? */
        BUSY(WINDOW "END:VCALENDAR\r\n"),                                 /* out of its own frame */
        BUSY("DTSTART:rubbish\r\nDTEND:20261122T000000Z\r\n"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct seen s;
        char text[2000];
        snprintf(text, sizeof text, CAL("%s" BUSY(WINDOW "ORGANIZER:mailto:a@b\r\n")), bad[i]);
        assert_true(read(text, 2, &s));
        assert_int_equal(s.count, 2);
        if (s.parts[0].good)
            fail_msg("%s", bad[i]);
        assert_int_equal(s.parts[0].count, 0);
        assert_true(s.parts[1].good); /* unharmed by what stood before it */
        assert_string_equal(s.parts[1].address, "a@b");
    }
}

static void no_end(void **state)
{
    (void)state;
    struct seen s;
    assert_false(read("", 9, &s));
    assert_false(read(CAL(""), 9, &s));
    assert_false(read("BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\n" WINDOW, 9, &s));
    assert_false(read("BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nBEGIN:VFREEBUSY\r\n" WINDOW "END:VFREEBUSY\r\n", 9, &s));
    assert_int_equal(s.count, 0);
    assert_false(read(CAL("BEGIN:VEVENT\r\nDTSTART:20261122T090000Z\r\nEND:VEVENT\r\n"), 9, &s));
}

static void no_address(void **state)
{
    (void)state;
    struct seen s;
    assert_true(read(CAL(BUSY(WINDOW "ORGANIZER:https://example.test/\r\nATTENDEE:mailto:x@y\r\n")
                             BUSY(WINDOW "ORGANIZER:mailto:\r\n") BUSY(WINDOW "ORGANIZER:mailto:a%0\r\n")
                                 BUSY(WINDOW "ORGANIZER:mailto:a%00b\r\n") BUSY(WINDOW)),
                     9, &s));
    assert_int_equal(s.count, 5);
    for (unsigned i = 0; i < s.count; i++)
        assert_string_equal(s.parts[i].address, ""); /* an ORGANIZER goes before an ATTENDEE, also a useless one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_people), cmocka_unit_test(broken), cmocka_unit_test(no_end),
                                       cmocka_unit_test(no_address)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
