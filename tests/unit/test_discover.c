/*
 * discover: from a domain to its calendar server, with a name server and a calendar server that the test plays; the
 * whole way through a session.
 */
#include <arpa/nameser.h>

#include "base/udp.h"
#include "caldav_world.h"
#include "discover.h"

#define RECORDS 8

static struct record {
    const char *name; /* NULL: none */
    int type;
    const char *text; /* of SRV the host, of TXT the string */
    unsigned port, priority;
} records[RECORDS];
static struct udp *dns;
static char dns_address[UDP_TEXT_MAX];
static unsigned dns_asked;
static bool mute;

static size_t add_record(unsigned char *out, const struct record *r)
{
    size_t head = 12, len = 0;

    memcpy(out, (const unsigned char[]){0xc0, 12, 0, (unsigned char)r->type, 0, 1, 0, 0, 0, 60, 0, 0}, head);
    if (r->type == ns_t_srv) {
        memcpy(out + head,
               (const unsigned char[]){0, (unsigned char)r->priority, 0, 0, (unsigned char)(r->port >> 8),
                                       (unsigned char)r->port},
               6);
        len = 6 + (size_t)ns_name_compress(r->text, out + head + 6, 300, NULL, NULL);
    } else {
        out[head] = (unsigned char)strlen(r->text);
        memcpy(out + head + 1, r->text, out[head]);
        len = 1 + (size_t)out[head];
    }
    out[11] = (unsigned char)len;
    return head + len;
}

static void on_question(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    unsigned char out[4000];
    char name[300] = "";
    size_t at = 12, end;

    (void)arg;
    dns_asked++;
    if (mute)
        return;
    assert_true(len < 600);
    memcpy(out, data, len);
    while (out[at] != 0) {
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%.*s", at > 12 ? "." : "", out[at],
                 (const char *)out + at + 1);
        at += 1 + (size_t)out[at];
    }
    end = at + 5;
    out[2] = 0x81;
    out[3] = ns_r_nxdomain;
    out[11] = 0;
    for (const struct record *r = records; r < records + RECORDS && r->name != NULL; r++) {
        if (strcmp(r->name, name) != 0 || out[at + 2] != r->type)
            continue;
        out[3] = 0;
        out[7]++;
        end += add_record(out + end, r);
    }
    udp_send(dns, from, out, end);
}

static int begin_world(void **state)
{
    char why[200];

    set_up(state);
    memset(records, 0, sizeof(records));
    mute = false;
    dns_asked = 0;
    dns = udp_open(loop, "dns", "127.0.0.1", 0, on_question, NULL, why, sizeof(why));
    assert_non_null(dns);
    snprintf(dns_address, sizeof(dns_address), "127.0.0.1:%u", udp_port(dns));
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
