/*
 * buf: growing bytes with a ceiling. Writers of requests, answers and log lines, and readers of sockets, fill one of
 * these.
 *
 * Invariants: data always points somewhere and data[len] is NUL. While cap is 0, data is the shared empty string below,
 * which nobody writes to but with a NUL. Otherwise cap bytes are allocated and len < cap <= max + 1.
 *
 * `failed` sticks: after one piece did not fit, all later ones are refused too, or the result would have a hole in it.
 */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CAP 64

/* Blocks up to this size are wiped when the buf grows out of them: they may have held a credential, and are cheap to
 * wipe. */
#define WIPE_CAP 16384

static char empty[1];

static bool reserve(struct buf *b, size_t len);
static void grow(struct buf *b, size_t need);

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.data = empty, .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_free(struct buf *b)
{
    if (b->cap > 0)
        free(b->data);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
    if (b->cap > 0)
        mem_wipe(b->data, b->cap);
    buf_free(b);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->data[0] = '\0';
    b->failed = false;
}

bool buf_add(struct buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return false;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_adds(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

bool buf_addc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    ok = buf_addv(b, fmt, ap);
    va_end(ap);
    return ok;
}

bool buf_addv(struct buf *b, const char *fmt, va_list ap)
{
    size_t room = b->cap > 0 ? b->cap - b->len : 0;
    va_list again;
    int len;

    if (b->failed)
        return false;
    va_copy(again, ap);
    len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, again);
    va_end(again);
    if (len >= 0 && (size_t)len >= room && reserve(b, (size_t)len))
        len = vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    if (len < 0) /* a bad wide character: nothing to add, and the text would be wrong without it */
        b->failed = true;
    if (!b->failed)
        b->len += (size_t)len;
    b->data[b->len] = '\0';
    return !b->failed;
}

char *buf_room(struct buf *b, size_t len)
{
    if (!reserve(b, len))
        return NULL;
    /* The writer may fill less than it asked for, and whatever it adds to len must still be followed by a NUL. */
    memset(b->data + b->len, 0, len + 1);
    return b->data + b->len;
}

void buf_drop(struct buf *b, size_t len)
{
    if (len >= b->len) {
        b->len = 0;
    } else {
        memmove(b->data, b->data + len, b->len - len);
        b->len -= len;
    }
    b->data[b->len] = '\0';
}

char *buf_take(struct buf *b)
{
    char *data = b->cap > 0 ? b->data : mem_strdup("");

    buf_init(b, b->max);
    return data;
}

/* Makes room for `len` more and the NUL, so that even len 0 leaves the shared empty string. */
static bool reserve(struct buf *b, size_t len)
{
    if (b->failed || len > b->max - b->len) {
        b->failed = true;
        return false;
    }
    if (b->len + len + 1 > b->cap)
        grow(b, b->len + len + 1);
    return true;
}

static void grow(struct buf *b, size_t need)
{
    size_t cap = b->cap > 0 ? b->cap : FIRST_CAP;
    char *data;

    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    if (b->cap > WIPE_CAP) {
        b->data = mem_realloc(b->data, cap, 1);
    } else {
        data = mem_realloc(NULL, cap, 1);
        memcpy(data, b->data, b->len + 1);
        if (b->cap > 0) {
            mem_wipe(b->data, b->cap);
            free(b->data);
        }
        b->data = data;
    }
    b->cap = cap;
}
