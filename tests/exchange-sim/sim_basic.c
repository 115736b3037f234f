/*
 * sim_basic: HTTP Basic (RFC 7617), as IIS offers it: the challenge, and whom an Authorization header names.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/str.h"
#include "sim.h"
#include "sim_log.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <string.h>

#define CREDENTIALS_MAX 4096

static struct sim_account *judge(struct sim_request *r, char *text)
{
    size_t len;
    const char *password = str_split(text, ':', &len);
    if (password == NULL)
        return NULL;
    text[len] = '\0';
    struct sim_account *a = sim_store_account(r->sim->store, text);
    if (sim_fault_on(&r->sim->faults, NULL, SIM_F_DOMAIN_REQUIRED) && strchr(text, '\\') == NULL)
        a = NULL;
    bool ok = a != NULL && strcmp(a->password, password) == 0;
    sim_log_logon(r->sim->log, text, ok);
    return ok ? a : NULL;
}

struct sim_account *sim_basic_account(struct sim_request *r)
{
    const char *header = httpd_header(r->req, "Authorization");
    if (header == NULL || !str_starts_nocase(header, "Basic "))
        return NULL;
    struct buf text;
    buf_init(&text, CREDENTIALS_MAX);
    struct sim_account *a = NULL;
    if (crypto_base64_decode(&text, header + 6, strlen(header + 6)))
        a = judge(r, text.data);
    buf_wipe(&text);
    return a;
}

void sim_basic_challenge(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    size_t host_len = strcspn(r->host, ":");
    const char **lines = arena_alloc(r->arena, 6 * sizeof(char *));
    size_t n = 0;
    if (sim_fault_on(f, NULL, SIM_F_NEGOTIATE)) {
        lines[n++] = "WWW-Authenticate: Negotiate";
        lines[n++] = "WWW-Authenticate: NTLM";
    }
    lines[n++] = sim_arena_printf(r->arena, "WWW-Authenticate: Basic realm=\"%.*s\"",
                                  sim_fault_on(f, NULL, SIM_F_REALM_EMPTY) ? 0 : (int)host_len, r->host);
    lines[n++] = "Proxy-Support: Session-Based-Authentication";
    r->cookies = lines;
    sim_reply_page(r, 401, "<html><body><h2>HTTP Error 401 - Unauthorized: access is denied.</h2></body></html>");
}
