/*
 * session_logon: the session's own requests, all PROPFINDs of Depth 0: the probe (bare, on the account's URL), the
 * logon (the same with credentials; where one logs on by a form, the form before it), and the proof.
 *
 * The logon is asked on the account's URL and not on somebody's mailbox, because a 401 there can only be about the
 * account. A 401 on a mailbox, from an account that was good until now, can mean "not this mailbox" or "not any more".
 * Nothing more is sent with the secret then until it is known: by the answer to a request that left later than the
 * refused one, or by one proof. With a form it is a 440 that can mean "not this mailbox" or "log on again"; the proof
 * shows nothing but cookies, and when they have expired a logon follows by itself.
 */
#include <stdio.h>
#include <string.h>

#include "auth_call.h"
#include "auth_form.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/str.h"
#include "inner.h"

#define OWN_BODY_MAX (256 * 1024)

enum asking { BARE, LOGON, PROOF };

static void ask(struct dav_session *s, const char *url, enum asking what, dav_call_fn *done);
static void on_discovered(void *session, const char *url, const char *code, const char *evidence);
static void on_probe(void *session, const struct dav_call_result *result);
static void on_form(void *session, const struct dav_form_verdict *verdict);
static void on_logon(void *session, const struct dav_call_result *result);
static void on_proof(void *session, const struct dav_call_result *result);
static void on_proof_failed(struct dav_session *s, const struct fetch_answer *answer);
static bool common(struct dav_session *s, const struct dav_call_result *result);
static bool wants_form(const struct fetch_answer *answer);
static bool is_refusal(const struct dav_session *s, const struct fetch_answer *answer, const char **ret_code);
static void choose(struct dav_session *s, dav_auth_set offered, enum dav_session_state next);
static void explain(struct dav_session *s, dav_auth_set offered);
static const char *judge(struct dav_session *s, const struct fetch_answer *answer, bool logged_on);
static const char *judge_redirect(struct dav_session *s, const char *location, char *evidence, size_t size);
static void fail(struct dav_session *s, const char *code, const char *text);
static void pardon_all(struct dav_session *s);
static void pardon(struct dav_session *s, struct dav_query *q);

enum dav_session_state dav_session_probe(struct dav_session *s)
{
    const char *code;

    if (s->domain && !s->found) {
        s->discover = dav_discover_start(s->loop, &s->discovery, on_discovered, s);
        return DAV_SESSION_PROBING;
    }
    if (!dav_auth_choose(&s->account, DAV_AUTH_ANY, 0, dav_session_private_line(&s->home), &code) &&
        strcmp(code, "auth-cleartext-refused") == 0) {
        dav_session_blame(s, code, "%s is neither https nor on this machine", s->hosts[0].origin);
        return DAV_SESSION_REFUSED;
    }
    ask(s, NULL, BARE, on_probe);
    return DAV_SESSION_PROBING;
}

enum dav_session_state dav_session_logon(struct dav_session *s)
{
    if (s->auth->scheme == DAV_SCHEME_FORMS)
        s->form = dav_form_logon_start(s, &s->hosts[0], s->secret, on_form, s);
    else
        ask(s, NULL, LOGON, on_logon);
    return DAV_SESSION_LOGGING_ON;
}

enum dav_session_state dav_session_prove(struct dav_session *s)
{
    if (dav_session_hold(s))
        return dav_session_rejected(s);
    loop_timer_in(s->timer, OWN_REQUEST_DEADLINE_MS);
    ask(s, s->guarded ? NULL : s->good_url, PROOF, on_proof);
    return DAV_SESSION_DOUBT;
}

/* The first answer to a credential at all, where the account's URL asks nobody for one. */
void dav_session_first_401(struct dav_session *s, const struct fetch_answer *answer, const char *where, bool shown)
{
    dav_auth_set offered = dav_auth_offered(answer->fetch, answer->status);
    enum dav_auth_verdict verdict;
    const char *code, *unused;

    if (offered && dav_auth_choose(&s->account, offered, s->unfit, true, &unused) != s->auth) {
        s->seen = offered;
        dav_session_enter(s, DAV_SESSION_NEW, "mailboxes ask for another logon");
        return;
    }
    verdict = dav_auth_verdict_of(answer->body, answer->body_len, &code);
    if (verdict == DAV_AUTH_NOT_THIS_WAY)
        dav_session_stuck(s, "auth-none-usable", "401.2: not this way", shown);
    else
        dav_session_refused(s, code, "%s: %d for %s by %s", where, answer->status, s->account.user,
                            dav_scheme_name(s->auth->scheme));
}

void dav_session_doubt(struct dav_session *s, struct dav_query *q)
{
    bool again = s->state != DAV_SESSION_READY && s->state != DAV_SESSION_DOUBT;

    if (again) { /* the state says more than this 401 */
        dav_session_put(s, q, DAV_QUERY_WAITING);
        return;
    }
    dav_session_put(s, q, DAV_QUERY_DOUBTFUL);
    if (s->state == DAV_SESSION_READY)
        dav_session_enter(s, DAV_SESSION_DOUBT, "denied to an account that was good");
}

void dav_session_settle_doubt(struct dav_session *s)
{
    struct dav_query *q = TAILQ_FIRST(&s->doubtful);

    while (q && s->state == DAV_SESSION_DOUBT) {
        struct dav_query *next = TAILQ_NEXT(q, entry);

        if (s->good > q->number)
            pardon(s, q);
        q = next;
    }
    if (s->state != DAV_SESSION_DOUBT)
        return;
    if (TAILQ_EMPTY(&s->doubtful))
        dav_session_enter(s, DAV_SESSION_READY, "it was about one person");
    else if (s->flying_count == 0 && !s->own)
        dav_session_enter(s, dav_session_prove(s), "no proof");
}

/* `url` NULL: the account's own. */
static void ask(struct dav_session *s, const char *url, enum asking what, dav_call_fn *done)
{
    struct buf home;
    struct dav_call_request request = {
        .http =
            {
                .method = s->flavour->probe_method ? s->flavour->probe_method : "PROPFIND",
                .headers = s->flavour->probe_headers,
                .body = s->flavour->probe_body,
                .body_len = s->flavour->probe_body ? strlen(s->flavour->probe_body) : 0,
                .total_ms = DAV_REQUEST_TOTAL_MS,
                .max_body = OWN_BODY_MAX,
            },
        .own = true,
        .bare = what == BARE,
        .anew = what != BARE,
        .done = done,
        .arg = s,
    };

    buf_init(&home, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32);
    buf_adds(&home, s->hosts[0].origin);
    buf_adds(&home, s->base_path);
    request.http.url = url ? url : home.data;
    request.host = dav_session_host(s, request.http.url);
    if (what != BARE)
        s->sent++;
    s->own = dav_call_start(s, &request);
    buf_free(&home);
}

/* The url is known; the probe itself comes next. */
static void on_discovered(void *session, const char *url, const char *code, const char *evidence)
{
    struct dav_session *s = session;
    enum dav_session_state next;

    s->discover = NULL;
    if (code) {
        fail(s, code, evidence);
        return;
    }
    s->found = true;
    s->discovery.attempt++;
    if (!dav_session_move_home(s, url)) {
        fail(s, "answer-malformed", "DNS names a server that cannot be used");
        return;
    }
    next = dav_session_probe(s);
    if (next != DAV_SESSION_PROBING)
        dav_session_enter(s, next, "as follows");
}

static void on_probe(void *session, const struct dav_call_result *result)
{
    struct dav_session *s = session;
    const struct fetch_answer *answer = result->answer;
    const char *code;

    if (!common(s, result))
        return;
    s->offered = dav_auth_offered(answer->fetch, answer->status);
    if (wants_form(answer))
        s->offered |= 1U << DAV_SCHEME_FORMS;
    s->guarded = answer->status == 401 || wants_form(answer);
    s->storage_outside = answer->status == 401 && fetch_header(answer->fetch, "MS-WebStorage", 0);
    s->probed = true;
    dav_auth_set_text(s->offered, s->offered_text, sizeof(s->offered_text));
    if (s->guarded) {
        choose(s, s->offered, DAV_SESSION_LOGGING_ON);
        return;
    }
    code = judge(s, answer, false);
    if (code)
        fail(s, code, NULL);
    else
        choose(s, s->seen ? s->seen : DAV_AUTH_ANY, DAV_SESSION_READY);
}

static void on_form(void *session, const struct dav_form_verdict *verdict)
{
    struct dav_session *s = session;

    s->form = NULL;
    switch (verdict->end) {
    case DAV_FORM_IN:
        ask(s, NULL, LOGON, on_logon);
        return;
    case DAV_FORM_REJECTED:
        dav_session_refused(s, verdict->code, "%s", verdict->evidence);
        return;
    case DAV_FORM_STUCK:
        dav_session_stuck(s, verdict->code, verdict->evidence, verdict->shown);
        return;
    case DAV_FORM_WIRE:
        break;
    }
    s->failures++;
    fail(s, dav_fetch_code(verdict->answer->err), verdict->answer->text);
}

static void on_logon(void *session, const struct dav_call_result *result)
{
    struct dav_session *s = session;
    const struct fetch_answer *answer = result->answer;
    enum dav_auth_verdict verdict;
    const char *code;

    if (!common(s, result))
        return;
    if (wants_form(answer) && s->auth->scheme != DAV_SCHEME_FORMS) {
        dav_session_stuck(s, "auth-none-usable", "the server wants its form filled in", false);
        return;
    }
    if (wants_form(answer)) { /* what the server said to the form meant nothing: only this does */
        dav_session_refused(s, "logon-rejected", "%s: the cookies of the logon of %s are worth nothing (%d)",
                            s->hosts[0].origin, s->account.user, answer->status);
        return;
    }
    if (is_refusal(s, answer, &code)) {
        dav_session_refused(s, code, "%s: %d for %s by %s", s->hosts[0].origin, answer->status, s->account.user,
                            dav_scheme_name(s->auth->scheme));
        return;
    }
    if (answer->status == 401) {
        verdict = dav_auth_verdict_of(answer->body, answer->body_len, &code);
        if (verdict == DAV_AUTH_NOT_THIS_WAY) {
            dav_session_stuck(s, "auth-none-usable", "401.2: the server does not take this way of logging on", true);
            return;
        }
        if (verdict == DAV_AUTH_REJECTED) {
            dav_session_refused(s, code, "%s: 401 for %s by %s", s->hosts[0].origin, s->account.user,
                                dav_scheme_name(s->auth->scheme));
            return;
        }
    } else {
        code = judge(s, answer, true);
        if (code) {
            fail(s, code, NULL);
            return;
        }
    }
    dav_session_secret_in(s);
    s->good = s->sent;
    dav_session_enter(s, DAV_SESSION_READY, "logged on");
}

/* Anything but a 401 from a guarded place shows that the account is good. A server in trouble shows nothing. */
static void on_proof(void *session, const struct dav_call_result *result)
{
    struct dav_session *s = session;
    const struct fetch_answer *answer = result->answer;
    enum dav_auth_verdict verdict;
    const char *code;
    char text[64];

    if (!common(s, result))
        return;
    if (wants_form(answer)) {
        if (s->auth->scheme == DAV_SCHEME_FORMS)
            dav_session_enter(s, DAV_SESSION_LOGGING_ON, "the session has ended");
        else
            dav_session_enter(s, DAV_SESSION_NEW, "the server has changed to its form");
        return;
    }
    verdict = dav_auth_verdict_of(answer->body, answer->body_len, &code);
    if (answer->status == 401 && verdict != DAV_AUTH_DENIED) {
        on_proof_failed(s, answer);
        return;
    }
    if (answer->status >= 500) {
        snprintf(text, sizeof(text), "answered %d", answer->status);
        fail(s, "http-server-error", text);
        return;
    }
    s->good = s->sent;
    pardon_all(s);
    dav_session_enter(s, DAV_SESSION_READY, "it was about one person");
}

/* Two have been refused then: the one that raised the doubt, and this, which was the retry. */
static void on_proof_failed(struct dav_session *s, const struct fetch_answer *answer)
{
    const char *code;

    dav_auth_verdict_of(answer->body, answer->body_len, &code);
    s->rejected_logons++;
    s->budget.retry_spent = true;
    dav_session_refused(s, code, "%s: 401 for %s, which was accepted before", s->hosts[0].origin, s->account.user);
}

/* What all three have to look at first. False: the state has changed. */
static bool common(struct dav_session *s, const struct dav_call_result *result)
{
    const struct fetch_answer *answer = result->answer;
    int64_t asked = 0;

    s->own = NULL;
    switch (result->end) {
    case DAV_CALL_ANSWERED:
        break;
    case DAV_CALL_AGAIN:
        dav_session_enter(s, DAV_SESSION_NEW, "not now");
        return false;
    case DAV_CALL_STUCK:
        dav_session_stuck(s, result->code, result->evidence, result->shown);
        return false;
    case DAV_CALL_REFUSED:
        dav_session_refused(s, result->code, "%s", result->evidence);
        return false;
    }
    dav_session_count(s, answer);
    if (answer->err != FETCH_OK) {
        s->failures++;
        fail(s, dav_fetch_code(answer->err), answer->text);
        return false;
    }
    if (answer->status == 407) { /* https tells by the failure of CONNECT, plain http by this */
        fail(s, "proxy-auth", "the proxy answered 407");
        return false;
    }
    if (answer->status == 429 || answer->status == 503)
        asked = dav_pace_retry_after_s(fetch_header(answer->fetch, "Retry-After", 0), clk_wall_s(loop_clk(s->loop)));
    if (answer->status == 429 || asked > 0) {
        s->asked_pause_s = asked;
        dav_session_blame(s, "throttled", "%d, to be repeated after %lld s", answer->status, (long long)asked);
        dav_session_enter(s, DAV_SESSION_BACKING_OFF, "throttled");
        return false;
    }
    return true;
}

/* 440, or the way to a logon page. */
static bool wants_form(const struct fetch_answer *answer)
{
    const char *location = fetch_header(answer->fetch, "Location", 0);
    int reason;

    return answer->status == 440 ||
           (dav_redirect_is(answer->status) && location && dav_form_is_page(location, &reason));
}

/*
 * What says more than its status. A redirect to the page for a new password: IIS takes nobody in before. A 401 that
 * Exchange wrote, not IIS (whose pages are numbered): the password was good, but the mailbox that this URL stands for,
 * the account's own, is not there.
 */
static bool is_refusal(const struct dav_session *s, const struct fetch_answer *answer, const char **ret_code)
{
    const char *location = fetch_header(answer->fetch, "Location", 0);

    *ret_code = NULL;
    if (dav_redirect_is(answer->status) && location)
        *ret_code = dav_auth_reason_in(location, strlen(location));
    else if (answer->status == 401 && dav_session_inside(s, answer))
        *ret_code = "own-mailbox-missing";
    return *ret_code;
}

/* A 401 that Exchange wrote, and not the web server in front of it, whose pages are numbered: the logon had passed.
 * Where the probe without any logon was answered with Exchange's header as well, that tells nothing. */
bool dav_session_inside(const struct dav_session *s, const struct fetch_answer *answer)
{
    return !s->storage_outside && fetch_header(answer->fetch, "MS-WebStorage", 0) &&
           !str_find_nocase(answer->body, answer->body_len, "401.");
}

static void choose(struct dav_session *s, dav_auth_set offered, enum dav_session_state next)
{
    char allowed[64];
    dav_auth_set set = 0;
    const char *code;

    s->auth = dav_auth_choose(&s->account, offered, s->unfit, dav_session_private_line(&s->home), &code);
    if (s->auth) {
        explain(s, offered);
        s->shows_each = s->auth->scheme == DAV_SCHEME_BASIC;
        if (s->auth->scheme == DAV_SCHEME_NTLM) /* it brings connections of its own, and all count */
            fetch_client_drop_connections(s->hosts[0].client);
        /* cookies must be there before the first question */
        dav_session_enter(s, s->auth->scheme == DAV_SCHEME_FORMS ? DAV_SESSION_LOGGING_ON : next, s->chosen_because);
        return;
    }
    for (size_t i = 0; i < s->account.auth_count; i++)
        set |= 1U << s->account.auth[i];
    if (s->unfit_code)
        dav_session_blame(s, s->unfit_code, "%s", s->unfit_evidence);
    else
        dav_session_blame(s, code, "the server offers %s; allowed here: %s", s->offered_text,
                          dav_auth_set_text(set, allowed, sizeof(allowed)));
    dav_session_enter(s, strcmp(code, "auth-cleartext-refused") == 0 ? DAV_SESSION_REFUSED : DAV_SESSION_UNREACHABLE,
                      s->cause->code);
}

static void explain(struct dav_session *s, dav_auth_set offered)
{
    const char *name = dav_scheme_name(s->auth->scheme);
    char failed[64];

    if (s->unfit)
        snprintf(s->chosen_because, sizeof(s->chosen_because), "%s: next in auth, since %s failed (%s)", name,
                 dav_auth_set_text(s->unfit, failed, sizeof(failed)), s->unfit_code);
    else if (offered == DAV_AUTH_ANY)
        snprintf(s->chosen_because, sizeof(s->chosen_because),
                 "%s: first in auth; the server did not say what it wants", name);
    else if (!(offered & 1U << s->auth->scheme))
        snprintf(s->chosen_because, sizeof(s->chosen_because), "%s: carried by negotiate, which the server offers",
                 name);
    else
        snprintf(s->chosen_because, sizeof(s->chosen_because), "%s: first in auth of what the server offers (%s)", name,
                 s->seen ? "at its mailboxes" : s->offered_text);
}

/* NULL: one can work with this server. */
static const char *judge(struct dav_session *s, const struct fetch_answer *answer, bool logged_on)
{
    struct dav_reply reply = {.status = answer->status,
                              .body = answer->body,
                              .body_len = answer->body_len,
                              .sync_token = "",
                              .path = s->base_path,
                              .url = s->account.url,
                              .fetch = answer->fetch};
    const char *code, *server = fetch_header(answer->fetch, "Server", 0);
    char printable[80] = "";

    if (dav_redirect_is(answer->status))
        return judge_redirect(s, fetch_header(answer->fetch, "Location", 0), s->evidence, sizeof(s->evidence));
    code = s->flavour->judge_probe(&reply, logged_on);
    if (code)
        snprintf(s->evidence, sizeof(s->evidence), "%s %.100s answered %d%s%s",
                 s->flavour->probe_method ? s->flavour->probe_method : "PROPFIND", s->base_path, answer->status,
                 server ? " from " : "",
                 server ? str_printable(server, strlen(server), printable, sizeof(printable)) : "");
    return code;
}

/*
 * A redirect of the base need not concern mailboxes. It does when it shows another scheme, another host, or the way to
 * a logon page, since those stand for the whole server.
 */
static const char *judge_redirect(struct dav_session *s, const char *location, char *evidence, size_t size)
{
    enum dav_redirect decision;
    const char *code = NULL;
    struct buf url;
    struct dav_url to;
    char printable[120];

    buf_init(&url, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX);
    decision = dav_redirect_decide(&s->redirects, s->account.url, location, 0, &url);
    if ((decision == DAV_REDIRECT_FOLLOW || decision == DAV_REDIRECT_FOREIGN) && !s->home.tls &&
        dav_url_parse(url.data, &to) && to.tls && strcmp(to.host, s->home.host) == 0)
        code = "http-ssl-required"; /* whatever the port */
    else if (decision == DAV_REDIRECT_FOREIGN)
        code = "redirect-foreign";
    else if (decision == DAV_REDIRECT_FOLLOW)
        code = dav_redirect_trap(url.data);
    if (code)
        snprintf(evidence, size, "%.60s leads to %s", s->base_path,
                 str_printable(url.data, url.len, printable, sizeof(printable)));
    buf_free(&url);
    return code;
}

/* `text` NULL: s->evidence has it already. */
static void fail(struct dav_session *s, const char *code, const char *text)
{
    char copy[sizeof(s->evidence)];
    bool proxy;

    snprintf(copy, sizeof(copy), "%s", text ? text : s->evidence);
    dav_session_blame(s, code, "%s", copy);
    /* a password that the proxy refused is not shown to it again and again */
    proxy = strcmp(code, "proxy-auth") == 0 && s->account.proxy &&
            (s->account.proxy_user || strchr(s->account.proxy, '@'));
    dav_session_enter(s, proxy ? DAV_SESSION_REFUSED : DAV_SESSION_UNREACHABLE, code);
}

static void pardon_all(struct dav_session *s)
{
    struct dav_query *q;

    while ((q = TAILQ_FIRST(&s->doubtful)))
        pardon(s, q);
}

/* A 440 may still have been for cookies that another answer had just replaced: then the query finds out by itself. */
static void pardon(struct dav_session *s, struct dav_query *q)
{
    q->suspect = s->auth->scheme == DAV_SCHEME_FORMS;
    q->pardoned = !q->suspect;
    q->denied = !q->suspect;
    s->denies_by_401 = s->denies_by_401 || q->denied_status == 401;
    if (s->host_count > 1 && q->denied_status == 401)
        dav_session_host(s, q->url.data)->good = 0; /* of the account's own host this is not looked at */
    dav_session_put(s, q, DAV_QUERY_WAITING);
}
