/*
 * buf: bytes that grow, with a ceiling known from birth. A buf that hit its ceiling stays `failed` until reset, so that
 * a writer may add many pieces and look once at the end.
 *
 * The bytes are always followed by a NUL that does not count, so data can be handed to printf. Running out of memory
 * ends the program; running into `max` does not.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* never NULL after buf_init */
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* something did not fit; data holds what came before it */
};

/* `max` bytes at the most, NUL not counted. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);

/* Gives the memory back; the buf may be initialised again. */
void buf_free(struct buf *b);

/* Like buf_free, wiping the bytes first: for buffers that held a credential. */
void buf_wipe(struct buf *b);

/* Empty, not failed, memory kept. */
void buf_reset(struct buf *b);

/* Each returns false when the piece did not fit (nothing of it is added then). */
bool buf_add(struct buf *b, const void *data, size_t len);
bool buf_adds(struct buf *b, const char *text);
bool buf_addc(struct buf *b, char c);
bool buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_addv(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/*
 * Room for `len` more bytes behind data+len, zeroed, for a writer that fills them itself and then adds to len. NULL:
 * too much. The next call that adds may move them.
 */
char *buf_room(struct buf *b, size_t len);

/* Drops the first `len` bytes. */
void buf_drop(struct buf *b, size_t len);

/* Hands the NUL-terminated bytes to the caller, who frees them with free(); the buf is empty afterwards. */
char *buf_take(struct buf *b);

#endif
