/*
 * The meeting point: what an answer, and above all a failure, makes of a person. Nobody may become free by anything but
 * a good answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config_files.h"
#include "gateway_private.h"

#define NOW 1800000000LL /* a Friday, 08:00 UTC */

static const char config_text[] =
    "servers:\n"
    "  - { name: hq, kind: exchange, url: 'https://h/', account: a, password_file: pw, read: calendar }\n"
    "  - { name: office, kind: caldav, url: 'https://c/', account: a, password_file: pw }\n"
    "users:\n"
    "  - { address: alice@example.com, server: hq }\n"
    "  - { address: bob@example.com, server: hq, group: sales, path: /b/, aliases: [robert@example.com], zone: UTC }\n"
    "  - { address: carol@example.com, server: office }\n"
    "poll: { window: 90m }\n"
    "presence:\n"
    "  groups: [ { name: sales, tentative: busy, oof: free, all_day: false } ]\n";

struct fixture {
    char *folder;
    struct clk *clk;
    struct gateway g;
    pres_id alice, bob, carol;
    char log[20000];
};

static unsigned no_room(const struct dav_session *s)
{
    (void)s;
    return 0;
}

static void to_log(void *arg, enum log_level level, const char *line)
{
    struct fixture *f = arg;
    size_t len = strlen(f->log);
    if (level <= LOG_LEVEL_NOTICE)
        snprintf(f->log + len, sizeof f->log - len, "%s\n", line);
}

static struct gw_poller_ops ops;

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct gateway *g = &f->g;
    struct gw_config_error err;
    f->folder = files_folder();
    files_write(f->folder, "c.yaml", 0600, config_text);
    log_set_sink(to_log, f);
    f->clk = clk_fake_new(NOW * 1000);
    ops = gw_feed_ops;
    ops.room = no_room;
    g->loop = loop_new(f->clk);
    g->config = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!g->config)
        fail_msg("%s", err.why);
    g->table = pres_table_new(g->loop, gw_feed_change, g);
    g->journal = pres_journal_new(g->table, 1000);
    g->poller = gw_poller_new(g->loop, &ops, g, 60000, 1);
    g->server_count = 2;
    g->servers = mem_calloc(2, sizeof *g->servers);
    for (unsigned i = 0; i < 2; i++) {
        g->servers[i] = mem_calloc(1, sizeof **g->servers);
        g->servers[i]->config = &g->config->servers[i];
        g->servers[i]->number = gw_poller_server_add(g->poller, (struct dav_session *)f); /* never looked into */
    }
    gw_feed_rules(g);
    gw_people_apply(g, g->config->roster, g->servers, g->server_count);
    f->alice = pres_table_find(g->table, "alice@example.com");
    f->bob = pres_table_find(g->table, "bob@example.com");
    f->carol = pres_table_find(g->table, "carol@example.com");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gateway *g = &f->g;
    log_set_sink(NULL, NULL);
    gw_poller_free(&g->poller);
    for (unsigned i = 0; i < 2; i++) {
        gw_causes_free(&g->servers[i]->causes);
        free(g->servers[i]);
    }
    free(g->servers);
    gw_people_free(g);
    pres_journal_free(&g->journal);
    pres_table_free(&g->table);
    gw_feed_free(g);
    free(g->scratch);
    gw_config_free(&g->config);
    loop_free(&g->loop);
    clk_fake_free(&f->clk);
    files_remove(f->folder);
    free(f);
    return 0;
}

static void answer_spans(struct fixture *f, pres_id id, const struct dav_span *spans, size_t count)
{
    int64_t now = clk_wall_s(f->clk);
    struct dav_result r = {
        .spans = spans, .count = count, .from = now - 86400, .until = now + 86400, .as_of = now, .requests = 1};
    gw_feed_ops.answer(&f->g, id, &r);
    loop_advance(f->g.loop, 0);
}

static void answer_failure(struct fixture *f, pres_id id, enum dav_err err, const char *code, const char *evidence)
{
    struct dav_result r = {.err = err, .code = code, .evidence = evidence, .requests = 1};
    gw_feed_ops.answer(&f->g, id, &r);
    loop_advance(f->g.loop, 0);
}

static enum pres_kind state_of(struct fixture *f, pres_id id, const char **ret_reason)
{
    struct pres_presence p;
    pres_table_presence(f->g.table, id, &p);
    if (ret_reason)
        *ret_reason = p.reason;
    return p.state;
}

static void assert_classes(struct fixture *f, unsigned server, size_t fresh, size_t ageing, size_t stale,
                           size_t unknown)
{
    const struct gw_server *s = f->g.servers[server];
    assert_int_equal(s->classes[GW_CLASS_FRESH], fresh);
    assert_int_equal(s->classes[GW_CLASS_AGEING], ageing);
    assert_int_equal(s->classes[GW_CLASS_STALE], stale);
    assert_int_equal(s->classes[GW_CLASS_UNKNOWN], unknown);
    assert_int_equal(s->persons, fresh + ageing + stale + unknown);
}

static void question(void **state)
{
    struct fixture *f = *state;
    struct dav_question q = {.address = NULL};
    gw_feed_ops.question(&f->g, f->bob, &q);
    assert_string_equal(q.address, "bob@example.com");
    assert_string_equal(q.path, "/b/");
    assert_string_equal(q.zone, "UTC");
    assert_string_equal(q.aliases[0], "robert@example.com");
    assert_null(q.aliases[1]);
    assert_null(q.remember);
    assert_true(q.from <= NOW - 86400 && q.from > NOW - 3 * 86400);
    assert_true(q.until >= NOW + 90 * 60 && q.until < NOW + 90 * 60 + 3600);
    clk_fake_advance(f->clk, 60000); /* the same window an interval later: servers and we may compare */
    struct dav_question again = {.address = NULL};
    gw_feed_ops.question(&f->g, f->bob, &again);
    assert_int_equal(again.from, q.from);
}

static void remembered(void **state)
{
    struct fixture *f = *state;
    struct dav_question q = {.address = NULL};
    struct dav_result r = {
        .from = NOW - 1, .until = NOW + 1000, .as_of = NOW, .requests = 2, .remember = "/alice/Kalender/"};
    gw_feed_ops.answer(&f->g, f->alice, &r);
    gw_feed_ops.question(&f->g, f->alice, &q);
    assert_string_equal(q.remember, "/alice/Kalender/");
    answer_failure(f, f->alice, DAV_NETWORK, "tcp-refused", NULL);
    gw_feed_ops.question(&f->g, f->alice, &q);
    assert_string_equal(q.remember, "/alice/Kalender/");
    answer_failure(f, f->alice, DAV_NOT_FOUND, "calendar-not-found", NULL);
    gw_feed_ops.question(&f->g, f->alice, &q);
    assert_null(q.remember);
}

static void rules_by_group(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum dav_busy kind;
        unsigned traits;
        enum pres_kind all, sales;
    } cases[] = {
        {DAV_BUSY, 0, PRES_BUSY, PRES_BUSY},
        {DAV_TENTATIVE, 0, PRES_TENTATIVE, PRES_BUSY},
        {DAV_OOF, 0, PRES_OOF, PRES_FREE},
        {DAV_BUSY, DAV_TRAIT_ALL_DAY, PRES_BUSY, PRES_FREE},
        {DAV_BUSY, DAV_TRAIT_CANCELLED, PRES_FREE, PRES_FREE},
        {DAV_BUSY, DAV_TRAIT_DECLINED, PRES_FREE, PRES_FREE},
        {DAV_BUSY, DAV_TRAIT_PRIVATE, PRES_BUSY, PRES_BUSY},
        {DAV_FREE, 0, PRES_FREE, PRES_FREE},
        {DAV_ELSEWHERE, 0, PRES_ELSEWHERE, PRES_ELSEWHERE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dav_span span = {.start = NOW - 100, .end = NOW + 100, .kind = cases[i].kind, .traits = cases[i].traits};
        answer_spans(f, f->alice, &span, 1);
        answer_spans(f, f->bob, &span, 1);
        assert_int_equal(state_of(f, f->alice, NULL), cases[i].all);
        assert_int_equal(state_of(f, f->bob, NULL), cases[i].sales);
    }
}

/* Any event goes before the hours in which nobody is at work; what does not count does not. */
static void outside_the_hours(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum dav_busy kind;
        unsigned traits;
        enum pres_kind now, later;
    } cases[] = {
        {DAV_TENTATIVE, 0, PRES_TENTATIVE, PRES_OOF},
        {DAV_BUSY, 0, PRES_BUSY, PRES_OOF},
        {DAV_FREE, 0, PRES_OOF, PRES_OOF},
        {DAV_BUSY, DAV_TRAIT_CANCELLED, PRES_OOF, PRES_OOF},
        {DAV_NOT_UNDERSTOOD, 0, PRES_BUSY, PRES_OOF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dav_span spans[] = {
            {.start = NOW - 1000, .end = NOW + 400, .kind = DAV_OOF, .traits = DAV_TRAIT_OUTSIDE_HOURS},
            {.start = NOW - 100, .end = NOW + 100, .kind = cases[i].kind, .traits = cases[i].traits},
        };
        struct pres_known known;
        struct pres_presence then;
        answer_spans(f, f->alice, spans, 2);
        assert_int_equal(state_of(f, f->alice, NULL), cases[i].now);
        pres_table_known(f->g.table, f->alice, &known);
        pres_state_at(&known, NOW + 200, &then);
        assert_int_equal(then.state, cases[i].later);
    }
}

static void never_free_by_failure(void **state)
{
    struct fixture *f = *state;
    const char *reason;
    assert_classes(f, 0, 0, 0, 0, 2);
    for (size_t i = 0; i < dav_cause_count(); i++) {
        const struct dav_cause *cause = dav_cause_at(i);
        if (cause->err == DAV_OK || cause->err == DAV_CANCELLED)
            continue;
        answer_failure(f, f->alice, cause->err, cause->code, "x");
        assert_int_equal(state_of(f, f->alice, &reason), PRES_UNKNOWN);
        assert_string_equal(reason, cause->code);
    }
    answer_failure(f, f->alice, DAV_LIMIT, "a-code-nobody-knows", NULL);
    assert_int_equal(state_of(f, f->alice, &reason), PRES_UNKNOWN);
    assert_string_equal(reason, "limit");
    answer_failure(f, f->alice, DAV_PROTOCOL, NULL, NULL);
    assert_int_equal(state_of(f, f->alice, NULL), PRES_UNKNOWN);
    assert_classes(f, 0, 0, 0, 0, 2);
}

/* Known, then failing: it stands until it is too old, then it is unknown. */
static void grows_old(void **state)
{
    struct fixture *f = *state;
    const char *reason;
    struct dav_span span = {.start = NOW - 100, .end = NOW + 7200, .kind = DAV_BUSY};
    answer_spans(f, f->alice, &span, 1);
    answer_spans(f, f->bob, NULL, 0);
    assert_int_equal(state_of(f, f->bob, NULL), PRES_FREE);
    assert_classes(f, 0, 2, 0, 0, 0);
    loop_advance(f->g.loop, 600 * 1000);
    answer_failure(f, f->alice, DAV_NETWORK, "tcp-refused", NULL);
    answer_failure(f, f->bob, DAV_NETWORK, "tcp-refused", NULL);
    assert_int_equal(state_of(f, f->alice, &reason), PRES_BUSY);
    assert_string_equal(reason, "tcp-refused");
    assert_classes(f, 0, 0, 2, 0, 0);
    loop_advance(f->g.loop, 301 * 1000);
    assert_int_equal(state_of(f, f->alice, NULL), PRES_UNKNOWN);
    assert_int_equal(state_of(f, f->bob, &reason), PRES_UNKNOWN);
    assert_string_equal(reason, "tcp-refused");
    assert_classes(f, 0, 0, 0, 2, 0);
    answer_spans(f, f->alice, &span, 1);
    assert_int_equal(state_of(f, f->alice, NULL), PRES_BUSY);
    assert_classes(f, 0, 1, 0, 1, 0);
}

static void causes_are_grouped(void **state)
{
    struct fixture *f = *state;
    struct gw_cause_row rows[10];
    answer_failure(f, f->alice, DAV_FORBIDDEN, "receive-as-missing", "403 for alice");
    answer_failure(f, f->bob, DAV_FORBIDDEN, "receive-as-missing", "403 for bob");
    answer_failure(f, f->bob, DAV_FORBIDDEN, "receive-as-missing", "403 for bob, again");
    answer_failure(f, f->carol, DAV_NOT_FOUND, "calendar-not-found", NULL);
    assert_int_equal(gw_causes(&f->g, rows, 10), 2);
    assert_string_equal(rows[0].cause->code, "receive-as-missing");
    assert_string_equal(rows[0].server, "hq");
    assert_int_equal(rows[0].persons, 2);
    assert_int_equal(rows[0].since, NOW);
    assert_int_equal(rows[0].example, f->bob);
    assert_string_equal(rows[0].evidence, "403 for bob, again");
    assert_string_equal(rows[1].server, "office");
    assert_int_equal(gw_causes(&f->g, rows, 1), 1);
    answer_spans(f, f->bob, NULL, 0); /* the example is well: another is shown */
    assert_int_equal(gw_causes(&f->g, rows, 10), 2);
    for (int i = 0; i < 2; i++)
        if (strcmp(rows[i].cause->code, "receive-as-missing") == 0)
            assert_int_equal(rows[i].example, f->alice);
    answer_failure(f, f->alice, DAV_PROTOCOL, "answer-malformed", NULL);
    answer_spans(f, f->carol, NULL, 0);
    assert_int_equal(gw_causes(&f->g, rows, 10), 1);
    assert_string_equal(rows[0].cause->code, "answer-malformed");
    struct gw_person_view view;
    gw_person_view(&f->g, f->alice, &view);
    assert_string_equal(view.code, "answer-malformed");
    assert_string_equal(view.server, "hq");
    gw_person_view(&f->g, f->bob, &view);
    assert_null(view.code);
}

static void assert_code(struct fixture *f, pres_id id, const char *code)
{
    struct gw_person_view view;
    gw_person_view(&f->g, id, &view);
    assert_string_equal(view.code, code);
}

/* A server that fails as a whole tells everybody; whose own calendar was refused before still has that to be mended. */
static void nobody_was_asked(void **state)
{
    struct fixture *f = *state;
    struct dav_result told = {.err = DAV_NETWORK, .code = "tcp-reset"};
    struct gw_cause_row rows[10];
    const char *reason;
    answer_failure(f, f->alice, DAV_FORBIDDEN, "receive-as-missing", "403 for alice");
    gw_feed_ops.answer(&f->g, f->alice, &told);
    gw_feed_ops.answer(&f->g, f->bob, &told);
    assert_int_equal(gw_causes(&f->g, rows, 10), 2);
    assert_code(f, f->alice, "receive-as-missing");
    assert_code(f, f->bob, "tcp-reset");
    assert_null(strstr(f->log, "over server=hq"));
    state_of(f, f->alice, &reason);
    assert_string_equal(reason, "receive-as-missing");
    answer_failure(f, f->alice, DAV_NETWORK, "tcp-refused", NULL); /* she was asked: that is the news now */
    assert_code(f, f->alice, "tcp-refused");
    gw_feed_ops.answer(&f->g, f->alice, &told);
    assert_code(f, f->alice, "tcp-reset");
}

static const char *evidence_of(const struct fixture *f, pres_id id)
{
    struct gw_person_view view;
    gw_person_view(&f->g, id, &view);
    return view.evidence;
}

static void evidence_is_ones_own(void **state)
{
    struct fixture *f = *state;
    struct gw_cause_row rows[10];
    answer_failure(f, f->alice, DAV_FORBIDDEN, "receive-as-missing", "403 for alice");
    assert_string_equal(evidence_of(f, f->alice), "403 for alice");
    answer_failure(f, f->bob, DAV_FORBIDDEN, "receive-as-missing", "403 for bob");
    assert_null(evidence_of(f, f->alice)); /* of each cause, the last one's is kept */
    assert_string_equal(evidence_of(f, f->bob), "403 for bob");
    answer_failure(f, f->alice, DAV_FORBIDDEN, "receive-as-missing", NULL); /* nothing to show */
    assert_null(evidence_of(f, f->alice));
    assert_string_equal(evidence_of(f, f->bob), "403 for bob");
    answer_failure(f, f->bob, DAV_FORBIDDEN, "receive-as-missing", NULL); /* what it showed is still hers */
    assert_string_equal(evidence_of(f, f->bob), "403 for bob");
    answer_spans(f, f->bob, NULL, 0);
    assert_int_equal(gw_causes(&f->g, rows, 10), 1);
    assert_int_equal(rows[0].example, f->alice);
    assert_string_equal(rows[0].evidence, "");
    answer_failure(f, f->bob, DAV_FORBIDDEN, "receive-as-missing", NULL);
    assert_null(evidence_of(f, f->bob)); /* that was before */
}

static unsigned log_count(const struct fixture *f, const char *words)
{
    unsigned n = 0;
    for (const char *p = f->log; (p = strstr(p, words)); p++)
        n++;
    return n;
}

/* A server that is away for an hour costs a line every ten minutes, not one for each person and poll. */
static void log_is_folded(void **state)
{
    struct fixture *f = *state;
    for (int minute = 0; minute < 60; minute++) {
        answer_failure(f, f->alice, DAV_NETWORK, "tcp-refused", "Connection refused");
        answer_failure(f, f->bob, DAV_NETWORK, "tcp-refused", "Connection refused");
        loop_advance(f->g.loop, 60000);
        gw_causes_tick(&f->g.servers[0]->causes, "hq", clk_wall_s(f->clk));
    }
    assert_in_range(log_count(f, "code=tcp-refused"), 5, 8);
    assert_int_equal(log_count(f, "persons=1 "), 1);
    assert_true(log_count(f, "persons=2 ") >= 5);
    answer_spans(f, f->alice, NULL, 0);
    assert_int_equal(log_count(f, "over "), 0);
    answer_spans(f, f->bob, NULL, 0);
    assert_int_equal(log_count(f, "over server=hq code=tcp-refused"), 1);
    for (int i = 0; i < 50; i++) { /* one that comes and goes */
        answer_failure(f, f->alice, DAV_NETWORK, "tcp-reset", NULL);
        answer_spans(f, f->alice, NULL, 0);
    }
    assert_in_range(log_count(f, "tcp-reset"), 1, 2);
}

static void every_change_is_news(void **state)
{
    struct fixture *f = *state;
    struct dav_span span = {.start = NOW - 100, .end = NOW + 60, .kind = DAV_BUSY};
    answer_spans(f, f->alice, &span, 1);
    uint64_t head = pres_journal_head(f->g.journal);
    assert_int_equal(head, 1);
    answer_spans(f, f->alice, &span, 1); /* the same again is none */
    assert_int_equal(pres_journal_head(f->g.journal), 1);
    loop_advance(f->g.loop, 60 * 1000); /* the meeting ends, nobody was asked */
    assert_int_equal(pres_journal_head(f->g.journal), 2);
    assert_int_equal(pres_journal_get(f->g.journal, 2)->now.state, PRES_FREE);
}

static void counted(void **state)
{
    struct fixture *f = *state;
    struct gw_stats stats;
    answer_spans(f, f->alice, NULL, 0);
    answer_failure(f, f->bob, DAV_AUTH, "logon-rejected", NULL);
    struct dav_result told = {.err = DAV_AUTH, .code = "logon-rejected"}; /* nobody was asked */
    gw_feed_ops.answer(&f->g, f->bob, &told);
    gw_stats(&f->g, &stats);
    assert_int_equal(stats.polls_ok, 1);
    assert_int_equal(stats.polls_failed, 1);
    assert_int_equal(stats.polls_by_err[DAV_AUTH], 1);
    assert_false(stats.ready);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(question, setup, teardown),
        cmocka_unit_test_setup_teardown(remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_by_group, setup, teardown),
        cmocka_unit_test_setup_teardown(outside_the_hours, setup, teardown),
        cmocka_unit_test_setup_teardown(never_free_by_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(grows_old, setup, teardown),
        cmocka_unit_test_setup_teardown(causes_are_grouped, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_was_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(evidence_is_ones_own, setup, teardown),
        cmocka_unit_test_setup_teardown(log_is_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(every_change_is_news, setup, teardown),
        cmocka_unit_test_setup_teardown(counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
