/*
 * httpd_listen: from "127.0.0.1:8008", "[::1]:0" or "unix:/run/x.sock" to a listening socket, for httpd.c.
 *
 * Addresses are numeric ("localhost" and "*" are understood), so that no resolver can block the start. A Unix socket
 * file that is in the way is replaced when nobody accepts on it (its owner died), and refused when somebody does. The
 * file gets its mode between bind() and listen(), while nobody can connect yet.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union httpd_addr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static bool httpd_listen_adopt(struct httpd_listener *l, int fd, char *why, size_t why_size);
static bool httpd_listen_unix(struct httpd_listener *l, const char *path, mode_t mode, char *why, size_t why_size);
static bool httpd_listen_clear_way(const union httpd_addr *addr, const char *path, char *why, size_t why_size);
static bool httpd_listen_tcp(struct httpd_listener *l, const char *text, char *why, size_t why_size);
static bool httpd_listen_parse(const char *text, union httpd_addr *ret_addr, socklen_t *ret_len);
static bool httpd_listen_fail(struct httpd_listener *l, const char *name, char *why, size_t why_size);

bool httpd_listen(struct httpd_listener *l, const struct httpd_settings *settings, char *why, size_t why_size)
{
    *l = (struct httpd_listener){.fd = -1};
    if (settings->listen_fd > 0)
        return httpd_listen_adopt(l, settings->listen_fd, why, why_size);
    if (settings->listen == NULL) {
        snprintf(why, why_size, "no address to listen on");
        return false;
    }
    if (str_starts(settings->listen, "unix:")) {
        mode_t mode = settings->unix_mode != 0 ? settings->unix_mode : 0660;
        return httpd_listen_unix(l, settings->listen + strlen("unix:"), mode, why, why_size);
    }
    return httpd_listen_tcp(l, settings->listen, why, why_size);
}

/* Only the file that we made: a successor may have put its own in this place. */
void httpd_listen_unlink(struct httpd_listener *l)
{
    struct stat st;
    if (l->unix_path == NULL)
        return;
    if (lstat(l->unix_path, &st) == 0 && st.st_dev == l->unix_dev && st.st_ino == l->unix_ino)
        unlink(l->unix_path);
    free(l->unix_path);
    l->unix_path = NULL;
}

static bool httpd_listen_adopt(struct httpd_listener *l, int fd, char *why, size_t why_size)
{
    union httpd_addr addr = {.sa.sa_family = AF_UNSPEC};
    socklen_t len = sizeof(addr);
    l->fd = fd;
    if (getsockname(fd, &addr.sa, &len) != 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return httpd_listen_fail(l, "passed socket", why, why_size);
    if (addr.sa.sa_family == AF_INET)
        l->port = ntohs(addr.in.sin_port);
    else if (addr.sa.sa_family == AF_INET6)
        l->port = ntohs(addr.in6.sin6_port);
    return true;
}

static bool httpd_listen_unix(struct httpd_listener *l, const char *path, mode_t mode, char *why, size_t why_size)
{
    union httpd_addr addr = {.un.sun_family = AF_UNIX};
    struct stat st;
    if (*path == '\0' || strlen(path) >= sizeof(addr.un.sun_path)) {
        snprintf(why, why_size, "unix:%s: a socket's path has 1 to %zu bytes", path, sizeof(addr.un.sun_path) - 1);
        return false;
    }
    memcpy(addr.un.sun_path, path, strlen(path) + 1);
    if (!httpd_listen_clear_way(&addr, path, why, why_size))
        return false;
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return httpd_listen_fail(l, path, why, why_size);
    if (bind(l->fd, &addr.sa, sizeof(addr.un)) != 0 || lstat(path, &st) != 0)
        return httpd_listen_fail(l, path, why, why_size);
    l->unix_path = mem_strdup(path);
    l->unix_dev = st.st_dev;
    l->unix_ino = st.st_ino;
    if (chmod(path, mode) != 0 || listen(l->fd, SOMAXCONN) != 0)
        return httpd_listen_fail(l, path, why, why_size);
    return true;
}

static bool httpd_listen_clear_way(const union httpd_addr *addr, const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, why_size, "%s: exists and is no socket", path);
        return false;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead = probe >= 0 && connect(probe, &addr->sa, sizeof(addr->un)) != 0 && errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    if (!dead) {
        snprintf(why, why_size, "%s: in use by another process", path);
        return false;
    }
    log_debug("httpd", "replacing a socket nobody listens on path=%s", path);
    return unlink(path) == 0 || errno == ENOENT;
}

static bool httpd_listen_tcp(struct httpd_listener *l, const char *text, char *why, size_t why_size)
{
    union httpd_addr addr;
    socklen_t len;
    int on = 1;
    if (!httpd_listen_parse(text, &addr, &len)) {
        snprintf(why, why_size, "%s: not an address; write 127.0.0.1:8008, [::1]:8008 or unix:/run/x.sock", text);
        return false;
    }
    l->fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(l->fd, &addr.sa, len) != 0 || listen(l->fd, SOMAXCONN) != 0 || getsockname(l->fd, &addr.sa, &len) != 0)
        return httpd_listen_fail(l, text, why, why_size);
    l->port = ntohs(addr.sa.sa_family == AF_INET ? addr.in.sin_port : addr.in6.sin6_port);
    return true;
}

static bool httpd_listen_parse(const char *text, union httpd_addr *ret_addr, socklen_t *ret_len)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !str_to_int(colon + 1, 0, UINT16_MAX, &port))
        return false;
    size_t len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    *ret_addr = (union httpd_addr){.in6.sin6_family = AF_INET6};
    *ret_len = sizeof(ret_addr->in6);
    ret_addr->in6.sin6_port = htons((uint16_t)port);
    if (strcmp(host, "*") == 0)
        return true; /* all zero is "any", for IPv4 as well */
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &ret_addr->in6.sin6_addr) == 1;
    }
    *ret_addr = (union httpd_addr){.in.sin_family = AF_INET};
    *ret_len = sizeof(ret_addr->in);
    ret_addr->in.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &ret_addr->in.sin_addr) == 1;
}

static bool httpd_listen_fail(struct httpd_listener *l, const char *name, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: %s", name, strerror(errno));
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    httpd_listen_unlink(l);
    return false;
}
