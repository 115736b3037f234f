/*
 * sim_ntlm: NTLM as IIS does it, bound to the connection. Its messages travel through here, but challenge and verdict
 * are a helper's (sim_helper.c: ntlm_auth of Samba), so what we call right is somebody else's arithmetic.
 *
 *   Type 1   the request and its body mean nothing; the helper's challenge goes back in a 401 without other schemes
 *   Type 3   the helper's verdict; if it is good and the account may log on, the connection belongs to that account,
 *            and the request goes on as if it had needed no logon
 *
 * The switch ntlm-break is what proxies do to this: they answer in its place, close, or let the messages of one client
 * arrive on several connections.
 */
#include "sim_ntlm.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"
#include "sim_helper.h"
#include "sim_log.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (48u << 10)
#define HUGE_INFO (24u << 10) /* what still passes as a header */

/* Of one connection. */
struct sim_ntlm {
    struct sim_helper *helper;  /* from the challenge to the verdict */
    struct sim_request *asking; /* waits for the helper */
    char *type1;                /* as the helper got it, base64 */
    char *login;                /* who is logged on; NULL: nobody */
    unsigned epoch;             /* when that was */
};

static void on_challenge(void *arg, const char *answer);
static void on_verdict(void *arg, const char *answer);

void sim_ntlm_free(struct sim_ntlm **ntlm)
{
    struct sim_ntlm *n = *ntlm;
    *ntlm = NULL;
    if (n == NULL)
        return;
    if (n->asking != NULL)
        n->asking->ntlm = NULL;
    sim_helper_give_back(&n->helper);
    free(n->type1);
    free(n->login);
    free(n);
}

static bool breaks(const struct sim_request *r, const char *how)
{
    return sim_fault_is(&r->sim->faults, NULL, SIM_F_NTLM_BREAK, how);
}

static bool challenge_is(const struct sim_request *r, const char *how)
{
    return sim_fault_is(&r->sim->faults, NULL, SIM_F_NTLM_CHALLENGE, how);
}

/* The client went away while the helper thought. */
static void request_gone(void *arg)
{
    struct sim_request *r = arg;
    if (r->ntlm != NULL) {
        r->ntlm->asking = NULL;
        sim_helper_give_back(&r->ntlm->helper);
    }
    sim_request_free(r);
}

static void ask(struct sim_request *r, const char *word, const char *token, sim_helper_fn *fn)
{
    httpd_on_gone(r->req, request_gone, r);
    r->ntlm->asking = r;
    sim_helper_ask(r->ntlm->helper, word, token, fn, r);
}

static struct sim_ntlm *answered(struct sim_request *r)
{
    struct sim_ntlm *n = r->ntlm;
    httpd_on_gone(r->req, NULL, NULL);
    n->asking = NULL;
    return n;
}

static const char *base64(struct sim_request *r, const void *data, size_t len)
{
    struct buf b;
    buf_init(&b, 2 * (HUGE_INFO + MESSAGE_MAX));
    crypto_base64_encode(&b, data, len);
    const char *text = arena_strndup(r->arena, b.data, b.len);
    buf_free(&b);
    return text;
}

/* What a switch makes of the helper's challenge; NULL: leave it. */
static const char *spoilt(struct sim_request *r, const char *token)
{
    struct buf b;
    const char *out = NULL;
    buf_init(&b, HUGE_INFO + MESSAGE_MAX);
    if (crypto_base64_decode(&b, token, strlen(token)) && b.len >= 48) {
        if (challenge_is(r, "cut"))
            b.len = 24;
        if (challenge_is(r, "past-end"))
            b.data[41] = (char)0x7f;          /* length of the target info */
        if (challenge_is(r, "lan-manager")) { /* agrees neither to NTLM nor to ESS: it wants LM */
            b.data[21] &= (char)~0x02;
            b.data[22] &= (char)~0x08;
        }
        if (challenge_is(r, "huge"))
            buf_room(&b, HUGE_INFO), b.len += HUGE_INFO;
        out = base64(r, b.data, b.len);
    }
    buf_free(&b);
    return out;
}

static void send_challenge(struct sim_request *r, const char *token)
{
    const char **lines = arena_alloc(r->arena, 3 * sizeof(char *));
    bool whole = challenge_is(r, "full") || challenge_is(r, "no-info") || challenge_is(r, "plain");
    const char *better = whole ? NULL : spoilt(r, token);
    struct buf line;
    buf_init(&line, 2 * (HUGE_INFO + MESSAGE_MAX));
    buf_addf(&line, "WWW-Authenticate: %s ", r->scheme_name);
    buf_adds(&line, better != NULL ? better : token);
    lines[0] = arena_strndup(r->arena, line.data, line.len);
    buf_free(&line);
    lines[1] = breaks(r, "close") ? "Connection: close" : NULL;
    lines[2] = NULL;
    r->cookies = lines;
    sim_log_count(r->sim->log, "challenges");
    sim_reply(r, &(struct sim_reply){.status = 401, .bare = true});
}

static void on_challenge(void *arg, const char *answer)
{
    struct sim_request *r = arg;
    struct sim_ntlm *n = answered(r);
    if (str_starts(answer, "TT ")) {
        send_challenge(r, answer + 3);
        return;
    }
    sim_helper_give_back(&n->helper);
    sim_logon_challenge(r);
}

static void on_negotiate(struct sim_request *r, struct buf *message)
{
    struct sim_ntlm *n = r->ntlm;
    bool plain = challenge_is(r, "plain");
    free(n->login);
    n->login = NULL;
    if (n->helper == NULL)
        n->helper = sim_helper_take(r->sim->helpers);
    if (n->helper == NULL) {
        sim_log_violation(r->sim->log, r, "NTLM without --ntlm-helper");
        sim_reply_error(r, 500);
        return;
    }
    sim_ntlm_ask_for_less((uint8_t *)message->data, message->len, plain, plain || challenge_is(r, "no-info"));
    free(n->type1);
    n->type1 = mem_strdup(base64(r, message->data, message->len));
    ask(r, "YR", n->type1, on_challenge);
}

static enum sim_refusal refusal_of(const char *answer)
{
    static const struct {
        const char *status;
        enum sim_refusal refusal;
    } statuses[] = {
        {"ACCOUNT_LOCKED_OUT", SIM_LOCKED},       {"ACCOUNT_DISABLED", SIM_DISABLED},
        {"PASSWORD_EXPIRED", SIM_EXPIRED},        {"PASSWORD_MUST_CHANGE", SIM_MUST_CHANGE},
        {"LOGON_TYPE_NOT_GRANTED", SIM_NO_RIGHT},
    };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strstr(answer, statuses[i].status) != NULL)
            return statuses[i].refusal;
    return str_starts(answer, "AF ") ? SIM_LET_IN : SIM_WRONG;
}

/* The helper's opinion is about the password and, with winbindd, its account; ours about the account in the data. */
static void judge(struct sim_request *r, enum sim_refusal opinion)
{
    struct sim_account *a = sim_store_account(r->sim->store, r->login);
    enum sim_refusal ours = sim_logon_judge(r, r->login, a, opinion != SIM_WRONG);
    r->refusal = ours == SIM_LET_IN ? opinion : ours;
    if (r->refusal != SIM_LET_IN) {
        sim_logon_refuse(r);
        return;
    }
    r->account = a;
    if (!breaks(r, "single"))
        r->ntlm->login = mem_strdup(a->name);
    r->ntlm->epoch = r->sim->logon_epoch;
    sim_http_go_on(r);
}

static void on_verdict(void *arg, const char *answer)
{
    struct sim_request *r = arg;
    struct sim_ntlm *n = answered(r);
    sim_helper_give_back(&n->helper);
    if (str_starts(answer, "AF ") || str_starts(answer, "NA ")) {
        judge(r, refusal_of(answer));
        return;
    }
    sim_log_violation(r->sim->log, r, "the helper makes no sense of this Type 3");
    sim_logon_challenge(r);
}

static void on_authenticate(struct sim_request *r, const struct buf *message)
{
    struct sim_ntlm *n = r->ntlm;
    struct sim_ntlm_answer in;
    if (n->helper == NULL || !sim_ntlm_read_answer(message->data, message->len, r->arena, &in)) {
        sim_log_count(r->sim->log, "strays"); /* its Type 1 came on another connection, or never */
        sim_logon_challenge(r);
        return;
    }
    if (breaks(r, "share")) { /* the server saw somebody else's Type 1 here */
        ask(r, "YR", n->type1, on_challenge);
        return;
    }
    sim_log_count(r->sim->log, in.kind);
    if (in.lm)
        sim_log_count(r->sim->log, "with-lm");
    r->login = in.login;
    if (sim_fault_on(&r->sim->faults, NULL, SIM_F_REFUSE_V1) && strcmp(in.kind, "v2") != 0) {
        sim_helper_give_back(&n->helper);
        judge(r, SIM_WRONG);
        return;
    }
    ask(r, "KK", base64(r, message->data, message->len), on_verdict);
}

/* The scheme's name as the client wrote it, and where its token begins; NULL: neither NTLM nor Negotiate. */
static const char *token_of(struct sim_request *r)
{
    const char *header = httpd_header(r->req, "Authorization");
    if (header == NULL)
        return NULL;
    size_t name = strcspn(header, " ");
    r->scheme_name = arena_strndup(r->arena, header, name);
    if (!str_eq_nocase(r->scheme_name, "NTLM") && !str_eq_nocase(r->scheme_name, "Negotiate"))
        return NULL;
    return header + name + strspn(header + name, " ");
}

static void on_message(struct sim_request *r, struct buf *message)
{
    switch (sim_ntlm_type(message->data, message->len)) {
    case SIM_NTLM_NEGOTIATE:
        sim_log_count(r->sim->log, "negotiates");
        if (breaks(r, "bare") || breaks(r, "strip"))
            sim_logon_challenge(r);
        else
            on_negotiate(r, message);
        return;
    case SIM_NTLM_AUTHENTICATE:
        sim_log_count(r->sim->log, "authenticates");
        if (breaks(r, "silent")) {
            sim_log_answer(r->sim->log, r, 0);
            httpd_abort(r->req);
            sim_request_free(r);
        } else {
            on_authenticate(r, message);
        }
        return;
    case SIM_NTLM_CHALLENGE:
    case SIM_NTLM_NONE:
        break;
    }
    sim_logon_challenge(r);
}

bool sim_ntlm_logon(struct sim_request *r)
{
    struct sim_connection *c = httpd_connection_data(r->req);
    const char *token = token_of(r);
    if (c->ntlm == NULL)
        c->ntlm = mem_calloc(1, sizeof(*c->ntlm));
    r->ntlm = c->ntlm;
    if (token == NULL) {
        bool in = c->ntlm->login != NULL && c->ntlm->epoch == r->sim->logon_epoch;
        r->account = in ? sim_store_account(r->sim->store, c->ntlm->login) : NULL;
        if (r->account != NULL)
            return true;
        sim_logon_challenge(r);
        return false;
    }
    struct buf message;
    buf_init(&message, MESSAGE_MAX);
    if (!crypto_base64_decode(&message, token, strlen(token)))
        buf_reset(&message);
    on_message(r, &message);
    buf_free(&message);
    return false;
}
