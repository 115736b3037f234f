/*
 * caldav_find: from a host to a person's calendars without any configured path, against servers that answer truly, not
 * at all, or with somebody else's.
 */
#include "caldav_world.h"

#define SELF(path, collections)                                                                                        \
    MS_BEGIN ROW("/x/", "<current-user-principal><href>" path "</href></current-user-principal>" collections) MS_END
#define COLLECTION "<principal-collection-set><href>/dav/principals/</href></principal-collection-set>"
#define PRINCIPAL(path, addresses, home)                                                                               \
    ROW(path, "<resourcetype><collection/><principal/></resourcetype><C:calendar-user-address-set>" addresses          \
              "</C:calendar-user-address-set><C:calendar-home-set><href>" home "</href></C:calendar-home-set>")
#define OWNED(by)                                                                                                      \
    EVENTS_ONLY "<owner><href>" by "</href></owner><current-user-principal><href>/dav/principals/svc/</href>"          \
                "</current-user-principal>"
#define ALICES "<href>/dav/principals/alice/</href><href>mailto:Alice@Example.org</href>"
#define EMPTY MS_BEGIN MS_END

static void calendar_of_alice(const char *owner)
{
    memset(calendars, 0, sizeof(calendars));
    calendars[0].path = "/dav/cal/alice/work/";
    calendars[0].home = "/dav/cal/alice/";
    calendars[0].props = owner;
    put(&calendars[0], "1.ics", MEETING_AT("3T130000Z", "3T140000Z"));
}

static void by_searching(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", "/.well-known/caldav", 404, ""},
        {"PROPFIND", "/", 200, "<html>Welcome</html>"},
        {"PROPFIND", "/dav/", 207, SELF("/dav/principals/svc/", COLLECTION)},
        {"SEARCH", "/dav/principals/", 207,
         MS_BEGIN PRINCIPAL("/dav/principals/malice/", "<href>mailto:malice@example.org</href>", "/dav/cal/malice/")
             PRINCIPAL("/dav/principals/alice/", ALICES, "http://inner.invalid/dav/cal/alice/")
                 PRINCIPAL("/dav/principals/other/", "<href>/alice@example.org</href>", "/dav/cal/other/") MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    calendar_of_alice(OWNED("/dav/principals/alice"));
    begin(rows, NULL, NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(3 + 1 + 2 + 1 + 2, 1); /* root, search, home, zone, contents */
    assert_non_null(strstr(got.remember, "h /dav/cal/alice/ /dav/principals/alice/\n= /dav/cal/alice/work/ -\n"));
    ask_again();
    expect(1, 1);
    ask_about("alice@example.org", NULL, NULL); /* the next day: who we are is known */
    expect(1 + 2 + 1, 1);
    ask_about("nobody@example.org", NULL, NULL);
    expect_error("calendar-not-found");
    /* it has moved: found again at once */
    ask_about("alice@example.org", NULL, NULL);
    calendars[0].home = "/dav/cal/away/";
    ask_again();
    expect_error("calendar-not-found");
    assert_string_equal(got.remember, "");
}

static void two_with_one_address(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", "/.well-known/caldav", 207, SELF("/dav/principals/svc/", COLLECTION)},
        {"SEARCH", "/dav/principals/", 207,
         MS_BEGIN PRINCIPAL("/dav/principals/alice/", ALICES, "/dav/cal/alice/")
             PRINCIPAL("/dav/principals/alice2/", ALICES, "/dav/cal/alice2/") MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    calendar_of_alice(OWNED("/dav/principals/alice/"));
    begin(rows, NULL, NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-not-found");
    assert_string_equal(got.evidence, "several principals have this address");
}

/* Cyrus names our own home for everybody; an owner that is not told is no owner. */
static void somebody_elses_home(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", "/.well-known/caldav", 207, SELF("/dav/principals/svc/", COLLECTION)},
        {"SEARCH", "/dav/principals/", 207,
         MS_BEGIN PRINCIPAL("/dav/principals/alice/", ALICES, "/dav/cal/alice/") MS_END},
        {NULL, NULL, 0, NULL}};
    static const char *const owners[] = {OWNED("/dav/principals/svc/"), OWNED("/dav/principals/bob/"), OWNED(""),
                                         EVENTS_ONLY};

    (void)state;
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        calendar_of_alice(owners[i]);
        begin(rows, NULL, NULL);
        ask_about("alice@example.org", NULL, NULL);
        expect_error("calendar-forbidden");
    }
}

/* Where the search brings nothing the principal beside ours is asked, and must be the person's. */
static void beside_ourselves(void **state)
{
    static const struct canned by_local_part[] = {
        {"PROPFIND", "/.well-known/caldav", 207, SELF("/dav/principals/svc/", COLLECTION)},
        {"SEARCH", "/dav/principals/", 207, EMPTY},
        {"PROPFIND", "/dav/principals/alice/", 207,
         MS_BEGIN PRINCIPAL("/dav/principals/alice/", ALICES, "/dav/cal/alice/") MS_END},
        {NULL, NULL, 0, NULL}};
    static const struct canned by_address[] = {
        /* Radicale: addresses are names, and nothing else is known */
        {"PROPFIND", "/.well-known/caldav", 207, SELF("/dav/principals/svc/", COLLECTION)},
        {"SEARCH", "/dav/principals/", 501, ""},
        {"PROPFIND", "/dav/principals/alice%40example.org/", 207,
         MS_BEGIN PRINCIPAL("/dav/principals/alice@example.org/", "", "/dav/cal/alice/") MS_END},
        {NULL, NULL, 0, NULL}};
    static const struct canned another[] = {
        {"PROPFIND", "/.well-known/caldav", 207, SELF("/dav/principals/svc/", "")},
        {"PROPFIND", "/dav/principals/alice/", 207,
         MS_BEGIN PRINCIPAL("/dav/principals/alice/", "<href>mailto:alice@example.com</href>", "/dav/cal/alice/")
             MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    calendar_of_alice(OWNED("/dav/principals/alice/"));
    begin(by_local_part, NULL, NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(1 + 2 + 2 + 2 + 1 + 2, 1);
    calendar_of_alice(OWNED("/dav/principals/alice%40example.org/"));
    begin(by_address, NULL, NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(1 + 2 + 1 + 2 + 1 + 2, 1);
    calendar_of_alice(OWNED("/dav/principals/alice/"));
    begin(another, NULL, NULL); /* an alice of another domain */
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-not-found");
}

static void a_server_in_trouble_is_not_asked_around(void **state)
{
    static const struct canned rows[] = {{"PROPFIND", "/.well-known/caldav", 503, ""}, {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, NULL, NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("http-server-error");
    assert_int_equal(got.requests, 1);
    begin(NULL, NULL, NULL); /* no CalDAV at all */
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_searching, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_with_one_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_elses_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beside_ourselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_in_trouble_is_not_asked_around, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
