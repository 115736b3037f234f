/*
 * policy_table: the tables in tests/data/policy with their cases; what is no line; and what is wider than what. A file
 * has "hours DAYS FROM TO", "table" ... "end", and lines "case WHO[/GROUP] ADDRESS[/GROUP] WHAT"; "at TIME" sets the
 * clock. WHO is written as in a table: outlet:wall, xmpp:im.example.com, anonymous.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utc.h"
#include "policy_table.h"

#define POLICY_DATA FB_SOURCE_DIR "/tests/data/policy"

enum { CASES_MIN = 20 };

struct script {
    struct gw_policy_table *table;
    struct buf text;
    bool in_table;
    int64_t now;
    unsigned cases, line;
    const char *file;
};

static struct gw_policy_table *table_of(const char *text)
{
    struct gw_policy_table *t = gw_policy_table_new();
    unsigned line;
    const char *wrong = gw_policy_table_read(t, text, &line);
    if (wrong)
        fail_msg("line %u %s", line, wrong);
    return t;
}

/* "name/group" in two. */
static char *cut_group(char *text)
{
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    return slash;
}

static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " ");
    bool quoted = *word == '"';
    word += quoted;
    size_t len = strcspn(word, quoted ? "\"" : " ");
    *at = word + len + (word[len] != '\0');
    word[len] = '\0';
    return word;
}

static void run_case(struct script *s, char *text)
{
    char *who = next_word(&text), *whom = next_word(&text), *colon;
    const char *expected = text + strspn(text, " ");
    struct gw_asker asker = {.group = cut_group(who), .name = who, .anonymous = strcmp(who, "anonymous") == 0};
    if (str_starts(who, "outlet:")) {
        asker.name = who + 7;
        asker.outlet = true;
    } else if ((colon = strchr(who, ':'))) {
        *colon = '\0';
        asker.part = colon + 1;
        asker.outlet = true;
    }
    struct gw_subject subject = {.group = cut_group(whom), .address = whom};
    struct pres_grant grant;
    struct buf said;
    buf_init(&said, 1000);
    gw_policy_table_grant(s->table, &asker, &subject, s->now, &grant);
    gw_policy_grant_text(&grant, &said);
    if (strcmp(said.data, expected) != 0)
        fail_msg("%s:%u: said is \"%s\", expected \"%s\"", s->file, s->line, said.data, expected);
    buf_free(&said);
    s->cases++;
}

static void take_hours(struct script *s, char *text)
{
    char why[200];
    unsigned days = 0;
    char *list = next_word(&text);
    int from = pres_hours_time(next_word(&text)), to = pres_hours_time(next_word(&text));
    for (char *day = strtok(list, ","); day; day = strtok(NULL, ","))
        days |= 1u << pres_hours_day(day);
    gw_policy_table_hours(s->table, pres_hours_new(days, from, to, NULL, why, sizeof why));
}

static void take_line(struct script *s, char *text)
{
    unsigned line;
    if (s->in_table && strcmp(text, "end") == 0) {
        const char *wrong = gw_policy_table_read(s->table, s->text.data, &line);
        if (wrong)
            fail_msg("%s: line %u of the table %s", s->file, line, wrong);
        s->in_table = false;
    } else if (s->in_table) {
        buf_addf(&s->text, "%s\n", text);
    } else if (strcmp(text, "table") == 0) {
        s->in_table = true;
    } else if (str_starts(text, "hours ")) {
        take_hours(s, text + 6);
    } else if (str_starts(text, "at ")) {
        assert_true(utc_parse_rfc3339(text + 3, strlen(text + 3), &s->now));
    } else if (str_starts(text, "case ")) {
        run_case(s, text + 5);
    } else if (text[0] && text[0] != '#') {
        fail_msg("%s:%u: not understood", s->file, s->line);
    }
}

static unsigned run_file(const char *name)
{
    char path[600], text[2000];
    struct script s = {.table = gw_policy_table_new(), .now = utc_from_civil(2027, 1, 15, 12, 0, 0), .file = name};
    buf_init(&s.text, 100000);
    snprintf(path, sizeof path, "%s/%s", POLICY_DATA, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(text, sizeof text, file)) {
        s.line++;
        text[strcspn(text, "\n")] = '\0';
        take_line(&s, text);
    }
    fclose(file);
    buf_free(&s.text);
    gw_policy_table_free(&s.table);
    return s.cases;
}

static void test_tables(void **state)
{
    (void)state;
    unsigned cases = 0;
    DIR *dir = opendir(POLICY_DATA);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (str_ends(entry->d_name, ".txt"))
            cases += run_file(entry->d_name);
    closedir(dir);
    assert_true(cases >= CASES_MIN);
}

static void test_what_is_no_line(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a\n",
        "a b@c\n",
        "a b@c some\n",
        "a b times\n",
        "a group: times\n",
        "a @ times\n",
        ", b@c times\n",
        "a, b@c times\n",
        "outlet: b@c times\n",
        "xmpp: b@c times\n",
        "a b@c times grid=7m\n",
        "a b@c times grid=2d\n",
        "a b@c times grid=1s\n",
        "a b@c times grid=\n",
        "a b@c times horizon=soon\n",
        "a b@c times until=2027-13-01\n",
        "a b@c times until=tomorrow\n",
        "a b@c times working_hours_only\n", /* which are these? */
        "a b@c times merge=yes\n",
        "a \"b@c times\n",
        "a b@c times merge merge merge merge merge merge merge merge merge merge merge merge merge merge\n",
        "a\xff b@c times\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gw_policy_table *t = gw_policy_table_new();
        unsigned line = 0;
        if (!gw_policy_table_read(t, bad[i], &line))
            fail_msg("was taken: %s", bad[i]);
        assert_int_equal(line, 1);
        assert_int_equal(gw_policy_table_count(t), 0);
        gw_policy_table_free(&t);
    }
}

static void test_a_line_survives_writing(void **state)
{
    (void)state;
    struct gw_policy_table *t =
        table_of("# one\n\n \"Big Board\",group:x @b.c,*  times grid=15m merge horizon=7d no_until "
                 "until=2027-06-30 # why\n");
    struct buf b;
    unsigned line;
    buf_init(&b, 1000);
    gw_policy_line_text(t, 0, &b);
    assert_string_equal(b.data, "\"Big Board\",group:x @b.c,* times grid=15m merge horizon=7d no_until "
                                "until=2027-07-01T00:00:00Z");
    assert_true(gw_policy_line_is_file(t, 0, &line));
    assert_int_equal(line, 3);
    struct gw_policy_table *again = table_of(b.data);
    assert_int_equal(gw_policy_table_count(again), 1);
    gw_policy_table_free(&again);
    gw_policy_table_free(&t);
    buf_free(&b);
}

static void test_next_moment(void **state)
{
    (void)state;
    int64_t now = utc_from_civil(2027, 1, 15, 12, 1, 0);
    struct gw_policy_table *t = table_of("* * times\n");
    assert_true(gw_policy_table_next(t, now) == PRES_NEVER);
    gw_policy_table_free(&t);
    t = table_of("a * times grid=30m\nb * kinds until=2027-01-15T12:20:00Z\nc * nothing grid=1m\n");
    assert_int_equal(gw_policy_table_next(t, now), now + 19 * 60);
    assert_int_equal(gw_policy_table_next(t, now + 19 * 60), now + 29 * 60);
    assert_int_equal(gw_policy_table_next(t, now + 29 * 60), now + 59 * 60);
    gw_policy_table_free(&t);
}

static struct pres_grant grant_of(const char *what)
{
    char text[200];
    struct pres_grant grant;
    snprintf(text, sizeof text, "a * %s", what);
    struct gw_policy_table *t = table_of(text);
    gw_policy_table_grant(t, &(struct gw_asker){.name = "a"}, &(struct gw_subject){.address = "b@c"}, 1, &grant);
    gw_policy_table_free(&t);
    return grant;
}

static void test_what_widens(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool widens, back;
    } cases[] = {
        {"nothing", "available", true, false},
        {"available", "kinds", true, false},
        {"kinds", "times", true, false},
        {"times", "times", false, false},
        {"times", "times merge", false, true},
        {"times", "times grid=30m", false, true},
        {"times grid=30m", "times grid=1h", false, true},
        {"times grid=30m", "times grid=45m", true, true},
        {"times grid=30m", "kinds", true, true}, /* kinds to the second show when they change */
        {"times", "times horizon=7d", false, true},
        {"times horizon=7d", "times horizon=8d", true, false},
        {"times horizon=7d", "kinds", false, true},
        {"times", "times no_until", false, true},
        {"times merge", "kinds", true, true},
        {"times merge", "available", false, true},
        {"times", "times until=2027-01-01", false, true},
        {"times until=2027-01-01", "available", true, true},
        {"times", "nothing", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pres_grant a = grant_of(cases[i].a), b = grant_of(cases[i].b);
        if (gw_policy_widens(&a, &b) != cases[i].widens || gw_policy_widens(&b, &a) != cases[i].back)
            fail_msg("%s to %s", cases[i].a, cases[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_what_is_no_line),
        cmocka_unit_test(test_next_moment), cmocka_unit_test(test_a_line_survives_writing),
        cmocka_unit_test(test_what_widens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
