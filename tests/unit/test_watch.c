/*
 * watch: snapshots, cursors that are taken back, moved or bad, and persons who are removed.
 */
#include "watch_world.h"

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
    loop_turn(w->loop, 0);
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

static pres_id add_member(struct world *w, const char *address, const char *group)
{
    struct pres_person_spec spec = {.address = address, .group = group, .stale_after = 100};

    return pres_table_add(w->table, &spec);
}

/* Who comes back to a group hears of its members who were removed meanwhile, and of no others. */
static void test_members_removed(void **state)
{
    struct world *w = &world;
    struct pres_watch *watch;
    struct pres_event e;
    pres_id ids[4];

    (void)state;
    world_new(w, 100);
    for (unsigned i = 0; i < 4; i++)
        ids[i] = add_member(w, (const char *[]){"a@x", "b@x", "c@x", "d@x"}[i], i == 1 ? "other" : "group");
    pres_journal_remove(w->journal, ids[3]);
    pres_table_remove(w->table, ids[3]);
    watch = pres_watch_new(w->journal, ids, 3, NULL, NULL, NULL);
    for (unsigned i = 0; i < 3; i++)
        next_is(watch, &e, ids[i], PRES_NEVER);
    pres_watch_removed_members(watch, "group"); /* it has no cursor: nothing was told of them */
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
    for (unsigned i = 0; i < 3; i++) {
        pres_journal_remove(w->journal, ids[i]);
        pres_table_remove(w->table, ids[i]);
    }
    watch = pres_watch_new(w->journal, ids, 0, e.cursor, NULL, NULL);
    pres_watch_removed_members(watch, "group");
    removal_is(watch, &e, "a@x");
    removal_is(watch, &e, "c@x");
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
    world_free(w);
}

/* The old address ends, and whoever watches the person goes on under the new one. */
static void test_renamed(void **state)
{
    struct pres_person_spec spec = {.address = "p1@example.com", .publish_as = "old@example.com", .stale_after = 100};
    struct world *w = &world;
    struct pres_watch *watch[2];
    struct pres_event e;
    pres_id id;

    (void)state;
    world_new(w, 100);
    id = pres_table_add(w->table, &spec);
    for (unsigned i = 0; i < 2; i++) {
        watch[i] = pres_watch_new(w->journal, i ? &id : NULL, i, NULL, NULL, NULL);
        next_is(watch[i], &e, id, PRES_NEVER);
    }
    pres_journal_remove(w->journal, id);
    spec.publish_as = "new@example.com";
    pres_table_respec(w->table, id, &spec);
    pres_journal_renamed(w->journal, id);
    loop_turn(w->loop, 0); /* the report of the addition, which may bring more */
    loop_turn(w->loop, 0);
    for (unsigned i = 0; i < 2; i++) {
        removal_is(watch[i], &e, "old@example.com");
        next_is(watch[i], &e, id, PRES_NEVER);
        assert_string_equal(e.now.reason, "never-read");
        assert_int_equal(pres_watch_next(watch[i], &e), PRES_WATCH_NOTHING);
        pres_watch_free(&watch[i]);
    }
    world_free(w);
}

/* Many entries about somebody who is gone: the loop has its turn in between. */
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
    watch = pres_watch_new(w->journal, NULL, 0, NULL, on_wake, &client);
    next_is(watch, &e, 0, PRES_NEVER);
    next_is(watch, &e, 1, PRES_NEVER);
    for (unsigned i = 0; i < LONG; i++)
        pres_journal_add(w->journal, 0, &p);
    person_remove(w, 0);
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
    assert_int_equal(e.id, PRES_NOBODY);
    person_add(w);
    for (unsigned i = 0; i < LONG; i++)
        pres_journal_add(w->journal, 0, &p);
    person_remove(w, 0);
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch); /* with a wake under way */
    loop_turn(w->loop, 0);
    assert_int_equal(client.wakes, waited);
    world_free(w);
}

/* A list finds its persons' entries among those of others at once, in order, until the journal has lost one of them. */
static void test_few_among_many(void **state)
{
    enum { OTHERS = 40000, CHANGES = 5 };
    struct world *w = &world;
    struct pres_presence p = {.state = PRES_BUSY};
    struct pres_watch *watch;
    struct pres_event e;

    (void)state;
    world_new(w, CHANGES * OTHERS);
    for (unsigned i = 0; i < 3; i++)
        person_add(w);
    watch = pres_watch_new(w->journal, (pres_id[]){1, 2}, 2, NULL, NULL, NULL);
    next_is(watch, &e, 1, PRES_NEVER);
    next_is(watch, &e, 2, PRES_NEVER);
    for (unsigned i = 0; i < CHANGES * OTHERS; i++) {
        p.until = NOON + i;
        pres_journal_add(w->journal, i % OTHERS ? 0 : 1 + i / OTHERS % 2, &p);
    }
    loop_turn(w->loop, 0);
    next_is(watch, &e, 1, NOON);
    next_is(watch, &e, 2, NOON + OTHERS);
    pres_watch_unget(watch);
    next_is(watch, &e, 2, NOON + OTHERS);
    next_is(watch, &e, 1, NOON + 2 * OTHERS);
    for (unsigned i = 0; i < 3 * OTHERS - 1; i++) /* what is next becomes the oldest that is kept */
        pres_journal_add(w->journal, 0, &p);
    next_is(watch, &e, 2, NOON + 3 * OTHERS);
    for (unsigned i = 0; i < OTHERS; i++)
        pres_journal_add(w->journal, 0, &p);
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_EVENT);
    assert_int_equal(e.now.until, NOON + 4 * OTHERS);
    pres_watch_unget(watch);
    for (unsigned i = 0; i < 2; i++)
        pres_journal_add(w->journal, 0, &p);
    assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_BEHIND);
    pres_watch_free(&watch);
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

/* A list is told of its own persons only, and its place moves with the journal all the same. */
static void test_quiet_list(void **state)
{
    struct world *w = &world;
    struct client *c = &w->clients[0];
    struct pres_event e;
    pres_id one = 1;

    (void)state;
    world_new(w, 16);
    person_add(w);
    person_add(w);
    loop_turn(w->loop, 0);
    c->watch = pres_watch_new(w->journal, &one, 1, NULL, on_wake, c);
    next_is(c->watch, &e, 1, PRES_NEVER);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    for (unsigned i = 0; i < 100; i++) { /* six times round */
        person_change(w, 0);
        loop_turn(w->loop, 0);
    }
    assert_int_equal(c->wakes, 0);
    person_change(w, 1);
    loop_turn(w->loop, 0); /* the report */
    loop_turn(w->loop, 0); /* and the waking */
    assert_int_equal(c->wakes, 1);
    next_is(c->watch, &e, 1, NOON + 200);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    world_free(w);
}

/* Entries come while it reads: it reads what was noted, rests, and is told of the others together. */
static void test_rests_in_a_storm(void **state)
{
    struct world *w = &world;
    struct client *c = &w->clients[0];
    struct pres_presence p = {.state = PRES_BUSY};
    struct pres_event e;
    pres_id one = 1;

    (void)state;
    world_new(w, 1000);
    person_add(w);
    person_add(w);
    c->watch = pres_watch_new(w->journal, &one, 1, NULL, on_wake, c);
    next_is(c->watch, &e, 1, PRES_NEVER);
    for (p.until = NOON; p.until < NOON + 2; p.until++)
        pres_journal_add(w->journal, 1, &p);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
    assert_int_equal(c->wakes, 1);
    next_is(c->watch, &e, 1, NOON);
    for (; p.until < NOON + 4; p.until++)
        pres_journal_add(w->journal, 1, &p);
    next_is(c->watch, &e, 1, NOON + 1);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    loop_turn(w->loop, 0);
    assert_int_equal(c->wakes, 2);
    next_is(c->watch, &e, 1, NOON + 2);
    next_is(c->watch, &e, 1, NOON + 3);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    world_free(w);
}

/* Who does not read, while the persons of the list change again and again, keeps no queue of it: what is still there is
 * found when it reads again, each once and in order. */
static void test_list_that_does_not_read(void **state)
{
    struct world *w = &world;
    struct client *c = &w->clients[0];
    struct pres_event e;
    pres_id both[] = {0, 1};

    (void)state;
    world_new(w, 1000);
    person_add(w);
    person_add(w);
    person_add(w);
    loop_turn(w->loop, 0);
    c->watch = pres_watch_new(w->journal, both, 2, NULL, on_wake, c);
    next_is(c->watch, &e, 0, PRES_NEVER);
    next_is(c->watch, &e, 1, PRES_NEVER);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    for (pres_id i = 0; i < 900; i++) {
        person_change(w, i % 3);
        loop_turn(w->loop, 0);
    }
    for (pres_id i = 0; i < 900; i++)
        if (i % 3 < 2)
            next_is(c->watch, &e, i % 3, NOON + 100 + i);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    for (unsigned i = 0; i < 1000; i++) { /* and when it falls off the tail, it is told */
        person_change(w, 0);
        loop_turn(w->loop, 0);
    }
    person_change(w, 1);
    loop_turn(w->loop, 0);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_BEHIND);
    world_free(w);
}

/* More comes in one turn than the journal holds: nobody can be told what it was, but that it was. */
static void test_round_in_one_turn(void **state)
{
    struct world *w = &world;
    struct client *c = &w->clients[0];
    struct pres_event e;
    pres_id one = 1;

    (void)state;
    world_new(w, 4);
    for (unsigned i = 0; i < 12; i++)
        person_add(w);
    loop_turn(w->loop, 0);
    c->watch = pres_watch_new(w->journal, &one, 1, NULL, on_wake, c);
    next_is(c->watch, &e, 1, PRES_NEVER);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_NOTHING);
    for (pres_id i = 0; i < 12; i++)
        person_change(w, i);
    loop_turn(w->loop, 0); /* the report */
    loop_turn(w->loop, 0); /* and the waking */
    assert_int_equal(c->wakes, 1);
    assert_int_equal(pres_watch_next(c->watch, &e), PRES_WATCH_BEHIND);
    world_free(w);
}

static void resumes_at(const char *cursor, bool resumed, const pres_id *want, size_t n)
{
    struct world *w = &world;
    struct pres_watch *watch = pres_watch_new(w->journal, NULL, 0, cursor, NULL, NULL);
    struct pres_event e;

    assert_int_equal(pres_watch_resumed(watch), resumed);
    for (size_t i = 0; resumed && i < n; i++) {
        assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_EVENT);
        assert_int_equal(e.id, want[i]);
        assert_int_equal(e.now.state, PRES_FREE);
        assert_int_equal(strncmp(e.cursor, cursor, 17) == 0, false); /* it is of this journal from now on */
    }
    if (resumed)
        assert_int_equal(pres_watch_next(watch, &e), PRES_WATCH_NOTHING);
    pres_watch_free(&watch);
}

/* Cursors of the journal that this one follows, whose last entries it begins with. */
static void test_follows(void **state)
{
    struct world *w = &world;
    static const pres_id last[] = {1, PRES_NOBODY, 0}, all[] = {1, 0, 2};

    (void)state;
    world_new(w, 16);
    for (pres_id id = 0; id < 3; id++) {
        person_add(w);
        person_change(w, id);
        assert_true(pres_table_assume(w->table, id, NOON));
        assert_false(pres_table_assume(w->table, id, NOON - 100)); /* nothing was known of then */
    }
    pres_journal_follow(w->journal, 0x1234, 50, last, 3);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
    assert_int_equal(pres_journal_head(w->journal), 3); /* what was assumed is not reported */
    resumes_at("0000000000001234-50", true, NULL, 0);
    resumes_at("0000000000001234-49", true, all + 1, 1);
    resumes_at("0000000000001234-48", true, all + 1, 1);
    resumes_at("0000000000001234-47", true, all, 2);
    resumes_at("0000000000001234-46", false, NULL, 0);
    resumes_at("0000000000001234-51", false, NULL, 0);
    resumes_at("0000000000001234-50-00000001", false, NULL, 0);
    resumes_at("0000000000001235-50", false, NULL, 0);
    person_change(w, 2);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
    resumes_at("0000000000001234-47", true, all, 3);
    resumes_at("0000000000001234-50", true, all + 2, 1);
    for (unsigned i = 0; i < 20; i++) { /* and when the new journal has gone round, they are too old */
        person_change(w, 2);
        loop_turn(w->loop, 0);
    }
    resumes_at("0000000000001234-49", false, NULL, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_is_what_was_reported),
        cmocka_unit_test(test_unget),
        cmocka_unit_test(test_cursor_moves_past_others),
        cmocka_unit_test(test_removed_and_added_again),
        cmocka_unit_test(test_members_removed),
        cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_long_skip),
        cmocka_unit_test(test_few_among_many),
        cmocka_unit_test(test_bad_cursors),
        cmocka_unit_test(test_quiet_list),
        cmocka_unit_test(test_rests_in_a_storm),
        cmocka_unit_test(test_follows),
        cmocka_unit_test(test_list_that_does_not_read),
        cmocka_unit_test(test_round_in_one_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
