/*
 * exchange_watch with its tags and subscriptions: what a question costs when nothing has changed, and that no change is
 * ever missed: lost subscriptions, refused methods, numbers given away again, answers that did not arrive.
 */
#include "dav_server.h"

/* A server that knows tags and subscriptions. One calendar a person; the number of a person is that after "p". */
#define PEOPLE 8
static struct {
    unsigned tag[PEOPLE]; /* of the content */
    bool no_tags, no_subscribe, no_group, spoilt, cut_polls, hold_polls, other_folder;
    unsigned id[PEOPLE];  /* 0: not subscribed */
    bool news[PEOPLE];
    unsigned next_id, lifetime;
    char last_ids[400];
} world;

static struct outcome got;
static char remembered[PEOPLE][300];
static bool held[PEOPLE];
static unsigned hints, hinted;

static unsigned person_of(const char *path)
{
    const char *p = strstr(path, "/p");

    return p ? (unsigned)(p[2] - '0') : 0;
}

static void change(unsigned person)
{
    world.tag[person]++;
    world.news[person] = true;
}

static void on_subscribe(struct httpd_req *req, const char *path)
{
    const char *renewed = httpd_header(req, "Subscription-id");
    unsigned person = person_of(path);
    char id[40], lifetime[60];
    const char *headers[] = {"MS-WebStorage: 6.5.7638", id, lifetime, NULL};

    if (world.no_subscribe) {
        reply(req, 501, NULL, "");
        return;
    }
    if (renewed) {
        assert_null(httpd_header(req, "Notification-type"));
        reply(req, world.id[person] ? 200 : 412, "Subscription-lifetime: 3600", "");
        return;
    }
    assert_string_equal(httpd_header(req, "Notification-type"), "update");
    world.id[person] = ++world.next_id;
    world.news[person] = false;
    snprintf(id, sizeof(id), "Subscription-id: %u", world.next_id);
    snprintf(lifetime, sizeof(lifetime), "Subscription-lifetime: %u", world.lifetime);
    server.at_once--;
    httpd_reply(req, 200, headers, "", 0);
}

static void on_poll(struct httpd_req *req, const char *path)
{
    const char *ids = httpd_header(req, "Subscription-id");
    char body[4000];
    size_t at = (size_t)snprintf(body, sizeof(body), "<a:multistatus xmlns:b=\"http://schemas.microsoft.com/Exchange/\""
                                                     " xmlns:a=\"DAV:\">");

    snprintf(world.last_ids, sizeof(world.last_ids), "%s", ids);
    if ((world.no_group && strchr(ids, ',')) || (strchr(ids, ',') && world.spoilt)) {
        reply(req, 412, NULL, "");
        return;
    }
    for (const char *p = ids; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        unsigned id = (unsigned)strtoul(p, NULL, 10), person = PEOPLE;

        for (unsigned i = 0; i < PEOPLE; i++)
            person = world.id[i] == id ? i : person;
        at += (size_t)snprintf(body + at, sizeof(body) - at,
                               "<a:response><a:href>http://h/exchange/p%u%s/Kalender</a:href><a:status>HTTP/1.1 %s"
                               "</a:status><b:subscriptionID><li>%u</li></b:subscriptionID></a:response>",
                               person, world.other_folder ? "x" : "",
                               person == PEOPLE      ? "412 Precondition Failed"
                               : world.news[person] ? "200 OK"
                                                    : "204 No Content",
                               id);
        if (person < PEOPLE)
            world.news[person] = false;
    }
    snprintf(body + at, sizeof(body) - at, "</a:multistatus>");
    if (world.hold_polls) {
        hold(req);
    } else if (world.cut_polls) {
        server.at_once--;
        httpd_abort(req);
    } else {
        reply(req, 207, NULL, body);
    }
    (void)path;
}

static bool exchange(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    char body[800];
    size_t len;

    if (!authorized)
        return false;
    if (strcmp(method, "SUBSCRIBE") == 0) {
        on_subscribe(req, path);
    } else if (strcmp(method, "POLL") == 0) {
        on_poll(req, path);
    } else if (strcmp(method, "PROPFIND") == 0 && strstr(httpd_body(req, &len), "contenttag")) {
        snprintf(body, sizeof(body),
                 "<a:multistatus xmlns:r=\"http://schemas.microsoft.com/repl/\" xmlns:a=\"DAV:\"><a:response><a:href>%s"
                 "</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>%s%u%s</a:prop></a:propstat>"
                 "</a:response></a:multistatus>",
                 path, world.no_tags ? "<a:x>" : "<r:contenttag>t", world.tag[person_of(path)],
                 world.no_tags ? "</a:x>" : "</r:contenttag>");
        reply(req, 207, NULL, body);
    } else {
        return false;
    }
    return true;
}

static void on_hint(void *arg, uint32_t number)
{
    (void)arg;
    hints++;
    hinted = number;
}

static struct dav_account account;

static int set_up(void **state)
{
    (void)state;
    world_begin();
    memset(&world, 0, sizeof(world));
    memset(remembered, 0, sizeof(remembered));
    memset(held, 0, sizeof(held));
    world.next_id = 14;
    world.lifetime = 3600;
    hints = 0;
    server.answer = exchange;
    account = usual_account();
    session = session_for(&account, "secret");
    dav_session_on_hint(session, on_hint, NULL);
    return 0;
}

static int set_up_tags(void **state)
{
    set_up(state);
    dav_session_close(&session, "another");
    account.no_subscribe = true;
    session = session_for(&account, "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void begin_with(struct outcome *o, unsigned person, int64_t fresh_s)
{
    static char address[PEOPLE][20];
    struct dav_question question = question_about(address[person]);
    int64_t now = clk_wall_s(clk);

    snprintf(address[person], sizeof(address[person]), "p%u", person);
    question.from = now / DAY * DAY - DAY;
    question.until = now / 3600 * 3600 + 7 * DAY;
    question.again = true;
    question.held = held[person];
    question.number = 100 + person;
    question.fresh_s = fresh_s;
    question.remember = remembered[person][0] ? remembered[person] : NULL;
    memset(o, 0, sizeof(*o));
    buf_reset(&server.log);
    dav_query_start(session, &question, note_result, o);
}

/* What it asked, as "PS": the methods' first letters (U for SUBSCRIBE, L for POLL). */
static const char *poll_person(unsigned person, int64_t fresh_s)
{
    static char methods[40];
    size_t n = 0;

    begin_with(&got, person, fresh_s);
    wait_for(&got.calls, 1);
    assert_int_equal(got.err, DAV_OK);
    assert_true(got.unchanged ? held[person] && got.count == 0 : got.count == 1);
    held[person] = true;
    snprintf(remembered[person], sizeof(remembered[person]), "%s", got.remember);
    for (const char *line = server.log.data; *line && n < sizeof(methods) - 1; line = strchr(line, '\n') + 1)
        methods[n++] = str_starts(line, "SUB") ? 'U' : str_starts(line, "POLL") ? 'L' : line[0];
    methods[n] = '\0';
    assert_int_equal(got.requests <= n, true);
    return methods;
}

static void later(int64_t seconds)
{
    loop_advance(loop, seconds * 1000);
}

static void tags(void **state)
{
    (void)state;
    assert_string_equal(poll_person(1, 0), "PPPS"); /* probe, logon, mailbox, calendar */
    assert_false(got.unchanged);
    later(60);
    assert_string_equal(poll_person(1, 0), "PS");
    assert_false(got.unchanged);
    for (int i = 0; i < 20; i++) {
        int64_t now;

        later(60);
        now = clk_wall_s(clk);
        assert_string_equal(poll_person(1, 30), "P");
        assert_true(got.unchanged);
        assert_in_range(got.as_of, now, now + 1);
    }
    change(1);
    later(60);
    assert_string_equal(poll_person(1, 0), "PS");
    assert_false(got.unchanged || got.routine);
    later(60);
    assert_string_equal(poll_person(1, 0), "P");
}

/* Whatever the signs say, once in a while the calendar is read, and that costs one request. */
static void a_slow_full_read(void **state)
{
    unsigned searches = 0, requests = 0;

    (void)state;
    poll_person(1, 0);
    later(60);
    poll_person(1, 0);
    for (int i = 0; i < 120; i++) {
        later(60);
        const char *methods = poll_person(1, 0);

        assert_int_equal(strlen(methods), 1);
        assert_int_equal(got.routine, methods[0] == 'S'); /* and is told from news */
        searches += methods[0] == 'S';
        requests++;
    }
    assert_in_range(searches, 3, 5); /* in two hours, the window moves on all the time */
    assert_int_equal(requests, 120);
}

/* The window that was read must cover what is asked for, also after midnight and when somebody wants more. */
static void a_window_that_is_not_covered(void **state)
{
    struct dav_question question = question_about("p1");

    (void)state;
    poll_person(1, 0);
    later(60);
    poll_person(1, 0);
    question.again = question.held = true;
    question.remember = remembered[1];
    question.until = NOON + 30 * DAY;
    ask(&got, &question);
    assert_false(got.unchanged);
    assert_true(got.until >= NOON + 30 * DAY);
}

/* Who does not hold the last answer is not told that nothing has changed. */
static void who_holds_nothing(void **state)
{
    (void)state;
    poll_person(1, 0);
    later(60);
    poll_person(1, 0);
    held[1] = false;
    assert_string_equal(poll_person(1, 0), "S");
    assert_false(got.unchanged || got.routine);
}

static void no_tags(void **state)
{
    (void)state;
    world.no_tags = true;
    poll_person(1, 0);
    later(60);
    assert_string_equal(poll_person(1, 0), "PS");
    for (int i = 0; i < 20; i++) {
        later(60);
        assert_string_equal(poll_person(1, 0), "S"); /* not two */
    }
}

/* Three people, subscribed and read twice. */
static void subscribe_all(void)
{
    for (unsigned person = 1; person <= 3; person++)
        poll_person(person, 0);
    later(60);
    for (unsigned person = 1; person <= 3; person++) {
        assert_string_equal(poll_person(person, 0), "US");
        assert_false(got.unchanged);
    }
}

static void one_poll_for_all(void **state)
{
    (void)state;
    subscribe_all();
    for (int i = 0; i < 10; i++) {
        later(60);
        assert_string_equal(poll_person(1, 30), "L");
        assert_true(got.unchanged);
        assert_string_equal(world.last_ids, "15,16,17");
        assert_string_equal(poll_person(2, 30), ""); /* has been asked about */
        assert_true(got.unchanged);
        assert_int_equal(got.requests, 0);
        later(5);
        assert_string_equal(poll_person(3, 30), "");
        assert_int_equal(got.as_of, clk_wall_s(clk) - 5);
        assert_string_equal(poll_person(3, 0), "L"); /* at once: not from hearsay */
    }
    assert_int_equal(hints, 0);
}

static void news_of_a_neighbour(void **state)
{
    (void)state;
    subscribe_all();
    later(60);
    change(3);
    assert_string_equal(poll_person(1, 30), "L");
    assert_true(got.unchanged);
    assert_int_equal(hints, 1);
    assert_int_equal(hinted, 103);
    assert_string_equal(poll_person(3, 30), "S");
    assert_false(got.unchanged);
    change(1);
    later(60);
    assert_string_equal(poll_person(1, 30), "LS");
    assert_int_equal(hints, 1); /* not about oneself */
}

/* A change that is heard of while the calendar is being read is not lost. */
static void news_during_a_reading(void **state)
{
    struct outcome other;

    (void)state;
    subscribe_all();
    held[3] = false;
    change(3);
    begin_with(&other, 3, 0); /* the SEARCH is on its way ... */
    turn();
    later(0);
    poll_person(1, 0); /* ... when a POLL says that there is news */
    wait_for(&other.calls, 1);
    held[3] = true;
    assert_string_equal(poll_person(3, 30), "S");
}

static void a_restarted_server(void **state)
{
    (void)state;
    subscribe_all();
    memset(world.id, 0, sizeof(world.id));
    later(60);
    assert_string_equal(poll_person(1, 30), "LUS"); /* lost, subscribed again, read */
    assert_false(got.unchanged);
    assert_string_equal(poll_person(2, 30), "US");
    assert_string_equal(poll_person(3, 30), "US");
    later(60);
    assert_string_equal(poll_person(2, 30), "L");
    assert_true(got.unchanged);
    assert_string_equal(world.last_ids, "19,18,20");
}

/* After a restart the numbers begin anew: ours may be somebody else's now, who has no news. */
static void a_number_that_is_somebody_elses(void **state)
{
    (void)state;
    subscribe_all();
    later(60);
    poll_person(1, 0);
    world.other_folder = true;
    later(60);
    assert_string_equal(poll_person(1, 0), "LUS");
    assert_false(got.unchanged);
}

static void methods_that_are_refused(void **state)
{
    (void)state;
    world.no_subscribe = true;
    poll_person(1, 0);
    later(60);
    assert_string_equal(poll_person(1, 0), "UPS");
    later(60);
    assert_string_equal(poll_person(1, 0), "P");
    assert_true(got.unchanged);
    poll_person(2, 0);
    later(60);
    assert_string_equal(poll_person(2, 0), "PS"); /* nobody is asked again for hours */
}

static void a_server_that_answers_for_one_at_a_time(void **state)
{
    (void)state;
    subscribe_all();
    world.no_group = true;
    later(60);
    assert_string_equal(poll_person(1, 30), "LL");
    assert_true(got.unchanged);
    for (int round = 0; round < 8; round++) {
        later(60);
        for (unsigned person = 1; person <= 3; person++) {
            size_t requests = strlen(poll_person(person, 30));

            assert_true(got.unchanged);
            assert_true(requests == 1 || round < 4); /* it takes a few to be sure */
        }
    }
    change(2);
    later(60);
    assert_string_equal(poll_person(1, 30), "L");
    assert_string_equal(poll_person(2, 30), "LS");
}

/* Asking takes the news away: when the answer is lost, everybody who was asked about is read. */
static void a_poll_without_answer(void **state)
{
    (void)state;
    subscribe_all();
    later(60);
    change(2);
    world.cut_polls = true;
    begin_with(&got, 1, 30);
    wait_for(&got.calls, 1);
    assert_int_not_equal(got.err, DAV_OK);
    world.cut_polls = false;
    assert_string_equal(poll_person(2, 30), "S");
    assert_string_equal(poll_person(3, 30), "S");
    assert_string_equal(poll_person(1, 30), "S");
    later(60);
    assert_string_equal(poll_person(1, 30), "L");
    assert_true(got.unchanged);
}

static void a_poll_that_is_cancelled(void **state)
{
    struct dav_question question = question_about("p1");
    struct dav_query *q;

    (void)state;
    subscribe_all();
    later(60);
    question.from = NOON - DAY / 2;
    question.again = question.held = true;
    question.remember = remembered[1];
    change(2);
    world.hold_polls = true;
    q = dav_query_start(session, &question, note_result, &got);
    wait_for(&server.held_count, 1);
    assert_string_equal(world.last_ids, "15,16,17"); /* it got there */
    dav_query_cancel(&q);
    world.hold_polls = false;
    assert_string_equal(poll_person(2, 30), "S");
}

static void renewed_before_they_lapse(void **state)
{
    (void)state;
    subscribe_all();
    later(50 * 60);
    poll_person(1, 0); /* the slow full read */
    later(5 * 60);
    assert_string_equal(poll_person(1, 0), "UL");
    assert_true(got.unchanged);
    later(20 * 60);
    assert_string_equal(poll_person(1, 0), "L");
}

/* A daemon that was stopped for a while: they are over, and nobody knows what happened meanwhile. */
static void lapsed(void **state)
{
    (void)state;
    world.lifetime = 300;
    subscribe_all();
    later(400);
    assert_string_equal(poll_person(1, 0), "US");
    assert_false(got.unchanged);
}

/* Granted, and forgotten at once, again and again: after a few times without. */
static void granted_and_forgotten(void **state)
{
    (void)state;
    subscribe_all();
    for (int i = 0; i < 6; i++) {
        memset(world.id, 0, sizeof(world.id));
        later(60);
        poll_person(1, 30);
    }
    later(60);
    assert_string_equal(poll_person(1, 30), "P");
    assert_true(got.unchanged);
}

int main(void)
{
#define WITH_TAGS(name) cmocka_unit_test_setup_teardown(name, set_up_tags, tear_down)
#define WITH_ALL(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_TAGS(tags),
        WITH_TAGS(a_slow_full_read),
        WITH_TAGS(a_window_that_is_not_covered),
        WITH_TAGS(who_holds_nothing),
        WITH_TAGS(no_tags),
        WITH_ALL(one_poll_for_all),
        WITH_ALL(news_of_a_neighbour),
        WITH_ALL(news_during_a_reading),
        WITH_ALL(a_restarted_server),
        WITH_ALL(a_number_that_is_somebody_elses),
        WITH_ALL(methods_that_are_refused),
        WITH_ALL(a_server_that_answers_for_one_at_a_time),
        WITH_ALL(a_poll_without_answer),
        WITH_ALL(a_poll_that_is_cancelled),
        WITH_ALL(renewed_before_they_lapse),
        WITH_ALL(lapsed),
        WITH_ALL(granted_and_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
