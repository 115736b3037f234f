/*
 * batch: a question about many people, see davclient/batch.h. It is a query like any other as far as session and wire
 * are concerned, with a flavour of its own (exchange_fb.c) that settles one person after the other here; when the query
 * ends, each person's result is put together and told in one call.
 *
 * Who is not settled when the query fails shares its failure. What was settled before stands: that a server fell silent
 * at the third request does not unsay what it said in the first two.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "batch_parts.h"
#include "inner.h"

#define SPANS_MAX ((size_t)8 << 20) /* bytes: 350,000 spans */
#define PEOPLE 100                  /* in one question, unless the account says otherwise */
#define WHOM "free/busy of many"    /* stands for the person where the session notes whom an answer was about */

static void on_end(void *arg, const struct dav_result *whole);
static void on_step_of_one(void *arg, const struct dav_step_report *report);
static void tell_all(struct dav_batch *b, const struct dav_result *whole);
static void tell_one(struct dav_batch *b, const struct dav_result *whole);
static struct dav_result result_of(const struct dav_batch *b, size_t i, const struct dav_result *whole);
static struct dav_batch *batch_new(struct dav_session *s, const struct dav_batch_question *question,
                                   dav_step_fn *on_step);

bool dav_batch_possible(const struct dav_session *s)
{
    return s->flavour->batch != NULL;
}

unsigned dav_batch_size(const struct dav_session *s)
{
    unsigned wanted = s->account.batch_people ? s->account.batch_people : PEOPLE;

    if (!dav_batch_possible(s))
        return 0;
    return wanted < DAV_BATCH_MAX ? wanted : DAV_BATCH_MAX;
}

struct dav_batch *dav_batch_start(struct dav_session *s, const struct dav_batch_question *question, dav_batch_fn *done,
                                  void *arg)
{
    struct dav_batch *b = dav_batch_possible(s) ? batch_new(s, question, NULL) : NULL;

    if (b) {
        b->done = done;
        b->arg = arg;
    }
    return b;
}

void dav_batch_cancel(struct dav_batch **bp)
{
    struct dav_batch *b = *bp;

    *bp = NULL;
    if (b)
        dav_query_cancel(&b->query);
}

struct dav_query *dav_batch_check_start(struct dav_session *s, const struct dav_question *question,
                                        dav_step_fn *on_step, dav_query_fn *done, void *arg)
{
    struct dav_batch_person person = {.address = question->address, .aliases = question->aliases};
    struct dav_batch_question one = {.persons = &person, .count = 1, .from = question->from, .until = question->until};
    struct dav_batch *b = dav_batch_possible(s) ? batch_new(s, &one, on_step) : NULL;

    if (!b)
        return NULL;
    b->checked = done;
    b->on_step = on_step;
    b->arg = arg;
    return b->query;
}

struct dav_batch *dav_query_batch(const struct dav_query *q)
{
    return q->arg;
}

void dav_batch_known(struct dav_batch *b, size_t i, size_t first, int64_t from, int64_t until)
{
    struct dav_batch_entry *e = &b->entries[i];

    b->pending -= e->state == DAV_BATCH_PENDING;
    e->state = DAV_BATCH_KNOWN;
    e->first = first;
    e->count = b->spans.len / sizeof(struct dav_span) - first;
    e->from = from;
    e->until = until;
}

void dav_batch_failed(struct dav_batch *b, size_t i, const char *code, const char *fmt, ...)
{
    struct dav_batch_entry *e = &b->entries[i];
    char text[200], printable[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    str_printable(text, strlen(text), printable, sizeof(printable));
    b->pending -= e->state == DAV_BATCH_PENDING;
    e->state = DAV_BATCH_FAILED;
    e->code = code;
    e->evidence = arena_strndup(b->query->arena, printable, strlen(printable));
}

/* Memory that the result shows stays until the end of the turn. */
void dav_batch_end(struct dav_batch *b)
{
    if (b->spans.cap > 0)
        loop_reap(b->session->loop, free, b->spans.data);
}

/* The query is over; its memory lives until the end of the turn. */
static void on_end(void *arg, const struct dav_result *whole)
{
    struct dav_batch *b = arg;
    struct dav_session *s = b->session;

    s->batch_served = s->batch_served || whole->err == DAV_OK;
    if (b->done)
        tell_all(b, whole);
    else
        tell_one(b, whole);
}

static void on_step_of_one(void *arg, const struct dav_step_report *report)
{
    struct dav_batch *b = arg;

    b->on_step(b->arg, report);
}

static void tell_all(struct dav_batch *b, const struct dav_result *whole)
{
    struct dav_result *persons = mem_calloc(b->count + 1, sizeof(*persons));
    struct dav_batch_result result = {
        .persons = persons,
        .count = b->count,
        .err = whole->err,
        .code = whole->code,
        .evidence = whole->evidence,
        .retry_after_s = whole->retry_after_s,
        .requests = whole->requests,
    };

    for (size_t i = 0; i < b->count; i++) {
        persons[i] = result_of(b, i, whole);
        if (b->entries[i].state == DAV_BATCH_KNOWN)
            result.err = DAV_OK;
    }
    b->done(b->arg, &result);
    free(persons);
}

static void tell_one(struct dav_batch *b, const struct dav_result *whole)
{
    struct dav_result one = result_of(b, 0, whole);

    one.requests = whole->requests;
    b->checked(b->arg, &one);
}

static struct dav_result result_of(const struct dav_batch *b, size_t i, const struct dav_result *whole)
{
    const struct dav_batch_entry *e = &b->entries[i];
    const struct dav_span *spans = (const struct dav_span *)(const void *)b->spans.data;
    const char *code = e->state == DAV_BATCH_FAILED ? e->code : whole->code ? whole->code : "freebusy-missing";
    struct dav_result r = {
        .from = whole->from,
        .until = whole->until,
        .as_of = whole->as_of,
        .requests = e->requests,
        .way = b->way,
    };

    if (e->state == DAV_BATCH_KNOWN) {
        r.spans = spans ? spans + e->first : NULL;
        r.count = e->count;
        r.from = e->from;
        r.until = e->until;
        return r;
    }
    r.err = dav_cause_find(code)->err;
    r.code = code;
    r.evidence = e->state == DAV_BATCH_FAILED ? e->evidence : whole->evidence;
    r.retry_after_s = e->state == DAV_BATCH_FAILED ? 0 : whole->retry_after_s;
    return r;
}

static const char *const *copy_list(struct arena *a, const char *const *list)
{
    const char **copy;
    size_t n = 0;

    while (list && list[n])
        n++;
    copy = n > 0 ? arena_alloc(a, (n + 1) * sizeof(*copy)) : NULL;
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = arena_strndup(a, list[i], strlen(list[i]));
    return copy;
}

static struct dav_batch *batch_new(struct dav_session *s, const struct dav_batch_question *question,
                                   dav_step_fn *on_step)
{
    struct dav_question window = {
        .address = WHOM,
        .remember = s->batch_served ? "" : NULL, /* to whom the server answered before: see dav_session_hold() */
        .from = question->from - ((question->from % DAV_BATCH_SLOT_S) + DAV_BATCH_SLOT_S) % DAV_BATCH_SLOT_S,
        .until = question->until + (DAV_BATCH_SLOT_S - question->until % DAV_BATCH_SLOT_S) % DAV_BATCH_SLOT_S,
    };
    struct dav_query *q = dav_query_new(s, &window, on_step ? on_step_of_one : NULL, on_end, NULL);
    struct dav_batch *b = arena_alloc(q->arena, sizeof(*b));
    size_t count = question->count < DAV_BATCH_MAX ? question->count : DAV_BATCH_MAX;

    if (b)
        b->entries = arena_alloc(q->arena, (count + 1) * sizeof(*b->entries));
    if (!b || !b->entries)
        abort(); /* DAV_BATCH_MAX and the arena's size are ours */
    q->flavour = s->flavour->batch;
    q->arg = b;
    b->query = q;
    b->session = s;
    buf_init(&b->spans, SPANS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct dav_batch_person *p = &question->persons[i];
        struct dav_batch_entry *e = &b->entries[b->count];

        b->count++;
        b->pending++;
        e->aliases = copy_list(q->arena, p->aliases);
        e->address = arena_strndup(q->arena, p->address, strlen(p->address));
        if (!e->address) {
            e->address = "";
            dav_batch_failed(b, i, "answer-too-large", "no room for more addresses");
        }
    }
    return b;
}
