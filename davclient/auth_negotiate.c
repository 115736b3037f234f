/*
 * auth_negotiate: Kerberos over HTTP (RFC 4559). No password is involved: the Kerberos library logs on by itself with
 * the keys of a keytab and keeps its tickets in memory. Each request carries a token of its own, which fetch makes in
 * the worker, because the library waits for name servers and KDCs.
 *
 * Who we are is set in the environment, once for the process: all servers that list negotiate share one keytab.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_call.h"
#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

#define TOKEN_MAX (96 * 1024)

/* A job of the worker. Outlives its call when that is cancelled. */
struct dav_ticket {
    struct dav_call *call; /* NULL: nobody waits any more */
    char host[DAV_URL_HOST_MAX];
    bool ok;
    struct buf token;
    char why[200];
};

static bool accepts(const char *user, char *why, size_t why_size);
static void start(struct dav_call *c);
static void release(struct dav_call *c);
static void work(void *arg);
static void on_worked(void *arg);
static void on_no_token(struct dav_call *c, const char *why);
static void on_answer(void *arg, const struct fetch_answer *answer);

const struct dav_auth_ops dav_auth_negotiate = {
    .scheme = DAV_SCHEME_NEGOTIATE,
    .keyless = true,
    .accepts = accepts,
    .start = start,
    .release = release,
};

bool dav_negotiate_use_keytab(const char *keytab_file, char *why, size_t why_size)
{
    static char used[4096];

    if (used[0] && strcmp(used, keytab_file) != 0) {
        snprintf(why, why_size, "another server uses the keytab %.100s already: put all keys into one file", used);
        return false;
    }
    if (used[0])
        return true;
    snprintf(used, sizeof(used), "%s", keytab_file);
    setenv("KRB5_CLIENT_KTNAME", keytab_file, 1);
    setenv("KRB5CCNAME", "MEMORY:freebusyd", 0);
    return true;
}

static bool accepts(const char *user, char *why, size_t why_size)
{
    (void)user, (void)why, (void)why_size;
    return true;
}

static void start(struct dav_call *c)
{
    struct dav_ticket *t;

    if (!dav_call_show(c, true)) /* a key that is refused is to be refused once */
        return;
    t = mem_calloc(1, sizeof(*t));
    t->call = c;
    snprintf(t->host, sizeof(t->host), "%s", c->request.host->url.host);
    buf_init(&t->token, TOKEN_MAX);
    c->ticket = t;
    loop_work(c->session->loop, work, on_worked, t);
}

static void release(struct dav_call *c)
{
    if (c->ticket)
        c->ticket->call = NULL;
    c->ticket = NULL;
}

/* In the worker: touches nothing but the ticket. */
static void work(void *arg)
{
    struct dav_ticket *t = arg;

    buf_adds(&t->token, "Authorization: Negotiate ");
    t->ok = fetch_negotiate_token(t->host, &t->token, t->why, sizeof(t->why));
}

static void on_worked(void *arg)
{
    struct dav_ticket *t = arg;
    struct dav_call *c = t->call;

    if (c) {
        c->ticket = NULL;
        dav_call_shown(c);
        if (t->ok) {
            c->shown = true;
            dav_call_send(c, &(struct dav_leg){
                                 .client = c->request.host->client, .credential = t->token.data, .done = on_answer});
        } else {
            on_no_token(c, t->why);
        }
    }
    buf_wipe(&t->token);
    free(t);
}

/* The KDC's verdict on the key in the keytab is one on a secret; anything else is not. */
static void on_no_token(struct dav_call *c, const char *why)
{
    const char *code = dav_auth_reason_in(why, strlen(why));

    if (code && !str_find_nocase(why, strlen(why), "Server "))
        dav_call_end(c, DAV_CALL_REFUSED, false, code, "Kerberos: %s", why);
    else
        dav_call_end(c, DAV_CALL_STUCK, false, "auth-none-usable", "no Kerberos ticket: %s", why);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct dav_call *c = arg;

    c->fetch = NULL;
    dav_call_answered(c, answer);
}
