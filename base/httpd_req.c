/*
 * httpd_req: one request, from its first line to its answer. httpd.c calls httpd_req_begin when the header is complete,
 * httpd_req_upload for each piece of the body, and httpd_req_whole when all is there and again after each resume;
 * handlers call the rest, which is public.
 *
 * An answer is only stored by httpd_reply and given to libmicrohttpd by httpd_req_whole, which runs when the handler
 * has returned or, for a late answer, when the resumed connection comes round again. So a handler never runs inside the
 * writing of its own answer, and an answer to a client that has left meanwhile is dropped here.
 *
 * A body above the ceiling is thrown away while it arrives, up to a limit: who answers 413 and closes at once resets
 * the connection under the client's feet, and it never reads why.
 */
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd_private.h"

#include <assert.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTTPD_SWALLOW_MAX = 16 * 1024 * 1024, HTTPD_HEADER_NAME_MAX = 128 };

/* What the framing headers say; more than one of a kind is a way to smuggle requests past a proxy. */
struct httpd_framing {
    unsigned n_lengths;
    unsigned n_encodings;
    uint64_t length;
    bool chunked;
};

struct httpd_tally {
    const char *name;
    unsigned n;
};

static void httpd_req_enter(struct httpd_req *req, enum httpd_phase next);
static enum MHD_Result httpd_req_tally(void *cls, enum MHD_ValueKind kind, const char *name, const char *value);
static int httpd_req_verdict(struct httpd_req *req);
static int httpd_req_check_header_size(const struct httpd_req *req);
static bool httpd_req_split_target(struct httpd_req *req);
static int httpd_req_check_framing(struct httpd_req *req);
static enum MHD_Result httpd_req_see_framing(void *cls, enum MHD_ValueKind kind, const char *name, const char *value);
static bool httpd_req_ask(struct httpd_req *req);
static bool httpd_req_refuse(struct httpd_req *req, int status);
static bool httpd_req_queue(struct httpd_req *req);
static void httpd_req_add_header(struct MHD_Response *response, const char *line);

const char *httpd_method(const struct httpd_req *req)
{
    return req->method;
}

const char *httpd_path(const struct httpd_req *req)
{
    return req->path;
}

const char *httpd_query(const struct httpd_req *req)
{
    return req->query;
}

const char *httpd_header(const struct httpd_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn->mhd, MHD_HEADER_KIND, name);
}

const char *httpd_body(const struct httpd_req *req, size_t *ret_len)
{
    if (ret_len != NULL)
        *ret_len = req->body.len;
    return req->body.data;
}

const char *httpd_peer(const struct httpd_req *req)
{
    return req->conn->peer;
}

bool httpd_is_tls(const struct httpd_req *req)
{
    return req->conn->h->is_tls;
}

unsigned httpd_header_count(const struct httpd_req *req, const char *name)
{
    struct httpd_tally tally = {.name = name};
    MHD_get_connection_values(req->conn->mhd, MHD_HEADER_KIND, httpd_req_tally, &tally);
    return tally.n;
}

void httpd_set_data(struct httpd_req *req, void *data, void (*free_fn)(void *data))
{
    if (req->data_free != NULL && req->data != data)
        req->data_free(req->data);
    req->data = data;
    req->data_free = data != NULL ? free_fn : NULL;
}

void *httpd_data(const struct httpd_req *req)
{
    return req->data;
}

uint64_t httpd_connection_id(const struct httpd_req *req)
{
    return req->conn->id;
}

void httpd_set_connection_data(struct httpd_req *req, void *data, void (*free_fn)(void *data))
{
    struct httpd_conn *conn = req->conn;
    if (conn->data_free != NULL && conn->data != data)
        conn->data_free(conn->data);
    conn->data = data;
    conn->data_free = data != NULL ? free_fn : NULL;
}

void *httpd_connection_data(const struct httpd_req *req)
{
    return req->conn->data;
}

void httpd_on_gone(struct httpd_req *req, httpd_gone_fn *gone, void *arg)
{
    req->gone = gone;
    req->gone_arg = arg;
}

void httpd_reply(struct httpd_req *req, int status, const char *const *headers, const void *body, size_t len)
{
    enum MHD_ResponseMemoryMode mode = len > 0 ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT;
    void *data = len > 0 ? (void *)(uintptr_t)body : (void *)(uintptr_t) "";
    httpd_req_answer(req, status, headers, MHD_create_response_from_buffer(len, data, mode));
}

void httpd_reply_take(struct httpd_req *req, int status, const char *const *headers, char *body, size_t len)
{
    if (len == 0) {
        free(body);
        httpd_reply(req, status, headers, NULL, 0);
        return;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(body);
    httpd_req_answer(req, status, headers, response);
}

void httpd_abort(struct httpd_req *req)
{
    if (!httpd_req_open(req))
        return;
    httpd_req_enter(req, HTTPD_ABORTED);
    httpd_conn_resume(req->conn);
}

struct httpd_req *httpd_req_new(struct httpd_conn *conn, const char *target)
{
    struct httpd_req *req = mem_calloc(1, sizeof(*req));
    req->conn = conn;
    req->target = mem_strdup(target);
    req->method = req->path = req->query = "";
    buf_init(&req->body, conn->h->settings.max_body);
    conn->req = req;
    return req;
}

/* False: close the connection. */
bool httpd_req_begin(struct httpd_req *req, const char *method)
{
    req->begun = true;
    req->moved_ms = clk_mono_ms(loop_clk(req->conn->h->loop));
    req->method = method;
    int status = httpd_req_verdict(req);
    return status == 0 || httpd_req_refuse(req, status);
}

bool httpd_req_upload(struct httpd_req *req, const char *data, size_t len)
{
    req->moved_ms = clk_mono_ms(loop_clk(req->conn->h->loop));
    if (!req->too_big && buf_add(&req->body, data, len))
        return true;
    req->too_big = true;
    req->overrun += len;
    buf_free(&req->body);
    return req->overrun <= HTTPD_SWALLOW_MAX;
}

bool httpd_req_whole(struct httpd_req *req)
{
    if (req->phase == HTTPD_READING)
        return req->too_big ? httpd_req_refuse(req, 413) : httpd_req_ask(req);
    /* Resumed. One that still waits was resumed because its client hung up. */
    return req->phase == HTTPD_ANSWERED && httpd_req_queue(req);
}

/* Its header came before `since_ms`, and nothing of its body has come since. */
bool httpd_req_is_stuck(const struct httpd_req *req, int64_t since_ms)
{
    return req->phase == HTTPD_READING && req->begun && req->moved_ms <= since_ms;
}

/* Tells whoever still waits for this request or pulls for its stream. */
void httpd_req_over(struct httpd_req *req)
{
    httpd_gone_fn *gone = NULL;
    void *arg = req->gone_arg;
    if (httpd_req_open(req)) {
        gone = req->gone;
    } else if (req->phase != HTTPD_OVER && req->stream.pull != NULL) {
        gone = req->stream.gone;
        arg = req->stream.arg;
    }
    if (req->phase != HTTPD_OVER)
        httpd_req_enter(req, HTTPD_OVER);
    if (gone != NULL)
        gone(arg);
}

void httpd_req_free(struct httpd_req *req)
{
    req->conn->req = NULL;
    if (req->response != NULL)
        MHD_destroy_response(req->response);
    if (req->data_free != NULL)
        req->data_free(req->data);
    httpd_param_free(req);
    buf_free(&req->body);
    free(req->target);
    free(req);
}

/* Takes `response`. */
void httpd_req_answer(struct httpd_req *req, int status, const char *const *headers, struct MHD_Response *response)
{
    if (!httpd_req_open(req)) {
        log_debug("httpd", "answer to a request that is over id=%" PRIu64 " status=%d", req->conn->id, status);
        if (response != NULL)
            MHD_destroy_response(response);
        return;
    }
    for (size_t i = 0; response != NULL && headers != NULL && headers[i] != NULL; i++)
        httpd_req_add_header(response, headers[i]);
    req->status = status;
    req->response = response;
    httpd_req_enter(req, response != NULL ? HTTPD_ANSWERED : HTTPD_ABORTED);
    httpd_conn_resume(req->conn);
}

bool httpd_req_open(const struct httpd_req *req)
{
    return req->phase == HTTPD_ASKING || req->phase == HTTPD_WAITING;
}

static void httpd_req_enter(struct httpd_req *req, enum httpd_phase next)
{
    static const unsigned may[] = {
        [HTTPD_READING] = 1u << HTTPD_ASKING | 1u << HTTPD_ANSWERED | 1u << HTTPD_OVER,
        [HTTPD_ASKING] = 1u << HTTPD_WAITING | 1u << HTTPD_ANSWERED | 1u << HTTPD_ABORTED | 1u << HTTPD_OVER,
        [HTTPD_WAITING] = 1u << HTTPD_ANSWERED | 1u << HTTPD_ABORTED | 1u << HTTPD_OVER,
        [HTTPD_ANSWERED] = 1u << HTTPD_OVER,
        [HTTPD_ABORTED] = 1u << HTTPD_OVER,
        [HTTPD_OVER] = 0,
    };
    static_assert(sizeof(may) / sizeof(may[0]) == HTTPD_OVER + 1, "each phase has a row");
    assert((may[req->phase] & 1u << next) != 0);
    req->phase = next;
}

/* 0, or the status to refuse with before the body is read. */
static int httpd_req_verdict(struct httpd_req *req)
{
    int status = httpd_req_check_header_size(req);
    if (status == 0 && !httpd_req_split_target(req))
        status = 400;
    if (status == 0 && req->conn->h->settings.require_host && req->http_1_1 && httpd_header(req, "Host") == NULL)
        status = 400;
    return status != 0 ? status : httpd_req_check_framing(req);
}

/* What did not even fit into libmicrohttpd's pool was answered there, in the same way. */
static int httpd_req_check_header_size(const struct httpd_req *req)
{
    size_t max = req->conn->h->settings.max_header;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL || info->header_size <= max)
        return 0;
    return strlen(req->target) >= max ? 414 : 431;
}

/* Accepts "/path?query", "*", and the absolute form that RFC 9112 3.2.2 wants understood, whose origin is dropped. */
static bool httpd_req_split_target(struct httpd_req *req)
{
    char *path = req->target;
    for (const char *p = path; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            return false;
    }
    if (str_starts_nocase(path, "http://") || str_starts_nocase(path, "https://")) {
        path = strchr(path, ':') + 3;
        path += strcspn(path, "/?");
        if (*path != '/')
            *--path = '/'; /* "http://host?q" means "/?q" */
    }
    if (*path != '/' && strcmp(path, "*") != 0)
        return false;
    char *mark = strchr(path, '?');
    if (mark != NULL)
        *mark = '\0';
    req->path = path;
    req->query = mark != NULL ? mark + 1 : "";
    return true;
}

static int httpd_req_check_framing(struct httpd_req *req)
{
    struct httpd_framing f = {0};
    uint64_t max = req->conn->h->settings.max_body;
    const char *expect = httpd_header(req, "Expect");
    MHD_get_connection_values(req->conn->mhd, MHD_HEADER_KIND, httpd_req_see_framing, &f);
    if (f.n_lengths + f.n_encodings > 1)
        return 400;
    if (f.n_encodings == 1 && !f.chunked)
        return 501;
    if (f.length <= max)
        return 0;
    req->too_big = true;
    bool held_back = expect != NULL && str_eq_nocase(expect, "100-continue");
    return held_back || f.length - max > HTTPD_SWALLOW_MAX ? 413 : 0;
}

static enum MHD_Result httpd_req_see_framing(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct httpd_framing *f = cls;
    (void)kind;
    if (str_eq_nocase(name, "Content-Length")) {
        f->n_lengths++;
        f->length = value != NULL ? strtoull(value, NULL, 10) : 0;
    } else if (str_eq_nocase(name, "Transfer-Encoding")) {
        f->n_encodings++;
        f->chunked = value != NULL && str_eq_nocase(value, "chunked");
    }
    return MHD_YES;
}

static enum MHD_Result httpd_req_tally(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct httpd_tally *tally = cls;
    (void)kind;
    (void)value;
    tally->n += str_eq_nocase(name, tally->name);
    return MHD_YES;
}

static bool httpd_req_ask(struct httpd_req *req)
{
    struct httpd *h = req->conn->h;
    httpd_req_enter(req, HTTPD_ASKING);
    h->handler(h->arg, req);
    if (req->phase == HTTPD_ANSWERED)
        return httpd_req_queue(req);
    if (req->phase != HTTPD_ASKING || req->conn->hung_up)
        return false;
    httpd_req_enter(req, HTTPD_WAITING);
    httpd_conn_suspend(req->conn);
    return true;
}

static bool httpd_req_refuse(struct httpd_req *req, int status)
{
    char text[80];
    int len = snprintf(text, sizeof(text), "%d %s\n", status, MHD_get_reason_phrase_for((unsigned)status));
    req->status = status;
    req->response = MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_COPY);
    if (req->response == NULL)
        return false;
    httpd_req_add_header(req->response, "Content-Type: text/plain; charset=utf-8");
    httpd_req_enter(req, HTTPD_ANSWERED);
    return httpd_req_queue(req);
}

/* libmicrohttpd asks again after a queued answer in some of its states; once is enough. */
static bool httpd_req_queue(struct httpd_req *req)
{
    if (req->queued)
        return true;
    req->queued = true;
    return MHD_queue_response(req->conn->mhd, (unsigned)req->status, req->response) == MHD_YES;
}

/* A line break inside (a peer's text that was let through) is refused by libmicrohttpd; the answer goes without this
 * field. */
static void httpd_req_add_header(struct MHD_Response *response, const char *line)
{
    char name[HTTPD_HEADER_NAME_MAX];
    size_t len;
    const char *value = str_split(line, ':', &len);
    if (value == NULL || len >= sizeof(name)) {
        log_warning("httpd", "malformed response header left out");
        return;
    }
    memcpy(name, line, len);
    name[len] = '\0';
    while (*value == ' ')
        value++;
    if (!str_eq_nocase(name, "Content-Length") && *value != '\0' &&
        MHD_add_response_header(response, name, value) != MHD_YES)
        log_warning("httpd", "response header left out name=%s", name);
}
