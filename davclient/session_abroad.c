/*
 * session_abroad: logging on by a form at a host that redirects led to. The session's own logon is at the account's
 * host; what another host wants is its own matter, and only the questions that lead there wait for it (ABROAD). Called
 * by query.c when such a host asks for its form.
 *
 *   proving     the cookies of before, on the host's own base: good, and the 440 was for the person; else
 *   logging on  the form, with cookies of this host alone
 *   trying      whether these are worth something: only their first use tells
 *
 * A logon that is refused there is the secret's one rejection for all such hosts: nothing more is shown to any of them
 * that has not taken it yet, by whatever scheme, until there is another secret or an administrator says so. The
 * account's own host is not concerned.
 */
#include <stdio.h>
#include <string.h>

#include "auth_call.h"
#include "auth_form.h"
#include "base/loop.h"
#include "inner.h"

#define BODY_MAX (64 * 1024)
#define WALKS_MAX 5 /* of one question */

static void walk(struct dav_host *host);
static void log_on(struct dav_host *host);
static void ask_base(struct dav_host *host, dav_call_fn *done);
static void on_proof(void *host, const struct dav_call_result *result);
static void on_form(void *host, const struct dav_form_verdict *verdict);
static void on_try(void *host, const struct dav_call_result *result);
static bool no_answer(struct dav_host *host, const struct dav_call_result *result);
static bool wants_form(const struct fetch_answer *answer);
static void refused(struct dav_host *host, const char *code, const char *evidence);
static void go_on(struct dav_host *host, bool personal);
static void end_all(struct dav_host *host, const char *code, const char *evidence);
static struct dav_query *next_of(const struct dav_host *host);

bool dav_session_abroad(struct dav_session *s, struct dav_host *host, struct dav_query *q)
{
    const char *unused;

    if (dav_session_auth(s, host)->scheme != DAV_SCHEME_FORMS) {
        const struct dav_auth_ops *ops =
            dav_auth_choose(&s->account, 1U << DAV_SCHEME_FORMS, 0, dav_session_private_line(&host->url), &unused);

        if (!ops)
            return false;
        host->auth = ops;
        host->offered = 1U << DAV_SCHEME_FORMS;
    }
    if (q->walks++ == WALKS_MAX) {
        dav_query_end(q, "auth-none-usable", "each logon by form is followed by another");
        return true;
    }
    q->denied_status = 440;
    dav_session_put(s, q, DAV_QUERY_ABROAD);
    if (!host->own && !host->form)
        walk(host);
    return true;
}

bool dav_session_abroad_refuses(struct dav_session *s, struct dav_host *host, struct dav_query *q)
{
    char text[160];

    if (host == &s->hosts[0] || host->good == s->secret_epoch + 1)
        return false;
    if (s->abroad_refused != s->secret_epoch + 1) {
        s->abroad_refused = s->secret_epoch + 1;
        s->rejected_logons++;
    }
    snprintf(text, sizeof(text), "%.80s refuses %.60s", host->origin, s->account.user);
    dav_query_end(q, "logon-rejected", text);
    return true;
}

void dav_session_abroad_stop(struct dav_session *s)
{
    struct dav_query *q;

    for (size_t i = 1; i < s->host_count; i++) {
        dav_call_cancel(&s->hosts[i].own);
        dav_form_logon_cancel(&s->hosts[i].form);
    }
    while ((q = TAILQ_FIRST(&s->abroad)))
        dav_session_put(s, q, DAV_QUERY_WAITING);
}

static void walk(struct dav_host *host)
{
    if (host->jar && !dav_jar_empty(host->jar))
        ask_base(host, on_proof);
    else
        log_on(host);
}

static void log_on(struct dav_host *host)
{
    struct dav_session *s = host->session;

    if (s->abroad_refused == s->secret_epoch + 1)
        end_all(host, "logon-rejected", "refused before by a server that mailboxes have moved to");
    else
        host->form = dav_form_logon_start(s, host, s->secret, on_form, host);
}

static void ask_base(struct dav_host *host, dav_call_fn *done)
{
    struct dav_session *s = host->session;
    struct dav_call_request request = {
        .http =
            {
                .method = "PROPFIND",
                .headers = s->flavour->probe_headers,
                .body = s->flavour->probe_body,
                .body_len = strlen(s->flavour->probe_body),
                .total_ms = DAV_REQUEST_TOTAL_MS,
                .max_body = BODY_MAX,
            },
        .host = host,
        .own = true,
        .done = done,
        .arg = host,
    };
    struct buf url;

    buf_init(&url, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32);
    buf_adds(&url, host->origin);
    buf_adds(&url, s->base_path);
    request.http.url = url.data;
    s->sent++;
    host->own = dav_call_start(s, &request);
    buf_free(&url);
}

static void on_proof(void *arg, const struct dav_call_result *result)
{
    struct dav_host *host = arg;

    if (no_answer(host, result))
        return;
    if (wants_form(result->answer))
        log_on(host);
    else
        go_on(host, true);
}

static void on_form(void *arg, const struct dav_form_verdict *verdict)
{
    struct dav_host *host = arg;

    host->form = NULL;
    switch (verdict->end) {
    case DAV_FORM_IN:
        ask_base(host, on_try);
        return;
    case DAV_FORM_REJECTED:
        refused(host, verdict->code, verdict->evidence);
        return;
    case DAV_FORM_STUCK:
        end_all(host, verdict->code, verdict->evidence);
        return;
    case DAV_FORM_WIRE:
        end_all(host, dav_fetch_code(verdict->answer->err), verdict->answer->text);
        return;
    }
}

static void on_try(void *arg, const struct dav_call_result *result)
{
    struct dav_host *host = arg;

    if (no_answer(host, result))
        return;
    if (wants_form(result->answer))
        refused(host, "logon-rejected", "the cookies of the logon are worth nothing");
    else
        go_on(host, false);
}

static bool no_answer(struct dav_host *host, const struct dav_call_result *result)
{
    host->own = NULL;
    if (result->end != DAV_CALL_ANSWERED) {
        end_all(host, result->code ? result->code : "auth-none-usable", result->evidence);
        return true;
    }
    dav_session_count(host->session, result->answer);
    if (result->answer->err == FETCH_OK)
        return false;
    end_all(host, dav_fetch_code(result->answer->err), result->answer->text);
    return true;
}

static bool wants_form(const struct fetch_answer *answer)
{
    const char *location = fetch_header(answer->fetch, "Location", 0);
    int reason;

    return answer->status == 440 ||
           (dav_redirect_is(answer->status) && location && dav_form_is_page(location, &reason));
}

static void refused(struct dav_host *host, const char *code, const char *evidence)
{
    struct dav_session *s = host->session;
    char text[200];

    s->abroad_refused = s->secret_epoch + 1;
    s->rejected_logons++;
    dav_jar_free(&host->jar);
    snprintf(text, sizeof(text), "%.90s: %.100s", host->origin, evidence);
    end_all(host, code, text);
}

/* They are asked again, or told that it was about them. */
static void go_on(struct dav_host *host, bool personal)
{
    struct dav_query *q;

    while ((q = next_of(host))) {
        q->denied = q->pardoned = personal;
        dav_session_put(host->session, q, DAV_QUERY_WAITING);
    }
    dav_session_wake(host->session);
}

/* Callbacks may bring new questions, or end it all. */
static void end_all(struct dav_host *host, const char *code, const char *evidence)
{
    struct dav_session *s = host->session;
    struct dav_query *q;

    while (s->state != DAV_SESSION_CLOSED && (q = next_of(host)))
        dav_query_end(q, code, evidence);
    dav_session_wake(s);
}

static struct dav_query *next_of(const struct dav_host *host)
{
    struct dav_query *q;

    TAILQ_FOREACH(q, &host->session->abroad, entry)
    {
        if (dav_session_host(host->session, q->url.data) == host)
            return q;
    }
    return NULL;
}
