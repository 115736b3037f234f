/*
 * auth, auth_basic: what is offered, what is chosen, what goes onto the line, and above all what does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth.h"
#include "base/buf.h"
#include "base/secret.h"

#define NEGOTIATE (1U << DAV_SCHEME_NEGOTIATE)
#define NTLM (1U << DAV_SCHEME_NTLM)
#define BASIC (1U << DAV_SCHEME_BASIC)
#define FORMS (1U << DAV_SCHEME_FORMS)

static void offers(void **state)
{
    static const struct {
        const char *line;
        dav_auth_set set;
    } cases[] = {
        {"Basic realm=\"mail.example.test\"", BASIC},
        {"basic", BASIC},
        {"NTLM", NTLM},
        {"NTLM TlRMTVNTUAACAAAA", NTLM},
        {"Negotiate", NEGOTIATE},
        {"Negotiate, NTLM, Basic realm=\"\"", NEGOTIATE | NTLM | BASIC},
        {"Basic realm=\"say \\\"NTLM, Negotiate\\\"\", NTLM", BASIC | NTLM},
        {"Digest realm=\"Basic\", nonce=\"x\", algorithm=MD5", 0},
        {"Digest realm=x, basic=1", 0},
        {"Basically", 0},
        {"forms", 0},
        {"Basic realm=\"never closed, NTLM", BASIC},
        {"", 0},
        {",,, ,", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(dav_auth_offered_by_line(cases[i].line), cases[i].set);
}

static void choice(void **state)
{
    struct dav_account account = {.auth = {DAV_SCHEME_NTLM, DAV_SCHEME_BASIC}, .auth_count = 2};
    const char *code;

    (void)state;
    assert_ptr_equal(dav_auth_choose(&account, BASIC | NEGOTIATE, 0, true, &code), &dav_auth_basic);
    assert_ptr_equal(dav_auth_choose(&account, DAV_AUTH_ANY, 0, true, &code), &dav_auth_ntlm);
    assert_ptr_equal(dav_auth_choose(&account, NTLM | BASIC, 0, false, &code), &dav_auth_ntlm);
    assert_ptr_equal(dav_auth_choose(&account, NTLM | BASIC, NTLM, true, &code), &dav_auth_basic);
    assert_ptr_equal(dav_auth_choose(&account, NEGOTIATE | FORMS, 0, true, &code), &dav_auth_ntlm); /* carries it */
    assert_null(dav_auth_choose(&account, NEGOTIATE | FORMS, NTLM, true, &code));
    assert_string_equal(code, "auth-none-usable");
    assert_null(dav_auth_choose(&account, 0, 0, true, &code)); /* it offers nothing we know */
    assert_null(dav_auth_choose(&account, BASIC, 0, false, &code));
    assert_string_equal(code, "auth-cleartext-refused");
    assert_null(dav_auth_choose(&account, FORMS, 0, true, &code));
    assert_string_equal(code, "auth-none-usable");
    account.auth_count = 1; /* Basic is offered, and not allowed here */
    assert_null(dav_auth_choose(&account, BASIC, 0, true, &code));
    assert_string_equal(code, "auth-none-usable");
    account.auth[0] = DAV_SCHEME_FORMS; /* the password would be readable */
    assert_null(dav_auth_choose(&account, FORMS, 0, false, &code));
    assert_string_equal(code, "auth-cleartext-refused");
}

static void line(void **state)
{
    struct secret *secret = secret_new("s\xc3\xa9same: ouvre-toi");
    struct buf out;

    (void)state;
    buf_init(&out, 8192);
    assert_true(dav_auth_basic.line("EXAMPLE\\svc", secret, &out));
    assert_string_equal(out.data, "Authorization: Basic RVhBTVBMRVxzdmM6c8Opc2FtZTogb3V2cmUtdG9p");
    buf_wipe(&out);
    secret_free(&secret);
}

static void names_it_cannot_carry(void **state)
{
    char why[200] = "";

    (void)state;
    assert_false(dav_auth_basic.accepts("a:b", why, sizeof(why)));
    assert_true(strlen(why) > 0);
    assert_false(dav_auth_basic.accepts("a\r\nX: y", why, sizeof(why)));
    assert_true(dav_auth_basic.accepts("svc@example.test", why, sizeof(why)));
}

static void set_text(void **state)
{
    char text[64], small[9];

    (void)state;
    assert_string_equal(dav_auth_set_text(NTLM | BASIC, text, sizeof(text)), "ntlm, basic");
    assert_string_equal(dav_auth_set_text(0, text, sizeof(text)), "nothing");
    assert_string_equal(dav_auth_set_text(NTLM | BASIC, small, sizeof(small)), "ntlm, ba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers),   cmocka_unit_test(choice),
        cmocka_unit_test(line),     cmocka_unit_test(names_it_cannot_carry),
        cmocka_unit_test(set_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
