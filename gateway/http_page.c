/*
 * http_page: the page at `/` that an administrator opens, and GET /v1/people, which finds the people it shows. The page
 * is HTML made here, whole without scripts; its script asks for parts of it again (?part=now, list, rows) and puts them
 * in place. What it consists of besides are the files of gateway/page, built in.
 *
 * The part about the daemon is the same for all readers and made at most every two seconds, however many read. People
 * come by page_find.c, a page of them at a time: nobody ever gets everybody at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "gateway.h"
#include "http_face.h"
#include "page.h"
#include "report.h"
#include "who.h"

enum {
    PAGE_BYTES_MAX = 4 * 1024 * 1024,
    NOW_KEPT_MS = 2000,
    LIMIT = 50,
    LIMIT_MAX = 200,
    TEXT_MAX = 1000,
    DAY_S = 86400,
    ETAG_BYTES = 8
};

#define POLICY                                                                                                         \
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"                \
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

struct gw_page {
    struct gateway *gateway;
    struct gw_finds *finds;
    struct buf now;  /* page_now's sections */
    int64_t made_ms; /* monotonic; 0: not yet */
    size_t by_state[PRES_KINDS], persons;
};

enum form { FORM_WHOLE, FORM_LIST, FORM_JSON };

/* A request that waits for its people. */
struct ask {
    struct gw_face *face;
    struct httpd_req *req;
    enum form form;
    struct gw_who *who;
    char *text, *group, *state_name;
    int state;
    pres_id after, last;
    unsigned limit;
    int64_t from;
    bool more;
    unsigned count;
    struct buf rows;
    struct jv *people;
    struct gw_find *find;
};

static void start(struct gw_face *face, struct httpd_req *req, enum form form);
static struct ask *read_ask(struct httpd_req *req);
static bool read_numbers(struct ask *a, struct httpd_req *req, int64_t now);
static char *param(struct httpd_req *req, const char *name, bool *bad);
static void ask_free(struct ask *a);
static void found(void *arg, pres_id id);
static void done(void *arg, pres_id last, bool more);
static void asker_gone(void *arg);
static void refresh(struct gw_page *p);
static void reply_part(struct gw_face *face, struct httpd_req *req, const struct gw_who *who, const char *part);
static void add_rows_of(struct gw_face *face, struct httpd_req *req, const struct gw_who *who, struct buf *b);
static void fill_whole(struct buf *b, const char *word, void *arg);
static void add_list(struct buf *b, struct ask *a);
static void add_chips(struct buf *b, const struct ask *a);
static void add_link(struct buf *b, const struct ask *a, const char *state, pres_id after);
static int64_t now_of(const struct gw_face *face);

struct gw_page *gw_page_new(struct gateway *g)
{
    struct gw_page *p = mem_calloc(1, sizeof *p);
    p->gateway = g;
    p->finds = gw_finds_new(g);
    buf_init(&p->now, PAGE_BYTES_MAX);
    return p;
}

void gw_page_free(struct gw_page **p)
{
    if (!*p)
        return;
    gw_finds_free(&(*p)->finds);
    buf_free(&(*p)->now);
    free(*p);
    *p = NULL;
}

/* The last row, which is nobody's and empty, when there is no such file. */
const struct gw_page_file *gw_page_file(const char *name)
{
    const struct gw_page_file *f = gw_page_files;
    while (f->name[0] && strcmp(f->name, name) != 0)
        f++;
    return f;
}

/* Of a file that is there; the linker's word for it is nothing to the compiler. */
static const char *text_of(const char *name)
{
    const struct gw_page_file *file = gw_page_file(name);
    return file ? file->data : "";
}

void gw_page_fill(struct buf *b, const char *name, gw_page_fill_fn *fill, void *arg)
{
    const char *at = text_of(name), *open;
    while ((open = strstr(at, "{{"))) {
        const char *close = strstr(open, "}}");
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int)(close - open - 2), open + 2);
        buf_add(b, at, (size_t)(open - at));
        if (strcmp(word, "patterns") == 0)
            buf_adds(b, text_of("patterns.html"));
        else if (strcmp(word, "legend") == 0)
            buf_adds(b, text_of("legend.html"));
        else
            fill(b, word, arg);
        at = close + 2;
    }
    buf_adds(b, at);
}

static bool same_etag(struct httpd_req *req, const char *etag)
{
    const char *known = httpd_header(req, "If-None-Match");
    return known && strstr(known, etag);
}

void gw_page_reply(struct httpd_req *req, int status, struct buf *b)
{
    uint8_t sum[CRYPTO_SHA256_LEN];
    char etag[64] = "ETag: \"";
    const char *const headers[] = {"Content-Type: text/html; charset=utf-8",
                                   "Cache-Control: private, no-cache",
                                   "X-Content-Type-Options: nosniff",
                                   "Referrer-Policy: no-referrer",
                                   POLICY,
                                   etag,
                                   NULL};
    if (b->failed) {
        buf_free(b);
        gw_http_problem(req, 500, "answer-too-large", "The page is larger than we send.");
        return;
    }
    crypto_sha256(b->data, b->len, sum);
    size_t at = strlen(etag);
    for (unsigned i = 0; i < ETAG_BYTES; i++, at += 2)
        snprintf(etag + at, sizeof etag - at, "%02x", sum[i]);
    snprintf(etag + at, sizeof etag - at, "\"");
    size_t len = b->len;
    if (status == 200 && same_etag(req, etag + strlen("ETag: "))) {
        buf_free(b);
        httpd_reply(req, 304, headers + 1, NULL, 0);
        return;
    }
    httpd_reply_take(req, status, headers, buf_take(b), len);
}

/* /page.css and the like: the same until the program changes. */
void gw_http_get_page_file(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)face, (void)rest;
    const struct gw_page_file *file = gw_page_file(httpd_path(req) + 1);
    if (!file) { /* a route without a file */
        gw_http_problem(req, 404, "not-found", "There is nothing at this path.");
        return;
    }
    const char *type = str_ends(file->name, ".css")  ? "text/css; charset=utf-8"
                       : str_ends(file->name, ".js") ? "text/javascript; charset=utf-8"
                                                     : "image/svg+xml";
    char type_line[80], etag[80];
    snprintf(type_line, sizeof type_line, "Content-Type: %s", type);
    snprintf(etag, sizeof etag, "ETag: %s", file->etag);
    const char *const headers[] = {
        type_line, "Cache-Control: no-cache", "X-Content-Type-Options: nosniff", POLICY, etag, NULL};
    bool same = same_etag(req, file->etag);
    httpd_reply(req, same ? 304 : 200, headers + same, same ? NULL : file->data, same ? 0 : file->len);
}

void gw_http_get_page(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    bool bad = false;
    if (!gw_who_reads(face, req))
        return;
    const char *part = httpd_param(req, "part", 0, &bad);
    if (part && strcmp(part, "list") != 0)
        reply_part(face, req, gw_who_of(face, req), part);
    else
        start(face, req, part ? FORM_LIST : FORM_WHOLE);
}

void gw_http_get_people(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    if (gw_who_reads(face, req))
        start(face, req, FORM_JSON);
}

static void start(struct gw_face *face, struct httpd_req *req, enum form form)
{
    static const struct gw_find_ops ops = {found, done};
    struct ask *a = read_ask(req);
    if (!a || !read_numbers(a, req, now_of(face))) {
        ask_free(a);
        gw_http_problem(req, 400, "bad-parameter",
                        "q and group are text, state is one of free, elsewhere, tentative, busy, oof and unknown, "
                        "after is the `next` of the answer before, limit a number from 1, from a UTC time.");
        return;
    }
    a->face = face;
    a->req = req;
    a->form = form;
    a->who = gw_who_ref(gw_who_of(face, req));
    a->people = jv_array();
    buf_init(&a->rows, PAGE_BYTES_MAX);
    struct gw_find_ask find = {a->text, a->group, a->state, a->after, a->limit, a->who};
    a->find = gw_find_start(face->page->finds, &find, &ops, a);
    if (!a->find) {
        ask_free(a);
        gw_http_problem(req, 503, "too-many-searches", "Many look for people at this moment. Try again soon.");
        return;
    }
    httpd_on_gone(req, asker_gone, a);
}

/* NULL: a broken escape, no such state, too long. */
static struct ask *read_ask(struct httpd_req *req)
{
    bool bad = false;
    enum pres_kind kind = PRES_FREE;
    struct ask *a = mem_calloc(1, sizeof *a);
    a->text = param(req, "q", &bad);
    a->group = param(req, "group", &bad);
    a->state_name = param(req, "state", &bad);
    if (!a->text)
        a->text = mem_strdup("");
    if (a->state_name && !pres_kind_parse(a->state_name, &kind))
        bad = true;
    a->state = a->state_name ? (int)kind : -1;
    if (bad || strlen(a->text) > TEXT_MAX || (a->group && strlen(a->group) > TEXT_MAX)) {
        ask_free(a);
        return NULL;
    }
    return a;
}

static bool read_numbers(struct ask *a, struct httpd_req *req, int64_t now)
{
    bool bad = false;
    int64_t n = LIMIT, after = PRES_NOBODY;
    const char *text = httpd_param(req, "limit", 0, &bad);
    if (text && !str_to_int(text, 1, INT64_MAX, &n))
        return false;
    a->limit = n < LIMIT_MAX ? (unsigned)n : LIMIT_MAX;
    text = httpd_param(req, "after", 0, &bad);
    if (text && text[0] && !str_to_int(text, 0, UINT32_MAX - 1, &after))
        return false;
    a->after = (pres_id)after;
    return gw_page_from(req, now, &a->from) && !bad;
}

bool gw_page_from(struct httpd_req *req, int64_t now, int64_t *ret)
{
    bool bad = false;
    int64_t from = gw_html_midnight(now);
    *ret = from;
    const char *text = httpd_param(req, "from", 0, &bad);
    if (bad || (text && (!utc_parse_any(text, strlen(text), &from) || from > now + DAY_S || from < now - 2 * DAY_S)))
        return false;
    *ret = from;
    return true;
}

/* A copy; NULL: absent or empty. */
static char *param(struct httpd_req *req, const char *name, bool *bad)
{
    const char *value = httpd_param(req, name, 0, bad);
    return value && value[0] ? mem_strdup(value) : NULL;
}

static void ask_free(struct ask *a)
{
    if (!a)
        return;
    gw_find_cancel(&a->find);
    gw_who_unref(&a->who);
    jv_free(&a->people);
    if (a->req)
        buf_free(&a->rows);
    free(a->text);
    free(a->group);
    free(a->state_name);
    free(a);
}

static void asker_gone(void *arg)
{
    ask_free(arg);
}

static void found(void *arg, pres_id id)
{
    struct ask *a = arg;
    struct pres_presence now;
    a->count++;
    if (a->form != FORM_JSON)
        gw_page_row(&a->rows, a->face->gateway, a->who, id, a->from);
    else if (gw_page_see(a->face->gateway, a->who, id, &now))
        jv_add(a->people, gw_report_row(a->face->gateway, id, &now));
}

static void done(void *arg, pres_id last, bool more)
{
    struct ask *a = arg;
    struct buf b;
    a->find = NULL;
    a->last = last;
    a->more = more;
    buf_init(&b, PAGE_BYTES_MAX);
    if (a->form == FORM_JSON) {
        char cursor[16];
        snprintf(cursor, sizeof cursor, "%u", last);
        struct jv *v = jv_set(jv_object(), "people", a->people);
        a->people = NULL;
        jv_set_int(v, "limit", a->limit);
        gw_http_json(a->req, 200, jv_set_str(v, "next", more ? cursor : NULL));
    } else {
        refresh(a->face->page);
        if (a->form == FORM_LIST)
            add_list(&b, a);
        else
            gw_page_fill(&b, "page.html", fill_whole, a);
        gw_page_reply(a->req, 200, &b);
    }
    buf_free(&b);
    ask_free(a);
}

/* Many may read; the daemon writes down what it knows of itself once for all of them. */
static void refresh(struct gw_page *p)
{
    const struct clk *clk = loop_clk(gw_loop(p->gateway));
    if (p->made_ms && clk_mono_ms(clk) - p->made_ms < NOW_KEPT_MS)
        return;
    struct jv *status = gw_report_status(p->gateway);
    const struct jv *persons = jv_get(status, "persons");
    for (int kind = 0; kind < PRES_KINDS; kind++)
        p->by_state[kind] = (size_t)jv_num(jv_get(persons, pres_kind_name((enum pres_kind)kind)), 0);
    p->persons = (size_t)jv_num(jv_get(persons, "all"), 0);
    buf_reset(&p->now);
    gw_page_now(&p->now, status, clk_wall_s(clk));
    jv_free(&status);
    p->made_ms = clk_mono_ms(clk);
}

static void reply_part(struct gw_face *face, struct httpd_req *req, const struct gw_who *who, const char *part)
{
    struct buf b;
    buf_init(&b, PAGE_BYTES_MAX);
    if (strcmp(part, "now") == 0) {
        refresh(face->page);
        buf_add(&b, face->page->now.data, face->page->now.len);
    } else if (strcmp(part, "rows") == 0) {
        add_rows_of(face, req, who, &b);
    } else {
        buf_free(&b);
        gw_http_problem(req, 400, "bad-parameter", "The parts are now, list and rows.");
        return;
    }
    gw_page_reply(req, 200, &b);
}

/* Of the people named; whom nobody knows has no row. */
static void add_rows_of(struct gw_face *face, struct httpd_req *req, const struct gw_who *who, struct buf *b)
{
    bool bad = false;
    int64_t from;
    const char *text;
    gw_page_from(req, now_of(face), &from);
    buf_adds(b, "<table><tbody>");
    for (unsigned i = 0; i < LIMIT_MAX && (text = httpd_param(req, "address", i, &bad)); i++) {
        pres_id id = pres_table_find(gw_table(face->gateway), text);
        if (id != PRES_NOBODY)
            gw_page_row(b, face->gateway, who, id, from);
    }
    buf_adds(b, "</tbody></table>");
}

static void fill_whole(struct buf *b, const char *word, void *arg)
{
    struct ask *a = arg;
    char utc[UTC_TEXT_MAX];
    if (strcmp(word, "now") == 0)
        buf_add(b, a->face->page->now.data, a->face->page->now.len);
    else if (strcmp(word, "list") == 0)
        add_list(b, a);
    else if (strcmp(word, "q") == 0)
        gw_html_attr(b, a->text);
    else if (strcmp(word, "state") == 0)
        buf_adds(b, a->state_name ? a->state_name : "");
    else if (strcmp(word, "group") == 0)
        gw_html_attr(b, a->group ? a->group : "");
    else if (strcmp(word, "clock") == 0)
        gw_html_time(b, now_of(a->face) / 60 * 60, now_of(a->face), GW_HTML_CLOCK);
    else if (strcmp(word, "started") == 0)
        buf_adds(b, utc_rfc3339(gw_started_at(a->face->gateway), utc));
    else if (strcmp(word, "version") == 0)
        buf_adds(b, FB_VERSION);
    else if (strcmp(word, "who") == 0)
        gw_html_name(b, a->who->name);
}

static void add_list(struct buf *b, struct ask *a)
{
    char utc[UTC_TEXT_MAX];
    add_chips(b, a);
    if (a->group) {
        buf_adds(b, "<p class=\"within\">Group ");
        gw_html_name(b, a->group);
        buf_adds(b, " <a href=\"/#people\">everybody</a></p>");
    }
    buf_addf(b, "<table class=\"people\" data-from=\"%s\"><thead><tr><th scope=\"col\">Person</th>",
             utc_rfc3339(a->from, utc));
    buf_adds(b, "<th scope=\"col\">State</th><th scope=\"col\">Until</th><th scope=\"col\" class=\"time\">"
                "<span class=\"days\"><span>today</span><span>tomorrow</span></span>");
    gw_bars_scale(b, a->from, a->from + 2 * DAY_S, 6);
    buf_adds(b, "</th></tr></thead><tbody>");
    buf_add(b, a->rows.data, a->rows.len);
    if (a->count == 0)
        buf_addf(b, "<tr class=\"nobody\"><td colspan=\"4\">%s</td></tr>",
                 a->text[0] || a->group || a->state >= 0 || a->after != PRES_NOBODY
                     ? "Nobody is like that. <a href=\"/#people\">Everybody</a>"
                     : "Nobody is configured whom you may see.");
    buf_adds(b, "</tbody></table><p class=\"pager\">");
    if (a->after != PRES_NOBODY) {
        buf_adds(b, "<a href=\"");
        add_link(b, a, a->state_name, PRES_NOBODY);
        buf_adds(b, "\">first page</a> ");
    }
    if (a->more) {
        buf_adds(b, "<a rel=\"next\" href=\"");
        add_link(b, a, a->state_name, a->last);
        buf_addf(b, "\">next %u</a>", a->limit);
    }
    buf_adds(b, "</p>\n");
}

static void add_chips(struct buf *b, const struct ask *a)
{
    const struct gw_page *p = a->face->page;
    buf_adds(b, "<nav class=\"chips\" aria-label=\"By state\">");
    for (int kind = -1; kind < PRES_KINDS; kind++) {
        const char *name = kind < 0 ? NULL : pres_kind_name((enum pres_kind)kind);
        buf_adds(b, "<a href=\"");
        add_link(b, a, name, PRES_NOBODY);
        buf_addf(b, "\"%s>", kind == a->state ? " aria-current=\"true\"" : "");
        if (kind < 0)
            buf_adds(b, "everybody");
        else
            gw_html_pill(b, (enum pres_kind)kind);
        buf_adds(b, " <b>");
        gw_html_count(b, (int64_t)(kind < 0 ? p->persons : p->by_state[kind]));
        buf_adds(b, "</b></a>");
    }
    buf_adds(b, "</nav>");
}

static void add_link(struct buf *b, const struct ask *a, const char *state, pres_id after)
{
    char sign = '?';
    buf_addc(b, '/');
    if (a->text[0]) {
        buf_addf(b, "%cq=", sign);
        gw_html_url(b, a->text);
        sign = '&';
    }
    if (state) {
        buf_addf(b, "%sstate=%s", sign == '?' ? "?" : "&amp;", state);
        sign = '&';
    }
    if (a->group) {
        buf_adds(b, sign == '?' ? "?group=" : "&amp;group=");
        gw_html_url(b, a->group);
        sign = '&';
    }
    if (after != PRES_NOBODY)
        buf_addf(b, "%safter=%u", sign == '?' ? "?" : "&amp;", after);
    buf_adds(b, "#people");
}

static int64_t now_of(const struct gw_face *face)
{
    return clk_wall_s(loop_clk(gw_loop(face->gateway)));
}
