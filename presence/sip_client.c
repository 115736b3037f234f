/*
 * sip_client: see sip_client.h. A call is found by the branch of its Via, which is random, so that nobody off the path
 * can answer for the server. It ends with the first final answer; later copies of that find nothing and are dropped.
 *
 * A challenge is met when the request carried no credentials, or carried some for an older nonce: a fresh nonce that is
 * refused means that the password is wrong, and a server that says "stale" again and again is given up on.
 */
#include "sip_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

enum { REQUEST_MAX = 65000, CHALLENGES_MAX = 4, BRANCH_MAX = 32 };

struct pres_sip_call {
    struct pres_sip_client *client;
    char branch[BRANCH_MAX];
    struct pres_sip_path path;
    char *method, *uri;
    uint32_t cseq;
    struct buf rest;    /* from the header lines on, the body included */
    struct buf request; /* as sent */
    unsigned challenges;
    int64_t wait_ms, left_ms; /* timers E and F */
    struct loop_timer *timer;
    pres_sip_done_fn *done;
    void *arg;
};

struct pres_sip_client {
    struct loop *loop;
    struct pres_sip_net *net;
    const struct pres_sip_account *account;
    struct pres_sip_auth auth;
    struct map *calls; /* by branch */
    uint64_t repeats;
};

static bool write_and_send(struct pres_sip_call *call);
static void arm(struct pres_sip_call *call);
static void on_timer(void *arg);
static bool challenged(const struct pres_sip_message *answer);
static bool meet(struct pres_sip_call *call, const struct pres_sip_message *answer);
static void finish(struct pres_sip_call *call, enum pres_sip_end end, const struct pres_sip_message *answer);
static void call_free(struct pres_sip_call *call);

struct pres_sip_client *pres_sip_client_new(struct loop *loop, struct pres_sip_net *net,
                                            const struct pres_sip_account *account)
{
    struct pres_sip_client *c = mem_calloc(1, sizeof *c);
    c->loop = loop;
    c->net = net;
    c->account = account;
    c->calls = map_new();
    return c;
}

void pres_sip_client_free(struct pres_sip_client **cp)
{
    struct pres_sip_client *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    size_t pos = 0;
    for (struct pres_sip_call *call; (call = map_next(c->calls, &pos));)
        call_free(call);
    map_free(&c->calls);
    pres_sip_auth_clear(&c->auth);
    free(c);
}

struct pres_sip_call *pres_sip_client_send(struct pres_sip_client *c, const struct pres_sip_path *path,
                                           const struct pres_sip_request *r, pres_sip_done_fn *done, void *arg)
{
    struct pres_sip_call *call = mem_calloc(1, sizeof *call);
    call->client = c;
    call->path = *path;
    call->method = mem_strdup(r->method);
    call->uri = mem_strdup(r->uri);
    call->cseq = r->cseq;
    call->done = done;
    call->arg = arg;
    call->timer = loop_timer_new(c->loop, "sip request", on_timer, call);
    buf_init(&call->rest, REQUEST_MAX);
    buf_init(&call->request, REQUEST_MAX);
    buf_addf(&call->rest, "%sContent-Length: %zu\r\n\r\n", r->rest, r->body_len);
    buf_add(&call->rest, r->body, r->body_len);
    if (!write_and_send(call)) {
        call_free(call);
        return NULL;
    }
    return call;
}

void pres_sip_call_cancel(struct pres_sip_call **call)
{
    if (*call)
        call_free(*call);
    *call = NULL;
}

uint32_t pres_sip_call_cseq(const struct pres_sip_call *call)
{
    return call->cseq;
}

bool pres_sip_client_take(struct pres_sip_client *c, const struct pres_sip_message *answer)
{
    struct pres_sip_call *call = map_get(c->calls, answer->branch);
    if (!call || strcmp(call->method, answer->method) != 0)
        return false;
    if (answer->status < 200) { /* it is being worked on */
        call->wait_ms = PRES_SIP_T2_MS;
        return true;
    }
    if (!challenged(answer))
        finish(call, PRES_SIP_ANSWERED, answer);
    else if (!meet(call, answer))
        finish(call, PRES_SIP_UNKNOWN_US, answer);
    else if (!write_and_send(call))
        finish(call, PRES_SIP_LOST, NULL);
    return true;
}

void pres_sip_client_lost(struct pres_sip_client *c, uint64_t connection)
{
    bool some = true;
    while (some) { /* who is told may send anew */
        struct pres_sip_call *call;
        size_t pos = 0;
        some = false;
        while (!some && (call = map_next(c->calls, &pos)))
            if (call->path.transport != PRES_SIP_UDP && call->path.connection == connection) {
                finish(call, PRES_SIP_LOST, NULL);
                some = true;
            }
    }
}

size_t pres_sip_client_waiting(const struct pres_sip_client *c)
{
    return map_count(c->calls);
}

uint64_t pres_sip_client_repeats(const struct pres_sip_client *c)
{
    return c->repeats;
}

static bool write_and_send(struct pres_sip_call *call)
{
    struct pres_sip_client *c = call->client;
    char here[UDP_TEXT_MAX];
    if (call->branch[0])
        map_del(c->calls, call->branch);
    snprintf(call->branch, sizeof call->branch, "z9hG4bK%016llx", (unsigned long long)crypto_random_u64());
    map_put(c->calls, call->branch, call);
    buf_reset(&call->request);
    buf_addf(&call->request, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;rport;branch=%s\r\n", call->method, call->uri,
             pres_sip_transport_name(call->path.transport), pres_sip_net_here(c->net, &call->path, here), call->branch);
    buf_addf(&call->request, "Max-Forwards: 70\r\nCSeq: %u %s\r\n", call->cseq, call->method);
    if (c->account)
        pres_sip_auth_add(&c->auth, &call->request, c->account->user, c->account->password, call->method, call->uri);
    buf_add(&call->request, call->rest.data, call->rest.len);
    if (call->request.failed || !pres_sip_net_send(c->net, &call->path, call->request.data, call->request.len))
        return false;
    call->wait_ms = PRES_SIP_T1_MS;
    call->left_ms = PRES_SIP_TIMEOUT_MS;
    arm(call);
    return true;
}

/* On a path that loses nothing only the end counts. */
static void arm(struct pres_sip_call *call)
{
    bool lossy = call->path.transport == PRES_SIP_UDP;
    int64_t wait_ms = lossy && call->wait_ms < call->left_ms ? call->wait_ms : call->left_ms;
    call->left_ms -= wait_ms;
    loop_timer_in(call->timer, wait_ms);
}

static void on_timer(void *arg)
{
    struct pres_sip_call *call = arg;
    if (call->left_ms <= 0) {
        finish(call, PRES_SIP_TIMEOUT, NULL);
        return;
    }
    call->client->repeats++;
    pres_sip_net_send(call->client->net, &call->path, call->request.data, call->request.len);
    call->wait_ms = 2 * call->wait_ms < PRES_SIP_T2_MS ? 2 * call->wait_ms : PRES_SIP_T2_MS;
    arm(call);
}

static bool challenged(const struct pres_sip_message *answer)
{
    return answer->status == 401 || answer->status == 407;
}

/* False: it cannot be met, or has been. */
static bool meet(struct pres_sip_call *call, const struct pres_sip_message *answer)
{
    struct pres_sip_client *c = call->client;
    bool stale = false;
    for (unsigned i = 0; i < answer->challenge_count; i++)
        stale = stale || answer->challenges[i].stale;
    call->challenges++;
    if (!c->account || !c->account->user || !c->account->password || call->challenges > CHALLENGES_MAX ||
        (call->challenges > 1 && !stale))
        return false;
    call->cseq++;
    return pres_sip_auth_take(&c->auth, answer);
}

static void finish(struct pres_sip_call *call, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    pres_sip_done_fn *done = call->done;
    void *arg = call->arg;
    call_free(call);
    done(arg, end, answer);
}

static void call_free(struct pres_sip_call *call)
{
    if (map_get(call->client->calls, call->branch) == call)
        map_del(call->client->calls, call->branch);
    loop_timer_free(&call->timer);
    buf_wipe(&call->request);
    buf_free(&call->rest);
    free(call->method);
    free(call->uri);
    free(call);
}
