/*
 * io_listen: a listening socket, watched by the loop. A turn accepts at most BURST strangers. When the process has no
 * descriptors left, the socket rests for a moment instead of waking the loop again and again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/udp.h"
#include "io_private.h"

enum { BURST = 64, WAITING = 512, REST_MS = 200 };

struct io_listener {
    struct loop *loop;
    int fd;
    struct loop_fd *watch;
    struct loop_timer *rest;
    io_arrived_fn *fn;
    void *arg;
    bool closed;
};

struct io_arrival {
    struct io_listener *listener;
    struct udp_peer from;
    int fd; /* -1: taken */
};

static void on_ready(void *arg, int fd, unsigned ready);
static void on_rested(void *arg);
static void free_all(void *obj);

struct io_listener *io_listen(struct loop *loop, const char *name, const char *host, unsigned port, io_arrived_fn *fn,
                              void *arg, char *why, size_t why_size)
{
    struct udp_peer here;
    int on = 1, fd = -1;
    if (!udp_peer(&here, host, port)) {
        snprintf(why, why_size, "%s is no numeric address", host);
        return NULL;
    }
    fd = socket(here.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&here.address, here.len) != 0 || listen(fd, WAITING) != 0) {
        snprintf(why, why_size, "tcp %s port %u: %s", host, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct io_listener *l = mem_calloc(1, sizeof *l);
    l->loop = loop;
    l->fd = fd;
    l->fn = fn;
    l->arg = arg;
    l->rest = loop_timer_new(loop, "listener rests", on_rested, l);
    l->watch = loop_fd_new(loop, name, fd, on_ready, l);
    loop_fd_want(l->watch, LOOP_READ);
    return l;
}

void io_listen_close(struct io_listener **lp)
{
    struct io_listener *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    l->closed = true;
    loop_timer_free(&l->rest);
    loop_fd_free(&l->watch);
    close(l->fd);
    loop_reap(l->loop, free_all, l);
}

unsigned io_listen_port(const struct io_listener *l)
{
    struct udp_peer here = {.len = sizeof here.address};
    return getsockname(l->fd, (struct sockaddr *)&here.address, &here.len) == 0 ? udp_peer_port(&here) : 0;
}

const struct udp_peer *io_arrival_from(const struct io_arrival *a)
{
    return &a->from;
}

struct io *io_take(struct io_arrival *a, const struct io_settings *settings, const struct io_handler *handler,
                   void *arg)
{
    int fd = a->fd;
    a->fd = -1;
    return io_adopt(a->listener->loop, settings, handler, arg, fd);
}

static void on_ready(void *arg, int fd, unsigned ready)
{
    struct io_listener *l = arg;
    (void)ready;
    for (unsigned i = 0; i < BURST && !l->closed; i++) {
        struct io_arrival a = {.listener = l, .from.len = sizeof a.from.address};
        a.fd = accept4(fd, (struct sockaddr *)&a.from.address, &a.from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (a.fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            loop_fd_want(l->watch, 0);
            loop_timer_in(l->rest, REST_MS);
            return;
        }
        if (a.fd < 0 && errno != ECONNABORTED && errno != EINTR)
            return;
        if (a.fd >= 0)
            l->fn(l->arg, &a);
        if (a.fd >= 0)
            close(a.fd);
    }
}

static void on_rested(void *arg)
{
    struct io_listener *l = arg;
    loop_fd_want(l->watch, LOOP_READ);
}

static void free_all(void *obj)
{
    free(obj);
}
