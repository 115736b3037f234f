/*
 * dav_message: questions as Thunderbird, Evolution and Apple's Calendar write them, and everything else that somebody
 * may post to an outbox.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "dav_message.h"

#define HEAD "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n"
#define WHO "ORGANIZER:mailto:a@x\r\nATTENDEE:mailto:b@x\r\n"
#define WHEN "DTSTART:20261122T000000Z\r\nDTEND:20261123T000000Z\r\n"
#define TAIL "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"

static struct arena *arena;
static struct gw_dav_message message;
static const char *why;

static enum gw_dav_message_result read_text(const char *text)
{
    arena_reset(arena);
    return gw_dav_message_read(text, strlen(text), arena, &message, &why);
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new(4 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void test_questions(void **state)
{
    (void)state;
    assert_int_equal(read_text(HEAD "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:1\nATTENDEE:no\nEND:STANDARD\n"
                                    "END:VTIMEZONE\n"
                                    "begin:vfreebusy\r\nUID:1\xc3\xa4\r\nORGANIZER;CN=\"A; B: C\":mailto:a@x\r\n"
                                    "ATTENDEE;ROLE=CHAIR;CN=\"x\r\n :y\":mail\r\n\tto:b@x\r\n"
                                    "ATTENDEE:MAILTO:c%20c@x\nCOMMENT:\r\nDTSTART;VALUE=DATE-TIME:20261122T000000Z\r\n"
                                    "DTEND:20261123T000000Z \r\n" TAIL "\r\n"),
                     GW_DAV_MESSAGE_OK);
    assert_string_equal(message.uid, "1\xc3\xa4");
    assert_string_equal(message.organizer, "mailto:a@x");
    assert_int_equal(message.attendee_count, 2);
    assert_string_equal(message.attendees[0], "mailto:b@x");
    assert_string_equal(gw_dav_mailbox(message.attendees[1], arena), "c c@x");
    assert_int_equal(message.end - message.start, 86400);
    assert_int_equal(read_text(HEAD "BEGIN:VFREEBUSY\r\n" WHO WHEN "END:VFREEBUSY\r\nEND:VCALENDAR"),
                     GW_DAV_MESSAGE_OK);
    assert_string_equal(message.uid, "");
}

static void test_not_questions(void **state)
{
    static const struct {
        const char *text;
        enum gw_dav_message_result result;
    } rows[] = {
        {"", GW_DAV_MESSAGE_BROKEN},
        {"hello", GW_DAV_MESSAGE_BROKEN},
        {":x", GW_DAV_MESSAGE_BROKEN},
        {"END:VCALENDAR\n", GW_DAV_MESSAGE_BROKEN},
        {"BEGIN:VFREEBUSY\n" WHO WHEN "END:VFREEBUSY\n", GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN, GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "END:VCALENDAR\n", GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN TAIL "X:1\n", GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN TAIL HEAD, GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "BEGIN:VALARM\nEND:VALARM\n" TAIL, GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "UID:\x7f\n" TAIL, GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "UID:\xff\n" TAIL, GW_DAV_MESSAGE_BROKEN},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "UID:a\rb\n" TAIL, GW_DAV_MESSAGE_BROKEN},
        {HEAD "END:VCALENDAR\n", GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VEVENT\n" WHO WHEN "END:VEVENT\nEND:VCALENDAR\n", GW_DAV_MESSAGE_WRONG},
        {"BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\n" WHO WHEN TAIL, GW_DAV_MESSAGE_WRONG},
        {"BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VFREEBUSY\n" WHO WHEN TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "END:VFREEBUSY\nBEGIN:VFREEBUSY\n" TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHEN "ATTENDEE:mailto:b@x\n" TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHEN "ORGANIZER:mailto:b@x\n" TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHO TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHO WHEN "DTEND:20261124T000000Z\n" TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHO "DTSTART:20261122T000000\nDTEND:20261123T000000Z\n" TAIL, GW_DAV_MESSAGE_WRONG},
        {HEAD "BEGIN:VFREEBUSY\n" WHO "DTSTART:20261123T000000Z\nDTEND:20261123T000000Z\n" TAIL, GW_DAV_MESSAGE_WRONG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum gw_dav_message_result result = read_text(rows[i].text);
        if (result != rows[i].result)
            print_error("row %zu: %s\n", i, rows[i].text);
        assert_int_equal(result, rows[i].result);
        assert_non_null(why);
    }
}

static void test_ceilings(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 8 << 20);
    for (int more = 0; more < 2; more++) {
        buf_reset(&text);
        buf_adds(&text, HEAD "BEGIN:VFREEBUSY\r\nORGANIZER:mailto:a@x\r\n" WHEN);
        for (int i = 0; i < GW_DAV_ATTENDEES_MAX + more; i++)
            buf_addf(&text, "ATTENDEE:mailto:user%d@x\r\n", i);
        buf_adds(&text, TAIL);
        assert_int_equal(read_text(text.data), more ? GW_DAV_MESSAGE_TOO_MANY : GW_DAV_MESSAGE_OK);
    }
    buf_reset(&text);
    buf_adds(&text, HEAD);
    for (int i = 0; i < 1000; i++)
        buf_adds(&text, "BEGIN:VTIMEZONE\r\n");
    assert_int_equal(read_text(text.data), GW_DAV_MESSAGE_BROKEN);
    buf_reset(&text);
    buf_adds(&text, HEAD "BEGIN:VFREEBUSY\r\nATTENDEE:mailto:");
    for (int i = 0; i < 1024; i++)
        buf_addc(&text, 'a');
    buf_adds(&text, "@x\r\n" TAIL);
    assert_int_equal(read_text(text.data), GW_DAV_MESSAGE_BROKEN);
    while (text.len <= GW_DAV_MESSAGE_MAX)
        buf_adds(&text, "COMMENT:x\r\n");
    assert_int_equal(read_text(text.data), GW_DAV_MESSAGE_BROKEN);
    buf_free(&text);
}

static void test_mailbox(void **state)
{
    (void)state;
    arena_reset(arena);
    assert_string_equal(gw_dav_mailbox("mailto:o%27hara%2b@x", arena), "o'hara+@x");
    assert_string_equal(gw_dav_mailbox("a@x", arena), "a@x");
    assert_null(gw_dav_mailbox("mailto:", arena));
    assert_null(gw_dav_mailbox("/dav/principals/a/", arena));
    assert_null(gw_dav_mailbox("mailto:a%zz@x", arena));
    assert_null(gw_dav_mailbox("mailto:a%00@x", arena));
    assert_null(gw_dav_mailbox("mailto:%ff@x", arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_not_questions),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_mailbox),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
