/*
 * brokers: see brokers.h. Both protocols are written by hand, packets made once for each channel, so that the publisher
 * costs next to nothing. The broker runs on the core where the gateway ran; publisher and subscribers share the other.
 */
#include "brokers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audience.h"
#include "stopwatch.h"

enum { BATCH = 64 * 1024, PACKET_MAX = 4096 };

struct broker {
    audience_hello_fn *hello;
    size_t (*packet)(unsigned channel, const char *text, unsigned len, char *out);
    size_t (*connect)(char *out); /* what the publisher says first */
};

static unsigned free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(where);
    if (fd < 0 || bind(fd, (struct sockaddr *)&where, len) || getsockname(fd, (struct sockaddr *)&where, &len))
        abort();
    close(fd);
    return ntohs(where.sin_port);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0)
        return fd;
    close(fd);
    return -1;
}

static pid_t start(const char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stopwatch_pin(0);
        dup2(null, 1);
        dup2(null, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void drain(int fd)
{
    static char rubbish[BATCH];
    while (recv(fd, rubbish, sizeof(rubbish), MSG_DONTWAIT) > 0)
        continue;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN | POLLOUT};
        ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            continue;
        }
        poll(&ready, 1, 100);
        drain(fd); /* what the broker answers to each message */
    }
}

static void publish(int fd, const struct broker *b, unsigned channels, unsigned messages, unsigned bytes)
{
    static char batch[BATCH + PACKET_MAX];
    char *text = malloc(bytes);
    size_t len = 0;
    if (!text || bytes > PACKET_MAX / 2)
        abort();
    memset(text, 'x', bytes);
    memcpy(text + bytes - 3, "}\n\n", 3);
    for (unsigned i = 0; i < messages; i++) {
        len += b->packet(i % channels, text, bytes, batch + len);
        if (len >= BATCH || i + 1 == messages) {
            send_all(fd, batch, len);
            len = 0;
        }
    }
    free(text);
}

static bool measure(const struct broker *b, pid_t pid, unsigned port, unsigned channels, unsigned messages,
                    unsigned bytes, struct broker_time *ret)
{
    struct audience audience;
    char first[64];
    int fd = -1;
    for (double until = stopwatch_now() + 10; fd < 0 && stopwatch_now() < until; usleep(10000))
        fd = waitpid(pid, NULL, WNOHANG) == 0 ? connect_to(port) : -1;
    if (fd < 0)
        return false;
    send_all(fd, first, b->connect(first));
    audience_start(&audience, port, channels, b->hello);
    for (uint64_t seen = 1; seen != audience_bytes(&audience) || seen == 0;
         usleep(300000)) /* until all have subscribed */
        seen = audience_bytes(&audience);
    double cpu = stopwatch_cpu_of(pid), wall = stopwatch_now();
    publish(fd, b, channels, messages, bytes);
    while (audience_events(&audience) < messages) {
        usleep(1000);
        drain(fd);
    }
    *ret = (struct broker_time){stopwatch_cpu_of(pid) - cpu, audience_last(&audience) - wall};
    audience_stop(&audience);
    close(fd);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return true;
}

/* --- Redis --- */

static size_t redis_hello(unsigned i, char *out, size_t max)
{
    char name[16];
    int len = snprintf(name, sizeof(name), "c%u", i);
    return (size_t)snprintf(out, max, "*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%s\r\n", len, name);
}

static size_t redis_packet(unsigned channel, const char *text, unsigned bytes, char *out)
{
    char name[16];
    int len = snprintf(name, sizeof(name), "c%u", channel);
    size_t n = (size_t)sprintf(out, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%u\r\n", len, name, bytes);
    memcpy(out + n, text, bytes);
    memcpy(out + n + bytes, "\r\n", 2);
    return n + bytes + 2;
}

static size_t redis_connect(char *out)
{
    return (size_t)sprintf(out, "PING\r\n");
}

bool brokers_redis(unsigned channels, unsigned messages, unsigned bytes, struct broker_time *ret)
{
    static const struct broker redis = {redis_hello, redis_packet, redis_connect};
    unsigned port = free_port();
    char number[16];
    snprintf(number, sizeof(number), "%u", port);
    const char *const argv[] = {"/usr/bin/redis-server",
                                "--port",
                                number,
                                "--bind",
                                "127.0.0.1",
                                "--save",
                                "",
                                "--appendonly",
                                "no",
                                "--client-output-buffer-limit",
                                "pubsub 0 0 0",
                                NULL};
    return access(argv[0], X_OK) == 0 && measure(&redis, start(argv), port, channels, messages, bytes, ret);
}

/* --- MQTT 3.1.1 --- */

static size_t mqtt_connect_as(const char *name, char *out)
{
    size_t len = strlen(name);
    memcpy(out, "\x10\x00\x00\x04MQTT\x04\x02\x00\x00\x00\x00", 14);
    out[1] = (char)(12 + len);
    out[13] = (char)len;
    memcpy(out + 14, name, len);
    return 14 + len;
}

static size_t mqtt_connect(char *out)
{
    return mqtt_connect_as("publisher", out);
}

static size_t mqtt_hello(unsigned i, char *out, size_t max)
{
    char name[16];
    size_t len = (size_t)snprintf(name, sizeof(name), "c%u", i), n = mqtt_connect_as(name, out);
    if (max < n + len + 7)
        abort();
    memcpy(out + n, "\x82\x00\x00\x01\x00\x00", 6);
    out[n + 1] = (char)(5 + len);
    out[n + 5] = (char)len;
    memcpy(out + n + 6, name, len);
    out[n + 6 + len] = 0; /* QoS */
    return n + 7 + len;
}

static size_t mqtt_packet(unsigned channel, const char *text, unsigned bytes, char *out)
{
    char name[16];
    size_t len = (size_t)snprintf(name, sizeof(name), "c%u", channel), rest = 2 + len + bytes, n = 0;
    out[n++] = 0x30;
    for (; rest > 127; rest >>= 7)
        out[n++] = (char)(0x80 | (rest & 127));
    out[n++] = (char)rest;
    out[n++] = 0;
    out[n++] = (char)len;
    memcpy(out + n, name, len);
    memcpy(out + n + len, text, bytes);
    return n + len + bytes;
}

bool brokers_mosquitto(unsigned channels, unsigned messages, unsigned bytes, struct broker_time *ret)
{
    static const struct broker mosquitto = {mqtt_hello, mqtt_packet, mqtt_connect};
    char config[] = "/tmp/freebusyd-load-XXXXXX";
    const char *const argv[] = {"/usr/sbin/mosquitto", "-c", config, NULL};
    unsigned port = free_port();
    int fd = mkstemp(config);
    if (fd < 0)
        return false;
    dprintf(fd,
            "listener %u 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\nlog_type none\n",
            port);
    fchmod(fd, 0644); /* it gives up root */
    close(fd);
    bool ok = access(argv[0], X_OK) == 0 && measure(&mosquitto, start(argv), port, channels, messages, bytes, ret);
    unlink(config);
    return ok;
}
