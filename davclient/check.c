/*
 * check: the same question, told step by step. There is no second way of doing things: a check is a query whose
 * progress is reported. One walk passes several steps at once (who gets an HTTP answer has passed DNS, TCP and TLS), so
 * a step is reported as passed when something beyond it worked, and as failed by the step that its cause belongs to, or
 * by the first one not passed if that is later.
 */
#include <stdio.h>
#include <string.h>

#include "base/utc.h"
#include "inner.h"

static void report(struct dav_query *q, enum dav_step step, const char *code, const char *evidence);
static void pass_until(struct dav_query *q, enum dav_step end);
static bool applies(const struct dav_session *s, enum dav_step step);
static void describe(const struct dav_session *s, enum dav_step step, char *out, size_t size);

struct dav_query *dav_check_start(struct dav_session *s, const struct dav_question *question, dav_step_fn *on_step,
                                  dav_query_fn *done, void *arg)
{
    return dav_query_new(s, question, on_step, done, arg);
}

void dav_check_logged_on(struct dav_query *q)
{
    pass_until(q, DAV_STEP_MAILBOX);
}

void dav_check_passed(struct dav_query *q, enum dav_step step, const char *evidence)
{
    pass_until(q, step);
    if (q->state != DAV_QUERY_ENDED && q->passed < (int)step)
        report(q, step, NULL, evidence);
}

void dav_check_failed(struct dav_query *q, const char *code, const char *evidence)
{
    const struct dav_cause *cause = dav_cause_find(code);
    enum dav_step step = cause->step;

    if (q->session->requests == 0) { /* nobody was contacted: nothing is known of the steps between */
        pass_until(q, DAV_STEP_DNS);
        if (q->state == DAV_QUERY_ENDED)
            return;
        q->passed = (int)step - 1;
    }
    if (step == DAV_STEP_READ && q->passed < DAV_STEP_MAILBOX) /* any answer can be malformed: which one was it? */
        step = q->passed >= DAV_STEP_LOGON                                          ? DAV_STEP_MAILBOX
               : q->session->probed && strcmp(cause->code, "answer-malformed") == 0 ? DAV_STEP_SCHEMES
                                                                                    : DAV_STEP_HTTP;
    if ((int)step <= q->passed)
        step = (enum dav_step)(q->passed + 1 < DAV_STEP_READ ? q->passed + 1 : DAV_STEP_READ);
    pass_until(q, step);
    if (q->state != DAV_QUERY_ENDED)
        report(q, step, cause->code, evidence);
}

static void report(struct dav_query *q, enum dav_step step, const char *code, const char *evidence)
{
    struct dav_step_report r = {
        .step = step,
        .ok = !code,
        .cause = code ? dav_cause_find(code) : NULL,
        .evidence = evidence && evidence[0] ? evidence : NULL,
    };

    q->passed = (int)step;
    q->on_step(q->arg, &r);
}

static void pass_until(struct dav_query *q, enum dav_step end)
{
    char text[200];

    for (int step = q->passed + 1; step < (int)end && q->state != DAV_QUERY_ENDED; step++) {
        text[0] = '\0';
        if (!applies(q->session, (enum dav_step)step))
            continue;
        describe(q->session, (enum dav_step)step, text, sizeof(text));
        report(q, (enum dav_step)step, NULL, text);
    }
}

static bool applies(const struct dav_session *s, enum dav_step step)
{
    return (step != DAV_STEP_PROXY || s->account.proxy) && (step != DAV_STEP_TLS || s->home.tls);
}

static void describe(const struct dav_session *s, enum dav_step step, char *out, size_t size)
{
    char until[UTC_TEXT_MAX];

    switch (step) {
    case DAV_STEP_CONFIG:
        snprintf(out, size, "server %.60s, %.120s", s->account.name, s->account.url);
        return;
    case DAV_STEP_DNS:
        if (s->domain)
            snprintf(out, size, "%.80s is served by %.100s", s->domain, s->account.url);
        else
            snprintf(out, size, "%.190s", s->home.host);
        return;
    case DAV_STEP_TCP:
        snprintf(out, size, "port %u", s->home.port);
        return;
    case DAV_STEP_TLS:
        if (s->cert_not_after)
            snprintf(out, size, "certificate until %s", utc_rfc3339(s->cert_not_after, until));
        return;
    case DAV_STEP_HTTP:
        snprintf(out, size, "%s", s->product);
        return;
    case DAV_STEP_SCHEMES:
        if (s->auth)
            snprintf(out, size, "offered: %.50s; used: %.120s", s->offered_text, s->chosen_because);
        return;
    case DAV_STEP_LOGON:
        snprintf(out, size, "as %.70s%s%.90s", s->account.user, s->server_says[0] ? "; the server says: " : "",
                 s->server_says);
        return;
    case DAV_STEP_PROXY: { /* without what stands before an @ in it */
        const char *at = strrchr(s->account.proxy, '@');

        snprintf(out, size, "%.120s%s%.60s", at ? at + 1 : s->account.proxy, s->account.proxy_user ? " as " : "",
                 s->account.proxy_user ? s->account.proxy_user : "");
        return;
    }
    case DAV_STEP_MAILBOX:
    case DAV_STEP_CALENDAR:
    case DAV_STEP_READ:
    case DAV_STEP_PUBLISH:
        return;
    }
}
