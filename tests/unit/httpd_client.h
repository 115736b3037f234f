/*
 * A client for the tests of httpd: raw bytes over a non-blocking socket, in the same thread and loop as the server. It
 * waits by turning the loop until what it waits for is there (until.h).
 */
#ifndef UNIT_HTTPD_CLIENT_H
#define UNIT_HTTPD_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "until.h"

static struct loop *loop;

struct client {
    int fd;
    bool closed; /* by the server */
    struct buf in;
    char head[2048]; /* of the last answer */
    struct buf body;
};

static inline void client_init(struct client *c, int family)
{
    memset(c, 0, sizeof(*c));
    c->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    buf_init(&c->in, 256 << 20);
    buf_init(&c->body, 256 << 20);
}

static inline void client_open(struct client *c, const struct httpd *h)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)httpd_port(h))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client_init(c, AF_INET);
    if (connect(c->fd, (const struct sockaddr *)&in, sizeof(in)) != 0)
        assert_int_equal(errno, EINPROGRESS);
}

static inline void client_open_unix(struct client *c, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    client_init(c, AF_UNIX);
    assert_int_equal(connect(c->fd, (const struct sockaddr *)&un, sizeof(un)), 0);
}

static inline void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_free(&c->in);
    buf_free(&c->body);
}

static inline void client_pump(struct client *c)
{
    char piece[65536];
    ssize_t n = recv(c->fd, piece, sizeof(piece), 0);
    if (n > 0)
        assert_true(buf_add(&c->in, piece, (size_t)n));
    else if (n == 0 || (errno != EAGAIN && errno != ENOTCONN))
        c->closed = true;
}

#define wait_until(condition) UNTIL(loop, condition)

/* All of it, or as much as the server takes before it closes. */
static inline void client_send_bytes(struct client *c, const char *data, size_t len)
{
    int64_t until_ms = clk_mono_ms(clk_system()) + PATIENCE_MS;
    while (len > 0 && !c->closed) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
            return;
        assert_true(clk_mono_ms(clk_system()) < until_ms);
        loop_turn(loop, n > 0 ? 0 : 5);
        client_pump(c);
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static inline void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, text, strlen(text));
}

static inline bool client_has(struct client *c, const char *text)
{
    client_pump(c);
    return strstr(c->in.data, text) != NULL;
}

static inline bool client_is_closed(struct client *c)
{
    client_pump(c);
    return c->closed;
}

/* Takes a whole answer with a Content-Length (none: 0) off the stream; 0 when the server closed instead. */
static inline int client_answer_to(struct client *c, bool head_only)
{
    wait_until(client_has(c, "\r\n\r\n") || c->closed);
    const char *end = strstr(c->in.data, "\r\n\r\n");
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - c->in.data) + 4;
    assert_true(head < sizeof(c->head));
    memcpy(c->head, c->in.data, head);
    c->head[head] = '\0';
    const char *length = strstr(c->head, "Content-Length: ");
    size_t len = length != NULL && !head_only ? strtoul(length + 16, NULL, 10) : 0;
    wait_until(c->in.len >= head + len || client_is_closed(c));
    assert_true(c->in.len >= head + len);
    buf_reset(&c->body);
    buf_add(&c->body, c->in.data + head, len);
    buf_drop(&c->in, head + len);
    assert_int_equal(strncmp(c->head, "HTTP/1.1 ", 9), 0);
    return atoi(c->head + 9);
}

static inline int client_answer(struct client *c)
{
    return client_answer_to(c, false);
}

static inline int client_ask(struct client *c, const char *text)
{
    client_send(c, text);
    return client_answer(c);
}

/* A server that spins never lets the loop wait; one long turn may be somebody else's doing. */
static inline void assert_rests(void)
{
    int64_t until_ms = clk_mono_ms(clk_system()) + PATIENCE_MS;
    for (int waited = 0; waited < 3 && clk_mono_ms(clk_system()) < until_ms;) {
        int64_t start_ms = clk_mono_ms(clk_system());
        loop_turn(loop, 40);
        waited = clk_mono_ms(clk_system()) - start_ms >= 30 ? waited + 1 : 0;
    }
    assert_true(clk_mono_ms(clk_system()) < until_ms);
}

static inline int setup_loop(void **state)
{
    (void)state;
    loop = loop_new(clk_system());
    return 0;
}

static inline int teardown_loop(void **state)
{
    (void)state;
    loop_free(&loop);
    return 0;
}

#endif
