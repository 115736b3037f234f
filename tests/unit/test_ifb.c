/*
 * ifb: free/busy files behind a web server, which change, run out, vanish, or are something else.
 */
#include "dav_server.h"

#define FILE_FOR(from, until, inside)                                                                                  \
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VFREEBUSY\r\nDTSTART:" from "\r\nDTEND:" until "\r\n" inside              \
    "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
#define WHOLE(inside) FILE_FOR("20080301T000000Z", "20080401T000000Z", inside)
#define BUSY_1 "FREEBUSY:20080303T130000Z/PT1H\r\n"
#define BUSY_2 "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20080303T150000Z/20080303T160000Z,20080304T100000Z/PT30M\r\n"

static struct file {
    const char *path, *text, *etag, *modified; /* the latter are whole headers; NULL: none */
    int status;                                /* 0: 200 */
} files[3];
static unsigned unchanged;
static struct outcome got;
static const char *templates[3];

static bool serve(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    const char *tag = httpd_header(req, "If-None-Match"), *since = httpd_header(req, "If-Modified-Since");

    if (!authorized) {
        reply_plain(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
        return true;
    }
    for (struct file *f = files; f < files + 3 && f->path != NULL; f++) {
        if (strcmp(f->path, path) != 0 || strcmp(method, "GET") != 0)
            continue;
        if ((tag != NULL && f->etag != NULL && strcmp(f->etag + strlen("ETag: "), tag) == 0) ||
            (since != NULL && f->modified != NULL && strcmp(f->modified + strlen("Last-Modified: "), since) == 0)) {
            unchanged++;
            reply_plain(req, 304, NULL, "");
        } else {
            reply_plain(req, f->status != 0 ? f->status : 200, f->etag != NULL ? f->etag : f->modified, f->text);
        }
        return true;
    }
    reply_plain(req, 404, NULL, "no");
    return true;
}

static void start(const char *first, const char *second)
{
    static char url[100];
    struct dav_account account = usual_account();

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/fb/", httpd_port(server.httpd));
    templates[0] = first;
    templates[1] = second;
    account.kind = DAV_KIND_IFB;
    account.url = url;
    account.calendars = templates;
    server.answer = serve;
    session = session_for(&account, "secret");
}

static int set_up(void **state)
{
    (void)state;
    memset(files, 0, sizeof(files));
    unchanged = 0;
    world_begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void ask_about(const char *address)
{
    struct dav_question question = question_about(address);

    buf_reset(&server.log);
    ask(&got, &question);
}

static void expect(size_t count)
{
    if (got.code[0] != '\0')
        print_error("%s: %s\n", got.code, got.evidence);
    assert_string_equal(got.code, "");
    assert_int_equal(got.count, count);
    assert_int_equal(got.requests, 1);
}

static void expect_error(const char *code)
{
    assert_string_equal(got.code, code);
    assert_int_equal(got.count, 0);
}

/* One request each, and the periods only when there are others. */
static void a_file_that_changes(void **state)
{
    (void)state;
    files[0] = (struct file){"/fb/alice%40example.org.ifb", WHOLE(BUSY_1), "ETag: \"1\"", NULL, 0};
    start("{address}.ifb", NULL);
    ask_about("alice@example.org");
    expect(1);
    assert_int_equal(got.spans[0].start, NOON + 3600);
    assert_int_equal(got.spans[0].end, NOON + 7200);
    assert_int_equal(got.spans[0].kind, DAV_BUSY);
    assert_non_null(strstr(got.way, "file"));
    assert_non_null(strstr(server.log.data, "HEAD /fb/ bare\n")); /* nothing that a plain web server does not know */
    assert_null(strstr(server.log.data, "PROPFIND"));
    ask_about("alice@example.org");
    expect(1);
    assert_int_equal(unchanged, 1);
    files[0].text = WHOLE(BUSY_1 BUSY_2);
    files[0].etag = "ETag: \"2\"";
    ask_about("alice@example.org");
    expect(3);
    files[0].etag = NULL; /* by its date from now on */
    files[0].modified = "Last-Modified: Mon, 03 Mar 2008 10:00:00 GMT";
    ask_about("alice@example.org");
    expect(3);
    ask_about("alice@example.org");
    expect(3);
    assert_int_equal(unchanged, 2);
    ask_about("bob@example.org");
    expect_error("calendar-not-found");
}

/* What the file does not speak of is not free. */
static void as_far_as_it_reaches(void **state)
{
    (void)state;
    files[0] = (struct file){"/alice.ifb", FILE_FOR("20080303T110000Z", "20080303T140000Z", BUSY_1), NULL, NULL, 0};
    start("/{local}.ifb", NULL);
    ask_about("alice@example.org");
    expect(1);
    assert_int_equal(got.from, NOON - 3600);
    assert_int_equal(got.until, NOON + 7200);
    files[0].text = FILE_FOR("20080201T000000Z", "20080303T113000Z", "");
    ask_about("alice@example.org");
    expect_error("freebusy-outdated");
    files[0].text = FILE_FOR("20080401T000000Z", "20080301T000000Z", "");
    ask_about("alice@example.org");
    expect_error("freebusy-outdated");
    files[0].text = FILE_FOR("yesterday", "20080401T000000Z", "");
    ask_about("alice@example.org");
    expect_error("freebusy-outdated");
    files[0].text = "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nEND:VFREEBUSY\nEND:VCALENDAR\n"; /* it sets itself no limit */
    ask_about("alice@example.org");
    expect(0);
}

static void several_files(void **state)
{
    (void)state;
    files[0] = (struct file){"/work/alice.ifb", WHOLE(BUSY_1), "ETag: W/\"a\"", NULL, 0};
    files[1] =
        (struct file){"/home/alice.ifb", FILE_FOR("20080301T000000Z", "20080305T000000Z", BUSY_2), NULL, NULL, 0};
    start("/work/{local}.ifb", "/home/{local}.ifb");
    for (int i = 0; i < 2; i++) {
        ask_about("alice@example.org");
        assert_string_equal(got.code, "");
        assert_int_equal(got.count, 3);
        assert_int_equal(got.requests, 2);
    }
    assert_int_equal(got.until < NOON + 3 * DAY, true);
    assert_int_equal(unchanged, 1);
    files[1].path = "/gone"; /* half of what a person does is no answer */
    ask_about("alice@example.org");
    expect_error("calendar-not-found");
}

static void no_free_busy_at_all(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *code;
    } rows[] = {
        {"<html>Please log in</html>", 200, "answer-malformed"},
        {"", 200, "answer-malformed"},
        {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20080303T130000Z\nEND:VEVENT\nEND:VCALENDAR\n", 200,
         "answer-malformed"},
        {"BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nFREEBUSY:20080303T130000Z/PT1H\n", 200, "answer-malformed"},
        {WHOLE("FREEBUSY:20080303T130000Z/never\r\n"), 200, "items-unreadable"},
        {WHOLE("FREEBUSY:20080303T130000Z/20080303T120000Z\r\n"), 200, "items-unreadable"},
        {"no", 403, "calendar-forbidden"},
        {"no", 410, "calendar-not-found"},
        {"no", 500, "http-server-error"},
        {"", 304, "answer-malformed"}, /* to a question without a condition */
    };

    (void)state;
    files[0].path = "/alice.ifb";
    start("/{local}.ifb", NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        files[0].text = rows[i].text;
        files[0].status = rows[i].status;
        ask_about("alice@example.org");
        expect_error(rows[i].code);
    }
    files[0].status = 0;
    files[0].text = WHOLE(BUSY_1);
    ask_about("alice@example.org");
    expect(1);
}

static void without_a_path(void **state)
{
    struct dav_question question = question_about("alice@example.org");

    (void)state;
    files[0] = (struct file){"/her/own.ifb", WHOLE(BUSY_1), NULL, NULL, 0};
    start(NULL, NULL);
    ask(&got, &question);
    expect_error("config-account");
    question.path = "/her/own.ifb";
    ask(&got, &question);
    expect(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_far_as_it_reaches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_free_busy_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_path, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
