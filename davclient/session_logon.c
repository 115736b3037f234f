/*
 * session_logon: the session's own requests, all PROPFINDs of Depth 0: the probe (bare, on the account's URL), the
 * logon (the same with credentials), and the proof.
 *
 * The logon is asked on the account's URL and not on somebody's mailbox, because a 401 there can only be about the
 * account. A 401 on a mailbox, from an account that was good until now, can mean "not this mailbox" or "not any more".
 * Nothing more is sent with the secret then until it is known: by the answer to a request that left later than the
 * refused one, or by one proof.
 */
#include "inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/str.h"

#define OWN_BODY_MAX (256 * 1024)
#define HEADERS_MAX 16

static bool ask(struct dav_session *s, const char *url, bool with_credentials, fetch_done_fn *done);
static void on_probe(void *session, const struct fetch_answer *answer);
static void on_logon(void *session, const struct fetch_answer *answer);
static void on_proof(void *session, const struct fetch_answer *answer);
static bool common(struct dav_session *s, const struct fetch_answer *answer);
static void choose(struct dav_session *s, dav_auth_set offered, enum dav_session_state next);
static const char *judge(struct dav_session *s, const struct fetch_answer *answer, bool logged_on);
static const char *judge_redirect(struct dav_session *s, const char *location, char *evidence, size_t size);
static void fail(struct dav_session *s, const char *code, const char *text);
static void pardon_all(struct dav_session *s);

enum dav_session_state dav_session_probe(struct dav_session *s)
{
    const char *code;

    if (!dav_auth_choose(&s->account, DAV_AUTH_ANY, dav_session_private_line(&s->home), &code) &&
        strcmp(code, "auth-cleartext-refused") == 0) {
        dav_session_blame(s, code, "%s is neither https nor on this machine", s->hosts[0].origin);
        return DAV_SESSION_REFUSED;
    }
    ask(s, NULL, false, on_probe);
    return DAV_SESSION_PROBING;
}

enum dav_session_state dav_session_logon(struct dav_session *s)
{
    if (ask(s, NULL, true, on_logon))
        return DAV_SESSION_LOGGING_ON;
    dav_session_blame(s, "auth-none-usable", "no credential can be built for %s", dav_scheme_name(s->auth->scheme));
    return DAV_SESSION_UNREACHABLE;
}

enum dav_session_state dav_session_prove(struct dav_session *s)
{
    if (ask(s, s->guarded ? NULL : s->good_url, true, on_proof))
        return DAV_SESSION_DOUBT;
    dav_session_blame(s, "auth-none-usable", "no credential can be built for %s", dav_scheme_name(s->auth->scheme));
    return DAV_SESSION_UNREACHABLE;
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
        dav_session_enter(s, DAV_SESSION_DOUBT, "401 for an account that was good");
}

void dav_session_settle_doubt(struct dav_session *s)
{
    struct dav_query *q = TAILQ_FIRST(&s->doubtful);

    while (q && s->state == DAV_SESSION_DOUBT) {
        struct dav_query *next = TAILQ_NEXT(q, entry);

        if (s->good > q->number) {
            q->pardoned = true;
            dav_session_put(s, q, DAV_QUERY_WAITING);
        }
        q = next;
    }
    if (s->state != DAV_SESSION_DOUBT)
        return;
    if (TAILQ_EMPTY(&s->doubtful))
        dav_session_enter(s, DAV_SESSION_READY, "401 was one person's");
    else if (s->flying_count == 0 && !s->own)
        dav_session_enter(s, dav_session_prove(s), "no proof");
}

/* `url` NULL: the account's own. */
static bool ask(struct dav_session *s, const char *url, bool with_credentials, fetch_done_fn *done)
{
    const char *headers[HEADERS_MAX];
    struct buf line, home;
    size_t n = 0;
    bool ok = true;

    buf_init(&line, 8192);
    buf_init(&home, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32);
    buf_adds(&home, s->hosts[0].origin);
    buf_adds(&home, s->base_path);
    while (n < HEADERS_MAX - 2 && s->flavour->probe_headers[n])
        headers[n] = s->flavour->probe_headers[n], n++;
    if (with_credentials) {
        ok = s->auth->line(s->account.user, s->secret, &line) && !line.failed;
        headers[n++] = line.data;
    }
    headers[n] = NULL;
    if (ok) {
        struct fetch_request request = {
            .method = "PROPFIND",
            .url = url ? url : home.data,
            .headers = headers,
            .body = s->flavour->probe_body,
            .body_len = strlen(s->flavour->probe_body),
            .total_ms = DAV_REQUEST_TOTAL_MS,
            .max_body = OWN_BODY_MAX,
            .done = done,
            .arg = s,
        };

        dav_pace_take(&s->pace, clk_mono_ms(loop_clk(s->loop)));
        if (with_credentials)
            s->sent++;
        s->own = fetch_start(dav_session_host(s, request.url)->client, &request);
    }
    buf_wipe(&line);
    buf_free(&home);
    return ok;
}

static void on_probe(void *session, const struct fetch_answer *answer)
{
    struct dav_session *s = session;
    const char *code;

    if (!common(s, answer))
        return;
    s->offered = dav_auth_offered(answer->fetch, answer->status);
    s->guarded = answer->status == 401;
    s->probed = true;
    dav_auth_set_text(s->offered, s->offered_text, sizeof(s->offered_text));
    if (answer->status == 401 || answer->status == 440) {
        choose(s, s->offered, DAV_SESSION_LOGGING_ON);
        return;
    }
    code = judge(s, answer, false);
    if (code)
        fail(s, code, NULL);
    else
        choose(s, DAV_AUTH_ANY, DAV_SESSION_READY);
}

static void on_logon(void *session, const struct fetch_answer *answer)
{
    struct dav_session *s = session;
    const char *code;

    if (!common(s, answer))
        return;
    if (answer->status == 401) {
        s->rejected_logons++;
        dav_session_blame(s, "logon-rejected", "%s: 401 for %s by %s", s->hosts[0].origin, s->account.user,
                          dav_scheme_name(s->auth->scheme));
        dav_session_enter(s, DAV_SESSION_REFUSED, "401");
        return;
    }
    code = judge(s, answer, true);
    if (code) {
        fail(s, code, NULL);
        return;
    }
    s->accepted = true;
    s->good = s->sent;
    dav_session_enter(s, DAV_SESSION_READY, "logged on");
}

/* Anything but a 401 from a guarded place shows that the account is good. A server in trouble shows nothing. */
static void on_proof(void *session, const struct fetch_answer *answer)
{
    struct dav_session *s = session;
    char text[64];

    if (!common(s, answer))
        return;
    if (answer->status == 401) {
        s->rejected_logons += 2; /* the one that raised the doubt, and this */
        dav_session_blame(s, "logon-rejected", "%s: 401 for %s, which was accepted before", s->hosts[0].origin,
                          s->account.user);
        dav_session_enter(s, DAV_SESSION_REFUSED, "401 again");
        return;
    }
    if (answer->status >= 500) {
        snprintf(text, sizeof(text), "answered %d", answer->status);
        fail(s, "http-server-error", text);
        return;
    }
    s->good = s->sent;
    pardon_all(s);
    dav_session_enter(s, DAV_SESSION_READY, "401 was one person's");
}

/* What all three have to look at first. False: the state has changed. */
static bool common(struct dav_session *s, const struct fetch_answer *answer)
{
    int64_t asked = 0;

    s->own = NULL;
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

static void choose(struct dav_session *s, dav_auth_set offered, enum dav_session_state next)
{
    char allowed[64];
    dav_auth_set set = 0;
    const char *code;

    s->auth = dav_auth_choose(&s->account, offered, dav_session_private_line(&s->home), &code);
    if (s->auth) {
        dav_session_enter(s, next, dav_scheme_name(s->auth->scheme));
        return;
    }
    for (size_t i = 0; i < s->account.auth_count; i++)
        set |= 1U << s->account.auth[i];
    dav_session_blame(s, code, "the server offers %s; allowed here: %s", s->offered_text,
                      dav_auth_set_text(set, allowed, sizeof(allowed)));
    dav_session_enter(s, strcmp(code, "auth-cleartext-refused") == 0 ? DAV_SESSION_REFUSED : DAV_SESSION_UNREACHABLE,
                      code);
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
        snprintf(s->evidence, sizeof(s->evidence), "PROPFIND %.100s answered %d%s%s", s->base_path, answer->status,
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
    if (decision == DAV_REDIRECT_FOLLOW && !s->home.tls && dav_url_parse(url.data, &to) && to.tls)
        code = "http-ssl-required";
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

    snprintf(copy, sizeof(copy), "%s", text ? text : s->evidence);
    dav_session_blame(s, code, "%s", copy);
    dav_session_enter(s, DAV_SESSION_UNREACHABLE, code);
}

static void pardon_all(struct dav_session *s)
{
    struct dav_query *q;

    while ((q = TAILQ_FIRST(&s->doubtful))) {
        q->pardoned = true;
        dav_session_put(s, q, DAV_QUERY_WAITING);
    }
}
