/* arena: zeroed, aligned, bounded, reusable; ASan watches that all goes in the end. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void pieces_do_not_overlap(void **state)
{
    struct arena *a = arena_new(1 << 20);
    unsigned char *pieces[1000];
    size_t i, k, len;

    (void)state;
    for (i = 0; i < 1000; i++) {
        len = i * 37 % 301;
        pieces[i] = arena_alloc(a, len);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (k = 0; k < len; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)(i & 255), len);
    }
    for (i = 0; i < 1000; i++)
        for (k = 0; k < i * 37 % 301; k++)
            assert_int_equal(pieces[i][k], i & 255);
    arena_free(&a);
    assert_null(a);
    arena_free(&a);
}

static void ceiling_stays_reached(void **state)
{
    struct arena *a = arena_new(1000);

    (void)state;
    assert_non_null(arena_alloc(a, 600));
    assert_null(arena_alloc(a, 401));
    assert_null(arena_alloc(a, 1));
    assert_null(arena_strndup(a, "x", 1));
    assert_true(arena_used(a) <= 1000);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    assert_non_null(arena_alloc(a, 1000));
    assert_null(arena_alloc(a, 0));
    arena_free(&a);
}

static void many_small_ones_count(void **state)
{
    struct arena *a = arena_new(4096);
    size_t n = 0;

    (void)state;
    while (arena_alloc(a, 1))
        n++;
    assert_true(n > 0 && n <= 4096);
    arena_free(&a);
}

static void sizes_do_not_wrap(void **state)
{
    struct arena *a = arena_new(SIZE_MAX);

    (void)state;
    assert_null(arena_alloc(a, SIZE_MAX));
    arena_reset(a);
    assert_null(arena_alloc(a, SIZE_MAX - 8));
    arena_free(&a);
}

/* Large ones between small ones, more than one block; after a reset what comes is zero again. */
static void reset_reuses(void **state)
{
    struct arena *a = arena_new(8 << 20);
    unsigned char *p;
    int round, i;

    (void)state;
    for (round = 0; round < 3; round++) {
        for (i = 0; i < 200; i++) {
            p = arena_alloc(a, i % 10 == 9 ? 20000 : 64);
            assert_non_null(p);
            assert_int_equal(p[0] | p[63], 0);
            memset(p, 0xAA, i % 10 == 9 ? 20000 : 64);
        }
        assert_true(arena_used(a) >= 20 * 20000 + 180 * 64);
        arena_reset(a);
    }
    arena_free(&a);
}

static void strndup_stops_at_nul(void **state)
{
    struct arena *a = arena_new(100);

    (void)state;
    assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(a, "ab\0cd", 5), "ab");
    assert_string_equal(arena_strndup(a, "", 0), "");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_overlap), cmocka_unit_test(ceiling_stays_reached),
        cmocka_unit_test(many_small_ones_count), cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(reset_reuses),          cmocka_unit_test(strndup_stops_at_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
