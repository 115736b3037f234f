/* session_refusal: a secret's refusal, told to whoever remembers it over a restart, and believed at the next start. */
#include "base/loop.h"
#include "inner.h"

bool dav_session_refusal(const struct dav_session *s, const char **ret_code, const char **ret_evidence)
{
    if (!s->cause || (s->state != DAV_SESSION_REFUSED && !s->budget.rejected))
        return false;
    *ret_code = s->cause->code;
    *ret_evidence = s->evidence;
    return true;
}

void dav_session_refuse(struct dav_session *s, const char *code, const char *evidence)
{
    s->budget.rejected = true;
    s->budget.retry_spent = true;
    dav_session_blame(s, code, "%s", evidence);
    dav_session_enter(s, DAV_SESSION_REFUSED, code);
}
