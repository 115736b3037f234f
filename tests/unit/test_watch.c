/*
 * watch: a random world of persons who come, go and change, and clients who are cut at any event, come back with the
 * last cursor they have, and must have seen each change exactly once. Each change is recognisable: everybody is free
 * until a moment that is a number of its own.
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
#include "presence/watch.h"
#include "table_private.h"

#define NOON INT64_C(1800014400)
#define IDS 24      /* persons at one time */
#define LIVES 20000 /* persons ever */
#define CLIENTS 6
#define STEPS 30000

/* What a client has seen of a person: the number of the change, or: */
enum { NOTHING_YET = -2, AT_FIRST = -1 };

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

struct life {
    int64_t first, last; /* `until` of its first and its last change, 0: none yet */
    bool over;
};

struct client {
    struct pres_watch *watch;
    char cursor[48];
    bool everybody;
    pres_id ids[IDS];
    size_t n_ids;
    bool listed[IDS];
    unsigned listed_life[IDS]; /* who had the listed ids when it asked first */
    bool told_over[LIVES];     /* it knows that this person was removed */
    int64_t seen[IDS];         /* by id: `until` of the last change seen, or one of the above */
    unsigned life[IDS];        /* whose that was */
    unsigned wakes;
};

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_journal *journal;
    struct life lives[LIVES];
    unsigned n_lives;
    unsigned life_of[IDS]; /* of the person who has the id now; 0: nobody */
    int64_t next_until;
    int64_t follows[LIVES]; /* change number (less NOON) -> the change of the same person after it */
    struct client clients[CLIENTS];
    unsigned behind, resumed, afresh, midway, told_over;
};

static struct world world; /* large */

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    struct life *life = &w->lives[w->life_of[id]];

    pres_journal_add(w->journal, id, now);
    assert_int_equal(now->state, PRES_FREE);
    assert_true(now->until > life->last && now->until - NOON < LIVES);
    if (life->last != 0)
        w->follows[life->last - NOON] = now->until;
    else
        life->first = now->until;
    life->last = now->until;
}

static void on_wake(void *arg)
{
    struct client *c = arg;

    c->wakes++;
}

static void world_new(struct world *w, size_t capacity)
{
    memset(w, 0, sizeof(*w));
    w->clk = clk_fake_new(NOON * 1000);
    w->loop = loop_new(w->clk);
    w->table = pres_table_new(w->loop, on_change, w);
    w->journal = pres_journal_new(w->table, capacity);
    w->next_until = NOON + 100;
    w->n_lives = 1;
}

static void world_free(struct world *w)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        pres_watch_free(&w->clients[i].watch);
    pres_journal_free(&w->journal);
    pres_table_free(&w->table);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
}

static void person_change(struct world *w, pres_id id)
{
    struct pres_interval in = {w->next_until++, NOON + 2 * LIVES, PRES_BUSY};

    pres_table_update(w->table, id, &in, 1, NOON - 10, NOON + 4 * LIVES, NOON);
}

static void person_add(struct world *w)
{
    char address[32];
    pres_id id;

    snprintf(address, sizeof(address), "p%u@example.com", w->n_lives);
    id = pres_table_add(w->table, &(struct pres_person_spec){.address = address, .stale_after = PRES_NEVER});
    assert_true(id < IDS);
    w->life_of[id] = w->n_lives++;
}

static void person_remove(struct world *w, pres_id id)
{
    pres_journal_remove(w->journal, id);
    pres_table_remove(w->table, id);
    w->lives[w->life_of[id]].over = true;
    w->life_of[id] = 0;
}

static void client_forget(struct world *w, struct client *c)
{
    for (pres_id id = 0; id < IDS; id++) {
        c->seen[id] = NOTHING_YET;
        c->life[id] = w->life_of[id];
        c->listed[id] = c->listed[id] && c->listed_life[id] == w->life_of[id]; /* who is gone, it does not find */
    }
    memset(c->told_over, 0, sizeof(c->told_over));
}

/* A list means the persons it meant at first: those who are gone since are asked about by address. */
static void client_connect_again(struct world *w, struct client *c)
{
    char address[32];

    c->n_ids = 0;
    for (pres_id id = 0; id < IDS; id++)
        if (c->listed[id] && c->listed_life[id] == w->life_of[id])
            c->ids[c->n_ids++] = id;
    c->watch = pres_watch_new(w->journal, c->everybody ? NULL : c->ids, c->n_ids, c->cursor, on_wake, c);
    for (pres_id id = 0; id < IDS && !c->everybody && pres_watch_resumed(c->watch); id++) {
        unsigned life = c->listed_life[id];

        snprintf(address, sizeof(address), "P%u@Example.com", life);
        if (!c->listed[id] || life == 0)
            continue;
        if (pres_watch_removed(c->watch, address))
            assert_true(w->lives[life].over && !c->told_over[life]);
        else /* still there, told, or gone before the snapshot came to it */
            assert_true(!w->lives[life].over || c->told_over[life] || c->life[id] != life || c->seen[id] < AT_FIRST);
    }
}

static void client_connect(struct world *w, struct client *c)
{
    if (c->cursor[0] != '\0' && pick(12) > 0) {
        client_connect_again(w, c);
    } else {
        c->cursor[0] = '\0';
        c->everybody = pick(2);
        c->n_ids = 0;
        memset(c->listed, 0, sizeof(c->listed));
        for (unsigned n = pick(IDS); n > 0 && !c->everybody; n--) {
            c->ids[c->n_ids] = pick(IDS);
            c->listed[c->ids[c->n_ids++]] = true;
        }
        memcpy(c->listed_life, w->life_of, sizeof(c->listed_life));
        c->watch = pres_watch_new(w->journal, c->everybody ? NULL : c->ids, c->n_ids, NULL, on_wake, c);
    }
    if (pres_watch_resumed(c->watch)) {
        w->resumed++;
        w->midway += strchr(strchr(c->cursor, '-') + 1, '-') != NULL;
    } else {
        w->afresh++;
        client_forget(w, c);
    }
}

static bool client_wants(const struct world *w, const struct client *c, pres_id id)
{
    return w->life_of[id] != 0 && (c->everybody || (c->listed[id] && c->listed_life[id] == w->life_of[id]));
}

/* Once for each person, and nothing after it. */
static void client_take_removal(struct world *w, struct client *c, const struct pres_event *e)
{
    unsigned life;
    bool meant = c->everybody;

    assert_int_equal(sscanf(e->removed, "p%u@example.com", &life), 1);
    assert_true(w->lives[life].over && !c->told_over[life]);
    assert_int_equal(e->now.state, PRES_UNKNOWN);
    assert_string_equal(e->now.reason, "removed");
    assert_true(e->now.until == PRES_NEVER && e->now.as_of == 0 && e->now.valid_until == 0 && !e->now.next.some);
    for (pres_id id = 0; id < IDS; id++) {
        meant = meant || (c->listed[id] && c->listed_life[id] == life);
        if (c->life[id] == life)
            c->life[id] = 0;
    }
    assert_true(meant);
    c->told_over[life] = true;
    w->told_over++;
    memcpy(c->cursor, e->cursor, sizeof(c->cursor));
}

static void client_take(struct world *w, struct client *c, const struct pres_event *e)
{
    struct life *life;
    int64_t now = e->now.state == PRES_UNKNOWN ? AT_FIRST : e->now.until, *seen;

    if (e->id == PRES_NOBODY) {
        client_take_removal(w, c, e);
        return;
    }
    life = &w->lives[w->life_of[e->id]];
    seen = &c->seen[e->id];
    assert_null(e->removed);
    assert_true(e->id < IDS && client_wants(w, c, e->id));
    if (c->life[e->id] != w->life_of[e->id]) { /* somebody new under this id: known from the first change */
        assert_true(c->life[e->id] == 0 || *seen == NOTHING_YET); /* that the one before is gone, it knows already */
        c->life[e->id] = w->life_of[e->id];
        *seen = NOTHING_YET;
    }
    if (*seen == NOTHING_YET)
        assert_true(now == (life->last ? life->last : AT_FIRST) || now == life->first);
    else if (*seen == AT_FIRST)
        assert_int_equal(now, life->first);
    else
        assert_int_equal(now, w->follows[*seen - NOON]); /* the very next one: nothing lost, nothing repeated */
    *seen = now;
    memcpy(c->cursor, e->cursor, sizeof(c->cursor));
}

/* Up to `max` events; the last ones may be lost on the way, and then the connection is. */
static void client_read(struct world *w, struct client *c, unsigned max)
{
    unsigned lost_from = pick(4) == 0 ? pick(max + 1) : UINT32_MAX;
    struct pres_event e;

    for (unsigned i = 0; i < max; i++) {
        enum pres_watch_result result = pres_watch_next(c->watch, &e);

        if (result == PRES_WATCH_BEHIND) {
            w->behind++;
            lost_from = 0;
        }
        if (result != PRES_WATCH_EVENT)
            break;
        if (pick(5) == 0) {
            pres_watch_unget(c->watch);
            continue;
        }
        if (i < lost_from)
            client_take(w, c, &e);
    }
    if (lost_from != UINT32_MAX)
        pres_watch_free(&c->watch);
}

/* Reads to the end: then it must know the last change of everybody it wants. */
static void client_check(struct world *w, struct client *c)
{
    enum pres_watch_result result;
    struct pres_event e;

    if (!c->watch)
        client_connect(w, c);
    while ((result = pres_watch_next(c->watch, &e)) == PRES_WATCH_EVENT)
        client_take(w, c, &e);
    if (result == PRES_WATCH_BEHIND) {
        pres_watch_free(&c->watch);
        client_connect(w, c);
        assert_false(pres_watch_resumed(c->watch));
        client_check(w, c);
        return;
    }
    for (pres_id id = 0; id < IDS; id++) {
        const struct life *life = &w->lives[w->life_of[id]];
        bool same = c->life[id] == w->life_of[id];

        if (w->lives[c->life[id]].over) /* whoever showed a state shows it no more */
            assert_int_equal(c->seen[id], NOTHING_YET);
        if (!client_wants(w, c, id))
            continue;
        if (same && c->seen[id] != NOTHING_YET)
            assert_int_equal(c->seen[id], life->last ? life->last : AT_FIRST);
        else
            assert_true(life->last == 0 && !same); /* came later, and nothing has changed yet */
    }
}

static void world_step(struct world *w)
{
    pres_id id = pick(IDS);
    struct client *c = &w->clients[pick(CLIENTS)];

    switch (pick(16)) {
    case 0:
        if (pres_table_count(w->table) < IDS)
            person_add(w);
        break;
    case 1:
        if (w->life_of[id] != 0 && pick(3) == 0)
            person_remove(w, id);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        if (w->life_of[id] != 0)
            person_change(w, id);
        break;
    case 8:
    case 9:
        loop_turn(w->loop, 0);
        break;
    default:
        if (!c->watch)
            client_connect(w, c);
        client_read(w, c, 1 + pick(pick(4) ? 4 : 40));
    }
}

static void simulate(size_t capacity, unsigned from)
{
    struct world *w = &world;

    world_new(w, capacity);
    seed = from;
    for (unsigned i = 0; i < STEPS && w->next_until < NOON + LIVES - 10; i++) {
        world_step(w);
        if (pick(60) == 0) {
            for (unsigned turn = 0; turn < 3; turn++)
                loop_turn(w->loop, 0);
            client_check(w, &w->clients[pick(CLIENTS)]);
        }
    }
}

static void test_nothing_lost_nothing_repeated(void **state)
{
    (void)state;
    for (unsigned from = 1; from <= 6; from++) {
        simulate(100000, from);
        assert_true(world.behind == 0 && world.resumed > 500 && world.midway > 50 && world.afresh >= CLIENTS);
        assert_true(world.told_over > 500);
        world_free(&world);
    }
}

static void test_with_a_short_journal(void **state)
{
    (void)state;
    for (unsigned from = 11; from <= 16; from++) {
        simulate(from % 2 ? 40 : 7, from);
        assert_true(world.behind > 20 && world.resumed > 50 && world.afresh > 50);
        world_free(&world);
    }
}

static void next_is(struct pres_watch *watch, struct pres_event *e, pres_id id, int64_t until)
{
    assert_int_equal(pres_watch_next(watch, e), PRES_WATCH_EVENT);
    assert_int_equal(e->id, id);
    assert_int_equal(e->now.until, until);
}

/* A watch created after an answer came and before it was reported must not tell of it twice. */
static void test_snapshot_is_what_was_reported(void **state)
{
    struct world *w = &world;
    struct pres_watch *watch;
    struct pres_event e;

    (void)state;
    world_new(w, 100);
    person_add(w);
    person_add(w);
    person_change(w, 0);
    watch = pres_watch_new(w->journal, NULL, 0, NULL, NULL, NULL);
    next_is(watch, &e, 0, PRES_NEVER);
    assert_int_equal(e.now.state, PRES_UNKNOWN);
    assert_string_equal(e.now.reason, "never-read");
    loop_turn(w->loop, 0);
    next_is(watch, &e, 0, NOON + 100); /* in the middle of the snapshot: of one who is told already */
    assert_int_equal(e.now.as_of, NOON);
    person_change(w, 1);
    loop_turn(w->loop, 0);
    next_is(watch, &e, 1, NOON + 101); /* contained in the state */
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
    world_free(w);
}

static void test_unget(void **state)
{
    struct world *w = &world;
    struct pres_watch *watch;
    struct pres_event e;
    char cursor[48];

    (void)state;
    world_new(w, 100);
    person_add(w);
    watch = pres_watch_new(w->journal, NULL, 0, NULL, NULL, NULL);
    for (unsigned i = 0; i < 3; i++) {
        next_is(watch, &e, 0, PRES_NEVER);
        pres_watch_unget(watch);
    }
    next_is(watch, &e, 0, PRES_NEVER);
    person_change(w, 0);
    loop_turn(w->loop, 0);
    next_is(watch, &e, 0, NOON + 100);
    pres_watch_unget(watch);
    person_change(w, 0);
    loop_turn(w->loop, 0);
    next_is(watch, &e, 0, NOON + 100);
    assert_string_equal(pres_watch_cursor(watch, cursor), e.cursor);
    next_is(watch, &e, 0, NOON + 101);
    pres_watch_free(&watch);
    world_free(w);
}

/* Whoever watches the quiet is still at the head. */
static void test_cursor_moves_past_others(void **state)
{
    struct world *w = &world;
    struct pres_watch *watch;
    struct pres_event e;
    char cursor[48];

    (void)state;
    world_new(w, 4);
    person_add(w);
    person_add(w);
    watch = pres_watch_new(w->journal, (pres_id[]){1, 1, 99, PRES_NOBODY}, 4, NULL, NULL, NULL);
    next_is(watch, &e, 1, PRES_NEVER);
    for (unsigned i = 0; i < 10; i++) {
        person_change(w, 0);
        loop_turn(w->loop, 0);
        assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    }
    pres_watch_cursor(watch, cursor);
    pres_watch_free(&watch);
    watch = pres_watch_new(w->journal, (pres_id[]){1}, 1, e.cursor, NULL, NULL);
    assert_false(pres_watch_resumed(watch));
    pres_watch_free(&watch);
    watch = pres_watch_new(w->journal, (pres_id[]){1}, 1, cursor, NULL, NULL);
    assert_true(pres_watch_resumed(watch));
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
    watch = pres_watch_new(w->journal, (pres_id[]){0}, 0, NULL, NULL, NULL); /* nobody */
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
    world_free(w);
}

static void removal_is(struct pres_watch *watch, struct pres_event *e, const char *address)
{
    assert_int_equal(pres_watch_next(watch, e), PRES_WATCH_EVENT);
    assert_int_equal(e->id, PRES_NOBODY);
    assert_string_equal(e->removed, address);
    assert_string_equal(e->now.reason, "removed");
}

/* The same address comes back as somebody new; whoever comes back with a cursor of before hears of the end too. */
static void test_removed_and_added_again(void **state)
{
    struct pres_person_spec spec = {.address = "p1@example.com", .publish_as = "boss@example.com", .stale_after = 100};
    struct world *w = &world;
    struct pres_watch *live, *back;
    struct pres_event e;
    char cursor[48];
    pres_id id;

    (void)state;
    world_new(w, 4);
    id = pres_table_add(w->table, &spec);
    live = pres_watch_new(w->journal, &id, 1, NULL, NULL, NULL);
    next_is(live, &e, id, PRES_NEVER);
    memcpy(cursor, e.cursor, sizeof(cursor));
    pres_journal_remove(w->journal, id);
    pres_table_remove(w->table, id);
    assert_int_equal(pres_table_add(w->table, &spec), id);
    removal_is(live, &e, "boss@example.com");
    pres_watch_unget(live);
    removal_is(live, &e, "boss@example.com");
    w->life_of[id] = 1;
    person_change(w, id);
    loop_turn(w->loop, 0);
    assert_int_equal(pres_watch_next(live, &e), PRES_WATCH_NOTHING);
    for (unsigned configured = 0; configured < 2; configured++) {
        back = pres_watch_new(w->journal, &id, 1, cursor, NULL, NULL);
        assert_false(pres_watch_removed(back, "p2@example.com"));
        assert_true(pres_watch_removed(back, configured ? "p1@example.com" : "boss@example.com"));
        removal_is(back, &e, "boss@example.com");
        next_is(back, &e, id, NOON + 100);
        pres_watch_free(&back);
    }
    back = pres_watch_new(w->journal, &id, 1, e.cursor, NULL, NULL); /* told already */
    assert_false(pres_watch_removed(back, "boss@example.com"));
    pres_watch_free(&back);
    pres_watch_free(&live);
    world_free(w);
}

/* A long way to the next event of interest is gone in steps, with a wake for each. */
static void test_long_skip(void **state)
{
    enum { LONG = 50000 };
    struct world *w = &world;
    struct client client = {0};
    struct pres_presence p = {.state = PRES_BUSY};
    struct pres_watch *watch;
    struct pres_event e;
    unsigned waited = 0;

    (void)state;
    world_new(w, 2 * LONG);
    person_add(w);
    person_add(w);
    watch = pres_watch_new(w->journal, (pres_id[]){1}, 1, NULL, on_wake, &client);
    next_is(watch, &e, 1, PRES_NEVER);
    for (unsigned i = 0; i < LONG; i++)
        pres_journal_add(w->journal, 0, &p);
    person_change(w, 1);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
    assert_true(client.wakes > 0 && client.wakes <= 2);
    client.wakes = 0;
    while (pres_watch_next(watch, &e) == PRES_WATCH_NOTHING) {
        loop_turn(w->loop, 0);
        waited++;
        assert_int_equal(client.wakes, waited);
    }
    assert_true(waited >= 2);
    assert_int_equal(e.now.until, NOON + 100);
    for (unsigned i = 0; i < LONG; i++)
        pres_journal_add(w->journal, 0, &p);
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch); /* with a wake under way */
    loop_turn(w->loop, 0);
    assert_int_equal(client.wakes, waited);
    world_free(w);
}

static void test_bad_cursors(void **state)
{
    static const char *const tails[] = {"",
                                        "-",
                                        "-x",
                                        "-1x",
                                        "-5",
                                        "- 1",
                                        "-+1",
                                        "--1",
                                        "-1-",
                                        "-1-0000000",
                                        "-1-00000g00",
                                        "-1-000000001",
                                        "-1-00000001-",
                                        "-99999999999999999999",
                                        "-1\n",
                                        "-18446744073709551617"};
    struct world *w = &world;
    struct pres_watch *watch;
    struct pres_event e;
    char epoch[20], cursor[80];

    (void)state;
    world_new(w, 100);
    person_add(w);
    person_change(w, 0);
    loop_turn(w->loop, 0);
    snprintf(epoch, sizeof(epoch), "%016jx", (uintmax_t)pres_journal_epoch(w->journal));
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        snprintf(cursor, sizeof(cursor), "%s%s", epoch, tails[i]);
        watch = pres_watch_new(w->journal, NULL, 0, cursor, NULL, NULL);
        assert_false(pres_watch_resumed(watch));
        next_is(watch, &e, 0, NOON + 100);
        pres_watch_free(&watch);
    }
    for (const char *const *text = (const char *const[]){"", "0", "0-0", "-1", "zzzz", NULL}; *text; text++) {
        watch = pres_watch_new(w->journal, NULL, 0, *text, NULL, NULL);
        assert_false(pres_watch_resumed(watch));
        pres_watch_free(&watch);
    }
    epoch[0] = epoch[0] == '0' ? '1' : '0'; /* of another start of the daemon */
    snprintf(cursor, sizeof(cursor), "%s-1", epoch);
    watch = pres_watch_new(w->journal, NULL, 0, cursor, NULL, NULL);
    assert_false(pres_watch_resumed(watch));
    pres_watch_free(&watch);
    snprintf(cursor, sizeof(cursor), "%016jx-1-ffffffff", (uintmax_t)pres_journal_epoch(w->journal));
    watch = pres_watch_new(w->journal, NULL, 0, cursor, NULL, NULL); /* well-formed, from nobody: no harm */
    assert_true(pres_watch_resumed(watch));
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_lost_nothing_repeated),
        cmocka_unit_test(test_with_a_short_journal),
        cmocka_unit_test(test_snapshot_is_what_was_reported),
        cmocka_unit_test(test_unget),
        cmocka_unit_test(test_cursor_moves_past_others),
        cmocka_unit_test(test_removed_and_added_again),
        cmocka_unit_test(test_long_skip),
        cmocka_unit_test(test_bad_cursors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
