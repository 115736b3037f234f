/*
 * exchange: the walk to a calendar, its rows and its pages, against a server of canned answers.
 */
#include "dav_server.h"
#include "exchange.h"

static struct outcome got;

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    account = usual_account();
    session = session_for(&account, "secret");
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

    ask(&got, &question);
}

static void ask_with(const char *address, const char *path, const char *remember)
{
    struct dav_question question = question_about(address);

    question.path = path;
    question.remember = remember;
    ask(&got, &question);
}

static void expect_fail(const char *code)
{
    assert_string_equal(got.code, code);
    assert_int_equal(got.count, 0);
    assert_true(got.err != DAV_OK);
}

/* --- rows --- */

static const char *rows;

static bool with_rows(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)path;
    if (!authorized || strcmp(method, "SEARCH") != 0)
        return false;
    reply(req, 207, NULL, rows);
    return true;
}

static void ask_for_rows(const char *text)
{
    rows = text;
    server.answer = with_rows;
    ask_about("anna@example.test");
}

static void a_plain_meeting(void **state)
{
    (void)state;
    ask_about("anna@example.test");
    assert_int_equal(got.err, DAV_OK);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.spans[0].start, NOON + 3600);
    assert_int_equal(got.spans[0].end, NOON + 7200);
    assert_int_equal(got.spans[0].kind, DAV_BUSY);
    assert_int_equal(got.spans[0].traits, 0);
    assert_int_equal(got.requests, 2);
    assert_int_equal(got.as_of, NOON);
    assert_int_equal(got.from, NOON - DAY);
    assert_int_equal(got.until, NOON + 7 * DAY);
    /* the folder's name is the server's; the host in it is not */
    assert_string_equal(got.remember, "/exchange/anna@example.test/Kalender/");
    assert_string_equal(
        server.log.data,
        "PROPFIND /exchange/ bare\nPROPFIND /exchange/ auth\n"
        "PROPFIND /exchange/anna@example.test/ auth\nSEARCH /exchange/anna@example.test/Kalender/ auth\n");
}

static void kinds_and_traits(void **state)
{
    static const struct {
        const char *props;
        enum dav_busy kind;
        unsigned traits;
    } cases[] = {
        {"<d:busystatus>FREE</d:busystatus>", DAV_FREE, 0},
        {"<d:busystatus>Tentative</d:busystatus>", DAV_TENTATIVE, 0},
        {"<d:busystatus>OOF</d:busystatus>", DAV_OOF, 0},
        {"<d:busystatus>OutOfOffice</d:busystatus>", DAV_OOF, 0},
        {"<d:busystatus>ASLEEP</d:busystatus>", DAV_BUSY, 0},
        {"<d:busystatus>ASLEEP</d:busystatus><busymapi b:dt=\"int\">0</busymapi>", DAV_BUSY, 0},
        {"<d:busystatus></d:busystatus><busymapi>3</busymapi>", DAV_OOF, 0},
        {"", DAV_BUSY, 0},
        {"<busymapi>0</busymapi>", DAV_FREE, 0},
        {"<busymapi>1</busymapi>", DAV_TENTATIVE, 0},
        {"<busymapi>4</busymapi>", DAV_ELSEWHERE, 0},
        {"<busymapi>17</busymapi>", DAV_BUSY, 0},
        {"<busymapi>x</busymapi>", DAV_BUSY, 0},
        {"<h:0x00008205 "
         "xmlns:h=\"http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-c000-000000000046}/\">1</h:0x00008205>",
         DAV_TENTATIVE, 0},
        {"<d:meetingstatus>TENTATIVE</d:meetingstatus>", DAV_BUSY, 0},
        {"<d:alldayevent b:dt=\"boolean\">1</d:alldayevent>", DAV_BUSY, DAV_TRAIT_ALL_DAY},
        {"<d:alldayevent>true</d:alldayevent>", DAV_BUSY, DAV_TRAIT_ALL_DAY},
        {"<d:alldayevent>0</d:alldayevent>", DAV_BUSY, 0},
        {"<g:apptstateflags>7</g:apptstateflags>", DAV_BUSY, DAV_TRAIT_CANCELLED},
        {"<g:apptstateflags>3</g:apptstateflags>", DAV_BUSY, 0},
        {"<g:responsestatus>4</g:responsestatus>", DAV_BUSY, DAV_TRAIT_DECLINED},
        {"<g:responsestatus>5</g:responsestatus>", DAV_BUSY, DAV_TRAIT_UNANSWERED},
        {"<g:responsestatus>2</g:responsestatus>", DAV_BUSY, DAV_TRAIT_ACCEPTED_MAYBE},
        {"<f:sensitivity>2</f:sensitivity>", DAV_BUSY, DAV_TRAIT_PRIVATE},
        {"<f:sensitivity>1</f:sensitivity>", DAV_BUSY, 0},
        {"<d:instancetype>3</d:instancetype>", DAV_BUSY, 0},
    };
    char text[4000];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), MULTISTATUS APPOINTMENT("One", "3T13:00", "3T14:00", "%s") MULTISTATUS_END,
                 cases[i].props);
        ask_for_rows(text);
        if (got.count != 1 || got.spans[0].kind != cases[i].kind || got.spans[0].traits != cases[i].traits)
            fail_msg("%s: %zu spans, kind %d, traits %u", cases[i].props, got.count, got.spans[0].kind,
                     got.spans[0].traits);
    }
}

#define GOOD APPOINTMENT("Good", "3T13:00", "3T14:00", "")

static void what_is_left_out(void **state)
{
    static const struct {
        const char *row;
        unsigned skipped;
    } cases[] = {
        {RESPONSE("/a", "<d:dtstart>2008-03-03T13:00:00Z</d:dtstart>"), 1},
        {RESPONSE("/a", "<d:dtend>2008-03-03T13:00:00Z</d:dtend><d:busystatus>BUSY</d:busystatus>"), 1},
        {RESPONSE("/a", "<d:dtstart>tomorrow</d:dtstart><d:dtend>2008-03-03T13:00:00Z</d:dtend>"), 1},
        {RESPONSE("/a", ""), 1},
        {"<a:response><a:href>/a</a:href><a:status>HTTP/1.1 404 Resource Not Found</a:status></a:response>", 1},
        {APPOINTMENT("Back", "3T14:00", "3T13:00", ""), 1},
        {APPOINTMENT("Moment", "3T14:00", "3T14:00", ""), 0},
        {APPOINTMENT("Master", "3T13:00", "3T14:00", "<d:instancetype b:dt=\"int\">1</d:instancetype>"), 0},
        {APPOINTMENT("Before", "1T13:00", "1T14:00", ""), 0},
        {"<a:response><a:href>/a</a:href><a:propstat><a:status>HTTP/1.1 403 Forbidden</a:status><a:prop>"
         "<d:dtstart>2008-03-03T13:00:00Z</d:dtstart><d:dtend>2008-03-03T14:00:00Z</d:dtend></a:prop></a:propstat></"
         "a:response>",
         1},
    };
    char text[4000];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), MULTISTATUS "%s" GOOD MULTISTATUS_END, cases[i].row);
        ask_for_rows(text);
        assert_int_equal(got.err, DAV_OK);
        assert_int_equal(got.count, 1);
        assert_int_equal(got.skipped, cases[i].skipped);
        /* alone, a broken one does not make anybody free; one that takes no time does */
        snprintf(text, sizeof(text), MULTISTATUS "%s" MULTISTATUS_END, cases[i].row);
        ask_for_rows(text);
        assert_string_equal(got.code, cases[i].skipped ? "answer-malformed" : "");
        assert_int_equal(got.count, 0);
    }
}

static void an_empty_calendar(void **state)
{
    (void)state;
    ask_for_rows(MULTISTATUS MULTISTATUS_END);
    assert_int_equal(got.err, DAV_OK);
    assert_int_equal(got.count, 0);
}

static void what_is_no_answer(void **state)
{
    (void)state;
    ask_for_rows("<html><body>Please log on</body></html>");
    expect_fail("answer-malformed");
    ask_for_rows(MULTISTATUS GOOD); /* cut, though HTTP says it is whole */
    expect_fail("answer-malformed");
    ask_for_rows("");
    expect_fail("answer-malformed");
}

static void too_many_rows(void **state)
{
    struct dav_account account = usual_account();
    struct dav_question question = question_about("anna@example.test");
    struct buf text;

    (void)state;
    dav_session_close(&session, "another account");
    account.max_rows = 100;
    session = session_for(&account, "secret");
    buf_init(&text, 1 << 20);
    buf_adds(&text, MULTISTATUS);
    for (int i = 0; i < 101; i++)
        buf_addf(&text,
                 RESPONSE("/%d", "<d:dtstart>2008-03-03T13:00:00Z</d:dtstart><d:dtend>2008-03-03T14:00:00Z</d:dtend>"),
                 i);
    buf_adds(&text, MULTISTATUS_END);
    rows = text.data;
    server.answer = with_rows;
    ask(&got, &question);
    expect_fail("answer-too-large");
    buf_free(&text);
}

/* --- pages --- */

static struct {
    unsigned rows; /* in the calendar */
    bool total;    /* Content-Range says how many */
    bool ignores_range;
    unsigned shift_at;   /* from the second page on, so many rows stand earlier */
    unsigned claims;     /* a total that is not true */
    unsigned page_limit; /* rows of a page at most, whatever was asked */
} pages;

static bool with_pages(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    const char *range = httpd_header(req, "Range");
    unsigned first = 0, last = 0, next;
    char header[100];
    struct buf text;

    (void)path;
    if (!authorized || strcmp(method, "SEARCH") != 0)
        return false;
    assert_non_null(range);
    assert_int_equal(sscanf(range, "rows=%u-%u", &first, &last), 2);
    if (pages.ignores_range)
        first = 0, last = pages.rows - 1;
    if (first >= pages.rows) {
        reply(req, 416, NULL, "");
        return true;
    }
    if (pages.page_limit && last - first >= pages.page_limit)
        last = first + pages.page_limit - 1;
    next = last + 1 < pages.rows ? last + 1 : pages.rows;
    buf_init(&text, 1 << 20);
    buf_adds(&text, MULTISTATUS);
    for (unsigned i = first; i < next; i++) {
        unsigned row = first > 0 ? i - pages.shift_at : i;

        buf_addf(
            &text,
            RESPONSE("/%u", "<d:dtstart>2008-03-03T13:%02u:00Z</d:dtstart><d:dtend>2008-03-03T14:00:00Z</d:dtend>"),
            row, row % 60);
    }
    buf_adds(&text, MULTISTATUS_END);
    snprintf(header, sizeof(header), "Content-Range: rows %u-%u; total=%u", first, next - 1,
             pages.claims ? pages.claims : pages.rows);
    reply(req, 207, pages.total ? header : NULL, text.data);
    buf_free(&text);
    return true;
}

static void page_after_page(void **state)
{
    static const struct {
        unsigned rows;
        bool total, ignores_range;
        unsigned shift_at, claims, page_limit;
        size_t count;
        unsigned searches;
        const char *code;
    } cases[] = {
        {199, true, false, 0, 0, 0, 199, 1, ""},
        {199, false, false, 0, 0, 0, 199, 1, ""},
        {200, true, false, 0, 0, 0, 200, 1, ""},
        {200, false, false, 0, 0, 0, 200, 2, ""}, /* the second says 416 */
        {450, true, false, 0, 0, 0, 450, 3, ""},
        {450, false, false, 0, 0, 0, 450, 3, ""},
        {450, false, true, 0, 0, 0, 450, 1, ""},                /* more rows than asked: that was all */
        {200, false, true, 0, 0, 0, 200, 2, ""},                /* the same again: so was that */
        {450, true, false, 5, 0, 0, 445, 3, ""},                /* five rows came twice */
        {450, true, false, 0, 500, 0, 0, 4, ""},                /* 416 ends it, whatever was said before */
        {300, true, false, 0, 0, 50, 300, 6, ""},               /* shorter pages than asked, with a total */
        {200, true, true, 0, 500, 0, 0, 2, "answer-malformed"}, /* promises more and repeats itself */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pages.rows = cases[i].rows;
        pages.total = cases[i].total;
        pages.ignores_range = cases[i].ignores_range;
        pages.shift_at = cases[i].shift_at;
        pages.claims = cases[i].claims;
        pages.page_limit = cases[i].page_limit;
        server.answer = with_pages;
        buf_reset(&server.log);
        ask_with("anna@example.test", NULL, "/exchange/anna@example.test/Kalender/");
        if (strcmp(got.code, cases[i].code) != 0 || (cases[i].count && got.count != cases[i].count) ||
            got.requests != cases[i].searches)
            fail_msg("case %zu: %s, %zu spans, %u requests: %s", i, got.code, got.count, got.requests, got.evidence);
    }
}

static void content_ranges(void **state)
{
    unsigned first = 7;
    int64_t total;

    (void)state;
    assert_true(dav_exchange_content_range("rows 100-199; total=250", &first, &total));
    assert_int_equal(first, 100);
    assert_int_equal(total, 250);
    assert_true(dav_exchange_content_range("rows 0-1", &first, &total));
    assert_int_equal(first, 0);
    assert_int_equal(total, -1);
    assert_false(dav_exchange_content_range("bytes 0-1/2", &first, &total));
    assert_false(dav_exchange_content_range("rows x; total=-5", &first, &total));
    assert_int_equal(total, -1);
}

/* --- the request --- */

static char last_body[4000];
static char last_headers[200];

static bool keep_body(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    size_t len;
    const char *body = httpd_body(req, &len);

    (void)path;
    (void)authorized;
    if (strcmp(method, "SEARCH") == 0) {
        snprintf(last_body, sizeof(last_body), "%.*s", (int)len, body);
        snprintf(last_headers, sizeof(last_headers), "%s|%s|%s|%s", httpd_header(req, "Translate"),
                 httpd_header(req, "Depth"), httpd_header(req, "Accept-Language"), httpd_header(req, "Content-Type"));
    } else {
        assert_string_equal(httpd_header(req, "Depth"), "0");
    }
    return false;
}

static void what_is_asked_for(void **state)
{
    (void)state;
    server.answer = keep_body;
    ask_about("anna@example.test");
    assert_non_null(strstr(last_body, "\"urn:schemas:calendar:dtend\" &gt; '2008/03/02 12:00:00'"));
    assert_non_null(strstr(last_body, "\"urn:schemas:calendar:dtstart\" &lt; '2008/03/10 12:00:00'"));
    assert_non_null(strstr(last_body, "/0x8205\" AS busymapi"));
    assert_string_equal(last_headers, "f|1|en-us|text/xml");
    /* nothing that could tell what a meeting is about */
    assert_null(strstr(last_body, "subject"));
    assert_null(strstr(last_body, "location"));
    assert_null(strstr(last_body, "description"));
    assert_null(strstr(last_body, "organizer"));
}

static void a_window_of_years_is_cut(void **state)
{
    struct dav_question question = question_about("anna@example.test");

    (void)state;
    server.answer = keep_body;
    question.until = question.from + 5000 * DAY;
    ask(&got, &question);
    assert_int_equal(got.until - got.from, 731 * DAY);
    assert_non_null(strstr(last_body, "&lt; '2010/03/03 12:00:00'"));
}

static void every_character_of_an_address(void **state)
{
    static const struct {
        const char *address, *path;
    } cases[] = {
        {"a~b@x", "/exchange/a_x007E_b@x/"},
        {"a#b@x", "/exchange/a%23b@x/"},
        {"a%b@x", "/exchange/a%25b@x/"},
        {"a+b@x", "/exchange/a%2Bb@x/"},
        {"a&b@x", "/exchange/a%26b@x/"},
        {"a*b@x", "/exchange/a%2Ab@x/"},
        {"a|b@x", "/exchange/a%7Cb@x/"},
        {"a/b@x", "/exchange/a_xF8FF_b@x/"},
        {"a b@x", "/exchange/a%20b@x/"},
        {"\"a\"@x", "/exchange/%22a%22@x/"},
        {"m\xc3\xbcller@x", "/exchange/m%C3%BCller@x/"},
    };
    char wanted[200];

    (void)state;
    ask_about("first@x");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&server.log);
        ask_about(cases[i].address);
        assert_int_equal(got.err, DAV_OK);
        snprintf(wanted, sizeof(wanted), "PROPFIND %s auth\nSEARCH %sKalender/ auth\n", cases[i].path, cases[i].path);
        assert_string_equal(server.log.data, wanted);
    }
}

static void paths_that_override(void **state)
{
    static const struct {
        const char *path, *asked;
    } cases[] = {
        {"/exchange/other", "/exchange/other/"},
        {"alias", "/exchange/alias/"},
        {"/exchange/Zo\xc3\xab X/", "/exchange/Zo%C3%AB%20X/"},
        {"/exchange/100%25/", "/exchange/100%25/"},
    };
    char wanted[200];

    (void)state;
    ask_about("first@x");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&server.log);
        ask_with("anna@example.test", cases[i].path, NULL);
        assert_int_equal(got.err, DAV_OK);
        snprintf(wanted, sizeof(wanted), "PROPFIND %s auth\n", cases[i].asked);
        assert_true(str_starts(server.log.data, wanted));
    }
    ask_with("anna@example.test", "https://elsewhere.test/exchange/anna/", NULL);
    expect_fail("redirect-foreign");
    ask_with("anna@example.test", "/exchange/a\nb/", NULL);
    expect_fail("mailbox-not-found");
}

/* --- the walk --- */

struct step {
    const char *method, *path_end;
    int status;
    const char *body;
};
static const struct step *script;
static size_t script_len;
static bool plain;

static bool by_script(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    if (!authorized || strcmp(path, "/exchange/") == 0)
        return false;
    for (size_t i = 0; i < script_len; i++) {
        if (strcmp(method, script[i].method) != 0 || !str_ends(path, script[i].path_end))
            continue;
        (plain ? reply_plain : reply)(req, script[i].status, NULL, script[i].body);
        return true;
    }
    return false;
}

#define SCRIPT(...)                                                                                                    \
    static const struct step steps[] = {__VA_ARGS__};                                                                  \
    script = steps;                                                                                                    \
    script_len = sizeof(steps) / sizeof(steps[0]);                                                                     \
    server.answer = by_script

#define FOLDER(props) MULTISTATUS RESPONSE("http://inner.invalid/x/", props) MULTISTATUS_END
#define CALENDAR_AT(path) FOLDER("<e:calendar>https://inner.invalid" path "</e:calendar>")

static void any_language(void **state)
{
    (void)state;
    SCRIPT({"PROPFIND", "/anna/", 207, CALENDAR_AT("/exchange/anna/%E4%BA%88%E5%AE%9A%E8%A1%A8")},
           {"SEARCH", "/exchange/anna/%E4%BA%88%E5%AE%9A%E8%A1%A8/", 207, ONE_MEETING}, {"SEARCH", "", 404, ""});
    ask_about("anna");
    assert_int_equal(got.count, 1);
    assert_string_equal(got.remember, "/exchange/anna/%E4%BA%88%E5%AE%9A%E8%A1%A8/");
}

static void the_hidden_folder_when_the_root_is_closed(void **state)
{
    (void)state;
    SCRIPT({"PROPFIND", "/anna/", 403, ""}, {"PROPFIND", "NON_IPM_SUBTREE/", 207, CALENDAR_AT("/exchange/anna/Agenda")},
           {"SEARCH", "/Agenda/", 207, ONE_MEETING}, {"SEARCH", "", 404, ""});
    ask_about("anna");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.requests, 3);
}

static void the_usual_name_as_a_last_resort(void **state)
{
    (void)state;
    SCRIPT({"PROPFIND", "", 403, ""}, {"SEARCH", "/exchange/anna/Calendar/", 207, ONE_MEETING});
    ask_about("anna");
    assert_int_equal(got.count, 1);
    assert_string_equal(got.remember, "/exchange/anna/Calendar/");
}

static void a_path_that_is_the_calendar(void **state)
{
    (void)state;
    SCRIPT({"PROPFIND", "/Team/", 207, FOLDER("<f:outlookfolderclass>IPF.Appointment</f:outlookfolderclass>")},
           {"SEARCH", "/public/Team/", 207, ONE_MEETING}, {"SEARCH", "", 404, ""});
    ask_with("team@x", "/public/Team", NULL);
    assert_int_equal(got.count, 1);
}

static void what_was_remembered(void **state)
{
    (void)state;
    SCRIPT({"SEARCH", "/Kept/", 207, ONE_MEETING}, {"SEARCH", "/Gone/", 404, ""});
    ask_with("anna", NULL, "/exchange/anna/Kept/");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.requests, 1);
    assert_string_equal(got.remember, "/exchange/anna/Kept/");
    ask_with("anna", NULL, "/exchange/anna/Gone/");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.requests, 3);
    assert_string_equal(got.remember, "/exchange/anna/Kalender/");
    /* of a host that is not allowed any more: not asked */
    ask_with("anna", NULL, "https://old.test/exchange/anna/Kalender/");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.requests, 2);
}

struct verdict {
    const char *method, *path_end;
    int status;
    const char *body, *code;
    bool plain;
};

/* One refusal each; the rest as usual. */
static void verdicts(void **state)
{
    static const struct verdict cases[] = {
        {"PROPFIND", "", 401, "", "receive-as-missing", false},
        {"PROPFIND", "", 403, "", "receive-as-missing", false},
        {"PROPFIND", "", 440, "", "receive-as-missing", false},
        {"PROPFIND", "", 207, FOLDER(""), "receive-as-missing", false},
        {"PROPFIND", "", 207, FOLDER("<t:x0ff40003>0</t:x0ff40003><e:calendar>/x/C</e:calendar>"), "receive-as-missing",
         false},
        {"PROPFIND", "", 207, FOLDER("<t:x0ff40003>63</t:x0ff40003>"), "receive-as-missing", false},
        {"PROPFIND", "", 404, "", "mailbox-not-found", false},
        {"PROPFIND", "", 503, "", "store-offline", false},
        {"PROPFIND", "", 500, "", "http-server-error", false},
        {"PROPFIND", "", 405, "", "method-blocked", false},
        {"PROPFIND", "", 501, "", "method-blocked", true},
        {"PROPFIND", "", 200, "<html>OWA</html>", "answer-malformed", true},
        {"PROPFIND", "", 403, "This page requires SSL (403.4)", "http-ssl-required", true},
        {"SEARCH", "/Kalender/", 401, "", "receive-as-missing", false},
        {"SEARCH", "/Kalender/", 403, "", "receive-as-missing", false},
        {"SEARCH", "/Kalender/", 404, "", "calendar-not-found", false},
        {"SEARCH", "/Kalender/", 404, "", "method-blocked", true},
        {"SEARCH", "/Kalender/", 400, "Error while processing WHERE clause in the SQL statement.", "query-refused",
         false},
        {"SEARCH", "/Kalender/", 416, "", "query-refused", false},
        {"SEARCH", "/Kalender/", 501, "", "method-blocked", false},
        {"SEARCH", "/Kalender/", 503, "", "store-offline", false},
        {"SEARCH", "/Kalender/", 200, ONE_MEETING, "answer-malformed", false},
        {"SEARCH", "/Kalender/", 207, "<html>no</html>", "answer-malformed", true},
    };

    (void)state;
    ask_about("first@x"); /* so that the product is known */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct step two[] = {{cases[i].method, cases[i].path_end, cases[i].status, cases[i].body},
                             {"SEARCH", "/Calendar/", 404, ""}};

        script = two;
        script_len = 2;
        plain = cases[i].plain;
        server.answer = by_script;
        ask_about("anna");
        plain = false;
        if (strcmp(got.code, cases[i].code) != 0 || got.count > 0)
            fail_msg("%s answered %d: %s (%s), not %s", cases[i].method, cases[i].status, got.code, got.evidence,
                     cases[i].code);
        assert_true(got.evidence[0] != '\0');
    }
    /* and nobody else suffered */
    server.answer = NULL;
    ask_about("last@x");
    assert_int_equal(got.err, DAV_OK);
}

static void a_url_filter_is_told_from_a_missing_mailbox(void **state)
{
    (void)state;
    ask_about("first@x");
    SCRIPT({"PROPFIND", "", 404, "404.11"});
    plain = true;
    ask_about("a+b@x");
    expect_fail("double-escape-blocked");
    ask_about("ab@x");
    expect_fail("mailbox-not-found");
    plain = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plain_meeting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_and_traits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_calendar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_after_page, set_up, tear_down),
        cmocka_unit_test(content_ranges),
        cmocka_unit_test_setup_teardown(what_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_window_of_years_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_character_of_an_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_that_override, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_language, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_hidden_folder_when_the_root_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_usual_name_as_a_last_resort, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_that_is_the_calendar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verdicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_url_filter_is_told_from_a_missing_mailbox, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
