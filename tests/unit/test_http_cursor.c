/* The ids of limited viewers: they open where they were made, tell nothing, and nothing else opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http_cursor.h"

static const struct gw_cursor cursor = {.plain = "0123456789abcdef-4711-0000002a", .at = 1800000000, .turn = 7};

static void test_opens_what_it_sealed(void **state)
{
    struct gw_cursor_key key;
    struct gw_cursor opened;
    char text[GW_CURSOR_TEXT], other[GW_CURSOR_TEXT];
    (void)state;
    gw_cursor_key_make(&key);
    assert_string_equal(gw_cursor_seal(&key, &cursor, text), text);
    assert_int_equal(strlen(text), GW_CURSOR_TEXT - 1);
    assert_true(gw_cursor_open(&key, text, &opened));
    assert_memory_equal(&opened, &cursor, sizeof cursor);
    assert_null(strstr(text, "4711"));
    assert_string_not_equal(gw_cursor_seal(&key, &cursor, other), text); /* the same place does not show as such */
}

static void test_opens_nothing_else(void **state)
{
    struct gw_cursor_key key, of_another_run;
    struct gw_cursor opened;
    char text[GW_CURSOR_TEXT];
    (void)state;
    gw_cursor_key_make(&key);
    gw_cursor_key_make(&of_another_run);
    gw_cursor_seal(&key, &cursor, text);
    assert_false(gw_cursor_open(&of_another_run, text, &opened));
    for (size_t i = 0; i < GW_CURSOR_TEXT - 1; i++) {
        char was = text[i];
        text[i] = was == '0' ? '1' : '0';
        assert_false(gw_cursor_open(&key, text, &opened));
        text[i] = 'G';
        assert_false(gw_cursor_open(&key, text, &opened));
        text[i] = '\0';
        assert_false(gw_cursor_open(&key, text, &opened));
        text[i] = was;
    }
    assert_true(gw_cursor_open(&key, text, &opened));
    assert_false(gw_cursor_open(&key, "", &opened));
    assert_false(gw_cursor_open(&key, "0123456789abcdef-4711", &opened));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_what_it_sealed),
        cmocka_unit_test(test_opens_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
