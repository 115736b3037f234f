/* map: against a plain array as oracle, with deletion, growth, marks, and deleting while walking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"

#define KEYS 500

struct thing {
    char key[40];
    int seen;
};

static struct thing things[KEYS];

static int make_things(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < KEYS; i++)
        snprintf(things[i].key, sizeof(things[i].key), "user%d@%s", i, i % 2 ? "example.com" : "a.b");
    return 0;
}

static void empty_knows_nobody(void **state)
{
    struct map *m = map_new();
    size_t pos = 0;

    (void)state;
    assert_null(map_get(m, "x"));
    assert_null(map_del(m, "x"));
    assert_null(map_next(m, &pos));
    assert_int_equal(map_count(m), 0);
    map_free(&m);
    assert_null(m);
    map_free(&m);
}

static void put_replaces_key_and_value(void **state)
{
    char first[] = "same", second[] = "same";
    struct map *m = map_new();
    int a, b;

    (void)state;
    assert_null(map_put(m, first, &a));
    assert_ptr_equal(map_put(m, second, &b), &a);
    first[0] = 'X'; /* may go: the second one is borrowed now */
    assert_ptr_equal(map_get(m, "same"), &b);
    assert_null(map_get(m, "Same"));
    assert_null(map_put(m, "", &a));
    assert_ptr_equal(map_get(m, ""), &a);
    assert_int_equal(map_count(m), 2);
    map_free(&m);
}

static void random_use_equals_the_oracle(void **state)
{
    struct map *m = map_new();
    bool there[KEYS] = {false};
    size_t count = 0;
    int i, step;

    (void)state;
    srandom(1);
    for (step = 0; step < 200000; step++) {
        i = (int)(random() %
                  (step % 20000 < 10000 ? KEYS : 20)); /* fill up, then churn among few: marks must be swept */
        if (random() % 2) {
            assert_ptr_equal(map_put(m, things[i].key, &things[i]), there[i] ? &things[i] : NULL);
            count += !there[i];
            there[i] = true;
        } else {
            assert_ptr_equal(map_del(m, things[i].key), there[i] ? &things[i] : NULL);
            count -= there[i];
            there[i] = false;
        }
        assert_int_equal(map_count(m), count);
        if (step % 1000 == 0)
            for (i = 0; i < KEYS; i++)
                assert_ptr_equal(map_get(m, things[i].key), there[i] ? &things[i] : NULL);
    }
    map_free(&m);
}

static void walk_sees_each_once(void **state)
{
    struct map *m = map_new();
    struct thing *t;
    size_t pos = 0;
    int i;

    (void)state;
    map_reserve(m, KEYS);
    for (i = 0; i < KEYS; i++) {
        map_put(m, things[i].key, &things[i]);
        things[i].seen = 0;
    }
    while ((t = map_next(m, &pos)))
        t->seen++;
    for (i = 0; i < KEYS; i++)
        assert_int_equal(things[i].seen, 1);
    map_free(&m);
}

/* Deletes the one it stands on, and another one that may come or have been: none is met twice, none of the rest is
 * missed. */
static void walk_survives_deletion(void **state)
{
    struct map *m = map_new();
    bool deleted[KEYS] = {false};
    struct thing *t;
    size_t pos = 0;
    int i, other;

    (void)state;
    for (i = 0; i < KEYS; i++) {
        map_put(m, things[i].key, &things[i]);
        things[i].seen = 0;
    }
    while ((t = map_next(m, &pos))) {
        i = (int)(t - things);
        assert_false(deleted[i]);
        t->seen++;
        if (i % 3 != 0)
            continue;
        other = (i * 7 + 1) % KEYS;
        map_del(m, things[i].key);
        map_del(m, things[other].key);
        deleted[i] = deleted[other] = true;
    }
    for (i = 0; i < KEYS; i++) {
        assert_true(things[i].seen == 1 || (things[i].seen == 0 && deleted[i]));
        assert_ptr_equal(map_get(m, things[i].key), deleted[i] ? NULL : &things[i]);
    }
    map_free(&m);
}

static void seeds_differ(void **state)
{
    struct map *a = map_new(), *b = map_new();
    size_t pos_a = 0, pos_b = 0;
    void *x, *y;
    int i, same = 0;

    (void)state;
    for (i = 0; i < 100; i++) {
        map_put(a, things[i].key, &things[i]);
        map_put(b, things[i].key, &things[i]);
    }
    while ((x = map_next(a, &pos_a)) && (y = map_next(b, &pos_b)))
        same += x == y;
    assert_true(same < 50);
    map_free(&a);
    map_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_knows_nobody),           cmocka_unit_test(put_replaces_key_and_value),
        cmocka_unit_test(random_use_equals_the_oracle), cmocka_unit_test(walk_sees_each_once),
        cmocka_unit_test(walk_survives_deletion),       cmocka_unit_test(seeds_differ),
    };

    return cmocka_run_group_tests(tests, make_things, NULL);
}
