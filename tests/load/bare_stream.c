/*
 * bare_stream: see bare_stream.h. The connections are suspended until all are there; then every one is asked for bytes
 * until it has written its share of a text that lies ready in memory, all of it: nothing is put together, nobody's state
 * is looked up, and who gets what was known before.
 */
#include "bare_stream.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audience.h"
#include "stopwatch.h"

enum { BLOCK = 16 * 1024, POOL = 32 * 1024 };

struct bare {
    struct stream *streams;
    unsigned count;
};

struct stream {
    struct MHD_Connection *connection;
    const char *text;
    size_t left;
    unsigned bytes;
};

static size_t hello(unsigned i, char *out, size_t max)
{
    (void)i;
    return (size_t)snprintf(out, max, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static ssize_t on_pull(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *s = arg;
    size_t len = s->left < max ? s->left : max - max % s->bytes; /* the audience wants events whole */
    (void)pos;
    if (len == 0)
        MHD_suspend_connection(s->connection);
    memcpy(out, s->text, len);
    s->text += len;
    s->left -= len;
    return (ssize_t)len;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **request)
{
    struct bare *b = arg;
    (void)url, (void)method, (void)version, (void)data, (void)len;
    if (!*request) {
        *request = b;
        return MHD_YES;
    }
    struct stream *s = &b->streams[b->count++];
    *s = (struct stream){.connection = connection, .text = "", .bytes = 1};
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_pull, s, NULL);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void turn(struct MHD_Daemon *daemon, int epoll)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (MHD_get_timeout(daemon, &ms) != MHD_YES || ms > 0)
        poll(&(struct pollfd){.fd = epoll, .events = POLLIN}, 1, 10);
    MHD_run(daemon);
}

struct bare_stream_time bare_stream(unsigned connections, const char *text, unsigned events, unsigned bytes, size_t pool)
{
    struct bare b = {.streams = calloc(connections, sizeof(struct stream))};
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
                                                 &b, MHD_OPTION_CONNECTION_LIMIT, connections + 10,
                                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool ? pool : (size_t)POOL,
                                                 MHD_OPTION_END);
    size_t share = (size_t)(events / connections) * bytes;
    if (!daemon || !b.streams)
        abort();
    int epoll = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct audience audience;
    audience_start(&audience, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port, connections, hello);
    while (b.count < connections)
        turn(daemon, epoll);
    for (double until = stopwatch_now() + 0.2; stopwatch_now() < until;) /* headers go out, and all come to rest */
        turn(daemon, epoll);

    double cpu = stopwatch_cpu(), wall = stopwatch_now();
    for (unsigned i = 0; i < connections; i++) {
        b.streams[i].text = text + i * share;
        b.streams[i].left = share;
        b.streams[i].bytes = bytes;
        MHD_resume_connection(b.streams[i].connection);
    }
    MHD_run(daemon); /* its descriptor does not tell of those */
    while (audience_events(&audience) < (uint64_t)(events / connections) * connections)
        turn(daemon, epoll);
    struct bare_stream_time took = {stopwatch_cpu() - cpu, audience_last(&audience) - wall};
    audience_stop(&audience);
    for (unsigned i = 0; i < connections; i++)
        MHD_resume_connection(b.streams[i].connection); /* it stops with none suspended */
    MHD_stop_daemon(daemon);
    free(b.streams);
    return took;
}
