/*
 * Who of a roster is new, gone or different: told by example, and by chance: what people.c makes of the lists must
 * leave nothing to be done, whatever was before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_users.h"
#include "gateway_world.h"
#include "people_diff.h"

enum { PEOPLE = 12, CASES = 150 };

#define SERVER                                                                                                         \
    "  - { name: %s, kind: exchange, url: 'http://127.0.0.1:1/exchange/', account: a, password_file: pw, "             \
    "auth: [basic] }\n"

static struct gw_config *read_world(struct fixture *f, const char *name, const char *users, bool turned,
                                    const char *stale)
{
    char text[8000];
    struct gw_config_error err;
    files_write(f->folder, "pw", 0600, "x");
    snprintf(text, sizeof text,
             "servers:\n" SERVER SERVER
             "users:\n%spresence: { stale_after: %s }\ncontrol: { socket: %s/control.sock }\n"
             "publish: { http: { listen: ['127.0.0.1:0'] } }\n",
             turned ? "b" : "a", turned ? "a" : "b", users, stale, f->folder);
    files_write(f->folder, name, 0600, text);
    struct gw_config *c = gw_config_read(files_path(f->folder, name), &err);
    if (!c)
        fail_msg("%s in:\n%s", err.why, text);
    return c;
}

static void begin(struct fixture *f, const char *users)
{
    f->g = gw_new(f->loop, read_world(f, "c.yaml", users, false, "7d"), f->why, sizeof f->why);
    if (!f->g)
        fail_msg("%s", f->why);
}

static struct gw_people_diff *diff_of(struct fixture *f, const struct gw_config *next)
{
    return gw_people_diff_new(f->g, next, next->roster, f->g->servers, f->g->server_count);
}

static void expect(const struct gw_people_diff *d, size_t gone, size_t differing, size_t fresh)
{
    size_t n;
    gw_people_diff_gone(d, &n);
    assert_int_equal(n, gone);
    gw_people_diff_differing(d, &n);
    assert_int_equal(n, differing);
    gw_people_diff_fresh(d, &n);
    assert_int_equal(n, fresh);
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    unsigned told = 0;
    begin(f, "  - { address: anna@x, server: a }\n  - { address: ben@x, server: a }\n"
             "  - { address: carl@x, server: b, group: g }\n");
    struct gw_config *next = read_world(f, "n.yaml",
                                        "  - { address: ANNA@x, server: a }\n"
                                        "  - { address: carl@x, server: b, group: h }\n"
                                        "  - { address: dora@x, server: b }\n",
                                        false, "7d");
    struct gw_people_diff *d = diff_of(f, next);
    gw_people_diff_run(d, count, &told);
    assert_int_equal(told, 0);
    for (int i = 0; i < 10; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(told, 1);
    expect(d, 1, 1, 1);
    size_t n;
    assert_string_equal(pres_table_address(gw_table(f->g), gw_people_diff_gone(d, &n)[0]), "ben@x");
    assert_int_equal(gw_people_diff_differing(d, &n)[0].user, 1);
    assert_int_equal(gw_people_diff_fresh(d, &n)[0], 2);
    assert_false(gw_people_diff_outdated(d));
    gw_people_remove(f->g, pres_table_find(gw_table(f->g), "ben@x"));
    assert_true(gw_people_diff_outdated(d));
    gw_people_diff_free(&d);
    d = diff_of(f, next);
    gw_people_diff_run(d, count, &told);
    gw_people_diff_free(&d);
    for (int i = 0; i < 10; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(told, 1);
    gw_config_free(&next);
}

/* Everybody's number of a server, or age, is another one then. */
static void test_all_differ(void **state)
{
    struct fixture *f = *state;
    const char *users = "  - { address: anna@x, server: a }\n  - { address: ben@x, server: b }\n";
    begin(f, users);
    for (unsigned i = 0; i < 3; i++) {
        struct gw_config *next = read_world(f, "n.yaml", users, i == 1, i == 2 ? "6d" : "7d");
        struct gw_people_diff *d = diff_of(f, next);
        gw_people_diff_finish(d);
        expect(d, 0, i == 0 ? 0 : 2, 0);
        gw_people_diff_free(&d);
        gw_config_free(&next);
    }
}

static void some_people(char *text, size_t size, unsigned *seed)
{
    static const char *const groups[] = {"", ", group: g", ", group: h"},
                             *const zones[] = {"", ", zone: Europe/Berlin"},
                             *const paths[] = {"", ", path: /p", ", path: /q"},
                             *const aliases[] = {"", ", aliases: [q@x]", ", aliases: [q@x, r@x]"};
    unsigned names[PEOPLE];
    size_t len = 0;
    for (unsigned i = 0; i < PEOPLE; i++) /* names change hands among those who have one */
        names[i] = i;
    for (unsigned i = PEOPLE - 1; i > 0; i--) {
        unsigned k = (unsigned)rand_r(seed) % (i + 1), was = names[i];
        names[i] = names[k];
        names[k] = was;
    }
    len += (size_t)snprintf(text, size, "  - { address: always@x, server: a }\n");
    for (unsigned i = 0; i < PEOPLE; i++) {
        if (rand_r(seed) % 4 == 0)
            continue;
        len += (size_t)snprintf(text + len, size - len, "  - { address: u%u@x, server: %s%s%s%s%s", i,
                                rand_r(seed) % 4 ? "a" : "b", groups[rand_r(seed) % 3], zones[rand_r(seed) % 2],
                                paths[rand_r(seed) % 3], aliases[rand_r(seed) % 3]);
        if (rand_r(seed) % 2)
            len += (size_t)snprintf(text + len, size - len, ", publish_as: n%u@x", names[i]);
        len += (size_t)snprintf(text + len, size - len, " }\n");
    }
}

static void check_people(struct fixture *f, const struct gw_config *c)
{
    const struct pres_table *table = gw_table(f->g);
    assert_int_equal(pres_table_count(table), c->roster->count);
    for (size_t i = 0; i < c->roster->count; i++) {
        const struct gw_user *u = &c->roster->users[i];
        pres_id id = pres_table_find(table, u->address);
        assert_int_not_equal(id, PRES_NOBODY);
        assert_string_equal(pres_table_publish_as(table, id), u->publish_as ? u->publish_as : u->address);
        assert_string_equal(pres_table_group(table, id) ? pres_table_group(table, id) : "", u->group ? u->group : "");
        assert_string_equal(gw_server_of(f->g, id)->config->name, c->servers[u->server].name);
        assert_true(gw_person_extra_same(&f->g->persons[id], u));
    }
}

static void test_nothing_is_left(void **state)
{
    struct fixture *f = *state;
    char text[4000];
    unsigned seed = 20261123, differed = 0;
    some_people(text, sizeof text, &seed);
    begin(f, text);
    for (unsigned i = 0; i < CASES; i++) {
        size_t n;
        bool turned = rand_r(&seed) % 3 == 0;
        some_people(text, sizeof text, &seed);
        struct gw_config *next = read_world(f, "n.yaml", text, turned, rand_r(&seed) % 3 ? "7d" : "6d"),
                         *again = gw_config_read(files_path(f->folder, "n.yaml"), &(struct gw_config_error){{0}, {0}});
        struct gw_people_diff *d = diff_of(f, next);
        gw_people_diff_finish(d);
        gw_people_diff_differing(d, &n);
        differed += n > 0 && n < 5;
        assert_true(gw_swap(f->g, next, d, f->why, sizeof f->why));
        gw_people_diff_free(&d);
        check_people(f, again);
        d = diff_of(f, again);
        gw_people_diff_finish(d);
        expect(d, 0, 0, 0);
        gw_people_diff_free(&d);
        gw_config_free(&again);
        loop_turn(f->loop, 0);
    }
    assert_true(differed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_left, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
