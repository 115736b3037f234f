/*
 * exchange_row, exchange_page: what appointments become, which are left out, and when the last page has been read,
 * against a server of canned answers.
 */
#include "davclient/mark.h"
#include "exchange_world.h"

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

static bool asked_for_categories;

static bool with_categories(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    size_t len;

    if (authorized && strcmp(method, "SEARCH") == 0)
        asked_for_categories = strstr(httpd_body(req, &len), "eywords") != NULL;
    return with_rows(req, method, path, authorized);
}

static void ask_for_marks(const char *text, const char *const *markers)
{
    struct dav_account account = usual_account();

    account.markers = markers;
    dav_session_close(&session, "another account");
    session = session_for(&account, "secret");
    rows = text;
    server.answer = with_categories;
    ask_about("anna@example.test");
}

#define OFFICE(end, inside)                                                                                            \
    "<o:Keywords xmlns:o=\"urn:schemas-microsoft-com:office:office" end "\" b:dt=\"mv.string\">" inside "</o:Keywords>"
#define TWO "<c:v>Work</c:v><c:v>Hidden</c:v>"

/* Categories are asked for only where one could matter, and tell only that. */
static void markers(void **state)
{
    static const char *const words[] = {"other", "hidden", NULL};
    static const char *const spellings[] = {
        OFFICE("#", TWO), OFFICE("", TWO), "<f:keywords-utf8 b:dt=\"mv.string\">" TWO "</f:keywords-utf8>"};
    char text[12000], many[6000];

    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        snprintf(text, sizeof(text), MULTISTATUS APPOINTMENT("One", "3T13:00", "3T14:00", "%s") MULTISTATUS_END,
                 spellings[i]);
        ask_for_marks(text, words);
        assert_true(asked_for_categories);
        assert_int_equal(got.count, 1);
        assert_int_equal(got.spans[0].traits, DAV_TRAIT_MARK(1));
        ask_for_marks(text, NULL);
        assert_false(asked_for_categories);
        assert_int_equal(got.spans[0].traits, 0);
    }
    /* more of them than anybody reads: any may be among them */
    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    snprintf(text, sizeof(text),
             MULTISTATUS APPOINTMENT("One", "3T13:00", "3T14:00", OFFICE("", "%s")) MULTISTATUS_END, many);
    ask_for_marks(text, words);
    assert_int_equal(got.spans[0].traits, DAV_TRAIT_MARK(0) | DAV_TRAIT_MARK(1));
    /* nobody knows when this one is: at any time, then, and it makes nobody busy */
    ask_for_marks(MULTISTATUS APPOINTMENT("Good", "3T13:00", "3T14:00", "") RESPONSE("/a", OFFICE("", TWO))
                      MULTISTATUS_END,
                  words);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.skipped, 1);
    assert_int_equal(got.spans[1].kind, DAV_FREE);
    assert_int_equal(got.spans[1].traits, DAV_TRAIT_MARK(1));
    assert_true(got.spans[1].end - got.spans[1].start > DAY);
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

/* Dates in every spelling, and what only looks like one. */
static void dates(void **state)
{
    static const struct {
        const char *text;
        int64_t start; /* 0: none */
    } cases[] = {
        {"2008-03-03T13:00:00.000Z", NOON + 3600},
        {"2008-03-03T13:00:00Z", NOON + 3600},
        {"2008-03-03T14:00:00.000+01:00", NOON + 3600},
        {"2008-03-03T13:00:00.123Z", NOON + 3600},
        {"2008-02-29T13:00:00.000Z", NOON + 3600 - 3 * DAY},
        {"2007-02-29T13:00:00.000Z", 0},
        {"2008-03-03T24:00:00.000Z", 0},
        {"2008-13-03T13:00:00.000Z", 0},
        {"2008-00-03T13:00:00.000Z", 0},
        {"2008-03-00T13:00:00.000Z", 0},
        {"2008-03-03T13:60:00.000Z", 0},
        {"200:-03-03T13:00:00.000Z", 0},
        {"2008-03-03T13:00:00.000X", 0},
        {"2008/03/03T13:00:00.000Z", 0},
        {"2008-03-0\xb3T13:00:00.000Z", 0},
        {"2008-03-03T13:00:00.00/Z", 0},
        {"2008-03-03T1?:00:00.000Z", 0},
        {"", 0},
    };
    struct dav_ms_value values[16] = {{0}};
    struct dav_ms_response r = {.href = "/a", .href_len = 2, .value = values};
    struct dav_span span;

    (void)state;
    values[1] = (struct dav_ms_value){.text = "2008-03-04T00:00:00.000Z", .len = 24};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        values[0] = (struct dav_ms_value){.text = cases[i].text, .len = strlen(cases[i].text)};
        if (dav_exchange_row_read(&r, &span) != (cases[i].start ? EXCHANGE_ROW_SPAN : EXCHANGE_ROW_BROKEN))
            fail_msg("%s", cases[i].text);
        if (cases[i].start)
            assert_int_equal(span.start, cases[i].start);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kinds_and_traits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(markers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_out, set_up, tear_down),
        cmocka_unit_test(dates),
        cmocka_unit_test_setup_teardown(an_empty_calendar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_after_page, set_up, tear_down),
        cmocka_unit_test(content_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
