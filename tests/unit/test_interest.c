/*
 * interest: random wishes, taken back in any order, against a table of who wants whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "interest.h"

#define READERS 12
#define PERSONS 300
#define STEPS 20000

static char names[READERS]; /* readers are only pointed at */
static uint32_t ref[READERS][PERSONS];
static unsigned heard[READERS];
static uint64_t seed = 7;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static struct pres_journal_reader *reader(unsigned i)
{
    return (struct pres_journal_reader *)(void *)&names[i];
}

static void hear(struct pres_journal_reader *who, uint64_t seq)
{
    assert_int_equal(seq, 5);
    heard[(char *)who - names]++;
}

static void test_random(void **state)
{
    struct pres_interest *i = pres_interest_new();
    unsigned wishes[READERS] = {0};

    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned who = pick(READERS), id = pick(PERSONS);

        if (ref[who][id]) {
            pres_interest_drop(i, id, ref[who][id]);
            ref[who][id] = 0;
            wishes[who]--;
        } else if (pick(3) > 0) {
            ref[who][id] = pres_interest_add(i, id, reader(who));
            assert_int_not_equal(ref[who][id], 0);
            wishes[who]++;
        }
        id = pick(PERSONS + 5000); /* also of whom nobody has ever asked */
        memset(heard, 0, sizeof(heard));
        pres_interest_tell(i, id, 5, hear);
        for (unsigned k = 0; k < READERS; k++)
            assert_int_equal(heard[k], id < PERSONS && ref[k][id] ? 1 : 0);
    }
    memset(heard, 0, sizeof(heard));
    pres_interest_tell_all(i, 5, hear);
    assert_memory_equal(heard, wishes, sizeof(heard));
    pres_interest_free(&i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
