/*
 * session: logon, doubt, pace, pauses. What counts is what the server saw: how often a secret was shown to it, and how
 * many requests came when.
 */
#include "dav_server.h"

#include "inner.h"

static struct outcome got[64];

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    account = usual_account();
    session = session_for(&account, "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void session_anew(const struct dav_account *account, const char *password)
{
    dav_session_close(&session, "another account");
    session = session_for(account, password);
}

static void start(unsigned i, const char *address)
{
    struct dav_question question = question_about(address);

    memset(&got[i], 0, sizeof(got[i]));
    dav_query_start(session, &question, note_result, &got[i]);
}

static void ask_about(const char *address)
{
    struct dav_question question = question_about(address);

    ask(&got[0], &question);
}

static struct dav_session_info info(void)
{
    struct dav_session_info i;

    dav_session_info(session, &i);
    return i;
}

static void give_secret(const char *password)
{
    struct secret *secret = secret_new(password);

    dav_session_set_secret(session, secret);
    secret_free(&secret);
}

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

/* What is on its way could be the proof; when it takes long, one is asked for, and nobody else waits for the slow one. */
static void a_closed_mailbox_beside_a_slow_one(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = closed_or_slow;
    closed_answers = 0;
    start(1, "slow");
    wait_for(&server.held_count, 1);
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

static bool hold_first_mailbox(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || !strstr(path, "slow"))
        return false;
    hold(req);
    return true;
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

/* --- pace and places --- */

static void no_more_at_once_than_allowed(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    account.max_connections = 3;
    session_anew(&account, "secret");
    ask_about("anna");
    server.most_at_once = 0;
    server.answer = hold_first_mailbox;
    for (unsigned i = 0; i < 10; i++)
        start(i, "slow");
    wait_for(&server.held_count, 3);
    settle();
    assert_int_equal(server.held_count, 3);
    assert_int_equal(dav_session_room(session), 0);
    assert_int_equal(info().running, 3);
    assert_int_equal(info().waiting, 7);
    assert_true(info().connections <= 3);
    server.answer = NULL;
    for (unsigned i = 0; i < 3; i++)
        reply_usual(server.held[i], "PROPFIND", "/exchange/slow/");
    for (unsigned i = 0; i < 10; i++)
        wait_for(&got[i].calls, 1);
    assert_in_range(server.most_at_once, 1, 3);
}

static void what_was_begun_gets_done_first(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    account.max_connections = 1;
    session_anew(&account, "secret");
    ask_about("anna");
    buf_reset(&server.log);
    start(1, "bob");
    start(2, "carl");
    wait_for(&got[2].calls, 1);
    assert_string_equal(server.log.data, "PROPFIND /exchange/bob/ auth\nSEARCH /exchange/bob/Kalender/ auth\n"
                                         "PROPFIND /exchange/carl/ auth\nSEARCH /exchange/carl/Kalender/ auth\n");
}

static void the_budget_of_requests(void **state)
{
    struct dav_account account = usual_account();
    unsigned before;

    (void)state;
    account.max_requests_per_second = 10;
    session_anew(&account, "secret");
    ask_about("anna");
    before = server.requests;
    for (unsigned i = 0; i < 40; i++)
        start(i, "anna"); /* two requests each: eight seconds' worth */
    for (int i = 0; i < 2000; i++) {
        loop_turn(loop, 0);
        loop_advance(loop, 1);
    }
    assert_in_range(server.requests - before, 15, 22);
    for (unsigned i = 0; i < 40; i++) {
        for (int tenths = 0; tenths < 200 && !got[i].calls; tenths++) {
            loop_advance(loop, 100);
            loop_turn(loop, 1);
        }
        assert_int_equal(got[i].err, DAV_OK);
    }
}

static void a_person_who_never_gets_an_answer_delays_nobody(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = hold_first_mailbox;
    start(1, "slow");
    wait_for(&server.held_count, 1);
    for (int i = 0; i < 10; i++) {
        ask_about("anna");
        assert_int_equal(got[0].err, DAV_OK);
    }
    assert_int_equal(got[1].calls, 0);
    loop_advance(loop, 61000);
    wait_for(&got[1].calls, 1);
    assert_string_equal(got[1].code, "answer-timeout");
    assert_string_equal(info().state, "ready");
}

/* --- pauses --- */

static const char *pause_header;
static int pause_status;

static bool overloaded(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || strcmp(path, "/exchange/") == 0)
        return false;
    reply(req, pause_status, pause_header, "");
    return true;
}

static void a_server_that_asks_for_a_pause(void **state)
{
    unsigned before;

    (void)state;
    ask_about("anna");
    server.answer = overloaded;
    pause_status = 429;
    pause_header = "Retry-After: 30";
    ask_about("anna");
    assert_string_equal(got[0].code, "throttled");
    assert_int_equal(got[0].retry_after_s, 30);
    assert_string_equal(info().state, "backing off");
    assert_in_range(info().retry_at, NOON + 30, NOON + 34);
    before = server.requests;
    loop_advance(loop, 29000);
    ask_about("anna");
    assert_string_equal(got[0].code, "throttled");
    assert_true(got[0].retry_after_s > 0);
    assert_int_equal(server.requests, before);
    server.answer = NULL;
    loop_advance(loop, 4000);
    assert_string_equal(info().state, "ready");
    buf_reset(&server.log);
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
    assert_null(strstr(server.log.data, "PROPFIND /exchange/ ")); /* the logon still holds */
    /* a pause of a year is not kept */
    server.answer = overloaded;
    pause_status = 503;
    pause_header = "Retry-After: 31536000";
    ask_about("anna");
    assert_in_range(info().retry_at, clk_wall_s(clk) + 500, clk_wall_s(clk) + 700);
}

static bool one_overloaded(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    return strstr(path, "bad") && overloaded(req, method, path, authorized);
}

/* It is the mailbox, not the server: after a few times only its person is told to wait. */
static void one_mailbox_that_asks_for_a_pause(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = one_overloaded;
    pause_status = 429;
    pause_header = "Retry-After: 30";
    for (unsigned i = 0; i < 2; i++) { /* nobody else was served in between: the server's */
        ask_about("bad");
        assert_string_equal(got[0].code, "throttled");
        assert_string_equal(info().state, "backing off");
        loop_advance(loop, 600000);
    }
    for (unsigned i = 0; i < 6; i++) {
        ask_about("anna");
        assert_int_equal(got[0].err, DAV_OK);
        ask_about("bad");
        assert_string_equal(got[0].code, i < 1 ? "throttled" : "mailbox-throttled");
        assert_int_equal(got[0].err, DAV_LATER);
        assert_int_equal(got[0].retry_after_s, 30);
        if (i < 1)
            loop_advance(loop, 600000);
        else
            assert_string_equal(info().state, "ready");
    }
    server.answer = overloaded; /* and now all of it */
    ask_about("anna");
    assert_string_equal(got[0].code, "throttled");
    assert_string_equal(info().state, "backing off");
}

static bool broken_store(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || !strstr(path, "broken"))
        return false;
    reply(req, 503, NULL, "");
    return true;
}

static void one_store_is_not_the_server(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = broken_store;
    for (unsigned i = 0; i < 40; i++)
        start(i, i % 10 ? "broken" : "anna");
    for (unsigned i = 0; i < 40; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, i % 10 ? "store-offline" : "");
    }
    assert_string_equal(info().state, "ready");
}

static void errors_in_a_row_are_the_server(void **state)
{
    unsigned i, before;

    (void)state;
    ask_about("anna");
    loop_advance(loop, 20000); /* nobody well for a while */
    server.answer = overloaded;
    pause_status = 500;
    pause_header = NULL;
    for (i = 0; i < 10 && strcmp(info().state, "ready") == 0; i++)
        ask_about("anna");
    assert_int_equal(i, 5);
    assert_string_equal(info().state, "unreachable");
    assert_string_equal(info().code, "http-server-error");
    before = server.requests;
    ask_about("anna");
    assert_int_equal(server.requests, before);
    server.answer = NULL;
    loop_advance(loop, 2000);
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
    assert_null(info().code);
}

static void a_server_that_goes_away(void **state)
{
    struct httpd_settings settings = {0};
    char listen[40], why[200];
    int64_t pause, last = 0;

    (void)state;
    ask_about("anna");
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", httpd_port(server.httpd));
    settings.listen = listen;
    httpd_free(&server.httpd);
    for (unsigned i = 0; i < 20; i++)
        start(i, "anna");
    for (unsigned i = 0; i < 20; i++) {
        wait_for(&got[i].calls, 1);
        assert_true(strcmp(got[i].code, "tcp-refused") == 0 || strcmp(got[i].code, "tcp-reset") == 0);
        assert_int_equal(got[i].err, DAV_NETWORK);
    }
    assert_string_equal(info().state, "unreachable");
    assert_true(info().failing_since > 0);
    for (int i = 0; i < 12; i++) { /* pauses grow up to a minute */
        pause = info().retry_at - clk_wall_s(clk);
        assert_in_range(pause, last / 2, 76);
        last = pause;
        loop_advance(loop, pause * 1000 + 1000);
        ask_about("anna");
        assert_string_equal(got[0].code, "tcp-refused");
    }
    assert_true(last >= 44);
    server.httpd = httpd_new(loop, &settings, server_handle, NULL, why, sizeof(why));
    assert_non_null(server.httpd);
    loop_advance(loop, 80000);
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
    assert_int_equal(info().failing_since, 0);
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
        cmocka_unit_test_setup_teardown(no_more_at_once_than_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_begun_gets_done_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_budget_of_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_who_never_gets_an_answer_delays_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_asks_for_a_pause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_mailbox_that_asks_for_a_pause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_store_is_not_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_in_a_row_are_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_goes_away, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
