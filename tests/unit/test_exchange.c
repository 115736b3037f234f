/*
 * exchange: the walk to a calendar, what is asked on the way, and what each refusal means, against a server of canned
 * answers.
 */
#include "exchange_world.h"

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
        {"SEARCH", "/Kalender/", 401, "", "receive-as-pending", false}, /* the root said 63: everything */
        {"SEARCH", "/Kalender/", 403, "", "receive-as-pending", false},
        {"SEARCH", "/Kalender/", 403, "", "method-blocked", true},
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
