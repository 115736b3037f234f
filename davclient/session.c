/*
 * session: one login to one server. The gateway makes one per configured server and puts all its questions through it;
 * the check makes one of its own.
 *
 * The session has a state (inner.h says what each waits for), a queue of queries, and the connections. Nothing is sent
 * before the first question. Then: a bare PROPFIND on the account's URL tells what the server is and which logon it
 * wants (session_logon.c), one request proves the logon, and from then on queries fly as pace and connections allow
 * (session_queue.c).
 *
 * What goes wrong for one person stays with that person. Only what concerns everybody changes the state: no connection,
 * a refused logon, a server that asks for a pause, or errors in a row while nobody got a good answer. Then the waiting
 * are told at once, and new questions are answered with the same news without a request, until it is time to try again.
 */
#include "davclient/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_call.h"
#include "auth_form.h"
#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "inner.h"

#define STREAK 5              /* server-like errors in a row ... */
#define STREAK_QUIET_MS 10000 /* ... while nobody got a good answer for so long, concern everybody */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 60000
#define SETTLED_PAUSE_MS 60000 /* what will not change by itself is looked at once a minute */
#define LONGEST_ASKED_PAUSE_S 600
#define TELL_AGAIN_MS 600000
#define DOUBT_WAIT_MS 2000 /* for answers that are on their way, before a proof is asked for */

struct state_row {
    const char *name;
    unsigned next;                                          /* bits: where it may lead; CLOSED always */
    int64_t deadline_ms;                                    /* 0: none, or set by entry */
    enum dav_session_state (*entry)(struct dav_session *s); /* says which state follows: usually its own */
};

static enum dav_session_state entry_new(struct dav_session *s);
static enum dav_session_state entry_ready(struct dav_session *s);
static enum dav_session_state entry_doubt(struct dav_session *s);
static enum dav_session_state entry_backing_off(struct dav_session *s);
static enum dav_session_state entry_unreachable(struct dav_session *s);
static enum dav_session_state entry_refused(struct dav_session *s);
static enum dav_session_state entry_closed(struct dav_session *s);
static void begin_at_domain(struct dav_session *s);
static void hold_back(struct dav_session *s, int64_t ms);
static bool account_check(const struct dav_account *account, const struct secret *secret, char *why, size_t why_size);
static void soften(struct dav_session *s, const char *code, const char *text);
static bool is_news(struct dav_session *s, enum dav_session_state next, const char *why);
static void on_timer(void *arg);
static void on_pace(void *arg);
static void session_free(void *arg);

static const struct dav_flavour *const flavours[] = {
    [DAV_KIND_EXCHANGE] = &dav_exchange_flavour,
    [DAV_KIND_CALDAV] = &dav_caldav_flavour,
    [DAV_KIND_IFB] = &dav_ifb_flavour,
};

#define TO(state) (1U << DAV_SESSION_##state)

static const struct state_row states[DAV_SESSION_STATES] = {
    [DAV_SESSION_NEW] = {"new", TO(PROBING) | TO(UNREACHABLE) | TO(REFUSED), 0, entry_new},
    [DAV_SESSION_PROBING] = {"probing",
                             TO(NEW) | TO(LOGGING_ON) | TO(READY) | TO(BACKING_OFF) | TO(UNREACHABLE) | TO(REFUSED),
                             OWN_REQUEST_DEADLINE_MS, dav_session_probe},
    [DAV_SESSION_LOGGING_ON] = {"logging on", TO(NEW) | TO(READY) | TO(BACKING_OFF) | TO(UNREACHABLE) | TO(REFUSED),
                                OWN_REQUEST_DEADLINE_MS, dav_session_logon},
    [DAV_SESSION_READY] = {"ready", TO(NEW) | TO(DOUBT) | TO(BACKING_OFF) | TO(UNREACHABLE) | TO(REFUSED), 0,
                           entry_ready},
    [DAV_SESSION_DOUBT] = {"in doubt",
                           TO(NEW) | TO(LOGGING_ON) | TO(READY) | TO(BACKING_OFF) | TO(UNREACHABLE) | TO(REFUSED),
                           OWN_REQUEST_DEADLINE_MS, entry_doubt},
    [DAV_SESSION_BACKING_OFF] = {"backing off", TO(NEW) | TO(READY), 0, entry_backing_off},
    [DAV_SESSION_UNREACHABLE] = {"unreachable", TO(NEW), 0, entry_unreachable},
    [DAV_SESSION_REFUSED] = {"refused", TO(NEW), 0, entry_refused},
    [DAV_SESSION_CLOSED] = {"closed", 0, 0, entry_closed},
};
static_assert(sizeof(states) / sizeof(states[0]) == DAV_SESSION_STATES, "a row for each state");

struct dav_session *dav_session_new(struct loop *loop, const struct dav_account *account, const struct secret *secret,
                                    char *why, size_t why_size)
{
    static unsigned last_id;
    struct dav_session *s;

    if (!account_check(account, secret, why, why_size))
        return NULL;
    s = mem_calloc(1, sizeof(*s));
    s->loop = loop;
    s->id = ++last_id;
    dav_account_copy(&s->account, account);
    if (account->kind == DAV_KIND_CALDAV && dav_discover_is_domain(account->url))
        begin_at_domain(s);
    s->flavour = flavours[account->kind];
    s->secret = secret ? secret_copy(secret) : NULL;
    s->retry_ms = -1;
    TAILQ_INIT(&s->waiting);
    TAILQ_INIT(&s->flying);
    TAILQ_INIT(&s->doubtful);
    TAILQ_INIT(&s->abroad);
    TAILQ_INIT(&s->doomed);
    TAILQ_INIT(&s->all);
    s->good_at_ms = -1;
    s->timer = loop_timer_new(loop, "dav-session-state", on_timer, s);
    s->pace_timer = loop_timer_new(loop, "dav-session-pace", on_pace, s);
    s->deadline = loop_timer_new(loop, "dav-query-deadline", dav_session_on_deadline, s);
    dav_pace_init(&s->pace, s->account.max_requests_per_second, clk_mono_ms(loop_clk(loop)));
    if (!dav_session_add_home(s)) {
        snprintf(why, why_size, "%s: the url or its path cannot be used", account->name);
        dav_session_close(&s, "not usable");
        return NULL;
    }
    dav_ntlm_warn(s);
    return s;
}

void dav_session_close(struct dav_session **sp, const char *reason)
{
    struct dav_session *s = *sp;

    *sp = NULL;
    if (s)
        dav_session_enter(s, DAV_SESSION_CLOSED, reason);
}

unsigned dav_session_room(const struct dav_session *s)
{
    unsigned busy = s->flying_count + s->waiting_count;
    unsigned limit = s->account.max_connections;
    unsigned pace;

    switch (s->state) {
    case DAV_SESSION_READY:
        pace = dav_pace_room(&s->pace, clk_mono_ms(loop_clk(s->loop)));
        limit = busy < limit ? limit - busy : 0;
        pace = s->waiting_count < pace ? pace - s->waiting_count : 0;
        return limit < pace ? limit : pace;
    case DAV_SESSION_NEW:
    case DAV_SESSION_PROBING:
    case DAV_SESSION_LOGGING_ON:
    case DAV_SESSION_DOUBT:
    case DAV_SESSION_BACKING_OFF: /* these are answered without a request, a few in each turn: who asks as long as */
    case DAV_SESSION_UNREACHABLE: /* there is room would else put a million questions into one */
    case DAV_SESSION_REFUSED:
        return busy < limit ? limit - busy : 0;
    case DAV_SESSION_CLOSED:
        break;
    }
    return 0;
}

void dav_session_info(const struct dav_session *s, struct dav_session_info *ret)
{
    *ret = (struct dav_session_info){
        .state = states[s->state].name,
        .product = s->product[0] ? s->product : NULL,
        .scheme = s->auth && s->accepted ? dav_scheme_name(s->auth->scheme) : NULL,
        .offered = s->probed ? s->offered_text : NULL,
        .chosen_because = s->auth && s->chosen_because[0] ? s->chosen_because : NULL,
        .server_says = s->server_says[0] ? s->server_says : NULL,
        .changes = s->shared && s->flavour->describe ? s->flavour->describe(s->shared) : NULL,
        .secret_note = s->secret_note[0] ? s->secret_note : NULL,
        .code = s->cause ? s->cause->code : NULL,
        .evidence = s->cause && s->evidence[0] ? s->evidence : NULL,
        .failing_since = s->failing_since,
        .retry_at = s->state == DAV_SESSION_BACKING_OFF || s->state == DAV_SESSION_UNREACHABLE ||
                            s->state == DAV_SESSION_REFUSED
                        ? s->retry_at
                        : 0,
        .last_ok = s->last_ok,
        .cert_not_after = s->cert_not_after,
        .requests = s->requests,
        .failures = s->failures,
        .rejected_logons = s->rejected_logons,
        .bytes_in = s->bytes_in,
        .handshakes = s->handshakes,
        .running = s->flying_count + (s->own ? 1 : 0),
        .waiting = s->waiting_count,
        .latency_ms = (int64_t)(s->latency_ms + 0.5),
    };
    for (size_t i = 0; i < s->host_count; i++) {
        unsigned connections = 0, exchanges = 0;

        fetch_client_load(s->hosts[i].client, &connections, &exchanges);
        ret->connections += connections + dav_ntlm_lanes_load(&s->hosts[i]);
    }
}

/* What do I do now: the only place where the state changes. */
void dav_session_enter(struct dav_session *s, enum dav_session_state next, const char *why)
{
    while (next != s->state) {
        const struct state_row *row = &states[next];

        if (s->state == DAV_SESSION_CLOSED)
            return;
        bool allowed = next == DAV_SESSION_CLOSED || states[s->state].next & 1U << next;
        assert(allowed);
        if (!allowed)
            log_error("dav", "[%u] srv=%s may not go this way", s->id, s->account.name);
        log_write(is_news(s, next, why) ? LOG_LEVEL_NOTICE : LOG_LEVEL_DEBUG, "dav", "[%u] srv=%s %s -> %s why=%s",
                  s->id, s->account.name, states[s->state].name, row->name, why);
        s->state = next;
        dav_call_cancel(&s->own);
        dav_discover_cancel(&s->discover);
        dav_form_logon_cancel(&s->form);
        if (next != DAV_SESSION_READY && next != DAV_SESSION_DOUBT)
            dav_session_abroad_stop(s);
        loop_timer_stop(s->timer);
        if (row->deadline_ms > 0)
            loop_timer_in(s->timer, row->deadline_ms);
        next = row->entry(s);
        why = s->cause ? s->cause->code : "as follows";
    }
}

/* A server that stays away is tried once a minute, which is no news; one that comes and goes is worth a line every ten
 * minutes. */
static bool is_news(struct dav_session *s, enum dav_session_state next, const char *why)
{
    int64_t now = clk_mono_ms(loop_clk(s->loop));

    if (next == DAV_SESSION_READY)
        s->told_stands = false;
    if (next != DAV_SESSION_REFUSED && next != DAV_SESSION_UNREACHABLE)
        return false;
    if (strcmp(s->told_why, why) == 0 && (s->told_stands || now - s->told_at_ms < TELL_AGAIN_MS))
        return false;
    snprintf(s->told_why, sizeof(s->told_why), "%s", why);
    s->told_at_ms = now;
    s->told_stands = true;
    return true;
}

/* What happened on the wire: `q` got no whole answer. Decides what that means for everybody; the query ends with its
 * code anyway. */
void dav_session_event(struct dav_session *s, struct dav_query *q, const struct fetch_answer *answer, const char *code)
{
    const struct dav_cause *cause = dav_cause_find(code);
    struct dav_url url;

    if (!dav_url_parse(q->url.data, &url) || !dav_url_same_origin(&url, &s->home))
        return; /* another host's trouble is its persons' trouble */
    if (answer->err == FETCH_TCP_RESET || !cause || cause->step > DAV_STEP_TLS) {
        soften(s, code, answer->text);
    } else if (s->state == DAV_SESSION_READY || s->state == DAV_SESSION_DOUBT) {
        dav_session_blame(s, code, "%s", answer->text);
        dav_session_enter(s, DAV_SESSION_UNREACHABLE, code);
    }
}

/* What did the peer say, as far as it concerns everybody. */
void dav_session_answer(struct dav_session *s, struct dav_query *q, const struct fetch_answer *answer)
{
    int64_t asked = 0;
    char text[64];

    if (answer->status / 100 == 2 && q->epoch == s->secret_epoch && (s->accepted || q->shown)) {
        dav_session_secret_in(s);
        dav_session_acquit(s, q);
        dav_session_served(s, q);
    }
    if (answer->status / 100 == 2 && q->epoch == s->secret_epoch && q->shown) {
        if (q->number > s->good)
            s->good = q->number;
        if (!s->guarded && !s->good_url)
            s->good_url = mem_strdup(q->url.data);
    }
    if (answer->status < 500 && answer->status != 429) {
        s->streak = 0;
        s->attempts = 0;
        s->good_at_ms = clk_mono_ms(loop_clk(s->loop));
    }
    if (answer->status == 429 || answer->status == 503)
        asked = dav_pace_retry_after_s(fetch_header(answer->fetch, "Retry-After", 0), clk_wall_s(loop_clk(s->loop)));
    if (answer->status == 429 || asked > 0) {
        snprintf(text, sizeof(text), "%d, to be repeated after %lld s", answer->status, (long long)asked);
        q->retry_after_s = asked;
        q->throttled_alone = dav_session_throttles_one(s, q);
        if (q->throttled_alone)
            return;
        s->asked_pause_s = asked;
        if (s->state == DAV_SESSION_READY || s->state == DAV_SESSION_DOUBT) {
            dav_session_blame(s, "throttled", "%s", text);
            dav_session_enter(s, DAV_SESSION_BACKING_OFF, text);
        }
    } else if (answer->status >= 500) {
        snprintf(text, sizeof(text), "answered %d", answer->status);
        soften(s, "http-server-error", text);
    }
}

/* A failure that may be one connection's: see soften(). */
void dav_session_trouble(struct dav_session *s, const char *code, const char *evidence)
{
    soften(s, code, evidence);
}

/* Sets what the session fails of; dav_session_enter() follows. */
void dav_session_blame(struct dav_session *s, const char *code, const char *fmt, ...)
{
    char text[sizeof(s->evidence)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    str_printable(text, strlen(text), s->evidence, sizeof(s->evidence));
    s->cause = dav_cause_find(code);
    if (!s->cause) /* a code that nobody listed is our own mistake; people still get an answer */
        s->cause = dav_cause_find("answer-malformed");
    if (!s->failing_since)
        s->failing_since = clk_wall_s(loop_clk(s->loop));
}

void dav_session_count(struct dav_session *s, const struct fetch_answer *answer)
{
    s->requests++;
    s->bytes_in += answer->body_len;
    s->latency_ms += ((double)answer->total_ms - s->latency_ms) / (s->requests < 16 ? (double)s->requests : 16);
    if (answer->cert_not_after)
        s->cert_not_after = answer->cert_not_after;
    if (answer->err == FETCH_OK && !s->product[0])
        s->flavour->identify(answer->fetch, s->product, sizeof(s->product));
}

static enum dav_session_state entry_new(struct dav_session *s)
{
    s->accepted = false;
    s->probed = false;
    dav_session_wake(s);
    return DAV_SESSION_NEW;
}

static enum dav_session_state entry_ready(struct dav_session *s)
{
    struct dav_query *q;

    s->cause = NULL;
    s->failing_since = 0;
    while ((q = TAILQ_FIRST(&s->doubtful))) { /* what asked for a new logon by form has one now */
        q->denied = false;
        q->suspect = true;
        dav_session_put(s, q, DAV_QUERY_WAITING);
    }
    dav_session_wake(s);
    return DAV_SESSION_READY;
}

/* What is still flying may answer the question; else one request is made for it. */
static enum dav_session_state entry_doubt(struct dav_session *s)
{
    if (s->flying_count == 0)
        return dav_session_prove(s);
    loop_timer_in(s->timer, DOUBT_WAIT_MS);
    return DAV_SESSION_DOUBT;
}

static enum dav_session_state entry_backing_off(struct dav_session *s)
{
    int64_t asked = s->asked_pause_s < LONGEST_ASKED_PAUSE_S ? s->asked_pause_s : LONGEST_ASKED_PAUSE_S;
    int64_t ms = dav_pace_backoff_ms(s->attempts++, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, crypto_random_u64());

    hold_back(s, ms + asked * 1000);
    return DAV_SESSION_BACKING_OFF;
}

static enum dav_session_state entry_unreachable(struct dav_session *s)
{
    bool settled = s->cause && (s->cause->err == DAV_AUTH || s->cause->err == DAV_PROTOCOL);
    int64_t first = settled ? SETTLED_PAUSE_MS : FIRST_PAUSE_MS;
    const char *unused;

    s->found = false; /* DNS may name another host by now */
    if (!s->unfit_stays || !dav_auth_choose(&s->account, s->offered, s->unfit, true, &unused)) {
        s->unfit = 0;
        s->unfit_code = NULL;
    }
    s->unfit_stays = false;
    hold_back(s, dav_pace_backoff_ms(s->attempts++, first, LONGEST_PAUSE_MS, crypto_random_u64()));
    return DAV_SESSION_UNREACHABLE;
}

static enum dav_session_state entry_refused(struct dav_session *s)
{
    s->accepted = false;
    s->unfit = 0;
    s->unfit_code = NULL;
    s->retry_at = 0;
    if (s->retry_ms >= 0)
        hold_back(s, s->retry_ms);
    s->retry_ms = -1;
    dav_session_doom(s);
    return DAV_SESSION_REFUSED;
}

static enum dav_session_state entry_closed(struct dav_session *s)
{
    struct dav_query *q;

    while ((q = TAILQ_FIRST(&s->all)))
        dav_query_discard(q);
    for (size_t i = 0; i < s->host_count; i++) {
        fetch_client_free(&s->hosts[i].client);
        dav_ntlm_lanes_free(&s->hosts[i]);
    }
    loop_timer_free(&s->timer);
    loop_timer_free(&s->pace_timer);
    loop_timer_free(&s->deadline);
    dav_session_sleep(s);
    secret_free(&s->secret);
    secret_free(&s->previous);
    secret_free(&s->refused);
    for (size_t i = 0; i < s->host_count; i++)
        dav_jar_free(&s->hosts[i].jar);
    loop_reap(s->loop, session_free, s);
    return DAV_SESSION_CLOSED;
}

/* Until DNS says otherwise, the server is the domain itself. */
static void begin_at_domain(struct dav_session *s)
{
    char url[300];

    s->domain = mem_strdup(s->account.url);
    s->discovery = (struct dav_discover_setup){
        .domain = s->domain, .server = s->account.dns_server, .allowed_hosts = s->account.allowed_hosts};
    snprintf(url, sizeof(url), "https://%s/", s->domain);
    dav_account_move(&s->account, url);
}

static void hold_back(struct dav_session *s, int64_t ms)
{
    s->retry_at = (clk_wall_ms(loop_clk(s->loop)) + ms + 999) / 1000;
    loop_timer_in(s->timer, ms);
    dav_session_doom(s);
}

static bool account_check(const struct dav_account *account, const struct secret *secret, char *why, size_t why_size)
{
    struct dav_url url;
    bool kerberos = false, password = false;

    if (!dav_url_parse(account->url, &url) &&
        (account->kind != DAV_KIND_CALDAV || !dav_discover_is_domain(account->url))) {
        snprintf(why, why_size, "%s: url is not an http or https URL (without user name and fragment)", account->name);
        return false;
    }
    if (account->auth_count == 0 || account->auth_count > DAV_SCHEMES) {
        snprintf(why, why_size, "%s: auth names no way of logging on", account->name);
        return false;
    }
    if (!account->user || !account->user[0]) {
        snprintf(why, why_size, "%s: account is empty", account->name);
        return false;
    }
    for (size_t i = 0; i < account->auth_count; i++) {
        kerberos = kerberos || account->auth[i] == DAV_SCHEME_NEGOTIATE;
        password = password || account->auth[i] != DAV_SCHEME_NEGOTIATE;
    }
    if (password && !secret) {
        snprintf(why, why_size, "%s: there is no password, which `auth` asks for", account->name);
        return false;
    }
    if (kerberos && account->keytab_file && !dav_negotiate_use_keytab(account->keytab_file, why, why_size))
        return false;
    return dav_auth_account_ok(account, why, why_size);
}

/* A verdict over the logon is forgotten. Answers that are on their way belong to the old epoch. */
void dav_session_start_over(struct dav_session *s, const char *why)
{
    s->secret_epoch++;
    s->attempts = 0;
    s->accepted = false;
    s->unfit = 0;
    s->unfit_code = NULL;
    for (struct dav_query *q; (q = TAILQ_FIRST(&s->doubtful));)
        dav_session_put(s, q, DAV_QUERY_WAITING);
    dav_session_enter(s, DAV_SESSION_NEW, why);
}

/* An error that may be one person's or everybody's: many in a row, and nobody well, is everybody's. */
static void soften(struct dav_session *s, const char *code, const char *text)
{
    int64_t now = clk_mono_ms(loop_clk(s->loop));

    s->streak++;
    if (s->streak < STREAK || (s->good_at_ms >= 0 && now - s->good_at_ms < STREAK_QUIET_MS))
        return;
    if (s->state != DAV_SESSION_READY && s->state != DAV_SESSION_DOUBT)
        return;
    dav_session_blame(s, code, "%u times in a row: %s", s->streak, text);
    dav_session_enter(s, DAV_SESSION_UNREACHABLE, code);
}

static void on_timer(void *arg)
{
    struct dav_session *s = arg;

    if (s->state == DAV_SESSION_DOUBT && !s->own) { /* one slow mailbox must not keep everybody waiting */
        dav_session_enter(s, dav_session_prove(s), "no proof");
        return;
    }
    switch (s->state) {
    case DAV_SESSION_PROBING:
    case DAV_SESSION_LOGGING_ON:
    case DAV_SESSION_DOUBT:
        dav_session_blame(s, "answer-timeout", "no answer while %s", states[s->state].name);
        dav_session_enter(s, DAV_SESSION_UNREACHABLE, "deadline");
        return;
    case DAV_SESSION_BACKING_OFF:
        dav_session_enter(s, s->accepted ? DAV_SESSION_READY : DAV_SESSION_NEW, "pause is over");
        return;
    case DAV_SESSION_UNREACHABLE:
    case DAV_SESSION_REFUSED:
        dav_session_enter(s, DAV_SESSION_NEW, "trying again");
        return;
    case DAV_SESSION_NEW:
    case DAV_SESSION_READY:
    case DAV_SESSION_CLOSED:
        return;
    }
}

static void on_pace(void *arg)
{
    dav_session_pump(arg);
}

static void session_free(void *arg)
{
    struct dav_session *s = arg;

    if (s->shared != NULL && s->flavour->forget != NULL)
        s->flavour->forget(s->shared);
    if (s->batch_shared != NULL)
        s->flavour->batch->forget(s->batch_shared);
    for (size_t i = 0; i < s->host_count; i++)
        free(s->hosts[i].origin);
    for (size_t i = 0; i < DAV_SPARE_PARSERS; i++)
        dav_ms_free(&s->spare[i]);
    dav_account_clear(&s->account);
    free(s->base_path);
    free(s->domain);
    free(s->good_url);
    free(s);
}
