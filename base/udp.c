/*
 * udp: one socket that does not block, watched by the loop. A turn takes at most BURST datagrams from it, so that a
 * flood starves nobody; the rest waits in the kernel, or is dropped there.
 */
#include "base/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"

enum { BURST = 64, DATAGRAM_MAX = 65536, KERNEL_BYTES = 4 << 20 };

struct udp {
    struct loop *loop;
    int fd;
    struct loop_fd *watch;
    udp_fn *fn;
    void *arg;
    bool closed;
    char data[DATAGRAM_MAX];
};

static void on_ready(void *arg, int fd, unsigned ready);
static void free_all(void *obj);

struct udp *udp_open(struct loop *loop, const char *name, const char *host, unsigned port, udp_fn *fn, void *arg,
                     char *why, size_t why_size)
{
    struct udp_peer here;
    int bytes = KERNEL_BYTES, fd = -1;
    if (!udp_peer(&here, host, port)) {
        snprintf(why, why_size, "%s is no numeric address", host);
        return NULL;
    }
    fd = socket(here.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&here.address, here.len) != 0) {
        snprintf(why, why_size, "udp %s port %u: %s", host, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); /* as much of it as the system allows */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    struct udp *u = mem_calloc(1, sizeof *u);
    u->loop = loop;
    u->fd = fd;
    u->fn = fn;
    u->arg = arg;
    u->watch = loop_fd_new(loop, name, fd, on_ready, u);
    loop_fd_want(u->watch, LOOP_READ);
    return u;
}

void udp_close(struct udp **up)
{
    struct udp *u = *up;
    if (!u)
        return;
    *up = NULL;
    u->closed = true;
    loop_fd_free(&u->watch);
    close(u->fd);
    loop_reap(u->loop, free_all, u);
}

unsigned udp_port(const struct udp *u)
{
    struct udp_peer here = {.len = sizeof here.address};
    return getsockname(u->fd, (struct sockaddr *)&here.address, &here.len) == 0 ? udp_peer_port(&here) : 0;
}

bool udp_send(struct udp *u, const struct udp_peer *to, const void *data, size_t len)
{
    ssize_t n;
    do
        n = sendto(u->fd, data, len, MSG_NOSIGNAL, (const struct sockaddr *)&to->address, to->len);
    while (n < 0 && (errno == EINTR || errno == ECONNREFUSED)); /* that is about an earlier one */
    return n == (ssize_t)len;
}

bool udp_peer(struct udp_peer *ret, const char *host, unsigned port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    memset(ret, 0, sizeof *ret);
    if (port > 65535)
        return false;
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&ret->address, &v4, sizeof v4);
        ret->len = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
        return false;
    memcpy(&ret->address, &v6, sizeof v6);
    ret->len = sizeof v6;
    return true;
}

bool udp_peer_same(const struct udp_peer *a, const struct udp_peer *b)
{
    char x[UDP_TEXT_MAX], y[UDP_TEXT_MAX];
    return strcmp(udp_peer_text(a, x), udp_peer_text(b, y)) == 0;
}

unsigned udp_peer_port(const struct udp_peer *p)
{
    const struct sockaddr_in *v4 = (const void *)&p->address;
    const struct sockaddr_in6 *v6 = (const void *)&p->address;
    return ntohs(p->address.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

char *udp_peer_host(const struct udp_peer *p, char out[UDP_TEXT_MAX])
{
    const struct sockaddr_in *v4 = (const void *)&p->address;
    const struct sockaddr_in6 *v6 = (const void *)&p->address;
    bool six = p->address.ss_family == AF_INET6;
    out[0] = '\0';
    inet_ntop(six ? AF_INET6 : AF_INET, six ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, out,
              UDP_TEXT_MAX);
    return out;
}

char *udp_peer_text(const struct udp_peer *p, char out[UDP_TEXT_MAX])
{
    char host[UDP_TEXT_MAX];
    udp_peer_host(p, host);
    snprintf(out, UDP_TEXT_MAX, strchr(host, ':') ? "[%.60s]:%u" : "%.60s:%u", host, udp_peer_port(p));
    return out;
}

bool udp_local(const struct udp_peer *to, char out[UDP_TEXT_MAX])
{
    struct udp_peer here = {.len = sizeof here.address};
    int fd = socket(to->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&to->address, to->len) == 0 &&
              getsockname(fd, (struct sockaddr *)&here.address, &here.len) == 0;
    if (fd >= 0)
        close(fd);
    if (ok)
        udp_peer_host(&here, out);
    return ok;
}

static void on_ready(void *arg, int fd, unsigned ready)
{
    struct udp *u = arg;
    (void)ready;
    for (unsigned i = 0; i < BURST && !u->closed; i++) {
        struct udp_peer from = {.len = sizeof from.address};
        ssize_t n = recvfrom(fd, u->data, sizeof u->data, 0, (struct sockaddr *)&from.address, &from.len);
        if (n < 0 && errno != ECONNREFUSED && errno != EINTR)
            return;
        if (n >= 0)
            u->fn(u->arg, &from, u->data, (size_t)n);
    }
}

static void free_all(void *obj)
{
    free(obj);
}
