/*
 * exchange_fb: many people in one question, against a server that answers for them as well or as badly as each test
 * wants. Who is not told of plainly is unknown.
 */
#include "dav_server.h"
#include "davclient/batch.h"

enum { PEOPLE_MAX = 400, SLOTS = 8 * 96 };

/* How the server treats one person. */
enum treat {
    USUAL,
    MISSING,
    NO_DATA,
    SHORT,
    LONG,
    LETTER,
    TWICE_SAME,
    TWICE_OTHER,
    RENAMED,
    SPOILS_404,
    SPOILS_500,
    SPOILS_HTML,
    HANGS
};

static struct {
    size_t url_limit; /* longer: 414 */
    int limit_status;
    int status;    /* of everything, 0: as usual */
    unsigned most; /* people in an answer; more: it does not end */
    enum treat treat[PEOPLE_MAX];
    bool html, upper;
    unsigned requests, people;
    struct httpd_req *held; /* by somebody who HANGS */
    unsigned asked[PEOPLE_MAX];
    unsigned longest;
    char query[6000]; /* of the last request */
    char agent[100], translate[20];
} site;

static struct {
    unsigned calls, count, known, requests;
    enum dav_err err;
    char whole[40];
    enum dav_err errs[PEOPLE_MAX];
    char code[PEOPLE_MAX][40];
    struct dav_span first[PEOPLE_MAX];
    size_t spans[PEOPLE_MAX];
    int64_t from[PEOPLE_MAX], until[PEOPLE_MAX];
} got;

/* Person n is busy from n quarters after noon on, for an hour. */
static void add_row(struct buf *out, unsigned n, enum treat how)
{
    char digits[SLOTS + 2];
    size_t at = 96 + n % 96, slots = how == SHORT ? SLOTS - 1 : how == LONG ? SLOTS + 1 : SLOTS;

    memset(digits, how == NO_DATA ? '4' : '0', sizeof(digits));
    if (how != NO_DATA)
        memset(digits + at, how == TWICE_OTHER ? '3' : '2', 4);
    if (how == LETTER)
        digits[5] = 'x';
    buf_addf(out,
             "<a:item><a:displayname>P</a:displayname><a:email type=\"SMTP\">%s%u@%s</a:email><a:type>1</a:type>"
             "<a:fbdata>%.*s</a:fbdata></a:item>",
             how == RENAMED ? "primary"
             : site.upper   ? "USER"
                            : "user",
             n, site.upper ? "Example.TEST" : "example.test", (int)slots, digits);
}

static bool spoil(struct httpd_req *req, enum treat how)
{
    if (how == SPOILS_404)
        reply(req, 404, NULL, "<html>404</html>");
    else if (how == SPOILS_500)
        reply(req, 500, NULL, "<html>500</html>");
    else if (how == HANGS)
        site.held = req;
    else if (how == SPOILS_HTML)
        reply(req, 200, NULL, "<html><body>Something is wrong</body></html>");
    return how >= SPOILS_404;
}

static void answer_rows(struct httpd_req *req)
{
    struct buf out;
    unsigned people = 0;

    buf_init(&out, 1 << 21);
    buf_adds(&out,
             "<a:response xmlns:a=\"WM\"><a:recipients><a:item><a:displayname>Alle</a:displayname><a:type>1</a:type>"
             "<a:fbdata>3</a:fbdata></a:item>");
    for (const char *u = site.query; (u = strstr(u, "&u=SMTP:user")); u++) {
        unsigned n = (unsigned)strtoul(u + 12, NULL, 10);
        assert_true(n < PEOPLE_MAX);
        site.asked[n]++;
        people++;
        if (spoil(req, site.treat[n])) {
            buf_free(&out);
            return;
        }
        if (site.treat[n] != MISSING)
            add_row(&out, n, site.treat[n] == TWICE_OTHER ? USUAL : site.treat[n]);
        if (site.treat[n] == TWICE_SAME || site.treat[n] == TWICE_OTHER)
            add_row(&out, n, site.treat[n]);
    }
    site.people += people;
    if (site.most && people > site.most)
        for (int i = 0; i < 20000; i++)
            buf_adds(&out, "<!-- and on and on, for longer than anybody can be expected to listen -->");
    buf_adds(&out, "</a:recipients></a:response>");
    reply(req, 200, NULL, out.data);
    buf_free(&out);
}

static bool answer(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    if (strcmp(method, "GET") != 0 || strcmp(path, "/public/") != 0 || !authorized)
        return false;
    const char *query = httpd_query(req), *translate = httpd_header(req, "Translate");
    size_t len = strlen(path) + 1 + strlen(query);
    site.requests++;
    site.longest = len > site.longest ? (unsigned)len : site.longest;
    snprintf(site.query, sizeof(site.query), "&%s", query);
    snprintf(site.agent, sizeof(site.agent), "%s", httpd_header(req, "User-Agent"));
    snprintf(site.translate, sizeof(site.translate), "%s", translate ? translate : "");
    if (site.status)
        reply(req, site.status, site.status == 401 ? "WWW-Authenticate: Basic realm=\"x\"" : NULL, "<html>no</html>");
    else if (site.html)
        reply(req, 200, NULL, "<html><body>Outlook Web Access</body></html>");
    else if (site.url_limit && len > site.url_limit)
        reply(req, site.limit_status, NULL, "<html>long</html>");
    else
        answer_rows(req);
    return true;
}

static void note(void *arg, const struct dav_batch_result *r)
{
    (void)arg;
    got.calls++;
    got.err = r->err;
    got.requests = r->requests;
    got.count = (unsigned)r->count;
    snprintf(got.whole, sizeof(got.whole), "%s", r->code ? r->code : "");
    for (size_t i = 0; i < r->count; i++) {
        const struct dav_result *p = &r->persons[i];
        got.errs[i] = p->err;
        got.known += p->err == DAV_OK;
        snprintf(got.code[i], sizeof(got.code[i]), "%s", p->code ? p->code : "");
        assert_true((p->code != NULL) == (p->err != DAV_OK));
        assert_true(p->err == DAV_OK || p->count == 0);
        got.spans[i] = p->count;
        got.from[i] = p->from;
        got.until[i] = p->until;
        if (p->count > 0)
            got.first[i] = p->spans[0];
    }
}

static char addresses[PEOPLE_MAX][40];
static struct dav_batch_person persons[PEOPLE_MAX];

static struct dav_batch *start(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        snprintf(addresses[i], sizeof(addresses[i]), "user%u@example.test", first + i);
        persons[i].address = addresses[i];
    }
    struct dav_batch_question question = {
        .persons = persons, .count = count, .from = NOON - DAY, .until = NOON + 7 * DAY};
    memset(&got, 0, sizeof(got));
    return dav_batch_start(session, &question, note, NULL);
}

static void ask_about(unsigned count)
{
    start(0, count);
    wait_for(&got.calls, 1);
    assert_int_equal(got.count, count);
}

static void expect_known(unsigned i)
{
    assert_int_equal(got.errs[i], DAV_OK);
    assert_int_equal(got.spans[i], 1);
    assert_int_equal(got.first[i].start, NOON + (int64_t)(i % 96) * 900);
    assert_int_equal(got.first[i].end, got.first[i].start + 3600);
    assert_int_equal(got.first[i].kind, DAV_BUSY);
}

static void expect_code(unsigned i, const char *code)
{
    assert_string_equal(got.code[i], code);
    assert_int_not_equal(got.errs[i], DAV_OK);
}

static int set_up(void **state)
{
    (void)state;
    world_begin();
    struct dav_account account = usual_account();
    account.max_answer_bytes = 1 << 20;
    memset(&site, 0, sizeof(site));
    memset(persons, 0, sizeof(persons));
    site.limit_status = 414;
    server.answer = answer;
    session = session_for(&account, "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void a_hundred_in_one(void **state)
{
    (void)state;
    ask_about(100);
    assert_int_equal(got.err, DAV_OK);
    assert_int_equal(got.requests, 1);
    assert_int_equal(site.requests, 1);
    for (unsigned i = 0; i < 100; i++)
        expect_known(i);
    assert_int_equal(got.from[7], NOON - DAY);
    assert_int_equal(got.until[7], NOON + 7 * DAY);
    assert_non_null(strstr(site.agent, "MSIE"));
    assert_string_equal(site.translate, ""); /* it would lead past OWA */
    assert_true(str_starts(site.query, "&cmd=freebusy&start=2008-03-02T12:00:00Z&end=2008-03-10T12:00:00Z&interval=15"
                                       "&u=SMTP:user0@example.test&u=SMTP:user1@example.test&u="));
}

static void odd_addresses(void **state)
{
    static const struct dav_batch_person odd[] = {{"a+b&c#d%e@x.test", NULL}, {"m\xc3\xbcller@x.test", NULL}};
    struct dav_batch_question question = {.persons = odd, .count = 2, .from = NOON - DAY + 1, .until = NOON + 1};

    (void)state;
    memset(&got, 0, sizeof(got));
    dav_batch_start(session, &question, note, NULL);
    wait_for(&got.calls, 1);
    assert_non_null(strstr(site.query, "start=2008-03-02T12:00:00Z&end=2008-03-03T12:15:00Z")); /* on the grid */
    assert_non_null(strstr(site.query, "&u=SMTP:a%2Bb%26c%23d%25e@x.test&u=SMTP:m%C3%BCller@x.test"));
    expect_code(0, "freebusy-missing");
}

/* Without case, by an alias, and by a name that nobody told us of. */
static void by_any_name(void **state)
{
    static const char *const aliases[] = {"other@example.test", "Primary1@example.test", NULL};

    (void)state;
    site.upper = true;
    ask_about(3);
    for (unsigned i = 0; i < 3; i++)
        expect_known(i);
    site.upper = false;
    site.treat[1] = RENAMED;
    persons[1].aliases = aliases;
    ask_about(3);
    assert_int_equal(got.requests, 1);
    for (unsigned i = 0; i < 3; i++)
        expect_known(i);
    persons[1].aliases = NULL;
    ask_about(3);
    assert_int_equal(got.requests, 2); /* once alone */
    for (unsigned i = 0; i < 3; i++)
        expect_known(i);
    ask_about(3);
    assert_int_equal(got.requests, 1); /* and learnt */
    for (unsigned i = 0; i < 3; i++)
        expect_known(i);
}

static void hostile_rows(void **state)
{
    (void)state;
    site.treat[1] = MISSING;
    site.treat[2] = NO_DATA;
    site.treat[3] = SHORT;
    site.treat[4] = LONG;
    site.treat[5] = LETTER;
    site.treat[6] = TWICE_SAME;
    site.treat[7] = TWICE_OTHER;
    ask_about(9);
    assert_int_equal(got.requests, 1);
    expect_known(0);
    expect_code(1, "freebusy-missing");
    expect_code(2, "freebusy-no-data");
    expect_code(3, "answer-malformed");
    expect_code(4, "answer-malformed");
    expect_code(5, "answer-malformed");
    expect_known(6);
    expect_code(7, "answer-malformed");
    expect_known(8);
}

/* Too long for the server, whatever it says to that: halves, and shorter ones from then on. */
static void long_urls(void **state)
{
    static const int statuses[] = {414, 404, 400};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) { /* what was learnt is the session's */
            tear_down(NULL);
            set_up(NULL);
        }
        site.url_limit = 2048;
        site.limit_status = statuses[i];
        ask_about(100);
        assert_int_equal(got.err, DAV_OK);
        assert_int_equal(got.known, 100);
        assert_int_equal(got.requests, 3);
        ask_about(100);
        assert_int_equal(got.known, 100);
        assert_int_equal(got.requests, 2);
    }
    site.url_limit = 0; /* nobody tells when it takes more again: it is tried once a day */
    loop_advance(loop, 86401 * 1000);
    ask_about(100);
    assert_int_equal(got.requests, 1);
}

static void large_answers(void **state)
{
    (void)state;
    site.most = 30;
    ask_about(100);
    assert_int_equal(got.err, DAV_OK);
    assert_int_equal(got.known, 100);
    assert_int_equal(got.requests, 7);
    ask_about(100);
    assert_int_equal(got.known, 100);
    assert_int_equal(got.requests, 4);
}

/* One name upsets the server. The others are known in the same question, and are not asked with it again. */
static void one_spoils_it(void **state)
{
    static const struct {
        enum treat how;
        const char *code;
    } cases[] = {
        {SPOILS_404, "freebusy-no-data"}, {SPOILS_500, "http-server-error"}, {SPOILS_HTML, "answer-malformed"}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) {
            tear_down(NULL);
            set_up(NULL);
        }
        site.treat[37] = cases[i].how;
        ask_about(100);
        assert_int_equal(got.err, DAV_OK);
        assert_int_equal(got.known, 99);
        expect_code(37, cases[i].code);
        assert_in_range(got.requests, 10, 16);
        ask_about(100);
        assert_int_equal(got.known, 99);
        expect_code(37, cases[i].code);
        assert_int_equal(got.requests, 1); /* not asked again so soon */
        loop_advance(loop, 61 * 1000);
        site.treat[37] = USUAL;
        ask_about(100);
        assert_int_equal(got.requests, 2); /* alone */
        assert_int_equal(got.known, 100);
        ask_about(100);
        assert_int_equal(got.requests, 1); /* with the others again */
    }
}

/* There is no such thing here: found out in a few requests, and not tried again for a while. */
static void not_offered(void **state)
{
    (void)state;
    site.status = 404;
    ask_about(100);
    assert_int_equal(got.err, DAV_PROTOCOL);
    assert_string_equal(got.whole, "freebusy-unavailable");
    assert_int_equal(got.known, 0);
    for (unsigned i = 0; i < 100; i++)
        expect_code(i, "freebusy-unavailable");
    assert_in_range(got.requests, 3, 12);
    unsigned before = site.requests;
    ask_about(100);
    assert_string_equal(got.whole, "freebusy-unavailable");
    assert_int_equal(site.requests, before);
    site.status = 0;
    loop_advance(loop, 601 * 1000);
    ask_about(100);
    assert_int_equal(got.known, 100);
}

static void refused_or_broken(void **state)
{
    static const struct {
        int status;
        const char *code;
    } cases[] = {{403, "freebusy-forbidden"}, {401, "freebusy-forbidden"}, {405, "freebusy-unavailable"},
                 {500, "http-server-error"},  {503, "http-server-error"},  {302, "answer-malformed"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            tear_down(NULL);
            set_up(NULL);
        }
        site.status = cases[i].status;
        ask_about(100);
        assert_string_equal(got.whole, cases[i].code);
        assert_int_equal(got.known, 0);
        assert_true(site.requests <= 3);
    }
    tear_down(NULL);
    set_up(NULL);
    site.html = true;
    ask_about(100);
    assert_string_equal(got.whole, "answer-malformed");
    assert_int_equal(got.known, 0);
    assert_true(site.requests <= 3);
}

/* One batch in trouble keeps no other waiting. */
static void beside_each_other(void **state)
{
    (void)state;
    ask_about(1); /* logged on */
    site.treat[50] = HANGS;
    start(0, 100);
    memset(&got, 0, sizeof(got));
    start(200, 100);
    wait_for(&got.calls, 1);
    assert_int_equal(got.requests, 1); /* the second is done ... */
    assert_int_equal(got.known, 100);
    while (!site.held)
        turn();
    site.treat[50] = SPOILS_500;
    reply(site.held, 500, NULL, "<html>500</html>");
    wait_for(&got.calls, 2); /* ... and the first is halved */
    assert_true(got.requests > 5);
}

static void cancelled(void **state)
{
    (void)state;
    struct dav_batch *b = start(0, 100);
    dav_batch_cancel(&b);
    assert_null(b);
    dav_batch_cancel(&b);
    b = start(0, 100);
    unsigned before = site.requests;
    site.treat[3] = SPOILS_500;
    while (site.requests < before + 2)
        turn();
    dav_batch_cancel(&b);
    settle();
    assert_int_equal(got.calls, 0);
    start(0, 100);
    dav_session_close(&session, "in the middle");
    settle();
    assert_int_equal(got.calls, 0);
}

/* A refused logon is told at once, to everybody. */
static void not_let_in(void **state)
{
    (void)state;
    server.credential = "Basic nothing";
    ask_about(10);
    assert_int_equal(got.err, DAV_AUTH);
    assert_string_equal(got.whole, "logon-rejected");
    for (unsigned i = 0; i < 10; i++)
        expect_code(i, "logon-rejected");
    assert_int_equal(site.requests, 0);
}

static char steps[300];

static void on_step(void *arg, const struct dav_step_report *r)
{
    size_t len = strlen(steps);

    assert_int_equal(((struct outcome *)arg)->calls, 0); /* it is ours */
    snprintf(steps + len, sizeof(steps) - len, "%s%s ", r->ok ? "" : "!", dav_step_name(r->step));
}

static void checked(void **state)
{
    static struct outcome one;
    struct dav_question question = question_about("user5@example.test");

    (void)state;
    dav_batch_check_start(session, &question, on_step, note_result, &one);
    wait_for(&one.calls, 1);
    assert_int_equal(one.err, DAV_OK);
    assert_int_equal(one.count, 1);
    assert_string_equal(steps, "config dns tcp http schemes logon mailbox calendar read ");
    site.treat[5] = NO_DATA;
    memset(&one, 0, sizeof(one));
    steps[0] = '\0';
    dav_batch_check_start(session, &question, on_step, note_result, &one);
    wait_for(&one.calls, 1);
    assert_string_equal(one.code, "freebusy-no-data");
    assert_non_null(strstr(steps, "!read "));
}

static void nobody_and_too_many(void **state)
{
    (void)state;
    ask_about(0);
    assert_int_equal(site.requests, 0);
    assert_int_equal(dav_batch_size(session), 100);
    assert_true(dav_batch_possible(session));
    for (unsigned i = 0; i < PEOPLE_MAX; i++)
        site.treat[i] = i % 2 ? MISSING : SPOILS_404;
    ask_about(PEOPLE_MAX); /* whatever happens: an end, and nobody is free */
    assert_int_equal(got.known, 0);
    assert_true(got.requests <= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hundred_in_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(odd_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(by_any_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_urls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_spoils_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_offered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_or_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beside_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_and_too_many, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
