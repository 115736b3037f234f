/*
 * render_vfb: the exact text for a small week, windows that cut, folding, and every character of an address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "presence/render.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z */
#define HOUR 3600
#define DAY 86400

static struct pres_set *week(void)
{
    const struct pres_interval in[] = {
        {NOON - 2 * DAY, NOON - DAY, PRES_BUSY},        {NOON, NOON + HOUR, PRES_BUSY},
        {NOON + HOUR, NOON + 2 * HOUR, PRES_TENTATIVE}, {NOON + 3 * HOUR, NOON + 4 * HOUR, PRES_ELSEWHERE},
        {NOON + DAY, NOON + 10 * DAY, PRES_OOF},
    };

    return pres_set_build(in, 5, NOON - 3 * DAY, NOON + 20 * DAY);
}

static void test_exact(void **state)
{
    struct pres_set *set = week();
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_true(pres_render_vfb(&out, "alice@example.com", set, NOON - DAY - HOUR, NOON + 2 * DAY, NOON + 5));
    assert_string_equal(out.data, "BEGIN:VCALENDAR\r\n"
                                  "VERSION:2.0\r\n"
                                  "PRODID:-//freebusyd//EN\r\n"
                                  "BEGIN:VFREEBUSY\r\n"
                                  "DTSTAMP:20270115T120005Z\r\n"
                                  "DTSTART:20270114T110000Z\r\n"
                                  "DTEND:20270117T120000Z\r\n"
                                  "UID:20270114T110000Z-20270117T120000Z-alice@example.com\r\n"
                                  "ORGANIZER:mailto:alice@example.com\r\n"
                                  "FREEBUSY;FBTYPE=BUSY:20270114T110000Z/20270114T120000Z\r\n"
                                  "FREEBUSY;FBTYPE=BUSY:20270115T120000Z/20270115T130000Z\r\n"
                                  "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270115T130000Z/20270115T140000Z\r\n"
                                  "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270116T120000Z/20270117T120000Z\r\n"
                                  "END:VFREEBUSY\r\n"
                                  "END:VCALENDAR\r\n");
    buf_reset(&out);
    assert_true(pres_render_vfb(&out, "alice@example.com", NULL, NOON, NOON + DAY, NOON));
    assert_null(strstr(out.data, "FREEBUSY;"));
    buf_free(&out);
    free(set);
}

/* A run stored in pieces is one period; the window's edges touch nothing. */
/* Many people's message: one property a kind, start and length, cut by the window, folded at 75 bytes. */
static void test_part(void **state)
{
    struct pres_interval many[60];
    struct pres_set *set = week();
    struct buf out;

    (void)state;
    buf_init(&out, 8192);
    assert_true(pres_render_vfb_part(&out, "a%b@example.com", set, NOON - DAY - HOUR, NOON + 2 * DAY, NOON + 5));
    assert_string_equal(out.data, "BEGIN:VFREEBUSY\r\n"
                                  "UID:a%25b@example.com\r\n"
                                  "DTSTAMP:20270115T120005Z\r\n"
                                  "DTSTART:20270114T110000Z\r\n"
                                  "DTEND:20270117T120000Z\r\n"
                                  "ORGANIZER:mailto:a%25b@example.com\r\n"
                                  "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270115T130000Z/PT1H\r\n"
                                  "FREEBUSY;FBTYPE=BUSY:20270114T110000Z/PT1H,20270115T120000Z/PT1H\r\n"
                                  "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270116T120000Z/PT24H\r\n"
                                  "END:VFREEBUSY\r\n");
    free(set);
    for (int i = 0; i < 60; i++)
        many[i] = (struct pres_interval){NOON + i * DAY, NOON + i * DAY + 3661 + 59 * (i % 2), PRES_BUSY};
    set = pres_set_build(many, 60, NOON, NOON + 60 * DAY);
    buf_reset(&out);
    assert_true(pres_render_vfb_part(&out, "a@b", set, NOON, NOON + 60 * DAY, NOON));
    assert_non_null(strstr(out.data, "/PT1H1M1S,"));
    assert_non_null(strstr(out.data, "/PT1H2M,"));
    for (const char *line = out.data; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\r") <= 75);
    buf_reset(&out);
    assert_true(pres_render_vfb_part(&out, "a@b", NULL, NOON, NOON + 1, NOON)); /* nothing but the window */
    assert_null(strstr(out.data, "FREEBUSY;"));
    free(set);
    buf_free(&out);
}

static void test_edges(void **state)
{
    const int64_t year = 31536000;
    struct pres_set *set = pres_set_build((struct pres_interval[]){{year, 60 * year, PRES_OOF}}, 1, 0, 100 * year);
    struct buf out;
    const char *at;

    (void)state;
    buf_init(&out, 4096);
    assert_true(pres_render_vfb(&out, "a@x", set, 2 * year, 50 * year, NOON));
    at = strstr(out.data, "FREEBUSY;");
    assert_non_null(at);
    assert_null(strstr(at + 1, "FREEBUSY;"));
    assert_non_null(strstr(at, ":19720101T000000Z/20191220T000000Z\r\n"));
    buf_reset(&out);
    assert_true(pres_render_vfb(&out, "a@x", set, 0, year, NOON));
    assert_null(strstr(out.data, "FREEBUSY;"));
    buf_reset(&out);
    assert_true(pres_render_vfb(&out, "a@x", set, 60 * year, 61 * year, NOON));
    assert_null(strstr(out.data, "FREEBUSY;"));
    buf_free(&out);
    free(set);
}

/* Lines as they are on the wire, checked for length, and the unfolded text. */
static void unfold(const struct buf *in, struct buf *out)
{
    size_t line = 0;

    for (size_t i = 0; i < in->len; i++) {
        if (strncmp(in->data + i, "\r\n", 2) == 0) {
            assert_true(line <= 75);
            line = 0;
            i++;
            if (in->data[i + 1] == ' ') {
                i++;
                line = 1;
            } else {
                buf_addc(out, '\n');
            }
            continue;
        }
        assert_true(in->data[i] >= ' ' && in->data[i] <= '~'); /* nothing but ASCII, no stray CR or LF */
        buf_addc(out, in->data[i]);
        line++;
    }
}

static void check_address(const char *address)
{
    struct buf out, plain, decoded;
    char *owner, *end;

    buf_init(&out, 65536);
    buf_init(&plain, 65536);
    buf_init(&decoded, 65536);
    assert_true(pres_render_vfb(&out, address, NULL, NOON, NOON + DAY, NOON));
    unfold(&out, &plain);
    owner = strstr(plain.data, "ORGANIZER:mailto:");
    assert_non_null(owner);
    owner += strlen("ORGANIZER:mailto:");
    end = strchr(owner, '\n');
    assert_non_null(end);
    assert_null(memchr(owner, ',', (size_t)(end - owner)));
    assert_null(memchr(owner, ';', (size_t)(end - owner)));
    assert_true(str_percent_decode(&decoded, owner, (size_t)(end - owner)));
    assert_string_equal(decoded.data, address);
    buf_free(&out);
    buf_free(&plain);
    buf_free(&decoded);
}

static void test_every_character(void **state)
{
    char address[400] = "@example.com";

    (void)state;
    check_address("~#%+&|*/@example.com");
    check_address("o'hara, \"the\" boss;x=1:2\r\n\t\\@example.com");
    check_address("j\xc3\xbcrgen\xf0\x9f\x98\x80@b\xc3\xbc\x63her.example");
    check_address("bad\xff@example.com");
    for (size_t len = 1; len + 13 < sizeof(address); len++) { /* all ways to fall on a fold */
        memset(address, len % 2 ? 'x' : '/', len);
        memcpy(address + len, "@example.com", 13);
        check_address(address);
    }
}

static void test_no_room(void **state)
{
    struct pres_set *set = week();
    struct buf out;

    (void)state;
    for (size_t max = 0; max < 300; max += 11) {
        buf_init(&out, max);
        assert_false(pres_render_vfb(&out, "alice@example.com", set, NOON, NOON + DAY, NOON));
        buf_free(&out);
    }
    free(set);
}

/* The question's own words come back, folded between characters. */
static void test_reply(void **state)
{
    const struct pres_vfb_question question = {
        "42", "mailto:a@x",
        "mailto:"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4@x"};
    struct pres_set *set = week();
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_true(pres_render_vfb_reply(&out, &question, set, NOON, NOON + HOUR, NOON));
    assert_non_null(strstr(out.data, "\r\nMETHOD:REPLY\r\nBEGIN:VFREEBUSY\r\n"));
    assert_non_null(strstr(out.data, "\r\nUID:42\r\nORGANIZER:mailto:a@x\r\nATTENDEE:mailto:\xc3\xa4"));
    assert_non_null(strstr(out.data, "\r\nFREEBUSY;FBTYPE=BUSY:20270115T120000Z/20270115T130000Z\r\nEND:VFREEBUSY"));
    for (const char *line = out.data, *end; (end = strstr(line, "\r\n")); line = end + 2) {
        assert_true(end - line <= 75);
        assert_true(str_is_utf8(line, (size_t)(end - line)));
    }
    buf_reset(&out);
    assert_true(pres_render_vfb_reply(&out, &(struct pres_vfb_question){"", "a", "b"}, set, NOON, NOON + 1, NOON));
    assert_null(strstr(out.data, "UID:"));
    buf_free(&out);
    free(set);
}

/* One stretch as an event says its kind and nothing else; time that is not busy is no event. */
static void test_event(void **state)
{
    struct pres_interval one = {NOON, NOON + HOUR, PRES_TENTATIVE};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_true(pres_render_event(&out, "a;b@x", &one, false));
    assert_string_equal(out.data, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freebusyd//EN\r\nBEGIN:VEVENT\r\n"
                                  "UID:20270115T120000Z-20270115T130000Z-tentative-a%3Bb@x\r\n"
                                  "DTSTAMP:20270115T120000Z\r\nDTSTART:20270115T120000Z\r\nDTEND:20270115T130000Z\r\n"
                                  "SUMMARY:Tentative\r\nSTATUS:TENTATIVE\r\nTRANSP:OPAQUE\r\n"
                                  "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    buf_reset(&out);
    one.kind = PRES_OOF;
    assert_true(pres_render_event(&out, "a@x", &one, true));
    assert_int_equal(strncmp(out.data, "BEGIN:VEVENT\r\n", 14), 0);
    assert_null(strstr(out.data, "VCALENDAR"));
    buf_reset(&out);
    for (one.kind = PRES_FREE; one.kind <= PRES_ELSEWHERE; one.kind++)
        assert_false(pres_render_event(&out, "a@x", &one, false));
    one.kind = PRES_UNKNOWN;
    assert_false(pres_render_event(&out, "a@x", &one, false));
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part),    cmocka_unit_test(test_exact), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_reply),   cmocka_unit_test(test_event), cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
