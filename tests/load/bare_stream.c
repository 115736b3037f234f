/*
 * bare_stream: see bare_stream.h. The connections are suspended until all are there; then every one is asked for bytes
 * until it has written its share of a text that lies ready in memory, all of it: nothing is put together, nobody's
 * state is looked up, and who gets what was known before. Or, without a text, it prints every event with snprintf().
 */
#include "bare_stream.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audience.h"
#include "stopwatch.h"

enum { BLOCK = 16 * 1024, POOL = 32 * 1024 };

struct bare {
    struct MHD_Daemon *daemon;
    int epoll;
    struct audience audience;
    struct stream *streams;
    unsigned count, connections;
    size_t block;
};

struct stream {
    struct MHD_Connection *connection;
    const char *text; /* NULL: print */
    size_t left;
    unsigned bytes;
};

static size_t hello(unsigned i, char *out, size_t max)
{
    (void)i;
    return (size_t)snprintf(out, max, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static size_t print_one(char *out, size_t max, unsigned number, int width)
{
    static const char *const times[] = {"2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z",
                                        "2026-11-23T08:55:00Z"};
    return (size_t)snprintf(
        out, max,
        "id: %016llx-%u\nevent: presence\ndata: {\"address\":\"u%0*u@x.test\",\"state\":\"%s\","
        "\"since\":\"%s\",\"until\":\"%s\",\"next\":{\"state\":\"%s\",\"start\":\"%s\",\"end\":\"%s\"},"
        "\"as_of\":\"%s\",\"valid_until\":\"%s\",\"reason\":null}\n\n",
        0x123456789abcdefULL, number, width, number, "busy", times[0], times[1], "free", times[1], times[2], times[3],
        times[1]);
}

/* Events of about `bytes` each, as long as there is room for one more. */
static size_t print(struct stream *s, char *out, size_t max)
{
    char one[1024];
    int width = (int)s->bytes - (int)print_one(one, sizeof(one), 1000000, 0) + 7;
    size_t len = 0;
    for (; s->left > 0 && len + s->bytes + 16 < max; s->left -= s->bytes)
        len += print_one(out + len, max - len, (unsigned)(s->left / s->bytes), width);
    return len;
}

static ssize_t on_pull(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *s = arg;
    size_t len = s->left < max ? s->left : max - max % s->bytes; /* the audience wants events whole */
    (void)pos;
    if (len == 0)
        MHD_suspend_connection(s->connection);
    if (!s->text)
        return (ssize_t)print(s, out, max);
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
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, b->block, on_pull, s, NULL);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void turn(const struct bare *b)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (MHD_get_timeout(b->daemon, &ms) != MHD_YES || ms > 0)
        poll(&(struct pollfd){.fd = b->epoll, .events = POLLIN}, 1, 10);
    MHD_run(b->daemon);
}

static void serve(struct bare *b, unsigned connections, size_t block, size_t pool)
{
    *b = (struct bare){.streams = calloc(connections, sizeof(struct stream)), .connections = connections,
                       .block = block};
    b->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, b,
                                 MHD_OPTION_CONNECTION_LIMIT, connections + 10, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 pool ? pool : (size_t)POOL, MHD_OPTION_END);
    if (!b->daemon || !b->streams)
        abort();
    b->epoll = MHD_get_daemon_info(b->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static void gather(struct bare *b)
{
    audience_start(&b->audience, MHD_get_daemon_info(b->daemon, MHD_DAEMON_INFO_BIND_PORT)->port, b->connections,
                   hello);
    while (b->count < b->connections)
        turn(b);
    for (double until = stopwatch_now() + 0.2; stopwatch_now() < until;) /* headers go out, and all come to rest */
        turn(b);
}

static void stop(struct bare *b)
{
    audience_stop(&b->audience);
    for (unsigned i = 0; i < b->connections; i++)
        MHD_resume_connection(b->streams[i].connection); /* it stops with none suspended */
    MHD_stop_daemon(b->daemon);
    free(b->streams);
}

struct bare_stream_time bare_stream(unsigned connections, const char *text, unsigned events, unsigned bytes,
                                    size_t pool)
{
    struct bare b;
    size_t share = (size_t)(events / connections) * bytes;
    serve(&b, connections, BLOCK, pool);
    gather(&b);
    double cpu = stopwatch_cpu(), wall = stopwatch_now();
    for (unsigned i = 0; i < connections; i++) {
        b.streams[i].text = text ? text + i * share : NULL;
        b.streams[i].left = share;
        b.streams[i].bytes = bytes;
        MHD_resume_connection(b.streams[i].connection);
    }
    MHD_run(b.daemon); /* its descriptor does not tell of those */
    while (audience_events(&b.audience) < (uint64_t)(events / connections) * connections)
        turn(&b);
    struct bare_stream_time took = {stopwatch_cpu() - cpu, audience_last(&b.audience) - wall};
    stop(&b);
    return took;
}

static size_t resident(void)
{
    unsigned long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &size, &pages) != 2)
        abort();
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t bare_stream_resident(unsigned connections, size_t block, size_t pool)
{
    struct bare b;
    serve(&b, connections, block, pool);
    size_t before = resident();
    gather(&b);
    size_t after = resident();
    stop(&b);
    return after - before;
}
