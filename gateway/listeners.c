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

static int shared(const struct gw_listeners *old, const char *text, unsigned nth);
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
