/*
 * auth_header, auth_reason, auth_budget: the pure parts of logging on. What a line offers, what a page says, how often
 * a secret may still be shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth.h"
#include "davclient/cause.h"

/* "scheme:token scheme:" of a line. */
static void challenges(const char *line, const char *expected)
{
    char got[400] = "";
    struct dav_challenge c;

    while (dav_challenge_next(&line, &c)) {
        size_t len = strlen(got);

        snprintf(got + len, sizeof(got) - len, "%.*s:%.*s ", (int)c.scheme_len, c.scheme, (int)c.token_len, c.token);
    }
    assert_string_equal(got, expected);
    assert_int_equal(*line, '\0');
}

static void lines(void **state)
{
    (void)state;
    challenges("NTLM", "NTLM: ");
    challenges("NTLM TlRMTVNTUAAC==", "NTLM:TlRMTVNTUAAC== ");
    challenges("NTLM TlRMTVNTUAAC, Negotiate oYG2=", "NTLM:TlRMTVNTUAAC Negotiate:oYG2= ");
    challenges("Negotiate,NTLM,Basic realm=\"a, b\"", "Negotiate: NTLM: Basic: ");
    challenges("Digest realm=\"x\", nonce=\"NTLM, y\", qop = auth, Basic realm=z", "Digest: Basic: ");
    challenges("Basic realm=\"\\\", NTLM, \\\"\"", "Basic: ");
    challenges("Bearer abc def, NTLM", "Bearer: NTLM: ");
    challenges("x=1, y=2, NTLM AAAA", "NTLM:AAAA ");
    challenges("=, \"NTLM, \", ,,NTLM", "NTLM: ");
    challenges("NTLM  \tAA== \t, Basic", "NTLM:AA== Basic: ");
    challenges("NTLM \"AA\"", "NTLM: ");
    challenges("", "");
}

static void pages(void **state)
{
    static const struct {
        const char *page;
        enum dav_auth_verdict verdict;
        const char *code;
    } cases[] = {
        {"", DAV_AUTH_REJECTED, "logon-rejected"},
        {"<h1>401 Unauthorized</h1>", DAV_AUTH_REJECTED, "logon-rejected"},
        {"HTTP Error 401.1 - Unauthorized: Access is denied due to invalid credentials.", DAV_AUTH_REJECTED,
         "logon-rejected"},
        {"HTTP Error 401.3 - Unauthorized: Access is denied due to an ACL", DAV_AUTH_DENIED, "logon-rejected"},
        {"HTTP Error 401.2 - Unauthorized: server configuration", DAV_AUTH_NOT_THIS_WAY, "logon-rejected"},
        {"see also 401.2 and 401.3", DAV_AUTH_REJECTED, "logon-rejected"},
        {"401.1 ... 401.3", DAV_AUTH_REJECTED, "logon-rejected"},
        {"HTTP Error 401.1 Error Code 0x80070775", DAV_AUTH_REJECTED, "account-locked"},
        {"Error Code 0X80070533, 401.3", DAV_AUTH_REJECTED, "account-disabled"},
        {"NT_STATUS_PASSWORD_EXPIRED", DAV_AUTH_REJECTED, "password-expired"},
        {"NT_STATUS_PASSWORD_MUST_CHANGE", DAV_AUTH_REJECTED, "password-must-change"},
        {"STATUS C000015B", DAV_AUTH_REJECTED, "logon-right-missing"},
        {"The referenced account is currently locked out and may not be logged on to.", DAV_AUTH_REJECTED,
         "account-locked"},
        {"This user can't sign in because this account is currently disabled.", DAV_AUTH_REJECTED, "account-disabled"},
        {"Client's credentials have been revoked.", DAV_AUTH_REJECTED, "account-locked"},
        {"Preauthentication failed.", DAV_AUTH_REJECTED, "logon-rejected"},
    };
    const char *code;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum dav_auth_verdict verdict = dav_auth_verdict_of(cases[i].page, strlen(cases[i].page), &code);

        if (verdict != cases[i].verdict || strcmp(code, cases[i].code) != 0)
            fail_msg("%s: %d %s", cases[i].page, (int)verdict, code);
        assert_non_null(dav_cause_find(code));
    }
    assert_null(dav_auth_reason_in("reason=0", 8));
}

/* What stands far down a huge page is not looked at. */
static void a_page_without_end(void **state)
{
    size_t len = 1 << 20;
    char *page = malloc(len);
    const char *code;

    (void)state;
    memset(page, 'x', len);
    memcpy(page + len - 10, "0x80070775", 10);
    assert_int_equal(dav_auth_verdict_of(page, len, &code), DAV_AUTH_REJECTED);
    assert_string_equal(code, "logon-rejected");
    free(page);
}

static void budget(void **state)
{
    struct dav_budget b;
    const int64_t minute = 60000;

    (void)state;
    dav_budget_fresh(&b);
    assert_int_equal(dav_budget_rejected(&b, 0), -1); /* never worked */
    dav_budget_fresh(&b);
    dav_budget_worked(&b, 0);
    assert_int_equal(dav_budget_rejected(&b, 10 * minute), DAV_BUDGET_RETRY_MS);
    assert_int_equal(dav_budget_rejected(&b, 11 * minute), -1); /* that was the one */
    assert_int_equal(dav_budget_rejected(&b, 12 * minute), -1);
    dav_budget_worked(&b, 20 * minute);
    assert_int_equal(dav_budget_rejected(&b, 31 * minute), -1); /* too long ago */
    dav_budget_worked(&b, 40 * minute);
    assert_int_equal(dav_budget_rejected(&b, 41 * minute), DAV_BUDGET_RETRY_MS);
    dav_budget_worked(&b, 42 * minute); /* the hiccup is over */
    assert_int_equal(dav_budget_rejected(&b, 43 * minute), DAV_BUDGET_RETRY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(pages),
        cmocka_unit_test(a_page_without_end),
        cmocka_unit_test(budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
