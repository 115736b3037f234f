/*
 * sim_basic: HTTP Basic (RFC 7617), as IIS takes it: whom an Authorization header names.
 */
#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/str.h"
#include "sim.h"
#include "sim_store.h"

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
    return sim_logon_judge(r, text, a, ok) == SIM_LET_IN ? a : NULL;
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
