/*
 * sip_head: where one SIP message ends and the next begins, and what header lines it has (RFC 3261 7.3, 18.3). Pure
 * functions on bytes that a stranger sent; libosip2 sees only what has passed here (sip_message.c).
 */
#ifndef PRESENCE_SIP_HEAD_H
#define PRESENCE_SIP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

enum { PRES_SIP_HEAD_MAX = 16384, PRES_SIP_BODY_MAX = 65536, PRES_SIP_HEADERS_MAX = 120 };

enum pres_sip_cut {
    PRES_SIP_MORE,  /* of a stream: not whole yet */
    PRES_SIP_WHOLE, /* head and body are there */
    PRES_SIP_EMPTY, /* line ends only: a ping, or what keeps a path open */
    PRES_SIP_BAD,   /* no message, or larger than we read: a stream cannot be read on behind it */
};

/* Where the parts are, from the beginning of the bytes. */
struct pres_sip_extent {
    size_t head, head_len; /* the empty line not included */
    size_t body, body_len;
    size_t end;       /* the next message begins here */
    bool double_ping; /* EMPTY: two line ends, which want an answer (RFC 5626 3.5.1) */
};

/* `stream` false: the bytes are a datagram, whole or torn. */
enum pres_sip_cut pres_sip_cut(const char *data, size_t len, bool stream, struct pres_sip_extent *ret);

struct pres_sip_header {
    const char *name;  /* as sent, but compact names (RFC 3261 7.3.3) are written out */
    const char *value; /* unfolded, trimmed */
};

struct pres_sip_head {
    const char *start_line;
    size_t count;
    struct pres_sip_header headers[PRES_SIP_HEADERS_MAX];
};

/* Splits a head; texts are in the arena. False: no head, more headers than we read, a NUL or another control in it. */
bool pres_sip_head_read(struct pres_sip_head *ret, struct arena *a, const char *head, size_t len);

/* The first value of that name, without case; NULL: there is none. */
const char *pres_sip_head_get(const struct pres_sip_head *h, const char *name);

#endif
