/*
 * table: names; what is reported and what is not; punctuality, slices and clock steps on a clock of our own; and a
 * random company that is compared with the pure function at every second.
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
#include "presence/table.h"
#include "table_private.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z */
#define DAY 86400
#define REPORTS_MAX 64
#define COMPANY 60

struct report {
    pres_id id;
    struct pres_presence now;
    int64_t at;
};

struct fixture {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct report reports[REPORTS_MAX]; /* the first ones since forget() */
    size_t n;
    pres_id remove, update; /* what the next change does, PRES_NOBODY: nothing */
};

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static int64_t now_s(const struct fixture *f)
{
    return clk_wall_s(f->clk);
}

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct fixture *f = arg;
    pres_id other;

    if (f->n < REPORTS_MAX)
        f->reports[f->n] = (struct report){id, *now, now_s(f)};
    f->n++;
    if ((other = f->remove) != PRES_NOBODY) {
        f->remove = PRES_NOBODY;
        pres_table_remove(f->table, other);
    }
    if ((other = f->update) != PRES_NOBODY) {
        f->update = PRES_NOBODY;
        pres_table_update(f->table, other, NULL, 0, now_s(f), now_s(f) + DAY, now_s(f));
    }
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.remove = PRES_NOBODY, .update = PRES_NOBODY};
    f->clk = clk_fake_new(NOON * 1000);
    f->loop = loop_new(f->clk);
    f->table = pres_table_new(f->loop, on_change, f);
}

static void teardown(struct fixture *f)
{
    pres_table_free(&f->table);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
}

static void turns(struct fixture *f)
{
    for (unsigned i = 0; i < 3; i++)
        loop_turn(f->loop, 0);
}

static void forget(struct fixture *f)
{
    turns(f);
    f->n = 0;
}

static pres_id add(struct fixture *f, const char *address, const char *publish_as)
{
    return pres_table_add(
        f->table, &(struct pres_person_spec){
                      .address = address, .publish_as = publish_as, .group = "staff", .stale_after = 900, .server = 3});
}

/* An answer of now: busy in [start, end), free else, from yesterday to tomorrow. */
static void answer(struct fixture *f, pres_id id, int64_t start, int64_t end)
{
    struct pres_interval in = {start, end, PRES_BUSY};

    pres_table_update(f->table, id, &in, 1, NOON - DAY, NOON + DAY, now_s(f));
}

static enum pres_kind state_of(const struct fixture *f, pres_id id)
{
    struct pres_presence p;

    pres_table_presence(f->table, id, &p);
    return p.state;
}

static void test_names(void **state)
{
    struct fixture f;
    pres_id alice, bob, carol;
    char longest[1002];

    (void)state;
    setup(&f);
    alice = add(&f, "Alice@Example.com", NULL);
    bob = add(&f, "bob@example.com", "Robert@Example.org");
    carol = add(&f, "carol@example.com", "Carol@Example.com");
    assert_int_equal(pres_table_find(f.table, "aLICE@example.COM"), alice);
    assert_int_equal(pres_table_find(f.table, "robert@example.org"), bob);
    assert_int_equal(pres_table_find(f.table, "BOB@example.com"), bob);
    assert_int_equal(pres_table_find(f.table, "nobody@example.com"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, ""), PRES_NOBODY);
    assert_string_equal(pres_table_address(f.table, alice), "Alice@Example.com");
    assert_string_equal(pres_table_publish_as(f.table, alice), "Alice@Example.com");
    assert_string_equal(pres_table_publish_as(f.table, bob), "Robert@Example.org");
    assert_string_equal(pres_table_address(f.table, carol), "carol@example.com");
    assert_string_equal(pres_table_publish_as(f.table, carol), "Carol@Example.com");
    assert_string_equal(pres_table_group(f.table, bob), "staff");
    assert_int_equal(pres_table_server(f.table, bob), 3);
    /* every way to be there already */
    assert_int_equal(add(&f, "ALICE@example.com", NULL), PRES_NOBODY);
    assert_int_equal(add(&f, "ROBERT@example.org", NULL), PRES_NOBODY);
    assert_int_equal(add(&f, "dave@example.com", "alice@EXAMPLE.com"), PRES_NOBODY);
    assert_int_equal(add(&f, "dave@example.com", "robert@EXAMPLE.org"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, "dave@example.com"), PRES_NOBODY);
    assert_int_equal(add(&f, "", NULL), PRES_NOBODY);
    memset(longest, 'x', sizeof(longest));
    longest[1001] = '\0';
    assert_int_equal(add(&f, longest, NULL), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, longest), PRES_NOBODY);
    longest[1000] = '\0';
    assert_int_not_equal(add(&f, longest, NULL), PRES_NOBODY);
    assert_int_equal(pres_table_count(f.table), 4);
    pres_table_remove(f.table, bob);
    assert_int_equal(pres_table_find(f.table, "robert@example.org"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, "bob@example.com"), PRES_NOBODY);
    assert_int_equal(pres_table_next(f.table, alice), carol);
    assert_int_equal(add(&f, "new@example.com", "bob@example.com"), bob); /* the id is used again */
    turns(&f);
    assert_int_equal(f.n, 0);
    teardown(&f);
}

static void test_respec(void **state)
{
    struct pres_person_spec spec = {
        .publish_as = "Chief@Example.com", .group = "board", .stale_after = 60, .server = 9};
    struct fixture f;
    pres_id alice, bob;

    (void)state;
    setup(&f);
    alice = add(&f, "Alice@example.com", "first@example.com");
    bob = add(&f, "bob@example.com", NULL);
    answer(&f, alice, NOON, NOON + 3600);
    forget(&f);
    pres_table_respec(f.table, alice, &spec);
    assert_string_equal(pres_table_address(f.table, alice), "Alice@example.com");
    assert_string_equal(pres_table_publish_as(f.table, alice), "Chief@Example.com");
    assert_string_equal(pres_table_group(f.table, alice), "board");
    assert_int_equal(pres_table_server(f.table, alice), 9);
    assert_int_equal(pres_table_find(f.table, "first@example.com"), PRES_NOBODY);
    assert_int_equal(pres_table_find(f.table, "chief@example.com"), alice);
    assert_string_equal(pres_table_group(f.table, bob), "staff");
    turns(&f);
    assert_int_equal(f.n, 0); /* still busy */
    loop_advance(f.loop, 59999);
    assert_int_equal(f.n, 0);
    loop_advance(f.loop, 1); /* the new age limit */
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_UNKNOWN);
    spec.publish_as = "BOB@example.com"; /* somebody else's */
    spec.group = NULL;
    pres_table_respec(f.table, alice, &spec);
    assert_string_equal(pres_table_publish_as(f.table, alice), "Chief@Example.com");
    assert_null(pres_table_group(f.table, alice));
    assert_int_equal(pres_table_find(f.table, "bob@example.com"), bob);
    spec.publish_as = NULL;
    pres_table_respec(f.table, alice, &spec);
    assert_string_equal(pres_table_publish_as(f.table, alice), "Alice@example.com");
    assert_int_equal(pres_table_find(f.table, "chief@example.com"), PRES_NOBODY);
    teardown(&f);
}

static void test_reports_at_the_end_of_the_turn(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    assert_int_equal(state_of(&f, alice), PRES_UNKNOWN);
    answer(&f, alice, NOON - 60, NOON + 60);
    assert_int_equal(f.n, 0);
    assert_int_equal(state_of(&f, alice), PRES_BUSY);
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    assert_int_equal(f.reports[0].now.since, NOON - 60);
    forget(&f);
    answer(&f, alice, NOON - 60, NOON + 90); /* and back again: no news */
    answer(&f, alice, NOON - 60, NOON + 60);
    turns(&f);
    assert_int_equal(f.n, 0);
    pres_table_update(f.table, alice, NULL, 0, NOON - DAY, NOON + DAY, NOON - 1); /* older than what is known */
    turns(&f);
    assert_int_equal(f.n, 0);
    answer(&f, alice, NOON - 60, NOON + 70); /* another end is news */
    answer(&f, alice, NOON - 60, NOON + 80);
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.until, NOON + 80);
    answer(&f, alice, NOON, NOON + 10);
    pres_table_remove(f.table, alice);
    forget(&f);
    turns(&f);
    assert_int_equal(f.n, 0);
    teardown(&f);
}

static void test_transitions_at_their_second(void **state)
{
    struct pres_interval in[] = {{NOON + 100, NOON + 200, PRES_BUSY}, {NOON + 150, NOON + 160, PRES_OOF}};
    static const struct {
        int64_t at;
        enum pres_kind state;
    } want[] = {{100, PRES_BUSY}, {150, PRES_OOF}, {160, PRES_BUSY}, {200, PRES_FREE}, {900, PRES_UNKNOWN}};
    struct pres_table_stats stats;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    pres_table_update(f.table, alice, in, 2, NOON - DAY, NOON + DAY, NOON);
    forget(&f);
    pres_table_stats(f.table, &stats);
    assert_int_equal(stats.next_change_at, NOON + 100);
    loop_advance(f.loop, 3600 * 1000);
    assert_int_equal(f.n, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(f.reports[i].at - NOON, want[i].at);
        assert_int_equal(f.reports[i].now.state, want[i].state);
    }
    assert_string_equal(f.reports[4].now.reason, "stale");
    assert_int_equal(f.reports[3].now.since, NOON + 200);
    pres_table_stats(f.table, &stats);
    assert_int_equal(stats.next_change_at, PRES_NEVER);
    assert_int_equal(stats.transitions, 6);
    assert_int_equal(stats.worst_late_ms, 0);
    assert_int_equal(stats.by_state[PRES_UNKNOWN], 1);
    assert_int_equal(stats.oldest_as_of, NOON);
    teardown(&f);
}

static void test_failures(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    pres_table_fail(f.table, alice, "receive-as-missing");
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_UNKNOWN);
    assert_string_equal(f.reports[0].now.reason, "receive-as-missing");
    answer(&f, alice, NOON, NOON + 7200);
    forget(&f);
    pres_table_fail(f.table, alice, "tcp-refused");
    pres_table_fail(f.table, alice, "tcp-refused");
    turns(&f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    assert_string_equal(f.reports[0].now.reason, "tcp-refused");
    loop_advance(f.loop, 900 * 1000);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_UNKNOWN);
    assert_string_equal(f.reports[1].now.reason, "tcp-refused");
    assert_int_equal(f.reports[1].now.since, NOON + 900);
    answer(&f, alice, NOON, NOON + 7200);
    turns(&f);
    assert_int_equal(f.n, 3);
    assert_int_equal(f.reports[2].now.state, PRES_BUSY);
    assert_null(f.reports[2].now.reason);
    teardown(&f);
}

/* The window goes along with the polls; neither the free nor the long absent change by it. */
static void test_moving_window_is_no_news(void **state)
{
    struct pres_interval away = {NOON - 30 * DAY, NOON + 60 * DAY, PRES_OOF};
    struct pres_presence p;
    struct fixture f;
    pres_id alice, bob;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    bob = add(&f, "bob@example.com", NULL);
    for (unsigned i = 0; i < 50; i++) {
        pres_table_update(f.table, alice, NULL, 0, now_s(&f), now_s(&f) + 14 * DAY, now_s(&f));
        pres_table_update(f.table, bob, &away, 1, now_s(&f), now_s(&f) + 14 * DAY, now_s(&f));
        loop_advance(f.loop, 60000);
        assert_int_equal(f.n, 2);
    }
    pres_table_presence(f.table, alice, &p);
    assert_int_equal(p.since, NOON);
    pres_table_presence(f.table, bob, &p);
    assert_int_equal(p.since, NOON);
    assert_int_equal(p.until, PRES_NEVER);
    /* but what is told was free until a meeting that an answer took away is not free since then */
    answer(&f, alice, now_s(&f) - 100, now_s(&f) - 10);
    turns(&f);
    pres_table_presence(f.table, alice, &p);
    assert_int_equal(p.since, now_s(&f) - 10);
    /* nor is a meeting that was to end before the window's start the one that goes on there, though nobody told its end
     */
    answer(&f, alice, now_s(&f) - 100, now_s(&f) + 100);
    turns(&f);
    clk_fake_step_wall(f.clk, 3600 * 1000);
    away.kind = PRES_BUSY;
    pres_table_update(f.table, alice, &away, 1, now_s(&f), now_s(&f) + DAY, now_s(&f));
    pres_table_presence(f.table, alice, &p);
    assert_int_equal(p.since, now_s(&f));
    teardown(&f);
}

static void test_calls_from_the_report(void **state)
{
    struct fixture f;
    pres_id id[4];

    (void)state;
    setup(&f);
    for (unsigned i = 0; i < 4; i++) {
        char address[] = "0@example.com";

        address[0] = (char)('0' + i);
        id[i] = add(&f, address, NULL);
        answer(&f, id[i], NOON + 10, NOON + 20);
    }
    forget(&f);
    f.remove = id[2];
    f.update = id[1];
    loop_advance(f.loop, 10000);
    turns(&f);
    for (unsigned i = 0; i < 2; i++) /* the first to be told of could be any of those who are left */
        assert_int_equal(state_of(&f, id[i * 3]), PRES_BUSY);
    assert_int_equal(state_of(&f, id[1]), PRES_FREE);
    assert_int_equal(pres_table_count(f.table), 3);
    f.remove = f.reports[0].id; /* itself */
    answer(&f, f.remove, NOON, NOON + 500);
    turns(&f);
    assert_int_equal(pres_table_count(f.table), 2);
    teardown(&f);
}

/* Many at one second: each once, in slices that let the loop turn in between. */
static void test_slices(void **state)
{
    enum { MANY = 9000, SLICE = 2000 };
    struct fixture f;
    size_t most = 0;
    unsigned used = 0;

    (void)state;
    setup(&f);
    for (unsigned i = 0; i < MANY; i++) {
        char address[32];

        snprintf(address, sizeof(address), "p%u@example.com", i);
        answer(&f, add(&f, address, NULL), NOON + 60, NOON + 120);
    }
    for (unsigned round = 0; round < 2; round++) { /* first the answers, then the transition */
        f.n = 0;
        used = 0;
        most = 0;
        if (round == 1)
            loop_advance(f.loop, 60000);
        assert_true(f.n <= SLICE);
        for (size_t before = SIZE_MAX; f.n < MANY && before != f.n; used++) {
            before = f.n;
            loop_turn(f.loop, 0);
            most = f.n - before > most ? f.n - before : most;
        }
        turns(&f);
        assert_int_equal(f.n, MANY);
        assert_true(most <= SLICE && used >= 4);
    }
    for (pres_id id = 0; id < MANY; id++)
        assert_int_equal(state_of(&f, id), PRES_BUSY);
    teardown(&f);
}

static void test_clock_set_back(void **state)
{
    struct pres_presence p;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 10, NOON + 7200);
    loop_advance(f.loop, 10000);
    forget(&f);
    assert_int_equal(state_of(&f, alice), PRES_BUSY);
    clk_fake_step_wall(f.clk, -3600 * 1000);
    assert_int_equal(state_of(&f, alice), PRES_FREE);
    loop_advance(f.loop, 60000); /* noticed within a minute */
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_FREE);
    /* the answer seems to come from the future, and must not live for an hour longer */
    pres_table_presence(f.table, alice, &p);
    assert_true(p.valid_until <= now_s(&f) + 900);
    answer(&f, alice, NOON + 10, NOON + 7200);
    while (now_s(&f) < NOON + 9) {
        loop_advance(f.loop, 1000);
        if (now_s(&f) % 300 == 0)
            answer(&f, alice, NOON + 10, NOON + 7200);
    }
    assert_int_equal(f.n, 1);
    loop_advance(f.loop, 1000);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_BUSY);
    assert_int_equal(f.reports[1].at, NOON + 10);
    teardown(&f);
}

/* The kernel says so: nobody waits for the next minute. */
static void test_clock_set_and_told(void **state)
{
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 600, NOON + 7200);
    forget(&f);
    clk_fake_step_wall(f.clk, 700 * 1000);
    loop_stepped(f.loop);
    for (unsigned turn = 0; turn < 3; turn++)
        loop_advance(f.loop, 0);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    clk_fake_step_wall(f.clk, -650 * 1000);
    loop_stepped(f.loop);
    for (unsigned turn = 0; turn < 3; turn++)
        loop_advance(f.loop, 0);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.reports[1].now.state, PRES_FREE);
    teardown(&f);
}

static void test_clock_set_forward(void **state)
{
    struct pres_table_stats stats;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 600, NOON + 7200);
    forget(&f);
    clk_fake_step_wall(f.clk, 700 * 1000);
    loop_advance(f.loop, 60000);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.reports[0].now.state, PRES_BUSY);
    assert_int_equal(f.reports[0].now.since, NOON + 600);
    pres_table_stats(f.table, &stats);
    assert_true(stats.worst_late_ms >= 100 * 1000 && stats.worst_late_ms <= 160 * 1000);
    loop_advance(f.loop, 61 * 60 * 1000);
    pres_table_stats(f.table, &stats);
    assert_true(stats.worst_late_ms < 100 * 1000); /* it is not the last hour any more */
    /* what was asked an hour ahead of the right time does not keep out what is asked now */
    answer(&f, alice, NOON, NOON + 7200);
    clk_fake_step_wall(f.clk, -3600 * 1000);
    answer(&f, alice, NOON - DAY, NOON - 7200);
    assert_int_equal(state_of(&f, alice), PRES_FREE);
    teardown(&f);
}

/* The set that was lent lives until the turn ends, whatever becomes of its person. */
static void test_known_is_lent(void **state)
{
    struct pres_known known;
    struct fixture f;
    pres_id alice;

    (void)state;
    setup(&f);
    alice = add(&f, "alice@example.com", NULL);
    answer(&f, alice, NOON + 10, NOON + 20);
    pres_table_known(f.table, alice, &known);
    assert_int_equal(known.stale_after, 900);
    answer(&f, alice, NOON + 30, NOON + 40);
    assert_int_equal(pres_set_at(known.set, 0).start, NOON + 10);
    pres_table_known(f.table, alice, &known);
    pres_table_remove(f.table, alice);
    assert_int_equal(pres_set_at(known.set, 0).start, NOON + 30);
    teardown(&f);
}

struct company {
    struct fixture f;
    struct pres_presence told[COMPANY]; /* by id */
    bool here[COMPANY];
};

static void company_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct company *c = arg;
    struct pres_presence right;

    assert_true(id < COMPANY && c->here[id]);
    assert_false(pres_presence_same(&c->told[id], now)); /* no news without a difference */
    pres_table_presence(c->f.table, id, &right);
    assert_true(pres_presence_same(&right, now));
    c->told[id] = *now;
}

static void company_act(struct company *c, pres_id id)
{
    int64_t now = now_s(&c->f);
    struct pres_interval in[4];
    char address[32], alias[32];
    unsigned n = pick(5);

    snprintf(address, sizeof(address), "P%u@example.com", id);
    snprintf(alias, sizeof(alias), "Alias%u@example.com", pick(COMPANY));
    if (!c->here[id]) {
        pres_id got = add(&c->f, address, pick(2) ? NULL : alias);

        for (id = 0; id != got && got != PRES_NOBODY; id++)
            ;
        if (got == PRES_NOBODY)
            return;
        c->here[got] = true;
        pres_table_presence(c->f.table, got, &c->told[got]);
        return;
    }
    switch (pick(8)) {
    case 0:
        pres_table_fail(c->f.table, id, pick(2) ? "tcp-refused" : "throttled");
        break;
    case 1:
        pres_table_remove(c->f.table, id);
        c->here[id] = false;
        break;
    case 2:
        pres_table_respec(
            c->f.table, id,
            &(struct pres_person_spec){.publish_as = pick(2) ? alias : NULL, .stale_after = 20 + pick(60)});
        break;
    default:
        for (unsigned i = 0; i < n; i++) {
            in[i].start = now - 20 + pick(60);
            in[i].end = in[i].start + pick(30);
            in[i].kind = (enum pres_kind)pick(PRES_UNKNOWN);
        }
        pres_table_update(c->f.table, id, in, n, now - pick(30), now + pick(90), now - pick(5));
    }
}

static void company_check(struct company *c)
{
    size_t by_state[PRES_KINDS] = {0}, count = 0;
    struct pres_table_stats stats;
    struct pres_presence right, told;

    for (pres_id id = 0; id < COMPANY; id++) {
        if (!c->here[id])
            continue;
        count++;
        pres_table_presence(c->f.table, id, &right);
        if (!pres_presence_same(&right, &c->told[id]))
            fail_msg("person %u is %s, was told as %s", id, pres_kind_name(right.state),
                     pres_kind_name(c->told[id].state));
        pres_table_told(c->f.table, id, &told);
        assert_true(pres_presence_same(&told, &c->told[id]));
        assert_int_equal(pres_table_find(c->f.table, pres_table_address(c->f.table, id)), id);
        assert_int_equal(pres_table_find(c->f.table, pres_table_publish_as(c->f.table, id)), id);
        by_state[right.state]++;
    }
    pres_table_stats(c->f.table, &stats);
    assert_int_equal(stats.persons, count);
    assert_memory_equal(stats.by_state, by_state, sizeof(by_state));
}

static void test_random_company(void **state)
{
    struct company c = {.f = {.remove = PRES_NOBODY}};

    (void)state;
    seed = 5;
    c.f.clk = clk_fake_new(NOON * 1000 + 250);
    c.f.loop = loop_new(c.f.clk);
    c.f.table = pres_table_new(c.f.loop, company_change, &c);
    for (unsigned second = 0; second < 20000; second++) {
        for (unsigned acts = pick(6); acts > 0; acts--)
            company_act(&c, pick(COMPANY));
        loop_turn(c.f.loop, 0);
        company_check(&c);
        loop_advance(c.f.loop, 1000);
        company_check(&c);
        if (pick(500) == 0) {
            clk_fake_step_wall(c.f.clk, ((int64_t)pick(200) - 100) * 1000);
            loop_advance(c.f.loop, 60000);
            turns(&c.f);
            company_check(&c);
        }
    }
    teardown(&c.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_respec),
        cmocka_unit_test(test_reports_at_the_end_of_the_turn),
        cmocka_unit_test(test_transitions_at_their_second),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_moving_window_is_no_news),
        cmocka_unit_test(test_calls_from_the_report),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_clock_set_forward),
        cmocka_unit_test(test_clock_set_and_told),
        cmocka_unit_test(test_known_is_lent),
        cmocka_unit_test(test_random_company),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
