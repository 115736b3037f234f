/*
 * session_secret: what a secret may still do. Counted is how often the server was shown each one.
 */
#include "dav_server.h"

#include "base/crypto.h"
#include "inner.h"

static struct outcome got[64];
static const char *right; /* the account's password on the server, NULL: none is right */
static unsigned shown_old, shown_new, shown_other;
static const char *closed;

static char *credential(const char *password, char out[100])
{
    struct buf b, plain;

    buf_init(&b, 99);
    buf_init(&plain, 99);
    buf_addf(&plain, "EXAMPLE\\svc:%s", password);
    buf_adds(&b, "Basic ");
    crypto_base64_encode(&b, plain.data, plain.len);
    snprintf(out, 100, "%s", b.data);
    buf_free(&b);
    buf_free(&plain);
    return out;
}

static bool basic_server(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    const char *sent = httpd_header(req, "Authorization");
    char text[100];

    (void)authorized;
    if (!sent || !right || strcmp(sent, credential(right, text)) != 0 || (closed && strstr(path, closed))) {
        bool is_closed = closed && strstr(path, closed) && sent && right && strcmp(sent, credential(right, text)) == 0;

        if (sent && !is_closed) {
            unsigned *count = strcmp(sent, credential("old", text)) == 0   ? &shown_old
                              : strcmp(sent, credential("new", text)) == 0 ? &shown_new
                                                                           : &shown_other;
            ++*count;
        }
        reply(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
        return true;
    }
    reply_usual(req, method, path);
    return true;
}

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    server.answer = basic_server;
    right = "old";
    closed = NULL;
    shown_old = shown_new = shown_other = 0;
    account = usual_account();
    session = session_for(&account, "old");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void start(unsigned i, const char *address, const char *remember)
{
    struct dav_question question = question_about(address);

    question.remember = remember;
    memset(&got[i], 0, sizeof(got[i]));
    dav_query_start(session, &question, note_result, &got[i]);
}

static void ask_one(const char *address, const char *remember, const char *code)
{
    start(0, address, remember);
    wait_for(&got[0].calls, 1);
    assert_string_equal(got[0].code, code);
}

static void ask_all(unsigned count, const char *code)
{
    for (unsigned i = 0; i < count; i++)
        start(i, "anna", NULL);
    for (unsigned i = 0; i < count; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, code);
    }
}

static struct dav_session_info info(void)
{
    struct dav_session_info i;

    dav_session_info(session, &i);
    return i;
}

static void give(const char *password)
{
    struct secret *secret = secret_new(password);

    dav_session_set_secret(session, secret);
    secret_free(&secret);
}

#define CALENDAR "/exchange/anna/Kalender/"

/* --- rotation --- */

static void a_good_new_one(void **state)
{
    (void)state;
    ask_all(8, "");
    right = "new";
    give("new");
    ask_all(20, "");
    assert_int_equal(shown_old, 0);
    assert_null(info().secret_note);
    assert_int_equal(info().rejected_logons, 0);
    /* the old one is forgotten: when the new one is refused now, that is all there is */
    right = NULL;
    ask_all(4, "logon-rejected");
    assert_int_equal(shown_old, 0);
}

static void a_wrong_new_one(void **state)
{
    (void)state;
    ask_all(8, "");
    give("new");
    ask_all(20, "");
    assert_int_equal(shown_new, 1);
    assert_non_null(info().secret_note);
    assert_non_null(strstr(info().secret_note, "the one before stays in use"));
    assert_null(strstr(info().secret_note, "new\""));
    assert_null(info().code);
    for (int hour = 0; hour < 3; hour++) {
        loop_advance(loop, 3600 * 1000);
        give("new"); /* touched */
        ask_all(8, "");
    }
    assert_int_equal(shown_new, 1);
    /* an administrator says so: it is tried once more, and the old one goes on */
    dav_session_unbreak(session);
    ask_all(8, "");
    assert_int_equal(shown_new, 2);
    assert_non_null(info().secret_note);
    /* yet another, and a good one */
    right = "third";
    give("third");
    ask_all(8, "");
    assert_null(info().secret_note);
    assert_int_equal(shown_old, 0);
}

static void back_to_the_old_one(void **state)
{
    (void)state;
    ask_all(2, "");
    give("new");
    ask_all(2, "");
    assert_non_null(info().secret_note);
    give("old");
    assert_null(info().secret_note);
    ask_all(8, "");
    assert_int_equal(shown_new, 1);
    give("new"); /* changed again: that is a new chance */
    ask_all(8, "");
    assert_int_equal(shown_new, 2);
}

static void neither_is_good(void **state)
{
    (void)state;
    ask_all(2, "");
    right = NULL;
    give("new");
    ask_all(20, "logon-rejected");
    assert_int_equal(shown_new, 1);
    assert_int_equal(shown_old, 1);
    assert_string_equal(info().state, "refused");
    loop_advance(loop, 3600 * 1000);
    ask_all(20, "logon-rejected");
    assert_int_equal(shown_new, 1);
    assert_in_range(shown_old, 1, 2); /* it had worked just before */
}

/* A secret that was refused already is no way back. */
static void after_a_refusal(void **state)
{
    (void)state;
    right = "third";
    ask_all(5, "logon-rejected");
    give("new");
    ask_all(5, "logon-rejected");
    assert_int_equal(shown_old, 1);
    assert_int_equal(shown_new, 1);
    give("third");
    ask_all(5, "");
    assert_int_equal(shown_old, 1);
}

static void two_changes_at_once(void **state)
{
    (void)state;
    ask_all(2, "");
    give("new");
    give("other");
    ask_all(8, "");
    assert_int_equal(shown_new, 0);
    assert_int_equal(shown_other, 1);
    assert_non_null(info().secret_note);
}

/* The file changes first: refused once, the old one goes on; the server follows, and refuses the old one once. */
static void the_file_before_the_server(void **state)
{
    (void)state;
    ask_all(4, "");
    give("new");
    ask_all(20, "");
    assert_int_equal(shown_new, 1);
    loop_advance(loop, 3600 * 1000);
    ask_all(20, "");
    assert_int_equal(shown_new, 1);
    right = "new";
    for (unsigned i = 0; i < 40; i++)
        start(i, "anna", CALENDAR);
    for (unsigned i = 0; i < 40; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "");
    }
    assert_int_equal(shown_old, 1);
    assert_int_equal(shown_new, 1);
    assert_null(info().secret_note);
    assert_string_equal(info().state, "ready");
    right = NULL; /* nothing is left of the old one */
    ask_all(4, "logon-rejected");
    assert_int_equal(shown_old, 1);
}

/* The server has neither: the file's had its second chance, the one in use its retry, and that is all. */
static void the_file_and_the_server_disagree(void **state)
{
    (void)state;
    ask_all(4, "");
    give("new");
    ask_all(4, "");
    right = "third";
    ask_all(8, "logon-rejected");
    assert_int_equal(shown_new, 2);
    assert_string_equal(info().state, "refused");
    for (int hour = 0; hour < 24; hour++) {
        loop_advance(loop, 3600 * 1000);
        ask_all(8, "logon-rejected");
    }
    assert_int_equal(shown_new, 2);
    assert_in_range(shown_old, 1, 2);
    give("third");
    ask_all(8, "");
    assert_int_equal(info().rejected_logons, shown_old + shown_new);
}

/* Basic, eight connections: how many are refused together when a password dies in full work. */
static bool hold_all(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method, (void)path, (void)authorized;
    hold(req);
    return true;
}

static void what_is_in_the_air_together(void **state)
{
    (void)state;
    ask_all(8, "");
    server.answer = hold_all;
    for (unsigned i = 0; i < 30; i++)
        start(i, "anna", CALENDAR);
    wait_for(&server.held_count, 1);
    settle();
    assert_int_equal(server.held_count, 1);
    loop_advance(loop, 900);
    settle();
    assert_int_equal(server.held_count, 1);
    /* those that were let in work side by side; no more than three are younger than a second */
    for (unsigned step = 0, before = 1, earlier = 1; step < 20; step++) {
        assert_in_range(server.held_count - earlier, 0, 3);
        earlier = before;
        before = server.held_count;
        loop_advance(loop, 400);
        settle();
    }
    assert_int_equal(server.held_count, 8);
}

/* The server's password changes first, the file half a minute later; all calendars have been read before. */
static void rotated_under_load(void **state)
{
    (void)state;
    ask_all(40, "");
    right = "new";
    for (unsigned i = 0; i < 40; i++)
        start(i, "anna", CALENDAR);
    for (unsigned i = 0; i < 40; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "logon-rejected");
        assert_true(got[i].retry_after_s > 0);
    }
    assert_int_equal(shown_old, 1);
    loop_advance(loop, 30000);
    give("new");
    for (unsigned i = 0; i < 40; i++)
        start(i, "anna", CALENDAR);
    for (unsigned i = 0; i < 40; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "");
    }
    assert_int_equal(shown_old, 1);
    assert_int_equal(shown_new, 0);
}

/* --- one rejected logon, and what may follow --- */

static void a_minute_later_once(void **state)
{
    (void)state;
    ask_one("anna", NULL, "");
    right = NULL;
    ask_one("anna", CALENDAR, "logon-rejected");
    assert_int_equal(shown_old, 1);
    assert_in_range(info().retry_at, clk_wall_s(clk) + 59, clk_wall_s(clk) + 61);
    loop_advance(loop, 50000);
    ask_one("anna", CALENDAR, "logon-rejected");
    assert_int_equal(shown_old, 1);
    loop_advance(loop, 11000);
    ask_one("anna", CALENDAR, "logon-rejected");
    assert_int_equal(shown_old, 2);
    assert_int_equal(info().retry_at, 0);
    for (int hour = 0; hour < 24; hour++) {
        loop_advance(loop, 3600 * 1000);
        ask_one("anna", CALENDAR, "logon-rejected");
    }
    assert_int_equal(shown_old, 2);
    assert_int_equal(info().rejected_logons, 2);
}

static void a_hiccup(void **state)
{
    (void)state;
    for (int episode = 0; episode < 3; episode++) {
        right = "old";
        loop_advance(loop, 61000);
        ask_one("anna", CALENDAR, "");
        right = NULL;
        ask_one("anna", CALENDAR, "logon-rejected");
        assert_int_equal(shown_old, (unsigned)episode + 1);
    }
}

static void not_lately(void **state)
{
    (void)state;
    ask_one("anna", CALENDAR, "");
    loop_advance(loop, 11 * 60000);
    right = NULL;
    ask_one("anna", CALENDAR, "logon-rejected");
    loop_advance(loop, 3600 * 1000);
    ask_one("anna", CALENDAR, "logon-rejected");
    assert_int_equal(shown_old, 1);
}

/* A mailbox that could be read and answers 401 now: everybody waits a minute once, and then the server is known. */
static void a_right_that_was_taken_away(void **state)
{
    (void)state;
    ask_one("anna", NULL, "");
    closed = "anna";
    ask_one("anna", CALENDAR, "logon-rejected");
    assert_string_equal(info().state, "refused");
    loop_advance(loop, 61000);
    ask_one("bob", NULL, "");
    ask_one("anna", CALENDAR, "receive-as-missing");
    assert_string_equal(info().state, "ready");
    closed = "carl";
    ask_one("carl", "/exchange/carl/Kalender/", "receive-as-missing"); /* at once now */
    ask_one("bob", NULL, "");
    assert_int_equal(shown_old, 0);
    assert_null(info().code);
}

/* The same, where the answer shows that Exchange wrote it, so that the logon had passed: nobody waits. */
static bool closed_by_exchange(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    if (!authorized || !strstr(path, "anna"))
        return false;
    (void)method;
    reply_plain(req, 401, "MS-WebStorage: 6.5.7638", "<html><body><h2>HTTP/1.1 401 Access Denied</h2></body></html>");
    return true;
}

static bool exchange_at_the_door(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    if (authorized)
        return closed_by_exchange(req, method, path, authorized);
    server.at_once--;
    httpd_reply(req, 401, (const char *const[]){"WWW-Authenticate: Basic realm=\"x\"", "MS-WebStorage: 6.5.7638", NULL},
                "", 0);
    return true;
}

static void a_right_that_exchange_took_away(void **state)
{
    struct dav_account account = usual_account();

    (void)state;
    server.answer = NULL;
    dav_session_close(&session, "another password");
    session = session_for(&account, "secret");
    ask_one("anna", NULL, "");
    server.answer = closed_by_exchange;
    ask_one("anna", CALENDAR, "receive-as-missing");
    assert_string_equal(info().state, "ready");
    assert_int_equal(info().rejected_logons, 0);
    ask_one("bob", NULL, "");
    /* who puts that header on everything tells nothing by it */
    dav_session_close(&session, "another server");
    session = session_for(&account, "secret");
    server.answer = NULL;
    ask_one("bob", NULL, "");
    dav_session_unbreak(session);
    server.answer = exchange_at_the_door;
    ask_one("bob", NULL, "");
    ask_one("anna", CALENDAR, "logon-rejected");
}

static unsigned answered;

static void count_answer(void *arg, const struct dav_result *result)
{
    (void)arg;
    assert_string_equal(result->code, "logon-rejected");
    answered++;
}

/* Five thousand persons, asked every five minutes for an hour. */
static void an_hour_with_a_wrong_password(void **state)
{
    struct dav_question question = question_about("anna");
    unsigned asked = 0;

    (void)state;
    right = "another";
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 5000; i++, asked++)
            dav_query_start(session, &question, count_answer, NULL);
        wait_for(&answered, asked);
        loop_advance(loop, 300000);
    }
    assert_int_equal(shown_old, 1);
    assert_int_equal(info().rejected_logons, 1);
}

static void no_secret_and_no_scheme_that_wants_none(void **state)
{
    struct dav_account account = usual_account();
    char why[200] = "";

    (void)state;
    assert_null(dav_session_new(loop, &account, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "password"));
    account.auth[0] = DAV_SCHEME_NEGOTIATE;
    struct dav_session *s = dav_session_new(loop, &account, NULL, why, sizeof(why));
    assert_non_null(s);
    dav_session_close(&s, "enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(back_to_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(neither_is_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_refusal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_changes_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotated_under_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file_before_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file_and_the_server_disagree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_the_air_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_minute_later_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hiccup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_lately, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_right_that_was_taken_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_right_that_exchange_took_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_hour_with_a_wrong_password, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_secret_and_no_scheme_that_wants_none, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
