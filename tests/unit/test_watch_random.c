/*
 * watch: a random world of persons who come, go and change (watch_world.h), and clients who are cut at any event, come
 * back with the last cursor they have, and must have seen each change exactly once.
 */
#include "watch_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_lost_nothing_repeated),
        cmocka_unit_test(test_with_a_short_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
