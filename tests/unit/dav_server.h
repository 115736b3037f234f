/*
 * A mail server of canned answers for the tests of session, query and flavours, in the same thread and loop as the
 * client. Time is the test's: turn() lets the sockets work and moves the clock by one millisecond.
 *
 * Every request is noted in `server.log` as "METHOD /path auth|bare\n". What is answered is up to the test's `answer`
 * function; those it does not care for are answered as a small Exchange would.
 */
#ifndef UNIT_DAV_SERVER_H
#define UNIT_DAV_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/utc.h"
#include "davclient/query.h"
#include "davclient/session.h"
#include "until.h"

#define NOON INT64_C(1204545600) /* 2008-03-03T12:00:00Z */
#define DAY INT64_C(86400)
#define GOOD_CREDENTIAL "Basic RVhBTVBMRVxzdmM6c2VjcmV0" /* EXAMPLE\svc:secret */

#define MULTISTATUS                                                                                                    \
    "<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/\" "                \
    "xmlns:d=\"urn:schemas:calendar:\" "                                                                               \
    "xmlns:e=\"urn:schemas:httpmail:\" xmlns:f=\"http://schemas.microsoft.com/exchange/\" "                            \
    "xmlns:g=\"http://schemas.microsoft.com/mapi/\" "                                                                  \
    "xmlns:t=\"http://schemas.microsoft.com/mapi/proptag/\" xmlns:c=\"xml:\" xmlns:a=\"DAV:\">"
#define MULTISTATUS_END "</a:multistatus>"
#define RESPONSE(href, props)                                                                                          \
    "<a:response><a:href>" href "</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>" props              \
    "</a:prop></a:propstat></a:response>"
#define APPOINTMENT(name, from, to, more)                                                                              \
    RESPONSE("https://inner.invalid/exchange/x/Calendar/" name ".EML",                                                 \
             "<d:dtstart b:dt=\"dateTime.tz\">2008-03-0" from                                                          \
             ":00.000Z</d:dtstart><d:dtend b:dt=\"dateTime.tz\">2008-03-0" to ":00.000Z</d:dtend>" more)
#define ONE_MEETING                                                                                                    \
    MULTISTATUS APPOINTMENT("One", "3T13:00", "3T14:00", "<d:busystatus>BUSY</d:busystatus>") MULTISTATUS_END

struct server;

/* True: it has answered, or will. */
typedef bool answer_fn(struct httpd_req *req, const char *method, const char *path, bool authorized);

struct server {
    struct httpd *httpd;
    struct buf log;
    answer_fn *answer;
    unsigned requests, authorized, most_at_once, at_once;
    const char *credential; /* the right Authorization */
    struct httpd_req *held[64];
    unsigned held_count;
};

static struct clk *clk;
static struct loop *loop;
static struct server server;
static struct dav_session *session;

/* A 401 is the web server's: Exchange has no part in it. */
static inline void reply(struct httpd_req *req, int status, const char *header, const char *body)
{
    const char *headers[] = {"Content-Type: text/xml", status == 401 ? header : "MS-WebStorage: 6.5.7638", header,
                             NULL};

    if (status == 401)
        headers[2] = NULL;
    server.at_once--;
    httpd_reply(req, status, headers, body, strlen(body));
}

/* Without any header that looks like Exchange. */
static inline void reply_plain(struct httpd_req *req, int status, const char *header, const char *body)
{
    const char *headers[] = {"Content-Type: text/html", header, NULL};

    server.at_once--;
    httpd_reply(req, status, headers, body, strlen(body));
}

static inline void hold(struct httpd_req *req)
{
    assert_true(server.held_count < 64);
    server.held[server.held_count++] = req;
}

/* The mailbox tells its calendar, the calendar has one meeting. */
static inline void reply_usual(struct httpd_req *req, const char *method, const char *path)
{
    char body[2000];

    if (strcmp(method, "SEARCH") == 0) {
        reply(req, 207, NULL, ONE_MEETING);
        return;
    }
    snprintf(body, sizeof(body),
             MULTISTATUS RESPONSE(
                 "%s", "<e:calendar>http://inner.invalid%sKalender</e:calendar><t:x0ff40003>63</t:x0ff40003>")
                 MULTISTATUS_END,
             path, path);
    reply(req, 207, NULL, body);
}

static inline void server_handle(void *arg, struct httpd_req *req)
{
    const char *method = httpd_method(req), *path = httpd_path(req), *sent = httpd_header(req, "Authorization");
    bool authorized = sent && strcmp(sent, server.credential) == 0;

    (void)arg;
    server.requests++;
    server.authorized += sent != NULL;
    if (++server.at_once > server.most_at_once)
        server.most_at_once = server.at_once;
    buf_addf(&server.log, "%s %s %s\n", method, path, sent ? "auth" : "bare");
    if (server.answer && server.answer(req, method, path, authorized))
        return;
    if (!authorized)
        reply(req, 401, "WWW-Authenticate: Basic realm=\"x\"", "<html>401</html>");
    else
        reply_usual(req, method, path);
}

static inline void turn(void)
{
    loop_turn(loop, 1);
    loop_advance(loop, 1);
}

static inline void wait_for(const unsigned *count, unsigned wanted)
{
    int64_t end = clk_mono_ms(clk_system()) + PATIENCE_MS;

    while (*count < wanted && clk_mono_ms(clk_system()) < end)
        turn();
    assert_int_equal(*count, wanted);
}

static inline void settle(void)
{
    for (int i = 0; i < 20; i++)
        turn();
}

static inline void world_begin(void)
{
    struct httpd_settings settings = {.listen = "127.0.0.1:0"};
    char why[200];

    log_set_level(LOG_LEVEL_ERROR);
    memset(&server, 0, sizeof(server));
    clk = clk_fake_new(NOON * 1000);
    loop = loop_new(clk);
    buf_init(&server.log, 1 << 20);
    server.credential = GOOD_CREDENTIAL;
    server.httpd = httpd_new(loop, &settings, server_handle, NULL, why, sizeof(why));
    assert_non_null(server.httpd);
}

static inline void world_end(void)
{
    dav_session_close(&session, "end of test");
    httpd_free(&server.httpd);
    loop_free(&loop);
    clk_fake_free(&clk);
    buf_free(&server.log);
}

static inline struct dav_account usual_account(void)
{
    static char url[100];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/exchange/", httpd_port(server.httpd));
    return (struct dav_account){
        .name = "hq",
        .kind = DAV_KIND_EXCHANGE,
        .url = url,
        .user = "EXAMPLE\\svc",
        .auth = {DAV_SCHEME_BASIC},
        .auth_count = 1,
        .max_requests_per_second = 10000,
    };
}

static inline struct dav_session *session_for(const struct dav_account *account, const char *password)
{
    struct secret *secret = secret_new(password);
    struct dav_session *s;
    char why[200] = "";

    s = dav_session_new(loop, account, secret, why, sizeof(why));
    if (!s)
        fail_msg("%s", why);
    secret_free(&secret);
    return s;
}

/* What came of one question. */
struct outcome {
    unsigned calls;
    enum dav_err err;
    char code[40], evidence[300], remember[300], way[200];
    struct dav_span spans[600];
    size_t count;
    unsigned requests, skipped;
    bool unchanged, routine;
    int64_t retry_after_s, from, until, as_of;
    char steps[600]; /* of a check: "dns tcp ..." with '!' before the failed one */
    unsigned *also;
};

static inline void note_result(void *arg, const struct dav_result *r)
{
    struct outcome *o = arg;

    o->calls++;
    o->err = r->err;
    snprintf(o->code, sizeof(o->code), "%s", r->code ? r->code : "");
    snprintf(o->evidence, sizeof(o->evidence), "%s", r->evidence ? r->evidence : "");
    snprintf(o->remember, sizeof(o->remember), "%s", r->remember ? r->remember : "");
    snprintf(o->way, sizeof(o->way), "%s", r->way ? r->way : "");
    o->count = r->count;
    assert_true(r->count <= 600);
    if (r->count > 0)
        memcpy(o->spans, r->spans, r->count * sizeof(*r->spans));
    o->requests = r->requests;
    o->skipped = r->skipped;
    o->unchanged = r->unchanged;
    o->routine = r->routine;
    o->retry_after_s = r->retry_after_s;
    o->from = r->from;
    o->until = r->until;
    o->as_of = r->as_of;
    if (o->also)
        ++*o->also;
}

static inline struct dav_question question_about(const char *address)
{
    return (struct dav_question){.address = address, .from = NOON - DAY, .until = NOON + 7 * DAY};
}

static inline void ask(struct outcome *o, const struct dav_question *question)
{
    memset(o, 0, sizeof(*o));
    dav_query_start(session, question, note_result, o);
    wait_for(&o->calls, 1);
}

#endif
