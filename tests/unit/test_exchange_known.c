/*
 * exchange_known: the table of persons that are asked about again and again: growth, subscriptions whose numbers are
 * given away again, neighbours, and who is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exchange_known.h"

#define NOW 1204545600
#define MANY 5000

static struct exchange_known_table *table;

static int set_up(void **state)
{
    (void)state;
    table = dav_exchange_known_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dav_exchange_known_free(&table);
    assert_null(table);
    return 0;
}

static void thousands(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= MANY; i++) {
        struct exchange_known *known = dav_exchange_known_add(table, i, NOW);

        known->number = i * 3;
        dav_exchange_known_subscribe(table, known, i + 7);
    }
    assert_int_equal(dav_exchange_known_count(table), MANY);
    assert_int_equal(dav_exchange_known_subscribed(table), MANY);
    for (uint32_t i = 1; i <= MANY; i++) {
        assert_int_equal(dav_exchange_known_find(table, i)->number, i * 3);
        assert_ptr_equal(dav_exchange_known_by_subscription(table, i + 7), dav_exchange_known_find(table, i));
    }
    assert_null(dav_exchange_known_find(table, MANY + 1));
    assert_null(dav_exchange_known_by_subscription(table, 7));
    assert_null(dav_exchange_known_by_subscription(table, EXCHANGE_NO_SUBSCRIPTION));
}

/* A server that forgot everything begins to count anew: whoever had the number before has none now, and must be read.
 */
static void a_number_that_is_given_again(void **state)
{
    struct exchange_known *anna, *bob;

    (void)state;
    dav_exchange_known_add(table, 1, NOW);
    dav_exchange_known_add(table, 2, NOW);
    anna = dav_exchange_known_find(table, 1);
    bob = dav_exchange_known_find(table, 2);
    dav_exchange_known_subscribe(table, anna, 15);
    assert_false(dav_exchange_known_dirty(anna));
    dav_exchange_known_subscribe(table, bob, 15);
    assert_int_equal(anna->subscription, EXCHANGE_NO_SUBSCRIPTION);
    assert_true(dav_exchange_known_dirty(anna));
    assert_false(dav_exchange_known_dirty(bob));
    assert_ptr_equal(dav_exchange_known_by_subscription(table, 15), bob);
    assert_int_equal(dav_exchange_known_subscribed(table), 1);
}

/* The index of subscriptions does not fill up with those that are over. */
static void renewed_for_ever(void **state)
{
    struct exchange_known *known = dav_exchange_known_add(table, 1, NOW);

    (void)state;
    for (uint32_t id = 1; id < 100000; id++) {
        dav_exchange_known_subscribe(table, known, id);
        assert_ptr_equal(dav_exchange_known_by_subscription(table, id), known);
        assert_null(dav_exchange_known_by_subscription(table, id - 1));
    }
    dav_exchange_known_subscribe(table, known, EXCHANGE_NO_SUBSCRIPTION);
    assert_int_equal(dav_exchange_known_subscribed(table), 0);
}

static void neighbours(void **state)
{
    unsigned pos = 0, n = 0;

    (void)state;
    for (uint32_t i = 1; i <= 250; i++)
        dav_exchange_known_add(table, i, NOW)->host = i % 2 ? 0 : 5;
    while (dav_exchange_known_group(table, dav_exchange_known_find(table, 102), 100, &pos))
        n++;
    assert_int_equal(n, 50); /* of 101 to 200, those on the same host */
    for (pos = n = 0; dav_exchange_known_group(table, dav_exchange_known_find(table, 250), 100, &pos);)
        n++;
    assert_int_equal(n, 25);
}

static void who_is_gone_makes_room(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 64; i++)
        dav_exchange_known_subscribe(table, dav_exchange_known_add(table, i, NOW), i);
    for (uint32_t i = 1; i <= 10; i++)
        dav_exchange_known_add(table, i, NOW + 3 * 86400);
    dav_exchange_known_add(table, 1000, NOW + 3 * 86400);
    assert_int_equal(dav_exchange_known_count(table), 11);
    assert_int_equal(dav_exchange_known_subscribed(table), 10);
    assert_non_null(dav_exchange_known_find(table, 10));
    assert_null(dav_exchange_known_find(table, 11));
    assert_null(dav_exchange_known_by_subscription(table, 11));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(thousands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_is_given_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(renewed_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(neighbours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_gone_makes_room, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
