/*
 * The poller's servers in tests: sessions and queries of ours, people whose rank the test sets, and a record of who was
 * asked when and with what.
 */
#ifndef UNIT_POLLER_WORLD_H
#define UNIT_POLLER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "poller.h"

enum { PEOPLE = 4096, INTERVAL = 60000 };

struct dav_session {
    unsigned connections, running, most;
    int64_t latency_ms; /* < 0: never answers */
    enum dav_err err;   /* of the next answers */
    const char *code;
    int64_t retry_after_s;
    unsigned started;
    uint32_t bad; /* this person alone gets err; UINT32_MAX: everybody */
    uint32_t also_bad_from, also_bad_until;
    enum dav_err also_err; /* DAV_OK: nobody */
    const char *also_code;
};

struct dav_query {
    struct fixture *f;
    struct dav_session *session;
    uint32_t id;
    struct loop_timer *timer;
    dav_query_fn *done;
    void *arg;
};

struct fixture {
    struct clk *clk;
    struct loop *loop;
    struct gw_poller *poller;
    struct dav_session s[2];
    uint32_t asking; /* whom the last question was about */
    unsigned running[PEOPLE], asked[PEOPLE], ok[PEOPLE], failed[PEOPLE], local[PEOPLE];
    const char *code[PEOPLE];
    unsigned failing, recovered;
    enum gw_rank rank[PEOPLE];
    bool held[PEOPLE]; /* as asked last */
    int64_t fresh_s[PEOPLE];
    bool unchanged;            /* the next answers say so */
    unsigned per_second[4000]; /* starts, by second since the start */
    uint32_t order[PEOPLE * 4];
    unsigned order_count;
    int64_t start_ms;
};

static struct fixture *fx;

static inline void question(void *arg, uint32_t id, struct dav_question *ret)
{
    struct fixture *f = arg;
    f->asking = id;
    ret->address = "x";
    ret->held = true;
}

static inline unsigned room(const struct dav_session *s)
{
    return s->connections > s->running ? s->connections - s->running : 0;
}

static inline void query_end(struct dav_query *q)
{
    q->session->running--;
    q->f->running[q->id]--;
    loop_timer_free(&q->timer);
    free(q);
}

static inline void query_answer(void *arg)
{
    struct dav_query *q = arg;
    struct dav_session *s = q->session;
    struct dav_result r = {.as_of = 1, .requests = 1, .unchanged = q->f->unchanged && q->f->held[q->id]};
    if (s->bad == UINT32_MAX || s->bad == q->id) {
        r.err = s->err;
        r.code = s->code;
        r.retry_after_s = s->retry_after_s;
    } else if (s->also_err && q->id >= s->also_bad_from && q->id < s->also_bad_until) {
        r.err = s->also_err;
        r.code = s->also_code;
    }
    dav_query_fn *done = q->done;
    void *done_arg = q->arg;
    query_end(q);
    done(done_arg, &r);
}

static inline struct dav_query *start(struct dav_session *s, const struct dav_question *asked, dav_query_fn *done,
                                      void *arg)
{
    struct fixture *f = fx;
    struct dav_query *q = mem_calloc(1, sizeof *q);
    *q = (struct dav_query){.f = f, .session = s, .id = f->asking, .done = done, .arg = arg};
    assert_int_equal(f->running[q->id]++, 0); /* never two questions about one person */
    f->asked[q->id]++;
    f->held[q->id] = asked->held;
    f->fresh_s[q->id] = asked->fresh_s;
    if (f->order_count < sizeof f->order / sizeof f->order[0])
        f->order[f->order_count++] = q->id;
    int64_t second = (clk_mono_ms(f->clk) - f->start_ms) / 1000;
    if (second < 4000)
        f->per_second[second]++;
    s->started++;
    if (++s->running > s->most)
        s->most = s->running;
    q->timer = loop_timer_new(f->loop, "answer", query_answer, q);
    if (s->latency_ms >= 0)
        loop_timer_in(q->timer, s->latency_ms);
    return q;
}

static inline void cancel(struct dav_query **q)
{
    query_end(*q);
    *q = NULL;
}

static inline void answer(void *arg, uint32_t id, const struct dav_result *r)
{
    struct fixture *f = arg;
    f->code[id] = r->code;
    if (r->err == DAV_OK)
        f->ok[id]++;
    else if (r->requests)
        f->failed[id]++;
    else
        f->local[id]++;
}

static inline void server(void *arg, unsigned number, const char *code)
{
    struct fixture *f = arg;
    (void)number;
    if (code)
        f->failing++;
    else
        f->recovered++;
}

static inline enum gw_rank rank(void *arg, uint32_t id)
{
    return id < PEOPLE ? ((struct fixture *)arg)->rank[id] : GW_RANK_LAST;
}

static const struct gw_poller_ops ops = {.question = question,
                                         .answer = answer,
                                         .server = server,
                                         .room = room,
                                         .start = start,
                                         .cancel = cancel,
                                         .rank = rank};

static inline int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->clk = clk_fake_new(1800000000000);
    f->loop = loop_new(f->clk);
    f->start_ms = clk_mono_ms(f->clk);
    for (int i = 0; i < 2; i++)
        f->s[i] = (struct dav_session){.connections = 8, .latency_ms = 20, .bad = UINT32_MAX};
    f->poller = gw_poller_new(f->loop, &ops, f, INTERVAL, 12345);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(gw_poller_server_add(f->poller, &f->s[i]), i);
    for (unsigned id = 0; id < PEOPLE; id++)
        f->rank[id] = GW_RANK_LAST;
    fx = f;
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    gw_poller_free(&f->poller);
    assert_int_equal(f->s[0].running + f->s[1].running, 0);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
    free(f);
    return 0;
}

static inline void add(struct fixture *f, uint32_t from, uint32_t until, unsigned number)
{
    for (uint32_t id = from; id < until; id++)
        gw_poller_add(f->poller, id, number);
    loop_turn(f->loop, 0); /* what was deferred */
}

#endif
