/*
 * log_recent: the last lines of the log, kept in memory for whoever asks what happened just now (a bundle for support).
 * A ring of bytes: a new line pushes out the oldest ones. Lines come from the loop's thread and from the worker.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "log_private.h"

static struct {
    pthread_mutex_t lock;
    char *bytes;
    size_t size, at; /* where the next byte goes */
    bool full;       /* once around */
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_keep_recent(size_t bytes)
{
    pthread_mutex_lock(&ring.lock);
    free(ring.bytes);
    ring.bytes = bytes ? mem_calloc(1, bytes) : NULL;
    ring.size = bytes;
    ring.at = 0;
    ring.full = false;
    pthread_mutex_unlock(&ring.lock);
}

void log_recent_add(const char *line, size_t len)
{
    pthread_mutex_lock(&ring.lock);
    for (size_t done = 0; ring.size && done < len && len <= ring.size;) {
        size_t room = ring.size - ring.at, n = len - done < room ? len - done : room;
        memcpy(ring.bytes + ring.at, line + done, n);
        done += n;
        ring.at += n;
        if (ring.at == ring.size) {
            ring.at = 0;
            ring.full = true;
        }
    }
    pthread_mutex_unlock(&ring.lock);
}

void log_recent(struct buf *out)
{
    pthread_mutex_lock(&ring.lock);
    const char *rest = ring.bytes; /* what was written since the ring was at its end */
    size_t rest_len = ring.at, older = ring.full ? ring.size - ring.at : 0;
    if (ring.full) { /* its first line is cut */
        const char *from = ring.bytes + ring.at, *end = older ? memchr(from, '\n', older) : NULL;
        if (end)
            buf_add(out, end + 1, older - (size_t)(end + 1 - from));
        else if (rest_len && (end = memchr(rest, '\n', rest_len))) {
            rest_len -= (size_t)(end + 1 - rest);
            rest = end + 1;
        }
    }
    if (rest_len)
        buf_add(out, rest, rest_len);
    pthread_mutex_unlock(&ring.lock);
}
