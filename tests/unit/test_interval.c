/*
 * interval: random answers, built into sets and compared second by second with the plain reading of the rule (the
 * strongest kind that covers the second); then the limits of the packing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "presence/interval.h"

#define HORIZON 48
#define CASES 30000
#define MANY 200

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static size_t random_answer(struct pres_interval *in, size_t max)
{
    size_t n = pick((unsigned)max + 1);

    for (size_t i = 0; i < n; i++) {
        in[i].start = (int64_t)pick(HORIZON + 8) - 4;
        in[i].end = in[i].start + (int64_t)pick(16) - 2; /* some end before they start */
        in[i].kind = (enum pres_kind)pick(PRES_KINDS);
    }
    return n;
}

static enum pres_kind strongest_at(const struct pres_interval *in, size_t n, int64_t t)
{
    enum pres_kind kind = PRES_FREE;

    for (size_t i = 0; i < n; i++)
        if (in[i].start <= t && t < in[i].end && in[i].kind != PRES_UNKNOWN && in[i].kind > kind)
            kind = in[i].kind;
    return kind;
}

static void check_shape(const struct pres_set *set, int64_t from, int64_t until)
{
    for (size_t i = 0; i < pres_set_count(set); i++) {
        struct pres_interval here = pres_set_at(set, i), before;

        assert_true(here.start >= from && here.end <= until && here.start < here.end);
        assert_true(here.kind != PRES_FREE && here.kind < PRES_UNKNOWN);
        if (i == 0)
            continue;
        before = pres_set_at(set, i - 1);
        assert_true(before.end <= here.start);
        assert_false(before.end == here.start && before.kind == here.kind);
    }
}

static void check_case(const struct pres_interval *in, size_t n, int64_t from, int64_t until)
{
    struct pres_set *set = pres_set_build(in, n, from, until);
    struct pres_interval *again = calloc(pres_set_count(set) + 1, sizeof(*again));
    struct pres_set *rebuilt;

    check_shape(set, from, until);
    for (int64_t t = -4; t < HORIZON + 4; t++) {
        enum pres_kind want = t >= from && t < until && t >= 0 ? strongest_at(in, n, t) : PRES_FREE;
        size_t i = pres_set_find(set, t), count = pres_set_count(set);
        bool inside = i < count && pres_set_at(set, i).start <= t;

        assert_int_equal(inside ? pres_set_at(set, i).kind : PRES_FREE, want);
        assert_true(i == count || pres_set_at(set, i).end > t);
        assert_true(i == 0 || pres_set_at(set, i - 1).end <= t);
    }
    /* backwards and from its own pieces: the same set */
    for (size_t i = 0; i < pres_set_count(set); i++)
        again[pres_set_count(set) - 1 - i] = pres_set_at(set, i);
    rebuilt = pres_set_build(again, pres_set_count(set), from, until);
    assert_true(pres_set_equal(set, rebuilt));
    free(again);
    free(rebuilt);
    free(set);
}

static void test_random(void **state)
{
    struct pres_interval in[12];

    (void)state;
    seed = 1;
    for (unsigned i = 0; i < CASES; i++) {
        size_t n = random_answer(in, 12);
        int64_t from = (int64_t)pick(HORIZON) - 4;

        check_case(in, n, from, from + pick(HORIZON));
    }
}

/* More than the small path takes. */
static void test_random_many(void **state)
{
    static struct pres_interval in[MANY];

    (void)state;
    seed = 2;
    for (unsigned i = 0; i < 300; i++)
        check_case(in, random_answer(in, MANY), 0, HORIZON);
}

static void test_empty(void **state)
{
    const struct pres_interval none[] = {
        {10, 20, PRES_FREE}, {10, 20, PRES_UNKNOWN},           {10, 10, PRES_BUSY},
        {20, 10, PRES_BUSY}, {INT64_MAX, INT64_MIN, PRES_OOF}, {0, 5, PRES_BUSY},
    };

    (void)state;
    assert_null(pres_set_build(NULL, 0, 0, 100));
    assert_null(pres_set_build(none, 6, 5, 100));
    assert_null(pres_set_build((struct pres_interval[]){{0, 100, PRES_BUSY}}, 1, 50, 50));
    assert_null(pres_set_build((struct pres_interval[]){{0, 100, PRES_BUSY}}, 1, 60, 50));
    assert_int_equal(pres_set_count(NULL), 0);
    assert_int_equal(pres_set_find(NULL, 5), 0);
    assert_true(pres_set_equal(NULL, NULL));
}

static void test_equal(void **state)
{
    struct pres_set *a = pres_set_build((struct pres_interval[]){{10, 20, PRES_BUSY}}, 1, 0, 100);
    struct pres_set *b = pres_set_build((struct pres_interval[]){{10, 15, PRES_BUSY}, {15, 20, PRES_BUSY}}, 2, 0, 100);
    struct pres_set *c = pres_set_build((struct pres_interval[]){{10, 20, PRES_OOF}}, 1, 0, 100);

    (void)state;
    assert_true(pres_set_equal(a, b));
    assert_false(pres_set_equal(a, c));
    assert_false(pres_set_equal(a, NULL));
    free(a);
    free(b);
    free(c);
}

/* The first and last second that fit, and a run too long for one length. */
static void test_limits(void **state)
{
    struct pres_set *set =
        pres_set_build((struct pres_interval[]){{INT64_MIN, INT64_MAX, PRES_OOF}}, 1, INT64_MIN, INT64_MAX);
    int64_t at = 0;

    (void)state;
    assert_int_equal(pres_set_count(set), 9); /* 2^32 - 1 seconds in lengths of at most 2^29 - 1 */
    for (size_t i = 0; i < pres_set_count(set); i++) {
        struct pres_interval piece = pres_set_at(set, i);

        assert_int_equal(piece.start, at);
        assert_int_equal(piece.kind, PRES_OOF);
        at = piece.end;
    }
    assert_int_equal(at, UINT32_MAX);
    assert_int_equal(pres_set_find(set, UINT32_MAX - 1), 8);
    assert_int_equal(pres_set_find(set, UINT32_MAX), 9);
    free(set);
    assert_null(pres_set_build((struct pres_interval[]){{-10, 0, PRES_OOF}}, 1, -20, 20));
}

static void test_packing(void **state)
{
    (void)state;
    assert_int_equal(pres_set_bytes(0), 0);
    assert_true(pres_set_bytes(40) <= 40 * 8 + 8);
    assert_int_equal(pres_set_bytes(41) - pres_set_bytes(40), 8);
}

/* Forty meetings, of which the window cuts the first and the last at odd seconds; number `at` is moved before that. */
static struct pres_set *fortnight(size_t at, int64_t start, int64_t end)
{
    const int64_t begin = 1800000000, until = begin + 39 * 7200 + 11;
    struct pres_interval in[40];
    struct pres_set *set;

    for (int64_t i = 0; i < 40; i++)
        in[i] = (struct pres_interval){begin + i * 7200, begin + i * 7200 + 1800, i % 2 ? PRES_BUSY : PRES_OOF};
    in[at].start += start;
    in[at].end += end;
    set = pres_set_build(in, 40, begin + 7, until);
    in[0].start = begin + 7;
    in[39].end = until;
    assert_int_equal(pres_set_count(set), 40);
    for (size_t i = 0; i < 40; i++) {
        struct pres_interval got = pres_set_at(set, i);

        assert_true(got.start == in[i].start && got.end == in[i].end && got.kind == in[i].kind);
        assert_int_equal(pres_set_find(set, in[i].end - 1), i);
        assert_int_equal(pres_set_find(set, in[i].end), i + 1);
    }
    return set;
}

static void test_minutes(void **state)
{
    static const struct {
        size_t at;
        int64_t start, end;
        bool narrow;
    } rows[] = {{5, 0, 0, true}, {5, 60, 60, true}, {5, 59, 60, false}, {5, 60, 59, false}, {1, 61, 61, false}};
    struct pres_set *first = fortnight(5, 0, 0), *set;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set = fortnight(rows[i].at, rows[i].start, rows[i].end);
        if ((pres_set_size(set) <= 40 * 4 + 20) != rows[i].narrow)
            fail_msg("row %zu takes %zu bytes", i, pres_set_size(set));
        assert_int_equal(pres_set_equal(first, set), i == 0);
        free(set);
    }
    free(first);
}

/* What does not fit into 13 bits of minutes, or 16. */
static void test_many_minutes(void **state)
{
    static const struct {
        int64_t offset, minutes; /* of the third from the second; the fourth comes a minute after it */
        bool narrow;
    } rows[] = {{2, 8191, true}, {2, 8192, false}, {65533, 1, true}, {65534, 1, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t third = 120 + rows[i].offset * 60, fourth = third + (rows[i].minutes + 1) * 60;
        struct pres_interval in[] = {{60, 90, PRES_BUSY},
                                     {120, 180, PRES_BUSY},
                                     {third, fourth - 60, PRES_TENTATIVE},
                                     {fourth, fourth + 60, PRES_BUSY},
                                     {fourth + 61, fourth + 62, PRES_ELSEWHERE}};
        struct pres_set *set = pres_set_build(in, 5, 0, UINT32_MAX);

        assert_int_equal(pres_set_count(set), 5);
        for (size_t k = 0; k < 5; k++)
            assert_true(pres_set_at(set, k).start == in[k].start && pres_set_at(set, k).end == in[k].end &&
                        pres_set_at(set, k).kind == in[k].kind);
        assert_int_equal(pres_set_size(set) < pres_set_bytes(5), rows[i].narrow);
        free(set);
    }
}

static void test_kind_names(void **state)
{
    enum pres_kind kind;

    (void)state;
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        assert_true(pres_kind_parse(pres_kind_name((enum pres_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    kind = PRES_OOF;
    assert_false(pres_kind_parse("Busy", &kind));
    assert_false(pres_kind_parse("", &kind));
    assert_int_equal(kind, PRES_OOF);
}

/* Both forms, and both ways of looking, against a look at one after the other. */
static void test_look(void **state)
{
    struct pres_interval in[40], run[2];

    (void)state;
    for (unsigned n = 0; n <= 40; n++) {
        for (unsigned unit = 1; unit <= 60; unit += 59) { /* seconds: wide; minutes: narrow from five on */
            struct pres_set *set;

            for (unsigned i = 0; i < n; i++)
                in[i] = (struct pres_interval){600 + (int64_t)i * 3 * unit, 600 + ((int64_t)i * 3 + 1) * unit,
                                               PRES_BUSY};
            set = pres_set_build(in, n, 0, 100000);
            for (int64_t t = 590; t < 600 + 130 * (int64_t)unit; t++) {
                int64_t before, want_before = INT64_MIN;
                size_t i = 0;

                for (; i < n && in[i].end <= t; i++)
                    want_before = in[i].end;
                assert_int_equal(pres_set_find(set, t), i);
                assert_int_equal(pres_set_look(set, t, run, &before), n - i < 2 ? n - i : 2);
                assert_true(before == want_before);
                for (size_t k = 0; k < 2 && i + k < n; k++)
                    assert_true(run[k].start == in[i + k].start && run[k].end == in[i + k].end);
            }
            free(set);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),     cmocka_unit_test(test_random_many), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_equal),      cmocka_unit_test(test_limits),      cmocka_unit_test(test_packing),
        cmocka_unit_test(test_minutes),    cmocka_unit_test(test_many_minutes),
        cmocka_unit_test(test_kind_names), cmocka_unit_test(test_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
