/*
 * query: one question about one person, from dav_query_start() to its one answer.
 *
 * A query alternates between its flavour, which decides (send this, done, failed: enum dav_decision), and the wire. The
 * session says when it may fly (dav_query_launch); on_data() and on_done() bring the answer; what concerns the wire,
 * redirects, the logon and broken documents is dealt with here, the rest goes to the flavour (deliver()).
 *
 * Every way to end leads through dav_query_end(), except cancelling, which is dav_query_discard() alone. The memory
 * lives until the turn ends, so whoever stands further up the stack may still look at `state`.
 */
#include "davclient/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_call.h"
#include "auth_form.h"
#include "base/arena.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "inner.h"

#define STALE_MAX 20
#define URL_MAX (DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32)

static void begin(struct dav_query *q);
static void act(struct dav_query *q);
static void send_ask(struct dav_query *q);
static void fly(struct dav_query *q, struct dav_host *host);
static bool on_data(void *arg, int status, const char *data, size_t len);
static void on_done(void *arg, const struct dav_call_result *result);
static void on_answer(struct dav_query *q, const struct fetch_answer *answer);
static void on_stuck(struct dav_query *q, const struct dav_call_result *result);
static void on_wire_failure(struct dav_query *q, const struct fetch_answer *answer);
static void end_unreached(struct dav_query *q, const char *code, const char *evidence);
static void on_unreadable(struct dav_query *q, enum dav_ms_result why, int status);
static void on_whole(struct dav_query *q, const struct fetch_answer *answer);
static bool wants_forms(const struct dav_query *q);
static void on_redirect(struct dav_query *q, const struct fetch_answer *answer);
static void on_denied(struct dav_query *q, const struct fetch_answer *answer);
static void deliver(struct dav_query *q, const struct fetch_answer *answer);
static void release_answer(struct dav_query *q);
static void query_free(void *arg);

struct dav_query *dav_query_start(struct dav_session *s, const struct dav_question *question, dav_query_fn *done,
                                  void *arg)
{
    return dav_query_new(s, question, NULL, done, arg);
}

void dav_query_cancel(struct dav_query **qp)
{
    struct dav_query *q = *qp;

    *qp = NULL;
    if (!q || q->state == DAV_QUERY_ENDED)
        return;
    dav_session_wake(q->session); /* a place has become free */
    dav_query_discard(q);
}

/* The session lets it go on: its first request, its next one, or the news that its 401 was meant for it. */
void dav_query_launch(struct dav_query *q)
{
    if (q->denied && q->pardoned) {
        q->denied = false;
        dav_session_put(q->session, q, DAV_QUERY_FLYING); /* only to be off the queue while its flavour decides */
        deliver(q, NULL);
        return;
    }
    q->denied = false;
    if (!q->begun)
        begin(q);
    else
        send_ask(q);
}

void dav_query_end(struct dav_query *q, const char *code, const char *evidence)
{
    struct dav_session *s = q->session;
    const struct dav_cause *cause = code ? dav_cause_find(code) : NULL;
    bool ok = !code;

    if (code && !cause)
        cause = dav_cause_find("answer-malformed");
    struct dav_result result = {
        .err = ok ? DAV_OK : cause->err,
        .code = ok ? NULL : cause->code,
        .evidence = !ok && evidence && evidence[0] ? evidence : NULL,
        .spans = ok ? (const struct dav_span *)(const void *)q->spans.data : NULL,
        .count = ok ? dav_query_span_count(q) : 0,
        .from = q->question.from,
        .until = q->question.until,
        .as_of = q->as_of ? q->as_of : clk_wall_s(loop_clk(s->loop)),
        .retry_after_s = q->retry_after_s,
        .remember = q->remember.len > 0 ? q->remember.data : NULL,
        .way = q->way,
        .unchanged = ok && q->unchanged,
        .routine = ok && q->routine,
        .markless = q->markless,
        .method = q->requests > 0 ? q->ask.method : NULL,
        .url = q->requests > 0 ? q->url.data : NULL,
        .requests = q->requests,
        .skipped = q->skipped,
    };

    if (q->on_step) {
        if (ok)
            dav_check_passed(q, DAV_STEP_READ, q->evidence);
        else
            dav_check_failed(q, cause->code, result.evidence);
        if (q->state == DAV_QUERY_ENDED)
            return;
    }
    if (ok)
        s->last_ok = clk_wall_s(loop_clk(s->loop));
    else
        s->failures++;
    dav_query_discard(q);
    q->done(q->arg, &result);
}

void dav_query_discard(struct dav_query *q)
{
    struct dav_session *s = q->session;

    dav_call_cancel(&q->call);
    if (q->begun && q->flavour->end)
        q->flavour->end(q);
    release_answer(q);
    dav_session_put(s, q, DAV_QUERY_ENDED);
    loop_reap(s->loop, query_free, q);
}

void dav_query_recall(struct dav_query *q)
{
    dav_call_cancel(&q->call);
    release_answer(q);
    dav_session_put(q->session, q, DAV_QUERY_WAITING);
}

/* As base names them, but that an answer which was under way, or came in part, has codes of its own here. */
const char *dav_fetch_code(enum fetch_err err)
{
    if (err == FETCH_OK)
        return NULL;
    if (err == FETCH_TIMEOUT)
        return "answer-timeout";
    if (err == FETCH_PARTIAL)
        return "answer-partial";
    return err == FETCH_STOPPED ? "answer-malformed" : fetch_err_code(err);
}

static void begin(struct dav_query *q)
{
    struct dav_session *s = q->session;

    dav_session_put(s, q, DAV_QUERY_FLYING);
    q->as_of = clk_wall_s(loop_clk(s->loop));
    buf_adds(&q->origin, s->hosts[0].origin);
    if (q->on_step)
        dav_check_logged_on(q);
    if (q->state == DAV_QUERY_ENDED)
        return;
    q->begun = true;
    q->decision = DAV_UNDECIDED;
    q->flavour->begin(q);
    if (q->decision == DAV_SEND)
        send_ask(q); /* its turn has come already */
    else
        act(q);
}

/* Does what the flavour has decided. */
static void act(struct dav_query *q)
{
    if (q->state == DAV_QUERY_ENDED)
        return; /* a step of the check was reported, and somebody had enough */
    switch (q->decision) {
    case DAV_SEND:
        dav_session_put(q->session, q, DAV_QUERY_WAITING);
        return;
    case DAV_SUCCEED:
        dav_query_end(q, NULL, NULL);
        return;
    case DAV_FAIL:
        dav_query_end(q, q->code, q->evidence);
        return;
    case DAV_UNDECIDED:
        break;
    }
    log_error("dav", "[%u] srv=%s %s did not decide", q->session->id, q->session->account.name,
              q->flavour->name);
    dav_query_end(q, "answer-malformed", NULL);
}

static void send_ask(struct dav_query *q)
{
    struct dav_session *s = q->session;
    struct dav_host *host = q->url.failed ? NULL : dav_session_host(s, q->url.data);
    char text[160], printable[120];

    if (!host) {
        snprintf(text, sizeof(text), "not allowed: %s",
                 str_printable(q->url.data, q->url.len, printable, sizeof(printable)));
        dav_query_end(q, "redirect-foreign", text);
        return;
    }
    if (s->abroad_refused == s->secret_epoch + 1 && dav_session_auth(s, host)->scheme != DAV_SCHEME_FORMS &&
        dav_session_abroad_refuses(s, host, q))
        return;
    if (dav_session_auth(s, host)->shows_secret && !dav_session_private_line(&host->url)) {
        snprintf(text, sizeof(text), "%.120s is neither https nor on this machine", host->origin);
        dav_query_end(q, "auth-cleartext-refused", text);
        return;
    }
    fly(q, host);
}

static void fly(struct dav_query *q, struct dav_host *host)
{
    struct dav_session *s = q->session;
    int64_t left = q->due_ms - clk_mono_ms(loop_clk(s->loop));
    int64_t total = q->ask.total_ms > 0 ? q->ask.total_ms : DAV_REQUEST_TOTAL_MS;
    struct dav_call_request request = {
        .http =
            {
                .method = q->ask.method,
                .url = q->url.data,
                .headers = q->ask.headers,
                .body = q->ask.body,
                .body_len = q->ask.body_len,
                .total_ms = left < total ? left > 1 ? left : 1 : total,
                .max_body = s->account.max_answer_bytes,
                .compressed = q->ask.compressed,
                .on_data = q->ask.spec ? on_data : NULL,
            },
        .host = host,
        .done = on_done,
        .arg = q,
    };

    if (q->state != DAV_QUERY_FLYING)
        dav_session_put(s, q, DAV_QUERY_FLYING);
    q->requests++;
    q->number = ++s->sent;
    q->epoch = s->secret_epoch;
    q->jar_epoch = host->jar_epoch;
    q->call = dav_call_start(s, &request);
}

static bool on_data(void *arg, int status, const char *data, size_t len)
{
    struct dav_query *q = arg;
    size_t room;

    q->session->bytes_in += len;
    if (status == 207) {
        if (!q->ms) {
            q->ms = dav_session_parser(q->session, q->ask.spec);
            dav_ms_begin(q->ms, q->ask.on_response, q);
        }
        return dav_ms_feed(q->ms, data, len);
    }
    /* a page that nobody asked for: its beginning says enough */
    room = q->body.max - q->body.len;
    buf_add(&q->body, data, len < room ? len : room);
    return true;
}

static void on_done(void *arg, const struct dav_call_result *result)
{
    struct dav_query *q = arg;
    struct dav_session *s = q->session;

    q->call = NULL;
    q->shown = result->shown;
    switch (result->end) {
    case DAV_CALL_ANSWERED:
        on_answer(q, result->answer);
        break;
    case DAV_CALL_AGAIN:
        q->requests--;
        dav_session_put(s, q, DAV_QUERY_WAITING);
        break;
    case DAV_CALL_STUCK:
        on_stuck(q, result);
        break;
    case DAV_CALL_REFUSED:
        dav_session_put(s, q, DAV_QUERY_WAITING); /* to be told with the others */
        if (s->state == DAV_SESSION_READY && q->epoch == s->secret_epoch)
            dav_session_refused(s, result->code, "%s", result->evidence);
        break;
    }
    if (q->state != DAV_QUERY_ENDED)
        release_answer(q);
    dav_session_pump(s);
}

static void on_answer(struct dav_query *q, const struct fetch_answer *answer)
{
    enum dav_ms_result read = DAV_MS_OK;

    dav_session_count(q->session, answer);
    dav_session_report(q, answer);
    if (answer->err == FETCH_STOPPED || (answer->err == FETCH_OK && answer->status == 207 && q->ask.spec))
        read = q->ms ? dav_ms_finish(q->ms) : DAV_MS_BROKEN;
    if (read != DAV_MS_OK)
        on_unreadable(q, read, answer->status);
    else if (answer->err != FETCH_OK)
        on_wire_failure(q, answer);
    else
        on_whole(q, answer);
}

/* No verdict on the secret. Where it was accepted before, this may be one connection's trouble; else another scheme may
 * help, and this query waits for it. */
static void on_stuck(struct dav_query *q, const struct dav_call_result *result)
{
    struct dav_session *s = q->session;

    if (s->accepted && s->state != DAV_SESSION_REFUSED) {
        dav_session_trouble(s, result->code, result->evidence);
        dav_query_end(q, result->code, result->evidence);
        return;
    }
    dav_session_put(s, q, DAV_QUERY_WAITING);
    if (s->state == DAV_SESSION_READY)
        dav_session_stuck(s, result->code, result->evidence, result->shown);
}

static void on_wire_failure(struct dav_query *q, const struct fetch_answer *answer)
{
    const char *code = dav_fetch_code(answer->err);
    bool about_size = answer->err == FETCH_TOO_LARGE || answer->err == FETCH_PARTIAL || answer->err == FETCH_TIMEOUT ||
                      answer->err == FETCH_TCP_RESET;

    if (answer->err != FETCH_TOO_LARGE || !q->ask.may_shrink)
        dav_session_event(q->session, q, answer, code);
    if (q->ask.may_shrink && about_size && q->session->state == DAV_SESSION_READY) {
        struct fetch_answer smaller = {
            .status = answer->err == FETCH_TOO_LARGE ? DAV_STATUS_TOO_LARGE : DAV_STATUS_LOST,
            .body = answer->text,
            .body_len = strlen(answer->text),
            .fetch = answer->fetch,
        };

        deliver(q, &smaller);
        return;
    }
    end_unreached(q, code, answer->text);
}

/* At home a host that cannot be reached is everybody's trouble; where a mailbox has moved to, it is this mailbox's. */
static void end_unreached(struct dav_query *q, const char *code, const char *evidence)
{
    const struct dav_cause *cause = dav_cause_find(code);
    struct dav_url url;
    char text[200];

    if (!cause || cause->step > DAV_STEP_TLS || !dav_url_parse(q->url.data, &url) ||
        dav_url_same_origin(&url, &q->session->home)) {
        dav_query_end(q, code, evidence);
        return;
    }
    snprintf(text, sizeof(text), "%.60s port %u: %.40s: %.60s", url.host, url.port, code, evidence);
    dav_query_end(q, "mailbox-server-unreachable", text);
}

static void on_unreadable(struct dav_query *q, enum dav_ms_result why, int status)
{
    char text[200], printable[100];

    if (q->decision == DAV_FAIL) { /* the flavour had enough of it, and said why */
        dav_query_end(q, q->code, q->evidence);
        return;
    }
    str_printable(q->url.data, q->url.len, printable, sizeof(printable));
    snprintf(text, sizeof(text), "%s %s answered %d with %s", q->ask.method, printable, status,
             why == DAV_MS_TOO_LARGE ? "more than is accepted" : "a body that is no whole multistatus document");
    dav_query_end(q, why == DAV_MS_TOO_LARGE ? "answer-too-large" : "answer-malformed", text);
}

static void on_whole(struct dav_query *q, const struct fetch_answer *answer)
{
    struct dav_session *s = q->session;
    char text[64];

    q->retry_after_s = 0;
    q->suspect = q->suspect && answer->status == 440;
    dav_session_answer(s, q, answer);
    if (s->host_count > 1 && answer->status / 100 == 2 && q->epoch == s->secret_epoch)
        dav_session_host(s, q->url.data)->good = s->secret_epoch + 1;
    if (answer->status == 429 || q->retry_after_s > 0) {
        snprintf(text, sizeof(text), "answered %d", answer->status);
        dav_query_end(q, q->throttled_alone ? "mailbox-throttled" : "throttled", text);
    } else if (dav_redirect_is(answer->status)) {
        on_redirect(q, answer);
    } else if (answer->status == 401 || answer->status == 440) {
        on_denied(q, answer);
    } else {
        deliver(q, answer);
    }
}

/* A redirect to a logon page asks for that: of the account's own host where it is how one logs on, of others always. */
static bool wants_forms(const struct dav_query *q)
{
    struct dav_session *s = q->session;

    return s->auth->scheme == DAV_SCHEME_FORMS || dav_session_host(s, q->url.data) != &s->hosts[0];
}

/* The same method and body again, elsewhere. Whether credentials may go there is what dav_redirect_decide() decides. */
static void on_redirect(struct dav_query *q, const struct fetch_answer *answer)
{
    const char *location = fetch_header(answer->fetch, "Location", 0);
    const char *code = NULL;
    char text[200], printable[160];
    struct buf url;
    int reason;

    if (location && wants_forms(q) && dav_form_is_page(location, &reason)) {
        on_denied(q, answer); /* the logon page: a session that has ended looks so, too */
        return;
    }
    buf_init(&url, URL_MAX);
    switch (dav_redirect_decide(&q->session->redirects, q->url.data, location, q->hops, &url)) {
    case DAV_REDIRECT_FOLLOW:
        code = dav_redirect_trap(url.data);
        break;
    case DAV_REDIRECT_FOREIGN: /* Exchange itself sends us to the server that has this mailbox */
        code = fetch_header(answer->fetch, "MS-WebStorage", 0) ? "mailbox-moved" : "redirect-foreign";
        break;
    case DAV_REDIRECT_TOO_MANY:
        code = "redirect-loop";
        break;
    case DAV_REDIRECT_SENSELESS:
        code = "answer-malformed";
        break;
    }
    if (code) {
        snprintf(text, sizeof(text), "answered %d, to %s", answer->status,
                 str_printable(url.data, url.len, printable, sizeof(printable)));
        buf_free(&url);
        dav_query_end(q, code, text);
        return;
    }
    buf_free(&q->url);
    q->url = url;
    q->hops++;
    dav_session_put(q->session, q, DAV_QUERY_WAITING);
}

/* See session_logon.c for what a 401 can mean, and a 440, its like where one logs on by a form. */
static void on_denied(struct dav_query *q, const struct fetch_answer *answer)
{
    struct dav_session *s = q->session;
    struct dav_host *host = dav_session_host(s, q->url.data);
    enum dav_auth_verdict verdict = DAV_AUTH_REJECTED;
    const char *code = NULL;
    char text[160];

    if (host != &s->hosts[0] && (answer->status != 401 || dav_session_auth(s, host)->scheme == DAV_SCHEME_FORMS)) {
        if (dav_session_logon_there(s, host, answer)) {
            dav_session_put(s, q, DAV_QUERY_WAITING);
            return;
        }
        if (answer->status != 401 && q->jar_epoch != host->jar_epoch && q->stale++ < STALE_MAX) {
            dav_session_put(s, q, DAV_QUERY_WAITING); /* cookies that have been replaced since */
            return;
        }
        if (answer->status != 401 && dav_session_abroad(s, host, q))
            return;
        snprintf(text, sizeof(text), "%.80s wants a logon of its own that we may not use", host->origin);
        dav_query_end(q, "auth-none-usable", text);
        return;
    }
    if (answer->status == 401 && q->shown)
        verdict = dav_session_inside(s, answer) ? DAV_AUTH_DENIED
                                                : dav_auth_verdict_of(answer->body, answer->body_len, &code);
    if (answer->status == 401 && q->shown && verdict == DAV_AUTH_REJECTED && q->epoch == s->secret_epoch &&
        s->accepted && dav_session_abroad_refuses(s, host, q))
        return;
    if (q->epoch != s->secret_epoch && !q->resent) { /* it was the old secret that was refused */
        q->resent = true;
        dav_session_put(s, q, DAV_QUERY_WAITING);
    } else if (q->jar_epoch != host->jar_epoch && answer->status != 401 && q->stale < STALE_MAX) {
        q->stale++; /* it was cookies that have been replaced since */
        dav_session_put(s, q, DAV_QUERY_WAITING);
    } else if (verdict == DAV_AUTH_DENIED || q->pardoned ||
               (answer->status == 401 && s->accepted && s->good > q->number) ||
               (q->suspect && answer->status != 401)) {
        q->suspect = false;
        deliver(q, answer);
    } else if (s->accepted) {
        q->denied = true;
        q->denied_status = answer->status == 401 ? 401 : 440;
        dav_session_doubt(s, q);
    } else {
        dav_session_put(s, q, DAV_QUERY_WAITING); /* to be told with the others */
        if (s->state == DAV_SESSION_READY)
            dav_session_first_401(s, answer, q->origin.data, q->shown);
    }
}

/* To the flavour. `answer` NULL: a 401 or 440 that was held back. */
static void deliver(struct dav_query *q, const struct fetch_answer *answer)
{
    struct dav_url at = {.path = ""};
    struct dav_reply reply = {
        .status = answer ? answer->status : q->denied_status,
        .multistatus = answer && answer->status == 207 && q->ask.spec,
        .rows = q->ms ? dav_ms_rows(q->ms) : 0,
        .sync_token = q->ms ? dav_ms_sync_token(q->ms) : "",
        .body = q->body.len > 0 || !answer ? q->body.data : answer->body,
        .body_len = q->body.len > 0 || !answer ? q->body.len : answer->body_len,
        .url = q->url.data,
        .fetch = answer ? answer->fetch : NULL,
    };

    dav_url_parse(q->url.data, &at);
    reply.path = at.path;
    /* Who sent us elsewhere will do so again: go there at once from now on. And what an answer names by its path alone
     * lies on the host that answered, which need not be the account's own. */
    if (q->hops > 0 || (reply.multistatus && q->ask.url[0] != '/')) {
        buf_reset(&q->origin);
        dav_url_origin(&at, &q->origin);
    }
    q->decision = DAV_UNDECIDED;
    q->flavour->answer(q, &reply);
    act(q);
}

static void release_answer(struct dav_query *q)
{
    dav_session_give_back(q->session, &q->ms);
    buf_reset(&q->body);
}

static void query_free(void *arg)
{
    struct dav_query *q = arg;

    buf_free(&q->url);
    buf_free(&q->origin);
    buf_free(&q->body);
    buf_free(&q->spans);
    buf_free(&q->remember);
    arena_free(&q->arena);
    free(q);
}
