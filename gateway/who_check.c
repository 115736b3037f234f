/*
 * who_check: credentials. A token is one look into a table. A password takes tens of ms of scrypt, so it is looked at
 * by the worker, one after the other, while its request waits; requests that show the same credential wait together,
 * and one that was right is remembered for a while as a keyed digest, so that a calendar program that sends it with
 * every request costs nothing.
 *
 * Failures are counted by where they come from: each is worth FAILURE_MS of time, and who is ahead of the clock by
 * more than AHEAD_MS has to wait until it caught up. Nothing is looked at for an address that has to wait, but a
 * credential that was right lately still is: one program with an old password does not shut out its whole office.
 * A name that nobody has takes as long as one that somebody has.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway_private.h"
#include "recent.h"
#include "who_private.h"

enum { FAILURE_MS = 6000, AHEAD_MS = 9 * FAILURE_MS, KNOWN_MS = 15 * 60000, CHECKS_MAX = 64 };
enum { DIGEST_TEXT = 2 * CRYPTO_SHA256_LEN + 1 };

/* A request that waits for a check. */
struct waiter {
    struct waiter *next, **back;
    struct gw_face *face;
    struct httpd_req *req;
    gw_who_then_fn *then;
    const void *arg;
};

struct gw_who_check {
    struct gw_gate *gate; /* NULL: the daemon stops */
    struct gw_who_check *next;
    struct waiter *waiters;
    struct gw_auth auth; /* wiped at the end */
    char digest[DIGEST_TEXT];
    char place[GW_NET_TEXT_MAX];
    char *kept; /* the hash to compare with */
    bool ok;
};

static void digest_of(const struct gw_gate *gate, const struct gw_auth *auth, char out[DIGEST_TEXT]);
static const struct gw_who_known *known_of(struct gw_gate *gate, const char *digest);
static void remember(struct gw_gate *gate, const char *digest, const struct gw_who_entry *e, const char *means);
static enum gw_who_state check_password(struct gw_gate *gate, const struct gw_auth *auth, const char *digest,
                                        const char *place, struct waiter waiter);
static struct gw_who_check *check_new(struct gw_gate *gate, const struct gw_auth *auth, const char *digest,
                                      const char *place);
static void wait_for(struct gw_who_check *c, struct waiter waiter);
static void waiter_gone(void *arg);
static void waiter_free(struct waiter *w);
static void start_next(struct gw_gate *gate);
static void work(void *arg);
static void done(void *arg);
static void answer_all(struct gw_who_check *c, struct gw_gate *gate);
static void check_free(struct gw_who_check *c);
static int64_t ahead_ms(struct gw_gate *gate, const char *place);
static void charge(struct gw_gate *gate, const char *place, int64_t ms);
static int64_t now_ms(const struct gw_gate *gate);

enum gw_who_state gw_gate_check(struct gw_gate *gate, struct gw_face *face, struct httpd_req *req,
                                const struct gw_auth *auth, gw_who_then_fn *then, const void *arg)
{
    char digest[DIGEST_TEXT], place[GW_NET_TEXT_MAX];
    digest_of(gate, auth, digest);
    gw_net_neighbourhood(httpd_peer(req), place);
    const struct gw_who_known *known = known_of(gate, digest);
    if (known) {
        gw_gate_admit(req, &known->entry->who, known->means);
        return GW_WHO_KNOWN;
    }
    int64_t over = ahead_ms(gate, place) - AHEAD_MS;
    if (over > 0) {
        gw_gate_refuse(gate, req, GW_REFUSED_SLOWED, (over + 999) / 1000);
        return GW_WHO_ANSWERED;
    }
    if (auth->kind == GW_AUTH_BASIC)
        return check_password(gate, auth, digest, place,
                              (struct waiter){.face = face, .req = req, .then = then, .arg = arg});
    const struct gw_who_entry *e = gw_whos_with_token(gw_gate_whos(gate), auth->secret, auth->secret_len);
    if (!e) {
        charge(gate, place, FAILURE_MS);
        gw_gate_refuse(gate, req, GW_REFUSED_TOKEN, 0);
        return GW_WHO_ANSWERED;
    }
    remember(gate, digest, e, "token");
    gw_gate_admit(req, &e->who, "token");
    return GW_WHO_KNOWN;
}

/* The faces are gone, so nobody waits any more. The one in the worker frees itself. */
void gw_gate_checks_free(struct gw_gate *gate)
{
    struct gw_who_check *running = gate->checks, *c = running ? running->next : NULL;
    if (running)
        running->gate = NULL;
    while (c) {
        struct gw_who_check *next = c->next;
        check_free(c);
        c = next;
    }
    gate->checks = NULL;
}

static void digest_of(const struct gw_gate *gate, const struct gw_auth *auth, char out[DIGEST_TEXT])
{
    char text[1 + GW_AUTH_NAME_MAX + 1 + GW_AUTH_SECRET_MAX];
    uint8_t digest[CRYPTO_SHA256_LEN];
    size_t name = strlen(auth->name) + 1;
    text[0] = (char)('0' + (int)auth->kind);
    memcpy(text + 1, auth->name, name);
    memcpy(text + 1 + name, auth->secret, auth->secret_len);
    crypto_hmac_sha256(gate->key, sizeof gate->key, text, 1 + name + auth->secret_len, digest);
    crypto_hex(digest, sizeof digest, out);
    mem_wipe(text, sizeof text);
}

static const struct gw_who_known *known_of(struct gw_gate *gate, const char *digest)
{
    const struct gw_who_known *known = gw_recent_get(gate->known, digest);
    if (known && known->until_ms <= now_ms(gate)) {
        gw_recent_del(gate->known, digest);
        known = NULL;
    }
    return known;
}

static void remember(struct gw_gate *gate, const char *digest, const struct gw_who_entry *e, const char *means)
{
    struct gw_who_known *known = gw_recent_put(gate->known, digest);
    *known = (struct gw_who_known){.entry = e, .means = means, .until_ms = now_ms(gate) + KNOWN_MS};
}

static enum gw_who_state check_password(struct gw_gate *gate, const struct gw_auth *auth, const char *digest,
                                        const char *place, struct waiter waiter)
{
    struct gw_who_check *c = gate->checks;
    while (c && strcmp(c->digest, digest) != 0)
        c = c->next;
    if (!c && gate->check_count >= CHECKS_MAX) {
        gw_gate_refuse(gate, waiter.req, GW_REFUSED_BUSY, 2);
        return GW_WHO_ANSWERED;
    }
    if (!c)
        c = check_new(gate, auth, digest, place);
    wait_for(c, waiter);
    return GW_WHO_LATER;
}

static struct gw_who_check *check_new(struct gw_gate *gate, const struct gw_auth *auth, const char *digest,
                                      const char *place)
{
    const struct gw_whos *whos = gw_gate_whos(gate);
    const struct gw_who_entry *e = gw_whos_named(whos, auth->name);
    struct gw_who_check *c = mem_calloc(1, sizeof *c), **end = &gate->checks;
    c->gate = gate;
    c->auth = *auth;
    c->kept = mem_strdup(e && e->password ? e->password : gw_whos_decoy(whos));
    memcpy(c->digest, digest, sizeof c->digest);
    memcpy(c->place, place, sizeof c->place);
    charge(gate, place, FAILURE_MS); /* given back when it was right */
    while (*end)
        end = &(*end)->next;
    *end = c;
    if (++gate->check_count == 1)
        start_next(gate);
    return c;
}

static void wait_for(struct gw_who_check *c, struct waiter waiter)
{
    struct waiter *w = mem_calloc(1, sizeof *w);
    *w = waiter;
    w->next = c->waiters;
    w->back = &c->waiters;
    if (w->next)
        w->next->back = &w->next;
    c->waiters = w;
    httpd_on_gone(w->req, waiter_gone, w);
}

static void waiter_gone(void *arg)
{
    waiter_free(arg);
}

static void waiter_free(struct waiter *w)
{
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
    free(w);
}

static void start_next(struct gw_gate *gate)
{
    if (gate->checks)
        loop_work(gate->g->loop, work, done, gate->checks);
}

/* In the worker. */
static void work(void *arg)
{
    struct gw_who_check *c = arg;
    c->ok = crypto_password_check(c->kept, c->auth.secret, c->auth.secret_len);
}

static void done(void *arg)
{
    struct gw_who_check *c = arg;
    struct gw_gate *gate = c->gate;
    if (gate) {
        gate->checks = c->next;
        gate->check_count--;
        start_next(gate);
        answer_all(c, gate);
    }
    check_free(c);
}

/* The identities may be others than when it began: the hash must still be somebody's. An answer may do anything. */
static void answer_all(struct gw_who_check *c, struct gw_gate *gate)
{
    const struct gw_who_entry *e = gw_whos_named(gw_gate_whos(gate), c->auth.name);
    bool ok = c->ok && e && e->password && strcmp(e->password, c->kept) == 0;
    struct gw_who *who = ok ? gw_who_ref(&e->who) : NULL;
    if (ok) {
        remember(gate, c->digest, e, "basic");
        charge(gate, c->place, -FAILURE_MS);
    }
    while (c->waiters) {
        struct waiter w = *c->waiters;
        waiter_free(c->waiters);
        httpd_on_gone(w.req, NULL, NULL);
        if (ok)
            gw_gate_admit(w.req, who, "basic");
        if (ok)
            w.then(w.face, w.req, w.arg);
        else
            gw_gate_refuse(gate, w.req, GW_REFUSED_PASSWORD, 0);
    }
    gw_who_unref(&who);
}

static void check_free(struct gw_who_check *c)
{
    mem_wipe(&c->auth, sizeof c->auth);
    free(c->kept);
    free(c);
}

/* By how much a place is ahead of the clock. */
static int64_t ahead_ms(struct gw_gate *gate, const char *place)
{
    const int64_t *until = gw_recent_get(gate->failures, place);
    return until && *until > now_ms(gate) ? *until - now_ms(gate) : 0;
}

static void charge(struct gw_gate *gate, const char *place, int64_t ms)
{
    int64_t *until = gw_recent_put(gate->failures, place);
    if (*until < now_ms(gate))
        *until = now_ms(gate);
    *until += ms;
}

static int64_t now_ms(const struct gw_gate *gate)
{
    return clk_mono_ms(loop_clk(gate->g->loop));
}
