/*
 * xmpp_stream: one connection to an XMPP server as an external component (XEP-0114): header, handshake, stanzas both
 * ways, stream errors, a watch on silence. No connection is made twice: the owner makes a new stream.
 */
#ifndef PRESENCE_XMPP_STREAM_H
#define PRESENCE_XMPP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xmpp_stanza.h"

struct loop;
struct pres_xmpp_stream;
struct secret;
struct tls;

#define PRES_XMPP_NS "jabber:component:accept"

/* Never before pres_xmpp_stream_new returned, never after pres_xmpp_stream_close; each may close the stream. `end`
 * comes once and is the last. */
struct pres_xmpp_handler {
    void (*ready)(void *arg);
    void (*stanza)(void *arg, const struct pres_xml *stanza); /* valid during the call */
    void (*room)(void *arg);
    void (*silent)(void *arg); /* nothing came for a minute: say something that is answered */
    /* `slow`: trying again at once is of no use. */
    void (*end)(void *arg, const char *code, const char *text, bool slow);
};

struct pres_xmpp_stream_settings {
    const char *component; /* our domain */
    const char *host;
    unsigned port;
    struct tls *tls;             /* NULL: plain; outlives the stream */
    const struct secret *secret; /* copied */
};

struct pres_xmpp_stream *pres_xmpp_stream_new(struct loop *loop, const struct pres_xmpp_stream_settings *settings,
                                              const struct pres_xmpp_handler *handler, void *arg);
/* At once; what was written and still waits is not sent. NULL is fine. */
void pres_xmpp_stream_close(struct pres_xmpp_stream **s);

/* False: not ready, or no room (wait for `room`). */
bool pres_xmpp_stream_write(struct pres_xmpp_stream *s, const char *xml, size_t len);
/* The same for writers of many stanzas: where to add one, which goes out with the others of this turn. NULL: not ready,
 * or no room. */
struct buf;
struct buf *pres_xmpp_stream_add(struct pres_xmpp_stream *s);
size_t pres_xmpp_stream_waiting(const struct pres_xmpp_stream *s);

#endif
