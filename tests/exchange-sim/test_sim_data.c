/*
 * What the pretended server holds: the data file, its spellings of time, recurrences over changes of the clocks,
 * mailbox names in URLs, and paging.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/utc.h"
#include "sim_faults.h"
#include "sim_file.h"
#include "sim_path.h"
#include "sim_recur.h"
#include "sim_rows.h"
#include "sim_store.h"
#include "sim_when.h"
#include "sim_zone.h"

#include <stdio.h>
#include <string.h>

struct world {
    struct sim_store *store;
    struct sim_faults faults;
    struct sim_file file;
    char why[400];
};

static void world_begin(struct world *w, int64_t now)
{
    w->store = sim_store_new(1);
    sim_faults_init(&w->faults, SIM_2003);
    w->file = (struct sim_file){w->store, &w->faults, now};
}

static void world_end(struct world *w)
{
    sim_store_free(&w->store);
    sim_faults_free(&w->faults);
}

static bool take(struct world *w, const char *text)
{
    return sim_file_text(&w->file, "t", text, strlen(text), w->why, sizeof(w->why));
}

static int64_t civil(int year, int month, int day, int hour, int minute)
{
    return utc_from_civil(year, month, day, hour, minute, 0);
}

static void zones_change_their_clocks(void **state)
{
    const struct sim_zone *berlin = sim_zone_find("Europe/Berlin"), *sydney = sim_zone_find("australia/sydney");
    (void)state;
    assert_int_equal(sim_zone_offset_s(berlin, civil(2008, 3, 30, 0, 59)), 3600);
    assert_int_equal(sim_zone_offset_s(berlin, civil(2008, 3, 30, 1, 0)), 7200);
    assert_int_equal(sim_zone_offset_s(berlin, civil(2008, 10, 26, 0, 59)), 7200);
    assert_int_equal(sim_zone_offset_s(berlin, civil(2008, 10, 26, 1, 0)), 3600);
    assert_int_equal(sim_zone_offset_s(sydney, civil(2026, 1, 1, 0, 0)), 39600);
    assert_int_equal(sim_zone_offset_s(sydney, civil(2026, 7, 1, 0, 0)), 36000);
    /* twice, and never */
    assert_int_equal(sim_zone_to_utc(berlin, civil(2008, 10, 26, 2, 30)), civil(2008, 10, 26, 0, 30));
    assert_int_equal(sim_zone_to_utc(berlin, civil(2008, 3, 30, 2, 30)), civil(2008, 3, 30, 1, 30));
    assert_null(sim_zone_find("Mars/Olympus"));
}

static void moments_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t y, mo, d, h, mi;
    } rows[] = {
        {"now", 2008, 3, 5, 12, 0},
        {"now-2h+30m", 2008, 3, 5, 10, 30},
        {"2008-03-03T09:00:00Z", 2008, 3, 3, 9, 0},
        {"2008-03-03T10:00", 2008, 3, 3, 9, 0},
        {"2008-03-03", 2008, 3, 2, 23, 0},
        {"today@09:00", 2008, 3, 5, 8, 0},
        {"tomorrow", 2008, 3, 5, 23, 0},
        {"monday+7d@09:00", 2008, 3, 10, 8, 0},
        {"sunday@00:00", 2008, 3, 8, 23, 0},
        {"+1h30m", 2008, 3, 1, 1, 30},
    };
    static const char *const bad[] = {"",
                                      "soon",
                                      "now+",
                                      "now+5",
                                      "now+5y",
                                      "+",
                                      "today@25",
                                      "today@9:99",
                                      "2008-13-01",
                                      "2008-03-03T",
                                      "2008-03-03T09:00:00X",
                                      "nowadays"};
    int64_t start = civil(2008, 3, 1, 0, 0), t;
    struct sim_when w = {civil(2008, 3, 5, 12, 0), sim_zone_find("Europe/Berlin"), &start};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!sim_when_parse(&w, rows[i].text, &t) ||
            t != civil((int)rows[i].y, (int)rows[i].mo, (int)rows[i].d, (int)rows[i].h, (int)rows[i].mi))
            fail_msg("%s", rows[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (sim_when_parse(&w, bad[i], &t))
            fail_msg("'%s' is accepted", bad[i]);
    w.start = NULL;
    assert_false(sim_when_parse(&w, "+1h", &t));
}

struct found {
    struct sim_instance in[64];
    size_t n;
};

static void keep(void *arg, const struct sim_instance *in)
{
    struct found *f = arg;
    assert_true(f->n < 64);
    f->in[f->n++] = *in;
}

static void expand(struct world *w, const char *pairs, int64_t from, int64_t to, struct found *ret)
{
    char line[500];
    world_begin(w, civil(2008, 3, 1, 0, 0));
    assert_true(take(w, "mailbox a@x zone=Europe/Berlin"));
    snprintf(line, sizeof(line), "appointment a@x %s", pairs);
    if (!take(w, line))
        fail_msg("%s", w->why);
    ret->n = 0;
    sim_recur_expand(sim_store_mailbox(w->store, "a@x")->items[0], from, to, keep, ret);
    world_end(w);
}

static void ten_o_clock_stays_ten_o_clock(void **state)
{
    struct world w;
    struct found f;
    (void)state;
    expand(&w, "2008-03-28T10:00 +1h every=day count=4", 0, civil(2009, 1, 1, 0, 0), &f);
    assert_int_equal(f.n, 4);
    assert_int_equal(f.in[1].start, civil(2008, 3, 29, 9, 0));
    assert_int_equal(f.in[2].start, civil(2008, 3, 30, 8, 0)); /* the clocks have changed */
    assert_int_equal(f.in[2].end, civil(2008, 3, 30, 9, 0));
    /* a whole day is 23 hours long then */
    expand(&w, "2008-03-29 2008-03-30 all-day every=day count=3", 0, civil(2009, 1, 1, 0, 0), &f);
    assert_int_equal(f.in[1].end - f.in[1].start, 23 * 3600);
}

static void rules_name_their_days(void **state)
{
    struct world w;
    struct found f;
    int64_t end = civil(2009, 1, 1, 0, 0);
    (void)state;
    expand(&w, "2008-03-04T10:00 +1h every=week interval=2 days=mo,we count=4", 0, end, &f); /* from a Tuesday */
    assert_int_equal(f.n, 4);
    assert_int_equal(f.in[0].start, civil(2008, 3, 5, 9, 0));
    assert_int_equal(f.in[1].start, civil(2008, 3, 17, 9, 0));
    assert_int_equal(f.in[2].start, civil(2008, 3, 19, 9, 0));
    expand(&w, "2008-01-31T10:00 +1h every=month count=3", 0, end, &f); /* months without a 31st are left out */
    assert_int_equal(f.in[1].start, civil(2008, 3, 31, 8, 0));
    assert_int_equal(f.in[2].start, civil(2008, 5, 31, 8, 0));
    expand(&w, "2008-03-28T10:00 +1h every=month days=fr nth=5 until=2008-05-31", 0, end, &f); /* the last Friday */
    assert_int_equal(f.n, 3);
    assert_int_equal(f.in[1].start, civil(2008, 4, 25, 8, 0));
    expand(&w, "2008-02-29T10:00 +1h every=year", 0, civil(2016, 12, 1, 0, 0), &f);
    assert_int_equal(f.n, 3);
}

static void exceptions_take_their_place(void **state)
{
    struct world w;
    struct found f;
    (void)state;
    expand(&w,
           "2008-03-03T10:00 +1h busy every=day count=5 deleted=2008-03-04T10:00 "
           "moved=2008-03-05T10:00>2008-03-20T12:00>+2h>oof",
           0, civil(2009, 1, 1, 0, 0), &f);
    assert_int_equal(f.n, 4);
    assert_int_equal(f.in[3].type, SIM_EXCEPTION);
    assert_int_equal(f.in[3].start, civil(2008, 3, 20, 11, 0));
    assert_int_equal(f.in[3].end, civil(2008, 3, 20, 13, 0));
    assert_int_equal(f.in[3].id, civil(2008, 3, 5, 9, 0));
    assert_int_equal(f.in[3].busy, SIM_OOF);
    assert_int_equal(f.in[1].start, civil(2008, 3, 6, 9, 0));
    /* only what touches the window */
    expand(&w, "2008-03-03T10:00 +1h every=day", civil(2008, 3, 10, 9, 30), civil(2008, 3, 12, 8, 0), &f);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.in[0].start, civil(2008, 3, 10, 9, 0));
}

static void bad_lines_are_named(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"mailbox a@x\nmailbox A@X", "t:2: there is already a mailbox 'A@X'"},
        {"mailbox a@x zone=Mars", "t:1: no zone 'Mars'"},
        {"mailbox a@x colour=red", "t:1: mailbox has no 'colour'"},
        {"appointment b@x now +1h", "t:1: no mailbox 'b@x'"},
        {"mailbox a@x\nappointment a@x now", "t:2: too short"},
        {"mailbox a@x\nappointment a@x now never", "t:2: appointment: end cannot be 'never'"},
        {"mailbox a@x\nappointment a@x now +1h colour=red", "t:2: appointment has no 'colour'"},
        {"mailbox a@x\nappointment a@x now +1h every=blue", "t:2: appointment: every cannot be 'blue'"},
        {"set slow=fast", "t:1: switch slow takes a number or off, not 'fast'"},
        {"set sloww=1", "t:1: no switch named 'sloww'"},
        {"mailbox \"a@x", "t:1: a quote is open"},
        {"frobnicate", "t:1: unknown word 'frobnicate'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_begin(&w, 1000000);
        if (take(&w, rows[i].text) || strncmp(w.why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%s: '%s'", rows[i].text, w.why);
        world_end(&w);
    }
}

static const char *const odd_names[] = {"a~b@x",        "a#b@x",   "a%b@x",  "a+b@x", "a&b@x",     "a|b@x",
                                        "a*b@x",        "a/b@x",   "a\\b@x", "a?b@x", "a b@x",     "o'neill@x",
                                        "\"quoted\"@x", "grüße@x", "林@x",   "{a}@x", "_x0041_b@x"};

static enum sim_path_result find(struct world *w, struct arena *a, const char *path, struct sim_node *node)
{
    struct sim_path_in in = {a, w->store, &w->faults};
    return sim_path_find(&in, path, node);
}

static void every_name_survives_its_url(void **state)
{
    struct world w;
    struct arena *a = arena_new(1 << 20);
    (void)state;
    world_begin(&w, 0);
    for (size_t i = 0; i + 1 < sizeof(odd_names) / sizeof(odd_names[0]);
         i++) { /* the last one cannot: it looks like an escape */
        struct sim_node node = {.place = SIM_AT_FOLDER,
                                .mailbox = sim_store_add_mailbox(w.store, odd_names[i]),
                                .as = odd_names[i]},
                        got;
        struct buf url;
        buf_init(&url, 1000);
        sim_path_write(&url, &node);
        assert_null(strpbrk(url.data, " ?#\\"));
        if (find(&w, a, url.data, &got) != SIM_PATH_FOUND || got.mailbox != node.mailbox || got.place != SIM_AT_FOLDER)
            fail_msg("%s as %s", odd_names[i], url.data);
        buf_free(&url);
    }
    world_end(&w);
    arena_free(&a);
}

static void urls_are_judged(void **state)
{
    static const struct {
        const char *path;
        enum sim_path_result expected;
    } rows[] = {
        {"/exchange/anna@x/", SIM_PATH_FOUND},
        {"/Exchange/ANNA%40x", SIM_PATH_FOUND},
        {"/exchange/~an/", SIM_PATH_FOUND},
        {"/exchange/an/Kalender", SIM_PATH_FOUND},
        {"/exchange/an/Calendar/", SIM_PATH_NO_ITEM},
        {"/exchange/an/Kalender/No.EML", SIM_PATH_NO_ITEM},
        {"/exchange/an/Kalender/Q%26A%20_xF8FF_%20today.eml", SIM_PATH_FOUND},
        {"/exchange/an/Kalender/Q%26A%20%2F%20today.EML", SIM_PATH_NO_ITEM},
        {"/exchange/an/NON_IPM_SUBTREE", SIM_PATH_FOUND},
        {"/exchange/nobody@x/", SIM_PATH_NO_MAILBOX},
        {"/exchange/a~b@x/", SIM_PATH_NO_ITEM}, /* must be _x007E_ */
        {"/exchange/a_x007E_b@x/", SIM_PATH_FOUND},
        {"/exchange/", SIM_PATH_ROOT},
        {"/public/", SIM_PATH_FOUND},
        {"/other/", SIM_PATH_FOREIGN},
        {"/exchange/a%zz/", SIM_PATH_BAD},
        {"/exchange/a%00/", SIM_PATH_BAD},
        {"/exchange/%ff/", SIM_PATH_BAD},
        {"/exchange/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", SIM_PATH_BAD},
    };
    struct world w;
    struct arena *a = arena_new(1 << 20);
    (void)state;
    world_begin(&w, 0);
    assert_true(take(&w, "mailbox anna@x alias=an calendar=Kalender\nmailbox a~b@x\nappointment anna@x now +1h "
                         "subject=\"Q&A / today\""));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_node node;
        if (find(&w, a, rows[i].path, &node) != rows[i].expected)
            fail_msg("%s", rows[i].path);
    }
    world_end(&w);
    arena_free(&a);
}

static void filters_are_switches(void **state)
{
    struct world w;
    struct sim_node node;
    struct arena *a = arena_new(1 << 20);
    (void)state;
    world_begin(&w, 0);
    assert_true(take(&w, "mailbox a+b@x\nmailbox c@x"));
    assert_int_equal(find(&w, a, "/exchange/a%2Bb@x/", &node), SIM_PATH_FOUND);
    w.faults.profile = SIM_2007;
    assert_int_equal(find(&w, a, "/exchange/a%2Bb@x/", &node), SIM_PATH_NO_ITEM);
    assert_true(take(&w, "set plus-filter=off odd-chars=on"));
    assert_int_equal(find(&w, a, "/exchange/a%2Bb@x/", &node), SIM_PATH_NO_ITEM);
    assert_int_equal(find(&w, a, "/exchange/c@x/", &node), SIM_PATH_FOUND);
    world_end(&w);
    arena_free(&a);
}

static void a_mailbox_wins_over_the_server(void **state)
{
    struct world w;
    (void)state;
    world_begin(&w, 0);
    assert_true(take(&w, "set slow=100 deny=403\nmailbox a@x fault.slow=5 fault.deny=off\nmailbox b@x"));
    const struct sim_mailbox *a = sim_store_mailbox(w.store, "a@x"), *b = sim_store_mailbox(w.store, "b@x");
    assert_int_equal(sim_fault_number(&w.faults, a, SIM_F_SLOW), 5);
    assert_int_equal(sim_fault_number(&w.faults, b, SIM_F_SLOW), 100);
    assert_false(sim_fault_on(&w.faults, a, SIM_F_DENY));
    assert_true(sim_fault_is(&w.faults, b, SIM_F_DENY, "403"));
    world_end(&w);
}

static void accounts_have_three_spellings(void **state)
{
    struct world w;
    (void)state;
    world_begin(&w, 0);
    assert_true(take(&w, "domain CORP\naccount svc password=p receive-as=b@x\nmailbox a@x alias=anna "
                         "password=q\nmailbox b@x\nmailbox c@x"));
    struct sim_account *svc = sim_store_account(w.store, "corp\\SVC"), *anna = sim_store_account(w.store, "a@x");
    assert_non_null(svc);
    assert_ptr_equal(sim_store_account(w.store, "svc"), svc);
    assert_ptr_equal(sim_store_account(w.store, "svc@corp.test"), svc);
    assert_ptr_equal(sim_store_account(w.store, "anna"), anna);
    assert_null(sim_store_account(w.store, "OTHER\\svc"));
    assert_null(sim_store_account(w.store, "nobody"));
    assert_true(sim_store_may_open(svc, sim_store_mailbox(w.store, "b@x")));
    assert_false(sim_store_may_open(svc, sim_store_mailbox(w.store, "c@x")));
    assert_true(sim_store_may_open(anna, sim_store_mailbox(w.store, "a@x")));
    assert_false(sim_store_may_open(anna, sim_store_mailbox(w.store, "b@x")));
    world_end(&w);
}

static void ranges_choose_rows(void **state)
{
    static const struct {
        const char *header;
        enum sim_rows_result expected;
        size_t first, last, count;
    } rows[] = {
        {"rows=0-3", SIM_ROWS_OK, 0, 3, 4},       {"rows=8-", SIM_ROWS_OK, 8, 9, 2},
        {"rows=-3", SIM_ROWS_OK, 7, 9, 3},        {"rows=0-1,-2", SIM_ROWS_OK, 0, 9, 4},
        {"rows=-0", SIM_ROWS_OK, 0, 0, 0},        {"rows=5-500", SIM_ROWS_OK, 5, 9, 5},
        {"rows=10-19", SIM_ROWS_BEYOND, 0, 0, 0}, {"rows=-50", SIM_ROWS_OK, 0, 9, 10},
        {"rows=a-b", SIM_ROWS_BAD, 0, 0, 0},      {"bytes=0-3", SIM_ROWS_BAD, 0, 0, 0},
        {"rows=3", SIM_ROWS_BAD, 0, 0, 0},        {"rows=0-3;", SIM_ROWS_BAD, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool wanted[10] = {false};
        size_t first = 0, last = 0, count;
        enum sim_rows_result got = sim_rows_parse(rows[i].header, 10, wanted, &first, &last, &count);
        if (got != rows[i].expected ||
            (got == SIM_ROWS_OK && (first != rows[i].first || last != rows[i].last || count != rows[i].count)))
            fail_msg("%s: %d, %zu to %zu, %zu", rows[i].header, (int)got, first, last, count);
    }
}

static void the_readme_names_every_switch(void **state)
{
    static char text[200000];
    (void)state;
    FILE *in = fopen(FB_SOURCE_DIR "/tests/exchange-sim/README.md", "re");
    assert_non_null(in);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        char quoted[40];
        snprintf(quoted, sizeof(quoted), "`%s", sim_fault_name((enum sim_fault)i));
        if (strstr(text, quoted) == NULL)
            fail_msg("README.md says nothing of %s`", quoted);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_change_their_clocks),     cmocka_unit_test(moments_are_read),
        cmocka_unit_test(ten_o_clock_stays_ten_o_clock), cmocka_unit_test(rules_name_their_days),
        cmocka_unit_test(exceptions_take_their_place),   cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(every_name_survives_its_url),   cmocka_unit_test(urls_are_judged),
        cmocka_unit_test(filters_are_switches),          cmocka_unit_test(a_mailbox_wins_over_the_server),
        cmocka_unit_test(accounts_have_three_spellings), cmocka_unit_test(ranges_choose_rows),
        cmocka_unit_test(the_readme_names_every_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
