/*
 * relay_out: the exporter against a far end that the test plays: it may hold its answer, refuse, or lose what it had.
 * On a clock of ours; TLS, signatures and two real daemons are the integration tests' (relay.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/httpd.h"
#include "gateway_world.h"
#include "outlets.h"
#include "presence/interval.h"

enum { KEPT_MAX = 400, STEPS = 2000 };

struct far {
    struct httpd *httpd;
    struct httpd_req *held; /* not answered yet */
    bool hold;
    int digests, others; /* status */
    const char *const *headers, *text; /* of answers */
    size_t text_len;
    bool strayed; /* a request that is none of ours, or says more than it should */
    char *bodies[KEPT_MAX];
    unsigned count;
};

static struct far far;
static const char *relay_more = ""; /* settings of the relay */

static void on_request(void *arg, struct httpd_req *req)
{
    size_t len;
    const char *body = httpd_body(req, &len);
    (void)arg;
    assert_true(far.count < KEPT_MAX);
    far.strayed |= strcmp(httpd_path(req), "/relay/inside/") != 0 || httpd_header(req, "Cookie");
    far.bodies[far.count++] = mem_strndup(body, len);
    if (far.hold)
        far.held = req;
    else
        httpd_reply(req, strstr(far.bodies[far.count - 1], "X-FB-DIGEST:") ? far.digests : far.others, far.headers,
                    far.text, far.text_len);
}

static void answer(int status)
{
    struct httpd_req *req = far.held;
    assert_non_null(req);
    far.held = NULL;
    far.hold = false;
    httpd_reply(req, status, NULL, NULL, 0);
}

/* How many messages from the n-th on have both texts. */
static unsigned said(unsigned from, const char *a, const char *b)
{
    unsigned n = 0;
    for (unsigned i = from; i < far.count; i++)
        n += strstr(far.bodies[i], a) && strstr(far.bodies[i], b);
    return n;
}

static void write_world(struct fixture *f, bool with_ben, const char *more)
{
    char text[2000];
    snprintf(text, sizeof text,
             "servers:\n  - { name: hq, kind: relay, relay: { from: nobody } }\n"
             "users:\n  - { address: anna@a.test, server: hq }\n%s"
             "presence: { stale_after: 1d }\npublish:\n  http: { listen: [] }\n  relays:\n"
             "    - { name: out, stream: s, url: 'http://127.0.0.1:%u/relay/inside/', digest: 10s%s }\n"
             "control: { socket: %s/control.sock }\nstate: { directory: %s }\n%s",
             with_ben ? "  - { address: ben@a.test, server: hq }\n" : "", httpd_port(far.httpd), relay_more,
             f->folder, f->folder, more);
    files_write(f->folder, "c.yaml", 0600, text);
}

static void meet(struct fixture *f, const char *address, int64_t minutes)
{
    int64_t now = clk_wall_s(f->clk);
    struct pres_interval one = {now + 3600, now + 3600 + minutes * 60, PRES_BUSY};
    pres_id id = pres_table_find(gw_table(f->g), address);
    pres_table_update(gw_table(f->g), id, &one, 1, now - 86400, now + 864000, now);
    gw_outlets_known(f->g, id);
}

static uint64_t counted(const struct fixture *f, const char *name)
{
    struct pres_count rows[20];
    size_t n = gw_outlet_counts(f->g, 0, rows, 20);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].value;
    fail_msg("no number is called %s", name);
    return 0;
}

static const char *state_of(const struct fixture *f, const char **ret_code)
{
    static struct pres_publisher_status status;
    gw_outlet_status(f->g, 0, &status);
    if (ret_code)
        *ret_code = status.code ? status.code : "";
    return status.state;
}

static void step(struct fixture *f)
{
    loop_turn(f->loop, 1);
    loop_advance(f->loop, 100);
    loop_turn(f->loop, 0);
}

#define UNTIL(f, condition)                                                                                            \
    do {                                                                                                               \
        for (int tries_ = 0; tries_ < STEPS && !(condition); tries_++)                                                 \
            step(f);                                                                                                   \
        const char *code_ = "", *state_ = f->g ? state_of(f, &code_) : "";                                             \
        if (!(condition))                                                                                              \
            fail_msg("still waiting for " #condition ", %s %s", state_, code_);                                        \
    } while (0)

static int far_setup(void **state)
{
    setup(state);
    struct fixture *f = *state;
    const struct httpd_settings settings = {.listen = "127.0.0.1:0"};
    far = (struct far){.digests = 204, .others = 204};
    far.httpd = httpd_new(f->loop, &settings, on_request, NULL, f->why, sizeof f->why);
    assert_non_null(far.httpd);
    write_world(f, true, "");
    start(f);
    meet(f, "anna@a.test", 30);
    meet(f, "ben@a.test", 30);
    return 0;
}

static int far_teardown(void **state)
{
    struct fixture *f = *state;
    gw_free(&f->g);
    httpd_free(&far.httpd);
    for (unsigned i = 0; i < far.count; i++)
        free(far.bodies[i]);
    return teardown(state);
}

/* What changes while a message about it is under way is told by another one. */
static void test_again_while_it_flies(void **state)
{
    struct fixture *f = *state;
    UNTIL(f, counted(f, "exported") == 2);
    unsigned before = far.count;
    far.hold = true;
    meet(f, "anna@a.test", 40);
    UNTIL(f, far.held);
    meet(f, "anna@a.test", 50);
    for (int i = 0; i < 20; i++)
        step(f);
    assert_int_equal(far.count, before + 1); /* one at a time */
    answer(204);
    UNTIL(f, said(before, "anna@a.test", "/PT50M") == 1);
    assert_int_equal(said(before, "anna@a.test", "/PT40M"), 1);
    assert_int_equal(said(before, "ben@a.test", "FREEBUSY;"), 0);
}

/* Somebody goes while what we say of them is under way: then a tombstone follows, whatever became of the message. */
static void test_gone_while_it_flies(void **state)
{
    struct fixture *f = *state;
    UNTIL(f, counted(f, "exported") == 2);
    far.hold = true;
    meet(f, "ben@a.test", 40);
    UNTIL(f, far.held);
    write_world(f, false, "");
    assert_true(reload_now(f, false));
    unsigned before = far.count;
    answer(204);
    UNTIL(f, said(before, "METHOD:CANCEL", "ben@a.test") == 1);
    UNTIL(f, counted(f, "tombstones") == 1);
    assert_int_equal(counted(f, "exported"), 1);
    assert_int_equal(said(before, "METHOD:CANCEL", "anna@a.test"), 0);
}

/* The far end lost what it had: it is sent again, but not for ever. */
static void test_refused_digest(void **state)
{
    struct fixture *f = *state;
    UNTIL(f, counted(f, "exported") == 2 && counted(f, "digests") > 0);
    unsigned before = far.count;
    far.digests = 409;
    UNTIL(f, counted(f, "digests_refused") >= 4);
    assert_int_equal(said(before, "METHOD:PUBLISH", "FREEBUSY;"), 1);
    far.digests = 204;
    UNTIL(f, counted(f, "digests") > 2);
    assert_string_equal(state_of(f, NULL), "up");
}

/* Not welcome: nobody counts as told, and everybody is told when the door is open again. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    const char *code;
    far.others = 403;
    UNTIL(f, strcmp(state_of(f, &code), "waiting") == 0);
    assert_string_equal(code, "relay-not-authorized");
    assert_int_equal(counted(f, "exported"), 0);
    far.others = 204;
    UNTIL(f, counted(f, "exported") == 2);

    far.others = 500;
    meet(f, "anna@a.test", 70);
    UNTIL(f, strcmp(state_of(f, &code), "waiting") == 0);
    assert_string_equal(code, "relay-refused");
    unsigned before = far.count;
    far.others = 204;
    UNTIL(f, said(before, "anna@a.test", "/PT1H10M") == 1);
    assert_int_equal(counted(f, "exported"), 2);
}

/* Accepted or refused, within a few bytes; whatever else the far end says is not looked at. */
static void test_the_answer_means_nothing(void **state)
{
    static const char *const cookie[] = {"Set-Cookie: a=b", "Content-Type: text/calendar", "Refresh: 0", NULL};
    static const char *const elsewhere[] = {"Location: /elsewhere/", NULL};
    static char huge[100000];
    struct fixture *f = *state;
    const char *code;
    UNTIL(f, counted(f, "exported") == 2);
    meet(f, "anna@a.test", 70);
    UNTIL(f, said(0, "anna@a.test", "/PT1H10M") == 1);
    far.others = far.digests = 200;
    far.headers = cookie;
    far.text = far.bodies[far.count - 1]; /* as if it were one of ours */
    far.text_len = strlen(far.text);
    uint64_t head = pres_journal_head(gw_journal(f->g));
    unsigned before = far.count;
    UNTIL(f, far.count > before + 3);
    assert_int_equal(counted(f, "exported"), 2);
    assert_int_equal(pres_journal_head(gw_journal(f->g)), head);

    memset(huge, 'x', sizeof huge);
    far.text = huge;
    far.text_len = sizeof huge;
    meet(f, "anna@a.test", 80);
    UNTIL(f, strcmp(state_of(f, &code), "waiting") == 0);
    assert_string_equal(code, "answer-too-large");
    far.text_len = 0;
    before = far.count;
    UNTIL(f, said(before, "anna@a.test", "/PT1H20M") == 1); /* what was answered so is not told */

    far.headers = elsewhere;
    far.others = 307;
    meet(f, "anna@a.test", 90);
    UNTIL(f, strcmp(state_of(f, &code), "waiting") == 0);
    assert_string_equal(code, "relay-refused");
    assert_false(far.strayed);
}

/* One more message, and only one. */
static void beat(struct fixture *f, unsigned expected)
{
    loop_advance(f->loop, 1000);
    for (int tries = 0; tries < STEPS * 10 && far.count < expected; tries++)
        loop_turn(f->loop, 1);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(far.count, expected);
    assert_int_equal(strlen(far.bodies[far.count - 1]), 5000);
}

/* Whoever counts messages learns nothing: one a second of one size, whatever happens inside. */
static void test_constant_rate(void **state)
{
    struct fixture *f = *state;
    relay_more = ", pad_bytes: 5000, pad_every: 1s";
    write_world(f, true, "");
    assert_true(reload_now(f, false));
    relay_more = "";
    UNTIL(f, counted(f, "exported") == 2 && counted(f, "digests") > 0);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1);
    unsigned first = far.count, count = far.count;
    beat(f, ++count); /* from here on, on the beat */
    for (int i = 0; i < 15; i++)
        beat(f, ++count);
    for (int i = 0; i < 15; i++) {
        meet(f, "anna@a.test", 30 + i);
        meet(f, "ben@a.test", 60 + i);
        beat(f, ++count);
    }
    assert_true(said(first, "anna@a.test", "FREEBUSY;") > 5);
    relay_more = ", pad_bytes: 5000, pad_every: 1s";
    write_world(f, false, "");
    relay_more = "";
    assert_true(reload_now(f, false));
    for (int i = 0; i < 5; i++)
        beat(f, ++count);
    assert_int_equal(said(first, "METHOD:CANCEL", "ben@a.test"), 1);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

/* The worker has done what it was given, as at the end of a daemon: a batch, the last one behind it, the closing. */
static void let_worker_end(struct fixture *f)
{
    for (int i = 0; i < 4; i++) {
        bool done = false;
        loop_work(f->loop, nothing, set, &done);
        while (!done)
            loop_turn(f->loop, 1);
    }
}

/* Who was exported before a restart and is configured no more is taken back; the numbers of messages only grow. */
static void test_over_a_restart(void **state)
{
    struct fixture *f = *state;
    UNTIL(f, counted(f, "exported") == 2);
    const char *last = strstr(far.bodies[far.count - 1], "X-FB-SEQUENCE:");
    assert_non_null(last);
    unsigned long long sequence = strtoull(last + strlen("X-FB-SEQUENCE:"), NULL, 10);
    gw_free(&f->g);
    let_worker_end(f);
    clk_fake_step_wall(f->clk, -86400000); /* and the clock is a day behind */
    write_world(f, false, "");
    unsigned before = far.count;
    start(f);
    UNTIL(f, said(before, "METHOD:CANCEL", "ben@a.test") == 1);
    for (unsigned i = before; i < far.count; i++) {
        const char *text = strstr(far.bodies[i], "X-FB-SEQUENCE:");
        unsigned long long now = strtoull(text + strlen("X-FB-SEQUENCE:"), NULL, 10);
        assert_true(now > sequence);
        sequence = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_again_while_it_flies, far_setup, far_teardown),
        cmocka_unit_test_setup_teardown(test_gone_while_it_flies, far_setup, far_teardown),
        cmocka_unit_test_setup_teardown(test_refused_digest, far_setup, far_teardown),
        cmocka_unit_test_setup_teardown(test_refused, far_setup, far_teardown),
        cmocka_unit_test_setup_teardown(test_the_answer_means_nothing, far_setup, far_teardown),
        cmocka_unit_test_setup_teardown(test_constant_rate, far_setup, far_teardown),
        cmocka_unit_test_setup_teardown(test_over_a_restart, far_setup, far_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
