/*
 * auth_ntlm: the handshake over HTTP against a server that follows it, and against those that do not. What counts is
 * what the server saw on each connection, above all how many Type 3 messages: each is a password shown.
 */
#include "dav_server.h"

#include "base/crypto.h"
#include "inner.h"
#include "ntlm_parts.h"

#define GOOD_FLAGS                                                                                                     \
    (DAV_NTLM_UNICODE | DAV_NTLM_NTLM | DAV_NTLM_ESS | DAV_NTLM_ALWAYS_SIGN | DAV_NTLM_REQUEST_TARGET)

enum mode {
    PROPER,
    NO_CHALLENGE,   /* a bare 401 to Type 1 */
    CLOSE_AT_TYPE2, /* says Connection: close with the challenge */
    CUT_TYPE3,      /* ends the connection instead of a verdict */
    SECOND_TYPE2,   /* answers Type 3 with a challenge */
    EVERY_REQUEST,  /* forgets the logon after each request */
    RAW_TYPE2,      /* sends `raw` as the challenge */
};

/* What the server knows of one connection. */
struct link {
    enum { NOBODY, CHALLENGED, LOGGED_ON } stage;
    unsigned handshakes, plain;
};

static struct outcome got[64];
static enum mode mode;
static uint32_t flags;
static const char *raw;
static bool wrong; /* every password is */
static unsigned type1, type3, bodies_at_type1, connections, most_handshakes, closed_answers;
static const char *closed; /* this mailbox answers 401 */

static void link_free(void *data)
{
    free(data);
}

static struct link *link_of(struct httpd_req *req)
{
    struct link *l = httpd_connection_data(req);

    if (!l) {
        l = mem_calloc(1, sizeof(*l));
        httpd_set_connection_data(req, l, link_free);
        connections++;
    }
    return l;
}

static void refuse(struct httpd_req *req)
{
    reply(req, 401, "WWW-Authenticate: NTLM", "");
}

static void challenge(struct httpd_req *req, struct link *l)
{
    uint8_t message[48] = "NTLMSSP";
    const char *headers[] = {NULL, mode == CLOSE_AT_TYPE2 ? "Connection: close" : NULL, NULL};
    struct buf line;

    dav_ntlm_put(message + 8, 2, 4);
    dav_ntlm_put(message + 20, flags, 4);
    memcpy(message + 24, "noncenon", 8);
    buf_init(&line, 100000);
    buf_adds(&line, "WWW-Authenticate: NTLM ");
    if (mode == RAW_TYPE2)
        buf_adds(&line, raw);
    else
        crypto_base64_encode(&line, message, sizeof(message));
    headers[0] = line.data;
    l->stage = CHALLENGED;
    server.at_once--;
    httpd_reply(req, 401, headers, "", 0);
    buf_free(&line);
}

static void on_type1(struct httpd_req *req, struct link *l)
{
    size_t len;

    httpd_body(req, &len);
    type1++;
    bodies_at_type1 += len > 0;
    if (mode == NO_CHALLENGE)
        refuse(req);
    else
        challenge(req, l);
}

/* True: logged on. */
static bool on_type3(struct httpd_req *req, struct link *l)
{
    size_t len;

    type3++;
    httpd_body(req, &len);
    assert_true(len > 0);
    assert_int_equal(l->stage, CHALLENGED); /* or the legs came over different connections */
    l->stage = NOBODY;
    if (mode == CUT_TYPE3) {
        server.at_once--;
        httpd_abort(req);
    } else if (mode == SECOND_TYPE2) {
        challenge(req, l);
    } else if (wrong) {
        refuse(req);
    } else {
        l->stage = LOGGED_ON;
        if (++l->handshakes > most_handshakes)
            most_handshakes = l->handshakes;
        return true;
    }
    return false;
}

static bool ntlm_server(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    const char *sent = httpd_header(req, "Authorization");
    struct link *l = link_of(req);

    (void)authorized;
    if (sent && str_starts(sent, "NTLM TlRMTVNTUAAB")) {
        on_type1(req, l);
        return true;
    }
    if (sent && str_starts(sent, "NTLM TlRMTVNTUAAD")) {
        if (!on_type3(req, l))
            return true;
    } else if (l->stage != LOGGED_ON) {
        l->plain++;
        refuse(req);
        return true;
    }
    if (mode == EVERY_REQUEST)
        l->stage = NOBODY;
    if (closed && strstr(path, closed)) {
        closed_answers++;
        l->stage = NOBODY;
        refuse(req);
        return true;
    }
    reply_usual(req, method, path);
    return true;
}

static struct dav_account ntlm_account(void)
{
    struct dav_account account = usual_account();

    account.auth[0] = DAV_SCHEME_NTLM;
    account.lm_compatibility_level = 3;
    account.max_connections = 4;
    return account;
}

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    mode = PROPER;
    flags = GOOD_FLAGS;
    wrong = false;
    closed = NULL;
    type1 = type3 = bodies_at_type1 = connections = most_handshakes = closed_answers = 0;
    server.answer = ntlm_server;
    account = ntlm_account();
    session = session_for(&account, "secret");
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

static void ask_all(unsigned count, const char *code)
{
    for (unsigned i = 0; i < count; i++)
        start(i, i % 2 ? "anna" : "bob", NULL);
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

static void session_anew(const struct dav_account *account)
{
    dav_session_close(&session, "another account");
    session = session_for(account, "secret");
}

/* --- as it should be --- */

static void one_handshake_a_connection(void **state)
{
    (void)state;
    ask_all(1, "");
    assert_int_equal(type3, 1);
    ask_all(40, "");
    assert_in_range(type3, 1, 4);
    assert_int_equal(type1, type3);
    assert_int_equal(bodies_at_type1, 0);
    assert_int_equal(most_handshakes, 1);
    assert_int_equal(info().handshakes, type3);
    assert_in_range(info().connections, 1, 4);
    assert_string_equal(info().scheme, "ntlm");
    assert_non_null(strstr(info().chosen_because, "first in auth"));
    unsigned before = type3;
    ask_all(40, "");
    assert_in_range(type3, before, 4);
    assert_int_equal(info().rejected_logons, 0);
}

static void a_server_that_asks_every_time(void **state)
{
    (void)state;
    mode = EVERY_REQUEST;
    ask_all(20, "");
    assert_int_equal(info().rejected_logons, 0);
    assert_in_range(type1, type3, type3 + 4);
}

/* The first leg is not answered by 401: then nobody wants NTLM there. */
static bool open_for_all(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)authorized;
    type1 += httpd_header(req, "Authorization") != NULL;
    reply_usual(req, method, path);
    return true;
}

static void where_nobody_asks(void **state)
{
    (void)state;
    server.answer = open_for_all;
    ask_all(6, "");
    assert_int_equal(type3, 0);
    assert_int_equal(info().rejected_logons, 0);
}

/* --- refused --- */

static void a_wrong_password_is_shown_once(void **state)
{
    (void)state;
    wrong = true;
    ask_all(30, "logon-rejected");
    assert_int_equal(type3, 1);
    for (int hour = 0; hour < 3; hour++) {
        loop_advance(loop, 3600 * 1000);
        ask_all(10, "logon-rejected");
    }
    assert_int_equal(type3, 1);
    assert_int_equal(info().rejected_logons, 1);
    assert_null(strstr(info().evidence, "secret"));
    dav_session_unbreak(session);
    ask_all(10, "logon-rejected");
    assert_int_equal(type3, 2);
    wrong = false;
    dav_session_unbreak(session);
    ask_all(10, "");
}

static bool hang_up(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    (void)path;
    (void)authorized;
    server.at_once--;
    httpd_abort(req);
    return true;
}

static void lose_connections(void)
{
    server.answer = hang_up;
    for (unsigned i = 0; i < 4; i++)
        start(i, "anna", NULL);
    for (unsigned i = 0; i < 4; i++)
        wait_for(&got[i].calls, 1);
    loop_advance(loop, 100000);
    settle();
    server.answer = ntlm_server;
}

/* All connections end, and the password is wrong now: the next handshake is refused, once, though many wait for it. */
static void a_password_that_stops_working(void **state)
{
    unsigned before;

    (void)state;
    ask_all(20, "");
    lose_connections();
    wrong = true;
    before = type3;
    for (unsigned i = 0; i < 20; i++)
        start(i, "anna", "/exchange/anna/Kalender/");
    for (unsigned i = 0; i < 20; i++) {
        wait_for(&got[i].calls, 1);
        assert_string_equal(got[i].code, "logon-rejected");
    }
    assert_int_equal(type3, before + 1);
    assert_string_equal(info().state, "refused");
    loop_advance(loop, 30000);
    ask_all(5, "logon-rejected");
    assert_int_equal(type3, before + 1);
    /* it had worked within ten minutes: one more try, a minute later, and then no more */
    for (int i = 0; i < 70; i++) {
        loop_advance(loop, 60000);
        ask_all(2, "logon-rejected");
    }
    assert_int_equal(type3, before + 2);
}

static void a_hiccup_of_the_domain_controller(void **state)
{
    (void)state;
    ask_all(20, "");
    lose_connections();
    wrong = true;
    start(0, "anna", "/exchange/anna/Kalender/");
    wait_for(&got[0].calls, 1);
    assert_string_equal(got[0].code, "logon-rejected");
    assert_in_range(info().retry_at, clk_wall_s(clk) + 58, clk_wall_s(clk) + 61);
    wrong = false;
    loop_advance(loop, 61000);
    ask_all(4, "");
}

static void a_closed_mailbox(void **state)
{
    (void)state;
    ask_all(4, "");
    closed = "closed";
    for (int round = 0; round < 3; round++) {
        start(0, "closed", NULL);
        start(1, "anna", NULL);
        wait_for(&got[0].calls, 1);
        wait_for(&got[1].calls, 1);
        assert_string_equal(got[0].code, "receive-as-missing");
        assert_string_equal(got[1].code, "");
    }
    assert_string_equal(info().state, "ready");
    assert_int_equal(info().rejected_logons, 0);
}

/* --- servers, and what stands before them, that do otherwise --- */

static void broken_handshakes(void **state)
{
    static const struct {
        enum mode mode;
        unsigned most_type3;
        const char *code;
    } cases[] = {
        {NO_CHALLENGE, 0, "ntlm-connection-broken"},
        {CLOSE_AT_TYPE2, 0, "ntlm-connection-broken"},
        {CUT_TYPE3, 1, "ntlm-connection-broken"},
        {SECOND_TYPE2, 1, "ntlm-connection-broken"},
    };
    struct dav_account account = ntlm_account();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mode = cases[i].mode;
        type3 = 0;
        session_anew(&account);
        ask_all(10, cases[i].code);
        assert_int_equal(type3, cases[i].most_type3);
        assert_string_equal(info().code, cases[i].code);
        assert_int_equal(info().rejected_logons, 0);
        for (int minutes = 0; minutes < 60; minutes++) { /* what nobody judges may still be counted somewhere */
            loop_advance(loop, 60000);
            ask_all(1, cases[i].code);
        }
        assert_in_range(type3, 0, 3);
    }
}

static void challenges_that_are_none(void **state)
{
    static char huge[20000];
    const struct {
        const char *raw, *code;
    } cases[] = {
        {"TlRMTVNTUAACAAAA", "answer-malformed"},
        {"TlRMTVNTUAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "answer-malformed"},
        {"AAAAA", "answer-malformed"},
        {huge, "answer-malformed"},
    };
    struct dav_account account = ntlm_account();

    (void)state;
    memset(huge, 'A', sizeof(huge) - 1);
    mode = RAW_TYPE2;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        raw = cases[i].raw;
        session_anew(&account);
        ask_all(5, cases[i].code);
    }
    assert_int_equal(type3, 0);
}

static void never_weaker_than_told(void **state)
{
    struct dav_account account = ntlm_account();

    (void)state;
    flags = DAV_NTLM_OEM; /* neither NTLM nor ESS: LAN Manager only */
    ask_all(5, "ntlm-too-weak");
    account.lm_compatibility_level = 2;
    session_anew(&account);
    ask_all(5, "ntlm-too-weak");
    assert_int_equal(type3, 0);
    account.lm_compatibility_level = 1;
    session_anew(&account);
    ask_all(5, "");
    assert_true(type3 > 0);
}

static bool ntlm_or_basic(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    const char *sent = httpd_header(req, "Authorization");

    if (sent && str_starts(sent, "NTLM"))
        return ntlm_server(req, method, path, authorized);
    if (authorized)
        reply_usual(req, method, path);
    else
        reply(req, 401, "WWW-Authenticate: NTLM, Basic realm=\"x\"", "");
    return true;
}

static void the_next_scheme(void **state)
{
    struct dav_account account = ntlm_account();

    (void)state;
    account.auth[1] = DAV_SCHEME_BASIC;
    account.auth_count = 2;
    server.answer = ntlm_or_basic;
    mode = NO_CHALLENGE;
    session_anew(&account);
    ask_all(5, "");
    assert_string_equal(info().scheme, "basic");
    assert_string_equal(info().offered, "ntlm, basic");
    assert_non_null(strstr(info().chosen_because, "ntlm-connection-broken"));
    /* what one scheme was refused with is not shown by the next */
    mode = PROPER;
    wrong = true;
    server.authorized = 0;
    session_anew(&account);
    ask_all(20, "logon-rejected");
    assert_int_equal(type3, 1);
    assert_int_equal(server.authorized, 2); /* Type 1 and Type 3 */
}

/* The password was shown and nobody judged it: the next scheme does not show it in the same breath. */
static void the_next_scheme_after_a_pause(void **state)
{
    struct dav_account account = ntlm_account();

    (void)state;
    account.auth[1] = DAV_SCHEME_BASIC;
    account.auth_count = 2;
    server.answer = ntlm_or_basic;
    mode = SECOND_TYPE2;
    session_anew(&account);
    ask_all(10, "ntlm-connection-broken");
    assert_int_equal(type3, 1);
    assert_int_equal(server.authorized, 2);
    loop_advance(loop, 80000);
    ask_all(10, "");
    assert_int_equal(type3, 1);
    assert_string_equal(info().scheme, "basic");
}

/* At every stage of the handshake. */
static void cancelled_at_any_time(void **state)
{
    (void)state;
    for (int turns = 0; turns < 60; turns++) {
        struct dav_question question = question_about("anna");
        struct dav_query *q;

        if (turns % 20 == 0)
            dav_session_unbreak(session);
        memset(&got[0], 0, sizeof(got[0]));
        q = dav_query_start(session, &question, note_result, &got[0]);
        for (int i = 0; i < turns / 2 && !got[0].calls; i++)
            loop_turn(loop, 1);
        if (!got[0].calls)
            dav_query_cancel(&q);
    }
    settle();
    ask_all(10, "");
    dav_session_unbreak(session);
    start(0, "anna", NULL);
    for (int i = 0; i < 6; i++)
        turn();
    dav_session_close(&session, "in the middle");
    settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_handshake_a_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_asks_every_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_nobody_asks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_shown_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_password_that_stops_working, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hiccup_of_the_domain_controller, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_mailbox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_handshakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(challenges_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_weaker_than_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_scheme, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_scheme_after_a_pause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_at_any_time, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
