/*
 * caldav_outbox: many people by one POST, and outboxes that answer with half of it, nonsense, or somebody else's time.
 */
#include "caldav_outbox.h"
#include "dav_server.h"
#include "davclient/batch.h"

#define CAL "urn:ietf:params:xml:ns:caldav"
#define MS(props)                                                                                                      \
    "<multistatus xmlns=\"DAV:\" xmlns:C=\"" CAL "\"><response><href>/x</href><propstat><prop>" props                  \
    "</prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
#define US MS("<current-user-principal><href>/p/svc/</href></current-user-principal>")
#define OUTBOX                                                                                                         \
    MS("<C:schedule-outbox-URL><href>/svc/outbox/</href></C:schedule-outbox-URL><C:calendar-user-address-set>"         \
       "<href>/p/svc/</href><href>mailto:svc@example.org</href></C:calendar-user-address-set>")
#define ANSWER(rows) "<C:schedule-response xmlns:D='DAV:' xmlns:C='" CAL "'>" rows "</C:schedule-response>"
#define ROW(recipient, status, data)                                                                                   \
    "<C:response><C:recipient>" recipient "</C:recipient><C:request-status>" status                                    \
    "</C:request-status><C:calendar-data>" data "</C:calendar-data></C:response>"
#define FREE_BUSY(from, until, inside)                                                                                 \
    "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nDTSTART:" from "\nDTEND:" until "\n" inside "END:VFREEBUSY\nEND:VCALENDAR\n"
#define WHOLE(inside) FREE_BUSY("20080301T000000Z", "20080401T000000Z", inside)
#define AN_HOUR "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20080303T130000Z/PT1H\n"

static const char *outbox_answer, *principal_answer;
static int outbox_status;
static unsigned posts;
static struct buf request;

static bool serve(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    size_t len;
    const char *body = httpd_body(req, &len);

    if (!authorized) {
        reply_plain(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
    } else if (strcmp(method, "POST") == 0) {
        posts++;
        buf_reset(&request);
        buf_add(&request, body, len);
        reply_plain(req, outbox_status, NULL, outbox_answer);
    } else if (strcmp(path, "/p/svc/") == 0) {
        reply_plain(req, 207, NULL, principal_answer);
    } else {
        reply_plain(req, 207, NULL, US);
    }
    return true;
}

static struct {
    unsigned calls;
    size_t count;
    enum dav_err err;
    char codes[8][40];
    unsigned spans[8];
    int64_t until[8];
    bool way;
} got;

static void on_batch(void *arg, const struct dav_batch_result *result)
{
    (void)arg;
    memset(&got, 0, sizeof(got));
    got.count = result->count;
    got.err = result->err;
    for (size_t i = 0; i < result->count && i < 8; i++) {
        snprintf(got.codes[i], sizeof(got.codes[i]), "%s", result->persons[i].code ? result->persons[i].code : "");
        got.spans[i] = (unsigned)result->persons[i].count;
        got.until[i] = result->persons[i].until;
        got.way = got.way || (result->persons[i].way != NULL && strstr(result->persons[i].way, "outbox") != NULL);
    }
    got.calls = 1;
}

static void ask_about(const struct dav_batch_person *persons, size_t count)
{
    struct dav_batch_question question = {
        .persons = persons, .count = count, .from = NOON - DAY, .until = NOON + 7 * DAY};

    got.calls = 0;
    assert_non_null(dav_batch_start(session, &question, on_batch, NULL));
    wait_for(&got.calls, 1);
}

static int set_up(void **state)
{
    static char url[100];
    struct dav_account account;

    (void)state;
    world_begin();
    buf_init(&request, 100000);
    posts = 0;
    outbox_status = 200;
    principal_answer = OUTBOX;
    account = usual_account();
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/dav/", httpd_port(server.httpd));
    account.kind = DAV_KIND_CALDAV;
    account.url = url;
    server.answer = serve;
    session = session_for(&account, "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    buf_free(&request);
    return 0;
}

static void each_has_a_row(void **state)
{
    static const struct dav_batch_person persons[] = {{"alice@example.org", NULL}, {"Bob+x@example.org", NULL},
                                                      {"none@example.org", NULL},  {"late@example.org", NULL},
                                                      {"lost@example.org", NULL},  {"odd@example.org", NULL},
                                                      {"past@example.org", NULL}};

    (void)state;
    outbox_answer = ANSWER(
        ROW("<D:href>mailto:ALICE@example.org</D:href>", "2.0;Success", WHOLE(AN_HOUR))
            ROW("mailto:bob%2Bx@example.org", "2.0;Success", FREE_BUSY("20080301T000000Z", "20080304T000000Z", ""))
                ROW("<D:href>mailto:none@example.org</D:href>", "3.7;Invalid Calendar User", "")
                    ROW("<D:href>mailto:late@example.org</D:href>", "5.1;Service unavailable", "")
                        ROW("<D:href>mailto:odd@example.org</D:href>", "2.0;Success", WHOLE("FREEBUSY:yesterday\n"))
                            ROW("<D:href>mailto:past@example.org</D:href>", "2.0;Success",
                                FREE_BUSY("20070301T000000Z", "20070304T000000Z", ""))
                                ROW("<D:href>mailto:stranger@example.org</D:href>", "2.0;Success", WHOLE("")));
    ask_about(persons, 7);
    assert_int_equal(got.count, 7);
    assert_string_equal(got.codes[0], "");
    assert_int_equal(got.spans[0], 1);
    assert_string_equal(got.codes[1], "");
    assert_int_equal(got.until[1], NOON + DAY / 2); /* the third of March ends there, and with it what is known */
    assert_string_equal(got.codes[2], "mailbox-not-found");
    assert_string_equal(got.codes[3], "freebusy-no-data");
    assert_string_equal(got.codes[4], "freebusy-missing");
    assert_string_equal(got.codes[5], "answer-malformed");
    assert_string_equal(got.codes[6], "freebusy-no-data");
    assert_true(got.way);
    assert_non_null(strstr(request.data, "ORGANIZER:mailto:svc@example.org\r\n"));
    assert_non_null(strstr(request.data, "ATTENDEE:mailto:alice@example.org\r\n"));
    ask_about(persons, 2);
    assert_int_equal(posts, 2);
    assert_int_equal(got.spans[0], 1);
}

static void pieces(void **state)
{
    struct dav_batch_person persons[120];
    char names[120][200];

    (void)state;
    outbox_answer = ANSWER("");
    for (int i = 0; i < 120; i++) {
        snprintf(names[i], sizeof(names[i]),
                 "somebody-with-quite-a-long-name-and-a-number-%d@a-department.of-a-company.example", i);
        persons[i] = (struct dav_batch_person){names[i], NULL};
    }
    ask_about(persons, 120);
    assert_int_equal(posts, 3);
    assert_string_equal(got.codes[0], "freebusy-missing");
    for (const char *line = request.data; *line != '\0'; line = strstr(line, "\r\n") + 2)
        assert_true(strcspn(line, "\r") <= 75);
}

static void no_outbox(void **state)
{
    static const struct dav_batch_person alice = {"alice@example.org", NULL};
    static const struct {
        int status;
        const char *text, *code;
    } rows[] = {
        {200, "<html>Welcome</html>", "answer-malformed"},
        {200, ANSWER(ROW("mailto:alice@example.org", "2.0;Success", WHOLE(""))) "<more", "answer-malformed"},
        {200, "", "answer-malformed"},
        {207, "", "answer-malformed"},
        {403, "no", "outbox-missing"},
        {404, "no", "outbox-missing"},
        {500, "no", "http-server-error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        outbox_status = rows[i].status;
        outbox_answer = rows[i].text;
        ask_about(&alice, 1);
        assert_string_equal(got.codes[0], rows[i].code);
        assert_int_equal(got.spans[0], 0);
    }
    principal_answer = MS("<C:schedule-outbox-URL/>");
    outbox_status = 404;
    ask_about(&alice, 1); /* forgets where it was */
    ask_about(&alice, 1);
    assert_string_equal(got.codes[0], "outbox-missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_has_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_outbox, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
