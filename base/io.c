/*
 * io: an outgoing byte stream, over libevent's bufferevent and, for names, evdns. The outlets that speak a protocol of
 * their own own one of these per connection.
 *
 * A struct io goes connecting -> open -> ended, and is closed from any of these. Two timers of the loop's clock watch
 * it: the attempt's deadline, then whether bytes that wait are being taken. libevent's own timeouts are not used, so
 * that tests can own time. Callbacks of the bufferevent are deferred by libevent, so none comes inside our calls.
 *
 * Reading is switched on with the connection and never off: see io.h.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tls.h"
#include "base/udp.h"
#include "io_private.h"
#include "loop_private.h"

enum { CONNECT_MS = 10000, STALL_MS = 30000, MAX_OUTPUT = 2 << 20, USER_TIMEOUT_MS = 60000, TEXT_MAX = 200 };

/* Bytes to the kernel in one call, each of which wakes the reader; libevent's own is 16 KiB. */
enum { AT_ONCE = 128 << 10 };

enum io_state { IO_STATE_CONNECTING, IO_STATE_OPEN, IO_STATE_ENDED };

struct io {
    struct loop *loop;
    struct io_handler handler;
    void *arg;
    char *name, *host;
    unsigned port;
    enum io_state state;
    bool closed; /* by the owner: no callback any more */
    bool wants_room;
    bool moved; /* the kernel took something since the stall timer was armed */
    size_t max_output;
    int64_t stall_ms;
    struct bufferevent *bev;
    struct evdns_base *dns;
    void *session; /* of TLS; owned by bev */
    struct loop_timer *deadline;
    struct loop_timer *stall;
    enum io_end failed_why; /* of a start that failed at once */
    char failed_text[TEXT_MAX];
};

static struct io *io_new(struct loop *loop, const struct io_settings *settings, const struct io_handler *handler,
                         void *arg);
static void start(struct io *io, struct tls *tls, const char *tls_name);
static void attach(struct io *io, int fd, enum bufferevent_ssl_state direction);
static void open_later(void *arg);
static void fail_later(struct io *io, enum io_end why, const char *text);
static void failed(void *arg);
static void connected(struct io *io);
static void finish(struct io *io, enum io_end why, const char *text);
static void on_event(struct bufferevent *bev, short what, void *arg);
static void on_read(struct bufferevent *bev, void *arg);
static void on_drained(struct bufferevent *bev, void *arg);
static void on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg);
static void on_deadline(void *arg);
static void on_stall(void *arg);
static void free_all(void *obj);

struct io *io_open(struct loop *loop, const struct io_settings *settings, const struct io_handler *handler, void *arg)
{
    struct io *io = io_new(loop, settings, handler, arg);
    start(io, settings->tls, settings->tls_name ? settings->tls_name : settings->host);
    return io;
}

struct io *io_adopt(struct loop *loop, const struct io_settings *settings, const struct io_handler *handler, void *arg,
                    int fd)
{
    struct io *io = io_new(loop, settings, handler, arg);
    io->session = settings->tls ? tls_session_new(settings->tls, NULL) : NULL;
    attach(io, fd, BUFFEREVENT_SSL_ACCEPTING);
    if (!io->session)
        loop_defer(loop, open_later, io);
    return io;
}

void io_close(struct io **iop)
{
    struct io *io = *iop;
    if (!io)
        return;
    *iop = NULL;
    io->closed = true;
    io->state = IO_STATE_ENDED;
    loop_undefer(io->loop, failed, io);
    loop_undefer(io->loop, open_later, io);
    loop_timer_free(&io->deadline);
    loop_timer_free(&io->stall);
    if (io->bev) {
        bufferevent_setcb(io->bev, NULL, NULL, NULL, NULL);
        bufferevent_disable(io->bev, EV_READ | EV_WRITE);
    }
    loop_reap(io->loop, free_all, io);
}

bool io_write(struct io *io, const void *data, size_t len)
{
    if (io->state != IO_STATE_OPEN)
        return false;
    size_t waiting = io_waiting(io);
    if (len > io->max_output || waiting > io->max_output - len) {
        io->wants_room = true;
        return false;
    }
    bufferevent_write(io->bev, data, len);
    if (!loop_timer_armed(io->stall)) {
        io->moved = false;
        loop_timer_in(io->stall, io->stall_ms);
    }
    return true;
}

size_t io_waiting(const struct io *io)
{
    return io->bev ? evbuffer_get_length(bufferevent_get_output(io->bev)) : 0;
}

bool io_local(const struct io *io, struct udp_peer *ret)
{
    ret->len = sizeof ret->address;
    return io->bev && getsockname(bufferevent_getfd(io->bev), (struct sockaddr *)&ret->address, &ret->len) == 0;
}

bool io_remote(const struct io *io, struct udp_peer *ret)
{
    ret->len = sizeof ret->address;
    return io->bev && getpeername(bufferevent_getfd(io->bev), (struct sockaddr *)&ret->address, &ret->len) == 0;
}

const char *io_end_code(enum io_end why)
{
    switch (why) {
    case IO_CLOSED:
    case IO_RESET:
        return "tcp-reset";
    case IO_REFUSED:
        return "tcp-refused";
    case IO_TIMEOUT:
        return "tcp-timeout";
    case IO_NO_NAME:
        return "dns-not-found";
    case IO_NAME_LATE:
        return "dns-timeout";
    case IO_TLS:
        return "tls-untrusted";
    }
    return "?";
}

bool io_parse_server(const char *text, char *ret_host, size_t host_size, unsigned *ret_port)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text || !str_to_int(colon + 1, 1, 65535, &port))
        return false;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[') {
        if (len < 4 || text[len - 1] != ']')
            return false;
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return false;
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || strchr("/@?#[]\"", text[i]))
            return false;
    if (len >= host_size)
        return false;
    memcpy(ret_host, text, len);
    ret_host[len] = '\0';
    *ret_port = (unsigned)port;
    return true;
}

static struct io *io_new(struct loop *loop, const struct io_settings *settings, const struct io_handler *handler,
                         void *arg)
{
    struct io *io = mem_calloc(1, sizeof *io);
    io->loop = loop;
    io->handler = *handler;
    io->arg = arg;
    io->name = mem_strdup(settings->name);
    io->host = mem_strdup(settings->host);
    io->port = settings->port;
    io->max_output = settings->max_output ? settings->max_output : MAX_OUTPUT;
    io->stall_ms = settings->stall_ms ? settings->stall_ms : STALL_MS;
    io->deadline = loop_timer_new(loop, "io deadline", on_deadline, io);
    io->stall = loop_timer_new(loop, "io stall", on_stall, io);
    loop_timer_in(io->deadline, settings->connect_ms ? settings->connect_ms : CONNECT_MS);
    return io;
}

static void start(struct io *io, struct tls *tls, const char *tls_name)
{
    char where[300];
    struct sockaddr_storage address;
    int len = sizeof address, result;
    memset(&address, 0, sizeof address);
    if (tls && !(io->session = tls_session_new(tls, tls_name))) {
        fail_later(io, IO_TLS, "no TLS session could be made");
        return;
    }
    attach(io, -1, BUFFEREVENT_SSL_CONNECTING);
    snprintf(where, sizeof where, strchr(io->host, ':') ? "[%s]:%u" : "%s:%u", io->host, io->port);
    if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&address, &len) == 0) {
        result = bufferevent_socket_connect(io->bev, (struct sockaddr *)&address, len);
    } else {
        io->dns = evdns_base_new(io->loop->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        result =
            io->dns ? bufferevent_socket_connect_hostname(io->bev, io->dns, AF_UNSPEC, io->host, (int)io->port) : -1;
    }
    if (result != 0)
        fail_later(io, io->dns ? IO_NAME_LATE : IO_REFUSED, strerror(errno));
}

static void attach(struct io *io, int fd, enum bufferevent_ssl_state direction)
{
    enum { OPTIONS = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS };
    io->bev = io->session ? bufferevent_openssl_socket_new(io->loop->base, fd, io->session, direction, OPTIONS)
                          : bufferevent_socket_new(io->loop->base, fd, OPTIONS);
    if (!io->bev)
        abort(); /* no memory */
    bufferevent_setcb(io->bev, on_read, on_drained, on_event, io);
    evbuffer_add_cb(bufferevent_get_output(io->bev), on_output, io);
    bufferevent_setwatermark(io->bev, EV_WRITE, io->max_output / 2, 0);
    bufferevent_set_max_single_write(io->bev, AT_ONCE);
    bufferevent_enable(io->bev, EV_READ | EV_WRITE);
}

/* A stranger's stream is open from the beginning. */
static void open_later(void *arg)
{
    struct io *io = arg;
    if (io->state != IO_STATE_CONNECTING)
        return;
    connected(io);
    if (!io->closed)
        on_read(io->bev, io); /* what came meanwhile */
}

/* Nobody hears of a failure before io_open returned. */
static void fail_later(struct io *io, enum io_end why, const char *text)
{
    io->failed_why = why;
    snprintf(io->failed_text, sizeof io->failed_text, "%s", text);
    loop_defer(io->loop, failed, io);
}

static void failed(void *arg)
{
    struct io *io = arg;
    finish(io, io->failed_why, io->failed_text);
}

static void connected(struct io *io)
{
    int fd = bufferevent_getfd(io->bev), on = 1, ms = USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    io->state = IO_STATE_OPEN;
    loop_timer_stop(io->deadline);
    log_debug("io", "%s open host=%s port=%u tls=%s", io->name, io->host, io->port, io->session ? "yes" : "no");
    io->handler.open(io->arg);
}

static void finish(struct io *io, enum io_end why, const char *text)
{
    char shown[TEXT_MAX];
    if (io->state == IO_STATE_ENDED)
        return;
    io->state = IO_STATE_ENDED;
    loop_timer_stop(io->deadline);
    loop_timer_stop(io->stall);
    loop_undefer(io->loop, failed, io);
    loop_undefer(io->loop, open_later, io);
    if (io->bev)
        bufferevent_disable(io->bev, EV_READ | EV_WRITE);
    log_debug("io", "%s ended code=%s", io->name, io_end_code(why));
    io->handler.end(io->arg, why, str_printable(text, strlen(text), shown, sizeof shown));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct io *io = arg;
    int error = EVUTIL_SOCKET_ERROR(), dns_error = bufferevent_socket_get_dns_error(bev);
    bool was_open = io->state == IO_STATE_OPEN;
    if (io->closed || io->state == IO_STATE_ENDED)
        return;
    if (what & BEV_EVENT_CONNECTED) {
        connected(io);
        return;
    }
    on_read(bev, io); /* what came before the end counts: it may say why */
    if (io->closed || io->state == IO_STATE_ENDED)
        return;
    if (dns_error) {
        bool missing = dns_error == EVUTIL_EAI_NONAME || dns_error == EVUTIL_EAI_NODATA;
        finish(io, missing ? IO_NO_NAME : IO_NAME_LATE, evutil_gai_strerror(dns_error));
        return;
    }
    unsigned long tls_error = io->session ? bufferevent_get_openssl_error(bev) : 0;
    if (io->session && !was_open && (tls_error || (what & BEV_EVENT_EOF))) {
        char text[TEXT_MAX];
        finish(io, IO_TLS, tls_session_why(io->session, tls_error, text, sizeof text));
        return;
    }
    if (what & BEV_EVENT_EOF)
        finish(io, IO_CLOSED, "the peer closed the connection");
    else
        finish(io,
               was_open                                      ? IO_RESET
               : error == ETIMEDOUT || error == EHOSTUNREACH ? IO_TIMEOUT
                                                             : IO_REFUSED,
               error ? strerror(error) : "connection failed");
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct io *io = arg;
    struct evbuffer *input = bufferevent_get_input(bev);
    int64_t began = loop_clock_start();
    while (!io->closed && io->state == IO_STATE_OPEN && evbuffer_get_length(input) > 0) {
        size_t len = evbuffer_get_contiguous_space(input);
        io->handler.data(io->arg, (const char *)evbuffer_pullup(input, (ev_ssize_t)len), len);
        evbuffer_drain(input, len); /* it lives to the end of the turn even when closed */
    }
    loop_clock_stop(io->loop, began, "io data", NULL);
}

/* Comes whenever no more than the watermark waits. */
static void on_drained(struct bufferevent *bev, void *arg)
{
    struct io *io = arg;
    (void)bev;
    if (io->closed || io->state != IO_STATE_OPEN || !io->wants_room)
        return;
    io->wants_room = false;
    if (io->handler.room)
        io->handler.room(io->arg);
}

static void on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
    struct io *io = arg;
    (void)buffer;
    if (info->n_deleted > 0)
        io->moved = true;
}

static void on_deadline(void *arg)
{
    finish(arg, IO_TIMEOUT, "no connection in time");
}

static void on_stall(void *arg)
{
    struct io *io = arg;
    if (io_waiting(io) == 0)
        return;
    if (!io->moved) {
        finish(io, IO_TIMEOUT, "the peer takes nothing");
        return;
    }
    io->moved = false;
    loop_timer_in(io->stall, io->stall_ms);
}

static void free_all(void *obj)
{
    struct io *io = obj;
    if (io->bev)
        bufferevent_free(io->bev);
    if (io->dns)
        evdns_base_free(io->dns, 0);
    free(io->name);
    free(io->host);
    free(io);
}
