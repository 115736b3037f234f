/*
 * What is kept over a restart, on a clock of ours: a machine whose clock is wrong when it starts loses nothing by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway_world.h"
#include "keep.h"

enum { DAY_S = 86400, HOUR_MS = 3600000 };

static const char config_text[] =
    "servers:\n  - { name: hq, kind: exchange, url: 'http://127.0.0.1:1/exchange/', account: a, password_file: pw,\n"
    "      auth: [basic] }\n"
    "users: [ { address: anna@example.test, server: hq } ]\npresence: { stale_after: 1d }\n"
    "publish: { http: { listen: [] } }\ncontrol: { socket: %s/control.sock }\nstate: { directory: %s }\n";

static int set_up(void **state)
{
    setup(state);
    struct fixture *f = *state;
    char text[2000];
    snprintf(text, sizeof text, config_text, f->folder, f->folder);
    files_write(f->folder, "c.yaml", 0600, text);
    return 0;
}

static pres_id anna(const struct fixture *f)
{
    return pres_table_find(f->g->table, "anna@example.test");
}

/* Busy for two hours, known for two days. */
static void make_busy(struct fixture *f)
{
    int64_t now = clk_wall_s(f->clk);
    struct dav_span span = {.start = now - 60, .end = now + 7200, .kind = DAV_BUSY};
    struct dav_result r = {
        .spans = &span, .count = 1, .from = now - DAY_S, .until = now + 2 * DAY_S, .as_of = now, .requests = 1};
    gw_feed_ops.answer(f->g, anna(f), &r);
    loop_advance(f->loop, 0);
}

static enum pres_kind state_of_anna(const struct fixture *f)
{
    struct pres_presence p;
    pres_table_presence(f->g->table, anna(f), &p);
    return p.state;
}

/* With everything that was to be written. */
static void stop(struct fixture *f)
{
    gw_free(&f->g);
    loop_free(&f->loop);
    f->loop = loop_new(f->clk);
}

/* From the state file, at a time at which it was all so. */
static enum pres_kind kept(struct fixture *f, int64_t back_days)
{
    stop(f);
    clk_fake_step_wall(f->clk, -back_days * DAY_S * 1000);
    start(f);
    assert_non_null(gw_keep_db(f->g->keep));
    return state_of_anna(f);
}

static void a_wrong_clock_at_the_start(void **state)
{
    struct fixture *f = *state;
    start(f);
    make_busy(f);
    stop(f);
    clk_fake_step_wall(f->clk, (int64_t)365 * DAY_S * 1000);
    start(f); /* a year ahead: too old to be true, and kept all the same */
    assert_int_equal(state_of_anna(f), PRES_UNKNOWN);
    assert_int_equal(kept(f, 365), PRES_BUSY);
}

/* Rows that say nothing any more go when the daemon has run for an hour; others stay. */
static void old_rows_go(void **state)
{
    struct fixture *f = *state;
    start(f);
    make_busy(f);
    loop_advance(f->loop, HOUR_MS + 60000);
    assert_int_equal(kept(f, 0), PRES_BUSY);
    stop(f);
    clk_fake_step_wall(f->clk, (int64_t)3 * DAY_S * 1000);
    start(f);
    loop_advance(f->loop, HOUR_MS + 60000);
    assert_int_equal(kept(f, 3), PRES_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wrong_clock_at_the_start, set_up, teardown),
        cmocka_unit_test_setup_teardown(old_rows_go, set_up, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
