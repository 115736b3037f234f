/*
 * auth_call: one request with a credential in it. Basic and the cookies of a form need one exchange and are dealt with
 * here; schemes with a start() of their own take over and come back with dav_call_answered() or dav_call_end().
 */
#include "auth_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_form.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"

#define LINE_MAX_LEN (DAV_JAR_COOKIES * (DAV_JAR_VALUE_MAX + 200))

static void start_simple(struct dav_call *c);
static void on_simple(void *arg, const struct fetch_answer *answer);
static bool on_data(void *arg, int status, const char *data, size_t len);
static void on_later(void *arg);
static void finish(struct dav_call *c, const struct dav_call_result *result);
static void release(struct dav_call *c);
static void call_free(void *arg);

struct dav_call *dav_call_start(struct dav_session *s, const struct dav_call_request *request)
{
    struct dav_call *c = mem_calloc(1, sizeof(*c));

    c->session = s;
    c->auth = request->bare ? NULL : dav_session_auth(s, request->host);
    c->request = *request;
    c->url = mem_strdup(request->http.url);
    c->epoch = s->secret_epoch;
    c->number = s->sent;
    c->due_ms = clk_mono_ms(loop_clk(s->loop)) + request->http.total_ms;
    if (c->auth && c->auth->start)
        c->auth->start(c);
    else
        start_simple(c);
    return c;
}

void dav_call_cancel(struct dav_call **cp)
{
    struct dav_call *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    release(c);
    loop_reap(c->session->loop, call_free, c);
}

void dav_call_send(struct dav_call *c, const struct dav_leg *leg)
{
    const char *headers[DAV_CALL_HEADERS + 2];
    struct dav_session *s = c->session;
    int64_t now = clk_mono_ms(loop_clk(s->loop));
    struct fetch_request http = c->request.http;
    size_t n = 0;

    while (n < DAV_CALL_HEADERS && http.headers && http.headers[n])
        headers[n] = http.headers[n], n++;
    if (leg->credential)
        headers[n++] = leg->credential;
    headers[n] = NULL;
    http.url = c->url;
    http.headers = headers;
    http.total_ms = c->due_ms - now > 1 ? c->due_ms - now : 1;
    http.pin = leg->pin;
    http.fresh = leg->fresh;
    http.on_data = c->request.http.on_data && !leg->empty ? on_data : NULL;
    http.done = leg->done;
    http.arg = c;
    if (leg->empty) {
        http.body = NULL;
        http.body_len = 0;
    }
    dav_pace_take(&s->pace, now);
    c->fetch = fetch_start(leg->client, &http);
}

void dav_call_answered(struct dav_call *c, const struct fetch_answer *answer)
{
    finish(c, &(struct dav_call_result){.end = DAV_CALL_ANSWERED, .answer = answer, .shown = c->shown});
}

void dav_call_end(struct dav_call *c, enum dav_call_end end, bool later, const char *code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->evidence, sizeof(c->evidence), fmt, ap);
    va_end(ap);
    c->end = end;
    c->code = code;
    c->waiting_to_end = later;
    if (later)
        loop_defer(c->session->loop, on_later, c);
    else
        on_later(c);
}

bool dav_call_show(struct dav_call *c, bool starting)
{
    struct dav_session *s = c->session;
    bool free = !s->showing || s->showing == c;

    if (c->request.own || (s->state == DAV_SESSION_READY && c->epoch == s->secret_epoch && free)) {
        s->showing = c;
        return true;
    }
    s->crowded = !free;
    dav_call_end(c, DAV_CALL_AGAIN, starting, NULL, "another logon is under way");
    return false;
}

void dav_call_shown(struct dav_call *c)
{
    struct dav_session *s = c->session;

    if (s->showing != c)
        return;
    s->showing = NULL;
    s->crowded = false;
    dav_session_wake(s);
}

static void start_simple(struct dav_call *c)
{
    struct dav_session *s = c->session;
    struct buf line;
    bool ok = true, any = false;

    buf_init(&line, LINE_MAX_LEN);
    if (c->auth && c->auth->scheme == DAV_SCHEME_FORMS)
        any = c->request.host->jar && dav_jar_line(c->request.host->jar, &line);
    else if (c->auth)
        any = ok = c->auth->line(s->account.user, s->secret, &line) && !line.failed;
    if (ok) {
        c->shown = c->auth != NULL;
        dav_call_send(c, &(struct dav_leg){.client = c->request.host->client,
                                           .credential = any ? line.data : NULL,
                                           .done = on_simple});
    } else {
        dav_call_end(c, DAV_CALL_STUCK, true, "auth-none-usable", "no credential can be built for %s",
                     dav_scheme_name(c->auth->scheme));
    }
    buf_wipe(&line);
}

static void on_simple(void *arg, const struct fetch_answer *answer)
{
    struct dav_call *c = arg;
    struct dav_session *s = c->session;
    struct dav_host *host = c->request.host;

    c->fetch = NULL;
    /* cookies may change with any answer; of two answers the one to the later request has the younger ones */
    if (c->auth && c->auth->scheme == DAV_SCHEME_FORMS && host->jar && c->epoch == s->secret_epoch &&
        c->number >= host->jar_number && dav_jar_take(host->jar, answer->fetch, answer->status)) {
        host->jar_epoch++;
        host->jar_number = c->number;
    }
    dav_call_answered(c, answer);
}

static bool on_data(void *arg, int status, const char *data, size_t len)
{
    struct dav_call *c = arg;

    return c->request.http.on_data(c->request.arg, status, data, len);
}

static void on_later(void *arg)
{
    struct dav_call *c = arg;

    c->waiting_to_end = false;
    finish(c, &(struct dav_call_result){.end = c->end, .shown = c->shown, .code = c->code, .evidence = c->evidence});
}

static void finish(struct dav_call *c, const struct dav_call_result *result)
{
    release(c);
    loop_reap(c->session->loop, call_free, c);
    c->request.done(c->request.arg, result);
}

/* Everything that could still call back. */
static void release(struct dav_call *c)
{
    fetch_cancel(&c->fetch);
    if (c->waiting_to_end)
        loop_undefer(c->session->loop, on_later, c);
    if (c->auth && c->auth->release)
        c->auth->release(c);
    dav_call_shown(c);
}

static void call_free(void *arg)
{
    struct dav_call *c = arg;

    free(c->url);
    free(c);
}
