/*
 * auth_form: logging on by a web form. Asked for by the session when the server wants its forms (440, or a redirect to
 * the logon page); afterwards the cookies in the session's jar are the credential of every request.
 *
 * The walk: GET of the account's own URL leads to the page (FIND, PAGE, over redirects and pages that are only a
 * script); the form in it says where it is to be sent and with which hidden fields (POST). All of it stays on one
 * host, the account's own or one that a redirect led to. That a POST is answered by a redirect and cookies does not
 * mean that the password was right: Exchange does the same when it was wrong, and only the first use of the cookies
 * tells. That is the caller's business.
 */
#include "auth_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "inner.h"

#define HOPS_MAX 6
#define ARENA_MAX (2U * 1024 * 1024)
#define COOKIES_MAX (DAV_JAR_COOKIES * (DAV_JAR_VALUE_MAX + 200))
#define URL_MAX (DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32)
#define TRUE_FORMS_2003 "/exchweb/bin/auth/owalogon.asp"
#define TRUE_FORMS_2007 "/owa/auth/logon.aspx"

enum step {
    STEP_FIND, /* the answer to a browser's request for the account's URL */
    STEP_PAGE, /* the page with the form */
    STEP_POST, /* the answer to the form */
};

struct dav_form_logon {
    struct dav_session *session;
    struct dav_host *host;
    const struct secret *secret; /* the session's */
    dav_form_fn *done;
    void *arg;
    struct fetch *fetch;
    enum step step;
    struct buf url; /* that was asked */
    unsigned hops;
    struct arena *arena;
    struct dav_form_page page;
    char evidence[200];
};

static bool accepts(const char *user, char *why, size_t why_size);
static void get(struct dav_form_logon *f, enum step step);
static void send(struct dav_form_logon *f, const char *method, const struct buf *body);
static void on_answer(void *arg, const struct fetch_answer *answer);
static void on_page(struct dav_form_logon *f, const struct fetch_answer *answer);
static void follow(struct dav_form_logon *f, const char *link);
static void fill_in(struct dav_form_logon *f);
static const char *user_for(const struct dav_account *account, struct buf *name, const char **ret_objection);
static void on_posted(struct dav_form_logon *f, const struct fetch_answer *answer, bool cookies);
static void on_sent_on(struct dav_form_logon *f, const char *location, bool cookies);
static void end(struct dav_form_logon *f, enum dav_form_end how, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void finish(struct dav_form_logon *f, const struct dav_form_verdict *verdict);
static void form_free(void *arg);
static char *shown(const struct dav_form_logon *f, char out[120]);

const struct dav_auth_ops dav_auth_forms = {
    .scheme = DAV_SCHEME_FORMS,
    .shows_secret = true,
    .accepts = accepts,
};

struct dav_form_logon *dav_form_logon_start(struct dav_session *s, struct dav_host *host, const struct secret *secret,
                                            dav_form_fn *done, void *arg)
{
    struct dav_form_logon *f = mem_calloc(1, sizeof(*f));

    f->session = s;
    f->secret = secret;
    f->done = done;
    f->arg = arg;
    f->arena = arena_new(ARENA_MAX);
    buf_init(&f->url, URL_MAX);
    f->host = host;
    dav_jar_free(&host->jar);
    host->jar = dav_jar_new();
    host->jar_epoch++;
    host->jar_number = s->sent;
    buf_adds(&f->url, host->origin);
    buf_adds(&f->url, s->base_path);
    get(f, STEP_FIND);
    return f;
}

void dav_form_logon_cancel(struct dav_form_logon **fp)
{
    struct dav_form_logon *f = *fp;

    *fp = NULL;
    if (!f)
        return;
    fetch_cancel(&f->fetch);
    loop_reap(f->session->loop, form_free, f);
}

bool dav_form_is_page(const char *url, int *ret_reason)
{
    const char *code = dav_redirect_trap(url);
    const char *reason = str_find_nocase(url, strlen(url), "reason=");

    *ret_reason = -1;
    for (const char *p = reason ? reason + 7 : ""; *p >= '0' && *p <= '9' && *ret_reason < 100; p++)
        *ret_reason = (*ret_reason < 0 ? 0 : *ret_reason * 10) + (*p - '0');
    return code && strcmp(code, "auth-none-usable") == 0;
}

static bool accepts(const char *user, char *why, size_t why_size)
{
    (void)user, (void)why, (void)why_size;
    return true;
}

static void get(struct dav_form_logon *f, enum step step)
{
    f->step = step;
    send(f, "GET", NULL);
}

/* Without "Translate: f", which a logon page answers by 403. */
static void send(struct dav_form_logon *f, const char *method, const struct buf *body)
{
    const char *headers[5] = {"Accept: text/html", "Accept-Language: en-us"};
    struct buf cookies;
    size_t n = 2;

    buf_init(&cookies, COOKIES_MAX);
    if (dav_jar_line(f->host->jar, &cookies))
        headers[n++] = cookies.data;
    if (body)
        headers[n++] = "Content-Type: application/x-www-form-urlencoded";
    f->fetch = fetch_start(f->host->client, &(struct fetch_request){.method = method,
                                                                    .url = f->url.data,
                                                                    .headers = headers,
                                                                    .body = body ? body->data : NULL,
                                                                    .body_len = body ? body->len : 0,
                                                                    .total_ms = DAV_REQUEST_TOTAL_MS,
                                                                    .max_body = DAV_FORM_PAGE_MAX,
                                                                    .compressed = true,
                                                                    .done = on_answer,
                                                                    .arg = f});
    buf_wipe(&cookies);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct dav_form_logon *f = arg;
    char text[120];
    bool cookies;

    f->fetch = NULL;
    dav_session_count(f->session, answer);
    if (answer->err == FETCH_TOO_LARGE && f->step != STEP_POST) {
        end(f, DAV_FORM_STUCK, "forms-changed", "%s is longer than any logon page", shown(f, text));
        return;
    }
    if (answer->err != FETCH_OK) {
        finish(f, &(struct dav_form_verdict){.end = DAV_FORM_WIRE, .answer = answer});
        return;
    }
    cookies = dav_jar_take(f->host->jar, answer->fetch, answer->status);
    if (f->step == STEP_POST)
        on_posted(f, answer, cookies);
    else
        on_page(f, answer);
}

static void on_page(struct dav_form_logon *f, const struct fetch_answer *answer)
{
    const char *location = fetch_header(answer->fetch, "Location", 0);
    const char *product = f->session->product;
    char text[120];

    if (dav_redirect_is(answer->status) && location) {
        follow(f, location);
    } else if (answer->status == 200) {
        dav_form_page_read(&f->page, answer->body, answer->body_len, f->arena);
        if (f->page.username)
            fill_in(f);
        else if (f->page.elsewhere)
            follow(f, f->page.elsewhere);
        else
            end(f, DAV_FORM_STUCK, "forms-changed", "%s has no form with a password field", shown(f, text));
    } else if (f->step == STEP_FIND && answer->status >= 400 && answer->status < 500) { /* then where it usually is */
        follow(f, str_find_nocase(product, strlen(product), "2007") ? TRUE_FORMS_2007 : TRUE_FORMS_2003);
    } else {
        end(f, DAV_FORM_STUCK, answer->status >= 500 ? "http-server-error" : "forms-changed", "%s answered %d",
            shown(f, text), answer->status);
    }
}

static void follow(struct dav_form_logon *f, const char *link)
{
    struct dav_url to;
    struct buf url;
    char text[120];
    bool ok;

    buf_init(&url, URL_MAX);
    ok = dav_form_resolve(f->url.data, link, &url) && dav_url_parse(url.data, &to);
    buf_free(&f->url);
    f->url = url;
    if (!ok)
        end(f, DAV_FORM_STUCK, "forms-changed", "a link of the logon page cannot be used");
    else if (!dav_url_same_origin(&to, &f->host->url))
        end(f, DAV_FORM_STUCK, "redirect-foreign", "the logon page is on another host: %s", shown(f, text));
    else if (++f->hops > HOPS_MAX)
        end(f, DAV_FORM_STUCK, "redirect-loop", "on the way to the logon page, at %s", shown(f, text));
    else
        get(f, STEP_PAGE);
}

static void fill_in(struct dav_form_logon *f)
{
    struct dav_session *s = f->session;
    const char *objection = NULL, *user, *password;
    struct buf url, body, name, home;
    struct dav_url to;
    char text[120];
    size_t len;

    buf_init(&url, URL_MAX);
    buf_init(&body, DAV_FORM_BODY_MAX);
    buf_init(&name, 1024);
    buf_init(&home, URL_MAX);
    buf_adds(&home, f->host->origin);
    buf_adds(&home, s->base_path);
    password = secret_bytes(f->secret, &len);
    user = user_for(&s->account, &name, &objection);
    if (!dav_form_resolve(f->url.data, f->page.action, &url) || !dav_url_parse(url.data, &to))
        end(f, DAV_FORM_STUCK, "forms-changed", "the form of %s leads nowhere", shown(f, text));
    else if (!dav_url_same_origin(&to, &f->host->url))
        end(f, DAV_FORM_STUCK, "redirect-foreign", "the form would send the password to another host");
    else if (!user)
        end(f, DAV_FORM_STUCK, "config-account", "%s", objection);
    else if (!dav_form_page_fill(&f->page, user, password, len, home.data, &body))
        end(f, DAV_FORM_STUCK, "forms-changed", "the form of %s has too many or too long fields", shown(f, text));
    else {
        buf_reset(&f->url);
        buf_add(&f->url, url.data, url.len);
        f->step = STEP_POST;
        send(f, "POST", &body);
    }
    buf_free(&url);
    buf_wipe(&body);
    buf_free(&name);
    buf_free(&home);
}

static const char *user_for(const struct dav_account *account, struct buf *name, const char **ret_objection)
{
    const char *slash = strchr(account->user, '\\'), *at = strrchr(account->user, '@');

    switch (account->logon_format) {
    case DAV_LOGON_AS_GIVEN:
        return account->user;
    case DAV_LOGON_DOMAIN_USER:
        *ret_objection = "the form wants DOMAIN\\user, and the account names no domain";
        return slash ? account->user : NULL;
    case DAV_LOGON_UPN:
        *ret_objection = "the form wants user@domain, and the account is no such name";
        return at && !slash ? account->user : NULL;
    case DAV_LOGON_USER:
        break;
    }
    *ret_objection = "the account's name is too long for a form";
    if (slash)
        buf_adds(name, slash + 1);
    else
        buf_add(name, account->user, at ? (size_t)(at - account->user) : strlen(account->user));
    return name->failed ? NULL : name->data;
}

static void on_posted(struct dav_form_logon *f, const struct fetch_answer *answer, bool cookies)
{
    const char *location = fetch_header(answer->fetch, "Location", 0);
    struct dav_form_page again;
    char text[120];

    if (dav_redirect_is(answer->status) && location) {
        on_sent_on(f, location, cookies);
        return;
    }
    if (answer->status == 200) {
        dav_form_page_read(&again, answer->body, answer->body_len, f->arena);
        if (again.username)
            end(f, DAV_FORM_REJECTED, "logon-rejected", "%s showed the form again", shown(f, text));
        else if (cookies)
            end(f, DAV_FORM_IN, NULL, "%s", "");
        else
            end(f, DAV_FORM_STUCK, "forms-changed", "%s answered 200, without cookies", shown(f, text));
        return;
    }
    end(f, DAV_FORM_STUCK, answer->status >= 500 ? "http-server-error" : "forms-changed", "%s answered %d",
        shown(f, text), answer->status);
}

static void on_sent_on(struct dav_form_logon *f, const char *location, bool cookies)
{
    const char *code = dav_auth_reason_in(location, strlen(location));
    char text[120];
    int reason;

    if (code)
        end(f, DAV_FORM_REJECTED, code, "%s leads to a page that says so", shown(f, text));
    else if (dav_form_is_page(location, &reason) && (reason == 2 || reason == 4))
        end(f, DAV_FORM_REJECTED, "logon-rejected", "%s leads back to the form, reason=%d", shown(f, text), reason);
    else if (dav_form_is_page(location, &reason))
        end(f, DAV_FORM_STUCK, "forms-changed", "%s leads back to the form without saying why", shown(f, text));
    else if (!cookies)
        end(f, DAV_FORM_REJECTED, "logon-rejected", "%s answered without cookies", shown(f, text));
    else
        end(f, DAV_FORM_IN, NULL, "%s", "");
}

static void end(struct dav_form_logon *f, enum dav_form_end how, const char *code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(f->evidence, sizeof(f->evidence), fmt, ap);
    va_end(ap);
    finish(f, &(struct dav_form_verdict){
                  .end = how, .shown = f->step == STEP_POST, .code = code, .evidence = f->evidence});
}

static void finish(struct dav_form_logon *f, const struct dav_form_verdict *verdict)
{
    loop_reap(f->session->loop, form_free, f);
    f->done(f->arg, verdict);
}

static void form_free(void *arg)
{
    struct dav_form_logon *f = arg;

    arena_free(&f->arena);
    buf_free(&f->url);
    free(f);
}

/* The path of what was asked, for people: queries have the names of others in them. */
static char *shown(const struct dav_form_logon *f, char out[120])
{
    struct dav_url u;
    const char *from = dav_url_parse(f->url.data, &u) && dav_url_same_origin(&u, &f->host->url) ? u.path : f->url.data;

    return str_printable(from, strcspn(from, "?"), out, 120);
}
