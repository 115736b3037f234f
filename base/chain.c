/*
 * chain: see chain.h. Writing. The first line of every file says what the one before it ended with.
 *
 * A sealed value stands as KEY=VALUE:NONCE:DIGEST, where the digest is the first half of the SHA-256 of nonce and
 * value. The chain is computed over KEY=DIGEST, so VALUE and NONCE may be emptied together later; with the nonce gone
 * nobody can try addresses against the digest.
 */
#include "base/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"
#include "chain_private.h"

struct chain {
    char *path;
    int64_t max_size, size;
    unsigned keep;
    int fd;
    char head[CHAIN_HEX];
};

static bool open_file(struct chain *c, char *why, size_t why_size);
static bool find_end(struct chain *c, const char *file, char *why, size_t why_size);
static bool write_line(struct chain *c, const char *text, char *why, size_t why_size);
static bool rotate(struct chain *c, char *why, size_t why_size);
static void zero_head(struct chain *c);
static bool fail(const char *path, char *why, size_t why_size);

struct chain *chain_open(const char *path, int64_t max_size, unsigned keep, char *why, size_t why_size)
{
    struct chain *c = mem_calloc(1, sizeof *c);
    *c = (struct chain){.path = mem_strdup(path), .max_size = max_size, .keep = keep, .fd = -1};
    zero_head(c);
    if (!open_file(c, why, why_size))
        chain_close(&c);
    return c;
}

void chain_close(struct chain **c)
{
    if (!*c)
        return;
    if ((*c)->fd >= 0)
        close((*c)->fd);
    free((*c)->path);
    free(*c);
    *c = NULL;
}

bool chain_add(struct chain *c, const char *text, char *why, size_t why_size)
{
    if (strlen(text) + CHAIN_HEX + sizeof CHAIN_WORD > CHAIN_LINE_MAX || strchr(text, '\n')) {
        snprintf(why, why_size, "%s: a line that is none", c->path);
        return false;
    }
    if (c->fd < 0 && !open_file(c, why, why_size))
        return false;
    bool full = c->size + (int64_t)strlen(text) + CHAIN_HEX > c->max_size;
    return (!full || rotate(c, why, why_size)) && write_line(c, text, why, why_size);
}

bool chain_sync(struct chain *c, char *why, size_t why_size)
{
    return c->fd < 0 || fdatasync(c->fd) == 0 || fail(c->path, why, why_size);
}

const char *chain_head(const struct chain *c)
{
    return c->head;
}

void chain_seal(struct buf *out, const char *key, const char *value)
{
    uint8_t random[CHAIN_NONCE / 2];
    char nonce[CHAIN_NONCE + 1], digest[CHAIN_HEX];
    struct buf safe;
    buf_init(&safe, CHAIN_LINE_MAX / 4);
    str_percent_encode(&safe, value, strlen(value), "@+");
    crypto_random(random, sizeof random);
    crypto_hex(random, sizeof random, nonce);
    chain_seal_digest(nonce, safe.data, safe.len, digest);
    buf_addf(out, "%s%s=%s:%s:%s", out->len ? " " : "", key, safe.data, nonce, digest);
    buf_free(&safe);
}

char *chain_file(const char *path, unsigned number)
{
    return number ? mem_printf("%s.%u", path, number) : mem_strdup(path);
}

void chain_digest(const char *previous, const char *text, size_t len, char out[CHAIN_HEX])
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    struct buf b;
    buf_init(&b, 2 * CHAIN_LINE_MAX);
    buf_adds(&b, previous);
    for (const char *word = text, *end = text + len; word < end;) {
        const char *space = memchr(word, ' ', (size_t)(end - word));
        size_t word_len = (size_t)((space ? space : end) - word);
        struct chain_sealed s;
        buf_addc(&b, ' ');
        if (chain_is_sealed(word, word_len, &s)) {
            buf_add(&b, word, s.key_len + 1);
            buf_add(&b, s.digest, CHAIN_SEAL);
        } else {
            buf_add(&b, word, word_len);
        }
        word += word_len + 1;
    }
    crypto_sha256(b.data, b.len, digest);
    crypto_hex(digest, sizeof digest, out);
    buf_free(&b);
}

bool chain_is_sealed(const char *word, size_t len, struct chain_sealed *ret)
{
    static const char hex[] = "0123456789abcdef";
    const char *equals = memchr(word, '=', len), *end = word + len;
    if (!equals)
        return false;
    const char *first = memchr(equals, ':', (size_t)(end - equals));
    const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
    if (!second || end - second - 1 != CHAIN_SEAL)
        return false;
    *ret = (struct chain_sealed){.key = word,
                                 .key_len = (size_t)(equals - word),
                                 .value = equals + 1,
                                 .value_len = (size_t)(first - equals - 1),
                                 .nonce = first + 1,
                                 .nonce_len = (size_t)(second - first - 1),
                                 .digest = second + 1};
    return strspn(ret->digest, hex) >= CHAIN_SEAL && (ret->nonce_len == 0 || ret->nonce_len == CHAIN_NONCE);
}

void chain_seal_digest(const char *nonce, const char *value, size_t value_len, char out[CHAIN_HEX])
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    struct buf b;
    buf_init(&b, CHAIN_LINE_MAX);
    buf_add(&b, nonce, CHAIN_NONCE);
    buf_add(&b, value, value_len);
    crypto_sha256(b.data, b.len, digest);
    crypto_hex(digest, CHAIN_SEAL / 2, out);
    buf_free(&b);
}

static bool open_file(struct chain *c, char *why, size_t why_size)
{
    struct stat st;
    char *before = chain_file(c->path, 1);
    bool fresh = stat(c->path, &st) != 0 || st.st_size == 0;
    bool ok = find_end(c, fresh ? before : c->path, why, why_size);
    free(before);
    if (!ok)
        return false;
    c->fd = open(c->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->fd < 0 || fstat(c->fd, &st) != 0)
        return fail(c->path, why, why_size);
    c->size = st.st_size;
    if (c->size > 0)
        return true;
    char text[sizeof CHAIN_BEGIN + CHAIN_HEX];
    snprintf(text, sizeof text, "%s%s", CHAIN_BEGIN, c->head);
    return write_line(c, text, why, why_size);
}

/* The head is the last whole line's digest; what follows that line is a crash's. */
static bool find_end(struct chain *c, const char *file, char *why, size_t why_size)
{
    char tail[2 * CHAIN_LINE_MAX];
    struct stat st;
    int fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || fail(file, why, why_size);
    bool ok = fstat(fd, &st) == 0;
    off_t from = ok && st.st_size > (off_t)sizeof tail ? st.st_size - (off_t)sizeof tail : 0;
    ssize_t len = ok ? pread(fd, tail, sizeof tail, from) : -1;
    ok = len >= 0;
    while (len > 0 && tail[len - 1] != '\n')
        len--;
    if (ok && from + len < st.st_size)
        ok = ftruncate(fd, from + len) == 0;
    if (!ok)
        fail(file, why, why_size);
    close(fd);
    if (len >= CHAIN_HEX + (ssize_t)sizeof CHAIN_WORD) {
        memcpy(c->head, tail + len - CHAIN_HEX, CHAIN_HEX - 1);
        if (strspn(c->head, "0123456789abcdef") != CHAIN_HEX - 1)
            zero_head(c); /* somebody was here: the verification tells */
    }
    return ok;
}

static bool write_line(struct chain *c, const char *text, char *why, size_t why_size)
{
    char head[CHAIN_HEX];
    chain_digest(c->head, text, strlen(text), head);
    char *line = mem_printf("%s" CHAIN_WORD "%s\n", text, head);
    size_t len = strlen(line);
    ssize_t n = write(c->fd, line, len);
    free(line);
    if (n == (ssize_t)len) {
        c->size += n;
        memcpy(c->head, head, sizeof head);
        return true;
    }
    /* Half a line is cut off again, now or when the file is opened next. */
    int saved = errno;
    if (n > 0 && ftruncate(c->fd, c->size) != 0)
        saved = errno;
    close(c->fd);
    c->fd = -1;
    errno = n >= 0 ? ENOSPC : saved;
    return fail(c->path, why, why_size);
}

static bool rotate(struct chain *c, char *why, size_t why_size)
{
    fdatasync(c->fd);
    close(c->fd);
    c->fd = -1;
    for (unsigned i = c->keep; i-- > 0;) {
        char *from = chain_file(c->path, i), *to = chain_file(c->path, i + 1);
        bool ok = rename(from, to) == 0 || errno == ENOENT;
        if (!ok)
            fail(from, why, why_size);
        free(from);
        free(to);
        if (!ok)
            return false;
    }
    return open_file(c, why, why_size);
}

static void zero_head(struct chain *c)
{
    memset(c->head, '0', CHAIN_HEX - 1);
    c->head[CHAIN_HEX - 1] = '\0';
}

static bool fail(const char *path, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    return false;
}
