/*
 * auth_form: the walk to the form, what is sent, and what a server's answers to it mean. Counted is how often the form
 * was sent: each is a password shown.
 */
#include "dav_server.h"

#include "auth_form.h"
#include "inner.h"

#define FORM(action)                                                                                                   \
    "<html><form action=\"" action "\" method=post><input type=hidden name=destination value=\"\">"                    \
    "<input type=hidden name=flags value=0><input name=username><input type=password name=password></form></html>"
#define PAGE "/owa/auth/logon.aspx"
#define TARGET "/owa/auth/owaauth.dll"

enum verdict {
    IN,              /* cookies that are good */
    COOKIES_OF_LEAD, /* cookies, and 440 at their first use */
    REASON_2,
    NO_VERDICT, /* back to the form, reason=0 */
    NO_COOKIES,
    FORM_AGAIN,
    EXPIRED_PAGE,
    SERVER_ERROR,
    NOT_FOUND,
};

static struct outcome got[40];
static enum verdict verdict;
static unsigned posts, generation, denied, seen_translate;
static bool alive; /* the session of the newest cookies */
static const char *page_body, *page_location, *closed;
static char last_post[2000];
static int find_status;

static void logon_page(struct httpd_req *req)
{
    if (page_location)
        reply_plain(req, 302, page_location, "");
    else
        reply_plain(req, 200, "Set-Cookie: lang=en; path=/", page_body);
}

static void on_post(struct httpd_req *req)
{
    static char cookie[100];
    const char *headers[] = {"Location: /exchange/", cookie, "Set-Cookie: sessionid=1,0x409; path=/", NULL};
    size_t len;

    snprintf(last_post, sizeof(last_post), "%s", httpd_body(req, &len));
    posts++;
    snprintf(cookie, sizeof(cookie), "Set-Cookie: cadata=\"g%u, +/==\"; HttpOnly; path=/", ++generation);
    alive = verdict == IN;
    switch (verdict) {
    case IN:
    case COOKIES_OF_LEAD:
        server.at_once--;
        httpd_reply(req, 302, headers, "", 0);
        return;
    case REASON_2:
        reply_plain(req, 302, "Location: " PAGE "?url=x&reason=2", "");
        return;
    case NO_VERDICT:
        reply_plain(req, 302, "Location: " PAGE "?url=x&reason=0", "");
        return;
    case NO_COOKIES:
        reply_plain(req, 302, "Location: /exchange/", "");
        return;
    case FORM_AGAIN:
        reply_plain(req, 200, "Set-Cookie: cadata=x", FORM("owaauth.dll"));
        return;
    case EXPIRED_PAGE:
        reply_plain(req, 302, "Location: /owa/auth/expiredpassword.aspx", "");
        return;
    case SERVER_ERROR:
        reply_plain(req, 503, NULL, "");
        return;
    case NOT_FOUND:
        reply_plain(req, 404, NULL, "");
        return;
    }
}

static bool has_session(struct httpd_req *req)
{
    const char *cookies = httpd_header(req, "Cookie");
    char wanted[60];

    snprintf(wanted, sizeof(wanted), "cadata=\"g%u, +/==\"", generation);
    return alive && cookies && strstr(cookies, wanted) && strstr(cookies, "sessionid=1,0x409");
}

static bool forms_server(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)authorized;
    assert_null(httpd_header(req, "Authorization"));
    seen_translate += (strcmp(method, "GET") == 0 || strcmp(method, "POST") == 0) && httpd_header(req, "Translate");
    if (strcmp(path, PAGE) == 0 && strcmp(method, "GET") == 0)
        logon_page(req);
    else if (strcmp(path, TARGET) == 0 && strcmp(method, "POST") == 0)
        on_post(req);
    else if (has_session(req) && !(closed && strstr(path, closed)))
        reply_usual(req, method, path);
    else if (strcmp(method, "GET") == 0)
        reply_plain(req, find_status, find_status == 302 ? "Location: " PAGE "?url=x&reason=0" : NULL, "");
    else {
        denied++;
        reply_plain(req, 440, "Set-Cookie: cadata=; path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT",
                    "440 Login Timeout");
    }
    return true;
}

static struct dav_account forms_account(void)
{
    struct dav_account account = usual_account();

    account.auth[0] = DAV_SCHEME_FORMS;
    return account;
}

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    verdict = IN;
    posts = generation = denied = seen_translate = 0;
    alive = false;
    page_body = FORM("owaauth.dll");
    page_location = closed = NULL;
    find_status = 302;
    server.answer = forms_server;
    account = forms_account();
    session = session_for(&account, "sec&ret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void session_anew(void)
{
    struct dav_account account = forms_account();

    dav_session_close(&session, "anew");
    session = session_for(&account, "sec&ret");
    posts = 0;
    alive = false;
}

static void ask_all(unsigned count, const char *code)
{
    struct dav_question question = question_about("anna");

    for (unsigned i = 0; i < count; i++) {
        memset(&got[i], 0, sizeof(got[i]));
        dav_query_start(session, &question, note_result, &got[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, code);
    }
}

static void ask_one(const char *address, const char *code)
{
    struct dav_question question = question_about(address);

    ask(&got[0], &question);
    assert_string_equal(got[0].code, code);
}

static struct dav_session_info info(void)
{
    struct dav_session_info i;

    dav_session_info(session, &i);
    return i;
}

static void one_logon_for_all(void **state)
{
    (void)state;
    ask_all(30, "");
    assert_int_equal(posts, 1);
    assert_string_equal(info().scheme, "forms");
    assert_string_equal(info().offered, "forms");
    assert_int_equal(seen_translate, 0); /* a logon page answers it by 403 */
    assert_non_null(strstr(last_post, "destination=http%3A%2F%2F127.0.0.1%3A"));
    assert_non_null(strstr(last_post, "&flags=4&username=EXAMPLE%5Csvc&password=sec%26ret"));
    ask_all(30, "");
    assert_int_equal(posts, 1);
}

static void names_as_the_form_wants_them(void **state)
{
    static const struct {
        enum dav_logon_format format;
        const char *user, *sent, *code;
    } cases[] = {
        {DAV_LOGON_AS_GIVEN, "EXAMPLE\\svc", "username=EXAMPLE%5Csvc&", ""},
        {DAV_LOGON_USER, "EXAMPLE\\svc", "username=svc&", ""},
        {DAV_LOGON_USER, "svc@example.test", "username=svc&", ""},
        {DAV_LOGON_DOMAIN_USER, "EXAMPLE\\svc", "username=EXAMPLE%5Csvc&", ""},
        {DAV_LOGON_DOMAIN_USER, "svc@example.test", NULL, "config-account"},
        {DAV_LOGON_UPN, "svc@example.test", "username=svc%40example.test&", ""},
        {DAV_LOGON_UPN, "EXAMPLE\\svc", NULL, "config-account"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dav_account account = forms_account();

        account.logon_format = cases[i].format;
        account.user = cases[i].user;
        dav_session_close(&session, "anew");
        session = session_for(&account, "secret");
        posts = 0;
        ask_one("anna", cases[i].code);
        assert_int_equal(posts, cases[i].sent != NULL);
        if (cases[i].sent)
            assert_non_null(strstr(last_post, cases[i].sent));
    }
}

/* A wrong password is refused in many ways; each is recognised, and it is shown once. */
static void verdicts(void **state)
{
    static const struct {
        enum verdict verdict;
        const char *code;
        bool for_good; /* not shown again by itself */
    } cases[] = {
        {COOKIES_OF_LEAD, "logon-rejected", true}, {REASON_2, "logon-rejected", true},
        {NO_COOKIES, "logon-rejected", true},      {FORM_AGAIN, "logon-rejected", true},
        {EXPIRED_PAGE, "password-expired", true},  {NO_VERDICT, "forms-changed", false},
        {NOT_FOUND, "forms-changed", false},       {SERVER_ERROR, "http-server-error", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        verdict = cases[i].verdict;
        session_anew();
        ask_all(20, cases[i].code);
        assert_int_equal(posts, 1);
        assert_string_equal(info().code, cases[i].code);
        assert_int_equal(info().rejected_logons, cases[i].for_good);
        for (int minutes = 0; minutes < 60; minutes++) {
            loop_advance(loop, 80000);
            ask_one("anna", cases[i].code);
        }
        assert_in_range(posts, 1, cases[i].for_good ? 1 : 3);
    }
}

static void pages_that_lead_nowhere(void **state)
{
    static const struct {
        const char *body, *location, *code;
    } cases[] = {
        {"<html>Welcome to our portal</html>", NULL, "forms-changed"},
        {"<form><input name=otp></form>", NULL, "forms-changed"},
        {FORM("https://evil.example/steal"), NULL, "redirect-foreign"},
        {FORM("//evil.example/steal"), NULL, "redirect-foreign"},
        {FORM("javascript:send()"), NULL, "forms-changed"}, /* there is nothing at that path */
        {"", "Location: https://login.evil.example/", "redirect-foreign"},
        {"", "Location: " PAGE "?again", "redirect-loop"},
        {"<script>a_sLgnQS=\"" PAGE "\"; a_sUrl=\"?x\"</script>", NULL, "redirect-loop"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        page_body = cases[i].body;
        page_location = cases[i].location;
        session_anew();
        ask_all(3, cases[i].code);
        assert_int_equal(posts, 0);
        assert_int_equal(info().rejected_logons, 0);
    }
}

static void a_page_of_10_mb(void **state)
{
    size_t len = 10 << 20;
    char *body = mem_calloc(1, len + 1);

    (void)state;
    memset(body, '<', len);
    page_body = body;
    ask_all(2, "forms-changed");
    assert_int_equal(posts, 0);
    free(body);
}

/* Whoever is not led to the page goes where it usually is; a page may be only a script that leads on. */
static void ways_to_the_page(void **state)
{
    (void)state;
    find_status = 403;
    buf_reset(&server.log);
    ask_all(1, "forms-changed"); /* of 2003, as the product says */
    assert_non_null(strstr(server.log.data, "GET /exchweb/bin/auth/owalogon.asp"));
    assert_int_equal(posts, 0);
}

/* --- the session's life --- */

static void a_session_that_ends(void **state)
{
    (void)state;
    ask_all(20, "");
    for (int round = 0; round < 3; round++) {
        alive = false;
        ask_all(20, "");
        assert_int_equal(posts, (unsigned)round + 2);
    }
    assert_int_equal(info().rejected_logons, 0);
    assert_string_equal(info().state, "ready");
}

static void a_closed_mailbox(void **state)
{
    (void)state;
    ask_one("anna", "");
    closed = "carl";
    for (int round = 0; round < 5; round++) {
        ask_one("carl", "receive-as-missing");
        ask_one("anna", "");
    }
    assert_int_equal(posts, 1);
    assert_string_equal(info().state, "ready");
}

/* The password was changed, which shows when the session ends: one refusal, and one retry since it had worked. */
static void a_password_that_stops_working(void **state)
{
    (void)state;
    ask_all(4, "");
    alive = false;
    verdict = COOKIES_OF_LEAD;
    ask_all(20, "logon-rejected");
    assert_int_equal(posts, 2);
    for (int hour = 0; hour < 5; hour++) {
        loop_advance(loop, 3600 * 1000);
        ask_all(4, "logon-rejected");
    }
    assert_int_equal(posts, 3);
}

static void not_in_clear_text(void **state)
{
    struct dav_account account = forms_account();

    (void)state;
    account.url = "http://mail.example.test/exchange/";
    dav_session_close(&session, "anew");
    session = session_for(&account, "secret");
    ask_all(2, "auth-cleartext-refused");
}

static void cancelled_at_any_time(void **state)
{
    struct dav_question question = question_about("anna");

    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        struct dav_query *q;

        if (turns % 10 == 0)
            dav_session_unbreak(session);
        memset(&got[0], 0, sizeof(got[0]));
        q = dav_query_start(session, &question, note_result, &got[0]);
        for (int i = 0; i < turns / 2 && !got[0].calls; i++)
            loop_turn(loop, 1);
        if (!got[0].calls)
            dav_query_cancel(&q);
    }
    ask_all(3, "");
    dav_session_unbreak(session);
    dav_query_start(session, &question, note_result, &got[0]);
    for (int i = 0; i < 8; i++)
        turn();
    dav_session_close(&session, "in the middle");
    settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_logon_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_as_the_form_wants_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verdicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_that_lead_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_of_10_mb, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ways_to_the_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_that_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_mailbox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_password_that_stops_working, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_in_clear_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_at_any_time, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
