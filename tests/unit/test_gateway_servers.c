/*
 * The whole gateway between servers that misbehave: what is asked of them, what is in the log, who suffers and who does
 * not. Servers and gateway share a loop on a clock of ours: an hour takes seconds.
 */
#include "dav_server.h"

#include "config_files.h"
#include "gateway_private.h"

enum { INTERVAL_S = 300, BUDGET = 50, PATIENCE_S = 240 };
enum { STEP_MS = 20, TURNS = 12, SECONDS_MAX = 3 * 3600, TEXTS_MAX = 1 << 20 };

struct slow {
    struct httpd_stream *stream;
    struct loop_timer *timer;
    bool due;
};

struct fixture {
    char *folder;
    struct gateway *g;
    struct httpd *good; /* beside `server`, which is the bad one */
    unsigned good_requests;
    unsigned port;
    int64_t began_ms;
    unsigned per_second[SECONDS_MAX]; /* requests of the bad one */
    struct buf log;
    unsigned lines, failing_lines;
};

static struct fixture *fx;

static void to_log(void *arg, enum log_level level, const char *line)
{
    struct fixture *f = arg;
    if (level > LOG_LEVEL_NOTICE || strstr(line, "slow callback")) /* that one is about this machine */
        return;
    f->lines++;
    f->failing_lines += strstr(line, " failing server=bad ") != NULL;
    buf_addf(&f->log, "%lld %s\n", (long long)(clk_mono_ms(clk) - f->began_ms) / 1000, line);
}

static void good_handle(void *arg, struct httpd_req *req)
{
    struct fixture *f = arg;
    f->good_requests++;
    server.at_once++;
    reply_usual(req, httpd_method(req), httpd_path(req));
}

static bool count_one(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    int64_t second = (clk_mono_ms(clk) - fx->began_ms) / 1000;
    (void)req, (void)method, (void)path, (void)authorized;
    if (second < SECONDS_MAX)
        fx->per_second[second]++;
    return false;
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct httpd_settings settings = {.listen = "127.0.0.1:0"};
    char why[200];
    world_begin();
    buf_init(&f->log, TEXTS_MAX);
    f->began_ms = clk_mono_ms(clk);
    f->folder = files_folder();
    f->good = httpd_new(loop, &settings, good_handle, f, why, sizeof why);
    assert_non_null(f->good);
    f->port = httpd_port(server.httpd);
    files_write(f->folder, "pw", 0600, "secret\n");
    server.answer = count_one;
    *state = fx = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    gw_free(&f->g);
    httpd_free(&f->good);
    log_set_sink(NULL, NULL);
    world_end();
    buf_free(&f->log);
    files_remove(f->folder);
    free(f);
    return 0;
}

static void write_people(struct fixture *f, const char *name, unsigned count)
{
    char file[20];
    FILE *out = fopen(files_path(f->folder, strcat(strcpy(file, name), ".csv")), "w");
    assert_non_null(out);
    fputs("address\n", out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%s%u@x.test\n", name, i);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(files_path(f->folder, file), 0600), 0);
}

static void write_server(struct buf *text, const char *name, unsigned port)
{
    buf_addf(text,
             "  - { name: %s, kind: exchange, url: 'http://127.0.0.1:%u/exchange/', account: 'EXAMPLE\\svc',\n"
             "      auth: [basic], password_file: pw, read: calendar, max_requests_per_second: %u,\n"
             "      changes: { contenttag: false, subscribe: false } }\n",
             name, port, BUDGET);
}

static void start(struct fixture *f, unsigned bad, unsigned good)
{
    struct gw_config_error err;
    char why[4200];
    struct buf text;
    buf_init(&text, TEXTS_MAX);
    write_people(f, "bad", bad);
    write_people(f, "good", good);
    buf_adds(&text, "servers:\n");
    write_server(&text, "bad", f->port);
    write_server(&text, "good", httpd_port(f->good));
    buf_addf(&text,
             "users: [ { file: bad.csv, server: bad }, { file: good.csv, server: good } ]\n"
             "poll: { interval: %us }\npresence: { stale_after: 15m }\n"
             "publish: { http: { listen: ['127.0.0.1:0'] } }\ncontrol: { socket: %s/control.sock }\n",
             (unsigned)INTERVAL_S, f->folder);
    files_write(f->folder, "c.yaml", 0600, text.data);
    buf_free(&text);
    struct gw_config *config = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!config)
        fail_msg("%s", err.why);
    log_set_level(LOG_LEVEL_NOTICE);
    log_set_sink(to_log, f);
    f->g = gw_new(loop, config, why, sizeof why);
    if (!f->g)
        fail_msg("%s", why);
    f->began_ms = clk_mono_ms(clk);
}

/* So many seconds, in steps that leave the sockets time. */
static void pass(int64_t seconds, int64_t step_ms)
{
    for (int64_t ms = 0; ms < seconds * 1000; ms += step_ms) {
        loop_advance(loop, step_ms);
        for (int i = 0; i < TURNS; i++)
            loop_turn(loop, 0);
    }
}

static int64_t second_now(const struct fixture *f)
{
    return (clk_mono_ms(clk) - f->began_ms) / 1000;
}

static struct gw_server_view view_of(const struct fixture *f, unsigned number)
{
    struct gw_server_view view;
    gw_server_view(f->g, number, &view);
    return view;
}

static void assert_budget(const struct fixture *f, int64_t from)
{
    for (int64_t second = from; second < second_now(f); second++)
        if (f->per_second[second] > BUDGET + BUDGET / 10 + 1) /* a tenth of a second's worth may be saved up */
            fail_msg("%u requests in second %lld", f->per_second[second], (long long)second);
}

/* Goes away for an hour: everybody knows why, the log has a line for the cause now and then, nobody else is concerned,
 * and when it is back it is not overrun. */
static void ten_thousand_people_and_an_hours_outage(void **state)
{
    struct fixture *f = *state;
    char why[200], listen[40];
    start(f, 10000, 50);
    pass(30, STEP_MS);
    size_t read = view_of(f, 0).fresh;
    assert_in_range(read, 500, 1500);
    assert_budget(f, 0);
    httpd_free(&server.httpd);
    unsigned before = f->lines, good_before = f->good_requests;
    pass(3600, 500);
    assert_in_range(f->failing_lines, 6, 9); /* at once, when it has grown, and every ten minutes */
    if (f->lines - before > 12)
        fail_msg("%u lines in an hour:\n%s", f->lines - before, f->log.data);
    struct gw_cause_row rows[8];
    assert_int_equal(gw_causes(f->g, rows, 8), 1);
    assert_int_equal(rows[0].persons, 10000);
    struct gw_server_view bad = view_of(f, 0), good = view_of(f, 1);
    assert_int_equal(bad.fresh + bad.ageing, 0);
    assert_int_equal(bad.stale, read);
    assert_int_equal(bad.unknown, 10000 - read);
    assert_int_equal(good.fresh, 50);
    assert_in_range(f->good_requests - good_before, 50 * (3600 / INTERVAL_S - 1), 50 * (3600 / INTERVAL_S + 1));

    struct httpd_settings settings = {.listen = listen};
    snprintf(listen, sizeof listen, "127.0.0.1:%u", f->port);
    server.httpd = httpd_new(loop, &settings, server_handle, NULL, why, sizeof why);
    if (!server.httpd)
        fail_msg("%s", why);
    int64_t back = second_now(f);
    before = f->lines;
    while (view_of(f, 0).fresh < 20 * BUDGET && second_now(f) < back + PATIENCE_S)
        pass(5, STEP_MS);
    assert_budget(f, back);
    assert_true(view_of(f, 0).fresh >= 20 * BUDGET);
    assert_in_range(f->lines - before, 1, 4);
}

/* Takes every request and says nothing; one of two servers. */
static bool hold_quietly(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    count_one(req, method, path, authorized);
    return true;
}

/* An hour with `answer` for the bad server: the other one's people are read on time, the log is quiet, everybody knows
 * what is wrong, and little is asked. */
static void an_hour_with(struct fixture *f, answer_fn *answer, int64_t step_ms)
{
    struct gw_cause_row rows[8];
    unsigned lines = f->lines, good_requests = f->good_requests, requests = server.requests;
    int64_t from = second_now(f);
    server.answer = answer;
    pass(3600, step_ms);
    assert_int_equal(view_of(f, 1).fresh, 200);
    assert_in_range(f->good_requests - good_requests, 200 * (3600 / INTERVAL_S - 1), 200 * (3600 / INTERVAL_S + 3));
    assert_int_equal(view_of(f, 0).unknown + view_of(f, 0).stale, 200);
    assert_in_range(server.requests - requests, 30, 400); /* each was given up in the end */
    if (f->lines - lines > 12)
        fail_msg("%u lines in an hour:\n%s", f->lines - lines, f->log.data);
    assert_true(f->failing_lines >= 5);
    assert_int_equal(gw_causes(f->g, rows, 8), 1);
    assert_string_equal(rows[0].server, "bad");
    assert_int_equal(rows[0].persons, 200);
    assert_budget(f, from);
}

static void accepts_and_never_answers(void **state)
{
    start(*state, 200, 200);
    an_hour_with(*state, hold_quietly, 100);
}

static void falls_silent(void **state)
{
    struct fixture *f = *state;
    start(f, 200, 200);
    pass(INTERVAL_S, STEP_MS);
    assert_int_equal(view_of(f, 0).fresh, 200);
    an_hour_with(f, hold_quietly, 100);
    assert_int_equal(view_of(f, 0).stale, 200);
}

static void drip(void *arg)
{
    struct slow *s = arg;
    s->due = true;
    httpd_stream_wake(s->stream);
    loop_timer_in(s->timer, 1000);
}

static ssize_t pull(void *arg, char *out, size_t max)
{
    struct slow *s = arg;
    if (!s->due || max == 0)
        return HTTPD_PULL_WAIT;
    s->due = false;
    *out = '<';
    return 1;
}

static void gone(void *arg)
{
    struct slow *s = arg;
    loop_timer_free(&s->timer);
    free(s);
}

static bool drip_slowly(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    static const char *const headers[] = {"Content-Type: text/xml", "MS-WebStorage: 6.5.7638", NULL};
    struct slow *s = mem_calloc(1, sizeof *s);
    count_one(req, method, path, authorized);
    s->timer = loop_timer_new(loop, "drip", drip, s);
    s->stream = httpd_stream_start(req, 207, headers, pull, gone, s);
    loop_timer_in(s->timer, 1000);
    return true;
}

static void one_byte_a_second(void **state)
{
    start(*state, 200, 200);
    an_hour_with(*state, drip_slowly, 200);
}

static void slows_down_to_one_byte_a_second(void **state)
{
    struct fixture *f = *state;
    start(f, 200, 200);
    pass(INTERVAL_S, STEP_MS);
    an_hour_with(f, drip_slowly, 200);
}

/* Asks everybody to come back in two minutes, for an hour. */
static bool send_away(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    count_one(req, method, path, authorized);
    reply(req, 503, "Retry-After: 120", "busy");
    return true;
}

static void asks_to_come_back_later(void **state)
{
    struct fixture *f = *state;
    start(f, 200, 200);
    pass(INTERVAL_S, STEP_MS);
    unsigned requests = server.requests, lines = f->lines;
    server.answer = send_away;
    pass(3600, 100);
    assert_in_range(server.requests - requests, 10, 3600 / 120 + 10); /* who are on their way, then one each time */
    assert_int_equal(view_of(f, 1).fresh, 200);
    if (f->lines - lines > 12)
        fail_msg("%u lines in an hour:\n%s", f->lines - lines, f->log.data);
    server.answer = count_one;
    int64_t back = second_now(f);
    pass(INTERVAL_S + 180, STEP_MS);
    assert_int_equal(view_of(f, 0).fresh, 200);
    assert_budget(f, back);
}

/* A minute well, a minute cutting every connection, for an hour: what comes and goes is said once in a while, too. */
static bool cut_now_and_then(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    count_one(req, method, path, authorized);
    if (second_now(fx) / 60 % 2 == 0)
        return false;
    server.at_once--;
    httpd_abort(req);
    return true;
}

static void comes_and_goes(void **state)
{
    struct fixture *f = *state;
    server.answer = cut_now_and_then;
    start(f, 400, 200);
    pass(3600, STEP_MS);
    assert_int_equal(view_of(f, 1).fresh, 200);
    assert_int_equal(view_of(f, 0).fresh + view_of(f, 0).ageing, 400); /* nobody becomes unknown */
    if (f->lines > 30)
        fail_msg("%u lines in an hour:\n%s", f->lines, f->log.data);
    assert_budget(f, 0);
}

/* The wall clock jumps a day ahead, and later back: what is known is too old, is read again within the budget, and
 * nobody is taken for fresh who is not. */
static void a_clock_that_jumps_a_day(void **state)
{
    struct fixture *f = *state;
    start(f, 400, 100);
    pass(INTERVAL_S, STEP_MS);
    assert_int_equal(view_of(f, 0).fresh, 400);
    for (int way = 0; way < 2; way++) {
        int64_t from = second_now(f);
        clk_fake_step_wall(clk, (way ? -DAY : DAY) * 1000);
        pass(2, STEP_MS);
        pass(INTERVAL_S + 60, STEP_MS);
        struct gw_server_view bad = view_of(f, 0), good = view_of(f, 1);
        assert_int_equal(bad.fresh, 400);
        assert_int_equal(good.fresh, 100);
        assert_in_range(clk_wall_s(clk) - bad.oldest_as_of, 0, INTERVAL_S + 60);
        unsigned asked = 0;
        for (int64_t second = from; second < second_now(f); second++)
            asked += f->per_second[second];
        assert_in_range(asked, 400, 1000); /* once, perhaps twice; no storm */
        assert_budget(f, from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ten_thousand_people_and_an_hours_outage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accepts_and_never_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(falls_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_byte_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slows_down_to_one_byte_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asks_to_come_back_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_a_day, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
