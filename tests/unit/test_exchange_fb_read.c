/*
 * exchange_fb_read: answers as Exchange sends them, as others print them, and as nobody should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_fb.h"

static struct dav_fb_reader *reader;
static char seen[2000];
static unsigned stop_after;

static bool on_row(void *arg, const struct dav_fb_row *row)
{
    size_t len = strlen(seen);

    (void)arg;
    snprintf(seen + len, sizeof(seen) - len, "%s=%.*s%s ", row->email, (int)row->len, row->digits,
             row->broken ? "!" : "");
    return --stop_after > 0;
}

static const char *read_it(const char *body)
{
    static const char *const results[] = {"ok", "other", "too much"};
    enum dav_fb_read result;
    size_t len;

    seen[0] = '\0';
    stop_after = 10;
    result = dav_fb_read(reader, body, strlen(body), 8, on_row, NULL);
    len = strlen(seen);
    snprintf(seen + len, sizeof(seen) - len, "%s", results[result]);
    return seen;
}

#define ANSWER(rows) "<a:response xmlns:a=\"WM\"><a:recipients>" rows "</a:recipients></a:response>"
#define ROW(email, digits)                                                                                             \
    "<a:item><a:displayname>X</a:displayname><a:email type=\"SMTP\">" email                                            \
    "</a:email><a:type>1</a:type><a:fbdata>" digits "</a:fbdata></a:item>"
#define ALL "<a:item><a:displayname>All Attendees</a:displayname><a:type>1</a:type><a:fbdata>2</a:fbdata></a:item>"

static void answers(void **state)
{
    (void)state;
    assert_string_equal(read_it(ANSWER(ALL ROW("anna@x", "0022"))), "=2 anna@x=0022 ok");
    assert_string_equal(read_it(ANSWER("")), "ok");
    assert_string_equal(read_it("<?xml version=\"1.0\"?>\n" ANSWER(ROW(" SMTP:Anna@X ", "\n 0022\t"))),
                        "Anna@X=0022 ok");
    assert_string_equal(read_it("<response xmlns=\"WM\"><recipients><item><fbdata>1</fbdata><email>b&amp;c@x</email>"
                                "</item></recipients></response>"),
                        "b&c@x=1 ok"); /* another prefix, another order */
    assert_string_equal(read_it(ANSWER("<a:item><a:new><a:fbdata>9</a:fbdata></a:new><a:email>a@x</a:email></a:item>")),
                        "a@x= ok"); /* what is deeper is not meant */
}

static void not_an_answer(void **state)
{
    (void)state;
    assert_string_equal(read_it(""), "other");
    assert_string_equal(read_it("<html><head><title>Outlook Web Access</title></head><body></body></html>"), "other");
    assert_string_equal(read_it("<!DOCTYPE html><html><body>Log on</body></html>"), "other");
    assert_string_equal(read_it("<response xmlns=\"DAV:\"><recipients/></response>"), "other");
    assert_string_equal(read_it("<a:response xmlns:a=\"WM\"></a:response>"), "other");
    /* cut off: what came before counts no more */
    assert_string_equal(read_it("<a:response xmlns:a=\"WM\"><a:recipients>" ROW("anna@x", "0022")),
                        "anna@x=0022 other");
    assert_string_equal(read_it(ANSWER(ROW("anna@x", "0022")) "<b/>"), "anna@x=0022 other");
    assert_string_equal(read_it("{\"error\":1}"), "other");
}

/* Digits are not copied where they come in one piece. */
static void digits_in_pieces(void **state)
{
    (void)state;
    assert_string_equal(read_it(ANSWER(ROW("a@x", "00&lt;2") ROW("b@x", "&amp;11") ROW("c@x", "") ROW("d@x", "01"))),
                        "a@x=00<2 b@x=&11 c@x= d@x=01 ok");
    assert_string_equal(read_it(ANSWER(ROW("a@x", "00<!-- -->22") ROW("b@x", "1"))), "a@x=0022 b@x=1 ok");
    assert_string_equal(read_it(ANSWER("<a:item><a:fbdata>0022</a:fbdata><a:fbdata>1</a:fbdata></a:item>")),
                        "=00221! ok");
}

/* In and around what a row is made of, bytes that no document may have. */
static void bytes_that_are_none(void **state)
{
    static const char body[] = ANSWER(ROW("a\xFF@x", "0022"));
    static const char cut[] = "<a:response xmlns:a=\"WM\"><a:recipients>\0</a:recipients></a:response>";

    (void)state;
    assert_string_equal(read_it(body), "a\xEF\xBF\xBD@x=0022 ok");
    seen[0] = '\0';
    stop_after = 10;
    assert_int_equal(dav_fb_read(reader, cut, sizeof(cut) - 1, 8, on_row, NULL), DAV_FB_READ_OK);
    assert_string_equal(seen, ""); /* a NUL is dropped like other control characters */
}

static void rows_that_are_none(void **state)
{
    (void)state;
    assert_string_equal(read_it(ANSWER("<a:item><a:email>a@x</a:email><a:email>b@x</a:email></a:item>")),
                        "a@xb@x=! ok");
    assert_string_equal(read_it(ANSWER("<a:item><a:fbdata>0</a:fbdata><a:fbdata>0</a:fbdata></a:item>")), "=00! ok");
    assert_string_equal(read_it(ANSWER("<a:item><a:email>a@x</a:email><a:fbdata>0<a:b>1</a:b></a:fbdata></a:item>")),
                        "a@x=01! ok");
    char long_row[3000] = "";
    snprintf(long_row, sizeof(long_row),
             "<a:response xmlns:a=\"WM\"><a:recipients><a:item><a:email>a@x</a:email><a:fbdata>%0*d</a:fbdata></a:item>"
             "</a:recipients></a:response>",
             500, 0);
    assert_string_equal(read_it(long_row), "a@x=! ok");
}

static void too_much(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, 1 << 16);
    buf_adds(&body, "<a:response xmlns:a=\"WM\"><a:recipients>");
    for (int i = 0; i < 20; i++)
        buf_adds(&body, ALL);
    buf_adds(&body, "</a:recipients></a:response>");
    assert_non_null(strstr(read_it(body.data), "too much"));
    buf_free(&body);
    assert_string_equal(read_it(ANSWER(ROW("anna@x", "0022"))), "anna@x=0022 ok"); /* the next answer is read as ever */
}

static int set_up(void **state)
{
    (void)state;
    reader = dav_fb_reader_new(100000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dav_fb_reader_free(&reader);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(not_an_answer),
        cmocka_unit_test(digits_in_pieces),
        cmocka_unit_test(bytes_that_are_none),
        cmocka_unit_test(rows_that_are_none),
        cmocka_unit_test(too_much),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
