/*
 * trace: `freebusyctl trace ADDRESS --for 10m`: every request about one person as a line of JSON while it happens, so
 * that "why is she unknown" is looked at without a debug log about everybody. Methods, paths, statuses and times; never
 * a body, a header or a URL's query. A request about many persons at once is shown as such.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "ctl.h"
#include "gateway_private.h"
#include "http_face.h"
#include "report.h"

enum { LINES_MAX = 256 * 1024, FOR_MAX_MS = 86400000, FOR_USUAL_MS = 600000, TRACES_MAX = 32, URL_SHOWN = 2048 };

struct trace {
    struct gateway *g;
    struct trace *next;
    char *address;
    struct httpd_stream *stream;
    struct loop_timer *end;
    struct buf lines;
    bool done;
};

struct gw_traces {
    struct trace *first;
    unsigned count;
};

static void on_request(void *arg, const struct dav_request_report *report);
static void add_line(struct trace *t, const struct dav_request_report *report);
static ssize_t pull(void *arg, char *out, size_t max);
static void gone(void *arg);
static void over(void *arg);

void gw_trace_watch(struct gateway *g, struct dav_session *session)
{
    dav_session_on_request(session, on_request, g);
}

void gw_ctl_get_trace(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    static const char *const headers[] = {"Content-Type: application/x-ndjson", NULL};
    struct gateway *g = face->gateway;
    bool bad = false;
    const char *span = httpd_param(req, "for", 0, &bad);
    int64_t ms = FOR_USUAL_MS;
    pres_id id = pres_table_find(g->table, rest);
    if (id == PRES_NOBODY) {
        gw_http_nobody(req);
        return;
    }
    if ((span && !gw_duration_read(span, &ms)) || ms < 1000 || ms > FOR_MAX_MS || bad) {
        gw_http_problem(req, 400, "bad-duration", "A time is 1s to 1d.");
        return;
    }
    if (!g->traces)
        g->traces = mem_calloc(1, sizeof *g->traces);
    if (g->traces->count == TRACES_MAX) {
        gw_http_problem(req, 503, "too-many-traces", "Others are tracing already, end one of them first.");
        return;
    }
    struct trace *t = mem_calloc(1, sizeof *t);
    *t = (struct trace){.g = g, .next = g->traces->first, .address = mem_strdup(pres_table_address(g->table, id))};
    g->traces->first = t;
    g->traces->count++;
    buf_init(&t->lines, LINES_MAX);
    t->end = loop_timer_new(g->loop, "trace", over, t);
    loop_timer_in(t->end, ms);
    log_notice("trace", "one person is traced for %llds", (long long)(ms / 1000));
    t->stream = httpd_stream_start(req, 200, headers, pull, gone, t);
}

void gw_traces_free(struct gw_traces **traces)
{
    free(*traces); /* the streams have gone with their faces */
    *traces = NULL;
}

static void on_request(void *arg, const struct dav_request_report *report)
{
    const struct gateway *g = arg;
    for (struct trace *t = g->traces ? g->traces->first : NULL; t; t = t->next)
        if (!report->address || strcasecmp(report->address, t->address) == 0)
            add_line(t, report);
}

/* A reader who is slow misses lines, not memory. */
static void add_line(struct trace *t, const struct dav_request_report *report)
{
    if (t->lines.len > LINES_MAX - 8192)
        return;
    size_t len = strcspn(report->url, "?");
    char *url = mem_strndup(report->url, len < URL_SHOWN ? len : URL_SHOWN);
    struct jv *v = jv_set(jv_object(), "at", gw_report_time(clk_wall_s(loop_clk(t->g->loop))));
    jv_set_bool(v, "with_others", !report->address);
    jv_set_str(v, "method", report->method);
    jv_set_str(v, "url", url);
    jv_set_int(v, "status", report->status);
    jv_set(v, "code", report->code ? jv_string(report->code) : jv_null());
    jv_set_int(v, "ms", report->ms);
    jv_set_int(v, "bytes", (int64_t)report->bytes);
    jv_set_int(v, "connection", report->connection);
    jv_write(&t->lines, v, false);
    buf_addc(&t->lines, '\n');
    jv_free(&v);
    free(url);
    httpd_stream_wake(t->stream);
}

static ssize_t pull(void *arg, char *out, size_t max)
{
    struct trace *t = arg;
    if (t->lines.len == 0)
        return t->done ? HTTPD_PULL_END : HTTPD_PULL_WAIT;
    size_t n = t->lines.len < max ? t->lines.len : max;
    memcpy(out, t->lines.data, n);
    buf_drop(&t->lines, n);
    return (ssize_t)n;
}

static void gone(void *arg)
{
    struct trace *t = arg, **at = &t->g->traces->first;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->g->traces->count--;
    loop_timer_free(&t->end);
    buf_free(&t->lines);
    free(t->address);
    free(t);
}

static void over(void *arg)
{
    struct trace *t = arg;
    t->done = true;
    httpd_stream_wake(t->stream);
}
