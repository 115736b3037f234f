/*
 * poller_bulk: people who are asked about in numbers: how many questions that takes, and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "poller.h"

enum { PEOPLE = 1000, INTERVAL = 60000, SIZE = 100 };

struct dav_session {
    unsigned unused;
};

struct dav_batch {
    struct loop_timer *timer;
    dav_batch_fn *done;
    void *arg;
    size_t count;
    bool bad; /* somebody is in it whom the server does not survive */
};

struct dav_query {
    struct loop_timer *timer;
    dav_query_fn *done;
    void *arg;
};

static struct {
    struct clk *clk;
    struct loop *loop;
    struct gw_poller *poller;
    struct dav_session session;
    unsigned ways, running, batches, people, alone, told, failing, recovered;
    unsigned answers[PEOPLE], errors[PEOPLE], local[PEOPLE];
    unsigned per_second[700];
    const char *code; /* of the next answers; NULL: good */
    bool quiet;       /* nothing has changed, but with: */
    bool unwatched;   /* everybody is, but: */
    uint32_t watched;
    uint32_t changed;
    enum dav_err err;
    int64_t start_ms;
    uint32_t poison; /* a question about this person fails, as err and code say, 0: none */
    char names[PEOPLE][12];
} w;

static void question(void *arg, uint32_t id, struct dav_question *ret)
{
    (void)arg;
    snprintf(w.names[id], sizeof w.names[id], "%u", id);
    ret->address = w.names[id];
}

static void answer(void *arg, uint32_t id, const struct dav_result *result)
{
    (void)arg, (void)id, (void)result;
}

static void batch_answer(void *arg, uint32_t id, const struct dav_result *result)
{
    (void)arg;
    *(!result->requests ? &w.local[id] : result->err ? &w.errors[id] : &w.answers[id]) += 1;
}

static void server(void *arg, unsigned number, const char *code)
{
    (void)arg, (void)number;
    *(code ? &w.failing : &w.recovered) += 1;
}

static unsigned room(const struct dav_session *s)
{
    (void)s;
    return w.running < 4 ? 4 - w.running : 0;
}

static void query_over(void *arg)
{
    struct dav_query *q = arg;
    struct dav_result r = {.as_of = 1, .requests = 1};
    w.running--;
    loop_timer_free(&q->timer);
    q->done(q->arg, &r);
    free(q);
}

static struct dav_query *start(struct dav_session *s, const struct dav_question *asked, dav_query_fn *done, void *arg)
{
    (void)s, (void)asked;
    struct dav_query *q = mem_calloc(1, sizeof *q);
    *q = (struct dav_query){.timer = loop_timer_new(w.loop, "answer", query_over, q), .done = done, .arg = arg};
    w.alone++;
    w.running++;
    loop_timer_in(q->timer, 5);
    return q;
}

static void cancel(struct dav_query **q)
{
    w.running--;
    loop_timer_free(&(*q)->timer);
    free(*q);
    *q = NULL;
}

static void batch_over(void *arg)
{
    struct dav_batch *b = arg;
    struct dav_result *persons = mem_calloc(b->count, sizeof *persons);
    bool bad = w.poison ? b->bad : w.err != DAV_OK;
    enum dav_err err = bad ? w.err : DAV_OK;
    const char *code = bad ? w.code : NULL;
    for (size_t i = 0; i < b->count; i++)
        persons[i] = (struct dav_result){.as_of = 1, .requests = 1, .err = err, .code = code};
    struct dav_batch_result r = {.persons = persons, .count = b->count, .err = err, .code = code, .requests = 1};
    w.running--;
    loop_timer_free(&b->timer);
    b->done(b->arg, &r);
    free(persons);
    free(b);
}

static struct dav_batch *batch_start(struct dav_session *s, const struct dav_batch_question *asked, dav_batch_fn *done,
                                     void *arg)
{
    (void)s;
    struct dav_batch *b = mem_calloc(1, sizeof *b);
    *b = (struct dav_batch){
        .timer = loop_timer_new(w.loop, "answer", batch_over, b), .done = done, .arg = arg, .count = asked->count};
    assert_in_range(asked->count, 1, SIZE);
    for (size_t i = 0; i < asked->count; i++)
        b->bad = b->bad || (w.poison && strtoul(asked->persons[i].address, NULL, 10) == w.poison);
    w.batches++;
    w.people += (unsigned)asked->count;
    w.running++;
    int64_t second = (clk_mono_ms(w.clk) - w.start_ms) / 1000;
    if (second < 700)
        w.per_second[second]++;
    loop_timer_in(b->timer, 50);
    return b;
}

static void batch_cancel(struct dav_batch **b)
{
    w.running--;
    loop_timer_free(&(*b)->timer);
    free(*b);
    *b = NULL;
}

static unsigned ways(void *arg, uint32_t id)
{
    (void)arg, (void)id;
    return w.ways;
}

static unsigned batch_size(const struct dav_session *s)
{
    (void)s;
    return SIZE;
}

static void told(void *arg, enum dav_err err, const char *code)
{
    (void)arg, (void)code;
    w.told += err == DAV_OK;
}

static void refused(void *arg, enum dav_err err, const char *code)
{
    (void)arg, (void)code;
    w.told += err == DAV_NETWORK;
}

static bool batch_due(void *arg, uint32_t id)
{
    (void)arg;
    return !w.quiet || (id == w.changed && w.changed);
}

static enum gw_rank rank(void *arg, uint32_t id)
{
    (void)arg;
    return !w.unwatched ? GW_RANK_LAST : id == w.watched ? GW_RANK_FIRST : GW_RANK_NOT;
}

static const struct gw_poller_ops ops = {.question = question,
                                         .answer = answer,
                                         .server = server,
                                         .room = room,
                                         .start = start,
                                         .cancel = cancel,
                                         .ways = ways,
                                         .batch_question = question,
                                         .batch_answer = batch_answer,
                                         .batch_due = batch_due,
                                         .rank = rank,
                                         .batch_size = batch_size,
                                         .batch_start = batch_start,
                                         .batch_cancel = batch_cancel};

static int set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.clk = clk_fake_new(1800000000000);
    w.loop = loop_new(w.clk);
    w.start_ms = clk_mono_ms(w.clk);
    w.ways = GW_POLLER_BATCH;
    w.poller = gw_poller_new(w.loop, &ops, NULL, INTERVAL, 12345);
    gw_poller_server_add(w.poller, &w.session);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gw_poller_free(&w.poller);
    assert_int_equal(w.running, 0);
    loop_free(&w.loop);
    clk_fake_free(&w.clk);
    return 0;
}

static void add(uint32_t from, uint32_t until)
{
    for (uint32_t id = from; id < until; id++)
        gw_poller_add(w.poller, id, 0);
    loop_turn(w.loop, 0);
}

static void as_few_questions_as_can_be(void **state)
{
    (void)state;
    add(0, PEOPLE);
    loop_advance(w.loop, 1000);
    assert_int_equal(w.batches, PEOPLE / SIZE); /* everybody at once, at first */
    loop_advance(w.loop, 2 * INTERVAL);
    unsigned before = w.batches, answers = w.answers[7];
    memset(w.per_second, 0, sizeof w.per_second);
    w.start_ms = clk_mono_ms(w.clk);
    loop_advance(w.loop, 10 * INTERVAL);
    assert_in_range(w.batches - before, 99, 101); /* 0.01 for a person and poll */
    assert_in_range(w.answers[7] - answers, 9, 11);
    for (unsigned second = 0; second < 600; second++)
        assert_true(w.per_second[second] <= 1); /* evenly spread */
    assert_int_equal(w.alone, 0);
}

static void both_ways(void **state)
{
    (void)state;
    w.ways = GW_POLLER_ALONE | GW_POLLER_BATCH;
    add(0, 200);
    loop_advance(w.loop, 20 * INTERVAL);
    assert_in_range(w.alone, 200 * 19, 200 * 21);
    assert_in_range(w.batches, 6, 10); /* every five minutes */
    w.quiet = true; /* and not at all while nothing has changed */
    loop_advance(w.loop, INTERVAL);
    unsigned before = w.batches, alone = w.alone;
    loop_advance(w.loop, 20 * INTERVAL);
    assert_int_equal(w.batches, before);
    assert_in_range(w.alone - alone, 200 * 19, 200 * 20); /* one for a person and poll */
    w.changed = 7; /* one who is due takes the others along */
    loop_advance(w.loop, 2 * INTERVAL);
    assert_int_equal(w.batches, before + 1);
}

/* Nobody is asked about whom nobody watches; who is watched again is asked about at once, unless that was just done. */
static void nobody_watches(void **state)
{
    (void)state;
    w.unwatched = true;
    w.watched = PEOPLE;
    add(0, PEOPLE);
    loop_advance(w.loop, 3 * INTERVAL);
    assert_int_equal(w.batches, 0);
    w.watched = 7;
    gw_poller_wanted(w.poller, 7);
    loop_advance(w.loop, 1000);
    assert_int_equal(w.answers[7], 1);
    loop_advance(w.loop, 10 * INTERVAL);
    assert_in_range(w.answers[7], 10, 12);
    assert_int_equal(w.people, w.answers[7]); /* and about nobody else */
    w.watched = PEOPLE;
    unsigned before = w.answers[7];
    loop_advance(w.loop, 2 * INTERVAL);
    assert_int_equal(w.answers[7], before);
    w.watched = 7;
    gw_poller_wanted(w.poller, 7);
    loop_advance(w.loop, 1000);
    assert_int_equal(w.answers[7], before + 1);
    gw_poller_wanted(w.poller, 7);
    loop_advance(w.loop, 1000);
    assert_int_equal(w.answers[7], before + 1);
}

static void failing_server(void **state)
{
    (void)state;
    add(0, 300);
    loop_advance(w.loop, INTERVAL);
    w.err = DAV_NETWORK;
    w.code = "tcp-refused";
    loop_advance(w.loop, 3 * INTERVAL);
    assert_int_equal(w.failing, 1);
    assert_true(w.local[5] > 0); /* told without being asked about */
    unsigned before = w.batches;
    loop_advance(w.loop, 2 * INTERVAL);
    assert_true(w.batches - before <= 4); /* probes */
    w.err = DAV_OK;
    w.code = NULL;
    unsigned answers = w.answers[5];
    loop_advance(w.loop, 2 * INTERVAL);
    assert_int_equal(w.recovered, 1);
    assert_true(w.answers[5] > answers);
}

/* Somebody whom the server does not survive, so that it cuts off each question they are in: nobody else is later for
 * it, or is told that the server fails, and it takes a handful of questions to find them. */
static void one_bad_batch(void **state)
{
    static const struct {
        enum dav_err err;
        const char *code;
    } ways[] = {{DAV_NETWORK, "tcp-reset"}, {DAV_NETWORK, "answer-timeout"}, {DAV_LATER, "http-server-error"}};
    (void)state;
    add(0, PEOPLE);
    loop_advance(w.loop, 2 * INTERVAL);
    for (unsigned i = 0; i < 3; i++) {
        w.err = ways[i].err;
        w.code = ways[i].code;
        w.poison = 456;
        memset(w.answers, 0, sizeof w.answers);
        unsigned before = w.batches, late = 0;
        loop_advance(w.loop, 20 * INTERVAL);
        for (uint32_t id = 0; id < PEOPLE; id++)
            late += w.answers[id] < 19;
        if (late != 1 || w.answers[w.poison] > 0 || w.failing > 0)
            fail_msg("%s: %u people were late, the server failed %u times", w.code, late, w.failing);
        assert_in_range(w.batches - before, 20 * PEOPLE / SIZE, 20 * (PEOPLE / SIZE + 3) + 2 * 7);
        w.poison = 0;
        w.err = DAV_OK;
        w.code = NULL;
        loop_advance(w.loop, 2 * INTERVAL);
    }
    for (uint32_t id = 0; id < PEOPLE; id++)
        assert_int_equal(w.local[id], 0);
}

/* Removed and moved in the middle of an answer, and somebody who does not want to wait. */
static void comings_and_goings(void **state)
{
    (void)state;
    add(0, 300);
    loop_advance(w.loop, 20);
    gw_poller_remove(w.poller, 3);
    gw_poller_move(w.poller, 4, 0);
    loop_advance(w.loop, INTERVAL);
    assert_int_equal(w.answers[3], 0);
    assert_true(w.answers[4] > 0);
    gw_poller_refresh(w.poller, 8, told, NULL);
    loop_turn(w.loop, 0);
    loop_advance(w.loop, 200);
    assert_int_equal(w.told, 1);
    struct gw_poller_person person;
    assert_true(gw_poller_person(w.poller, 8, &person));
    assert_true(person.last_ok_at > 0 && person.next_poll_at > 0);
    gw_poller_server_session(w.poller, 0, &w.session);
    for (uint32_t id = 0; id < 300; id++)
        if (id != 3)
            gw_poller_remove(w.poller, id);
    loop_advance(w.loop, INTERVAL);
    add(3, 5);
    loop_advance(w.loop, INTERVAL);
    assert_true(w.answers[3] > 0);
}

/* The answer on its way may be of before: who asks by name waits for the next. So, too, about whom both ways are used.
 */
static void refresh_in_the_middle(void **state)
{
    (void)state;
    add(0, 10);
    loop_advance(w.loop, 20);
    gw_poller_refresh(w.poller, 8, told, NULL);
    assert_int_equal(w.batches, 1);
    loop_advance(w.loop, 40);
    assert_int_equal(w.answers[8], 1);
    assert_int_equal(w.told, 0);
    loop_advance(w.loop, 60);
    assert_int_equal(w.batches, 2);
    assert_int_equal(w.answers[8], 2);
    assert_int_equal(w.told, 1);
    loop_advance(w.loop, 100);
    assert_int_equal(w.batches, 2);

    w.ways = GW_POLLER_ALONE | GW_POLLER_BATCH;
    add(20, 25);
    loop_advance(w.loop, 20);
    assert_int_equal(w.batches, 3);
    gw_poller_refresh(w.poller, 22, told, NULL);
    loop_advance(w.loop, 150);
    assert_int_equal(w.batches, 4);
    assert_int_equal(w.answers[22], 2);
    assert_int_equal(w.answers[23], 1);
    assert_int_equal(w.told, 2);

    w.err = DAV_NETWORK; /* when the server fails as a whole, everybody is told so */
    w.code = "tcp-timeout";
    w.ways = GW_POLLER_BATCH;
    w.told = 0;
    add(30, 31);
    loop_advance(w.loop, 20);
    assert_int_equal(w.batches, 5);
    gw_poller_refresh(w.poller, 30, refused, NULL);
    loop_advance(w.loop, 3 * INTERVAL);
    assert_int_equal(w.told, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_few_questions_as_can_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(comings_and_goings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refresh_in_the_middle, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
