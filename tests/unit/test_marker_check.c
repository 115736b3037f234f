/*
 * Markers of a configuration: what is refused, who is warned, and when one that changes shows more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config.h"
#include "config_files.h"
#include "marker_check.h"

static struct gw_config *read_with(const char *markers, struct gw_config_error *err)
{
    char text[4000];
    char *folder = files_folder();
    snprintf(
        text, sizeof text,
        "servers:\n"
        "  - { name: hq, kind: exchange, url: 'https://h/', account: a, password_file: pw, read: freebusy }\n"
        "  - { name: cal, kind: caldav, url: 'https://c/', account: a, password_file: pw }\n"
        "  - { name: files, kind: ifb, url: 'https://f/', account: a, password_file: pw, calendars: ['/{local}'] }\n"
        "users:\n"
        "  - { address: alice@example.com, server: hq }\n"
        "  - { address: carol@example.com, server: cal }\n"
        "markers: [ %s ]\n",
        markers);
    files_write(folder, "pw", 0600, "x");
    files_write(folder, "c.yaml", 0600, text);
    struct gw_config *c = gw_config_read(files_path(folder, "c.yaml"), err);
    files_remove(folder);
    return c;
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *markers, *said; /* NULL: nothing */
    } cases[] = {
        {"", NULL},
        {"{ category: x, level: nothing }", NULL},
        {"{ category: x }", "level"},
        {"{ level: kinds }", "category"},
        {"{ category: x, level: times }", "level"},
        {"{ category: '', level: kinds }", "is empty"},
        {"{ category: ' x', level: kinds }", "is no category"},
        {"{ category: 'a,b', level: kinds }", "comma"},
        {"{ category: 'a\\b', level: kinds }", "backslash"},
        {"{ category: \"a\\tb\", level: kinds }", "control"},
        {"{ category: a, level: kinds }, { category: A, level: nothing }", "markers[1].category"},
        {"{ category: a, level: kinds }, { category: b, level: kinds }, { category: c, level: kinds }, "
         "{ category: d, level: kinds }, { category: e, level: kinds }, { category: f, level: kinds }, "
         "{ category: g, level: kinds }, { category: h, level: kinds }, { category: i, level: kinds }",
         "more than 8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gw_config_error err;
        struct gw_config *c = read_with(cases[i].markers, &err);
        if (!c != !!cases[i].said || (!c && !strstr(err.why, cases[i].said)))
            fail_msg("%s: %s", cases[i].markers, c ? "is taken" : err.why);
        gw_config_free(&c);
    }
}

static void who_cannot_use_them(void **state)
{
    struct gw_config_error err;
    struct buf b;
    (void)state;
    struct gw_config *c = read_with("{ category: x, level: nothing }", &err);
    buf_init(&b, 10000);
    gw_markers_warnings(c, &b);
    assert_non_null(strstr(b.data, "server hq is read for busy times only"));
    assert_non_null(strstr(b.data, "server files tells busy times only"));
    assert_null(strstr(b.data, "server cal"));
    gw_config_free(&c);
    c = read_with("", &err);
    buf_reset(&b);
    gw_markers_warnings(c, &b);
    assert_int_equal(b.len, 0);
    assert_null(c->marker_words);
    gw_config_free(&c);
    buf_free(&b);
}

static void what_shows_more(void **state)
{
    static const struct {
        const char *before, *after;
        bool widens;
    } cases[] = {
        {"{ category: x, level: available }", "{ category: X, level: available }", false},
        {"{ category: x, level: available }", "{ category: x, level: nothing }", false},
        {"{ category: x, level: available }", "{ category: x, level: kinds }", true},
        {"{ category: x, level: kinds }", "", true},
        {"", "{ category: x, level: kinds }", false},
        {"{ category: x, level: kinds }", "{ category: y, level: nothing }", true},
        {"{ category: x, level: kinds }", "{ category: y, level: kinds }, { category: x, level: kinds }", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gw_config_error err;
        const struct gw_config_marker *becomes;
        struct gw_config *before = read_with(cases[i].before, &err), *after = read_with(cases[i].after, &err);
        if (!gw_markers_widen(before, after, &becomes) == cases[i].widens)
            fail_msg("from %s to %s", cases[i].before, cases[i].after);
        gw_config_free(&before);
        gw_config_free(&after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(who_cannot_use_them),
        cmocka_unit_test(what_shows_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
