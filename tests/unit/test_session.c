/*
 * session: logon and doubt. What counts is what the server saw: how often a secret was shown to it.
 */
#include "session_world.h"

/* --- logon --- */

static void nothing_before_the_first_question(void **state)
{
    (void)state;
    settle();
    assert_int_equal(server.requests, 0);
    assert_string_equal(info().state, "new");
    assert_true(dav_session_room(session) > 0);
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
    assert_string_equal(info().state, "ready");
    assert_string_equal(info().scheme, "basic");
    assert_string_equal(info().offered, "basic");
    assert_string_equal(info().product, "Exchange 2003 (6.5.7638)");
    assert_int_equal(info().last_ok, NOON);
    assert_int_equal(info().requests, 4);
    assert_null(info().code);
    assert_int_equal(info().failing_since, 0);
}

static void no_password_in_clear_text(void **state)
{
    static const char *const urls[] = {"http://mail.example.test/exchange/", "http://192.0.2.1/exchange/",
                                       "http://127.0.0.1.example.test/"};
    struct dav_account account = usual_account();

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        account.url = urls[i];
        session_anew(&account, "secret");
        ask_about("anna");
        assert_string_equal(got[0].code, "auth-cleartext-refused");
        assert_int_equal(got[0].err, DAV_AUTH);
        assert_int_equal(info().requests, 0);
    }
}

static void a_wrong_password_is_shown_once(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    session_anew(&account, "wrong");
    for (unsigned i = 0; i < 20; i++)
        start(i, "anna");
    for (unsigned i = 0; i < 20; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "logon-rejected");
        assert_int_equal(got[i].requests, 0);
    }
    assert_int_equal(server.authorized, 1);
    assert_int_equal(info().rejected_logons, 1);
    assert_string_equal(info().state, "refused");
    assert_string_equal(info().code, "logon-rejected");
    assert_null(strstr(info().evidence, "wrong"));
    for (int hour = 0; hour < 24; hour++) {
        loop_advance(loop, 3600 * 1000);
        ask_about("anna");
        assert_string_equal(got[0].code, "logon-rejected");
    }
    give_secret("wrong"); /* touched, not changed */
    ask_about("anna");
    assert_int_equal(server.authorized, 1);
    dav_session_unbreak(session);
    ask_about("anna");
    assert_string_equal(got[0].code, "logon-rejected");
    assert_int_equal(server.authorized, 2);
    give_secret("secret");
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
    assert_null(info().code);
}

static bool open_base(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (strcmp(path, "/exchange/") != 0 || authorized)
        return false;
    reply(req, 207, NULL, MULTISTATUS MULTISTATUS_END);
    return true;
}

/* Where the base asks nobody for a password, the first person's mailbox has to show whether it is right: one at a time.
 */
static void a_server_that_lets_everybody_look(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    server.answer = open_base;
    for (unsigned i = 0; i < 10; i++)
        start(i, "anna");
    for (unsigned i = 0; i < 10; i++) {
        wait_for(&got[i].calls, 1);
        assert_int_equal(got[i].err, DAV_OK);
    }
    session_anew(&account, "wrong");
    server.authorized = 0;
    for (unsigned i = 0; i < 10; i++)
        start(i, "anna");
    for (unsigned i = 0; i < 10; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "logon-rejected");
    }
    assert_int_equal(server.authorized, 1);
}

static int probe_status;
static const char *probe_header, *probe_page;
static bool probe_plain;

static bool odd_probe(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    (void)path;
    (void)authorized;
    (probe_plain ? reply_plain : reply)(req, probe_status, probe_header, probe_page);
    return true;
}

static void servers_one_cannot_work_with(void **state)
{
    static const struct {
        int status;
        bool plain;
        const char *header, *page, *code;
    } cases[] = {
        {401, false, "WWW-Authenticate: NTLM", "", "auth-none-usable"},
        {401, false, "WWW-Authenticate: Digest realm=\"Basic\"", "", "auth-none-usable"},
        {440, true, NULL, "440 Login Timeout", "auth-none-usable"},
        {302, true, "Location: /exchweb/bin/auth/owalogon.asp?url=x", "", "auth-none-usable"},
        {302, true, "Location: /owa/", "", "webdav-missing"},
        {301, true, "Location: https://127.0.0.1:1/exchange/", "", "http-ssl-required"},
        {301, true, "Location: https://127.0.0.2:1/exchange/", "", "redirect-foreign"},
        {404, true, NULL, "", "webdav-missing"},
        {200, true, NULL, "<html>It works</html>", "webdav-missing"},
        {500, true, NULL, "", "webdav-disabled"},
        {503, false, NULL, "", "http-server-error"},
        {501, true, NULL, "", "method-blocked"},
        {403, true, NULL, "You are not authorized: 403.6", "http-forbidden-address"},
        {403, true, NULL, "403.4 SSL required", "http-ssl-required"},
        {407, true, NULL, "", "proxy-auth"},
    };
    struct dav_account account = usual_account();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned before;

        probe_status = cases[i].status;
        probe_header = cases[i].header;
        probe_plain = cases[i].plain;
        probe_page = cases[i].page;
        server.answer = odd_probe;
        session_anew(&account, "secret");
        start(0, "anna");
        start(1, "bob");
        wait_for(&got[0].calls, 1);
        wait_for(&got[1].calls, 1);
        if (strcmp(got[0].code, cases[i].code) != 0)
            fail_msg("%d %s: %s, not %s", cases[i].status, cases[i].header ? cases[i].header : "", got[0].code,
                     cases[i].code);
        assert_string_equal(got[1].code, cases[i].code);
        assert_string_equal(info().code, cases[i].code);
        assert_true(info().retry_at > NOON);
        before = server.requests;
        ask_about("carl");
        assert_string_equal(got[0].code, cases[i].code);
        assert_int_equal(server.requests, before); /* told without asking */
    }
    assert_int_equal(server.authorized, 0);
}

/* --- doubt --- */

static unsigned closed_answers;

static bool closed_mailbox(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    (void)authorized;
    if (!strstr(path, "closed"))
        return false;
    closed_answers++;
    reply(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
    return true;
}

static void one_closed_mailbox_is_one_persons_trouble(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = closed_mailbox;
    buf_reset(&server.log);
    ask_about("closed");
    assert_string_equal(got[0].code, "receive-as-missing");
    assert_string_equal(info().state, "ready");
    assert_null(info().code);
    assert_int_equal(info().rejected_logons, 0);
    /* after the first 401 the account is proven on its own URL, once for this question */
    assert_string_equal(server.log.data,
                        "PROPFIND /exchange/closed/ auth\nPROPFIND /exchange/ auth\n"
                        "PROPFIND /exchange/closed/NON_IPM_SUBTREE/ auth\nSEARCH /exchange/closed/Calendar/ auth\n");
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
}

static void many_closed_mailboxes_and_the_others(void **state)
{
    unsigned proofs = 0;

    (void)state;
    ask_about("anna");
    server.answer = closed_mailbox;
    buf_reset(&server.log);
    for (unsigned i = 0; i < 60; i++)
        start(i, i % 3 ? "anna" : "closed");
    for (unsigned i = 0; i < 60; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, i % 3 ? "" : "receive-as-missing");
    }
    for (const char *p = server.log.data; (p = strstr(p, "PROPFIND /exchange/ auth")); p++)
        proofs++;
    assert_in_range(proofs, 0, 20); /* less than one for each */
}

static bool closed_or_slow(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    if (closed_mailbox(req, method, path, authorized))
        return true;
    if (!authorized || !strstr(path, "slow"))
        return false;
    hold(req);
    return true;
}

/* What is on its way could be the proof; when it takes long, one is asked for, and nobody else waits for the slow one.
 */
static void a_closed_mailbox_beside_a_slow_one(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = closed_or_slow;
    closed_answers = 0;
    start(1, "slow");
    wait_for(&server.held_count, 1);
    loop_advance(loop, 1000); /* it has been let in, or it would have been told */
    start(2, "closed");
    wait_for(&closed_answers, 1);
    start(3, "anna");
    loop_advance(loop, 3000);
    wait_for(&got[3].calls, 1);
    assert_int_equal(got[3].err, DAV_OK);
    assert_int_equal(got[1].calls, 0);
    server.answer = closed_mailbox;
    reply_usual(server.held[0], "PROPFIND", "/exchange/slow/");
    wait_for(&got[1].calls, 1);
    wait_for(&got[2].calls, 1);
    assert_string_equal(got[2].code, "receive-as-missing");
    assert_int_equal(info().rejected_logons, 0);
}

static void a_password_that_stops_working(void **state)
{
    (void)state;
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
    server.credential = "Basic bm90aGluZw==";
    server.authorized = 0;
    for (unsigned i = 0; i < 30; i++)
        start(i, "anna");
    for (unsigned i = 0; i < 30; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "logon-rejected");
    }
    /* what was in the air together, and one proof */
    assert_in_range(server.authorized, 1, 9);
    assert_string_equal(info().state, "refused");
    server.authorized = 0;
    loop_advance(loop, 3600 * 1000);
    ask_about("anna");
    assert_int_equal(server.authorized, 0);
}

/* A 401 for the old password, when the new one is there already, is no verdict. */
static void a_rotation_under_way(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = hold_first_mailbox;
    start(1, "slow");
    wait_for(&server.held_count, 1);
    server.credential = "Basic RVhBTVBMRVxzdmM6bmV3"; /* EXAMPLE\svc:new */
    give_secret("new");
    server.answer = NULL;
    reply(server.held[0], 401, "WWW-Authenticate: Basic realm=\"x\"", "");
    wait_for(&got[1].calls, 1);
    assert_int_equal(got[1].err, DAV_OK);
    assert_int_equal(info().rejected_logons, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_before_the_first_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_password_in_clear_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_shown_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_lets_everybody_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(servers_one_cannot_work_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_closed_mailbox_is_one_persons_trouble, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_closed_mailboxes_and_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_mailbox_beside_a_slow_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_password_that_stops_working, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rotation_under_way, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
