/*
 * secret: a password from a file to the one place that needs it. The type is opaque so that no format string can print
 * it by accident, and the bytes are wiped when it goes. The configuration names files, never passwords; the daemon
 * reads them again when they change.
 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"

/* Bytes beyond SECRET_MAX that may be there without being part of the secret: CR LF. */
#define LINE_END 2

struct secret {
    size_t len;
    int64_t mtime_ms;
    char bytes[]; /* len of them and a NUL */
};

static struct secret *make(const char *bytes, size_t len, int64_t mtime_ms);
static bool below_credentials(const char *path);
static const char *check_file(int fd, const char *path, struct stat *st);
static const char *check_content(const char *bytes, size_t *len);
static ssize_t read_all(int fd, char *out, size_t size);
static void explain(char *why, size_t why_size, const char *path, const char *what);

char *secret_path(const char *name, const char *dir)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char *path;

    if (*name == '/')
        return mem_strdup(name);
    if (credentials && *credentials == '/') {
        /* The second spelling is systemd's for the files of a folder, as our unit's `LoadCredential=secrets:/etc/...`.
         */
        for (int i = 0; i < 2; i++) {
            path = mem_printf("%s/%s%s", credentials, i == 0 ? "" : "secrets_", name);
            if (below_credentials(path) && access(path, F_OK) == 0)
                return path;
            free(path);
        }
    }
    return mem_printf("%s/%s", dir, name);
}

struct secret *secret_read(const char *path, char *why, size_t why_size)
{
    /* O_NONBLOCK: somebody may have put a FIFO there, which would hold the whole daemon. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char bytes[SECRET_MAX + LINE_END + 1];
    struct secret *s = NULL;
    const char *wrong;
    struct stat st;
    size_t len = 0;
    ssize_t n;

    if (fd < 0) {
        explain(why, why_size, path, strerror(errno));
        return NULL;
    }
    wrong = check_file(fd, path, &st);
    if (!wrong) {
        n = read_all(fd, bytes, sizeof(bytes));
        wrong = n < 0 ? strerror(errno) : NULL;
        len = n < 0 ? 0 : (size_t)n;
    }
    if (!wrong)
        wrong = check_content(bytes, &len);
    if (wrong)
        explain(why, why_size, path, wrong);
    else
        s = make(bytes, len, (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    mem_wipe(bytes, sizeof(bytes));
    close(fd);
    return s;
}

struct secret *secret_new(const char *text)
{
    return make(text, strlen(text), 0);
}

void secret_free(struct secret **s)
{
    if (!*s)
        return;
    mem_wipe(*s, sizeof(**s) + (*s)->len);
    free(*s);
    *s = NULL;
}

struct secret *secret_copy(const struct secret *s)
{
    return make(s->bytes, s->len, s->mtime_ms);
}

const char *secret_bytes(const struct secret *s, size_t *ret_len)
{
    if (ret_len)
        *ret_len = s->len;
    return s->bytes;
}

/* That two secrets differ in length may show. */
bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && crypto_equal(a->bytes, b->bytes, a->len);
}

int64_t secret_mtime_ms(const struct secret *s)
{
    return s->mtime_ms;
}

static struct secret *make(const char *bytes, size_t len, int64_t mtime_ms)
{
    struct secret *s = mem_calloc(1, sizeof(*s) + len + 1);

    s->len = len;
    s->mtime_ms = mtime_ms;
    memcpy(s->bytes, bytes, len);
    return s;
}

/* By its spelling only; one that climbs ("..") is not below anything. */
static bool below_credentials(const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t len = dir ? strlen(dir) : 0;

    while (len > 1 && dir[len - 1] == '/')
        len--;
    return len > 1 && *dir == '/' && strncmp(path, dir, len) == 0 && path[len] == '/' && !strstr(path + len, "/../") &&
           !str_ends(path, "/..");
}

/* Everything is asked of the open file, not of the name, which may mean another file by now. */
static const char *check_file(int fd, const char *path, struct stat *st)
{
    if (fstat(fd, st) != 0)
        return strerror(errno);
    if (!S_ISREG(st->st_mode))
        return "not a regular file";
    if ((st->st_mode & (S_IRGRP | S_IROTH)) && !below_credentials(path))
        return "may be read by group or others; its mode should be 0600 or 0400";
    return NULL;
}

static const char *check_content(const char *bytes, size_t *len)
{
    size_t n = *len;

    if (n > 0 && bytes[n - 1] == '\n') {
        n--;
        if (n > 0 && bytes[n - 1] == '\r')
            n--;
    }
    if (n > SECRET_MAX)
        return "longer than 4096 bytes";
    if (n == 0)
        return "empty";
    if (memchr(bytes, '\0', n))
        return "has a NUL byte inside";
    if (memchr(bytes, '\n', n) || memchr(bytes, '\r', n))
        return "has more than one line";
    *len = n;
    return NULL;
}

static ssize_t read_all(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while (len < size) {
        n = read(fd, out + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static void explain(char *why, size_t why_size, const char *path, const char *what)
{
    char shown[256];

    snprintf(why, why_size, "secret file %s: %s", str_printable(path, strlen(path), shown, sizeof(shown)), what);
}
