/*
 * session_secret: what a secret may still do. One budget for all connections to a server: a secret that was rejected is
 * not shown again until there is another one, an administrator says so, or, when it had worked within ten minutes, once
 * more after a minute (auth_budget.c).
 *
 * A new secret is on trial while the one before is kept: it is shown once, by the session's own logon. When that is
 * refused and the one before was good, that one is in use again, and says so. When later that one is refused as well,
 * the server has probably learnt the new one meanwhile, so the new one has its second chance, before anything else is
 * tried. So neither is refused more than twice until a logon succeeds, a file changes or an administrator says so.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "auth_call.h"
#include "auth_form.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/secret.h"
#include "base/utc.h"
#include "inner.h"

#define UNJUDGED_MAX 3

static void try_refused_one(struct dav_session *s);
static void fall_back(struct dav_session *s, const char *code);
static bool try_next_scheme(struct dav_session *s, const char *code, const char *evidence);
static void note_unfit(struct dav_session *s, const char *code, const char *evidence);
static uint64_t person(const struct dav_query *q);
static bool was_accused(const struct dav_session *s, uint64_t id);

void dav_session_set_secret(struct dav_session *s, const struct secret *secret)
{
    if (s->refused && secret_equal(s->refused, secret))
        return; /* the file was touched; that changes no verdict */
    secret_free(&s->refused);
    s->second_chance = false;
    s->secret_note[0] = '\0';
    if (s->secret && secret_equal(s->secret, secret))
        return;
    if (s->secret && !s->previous && s->budget.worked && !s->budget.rejected) {
        s->previous = s->secret;
        s->previous_budget = s->budget;
        s->secret = NULL;
    }
    secret_free(&s->secret);
    s->secret = secret_copy(secret);
    dav_budget_fresh(&s->budget);
    s->unjudged = 0;
    dav_session_start_over(s, "new secret");
}

void dav_session_set_proxy_secret(struct dav_session *s, const struct secret *secret)
{
    const struct secret *old = s->account.proxy_secret;
    bool by_proxy = s->cause && strcmp(s->cause->code, "proxy-auth") == 0;
    struct dav_query *q;

    if (old && secret && secret_equal(old, secret))
        return;
    while ((q = TAILQ_FIRST(&s->flying)))
        dav_query_recall(q);
    dav_call_cancel(&s->own);
    dav_form_logon_cancel(&s->form);
    dav_session_abroad_stop(s);
    dav_account_proxy_secret(&s->account, secret);
    dav_session_reconnect(s);
    if (s->state != DAV_SESSION_REFUSED || by_proxy)
        dav_session_start_over(s, "new password for the proxy");
}

void dav_session_unbreak(struct dav_session *s)
{
    if (s->refused) { /* the one in the file, then, and the one in use if need be */
        s->previous = s->secret;
        dav_budget_fresh(&s->previous_budget);
        s->secret = s->refused;
        s->refused = NULL;
    }
    dav_budget_fresh(&s->budget);
    s->second_chance = false;
    s->unjudged = 0;
    dav_session_start_over(s, "told to try again");
}

bool dav_session_secret_in(struct dav_session *s)
{
    bool trial = s->previous != NULL;

    s->accepted = true;
    s->unjudged = 0;
    s->second_chance = s->refused != NULL;
    dav_budget_worked(&s->budget, clk_mono_ms(loop_clk(s->loop)));
    if (trial) {
        secret_free(&s->previous);
        s->secret_note[0] = '\0';
        log_notice("dav", "[%u] srv=%s the new secret is accepted", s->id, s->account.name);
    }
    return trial;
}

/* The verdict is out: rejected. */
void dav_session_refused(struct dav_session *s, const char *code, const char *fmt, ...)
{
    char text[sizeof(s->evidence)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (s->auth->scheme == DAV_SCHEME_NTLM) { /* what besides the password may be the reason: level, domain, clock */
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, " at level %d%s%s", s->account.lm_compatibility_level,
                 s->server_says[0] ? "; the server says: " : "", s->server_says);
    }
    s->rejected_logons++;
    /* a key is not the password, but the account is the same: what is wrong with that is wrong with both */
    if (s->auth->keyless && strcmp(code, "logon-rejected") == 0 && try_next_scheme(s, code, text))
        return;
    dav_session_blame(s, code, "%s", text);
    dav_session_enter(s, dav_session_rejected(s), code);
}

/* What follows on a refusal of the secret in use. */
enum dav_session_state dav_session_rejected(struct dav_session *s)
{
    if (s->previous) {
        fall_back(s, s->cause->code);
        if (!s->budget.rejected)
            return DAV_SESSION_NEW;
    } else {
        s->retry_ms = dav_budget_rejected(&s->budget, clk_mono_ms(loop_clk(s->loop)));
        if (s->refused && s->second_chance) {
            try_refused_one(s);
            return DAV_SESSION_NEW;
        }
    }
    return DAV_SESSION_REFUSED;
}

/* The scheme cannot be carried through, and nobody judged the secret: the next one may do better. */
void dav_session_stuck(struct dav_session *s, const char *code, const char *evidence, bool shown)
{
    if (!shown && try_next_scheme(s, code, evidence))
        return;
    if (shown) { /* not twice in one go; after the pause the next scheme has its turn */
        note_unfit(s, code, evidence);
        s->unfit_stays = true;
    }
    s->unjudged += shown;
    dav_session_blame(s, s->unfit_code, "%s", s->unfit_evidence);
    /* a secret that is shown again and again may be counted by somebody who does not tell */
    dav_session_enter(s, s->unjudged >= UNJUDGED_MAX ? DAV_SESSION_REFUSED : DAV_SESSION_UNREACHABLE, s->unfit_code);
}

/*
 * A 401 for a person whose calendar could be read before looks like a password that was changed. Proving it would show
 * the secret to the server a second time at once; instead everybody waits a minute, which is the one retry there is,
 * and meanwhile the secret's file may change. A server that says 401 for closed mailboxes is known after the first.
 */
bool dav_session_hold(struct dav_session *s)
{
    struct dav_query *q;
    unsigned count = 0;

    if (s->auth->scheme == DAV_SCHEME_FORMS || s->denies_by_401)
        return false;
    TAILQ_FOREACH(q, &s->doubtful, entry)
    {
        if (q->denied_status != 401 || !q->question.remember || was_accused(s, person(q)))
            return false;
        count++;
    }
    TAILQ_FOREACH(q, &s->doubtful, entry)
    {
        s->accused[s->accused_next++ % DAV_ACCUSED] = person(q);
    }
    s->rejected_logons += count;
    dav_session_blame(s, "logon-rejected", "%s: 401 for %s, which was accepted before", s->hosts[0].origin,
                      s->account.user);
    return true;
}

/* The person could be read: that 401 was not about them. */
void dav_session_acquit(struct dav_session *s, const struct dav_query *q)
{
    uint64_t id;

    if (s->accused_next == 0)
        return;
    id = person(q);
    for (size_t i = 0; i < DAV_ACCUSED; i++)
        if (s->accused[i] == id)
            s->accused[i] = 0;
}

/* The one in use was refused: the file's is on trial once more. */
static void try_refused_one(struct dav_session *s)
{
    s->second_chance = false;
    s->previous = s->secret;
    s->previous_budget = s->budget;
    s->secret = s->refused;
    s->refused = NULL;
    dav_budget_fresh(&s->budget);
    s->secret_epoch++;
    log_notice("dav", "[%u] srv=%s the secret in use was refused (%s): the file's, refused before, is tried again",
               s->id, s->account.name, s->cause->code);
}

static void fall_back(struct dav_session *s, const char *code)
{
    char now[UTC_TEXT_MAX];

    secret_free(&s->refused);
    s->refused = s->secret;
    s->secret = s->previous;
    s->previous = NULL;
    s->budget = s->previous_budget;
    s->secret_epoch++;
    snprintf(s->secret_note, sizeof(s->secret_note), "the new secret was refused (%s) at %s, the one before %s", code,
             utc_rfc3339(clk_wall_s(loop_clk(s->loop)), now), s->budget.rejected ? "as well" : "stays in use");
    log_warning("dav", "[%u] srv=%s %s", s->id, s->account.name, s->secret_note);
}

static bool try_next_scheme(struct dav_session *s, const char *code, const char *evidence)
{
    const char *unused;

    note_unfit(s, code, evidence);
    if (!dav_auth_choose(&s->account, s->offered, s->unfit, dav_session_private_line(&s->home), &unused))
        return false;
    dav_session_enter(s, DAV_SESSION_NEW, "next scheme");
    return true;
}

static void note_unfit(struct dav_session *s, const char *code, const char *evidence)
{
    const struct dav_auth_ops *failed = s->auth;

    s->unfit |= 1U << failed->scheme;
    if (!s->unfit_code) {
        s->unfit_code = code;
        snprintf(s->unfit_evidence, sizeof(s->unfit_evidence), "%s", evidence);
    }
    log_notice("dav", "[%u] srv=%s %s cannot be used: %s (%s)", s->id, s->account.name, dav_scheme_name(failed->scheme),
               code, evidence);
}

/* FNV-1a. */
static uint64_t person(const struct dav_query *q)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (const char *p = q->question.address; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
    return hash;
}

static bool was_accused(const struct dav_session *s, uint64_t id)
{
    for (size_t i = 0; i < DAV_ACCUSED; i++)
        if (s->accused[i] == id)
            return true;
    return false;
}
