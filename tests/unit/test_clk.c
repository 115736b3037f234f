/* clk: a fake clock stands still, goes forward as a whole, and lets its wall jump alone; the machine's goes by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clk.h"

static void fake_moves_only_when_told(void **state)
{
    struct clk *clk = clk_fake_new(1700000000123);

    (void)state;
    assert_int_equal(clk_mono_ms(clk), 1000);
    clk_fake_advance(clk, 2500);
    assert_int_equal(clk_wall_ms(clk), 1700000002623);
    assert_int_equal(clk_mono_ms(clk), 3500);
    clk_fake_free(&clk);
    assert_null(clk);
    clk_fake_free(&clk);
}

static void wall_steps_without_the_other(void **state)
{
    struct clk *clk = clk_fake_new(1700000000000);

    (void)state;
    clk_fake_step_wall(clk, -3600000);
    assert_int_equal(clk_wall_s(clk), 1700000000 - 3600);
    assert_int_equal(clk_mono_ms(clk), 1000);
    clk_fake_free(&clk);
}

static void seconds_round_down_before_1970(void **state)
{
    struct clk *clk = clk_fake_new(-1);

    (void)state;
    assert_int_equal(clk_wall_s(clk), -1);
    clk_fake_step_wall(clk, -999);
    assert_int_equal(clk_wall_s(clk), -1);
    clk_fake_step_wall(clk, -1);
    assert_int_equal(clk_wall_s(clk), -2);
    clk_fake_step_wall(clk, 1001);
    assert_int_equal(clk_wall_s(clk), 0);
    clk_fake_free(&clk);
}

static void machine_goes_forward(void **state)
{
    int64_t start = clk_mono_ms(clk_system());

    (void)state;
    assert_true(clk_wall_s(clk_system()) > 1700000000);
    while (clk_mono_ms(clk_system()) == start)
        ;
    assert_true(clk_mono_ms(clk_system()) > start);
}

static void shifted_runs_on(void **state)
{
    struct clk *clk = clk_shifted_new(86400000);
    int64_t start = clk_wall_ms(clk), machine = clk_wall_ms(clk_system());

    (void)state;
    assert_in_range(start, 86400000, 86400000 + 5000);
    while (clk_wall_ms(clk_system()) < machine + 3)
        ;
    assert_in_range(clk_wall_ms(clk) - start, 2, 5000);
    clk_shifted_free(&clk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_moves_only_when_told),
        cmocka_unit_test(wall_steps_without_the_other),
        cmocka_unit_test(seconds_round_down_before_1970),
        cmocka_unit_test(machine_goes_forward),
        cmocka_unit_test(shifted_runs_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
