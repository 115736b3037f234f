/*
 * caldav_sync and caldav_store against a small server whose calendars change: what is fetched and what is not, what is
 * believed when a server forgot, and that a failure on the way neither loses nor invents anything.
 */
#include "caldav_world.h"

static void begin_with_one(void)
{
    calendars[0].path = ALICE;
    begin(NULL, "/{address}/calendar/", NULL);
    put(&calendars[0], "1.ics", ONE_HOUR);
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1); /* what is it, what is in it, let me see */
}

static void unchanged_costs_one_request(void **state)
{
    (void)state;
    begin_with_one();
    for (int i = 0; i < 3; i++) {
        ask_again();
        expect(1, 1);
        expect_span(0, NOON + 3600, NOON + 7200);
    }
    assert_string_equal(server.log.data, "PROPFIND " ALICE " auth\n");
}

static void a_moving_window_fetches_nothing(void **state)
{
    struct dav_question question = question_about("alice@example.org");
    char kept[300];

    (void)state;
    calendars[0].path = ALICE;
    begin(NULL, "/{address}/calendar/", NULL);
    put(&calendars[0], "1.ics",
        TEXT("BEGIN:VEVENT\nUID:w\nDTSTART;TZID=Europe/Berlin:20080101T100000\nDURATION:PT1H\n"
             "RRULE:FREQ=WEEKLY\nEND:VEVENT\n"));
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1);
    for (int week = 1; week < 60; week++) {
        snprintf(kept, sizeof(kept), "%s", got.remember);
        question.remember = kept;
        question.from = NOON - DAY + week * 7 * DAY;
        question.until = question.from + 7 * DAY;
        ask(&got, &question);
        assert_string_equal(got.code, "");
        assert_int_equal(got.count, 1);
        assert_int_equal(got.requests, 1);
        assert_true(got.spans[0].start >= question.from && got.spans[0].end <= question.until);
    }
    /* back to where things may have been dropped */
    snprintf(kept, sizeof(kept), "%s", got.remember);
    question.from = NOON - 10 * DAY;
    question.until = NOON - 3 * DAY;
    question.remember = kept;
    ask(&got, &question);
    assert_int_equal(got.requests, 3);
    assert_int_equal(got.count, 1);
}

static void only_what_changed_is_fetched(void **state)
{
    struct calendar *c = &calendars[0];

    (void)state;
    begin_with_one();
    put(c, "2.ics", NEXT_DAY);
    ask_again();
    expect(3, 2);
    assert_null(strstr(report_body.data, "1.ics"));
    assert_non_null(strstr(report_body.data, "<D:href>" ALICE "2.ics</D:href>"));
    put(c, "1.ics", MEETING_AT("3T150000Z", "3T160000Z"));
    ask_again();
    expect(3, 2);
    take_away(c, "2.ics");
    ask_again();
    expect(2, 1);
    expect_span(0, NOON + 3 * 3600, NOON + 4 * 3600);
    ask_again();
    expect(1, 1);
}

static void many_are_fetched_in_batches(void **state)
{
    static char names[120][20];
    struct calendar *c = &calendars[0];

    (void)state;
    c->path = ALICE;
    c->page = 33;
    begin(NULL, "/{address}/calendar/", NULL);
    for (int i = 0; i < 120; i++) {
        snprintf(names[i], sizeof(names[i]), "e%d.ics", i);
        put(c, names[i], ONE_HOUR);
    }
    ask_about("alice@example.org", NULL, NULL);
    expect(1 + 4 + 3, 120); /* pages of 33, batches of 50 */
    ask_again();
    expect(1, 120);
}

static void forgotten_tokens(void **state)
{
    static const int statuses[] = {403, 409, 400, 412, 500, 207};
    struct calendar *c = &calendars[0];

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        memset(calendars, 0, sizeof(calendars));
        begin_with_one();
        put(c, "2.ics", NEXT_DAY);
        put(c, "3.ics", NEXT_DAY);
        ask_again();
        expect(3, 3);
        take_away(c, "2.ics");
        put(c, "4.ics", MEETING_AT("5T130000Z", "5T140000Z"));
        c->known_since = c->version + 1;
        c->forgotten = statuses[i];
        ask_again();
        expect(4, 3); /* poll, refused or repeated, full list, what is new */
        if (statuses[i] != 207) /* a list that does not say that it is the full one names changes */
            assert_null(strstr(report_body.data, "1.ics"));
        c->known_since = 0;
        ask_again();
        expect(1, 3);
    }
}

/* Named as changed with the ETag that we have: no reason to believe the ETag. */
static void repeats_are_fetched_again(void **state)
{
    struct calendar *c = &calendars[0];

    (void)state;
    begin_with_one();
    c->repeats = true;
    put(c, "2.ics", NEXT_DAY);
    ask_again();
    expect(3, 2); /* all we knew is named, so nothing can have gone unnoticed */
    put(c, "3.ics", NEXT_DAY);
    ask_again();
    expect(4, 3); /* it names the one before again and not the first: a full list makes sure */
    assert_non_null(strstr(report_body.data, "2.ics"));
    assert_null(strstr(report_body.data, "1.ics")); /* the full list names it, which means nothing */
    ask_again();
    expect(1, 3);
}

/* SOGo's ETags count the versions of an event, from the beginning when another one gets the name. */
static void made_anew_under_its_name(void **state)
{
    struct calendar *c = &calendars[0];

    (void)state;
    c->repeats = true;
    begin_with_one();
    put(c, "2.ics", NEXT_DAY);
    ask_again();
    expect(3, 2);
    c->objects[1].data = MEETING_AT("5T130000Z", "5T140000Z");
    c->version++;
    ask_again();
    expect_span(1, NOON + 2 * DAY + 3600, NOON + 2 * DAY + 7200);
    ask_again();
    expect(1, 2);
}

/* Four changes in one second do not alter a token that is the second. */
static void a_token_that_is_the_second(void **state)
{
    struct calendar *c = &calendars[0];

    (void)state;
    c->path = ALICE;
    c->token_name = "";
    c->repeats = true;
    c->no_ctag = true;
    begin(NULL, "/{address}/calendar/", NULL);
    c->version = (unsigned)clk_wall_s(clk_system()) - 1; /* the server's Date is the real one */
    put(c, "1.ics", ONE_HOUR);
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1);
    c->version--;
    put(c, "2.ics", NEXT_DAY); /* and the token is what it was */
    ask_again();
    expect(3, 2);
    c->version = (unsigned)clk_wall_s(clk_system()) - 100;
    c->objects[0].version = c->objects[1].version = c->version;
    ask_again();
    assert_int_equal(got.count, 2);
    ask_again();
    expect(1, 2); /* an old one is final */
}

static void servers_without_tokens(void **state)
{
    struct calendar *c = &calendars[0];

    (void)state;
    c->no_token = true;
    begin_with_one(); /* with a ctag */
    ask_again();
    expect(1, 1);
    put(c, "2.ics", NEXT_DAY);
    take_away(c, "1.ics");
    ask_again();
    expect(3, 1);
    expect_span(0, NOON + DAY + 3600, NOON + DAY + 7200);
    memset(calendars, 0, sizeof(calendars));
    c->no_token = true;
    c->no_ctag = true;
    begin_with_one(); /* with ETags alone */
    ask_again();
    expect(2, 1);
    put(c, "1.ics", NEXT_DAY);
    ask_again();
    expect(3, 1);
    expect_span(0, NOON + DAY + 3600, NOON + DAY + 7200);
}

static void sync_that_does_not_work(void **state)
{
    static const struct canned broken[] = {{"SYNC", ALICE, 501, ""}, {NULL, NULL, 0, NULL}};

    (void)state;
    calendars[0].path = ALICE;
    begin(broken, "/{address}/calendar/", NULL);
    put(&calendars[0], "1.ics", ONE_HOUR);
    ask_about("alice@example.org", NULL, NULL);
    expect(4, 1);
    put(&calendars[0], "2.ics", NEXT_DAY);
    ask_again();
    expect(3, 2); /* once is enough */
}

/* What fails half-way is done again; nothing is taken for known that never came. */
static void a_failure_on_the_way(void **state)
{
    static const struct canned no_data[] = {{"GET", ALICE, 503, ""}, {NULL, NULL, 0, NULL}};
    static const struct canned cut[] = {{"SYNC", ALICE, 207, MS_BEGIN ROW(ALICE "1.ics", "<getetag>x</getetag>")},
                                        {NULL, NULL, 0, NULL}};
    static const struct canned silent[] = {{"GET", ALICE, 207, MS_BEGIN MS_END}, {NULL, NULL, 0, NULL}};
    struct calendar *c = &calendars[0];

    (void)state;
    begin_with_one();
    put(c, "2.ics", NEXT_DAY);
    canned = no_data;
    ask_again();
    expect_error("http-server-error");
    canned = cut;
    ask_again();
    expect_error("answer-malformed");
    canned = NULL;
    ask_again();
    expect(3, 2);
    put(c, "3.ics", NEXT_DAY);
    canned = silent; /* an event exists that nobody will show: it may be now. Asked for again */
    ask_again();
    expect_error("items-unreadable");
    assert_int_equal(got.skipped, 1);
    canned = NULL;
    ask_again();
    assert_int_equal(got.count, 3);
    assert_int_equal(got.skipped, 0);
}

static void two_at_once_about_one_person(void **state)
{
    struct dav_question question = question_about("alice@example.org");
    static struct outcome both[2];

    (void)state;
    memset(both, 0, sizeof(both));
    begin_with_one();
    put(&calendars[0], "2.ics", NEXT_DAY);
    for (int i = 0; i < 2; i++)
        dav_query_start(session, &question, note_result, &both[i]);
    wait_for(&both[0].calls, 1);
    wait_for(&both[1].calls, 1);
    assert_int_equal(both[0].count, 2);
    assert_int_equal(both[1].count, 2);
    ask_again();
    expect(1, 2);
}

/* Cancelled at any point, the next question has everything. */
static void cancelled_anywhere(void **state)
{
    struct dav_question question = question_about("alice@example.org");

    (void)state;
    for (int turns = 0; turns < 40; turns += 3) {
        struct dav_query *q;

        memset(calendars, 0, sizeof(calendars));
        begin_with_one();
        put(&calendars[0], "2.ics", NEXT_DAY);
        take_away(&calendars[0], "1.ics");
        q = dav_query_start(session, &question, note_result, &got);
        for (int i = 0; i < turns && got.calls < 2; i++)
            turn();
        if (got.calls < 2)
            dav_query_cancel(&q);
        settle();
        ask_about("alice@example.org", NULL, NULL);
        assert_string_equal(got.code, "");
        assert_int_equal(got.count, 1);
        expect_span(0, NOON + DAY + 3600, NOON + DAY + 7200);
    }
}

static void one_request_for_a_whole_home(void **state)
{
    static const char *const paths[] = {"/alice/a/", "/alice/b/", "/alice/c/"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        calendars[i].path = paths[i];
        calendars[i].home = "/alice/";
        put(&calendars[i], "1.ics", ONE_HOUR);
    }
    begin(NULL, "/{local}/", NULL);
    ask_about("alice@example.org", NULL, NULL);
    expect(2 + 3 + 3 * 2, 3); /* none of them told its zone */
    ask_again();
    expect(1, 3);
    put(&calendars[1], "2.ics", NEXT_DAY);
    ask_again();
    expect(3, 4);
    calendars[3] = calendars[0]; /* a new one appears, one goes, one does not count any more */
    calendars[3].path = "/alice/d/";
    calendars[1].home = "/bob/";
    calendars[2].props = EVENTS_ONLY "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>";
    ask_again();
    assert_string_equal(got.code, "");
    assert_int_equal(got.count, 2);
    ask_again();
    expect(1, 2);
}

/* Titles, places and other people are not what is kept, answers of one's own are. */
static void own_answers_are_kept(void **state)
{
    (void)state;
    calendars[0].path = ALICE;
    begin(NULL, "/{address}/calendar/", NULL);
    put(&calendars[0], "1.ics",
        TEXT("BEGIN:VEVENT\nUID:w\nDTSTART:20080303T130000Z\nDURATION:PT1H\nORGANIZER:mailto:boss@example.org\n"
             "ATTENDEE;PARTSTAT=DECLINED;CN=\"Alice; the one\":mailto:ALICE@example.org\n"
             "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org\nCLASS:PRIVATE\nEND:VEVENT\n"));
    ask_about("alice@example.org", NULL, NULL);
    expect(3, 1);
    assert_int_equal(got.spans[0].traits, DAV_TRAIT_DECLINED | DAV_TRAIT_PRIVATE);
    ask_again();
    expect(1, 1);
    assert_int_equal(got.spans[0].traits, DAV_TRAIT_DECLINED | DAV_TRAIT_PRIVATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unchanged_costs_one_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moving_window_fetches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_changed_is_fetched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_are_fetched_in_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgotten_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repeats_are_fetched_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(made_anew_under_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_that_is_the_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(servers_without_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sync_that_does_not_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_on_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_at_once_about_one_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_request_for_a_whole_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_answers_are_kept, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
