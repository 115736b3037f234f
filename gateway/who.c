/*
 * who: see who.h. http_api.c asks for every request before its handler runs. Where nothing is configured about who may
 * ask (no identities, no proxies, no policy), whoever reaches a listener is anonymous and may read everything, as the
 * listeners are loopback ones then, or an administrator said otherwise.
 *
 * Else, in this order: what a listed proxy says; what the client says in Authorization, and then nothing else counts;
 * its certificate; anonymous, where the policy has a line about them. A wrong credential is never served as less.
 */
#include "who.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "gateway_private.h"
#include "policy.h"
#include "recent.h"
#include "who_private.h"

enum { TELL_EVERY_MS = 10000, CREDENTIALS_KEPT = 20000, PLACES_KEPT = 20000, HEADERS_MAX = 8 };

static const struct gw_who administrator = {.name = "administrator", .means = "control", .admin = true, .reader = true};
static const struct gw_who everybody = {.name = "anonymous", .means = "anonymous", .reader = true};
static const struct gw_who anonymous = {.name = "anonymous", .means = "anonymous"};

static const struct {
    const char *word, *code, *detail;
    int status;
} refusals[] = {
    [GW_REFUSED_NOBODY] = {"nobody", "who-are-you", "Say who you are: a token, a password or a certificate.", 401},
    [GW_REFUSED_PASSWORD] = {"password", "wrong-password", "The name or the password is wrong.", 401},
    [GW_REFUSED_TOKEN] = {"token", "wrong-token", "The token is not known.", 401},
    [GW_REFUSED_BROKEN] = {"broken", "bad-authorization", "Authorization is Bearer TOKEN or Basic.", 401},
    [GW_REFUSED_SLOWED] = {"slowed", "too-many-failures", "There were too many wrong attempts from your address.", 429},
    [GW_REFUSED_BUSY] = {"busy", "busy", "Too many passwords are being looked at. Try again.", 429},
    [GW_REFUSED_URL_TOKEN] = {"url-token", "token-in-url",
                              "A token in a URL ends up in logs. It belongs into the Authorization header; change this "
                              "one.",
                              400},
    [GW_REFUSED_PROXY] = {"proxy", "not-a-proxy", "Only a listed proxy may say who asks, and once.", 403},
    [GW_REFUSED_STRANGER] = {"stranger", "unknown-identity", "The proxy names somebody who is not known here.", 403},
    [GW_REFUSED_ROLE] = {"role", "not-allowed", "You may not read or do this.", 403},
};
static_assert(sizeof refusals / sizeof refusals[0] == GW_REFUSALS, "each refusal has a row");

static bool is_open(const struct gateway *g);
static bool token_in_url(struct httpd_req *req);
static bool ask_proxy(struct gw_gate *gate, struct httpd_req *req, enum gw_who_state *ret);
static void take_proxied(struct gw_gate *gate, struct httpd_req *req, const char *header);
static enum gw_who_state ask_client(struct gw_gate *gate, struct gw_face *face, struct httpd_req *req,
                                    gw_who_then_fn *then, const void *arg);
static bool ask_certificate(struct gw_gate *gate, struct httpd_req *req);
static bool take_anonymous(struct gw_gate *gate, struct httpd_req *req);
static void tell(struct gw_gate *gate, struct httpd_req *req, enum gw_refusal why);
static void unref(void *data);
static bool same(const char *a, const char *b);

struct gw_gate *gw_gate_new(struct gateway *g)
{
    struct gw_gate *gate = mem_calloc(1, sizeof *gate);
    gate->g = g;
    crypto_random(gate->key, sizeof gate->key);
    gate->known = gw_recent_new(CREDENTIALS_KEPT, sizeof(struct gw_who_known), NULL, NULL);
    gate->failures = gw_recent_new(PLACES_KEPT, sizeof(int64_t), NULL, NULL);
    return gate;
}

void gw_gate_free(struct gw_gate **gate)
{
    if (!*gate)
        return;
    gw_gate_checks_free(*gate);
    gw_recent_free(&(*gate)->known);
    gw_recent_free(&(*gate)->failures);
    mem_wipe((*gate)->key, sizeof(*gate)->key);
    free(*gate);
    *gate = NULL;
}

void gw_gate_changed(struct gw_gate *gate)
{
    gw_recent_clear(gate->known);
}

void gw_gate_count(const struct gw_gate *gate, size_t i, const char **ret_why, uint64_t *ret_count)
{
    *ret_why = i < GW_REFUSALS ? refusals[i].word : NULL;
    *ret_count = i < GW_REFUSALS ? gate->refused[i] : 0;
}

enum gw_who_state gw_who_ask(struct gw_face *face, struct httpd_req *req, gw_who_then_fn *then, const void *arg)
{
    struct gw_gate *gate = face->gateway->gate;
    enum gw_who_state state;
    if (face->admin) {
        httpd_set_data(req, (void *)(uintptr_t)&administrator, NULL);
        return GW_WHO_KNOWN;
    }
    if (token_in_url(req)) {
        gw_gate_refuse(gate, req, GW_REFUSED_URL_TOKEN, 0);
        return GW_WHO_ANSWERED;
    }
    if (is_open(face->gateway)) {
        httpd_set_data(req, (void *)(uintptr_t)&everybody, NULL);
        return GW_WHO_KNOWN;
    }
    if (ask_proxy(gate, req, &state))
        return state;
    return ask_client(gate, face, req, then, arg);
}

const struct gw_who *gw_who_of(struct gw_face *face, struct httpd_req *req)
{
    const struct gw_who *who = httpd_data(req);
    if (!who)
        gw_gate_refuse(face->gateway->gate, req, GW_REFUSED_NOBODY, 0);
    return who;
}

bool gw_who_reads(struct gw_face *face, struct httpd_req *req)
{
    const struct gw_who *who = gw_who_of(face, req);
    if (who && !who->reader)
        gw_gate_refuse(face->gateway->gate, req, GW_REFUSED_ROLE, 0);
    return who && who->reader;
}

const struct gw_who *gw_who_login_of(struct gw_face *face, struct httpd_req *req)
{
    const struct gw_who *who = gw_who_of(face, req);
    if (!who || strcmp(who->means, "anonymous") != 0 || !gw_whos_passwords(gw_gate_whos(face->gateway->gate)))
        return who;
    gw_gate_refuse(face->gateway->gate, req, GW_REFUSED_NOBODY, 0);
    return NULL;
}

struct gw_who *gw_who_ref(const struct gw_who *who)
{
    size_t name = strlen(who->name) + 1, group = who->group ? strlen(who->group) + 1 : 0;
    struct gw_who *copy = mem_calloc(1, sizeof *copy + name + group);
    char *texts = (char *)(copy + 1);
    *copy = *who;
    copy->name = memcpy(texts, who->name, name);
    if (group)
        copy->group = memcpy(texts + name, who->group, group);
    return copy;
}

void gw_who_unref(struct gw_who **who)
{
    free(*who);
    *who = NULL;
}

bool gw_who_holds(const struct gateway *g, const struct gw_who *who)
{
    const struct gw_who_entry *e = gw_whos_named(g->config->whos, who->name);
    bool nobody = strcmp(who->means, "anonymous") == 0;
    if (strcmp(who->means, "control") == 0)
        return true;
    if (is_open(g))
        return nobody;
    if (nobody && !gw_policy_names_anonymous(g))
        return false;
    const struct gw_who *now = e ? &e->who : nobody ? &anonymous : NULL;
    return now && same(now->group, who->group) && now->admin == who->admin && now->reader == who->reader &&
           now->secrets == who->secrets;
}

const struct gw_whos *gw_gate_whos(const struct gw_gate *gate)
{
    return gate->g->config->whos;
}

void gw_gate_admit(struct httpd_req *req, const struct gw_who *who, const char *means)
{
    struct gw_who *copy = gw_who_ref(who);
    copy->means = means;
    httpd_set_data(req, copy, unref);
}

void gw_gate_refuse(struct gw_gate *gate, struct httpd_req *req, enum gw_refusal why, int64_t retry_s)
{
    const char *headers[HEADERS_MAX] = {"Content-Type: application/problem+json", "Cache-Control: no-store"};
    char retry[40];
    size_t n = 2;
    if (refusals[why].status == 401) {
        headers[n++] = "WWW-Authenticate: Bearer realm=\"freebusyd\"";
        if (gw_whos_passwords(gw_gate_whos(gate)))
            headers[n++] = "WWW-Authenticate: Basic realm=\"freebusyd\", charset=\"UTF-8\"";
    }
    if (retry_s > 0) {
        snprintf(retry, sizeof retry, "Retry-After: %" PRId64, retry_s);
        headers[n++] = retry;
    }
    tell(gate, req, why);
    gw_http_problem_with(req, refusals[why].status, headers, refusals[why].code, refusals[why].detail);
}

static bool is_open(const struct gateway *g)
{
    const struct gw_config *c = g->config;
    return c->identities_count == 0 && !c->identities_file && c->http.proxies_count == 0 && !gw_policy_is_set(g);
}

static bool token_in_url(struct httpd_req *req)
{
    bool bad = false;
    return httpd_param(req, "access_token", 0, &bad) || httpd_param(req, "token", 0, &bad);
}

/* True: the request has a proxy's header, and is decided. */
static bool ask_proxy(struct gw_gate *gate, struct httpd_req *req, enum gw_who_state *ret)
{
    const struct gw_config_http *http = &gate->g->config->http;
    struct gw_net peer, net;
    const char *header = NULL;
    bool listed = false, known = gw_net_peer(httpd_peer(req), &peer);
    for (unsigned i = 0; i < http->proxies_count && !listed; i++) {
        const struct gw_config_proxy *p = &http->proxies[i];
        unsigned n = httpd_header_count(req, p->header);
        if (n == 0)
            continue;
        header = p->header;
        listed = n == 1 && known && gw_net_parse(p->from, &net) && gw_net_has(&net, &peer);
    }
    if (!header)
        return false;
    if (listed)
        take_proxied(gate, req, header);
    else
        gw_gate_refuse(gate, req, GW_REFUSED_PROXY, 0);
    *ret = httpd_data(req) ? GW_WHO_KNOWN : GW_WHO_ANSWERED;
    return true;
}

static void take_proxied(struct gw_gate *gate, struct httpd_req *req, const char *header)
{
    const char *text = httpd_header(req, header);
    size_t len = text ? strlen(text) : 0;
    text = str_trim(text ? text : "", &len);
    char *name = mem_strndup(text, len);
    const struct gw_who_entry *e = gw_whos_named(gw_gate_whos(gate), name);
    if (e && strcmp(e->who.name, "anonymous") != 0)
        gw_gate_admit(req, &e->who, "proxy");
    else
        gw_gate_refuse(gate, req, GW_REFUSED_STRANGER, 0);
    free(name);
}

static enum gw_who_state ask_client(struct gw_gate *gate, struct gw_face *face, struct httpd_req *req,
                                    gw_who_then_fn *then, const void *arg)
{
    const char *header = httpd_header(req, "Authorization");
    struct gw_auth auth;
    if (!header) {
        if (ask_certificate(gate, req) || take_anonymous(gate, req))
            return GW_WHO_KNOWN;
        gw_gate_refuse(gate, req, GW_REFUSED_NOBODY, 0);
        return GW_WHO_ANSWERED;
    }
    if (httpd_header_count(req, "Authorization") != 1 || gw_auth_parse(header, &auth) == GW_AUTH_BAD) {
        gw_gate_refuse(gate, req, GW_REFUSED_BROKEN, 0);
        return GW_WHO_ANSWERED;
    }
    enum gw_who_state state = gw_gate_check(gate, face, req, &auth, then, arg);
    mem_wipe(&auth, sizeof auth);
    return state;
}

static bool ask_certificate(struct gw_gate *gate, struct httpd_req *req)
{
    const struct httpd_cert *cert = httpd_client_cert(req);
    const struct gw_who_entry *e = cert ? gw_whos_with_cert(gw_gate_whos(gate), cert) : NULL;
    if (e)
        gw_gate_admit(req, &e->who, "certificate");
    return e != NULL;
}

/* One account like any other, with that account's rights, or with none. */
static bool take_anonymous(struct gw_gate *gate, struct httpd_req *req)
{
    const struct gw_who_entry *e = gw_whos_named(gw_gate_whos(gate), "anonymous");
    if (!gw_policy_names_anonymous(gate->g))
        return false;
    gw_gate_admit(req, e ? &e->who : &anonymous, "anonymous");
    return true;
}

/* Strangers make these lines: one for each kind in some seconds will do. */
static void tell(struct gw_gate *gate, struct httpd_req *req, enum gw_refusal why)
{
    int64_t now = clk_mono_ms(loop_clk(gate->g->loop));
    char path[120];
    gate->refused[why]++;
    if (gate->told[why] > 0 && now - gate->told_ms[why] < TELL_EVERY_MS)
        return;
    const char *text = httpd_path(req);
    log_warning("http", "refused why=%s peer=%s path=\"%s\" others=%" PRIu64, refusals[why].word, httpd_peer(req),
                str_printable(text, strlen(text), path, sizeof path), gate->refused[why] - gate->told[why] - 1);
    gate->told_ms[why] = now;
    gate->told[why] = gate->refused[why];
}

static void unref(void *data)
{
    struct gw_who *who = data;
    gw_who_unref(&who);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}
