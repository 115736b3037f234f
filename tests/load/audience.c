/* audience: see audience.h. */
#include "audience.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stopwatch.h"

/* LAST and FIRST in ns, monotonic. */
enum { EVENTS, BYTES, LAST, LOST, FIRST, IDLE, FIELDS };
enum { READ_MAX = 256 * 1024, READY_MAX = 64, WAITING_MAX = 64, SEATS_AN_ADDRESS = 1000, IDLE_MS = 100 };

struct seat {
    int fd;
    char tail[2]; /* the last two bytes */
    bool heard;   /* anything yet */
};

static void listen_for_ever(unsigned port, unsigned connections, audience_hello_fn *hello, volatile uint64_t *shared)
    __attribute__((noreturn));

void audience_start(struct audience *a, unsigned port, unsigned connections, audience_hello_fn *hello)
{
    void *memory = mmap(NULL, FIELDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    a->shared = memory;
    a->pid = fork();
    if (a->pid < 0)
        abort();
    if (a->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stopwatch_pin(1);
        listen_for_ever(port, connections, hello, a->shared);
    }
}

void audience_stop(struct audience *a)
{
    kill(a->pid, SIGKILL);
    waitpid(a->pid, NULL, 0);
    munmap((void *)(uintptr_t)a->shared, FIELDS * sizeof(uint64_t));
}

uint64_t audience_events(const struct audience *a)
{
    return a->shared[EVENTS];
}

uint64_t audience_bytes(const struct audience *a)
{
    return a->shared[BYTES];
}

double audience_last(const struct audience *a)
{
    return (double)a->shared[LAST] / 1e9;
}

void audience_await(struct audience *a)
{
    a->shared[FIRST] = 0;
}

double audience_first(const struct audience *a)
{
    return (double)a->shared[FIRST] / 1e9;
}

uint64_t audience_idle(const struct audience *a)
{
    return a->shared[IDLE];
}

uint64_t audience_lost(const struct audience *a)
{
    return a->shared[LOST];
}

/* The ends of events in `text`, whose first two bytes came before and were looked at then. */
static uint64_t count(const char *text, size_t len)
{
    const char *end = text + len;
    uint64_t n = 0;
    for (const char *p = text + 2; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n += p[-1] == '\n' && p[-2] == '}';
    return n;
}

static int seat_new(unsigned port, unsigned i, audience_hello_fn *hello)
{
    static char words[AUDIENCE_HELLO_MAX];
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* A thousand to an address of ours: the kernel looks long for a free port among many that are taken. */
    struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + ((unsigned)getpid() % 200 << 16) + (i / SEATS_AN_ADDRESS << 8))};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (i >= SEATS_AN_ADDRESS && setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) == 0)
        bind(fd, (struct sockaddr *)&from, sizeof(from));
    size_t len = hello(i, words, sizeof(words)), sent = 0;
    if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
        perror("audience");
        exit(1);
    }
    for (ssize_t n; sent < len && (n = write(fd, words + sent, len - sent)) > 0;)
        sent += (size_t)n;
    return fd;
}

/* Returns 1 when this was the first that it heard. */
static unsigned hear(struct seat *seat, char *buffer, volatile uint64_t *shared)
{
    unsigned first = !seat->heard;
    memcpy(buffer, seat->tail, 2);
    ssize_t n = recv(seat->fd, buffer + 2, READ_MAX, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0) {
            shared[LOST]++;
            close(seat->fd);
        }
        return 0;
    }
    seat->heard = true;
    uint64_t events = count(buffer, (size_t)n + 2);
    memcpy(seat->tail, buffer + n, 2);
    shared[BYTES] += (uint64_t)n;
    if (events > 0) {
        shared[LAST] = (uint64_t)(stopwatch_now() * 1e9);
        shared[EVENTS] += events;
        if (shared[FIRST] == 0)
            shared[FIRST] = shared[LAST];
    }
    return first;
}

static void listen_for_ever(unsigned port, unsigned connections, audience_hello_fn *hello, volatile uint64_t *shared)
{
    static char buffer[READ_MAX + 2];
    struct epoll_event ready[READY_MAX];
    struct rlimit files;
    int epoll = epoll_create1(0);
    struct seat *seats = calloc(connections, sizeof(*seats));
    if (epoll < 0 || !seats)
        abort();
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (unsigned i = 0, heard = 0;;) {
        /* One after the other, and reading meanwhile; not more than a server's queue holds. */
        bool more = i < connections && i - heard < WAITING_MAX;
        if (more) {
            seats[i].fd = seat_new(port, i, hello);
            epoll_ctl(epoll, EPOLL_CTL_ADD, seats[i].fd,
                      &(struct epoll_event){.events = EPOLLIN, .data.ptr = &seats[i]});
            i++;
        }
        int n = epoll_wait(epoll, ready, READY_MAX, more ? 0 : IDLE_MS);
        if (n == 0 && !more)
            shared[IDLE]++;
        for (int k = 0; k < n; k++)
            heard += hear(ready[k].data.ptr, buffer, shared);
    }
}
