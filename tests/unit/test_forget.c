/* Forgetting somebody: the answer comes once, after what was asked is done, or nobody waits any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "forget.h"
#include "gateway_world.h"

static void write_world(struct fixture *f, bool with_state)
{
    char text[2000];
    files_write(f->folder, "people.csv", 0600, "address\nben@a.test\n");
    snprintf(text, sizeof text,
             "servers:\n  - { name: hq, kind: relay, relay: { from: nobody } }\n"
             "users:\n  - { address: anna@a.test, server: hq, aliases: [a.smith@a.test] }\n"
             "  - { file: people.csv, server: hq }\n"
             "publish: { http: { listen: [] } }\ncontrol: { socket: %s/control.sock }\n%s%s%s",
             f->folder, with_state ? "state: { directory: " : "", with_state ? f->folder : "",
             with_state ? " }\n" : "");
    files_write(f->folder, "c.yaml", 0600, text);
}

static void keep(void *arg, struct jv *answer)
{
    struct jv **slot = arg;
    assert_null(*slot);
    *slot = answer;
}

static void run(struct fixture *f, struct jv **answer)
{
    for (int i = 0; i < 4000 && !*answer; i++) {
        loop_turn(f->loop, 1);
        loop_advance(f->loop, 50);
    }
    assert_non_null(*answer);
}

static void test_answer(void **state)
{
    struct fixture *f = *state;
    struct jv *answer = NULL;
    write_world(f, true);
    start(f);
    gw_forget(f->g, "Anna@A.test", keep, &answer);
    assert_null(answer);
    assert_int_equal(pres_table_find(gw_table(f->g), "anna@a.test"), PRES_NOBODY); /* at once */
    run(f, &answer);
    assert_true(jv_truth(jv_get(answer, "ok"), false));
    assert_true(jv_truth(jv_get(answer, "known"), false));
    assert_int_equal(jv_num(jv_get(answer, "names"), 0), 2);
    assert_int_equal(jv_count(jv_get(answer, "still_named_in")), 1);
    jv_free(&answer);
    assert_true(gw_forgotten_has(f->g, "a.smith@a.test"));
    assert_true(gw_forgotten_has(f->g, "ANNA@a.test"));
    assert_false(gw_forgotten_has(f->g, "ben@a.test"));
    assert_true(reload_now(f, false));
    assert_int_equal(pres_table_find(gw_table(f->g), "anna@a.test"), PRES_NOBODY);
}

/* Two at a time, one of them twice, in a configuration without a state directory. */
static void test_together(void **state)
{
    struct fixture *f = *state;
    struct jv *anna = NULL, *again = NULL, *ben = NULL, *nobody = NULL;
    write_world(f, false);
    start(f);
    gw_forget(f->g, "anna@a.test", keep, &anna);
    gw_forget(f->g, "anna@a.test", keep, &again);
    gw_forget(f->g, "ben@a.test", keep, &ben);
    gw_forget(f->g, "nobody@a.test", keep, &nobody);
    run(f, &anna);
    run(f, &again);
    run(f, &ben);
    run(f, &nobody);
    assert_true(jv_truth(jv_get(anna, "known"), false));
    assert_false(jv_truth(jv_get(again, "known"), true));
    assert_true(jv_truth(jv_get(ben, "known"), false));
    assert_false(jv_truth(jv_get(nobody, "known"), true));
    assert_false(jv_truth(jv_get(ben, "kept_over_restart"), true));
    assert_non_null(strstr(jv_str(jv_at(jv_get(ben, "still_named_in"), 0), ""), "people.csv:2"));
    assert_int_equal(pres_table_count(gw_table(f->g)), 0);
    jv_free(&anna);
    jv_free(&again);
    jv_free(&ben);
    jv_free(&nobody);
}

/* Nobody waits, or the gateway goes: no answer, and what was begun is forgotten all the same. */
static void test_cancelled(void **state)
{
    struct fixture *f = *state;
    struct jv *answer = NULL;
    write_world(f, true);
    start(f);
    struct gw_forget *forget = gw_forget(f->g, "anna@a.test", keep, &answer);
    gw_forget_cancel(&forget);
    assert_null(forget);
    gw_forget_cancel(&forget);
    for (int i = 0; i < 300; i++) {
        loop_turn(f->loop, 1);
        loop_advance(f->loop, 50);
    }
    assert_null(answer);
    assert_true(gw_forgotten_has(f->g, "anna@a.test"));

    gw_forget(f->g, "ben@a.test", keep, &answer);
    gw_free(&f->g);
    for (int i = 0; i < 50; i++)
        loop_turn(f->loop, 1);
    assert_null(answer);
}

/* A reload while the files are being read: they are those of the configuration that it began with. */
static void test_reload_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct jv *answer = NULL;
    write_world(f, false);
    start(f);
    gw_forget(f->g, "ben@a.test", keep, &answer);
    assert_true(reload_now(f, false));
    assert_int_equal(pres_table_find(gw_table(f->g), "ben@a.test"), PRES_NOBODY);
    run(f, &answer);
    assert_int_equal(jv_count(jv_get(answer, "still_named_in")), 1);
    jv_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
