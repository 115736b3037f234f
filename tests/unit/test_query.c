/*
 * query, check: the promises of the callback, redirects and where the password goes, answers that are none, the steps
 * of the check.
 */
#include "dav_server.h"

static struct outcome got[16];

static struct httpd *other; /* a second host, as far as ports make one */
static unsigned other_requests, other_passwords;
static char other_method[20], other_body[4000];

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    account = usual_account();
    session = session_for(&account, "secret");
    other_requests = other_passwords = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    httpd_free(&other);
    world_end();
    return 0;
}

static struct dav_query *start(unsigned i, const char *address)
{
    struct dav_question question = question_about(address);

    memset(&got[i], 0, sizeof(got[i]));
    return dav_query_start(session, &question, note_result, &got[i]);
}

static void ask_about(const char *address)
{
    struct dav_question question = question_about(address);

    ask(&got[0], &question);
}

/* --- the callback --- */

static void exactly_once_and_never_before_start_returned(void **state)
{
    (void)state;
    start(0, "anna");
    assert_int_equal(got[0].calls, 0);
    wait_for(&got[0].calls, 1);
    settle();
    assert_int_equal(got[0].calls, 1);
    /* the same when the answer is known before it is asked */
    server.credential = "changed";
    {
        struct secret *wrong = secret_new("wrong");

        dav_session_set_secret(session, wrong);
        secret_free(&wrong);
    }
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_AUTH);
    start(1, "anna");
    assert_int_equal(got[1].calls, 0);
    wait_for(&got[1].calls, 1);
}

/* At every stage of its life: before its first request, with one on its way, in doubt. */
static void never_after_cancel(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        struct dav_query *q = start(0, turns % 2 ? "anna" : "bob");

        for (int i = 0; i < turns / 4 && !got[0].calls; i++)
            loop_turn(loop, 1);
        if (got[0].calls)
            q = NULL;
        dav_query_cancel(&q);
        assert_null(q);
        if (!got[0].calls) {
            settle();
            assert_int_equal(got[0].calls, 0);
        }
        dav_query_cancel(&q);
    }
    ask_about("anna");
    assert_string_equal(got[0].evidence, "");
    assert_int_equal(got[0].err, DAV_OK);
}

static struct dav_query *victims[4];
static unsigned killer_calls;

static void kill_the_others(void *arg, const struct dav_result *r)
{
    (void)arg;
    (void)r;
    killer_calls++;
    for (int i = 0; i < 4; i++)
        dav_query_cancel(&victims[i]);
}

static void cancel_from_inside_a_callback(void **state)
{
    struct dav_question question = question_about("anna");

    (void)state;
    for (int round = 0; round < 2; round++) { /* the second time with bad news, given to all in one go */
        if (round == 1) {
            httpd_free(&server.httpd);
        }
        killer_calls = 0;
        victims[0] = dav_query_start(session, &question, kill_the_others, NULL);
        for (unsigned i = 1; i < 4; i++)
            victims[i] = start(i, "bob");
        wait_for(&killer_calls, 1);
        settle();
        for (unsigned i = 1; i < 4; i++)
            assert_int_equal(got[i].calls, 0);
    }
}

static void close_everything(void *arg, const struct dav_result *r)
{
    (void)arg;
    (void)r;
    killer_calls++;
    dav_session_close(&session, "from a callback");
}

static void close_the_session_from_inside_a_callback(void **state)
{
    struct dav_question question = question_about("anna");

    (void)state;
    killer_calls = 0;
    dav_query_start(session, &question, close_everything, NULL);
    for (unsigned i = 0; i < 10; i++)
        start(i, "bob");
    wait_for(&killer_calls, 1);
    settle();
    for (unsigned i = 1; i < 10; i++)
        assert_true(got[i].calls <= 1);
    assert_null(session);
}

static unsigned again_calls;

static void ask_again_at_once(void *arg, const struct dav_result *r)
{
    struct dav_question question = question_about("anna");

    (void)arg;
    (void)r;
    if (++again_calls < 5000)
        dav_query_start(session, &question, ask_again_at_once, NULL);
}

/* Somebody who asks again in the callback must get his turn, not the whole turn. */
static void asking_again_in_the_callback(void **state)
{
    struct dav_question question = question_about("anna");
    unsigned before;

    (void)state;
    server.credential = "nobody's";
    dav_query_start(session, &question, ask_again_at_once, NULL);
    again_calls = 0;
    wait_for(&server.authorized, 1);
    settle();
    before = again_calls;
    loop_turn(loop, 0);
    assert_in_range(again_calls - before, 0, 3);
}

/* --- redirects --- */

static void other_handle(void *arg, struct httpd_req *req)
{
    const char *headers[] = {"MS-WebStorage: 6.5.7638", "Content-Type: text/xml", NULL};
    const char *method = httpd_method(req), *sent = httpd_header(req, "Authorization");
    size_t len;
    const char *body = httpd_body(req, &len);

    (void)arg;
    other_requests++;
    other_passwords += sent != NULL;
    snprintf(other_method, sizeof(other_method), "%s", method);
    snprintf(other_body, sizeof(other_body), "%.*s", (int)len, body);
    body = strcmp(method, "SEARCH") == 0
               ? ONE_MEETING
               : MULTISTATUS RESPONSE("http://inner.invalid/exchange/carl/",
                                      "<e:calendar>http://inner.invalid/exchange/carl/Agenda</e:calendar>")
                     MULTISTATUS_END;
    httpd_reply(req, 207, headers, body, strlen(body));
}

static void other_begin(void)
{
    struct httpd_settings settings = {.listen = "127.0.0.1:0"};
    char why[200];

    other = httpd_new(loop, &settings, other_handle, NULL, why, sizeof(why));
    assert_non_null(other);
}

static char location[300];
static int redirect_status;

static bool moved(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || !strstr(path, "carl"))
        return false;
    reply(req, redirect_status, location, "");
    return true;
}

static void a_mailbox_on_another_server(void **state)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    struct dav_account account = usual_account();
    struct dav_question question = question_about("carl");
    char host[40], remembered[100];
    const char *allowed[] = {host, NULL};

    (void)state;
    other_begin();
    snprintf(host, sizeof(host), "127.0.0.1:%u", httpd_port(other));
    snprintf(location, sizeof(location), "Location: http://%s/exchange/carl/", host);
    snprintf(remembered, sizeof(remembered), "http://%s/exchange/carl/Agenda/", host);
    account.allowed_hosts = allowed;
    dav_session_close(&session, "another account");
    session = session_for(&account, "secret");
    server.answer = moved;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        redirect_status = statuses[i];
        other_requests = other_passwords = 0;
        ask(&got[0], &question);
        assert_int_equal(got[0].err, DAV_OK);
        assert_int_equal(got[0].count, 1);
        assert_int_equal(got[0].requests, 3); /* the SEARCH goes there at once */
        assert_int_equal(other_requests, 2);
        assert_int_equal(other_passwords, 2);
        assert_string_equal(other_method, "SEARCH"); /* never a GET */
        assert_non_null(strstr(other_body, "busystatus"));
        assert_string_equal(got[0].remember, remembered);
    }
    question.remember = remembered;
    ask(&got[0], &question);
    assert_int_equal(got[0].err, DAV_OK);
    assert_int_equal(got[0].requests, 1);
}

/* The folder that the other host names is searched there: here it would be somebody else's, or nobody's. */
static void a_path_on_another_server(void **state)
{
    struct dav_account account = usual_account();
    struct dav_question question = question_about("carl");
    char host[40], path[100], remembered[100];
    const char *allowed[] = {host, NULL};

    (void)state;
    other_begin();
    snprintf(host, sizeof(host), "127.0.0.1:%u", httpd_port(other));
    snprintf(path, sizeof(path), "http://%s/exchange/carl/", host);
    snprintf(remembered, sizeof(remembered), "http://%s/exchange/carl/Agenda/", host);
    account.allowed_hosts = allowed;
    dav_session_close(&session, "another account");
    session = session_for(&account, "secret");
    question.path = path;
    ask(&got[0], &question);
    assert_int_equal(got[0].err, DAV_OK);
    assert_int_equal(other_requests, 2);
    assert_string_equal(other_method, "SEARCH");
    assert_string_equal(got[0].remember, remembered);
    assert_null(strstr(server.log.data, "/exchange/carl/"));
}

static void a_host_nobody_allowed(void **state)
{
    (void)state;
    other_begin();
    snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/exchange/carl/", httpd_port(other));
    redirect_status = 302;
    server.answer = moved;
    ask_about("carl");
    assert_string_equal(got[0].code, "mailbox-moved");
    assert_non_null(strstr(got[0].evidence, "127.0.0.1"));
    assert_int_equal(other_requests, 0);
    ask_about("anna");
    assert_int_equal(got[0].err, DAV_OK);
}

/* The account's own host is this machine, so Basic is fine there; where it leads is not. */
static void an_allowed_host_that_would_see_the_password(void **state)
{
    static const char *const allowed[] = {"192.0.2.1", NULL};
    struct dav_account account = usual_account();

    (void)state;
    account.allowed_hosts = allowed;
    dav_session_close(&session, "another account");
    session = session_for(&account, "secret");
    snprintf(location, sizeof(location), "Location: http://192.0.2.1/exchange/carl/");
    redirect_status = 302;
    server.answer = moved;
    ask_about("carl");
    assert_string_equal(got[0].code, "auth-cleartext-refused");
    assert_int_equal(got[0].requests, 1);
}

static void round_and_round(void **state)
{
    (void)state;
    snprintf(location, sizeof(location), "Location: /exchange/carl/");
    redirect_status = 302;
    server.answer = moved;
    ask_about("carl");
    assert_string_equal(got[0].code, "redirect-loop");
    assert_int_equal(got[0].requests, 6);
    snprintf(location, sizeof(location), "X: y");
    ask_about("carl");
    assert_string_equal(got[0].code, "answer-malformed");
    snprintf(location, sizeof(location), "Location: /exchweb/bin/auth/owalogon.asp");
    ask_about("carl");
    assert_string_equal(got[0].code, "auth-none-usable");
}

/* --- answers that are none --- */

static unsigned pull_mode, pulled;
enum { CUT = 1, ENDLESS, DEEP, SILENT };

static ssize_t pull(void *arg, char *out, size_t max)
{
    size_t len =
        (size_t)snprintf(out, max, "%s", pulled ? "" : MULTISTATUS APPOINTMENT("One", "3T13:00", "3T14:00", ""));

    (void)arg;
    if (pulled++ == 0)
        return (ssize_t)len;
    if (pull_mode == CUT)
        return HTTPD_PULL_ABORT;
    if (pull_mode == SILENT)
        return HTTPD_PULL_WAIT;
    memset(out, ' ', max);
    if (pull_mode == DEEP)
        for (size_t i = 0; i + 4 <= max; i += 4)
            memcpy(out + i, "<x> ", 4);
    return (ssize_t)max;
}

static void stream_gone(void *arg)
{
    (void)arg;
}

static bool streaming(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    const char *headers[] = {"MS-WebStorage: 6.5.7638", "Content-Type: text/xml", NULL};

    (void)path;
    if (!authorized || strcmp(method, "SEARCH") != 0)
        return false;
    pulled = 0;
    server.at_once--;
    httpd_stream_start(req, 207, headers, pull, stream_gone, NULL);
    return true;
}

static void bodies_that_are_no_answer(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    account.max_answer_bytes = 200000;
    dav_session_close(&session, "another account");
    session = session_for(&account, "secret");
    server.answer = streaming;
    pull_mode = CUT;
    ask_about("anna");
    assert_true(strcmp(got[0].code, "answer-partial") == 0 || strcmp(got[0].code, "tcp-reset") == 0);
    assert_int_equal(got[0].count, 0);
    pull_mode = ENDLESS;
    ask_about("anna");
    assert_string_equal(got[0].code, "answer-too-large");
    assert_int_equal(got[0].count, 0);
    pull_mode = DEEP;
    ask_about("anna");
    assert_string_equal(got[0].code, "answer-too-large");
    server.answer = NULL;
    ask_about("anna"); /* the parser is usable again */
    assert_int_equal(got[0].count, 1);
}

static void silence_after_the_headers(void **state)
{
    (void)state;
    ask_about("anna");
    server.answer = streaming;
    pull_mode = SILENT;
    start(0, "anna");
    for (int i = 0; i < 50; i++)
        turn();
    assert_int_equal(got[0].calls, 0);
    for (int s = 0; s < 130 && !got[0].calls; s++) {
        loop_advance(loop, 1000);
        loop_turn(loop, 1);
    }
    assert_int_equal(got[0].calls, 1);
    assert_string_equal(got[0].code, "answer-timeout");
}

static bool hold_all(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || strcmp(path, "/exchange/") == 0)
        return false;
    hold(req);
    return true;
}

/* One is served at a time, each takes its time to fail: those at the end of the queue are told in time. */
static void within_two_minutes_whatever_happens(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    account.max_connections = 1;
    dav_session_close(&session, "another account");
    session = session_for(&account, "secret");
    ask_about("anna");
    server.answer = hold_all;
    for (unsigned i = 0; i < 9; i++)
        start(i, "anna");
    for (int s = 0; s < 119; s++) {
        loop_advance(loop, 1000);
        loop_turn(loop, 1);
    }
    assert_int_equal(got[8].calls, 0);
    for (int s = 0; s < 3; s++) {
        loop_advance(loop, 1000);
        loop_turn(loop, 1);
    }
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(got[i].calls, 1);
    assert_string_equal(got[0].code, "answer-timeout");
    assert_string_equal(got[8].code, "waited-too-long");
}

/* --- the check --- */

static struct dav_query *checking;
static int cancel_at = -1;

static void note_step(void *arg, const struct dav_step_report *r)
{
    struct outcome *o = arg;
    size_t len = strlen(o->steps);

    snprintf(o->steps + len, sizeof(o->steps) - len, "%s%s%s%s", len ? " " : "", r->ok ? "" : "!",
             dav_step_name(r->step), r->ok ? "" : r->cause->code);
    assert_int_equal(r->ok, r->cause == NULL);
    if ((int)r->step == cancel_at)
        dav_query_cancel(&checking);
}

static void check(const char *address)
{
    struct dav_question question = question_about(address);

    memset(&got[0], 0, sizeof(got[0]));
    checking = dav_check_start(session, &question, note_step, note_result, &got[0]);
    assert_int_equal(strlen(got[0].steps), 0);
    wait_for(&got[0].calls, 1);
}

static bool no_mailbox(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || !strstr(path, "nobody"))
        return false;
    reply(req, 404, NULL, "");
    return true;
}

static bool no_search(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)path;
    if (!authorized || strcmp(method, "SEARCH") != 0)
        return false;
    reply(req, 207, NULL, "<html/>");
    return true;
}

static bool no_folder(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    if (!authorized || strcmp(path, "/exchange/") == 0 || strcmp(method, "PROPFIND") != 0)
        return false;
    reply(req, 200, NULL, "<html/>");
    return true;
}

static void step_by_step(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    check("anna");
    assert_string_equal(got[0].steps, "config dns tcp http schemes logon mailbox calendar read");
    assert_int_equal(got[0].err, DAV_OK);
    server.answer = no_mailbox;
    check("nobody");
    assert_string_equal(got[0].steps, "config dns tcp http schemes logon !mailboxmailbox-not-found");
    server.answer = no_search;
    check("anna");
    assert_string_equal(got[0].steps, "config dns tcp http schemes logon mailbox calendar !readanswer-malformed");
    server.answer = no_folder;
    check("anna");
    assert_string_equal(got[0].steps, "config dns tcp http schemes logon !mailboxanswer-malformed");
    server.answer = NULL;

    dav_session_close(&session, "another account");
    session = session_for(&account, "wrong");
    server.authorized = 0;
    check("anna");
    assert_string_equal(got[0].steps, "config dns tcp http schemes !logonlogon-rejected");
    assert_int_equal(server.authorized, 1);

    dav_session_close(&session, "another account");
    account.url = "http://mail.example.test/exchange/";
    session = session_for(&account, "secret");
    check("anna");
    assert_string_equal(got[0].steps, "config !schemesauth-cleartext-refused");
}

static void a_check_of_a_dead_server(void **state)
{
    (void)state;
    httpd_free(&server.httpd);
    check("anna");
    assert_string_equal(got[0].steps, "config dns !tcptcp-refused");
}

static void cancel_from_inside_a_step(void **state)
{
    struct dav_question question = question_about("anna");

    (void)state;
    for (cancel_at = DAV_STEP_CONFIG; cancel_at <= DAV_STEP_READ; cancel_at++) {
        if (cancel_at == DAV_STEP_PROXY || cancel_at == DAV_STEP_TLS)
            continue;
        memset(&got[0], 0, sizeof(got[0]));
        checking = dav_check_start(session, &question, note_step, note_result, &got[0]);
        for (int i = 0; i < 2000 && checking; i++)
            turn();
        assert_null(checking);
        settle();
        assert_int_equal(got[0].calls, 0);
        assert_true(str_ends(got[0].steps, dav_step_name((enum dav_step)cancel_at)));
    }
    cancel_at = -1;
    check("anna");
    assert_int_equal(got[0].err, DAV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exactly_once_and_never_before_start_returned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_after_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_from_inside_a_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_the_session_from_inside_a_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking_again_in_the_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mailbox_on_another_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_on_another_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_host_nobody_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_allowed_host_that_would_see_the_password, set_up, tear_down),
        cmocka_unit_test_setup_teardown(round_and_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_that_are_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_after_the_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(within_two_minutes_whatever_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(step_by_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_check_of_a_dead_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_from_inside_a_step, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
