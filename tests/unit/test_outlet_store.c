/*
 * outlet_store: what was said to be safe is there after a restart; without a state file everything is in memory, and
 * `done` comes all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "config_files.h"
#include "keep.h"
#include "outlets.h"
#include "presence/store.h"
#include "until.h"

struct world {
    char *folder;
    struct loop *loop;
    struct gw_keep *keep;
    struct gw_outlet_store *store;
    unsigned done, rows;
    char last[100];
};

static void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    log_set_sink(quiet, NULL);
    w->folder = files_folder();
    w->loop = loop_new(clk_system());
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    gw_outlet_store_free(&w->store);
    gw_keep_free(&w->keep);
    loop_free(&w->loop);
    files_remove(w->folder);
    free(w);
    return 0;
}

static void on_done(void *arg, const char *key, bool ok)
{
    struct world *w = arg;
    assert_true(ok);
    assert_non_null(key);
    w->done++;
}

static void on_row(void *arg, const char *key, const char *value)
{
    struct world *w = arg;
    w->rows++;
    snprintf(w->last, sizeof w->last, "%s=%s", key, value);
}

static void put(struct world *w, const char *key, const char *value)
{
    const struct pres_store *face = gw_outlet_store_face(w->store);
    face->put(face->impl, "xmpp", key, value, on_done, w);
}

static void wait_done(struct world *w, unsigned n)
{
    UNTIL(w->loop, w->done >= n)
    assert_int_equal(w->done, n);
}

static void open_again(struct world *w, const char *folder)
{
    const struct pres_store *face;
    char why[300];
    gw_outlet_store_free(&w->store);
    gw_keep_free(&w->keep);
    loop_free(&w->loop); /* what waits is still written */
    w->loop = loop_new(clk_system());
    w->keep = gw_keep_new(w->loop, folder, why, sizeof why);
    assert_non_null(w->keep);
    w->store = gw_outlet_store_new(w->loop, gw_keep_db(w->keep));
    face = gw_outlet_store_face(w->store);
    w->rows = 0;
    face->load(face->impl, "xmpp", on_row, w);
}

static void test_survives(void **state)
{
    struct world *w = *state;
    open_again(w, w->folder);
    assert_int_equal(w->rows, 0);
    put(w, "a\\40b@c \"quoted\"", "pending");
    assert_int_equal(w->done, 0);
    put(w, "a\\40b@c \"quoted\"", "subscribed");
    put(w, "gone", "subscribed");
    put(w, "gone", NULL);
    wait_done(w, 4);
    open_again(w, w->folder);
    assert_int_equal(w->rows, 1);
    assert_string_equal(w->last, "a\\40b@c \"quoted\"=subscribed");
    const struct pres_store *face = gw_outlet_store_face(w->store);
    w->rows = 0;
    face->load(face->impl, "sip", on_row, w);
    assert_int_equal(w->rows, 0); /* another outlet's space */
}

static void test_memory_only(void **state)
{
    struct world *w = *state;
    open_again(w, NULL);
    put(w, "a", "b");
    wait_done(w, 1);
    open_again(w, "/nonexistent/folder");
    put(w, "a", "b");
    wait_done(w, 2);
}

static void test_forget(void **state)
{
    struct world *w = *state;
    open_again(w, w->folder);
    put(w, "a", "b");
    put(w, "c", "d");
    const struct pres_store *face = gw_outlet_store_face(w->store);
    face->forget(face->impl, w);
    open_again(w, w->folder);
    assert_int_equal(w->done, 0);
    assert_int_equal(w->rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forget, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
