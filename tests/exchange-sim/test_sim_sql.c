/*
 * The SQL of SEARCH: what is accepted, what is refused, which rows match, and when recurrences are expanded. Rows are
 * small tables of properties here, so that nothing but SQL is tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/utc.h"
#include "sim_sql.h"

#include <stdio.h>
#include <string.h>

#define CAL "urn:schemas:calendar:"

struct cell {
    enum sim_pid pid;
    struct sim_value value;
};

static bool cell_value(void *arg, const struct sim_prop *p, struct sim_value *ret)
{
    for (const struct cell *c = arg; c->pid != SIM_P_UNKNOWN; c++) {
        if (c->pid == p->pid) {
            *ret = c->value;
            return true;
        }
    }
    return false;
}

/* A meeting on 3 March 2008, 09:00 to 10:00 UTC, without 0x8506. */
static struct cell *meeting(void)
{
    static struct cell cells[] = {
        {SIM_P_START, {.type = SIM_T_TIME}},
        {SIM_P_END, {.type = SIM_T_TIME}},
        {SIM_P_ISFOLDER, {.type = SIM_T_BOOL, .i = 0}},
        {SIM_P_INSTANCETYPE, {.type = SIM_T_INT, .i = 2}},
        {SIM_P_SUBJECT, {.type = SIM_T_STRING, .s = "Bob's Review"}},
        {SIM_P_CONTENTCLASS, {.type = SIM_T_STRING, .s = "urn:content-classes:appointment"}},
        {SIM_P_UNKNOWN, {.type = SIM_T_NULL}},
    };
    cells[0].value.i = utc_from_civil(2008, 3, 3, 9, 0, 0);
    cells[1].value.i = utc_from_civil(2008, 3, 3, 10, 0, 0);
    return cells;
}

static struct sim_sql *parse_where(struct arena *a, const char *where, char *why)
{
    char text[2000];
    snprintf(text, sizeof(text), "SELECT \"DAV:href\" FROM \"\" WHERE %s", where);
    struct sim_sql *sql = sim_sql_parse(a, text, strlen(text), why, 200);
    return sql != NULL && sim_sql_check(sql, why, 200) ? sql : NULL;
}

enum { REFUSED = -1 };

static int answer(const char *where, bool three)
{
    char why[200];
    struct arena *a = arena_new(1 << 20);
    struct sim_sql *sql = parse_where(a, where, why);
    int result = sql == NULL ? REFUSED : sim_sql_matches(sql, three, cell_value, meeting());
    arena_free(&a);
    return result;
}

static void conditions_match_rows(void **state)
{
    static const struct {
        const char *where;
        int expected;
    } rows[] = {
        {"\"" CAL "dtend\" > '2008/03/03 09:30:00'", 1},
        {"\"" CAL "dtend\" > '2008/03/03 10:00:00'", 0},
        {"\"" CAL "dtend\" >= '2008/03/03 10:00:00'", 1},
        {"\"" CAL "dtstart\" < '2008/03/04'", 1},
        {"\"" CAL "dtstart\" < CAST(\"2008-03-03T09:00:01Z\" AS 'dateTime.tz')", 1},
        {"\"" CAL "dtstart\" = CAST(\"2008-03-03T10:00:00+01:00\" AS 'dateTime')", 1},
        {"\"DAV:isfolder\" = False AND NOT \"" CAL "instancetype\" = 1", 1},
        {"\"DAV:isfolder\" = true Or \"" CAL "instancetype\" != 2", 0},
        {"\"DAV:isfolder\" = True or \"" CAL "instancetype\" <> 3", 1},
        {"(\"" CAL "instancetype\" = 1 OR (\"" CAL "instancetype\" = 2 AND \"" CAL
         "dtstart\" <= '2008/03/03 09:00:00'))",
         1},
        {"NOT (\"" CAL "dtend\" < '2008/03/03 00:00:00' OR \"" CAL "dtstart\" > '2008/03/04 00:00:00')", 1},
        {"\"urn:schemas:httpmail:subject\" = 'BOB''S REVIEW'", 1},
        {"\"urn:schemas:httpmail:subject\" LIKE '%rev_ew'", 1},
        {"\"urn:schemas:httpmail:subject\" NOT LIKE 'rev%'", 1},
        {"\"" CAL "location\" IS NULL", 1},
        {"\"" CAL "location\" is not null", 0},
        {"\"DAV:contentclass\" = 'urn:content-classes:appointment' AND \"" CAL "instancetype\" > 1 AND \"" CAL
         "instancetype\" < 3",
         1},
        {"NOT NOT \"" CAL "instancetype\" = 2", 1},
        {"2 = \"" CAL "instancetype\"", 1},
        {"\"" CAL "instancetype\" = -2", 0},
        {"TRUE", 1},
        /* AND binds stronger than OR */
        {"\"" CAL "instancetype\" = 2 OR \"DAV:isfolder\" = True AND \"DAV:isfolder\" = True", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (answer(rows[i].where, false) != rows[i].expected)
            fail_msg("%s is not %d", rows[i].where, rows[i].expected);
}

static void what_servers_refuse_is_refused(void **state)
{
    static const char *const rows[] = {
        "\"" CAL "dtstart\" > '2008-03-03T09:00:00Z'", /* a quoted ISO date without CAST */
        "\"" CAL "dtstart\" > 'tomorrow'",
        "\"" CAL "dtstart\" > '2008/13/03'",
        "\"" CAL "dtstart\" > 20080303",
        "\"DAV:uid\" = 'x'",
        "NOT (\"DAV:uid\" IS NULL)",
        "\"" CAL "dtstart\" > CAST(\"yesterday\" AS 'dateTime.tz')",
        "\"" CAL "dtstart\" >",
        "\"" CAL "dtstart\"",
        "(\"DAV:isfolder\" = False",
        "\"DAV:isfolder\" = False)",
        "\"DAV:isfolder\" = False ORDER",
        "\"DAV:isfolder\" = 'open",
        "\"DAV:isfolder\" = False; DROP",
        "\"noname:\" = 1",
        "dtstart = 1",
        "",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (answer(rows[i], false) != REFUSED)
            fail_msg("'%s' is accepted", rows[i]);
}

static void absent_properties_have_two_logics(void **state)
{
    const char *where = "NOT \"" CAL "location\" = 'x'";
    (void)state;
    assert_int_equal(answer("\"" CAL "location\" = 'x'", false), 0);
    assert_int_equal(answer(where, false), 1);
    assert_int_equal(answer(where, true), 0);
    assert_int_equal(answer("NOT \"" CAL "location\" = 'x' OR TRUE", true), 1);
}

static void windows_are_found(void **state)
{
    static const struct {
        const char *where;
        enum sim_sql_window expected;
        int from_day, to_day;
    } rows[] = {
        {"\"" CAL "dtend\" > '2008/03/03' AND \"" CAL "dtstart\" < '2008/03/05'", SIM_SQL_WINDOW, 3, 5},
        {"NOT (\"" CAL "dtend\" < '2008/03/03' OR \"" CAL "dtstart\" > '2008/03/05')", SIM_SQL_WINDOW, 3, 5},
        {"(\"" CAL "dtstart\" >= '2008/03/03' AND \"" CAL "dtstart\" <= '2008/03/05') OR (\"" CAL
         "dtend\" >= '2008/03/03' AND \"" CAL "dtend\" <= '2008/03/05')",
         SIM_SQL_WINDOW, 3, 5},
        {"\"" CAL "dtstart\" > '2008/03/03'", SIM_SQL_UNBOUNDED, 0, 0},
        {"\"" CAL "dtstart\" > '2008/03/03' AND \"" CAL "dtstart\" < '2008/03/05'", SIM_SQL_UNBOUNDED, 0, 0},
        {"\"" CAL "dtstart\" > '2008/03/03' AND \"" CAL "dtend\" > '2008/03/05'", SIM_SQL_UNBOUNDED, 0, 0},
        {"\"DAV:isfolder\" = False", SIM_SQL_UNBOUNDED, 0, 0},
        {"\"" CAL "dtend\" > '2008/03/03' AND \"" CAL "dtstart\" < '2010/03/06'", SIM_SQL_TOO_LONG, 0, 0},
        {"\"" CAL "dtend\" > '2008/03/03' AND \"" CAL "dtstart\" < '2010/03/05'", SIM_SQL_WINDOW, 3, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char why[200];
        int64_t from = 0, to = 0;
        struct arena *a = arena_new(1 << 20);
        struct sim_sql *sql = parse_where(a, rows[i].where, why);
        assert_non_null(sql);
        if (sim_sql_window(sql, &from, &to) != rows[i].expected)
            fail_msg("window of: %s", rows[i].where);
        if (rows[i].from_day != 0)
            assert_int_equal(from, utc_from_civil(2008, 3, rows[i].from_day, 0, 0, 0));
        if (rows[i].to_day != 0)
            assert_int_equal(to, utc_from_civil(2008, 3, rows[i].to_day, 0, 0, 0));
        arena_free(&a);
    }
}

static struct sim_sql *parse(struct arena *a, const char *text)
{
    char why[200];
    return sim_sql_parse(a, text, strlen(text), why, sizeof(why));
}

static void lists_scopes_and_orders_are_read(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct sim_sql *sql =
        parse(a, "select \"DAV:href\",\"http://schemas.microsoft.com/mapi/id/"
                 "{00062002-0000-0000-C000-000000000046}/0x00008205\" as busymapi FROM Scope('Deep TRAVERSAL OF "
                 "\"/exchange/anna/Kalender\"') ORDER BY \"urn:schemas:calendar:dtstart\" DESC, \"DAV:href\"");
    (void)state;
    assert_non_null(sql);
    assert_int_equal(sql->prop_count, 2);
    assert_string_equal(sql->props[1].alias, "busymapi");
    assert_int_equal(sql->props[1].pid, SIM_P_BUSY_INT);
    assert_int_equal(sql->traversal, SIM_SQL_DEEP);
    assert_string_equal(sql->scope, "/exchange/anna/Kalender");
    assert_int_equal(sql->order_count, 2);
    assert_true(sql->order[0].descending);
    assert_false(sql->order[1].descending);
    assert_non_null(parse(a, "SELECT * FROM \"\""));
    assert_null(parse(a, "SELECT FROM \"\""));
    assert_null(parse(a, "SELECT \"DAV:href\" FROM SCOPE('SIDEWAYS')"));
    assert_null(parse(a, "DELETE FROM \"\""));
    arena_free(&a);
}

static void hostile_depth_ends(void **state)
{
    char text[5000] = "SELECT \"DAV:href\" FROM \"\" WHERE ";
    struct arena *a = arena_new(1 << 20);
    (void)state;
    for (int i = 0; i < 2000; i++)
        strcat(text, "(");
    assert_null(parse(a, text));
    arena_free(&a);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_match_rows),
        cmocka_unit_test(what_servers_refuse_is_refused),
        cmocka_unit_test(absent_properties_have_two_logics),
        cmocka_unit_test(windows_are_found),
        cmocka_unit_test(lists_scopes_and_orders_are_read),
        cmocka_unit_test(hostile_depth_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
