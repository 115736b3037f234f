/*
 * The audit: one line a decision, repeats counted; and what is missing at its end is noticed, wherever the files ended,
 * but nothing that a crash does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit.h"
#include "base/chain.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config_files.h"
#include "gateway_private.h"
#include "keep.h"
#include "outlets_private.h"
#include "presence/store.h"
#include "until.h"
#include "who.h"

#define NOW 1800000000LL
#define FILE_ROOM 65536

static const char config_text[] = "servers: [ { name: hq, kind: caldav, url: 'https://h/', account: a, "
                                  "password_file: pw } ]\n"
                                  "users: [ { address: alice@example.com, server: hq } ]\n"
                                  "audit: { file: '%s/audit', repeat: 1h }\n"
                                  "state: { directory: '%s' }\n";

struct fixture {
    char *folder, *path;
    struct clk *clk;
    struct gateway g;
    struct gw_server server, *servers[1];
    pres_id alice;
    unsigned alarms;
    bool done; /* what was waited for */
    char text[FILE_ROOM];
};

static unsigned no_room(const struct dav_session *s)
{
    (void)s;
    return 0;
}

static struct gw_poller_ops ops;

static void to_log(void *arg, enum log_level level, const char *line)
{
    struct fixture *f = arg;
    f->alarms += level == LOG_LEVEL_ERROR && strstr(line, "are not there any more") != NULL;
}

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct gateway *g = &f->g;
    struct gw_config_error err;
    char why[300], text[2000];
    f->folder = files_folder();
    f->path = mem_printf("%s/audit", f->folder);
    snprintf(text, sizeof text, config_text, f->folder, f->folder);
    files_write(f->folder, "pw", 0600, "x");
    files_write(f->folder, "c.yaml", 0600, text);
    log_set_sink(to_log, f);
    f->clk = clk_fake_new(NOW * 1000);
    g->loop = loop_new(f->clk);
    g->config = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!g->config)
        fail_msg("%s", err.why);
    ops = gw_feed_ops;
    ops.room = no_room;
    g->table = pres_table_new(g->loop, gw_feed_change, g);
    g->journal = pres_journal_new(g->table, 1000);
    g->poller = gw_poller_new(g->loop, &ops, g, 60000, 1);
    f->server.config = &g->config->servers[0];
    f->server.number = gw_poller_server_add(g->poller, (struct dav_session *)f); /* never looked into */
    f->servers[0] = &f->server;
    g->servers = f->servers;
    g->server_count = 1;
    g->keep = gw_keep_new(g->loop, NULL, why, sizeof why);
    gw_feed_rules(g);
    gw_people_apply(g, g->config->roster, g->servers, g->server_count);
    gw_outlets_apply(g, NULL);
    f->alice = pres_table_find(g->table, "alice@example.com");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gateway *g = &f->g;
    gw_audit_free(&g->audit);
    log_set_sink(NULL, NULL);
    gw_poller_free(&g->poller);
    gw_outlets_free(&g->outlets);
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
    free(f->path);
    free(f);
    return 0;
}

/* A life of the daemon: begins, and ends in good order. */
static void begin(struct fixture *f)
{
    f->g.audit = gw_audit_new(&f->g);
    gw_audit_apply(&f->g);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void reached(void *arg)
{
    struct fixture *f = arg;
    f->done = true;
}

/* The worker may have work left, which it does before what comes now. */
static void end(struct fixture *f)
{
    f->done = false;
    gw_audit_farewell(&f->g);
    gw_audit_free(&f->g.audit);
    loop_work(f->g.loop, nothing, reached, f);
    UNTIL(f->g.loop, f->done);
}

static void decide(struct fixture *f, enum pres_level level, const char *narrowed, unsigned times)
{
    static const struct gw_who who = {.name = "bob", .means = "token"};
    struct pres_grant grant = {.level = level, .narrowed = narrowed, .rule = 3, .expires = PRES_NEVER};
    while (times--)
        gw_audit(&f->g, &who, f->alice, &grant);
}

static const char *text_of(struct fixture *f, const char *path)
{
    FILE *in = fopen(path, "r");
    size_t len = in ? fread(f->text, 1, sizeof f->text - 1, in) : 0;
    if (in)
        fclose(in);
    f->text[len] = '\0';
    return f->text;
}

static unsigned count_of(struct fixture *f, const char *word)
{
    unsigned n = 0;
    for (const char *at = text_of(f, f->path); (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void written(void *arg, bool ok)
{
    assert_true(ok);
    struct fixture *f = arg;
    f->done = true;
}

static void flush(struct fixture *f)
{
    f->done = false;
    gw_audit_sync(&f->g, written, f);
    loop_advance(f->g.loop, 1000);
    UNTIL(f->g.loop, f->done);
}

static void cut_last_line(struct fixture *f, const char *path)
{
    const char *text = text_of(f, path);
    size_t len = strlen(text) - 1;
    while (len > 0 && text[len - 1] != '\n')
        len--;
    assert_int_equal(truncate(path, (off_t)len), 0);
}

static void is_whole(struct fixture *f, bool whole)
{
    struct chain_report r;
    chain_verify(f->path, 10, &r);
    if (r.whole != whole)
        fail_msg("%s", r.whole ? "unbroken" : r.broken);
}

static void repeats_are_counted(void **state)
{
    struct fixture *f = *state;
    begin(f);
    decide(f, PRES_SEE_KINDS, NULL, 5);
    decide(f, PRES_SEE_NOTHING, "marker", 2);
    decide(f, PRES_SEE_NOTHING, "choice", 1);
    end(f);
    assert_int_equal(count_of(f, " rule=3 level=kinds times=1 "), 1);
    assert_int_equal(count_of(f, " rule=3 level=kinds times=4 since="), 1);
    assert_int_equal(count_of(f, " rule=3 level=nothing by=marker times=1"), 2); /* and the second of them */
    assert_int_equal(count_of(f, " rule=3 level=nothing by=choice times=1 "), 1);
    is_whole(f, true);
}

static void a_missing_end_is_noticed_once(void **state)
{
    struct fixture *f = *state;
    begin(f);
    decide(f, PRES_SEE_KINDS, NULL, 1);
    end(f);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 0);
    cut_last_line(f, f->path);
    is_whole(f, true); /* no chain shows it */
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 1);
    assert_int_equal(count_of(f, " event=cut-off missing="), 1);
    is_whole(f, true);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 1);
    unlink(f->path);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 2);
}

/* The row may be older than the file's end, but is never younger; half a line is a crash's. */
static void a_crash_is_no_alarm(void **state)
{
    struct fixture *f = *state;
    const struct pres_store *store = gw_outlets_store(&f->g);
    begin(f);
    decide(f, PRES_SEE_KINDS, NULL, 1);
    end(f);
    char old[CHAIN_HEX];
    const char *text = text_of(f, f->path);
    memcpy(old, text + strcspn(text, "\n") - (CHAIN_HEX - 1), CHAIN_HEX - 1); /* of the first line */
    old[CHAIN_HEX - 1] = '\0';
    store->put(store->impl, "audit", f->path, old, NULL, NULL);
    FILE *out = fopen(f->path, "a");
    assert_true(out && fputs("2027-01-15T08:00:00Z who=half", out) > 0 && fclose(out) == 0);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 0);
    is_whole(f, true);
}

/* The last line that is known may be the last of an older file. */
static void a_new_file_has_just_begun(void **state)
{
    struct fixture *f = *state;
    char *older = mem_printf("%s.1", f->path);
    begin(f);
    decide(f, PRES_SEE_KINDS, NULL, 1);
    end(f);
    assert_int_equal(rename(f->path, older), 0);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 0);
    is_whole(f, true);
    /* cut at that border: the newer file is gone, and the older one's end, too */
    unlink(f->path);
    cut_last_line(f, older);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 1);
    free(older);
}

/* Older files go by rotation only, which has not come to that; over a life, and within one. */
static void a_missing_beginning_is_noticed_once(void **state)
{
    struct fixture *f = *state;
    char *older = mem_printf("%s.1", f->path), *oldest = mem_printf("%s.2", f->path);
    begin(f);
    end(f);
    assert_int_equal(rename(f->path, older), 0);
    begin(f);
    end(f);
    assert_int_equal(rename(older, oldest), 0);
    assert_int_equal(rename(f->path, older), 0);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 0);
    unlink(oldest);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 1);
    assert_int_equal(count_of(f, " event=cut-off older="), 1);
    begin(f);
    decide(f, PRES_SEE_KINDS, NULL, 1);
    flush(f);
    assert_int_equal(f->alarms, 1);
    unlink(older);
    decide(f, PRES_SEE_NOTHING, NULL, 1);
    flush(f);
    flush(f);
    end(f);
    assert_int_equal(f->alarms, 2);
    is_whole(f, true);
    free(older);
    free(oldest);
}

static void a_broken_middle_shows(void **state)
{
    struct fixture *f = *state;
    begin(f);
    decide(f, PRES_SEE_KINDS, NULL, 1);
    end(f);
    char *text = mem_strdup(text_of(f, f->path)), *word = strstr(text, "level=kinds");
    memcpy(word, "level=times", strlen("level=times"));
    files_write(f->folder, "audit", 0600, text);
    free(text);
    is_whole(f, false);
    begin(f);
    end(f);
    assert_int_equal(f->alarms, 0); /* its end is there */
    is_whole(f, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(repeats_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_end_is_noticed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_is_no_alarm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_file_has_just_begun, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_beginning_is_noticed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_middle_shows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
