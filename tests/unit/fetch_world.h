/*
 * The world of fetch's tests: a client, a bad server and a clock in one loop.
 *
 * The bad server does what a script says: what it writes after it has read a request, in pieces of what size, and what
 * it does then. Time is virtual; real time is only the limit of patience.
 */
#ifndef TESTS_UNIT_FETCH_WORLD_H
#define TESTS_UNIT_FETCH_WORLD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "base/mem.h"
#include "until.h"

/* --- the bad server --- */

enum after { KEEP, CLOSE, RESET, ENDLESS };

struct script {
    const char *answer; /* NULL: nothing */
    size_t len;         /* 0: up to its NUL */
    size_t piece;       /* bytes in one write; 0: all */
    enum after after;   /* ENDLESS: what comes from again_from, for ever */
    bool at_accept;     /* does not wait for a request */
    bool by_hand;       /* only step() writes */
    size_t again_from;  /* of ENDLESS: where in the answer it begins again */
};

struct conn {
    TAILQ_ENTRY(conn) entry;
    struct server *server;
    struct loop_fd *watch;
    int fd;
    struct buf in;
    bool answering;
    size_t sent;
};

TAILQ_HEAD(conns, conn);

struct server {
    struct loop *loop;
    struct loop_fd *watch;
    int fd;
    unsigned port;
    struct script script;
    struct conns conns;
    unsigned open, most_open, accepted, requests;
    char request[8192]; /* the last one */
    char order[400];    /* first byte after '/' of each request */
};

static inline void conn_close(struct conn *conn)
{
    TAILQ_REMOVE(&conn->server->conns, conn, entry);
    conn->server->open--;
    loop_fd_free(&conn->watch);
    close(conn->fd);
    buf_free(&conn->in);
    free(conn);
}

static inline void conn_end(struct conn *conn)
{
    struct linger hard = {.l_onoff = 1};

    switch (conn->server->script.after) {
    case KEEP:
    case ENDLESS:
        conn->answering = false;
        loop_fd_want(conn->watch, LOOP_READ);
        return;
    case RESET:
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        break;
    case CLOSE:
        break;
    }
    conn_close(conn);
}

/* One piece; false when the socket is full or gone, or all is sent. */
static inline bool conn_write(struct conn *conn)
{
    const struct script *script = &conn->server->script;
    size_t len = script->len ? script->len : script->answer ? strlen(script->answer) : 0;
    size_t left = len - conn->sent;
    size_t n = script->piece && script->piece < left ? script->piece : left;
    ssize_t sent = n > 0 ? send(conn->fd, script->answer + conn->sent, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

    if (sent > 0)
        conn->sent += (size_t)sent;
    if (script->after == ENDLESS && conn->sent == len)
        conn->sent = script->again_from;
    else if (conn->sent == len) {
        conn_end(conn);
        return false;
    }
    return sent > 0;
}

static inline void conn_answer(struct conn *conn)
{
    conn->answering = true;
    conn->sent = 0;
    if (!conn->server->script.by_hand)
        loop_fd_want(conn->watch, LOOP_WRITE);
    else
        loop_fd_want(conn->watch, 0);
}

static inline bool request_is_whole(const struct buf *in, size_t *ret_len)
{
    const char *end = strstr(in->data, "\r\n\r\n");
    const char *length = strcasestr(in->data, "\r\nContent-Length:");

    if (!end)
        return false;
    *ret_len = (size_t)(end - in->data) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return in->len >= *ret_len;
}

static inline void conn_ready(void *arg, int fd, unsigned ready)
{
    struct conn *conn = arg;
    struct server *server = conn->server;
    static char data[256 * 1024]; /* large, because a request is looked at anew with every read */
    size_t len;

    if (conn->answering && ready & LOOP_WRITE) {
        conn_write(conn);
        return;
    }
    ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
    if (n <= 0) {
        conn_close(conn);
        return;
    }
    assert_true(buf_add(&conn->in, data, (size_t)n));
    if (!request_is_whole(&conn->in, &len))
        return;
    snprintf(server->request, sizeof(server->request), "%.*s", (int)len, conn->in.data);
    const char *slash = strchr(server->request, '/');
    if (slash && server->requests < sizeof(server->order) - 1)
        server->order[server->requests] = slash[1];
    server->requests++;
    buf_drop(&conn->in, len);
    conn_answer(conn);
}

static inline void server_accept(void *arg, int fd, unsigned ready)
{
    struct server *server = arg;
    struct conn *conn = mem_calloc(1, sizeof(*conn));
    int one = 1;

    (void)ready;
    conn->server = server;
    conn->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(conn->fd >= 0);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn->watch = loop_fd_new(server->loop, "bad server", conn->fd, conn_ready, conn);
    buf_init(&conn->in, 1 << 23);
    TAILQ_INSERT_TAIL(&server->conns, conn, entry);
    server->accepted++;
    if (++server->open > server->most_open)
        server->most_open = server->open;
    loop_fd_want(conn->watch, LOOP_READ);
    if (server->script.at_accept)
        conn_answer(conn);
}

/* A bound socket on a free port of 127.0.0.1; not listening yet. */
static inline int bound(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline void server_start(struct server *server, struct loop *loop)
{
    memset(server, 0, sizeof(*server));
    server->loop = loop;
    TAILQ_INIT(&server->conns);
    server->fd = bound(&server->port);
    assert_int_equal(listen(server->fd, 100), 0);
    server->watch = loop_fd_new(loop, "bad server", server->fd, server_accept, server);
    loop_fd_want(server->watch, LOOP_READ);
}

static inline void server_stop(struct server *server)
{
    while (!TAILQ_EMPTY(&server->conns))
        conn_close(TAILQ_FIRST(&server->conns));
    loop_fd_free(&server->watch);
    close(server->fd);
}

/* --- the world of a test --- */

struct world {
    struct clk *clk;
    struct loop *loop;
    struct fetch_client *client;
    struct server server;
    char url[60];
};

/* What a done() said. */
struct outcome {
    struct world *world;
    struct fetch *fetch;
    unsigned calls;
    enum fetch_err err;
    int status;
    char text[200];
    char body[2000];
    size_t body_len;
    char header[100]; /* of X-Test */
    bool reused;
    int64_t connection_id, total_ms, cert_not_after;
    uint8_t cert_hash[64];
    size_t cert_hash_len;
    char data[20000]; /* what on_data got */
    size_t data_len;
    unsigned pieces;
    bool refuse_data;
    void (*in_done)(struct outcome *o);
    bool (*in_data)(struct outcome *o);
};

static inline void setup(struct world *w, const struct fetch_client_settings *settings)
{
    static const struct fetch_client_settings PLAIN = {.name = "test"};

    memset(w, 0, sizeof(*w));
    w->clk = clk_fake_new(1700000000000);
    w->loop = loop_new(w->clk);
    server_start(&w->server, w->loop);
    w->client = fetch_client_new(w->loop, settings ? settings : &PLAIN);
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/", w->server.port);
}

static inline void teardown(struct world *w)
{
    fetch_client_free(&w->client);
    server_stop(&w->server);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
}

static inline void on_done(void *arg, const struct fetch_answer *answer)
{
    struct outcome *o = arg;
    const char *header = fetch_header(answer->fetch, "x-test", 0);

    o->calls++;
    assert_ptr_equal(answer->fetch, o->fetch); /* fetch_start had returned */
    o->err = answer->err;
    o->status = answer->status;
    strcpy(o->text, answer->text);
    assert_int_equal(strlen(answer->text) > 0, answer->err != FETCH_OK);
    assert_int_equal(answer->body[answer->body_len], '\0');
    o->body_len = answer->body_len;
    snprintf(o->body, sizeof(o->body), "%s", answer->body);
    snprintf(o->header, sizeof(o->header), "%s", header ? header : "(none)");
    o->reused = answer->connection_reused;
    o->connection_id = answer->connection_id;
    o->total_ms = answer->total_ms;
    o->cert_not_after = answer->cert_not_after;
    o->cert_hash_len = answer->cert_hash_len;
    if (answer->cert_hash_len > 0)
        memcpy(o->cert_hash, answer->cert_hash, answer->cert_hash_len);
    if (o->in_done)
        o->in_done(o);
    /* whatever it did, the answer can still be read */
    assert_int_equal(answer->body[answer->body_len], '\0');
    assert_true(!header || strlen(header) < 1000);
}

static inline bool on_data(void *arg, int status, const char *data, size_t len)
{
    struct outcome *o = arg;

    assert_true(status >= 200 && status < 300);
    assert_int_equal(o->calls, 0);
    assert_true(len > 0);
    o->pieces++;
    if (o->data_len + len < sizeof(o->data))
        memcpy(o->data + o->data_len, data, len);
    o->data_len += len;
    if (o->in_data && !o->in_data(o))
        return false;
    return !o->refuse_data && memchr(data, '\1', len) == NULL;
}

static inline void start(struct world *w, struct outcome *o, struct fetch_request request)
{
    o->world = w;
    request.url = request.url ? request.url : w->url;
    request.method = request.method ? request.method : "GET";
    request.done = on_done;
    request.arg = o;
    o->fetch = fetch_start(w->client, &request);
}

#define WAIT_UNTIL(w, condition) UNTIL((w)->loop, condition)

static inline void wait_done(struct world *w, const struct outcome *o)
{
    WAIT_UNTIL(w, o->calls > 0);
    for (int i = 0; i < 3; i++)
        loop_turn(w->loop, 0);
    assert_int_equal(o->calls, 1);
}

/* One exchange with a server of this script. */
static inline void once(struct script script, struct fetch_request request, struct outcome *o)
{
    struct world w;

    setup(&w, NULL);
    w.server.script = script;
    memset(o, 0, sizeof(*o));
    start(&w, o, request);
    wait_done(&w, o);
    teardown(&w);
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello"

static inline char *repeated(const char *head, const char *part, size_t times)
{
    size_t len = strlen(part);
    char *text = mem_calloc(1, strlen(head) + len * times + 1);
    char *at = stpcpy(text, head);

    for (size_t i = 0; i < times; i++, at += len)
        memcpy(at, part, len);
    return text;
}

static inline void settle(struct world *w)
{
    for (int i = 0; i < 8; i++)
        loop_turn(w->loop, 1);
}

#endif
