/*
 * session_queue: pace, places and pauses. What counts is what the server saw: how many requests came when.
 */
#include "session_world.h"

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
    for (unsigned held = 1; held <= 3; held++) { /* each shows the password, so the next waits until it is known good */
        wait_for(&server.held_count, held);
        settle();
        assert_int_equal(server.held_count, held);
        loop_advance(loop, 1000);
    }
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
    unsigned asked = 0; /* there is no room without end for questions that will be answered with the same news */
    while (asked < 64 && dav_session_room(session) > 0)
        start(asked++, "anna");
    assert_in_range(asked, 1, 16);
    for (unsigned i = 0; i < asked; i++)
        wait_for(&got[i].calls, 1);
    assert_true(dav_session_room(session) > 0);
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
