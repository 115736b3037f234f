/*
 * Markers: who is narrowed when, what follows from an answer, and what is left after a restart. Whatever is not known
 * must not widen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config_files.h"
#include "davclient/mark.h"
#include "gateway_private.h"
#include "keep.h"
#include "marker.h"
#include "outlets_private.h"
#include "policy.h"
#include "policy_choice.h"
#include "policy_table.h"
#include "presence/store.h"

#define NOW 1800000000LL
#define HOUR 3600

static const char config_text[] = "servers: [ { name: hq, kind: caldav, url: 'https://h/', account: a, "
                                  "password_file: pw } ]\n"
                                  "users: [ { address: Alice@example.com, server: hq } ]\n"
                                  "markers:\n"
                                  "  - { category: hidden, level: nothing }\n"
                                  "  - { category: discreet, level: available }\n";

struct fixture {
    char *folder;
    struct clk *clk;
    struct gateway g;
    struct gw_server server, *servers[1];
    pres_id alice;
};

static struct gw_poller_ops ops;

static unsigned no_room(const struct dav_session *s)
{
    (void)s;
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct gateway *g = &f->g;
    struct gw_config_error err;
    char why[300];
    f->folder = files_folder();
    files_write(f->folder, "pw", 0600, "x");
    files_write(f->folder, "c.yaml", 0600, config_text);
    f->clk = clk_fake_new(NOW * 1000);
    g->loop = loop_new(f->clk);
    g->config = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!g->config)
        fail_msg("%s", err.why);
    g->table = pres_table_new(g->loop, gw_feed_change, g);
    g->journal = pres_journal_new(g->table, 1000);
    ops = gw_feed_ops;
    ops.room = no_room;
    g->poller = gw_poller_new(g->loop, &ops, g, 60000, 1);
    f->server.config = &g->config->servers[0];
    f->server.number = gw_poller_server_add(g->poller, (struct dav_session *)f); /* never looked into */
    f->servers[0] = &f->server;
    g->servers = f->servers;
    g->server_count = 1;
    g->keep = gw_keep_new(g->loop, NULL, why, sizeof why);
    g->policy = gw_policy_new(g);
    g->choices = gw_choices_new(g);
    g->marks = gw_marks_new(g);
    gw_feed_rules(g);
    gw_people_apply(g, g->config->roster, g->servers, g->server_count);
    gw_outlets_apply(g, NULL);
    gw_marks_load(g->marks);
    f->alice = pres_table_find(g->table, "alice@example.com");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gateway *g = &f->g;
    gw_poller_free(&g->poller);
    gw_outlets_free(&g->outlets);
    gw_marks_free(&g->marks);
    gw_choices_free(&g->choices);
    gw_policy_free(&g->policy);
    gw_keep_free(&g->keep);
    gw_causes_free(&f->server.causes);
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

static void answer(struct fixture *f, const struct dav_span *spans, size_t count, bool markless)
{
    int64_t now = clk_wall_s(f->clk);
    struct dav_result r = {.spans = spans, .count = count, .from = now - 86400, .until = now + 86400, .as_of = now,
                           .requests = 1, .markless = markless};
    gw_feed_ops.answer(&f->g, f->alice, &r);
    loop_advance(f->g.loop, 0);
}

/* What a stranger may see so much later; -1: no marker holds. */
static int level_in(struct fixture *f, int64_t later)
{
    static const struct gw_asker stranger = {.name = "somebody"};
    struct pres_grant grant;
    gw_policy_grant_at(&f->g, &stranger, f->alice, clk_wall_s(f->clk) + later, &grant);
    return grant.narrowed ? (int)grant.level : -1;
}

static struct dav_span span(int64_t start, int64_t end, enum dav_busy kind, unsigned traits)
{
    return (struct dav_span){.start = NOW + start, .end = NOW + end, .kind = kind, .traits = traits};
}

static void begins_and_ends(void **state)
{
    struct fixture *f = *state;
    const struct dav_span spans[] = {span(HOUR, 2 * HOUR, DAV_FREE, DAV_TRAIT_MARK(0)),
                                     span(-HOUR, 3 * HOUR, DAV_FREE, DAV_TRAIT_MARK(1)),
                                     span(5 * HOUR, 6 * HOUR, DAV_BUSY, 0)};
    struct pres_presence p;
    answer(f, spans, 3, false);
    assert_int_equal(level_in(f, 0), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, HOUR - 1), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, HOUR), PRES_SEE_NOTHING); /* the narrower of two */
    assert_int_equal(level_in(f, 2 * HOUR), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, 3 * HOUR), -1);
    pres_table_presence(f->g.table, f->alice, &p);
    assert_int_equal(p.state, PRES_FREE); /* nobody is busy by a marker */
    /* the clock alone tells everybody who listens */
    loop_advance(f->g.loop, 1000);
    unsigned epoch = gw_policy_epoch(&f->g);
    loop_advance(f->g.loop, (HOUR - 2) * 1000);
    assert_int_equal(gw_policy_epoch(&f->g), epoch);
    loop_advance(f->g.loop, 2000);
    assert_int_not_equal(gw_policy_epoch(&f->g), epoch);
    /* the person has thought better of it */
    answer(f, &spans[2], 1, false);
    assert_int_equal(level_in(f, 0), -1);
    assert_int_equal(gw_marks_count(f->g.marks), 0);
}

static void the_narrower_of_switch_and_marker(void **state)
{
    struct fixture *f = *state;
    const struct dav_span spans[] = {span(-HOUR, HOUR, DAV_FREE, DAV_TRAIT_MARK(1))};
    enum pres_level level = PRES_SEE_KINDS;
    answer(f, spans, 1, false);
    gw_choices_set(f->g.choices, f->alice, &level);
    assert_int_equal(level_in(f, 0), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, HOUR), PRES_SEE_KINDS);
    level = PRES_SEE_NOTHING;
    gw_choices_set(f->g.choices, f->alice, &level);
    assert_int_equal(level_in(f, 0), PRES_SEE_NOTHING);
}

/* Others may write categories into an invitation. */
static void not_the_persons_own(void **state)
{
    struct fixture *f = *state;
    const struct dav_span spans[] = {
        span(-HOUR, HOUR, DAV_BUSY, DAV_TRAIT_MARK(0) | DAV_TRAIT_UNANSWERED),
        span(-HOUR, HOUR, DAV_BUSY, DAV_TRAIT_MARK(0) | DAV_TRAIT_DECLINED),
        span(-HOUR, HOUR, DAV_FREE, DAV_TRAIT_MARK(0) | DAV_TRAIT_CANCELLED),
        span(-HOUR, HOUR, DAV_BUSY, DAV_TRAIT_MARK(1) | DAV_TRAIT_ACCEPTED_MAYBE),
    };
    answer(f, spans, 3, false);
    assert_int_equal(level_in(f, 0), -1);
    answer(f, spans, 4, false);
    assert_int_equal(level_in(f, 0), PRES_SEE_AVAILABLE);
}

static void what_is_not_known_stays_narrow(void **state)
{
    struct fixture *f = *state;
    const struct dav_span spans[] = {span(-HOUR, HOUR, DAV_FREE, DAV_TRAIT_MARK(1))};
    struct dav_result failed = {.err = DAV_NETWORK, .code = "network-timeout", .requests = 1};
    answer(f, spans, 1, false);
    answer(f, NULL, 0, true); /* busy times say nothing of markers */
    assert_int_equal(level_in(f, 0), PRES_SEE_AVAILABLE);
    gw_feed_ops.answer(&f->g, f->alice, &failed);
    assert_int_equal(level_in(f, 0), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, 86400 - 1), -1);
    assert_int_equal(level_in(f, 86400), PRES_SEE_AVAILABLE); /* the end of what was read */
    answer(f, NULL, 0, false);
    assert_int_equal(level_in(f, 0), -1);
}

static void restart(struct fixture *f)
{
    gw_marks_free(&f->g.marks);
    f->g.persons[f->alice].marked = NULL;
    f->g.marks = gw_marks_new(&f->g);
    gw_marks_load(f->g.marks);
}

static void over_a_restart(void **state)
{
    struct fixture *f = *state;
    const struct pres_store *store = gw_outlets_store(&f->g);
    const struct dav_span spans[] = {span(HOUR, 2 * HOUR, DAV_FREE, DAV_TRAIT_MARK(0)),
                                     span(-HOUR, 3 * HOUR, DAV_BUSY, DAV_TRAIT_MARK(1))};
    static const char *const broken[] = {"", "x", "1800000000", "1800090000 nothing", "1800090000 nothing 5",
                                         "1800090000 times 1 x", "1800090000 naught 1 2"};
    answer(f, spans, 2, false);
    restart(f);
    assert_int_equal(level_in(f, 0), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, HOUR), PRES_SEE_NOTHING);
    assert_int_equal(level_in(f, 3 * HOUR), -1);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        store->put(store->impl, "marker", "alice@example.com", broken[i], NULL, NULL);
        restart(f);
        if (level_in(f, 0) != PRES_SEE_NOTHING)
            fail_msg("\"%s\" widens", broken[i]);
    }
    gw_marks_forget(f->g.marks, "ALICE@example.com");
    assert_int_equal(level_in(f, 0), -1);
    restart(f);
    assert_int_equal(level_in(f, 0), -1);
}

/* More events than anybody keeps, in no order: one time covers them; those that touch are one anyway. */
static void very_many(void **state)
{
    struct fixture *f = *state;
    struct dav_span spans[1000];
    for (int i = 0; i < 1000; i++)
        spans[i] = span((999 - i) * 60, (1000 - i) * 60, DAV_FREE, DAV_TRAIT_MARK(1));
    answer(f, spans, 1000, false);
    assert_int_equal(level_in(f, 1000 * 60 - 1), PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, 1000 * 60), -1);
    for (int i = 0; i < 1000; i++)
        spans[i] = span((999 - i) * 60, (999 - i) * 60 + 30, DAV_FREE, DAV_TRAIT_MARK(i == 500 ? 0 : 1));
    answer(f, spans, 1000, false);
    for (int i = 0; i < 1000; i++)
        assert_in_range(level_in(f, i * 60), i == 499 ? PRES_SEE_NOTHING : 0, PRES_SEE_AVAILABLE);
    assert_int_equal(level_in(f, 499 * 60), PRES_SEE_NOTHING);
    assert_int_equal(level_in(f, 1000 * 60), -1);
    restart(f);
    assert_int_equal(level_in(f, 499 * 60), PRES_SEE_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(begins_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(the_narrower_of_switch_and_marker, setup, teardown),
        cmocka_unit_test_setup_teardown(not_the_persons_own, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_known_stays_narrow, setup, teardown),
        cmocka_unit_test_setup_teardown(over_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(very_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
