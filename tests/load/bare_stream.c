/*
 * bare_stream: see bare_stream.h. The connections are suspended until all are there; then every one is asked for bytes
 * until it has written its events, which are copied from one that was made before. Blocks have 16 KiB.
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

enum { BLOCK = 16 * 1024 };

struct bare {
    struct stream *streams;
    unsigned count, events;
    char *event;
    size_t bytes;
};

struct stream {
    struct bare *bare;
    struct MHD_Connection *connection;
    unsigned left;
};

static size_t hello(unsigned i, char *out, size_t max)
{
    (void)i;
    return (size_t)snprintf(out, max, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static ssize_t on_pull(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *s = arg;
    size_t bytes = s->bare->bytes, len = 0;
    (void)pos;
    for (; s->left > 0 && max - len >= bytes; s->left--, len += bytes)
        memcpy(out + len, s->bare->event, bytes);
    if (len == 0)
        MHD_suspend_connection(s->connection);
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
    *s = (struct stream){.bare = b, .connection = connection};
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

struct bare_stream_time bare_stream(unsigned connections, unsigned events, unsigned bytes)
{
    struct bare b = {.streams = calloc(connections, sizeof(struct stream)), .event = malloc(bytes), .bytes = bytes};
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
                                                 &b, MHD_OPTION_CONNECTION_LIMIT, connections + 10, MHD_OPTION_END);
    if (!daemon || !b.event || !b.streams)
        abort();
    memset(b.event, 'x', bytes);
    memcpy(b.event + bytes - 3, "}\n\n", 3);
    int epoll = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct audience audience;
    audience_start(&audience, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port, connections, hello);
    while (b.count < connections)
        turn(daemon, epoll);
    for (double until = stopwatch_now() + 0.2; stopwatch_now() < until;) /* headers go out, and all come to rest */
        turn(daemon, epoll);

    double cpu = stopwatch_cpu(), wall = stopwatch_now();
    for (unsigned i = 0; i < connections; i++) {
        b.streams[i].left = events;
        MHD_resume_connection(b.streams[i].connection);
    }
    MHD_run(daemon); /* its descriptor does not tell of those */
    while (audience_events(&audience) < (uint64_t)events * connections)
        turn(daemon, epoll);
    struct bare_stream_time took = {stopwatch_cpu() - cpu, audience_last(&audience) - wall};
    audience_stop(&audience);
    for (unsigned i = 0; i < connections; i++)
        MHD_resume_connection(b.streams[i].connection); /* it stops with none suspended */
    MHD_stop_daemon(daemon);
    free(b.streams);
    free(b.event);
    return took;
}
