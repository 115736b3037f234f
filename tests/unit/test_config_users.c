/*
 * Everybody in one list: CSV as people really write it, garbage line by line, ten thousand at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config.h"
#include "config_files.h"
#include "config_users.h"

#define CONFIG                                                                                                         \
    "servers:\n"                                                                                                       \
    "  - { name: hq, kind: exchange, url: 'https://h/', account: a, password_file: pw }\n"                             \
    "  - { name: office, kind: caldav, url: 'https://c/', account: a, password_file: pw }\n"                           \
    "users:\n"                                                                                                         \
    "  - { address: inline@example.com, server: hq }\n"                                                                \
    "  - { file: u.csv, server: hq }\n"

struct fixture {
    char *folder;
    struct gw_config_error err;
    struct gw_config *config;
};

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->folder = files_folder();
    files_write(f->folder, "c.yaml", 0600, CONFIG);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gw_config_free(&f->config);
    files_remove(f->folder);
    free(f);
    return 0;
}

static const struct gw_roster *roster(struct fixture *f, const char *csv)
{
    files_write(f->folder, "u.csv", 0644, csv);
    gw_config_free(&f->config);
    f->config = gw_config_read(files_path(f->folder, "c.yaml"), &f->err);
    if (!f->config)
        fail_msg("refused: %s", f->err.why);
    return f->config->roster;
}

static void columns(void **state)
{
    const struct gw_roster *r = roster(*state, "\xEF\xBB\xBFGroup,address,server,aliases,publish_as,zone,path\r\n"
                                               "sales,a@example.com,,a1@x.org a2@x.org;a3@x.org,,UTC,\r\n"
                                               "\r\n"
                                               " \"hr, and \"\"more\"\"\",b@example.com,office,,b@chat.org,,/b/\n"
                                               "\"hr, and \"\"more\"\"\",b@example.com,office,,b@chat.org,,/b/\n"
                                               ",c@example.com");
    /* the line with a blank before its quote is no RFC 4180 and is left out */
    assert_int_equal(r->note_count, 1);
    assert_non_null(strstr(r->notes[0], "u.csv:4: "));
    assert_int_equal(r->count, 4);
    const struct gw_user *u = r->users;
    assert_string_equal(u[1].address, "a@example.com");
    assert_string_equal(u[1].group, "sales");
    assert_string_equal(u[1].aliases[2], "a3@x.org");
    assert_null(u[1].aliases[3]);
    assert_null(u[1].path);
    assert_null(u[1].publish_as);
    assert_int_equal(u[1].server, 0);
    assert_int_equal(u[1].line, 2);
    assert_string_equal(u[2].group, "hr, and \"more\"");
    assert_int_equal(u[2].server, 1);
    assert_string_equal(u[2].path, "/b/");
    assert_null(u[3].group);
}

static void garbage(void **state)
{
    static const struct {
        const char *line, *wrong;
    } cases[] = {
        {"nobody,", "is no mail address"},
        {",sales", "names no address"},
        {"a@b,c,d", "has 3 fields, the header names 2"},
        {"\"a@b,sales", "a quote that is not closed"},
        {"\"a@b\"x,sales", "behind a closing quote"},
        {"a\"@b,sales", "a quote inside"},
        {"a\x01@b,x", "control character"},
        {"\xff\xfe@b,x", "no UTF-8"},
        {"INLINE@example.com,x", "c.yaml:5 already"},
        {"first@example.com,x", "u.csv:2 already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char csv[300];
        snprintf(csv, sizeof csv, "address,group\nfirst@example.com,a\n%s\nlast@example.com,b\n", cases[i].line);
        const struct gw_roster *r = roster(*state, csv);
        assert_int_equal(r->note_count, 1);
        if (!strstr(r->notes[0], cases[i].wrong) || !strstr(r->notes[0], "u.csv:3: "))
            fail_msg("\"%s\" is not in: %s", cases[i].wrong, r->notes[0]);
        assert_int_equal(r->count, 3);
        assert_string_equal(r->users[2].address, "last@example.com");
    }
}

static void nul_and_endless_lines(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, "address\n");
    for (int i = 0; i < 20000; i++)
        buf_addc(&b, 'x');
    buf_adds(&b, "@example.com\nok@example.com\n");
    assert_int_equal(roster(f, b.data)->count, 2);
    buf_free(&b);
    files_write(f->folder, "u.csv", 0644, "");
    FILE *out = fopen(files_path(f->folder, "u.csv"), "w");
    fwrite("address\na\0b@example.com\nc@example.com\n", 1, 38, out);
    fclose(out);
    struct gw_roster *r = gw_roster_reread(f->config, &f->err);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->note_count, 1);
    gw_roster_free(&r);
}

static void unusable_files(void **state)
{
    static const struct {
        const char *csv, *wrong;
    } cases[] = {
        {"", "u.csv:1: is empty"},
        {"\n\n", "is empty"},
        {"group\nx\n", "names no column \"address\""},
        {"address,colour\n", "unknown column \"colour\""},
        {"address,Address\n", "stands twice"},
        {"alice@example.com\nbob@example.com\n", "unknown column \"alice@example.com\""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        files_write(f->folder, "u.csv", 0644, cases[i].csv);
        assert_null(gw_config_read(files_path(f->folder, "c.yaml"), &f->err));
        assert_string_equal(f->err.code, "config-users");
        if (!strstr(f->err.why, cases[i].wrong))
            fail_msg("\"%s\" is not in: %s", cases[i].wrong, f->err.why);
    }
    unlink(files_path(f->folder, "u.csv"));
    assert_null(gw_config_read(files_path(f->folder, "c.yaml"), &f->err));
    assert_string_equal(f->err.code, "config-users");
    assert_non_null(strstr(f->err.why, "u.csv: No such file"));
    files_write(f->folder, "c.yaml", 0600,
                "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: pw }\n"
                "  - { name: b, kind: caldav, url: 'https://h/', account: a, password_file: pw }\n"
                "users: [ { file: u.csv } ]\n");
    files_write(f->folder, "u.csv", 0644, "address\na@b\n");
    assert_null(gw_config_read(files_path(f->folder, "c.yaml"), &f->err));
    assert_non_null(strstr(f->err.why, "names the server"));
    files_write(f->folder, "u.csv", 0644, "address,server\na@b,a\nb@b,x\nc@b,\n");
    f->config = gw_config_read(files_path(f->folder, "c.yaml"), &f->err);
    assert_int_equal(f->config->roster->count, 1);
    assert_int_equal(f->config->roster->note_count, 2);
}

static void called_the_same(void **state)
{
    static const char head[] =
        "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: pw }\n";
    struct fixture *f = *state;
    char text[1000];
    /* a rule for a domain; one's own word goes before it */
    roster(f, "address\n"); /* files are there */
    files_write(f->folder, "u.csv", 0644,
                "address,publish_as\nAnn@corp.example,\nbob@corp.example,robert@im.example\ncy@other.example,\n"
                "dee@im.example,\ndee@CORP.example,\neve@corp.example,Ann@im.example\n");
    snprintf(
        text, sizeof text,
        "%susers: [ { file: u.csv } ]\npublish: { identity: [ { domain: corp.example, publish_as: im.example } ] }\n",
        head);
    files_write(f->folder, "c.yaml", 0600, text);
    gw_config_free(&f->config);
    f->config = gw_config_read(files_path(f->folder, "c.yaml"), &f->err);
    assert_non_null(f->config);
    const struct gw_roster *r = f->config->roster;
    assert_int_equal(r->count, 4);
    assert_string_equal(r->users[0].publish_as, "Ann@im.example");
    assert_string_equal(r->users[1].publish_as, "robert@im.example");
    assert_null(r->users[2].publish_as);
    assert_int_equal(r->note_count, 2);
    assert_non_null(strstr(r->notes[0], "u.csv:6: dee@CORP.example and dee@im.example ("));
    assert_non_null(strstr(r->notes[0], "u.csv:5) would both be dee@im.example; the line is left out"));
    assert_non_null(strstr(r->notes[1], "u.csv:7: eve@corp.example and Ann@corp.example ("));
    /* in the configuration itself it is refused */
    snprintf(text, sizeof text,
             "%susers:\n  - { address: a@x.example, publish_as: z@im.example }\n"
             "  - { address: b@x.example, publish_as: Z@im.example }\n",
             head);
    files_write(f->folder, "c.yaml", 0600, text);
    gw_config_free(&f->config);
    assert_null(gw_config_read(files_path(f->folder, "c.yaml"), &f->err));
    assert_string_equal(f->err.code, "config-ambiguous");
    assert_non_null(strstr(f->err.why, "c.yaml:5: users: b@x.example and a@x.example ("));
    assert_non_null(strstr(f->err.why, "c.yaml:4) would both be Z@im.example"));
    /* a topic that drops what keeps two people apart */
    snprintf(text, sizeof text,
             "%susers:\n  - { address: a@x.example }\n  - { address: a@y.example }\n"
             "publish: { mqtt: { server: mqtt://h, topic: 'p/{local}' } }\n",
             head);
    files_write(f->folder, "c.yaml", 0600, text);
    assert_null(gw_config_read(files_path(f->folder, "c.yaml"), &f->err));
    assert_string_equal(f->err.code, "config-ambiguous");
    assert_non_null(
        strstr(f->err.why, "c.yaml:5: publish.mqtt.topic: a@x.example and a@y.example (line 4) would both be \"p/a\""));
}

static void notes_are_bounded(void **state)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, "address\n");
    for (int i = 0; i < 1000; i++)
        buf_adds(&b, "garbage\n");
    const struct gw_roster *r = roster(*state, b.data);
    assert_int_equal(r->note_count, GW_NOTES_MAX);
    assert_int_equal(r->notes_untold, 1000 - GW_NOTES_MAX);
    buf_free(&b);
}

static void change_is_seen(void **state)
{
    struct fixture *f = *state;
    const struct gw_roster *r = roster(f, "address\na@example.com\n");
    assert_false(gw_roster_outdated(r));
    files_write(f->folder, "u2.csv", 0644, "address\nb@example.com\n"); /* the same size, put into place by rename */
    assert_int_equal(rename(files_path(f->folder, "u2.csv"), files_path(f->folder, "u.csv")), 0);
    assert_true(gw_roster_outdated(r));
    struct gw_roster *again = gw_roster_reread(f->config, &f->err);
    assert_string_equal(again->users[1].address, "b@example.com");
    assert_false(gw_roster_outdated(again));
    unlink(files_path(f->folder, "u.csv"));
    assert_false(gw_roster_outdated(again)); /* between unlink and create nobody vanishes */
    gw_roster_free(&again);
    assert_null(gw_roster_reread(f->config, &f->err));
}

static void ten_thousand(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, 4 << 20);
    buf_adds(&b, "address,publish_as,group\n");
    for (int i = 0; i < 10000; i++)
        buf_addf(&b, "user%d@example.com,user%d@chat.example.com,group %d\n", i, i, i % 50);
    roster(f, "address\n");
    files_write(f->folder, "u.csv", 0644, b.data);
    clock_t before = clock(); /* of our own work: others may want the machine */
    struct gw_roster *r = gw_roster_reread(f->config, &f->err);
    int64_t took = (int64_t)(clock() - before) * 1000 / CLOCKS_PER_SEC;
    assert_int_equal(r->count, 10001);
    print_message("10,000 lines in %lld ms\n", (long long)took);
    assert_true(took < 1000); /* some 15 ms without sanitizers */
    gw_roster_free(&r);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(nul_and_endless_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(unusable_files, setup, teardown),
        cmocka_unit_test_setup_teardown(called_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(change_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(ten_thousand, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
