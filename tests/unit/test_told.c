/* What was told: held against a plain list, through growth and many departures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "presence/state.h"
#include "told.h"

enum { PEOPLE = 700, STEPS = 60000 };

static void test_as_a_list(void **state)
{
    static uint64_t known[PEOPLE];
    struct gw_told *t = gw_told_new();
    unsigned seed = 3;
    size_t count = 0;
    (void)state;
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned who = (unsigned)rand_r(&seed) % PEOPLE;
        char address[40];
        snprintf(address, sizeof address, "person%u@example.test", who);
        uint64_t key = gw_told_who(t, address);
        assert_int_equal(gw_told_get(t, key), known[who]);
        if (rand_r(&seed) % (i / 20000 + 2) == 0) { /* fuller and fuller */
            gw_told_drop(t, key);
            count -= known[who] != 0;
            known[who] = 0;
        } else {
            count += known[who] == 0;
            known[who] = i + 1;
            gw_told_put(t, key, known[who]);
        }
        assert_int_equal(gw_told_count(t), count);
    }
    gw_told_free(&t);
    assert_null(t);
}

/* Whatever pres_presence_same tells apart has another digest, and nothing else has. */
static void test_what_counts(void **state)
{
    struct gw_told *t = gw_told_new();
    char reason[] = "stale";
    const struct pres_presence first = {.state = PRES_BUSY, .since = 10, .until = 20, .as_of = 5, .valid_until = 30};
    struct pres_presence other[9];
    (void)state;
    for (unsigned i = 0; i < 9; i++)
        other[i] = first;
    other[0].state = PRES_OOF;
    other[1].since = 11;
    other[2].until = 21;
    other[3].next = (struct pres_next){.some = true};
    other[4].next = (struct pres_next){.some = true, .kind = PRES_BUSY, .start = 1, .end = 2};
    other[5].reason = "stale";
    other[6].as_of = 6;
    other[7].valid_until = 31;
    other[8].next = (struct pres_next){.some = false, .start = 9, .end = 10};
    for (unsigned i = 0; i < 9; i++) {
        bool same = gw_told_what(t, &first) == gw_told_what(t, &other[i]);
        assert_int_equal(same, pres_presence_same(&first, &other[i]));
        assert_int_equal(same, i >= 6);
    }
    struct pres_presence copy = other[5];
    copy.reason = reason;
    assert_int_equal(gw_told_what(t, &copy), gw_told_what(t, &other[5]));
    gw_told_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_a_list), cmocka_unit_test(test_what_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
