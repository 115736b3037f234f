/*
 * session_hint: what a session tells without having been asked: that somebody's calendar may have changed. Flavours
 * hear of it (a POLL that was made for another person, a datagram), the gateway takes note and asks sooner.
 */
#include "inner.h"

void dav_session_on_hint(struct dav_session *s, dav_hint_fn *fn, void *arg)
{
    s->on_hint = fn;
    s->hint_arg = arg;
}

void dav_session_hint(struct dav_session *s, uint32_t number)
{
    if (s->on_hint && s->state != DAV_SESSION_CLOSED)
        s->on_hint(s->hint_arg, number);
}

struct loop *dav_session_loop(const struct dav_session *s)
{
    return s->loop;
}

const char *dav_session_name(const struct dav_session *s)
{
    return s->account.name;
}

void dav_session_on_request(struct dav_session *s, dav_request_fn *fn, void *arg)
{
    s->on_request = fn;
    s->request_arg = arg;
}

void dav_session_report(const struct dav_query *q, const struct fetch_answer *answer)
{
    if (!q->session->on_request)
        return;
    const char *address = q->question.address;
    struct dav_request_report report = {
        .address = address && address[0] ? address : NULL,
        .method = q->ask.method,
        .url = q->url.data,
        .status = answer->status,
        .code = answer->err == FETCH_OK || answer->err == FETCH_STOPPED ? NULL : dav_fetch_code(answer->err),
        .ms = answer->total_ms,
        .bytes = answer->body_len,
        .connection = answer->connection_id,
    };
    q->session->on_request(q->session->request_arg, &report);
}
