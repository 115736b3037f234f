/*
 * fetch: against servers that misbehave. The bad server lives in the same loop: a script says what it writes after it
 * has read a request, in pieces of what size, and what it does then. Time is virtual wherever a limit is tested.
 */
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

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/fetch.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/mem.h"

/* --- the bad server --- */

enum after { KEEP, CLOSE, RESET, ENDLESS };

struct script {
    const char *answer; /* NULL: nothing */
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

static void conn_close(struct conn *conn)
{
    TAILQ_REMOVE(&conn->server->conns, conn, entry);
    conn->server->open--;
    loop_fd_free(&conn->watch);
    close(conn->fd);
    buf_free(&conn->in);
    free(conn);
}

static void conn_end(struct conn *conn)
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
static bool conn_write(struct conn *conn)
{
    const struct script *script = &conn->server->script;
    size_t len = script->answer ? strlen(script->answer) : 0;
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

static void conn_answer(struct conn *conn)
{
    conn->answering = true;
    conn->sent = 0;
    if (!conn->server->script.by_hand)
        loop_fd_want(conn->watch, LOOP_WRITE);
    else
        loop_fd_want(conn->watch, 0);
}

static bool request_is_whole(const struct buf *in, size_t *ret_len)
{
    const char *end = strstr(in->data, "\r\n\r\n");
    const char *length = strcasestr(in->data, "\r\nContent-Length:");

    if (!end)
        return false;
    *ret_len = (size_t)(end - in->data) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return in->len >= *ret_len;
}

static void conn_ready(void *arg, int fd, unsigned ready)
{
    struct conn *conn = arg;
    struct server *server = conn->server;
    char data[4096];
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

static void server_accept(void *arg, int fd, unsigned ready)
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
    buf_init(&conn->in, 1 << 20);
    TAILQ_INSERT_TAIL(&server->conns, conn, entry);
    server->accepted++;
    if (++server->open > server->most_open)
        server->most_open = server->open;
    loop_fd_want(conn->watch, LOOP_READ);
    if (server->script.at_accept)
        conn_answer(conn);
}

/* A bound socket on a free port of 127.0.0.1; not listening yet. */
static int bound(unsigned *ret_port)
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

static void server_start(struct server *server, struct loop *loop)
{
    memset(server, 0, sizeof(*server));
    server->loop = loop;
    TAILQ_INIT(&server->conns);
    server->fd = bound(&server->port);
    assert_int_equal(listen(server->fd, 100), 0);
    server->watch = loop_fd_new(loop, "bad server", server->fd, server_accept, server);
    loop_fd_want(server->watch, LOOP_READ);
}

static void server_stop(struct server *server)
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
    char data[20000]; /* what on_data got */
    size_t data_len;
    unsigned pieces;
    bool refuse_data;
    void (*in_done)(struct outcome *o);
    bool (*in_data)(struct outcome *o);
};

static void setup(struct world *w, const struct fetch_client_settings *settings)
{
    static const struct fetch_client_settings PLAIN = {.name = "test"};

    memset(w, 0, sizeof(*w));
    w->clk = clk_fake_new(1700000000000);
    w->loop = loop_new(w->clk);
    server_start(&w->server, w->loop);
    w->client = fetch_client_new(w->loop, settings ? settings : &PLAIN);
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/", w->server.port);
}

static void teardown(struct world *w)
{
    fetch_client_free(&w->client);
    server_stop(&w->server);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
}

static void on_done(void *arg, const struct fetch_answer *answer)
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
    if (o->in_done)
        o->in_done(o);
    /* whatever it did, the answer can still be read */
    assert_int_equal(answer->body[answer->body_len], '\0');
    assert_true(!header || strlen(header) < 1000);
}

static bool on_data(void *arg, int status, const char *data, size_t len)
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

static void start(struct world *w, struct outcome *o, struct fetch_request request)
{
    o->world = w;
    request.url = request.url ? request.url : w->url;
    request.method = request.method ? request.method : "GET";
    request.done = on_done;
    request.arg = o;
    o->fetch = fetch_start(w->client, &request);
}

/* Real time is only the limit of patience. */
static int64_t real_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define WAIT_UNTIL(w, condition)                                                                                       \
    for (int64_t end_ms_ = real_ms() + 20000; !(condition);) {                                                         \
        loop_turn((w)->loop, 20);                                                                                      \
        if (real_ms() > end_ms_)                                                                                       \
            fail_msg("waited too long for " #condition);                                                               \
    }

static void wait_done(struct world *w, const struct outcome *o)
{
    WAIT_UNTIL(w, o->calls > 0);
    for (int i = 0; i < 3; i++)
        loop_turn(w->loop, 0);
    assert_int_equal(o->calls, 1);
}

/* One exchange with a server of this script. */
static void once(struct script script, struct fetch_request request, struct outcome *o)
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

/* --- what is sent, and what is read --- */

static void test_answer(void **state)
{
    struct outcome o;

    (void)state;
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "hello");
    assert_int_equal(o.body_len, 5);
    assert_string_equal(o.header, "yes");
    assert_false(o.reused);
    assert_true(o.connection_id > 0);

    once((struct script){.answer = OK_HELLO, .piece = 1}, (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "hello");

    once((struct script){.answer = "HTTP/1.1 200 OK\r\n\r\nto the end", .after = CLOSE}, (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "to the end");

    once((struct script){.answer = "HTTP/1.1 302 Found\r\nLocation: /x\r\nX-Test: /x\r\nContent-Length: 2\r\n\r\n->"},
         (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 302);
    assert_string_equal(o.body, "->");

    once(
        (struct script){
            .answer = "HTTP/1.1 100 Continue\r\nX-Test: 1xx\r\n\r\nHTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX-Test: trailer\r\n\r\n"},
        (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 207);
    assert_string_equal(o.body, "abcd");
    assert_string_equal(o.header, "(none)");

    once((struct script){.answer = "HTTP/1.1 204 No Content\r\n\r\n"}, (struct fetch_request){.method = "HEAD"}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 204);
}

static void check_headers(struct outcome *o)
{
    assert_string_equal(fetch_header(o->fetch, "X-TEST", 0), "one");
    assert_string_equal(fetch_header(o->fetch, "x-test", 1), "two and more");
    assert_string_equal(fetch_header(o->fetch, "x-test", 2), "");
    assert_null(fetch_header(o->fetch, "x-test", 3));
    assert_null(fetch_header(o->fetch, "x-tes", 0));
    assert_null(fetch_header(o->fetch, "HTTP/1.1 200 OK", 0));
}

static void test_headers(void **state)
{
    struct outcome o = {.in_done = check_headers};
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = "HTTP/1.1 200 OK\r\nX-Test:one \r\nx-TEST: \t two \r\n  and more\r\nX-Test:\r\nX-Tests: "
                             "no\r\nContent-Length: 0\r\n\r\n";
    start(&w, &o, (struct fetch_request){0});
    wait_done(&w, &o);
    teardown(&w);
}

/* `expected` is what follows the Host line. */
static void sent(struct world *w, struct fetch_request request, const char *line, const char *expected)
{
    struct outcome o = {0};
    char all[2000];

    w->server.script.answer = "HTTP/1.1 207 M\r\nContent-Length: 0\r\n\r\n";
    start(w, &o, request);
    wait_done(w, &o);
    assert_int_equal(o.err, FETCH_OK);
    snprintf(all, sizeof(all), "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: t/1\r\n%s", line, w->server.port,
             expected);
    assert_string_equal(w->server.request, all);
}

static void test_request_bytes(void **state)
{
    static const char *const HEADERS[] = {"Depth: 0", "Content-Type: text/xml", "Accept: text/xml", NULL};
    struct world w;
    char url[100];

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "x", .user_agent = "t/1"});
    sent(&w, (struct fetch_request){0}, "GET /", "Accept: */*\r\n\r\n");
    sent(&w, (struct fetch_request){.method = "PROPFIND", .headers = HEADERS, .body = "<a/>", .body_len = 4},
         "PROPFIND /",
         "Depth: 0\r\nContent-Type: text/xml\r\nAccept: "
         "text/xml\r\nContent-Length: 4\r\n\r\n<a/>");
    sent(&w, (struct fetch_request){.method = "POLL"}, "POLL /", "Accept: */*\r\nContent-Length: 0\r\n\r\n");
    sent(&w, (struct fetch_request){.method = "HEAD"}, "HEAD /", "Accept: */*\r\n\r\n");
    snprintf(url, sizeof(url), "%sa/../b/%%2e./c%%7Ed?q=/../", w.url);
    sent(&w, (struct fetch_request){.url = url, .compressed = true}, "GET /a/../b/%2e./c%7Ed?q=/../",
         "Accept: */*\r\nAccept-Encoding: "
         "gzip, deflate\r\n\r\n");
    sent(&w, (struct fetch_request){0}, "GET /", "Accept: */*\r\n\r\n");
    assert_int_equal(w.server.accepted, 1);
    teardown(&w);
}

static void test_large_body_goes_without_expect(void **state)
{
    struct outcome o = {0};
    struct world w;
    size_t len = 500000;
    char *body = mem_calloc(1, len + 1);

    (void)state;
    memset(body, 'x', len);
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    start(&w, &o, (struct fetch_request){.method = "REPORT", .body = body, .body_len = len});
    free(body);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_null(strcasestr(w.server.request, "expect"));
    assert_non_null(strstr(w.server.request, "\r\nContent-Length: 500000\r\n"));
    teardown(&w);
}

static void test_refused_requests(void **state)
{
    static const char *const SPLIT[] = {"X: y\r\nZ: w", NULL};
    static const char *const NO_COLON[] = {"X", NULL};
    const struct fetch_request bad[] = {
        {.url = "ftp://x/"},
        {.url = "http://127.0.0.1:1/a b"},
        {.url = "http://127.0.0.1:1/\r\nX: y"},
        {.url = "http://u:p@[::1]:1/"},
        {.url = "http://"},
        {.url = "http://[::1/"},
        {.headers = SPLIT},
        {.headers = NO_COLON},
        {.method = "GET / HTTP/1.1\r\nX:"},
        {.method = ""},
    };
    struct outcome o[sizeof(bad) / sizeof(*bad)] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        start(&w, &o[i], bad[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_MALFORMED);
        assert_null(strstr(o[i].text, "u:p"));
    }
    assert_int_equal(w.server.accepted, 0);
    teardown(&w);
}

static void test_environment_is_not_asked(void **state)
{
    struct outcome o;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){0}, &o);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(o.err, FETCH_OK);
}

/* --- connections --- */

static void test_connection_is_reused(void **state)
{
    struct outcome o[3] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    for (int i = 0; i < 3; i++) {
        start(&w, &o[i], (struct fetch_request){0});
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].connection_id, o[0].connection_id);
        assert_int_equal(o[i].reused, i > 0);
    }
    assert_int_equal(w.server.accepted, 1);
    teardown(&w);
}

static void test_many_exchanges_few_connections(void **state)
{
    struct outcome o[50] = {0};
    char urls[50][100];
    char order[51] = "";
    unsigned connections, exchanges;
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "few", .max_connections = 3});
    w.server.script = (struct script){.answer = OK_HELLO, .piece = 20};
    for (int i = 0; i < 50; i++) {
        order[i] = (char)('0' + i);
        if (strchr("<>?\\^`", order[i])) /* no path characters */
            order[i] = '_';
        snprintf(urls[i], sizeof(urls[i]), "%s%c", w.url, order[i]);
        start(&w, &o[i], (struct fetch_request){.url = urls[i]});
    }
    fetch_client_load(w.client, &connections, &exchanges);
    assert_int_equal(exchanges, 50);
    for (int i = 0; i < 50; i++) {
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_OK);
    }
    assert_int_equal(w.server.most_open, 3);
    assert_int_equal(w.server.accepted, 3);
    assert_string_equal(w.server.order + 3, order + 3); /* the first three race */
    fetch_client_load(w.client, &connections, &exchanges);
    assert_int_equal(exchanges, 0);
    assert_int_equal(connections, 3);
    teardown(&w);
}

static void test_connection_that_ended_meanwhile(void **state)
{
    struct outcome o[3] = {0};
    unsigned connections, exchanges;
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script = (struct script){.answer = OK_HELLO, .after = CLOSE}; /* says keep, and goes */
    for (int i = 0; i < 3; i++) {
        start(&w, &o[i], (struct fetch_request){0});
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_OK);
        WAIT_UNTIL(&w, (fetch_client_load(w.client, &connections, &exchanges), connections == 0));
    }
    assert_int_equal(w.server.accepted, 3);
    assert_int_not_equal(o[0].connection_id, o[1].connection_id);
    assert_false(o[1].reused);
    teardown(&w);
}

/* Bytes that arrive on an idle connection must never become the answer to the next request. */
static void test_answer_nobody_asked_for(void **state)
{
    struct outcome o[2] = {0};
    unsigned connections, exchanges;
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    start(&w, &o[0], (struct fetch_request){0});
    wait_done(&w, &o[0]);
    static const char EVIL[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    assert_int_equal(send(TAILQ_FIRST(&w.server.conns)->fd, EVIL, strlen(EVIL), 0), strlen(EVIL));
    WAIT_UNTIL(&w, (fetch_client_load(w.client, &connections, &exchanges), connections == 0));
    start(&w, &o[1], (struct fetch_request){0});
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_OK);
    assert_string_equal(o[1].body, "hello");
    assert_int_equal(w.server.accepted, 2);
    teardown(&w);
}

static void test_drop_connections(void **state)
{
    struct outcome o[5] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    start(&w, &o[0], (struct fetch_request){0});
    wait_done(&w, &o[0]);
    fetch_client_drop_connections(w.client); /* an idle one */
    start(&w, &o[1], (struct fetch_request){0});
    wait_done(&w, &o[1]);
    assert_int_equal(w.server.accepted, 2);
    start(&w, &o[2], (struct fetch_request){0});
    WAIT_UNTIL(&w, w.server.requests == 3);
    fetch_client_drop_connections(w.client); /* one that is in use: its exchange ends well */
    wait_done(&w, &o[2]);
    assert_int_equal(o[2].err, FETCH_OK);
    assert_int_equal(w.server.accepted, 2);
    start(&w, &o[3], (struct fetch_request){0});
    wait_done(&w, &o[3]);
    assert_int_equal(w.server.accepted, 3);
    start(&w, &o[4], (struct fetch_request){0});
    wait_done(&w, &o[4]);
    assert_true(o[4].reused);
    teardown(&w);
}

static void test_refused(void **state)
{
    struct outcome o = {0};
    struct world w;
    unsigned port;
    int fd = bound(&port);
    char url[100];

    (void)state;
    setup(&w, NULL);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    close(fd);
    assert_int_equal(o.err, FETCH_TCP_REFUSED);
    assert_string_equal(fetch_err_code(o.err), "tcp-refused");
    assert_int_equal(o.status, 0);
    teardown(&w);
}

static void test_name_not_found(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    /* a label that is too long: known without asking anybody */
    start(&w, &o,
          (struct fetch_request){
              .url = "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/"});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_DNS_NOT_FOUND);
    teardown(&w);
}

/* --- answers that break off or are none --- */

static void test_broken_answers(void **state)
{
    static const struct {
        struct script script;
        enum fetch_err err;
    } cases[] = {
        {{.after = CLOSE, .at_accept = true}, FETCH_TCP_RESET},
        {{.after = CLOSE}, FETCH_TCP_RESET},
        {{.after = RESET}, FETCH_TCP_RESET},
        {{.answer = "HTTP/1.1 200 O", .after = RESET}, FETCH_TCP_RESET},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .after = CLOSE}, FETCH_PARTIAL},
        {{.answer = "HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", .after = CLOSE},
         FETCH_PARTIAL},
        {{.answer = "HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", .after = CLOSE}, FETCH_PARTIAL},
        {{.answer = "HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", .after = KEEP},
         FETCH_MALFORMED},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .after = CLOSE}, FETCH_MALFORMED},
        {{.answer = "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", .after = KEEP}, FETCH_MALFORMED},
        {{.answer = "hello, here is something else\r\n", .after = CLOSE}, FETCH_MALFORMED},
        {{.answer = "\x15\x03\x01\x00\x02\x02\x46", .after = CLOSE}, FETCH_MALFORMED},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"}, FETCH_MALFORMED},
    };
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            struct script script = cases[i].script;
            script.piece = piece;
            once(script, (struct fetch_request){.compressed = true}, &o);
            if (o.err != cases[i].err)
                fail_msg("case %zu: %s %s", i, fetch_err_code(o.err), o.text);
            assert_string_equal(o.body, ""); /* nobody shall use half of it */
        }
    }
}

static char *repeated(const char *head, const char *part, size_t times)
{
    size_t len = strlen(part);
    char *text = mem_calloc(1, strlen(head) + len * times + 1);
    char *at = stpcpy(text, head);

    for (size_t i = 0; i < times; i++, at += len)
        memcpy(at, part, len);
    return text;
}

static void test_ceilings(void **state)
{
    static const struct {
        const char *head, *part;
        size_t times;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", "0123456789", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", 1000},
        {"HTTP/1.1 200 OK\r\n", "X-Flood: abcdefghijklmnopqrstuvwxyz\r\n", 1000},
        {"HTTP/1.1 200 OK\r\nX-Long: ", "abcdefgh", 1000},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: abcdefg\r\n", 1000},
        {"", "HTTP/1.1 100 Continue\r\n\r\n", 1000},
    };
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *text = repeated(cases[i].head, cases[i].part, cases[i].times);
        once((struct script){.answer = text, .after = ENDLESS, .again_from = strlen(cases[i].head)},
             (struct fetch_request){.max_body = 100000}, &o);
        if (o.err != FETCH_TOO_LARGE)
            fail_msg("case %zu: %s %s", i, fetch_err_code(o.err), o.text);
        assert_string_equal(fetch_err_code(o.err), "answer-too-large");
        free(text);
    }
    /* exactly the ceiling is allowed */
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){.max_body = 5}, &o);
    assert_int_equal(o.err, FETCH_OK);
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){.max_body = 4}, &o);
    assert_int_equal(o.err, FETCH_TOO_LARGE);
}

/* --- limits of time --- */

static void test_silence(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .idle_ms = 1500});
    w.server.script = (struct script){.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"};
    start(&w, &o, (struct fetch_request){.total_ms = 60000, .on_data = on_data});
    WAIT_UNTIL(&w, o.data_len == 3);
    loop_advance(w.loop, 1499);
    assert_int_equal(o.calls, 0);
    loop_advance(w.loop, 1);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TIMEOUT);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.total_ms, 1500);
    assert_string_equal(o.text, "nothing arrived for 1500 ms");
    teardown(&w);
}

static void step(struct world *w, struct outcome *o)
{
    size_t before = o->data_len;

    TAILQ_FIRST(&w->server.conns)->server = &w->server;
    conn_write(TAILQ_FIRST(&w->server.conns));
    WAIT_UNTIL(w, o->data_len > before);
}

/* One byte a second is not silence, and yet must end. */
static void test_trickle(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .idle_ms = 1500});
    w.server.script = (struct script){
        .answer = "HTTP/1.1 200 OK\r\n\r\n0123456789012345678901234567890123456789", .piece = 20, .by_hand = true};
    start(&w, &o, (struct fetch_request){.total_ms = 10000, .on_data = on_data});
    WAIT_UNTIL(&w, w.server.requests == 1);
    step(&w, &o);
    w.server.script.piece = 1;
    for (int i = 0; i < 9; i++) {
        loop_advance(w.loop, 1000);
        assert_int_equal(o.calls, 0);
        step(&w, &o);
    }
    loop_advance(w.loop, 1000);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TIMEOUT);
    assert_int_equal(o.total_ms, 10000);
    assert_string_equal(o.text, "answer not complete after 10000 ms");
    teardown(&w);
}

/* Waiting for a connection is not counted; a silent server costs each its own time. */
static void test_waiting_is_not_counted(void **state)
{
    struct outcome o[2] = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
    start(&w, &o[0], (struct fetch_request){.total_ms = 5000});
    start(&w, &o[1], (struct fetch_request){.total_ms = 1000});
    w.server.script.by_hand = true;
    WAIT_UNTIL(&w, w.server.requests == 1);
    loop_advance(w.loop, 4999);
    assert_int_equal(o[0].calls + o[1].calls, 0);
    w.server.script = (struct script){.answer = OK_HELLO};
    loop_advance(w.loop, 1);
    wait_done(&w, &o[0]);
    assert_int_equal(o[0].err, FETCH_TIMEOUT);
    assert_string_equal(o[0].text, "no answer for 5000 ms");
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_OK);
    assert_int_equal(o[1].total_ms, 0);
    teardown(&w);
}

static void test_connecting_takes_too_long(void **state)
{
    struct outcome o = {0};
    struct world w;
    unsigned port;
    char url[100];
    int fd = bound(&port);
    int fillers[4];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)state;
    assert_int_equal(listen(fd, 0), 0); /* and nobody accepts: when the queue is full, connecting hangs */
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    setup(&w, &(struct fetch_client_settings){.name = "t", .connect_ms = 7000});
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    start(&w, &o, (struct fetch_request){.url = url});
    for (int i = 0; i < 10; i++)
        loop_turn(w.loop, 1);
    loop_advance(w.loop, 6999);
    assert_int_equal(o.calls, 0);
    loop_advance(w.loop, 1);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_TIMEOUT);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
    teardown(&w);
}

/* --- pieces --- */

static void test_pieces(void **state)
{
    struct outcome o = {0};
    struct world w;
    char *text = repeated("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", "0123456789", 1000);

    (void)state;
    setup(&w, NULL);
    w.server.script = (struct script){.answer = text, .piece = 777};
    start(&w, &o, (struct fetch_request){.on_data = on_data, .max_body = 10000});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.data_len, 10000);
    assert_memory_equal(o.data, strstr(text, "\r\n\r\n") + 4, 10000);
    assert_true(o.pieces > 3);
    assert_string_equal(o.body, "");
    /* another status than 2xx is collected */
    memset(&o, 0, sizeof(o));
    w.server.script = (struct script){.answer = "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nwhy"};
    start(&w, &o, (struct fetch_request){.on_data = on_data});
    wait_done(&w, &o);
    assert_int_equal(o.pieces, 0);
    assert_string_equal(o.body, "why");
    /* a reader that had enough */
    memset(&o, 0, sizeof(o));
    o.refuse_data = true;
    w.server.script = (struct script){.answer = text, .piece = 777};
    start(&w, &o, (struct fetch_request){.on_data = on_data});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_STOPPED);
    assert_int_equal(o.pieces, 1);
    teardown(&w);
    free(text);
}

/* A body that broke off was handed out up to there, and then done() says so. */
static void test_pieces_then_partial(void **state)
{
    struct outcome o;

    (void)state;
    once((struct script){.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .after = CLOSE},
         (struct fetch_request){.on_data = on_data}, &o);
    assert_int_equal(o.err, FETCH_PARTIAL);
    assert_int_equal(o.data_len, 5);
}

/* --- cancelling and freeing --- */

static void settle(struct world *w)
{
    for (int i = 0; i < 20; i++)
        loop_turn(w->loop, 1);
}

static void test_cancel_in_every_state(void **state)
{
    struct world w;

    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct outcome o[3] = {0};
        setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
        w.server.script = (struct script){.answer = OK_HELLO, .piece = 20};
        for (int i = 0; i < 3; i++)
            start(&w, &o[i], (struct fetch_request){.on_data = i == 0 ? on_data : NULL});
        for (unsigned i = 0; i < turns && o[0].calls == 0; i++)
            loop_turn(w.loop, 20);
        if (o[0].calls == 0) {
            fetch_cancel(&o[0].fetch);
            assert_null(o[0].fetch);
            fetch_cancel(&o[1].fetch); /* waits, or has just begun */
            fetch_cancel(&o[1].fetch);
            wait_done(&w, &o[2]);
            assert_int_equal(o[0].calls + o[1].calls, 0);
            assert_int_equal(o[2].err, FETCH_OK);
            assert_string_equal(o[2].body, "hello");
        }
        teardown(&w);
    }
}

static void test_cancel_a_refused_one(void **state)
{
    struct outcome o[2] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    start(&w, &o[0], (struct fetch_request){.url = "x:"});
    start(&w, &o[1], (struct fetch_request){.url = "y:"});
    fetch_cancel(&o[0].fetch);
    wait_done(&w, &o[1]);
    assert_int_equal(o[0].calls, 0);
    teardown(&w);
}

static struct outcome *victim; /* whom the callbacks below act upon */

static void cancel_victim(struct outcome *o)
{
    (void)o;
    fetch_cancel(&victim->fetch);
}

static bool cancel_in_data(struct outcome *o)
{
    fetch_cancel(&victim->fetch);
    /* the slot may go to the next at once */
    static struct outcome next;
    memset(&next, 0, sizeof(next));
    start(o->world, &next, (struct fetch_request){0});
    victim = &next;
    return true;
}

static void start_another(struct outcome *o)
{
    if (victim && victim->calls == 0 && !victim->fetch)
        start(o->world, victim, (struct fetch_request){0});
}

static void test_cancel_inside_callbacks(void **state)
{
    struct outcome a = {.in_done = cancel_victim};
    struct outcome b = {0};
    struct outcome c = {.in_data = cancel_in_data};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 2});
    w.server.script.answer = OK_HELLO;
    victim = &b; /* another one, which may have ended in the same turn */
    start(&w, &a, (struct fetch_request){0});
    start(&w, &b, (struct fetch_request){0});
    wait_done(&w, &a);
    settle(&w);
    assert_int_equal(b.calls + (b.fetch == NULL), 1);
    memset(&a, 0, sizeof(a));
    a.in_done = cancel_victim;
    victim = &a; /* itself, in its own done() */
    start(&w, &a, (struct fetch_request){0});
    wait_done(&w, &a);
    assert_null(a.fetch);
    victim = &c; /* itself, in its own on_data, and starts the next */
    start(&w, &c, (struct fetch_request){.on_data = on_data});
    WAIT_UNTIL(&w, victim != &c && victim->calls == 1);
    assert_int_equal(c.calls, 0);
    assert_string_equal(victim->body, "hello");
    teardown(&w);
}

static void test_start_inside_done(void **state)
{
    struct outcome o[2] = {{.in_done = start_another}, {0}};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
    w.server.script.answer = OK_HELLO;
    victim = &o[1];
    start(&w, &o[0], (struct fetch_request){0});
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_OK);
    assert_true(o[1].reused);
    teardown(&w);
}

static void free_client(struct outcome *o)
{
    fetch_client_free(&o->world->client);
}

static bool free_client_in_data(struct outcome *o)
{
    fetch_client_free(&o->world->client);
    return true;
}

static void test_free_with_running_exchanges(void **state)
{
    struct world w;

    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        for (unsigned way = 0; way < 3; way++) {
            struct outcome o[4] = {0};
            setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 2});
            w.server.script = (struct script){.answer = OK_HELLO, .piece = 20};
            if (way == 1)
                o[0].in_done = free_client;
            if (way == 2)
                o[0].in_data = free_client_in_data;
            for (int i = 0; i < 4; i++)
                start(&w, &o[i],
                      (struct fetch_request){.on_data = i == 0 ? on_data : NULL, .url = i == 3 ? "x:" : NULL});
            for (unsigned i = 0; i < turns; i++)
                loop_turn(w.loop, 1);
            if (way > 0)
                WAIT_UNTIL(&w, !w.client);
            unsigned before = o[0].calls + o[1].calls + o[2].calls + o[3].calls;
            fetch_client_free(&w.client);
            settle(&w);
            assert_int_equal(o[0].calls + o[1].calls + o[2].calls + o[3].calls, before);
            teardown(&w);
        }
    }
}

/* --- proxies --- */

static void through_proxy(const char *scheme, const char *answer, enum fetch_err err)
{
    struct outcome o = {0};
    struct world w;
    unsigned port;
    char proxy[100], url[100];
    struct server *server;

    setup(&w, NULL);
    server = &w.server;
    port = server->port;
    fetch_client_free(&w.client);
    snprintf(proxy, sizeof(proxy), "http://us%%40er:geheim@127.0.0.1:%u", port);
    w.client = fetch_client_new(w.loop, &(struct fetch_client_settings){.name = "t", .proxy = proxy});
    server->script = (struct script){.answer = answer};
    snprintf(url, sizeof(url), "%s://mail.example.test/x", scheme);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    assert_int_equal(o.err, err);
    assert_null(strstr(o.text, "geheim"));
    assert_non_null(strstr(server->request, "Proxy-Authorization: Basic"));
    teardown(&w);
}

static void test_proxy(void **state)
{
    (void)state;
    through_proxy("http", OK_HELLO, FETCH_OK);
    through_proxy("http", "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", FETCH_PROXY_AUTH);
    through_proxy("https", "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", FETCH_PROXY_AUTH);
    through_proxy("https", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", FETCH_PROXY_DENIED);
    through_proxy("https", "HTTP/1.1 200 Tunnel\r\n\r\nnot TLS", FETCH_TLS_PROTOCOL);
}

/* --- TLS --- */

struct cert {
    EVP_PKEY *key;
    X509 *x509;
    char *cert_pem, *key_pem;
};

static char *pem_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(data, (size_t)len);

    BIO_free(bio);
    return text;
}

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Valid from now + from_s to now + to_s; signed by `issuer`, or by itself. */
static void cert_make(struct cert *cert, const char *name, const char *alt, long from_s, long to_s,
                      const struct cert *issuer)
{
    X509_NAME *subject;
    BIO *bio;

    cert->key = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    X509_set_version(cert->x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert->x509), 1000 + to_s % 1000);
    X509_gmtime_adj(X509_getm_notBefore(cert->x509), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert->x509), to_s);
    X509_set_pubkey(cert->x509, cert->key);
    subject = X509_get_subject_name(cert->x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert->x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
    if (alt)
        add_extension(cert->x509, NID_subject_alt_name, alt);
    else
        add_extension(cert->x509, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(cert->x509, issuer ? issuer->key : cert->key, EVP_sha256());
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert->x509);
    cert->cert_pem = pem_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL);
    cert->key_pem = pem_of(bio);
}

static void cert_free(struct cert *cert)
{
    EVP_PKEY_free(cert->key);
    X509_free(cert->x509);
    free(cert->cert_pem);
    free(cert->key_pem);
}

static void tls_handler(void *arg, struct httpd_req *req)
{
    (void)arg;
    httpd_reply(req, 200, NULL, "over TLS", 8);
}

static char ca_path[] = "/tmp/test-fetch-ca-XXXXXX";
static struct cert ca;

static void tls_once(const char *alt, long from_s, long to_s, const struct cert *issuer, const char *pin,
                     struct outcome *o)
{
    struct world w;
    struct cert cert;
    struct httpd *httpd;
    char url[100], why[200];

    setup(&w, NULL);
    cert_make(&cert, "server", alt, from_s, to_s, issuer);
    httpd = httpd_new(
        w.loop,
        &(struct httpd_settings){.listen = "127.0.0.1:0", .tls_cert_pem = cert.cert_pem, .tls_key_pem = cert.key_pem},
        tls_handler, NULL, why, sizeof(why));
    if (!httpd)
        fail_msg("%s", why);
    fetch_client_free(&w.client);
    w.client =
        fetch_client_new(w.loop, &(struct fetch_client_settings){.name = "tls", .ca_file = ca_path, .pinned_key = pin});
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", httpd_port(httpd));
    memset(o, 0, sizeof(*o));
    start(&w, o, (struct fetch_request){.url = url});
    wait_done(&w, o);
    if (o->err == FETCH_OK) {
        struct outcome again = {0};
        start(&w, &again, (struct fetch_request){.url = url});
        wait_done(&w, &again);
        assert_true(again.reused);
        assert_int_equal(again.cert_not_after, 0);
    }
    httpd_free(&httpd);
    teardown(&w);
    cert_free(&cert);
}

static void test_tls(void **state)
{
    static const char IP[] = "IP:127.0.0.1";
    struct outcome o;

    (void)state;
    tls_once(IP, -3600, 86400, &ca, NULL, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "over TLS");
    assert_in_range(o.cert_not_after, time(NULL) + 86400 - 100, time(NULL) + 86400);
    tls_once(IP, -7200, -3600, &ca, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-expired");
    tls_once(IP, 3600, 86400, &ca, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-not-yet-valid");
    tls_once(IP, -3600, 86400, NULL, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-untrusted");
    tls_once("DNS:other.example.test", -3600, 86400, &ca, NULL, &o);
    assert_string_equal(fetch_err_code(o.err), "tls-name-mismatch");
    tls_once(IP, -3600, 86400, &ca, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &o);
    assert_string_equal(fetch_err_code(o.err), "tls-pin-mismatch");
}

static void test_tls_to_something_else(void **state)
{
    struct outcome o = {0};
    struct world w;
    char url[100];

    (void)state;
    setup(&w, NULL);
    w.server.script =
        (struct script){.answer = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", .at_accept = true, .after = CLOSE};
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", w.server.port);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TLS_PROTOCOL);
    /* and one that says nothing in the handshake */
    memset(&o, 0, sizeof(o));
    w.server.script = (struct script){.by_hand = true};
    start(&w, &o, (struct fetch_request){.url = url});
    WAIT_UNTIL(&w, w.server.accepted == 2);
    settle(&w);
    loop_advance(w.loop, 10000);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_TIMEOUT);
    assert_non_null(strstr(o.text, "handshake"));
    teardown(&w);
}

static void test_unix_socket(void **state)
{
    struct outcome o = {0};
    struct world w;
    char dir[] = "/tmp/test-fetch-XXXXXX";
    char path[100], listen_at[120], why[200];
    struct httpd *httpd;

    (void)state;
    setup(&w, NULL);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(listen_at, sizeof(listen_at), "unix:%s", path);
    httpd = httpd_new(w.loop, &(struct httpd_settings){.listen = listen_at}, tls_handler, NULL, why, sizeof(why));
    assert_non_null(httpd);
    fetch_client_free(&w.client);
    w.client = fetch_client_new(w.loop, &(struct fetch_client_settings){.name = "unix", .unix_socket = path});
    start(&w, &o, (struct fetch_request){.url = "http://localhost/"});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "over TLS");
    httpd_free(&httpd);
    unlink(path);
    memset(&o, 0, sizeof(o));
    settle(&w);
    start(&w, &o, (struct fetch_request){.url = "http://localhost/"});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_REFUSED);
    rmdir(dir);
    teardown(&w);
}

static int make_ca(void **state)
{
    int fd = mkstemp(ca_path);

    (void)state;
    cert_make(&ca, "test authority", NULL, -3600, 864000, NULL);
    assert_int_equal(write(fd, ca.cert_pem, strlen(ca.cert_pem)), strlen(ca.cert_pem));
    close(fd);
    return 0;
}

static int remove_ca(void **state)
{
    (void)state;
    unlink(ca_path);
    cert_free(&ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_request_bytes),
        cmocka_unit_test(test_large_body_goes_without_expect),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_environment_is_not_asked),
        cmocka_unit_test(test_connection_is_reused),
        cmocka_unit_test(test_many_exchanges_few_connections),
        cmocka_unit_test(test_connection_that_ended_meanwhile),
        cmocka_unit_test(test_answer_nobody_asked_for),
        cmocka_unit_test(test_drop_connections),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_name_not_found),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_waiting_is_not_counted),
        cmocka_unit_test(test_connecting_takes_too_long),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_pieces_then_partial),
        cmocka_unit_test(test_cancel_in_every_state),
        cmocka_unit_test(test_cancel_a_refused_one),
        cmocka_unit_test(test_cancel_inside_callbacks),
        cmocka_unit_test(test_start_inside_done),
        cmocka_unit_test(test_free_with_running_exchanges),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_to_something_else),
        cmocka_unit_test(test_unix_socket),
    };
    return cmocka_run_group_tests_name("fetch", tests, make_ca, remove_ca);
}
