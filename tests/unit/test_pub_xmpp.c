/*
 * The XMPP outlet by dialogues: the .xmpp files of tests/dialogues are text files that say what the server sends (S:)
 * and what the outlet must answer (C:), in order. `*` in an answer stands for anything. Further words, one a line:
 *
 *   allow A B   admin JID   domain D   zone Z   ceiling N      before the start
 *   free A | busy A HH:MM HH:MM | tentative ... | oof ... | elsewhere ...   what A does, 22 November 2026, UTC
 *   start        connect and shake hands                  restart   the outlet goes and a new one comes, the store
 * stays lose         the connection breaks, and is made anew  later N   N seconds go by person A     A is configured
 * and has never been read  nothing   nothing was sent farewell     the outlet is asked to say goodbye       watchers N
 * as many rows are in the store
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>

#include "dialogue.h"
#include "xmpp_world.h"

static void expect(struct world *w, const char *pattern)
{
    struct buf one;
    buf_init(&one, 1 << 20);
    if (!world_stanza(w, &one))
        fail_msg("%s:%u: nothing came, expected %s", file, line_number, pattern);
    const char *from = strstr(one.data, " from='");
    if (!from || !world_is_ours(w, from + 7, strcspn(from + 7, "'")))
        fail_msg("%s:%u: from somebody else:\n%s", file, line_number, one.data);
    if (!matches(pattern, one.data))
        fail_msg("%s:%u: expected\n%s\nbut there came\n%s", file, line_number, pattern, one.data);
    buf_free(&one);
}

static void expect_nothing(struct world *w)
{
    for (int i = 0; i < 20; i++)
        world_turn(w);
    if (w->in.len > 0)
        fail_msg("%s:%u: expected nothing, but there came\n%s", file, line_number, w->in.data);
}

static void connect_it(struct world *w)
{
    if (!world_connect(w))
        fail_msg("%s:%u: no handshake; there came %s", file, line_number, w->in.data);
}

/* A server that says a blank now and then: silence would end the stream. */
static void pass(struct world *w, int seconds)
{
    while (seconds > 0) {
        int step = seconds < 50 ? seconds : 50;
        world_say(w, " ", 1);
        for (int i = 0; i < 4; i++)
            loop_turn(w->loop, 0);
        loop_advance(w->loop, (int64_t)step * 1000);
        seconds -= step;
    }
}

static void set_word(struct world *w, char *word, char *rest)
{
    char *save = NULL;
    if (strcmp(word, "allow") == 0) {
        w->allow_count = 0;
        for (char *one = strtok_r(rest, " ", &save); one && w->allow_count < 4; one = strtok_r(NULL, " ", &save))
            w->allow[w->allow_count++] = one;
    } else if (strcmp(word, "admin") == 0)
        w->admins[w->admin_count++] = rest;
    else if (strcmp(word, "domain") == 0)
        w->domain = rest;
    else if (strcmp(word, "zone") == 0)
        w->zone = rest;
    else if (strcmp(word, "sees") == 0 && w->sees_count < 4) {
        w->sees[w->sees_count].domain = strtok_r(rest, " ", &save);
        if (!pres_level_parse(strtok_r(NULL, " ", &save), &w->sees[w->sees_count++].level))
            fail_msg("%s:%u: no such level", file, line_number);
    } else if (strcmp(word, "own") == 0)
        w->own_account = true;
    else if (strcmp(word, "activity") == 0)
        w->own_activity = true;
    else if (strcmp(word, "ceiling") == 0)
        w->max_watchers = (size_t)atoi(rest);
    else
        fail_msg("%s:%u: no such word: %s", file, line_number, word);
}

static void do_word(struct world *w, char *word, char *rest)
{
    enum pres_kind kind;
    char *save = NULL;
    if (strcmp(word, "S:") == 0)
        world_say(w, rest, strlen(rest));
    else if (strcmp(word, "C:") == 0)
        expect(w, rest);
    else if (strcmp(word, "nothing") == 0)
        expect_nothing(w);
    else if (pres_kind_parse(word, &kind)) {
        char *who = strtok_r(rest, " ", &save), *from = strtok_r(NULL, " ", &save), *to = strtok_r(NULL, " ", &save);
        world_set(w, who, kind, kind == PRES_FREE ? 0 : clock_of(from, WORLD_NOON),
                  kind == PRES_FREE ? 1 : clock_of(to, WORLD_NOON));
        world_turn(w);
    } else if (strcmp(word, "person") == 0)
        world_person(w, rest);
    else if (strcmp(word, "later") == 0)
        pass(w, atoi(rest));
    else if (strcmp(word, "start") == 0) {
        world_start(w);
        connect_it(w);
    } else if (strcmp(word, "restart") == 0) {
        pres_publisher_free(&w->publisher);
        world_turn(w);
        world_hang_up(w);
        world_start(w);
        connect_it(w);
    } else if (strcmp(word, "lose") == 0) {
        world_hang_up(w);
        for (int i = 0; i < 10; i++)
            world_turn(w);
        loop_advance(w->loop, 1000);
        connect_it(w);
    } else if (strcmp(word, "farewell") == 0) {
        for (int i = 0; i < 100 && !pres_publisher_farewell(w->publisher); i++)
            world_turn(w);
    } else if (strcmp(word, "watchers") == 0)
        assert_int_equal(w->row_count, atoi(rest));
    else
        set_word(w, word, rest);
}

static void play(const char *path)
{
    struct world *w = world_new();
    FILE *f = fopen(path, "re");
    char *lines[400];
    size_t count = 0;
    char text[8192];
    assert_non_null(f);
    file = strrchr(path, '/') + 1;
    for (line_number = 1; fgets(text, sizeof text, f) && count < 400; line_number++) {
        text[strcspn(text, "\n")] = '\0';
        if (!text[0] || text[0] == '#')
            continue;
        lines[count] = mem_strdup(text); /* settings point into it */
        char *rest = strchr(lines[count], ' ');
        if (rest)
            *rest++ = '\0';
        do_word(w, lines[count++], rest ? rest : (char[]){""});
    }
    fclose(f);
    world_free(&w);
    while (count > 0)
        free(lines[--count]);
}

static void test_dialogues(void **state)
{
    glob_t found;
    (void)state;
    assert_int_equal(glob(FB_SOURCE_DIR "/tests/dialogues/*.xmpp", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        play(found.gl_pathv[i]);
    print_message("%zu dialogues\n", found.gl_pathc);
    assert_true(found.gl_pathc >= 20);
    globfree(&found);
}

/* 10,000 strangers who may subscribe, beyond the ceiling: memory and answers stay in bounds, and everybody is answered.
 */
static void test_flood(void **state)
{
    struct world *w = world_new();
    char text[300];
    unsigned subscribed = 0, refused = 0;
    struct buf one;
    (void)state;
    buf_init(&one, 65536);
    w->max_watchers = 1000;
    w->rate = 1000000;
    world_set(w, "alice@example.com", PRES_FREE, 0, 1);
    world_start(w);
    assert_true(world_connect(w));
    for (unsigned i = 0; i < 10000; i++) {
        int len = snprintf(text, sizeof text,
                           "<presence type='subscribe' from='u%u@im.example' "
                           "to='alice\\40example.com@cal.example'/>",
                           i);
        world_say(w, text, (size_t)len);
    }
    while (world_stanza(w, &one)) {
        subscribed += strstr(one.data, "'subscribed'") != NULL;
        refused += strstr(one.data, "'unsubscribed'") != NULL;
    }
    assert_int_equal(subscribed, 1000);
    assert_int_equal(refused, 9000);
    assert_int_equal(w->row_count, 1000);

    /* a change reaches each of them once */
    world_set(w, "alice@example.com", PRES_BUSY, WORLD_NOON - 60, WORLD_NOON + 3600);
    unsigned told = 0;
    for (unsigned idle = 0; idle < 3; idle++) {
        loop_advance(w->loop, 100);
        while (world_stanza(w, &one))
            told += strstr(one.data, "<show>dnd</show>") != NULL;
    }
    assert_int_equal(told, 1000);
    buf_free(&one);
    world_free(&w);
}

/* Nothing is confirmed that a crash would forget. */
static void test_confirmed_when_safe(void **state)
{
    static const char ask[] =
        "<presence type='subscribe' from='bob@im.example' to='alice\\40example.com@cal.example'/>";
    static const char end[] =
        "<presence type='unsubscribe' from='bob@im.example' to='alice\\40example.com@cal.example'/>";
    struct world *w = world_new();
    struct buf one;
    (void)state;
    buf_init(&one, 65536);
    w->hold_puts = true;
    world_set(w, "alice@example.com", PRES_FREE, 0, 1);
    world_start(w);
    assert_true(world_connect(w));
    world_say(w, ask, strlen(ask));
    assert_false(world_stanza(w, &one));
    world_puts(w);
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "type='subscribed'"));
    assert_true(world_stanza(w, &one)); /* the state */

    /* nor that somebody watches no more, who after a crash would be told again */
    world_say(w, end, strlen(end));
    assert_false(world_stanza(w, &one));
    world_puts(w);
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "type='unsubscribed'"));
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "type='unavailable'"));

    /* who asks again before that is safe is answered once, by what holds */
    world_say(w, ask, strlen(ask));
    assert_false(world_stanza(w, &one));
    world_say(w, end, strlen(end));
    world_say(w, ask, strlen(ask));
    assert_false(world_stanza(w, &one));
    world_puts(w);
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "type='subscribed'"));
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "Free"));
    assert_false(world_stanza(w, &one));
    assert_int_equal(w->row_count, 1);
    buf_free(&one);
    world_free(&w);
}

/* A watcher whom the server sends us by a probe hears of a change that comes while the store still writes. */
static void test_change_before_safe(void **state)
{
    static const char probe[] =
        "<presence type='probe' from='bob@im.example/desk' to='alice\\40example.com@cal.example'/>";
    struct world *w = world_new();
    struct buf one;
    (void)state;
    buf_init(&one, 65536);
    w->hold_puts = true;
    world_set(w, "alice@example.com", PRES_FREE, 0, 1);
    world_start(w);
    assert_true(world_connect(w));
    world_say(w, probe, strlen(probe));
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "Free"));
    world_set(w, "alice@example.com", PRES_BUSY, WORLD_NOON - 60, WORLD_NOON + 3600);
    world_turn(w);
    assert_true(world_stanza(w, &one));
    assert_non_null(strstr(one.data, "dnd"));
    buf_free(&one);
    world_free(&w);
}

/* Eight pings to ourselves; so many of them come back. */
static void take_pings(struct world *w, unsigned back)
{
    struct buf one;
    buf_init(&one, 65536);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(world_stanza(w, &one));
        assert_non_null(strstr(one.data, "id='self-"));
        if (i < back)
            world_say(w, one.data, one.len);
    }
    buf_free(&one);
}

static const char *trouble(const struct world *w)
{
    struct pres_publisher_status status;
    pres_publisher_status(w->publisher, &status);
    return status.code ? status.code : "";
}

/* Another gateway of our name got all of the first pings: the next find it out, without a connection made anew. */
static void test_another_takes_all(void **state)
{
    struct world *w = world_new();
    (void)state;
    world_start(w);
    assert_true(world_shake(w));
    take_pings(w, 0);
    pass(w, 31);
    assert_string_equal(trouble(w), "");
    take_pings(w, 3);
    for (int i = 0; i < 5; i++)
        world_turn(w);
    pass(w, 31);
    assert_string_equal(trouble(w), "xmpp-conflict");
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_confirmed_when_safe),
        cmocka_unit_test(test_change_before_safe),
        cmocka_unit_test(test_another_takes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
