/* readers: see readers.h. */
#include "readers.h"

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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "company.h"
#include "stopwatch.h"

enum { ANSWERS, ERRORS, FORGET, LONGEST, FIELDS = LONGEST + READERS_WAYS };
enum { HEAD_MAX = 4096, READ_MAX = 256 * 1024, READY_MAX = 64 };

/* What a page asks for, most often first; the last one looks at everybody. */
static const struct {
    const char *path;
    bool person; /* with an address behind it */
} asked[] = {
    {"/?part=now", false},
    {"/?part=list", false},
    {"/v1/presence/", true},
    {"/person/", true},
    {"/", false},
    {"/v1/presence?address=", true},
    {"/?part=rows&address=", true},
    {"/v1/status", false},
    {"/v1/people?q=nobody", false},
};
enum { KINDS = sizeof(asked) / sizeof(*asked) };

struct reader {
    int fd;
    unsigned turn, kind;
    double since, next; /* 0: none is awaited; when to ask again */
    char head[HEAD_MAX];
    size_t len, left; /* of the head so far; of the body still to come, SIZE_MAX: not known yet */
};

static void read_for_ever(unsigned port, unsigned people, unsigned count, unsigned pause_ms, volatile uint64_t *shared)
    __attribute__((noreturn));

void readers_start(struct readers *r, unsigned port, unsigned people, unsigned count, unsigned pause_ms)
{
    void *memory = mmap(NULL, FIELDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    r->shared = memory;
    r->pid = fork();
    if (r->pid < 0)
        abort();
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stopwatch_pin(1);
        read_for_ever(port, people, count, pause_ms, r->shared);
    }
}

void readers_stop(struct readers *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    munmap((void *)(uintptr_t)r->shared, FIELDS * sizeof(uint64_t));
}

uint64_t readers_answers(const struct readers *r)
{
    return r->shared[ANSWERS];
}

uint64_t readers_errors(const struct readers *r)
{
    return r->shared[ERRORS];
}

double readers_longest(const struct readers *r, enum readers_way way)
{
    return (double)r->shared[LONGEST + way] / 1e9;
}

void readers_forget(struct readers *r)
{
    r->shared[FORGET]++;
}

static void connect_to(struct reader *r, unsigned port, int epoll)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (r->fd < 0 || connect(r->fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
        perror("readers");
        exit(1);
    }
    epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = r});
}

/* Each thing every so often: the first ones at every turn, a search in one of KINDS * 4 only. */
static void ask(struct reader *r, unsigned people)
{
    char request[256], address[32];
    unsigned n = r->turn++;
    r->kind = n % KINDS;
    if (r->kind == KINDS - 1 && n / KINDS % 4 != 0)
        r->kind = 0;
    int len = snprintf(request, sizeof(request), "GET %s%s HTTP/1.1\r\nHost: a\r\n\r\n", asked[r->kind].path,
                       asked[r->kind].person ? company_address(n * 7919 % people, address) : "");
    r->len = 0;
    r->left = SIZE_MAX;
    r->since = stopwatch_now();
    if (write(r->fd, request, (size_t)len) != len)
        exit(1);
}

static void keep_longest(const struct reader *r, double took, volatile uint64_t *shared)
{
    int field = LONGEST + (r->kind == KINDS - 1 ? READERS_SEARCH : READERS_PAGE);
    if (took * 1e9 > (double)shared[field])
        shared[field] = (uint64_t)(took * 1e9);
}

/* False: this is no answer of HTTP that we know, or not 200. */
static bool take(struct reader *r, const char *bytes, size_t len)
{
    if (r->left == SIZE_MAX) {
        size_t n = len < HEAD_MAX - 1 - r->len ? len : HEAD_MAX - 1 - r->len;
        memcpy(r->head + r->len, bytes, n);
        r->head[r->len + n] = '\0';
        const char *end = strstr(r->head, "\r\n\r\n"), *length = strcasestr(r->head, "\r\nContent-Length:");
        size_t before = r->len;
        r->len += n;
        if (!end)
            return r->len < HEAD_MAX - 1;
        if (strncmp(r->head, "HTTP/1.1 200 ", 13) != 0 || !length || length > end)
            return false;
        r->left = strtoul(length + 17, NULL, 10);
        len -= (size_t)(end + 4 - r->head) - before;
    }
    if (len > r->left)
        return false;
    r->left -= len;
    return true;
}

static void hear(struct reader *r, char *buffer, unsigned pause_ms, volatile uint64_t *shared)
{
    ssize_t n = recv(r->fd, buffer, READ_MAX, MSG_DONTWAIT);
    if (n < 0)
        return;
    if (n == 0 || r->since <= 0 || !take(r, buffer, (size_t)n)) {
        fprintf(stderr, "readers: %s: %.60s\n", asked[r->kind].path, n == 0 ? "it was hung up" : r->head);
        shared[ERRORS]++;
        close(r->fd);
        r->next = 1e300;
        r->since = 0;
        return;
    }
    if (r->left > 0)
        return;
    double now = stopwatch_now();
    keep_longest(r, now - r->since, shared);
    shared[ANSWERS]++;
    r->since = 0;
    r->next = now + pause_ms / 1000.0;
}

static void read_for_ever(unsigned port, unsigned people, unsigned count, unsigned pause_ms, volatile uint64_t *shared)
{
    static char buffer[READ_MAX];
    struct epoll_event ready[READY_MAX];
    struct reader *readers = calloc(count, sizeof(*readers));
    int epoll = epoll_create1(0);
    if (epoll < 0 || !readers)
        abort();
    double began = stopwatch_now();
    uint64_t forgot = 0;
    for (unsigned i = 0; i < count; i++) {
        connect_to(&readers[i], port, epoll);
        readers[i].turn = i;
        readers[i].next = began + (double)pause_ms / 1000 * i / count; /* not all at once */
    }
    for (;;) {
        int n = epoll_wait(epoll, ready, READY_MAX, 1);
        for (int k = 0; k < n; k++)
            hear(ready[k].data.ptr, buffer, pause_ms, shared);
        double now = stopwatch_now();
        if (forgot != shared[FORGET]) {
            forgot = shared[FORGET];
            shared[LONGEST + READERS_PAGE] = shared[LONGEST + READERS_SEARCH] = 0;
        }
        for (unsigned i = 0; i < count; i++) {
            if (readers[i].since > 0)
                keep_longest(&readers[i], now - readers[i].since, shared);
            else if (now >= readers[i].next)
                ask(&readers[i], people);
        }
    }
}
