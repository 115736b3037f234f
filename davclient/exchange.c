/*
 * exchange: Exchange 2000, 2003 and 2007 over WebDAV, as one flavour of the session. It finds a person's calendar
 * folder and reads the appointments of a window from it with SEARCH, the recurring ones expanded by the server.
 *
 * The walk of one question (enum exchange_stage): the mailbox root is asked for its calendar folder; when the root is
 * closed or does not know, the hidden folder NON_IPM_SUBTREE is; as a last resort the folder is called /Calendar/.
 * Where there is no such mailbox, the person's other names are tried (exchange_place.c). What was found is remembered
 * by the caller, so that the next question begins there: with the SEARCH, or with the cheapest request that tells
 * whether anything has changed (exchange_watch.c). A 404 sends us back to the root.
 *
 * Only start, end, kind and what decides whether an appointment counts are asked for. The rows go straight into spans
 * while the answer arrives (exchange_row.c); pages are asked for until the server has no more (exchange_page.c).
 */
#include "asked_bodies.h"
#include "exchange_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/str.h"
#include "caldav_store.h"
#include "flavour.h"
#include "url.h"

#define ACCESS_MODIFY 1UL /* of PR_ACCESS: only who is as good as the owner may change the root */
#define WANT_ACCESS "http://schemas.microsoft.com/mapi/proptag/"
#define ACCEPT_LANGUAGE                                                                                                \
    "Accept-Language: en-us" /* without it, a mailbox that nobody has opened yet answers 401 instead of coming into    \
                                being */

static void identify(const struct fetch *fetch, char *product, size_t size);
static const char *judge_probe(const struct dav_reply *reply, bool logged_on);
static void begin(struct dav_query *q);
static void answer(struct dav_query *q, const struct dav_reply *reply);
static void end(struct dav_query *q);
static void ask_folder(struct dav_query *q, struct exchange *x, const char *below);
static void begin_search(struct dav_query *q, struct exchange *x);
static void ask_search(struct dav_query *q, struct exchange *x);
static bool on_folder(void *query, const struct dav_ms_response *r);
static void on_root(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void on_hidden(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void on_search(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static void on_search_refused(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static const char *denial_code(const struct dav_query *q, const struct exchange *x, const struct dav_reply *reply);
static bool take_found(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);
static const char *root_code(const struct dav_query *q, const struct dav_reply *reply);
static const char *missing_code(const struct dav_query *q, const struct dav_reply *reply);
static bool is_denial(int status);
static const char *at_host_of(struct dav_query *q, const struct dav_reply *reply, const char *path);

static const char *const folder_headers[] = {
    "Depth: 0", "Brief: t", "Translate: f", ACCEPT_LANGUAGE, "Content-Type: text/xml", NULL,
};

const char dav_asked_folder[] =
    "<?xml version=\"1.0\"?>"
    "<D:propfind xmlns:D=\"DAV:\" xmlns:h=\"urn:schemas:httpmail:\" xmlns:x=\"http://schemas.microsoft.com/exchange/\""
    " xmlns:t=\"" WANT_ACCESS
    "\"><D:prop><D:displayname/><h:calendar/><x:outlookfolderclass/><t:x0ff40003/></D:prop></D:propfind>";

enum { FOLDER_CALENDAR, FOLDER_CLASS, FOLDER_ACCESS, FOLDER_NAME };
static const struct dav_ms_prop folder_props[] = {
    [FOLDER_CALENDAR] = {"urn:schemas:httpmail:", "calendar", DAV_URL_PATH_MAX, DAV_MS_TEXT},
    [FOLDER_CLASS] = {"http://schemas.microsoft.com/exchange/", "outlookfolderclass", 64, DAV_MS_TEXT},
    [FOLDER_ACCESS] = {WANT_ACCESS, "x0ff40003", 16, DAV_MS_TEXT},
    [FOLDER_NAME] = {"DAV:", "displayname", 256, DAV_MS_TEXT},
};
static const struct dav_ms_spec folder_spec = {folder_props, sizeof(folder_props) / sizeof(folder_props[0])};

const struct dav_flavour dav_exchange_flavour = {
    .name = "exchange",
    .probe_headers = folder_headers,
    .probe_body = dav_asked_folder,
    .identify = identify,
    .judge_probe = judge_probe,
    .begin = begin,
    .answer = answer,
    .end = end,
    .describe = dav_exchange_watch_describe,
    .forget = dav_exchange_watch_free,
    .batch = &dav_exchange_fb_flavour,
};

struct exchange_page *dav_exchange_page(const struct dav_query *q)
{
    struct exchange *x = dav_query_state(q);

    return &x->page;
}

static void identify(const struct fetch *fetch, char *product, size_t size)
{
    static const struct {
        const char *prefix, *name;
    } versions[] = {{"6.0.", "Exchange 2000"}, {"6.5.", "Exchange 2003"}, {"08.", "Exchange 2007"}};
    const char *version = fetch_header(fetch, "MS-WebStorage", 0);
    const char *name = "Exchange";
    char printable[40];

    if (!version)
        return;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (str_starts(version, versions[i].prefix))
            name = versions[i].name;
    snprintf(product, size, "%s (%s)", name, str_printable(version, strlen(version), printable, sizeof(printable)));
}

/* 401 and redirects do not come here. A 404 or 403 for /exchange/ itself, by a server that shows it is Exchange,
 * hinders nobody. */
static const char *judge_probe(const struct dav_reply *reply, bool logged_on)
{
    const char *code = dav_reply_code(reply);
    bool exchange = dav_reply_header(reply, "MS-WebStorage") != NULL;

    switch (reply->status) {
    case 403:
        if (code && strcmp(code, "http-ssl-required") == 0)
            return code;
        return exchange || logged_on ? NULL : "http-forbidden-address";
    case 404:
    case 410:
        return exchange || logged_on ? NULL : "webdav-missing";
    case 405:
    case 501:
        return "method-blocked";
    case 440:
        return "auth-none-usable";
    case 500: /* without credentials this is what a broken installation says; with them it may be our own missing
                 mailbox */
        return logged_on ? NULL : "webdav-disabled";
    default:
        break;
    }
    if (reply->status >= 500)
        return "http-server-error";
    return reply->status >= 200 && reply->status <= 299 && reply->status != 207 ? "webdav-missing" : NULL;
}

static void begin(struct dav_query *q)
{
    const struct dav_question *question = dav_query_question(q);
    struct exchange *x = arena_alloc(dav_query_arena(q), sizeof(*x));

    dav_query_set_state(q, x);
    x->person = dav_store_hash(question->address, strlen(question->address));
    if (question->remember && dav_query_may_ask(q, question->remember)) {
        x->calendar = question->remember;
        dav_exchange_enter(q, x, dav_exchange_watch_choose(q, x));
    } else {
        dav_exchange_enter(q, x, EXCHANGE_ROOT);
    }
}

static void end(struct dav_query *q)
{
    struct exchange *x = dav_query_state(q);

    if (x->asked_count > 0)
        dav_exchange_sub_end(q, x);
}

static void answer(struct dav_query *q, const struct dav_reply *reply)
{
    struct exchange *x = dav_query_state(q);

    switch (x->stage) {
    case EXCHANGE_ROOT:
        on_root(q, x, reply);
        return;
    case EXCHANGE_HIDDEN:
        on_hidden(q, x, reply);
        return;
    case EXCHANGE_WHO:
    case EXCHANGE_WHO_ELSE:
        dav_exchange_place_answer(q, x, reply);
        return;
    case EXCHANGE_TAG:
        dav_exchange_tag_answer(q, x, reply);
        return;
    case EXCHANGE_SUBSCRIBE:
    case EXCHANGE_RENEW:
    case EXCHANGE_POLL:
    case EXCHANGE_POLL_ALONE:
        dav_exchange_sub_answer(q, x, reply);
        return;
    case EXCHANGE_LITERAL:
    case EXCHANGE_FOUND:
    case EXCHANGE_REMEMBERED:
        on_search(q, x, reply);
        return;
    case EXCHANGE_NONE:
        break;
    }
    dav_exchange_fail(q, "answer-malformed", reply);
}

/* The only place where the stage changes; each asks its request. Stages never go back, but once from a remembered
 * folder that is gone, and to the root of another mailbox. */
void dav_exchange_enter(struct dav_query *q, struct exchange *x, enum exchange_stage stage)
{
    x->stage = stage;
    x->found = x->answered_as = NULL;
    x->no_access = x->is_calendar = false;
    switch (stage) {
    case EXCHANGE_ROOT:
        x->proved = true;
        x->mailbox = x->form ? x->mailbox : dav_exchange_mailbox(q);
        if (x->mailbox)
            ask_folder(q, x, "");
        else
            dav_query_fail(q, "mailbox-not-found", "the address or path cannot be written as a URL");
        return;
    case EXCHANGE_HIDDEN:
        ask_folder(q, x, "NON_IPM_SUBTREE/");
        return;
    case EXCHANGE_WHO:
    case EXCHANGE_WHO_ELSE:
        dav_exchange_place_ask(q, x);
        return;
    case EXCHANGE_LITERAL:
        x->calendar = dav_exchange_join(q, x->mailbox, "Calendar/");
        begin_search(q, x);
        return;
    case EXCHANGE_FOUND:
    case EXCHANGE_REMEMBERED:
        begin_search(q, x);
        return;
    case EXCHANGE_TAG:
        dav_exchange_tag_ask(q, x);
        return;
    case EXCHANGE_SUBSCRIBE:
    case EXCHANGE_RENEW:
    case EXCHANGE_POLL:
    case EXCHANGE_POLL_ALONE:
        dav_exchange_sub_ask(q, x);
        return;
    case EXCHANGE_NONE:
        return;
    }
}

static void begin_search(struct dav_query *q, struct exchange *x)
{
    const struct exchange_known *known = dav_exchange_known(q, x);

    x->changes = known ? known->changes : 0;
    dav_exchange_watch_widen(q, x);
    dav_exchange_page_first(&x->page);
    ask_search(q, x);
}

static void ask_folder(struct dav_query *q, struct exchange *x, const char *below)
{
    struct dav_ask ask = {
        .method = "PROPFIND",
        .url = dav_exchange_join(q, x->mailbox, below),
        .headers = folder_headers,
        .body = dav_asked_folder,
        .body_len = sizeof(dav_asked_folder) - 1,
        .spec = &folder_spec,
        .on_response = on_folder,
    };

    if (ask.url)
        dav_query_send(q, &ask);
    else
        dav_query_fail(q, "answer-too-large", "no room for another folder");
}

static void ask_search(struct dav_query *q, struct exchange *x)
{
    const struct dav_question *question = dav_query_question(q);
    struct dav_ask ask = {.method = "SEARCH", .url = x->calendar};

    if (ask.url && dav_exchange_page_ask(&x->page, dav_query_arena(q), question->from, question->until,
                                         dav_query_account(q)->markers != NULL, &ask))
        dav_query_send(q, &ask);
    else
        dav_query_fail(q, "answer-too-large", "no room for another page");
}

/* One row; Depth 0. */
static bool on_folder(void *query, const struct dav_ms_response *r)
{
    struct dav_query *q = query;
    struct exchange *x = dav_query_state(q);
    const struct dav_ms_value *calendar = &r->value[FOLDER_CALENDAR], *name = &r->value[FOLDER_NAME];
    const char *access = r->value[FOLDER_ACCESS].text;
    struct buf path;

    x->no_access = access && strcmp(access, "0") == 0;
    x->owner = access && x->stage == EXCHANGE_ROOT ? strtoul(access, NULL, 10) & ACCESS_MODIFY : x->owner;
    x->answered_as = name->text ? arena_strndup(dav_query_arena(q), name->text, name->len) : NULL;
    x->is_calendar = r->value[FOLDER_CLASS].text && str_starts_nocase(r->value[FOLDER_CLASS].text, "IPF.Appointment");
    if (!calendar->text || calendar->cut || x->found)
        return true;
    buf_init(&path, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&path, calendar->text, calendar->len, true))
        x->found = arena_strndup(dav_query_arena(q), path.data, path.len);
    buf_free(&path);
    return true;
}

static void on_root(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    if (reply->multistatus && x->no_access) {
        dav_query_fail(q, "receive-as-missing", "PROPFIND %.120s says that the account has no rights (PR_ACCESS 0)",
                       reply->path);
        return;
    }
    if (reply->multistatus && !dav_exchange_place_proved(q, x)) {
        dav_query_fail(q, "mailbox-not-found", "%.120s is the mailbox of somebody else", reply->path);
        return;
    }
    if (reply->multistatus && !x->found && x->is_calendar)
        x->found = x->mailbox; /* the configured path is the calendar itself */
    if (take_found(q, x, reply))
        return;
    if (x->form == 0) {
        x->root_status = reply->status;
        x->root_code = reply->multistatus ? "receive-as-missing" : root_code(q, reply);
    } else if (x->alias || reply->status == 404 || reply->status == 410) { /* by its own name it is not there either */
        if (!dav_exchange_place_another(q, x))
            dav_query_fail(q, x->root_code, "%.110s answered %d", reply->path, reply->status);
        return;
    }
    if (reply->multistatus || is_denial(reply->status) || strcmp(x->root_code, "mailbox-not-found") == 0)
        dav_exchange_enter(q, x, EXCHANGE_HIDDEN);
    else
        dav_exchange_fail(q, x->root_code, reply);
}

static void on_hidden(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    if (reply->multistatus && take_found(q, x, reply))
        return;
    if (reply->status >= 500 && reply->status != 501)
        dav_exchange_fail(q, reply->status == 503 ? "store-offline" : "http-server-error", reply);
    else if (strcmp(x->root_code, "mailbox-not-found") == 0 && !is_denial(reply->status) && !reply->multistatus &&
             dav_exchange_place_another(q, x))
        return;
    else if (strcmp(x->root_code, "mailbox-not-found") == 0 && !is_denial(reply->status) && !reply->multistatus)
        dav_query_fail(q, x->root_code, "%.110s answered %d", x->mailbox, x->root_status);
    else
        dav_exchange_enter(q, x, EXCHANGE_LITERAL);
}

static void on_search(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    bool past_the_end = reply->status == 416 && dav_exchange_page_begun(&x->page);

    if (!reply->multistatus && !past_the_end) {
        on_search_refused(q, x, reply);
        return;
    }
    switch (dav_exchange_page_end(&x->page, past_the_end ? 0 : reply->rows, dav_reply_header(reply, "Content-Range"))) {
    case EXCHANGE_PAGE_LAST:
        break;
    case EXCHANGE_PAGE_MORE:
        ask_search(q, x);
        return;
    case EXCHANGE_PAGE_SENSELESS:
        dav_query_fail(q, "answer-malformed", "SEARCH %.100s: the rows do not add up to what Content-Range says",
                       reply->path);
        return;
    }
    if (dav_exchange_page_hopeless(&x->page)) {
        dav_query_fail(q, "answer-malformed",
                       "SEARCH %.100s: %u appointments, none with a start and an end that make sense", reply->path,
                       x->page.broken);
        return;
    }
    if (x->stage == EXCHANGE_REMEMBERED)
        dav_query_passed(q, DAV_STEP_MAILBOX, NULL);
    dav_query_passed(q, DAV_STEP_CALENDAR, "%s", reply->path);
    dav_query_remember(q, at_host_of(q, reply, reply->path));
    dav_exchange_watch_read(q, x, at_host_of(q, reply, reply->path));
    dav_query_succeed(q);
}

static void on_search_refused(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    bool exchange = dav_reply_header(reply, "MS-WebStorage") != NULL;

    if (reply->status == 404 && x->stage == EXCHANGE_REMEMBERED) {
        dav_query_remember(q, "");
        dav_query_clear_spans(q);
        dav_exchange_enter(q, x, EXCHANGE_ROOT);
    } else if (x->stage == EXCHANGE_LITERAL && (reply->status == 404 || is_denial(reply->status))) {
        dav_query_fail(q, x->root_code, "PROPFIND of the mailbox answered %d, SEARCH %.100s %d", x->root_status,
                       reply->path, reply->status);
    } else if (is_denial(reply->status)) {
        dav_exchange_fail(q, denial_code(q, x, reply), reply);
    } else if (reply->status == 404) {
        dav_exchange_fail(q, exchange ? "calendar-not-found" : "method-blocked", reply);
    } else if (reply->status == 400 || reply->status == 416 || reply->status == 422) {
        dav_exchange_fail(q, "query-refused", reply);
    } else if (reply->status == 503) {
        dav_exchange_fail(q, "store-offline", reply);
    } else {
        dav_exchange_fail(q, reply->status / 100 == 2 ? "answer-malformed" : dav_reply_code(reply), reply);
    }
}

/*
 * The mailbox let us in, its calendar does not. When the root said that we may do everything, the rights are on their
 * way. A 403 without Exchange's mark comes from a filter in front of it; only 2000 leaves the mark out by itself.
 */
static const char *denial_code(const struct dav_query *q, const struct exchange *x, const struct dav_reply *reply)
{
    const char *product = dav_query_product(q);

    if (reply->status == 403 && x->stage == EXCHANGE_FOUND && product[0] && !str_starts(product, "Exchange 2000") &&
        !dav_reply_header(reply, "MS-WebStorage"))
        return "method-blocked";
    return x->stage == EXCHANGE_FOUND && x->owner ? "receive-as-pending" : "receive-as-missing";
}

/* The answer names the calendar folder: on to the SEARCH, on the host that answered, whatever host the name has in it.
 */
static bool take_found(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    if (!reply->multistatus || !x->found)
        return false;
    dav_query_passed(q, DAV_STEP_MAILBOX, "%s", reply->path);
    x->calendar = x->found;
    dav_exchange_enter(q, x, EXCHANGE_FOUND);
    return true;
}

/* What the mailbox root's refusal means. */
static const char *root_code(const struct dav_query *q, const struct dav_reply *reply)
{
    const char *code = dav_reply_code(reply);

    switch (reply->status) {
    case 401:
    case 440:
        return "receive-as-missing";
    case 403:
        return strcmp(code, "calendar-forbidden") == 0 ? "receive-as-missing" : code;
    case 404:
    case 410:
        return missing_code(q, reply);
    case 500:
        return dav_reply_header(reply, "MS-WebStorage") || dav_query_product(q)[0] ? "http-server-error"
                                                                                   : "webdav-disabled";
    case 503:
        return "store-offline";
    default:
        return code ? code : "answer-malformed";
    }
}

/* A 404 that Exchange itself gave is about the mailbox; one that was given in front of it is about the URL. */
static const char *missing_code(const struct dav_query *q, const struct dav_reply *reply)
{
    const char *escape = reply->path;

    if (dav_reply_header(reply, "MS-WebStorage"))
        return "mailbox-not-found";
    while ((escape = strchr(escape, '%'))) {
        if (!str_starts(escape, "%40") && !str_starts(escape, "%20"))
            return "double-escape-blocked";
        escape++;
    }
    return dav_query_product(q)[0] ? "mailbox-not-found" : "webdav-missing";
}

static bool is_denial(int status)
{
    return status == 401 || status == 403 || status == 440;
}

void dav_exchange_fail(struct dav_query *q, const char *code, const struct dav_reply *reply)
{
    const char *type = dav_reply_header(reply, "Content-Type");
    char printable[60] = "";

    if (type && reply->status != 401)
        str_printable(type, strlen(type), printable, sizeof(printable));
    dav_query_fail(q, code, "%.110s answered %d%s%s%s", reply->path, reply->status, printable[0] ? " (" : "", printable,
                   printable[0] ? ")" : "");
}

char *dav_exchange_join(struct dav_query *q, const char *folder, const char *below)
{
    size_t len = strlen(folder), more = strlen(below);
    char *joined = arena_alloc(dav_query_arena(q), len + more + 1);

    if (!joined)
        return NULL;
    memcpy(joined, folder, len);
    memcpy(joined + len, below, more);
    return joined;
}

/* `path` as the caller should remember it: with its host when that is not the account's own. */
static const char *at_host_of(struct dav_query *q, const struct dav_reply *reply, const char *path)
{
    struct dav_url home, at;

    if (!dav_url_parse(dav_query_account(q)->url, &home) || !dav_url_parse(reply->url, &at) ||
        dav_url_same_origin(&home, &at))
        return path;
    return reply->url;
}
