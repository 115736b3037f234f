/*
 * sip_net: see sip_net.h. Owns the sockets and connections. A connection collects bytes until they are a message; one
 * that sends what is none, begins a message and does not end it, or is silent for long without being needed, is closed.
 *
 * A stranger costs at most one connection with one message in it, of which there are CONNECTIONS_MAX.
 */
#include "sip_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/tls.h"

enum {
    SOCKETS_MAX = 8,
    CONNECTIONS_MAX = 2000,
    ARENA_MAX = 1 << 20,
    INPUT_MAX = PRES_SIP_HEAD_MAX + PRES_SIP_BODY_MAX + 4096,
    WAITING_MAX = 2 << 20,
    PART_MS = 30000,  /* for the rest of a message */
    IDLE_MS = 300000, /* of a connection that nobody needs */
    HERE_MS = 5000,   /* for which our own address is believed: routes change seldom */
};

struct connection {
    struct pres_sip_net *net;
    uint64_t id;
    struct io *io;
    bool theirs; /* they opened it */
    bool tls, open;
    unsigned needed;
    struct udp_peer peer;
    struct buf in;
    struct buf early; /* sent before it was open */
    struct loop_timer *timer;
};

struct listener {
    struct pres_sip_net *net;
    struct io_listener *io;
    struct tls *tls;
};

struct pres_sip_net {
    struct loop *loop;
    struct pres_sip_net_handler handler;
    void *arg;
    struct arena *arena; /* of the message being handled */
    struct socket {
        struct pres_sip_net *net;
        unsigned number;
        struct udp *udp;
        char host[UDP_TEXT_MAX];
        struct udp_peer to; /* whom `here` was found out for, at here_at */
        char here[UDP_TEXT_MAX];
        int64_t here_at; /* mono ms */
    } sockets[SOCKETS_MAX];
    unsigned socket_count;
    struct listener listeners[SOCKETS_MAX];
    unsigned listener_count;
    struct connection **connections; /* by ascending id */
    size_t count, room;
    uint64_t last_id;
    struct pres_sip_net_counts counts;
};

static void socket_here(const struct pres_sip_net *n, struct socket *s, const struct udp_peer *to);
static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len);
static void on_arrived(void *arg, struct io_arrival *a);
static struct connection *add(struct pres_sip_net *n, bool theirs, bool tls);
static struct connection *find(const struct pres_sip_net *n, uint64_t id, size_t *ret_at);
static void on_open(void *arg);
static void on_data(void *arg, const char *data, size_t len);
static bool take_message(struct connection *c);
static void on_room(void *arg);
static void on_end(void *arg, enum io_end why, const char *text);
static void on_timer(void *arg);
static void lose(struct connection *c, const char *code, const char *text);
static void drop(struct connection *c, const char *why);
static void free_all(void *obj);

static const struct io_handler handler = {on_open, on_data, on_room, on_end};

struct pres_sip_net *pres_sip_net_new(struct loop *loop, const struct pres_sip_net_handler *h, void *arg)
{
    struct pres_sip_net *n = mem_calloc(1, sizeof *n);
    n->loop = loop;
    n->handler = *h;
    n->arg = arg;
    n->arena = arena_new(ARENA_MAX);
    return n;
}

void pres_sip_net_free(struct pres_sip_net **np)
{
    struct pres_sip_net *n = *np;
    if (!n)
        return;
    *np = NULL;
    while (n->count > 0)
        drop(n->connections[n->count - 1], "the end");
    for (unsigned i = 0; i < n->socket_count; i++)
        udp_close(&n->sockets[i].udp);
    for (unsigned i = 0; i < n->listener_count; i++)
        io_listen_close(&n->listeners[i].io);
    n->socket_count = n->listener_count = 0;
    loop_reap(n->loop, free_all, n); /* we may have been called by what it hands over */
}

bool pres_sip_net_bind(struct pres_sip_net *n, const char *host, unsigned port, char *why, size_t why_size)
{
    struct socket *s = &n->sockets[n->socket_count];
    if (n->socket_count == SOCKETS_MAX) {
        snprintf(why, why_size, "more than %d sockets", SOCKETS_MAX);
        return false;
    }
    s->net = n;
    s->number = n->socket_count;
    snprintf(s->host, sizeof s->host, "%s", host);
    s->udp = udp_open(n->loop, "sip udp", host, port, on_datagram, s, why, why_size);
    n->socket_count += s->udp != NULL;
    return s->udp != NULL;
}

bool pres_sip_net_listen(struct pres_sip_net *n, const char *host, unsigned port, struct tls *tls, char *why,
                         size_t why_size)
{
    struct listener *l = &n->listeners[n->listener_count];
    if (n->listener_count == SOCKETS_MAX) {
        snprintf(why, why_size, "more than %d sockets", SOCKETS_MAX);
        return false;
    }
    l->net = n;
    l->tls = tls;
    l->io = io_listen(n->loop, "sip tcp", host, port, on_arrived, l, why, why_size);
    n->listener_count += l->io != NULL;
    return l->io != NULL;
}

unsigned pres_sip_net_port(const struct pres_sip_net *n, enum pres_sip_transport transport)
{
    if (transport == PRES_SIP_UDP)
        return n->socket_count > 0 ? udp_port(n->sockets[0].udp) : 0;
    for (unsigned i = 0; i < n->listener_count; i++)
        if ((n->listeners[i].tls != NULL) == (transport == PRES_SIP_TLS))
            return io_listen_port(n->listeners[i].io);
    return 0;
}

uint64_t pres_sip_net_connect(struct pres_sip_net *n, const char *host, unsigned port, struct tls *tls,
                              const char *tls_name)
{
    struct connection *c = add(n, false, tls != NULL);
    struct io_settings s = {
        .name = "sip", .host = host, .port = port, .tls = tls, .tls_name = tls_name, .max_output = WAITING_MAX};
    c->io = io_open(n->loop, &s, &handler, c);
    return c->id;
}

void pres_sip_net_close(struct pres_sip_net *n, uint64_t connection, const char *why)
{
    struct connection *c = find(n, connection, NULL);
    if (c)
        drop(c, why);
}

void pres_sip_net_need(struct pres_sip_net *n, uint64_t connection, int by)
{
    struct connection *c = find(n, connection, NULL);
    if (c)
        c->needed += (unsigned)by;
}

bool pres_sip_net_alive(const struct pres_sip_net *n, uint64_t connection)
{
    return find(n, connection, NULL) != NULL;
}

bool pres_sip_net_send(struct pres_sip_net *n, const struct pres_sip_path *path, const void *data, size_t len)
{
    if (path->transport == PRES_SIP_UDP)
        return path->socket < n->socket_count && udp_send(n->sockets[path->socket].udp, &path->peer, data, len);
    struct connection *c = find(n, path->connection, NULL);
    if (!c)
        return false;
    return c->open ? io_write(c->io, data, len) : buf_add(&c->early, data, len);
}

size_t pres_sip_net_waiting(const struct pres_sip_net *n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n->count; i++)
        sum += n->connections[i]->early.len + io_waiting(n->connections[i]->io);
    return sum;
}

char *pres_sip_net_here(struct pres_sip_net *n, const struct pres_sip_path *path, char out[UDP_TEXT_MAX])
{
    struct udp_peer here;
    struct connection *c = path->transport == PRES_SIP_UDP ? NULL : find(n, path->connection, NULL);
    snprintf(out, UDP_TEXT_MAX, "127.0.0.1:5060");
    if (c && io_local(c->io, &here))
        return udp_peer_text(&here, out);
    if (c || path->socket >= n->socket_count)
        return out;
    socket_here(n, &n->sockets[path->socket], &path->peer);
    memcpy(out, n->sockets[path->socket].here, UDP_TEXT_MAX);
    return out;
}

const char *pres_sip_transport_name(enum pres_sip_transport t)
{
    switch (t) {
    case PRES_SIP_UDP:
        return "UDP";
    case PRES_SIP_TCP:
        return "TCP";
    case PRES_SIP_TLS:
        return "TLS";
    }
    return "?";
}

void pres_sip_net_count(const struct pres_sip_net *n, struct pres_sip_net_counts *ret)
{
    *ret = n->counts;
    ret->connections = n->count;
}

/* Asking the kernel costs more than sending, and most requests go where the last one went. */
static void socket_here(const struct pres_sip_net *n, struct socket *s, const struct udp_peer *to)
{
    struct udp_peer here;
    char host[UDP_TEXT_MAX];
    int64_t now = clk_mono_ms(loop_clk(n->loop));
    bool any = strcmp(s->host, "0.0.0.0") == 0 || strcmp(s->host, "::") == 0;
    if (s->here[0] && now - s->here_at < HERE_MS && s->to.len == to->len &&
        memcmp(&s->to.address, &to->address, to->len) == 0)
        return;
    if (!any || !udp_local(to, host))
        snprintf(host, sizeof host, "%s", s->host);
    snprintf(s->here, sizeof s->here, "127.0.0.1:5060");
    if (udp_peer(&here, host, udp_port(s->udp)))
        udp_peer_text(&here, s->here);
    s->to = *to;
    s->here_at = now;
}

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    const struct socket *s = arg;
    struct pres_sip_net *n = s->net;
    struct pres_sip_path path = {.transport = PRES_SIP_UDP, .socket = s->number, .peer = *from};
    struct pres_sip_extent extent;
    struct pres_sip_message m;
    switch (pres_sip_cut(data, len, false, &extent)) {
    case PRES_SIP_EMPTY:
        return;
    case PRES_SIP_MORE:
    case PRES_SIP_BAD:
        n->counts.malformed++;
        return;
    case PRES_SIP_WHOLE:
        break;
    }
    arena_reset(n->arena);
    if (pres_sip_read(&m, n->arena, data, &extent, from)) {
        n->counts.messages++;
        n->handler.message(n->arg, &path, &m);
    } else {
        n->counts.malformed++;
    }
}

static void on_arrived(void *arg, struct io_arrival *a)
{
    struct listener *l = arg;
    struct pres_sip_net *n = l->net;
    char from[UDP_TEXT_MAX];
    if (n->count >= CONNECTIONS_MAX) {
        n->counts.refused++;
        return;
    }
    struct connection *c = add(n, true, l->tls != NULL);
    c->peer = *io_arrival_from(a);
    struct io_settings s = {
        .name = "sip", .host = udp_peer_host(&c->peer, from), .port = 5060, .tls = l->tls, .max_output = WAITING_MAX};
    c->io = io_take(a, &s, &handler, c);
}

static struct connection *add(struct pres_sip_net *n, bool theirs, bool tls)
{
    struct connection *c = mem_calloc(1, sizeof *c);
    if (n->count == n->room) {
        n->room = n->room ? 2 * n->room : 16;
        n->connections = mem_realloc(n->connections, n->room, sizeof(struct connection *));
    }
    c->net = n;
    c->id = ++n->last_id;
    c->theirs = theirs;
    c->tls = tls;
    c->timer = loop_timer_new(n->loop, "sip connection", on_timer, c);
    buf_init(&c->in, INPUT_MAX);
    buf_init(&c->early, WAITING_MAX);
    n->connections[n->count++] = c;
    return c;
}

static struct connection *find(const struct pres_sip_net *n, uint64_t id, size_t *ret_at)
{
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->connections[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (ret_at)
        *ret_at = low;
    return low < n->count && n->connections[low]->id == id ? n->connections[low] : NULL;
}

static void on_open(void *arg)
{
    struct connection *c = arg;
    c->open = true;
    io_remote(c->io, &c->peer);
    if (c->early.len > 0)
        io_write(c->io, c->early.data, c->early.len);
    buf_free(&c->early);
    if (c->theirs)
        loop_timer_in(c->timer, IDLE_MS);
    else if (c->net->handler.opened)
        c->net->handler.opened(c->net->arg, c->id);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct connection *c = arg;
    struct pres_sip_net *n = c->net;
    uint64_t id = c->id;
    bool was_empty = c->in.len == 0;
    while (len > 0) { /* the buffer holds one message at most, whatever came at once */
        size_t piece = INPUT_MAX - c->in.len < len ? INPUT_MAX - c->in.len : len;
        if (piece == 0) {
            lose(c, "sip-malformed", "a message that does not end");
            return;
        }
        buf_add(&c->in, data, piece);
        data += piece;
        len -= piece;
        while (take_message(c))
            ;
        if (!find(n, id, NULL))
            return; /* whoever heard it closed the connection */
    }
    if (c->in.len == 0 && c->theirs)
        loop_timer_in(c->timer, IDLE_MS);
    else if (c->in.len == 0)
        loop_timer_stop(c->timer);
    else if (was_empty || !loop_timer_armed(c->timer))
        loop_timer_in(c->timer, PART_MS);
}

/* False: there is no more whole one, or no connection any more. */
static bool take_message(struct connection *c)
{
    struct pres_sip_net *n = c->net;
    struct pres_sip_path path = {
        .transport = c->tls ? PRES_SIP_TLS : PRES_SIP_TCP, .connection = c->id, .peer = c->peer};
    struct pres_sip_extent extent;
    struct pres_sip_message m;
    uint64_t id = c->id;
    switch (pres_sip_cut(c->in.data, c->in.len, true, &extent)) {
    case PRES_SIP_MORE:
        return false;
    case PRES_SIP_EMPTY:
        if (extent.double_ping)
            io_write(c->io, "\r\n", 2);
        buf_drop(&c->in, extent.end);
        return true;
    case PRES_SIP_BAD:
        n->counts.malformed++;
        lose(c, "sip-malformed", "what came is no SIP message, or a very large one");
        return false;
    case PRES_SIP_WHOLE:
        break;
    }
    arena_reset(n->arena);
    bool good = pres_sip_read(&m, n->arena, c->in.data, &extent, &path.peer);
    n->counts.messages += good;
    n->counts.malformed += !good;
    if (good)
        n->handler.message(n->arg, &path, &m);
    if (!find(n, id, NULL))
        return false;
    buf_drop(&c->in, extent.end);
    return true;
}

static void on_room(void *arg)
{
    const struct connection *c = arg;
    if (c->net->handler.room)
        c->net->handler.room(c->net->arg);
}

static void on_end(void *arg, enum io_end why, const char *text)
{
    lose(arg, io_end_code(why), text);
}

static void on_timer(void *arg)
{
    struct connection *c = arg;
    if (c->in.len > 0)
        lose(c, "sip-malformed", "the rest of a message did not come");
    else if (c->needed > 0)
        loop_timer_in(c->timer, IDLE_MS);
    else
        lose(c, "idle", "silent for long");
}

static void lose(struct connection *c, const char *code, const char *text)
{
    struct pres_sip_net *n = c->net;
    uint64_t id = c->id;
    char copy[200];
    snprintf(copy, sizeof copy, "%s", text);
    drop(c, copy);
    n->handler.lost(n->arg, id, code, copy);
}

static void drop(struct connection *c, const char *why)
{
    struct pres_sip_net *n = c->net;
    size_t at;
    log_debug("sip", "connection=%llu closed why=\"%s\"", (unsigned long long)c->id, why);
    find(n, c->id, &at);
    memmove(n->connections + at, n->connections + at + 1, (n->count - at - 1) * sizeof(struct connection *));
    n->count--;
    io_close(&c->io);
    loop_timer_free(&c->timer);
    buf_free(&c->in);
    buf_free(&c->early);
    free(c);
}

static void free_all(void *obj)
{
    struct pres_sip_net *n = obj;
    arena_free(&n->arena);
    free(n->connections);
    free(n);
}
