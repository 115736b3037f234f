/*
 * exchange_notify: datagrams from anybody. A true one makes us ask sooner; a wrong, forged or repeated one costs next
 * to nothing, and none of them changes what is known.
 */
#include "dav_server.h"

#include "base/udp.h"

static struct outcome got;
static char call_back[200], place[300];
static unsigned hints, hinted, port;
static struct udp *sender;
static struct dav_account account;
static char listen_at[40];

static void nothing_comes(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    (void)arg, (void)from, (void)data, (void)len;
    fail_msg("nobody answers a datagram");
}

static bool site(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    static const char *const headers[] = {"MS-WebStorage: 6.5.7638", "Subscription-id: 15",
                                          "Subscription-lifetime: 3600", NULL};
    const char *text = httpd_header(req, "Call-back");

    (void)path;
    if (!authorized || strcmp(method, "SUBSCRIBE") != 0)
        return false;
    snprintf(call_back, sizeof(call_back), "%s", text ? text : "");
    server.at_once--;
    httpd_reply(req, 200, headers, "", 0);
    return true;
}

static void on_hint(void *arg, uint32_t number)
{
    (void)arg;
    hints++;
    hinted = number;
}

static void ask_once(void)
{
    struct dav_question question = question_about("anna@example.test");

    question.again = true;
    question.number = 4711;
    question.remember = place[0] ? place : NULL;
    ask(&got, &question);
    assert_int_equal(got.err, DAV_OK);
    snprintf(place, sizeof(place), "%s", got.remember);
}

/* Somebody who has subscribed. */
static int set_up(void **state)
{
    char why[200];

    (void)state;
    world_begin();
    hints = hinted = 0;
    call_back[0] = place[0] = '\0';
    server.answer = site;
    sender = udp_open(loop, "test", "127.0.0.1", 0, nothing_comes, NULL, why, sizeof(why));
    assert_non_null(sender);
    port = udp_port(sender); /* a free one, for a moment */
    udp_close(&sender);
    sender = udp_open(loop, "test", "127.0.0.1", 0, nothing_comes, NULL, why, sizeof(why));
    assert_int_not_equal(udp_port(sender), port);
    account = usual_account();
    snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", port);
    account.notify_listen = listen_at;
    account.max_requests_per_second = 50;
    session = session_for(&account, "secret");
    dav_session_on_hint(session, on_hint, NULL);
    ask_once();
    ask_once();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    udp_close(&sender);
    world_end();
    return 0;
}

static void send_text(const char *text, size_t len)
{
    struct udp_peer to;

    assert_true(udp_peer(&to, "127.0.0.1", port));
    udp_send(sender, &to, text, len);
}
#define SEND(text) send_text(text, sizeof(text) - 1)

static void hear(void)
{
    for (int i = 0; i < 50; i++)
        loop_turn(loop, 1);
}

static void a_true_one(void **state)
{
    char wanted[100];

    (void)state;
    snprintf(wanted, sizeof(wanted), "httpu://127.0.0.1:%u/", port);
    assert_string_equal(call_back, wanted);
    SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\nSubscription-id: 15\r\n\r\n");
    hear();
    assert_int_equal(hints, 1);
    assert_int_equal(hinted, 4711);
    SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\nSubscription-id: 15\r\n"); /* repeated */
    hear();
    assert_int_equal(hints, 1);
    loop_advance(loop, 5000); /* nobody has polled */
    SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\nSubscription-id: 14,15");
    hear();
    assert_int_equal(hints, 2);
}

static void wrong_ones(void **state)
{
    static char long_one[3000];
    unsigned requests = server.requests;

    (void)state;
    memset(long_one, 'A', sizeof(long_one));
    memcpy(long_one, "NOTIFY x HTTP/1.1\r\nSubscription-id: 15\r\n", 40);
    SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\nSubscription-id: 16\r\n");
    SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\nSubscription-id: 4294967295\r\n");
    SEND("GET / HTTP/1.1\r\nSubscription-id: 15\r\n");
    SEND("");
    SEND("\0\0\0\0\0\0\0\0");
    send_text(long_one, sizeof(long_one));
    hear();
    assert_int_equal(hints, 0);
    assert_int_equal(server.requests, requests);
}

static void a_flood(void **state)
{
    struct dav_session_info info;

    (void)state;
    for (int second = 0; second < 20; second++) {
        for (int i = 0; i < 100; i++)
            SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\nSubscription-id: 15\r\n");
        for (int i = 0; i < 20; i++)
            SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\n\r\n");
        hear();
        loop_advance(loop, 1000);
    }
    assert_in_range(hints, 5, 11); /* one every other second */
    dav_session_info(session, &info);
    assert_non_null(strstr(info.changes, "1 subscriptions"));
    assert_non_null(strstr(info.changes, "ignored"));
    assert_null(strstr(info.changes, " 0 ignored"));
}

/* The store goes down: whoever is asked about next will see. Not more often than once a minute. */
static void a_farewell(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        SEND("NOTIFY httpu://127.0.0.1:5602/ HTTP/1.1\r\n\r\n");
        hear();
        loop_advance(loop, 3000);
    }
    assert_in_range(hints, 1, 2);
}

/* What cannot be listened at is said, and everything else goes on. */
static void an_address_that_is_taken(void **state)
{
    struct dav_session *other;

    (void)state;
    account.notify_host = "gw.example.test";
    snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", udp_port(sender));
    other = session;
    session = session_for(&account, "secret");
    place[0] = '\0';
    ask_once();
    ask_once();
    assert_string_equal(call_back, "");
    dav_session_close(&other, "end of test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_true_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_farewell, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_that_is_taken, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
