/* Two tables held against each other: who is alike is looked at once, nobody's gain is missed, and neither a reload nor
 * people who go meanwhile disturb it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "gateway_world.h"
#include "policy_compare.h"
#include "policy_private.h"
#include "who_table.h"

enum { CASES = 400 };

static void write_world(struct fixture *f, const char *identities, const char *rules)
{
    char text[16000];
    snprintf(text, sizeof text,
             "servers:\n  - { name: hq, kind: relay, relay: { from: nobody } }\n"
             "users:\n  - { address: anna@a.test, server: hq, group: core }\n  - { address: ben@a.test, server: hq }\n"
             "  - { address: carl@a.test, server: hq }\n  - { address: dora@b.test, server: hq }\n"
             "identities:\n  - { name: anonymous }\n%s"
             "publish: { http: { listen: ['127.0.0.1:0'] } }\ncontrol: { socket: %s/control.sock }\n%s%s",
             identities, f->folder, rules[0] ? "policy:\n  rules:\n" : "", rules);
    files_write(f->folder, "c.yaml", 0600, text);
}

/* Today's configuration with this table. */
static void next_of(struct fixture *f, const char *lines, struct gw_config *next)
{
    unsigned line;
    *next = *f->g->config;
    next->policy.table = gw_policy_table_new();
    assert_null(gw_policy_table_read(next->policy.table, lines, &line));
}

static void keep(void *arg, struct jv *answer)
{
    struct jv **slot = arg;
    assert_null(*slot);
    *slot = answer;
}

static struct jv *compare(struct fixture *f, const char *lines)
{
    struct gw_config next;
    struct jv *answer = NULL;
    next_of(f, lines, &next);
    gw_policy_compare(f->g, &next, keep, &answer);
    assert_null(answer);
    for (int i = 0; i < 1000 && !answer; i++)
        loop_turn(f->loop, 1);
    assert_non_null(answer);
    gw_policy_table_free(&next.policy.table);
    return answer;
}

static const struct jv *row_of(const struct jv *answer, const char *who, size_t nth)
{
    const struct jv *rows = jv_get(answer, "changes");
    for (size_t i = 0; i < jv_count(rows); i++)
        if (strcmp(jv_str(jv_get(jv_at(rows, i), "who"), ""), who) == 0 && nth-- == 0)
            return jv_at(rows, i);
    return NULL;
}

static void test_people(void **state)
{
    struct fixture *f = *state;
    write_world(f, "", "    - { who: anonymous, whom: '*', level: kinds }\n");
    start(f);
    struct jv *answer = compare(f, "anonymous ben@a.test times\nanonymous group:core nothing\nanonymous * available\n");
    const struct jv *most = row_of(answer, "anonymous", 0), *ben = NULL;
    assert_int_equal(jv_num(jv_get(most, "persons"), 0), 2); /* carl and dora, in two domains */
    assert_string_equal(jv_str(jv_get(most, "becomes"), ""), "available");
    for (size_t i = 1; i < 3; i++)
        if (strcmp(jv_str(jv_get(row_of(answer, "anonymous", i), "example"), ""), "ben@a.test") == 0)
            ben = row_of(answer, "anonymous", i);
    assert_true(jv_truth(jv_get(ben, "wider"), false));
    assert_int_equal(jv_num(jv_get(answer, "widens"), 0), 1);
    assert_null(row_of(answer, "anonymous", 3));
    jv_free(&answer);
}

/* Who is in another group, in another domain, or named by a line is one for himself. */
static void test_identities_alike(void **state)
{
    struct fixture *f = *state;
    char identities[8000] = "  - { name: x@c.test, group: core }\n  - { name: named@c.test }\n  - { name: y@d.test }\n"
                            "  - { name: root, role: admin }\n";
    for (unsigned i = 0; i < 50; i++)
        snprintf(identities + strlen(identities), 60, "  - { name: u%u@c.test }\n", i);
    write_world(f, identities, "    - { who: '*', whom: '*', level: available }\n");
    start(f);
    struct jv *answer = compare(f, "named@c.test * times\n* * kinds\n");
    const struct jv *like = row_of(answer, "u0@c.test", 0);
    assert_int_equal(jv_num(jv_get(like, "others"), -1), 49);
    assert_int_equal(jv_num(jv_get(like, "persons"), 0), 4);
    assert_null(row_of(answer, "u1@c.test", 0));
    assert_null(row_of(answer, "root", 0));
    assert_int_equal(jv_num(jv_get(row_of(answer, "named@c.test", 0), "others"), -1), 0);
    assert_string_equal(jv_str(jv_get(row_of(answer, "named@c.test", 0), "becomes"), ""), "times");
    assert_non_null(row_of(answer, "x@c.test", 0));
    assert_non_null(row_of(answer, "y@d.test", 0));
    jv_free(&answer);
}

/* "self" is about the asker alone, also where one stands for others. */
static void test_self(void **state)
{
    struct fixture *f = *state;
    write_world(f, "  - { name: ben@a.test }\n  - { name: carl@a.test }\n  - { name: dora@b.test }\n",
                "    - { who: '*', whom: '*', level: available }\n");
    start(f);
    struct jv *answer = compare(f, "* self times\n* * available\n");
    const struct jv *ben = row_of(answer, "ben@a.test", 0);
    assert_int_equal(jv_num(jv_get(ben, "others"), -1), 1);
    assert_int_equal(jv_num(jv_get(ben, "persons"), 0), 1);
    assert_string_equal(jv_str(jv_get(ben, "example"), ""), "ben@a.test");
    assert_int_equal(jv_num(jv_get(row_of(answer, "dora@b.test", 0), "persons"), 0), 1);
    jv_free(&answer);
}

static const char *const whos[] = {"*", "anonymous", "group:core", "@c.test", "ben@a.test", "u1@c.test", "nobody"};
static const char *const whoms[] = {"*", "group:core", "@a.test", "@b.test", "self", "anna@a.test", "ben@a.test"};
static const char *const levels[] = {"nothing", "available", "kinds", "times", "times merge", "kinds grid=30m"};

static void random_lines(char *out, size_t size, unsigned *seed)
{
    out[0] = '\0';
    for (unsigned i = 0, n = 1 + (unsigned)rand_r(seed) % 5; i < n; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s %s %s\n", whos[(unsigned)rand_r(seed) % 7],
                 whoms[(unsigned)rand_r(seed) % 7], levels[(unsigned)rand_r(seed) % 6]);
}

/* Everybody about everybody, one by one. */
static bool any_widens(struct fixture *f, const struct gw_policy_table *was, const struct gw_policy_table *becomes)
{
    const struct gw_who_entry *e;
    for (size_t i = 0; (e = gw_whos_at(f->g->config->whos, i)); i++)
        for (pres_id id = PRES_NOBODY; (id = pres_table_next(f->g->table, id)) != PRES_NOBODY;) {
            struct gw_asker who = {.name = e->who.name, .group = e->who.group,
                                   .anonymous = strcmp(e->who.name, "anonymous") == 0};
            struct gw_subject whom = {.address = pres_table_address(f->g->table, id),
                                      .publish_as = pres_table_publish_as(f->g->table, id),
                                      .group = pres_table_group(f->g->table, id)};
            struct pres_grant a, b;
            gw_policy_table_grant(was, &who, &whom, clk_wall_s(f->clk), &a);
            gw_policy_table_grant(becomes, &who, &whom, clk_wall_s(f->clk), &b);
            if (gw_policy_widens(&a, &b))
                return true;
        }
    return false;
}

enum { FIRST_MAX = 400 };

struct weighing {
    bool over;
    size_t count;
    char *first;
};

static void weighed(void *arg, size_t count, const char *first)
{
    struct weighing *w = arg;
    *w = (struct weighing){.over = true, .count = count, .first = w->first};
    snprintf(w->first, FIRST_MAX, "%s", first);
}

static size_t widenings(struct fixture *f, const struct gw_config *next, char first[FIRST_MAX])
{
    struct weighing w = {.first = first};
    gw_policy_widenings(f->g, next, weighed, &w);
    assert_false(w.over);
    for (int i = 0; i < 1000 && !w.over; i++)
        loop_turn(f->loop, 1);
    assert_true(w.over);
    return w.count;
}

/* No gain of anybody real is missed. A stranger for whom a word stands may gain as well. */
static void test_nobody_is_missed(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 7, gains = 0;
    write_world(f, "  - { name: ben@a.test }\n  - { name: carl@a.test }\n  - { name: u1@c.test }\n"
                   "  - { name: u2@c.test }\n"
                   "  - { name: u3@c.test, group: core }\n  - { name: dora@b.test, group: core }\n", "");
    start(f);
    for (unsigned i = 0; i < CASES; i++) {
        char was[600], becomes[600], first[FIRST_MAX] = "";
        struct gw_config now, next;
        random_lines(was, sizeof was, &seed);
        random_lines(becomes, sizeof becomes, &seed);
        next_of(f, was, &now);
        next_of(f, becomes, &next);
        f->g->config->policy.table = now.policy.table;
        bool gain = any_widens(f, now.policy.table, next.policy.table);
        size_t told = widenings(f, &next, first);
        f->g->config->policy.table = NULL;
        if (gain && told == 0)
            fail_msg("missed: from\n%sto\n%s", was, becomes);
        assert_int_equal(told > 0, first[0] != '\0');
        gains += gain;
        gw_policy_table_free(&now.policy.table);
        gw_policy_table_free(&next.policy.table);
    }
    assert_in_range(gains, CASES / 10, CASES - CASES / 10);
}

static void test_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct gw_config next;
    struct jv *answer = NULL;
    write_world(f, "  - { name: y@d.test }\n", "    - { who: '*', whom: '*', level: available }\n");
    start(f);
    next_of(f, "* * kinds\n", &next);
    gw_policy_compare(f->g, &next, keep, &answer);
    write_world(f, "", "    - { who: '*', whom: '*', level: nothing }\n");
    struct gw_config_error err;
    assert_true(gw_swap(f->g, gw_config_read(files_path(f->folder, "c.yaml"), &err), NULL, f->why, sizeof f->why));
    gw_people_remove(f->g, pres_table_find(gw_table(f->g), "anna@a.test"));
    for (int i = 0; i < 100; i++)
        loop_turn(f->loop, 1);
    assert_string_equal(jv_str(jv_get(row_of(answer, "y@d.test", 0), "was"), ""), "available");
    assert_int_equal(jv_num(jv_get(row_of(answer, "y@d.test", 0), "persons"), 0), 3);
    jv_free(&answer);
    gw_policy_table_free(&next.policy.table);

    next_of(f, "* * kinds\n", &next);
    struct gw_compare *c = gw_policy_compare(f->g, &next, keep, &answer);
    gw_policy_compare_cancel(&c);
    assert_null(c);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1);
    assert_null(answer);
    gw_policy_table_free(&next.policy.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_people, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identities_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(test_self, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_is_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
