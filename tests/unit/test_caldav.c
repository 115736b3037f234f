/*
 * caldav against a server of canned answers: which paths are asked, what is remembered, what is united, and that
 * nothing which went wrong on the way reads as free time. Events are those of ical's own tests.
 */
#include "caldav_world.h"

static void looked_at_once_then_remembered(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    put(&calendars[0], "1.ics", MEETING_AT("3T130000Z", "3T140000Z"));
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1);
    expect_span(0, NOON + 3600, NOON + 7200);
    assert_non_null(strstr(server.log.data, "PROPFIND " ALICE " auth\nREPORT " ALICE " auth\nREPORT " ALICE " auth\n"));
    assert_string_equal(depth, "1");
    assert_string_equal(type, "application/xml; charset=utf-8");
    ask_again();
    expect(1, 1);
    /* what is remembered of another configuration, or nonsense, is not used, but is looked for */
    ask_about("alice@example.org", NULL, "caldav2 13941 /other/\nc /other/ -\n= /other/ -\n");
    expect(1, 1);
    assert_non_null(strstr(got.remember, "= " ALICE " -\n"));
    ask_about("alice@example.org", NULL, "caldav2 x");
    expect(1, 1);
    /* another session knows nothing but where to look */
    begin(NULL, "/{address}/calendar/", NULL);
    ask_again();
    expect(3, 1);
}

static void gone_from_where_it_was(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    put(&calendars[0], "1.ics", MEETING_AT("3T130000Z", "3T140000Z"));
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1);
    calendars[0].path = "/elsewhere/";
    ask_again();
    expect_error("calendar-not-found");
    assert_string_equal(got.remember, "");
    assert_int_equal(got.requests, 2);
}

static void every_character_in_an_address(void **state)
{
    (void)state;
    begin(NULL, "/{domain}/{local}/{address}/Kalender f\xc3\xbcr alle", NULL);
    ask_about("a/b~#%+&|*' \"\xc3\xb6@example.org", NULL, NULL);
    expect_error("calendar-not-found");
    assert_non_null(strstr(server.log.data,
                           "PROPFIND /example.org/a%2Fb~%23%25%2B%26%7C%2A%27%20%22%C3%B6/"
                           "a%2Fb~%23%25%2B%26%7C%2A%27%20%22%C3%B6%40example.org/Kalender%20f%C3%BCr%20alle/ auth\n"));
}

static void own_path_and_no_path(void **state)
{
    (void)state;
    calendars[0].path = "/shared/room%201/";
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("room@example.org", "/shared/room 1", NULL);
    expect(2, 0);
    begin(NULL, "/{who}/", NULL);
    ask_about("room@example.org", NULL, NULL);
    expect_error("config-account");
}

#define WORK "/work/alice/"
#define HOME "/home/alice/"

static void several_calendars_are_one_answer_or_none(void **state)
{
    static const struct canned one_closed[] = {
        {"SYNC", HOME, 403, ""}, {"ETAGS", HOME, 403, ""}, {NULL, NULL, 0, NULL}};

    (void)state;
    calendars[0].path = WORK;
    calendars[1].path = HOME;
    put(&calendars[0], "1.ics", MEETING_AT("3T130000Z", "3T140000Z"));
    put(&calendars[1], "1.ics", MEETING_AT("4T130000Z", "4T140000Z"));
    begin(NULL, "/work/{local}/", "/home/{local}/");
    ask_about("alice@example.org", NULL, NULL);
    expect(6, 2);
    ask_again();
    expect(2, 2);
    put(&calendars[1], "2.ics", MEETING_AT("4T130000Z", "4T140000Z"));
    canned = one_closed;
    ask_again();
    expect_error("calendar-forbidden");
}

#define FOUND MS_BEGIN ROW(ALICE, IS_CALENDAR EVENTS_ONLY "<sync-token>1</sync-token>") MS_END
#define LISTED MS_BEGIN ROW(ALICE "1.ics", "<getetag>1</getetag>") MS_END
#define DATA(text) "<C:calendar-data>" TEXT(text) "</C:calendar-data>"
#define MEETING MS_BEGIN ROW(ALICE "1.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z"))) MS_END

static void nobody_is_free_by_a_mishap(void **state)
{
    static const struct {
        const char *what; /* which answer it is about */
        int status;
        const char *body, *code;
    } mishaps[] = {
        {"LOOK", 404, "", "calendar-not-found"},
        {"LOOK", 200, "<html>Welcome</html>", "answer-malformed"},
        {"LOOK", 207, MS_BEGIN ROW(ALICE, "<resourcetype/>") MS_END, "calendar-not-found"},
        {"LOOK", 207, MS_BEGIN MS_END, "calendar-not-found"},
        {"LOOK", 207, "<html><body>Welcome</body></html>", "answer-malformed"},
        {"SYNC", 200, "<html>Welcome</html>", "answer-malformed"},
        {"SYNC", 200, LISTED, "answer-malformed"},
        {"SYNC", 207, "<html><body>Welcome</body></html>", "answer-malformed"},
        {"SYNC", 207, "", "answer-malformed"},
        {"SYNC", 207, MS_BEGIN ROW(ALICE "1.ics", "<getetag>1</getetag>"), "answer-malformed"}, /* cut */
        {"SYNC", 401, "", "calendar-forbidden"},
        {"SYNC", 404, "", "calendar-not-found"},
        {"SYNC", 503, "", "http-server-error"},
        {"SYNC", 507, "", "answer-too-large"},
        {"GET", 200, "<html>Welcome</html>", "answer-malformed"},
        {"GET", 200, MEETING, "answer-malformed"},
        {"GET", 207, MS_BEGIN MS_END, "answer-malformed"},
        {"GET", 207, LISTED, "answer-malformed"},
        {"GET", 207, MS_BEGIN "<response><href>/x</href><status>HTTP/1.1 403 Forbidden</status></response>" MS_END,
         "answer-malformed"},
        {"GET", 207, MS_BEGIN ROW(ALICE "1.ics", "<C:calendar-data>oops</C:calendar-data>") MS_END, "answer-malformed"},
        {"GET", 207, MS_BEGIN ROW(ALICE "1.ics", "<C:calendar-data>BEGIN:VCALENDAR\n</C:calendar-data>") MS_END,
         "answer-malformed"},
        {"GET", 403, "", "calendar-forbidden"},
        {"GET", 501, "", "query-refused"},
        {"GET", 500, "", "http-server-error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mishaps) / sizeof(mishaps[0]); i++) {
        struct canned rows[] = {{mishaps[i].what, ALICE, mishaps[i].status, mishaps[i].body},
                                {"SYNC", ALICE, 207, LISTED},
                                {"GET", ALICE, 207, MEETING},
                                {"PROPFIND", ALICE, 207, FOUND},
                                {NULL, NULL, 0, NULL}};

        if (strcmp(mishaps[i].what, "LOOK") == 0)
            rows[0].method = "PROPFIND";
        begin(rows, "/{address}/calendar/", NULL);
        ask_about("alice@example.org", NULL, NULL);
        if (strcmp(got.code, mishaps[i].code) != 0)
            print_error("mishap %zu: %s (%s)\n", i, got.code, got.evidence);
        expect_error(mishaps[i].code);
    }
}

/* What is known of a broken item decides: its time is not free; where nothing is known of it, none is. */
static void broken_items_make_nobody_free(void **state)
{
    static const char *const lost[] = {"BEGIN:VCALENDAR\n", TEXT("BEGIN:VEVENT\nEND:VEVENT\n"), "oops",
                                       TEXT("BEGIN:VEVENT\nDTSTART:yesterday\nEND:VEVENT\n")};

    (void)state;
    calendars[0].path = ALICE;
    put(&calendars[0], "1.ics", TEXT("BEGIN:VEVENT\nDTSTART:20080304T000000Z\nRRULE:FREQ=NEVER\nEND:VEVENT\n"));
    put(&calendars[0], "3.ics", MEETING_AT("3T130000Z", "3T140000Z"));
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 2);
    assert_int_equal(got.skipped, 1);
    assert_int_equal(got.spans[0].kind + got.spans[1].kind, DAV_NOT_UNDERSTOOD + DAV_BUSY);
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        put(&calendars[0], "4.ics", lost[i]);
        ask_again();
        expect_error("items-unreadable");
        assert_int_equal(got.skipped, 2);
        ask_again();
        expect_error("items-unreadable");
        assert_int_equal(got.requests, 1);
    }
    take_away(&calendars[0], "4.ics");
    ask_again();
    expect(2, 2);
}

/* As a component of a calendar, and as a property of the inbox that a home shows. */
static void working_hours(void **state)
{
    static const struct canned rows[] = {
        {"LIST", "/alice/", 207,
         MS_BEGIN ROW("/alice/", "<resourcetype><collection/></resourcetype>") ROW(
             "/alice/inbox/",
             "<resourcetype><collection/><C:schedule-inbox/></resourcetype><C:calendar-availability>BEGIN:VCALENDAR\n"
             "BEGIN:VAVAILABILITY\nDTSTART:20080304T000000Z\nDTEND:20080305T000000Z\nBUSYTYPE:BUSY\nBEGIN:AVAILABLE\n"
             "DTSTART:20080304T000000\nDTEND:20080304T120000\nEND:AVAILABLE\nEND:VAVAILABILITY\nEND:VCALENDAR\n"
             "</C:calendar-availability>") ROW(ALICE, IS_CALENDAR "<sync-token>1</sync-token>") MS_END},
        {NULL, NULL, 0, NULL},
    };
    struct calendar *c = &calendars[0];

    (void)state;
    c->path = ALICE;
    c->home = "/alice/";
    put(c, "1.ics", TEXT("BEGIN:VAVAILABILITY\nUID:h\nDTSTART:20080305T000000Z\nDTEND:20080305T120000Z\n"
                         "BUSYTYPE:BUSY\nEND:VAVAILABILITY\n"));
    begin(rows, "/{local}/", NULL);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            ask_about("alice@example.org", NULL, NULL);
        else
            ask_again();
        assert_string_equal(got.code, "");
        assert_int_equal(got.count, 1); /* the two of them are one */
        assert_int_equal(got.spans[0].kind, DAV_BUSY);
        assert_int_equal(got.spans[0].traits, DAV_TRAIT_OUTSIDE_HOURS);
        expect_span(0, NOON + DAY - 3600, NOON + 2 * DAY); /* noon in Berlin, where its floating times are */
    }
    assert_int_equal(got.requests, 1);
}

static void more_than_we_keep(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    put(&calendars[0], "1.ics",
        TEXT("BEGIN:VEVENT\nDTSTART:20080101T000000Z\nDURATION:PT1M\nRRULE:FREQ=MINUTELY;INTERVAL=30\nEND:VEVENT\n"));
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("answer-too-large");
}

#define PERSON "/alice/"
#define NOT_BUSY "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
#define TASKS "<C:supported-calendar-component-set><C:comp name=\"VTODO\"/></C:supported-calendar-component-set>"

/* What a template leads to may be a home: every calendar in it that counts. Prefixes and CDATA as Cyrus writes them. */
static void a_home_is_its_calendars(void **state)
{
    static const struct canned rows[] = {
        {"LIST", PERSON, 207,
         MS_BEGIN ROW(PERSON, "<resourcetype><collection/><principal/></resourcetype>") ROW(
             PERSON "a/", IS_CALENDAR EVENTS_ONLY) ROW("http://elsewhere.invalid" PERSON "b/", IS_CALENDAR EVENTS_ONLY)
             ROW(PERSON "birthdays/", IS_CALENDAR NOT_BUSY) ROW(PERSON "tasks/", IS_CALENDAR TASKS)
                 ROW(PERSON "inbox/", "<resourcetype><collection/><C:schedule-inbox/></resourcetype>")
                     ROW(PERSON "proxy/", "<resourcetype><collection/><S:calendar-proxy-read/></resourcetype>") MS_END},
        {"PROPFIND", PERSON, 207, MS_BEGIN ROW(PERSON, "<resourcetype><collection/></resourcetype>") MS_END},
        {"ETAGS", PERSON "b/", 207,
         "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/alice/b/</D:href></D:response><D:response>"
         "<D:href>/alice/b/1.ics</D:href><D:propstat><D:prop><D:getetag>1</D:getetag></D:prop>"
         "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"},
        {"GET", PERSON "b/", 207,
         "<D:multistatus xmlns:D=\"DAV:\" xmlns:X=\"" CAL "\"><D:response><D:href>/alice/b/1.ics</D:href><D:propstat>"
         "<D:status>HTTP/1.1 200 OK</D:status><D:prop><X:calendar-data><![CDATA[BEGIN:VCALENDAR\r\n"
         "BEGIN:VEVENT\r\nDTSTART:20080304T130000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n]]></"
         "X:calendar-data></D:prop>"
         "</D:propstat></D:response></D:multistatus>"},
        {NULL, NULL, 0, NULL}};

    (void)state;
    calendars[0].path = PERSON "a/";
    put(&calendars[0], "1.ics", MEETING_AT("3T130000Z", "3T140000Z"));
    begin(rows, "/{local}/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(2 + 2 + 4, 2); /* two without a zone, one without tokens */
    ask_again();
    expect(1 + 2, 2);
}

static void somebody_elses_calendar_in_its_place(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    calendars[0].props = EVENTS_ONLY "<owner><href>/principals/svc/</href></owner>"
                                     "<current-user-principal><href>/principals/svc</href></current-user-principal>";
    calendars[1].path = "/svc%40example.org/calendar/";
    calendars[1].props = calendars[0].props;
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-forbidden");
    ask_about("svc@example.org", NULL, NULL);
    expect(2, 0);
    /* or, later: it was hers before */
    calendars[0].props = EVENTS_ONLY;
    ask_about("alice@example.org", NULL, NULL);
    expect(2, 0);
    calendars[0].props = calendars[1].props;
    ask_again();
    expect_error("calendar-forbidden");
}

#define ZONE(id, offset)                                                                                               \
    "<C:calendar-timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:" id                                                  \
    "\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:" offset "\nTZOFFSETTO:" offset                           \
    "\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:calendar-timezone>"

static void floating_times_are_in_the_calendars_zone(void **state)
{
    int64_t noon = NOON + DAY;

    (void)state;
    calendars[0].path = "/a/";
    calendars[1].path = "/b/";
    calendars[1].props = EVENTS_ONLY ZONE("Asia/Tokyo", "+0900");
    calendars[2].path = "/c/";
    calendars[2].props = EVENTS_ONLY ZONE("Our own", "-0330");
    for (int i = 0; i < 3; i++)
        put(&calendars[i], "1", MEETING_AT("4T120000", "4T130000"));
    begin(NULL, "/b/", "/a/");
    ask_about("alice@example.org", NULL, NULL);
    expect(6, 2);
    expect_span(0, noon - 9 * 3600, noon - 8 * 3600);
    expect_span(1, noon - 3600, noon); /* the account's, Berlin */
    ask_again();
    expect(2, 2);
    expect_span(0, noon - 9 * 3600, noon - 8 * 3600);
    expect_span(1, noon - 3600, noon);
    /* a zone that is only defined there is not remembered, but used */
    begin(NULL, "/c/", "/a/");
    ask_about("alice@example.org", NULL, NULL);
    expect_span(0, noon + 12600, noon + 16200);
    expect_span(1, noon - 3600, noon);
    assert_string_equal(got.remember, "");
    /* as DAViCal has it */
    memset(calendars, 0, sizeof(calendars));
    calendars[0].path = "/alice/b/";
    calendars[0].home = "/alice/";
    calendars[0].zone = ZONE("Asia/Tokyo", "+0900");
    put(&calendars[0], "1", MEETING_AT("4T120000", "4T130000"));
    begin(NULL, "/alice/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(5, 1);
    expect_span(0, noon - 9 * 3600, noon - 8 * 3600);
}

static void freebusy_components_count(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    calendars[0].props = "";
    put(&calendars[0], "1.ics",
        TEXT("BEGIN:VFREEBUSY\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20080303T130000Z/PT1H\nEND:VFREEBUSY\n"));
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1);
    assert_int_equal(got.spans[0].kind, DAV_OOF);
    ask_again();
    expect(1, 1);
}

static const char busy_answer[] =
    "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nDTSTART:20080302T120000Z\r\nDTEND;VALUE=DATE-TIME:20080310T120000Z\r\n"
    "FREEBUSY;TZID=UTC:20080303T130000Z/20080303T140000Z\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";

/* The site grants free/busy and no more: asked of a calendar, never of a home. */
static void free_and_busy_is_all_we_get(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    calendars[0].closed = true;
    calendars[0].busy = busy_answer;
    begin(NULL, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(2, 1);
    expect_span(0, NOON + 3600, NOON + 7200);
    assert_non_null(strstr(report_body.data, "start=\"20080302T120000Z\" end=\"20080310T120000Z\""));
    assert_true(str_starts(got.way, "free-busy-query"));
    ask_again();
    expect(1, 1);
    assert_true(str_starts(got.way, "free-busy-query"));
    calendars[0].path = "/alice%40example.org/";
    begin(NULL, "/{address}/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-forbidden");
    assert_null(strstr(server.log.data, "REPORT"));
    calendars[0].path = "/ALICE/";
    begin(NULL, NULL, NULL);
    ask_about("alice@example.org", "/ALICE/", NULL);
    expect_error("calendar-forbidden");
    assert_null(strstr(server.log.data, "REPORT"));
}

static void free_and_busy_that_is_none(void **state)
{
    static const struct {
        int status;
        const char *body, *code;
    } mishaps[] = {
        {207, MS_BEGIN ROW(ALICE "1.ics", "<getetag>1</getetag>") MS_END, "answer-malformed"}, /* Radicale */
        {200, "<html>Welcome</html>", "answer-malformed"},
        {200, "", "answer-malformed"},
        {200, TEXT(""), "answer-malformed"},
        {200, TEXT("BEGIN:VFREEBUSY\nDTSTART:20080302T120000Z\nDTEND:20080305T000000Z\nEND:VFREEBUSY\n"),
         "answer-malformed"},
        {200, TEXT("BEGIN:VFREEBUSY\nFREEBUSY:oops\nEND:VFREEBUSY\n"), "answer-malformed"},
        {200, "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\n", "answer-malformed"},
        {403, "", "calendar-forbidden"},
        {501, "", "query-refused"},
        {500, "", "http-server-error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mishaps) / sizeof(mishaps[0]); i++) {
        const struct canned rows[] = {
            {"PROPFIND", ALICE, 403, ""}, {"BUSY", ALICE, mishaps[i].status, mishaps[i].body}, {NULL, NULL, 0, NULL}};

        begin(rows, "/{address}/calendar/", NULL);
        ask_about("alice@example.org", NULL, NULL);
        if (strcmp(got.code, mishaps[i].code) != 0)
            print_error("mishap %zu: %s (%s)\n", i, got.code, got.evidence);
        expect_error(mishaps[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looked_at_once_then_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gone_from_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_character_in_an_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_path_and_no_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_calendars_are_one_answer_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_free_by_a_mishap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_items_make_nobody_free, set_up, tear_down),
        cmocka_unit_test_setup_teardown(working_hours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_we_keep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_home_is_its_calendars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_elses_calendar_in_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floating_times_are_in_the_calendars_zone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freebusy_components_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_and_busy_is_all_we_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_and_busy_that_is_none, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
