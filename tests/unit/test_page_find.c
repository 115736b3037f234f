/*
 * Looking for people: who is found and who is not, page by page, and many searches at once beside people who come and
 * go.
 */
#include "people_world.h"

#include "page.h"
#include "who.h"

enum { SEARCHES = 256 };

struct search {
    pres_id ids[200];
    unsigned found, done;
    pres_id last;
    bool more;
};

static void on_found(void *arg, pres_id id)
{
    struct search *s = arg;
    assert_int_equal(s->done, 0);
    assert_true(s->found < 200);
    s->ids[s->found++] = id;
}

static void on_done(void *arg, pres_id last, bool more)
{
    struct search *s = arg;
    s->done++;
    s->last = last;
    s->more = more;
}

static const struct gw_find_ops ops = {on_found, on_done};
static const struct gw_who reader = {.name = "", .means = "anonymous"}; /* sees everybody: there is no policy */

static void wait_for(const struct fixture *f, const struct search *s)
{
    for (unsigned i = 0; i < 1000 && !s->done; i++)
        loop_turn(f->loop, 0);
    assert_int_equal(s->done, 1);
}

/* Everybody who is found, in pages of `limit`. */
static unsigned count(const struct fixture *f, const char *text, const char *group, int state, unsigned limit)
{
    struct gw_finds *finds = gw_finds_new(f->g);
    struct gw_find_ask ask = {
        .text = text, .group = group, .state = state, .after = PRES_NOBODY, .limit = limit, .who = &reader};
    unsigned all = 0;
    bool more = true;
    pres_id before = 0;
    while (more) {
        struct search s = {.found = 0};
        assert_non_null(gw_find_start(finds, &ask, &ops, &s));
        assert_int_equal(s.found + s.done, 0); /* not before it returned */
        wait_for(f, &s);
        for (unsigned i = 0; i < s.found; i++) {
            assert_true(all + i == 0 || s.ids[i] > before); /* nobody twice */
            before = s.ids[i];
        }
        assert_true(s.found <= limit);
        all += s.found;
        ask.after = s.last;
        more = s.more;
    }
    gw_finds_free(&finds);
    return all;
}

static void who_is_found(void **state)
{
    struct fixture *f = *state;
    const struct pres_interval now = {BEGAN - 60, BEGAN + 3600, PRES_BUSY};
    start_with(f, 2000);
    for (unsigned i = 0; i < 100; i++)
        meetings(f, i * 20, &now, 1);
    turns(f, 10);
    assert_int_equal(count(f, "", NULL, -1, 100), 2000);
    assert_int_equal(count(f, "", NULL, -1, 7), 2000);
    assert_int_equal(count(f, "P19", NULL, -1, 50), 1 + 10 + 100); /* without case */
    assert_int_equal(count(f, "p1999@X.TEST", NULL, -1, 50), 1);
    assert_int_equal(count(f, "p2000", NULL, -1, 50), 0);
    assert_int_equal(count(f, "sale", NULL, -1, 50), 200); /* a part of a group's name */
    assert_int_equal(count(f, "", "Sales", -1, 50), 200);
    assert_int_equal(count(f, "", "sales", -1, 50), 0); /* this is the group's whole name */
    assert_int_equal(count(f, "", NULL, PRES_BUSY, 100), 100);
    assert_int_equal(count(f, "", NULL, PRES_UNKNOWN, 100), 1900);
    assert_int_equal(count(f, "p1", "Sales", PRES_BUSY, 50), 1 + 50 + 4); /* p100, p120 ...; p1000, p1020 ... */
}

/* The last page of exactly as many as fit says that there are no more. */
static void the_last_page(void **state)
{
    struct fixture *f = *state;
    struct gw_finds *finds;
    struct search s = {.found = 0};
    start_with(f, 50);
    finds = gw_finds_new(f->g);
    const struct gw_find_ask ask = {.text = "", .state = -1, .after = PRES_NOBODY, .limit = 50, .who = &reader};
    gw_find_start(finds, &ask, &ops, &s);
    wait_for(f, &s);
    assert_int_equal(s.found, 50);
    assert_false(s.more);
    gw_finds_free(&finds);
}

/* People go while they are looked for; searches are called off, some, then all the rest; one too many is refused. */
static void many_at_once(void **state)
{
    struct fixture *f = *state;
    static struct search s[SEARCHES];
    struct gw_find *find[SEARCHES];
    const struct gw_find_ask ask = {.text = "p2999", .state = -1, .after = PRES_NOBODY, .limit = 20, .who = &reader};
    start_with(f, 30000);
    struct gw_finds *finds = gw_finds_new(f->g);
    for (unsigned i = 0; i < SEARCHES; i++)
        assert_non_null(find[i] = gw_find_start(finds, &ask, &ops, &s[i]));
    assert_null(gw_find_start(finds, &ask, &ops, &s[0]));
    loop_turn(f->loop, 0);
    gw_people_remove(f->g, person(f, 29995));
    gw_people_remove(f->g, person(f, 0));
    gw_find_cancel(&find[5]); /* the first one of the row, and one in its middle */
    gw_find_cancel(&find[100]);
    assert_null(find[100]);
    for (unsigned i = 0; i < 200; i++)
        wait_for(f, i == 5 || i == 100 ? &s[0] : &s[i]);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(s[i].found, i == 5 || i == 100 ? 0 : 10); /* p2999, p29990 to p29999 without p29995 */
    assert_int_equal(s[5].done + s[100].done, 0);
    struct search late = {.found = 0};
    assert_non_null(gw_find_start(finds, &ask, &ops, &late));
    gw_finds_free(&finds);
    turns(f, 10);
    assert_int_equal(late.done, 0); /* nobody is told of what is called off */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_page, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
