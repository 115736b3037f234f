/* recent: what was used least recently goes first, and its owner is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "recent.h"

static char gone[200];

static void on_gone(void *arg, const char *key, void *value)
{
    (void)arg;
    size_t len = strlen(gone);
    snprintf(gone + len, sizeof gone - len, "%s=%d ", key, *(int *)value);
}

static void the_oldest_goes(void **state)
{
    (void)state;
    struct gw_recent *r = gw_recent_new(3, sizeof(int), on_gone, NULL);
    gone[0] = '\0';
    *(int *)gw_recent_put(r, "a") = 1;
    *(int *)gw_recent_put(r, "b") = 2;
    *(int *)gw_recent_put(r, "c") = 3;
    assert_int_equal(*(int *)gw_recent_get(r, "a"), 1); /* used */
    assert_int_equal(*(int *)gw_recent_put(r, "d"), 0); /* begins as zero */
    assert_string_equal(gone, "b=2 ");
    assert_null(gw_recent_get(r, "b"));
    gw_recent_del(r, "c");
    gw_recent_del(r, "nobody");
    assert_int_equal(gw_recent_count(r), 2);
    gw_recent_clear(r);
    assert_string_equal(gone, "b=2 c=3 a=1 d=0 ");
    gw_recent_put(r, "e");
    gw_recent_free(&r);
    assert_null(r);
    assert_string_equal(gone, "b=2 c=3 a=1 d=0 e=0 ");
}

static void one_place_is_enough(void **state)
{
    (void)state;
    struct gw_recent *r = gw_recent_new(1, sizeof(int), NULL, NULL);
    for (int i = 0; i < 1000; i++) {
        char key[20];
        snprintf(key, sizeof key, "%d", i);
        *(int *)gw_recent_put(r, key) = i;
        assert_int_equal(gw_recent_count(r), 1);
        assert_int_equal(*(int *)gw_recent_get(r, key), i);
    }
    gw_recent_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_oldest_goes), cmocka_unit_test(one_place_is_enough)};
    return cmocka_run_group_tests_name("recent", tests, NULL, NULL);
}
