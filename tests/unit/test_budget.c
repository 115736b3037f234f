/*
 * budget: whether the interval can be kept, and what is in the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "budget.h"

static struct gw_budget work_out(size_t persons, double per_poll, int64_t latency_ms)
{
    struct gw_budget_in in = {persons, per_poll, 60000, 50, 8, latency_ms};
    struct gw_budget out;
    gw_budget_work_out(&in, &out);
    return out;
}

static void kept(void **state)
{
    struct gw_budget b = work_out(3000, 1, 20);
    (void)state;
    assert_null(b.limited_by);
    assert_int_equal(b.freshness_ms, 60000);
    assert_in_range((int)(b.requests_per_second * 10), 499, 501);
    assert_in_range((int)(b.connections * 10), 9, 11);
}

static void the_pace_is_in_the_way(void **state)
{
    struct gw_budget b = work_out(30000, 1, 20);
    (void)state;
    assert_string_equal(b.limited_by, "max_requests_per_second");
    assert_in_range(b.freshness_ms, 599000, 601000);
    assert_in_range((int)b.requests_per_second, 499, 501);
}

static void a_slow_server(void **state)
{
    struct gw_budget b = work_out(3000, 1, 2000); /* eight connections: four a second */
    (void)state;
    assert_string_equal(b.limited_by, "max_connections");
    assert_in_range(b.freshness_ms, 749000, 751000);
    assert_in_range((int)b.connections, 99, 101);
}

static void one_poll_for_many(void **state)
{
    struct gw_budget b = work_out(100000, 0.02, 20);
    (void)state;
    assert_null(b.limited_by);
}

static void nothing_known_yet(void **state)
{
    struct gw_budget b = work_out(0, 0, 0);
    (void)state;
    assert_null(b.limited_by);
    assert_int_equal(b.freshness_ms, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept), cmocka_unit_test(the_pace_is_in_the_way), cmocka_unit_test(a_slow_server),
        cmocka_unit_test(one_poll_for_many), cmocka_unit_test(nothing_known_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
