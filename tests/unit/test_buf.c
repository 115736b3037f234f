/* buf: the ceiling to the byte, failure that sticks, growth in every way of adding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void empty_is_text(void **state)
{
    struct buf b;
    char *text;

    (void)state;
    buf_init(&b, 100);
    assert_string_equal(b.data, "");
    buf_reset(&b);
    buf_drop(&b, 5);
    assert_true(buf_add(&b, NULL, 0));
    assert_string_equal(b.data, "");
    text = buf_take(&b);
    assert_string_equal(text, "");
    free(text);
    buf_free(&b);
    buf_init(&b, 0);
    assert_true(buf_adds(&b, ""));
    assert_false(buf_addc(&b, 'x'));
    buf_free(&b);
}

static void ceiling_to_the_byte(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_true(buf_adds(&b, "12345"));
    assert_true(buf_addf(&b, "%d", 67890));
    assert_int_equal(b.len, 10);
    assert_false(b.failed);
    assert_false(buf_addc(&b, 'x'));
    assert_string_equal(b.data, "1234567890");
    buf_free(&b);
}

static void failure_sticks_until_reset(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    buf_adds(&b, "abc");
    assert_false(buf_addf(&b, "%s", "too long for it"));
    assert_string_equal(b.data, "abc");
    assert_false(buf_addc(&b, 'd')); /* would fit, but would close a gap */
    assert_false(buf_addf(&b, "%s", ""));
    assert_null(buf_room(&b, 1));
    assert_int_equal(b.len, 3);
    buf_reset(&b);
    assert_true(buf_adds(&b, "12345678"));
    buf_free(&b);
}

static void lengths_do_not_wrap(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_addc(&b, 'a');
    assert_null(buf_room(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_reset(&b);
    assert_null(buf_room(&b, SIZE_MAX - 1));
    buf_free(&b);
}

static void grows_in_all_ways(void **state)
{
    struct buf b;
    size_t i;
    char *p;

    (void)state;
    buf_init(&b, 1 << 20);
    for (i = 0; i < 30000; i++) {
        assert_true(i % 3 == 0   ? buf_addc(&b, (char)('a' + i % 26))
                    : i % 3 == 1 ? buf_addf(&b, "%c", (char)('a' + i % 26))
                                 : buf_add(&b, &(char){(char)('a' + i % 26)}, 1));
        assert_int_equal(b.data[b.len], 0);
    }
    for (i = 0; i < 30000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    p = buf_room(&b, 50000);
    memset(p, 'x', 40000); /* less than asked for */
    b.len += 40000;
    assert_int_equal(strlen(b.data), 70000);
    buf_drop(&b, 69999);
    assert_string_equal(b.data, "x");
    buf_reset(&b);
    p = buf_room(&b, 10); /* where letters were */
    memset(p, 'y', 3);
    b.len += 3;
    assert_string_equal(b.data, "yyy");
    buf_free(&b);
}

static void take_leaves_an_empty_one(void **state)
{
    struct buf b;
    char *text;

    (void)state;
    buf_init(&b, 4);
    buf_adds(&b, "abcd");
    text = buf_take(&b);
    assert_string_equal(text, "abcd");
    assert_true(buf_adds(&b, "efgh"));
    assert_string_equal(text, "abcd");
    free(text);
    buf_wipe(&b);
    assert_int_equal(b.len, 0);
    assert_true(buf_adds(&b, "ij"));
    buf_free(&b);
}

/* The exact fit of a format, at each size around a growth step. */
static void formats_of_every_length(void **state)
{
    struct buf b;
    int n;

    (void)state;
    for (n = 0; n < 200; n++) {
        buf_init(&b, (size_t)n + 1);
        assert_true(buf_addf(&b, "%c", '<'));
        assert_true(buf_addf(&b, "%*s", n, ""));
        assert_int_equal(b.len, n + 1);
        assert_int_equal(strlen(b.data), n + 1);
        assert_false(buf_addf(&b, "%d", 1));
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_text),
        cmocka_unit_test(ceiling_to_the_byte),
        cmocka_unit_test(failure_sticks_until_reset),
        cmocka_unit_test(lengths_do_not_wrap),
        cmocka_unit_test(grows_in_all_ways),
        cmocka_unit_test(take_leaves_an_empty_one),
        cmocka_unit_test(formats_of_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
