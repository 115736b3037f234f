/*
 * auth_budget: how often a secret may still be shown to a server. One rejected logon ends it; a secret that had worked
 * within ten minutes gets one more chance a minute later, since a domain controller may have had a hiccup. Pure; the
 * session asks, and forgets the budget when there is another secret or an administrator says so.
 */
#include "auth.h"

#define WORKED_LATELY_MS (10 * 60 * 1000)

void dav_budget_fresh(struct dav_budget *b)
{
    *b = (struct dav_budget){0};
}

void dav_budget_worked(struct dav_budget *b, int64_t now_ms)
{
    *b = (struct dav_budget){.worked = true, .worked_at_ms = now_ms};
}

int64_t dav_budget_rejected(struct dav_budget *b, int64_t now_ms)
{
    bool again = b->worked && now_ms - b->worked_at_ms <= WORKED_LATELY_MS && !b->retry_spent;

    b->rejected = true;
    b->retry_spent = true;
    return again ? DAV_BUDGET_RETRY_MS : -1;
}
