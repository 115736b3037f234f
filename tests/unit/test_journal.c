/*
 * journal: numbers and the ring; every field comes back; readers are woken once a turn and may remove one another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/loop.h"
#include "presence/journal.h"
#include "table_private.h"

#define CAPACITY 8

struct fixture {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_journal *journal;
};

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    (void)arg, (void)id, (void)now;
}

static void setup(struct fixture *f)
{
    f->clk = clk_fake_new(INT64_C(1800014400000));
    f->loop = loop_new(f->clk);
    f->table = pres_table_new(f->loop, on_change, f);
    f->journal = pres_journal_new(f->table, CAPACITY);
}

static void teardown(struct fixture *f)
{
    pres_journal_free(&f->journal);
    pres_table_free(&f->table);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
}

static struct pres_presence numbered(unsigned n)
{
    struct pres_presence p = {.state = (enum pres_kind)(n % PRES_KINDS), .since = n, .until = n + 10, .as_of = n + 1};

    p.valid_until = n + 1000;
    if (n % 3 == 0)
        p.until = PRES_NEVER;
    if (n % 2 == 0)
        p.next = (struct pres_next){true, PRES_OOF, n + 20, n % 4 == 0 ? PRES_NEVER : n + 30};
    if (n % 5 == 0)
        p.reason = "stale";
    return p;
}

static void test_ring(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = pres_table_add(f.table, &(struct pres_person_spec){.address = "alice@example.com"});
    assert_int_equal(pres_journal_head(f.journal), 0);
    assert_int_equal(pres_journal_tail(f.journal), 1);
    assert_null(pres_journal_get(f.journal, 0));
    assert_null(pres_journal_get(f.journal, 1));
    for (unsigned n = 1; n <= 100; n++) {
        struct pres_presence p = numbered(n);
        uint64_t tail = n > CAPACITY ? n - CAPACITY + 1 : 1;

        pres_journal_add(f.journal, alice, &p);
        assert_int_equal(pres_journal_head(f.journal), n);
        assert_int_equal(pres_journal_tail(f.journal), tail);
        assert_null(pres_journal_get(f.journal, tail - 1));
        assert_null(pres_journal_get(f.journal, n + 1));
        for (uint64_t seq = tail; seq <= n; seq++) {
            const struct pres_change *c = pres_journal_get(f.journal, seq);
            struct pres_presence want = numbered((unsigned)seq);

            assert_int_equal(c->seq, seq);
            assert_int_equal(c->id, alice);
            assert_int_equal(c->generation, pres_table_generation(f.table, alice));
            assert_true(pres_presence_same(&c->now, &want));
            assert_int_equal(c->now.as_of, want.as_of);
            assert_int_equal(c->now.valid_until, want.valid_until);
        }
    }
    teardown(&f);
}

static void test_epochs_differ(void **state)
{
    struct fixture f;
    struct pres_journal *other;

    (void)state;
    setup(&f);
    other = pres_journal_new(f.table, 1);
    assert_true(pres_journal_epoch(f.journal) != pres_journal_epoch(other));
    pres_journal_free(&other);
    teardown(&f);
}

struct waker {
    struct pres_journal_reader *reader;
    struct waker *kill[2]; /* readers to remove when woken */
    struct fixture *f;
    bool add; /* add another change when woken */
    unsigned woken;
};

static void on_wake(void *arg)
{
    struct waker *w = arg;
    struct pres_presence p = numbered(1);

    w->woken++;
    for (unsigned i = 0; i < 2; i++)
        if (w->kill[i])
            pres_journal_reader_free(&w->kill[i]->reader);
    if (w->add)
        pres_journal_add(w->f->journal, 0, &p);
    w->add = false;
}

static void test_readers(void **state)
{
    struct pres_presence p = numbered(1);
    struct waker w[4] = {{0}};
    struct fixture f;

    (void)state;
    setup(&f);
    for (unsigned i = 0; i < 4; i++) {
        w[i].f = &f;
        w[i].reader = pres_journal_reader_new(f.journal, on_wake, &w[i]);
    }
    pres_journal_add(f.journal, 0, &p);
    pres_journal_add(f.journal, 0, &p);
    assert_int_equal(w[0].woken, 0); /* never from inside */
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(w[i].woken, 1);
    w[0].add = true; /* what is added in a wake wakes again, a turn later */
    pres_journal_add(f.journal, 0, &p);
    loop_turn(f.loop, 0);
    assert_int_equal(w[0].woken, 2);
    loop_turn(f.loop, 0);
    assert_int_equal(w[0].woken, 3);
    assert_int_equal(w[3].woken, 3);
    /* they are woken newest first: 2 removes itself and 1, 1 is not woken any more, 0 is */
    w[2].kill[0] = &w[2];
    w[2].kill[1] = &w[1];
    pres_journal_add(f.journal, 0, &p);
    loop_turn(f.loop, 0);
    assert_int_equal(w[3].woken, 4);
    assert_int_equal(w[2].woken, 4);
    assert_int_equal(w[1].woken, 3);
    assert_int_equal(w[0].woken, 4);
    pres_journal_add(f.journal, 0, &p);
    pres_journal_reader_free(&w[0].reader);
    pres_journal_reader_free(&w[3].reader);
    loop_turn(f.loop, 0);
    assert_int_equal(w[0].woken, 4);
    pres_journal_reader_free(&w[0].reader); /* NULL is fine */
    teardown(&f);
}

/* The names of those who went stay as long as their entries, however many go. */
static void test_removals(void **state)
{
    struct fixture f;
    struct pres_presence p = numbered(3);
    char address[32];
    pres_id stays;

    (void)state;
    setup(&f);
    stays = pres_table_add(f.table, &(struct pres_person_spec){.address = "stays@example.com", .stale_after = 60});
    for (unsigned n = 1; n <= 50 * CAPACITY; n++) {
        bool removal = n % 7 < 3 || n / 40 % 2;

        snprintf(address, sizeof(address), "p%u@example.com", n);
        if (removal) {
            pres_id id = pres_table_add(f.table, &(struct pres_person_spec){.address = address, .stale_after = 60});

            pres_journal_remove(f.journal, id);
            pres_table_remove(f.table, id);
        } else {
            pres_journal_add(f.journal, stays, &p);
        }
        for (uint64_t seq = pres_journal_tail(f.journal); seq <= n; seq++) {
            const struct pres_change *c = pres_journal_get(f.journal, seq);

            snprintf(address, sizeof(address), "p%u@example.com", (unsigned)seq);
            if (seq % 7 < 3 || seq / 40 % 2)
                assert_string_equal(c->removed, address);
            else
                assert_null(c->removed);
            assert_int_equal(c->now.state, c->removed ? PRES_UNKNOWN : p.state);
        }
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removals),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_epochs_differ),
        cmocka_unit_test(test_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
