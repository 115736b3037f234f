/*
 * httpd: the server. libmicrohttpd (MHD) parses and writes HTTP; we own when it runs. It is started without threads in
 * its epoll mode, its epoll descriptor is watched by our loop, and MHD_run() is called when that is ready, when MHD's
 * next idle deadline is reached, or at the end of the turn when there is work left, above all connections that were
 * resumed.
 *
 * MHD knows nothing of waiting for an answer, so a connection whose request is not answered yet, or whose stream has
 * nothing to say, is suspended: MHD forgets its socket until it is resumed. It would not notice a client that leaves
 * meanwhile; for this each connection joins, when it is suspended first, a second epoll set that reports hang-ups only
 * (EPOLLRDHUP, edge-triggered: data that arrives early causes no noise, and a connection costs one system call in its
 * life). A client that shuts down its sending side counts as gone.
 *
 * MHD's callbacks come with the connection and, per request, in this order: httpd_on_uri, httpd_on_request (several
 * times), httpd_on_completed. Handlers and pulls run inside MHD_run; that is why httpd_free, called by one of them,
 * tells everybody at once but leaves the daemon itself to the end of the turn.
 */
#include "base/httpd.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HTTPD_HANGUPS_A_TURN = 64,
    HTTPD_POOL_EXTRA = 6 * 1024,
    HTTPD_RESTLESS_MAX_MS = 1000,
    HTTPD_STUCK_MS = 50,
    HTTPD_IDLE_RUNS = 100,
    HTTPD_IDLE_RUN_MS = 5,
};

static void httpd_set_defaults(struct httpd *h, const struct httpd_settings *settings);
static bool httpd_start(struct httpd *h, const struct httpd_settings *settings);
static size_t httpd_pool_size(const struct httpd_settings *settings);
static bool httpd_watch(struct httpd *h);
static void httpd_run_when_ready(void *arg, int fd, unsigned ready);
static void httpd_run(void *arg);
static void httpd_run_restless(struct httpd *h);
static bool httpd_see_stuck(struct httpd *h, int64_t since_ms, bool cut);
static void httpd_run_soon(struct httpd *h);
static void httpd_run_again(void *arg);
static void httpd_see_hangups(void *arg, int fd, unsigned ready);
static void httpd_stop_listening(struct httpd *h);
static void httpd_destroy(void *arg);
static void httpd_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static size_t httpd_leave_escapes(void *cls, struct MHD_Connection *mhd, char *text);
static void *httpd_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
static enum MHD_Result httpd_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                        const char *version, const char *data, size_t *len, void **req_cls);
static void httpd_on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                               enum MHD_RequestTerminationCode code);
static void httpd_on_connection(void *cls, struct MHD_Connection *mhd, void **conn_cls,
                                enum MHD_ConnectionNotificationCode code);
static struct httpd_conn *httpd_conn_new(struct httpd *h, struct MHD_Connection *mhd);
static void httpd_conn_free(struct httpd_conn *conn);
static void httpd_conn_name_peer(struct httpd_conn *conn);

struct httpd *httpd_new(struct loop *loop, const struct httpd_settings *settings, httpd_handler_fn *handler, void *arg,
                        char *why, size_t why_size)
{
    struct httpd *h = mem_calloc(1, sizeof(*h));
    h->loop = loop;
    h->handler = handler;
    h->arg = arg;
    h->hangup_fd = -1;
    httpd_set_defaults(h, settings);
    if (!httpd_listen(&h->listener, settings, why, why_size)) {
        free(h);
        return NULL;
    }
    h->is_unix = h->listener.port == 0;
    if (!httpd_start(h, settings) || !httpd_watch(h)) {
        const char *name = settings->listen != NULL ? settings->listen : "socket";
        snprintf(why, why_size, "%s: %s", name, h->complaint != NULL ? h->complaint : strerror(errno));
        h->closing = true;
        httpd_stop_listening(h);
        httpd_destroy(h);
        return NULL;
    }
    free(h->complaint);
    h->complaint = NULL;
    return h;
}

void httpd_free(struct httpd **hp)
{
    struct httpd *h = *hp;
    *hp = NULL;
    if (h == NULL || h->closing)
        return;
    h->closing = true;
    httpd_stop_listening(h);
    for (struct httpd_conn *c = h->conns; c != NULL; c = c->next) {
        if (c->req != NULL)
            httpd_req_over(c->req);
    }
    if (h->running)
        loop_reap(h->loop, httpd_destroy, h);
    else
        httpd_destroy(h);
}

unsigned httpd_port(const struct httpd *h)
{
    return h->listener.port;
}

unsigned httpd_connections(const struct httpd *h)
{
    return h->n_conns;
}

static void httpd_set_defaults(struct httpd *h, const struct httpd_settings *settings)
{
    struct httpd_settings *s = &h->settings;
    *s = *settings;
    s->listen = s->tls_cert_pem = s->tls_key_pem = s->tls_clients_pem = NULL;
    h->is_tls = settings->tls_cert_pem != NULL;
    s->max_connections = s->max_connections > 0 ? s->max_connections : 1000;
    s->max_header = s->max_header > 0 ? s->max_header : 32 * 1024;
    s->max_body = s->max_body > 0 ? s->max_body : 1024 * 1024;
    s->idle_s = s->idle_s > 0 ? s->idle_s : 60;
    s->stream_block = s->stream_block > 0 ? s->stream_block : 16 * 1024;
}

static bool httpd_start(struct httpd *h, const struct httpd_settings *settings)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (h->is_tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)settings->tls_cert_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)settings->tls_key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"},
        {settings->tls_clients_pem != NULL ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
         (void *)(uintptr_t)settings->tls_clients_pem},
        {MHD_OPTION_END, 0, NULL},
    };
    struct stat before;
    struct stat after;
    if (fstat(h->listener.fd, &before) != 0)
        return false;
    errno = 0;
    h->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, httpd_on_request, h, MHD_OPTION_EXTERNAL_LOGGER, httpd_log, h, MHD_OPTION_LISTEN_SOCKET,
        h->listener.fd, MHD_OPTION_CONNECTION_LIMIT, h->settings.max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        httpd_pool_size(&h->settings), MHD_OPTION_CONNECTION_TIMEOUT, h->settings.idle_s, MHD_OPTION_UNESCAPE_CALLBACK,
        httpd_leave_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK, httpd_on_uri, h, MHD_OPTION_NOTIFY_COMPLETED,
        httpd_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, httpd_on_connection, h, MHD_OPTION_ARRAY,
        h->is_tls ? tls : &tls[sizeof(tls) / sizeof(tls[0]) - 1], MHD_OPTION_END);
    if (h->mhd != NULL)
        return true;
    /* Whether a daemon that fails to start has closed our socket depends on where it failed. */
    if (fstat(h->listener.fd, &after) != 0 || after.st_dev != before.st_dev || after.st_ino != before.st_ino)
        h->listener.fd = -1;
    return false;
}

/*
 * MHD keeps the header's bytes, a record for each field and then the response's header in one pool per connection, and
 * wipes all of it after each request: larger costs speed. Ours holds a header at the ceiling with some eighty fields;
 * one with more is refused a little below it. What fits although it is above the ceiling is refused in httpd_req_begin.
 */
static size_t httpd_pool_size(const struct httpd_settings *settings)
{
    return settings->max_header + HTTPD_POOL_EXTRA;
}

static bool httpd_watch(struct httpd *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    h->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
    if (info == NULL || h->hangup_fd < 0)
        return false;
    h->ready = loop_fd_new(h->loop, "httpd", info->epoll_fd, httpd_run_when_ready, h);
    h->hangups = loop_fd_new(h->loop, "httpd-hangup", h->hangup_fd, httpd_see_hangups, h);
    h->timer = loop_timer_new(h->loop, "httpd-idle", httpd_run, h);
    loop_fd_want(h->ready, LOOP_READ);
    loop_fd_want(h->hangups, LOOP_READ);
    return true;
}

static void httpd_run_when_ready(void *arg, int fd, unsigned ready)
{
    (void)fd;
    (void)ready;
    httpd_run(arg);
}

/*
 * The timer is left alone while it is armed: all connections have the same patience, so a deadline that comes later in
 * time is never earlier than the one armed.
 */
static void httpd_run(void *arg)
{
    struct httpd *h = arg;
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (h->closing || h->running)
        return;
    h->running = true;
    MHD_run(h->mhd);
    h->running = false;
    if (h->closing)
        return;
    bool restless = MHD_get_timeout(h->mhd, &ms) == MHD_YES && ms == 0;
    if (restless) {
        httpd_run_restless(h);
        return;
    }
    h->restless_ms = 0;
    if (ms > 0 && !loop_timer_armed(h->timer))
        loop_timer_in(h->timer, (int64_t)ms + 1);
}

/*
 * MHD has work left. Usually that is over in the next run, but 0.9.75 also says so of a body that it can neither read
 * on nor refuse because its buffer is full (a chunk's size line without end), until the idle time is over. While there
 * is a body that does not move, runs without any news are therefore spaced out, and after a second without rest such
 * bodies are cut.
 */
static void httpd_run_restless(struct httpd *h)
{
    int64_t now_ms = clk_mono_ms(loop_clk(h->loop));
    if (h->restless_ms == 0)
        h->restless_ms = now_ms;
    bool cut = now_ms - h->restless_ms >= HTTPD_RESTLESS_MAX_MS;
    bool idle = ++h->idle_runs > HTTPD_IDLE_RUNS;
    if ((cut || idle) && httpd_see_stuck(h, cut ? h->restless_ms : now_ms - HTTPD_STUCK_MS, cut))
        loop_timer_in(h->timer, HTTPD_IDLE_RUN_MS);
    else
        httpd_run_soon(h);
    if (cut)
        h->restless_ms = now_ms;
}

/* True when there is a body that has not moved since. No call closes a connection; the least patience, one second, is
 * over. */
static bool httpd_see_stuck(struct httpd *h, int64_t since_ms, bool cut)
{
    bool any = false;
    for (struct httpd_conn *c = h->conns; c != NULL; c = c->next) {
        if (c->req == NULL || !httpd_req_is_stuck(c->req, since_ms))
            continue;
        any = true;
        if (cut) {
            log_debug("httpd", "cutting a body that does not move peer=%s", c->peer);
            MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
        }
    }
    return any;
}

/*
 * MHD does not tell through its descriptor, nor through its timeout, that a connection was resumed or that there is
 * room for another one.
 */
static void httpd_run_soon(struct httpd *h)
{
    if (h->again || h->closing)
        return;
    h->again = true;
    loop_defer(h->loop, httpd_run_again, h);
}

static void httpd_run_again(void *arg)
{
    struct httpd *h = arg;
    h->again = false;
    httpd_run(h);
}

static void httpd_see_hangups(void *arg, int fd, unsigned ready)
{
    struct httpd *h = arg;
    struct epoll_event events[HTTPD_HANGUPS_A_TURN];
    (void)ready;
    int n = h->closing ? 0 : epoll_wait(fd, events, HTTPD_HANGUPS_A_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct httpd_conn *conn = events[i].data.ptr;
        conn->hung_up = true;
        httpd_conn_resume(conn);
    }
}

/* At once, also from inside MHD_run: whoever closes a server may open its successor on the same address. */
static void httpd_stop_listening(struct httpd *h)
{
    int fd = h->mhd != NULL ? MHD_quiesce_daemon(h->mhd) : h->listener.fd;
    if (fd >= 0)
        close(fd);
    h->listener.fd = -1;
    httpd_listen_unlink(&h->listener);
}

static void httpd_destroy(void *arg)
{
    struct httpd *h = arg;
    loop_undefer(h->loop, httpd_run_again, h);
    if (h->ready != NULL)
        loop_fd_free(&h->ready);
    if (h->hangups != NULL)
        loop_fd_free(&h->hangups);
    if (h->timer != NULL)
        loop_timer_free(&h->timer);
    /* MHD demands that nothing is suspended when it stops. */
    for (struct httpd_conn *c = h->conns; c != NULL; c = c->next)
        httpd_conn_resume(c);
    if (h->mhd != NULL)
        MHD_stop_daemon(h->mhd);
    if (h->hangup_fd >= 0)
        close(h->hangup_fd);
    free(h->complaint);
    free(h);
}

/* MHD's texts quote what peers sent (a path, say), so they are made printable. */
static void httpd_log(void *cls, const char *fmt, va_list ap)
{
    struct httpd *h = cls;
    char text[512];
    char shown[512];
    vsnprintf(text, sizeof(text), fmt, ap);
    size_t len = strlen(text);
    str_printable(str_trim(text, &len), len, shown, sizeof(shown));
    log_debug("httpd", "%s", shown);
    if (h->ready == NULL) {
        free(h->complaint);
        h->complaint = mem_strdup(shown);
    }
}

/* Decoding is ours: MHD's would turn %2F into a slash before anybody could tell the difference. */
static size_t httpd_leave_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

/*
 * The request target as it was sent. MHD will next split the query into a record for each '&', from a pool that a query
 * of mere ampersands exhausts; 0.9.75 then goes on with a request that it has already refused and spins until the idle
 * time is over. We parse queries ourselves, so ours is hidden from it: the text is MHD's own writable read buffer, and
 * it looks at the byte behind the '?' after this.
 */
static void *httpd_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    (void)cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct httpd_conn *conn = info->socket_context;
    struct httpd_req *req = httpd_req_new(conn, uri != NULL ? uri : "");
    const char *query = uri != NULL ? strchr(uri, '?') : NULL;
    if (query != NULL)
        ((char *)(uintptr_t)query)[1] = '\0';
    return req;
}

static enum MHD_Result httpd_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                        const char *version, const char *data, size_t *len, void **req_cls)
{
    struct httpd *h = cls;
    struct httpd_req *req = *req_cls;
    bool go_on;
    h->idle_runs = 0;
    (void)mhd;
    (void)url;
    if (h->closing) {
        go_on = false;
    } else if (!req->begun) {
        req->http_1_1 = strcmp(version, "HTTP/1.1") == 0;
        go_on = httpd_req_begin(req, method);
    } else if (*len > 0) {
        go_on = httpd_req_upload(req, data, *len);
        *len = 0;
    } else {
        go_on = httpd_req_whole(req);
    }
    return go_on ? MHD_YES : MHD_NO;
}

static void httpd_on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                               enum MHD_RequestTerminationCode code)
{
    struct httpd *h = cls;
    struct httpd_req *req = *req_cls;
    h->idle_runs = 0;
    (void)mhd;
    (void)code;
    if (req == NULL)
        return;
    httpd_req_over(req);
    httpd_req_free(req);
    *req_cls = NULL;
}

static void httpd_on_connection(void *cls, struct MHD_Connection *mhd, void **conn_cls,
                                enum MHD_ConnectionNotificationCode code)
{
    switch (code) {
    case MHD_CONNECTION_NOTIFY_STARTED:
        *conn_cls = httpd_conn_new(cls, mhd);
        break;
    case MHD_CONNECTION_NOTIFY_CLOSED:
        httpd_conn_free(*conn_cls);
        *conn_cls = NULL;
        break;
    }
}

static struct httpd_conn *httpd_conn_new(struct httpd *h, struct MHD_Connection *mhd)
{
    static uint64_t last_id; /* one for all servers of the process: an id never means two connections */
    struct httpd_conn *conn = mem_calloc(1, sizeof(*conn));
    conn->h = h;
    conn->mhd = mhd;
    conn->id = ++last_id;
    conn->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    httpd_conn_name_peer(conn);
    if (h->is_tls && h->settings.tls_ask_client)
        httpd_tls_ask(conn);
    conn->next = h->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    h->conns = conn;
    h->n_conns++;
    return conn;
}

static void httpd_conn_free(struct httpd_conn *conn)
{
    struct httpd *h = conn->h;
    if (conn->watched)
        epoll_ctl(h->hangup_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        h->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    h->n_conns--;
    httpd_run_soon(h);
    if (conn->data_free != NULL)
        conn->data_free(conn->data);
    free(conn->cert);
    free(conn);
}

static void httpd_conn_name_peer(struct httpd_conn *conn)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = conn->h->is_unix || info == NULL ? NULL : info->client_addr;
    char text[INET6_ADDRSTRLEN];
    if (sa != NULL && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
        snprintf(conn->peer, sizeof(conn->peer), "%s:%u", text, (unsigned)ntohs(in.sin_port));
    } else if (sa != NULL && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
        snprintf(conn->peer, sizeof(conn->peer), "[%s]:%u", text, (unsigned)ntohs(in6.sin6_port));
    } else {
        snprintf(conn->peer, sizeof(conn->peer), "unix");
    }
}

void httpd_conn_suspend(struct httpd_conn *conn)
{
    if (!conn->watched) {
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = conn};
        conn->watched = epoll_ctl(conn->h->hangup_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0;
    }
    conn->suspended = true;
    MHD_suspend_connection(conn->mhd);
}

void httpd_conn_resume(struct httpd_conn *conn)
{
    if (!conn->suspended)
        return;
    conn->suspended = false;
    MHD_resume_connection(conn->mhd);
    httpd_run_soon(conn->h);
}
