/*
 * mark: which of a few words stand in a list of categories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "davclient/mark.h"

static const char *const markers[] = {"freebusyd:private", "Nicht anzeigen", NULL};
#define FIRST DAV_TRAIT_MARK(0)
#define SECOND DAV_TRAIT_MARK(1)

static void words_in_lists(void **state)
{
    static const struct {
        const char *text;
        unsigned marks;
    } cases[] = {
        {"freebusyd:private", FIRST},
        {"FREEBUSYD:Private", FIRST},
        {"Work, freebusyd:private ,x", FIRST},
        {"\nWork\n freebusyd:private\r\n", FIRST},
        {"nicht anzeigen;freebusyd:private", FIRST | SECOND},
        {"", 0},
        {",;\n,", 0},
        {"freebusyd:privat", 0},
        {"freebusyd:privately", 0},
        {"not freebusyd:private", 0},
        {"a\\,freebusyd:private", 0}, /* one category, with a comma in it */
        {"a\\\\,freebusyd:private", FIRST},
        {"freebusyd:private\\", 0},
        {"\\", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned marks = dav_marks_in(markers, cases[i].text, strlen(cases[i].text));

        if (marks != cases[i].marks)
            fail_msg("%s: %x", cases[i].text, marks);
    }
    assert_int_equal(dav_marks_in(markers, "freebusyd:private", 16), 0); /* the text ends where it is said to */
    assert_int_equal(dav_marks_in(NULL, "freebusyd:private", 17), 0);
}

static void all_of_them(void **state)
{
    const char *many[DAV_MARKS_MAX + 2];

    (void)state;
    assert_int_equal(dav_marks_all(markers), FIRST | SECOND);
    assert_int_equal(dav_marks_all(NULL), 0);
    for (unsigned i = 0; i <= DAV_MARKS_MAX; i++)
        many[i] = "same";
    many[DAV_MARKS_MAX + 1] = NULL;
    assert_int_equal(dav_marks_all(many), DAV_TRAIT_MARKS);
    assert_int_equal(dav_marks_in(many, "same", 4), DAV_TRAIT_MARKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_in_lists),
        cmocka_unit_test(all_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
