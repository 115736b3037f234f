/*
 * caldav_world: a small CalDAV server for the tests of caldav*.c, with calendars that change, and canned answers that
 * go before them. Requests are told apart by what they ask: besides HTTP's methods a canned row may name LIST (a
 * PROPFIND of Depth 1), ETAGS, SYNC, GET (calendar-multiget), BUSY and SEARCH.
 */
#ifndef UNIT_CALDAV_WORLD_H
#define UNIT_CALDAV_WORLD_H

#include "dav_server.h"

#define CAL "urn:ietf:params:xml:ns:caldav"
#define MS_BEGIN                                                                                                       \
    "<?xml version='1.0' encoding='utf-8'?><multistatus xmlns=\"DAV:\" xmlns:C=\"" CAL                                 \
    "\" xmlns:S=\"http://calendarserver.org/ns/\">"
#define MS_END "</multistatus>"
#define ROW(href, props)                                                                                               \
    "<response><href>" href "</href><propstat><prop>" props                                                            \
    "</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
#define IS_CALENDAR "<resourcetype><collection/><C:calendar/></resourcetype>"
#define EVENTS_ONLY "<C:supported-calendar-component-set><C:comp name=\"VEVENT\"/></C:supported-calendar-component-set>"
#define TEXT(inside) "BEGIN:VCALENDAR\n" inside "END:VCALENDAR\n"
#define EVENT_AT(from, to)                                                                                             \
    "BEGIN:VEVENT\nUID:u\nDTSTART:2008030" from "\nDTEND:2008030" to "\nSUMMARY:secret\nEND:VEVENT\n"
#define MEETING_AT(from, to) TEXT(EVENT_AT(from, to))

enum { OBJECTS = 130 };

struct object {
    const char *name; /* NULL: none */
    const char *data;
    unsigned version;
    bool gone;
};

struct calendar {
    const char *path, *home; /* path NULL: none */
    const char *props;       /* besides being a calendar */
    const char *zone;        /* a property that the list of the home does not have */
    const char *name;        /* what resourcetype says; NULL: a calendar */
    struct object objects[OBJECTS];
    unsigned version;
    unsigned known_since;   /* older tokens are forgotten ... */
    int forgotten;          /* ... and answered so; 207: the full list */
    unsigned page;          /* rows in one answer to sync-collection, 0: all */
    const char *token_name; /* "" for plain numbers */
    bool no_token, no_ctag, repeats;
    const char *busy; /* the answer to a free-busy-query; NULL: 501 */
    bool closed;      /* 403 for everything else */
};

struct canned {
    const char *method, *path;
    int status;
    const char *body;
};
static struct calendar calendars[6];
static const struct canned *canned;
static struct buf report_body; /* of the last REPORT */
static char depth[10], type[100];

static const char *templates[8];
static struct outcome got;

static inline const char *what_is_asked(const char *method, const char *body, const char *depth_header)
{
    if (strcmp(method, "REPORT") == 0)
        return strstr(body, "sync-collection") != NULL ? "SYNC"
               : strstr(body, "multiget") != NULL      ? "GET"
               : strstr(body, "free-busy") != NULL     ? "BUSY"
                                                       : "SEARCH";
    if (strcmp(method, "PROPFIND") == 0 && strstr(body, "getetag") != NULL)
        return "ETAGS";
    return strcmp(method, "PROPFIND") == 0 && depth_header != NULL && strcmp(depth_header, "1") == 0 ? "LIST" : method;
}

static inline void add_properties(struct buf *out, const struct calendar *c, const char *more)
{
    buf_addf(out, "<response><href>%s</href><propstat><prop><resourcetype><collection/>%s</resourcetype>%s", c->path,
             c->name != NULL ? c->name : "<C:calendar/>", c->props != NULL ? c->props : EVENTS_ONLY);
    buf_adds(out, more != NULL ? more : "");
    if (!c->no_token)
        buf_addf(out, "<sync-token>%s%u</sync-token>", c->token_name != NULL ? c->token_name : "data:,", c->version);
    if (!c->no_ctag)
        buf_addf(out, "<S:getctag>\"%u\"</S:getctag>", c->version);
    buf_adds(out, "</prop><status>HTTP/1.1 200 OK</status></propstat></response>");
}

static inline void add_etag(struct buf *out, const struct calendar *c, const struct object *o)
{
    buf_addf(out,
             "<response><href>%s%s</href><propstat><prop><getetag>\"%u\"</getetag></prop>"
             "<status>HTTP/1.1 200 OK</status></propstat></response>",
             c->path, o->name, o->version);
}

static inline void add_gone(struct buf *out, const struct calendar *c, const char *name)
{
    buf_addf(out, "<response><href>%s%s</href><status>HTTP/1.1 404 Not Found</status></response>", c->path, name);
}

/* The next one, `from` or later, that an object has; 0: none. */
static inline unsigned next_version(const struct calendar *c, unsigned from)
{
    unsigned found = 0;

    for (const struct object *o = c->objects; o->name != NULL; o++)
        if (o->version >= from && (found == 0 || o->version < found))
            found = o->version;
    return found;
}

static inline int add_changes(struct buf *out, const struct calendar *c, const char *body)
{
    const char *token = strstr(body, "sync-token>") + strlen("sync-token>");
    size_t prefix = strlen(c->token_name != NULL ? c->token_name : "data:,");
    unsigned since = 0, rows = 0, newest = c->version;
    bool full = *token == '<';

    if (!full)
        since = (unsigned)strtoul(token + prefix, NULL, 10);
    if (!full && since < c->known_since) {
        if (c->forgotten != 207)
            return c->forgotten;
        full = true;
        since = 0;
    }
    for (unsigned v = since + (c->repeats && !full ? 0 : 1); (v = next_version(c, v)) != 0; v++) {
        if (c->page > 0 && rows == c->page) {
            newest = v - 1;
            buf_addf(out, "<response><href>%s</href><status>HTTP/1.1 507 Insufficient Storage</status></response>",
                     c->path);
            break;
        }
        rows++;
        for (const struct object *o = c->objects; o->name != NULL; o++) {
            if (o->version == v && !o->gone)
                add_etag(out, c, o);
            else if (o->version == v && !full)
                add_gone(out, c, o->name);
        }
    }
    buf_addf(out, "<sync-token>%s%u</sync-token>", c->token_name != NULL ? c->token_name : "data:,", newest);
    return 207;
}

static inline void add_data(struct buf *out, const struct calendar *c, const char *body)
{
    size_t prefix = strlen(c->path);

    for (const char *at = body; (at = strstr(at, "<D:href>")) != NULL;) {
        const struct object *o = c->objects;
        size_t len;

        at += strlen("<D:href>");
        len = strcspn(at, "<");
        while (o->name != NULL && (strlen(o->name) != len - prefix || memcmp(o->name, at + prefix, len - prefix) != 0))
            o++;
        if (o->name == NULL || o->gone)
            buf_addf(out, "<response><href>%.*s</href><status>HTTP/1.1 404 Not Found</status></response>", (int)len,
                     at);
        else
            buf_addf(out,
                     "<response><href>%s%s</href><propstat><prop><getetag>\"%u\"</getetag><C:calendar-data>%s"
                     "</C:calendar-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>",
                     c->path, o->name, o->version, o->data);
    }
}

static inline int answer_for(struct buf *out, const char *what, const char *path, const char *body)
{
    int status = 404;

    for (const struct calendar *c = calendars; c < calendars + 6 && c->path != NULL; c++) {
        bool itself = strcmp(c->path, path) == 0, home = c->home != NULL && strcmp(c->home, path) == 0;

        if (strcmp(what, "LIST") == 0 && home) {
            add_properties(out, c, NULL);
            status = 207;
        } else if (strcmp(what, "PROPFIND") == 0 && home && status != 207) {
            buf_addf(out,
                     "<response><href>%s</href><propstat><prop><resourcetype><collection/></resourcetype></prop>"
                     "<status>HTTP/1.1 200 OK</status></propstat></response>",
                     path);
            status = 207;
        } else if (itself && strcmp(what, "BUSY") == 0) {
            return c->busy != NULL ? 200 : 501;
        } else if (itself && c->closed) {
            return 403;
        } else if (itself && strcmp(what, "PROPFIND") == 0) {
            add_properties(out, c, c->zone);
            status = 207;
        } else if (itself && strcmp(what, "ETAGS") == 0) {
            add_properties(out, c, c->zone);
            for (const struct object *o = c->objects; o->name != NULL; o++)
                if (!o->gone)
                    add_etag(out, c, o);
            status = 207;
        } else if (itself && strcmp(what, "SYNC") == 0) {
            status = c->no_token ? 501 : add_changes(out, c, body);
        } else if (itself && strcmp(what, "GET") == 0) {
            add_data(out, c, body);
            status = 207;
        }
    }
    return status;
}

static inline const char *busy_of(const char *path)
{
    for (const struct calendar *c = calendars; c < calendars + 6 && c->path != NULL; c++)
        if (strcmp(c->path, path) == 0)
            return c->busy;
    return NULL;
}

static inline bool answer_caldav(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    size_t len;
    const char *body = httpd_body(req, &len), *what;
    struct buf out;
    int status;

    if (!authorized) {
        reply_plain(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
        return true;
    }
    body = body != NULL ? body : "";
    what = what_is_asked(method, body, httpd_header(req, "Depth"));
    if (strcmp(method, "REPORT") == 0) {
        buf_reset(&report_body);
        buf_add(&report_body, body, len);
    }
    snprintf(depth, sizeof(depth), "%s", httpd_header(req, "Depth"));
    snprintf(type, sizeof(type), "%s", httpd_header(req, "Content-Type"));
    for (const struct canned *c = canned; c != NULL && c->method != NULL; c++) {
        if ((strcmp(c->method, method) == 0 || strcmp(c->method, what) == 0) && strcmp(c->path, path) == 0) {
            reply_plain(req, c->status, NULL, c->body);
            return true;
        }
    }
    buf_init(&out, 1 << 20);
    buf_adds(&out, MS_BEGIN);
    status = answer_for(&out, what, path, body);
    if (status == 404 && strcmp(path, "/") == 0)
        status = 207;
    buf_adds(&out, MS_END);
    reply_plain(req, status, NULL, status == 207 ? out.data : status == 200 ? busy_of(path) : "no");
    buf_free(&out);
    return true;
}

static inline void begin(const struct canned *rows, const char *first, const char *second)
{
    static char url[100];
    struct dav_account account = usual_account();

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", httpd_port(server.httpd));
    templates[0] = first;
    templates[1] = second;
    account.kind = DAV_KIND_CALDAV;
    account.url = url;
    account.calendars = templates;
    account.zone = "Europe/Berlin";
    account.max_rows = 200;
    canned = rows;
    server.answer = answer_caldav;
    dav_session_close(&session, "another");
    session = session_for(&account, "secret");
}

static inline int set_up(void **state)
{
    (void)state;
    world_begin();
    memset(calendars, 0, sizeof(calendars));
    canned = NULL;
    buf_init(&report_body, 100000);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    world_end();
    buf_free(&report_body);
    return 0;
}

static inline void ask_about(const char *address, const char *path, const char *remember)
{
    struct dav_question question = question_about(address);
    static char kept[300];

    snprintf(kept, sizeof(kept), "%s", remember != NULL ? remember : "");
    question.path = path;
    question.remember = remember != NULL ? kept : NULL;
    buf_reset(&server.log);
    ask(&got, &question);
}

/* Alice, with what was remembered of her last time. */
static inline void ask_again(void)
{
    static char kept[300];

    snprintf(kept, sizeof(kept), "%s", got.remember);
    ask_about("alice@example.org", NULL, kept);
}

static inline void expect_error(const char *code)
{
    assert_string_equal(got.code, code);
    assert_int_equal(got.count, 0);
    assert_int_not_equal(got.err, DAV_OK);
}

/* `requests` of them brought `count` spans. */
static inline void expect(unsigned requests, unsigned count)
{
    if (got.code[0] != '\0' || got.requests != requests)
        print_error("%s: %s\n%s", got.code, got.evidence, server.log.data);
    assert_string_equal(got.code, "");
    assert_int_equal(got.count, count);
    assert_int_equal(got.requests, requests);
}

static inline void expect_span(size_t i, int64_t start, int64_t end)
{
    assert_true(i < got.count);
    assert_int_equal(got.spans[i].start, start);
    assert_int_equal(got.spans[i].end, end);
}

static inline void put(struct calendar *c, const char *name, const char *data)
{
    struct object *o = c->objects;

    while (o->name != NULL && strcmp(o->name, name) != 0)
        o++;
    assert_true(o < c->objects + OBJECTS - 1);
    *o = (struct object){.name = name, .data = data, .version = ++c->version};
}

static inline void take_away(struct calendar *c, const char *name)
{
    struct object *o = c->objects;

    while (o->name != NULL && strcmp(o->name, name) != 0)
        o++;
    assert_non_null(o->name);
    o->gone = true;
    o->version = ++c->version;
}

#define ALICE "/alice%40example.org/calendar/"
#define ONE_HOUR MEETING_AT("3T130000Z", "3T140000Z")
#define NEXT_DAY MEETING_AT("4T130000Z", "4T140000Z")

#endif
