/*
 * exchange_place: which names of a mailbox are tried, in which order and how often, and above all that nobody else's
 * calendar is ever read under a name that was not the administrator's word.
 */
#include "dav_server.h"

/* What there is on the server: "name" is the mailbox's form in the URL, `answers_as` what it calls itself. */
static struct {
    const char *mailbox, *answers_as;
    const char *by_address; /* the directory's answer to gallookup: items */
    const char *by_alias;   /* to galfind */
    bool denied;
} world;

static struct outcome got;

#define ITEM(alias, address) "<a:item><a:AN>" alias "</a:AN><a:EM>" address "</a:EM></a:item>"
#define LIST(items) "<a:response xmlns:a=\"WM\"><a:recipients>" items "</a:recipients></a:response>"

static bool site(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    char body[1000], wanted[100];
    const char *query = httpd_query(req);

    if (!authorized)
        return false;
    if (strcmp(path, "/exchange/") == 0) { /* the logon is proved here */
        reply(req, 404, NULL, "");
        return true;
    }
    if (strcmp(method, "GET") == 0) {
        const char *list = query && strstr(query, "gallookup") ? world.by_address : world.by_alias;

        assert_non_null(strstr(httpd_header(req, "User-Agent"), "MSIE"));
        assert_null(httpd_header(req, "Translate"));
        reply(req, list ? 200 : 404, NULL, list ? list : "");
        return true;
    }
    snprintf(wanted, sizeof(wanted), "/exchange/%s/", world.mailbox ? world.mailbox : "nobody");
    if (!str_starts(path, wanted)) {
        reply(req, 404, NULL, "");
        return true;
    }
    if (world.denied) {
        reply(req, 403, NULL, "");
        return true;
    }
    if (strcmp(method, "SEARCH") == 0)
        return false;
    snprintf(body, sizeof(body),
             MULTISTATUS RESPONSE("%s", "<a:displayname>%s</a:displayname><e:calendar>http://inner.invalid%sKalender"
                                        "</e:calendar>") MULTISTATUS_END,
             path, world.answers_as ? world.answers_as : "", path);
    reply(req, 207, NULL, body);
    return true;
}

static int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    memset(&world, 0, sizeof(world));
    server.answer = site;
    account = usual_account();
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

static void ask_again(const char *address, const char *const *aliases, const char *remember)
{
    struct dav_question question = question_about(address);

    question.aliases = aliases;
    question.again = true;
    question.remember = remember;
    question.from = clk_wall_s(clk) - DAY;
    question.until = clk_wall_s(clk) + DAY;
    buf_reset(&server.log);
    ask(&got, &question);
}

static void expect_nothing_read(void)
{
    assert_int_not_equal(got.err, DAV_OK);
    assert_string_equal(got.code, "mailbox-not-found");
    assert_null(strstr(server.log.data, "SEARCH"));
}

static unsigned requests(void)
{
    unsigned n = 0;

    for (const char *p = server.log.data; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

static void a_further_address(void **state)
{
    static const char *const aliases[] = {"anna@old.example.test", "anna.b@corp.example.test", NULL};
    char place[300];

    (void)state;
    world.mailbox = "anna.b@corp.example.test"; /* her user principal name */
    ask_again("anna@example.test", aliases, NULL);
    assert_int_equal(got.err, DAV_OK);
    assert_string_equal(got.remember, "/exchange/anna.b@corp.example.test/Kalender/");
    snprintf(place, sizeof(place), "%s", got.remember);
    ask_again("anna@example.test", aliases, place); /* remembered */
    assert_int_equal(got.err, DAV_OK);
    assert_int_equal(requests(), 1);
}

static void the_alias(void **state)
{
    (void)state;
    world.mailbox = world.answers_as = "anna";
    world.by_address = LIST(ITEM("anna", "Anna@Example.test"));
    world.by_alias = LIST(ITEM("anna", "anna@example.test") ITEM("annabel", "annabel@example.test"));
    ask_again("anna@example.test", NULL, NULL);
    assert_int_equal(got.err, DAV_OK);
    assert_int_equal(got.count, 1);
    assert_string_equal(got.remember, "/exchange/anna/Kalender/");
}

/* Every doubt is a refusal. */
static void somebody_elses(void **state)
{
    static const struct {
        const char *what, *by_address, *by_alias, *answers_as;
    } cases[] = {
        {"no directory", NULL, NULL, "anna"},
        {"nobody by that address", LIST(""), LIST(ITEM("anna", "anna@example.test")), "anna"},
        {"the address is somebody else's", LIST(ITEM("anna", "anna@other.test")), LIST(ITEM("anna", "anna@other.test")),
         "anna"},
        {"two have the address", LIST(ITEM("anna", "anna@example.test") ITEM("anna2", "anna@example.test")),
         LIST(ITEM("anna", "anna@example.test")), "anna"},
        {"two have the alias", LIST(ITEM("anna", "anna@example.test")),
         LIST(ITEM("anna", "anna@example.test") ITEM("ANNA", "anna@other.test")), "anna"},
        {"the alias is another's", LIST(ITEM("anna", "anna@example.test")), LIST(ITEM("anna", "anna@other.test")),
         "anna"},
        {"the mailbox is another's", LIST(ITEM("anna", "anna@example.test")), LIST(ITEM("anna", "anna@example.test")),
         "anna.other"},
        {"the mailbox does not say whose it is", LIST(ITEM("anna", "anna@example.test")),
         LIST(ITEM("anna", "anna@example.test")), NULL},
        {"a page", "<html><body>log on</body></html>", LIST(ITEM("anna", "anna@example.test")), "anna"},
        {"cut", "<a:response xmlns:a=\"WM\">" ITEM("anna", "anna@example.test"),
         LIST(ITEM("anna", "anna@example.test")), "anna"},
        {"no alias", LIST(ITEM("", "anna@example.test")), LIST(ITEM("", "anna@example.test")), ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        world.mailbox = "anna";
        world.by_address = cases[i].by_address;
        world.by_alias = cases[i].by_alias;
        world.answers_as = cases[i].answers_as;
        ask_again("anna@example.test", NULL, NULL);
        if (got.err == DAV_OK)
            fail_msg("%s: read all the same", cases[i].what);
        expect_nothing_read();
    }
}

/* A mailbox that is found by its alias and refuses is not read under a guessed folder's name. */
static void a_closed_one(void **state)
{
    (void)state;
    world.mailbox = world.answers_as = "anna";
    world.by_address = world.by_alias = LIST(ITEM("anna", "anna@example.test"));
    world.denied = true;
    ask_again("anna@example.test", NULL, NULL);
    expect_nothing_read();
}

/* What did not help is not tried with every question again, but once a day. */
static void tried_once(void **state)
{
    unsigned first;

    (void)state;
    ask_again("anna@example.test", NULL, NULL);
    expect_nothing_read();
    first = requests();
    ask_again("anna@example.test", NULL, NULL);
    expect_nothing_read();
    assert_true(requests() < first);
    assert_null(strstr(server.log.data, "GET"));
    loop_advance(loop, 2 * DAY * 1000);
    world.mailbox = world.answers_as = "anna";
    world.by_address = world.by_alias = LIST(ITEM("anna", "anna@example.test"));
    ask_again("anna@example.test", NULL, NULL);
    assert_int_equal(got.err, DAV_OK);
}

/* Once a day it is proved again: the alias may be given to somebody else. */
static void given_away(void **state)
{
    char place[300];

    (void)state;
    world.mailbox = world.answers_as = "anna";
    world.by_address = world.by_alias = LIST(ITEM("anna", "anna@example.test"));
    ask_again("anna@example.test", NULL, NULL);
    assert_int_equal(got.err, DAV_OK);
    snprintf(place, sizeof(place), "%s", got.remember);
    ask_again("anna@example.test", NULL, place);
    assert_string_equal(server.log.data, "SEARCH /exchange/anna/Kalender/ auth\n");
    loop_advance(loop, 2 * DAY * 1000);
    world.by_address = LIST("");
    world.by_alias = LIST(ITEM("anna", "anna@new.example.test"));
    ask_again("anna@example.test", NULL, place);
    expect_nothing_read();
}

/* A path that was configured is the administrator's word; nothing else is tried. */
static void a_configured_path(void **state)
{
    struct dav_question question = question_about("anna@example.test");

    (void)state;
    world.mailbox = world.answers_as = "anna";
    world.by_address = world.by_alias = LIST(ITEM("anna", "anna@example.test"));
    question.path = "/exchange/nobody-here/";
    question.again = true;
    ask(&got, &question);
    expect_nothing_read();
    assert_null(strstr(server.log.data, "GET"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_further_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_alias, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_elses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tried_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(given_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_configured_path, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
