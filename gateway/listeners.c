/*
 * listeners: see listeners.h. Every user of a socket has a descriptor of its own for it, so that old and new face can
 * stand side by side for a moment and nobody closes what somebody else accepts from.
 */
#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config.h"

struct gw_listeners {
    unsigned count;
    struct {
        char *text;
        int fd;
    } sockets[];
};

/* What the process was started with. */
static struct {
    int first;
    unsigned count;
} given;

static int shared(const struct gw_listeners *old, const char *text, unsigned nth);
static int handed_over(const char *text);
static bool same_socket(int fd, const char *text);
static int bound(const char *text);
static bool parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len);

struct gw_listeners *gw_listeners_new(const struct gw_config_http *http, const struct gw_listeners *old, char *why,
                                      size_t why_size)
{
    struct gw_listeners *l = mem_calloc(1, sizeof *l + http->listen_count * sizeof l->sockets[0]);
    for (unsigned i = 0; i < http->listen_count; i++) {
        const char *text = http->listen[i];
        unsigned nth = 0; /* ":0" may stand there several times */
        for (unsigned j = 0; j < i; j++)
            nth += strcmp(http->listen[j], text) == 0;
        int fd = shared(old, text, nth);
        if (fd < 0)
            fd = handed_over(text);
        if (fd < 0)
            fd = bound(text);
        if (fd < 0) {
            snprintf(why, why_size, "publish.http.listen: %s: %s", text, strerror(errno));
            gw_listeners_free(&l);
            return NULL;
        }
        l->sockets[i].text = mem_strdup(text);
        l->sockets[i].fd = fd;
        l->count++;
    }
    return l;
}

void gw_listeners_free(struct gw_listeners **l)
{
    if (!*l)
        return;
    for (unsigned i = 0; i < (*l)->count; i++) {
        close((*l)->sockets[i].fd);
        free((*l)->sockets[i].text);
    }
    free(*l);
    *l = NULL;
}

int gw_listeners_dup(const struct gw_listeners *l, unsigned i)
{
    return l && i < l->count ? fcntl(l->sockets[i].fd, F_DUPFD_CLOEXEC, 3) : -1;
}

unsigned gw_listeners_given(int first, unsigned count)
{
    unsigned bad = 0;
    given.first = first;
    given.count = count;
    for (unsigned i = 0; i < count; i++) {
        int fd = first + (int)i, listening = 0;
        socklen_t len = sizeof listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
            bad++;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return bad;
}

unsigned gw_listeners_unused(const struct gw_listeners *l, char text[32])
{
    unsigned unused = 0;
    for (unsigned i = 0; i < given.count; i++) {
        bool used = false;
        for (unsigned j = 0; l && j < l->count && !used; j++)
            used = same_socket(given.first + (int)i, l->sockets[j].text);
        if (!used && unused++ == 0)
            snprintf(text, 32, "descriptor %d", given.first + (int)i);
    }
    return unused;
}

static int handed_over(const char *text)
{
    for (unsigned i = 0; i < given.count; i++)
        if (same_socket(given.first + (int)i, text))
            return fcntl(given.first + (int)i, F_DUPFD_CLOEXEC, 3);
    return -1;
}

/* Is it bound to just this address and port? */
static bool same_socket(int fd, const char *text)
{
    struct sockaddr_storage wanted, have = {0};
    socklen_t wanted_len, len = sizeof have;
    if (!parse(text, &wanted, &wanted_len) || getsockname(fd, (struct sockaddr *)&have, &len) < 0 ||
        have.ss_family != wanted.ss_family)
        return false;
    if (have.ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const void *)&wanted, *b = (const void *)&have;
        return a->sin6_port == b->sin6_port && memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
    }
    const struct sockaddr_in *a = (const void *)&wanted, *b = (const void *)&have;
    return have.ss_family == AF_INET && a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static int shared(const struct gw_listeners *old, const char *text, unsigned nth)
{
    for (unsigned i = 0; old && i < old->count; i++)
        if (strcmp(old->sockets[i].text, text) == 0 && nth-- == 0)
            return gw_listeners_dup(old, i);
    return -1;
}

static int bound(const char *text)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;
    if (!parse(text, &address, &len)) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, len) < 0 || listen(fd, SOMAXCONN) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || !str_to_int(colon + 1, 0, 65535, &port))
        return false;
    bool is_v6 = text[0] == '[';
    size_t len = (size_t)(colon - text) - (is_v6 ? 2 : 0);
    char *host = mem_strndup(text + is_v6, len);
    bool ok = inet_pton(is_v6 ? AF_INET6 : AF_INET, host, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) == 1;
    free(host);
    v4.sin_port = v6.sin6_port = htons((uint16_t)port);
    *ret = (struct sockaddr_storage){0};
    *ret_len = is_v6 ? sizeof v6 : sizeof v4;
    memcpy(ret, is_v6 ? (void *)&v6 : (void *)&v4, *ret_len);
    return ok;
}
