/* advice: names in commands that somebody copies into a shell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "advice.h"

static void says(const char *advice, const char *person, const char *expected)
{
    struct gw_advice_names names = {"hq", "EXAMPLE\\svc", person};
    char *got = gw_advice(advice, &names);
    assert_string_equal(got, expected);
    free(got);
}

static void test_names_are_put_in(void **state)
{
    (void)state;
    says("{account} on {server}: {person}, {other}", "a@b", "EXAMPLE\\svc on hq: a@b, {other}");
    says("{person}", NULL, "MAILBOX");
    says("{person}", "{person}", "{person}");
}

/* Whatever PowerShell takes for the end of a text is doubled inside of one, and only there. */
static void test_no_name_ends_a_text(void **state)
{
    (void)state;
    says("Get-Mailbox '{person}'", "o'neil@b", "Get-Mailbox 'o''neil@b'");
    says("Get-Mailbox '{person}'", "a\xe2\x80\x99; rm@b", "Get-Mailbox 'a\xe2\x80\x99\xe2\x80\x99; rm@b'");
    says("Get-Mailbox '{person}'", "\xe2\x80\x98\xe2\x80\x9a\xe2\x80\x9b\xe2\x80\x9c",
         "Get-Mailbox '\xe2\x80\x98\xe2\x80\x98\xe2\x80\x9a\xe2\x80\x9a\xe2\x80\x9b\xe2\x80\x9b\xe2\x80\x9c'");
    says("Get-Mailbox '{person}'", "a\xe2\x80", "Get-Mailbox 'a\xe2\x80'");
    says("of {person}", "o'neil\xe2\x80\x99@b", "of o'neil\xe2\x80\x99@b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_put_in),
        cmocka_unit_test(test_no_name_ends_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
