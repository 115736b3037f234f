/*
 * sim_forms: forms-based authentication of 2003 (/exchweb/bin/auth) and 2007 (/owa/auth): the page with the form, its
 * target, the sessions that it opens, and their cookies.
 *
 * A session is known by its sessionid; cadata must come back byte for byte, its quotes included. It ends after an idle
 * time, and a switch lets cadata change every few requests: the value before is still taken, since requests may be
 * under way.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 4096
#define FIELD_MAX 2048
#define HUGE_PAGE (10u << 20)
#define FORM_2003 "/exchweb/bin/auth/owalogon.asp"
#define TARGET_2003 "/exchweb/bin/auth/owaauth.dll"
#define FORM_2007 "/owa/auth/logon.aspx"
#define TARGET_2007 "/owa/auth/owaauth.dll"

struct session {
    char id[64];
    char cadata[96];
    char before[96];
    struct sim_account *account; /* NULL: opened with a wrong password, ends at its first use */
    int64_t used_at;
    uint64_t requests;
};

struct sim_forms {
    struct session *sessions;
    size_t count;
    uint64_t made;
};

struct sim_forms *sim_forms_new(void)
{
    return mem_calloc(1, sizeof(struct sim_forms));
}

void sim_forms_free(struct sim_forms **f)
{
    if (*f == NULL)
        return;
    free((*f)->sessions);
    free(*f);
    *f = NULL;
}

void sim_forms_expire(struct sim_forms *f)
{
    f->count = 0;
}

static bool is_2007(const struct sim_request *r)
{
    return r->sim->faults.profile == SIM_2007 || sim_auth_is_hybrid(&r->sim->faults);
}

/* A number that looks random and is the same in every run with the same seed. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static void fill_cadata(struct sim_request *r, struct session *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t x = r->sim->options.seed ^ ++r->sim->forms->made << 20;
    size_t n = (size_t)snprintf(s->cadata, sizeof(s->cadata), "\"%c,", is_2007(r) ? '1' : '2');
    for (int i = 0; i < 62; i++)
        s->cadata[n++] = digits[(x = mix(x)) % 64];
    memcpy(s->cadata + n, "==\"", 4);
}

static struct session *open_session(struct sim_request *r, struct sim_account *account)
{
    struct sim_forms *f = r->sim->forms;
    if (f->sessions == NULL)
        f->sessions = mem_calloc(SESSIONS_MAX, sizeof(struct session));
    struct session *s = &f->sessions[f->count < SESSIONS_MAX ? f->count++ : f->made % SESSIONS_MAX];
    memset(s, 0, sizeof(*s));
    fill_cadata(r, s);
    uint64_t x = mix(r->sim->options.seed + f->made);
    snprintf(s->id, sizeof(s->id), "%08x-%04x-%04x-%04x-%012llx,0x409", (unsigned)(x >> 32),
             (unsigned)(x >> 16 & 0xffff), (unsigned)(x & 0xffff), (unsigned)(mix(x) & 0xffff),
             (unsigned long long)(mix(x + 1) & 0xffffffffffffULL));
    s->account = account;
    s->used_at = sim_now(r->sim);
    return s;
}

/* The value of a cookie as it was sent, in the arena; NULL. */
static const char *cookie(const struct sim_request *r, const char *name)
{
    const char *p = httpd_header(r->req, "Cookie");
    size_t name_len = strlen(name);
    while (p != NULL && *p != '\0') {
        p += strspn(p, "; ");
        size_t len = strcspn(p, ";");
        if (len > name_len && p[name_len] == '=' && strncmp(p, name, name_len) == 0)
            return arena_strndup(r->arena, p + name_len + 1, len - name_len - 1);
        p += len;
    }
    return NULL;
}

static const char *cookie_line(const struct sim_request *r, const char *name, const char *value, bool http_only)
{
    return sim_arena_printf(r->arena, "Set-Cookie: %s=%s; %s%spath=/", name, value, http_only ? "HttpOnly; " : "",
                            http_only && httpd_is_tls(r->req) ? "secure; " : "");
}

static void set_cookies(struct sim_request *r, const char *first, const char *second)
{
    const char **lines = arena_alloc(r->arena, 3 * sizeof(char *));
    lines[0] = first;
    lines[1] = second;
    r->cookies = lines;
}

static void rotate(struct sim_request *r, struct session *s)
{
    int64_t every = sim_fault_number(&r->sim->faults, NULL, SIM_F_ROTATE);
    if (every <= 0 || s->requests % (uint64_t)every != 0)
        return;
    memcpy(s->before, s->cadata, sizeof(s->before));
    fill_cadata(r, s);
    set_cookies(r, cookie_line(r, "cadata", s->cadata, true), NULL);
}

static struct session *find_session(struct sim_request *r)
{
    const char *id = cookie(r, "sessionid"), *cadata = cookie(r, "cadata");
    struct sim_forms *f = r->sim->forms;
    for (size_t i = 0; id != NULL && cadata != NULL && i < f->count; i++) {
        struct session *s = &f->sessions[i];
        if (strcmp(s->id, id) == 0)
            return strcmp(s->cadata, cadata) == 0 || strcmp(s->before, cadata) == 0 ? s : NULL;
    }
    return NULL;
}

static void close_session(struct sim_forms *f, struct session *s)
{
    *s = f->sessions[--f->count];
}

struct sim_account *sim_forms_account(struct sim_request *r)
{
    struct session *s = find_session(r);
    if (s == NULL)
        return NULL;
    int64_t idle = sim_now(r->sim) - s->used_at;
    if (s->account == NULL || idle > sim_fault_number(&r->sim->faults, NULL, SIM_F_SESSION_SECONDS)) {
        close_session(r->sim->forms, s);
        return NULL;
    }
    s->used_at = sim_now(r->sim);
    s->requests++;
    rotate(r, s);
    return s->account;
}

bool sim_forms_has_session(struct sim_request *r)
{
    const struct session *s = find_session(r);
    return s != NULL && s->account != NULL;
}

void sim_forms_timeout(struct sim_request *r)
{
    set_cookies(r, "Set-Cookie: sessionid=; path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT",
                "Set-Cookie: cadata=; path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT");
    sim_reply_page(r, 440, "<HTML><BODY>440 Login Timeout</BODY></HTML>");
}

static const char *form_url(struct sim_request *r, const char *destination, int reason)
{
    return sim_arena_printf(r->arena, "%s://%s%s?url=%s&reason=%d", r->scheme, r->host,
                            is_2007(r) ? FORM_2007 : FORM_2003, destination, reason);
}

void sim_forms_to_form(struct sim_request *r)
{
    sim_reply_redirect(r, form_url(r, sim_arena_printf(r->arena, "%s://%s%s", r->scheme, r->host, r->path), 0));
}

/* A browser's GET is led to the form, everything else is told 440. */
void sim_forms_challenge(struct sim_request *r)
{
    if (strcmp(r->method, "GET") == 0)
        sim_forms_to_form(r);
    else
        sim_forms_timeout(r);
}

/* Pages on which nobody can log on. */
static bool show_odd_page(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    struct buf b;
    buf_init(&b, 2 * HUGE_PAGE);
    buf_adds(&b, "<html><head><title>Outlook Web Access</title></head><body>\r\n");
    if (sim_fault_is(f, NULL, SIM_F_FORMS_PAGE, "none"))
        buf_adds(&b, "<script src=\"/logon.js\"></script>");
    else if (sim_fault_is(f, NULL, SIM_F_FORMS_PAGE, "other"))
        buf_adds(&b, "<form action=\"/search\" method=\"GET\"><input type=\"text\" name=\"q\"></form>");
    else if (sim_fault_is(f, NULL, SIM_F_FORMS_PAGE, "huge"))
        while (b.len < HUGE_PAGE)
            buf_adds(&b, "<p>The form is further down, and further down, and further down.</p>\r\n");
    else
        b.len = 0;
    bool odd = b.len > 0;
    if (odd)
        sim_reply(r, &(struct sim_reply){.status = 200, .type = "text/html", .body = b.data, .len = b.len});
    buf_free(&b);
    return odd;
}

static void show_form(struct sim_request *r)
{
    const char *translate = httpd_header(r->req, "Translate");
    if (translate != NULL && str_eq_nocase(translate, "f")) {
        sim_reply_error(r, 403);
        return;
    }
    bool modern = is_2007(r);
    if (show_odd_page(r))
        return;
    sim_reply_page(
        r, 200,
        sim_arena_printf(r->arena,
                         "<html><head><title>Outlook Web Access</title></head><body>\r\n"
                         "<form action=\"%s\" method=\"POST\" name=\"logonForm\" autocomplete=\"off\">\r\n"
                         "<input type=\"hidden\" name=\"destination\" value=\"%s://%s%s\">\r\n"
                         "<input type=\"hidden\" name=\"flags\" value=\"0\">\r\n"
                         "<input type=\"text\" name=\"username\"> <input type=\"password\" name=\"password\">\r\n"
                         "<input type=\"radio\" name=\"trusted\" value=\"0\" checked> public\r\n"
                         "<input type=\"radio\" name=\"trusted\" value=\"4\"> private\r\n"
                         "<input type=\"hidden\" name=\"forcedownlevel\" value=\"0\">\r\n"
                         "<input type=\"submit\" name=\"SubmitCreds\" value=\"Log On\">\r\n</form></body></html>",
                         modern ? "owaauth.dll" : TARGET_2003, r->scheme, r->host, modern ? "/owa/" : "/exchange/"));
}

/* A field of application/x-www-form-urlencoded text, decoded; "" when it is not there. */
static const char *field(struct sim_request *r, const char *name)
{
    size_t body_len, name_len = strlen(name);
    const char *body = httpd_body(r->req, &body_len);
    for (const char *p = body; p != NULL && *p != '\0';) {
        size_t len;
        const char *rest = str_split(p, '&', &len);
        if (len > name_len && p[name_len] == '=' && strncmp(p, name, name_len) == 0) {
            char *text = arena_strndup(r->arena, p + name_len + 1, len - name_len - 1);
            for (char *c = text; c != NULL && *c != '\0'; c++)
                *c = *c == '+' ? ' ' : *c;
            struct buf b;
            buf_init(&b, FIELD_MAX);
            const char *value = text != NULL && str_percent_decode(&b, text, strlen(text))
                                    ? arena_strndup(r->arena, b.data, b.len)
                                    : "";
            buf_free(&b);
            return value;
        }
        p = rest;
    }
    return "";
}

static void take_form(struct sim_request *r)
{
    const char *user = field(r, "username"), *destination = field(r, "destination");
    struct sim_account *a = sim_store_account(r->sim->store, user);
    bool ok = sim_logon_judge(r, user, a, a != NULL && strcmp(a->password, field(r, "password")) == 0) == SIM_LET_IN;
    if (strpbrk(destination, "\r\n") != NULL || destination[0] == '\0')
        destination = sim_arena_printf(r->arena, "%s://%s%s", r->scheme, r->host, is_2007(r) ? "/owa/" : "/exchange/");
    if (is_2007(r) && sim_fault_is(&r->sim->faults, NULL, SIM_F_REFUSAL, "expiry") &&
        (r->refusal == SIM_EXPIRED || r->refusal == SIM_MUST_CHANGE)) {
        sim_reply_redirect(r, sim_arena_printf(r->arena, "%s://%s/owa/auth/expiredpassword.aspx?url=%s", r->scheme,
                                               r->host, destination));
        return;
    }
    if (!ok && sim_fault_is(&r->sim->faults, NULL, SIM_F_FORMS_VERDICT, "reason")) {
        sim_reply_redirect(r, form_url(r, destination, 2));
        return;
    }
    struct session *s = open_session(r, ok ? a : NULL);
    set_cookies(r, cookie_line(r, "sessionid", s->id, false), cookie_line(r, "cadata", s->cadata, true));
    sim_reply_redirect(r, destination);
}

bool sim_forms_serve(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    bool on = sim_fault_is(f, NULL, SIM_F_AUTH, "forms") || sim_auth_is_hybrid(f);
    bool post = strcmp(r->method, "POST") == 0;
    if (!on)
        return false;
    if (str_eq_nocase(r->path, is_2007(r) ? FORM_2007 : FORM_2003) && !post)
        show_form(r);
    else if (str_eq_nocase(r->path, is_2007(r) ? TARGET_2007 : TARGET_2003) && post)
        take_form(r);
    else if (is_2007(r) && str_eq_nocase(r->path, TARGET_2003) && post)
        sim_reply_redirect(r, form_url(r, field(r, "destination"), 0)); /* is there, and logs nobody on */
    else
        return false;
    return true;
}
