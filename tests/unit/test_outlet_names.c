/* outlet_names: a name is found in the ways outlets write it, and is not found in another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outlet_names.h"

static void names_are_found_as_outlets_write_them(void **state)
{
    (void)state;
    struct gw_row_name *list = NULL;
    gw_row_name_add(&list, "Alice@Example.com", "example.com");
    assert_true(gw_row_names_in(list, "webhook:a", "alice@example.com", false));
    assert_true(gw_row_names_in(list, "mqtt", "presence/alice@example.com", false));
    assert_true(gw_row_names_in(list, "mqtt", "presence/alice%40example.com", false));
    assert_true(gw_row_names_in(list, "sip", "sip:ALICE@example.com", false));
    assert_true(gw_row_names_in(list, "sip", "1700000000 tag alice@example.com", false));
    assert_true(gw_row_names_in(list, "xmpp", "alice\\40example.com bob@other.example", false));
    assert_true(gw_row_names_in(list, "xmpp", "alice bob@other.example", false));
    assert_true(gw_row_names_in(list, "xmpp", "bob\\40example.com alice@example.com", false));
    assert_true(gw_row_names_in(list, "x", "{\"address\":\"alice@example.com\"}", false));
    assert_false(gw_row_names_in(list, "mqtt", "alice@example.com", true));
    gw_row_names_close(list);
    assert_true(gw_row_names_in(list, "mqtt", "alice@example.com", true));
    gw_row_names_free(&list);
    assert_null(list);
}

static void others_are_not(void **state)
{
    (void)state;
    struct gw_row_name *list = NULL;
    gw_row_name_add(&list, "alice@example.com", "chat.example");
    gw_row_name_add(&list, "o'neil@example.com", NULL);
    static const char *const others[] = {"malice@example.com",
                                         "alice@example.com.au",
                                         "alice@example.community",
                                         "x.alice@example.com",
                                         "bob+alice@example.com",
                                         "alice bob@example.com",
                                         "alice",
                                         ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (gw_row_names_in(list, "xmpp", others[i], false))
            fail_msg("found in: %s", others[i]);
    assert_true(gw_row_names_in(list, "xmpp", "o\\27neil\\40example.com x@y", false));
    assert_true(gw_row_names_in(list, "mqtt", "p/o%27neil%40example.com", false));
    gw_row_names_free(&list);
    assert_false(gw_row_names_in(list, "mqtt", "alice@example.com", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_as_outlets_write_them),
        cmocka_unit_test(others_are_not),
    };
    return cmocka_run_group_tests_name("outlet_names", tests, NULL, NULL);
}
