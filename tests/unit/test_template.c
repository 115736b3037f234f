/* Templates: what is a word and what is not, every word's value, escapes for each place, hostile addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "template.h"

static const struct pres_presence busy = {.state = PRES_BUSY,
                                          .since = 1700000000,
                                          .until = 1700003600,
                                          .next = {true, PRES_OOF, 1700007200, PRES_NEVER},
                                          .as_of = 1700000100,
                                          .valid_until = 1700001000};
static const struct pres_presence unknown = {.state = PRES_UNKNOWN, .until = PRES_NEVER, .reason = "stale"};

static void is(const char *text, const struct pres_fill *f, enum pres_escape escape, const char *expected)
{
    struct buf b;
    buf_init(&b, 10000);
    assert_true(pres_template_add(&b, text, f, escape));
    assert_string_equal(b.data, expected);
    buf_free(&b);
}

static void words(void **state)
{
    const struct pres_fill f = {.address = "a/b@x.example",
                                .group = "g",
                                .now = &busy,
                                .json = "{\"a\":1}",
                                .show = "dnd",
                                .text = "Busy \"now\"",
                                .id = "7",
                                .token = "user:pass",
                                .wall = 1700000000,
                                .sequence = 42};
    (void)state;
    is("{address} {local} {domain} {group} {id} {sequence}", &f, PRES_ESCAPE_NONE,
       "a/b@x.example a/b x.example g 7 42");
    is("{state} {show} {text} [{reason}]", &f, PRES_ESCAPE_NONE, "busy dnd Busy \"now\" []");
    is("{since} {until} {until_epoch} {valid_until}", &f, PRES_ESCAPE_NONE,
       "2023-11-14T22:13:20Z 2023-11-14T23:13:20Z 1700003600 2023-11-14T22:30:00Z");
    is("{expires} {expires_epoch} {minutes}", &f, PRES_ESCAPE_NONE, "2023-11-14T23:15:20Z 1700003720 62");
    is("{next_state} {next_start}", &f, PRES_ESCAPE_NONE, "oof 2023-11-15T00:13:20Z");
    is("Basic {basic}", &f, PRES_ESCAPE_HEADER, "Basic dXNlcjpwYXNz");
    is("{\"a\":\"{text}\",\"b\":{json}}", &f, PRES_ESCAPE_JSON, "{\"a\":\"Busy \\\"now\\\"\",\"b\":{\"a\":1}}");
    is("{{state}} {State} {} { {no", &f, PRES_ESCAPE_NONE, "{busy} {State} {} { {no");
}

static void nothing(void **state)
{
    const struct pres_fill f = {.address = "nobody", .now = &unknown};
    (void)state;
    is("[{local}][{domain}][{group}][{show}][{text}][{id}][{token}][{basic}]", &f, PRES_ESCAPE_NONE,
       "[nobody][][][][][][][]");
    is("{until} {until_epoch} {expires_epoch} {minutes} {next_state} {reason}", &f, PRES_ESCAPE_NONE, " 0 0 0  stale");
}

static void escapes(void **state)
{
    const struct pres_fill f = {.address = "x+y#1/%\r\n\x01\"&@\xc3\xb6.example", .now = &unknown, .group = "+/#"};
    (void)state;
    is("{address}", &f, PRES_ESCAPE_URL, "x%2By%231%2F%25%0D%0A%01%22%26%40%C3%B6.example");
    is("a/{group}/{address}", &f, PRES_ESCAPE_TOPIC, "a/%2B%2F%23/x%2By%231%2F%25%0D%0A%01%22&@%C3%B6.example");
    is("{address}", &f, PRES_ESCAPE_HEADER, "x+y#1/%   \"&@\xc3\xb6.example");
    is("{address}", &f, PRES_ESCAPE_JSON, "x+y#1/%\\r\\n\\u0001\\\"&@\xc3\xb6.example");
}

static void wrong(void **state)
{
    (void)state;
    assert_null(pres_template_wrong("{\"who\":\"{address}\"} {"));
    assert_non_null(pres_template_wrong("{adress}"));
    assert_non_null(pres_template_wrong("\xff"));
    assert_true(pres_template_has("a{{local}", "local"));
    assert_false(pres_template_has("a{local", "local"));
    struct buf b;
    const struct pres_fill f = {.address = "a@b", .now = &unknown};
    buf_init(&b, 4);
    assert_false(pres_template_add(&b, "{address}{address}", &f, PRES_ESCAPE_NONE));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(nothing), cmocka_unit_test(escapes),
                                       cmocka_unit_test(wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
