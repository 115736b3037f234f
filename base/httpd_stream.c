/*
 * httpd_stream: an answer that is pulled (server-sent events). libmicrohttpd asks httpd_stream_read for bytes whenever
 * the socket has taken the last ones; that asks the owner's pull(). A pull that has nothing suspends the connection, or
 * libmicrohttpd would ask again without a pause; httpd_stream_wake resumes it. A client that reads slowly is not asked
 * for: the kernel's buffer is full, libmicrohttpd waits for room, and what the owner queues meanwhile is the owner's to
 * limit.
 *
 * The stream lives in its request and ends with it: gone() is called by httpd_req_over.
 */
#include "httpd_private.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

static ssize_t httpd_stream_read(void *cls, uint64_t pos, char *out, size_t max);
static ssize_t httpd_stream_rest(struct httpd_stream *s);
static ssize_t httpd_stream_finish(int how);

struct httpd_stream *httpd_stream_start(struct httpd_req *req, int status, const char *const *headers,
                                        httpd_pull_fn *pull, httpd_gone_fn *gone, void *arg)
{
    struct httpd_stream *s = &req->stream;
    size_t block = req->conn->h->settings.stream_block;
    /* 0.9.75 answers HEAD with the last chunk of a body that it does not send; not chunked, but closing, is right. */
    bool is_head = strcmp(req->method, "HEAD") == 0, chunked = req->http_1_1 && !is_head;
    s->req = req;
    s->block = chunked ? SIZE_MAX : block;
    if (httpd_req_open(req))
        *s = (struct httpd_stream){.req = req, .pull = pull, .gone = gone, .arg = arg, .block = s->block};
    /* Chunks are put together in the connection's pool: a block beside it would lie idle. */
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, chunked ? 1 : block, httpd_stream_read, s, NULL);
    if (response != NULL && is_head)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    httpd_req_answer(req, status, headers, response);
    return s;
}

void httpd_stream_wake(struct httpd_stream *s)
{
    s->woken = true;
    if (s->req->phase == HTTPD_ANSWERED)
        httpd_conn_resume(s->req->conn);
}

void httpd_stream_end(struct httpd_stream *s, int how)
{
    struct httpd_conn *conn = s->req->conn;
    if (s->end == 0)
        s->end = how;
    if (conn->suspended)
        httpd_conn_resume(conn);
    else if (how == HTTPD_PULL_ABORT && !s->pulling)
        shutdown(conn->fd, SHUT_RDWR); /* its client may never make room for another pull */
}

static ssize_t httpd_stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
    struct httpd_stream *s = cls;
    (void)pos;
    if (s->req->phase != HTTPD_ANSWERED || s->req->conn->hung_up)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (s->end != 0)
        return httpd_stream_finish(s->end);
    max = max < s->block ? max : s->block;
    s->req->conn->h->idle_runs = 0;
    s->woken = false;
    s->pulling = true;
    ssize_t n = s->pull(s->arg, out, max);
    s->pulling = false;
    if (s->req->phase != HTTPD_ANSWERED || s->end == HTTPD_PULL_ABORT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n == HTTPD_PULL_WAIT)
        return httpd_stream_rest(s);
    if (n > 0 && (size_t)n <= max)
        return n;
    return httpd_stream_finish((int)n);
}

/* Nothing to send. A wake that came during the pull must not be lost, nor answered by asking on and on here. */
static ssize_t httpd_stream_rest(struct httpd_stream *s)
{
    struct httpd_conn *conn = s->req->conn;
    if (s->end != 0)
        return httpd_stream_finish(s->end);
    httpd_conn_suspend(conn);
    if (s->woken)
        httpd_conn_resume(conn);
    return 0;
}

static ssize_t httpd_stream_finish(int how)
{
    return how == HTTPD_PULL_END ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}
