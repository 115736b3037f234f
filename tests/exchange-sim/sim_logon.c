/*
 * sim_logon: which way of logging on the directory of a request asks for, whether the account may come in, and what
 * somebody who may not is told.
 *
 * Windows counts wrong passwords and locks the account after some of them (switch lockout); so do we, for all ways of
 * logging on together. The wire tells no more about a refusal than IIS does: by default nothing but 401.1; with
 * refusal=code the page has the error number, as IIS 7 with detailed errors; with refusal=expiry an expired password
 * leads to the page for changing it.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "sim.h"
#include "sim_log.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <stdlib.h>
#include <string.h>

#define OFFERS_MAX 12

static const struct {
    const char *name;
    const char *code; /* of Windows */
} refusals[] = {
    [SIM_LET_IN] = {"normal", "0x00000000"},     [SIM_WRONG] = {"wrong", "0x8007052e"},
    [SIM_LOCKED] = {"locked", "0x80070775"},     [SIM_DISABLED] = {"disabled", "0x80070533"},
    [SIM_EXPIRED] = {"expired", "0x80070532"},   [SIM_MUST_CHANGE] = {"must-change", "0x80070773"},
    [SIM_NO_RIGHT] = {"no-right", "0x80070569"},
};

const char *sim_refusal_name(enum sim_refusal refusal)
{
    return refusals[refusal].name;
}

bool sim_refusal_parse(const char *name, enum sim_refusal *ret)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (strcmp(refusals[i].name, name) == 0) {
            *ret = (enum sim_refusal)i;
            return true;
        }
    }
    return false;
}

static bool wants_forms(const struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    if (sim_auth_is_hybrid(f))
        return str_starts_nocase(r->path, "/owa");
    return sim_fault_is(f, NULL, SIM_F_AUTH, "forms");
}

static bool takes(const struct sim_request *r, const char *scheme)
{
    const char *auth = sim_fault_text(&r->sim->faults, NULL, SIM_F_AUTH);
    if (auth == NULL || strcmp(auth, "hybrid") == 0)
        auth = "basic";
    return strstr(auth, scheme) != NULL; /* "ntlm", "basic", "ntlm-basic", "hybrid-ntlm" */
}

bool sim_logon(struct sim_request *r)
{
    const char *header = httpd_header(r->req, "Authorization");
    bool basic = takes(r, "basic") && (!takes(r, "ntlm") || (header != NULL && str_starts_nocase(header, "Basic ")));
    if (sim_fault_is(&r->sim->faults, NULL, SIM_F_AUTH, "none"))
        return true;
    if (wants_forms(r)) {
        r->account = sim_forms_account(r);
        if (r->account != NULL)
            return true;
        sim_forms_challenge(r);
        return false;
    }
    if (!basic)
        return sim_ntlm_logon(r);
    r->account = sim_basic_account(r);
    if (r->account != NULL)
        return true;
    if (r->refusal != SIM_LET_IN)
        sim_logon_refuse(r);
    else
        sim_logon_challenge(r);
    return false;
}

enum sim_refusal sim_logon_judge(struct sim_request *r, const char *login, struct sim_account *a, bool password_ok)
{
    int64_t most = sim_fault_number(&r->sim->faults, NULL, SIM_F_LOCKOUT);
    enum sim_refusal refusal = a == NULL || !password_ok ? SIM_WRONG : a->state;
    if (a != NULL && a->state == SIM_LOCKED)
        refusal = SIM_LOCKED; /* whatever the password */
    if (a != NULL && refusal == SIM_WRONG && ++a->wrong >= most && most > 0)
        a->state = SIM_LOCKED;
    if (refusal == SIM_LET_IN)
        a->wrong = 0;
    r->refusal = refusal;
    sim_log_logon(r->sim->log, login, refusal == SIM_LET_IN);
    return refusal;
}

static const char *refusal_page(struct sim_request *r)
{
    if (r->refusal == SIM_LET_IN)
        return "<html><body><h2>HTTP Error 401.2 - Unauthorized: Access is denied due to server configuration.</h2>"
               "</body></html>";
    if (!sim_fault_is(&r->sim->faults, NULL, SIM_F_REFUSAL, "code"))
        return "<html><body><h2>HTTP Error 401.1 - Unauthorized: Access is denied due to invalid credentials.<br>"
               "Internet Information Services (IIS)</h2></body></html>";
    return sim_arena_printf(r->arena,
                            "<html><head><title>IIS 7.0 Detailed Error - 401.1 - Unauthorized</title></head><body>"
                            "<h1>Server Error in Application \"DEFAULT WEB SITE\"</h1>"
                            "<h2>HTTP Error 401.1 - Unauthorized</h2><table>"
                            "<tr><th>Module</th><td>WindowsAuthenticationModule</td></tr>"
                            "<tr><th>Error Code</th><td>%s</td></tr></table></body></html>",
                            refusals[r->refusal].code);
}

void sim_logon_refuse(struct sim_request *r)
{
    if (sim_fault_is(&r->sim->faults, NULL, SIM_F_REFUSAL, "expiry") &&
        (r->refusal == SIM_EXPIRED || r->refusal == SIM_MUST_CHANGE))
        sim_reply_redirect(r, sim_arena_printf(r->arena, "%s://%s/iisadmpwd/aexp3.asp?%s://%s%s", r->scheme, r->host,
                                               r->scheme, r->host, r->path));
    else
        sim_logon_challenge(r);
}

/* What a switch lists instead: "Digest realm=x|Negotiate". */
static size_t offer_these(struct sim_request *r, const char *list, const char **lines)
{
    size_t n = 0;
    for (const char *p = list; p != NULL && n < OFFERS_MAX - 4;) {
        size_t len;
        const char *rest = str_split(p, '|', &len);
        lines[n++] = sim_arena_printf(r->arena, "WWW-Authenticate: %.*s", (int)len, p);
        p = rest;
    }
    return n;
}

static size_t offer_usual(struct sim_request *r, const char **lines)
{
    const struct sim_faults *f = &r->sim->faults;
    size_t host_len = strcspn(r->host, ":"), n = 0;
    bool stripped = sim_fault_is(f, NULL, SIM_F_NTLM_BREAK, "strip");
    if ((takes(r, "ntlm") || sim_fault_on(f, NULL, SIM_F_NEGOTIATE)) && !stripped) {
        lines[n++] = "WWW-Authenticate: Negotiate";
        lines[n++] = "WWW-Authenticate: NTLM";
    }
    if (takes(r, "basic"))
        lines[n++] = sim_arena_printf(r->arena, "WWW-Authenticate: Basic realm=\"%.*s\"",
                                      sim_fault_on(f, NULL, SIM_F_REALM_EMPTY) ? 0 : (int)host_len, r->host);
    return n;
}

/* These two answer nobody with 401: what they would do is refused inside of a 207. */
static bool refused_inside(struct sim_request *r)
{
    bool poll = strcmp(r->method, "POLL") == 0;
    struct buf xml;
    if (!takes(r, "ntlm") || (!poll && strcmp(r->method, "BPROPPATCH") != 0))
        return false;
    buf_init(&xml, 8192);
    buf_addf(&xml,
             "<?xml version=\"1.0\"?><a:multistatus xmlns:a=\"DAV:\"><a:response><a:href>%s://%s%s</a:href>"
             "<a:status>HTTP/1.1 %s</a:status></a:response></a:multistatus>",
             r->scheme, r->host, r->path, poll ? "412 Precondition Failed" : "401 Unauthorized");
    sim_reply_multistatus(r, &xml, NULL);
    return true;
}

/* It is IIS that says this, before Exchange has seen anything. */
void sim_logon_challenge(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    const char **lines = arena_alloc(r->arena, OFFERS_MAX * sizeof(char *));
    const char *offer = sim_fault_text(f, NULL, SIM_F_OFFER), *page = refusal_page(r);
    if (refused_inside(r))
        return;
    size_t n = offer != NULL ? offer_these(r, offer, lines) : offer_usual(r, lines);
    if (sim_fault_on(f, NULL, SIM_F_NTLM_BREAK) && !sim_fault_is(f, NULL, SIM_F_NTLM_BREAK, "single"))
        lines[n++] = "Via: 1.1 proxy.example.test";
    else
        lines[n++] = "Proxy-Support: Session-Based-Authentication";
    lines[n] = NULL;
    r->cookies = lines;
    sim_reply(r,
              &(struct sim_reply){.status = 401, .type = "text/html", .body = page, .len = strlen(page), .bare = true});
}

static bool in_calendar(const struct sim_request *r)
{
    return (r->node.place == SIM_AT_FOLDER || r->node.place == SIM_AT_ITEM) && r->node.folder == SIM_FOLDER_CALENDAR;
}

/* Somebody who is logged on and still gets a 401: this one comes from Exchange. */
static void deny_by_401(struct sim_request *r)
{
    const char **lines = arena_alloc(r->arena, OFFERS_MAX * sizeof(char *));
    lines[offer_usual(r, lines)] = NULL;
    r->cookies = lines;
    sim_reply_page(r, 401, "<html><body><h2>HTTP/1.1 401 Access Denied</h2></body></html>");
}

bool sim_logon_deny(struct sim_request *r, const char *how)
{
    if (strcmp(how, "401") == 0) {
        deny_by_401(r);
    } else if (strcmp(how, "440") == 0) {
        sim_forms_timeout(r);
    } else if (how[0] == '4') {
        sim_reply_error(r, atoi(how));
    } else if (strcmp(how, "root") == 0 ? r->node.place == SIM_AT_MAILBOX : in_calendar(r)) {
        sim_reply_error(r, 403);
    } else {
        return false;
    }
    return true;
}

bool sim_logon_may_open(struct sim_request *r, const struct sim_mailbox *m)
{
    if (r->account == NULL || sim_store_may_open(r->account, m))
        return true;
    const char *how = sim_fault_text(&r->sim->faults, m, SIM_F_NO_RIGHT);
    if (how == NULL)
        how = wants_forms(r) ? "440" : "403";
    return !sim_logon_deny(r, how);
}
