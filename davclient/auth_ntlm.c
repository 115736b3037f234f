/*
 * auth_ntlm: NTLM over HTTP (MS-NTHT). The logon belongs to the TCP connection: three messages over it, and then it is
 * ours until it ends. So every host has lanes, each a connection with a curl of its own, and a call travels on one
 * lane:
 *
 *   OPEN    the lane is logged on: the request goes as it is. A 401 to it means that this server wants the handshake
 *           again (for every request, or once); the call goes through it once, then a 401 is the answer.
 *   SENT1   the request without its body, with Type 1, over a new connection. The 401 brings the challenge.
 *   SENT3   the whole request with Type 3, over the same connection. Anything but 401 is the answer, and the lane is
 * open. PLAIN   the first leg was not answered by 401: nobody wants NTLM here, the whole request goes once more.
 *
 * A connection that is gone between two legs is begun anew, three times at the most; no other connection can slip in
 * (fetch pins). Only one call of a session is between Type 1 and its verdict (session.showing), so that a password that
 * has become wrong is refused once and not eight times.
 *
 * Servers that offer Negotiate alone take raw NTLM messages under that name; the word is the session's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_call.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "ntlm.h"

#define LOSSES_MAX 3
#define KEEP_MS (10 * 60 * 1000) /* of an idle connection; the server's patience ends earlier */
#define LINE_MAX_LEN (DAV_NTLM_TYPE3_MAX * 4 / 3 + 64)

enum leg { LEG_NONE, LEG_OPEN, LEG_SENT1, LEG_SENT3, LEG_PLAIN };

struct dav_lane {
    struct dav_lane *next;
    struct fetch_client *client;
    int64_t connection; /* 0: none */
    bool open;          /* logged on */
    bool single;        /* wants the handshake for every request */
    struct dav_call *call;
};

static bool accepts(const char *user, char *why, size_t why_size);
static void start(struct dav_call *c);
static void release(struct dav_call *c);
static struct dav_lane *lane_for(struct dav_host *host, struct dav_session *s);
static void lane_open(struct dav_lane *lane, bool open);
static void handshake(struct dav_call *c, bool starting);
static void send_leg(struct dav_call *c, enum leg leg, const struct buf *message);
static void on_answer(void *arg, const struct fetch_answer *answer);
static void on_open(struct dav_call *c, const struct fetch_answer *answer);
static void on_sent1(struct dav_call *c, const struct fetch_answer *answer);
static void on_sent3(struct dav_call *c, const struct fetch_answer *answer);
static void on_loss(struct dav_call *c, const char *when);
static void on_no_challenge(struct dav_call *c, const struct fetch_answer *answer);
static void authenticate(struct dav_call *c, const struct fetch_answer *answer, const struct buf *type2);
static void note_server(struct dav_session *s, const struct buf *type2);
static bool says_close(const struct fetch *fetch);
static bool is_lost(const struct fetch_answer *answer);
static const char *word(const struct dav_call *c);

const struct dav_auth_ops dav_auth_ntlm = {
    .scheme = DAV_SCHEME_NTLM,
    .accepts = accepts,
    .start = start,
    .release = release,
};

/* For every start: what the configuration asks for is weaker than most people know. */
void dav_ntlm_warn(const struct dav_session *s)
{
    for (size_t i = 0; i < s->account.auth_count; i++)
        if (s->account.auth[i] == DAV_SCHEME_NTLM && dav_ntlm_level_has_lm(s->account.lm_compatibility_level))
            log_warning("dav",
                        "srv=%s lm_compatibility_level %d sends LM responses, from which the password can be found",
                        s->account.name, s->account.lm_compatibility_level);
}

void dav_ntlm_lanes_free(struct dav_host *host)
{
    struct dav_lane *lane;

    while ((lane = host->lanes)) {
        host->lanes = lane->next;
        fetch_client_free(&lane->client);
        free(lane);
    }
}

unsigned dav_ntlm_lanes_load(const struct dav_host *host)
{
    unsigned sum = 0, connections, exchanges;

    for (const struct dav_lane *lane = host->lanes; lane; lane = lane->next) {
        fetch_client_load(lane->client, &connections, &exchanges);
        sum += connections;
    }
    return sum;
}

static bool accepts(const char *user, char *why, size_t why_size)
{
    const char *slash = strchr(user, '\\');

    if (!str_is_utf8(user, strlen(user)) || (slash ? slash + 1 : user)[0] == '\0') {
        snprintf(why, why_size, "the account name is empty or no UTF-8, which NTLM cannot carry");
        return false;
    }
    return true;
}

static void start(struct dav_call *c)
{
    c->lane = lane_for(c->request.host, c->session);
    c->lane->call = c;
    if (c->lane->open && !c->lane->single && !c->request.anew)
        send_leg(c, LEG_OPEN, NULL);
    else
        handshake(c, true);
}

static void release(struct dav_call *c)
{
    if (!c->lane)
        return;
    if (c->leg == LEG_SENT1 || c->leg == LEG_SENT3)
        lane_open(c->lane, false);
    c->lane->call = NULL;
    c->lane = NULL;
}

/* One that is logged on before one that is not; a new one when all are busy. */
static struct dav_lane *lane_for(struct dav_host *host, struct dav_session *s)
{
    struct dav_lane *lane, *idle = NULL;

    for (lane = host->lanes; lane; lane = lane->next) {
        if (!lane->call && lane->open)
            return lane;
        if (!lane->call)
            idle = lane;
    }
    if (idle)
        return idle;
    lane = mem_calloc(1, sizeof(*lane));
    lane->client = dav_session_client(s, 1, KEEP_MS);
    lane->next = host->lanes;
    host->lanes = lane;
    return lane;
}

static void lane_open(struct dav_lane *lane, bool open)
{
    lane->open = open;
    if (open)
        return;
    lane->connection = 0;
    lane->single = false;
}

/* `starting`: dav_call_start() has not returned yet. */
static void handshake(struct dav_call *c, bool starting)
{
    struct dav_session *s = c->session;
    struct dav_ntlm_settings settings = {.level = s->account.lm_compatibility_level, .user = s->account.user};
    struct buf message;

    if (!dav_call_show(c, starting))
        return;
    if (!c->challenged && !(c->lane->single && c->lane->open))
        lane_open(c->lane, false);
    buf_init(&message, DAV_NTLM_TYPE1_LEN);
    dav_ntlm_negotiate(&settings, &message);
    send_leg(c, LEG_SENT1, &message);
    buf_free(&message);
}

/* `message` NULL: without any. */
static void send_leg(struct dav_call *c, enum leg leg, const struct buf *message)
{
    struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    if (message) {
        buf_addf(&line, "Authorization: %s ", word(c));
        crypto_base64_encode(&line, message->data, message->len);
    }
    c->leg = (int)leg;
    dav_call_send(c, &(struct dav_leg){.client = c->lane->client,
                                       .credential = message ? line.data : NULL,
                                       .empty = leg == LEG_SENT1,
                                       .pin = c->lane->connection,
                                       .fresh = c->lane->connection == 0,
                                       .done = on_answer});
    buf_wipe(&line);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct dav_call *c = arg;
    enum leg leg = (enum leg)c->leg;

    c->fetch = NULL;
    if (answer->connection_id > 0)
        c->lane->connection = answer->connection_id;
    if (answer->err != FETCH_OK) /* curl keeps no connection whose answer did not come to its end */
        lane_open(c->lane, false);
    switch (leg) {
    case LEG_OPEN:
        on_open(c, answer);
        return;
    case LEG_SENT1:
        on_sent1(c, answer);
        return;
    case LEG_SENT3:
        on_sent3(c, answer);
        return;
    case LEG_PLAIN:
    case LEG_NONE:
        break;
    }
    dav_call_answered(c, answer);
}

static void on_open(struct dav_call *c, const struct fetch_answer *answer)
{
    if (is_lost(answer)) {
        on_loss(c, "while it was idle");
    } else if (answer->err == FETCH_OK && answer->status == 401) {
        dav_session_count(c->session, answer);
        c->challenged = !says_close(answer->fetch);
        handshake(c, false);
    } else {
        dav_call_answered(c, answer);
    }
}

static void on_sent1(struct dav_call *c, const struct fetch_answer *answer)
{
    struct dav_challenge challenge;
    struct buf type2;

    if (answer->err == FETCH_PIN_LOST) {
        on_loss(c, "while it was idle");
        return;
    }
    if (answer->err != FETCH_OK) {
        dav_call_answered(c, answer);
        return;
    }
    dav_session_count(c->session, answer);
    if (answer->status != 401) {
        send_leg(c, LEG_PLAIN, NULL);
        return;
    }
    if (!dav_auth_token(answer->fetch, word(c), &challenge)) {
        on_no_challenge(c, answer);
        return;
    }
    buf_init(&type2, DAV_NTLM_TYPE2_MAX);
    if (!crypto_base64_decode(&type2, challenge.token, challenge.token_len))
        dav_call_end(c, DAV_CALL_STUCK, false, "answer-malformed", "the challenge is %s",
                     type2.failed ? "longer than 8 KiB" : "not base64");
    else
        authenticate(c, answer, &type2);
    buf_free(&type2);
}

/* Nothing secret has been sent yet. */
static void on_no_challenge(struct dav_call *c, const struct fetch_answer *answer)
{
    bool closes = says_close(answer->fetch);
    bool offered = dav_auth_offered(answer->fetch, 401) & (1U << DAV_SCHEME_NTLM | 1U << DAV_SCHEME_NEGOTIATE);
    const char *via = fetch_header(answer->fetch, "Via", 0);

    if (!offered)
        dav_call_end(c, DAV_CALL_STUCK, false, "auth-none-usable",
                     "NTLM was offered, but not any more when it was used%s", via ? " (a proxy stands between)" : "");
    else if (closes)
        dav_call_end(c, DAV_CALL_STUCK, false, "ntlm-connection-broken", "the first message was answered by closing%s",
                     via ? " (a proxy stands between)" : "");
    else
        dav_call_end(c, DAV_CALL_STUCK, false, "ntlm-connection-broken",
                     "the first message was answered without a challenge; no password was used%s%s",
                     c->session->account.lm_compatibility_level == 0
                         ? "; level 0 offers no extended session security, which the server may insist on"
                         : "",
                     via ? "; a proxy stands between" : "");
}

static void authenticate(struct dav_call *c, const struct fetch_answer *answer, const struct buf *type2)
{
    struct dav_session *s = c->session;
    struct dav_ntlm_settings settings = {.level = s->account.lm_compatibility_level, .user = s->account.user};
    struct dav_ntlm_round round = {.type2 = (const uint8_t *)type2->data,
                                   .type2_len = type2->len,
                                   .time = dav_ntlm_filetime(clk_wall_ms(loop_clk(s->loop)))};
    char spn[DAV_URL_HOST_MAX + 8], why[160] = "";
    struct buf type1, type3;
    enum dav_ntlm_result result;
    const char *password;
    size_t len;

    note_server(s, type2);
    buf_init(&type1, DAV_NTLM_TYPE1_LEN);
    buf_init(&type3, DAV_NTLM_TYPE3_MAX);
    dav_ntlm_negotiate(&settings, &type1);
    round.type1 = (const uint8_t *)type1.data;
    round.type1_len = type1.len;
    if (!s->account.no_channel_binding) {
        round.cert_hash = answer->cert_hash;
        round.cert_hash_len = answer->cert_hash_len;
    }
    snprintf(spn, sizeof(spn), "HTTP/%s", c->request.host->url.host);
    round.spn = spn;
    crypto_random(round.client_challenge, sizeof(round.client_challenge));
    password = secret_bytes(s->secret, &len);
    result = dav_ntlm_authenticate(&settings, password, len, &round, &type3, why, sizeof(why));
    if (result != DAV_NTLM_OK)
        dav_call_end(c, DAV_CALL_STUCK, false, dav_ntlm_code(result), "%s", why);
    else if (says_close(answer->fetch))
        dav_call_end(c, DAV_CALL_STUCK, false, "ntlm-connection-broken",
                     "the challenge came with Connection: close, so it cannot be answered");
    else
        send_leg(c, LEG_SENT3, &type3);
    buf_free(&type1);
    buf_wipe(&type3);
}

static void on_sent3(struct dav_call *c, const struct fetch_answer *answer)
{
    struct dav_session *s = c->session;
    const char *persists = fetch_header(answer->fetch, "Persistent-Auth", 0);
    struct dav_challenge challenge;

    if (answer->err == FETCH_PIN_LOST) {
        on_loss(c, "between challenge and answer");
        return;
    }
    c->shown = true;
    if (is_lost(answer) && !s->accepted) { /* whether the password was looked at nobody knows: not once more */
        dav_call_end(c, DAV_CALL_STUCK, false, "ntlm-connection-broken",
                     "the connection ended when the challenge was answered, without a verdict");
    } else if (is_lost(answer)) {
        on_loss(c, "when the challenge was answered");
    } else if (answer->err != FETCH_OK) {
        dav_call_answered(c, answer);
    } else if (answer->status == 401 && dav_auth_token(answer->fetch, word(c), &challenge)) {
        dav_call_end(c, DAV_CALL_STUCK, false, "ntlm-connection-broken",
                     "the answer to the challenge got another challenge: messages reach different servers");
    } else {
        c->leg = LEG_NONE;
        lane_open(c->lane, answer->status != 401 && !says_close(answer->fetch));
        if (answer->status != 401) {
            s->handshakes++;
            c->lane->connection = c->lane->open ? answer->connection_id : 0;
            c->lane->single = c->challenged || c->lane->single || (persists && str_eq_nocase(persists, "false"));
        }
        dav_call_answered(c, answer);
    }
}

static void on_loss(struct dav_call *c, const char *when)
{
    lane_open(c->lane, false);
    c->challenged = false;
    if (++c->losses <= LOSSES_MAX)
        handshake(c, false);
    else
        dav_call_end(c, DAV_CALL_STUCK, false, "ntlm-connection-broken", "the connection was closed %s, %u times", when,
                     c->losses);
}

/* "EXAMPLE, EX1.example.com, Windows 5.2.3790, clock 3 s behind": for the check. */
static void note_server(struct dav_session *s, const struct buf *type2)
{
    struct dav_ntlm_challenge c;
    char why[100], text[sizeof(s->server_says)];
    struct buf b;

    if (!dav_ntlm_challenge_parse(type2->data, type2->len, &c, why, sizeof(why)))
        return;
    buf_init(&b, sizeof(text) - 1);
    if (!dav_ntlm_challenge_name(&c, DAV_NTLM_AV_NB_DOMAIN, &b))
        dav_ntlm_challenge_target(&c, &b);
    if (c.target_info) {
        buf_adds(&b, b.len > 0 ? ", " : "");
        if (!dav_ntlm_challenge_name(&c, DAV_NTLM_AV_DNS_COMPUTER, &b))
            dav_ntlm_challenge_name(&c, DAV_NTLM_AV_NB_COMPUTER, &b);
    }
    if (c.has_version)
        buf_addf(&b, "%sWindows %u.%u.%u", b.len > 0 ? ", " : "", c.major, c.minor, c.build);
    if (c.has_time) {
        int64_t ours = (int64_t)(dav_ntlm_filetime(clk_wall_ms(loop_clk(s->loop))) / 10000000);
        int64_t ahead = (int64_t)(c.time / 10000000) - ours;

        buf_addf(&b, "%sclock %lld s %s", b.len > 0 ? ", " : "", (long long)(ahead < 0 ? -ahead : ahead),
                 ahead < 0 ? "behind" : "ahead");
    }
    str_printable(b.data, b.len, s->server_says, sizeof(s->server_says));
    buf_free(&b);
}

static bool says_close(const struct fetch *fetch)
{
    const char *value = fetch_header(fetch, "Connection", 0);

    return value && str_find_nocase(value, strlen(value), "close");
}

/* The connection ended and there is no answer, not even the beginning of one. */
static bool is_lost(const struct fetch_answer *answer)
{
    return answer->err == FETCH_PIN_LOST || (answer->err == FETCH_TCP_RESET && answer->status == 0);
}

/* Of the scheme, in headers. */
static const char *word(const struct dav_call *c)
{
    dav_auth_set offered = c->request.host->offered ? c->request.host->offered : c->session->offered;

    return offered & 1U << DAV_SCHEME_NEGOTIATE && !(offered & 1U << DAV_SCHEME_NTLM) ? "Negotiate" : "NTLM";
}
