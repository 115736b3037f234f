/*
 * cause: the table against the list that was promised to users; texts an administrator can use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/fetch.h"
#include "davclient/cause.h"

static const struct {
    enum dav_step step;
    const char *codes;
} promised[] = {
    {DAV_STEP_DNS, "dns-not-found dns-timeout"},
    {DAV_STEP_TCP, "tcp-refused tcp-timeout tcp-reset"},
    {DAV_STEP_PROXY, "proxy-auth proxy-denied"},
    {DAV_STEP_TLS, "tls-expired tls-not-yet-valid tls-untrusted tls-name-mismatch tls-pin-mismatch tls-protocol"},
    {DAV_STEP_HTTP,
     "http-ssl-required http-forbidden-address http-server-error redirect-foreign webdav-missing webdav-disabled "
     "method-blocked double-escape-blocked"},
    {DAV_STEP_SCHEMES, "auth-none-usable auth-cleartext-refused ntlm-too-weak ntlm-connection-broken"},
    {DAV_STEP_LOGON, "logon-rejected account-locked account-disabled password-expired password-must-change "
                     "logon-right-missing forms-changed"},
    {DAV_STEP_MAILBOX,
     "own-mailbox-missing mailbox-not-found mailbox-moved receive-as-missing receive-as-pending store-offline"},
    {DAV_STEP_CALENDAR, "calendar-not-found"},
    {DAV_STEP_READ, "answer-malformed answer-too-large throttled mailbox-throttled never-read stale removed"},
    {DAV_STEP_CONFIG,
     "config-unknown-key config-wrong-type config-missing config-value config-duplicate config-secret"},
};

static void every_promised_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
        char list[300];

        snprintf(list, sizeof(list), "%s", promised[i].codes);
        for (char *rest, *code = strtok_r(list, " ", &rest); code; code = strtok_r(NULL, " ", &rest)) {
            const struct dav_cause *cause = dav_cause_find(code);

            if (!cause)
                fail_msg("%s is missing", code);
            assert_int_equal(cause->step, promised[i].step);
        }
    }
}

static void rows_make_sense(void **state)
{
    (void)state;
    for (size_t i = 0; i < dav_cause_count(); i++) {
        const struct dav_cause *c = dav_cause_at(i);
        size_t len = strlen(c->code);

        assert_ptr_equal(dav_cause_find(c->code), c); /* unique */
        assert_int_equal(strspn(c->code, "abcdefghijklmnopqrstuvwxyz-"), len);
        assert_true(c->err != DAV_OK);
        assert_true(strlen(c->meaning) > 20 && c->meaning[strlen(c->meaning) - 1] == '.');
        assert_true(strlen(c->advice) > 10 && c->advice[strlen(c->advice) - 1] == '.');
        if (i > 0 && strcmp(c->code, "never-read") != 0)
            assert_true(c->step >= dav_cause_at(i - 1)->step);
    }
    assert_null(dav_cause_at(dav_cause_count()));
    assert_null(dav_cause_find("no-such-code"));
    assert_null(dav_cause_find(NULL));
    assert_non_null(strstr(dav_cause_find("receive-as-missing")->advice, "Add-ADPermission"));
    for (int step = 0; step < DAV_STEPS; step++)
        assert_non_null(dav_step_name((enum dav_step)step));
    for (int err = DAV_OK; err <= DAV_CANCELLED; err++)
        assert_non_null(dav_err_name((enum dav_err)err));
}

/* A failure's class decides what the poller does: these must not drift. */
static void classes(void **state)
{
    (void)state;
    assert_int_equal(dav_cause_find("logon-rejected")->err, DAV_AUTH);
    assert_true(dav_cause_find("logon-rejected")->whole_server);
    assert_int_equal(dav_cause_find("receive-as-missing")->err, DAV_FORBIDDEN);
    assert_false(dav_cause_find("receive-as-missing")->whole_server);
    assert_int_equal(dav_cause_find("mailbox-not-found")->err, DAV_NOT_FOUND);
    assert_int_equal(dav_cause_find("store-offline")->err, DAV_LATER);
    assert_false(dav_cause_find("store-offline")->whole_server);
    assert_int_equal(dav_cause_find("throttled")->err, DAV_LATER);
    assert_int_equal(dav_cause_find("tcp-refused")->err, DAV_NETWORK);
    assert_int_equal(dav_cause_find("answer-malformed")->err, DAV_PROTOCOL);
    assert_int_equal(dav_cause_find("answer-too-large")->err, DAV_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_promised_code),
        cmocka_unit_test(rows_make_sense),
        cmocka_unit_test(classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
