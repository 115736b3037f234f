/*
 * slab: pieces of all sizes keep their bytes while others come and go, and what is given back is taken again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "slab.h"

#define PIECES 3000

static uint64_t seed = 1;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static void check(const struct pres_slab *s, uint32_t ref, size_t len, unsigned fill)
{
    const char *at = pres_slab_at(s, ref);

    for (size_t i = 0; i < len; i++)
        assert_int_equal(at[i], (char)fill);
}

static void test_random(void **state)
{
    static struct {
        uint32_t ref;
        size_t len;
    } piece[PIECES];
    struct pres_slab *s = pres_slab_new();

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = pick(PIECES);

        if (piece[i].ref != 0) {
            check(s, piece[i].ref, piece[i].len, i);
            pres_slab_give(s, piece[i].ref, piece[i].len);
            piece[i].ref = 0;
            continue;
        }
        piece[i].len = 1 + pick(pick(8) ? 60 : PRES_SLAB_MAX);
        piece[i].ref = pres_slab_take(s, piece[i].len);
        assert_int_not_equal(piece[i].ref, 0);
        memset(pres_slab_at(s, piece[i].ref), (int)i, piece[i].len);
    }
    for (unsigned i = 0; i < PIECES; i++)
        if (piece[i].ref != 0)
            check(s, piece[i].ref, piece[i].len, i);
    pres_slab_free(&s);
    assert_null(s);
}

static void test_taken_again(void **state)
{
    struct pres_slab *s = pres_slab_new();
    uint32_t a = pres_slab_take(s, 30), b = pres_slab_take(s, 31), c;

    (void)state;
    pres_slab_give(s, a, 30);
    pres_slab_give(s, b, 31);
    c = pres_slab_take(s, 32); /* the same number of units */
    assert_int_equal(c, b);
    assert_int_equal(pres_slab_take(s, 29), a);
    assert_int_not_equal(pres_slab_take(s, 29), a);
    pres_slab_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_taken_again)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
