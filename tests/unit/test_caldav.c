/*
 * caldav against a server of canned answers: which paths are asked, what is remembered, what is united, and that
 * nothing which went wrong on the way reads as free time. Events are those of ical's own tests.
 */
#include "dav_server.h"

#define CAL "urn:ietf:params:xml:ns:caldav"
#define MS "<?xml version='1.0' encoding='utf-8'?><multistatus xmlns=\"DAV:\" xmlns:C=\"" CAL "\">"
#define MS_END "</multistatus>"
#define ROW(href, props)                                                                                               \
    "<response><href>" href "</href><propstat><prop>" props                                                            \
    "</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
#define IS_CALENDAR "<resourcetype><collection/><C:calendar/></resourcetype>"
#define EVENTS_ONLY "<C:supported-calendar-component-set><C:comp name=\"VEVENT\"/></C:supported-calendar-component-set>"
#define DATA(text) "<C:calendar-data>BEGIN:VCALENDAR\n" text "END:VCALENDAR\n</C:calendar-data>"
#define EVENT_AT(from, to)                                                                                             \
    "BEGIN:VEVENT\nUID:u\nDTSTART:2008030" from "\nDTEND:2008030" to "\nSUMMARY:secret\nEND:VEVENT\n"

/* What the server says for a method and a path; the first row that fits. */
struct canned {
    const char *method, *path;
    int status;
    const char *body;
};
static const struct canned *canned;
static struct buf report_body; /* of the last REPORT */
static char depth[10], type[100];

static const char *templates[8];
static struct outcome got;

static bool answer_caldav(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    size_t len;
    const char *body = httpd_body(req, &len);

    if (!authorized) {
        reply_plain(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
        return true;
    }
    if (strcmp(method, "REPORT") == 0) {
        buf_reset(&report_body);
        buf_add(&report_body, body, len);
        snprintf(depth, sizeof(depth), "%s", httpd_header(req, "Depth"));
        snprintf(type, sizeof(type), "%s", httpd_header(req, "Content-Type"));
    }
    for (const struct canned *c = canned; c->method != NULL; c++) {
        if (strcmp(c->method, method) == 0 && strcmp(c->path, path) == 0) {
            reply_plain(req, c->status, NULL, c->body);
            return true;
        }
    }
    if (strcmp(path, "/") == 0)
        reply_plain(req, 207, NULL, MS MS_END);
    else
        reply_plain(req, 404, NULL, "not found");
    return true;
}

static void begin(const struct canned *rows, const char *first, const char *second)
{
    static char url[100];
    struct dav_account account = usual_account();

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", httpd_port(server.httpd));
    templates[0] = first;
    templates[1] = second;
    account.kind = DAV_KIND_CALDAV;
    account.url = url;
    account.calendars = templates;
    account.zone = "Europe/Berlin";
    account.max_rows = 100;
    canned = rows;
    server.answer = answer_caldav;
    dav_session_close(&session, "another");
    session = session_for(&account, "secret");
}

static int set_up(void **state)
{
    (void)state;
    world_begin();
    buf_init(&report_body, 10000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    buf_free(&report_body);
    return 0;
}

static void ask_about(const char *address, const char *path, const char *remember)
{
    struct dav_question question = question_about(address);
    static char kept[300];

    snprintf(kept, sizeof(kept), "%s", remember != NULL ? remember : "");
    question.path = path;
    question.remember = remember != NULL ? kept : NULL;
    buf_reset(&server.log);
    ask(&got, &question);
}

static void expect_error(const char *code)
{
    assert_string_equal(got.code, code);
    assert_int_equal(got.count, 0);
    assert_int_not_equal(got.err, DAV_OK);
}

static void expect_span(size_t i, int64_t start, int64_t end)
{
    assert_true(i < got.count);
    assert_int_equal(got.spans[i].start, start);
    assert_int_equal(got.spans[i].end, end);
}

#define ALICE "/alice%40example.org/calendar/"
#define MEETING MS ROW(ALICE "1.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z"))) MS_END

static void looked_at_once_then_remembered(void **state)
{
    static const struct canned rows[] = {{"PROPFIND", ALICE, 207, MS ROW(ALICE, IS_CALENDAR EVENTS_ONLY) MS_END},
                                         {"REPORT", ALICE, 207, MEETING},
                                         {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    assert_string_equal(got.code, "");
    assert_int_equal(got.requests, 2);
    assert_int_equal(got.count, 1);
    expect_span(0, NOON + 3600, NOON + 7200);
    assert_non_null(strstr(server.log.data, "PROPFIND " ALICE " auth\nREPORT " ALICE " auth\n"));
    assert_string_equal(depth, "1");
    assert_string_equal(type, "application/xml; charset=utf-8");
    assert_non_null(
        strstr(report_body.data, "start=\"20080229T120000Z\" end=\"20080312T120000Z\"")); /* with a margin */
    ask_about("alice@example.org", NULL, got.remember);
    assert_string_equal(got.code, "");
    assert_int_equal(got.requests, 1);
    assert_int_equal(got.count, 1);
    /* what is remembered of another configuration, or nonsense, is not used */
    ask_about("alice@example.org", NULL, "caldav1 13941 /other/\n/other/ -\n");
    assert_int_equal(got.requests, 2);
    ask_about("alice@example.org", NULL, "caldav1 x");
    assert_int_equal(got.requests, 2);
}

static void gone_from_where_it_was(void **state)
{
    static const struct canned before[] = {{"PROPFIND", ALICE, 207, MS ROW(ALICE, IS_CALENDAR EVENTS_ONLY) MS_END},
                                           {"REPORT", ALICE, 207, MEETING},
                                           {NULL, NULL, 0, NULL}};
    static const struct canned after[] = {{"REPORT", ALICE, 410, ""}, {NULL, NULL, 0, NULL}};

    (void)state;
    begin(before, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    canned = after;
    ask_about("alice@example.org", NULL, got.remember);
    expect_error("calendar-not-found");
    assert_string_equal(got.remember, "");
    assert_int_equal(got.requests, 2);
}

static void every_character_in_an_address(void **state)
{
    static const struct canned none[] = {{NULL, NULL, 0, NULL}};

    (void)state;
    begin(none, "/{domain}/{local}/{address}/Kalender f\xc3\xbcr alle", NULL);
    ask_about("a/b~#%+&|*' \"\xc3\xb6@example.org", NULL, NULL);
    expect_error("calendar-not-found");
    assert_non_null(strstr(server.log.data,
                           "PROPFIND /example.org/a%2Fb~%23%25%2B%26%7C%2A%27%20%22%C3%B6/"
                           "a%2Fb~%23%25%2B%26%7C%2A%27%20%22%C3%B6%40example.org/Kalender%20f%C3%BCr%20alle/ auth\n"));
}

static void own_path_and_no_path(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", "/shared/room%201/", 207, MS ROW("/shared/room%201/", IS_CALENDAR EVENTS_ONLY) MS_END},
        {"REPORT", "/shared/room%201/", 207, MS MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{address}/calendar/", NULL);
    ask_about("room@example.org", "/shared/room 1", NULL);
    assert_string_equal(got.code, "");
    assert_int_equal(got.count, 0);
    begin(rows, NULL, NULL);
    ask_about("room@example.org", NULL, NULL);
    expect_error("config-account");
    begin(rows, "/{who}/", NULL);
    ask_about("room@example.org", NULL, NULL);
    expect_error("config-account");
}

#define WORK "/work/alice/"
#define HOME "/home/alice/"

static void several_calendars_are_one_answer_or_none(void **state)
{
    static const struct canned both[] = {
        {"PROPFIND", WORK, 207, MS ROW(WORK, IS_CALENDAR EVENTS_ONLY) MS_END},
        {"PROPFIND", HOME, 207, MS ROW(HOME, IS_CALENDAR EVENTS_ONLY) MS_END},
        {"REPORT", WORK, 207, MS ROW(WORK "1.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z"))) MS_END},
        {"REPORT", HOME, 207, MS ROW(HOME "1.ics", DATA(EVENT_AT("4T130000Z", "4T140000Z"))) MS_END},
        {NULL, NULL, 0, NULL}};
    static const struct canned one_closed[] = {
        {"PROPFIND", WORK, 207, MS ROW(WORK, IS_CALENDAR EVENTS_ONLY) MS_END},
        {"PROPFIND", HOME, 207, MS ROW(HOME, IS_CALENDAR EVENTS_ONLY) MS_END},
        {"REPORT", WORK, 207, MS ROW(WORK "1.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z"))) MS_END},
        {"REPORT", HOME, 403, ""},
        {NULL, NULL, 0, NULL}};

    (void)state;
    begin(both, "/work/{local}/", "/home/{local}/");
    ask_about("alice@example.org", NULL, NULL);
    assert_int_equal(got.count, 2);
    ask_about("alice@example.org", NULL, got.remember);
    assert_int_equal(got.requests, 2);
    assert_int_equal(got.count, 2);
    canned = one_closed;
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-forbidden");
}

static void nobody_is_free_by_a_mishap(void **state)
{
    static const struct {
        int look_status;
        const char *look;
        int read_status;
        const char *read, *code;
    } mishaps[] = {
        {404, "", 0, "", "calendar-not-found"},
        {403, "", 0, "", "calendar-forbidden"},
        {200, "<html>Welcome</html>", 0, "", "answer-malformed"},
        {207, MS ROW(ALICE, "<resourcetype/>") MS_END, 0, "", "calendar-not-found"},
        {207, MS MS_END, 0, "", "calendar-not-found"},
        {207, "<html><body>Welcome</body></html>", 0, "", "answer-malformed"},
        {207, NULL, 200, "<html>Welcome</html>", "answer-malformed"},
        {207, NULL, 200, MEETING, "answer-malformed"},
        {207, NULL, 207, "<html><body>Welcome</body></html>", "answer-malformed"},
        {207, NULL, 207, "", "answer-malformed"},
        {207, NULL, 207, MS ROW(ALICE "1.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z"))), "answer-malformed"}, /* cut */
        {207, NULL, 207, MS ROW(ALICE "1.ics", "<getetag>1</getetag>") MS_END,
         "answer-malformed"}, /* Radicale's free-busy-query */
        {207, NULL, 207, MS "<response><href>/x</href><status>HTTP/1.1 403 Forbidden</status></response>" MS_END,
         "answer-malformed"},
        {207, NULL, 207, MS ROW(ALICE "1.ics", "<C:calendar-data>oops</C:calendar-data>") MS_END, "answer-malformed"},
        {207, NULL, 207, MS ROW(ALICE "1.ics", "<C:calendar-data>BEGIN:VCALENDAR\n</C:calendar-data>") MS_END,
         "answer-malformed"},
        {207, NULL, 403, "", "calendar-forbidden"},
        {207, NULL, 401, "", "calendar-forbidden"},
        {207, NULL, 501, "", "query-refused"},
        {207, NULL, 404, "", "calendar-not-found"},
        {207, NULL, 500, "", "http-server-error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mishaps) / sizeof(mishaps[0]); i++) {
        const char *look = mishaps[i].look != NULL ? mishaps[i].look : MS ROW(ALICE, IS_CALENDAR EVENTS_ONLY) MS_END;
        const struct canned rows[] = {{"PROPFIND", ALICE, mishaps[i].look_status, look},
                                      {"REPORT", ALICE, mishaps[i].read_status, mishaps[i].read},
                                      {NULL, NULL, 0, NULL}};

        begin(rows, "/{address}/calendar/", NULL);
        ask_about("alice@example.org", NULL, NULL);
        if (strcmp(got.code, mishaps[i].code) != 0)
            print_error("mishap %zu: %s (%s)\n", i, got.code, got.evidence);
        expect_error(mishaps[i].code);
    }
}

static void broken_items_are_left_out_alone(void **state)
{
    static const struct canned rows[] = {{"PROPFIND", ALICE, 207, MS ROW(ALICE, IS_CALENDAR EVENTS_ONLY) MS_END},
                                         {"REPORT", ALICE, 207,
                                          MS ROW(ALICE "1.ics", "<C:calendar-data>BEGIN:VCALENDAR\n</C:calendar-data>")
                                              ROW(ALICE "2.ics", DATA("BEGIN:VEVENT\nEND:VEVENT\n"))
                                                  ROW(ALICE "3.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z")))
                                                      ROW(ALICE "4.ics", "<getetag>1</getetag>") MS_END},
                                         {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    assert_string_equal(got.code, "");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.skipped, 3);
}

static void more_than_we_keep(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", ALICE, 207, MS ROW(ALICE, IS_CALENDAR EVENTS_ONLY) MS_END},
        {"REPORT", ALICE, 207,
         MS ROW(ALICE "1.ics",
                DATA("BEGIN:VEVENT\nDTSTART:20080101T000000Z\nDURATION:PT1M\nRRULE:FREQ=HOURLY\nEND:VEVENT\n")) MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{address}/calendar/", NULL);
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
        {"PROPFIND", PERSON, 207,
         MS ROW(PERSON, "<resourcetype><collection/><principal/></resourcetype>") ROW(
             PERSON "a/", IS_CALENDAR EVENTS_ONLY) ROW("http://elsewhere.invalid" PERSON "b/", IS_CALENDAR EVENTS_ONLY)
             ROW(PERSON "birthdays/", IS_CALENDAR NOT_BUSY) ROW(PERSON "tasks/", IS_CALENDAR TASKS)
                 ROW(PERSON "inbox/", "<resourcetype><collection/><C:schedule-inbox/></resourcetype>") MS_END},
        {"REPORT", PERSON "a/", 207, MS ROW(PERSON "a/1.ics", DATA(EVENT_AT("3T130000Z", "3T140000Z"))) MS_END},
        {"REPORT", PERSON "b/", 207,
         "<D:multistatus xmlns:D=\"DAV:\" xmlns:X=\"" CAL "\"><D:response><D:href>/alice/b/1.ics</D:href><D:propstat>"
         "<D:status>HTTP/1.1 200 OK</D:status><D:prop><X:calendar-data><![CDATA[BEGIN:VCALENDAR\r\n"
         "BEGIN:VEVENT\r\nDTSTART:20080304T130000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n]]></"
         "X:calendar-data></D:prop>"
         "</D:propstat></D:response></D:multistatus>"},
        {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{local}/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    assert_string_equal(got.code, "");
    assert_int_equal(got.count, 2);
    assert_int_equal(got.requests, 4);
    ask_about("alice@example.org", NULL, got.remember);
    assert_int_equal(got.requests, 2);
    assert_int_equal(got.count, 2);
}

static void somebody_elses_calendar_in_its_place(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", ALICE, 207,
         MS ROW(ALICE, IS_CALENDAR EVENTS_ONLY
                "<owner><href>/principals/svc/</href></owner>"
                "<current-user-principal><href>/principals/svc</href></current-user-principal>") MS_END},
        {"REPORT", ALICE, 207, MS MS_END},
        {"PROPFIND", "/svc%40example.org/calendar/", 207,
         MS ROW("/svc%40example.org/calendar/", IS_CALENDAR EVENTS_ONLY
                "<owner><href>/principals/svc/</href></owner>"
                "<current-user-principal><href>/principals/svc/</href></current-user-principal>") MS_END},
        {"REPORT", "/svc%40example.org/calendar/", 207, MS MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect_error("calendar-forbidden");
    ask_about("svc@example.org", NULL, NULL);
    assert_string_equal(got.code, "");
}

#define ZONE(id, offset)                                                                                               \
    "<C:calendar-timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:" id                                                  \
    "\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:" offset "\nTZOFFSETTO:" offset                           \
    "\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:calendar-timezone>"

static void floating_times_are_in_the_calendars_zone(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", "/a/", 207, MS ROW("/a/", IS_CALENDAR EVENTS_ONLY) MS_END},
        {"PROPFIND", "/b/", 207, MS ROW("/b/", IS_CALENDAR EVENTS_ONLY ZONE("Asia/Tokyo", "+0900")) MS_END},
        {"PROPFIND", "/c/", 207, MS ROW("/c/", IS_CALENDAR EVENTS_ONLY ZONE("Our own", "-0330")) MS_END},
        {"REPORT", "/a/", 207, MS ROW("/a/1", DATA(EVENT_AT("4T120000", "4T130000"))) MS_END},
        {"REPORT", "/b/", 207, MS ROW("/b/1", DATA(EVENT_AT("4T120000", "4T130000"))) MS_END},
        {"REPORT", "/c/", 207, MS ROW("/c/1", DATA(EVENT_AT("4T120000", "4T130000"))) MS_END},
        {NULL, NULL, 0, NULL}};
    int64_t noon = NOON + DAY;

    (void)state;
    begin(rows, "/b/", "/a/");
    ask_about("alice@example.org", NULL, NULL);
    assert_int_equal(got.count, 2);
    expect_span(0, noon - 9 * 3600, noon - 8 * 3600);
    expect_span(1, noon - 3600, noon); /* the account's, Berlin */
    ask_about("alice@example.org", NULL, got.remember);
    assert_int_equal(got.requests, 2);
    expect_span(0, noon - 9 * 3600, noon - 8 * 3600);
    expect_span(1, noon - 3600, noon);
    /* a zone that is only defined there is not remembered, but used */
    begin(rows, "/c/", "/a/");
    ask_about("alice@example.org", NULL, NULL);
    expect_span(0, noon + 12600, noon + 16200);
    expect_span(1, noon - 3600, noon);
    assert_string_equal(got.remember, "");
}

static void freebusy_components_where_they_may_be(void **state)
{
    static const struct canned rows[] = {
        {"PROPFIND", ALICE, 207, MS ROW(ALICE, IS_CALENDAR) MS_END},
        {"REPORT", ALICE, 207,
         MS ROW(ALICE "1.ics",
                DATA("BEGIN:VFREEBUSY\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20080303T130000Z/PT1H\nEND:VFREEBUSY\n"))
             MS_END},
        {NULL, NULL, 0, NULL}};

    (void)state;
    begin(rows, "/{address}/calendar/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    assert_int_equal(got.requests, 3);
    assert_non_null(strstr(report_body.data, "<C:comp-filter name=\"VFREEBUSY\"/>"));
    assert_int_equal(got.count, 2); /* the server here gives the same to both questions */
    assert_int_equal(got.spans[0].kind, DAV_OOF);
    ask_about("alice@example.org", NULL, got.remember);
    assert_int_equal(got.requests, 2);
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
        cmocka_unit_test_setup_teardown(broken_items_are_left_out_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_we_keep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_home_is_its_calendars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_elses_calendar_in_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floating_times_are_in_the_calendars_zone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freebusy_components_where_they_may_be, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
