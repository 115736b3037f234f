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
