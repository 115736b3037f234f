/*
 * viewer: whom it may not see is not there, in no way of asking; parts of an audience see different things; nobody
 * limited asks nothing.
 */
#include "table_world.h"

#include "presence/viewer.h"

struct eye {
    struct fixture f;
    pres_id seen, hidden;
    bool limited;
    unsigned asked;
};

static int64_t now_of(void *arg)
{
    const struct eye *e = arg;
    return now_s(&e->f);
}

static void grant(void *arg, pres_id id, const char *part, struct pres_grant *ret)
{
    struct eye *e = arg;
    e->asked++;
    *ret = (struct pres_grant){.level = PRES_SEE_NOTHING};
    if (id == e->seen)
        *ret =
            (struct pres_grant){.level = part && strcmp(part, "far.example") == 0 ? PRES_SEE_AVAILABLE : PRES_SEE_TIMES,
                                .merge = true,
                                .expires = PRES_NEVER};
}

static bool limited(void *arg)
{
    return ((struct eye *)arg)->limited;
}

static struct pres_viewer begin(struct eye *e)
{
    *e = (struct eye){.limited = true};
    setup(&e->f);
    e->seen = add(&e->f, "seen@example.com", NULL);
    e->hidden = add(&e->f, "hidden@example.com", NULL);
    answer(&e->f, e->seen, NOON - 60, NOON + 60);
    answer(&e->f, e->hidden, NOON - 60, NOON + 60);
    turns(&e->f);
    return (struct pres_viewer){.table = e->f.table, .now = now_of, .grant = grant, .limited = limited, .arg = e};
}

static void test_hidden_is_nobody(void **state)
{
    struct eye e;
    struct pres_viewer v = begin(&e);
    struct pres_presence p;
    (void)state;
    assert_int_equal(pres_viewer_find(&v, NULL, "seen@example.com"), e.seen);
    assert_int_equal(pres_viewer_find(&v, NULL, "hidden@example.com"), PRES_NOBODY);
    assert_int_equal(pres_viewer_next(&v, NULL, PRES_NOBODY), e.seen);
    assert_int_equal(pres_viewer_next(&v, NULL, e.seen), PRES_NOBODY);
    assert_false(pres_viewer_presence(&v, NULL, e.hidden, &p));
    assert_true(p.state == PRES_UNKNOWN && p.as_of == 0 && !p.reason);
    assert_null(pres_viewer_known(&v, NULL, e.hidden));
    assert_false(pres_viewer_presence(&v, NULL, PRES_NOBODY, &p));
    teardown(&e.f);
}

static void test_parts(void **state)
{
    struct eye e;
    struct pres_viewer v = begin(&e);
    struct pres_presence p;
    (void)state;
    assert_true(pres_viewer_presence(&v, "near.example", e.seen, &p));
    assert_true(p.until == NOON + 60);
    struct pres_seen *seen = pres_viewer_known(&v, "near.example", e.seen);
    assert_int_equal(pres_set_count(seen->known.set), 1);
    pres_seen_free(&seen);
    assert_true(pres_viewer_presence(&v, "far.example", e.seen, &p));
    assert_true(p.until == PRES_NEVER && p.since == 0);
    assert_null(pres_viewer_known(&v, "far.example", e.seen));
    teardown(&e.f);
}

static void test_without_limits_nothing_is_asked(void **state)
{
    struct eye e;
    struct pres_viewer v = begin(&e), plain = {.table = v.table};
    struct pres_presence p;
    (void)state;
    e.limited = false;
    assert_true(pres_viewer_presence(&v, NULL, e.hidden, &p));
    assert_int_equal(p.state, PRES_BUSY);
    assert_int_equal(e.asked, 0);
    assert_true(pres_viewer_presence(&plain, NULL, e.hidden, &p));
    struct pres_seen *seen = pres_viewer_known(&plain, NULL, e.hidden);
    assert_non_null(seen);
    pres_seen_free(&seen);
    teardown(&e.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_is_nobody),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_without_limits_nothing_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
