/* The events of a limited viewer: what is new for the viewer, once, and nothing that gives more away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway_world.h"
#include "http_cursor.h"
#include "http_view.h"
#include "marker.h"
#include "policy.h"
#include "policy_choice.h"
#include "presence/interval.h"
#include "who.h"

static const struct gw_who viewer = {.name = "anonymous", .means = "anonymous"};

static void write_world(struct fixture *f, const char *rules)
{
    char text[4000], policy[2000] = "";
    if (rules)
        snprintf(policy, sizeof policy, "policy:\n  rules:\n%s", rules);
    snprintf(text, sizeof text,
             "servers:\n  - { name: hq, kind: relay, relay: { from: nobody } }\n"
             "users:\n  - { address: anna@a.test, server: hq }\n  - { address: ben@a.test, server: hq }\n"
             "identities:\n  - { name: anonymous }\nmarkers: [ { category: x, level: nothing } ]\n%s"
             "publish: { http: { listen: ['127.0.0.1:0'] } }\ncontrol: { socket: %s/control.sock }\n",
             policy, f->folder);
    files_write(f->folder, "c.yaml", 0600, text);
}

static void reload(struct fixture *f, const char *rules)
{
    write_world(f, rules);
    if (!reload_now(f, true))
        fail_msg("%s", f->why);
}

static pres_id busy_until(struct fixture *f, const char *address, int64_t minutes)
{
    int64_t now = clk_wall_s(f->clk);
    struct pres_interval one = {now - 60, now + minutes * 60, PRES_OOF};
    pres_id id = pres_table_find(gw_table(f->g), address);
    pres_table_update(gw_table(f->g), id, &one, 1, now - 86400, now + 864000, now);
    return id;
}

/* What is told of it now, "": nothing. */
static const char *told(struct gw_view *v, pres_id id, const char *removed, bool said)
{
    static char text[600];
    struct pres_event event = {.id = id, .removed = removed};
    struct buf out;
    buf_init(&out, 8192);
    bool some = gw_view_event(v, &event, NULL, &out);
    snprintf(text, sizeof text, "%s", some ? out.data : "");
    if (some && said)
        gw_view_said(v);
    buf_free(&out);
    return text;
}

/* Everybody is looked at. */
static struct gw_view *come_back(struct fixture *f, uint64_t seq, const struct gw_cursor *cursor)
{
    struct gw_view *v = gw_view_new(f->g, &viewer);
    struct pres_watch *w = pres_watch_new(gw_journal(f->g), NULL, 0, NULL, NULL, NULL);
    gw_view_resume(v, seq, cursor);
    struct pres_watch *again = gw_view_again(v, w, NULL, NULL);
    pres_watch_free(&again);
    pres_watch_free(&w);
    return v;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void test_once_and_only_what_is_seen(void **state)
{
    struct fixture *f = *state;
    write_world(f, "    - { who: anonymous, whom: anna@a.test, level: available }\n");
    start(f);
    struct gw_view *v = gw_view_new(f->g, &viewer);
    pres_id anna = busy_until(f, "anna@a.test", 30), ben = busy_until(f, "ben@a.test", 30);
    has(told(v, anna, NULL, false), "\"state\":\"busy\"");
    has(told(v, anna, NULL, true), "\"until\":null"); /* it did not fit: once more */
    assert_string_equal(told(v, anna, NULL, true), "");
    busy_until(f, "anna@a.test", 90);
    assert_string_equal(told(v, anna, NULL, true), "");
    assert_string_equal(told(v, ben, NULL, true), "");
    gw_view_free(&v);
    gw_view_free(&v);
}

/* Somebody who may be seen no more is gone for this viewer, with one last word; who never was seen is not mentioned. */
static void test_last_words(void **state)
{
    struct fixture *f = *state;
    write_world(f, "    - { who: anonymous, whom: anna@a.test, level: kinds }\n");
    start(f);
    struct gw_view *v = gw_view_new(f->g, &viewer);
    pres_id anna = busy_until(f, "anna@a.test", 30), ben = busy_until(f, "ben@a.test", 30);
    has(told(v, anna, NULL, true), "\"state\":\"oof\"");
    assert_string_equal(told(v, PRES_NOBODY, "ben@a.test", true), "");
    reload(f, "    - { who: '@x.test', whom: '*', level: available }\n"
              "    - { who: anonymous, whom: ben@a.test, level: kinds }\n");
    has(told(v, anna, NULL, false), "\"reason\":\"removed\"");
    has(told(v, anna, NULL, true), "\"state\":\"unknown\"");
    assert_string_equal(told(v, anna, NULL, true), "");
    has(told(v, ben, NULL, true), "\"state\":\"oof\"");
    has(told(v, PRES_NOBODY, "ben@a.test", true), "\"reason\":\"removed\"");
    assert_string_equal(told(v, PRES_NOBODY, "ben@a.test", true), "");
    assert_string_equal(told(v, PRES_NOBODY, "anna@a.test", true), "");
    reload(f, "    - { who: anonymous, whom: '*', level: times }\n");
    has(told(v, anna, NULL, true), "\"until\":\"20");
    gw_view_free(&v);
}

/* The lines that speak of the viewer are looked up anew when the policy is another one, or a line ends. */
static void test_lines_follow(void **state)
{
    struct fixture *f = *state;
    write_world(f, "    - { who: anonymous, whom: '*', level: times, until: 2027-01-16 }\n"
                   "    - { who: anonymous, whom: '*', level: available }\n");
    start(f);
    struct gw_view *v = gw_view_new(f->g, &viewer);
    pres_id anna = busy_until(f, "anna@a.test", 3 * 24 * 60);
    has(told(v, anna, NULL, true), "\"state\":\"oof\"");
    for (int i = 0; i < 48; i++)
        loop_advance(f->loop, 3600 * 1000);
    busy_until(f, "anna@a.test", 600);
    has(told(v, anna, NULL, true), "\"state\":\"busy\"");
    enum pres_level none = PRES_SEE_NOTHING;
    gw_choices_set(f->g->choices, anna, &none);
    has(told(v, anna, NULL, true), "\"reason\":\"removed\"");
    gw_view_free(&v);
}

/* A list over which nobody is left does not become a list of everybody. */
static void test_again_over_nobody(void **state)
{
    struct fixture *f = *state;
    struct pres_event event;
    write_world(f, "    - { who: anonymous, whom: '*', level: times }\n");
    start(f);
    struct gw_view *v = gw_view_new(f->g, &viewer);
    pres_id anna = busy_until(f, "anna@a.test", 30);
    struct pres_watch *w = pres_watch_new(gw_journal(f->g), &anna, 1, NULL, NULL, NULL), *again;
    again = gw_view_again(v, w, NULL, NULL);
    assert_int_equal(pres_watch_next(again, &event), PRES_WATCH_EVENT);
    assert_int_equal(event.id, anna);
    pres_watch_free(&again);
    gw_people_remove(f->g, anna);
    again = gw_view_again(v, w, NULL, NULL);
    assert_int_equal(pres_watch_next(again, &event), PRES_WATCH_NOTHING);
    pres_watch_free(&again);
    pres_watch_free(&w);
    gw_view_free(&v);
}

/* A marker that began or ended by the clock while the client was away; and one under whom it never saw anybody. */
static void test_resumed_beside_markers(void **state)
{
    struct fixture *f = *state;
    write_world(f, NULL);
    start(f);
    int64_t now = clk_wall_s(f->clk);
    struct gw_mark later = {.level = PRES_SEE_NOTHING, .start = now + 60, .end = now + 600};
    struct gw_mark always = {.level = PRES_SEE_NOTHING, .start = now - 60, .end = now + 6000};
    pres_id anna = busy_until(f, "anna@a.test", 300), ben = busy_until(f, "ben@a.test", 300);
    gw_marks_set(f->g->marks, ben, &always, 1, now + 86400);
    gw_marks_set(f->g->marks, anna, &later, 1, now + 86400);
    uint64_t seq = pres_journal_head(gw_journal(f->g));
    struct gw_cursor cursor = {.at = now, .turn = gw_policy_turn(f->g)};
    loop_advance(f->loop, 120 * 1000);
    struct gw_view *v = come_back(f, seq, &cursor);
    has(told(v, anna, NULL, true), "\"reason\":\"removed\"");
    assert_string_equal(told(v, ben, NULL, true), "");
    assert_true(gw_view_resuming(v));
    gw_view_free(&v);
    cursor.at = clk_wall_s(f->clk);
    v = come_back(f, seq, &cursor);
    assert_string_equal(told(v, anna, NULL, true), ""); /* the client has heard of that */
    gw_view_free(&v);
    loop_advance(f->loop, 600 * 1000);
    v = come_back(f, seq, &cursor);
    has(told(v, anna, NULL, true), "\"state\":\"oof\"");
    assert_string_equal(told(v, ben, NULL, true), "");
    gw_view_caught_up(v);
    assert_string_equal(told(v, anna, NULL, true), "");
    gw_view_free(&v);
    v = come_back(f, seq, &(struct gw_cursor){.at = 0}); /* one that saw everybody */
    has(told(v, ben, NULL, true), "\"reason\":\"removed\"");
    gw_view_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resumed_beside_markers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once_and_only_what_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_again_over_nobody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
