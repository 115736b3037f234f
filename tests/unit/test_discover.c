/*
 * discover: from a domain to its calendar server, with a name server and a calendar server that the test plays; the
 * whole way through a session.
 */
#include "caldav_world.h"
#include "discover.h"
#include "name_server.h"

static int begin_world(void **state)
{
    set_up(state);
    name_server_begin(loop);
    calendars[0].path = "/dav/alice/";
    put(&calendars[0], "1.ics", MEETING_AT("3T130000Z", "3T140000Z"));
    server.answer = answer_caldav;
    return 0;
}

static int end_world(void **state)
{
    udp_close(&dns);
    return tear_down(state);
}

static void start(const char *domain, const char *template, const char *const *allowed)
{
    struct dav_account account = usual_account();

    templates[0] = template;
    account.kind = DAV_KIND_CALDAV;
    account.url = domain;
    account.dns_server = dns_address;
    account.calendars = templates;
    account.allowed_hosts = allowed;
    session = session_for(&account, "secret");
}

static void by_srv_and_txt(void **state)
{
    (void)state;
    records[0] = (struct record){"_caldav._tcp.localhost", ns_t_srv, "localhost", httpd_port(server.httpd), 1};
    records[1] = (struct record){"_caldav._tcp.localhost", ns_t_txt, "path=/dav/", 0, 0};
    start("localhost", "{local}", NULL); /* below the path that DNS names */
    ask_about("alice@localhost", NULL, NULL);
    expect(3, 1);
    assert_non_null(strstr(server.log.data, "PROPFIND /dav/ bare\n"));
    ask_again();
    assert_int_equal(dns_asked, 3); /* once: the two kinds of servers, and the path */
}

/* A server that is gone makes room for the next one. */
static void the_next_one(void **state)
{
    struct dav_session_info info;

    (void)state;
    records[0] = (struct record){"_caldav._tcp.localhost", ns_t_srv, "localhost", 1, 1};
    records[1] = (struct record){"_caldav._tcp.localhost", ns_t_srv, "localhost", httpd_port(server.httpd), 2};
    start("localhost", "/dav/{local}/", NULL);
    ask_about("alice@localhost", NULL, NULL);
    expect_error("tcp-refused");
    loop_advance(loop, 5000);
    ask_about("alice@localhost", NULL, NULL);
    expect(3, 1);
    dav_session_info(session, &info);
    assert_string_equal(info.state, "ready");
}

/* DNS alone does not decide who gets the password. */
static void a_stranger(void **state)
{
    static const char *const allowed[] = {"localhost", NULL};

    (void)state;
    records[0] = (struct record){"_caldavs._tcp.example.org", ns_t_srv, "dav.elsewhere.example", 443, 1};
    records[1] = (struct record){"_caldavs._tcp.example.org", ns_t_srv, "notexample.org", 443, 2};
    start("example.org", "/dav/{local}/", allowed);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("redirect-foreign");
    assert_non_null(strstr(got.evidence, "dav.elsewhere.example"));
    assert_int_equal(server.requests, 0);
}

static void nobody_answers(void **state)
{
    (void)state;
    mute = true;
    start("example.org", NULL, NULL);
    memset(&got, 0, sizeof(got));
    struct dav_question question = question_about("alice@example.org");
    dav_query_start(session, &question, note_result, &got);
    for (int i = 0; i < 400 && got.calls == 0; i++) {
        loop_turn(loop, 1);
        loop_advance(loop, 100);
    }
    assert_string_equal(got.code, "dns-timeout");
    assert_int_equal(server.requests, 0);
}

/* Without records the domain itself is asked; and whoever goes away is not called any more. */
static void no_records(void **state)
{
    (void)state;
    start("localhost", NULL, NULL);
    ask_about("alice@localhost", NULL, NULL);
    assert_int_not_equal(got.err, DAV_OK); /* whatever there is at port 443, it is not ours */
    assert_int_equal(dns_asked, 2);
    assert_int_equal(server.requests, 0);
    dav_session_close(&session, "another");
    mute = true;
    start("example.org", NULL, NULL);
    struct dav_question question = question_about("alice@example.org");
    dav_query_start(session, &question, note_result, &got);
    settle();
    dav_session_close(&session, "in the middle");
    settle();
}

static void what_is_a_domain(void **state)
{
    static const char *const domains[] = {"example.org", "localhost", "cal-1.example.org"};
    static const char *const others[] = {
        "", "https://example.org/", "example.org/dav", "a b", "example.org:443", ".org", "ü.org"};

    (void)state;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        assert_true(dav_discover_is_domain(domains[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(dav_discover_is_domain(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_srv_and_txt, begin_world, end_world),
        cmocka_unit_test_setup_teardown(the_next_one, begin_world, end_world),
        cmocka_unit_test_setup_teardown(a_stranger, begin_world, end_world),
        cmocka_unit_test_setup_teardown(nobody_answers, begin_world, end_world),
        cmocka_unit_test_setup_teardown(no_records, begin_world, end_world),
        cmocka_unit_test(what_is_a_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
