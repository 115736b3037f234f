/*
 * query_service: what a flavour may ask of its query (flavour.h), and how a query comes into being. Nothing here calls
 * back.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "inner.h"

#define ARENA_MAX (8U * 1024 * 1024)
#define URL_MAX (DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32)
#define REMEMBER_MAX 65536
#define USUAL_SPANS 40
#define LONGEST_WINDOW_S ((int64_t)731 * 86400) /* Exchange refuses more than 732 days, and nobody needs them */

static const char *keep(struct arena *a, const char *text);
static const char *const *keep_list(struct arena *a, const char *const *list);
static bool mentions_tls(const struct dav_reply *reply);

struct dav_query *dav_query_new(struct dav_session *s, const struct dav_question *question, dav_step_fn *on_step,
                                dav_query_fn *done, void *arg)
{
    struct dav_query *q = mem_calloc(1, sizeof(*q));

    q->session = s;
    q->flavour = s->flavour;
    q->arena = arena_new(ARENA_MAX);
    q->question = *question;
    q->question.address = keep(q->arena, question->address);
    q->question.path = keep(q->arena, question->path);
    q->question.zone = keep(q->arena, question->zone);
    q->question.remember = keep(q->arena, question->remember);
    q->question.aliases = keep_list(q->arena, question->aliases);
    if (q->question.until - q->question.from > LONGEST_WINDOW_S)
        q->question.until = q->question.from + LONGEST_WINDOW_S;
    q->on_step = on_step;
    q->done = done;
    q->arg = arg;
    q->passed = -1;
    buf_init(&q->url, URL_MAX);
    buf_init(&q->origin, DAV_URL_HOST_MAX + 32);
    buf_init(&q->body, DAV_ERROR_PAGE_MAX);
    buf_init(&q->remember, REMEMBER_MAX);
    buf_init(&q->spans, (size_t)s->account.max_rows * sizeof(struct dav_span));
    if (q->question.remember)
        buf_adds(&q->remember, q->question.remember);
    dav_session_join(s, q);
    return q;
}

const struct dav_question *dav_query_question(const struct dav_query *q)
{
    return &q->question;
}

const struct dav_account *dav_query_account(const struct dav_query *q)
{
    return &q->session->account;
}

struct arena *dav_query_arena(struct dav_query *q)
{
    return q->arena;
}

void *dav_query_state(const struct dav_query *q)
{
    return q->private;
}

void dav_query_set_state(struct dav_query *q, void *state)
{
    q->private = state;
}

void **dav_query_shared(struct dav_query *q)
{
    return q->flavour == q->session->flavour ? &q->session->shared : &q->session->batch_shared;
}

int64_t dav_query_now(const struct dav_query *q)
{
    return clk_wall_s(loop_clk(q->session->loop));
}

struct dav_session *dav_query_session(const struct dav_query *q)
{
    return q->session;
}

void dav_query_widen(struct dav_query *q, int64_t from, int64_t until)
{
    q->question.from = from;
    q->question.until = until - from > LONGEST_WINDOW_S ? from + LONGEST_WINDOW_S : until;
}

void dav_query_unchanged(struct dav_query *q, int64_t from, int64_t until, int64_t as_of)
{
    q->question.from = from;
    q->question.until = until;
    q->as_of = as_of;
    q->unchanged = true;
    dav_query_clear_spans(q);
    dav_query_succeed(q);
}

void dav_query_routine(struct dav_query *q)
{
    q->routine = true;
}

int64_t dav_query_as_of(const struct dav_query *q)
{
    return q->as_of;
}

void dav_query_way(struct dav_query *q, const char *way)
{
    q->way = way;
}

void dav_query_markless(struct dav_query *q)
{
    q->markless = true;
}

const char *dav_query_base_path(const struct dav_query *q)
{
    return q->session->base_path;
}

const char *dav_query_product(const struct dav_query *q)
{
    return q->session->product;
}

bool dav_query_may_ask(const struct dav_query *q, const char *url)
{
    struct dav_url u;

    if (url[0] == '/')
        return true;
    return dav_url_parse(url, &u) && dav_redirect_host_allowed(&q->session->redirects, &u);
}

void dav_query_send(struct dav_query *q, const struct dav_ask *ask)
{
    q->ask = *ask;
    q->decision = DAV_SEND;
    q->hops = 0;
    q->resent = false;
    buf_reset(&q->url);
    if (ask->url[0] == '/')
        buf_add(&q->url, q->origin.data, q->origin.len);
    buf_adds(&q->url, ask->url);
}

void dav_query_succeed(struct dav_query *q)
{
    q->decision = DAV_SUCCEED;
    q->evidence[0] = '\0';
    if (q->on_step)
        snprintf(q->evidence, sizeof(q->evidence), "%zu items, %u broken ones left out", dav_query_span_count(q),
                 q->skipped);
}

void dav_query_fail(struct dav_query *q, const char *code, const char *fmt, ...)
{
    char text[sizeof(q->evidence)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    str_printable(text, strlen(text), q->evidence, sizeof(q->evidence));
    q->code = code;
    q->decision = DAV_FAIL;
}

bool dav_query_span(struct dav_query *q, const struct dav_span *span)
{
    if (q->spans.cap == 0) /* most people have fewer than this in a fortnight: one allocation instead of four */
        buf_room(&q->spans, USUAL_SPANS * sizeof(*span) < q->spans.max ? USUAL_SPANS * sizeof(*span) : q->spans.max);
    if (buf_add(&q->spans, span, sizeof(*span)))
        return true;
    dav_query_fail(q, "answer-too-large", "more than %u items in the window", q->session->account.max_rows);
    return false;
}

size_t dav_query_span_count(const struct dav_query *q)
{
    return q->spans.len / sizeof(struct dav_span);
}

void dav_query_clear_spans(struct dav_query *q)
{
    buf_reset(&q->spans);
    q->skipped = 0;
}

void dav_query_skip(struct dav_query *q)
{
    q->skipped++;
}

void dav_query_cut(struct dav_query *q, int64_t from, int64_t until)
{
    q->question.from = from > q->question.from ? from : q->question.from;
    q->question.until = until < q->question.until ? until : q->question.until;
}

void dav_query_remember(struct dav_query *q, const char *text)
{
    buf_reset(&q->remember);
    if (!buf_adds(&q->remember, text))
        buf_reset(&q->remember);
}

void dav_query_passed(struct dav_query *q, enum dav_step step, const char *fmt, ...)
{
    char text[sizeof(q->evidence)] = "", printable[sizeof(q->evidence)];
    va_list ap;

    if (!q->on_step)
        return;
    va_start(ap, fmt);
    if (fmt)
        vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    dav_check_passed(q, step, str_printable(text, strlen(text), printable, sizeof(printable)));
}

const char *dav_reply_header(const struct dav_reply *reply, const char *name)
{
    return reply->fetch ? fetch_header(reply->fetch, name, 0) : NULL;
}

const char *dav_reply_code(const struct dav_reply *reply)
{
    switch (reply->status) {
    case 401:
        return "calendar-forbidden";
    case 403:
        return mentions_tls(reply) ? "http-ssl-required" : "calendar-forbidden";
    case 404:
    case 410:
        return "calendar-not-found";
    case 405:
    case 501:
        return "method-blocked";
    case 407:
        return "proxy-auth";
    case 413:
    case 507:
        return "answer-too-large";
    case 440:
        return "auth-none-usable";
    default:
        break;
    }
    if (reply->status >= 200 && reply->status <= 299)
        return NULL;
    return reply->status >= 500 ? "http-server-error" : reply->status >= 400 ? "query-refused" : "answer-malformed";
}

/* IIS says so in words only: "403.4", "This page must be viewed over a secure channel", "SSL required". */
static bool mentions_tls(const struct dav_reply *reply)
{
    return !str_starts_nocase(reply->url, "https:") &&
           (str_find_nocase(reply->body, reply->body_len, "SSL") ||
            str_find_nocase(reply->body, reply->body_len, "403.4") ||
            str_find_nocase(reply->body, reply->body_len, "secure channel") ||
            str_find_nocase(reply->body, reply->body_len, "https://"));
}

static const char *keep(struct arena *a, const char *text)
{
    return text ? arena_strndup(a, text, strlen(text)) : NULL;
}

static const char *const *keep_list(struct arena *a, const char *const *list)
{
    const char **copy;
    size_t n = 0;

    while (list && list[n])
        n++;
    copy = list ? arena_alloc(a, (n + 1) * sizeof(*copy)) : NULL;
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = keep(a, list[i]);
    return copy;
}
