/*
 * sip_digest: see sip_digest.h. sip_client.c proves with it, pub_sip_door.c asks with it.
 *
 * Our own nonces are not kept: each is the second in which it was made and an HMAC of that second and the asker's
 * address, so a flood of requests costs no memory, and what was overheard is of no use to another host.
 */
#include "sip_digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

enum { NONCE_S = 300, HEX_MAX = 2 * CRYPTO_SHA256_LEN + 1, QUOTED_MAX = 8192 };

/* The parts of a response (RFC 7616 3.4.1). */
struct parts {
    bool sha256;
    const char *user, *realm, *method, *uri, *nonce, *cnonce, *nc; /* nc NULL: without qop (RFC 2069) */
};

static int worth(const struct pres_sip_challenge *c);
static bool respond(const struct parts *p, const char *password, size_t password_len, char out[HEX_MAX]);
static bool hash(bool sha256, const struct buf *text, char out[HEX_MAX]);
static void hex(const uint8_t *bytes, size_t len, char *out);
static void add_quoted(struct buf *out, const char *name, const char *value);
static void make_nonce(const struct pres_sip_guard *g, const char *host, int64_t second, char out[64]);
static void replace(char **text, const char *by);

bool pres_sip_auth_take(struct pres_sip_auth *auth, const struct pres_sip_message *answer)
{
    const struct pres_sip_challenge *best = NULL;
    for (unsigned i = 0; i < answer->challenge_count; i++)
        if (worth(&answer->challenges[i]) > (best ? worth(best) : 0))
            best = &answer->challenges[i];
    if (!best)
        return false;
    replace(&auth->realm, best->realm ? best->realm : "");
    replace(&auth->nonce, best->nonce);
    replace(&auth->opaque, best->opaque ? best->opaque : "");
    auth->opaque_told = best->opaque != NULL;
    auth->proxy = best->proxy;
    auth->sha256 = best->algorithm && str_eq_nocase(best->algorithm, "SHA-256");
    auth->qop = best->qop != NULL;
    auth->count = 0;
    return true;
}

void pres_sip_auth_clear(struct pres_sip_auth *auth)
{
    free(auth->realm);
    free(auth->nonce);
    free(auth->opaque);
    memset(auth, 0, sizeof *auth);
}

bool pres_sip_auth_add(struct pres_sip_auth *auth, struct buf *out, const char *user, const struct secret *password,
                       const char *method, const char *uri)
{
    char response[HEX_MAX], cnonce[20], nc[12];
    size_t len;
    if (!auth->nonce || !password || !user)
        return false;
    const char *text = secret_bytes(password, &len);
    snprintf(cnonce, sizeof cnonce, "%016llx", (unsigned long long)crypto_random_u64());
    snprintf(nc, sizeof nc, "%08x", ++auth->count);
    struct parts p = {auth->sha256, user, auth->realm, method, uri, auth->nonce, cnonce, auth->qop ? nc : NULL};
    if (!respond(&p, text, len, response))
        return false;
    buf_adds(out, auth->proxy ? "Proxy-Authorization: Digest " : "Authorization: Digest ");
    add_quoted(out, "username", user);
    add_quoted(out, ", realm", auth->realm);
    add_quoted(out, ", nonce", auth->nonce);
    add_quoted(out, ", uri", uri);
    buf_addf(out, ", response=\"%s\", algorithm=%s", response, auth->sha256 ? "SHA-256" : "MD5");
    if (auth->qop)
        buf_addf(out, ", qop=auth, nc=%s, cnonce=\"%s\"", nc, cnonce);
    if (auth->opaque_told)
        add_quoted(out, ", opaque", auth->opaque);
    return buf_adds(out, "\r\n");
}

enum pres_sip_verdict pres_sip_guard_look(const struct pres_sip_guard *g, const struct pres_sip_message *m,
                                          const char *password, const char *host, int64_t now_s)
{
    const struct pres_sip_credentials *c = &m->credentials;
    char nonce[64], response[HEX_MAX], digits[12];
    int64_t made;
    if (!m->has_credentials || !c->user || !c->realm || !c->nonce || !c->uri || !c->response ||
        strcmp(c->realm, g->realm) != 0 || strlen(c->nonce) < 10)
        return PRES_SIP_ASK;
    snprintf(digits, sizeof digits, "%.10s", c->nonce);
    if (!str_to_int(digits, 0, INT64_MAX, &made))
        return PRES_SIP_ASK;
    make_nonce(g, host, made, nonce);
    if (strlen(c->nonce) != strlen(nonce) || !crypto_equal(nonce, c->nonce, strlen(nonce)))
        return PRES_SIP_ASK; /* of before our restart, or of somebody else */
    bool qop = c->qop && str_eq_nocase(c->qop, "auth");
    if ((c->qop && !qop) || (qop && (!c->nc || !c->cnonce)))
        return PRES_SIP_REFUSED;
    struct parts p = {c->algorithm && str_eq_nocase(c->algorithm, "SHA-256"),
                      c->user,
                      g->realm,
                      m->method,
                      c->uri,
                      c->nonce,
                      qop ? c->cnonce : NULL,
                      qop ? c->nc : NULL};
    const char *known = password ? password : "";
    bool right = respond(&p, known, strlen(known), response) && strlen(c->response) == strlen(response) &&
                 crypto_equal(response, c->response, strlen(response));
    if (!right || !password)
        return PRES_SIP_REFUSED;
    return now_s - made > NONCE_S || made > now_s ? PRES_SIP_STALE : PRES_SIP_KNOWN;
}

/* MD5 alone: phones whose library knows nothing else (libre before 2.0) give up when they are offered another besides.
 */
void pres_sip_guard_ask(const struct pres_sip_guard *g, struct buf *out, const char *host, int64_t now_s, bool stale)
{
    char nonce[64], why[100];
    const char *algorithm = crypto_legacy_start(why, sizeof why) ? "MD5" : "SHA-256";
    make_nonce(g, host, now_s, nonce);
    add_quoted(out, "WWW-Authenticate: Digest realm", g->realm);
    buf_addf(out, ", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s\r\n", nonce, algorithm, stale ? ", stale=true" : "");
}

/* 0: cannot be met. */
static int worth(const struct pres_sip_challenge *c)
{
    char why[100];
    bool auth = !c->qop, sha = c->algorithm && str_eq_nocase(c->algorithm, "SHA-256");
    size_t len;
    for (const char *at = c->qop, *next; at; at = next) {
        next = str_split(at, ',', &len);
        at = str_trim(at, &len);
        auth = auth || (len == 4 && str_find_nocase(at, 4, "auth") == at);
    }
    if (!c->nonce || !auth || strpbrk(c->nonce, "\r\n"))
        return 0;
    if (sha)
        return 2;
    return (!c->algorithm || str_eq_nocase(c->algorithm, "MD5")) && crypto_legacy_start(why, sizeof why) ? 1 : 0;
}

static bool respond(const struct parts *p, const char *password, size_t password_len, char out[HEX_MAX])
{
    char ha1[HEX_MAX], ha2[HEX_MAX];
    struct buf text;
    buf_init(&text, QUOTED_MAX + SECRET_MAX);
    buf_addf(&text, "%s:%s:", p->user, p->realm);
    buf_add(&text, password, password_len);
    bool ok = hash(p->sha256, &text, ha1);
    buf_wipe(&text);
    buf_init(&text, QUOTED_MAX);
    buf_addf(&text, "%s:%s", p->method, p->uri);
    ok = hash(p->sha256, &text, ha2) && ok;
    buf_reset(&text);
    if (p->nc)
        buf_addf(&text, "%s:%s:%s:%s:auth:%s", ha1, p->nonce, p->nc, p->cnonce, ha2);
    else
        buf_addf(&text, "%s:%s:%s", ha1, p->nonce, ha2);
    ok = hash(p->sha256, &text, out) && ok;
    buf_wipe(&text);
    mem_wipe(ha1, sizeof ha1);
    return ok;
}

static bool hash(bool sha256, const struct buf *text, char out[HEX_MAX])
{
    uint8_t bytes[CRYPTO_SHA256_LEN];
    char why[100];
    if (text->failed)
        return false;
    if (sha256) {
        crypto_sha256(text->data, text->len, bytes);
        hex(bytes, CRYPTO_SHA256_LEN, out);
        return true;
    }
    if (!crypto_legacy_start(why, sizeof why))
        return false;
    crypto_legacy_md5(&(struct crypto_piece){text->data, text->len}, 1, bytes);
    hex(bytes, CRYPTO_LEGACY_LEN, out);
    return true;
}

static void hex(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void add_quoted(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *p);
    }
    buf_addc(out, '"');
}

/* "1795348800" and 32 hexadecimal digits. */
static void make_nonce(const struct pres_sip_guard *g, const char *host, int64_t second, char out[64])
{
    uint8_t bytes[CRYPTO_SHA256_LEN];
    struct buf text;
    buf_init(&text, 512);
    buf_addf(&text, "%lld %s", (long long)second, host);
    crypto_hmac_sha256(g->key, sizeof g->key, text.data, text.len, bytes);
    snprintf(out, 64, "%010lld", (long long)second % INT64_C(10000000000));
    hex(bytes, 16, out + 10);
    buf_free(&text);
}

static void replace(char **text, const char *by)
{
    char *old = *text;
    *text = mem_strdup(by);
    free(old);
}
