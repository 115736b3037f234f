/*
 * state: random calendars, windows and ages, against an oracle that knows nothing but one kind for each second and
 * looks left and right. Every second of the horizon is compared, and so is the promise that nothing differs before
 * next_change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "presence/state.h"

#define HORIZON 40
#define CASES 24000

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

struct oracle {
    enum pres_kind kind[HORIZON]; /* meaningful inside the window */
    struct pres_known known;
};

static bool in_window(const struct oracle *o, int64_t t)
{
    return t >= o->known.from && t < o->known.until;
}

static bool good(const struct oracle *o, int64_t t)
{
    return o->known.as_of != 0 && in_window(o, t) && t < o->known.as_of + o->known.stale_after;
}

/* First second from t on that is not of this kind, PRES_NEVER when the window ends before. */
static int64_t end_of(const struct oracle *o, int64_t t, enum pres_kind kind)
{
    while (in_window(o, t) && o->kind[t] == kind)
        t++;
    return in_window(o, t) ? t : PRES_NEVER;
}

static struct pres_presence oracle_unknown(const struct oracle *o, int64_t t)
{
    struct pres_presence p = {
        .state = PRES_UNKNOWN, .until = PRES_NEVER, .as_of = o->known.as_of, .reason = "never-read"};
    int64_t known_from;

    if (o->known.as_of != 0) {
        for (known_from = t; known_from < 3 * HORIZON && !good(o, known_from); known_from++)
            ;
        if (known_from < 3 * HORIZON)
            p.until = known_from;
        if (t >= o->known.until || t >= o->known.as_of + o->known.stale_after) {
            int64_t stale_at = o->known.as_of + o->known.stale_after;

            p.reason = "stale";
            p.since = stale_at < o->known.until ? stale_at : o->known.until;
        }
    }
    if (o->known.reason)
        p.reason = o->known.reason;
    return p;
}

static struct pres_presence oracle_at(const struct oracle *o, int64_t t)
{
    struct pres_presence p = {.as_of = o->known.as_of, .reason = o->known.reason};
    int64_t first;

    if (!good(o, t))
        return oracle_unknown(o, t);
    p.state = o->kind[t];
    for (p.since = t; p.since > o->known.from && o->kind[p.since - 1] == p.state; p.since--)
        ;
    p.until = end_of(o, t, p.state);
    for (p.valid_until = t; good(o, p.valid_until); p.valid_until++)
        ;
    for (first = p.until; first != PRES_NEVER && in_window(o, first) && o->kind[first] == PRES_FREE; first++)
        ;
    if (first != PRES_NEVER && in_window(o, first))
        p.next = (struct pres_next){true, o->kind[first], first, end_of(o, first, o->kind[first])};
    return p;
}

static void random_case(struct oracle *o, struct pres_interval *in, size_t *n)
{
    unsigned latest = pick(3) == 0 ? 6 : 24;

    memset(o, 0, sizeof(*o));
    *n = pick(9);
    o->known.from = pick(3) == 0 ? 1 + pick(HORIZON - 2) : 1 + pick(4);
    o->known.until = o->known.from + 1 + pick((unsigned)(HORIZON - o->known.from));
    o->known.as_of = pick(20) == 0 ? 0 : 1 + pick(HORIZON);
    o->known.stale_after = pick(2) == 0 ? HORIZON : pick(HORIZON);
    o->known.reason = pick(4) == 0 ? "tcp-refused" : NULL;
    for (size_t i = 0; i < *n; i++) {
        in[i].start = pick(HORIZON);
        in[i].end = in[i].start + pick(latest);
        in[i].kind = (enum pres_kind)pick(PRES_UNKNOWN);
        for (int64_t t = in[i].start; t < in[i].end && t < HORIZON; t++)
            if (in[i].kind > o->kind[t])
                o->kind[t] = in[i].kind;
    }
}

static void assert_presence(const struct pres_presence *got, const struct pres_presence *want, int64_t t)
{
    if (!pres_presence_same(got, want) || got->as_of != want->as_of || got->valid_until != want->valid_until)
        fail_msg("t=%d: %s %jd..%jd next %s %jd..%jd valid %jd (%s), not %s %jd..%jd next %s %jd..%jd valid %jd (%s)",
                 (int)t, pres_kind_name(got->state), (intmax_t)got->since, (intmax_t)got->until,
                 pres_kind_name(got->next.kind), (intmax_t)got->next.start, (intmax_t)got->next.end,
                 (intmax_t)got->valid_until, got->reason ? got->reason : "-", pres_kind_name(want->state),
                 (intmax_t)want->since, (intmax_t)want->until, pres_kind_name(want->next.kind),
                 (intmax_t)want->next.start, (intmax_t)want->next.end, (intmax_t)want->valid_until,
                 want->reason ? want->reason : "-");
}

/* The oracle's own next change: exactly where something differs, not earlier and not later. */
static int64_t oracle_change(const struct pres_presence *at, int64_t t)
{
    for (int64_t later = t + 1; later < 3 * HORIZON; later++)
        if (!pres_presence_same(&at[t], &at[later]))
            return later;
    return PRES_NEVER;
}

static void test_against_oracle(void **state)
{
    struct pres_presence want[3 * HORIZON], got;
    struct pres_interval in[9];
    struct pres_set *set;
    struct oracle o;
    size_t n;

    (void)state;
    seed = 3;
    for (unsigned c = 0; c < CASES; c++) {
        random_case(&o, in, &n);
        set = pres_set_build(in, n, o.known.from, o.known.until);
        o.known.set = set;
        for (int64_t t = 0; t < 3 * HORIZON; t++)
            want[t] = oracle_at(&o, t);
        for (int64_t t = 0; t < 2 * HORIZON + 2; t++) {
            pres_state_at(&o.known, t, &got);
            assert_presence(&got, &want[t], t);
            assert_int_equal(pres_state_next_change(&o.known, t), oracle_change(want, t));
        }
        free(set);
    }
}

static void test_next_is_the_next_run(void **state)
{
    struct pres_set *set = pres_set_build(
        (struct pres_interval[]){
            {100, 200, PRES_BUSY}, {150, 250, PRES_BUSY}, {300, 400, PRES_BUSY}, {390, 450, PRES_OOF}},
        4, 0, 1000);
    struct pres_known known = {.set = set, .from = 0, .until = 1000, .as_of = 1, .stale_after = PRES_NEVER};
    struct pres_presence p;

    (void)state;
    pres_state_at(&known, 120, &p);
    assert_int_equal(p.state, PRES_BUSY);
    assert_int_equal(p.since, 100);
    assert_int_equal(p.until, 250);
    assert_true(p.next.some && p.next.kind == PRES_BUSY && p.next.start == 300 && p.next.end == 390);
    assert_int_equal(p.valid_until, 1000);
    pres_state_at(&known, 300, &p);
    assert_true(p.next.some && p.next.kind == PRES_OOF && p.next.start == 390 && p.next.end == 450);
    free(set);
}

/* A run stored in several pieces is one run; one that the window cuts has no known end. */
static void test_long_run(void **state)
{
    const int64_t year = 31536000;
    struct pres_set *set = pres_set_build((struct pres_interval[]){{year, 60 * year, PRES_OOF}}, 1, 0, 100 * year);
    struct pres_known known = {.set = set, .from = 0, .until = 100 * year, .as_of = 1, .stale_after = PRES_NEVER};
    struct pres_presence p;

    (void)state;
    assert_true(pres_set_count(set) > 1);
    pres_state_at(&known, 40 * year, &p);
    assert_int_equal(p.since, year);
    assert_int_equal(p.until, 60 * year);
    assert_int_equal(pres_state_next_change(&known, 40 * year), 60 * year);
    pres_state_at(&known, 0, &p);
    assert_true(p.next.some && p.next.start == year && p.next.end == 60 * year);
    known.until = 50 * year;
    pres_state_at(&known, 40 * year, &p);
    assert_int_equal(p.until, PRES_NEVER);
    assert_int_equal(pres_state_next_change(&known, 40 * year), 50 * year);
    known.until = year; /* a set may know more than its window answers for */
    pres_state_at(&known, 5, &p);
    assert_int_equal(p.state, PRES_FREE);
    assert_int_equal(p.until, PRES_NEVER);
    assert_false(p.next.some);
    free(set);
}

static void test_same(void **state)
{
    struct pres_presence a = {.state = PRES_BUSY,
                              .since = 5,
                              .until = 9,
                              .reason = NULL,
                              .as_of = 1,
                              .valid_until = 100},
                         b = a;

    (void)state;
    b.as_of = 2;
    b.valid_until = 101;
    assert_true(pres_presence_same(&a, &b));
    b.reason = "tcp-refused";
    assert_false(pres_presence_same(&a, &b));
    a.reason = (char[]){"tcp-refused"};
    assert_true(pres_presence_same(&a, &b));
    b.next = (struct pres_next){true, PRES_OOF, 10, 12};
    assert_false(pres_presence_same(&a, &b));
    a.next = b.next;
    assert_true(pres_presence_same(&a, &b));
    a.next.end = 13;
    assert_false(pres_presence_same(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_oracle),
        cmocka_unit_test(test_next_is_the_next_run),
        cmocka_unit_test(test_long_run),
        cmocka_unit_test(test_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
